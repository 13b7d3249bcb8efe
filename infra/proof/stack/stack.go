//go:build proof

package stack

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// Repository is the project's folder, from a proof's.
const Repository = "../../.."

// Options set up a Stack.
type Options struct {
	Engine      string // URL of the DynamoDB
	Credentials g2a.Credentials
	// Cloud changes the cloud's options; nil leaves them: eight instances a function.
	Cloud func(*localcloud.Options)
	// Simulator changes the simulator's options; nil leaves them.
	Simulator func(*g2atest.Options)
	// Market makes of the simulator what stands behind the tap as G2A; nil is the
	// simulator itself.
	Market func(*g2atest.Simulator) http.Handler
}

// Stack is a local cloud in a folder of its own, with taps on two of its lines.
type Stack struct {
	*localcloud.Cloud
	Root      string // its folder
	Simulator *g2atest.Simulator
	ToStore   *Tap
	ToG2A     *Tap
}

// Start starts a stack, which is stopped at the end of the test.
func Start(t testing.TB, o Options) *Stack {
	t.Helper()
	s := &Stack{Root: localcloudtest.Root(t, Repository), ToStore: NewTap(Forward(t, o.Engine))}
	store := httptest.NewServer(s.ToStore)
	t.Cleanup(store.Close)
	options := localcloud.Options{
		Root: s.Root, DynamoDBEndpoint: store.URL, Credentials: o.Credentials, Concurrency: 8,
		G2A: func(options g2atest.Options) (http.Handler, error) {
			if o.Simulator != nil {
				o.Simulator(&options)
			}
			var err error
			if s.Simulator, err = g2atest.New(options); err != nil {
				return nil, err
			}
			var market http.Handler = s.Simulator
			if o.Market != nil {
				market = o.Market(s.Simulator)
			}
			s.ToG2A = NewTap(market)
			return s.ToG2A, nil
		},
	}
	if o.Cloud != nil {
		o.Cloud(&options)
	}
	var err error
	if s.Cloud, err = localcloud.Start(t.Context(), options); err != nil {
		t.Fatalf("starting the local cloud: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Logs is the folder of the functions' logs.
func (s *Stack) Logs() string { return filepath.Join(s.Root, ".local", "logs") }

//go:build proof

package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// herdSize is how many instances start at once.
const herdSize = 200

// smallHerd is for where the number adds nothing.
const smallHerd = 20

// herd is many instances of one account.
type herd struct {
	t         *testing.T
	server    *g2atest.Server
	started   time.Time
	ahead     atomic.Int64 // nanoseconds
	instances []*g2a.Client
	sources   []*g2a.SharedTokens
	storeDown atomic.Int64 // failures of the store that were told
	slowest   time.Duration
	kills     int
}

// now is the clock of all, G2A's too. It moves by ahead alone, so that a machine that is
// busy lets no lease run out.
func (h *herd) now() time.Time { return h.started.Add(time.Duration(h.ahead.Load())) }

// timed is a store whose clock is the herd's.
type timed struct {
	g2a.TokenStore
	now func() time.Time
}

func (s timed) LoadToken(ctx context.Context, fingerprint string) (g2a.TokenRecord, error) {
	record, err := s.TokenStore.LoadToken(ctx, fingerprint)
	record.ReadAt = s.now()
	return record, err
}

// newHerd makes the instances, each with a store client of its own. skew is how wrong
// the clock of instance i is; nil: not at all.
func newHerd(t *testing.T, e *storetest.Engine, size int, skew func(i int) time.Duration, variables ...string) *herd {
	t.Helper()
	return newHerdOf(t, e, time.Hour, size, skew, variables...)
}

// newHerdOf is newHerd for tokens of another life.
func newHerdOf(t *testing.T, e *storetest.Engine, life time.Duration, size int, skew func(i int) time.Duration, variables ...string) *herd {
	t.Helper()
	h := &herd{t: t, started: time.Now()}
	h.server = g2atest.NewServer(t, func(o *g2atest.Options) { o.Clock, o.TokenLife = h.now, life })
	config := h.server.Config(variables...)
	for i := range size {
		clock := h.now
		if skew != nil {
			clock = func() time.Time { return h.now().Add(skew(i)) }
		}
		source := &g2a.SharedTokens{
			Store:       timed{store.Tokens{DB: newStoreClient(t, e.Endpoint), Table: e.StateTable, Env: g2a.Sandbox}, h.now},
			Credentials: h.server.Credentials,
			Owner:       fmt.Sprint("instance-", i), Clock: clock, Log: slog.New(slog.DiscardHandler), StoreFailed: func() { h.storeDown.Add(1) },
		}
		client := g2a.New(config, g2a.Options{
			Credentials: h.server.Credentials, Transport: h.server.Client().Transport, Clock: clock, Tokens: g2a.RememberTokens(source, clock),
		})
		source.Fetch = client.FetchTokenFor
		h.instances, h.sources = append(h.instances, client), append(h.sources, source)
	}
	return h
}

// newStoreClient is one with connections of its own.
func newStoreClient(t *testing.T, endpoint string) *dynamodb.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient: &http.Client{Transport: transport, Timeout: time.Minute},
		Retryer:    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})
}

// call has all instances call G2A at once, and gives the errors.
func (h *herd) call() []error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute) // on a machine that is busy
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failures []error
	for _, client := range h.instances {
		wg.Go(func() {
			started := time.Now()
			_, err := client.Offers(ctx, g2a.OfferQuery{})
			mu.Lock()
			defer mu.Unlock()
			h.slowest = max(h.slowest, time.Since(started))
			if err != nil {
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	return failures
}

// served wants every instance served, by so many tokens since the start.
func (h *herd) served(tokens int) {
	h.t.Helper()
	if failures := h.call(); len(failures) != 0 {
		h.t.Errorf("%d of %d instances are not served: %v", len(failures), len(h.instances), failures[0])
	}
	h.issued(tokens)
}

func (h *herd) issued(want int) {
	h.t.Helper()
	if issued := h.server.Simulator.Stats().TokensIssued; issued != want {
		h.t.Errorf("%d tokens issued, want %d", issued, want)
	}
}

func (h *herd) faults(faults ...g2atest.Fault) {
	h.t.Helper()
	for _, f := range faults {
		if err := h.server.Simulator.AddFault(f); err != nil {
			h.t.Fatal(err)
		}
	}
}

const tokenRoute = "GET /v1/token"

// slow holds the fetching up until many wait for it.
var slow = g2atest.Fault{Route: tokenRoute, Mode: "delay", DelayMS: 300}

func status(of int, count int) g2atest.Fault {
	return g2atest.Fault{Route: tokenRoute, Mode: "status", Status: of, Count: count}
}

var herds = []struct {
	name string
	run  func(t *testing.T, e *storetest.Engine) *herd
}{
	{"cold", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, herdSize, nil)
		h.faults(slow)
		h.served(1)
		h.served(1) // from memory
		return h
	}},
	{"cold, client credentials", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, smallHerd, nil, "G2A_TOKEN_FLOW=client_credentials")
		h.faults(g2atest.Fault{Route: "POST /oauth/token", Mode: "delay", DelayMS: 300})
		h.served(1)
		return h
	}},
	{"cold, clocks off by 60 s", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, smallHerd, func(i int) time.Duration { return time.Duration(i%3-1) * time.Minute })
		h.faults(slow)
		h.served(1)
		return h
	}},
	{"G2A answers 429 and 500 first", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, herdSize, nil)
		h.faults(status(429, 1), status(500, 1), slow)
		h.served(1)
		return h
	}},
	{"G2A fails for the leader", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, smallHerd, nil)
		h.faults(status(500, 3))
		failures := h.call()
		if len(failures) != 1 || !errors.Is(failures[0], g2a.ErrUnavailable) {
			t.Errorf("%d failures, want the leader's, ErrUnavailable: %v", len(failures), failures)
		}
		h.issued(1)
		h.served(1)
		return h
	}},
	{"the leader dies before it stores", killLeader},
	{"the token expires under load", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, herdSize, nil)
		for _, round := range []struct {
			at     time.Duration // since the start
			tokens int
		}{{0, 1}, {50 * time.Minute, 2}, {61 * time.Minute, 2}, {100 * time.Minute, 3}, {5 * time.Hour, 4}} {
			h.ahead.Store(int64(round.at))
			h.served(round.tokens)
		}
		return h
	}},
	{"five-minute tokens, clocks off by 60 s", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerdOf(t, e, 5*time.Minute, smallHerd, func(i int) time.Duration { return time.Duration(i%3-1) * time.Minute })
		for _, round := range []struct {
			at     time.Duration // since the start
			tokens int
		}{{0, 1}, {230 * time.Second, 1}, {260 * time.Second, 2}, {8 * time.Minute, 2}, {14 * time.Minute, 3}, {time.Hour, 4}} {
			h.ahead.Store(int64(round.at))
			h.served(round.tokens)
		}
		if refused := h.server.Simulator.Stats().Routes["GET /v3/sales/offers"].Statuses[http.StatusUnauthorized]; refused != 0 {
			t.Errorf("%d calls were made with a token that had expired", refused)
		}
		return h
	}},
	{"the item is damaged", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, herdSize, nil)
		item := map[string]types.AttributeValue{"version": &types.AttributeValueMemberS{Value: "seven"}}
		for name, value := range map[string]string{"pk": "TOKEN#sandbox#" + h.server.Credentials.Fingerprint(), "sk": "TOKEN", "access_token": "damaged"} {
			item[name] = &types.AttributeValueMemberS{Value: value}
		}
		e.Put(t, e.StateTable, item)
		h.faults(slow)
		h.served(1)
		if record, err := h.sources[1].Store.LoadToken(t.Context(), h.server.Credentials.Fingerprint()); err != nil || record.Damage != nil || record.Token.Version != 1 {
			t.Errorf("version %d, damage %v, error %v, want a good item", record.Token.Version, record.Damage, err)
		}
		return h
	}},
	{"the token is revoked", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, smallHerd, nil)
		h.served(1)
		h.server.Simulator.Reset() // it knows none of its tokens any more, and counts anew
		h.served(1)
		return h
	}},
	{"the credentials are refused", func(t *testing.T, e *storetest.Engine) *herd {
		h := newHerd(t, e, smallHerd, nil)
		h.server.Simulator.SetCredentials(g2a.Credentials{Hash: g2a.NewSecret("other"), Key: g2a.NewSecret("other")})
		for _, round := range []struct {
			at    time.Duration // since the start
			asked int           // so far
		}{{0, 1}, {0, 1}, {time.Minute, 2}, {time.Minute, 2}, {3 * time.Minute, 3}, {4 * time.Minute, 3}} {
			h.ahead.Store(int64(round.at))
			failures := h.call()
			for _, err := range failures {
				if !errors.Is(err, g2a.ErrCredentialsRejected) {
					t.Errorf("got %v, want ErrCredentialsRejected", err)
				}
			}
			if asked := h.server.Simulator.Stats().Routes[tokenRoute].Calls; len(failures) != smallHerd || asked != round.asked {
				t.Errorf("after %s: %d failures, G2A asked %d times, want all and %d", round.at, len(failures), asked, round.asked)
			}
		}
		h.issued(0)
		h.server.Simulator.SetCredentials(h.server.Credentials)
		h.ahead.Store(int64(10 * time.Minute))
		h.served(1)
		return h
	}},
}

// killLeader has the leader get a token from G2A and then no further. Who waits for it
// takes its lease over, and only one does.
func killLeader(t *testing.T, e *storetest.Engine) *herd {
	h := newHerd(t, e, herdSize, nil)
	dead, fetched := make(chan struct{}), make(chan *g2a.SharedTokens, 1)
	defer close(dead)
	var once sync.Once
	for _, source := range h.sources {
		fetch := source.Fetch
		source.Fetch = func(ctx context.Context, c g2a.Credentials) (g2a.Token, error) {
			leads := false
			once.Do(func() { leads = true })
			token, err := fetch(ctx, c)
			if leads {
				fetched <- source
				<-dead
			}
			return token, err
		}
	}
	h.kills = 1
	alone := h.instances
	served := make(chan []error)
	// The leader goes on only at the test's end: the others are asked for alone.
	first := h.instances[0]
	go func() { _, err := first.Offers(t.Context(), g2a.OfferQuery{}); served <- []error{err} }()
	<-fetched
	h.issued(1)
	h.instances = alone[1:]
	// They find a lease that must be over, though nobody has watched it.
	h.ahead.Store(int64(3 * time.Minute))
	h.faults(slow)
	h.served(2)
	record, err := h.sources[1].Store.LoadToken(t.Context(), h.server.Credentials.Fingerprint())
	if err != nil || record.Token.Version != 1 {
		t.Errorf("version %d, error %v, want 1", record.Token.Version, err)
	}
	dead <- struct{}{} // it was only slow: it must not replace the others' token
	if errs := <-served; errs[0] != nil {
		t.Error(errs[0])
	}
	again, err := h.sources[1].Store.LoadToken(t.Context(), h.server.Credentials.Fingerprint())
	if err != nil || again.Token.Version != 1 || !again.Token.Access.Equal(record.Token.Access) {
		t.Errorf("the slow leader has changed the record; error %v", err)
	}
	h.instances = alone
	return h
}

// TestHerd has many instances need a token at once.
func TestHerd(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "herd\tengine\tinstances\ttokens\ttoken calls\tkills\tslowest wait")
	for _, test := range herds {
		t.Run(test.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
				h := test.run(t, e)
				if h.storeDown.Load() != 0 {
					t.Errorf("%d failures of the store, want none", h.storeDown.Load())
				}
				stats := h.server.Simulator.Stats()
				calls := stats.Routes[tokenRoute].Calls + stats.Routes["POST /oauth/token"].Calls
				_, engine, _ := strings.Cut(strings.TrimPrefix(t.Name(), "TestHerd/"), "/")
				fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", test.name, engine, len(h.instances), stats.TokensIssued, calls, h.kills, h.slowest.Round(time.Millisecond))
			})
		})
	}
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
}

// TestStoreCut has the store fail for a herd that is warm, and come back.
func TestStoreCut(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		const size = 20
		h := newHerd(t, e, size, nil)
		good := h.sources[0].Store
		for _, source := range h.sources { // all of them through one line, which is cut
			source.Store = timed{store.Tokens{DB: e.DB, Table: e.StateTable, Env: g2a.Sandbox}, h.now}
		}
		h.served(1)
		e.Wire.Cut()
		h.served(1) // from memory
		if h.storeDown.Load() != 0 {
			t.Errorf("%d failures of the store told, want none", h.storeDown.Load())
		}
		h.ahead.Store(int64(2 * time.Hour))
		h.served(1 + size) // one each
		h.served(1 + size)
		if h.storeDown.Load() != size {
			t.Errorf("%d failures of the store told, want one of each of %d instances", h.storeDown.Load(), size)
		}
		e.Wire.Mend()
		h.ahead.Store(int64(4 * time.Hour))
		h.served(1 + size + 1) // they share again
		if record, err := good.LoadToken(t.Context(), h.server.Credentials.Fingerprint()); err != nil || record.Token.Version != 2 {
			t.Errorf("version %d, error %v, want the second one that was stored", record.Token.Version, err)
		}
	})
}

//go:build proof

package workflow_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/moto"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// interpreter is a moto that executes state machines, shared by all tests of the
// process. It calls Lambda at one port of localhost for all of them, so lambdas
// stands there and passes each call on.
type interpreter struct {
	states  *sfn.Client
	lambdas *lambdas
}

// mustInterpret gives the interpreter, which ends with the process, however that ends.
func mustInterpret(t testing.TB) *interpreter {
	t.Helper()
	python := moto.Python(t, proof.Repository)
	start.Do(func() { running, notRunning = startInterpreter(python) })
	if notRunning != nil {
		t.Fatalf("moto: %v", notRunning)
	}
	return running
}

var (
	start      sync.Once
	running    *interpreter
	notRunning error
)

func startInterpreter(python string) (*interpreter, error) {
	calls := &lambdas{at: map[string]*url.URL{}, answered: map[string]map[int]int{}}
	lambda := httptest.NewServer(calls) // ends with the process, as moto does
	_, lambdaPort, _ := strings.Cut(lambda.Listener.Addr().String(), ":")
	endpoint, err := moto.Start(python, configure, "MOTO_PORT="+lambdaPort)
	if err != nil {
		return nil, err
	}
	return &interpreter{states: sfn.New(sfn.Options{
		Region: template.Region, BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}), lambdas: calls}, nil
}

// configure has moto execute state machines, which by itself it does not.
func configure(ctx context.Context, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/moto-api/config", strings.NewReader(`{"stepfunctions":{"execute_state_machine":true}}`))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("it refuses to execute state machines: %s", response.Status)
	}
	return nil
}

// lambdas is the Invoke API of all local clouds. Each one is an AWS account of its
// own to moto: the account in a function's ARN says whose it is.
type lambdas struct {
	mu       sync.Mutex
	at       map[string]*url.URL    // by account
	answered map[string]map[int]int // by account and HTTP status
}

// open gives a cloud an account.
func (l *lambdas) open(lambda string) (account string, err error) {
	target, err := url.Parse(lambda)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	account = fmt.Sprintf("%012d", len(l.at)+1)
	l.at[account], l.answered[account] = target, map[int]int{}
	return account, nil
}

// calls tells how often the functions of an account were called, answered in any way.
func (l *lambdas) calls(account string) (total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, count := range l.answered[account] {
		total += count
	}
	return total
}

func (l *lambdas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	account := "none"
	if parts := strings.Split(r.URL.Path, ":"); len(parts) > 4 { // .../arn:aws:lambda:<region>:<account>:function:...
		account = parts[4]
	}
	l.mu.Lock()
	target := l.at[account]
	l.mu.Unlock()
	if target == nil {
		http.Error(w, "no local cloud has the account of "+r.URL.Path, http.StatusNotFound)
		return
	}
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(response *http.Response) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.answered[account][response.StatusCode]++
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
}

package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/g2a-lambda/g2a-lambda/infra/local/template"
)

// interpreter is a moto that executes state machines, shared by all tests of the
// process. It calls Lambda at one port of localhost for all of them, so lambdas
// stands there and passes each call on.
type interpreter struct {
	states  *sfn.Client
	lambdas *lambdas
}

// python is the one that `make moto` made, with moto and statelint.
var python = filepath.Join(repository, ".local", "moto", "bin", "python")

// needPython skips the test where there is no such Python; with CI=true it fails.
func needPython(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(python); err == nil {
		return
	}
	missing := "moto was not fetched, run `make moto`"
	if _, err := exec.LookPath("python3"); err != nil {
		missing = "python3 is missing"
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skipf("NOT RUN on moto and statelint: %s", missing)
}

// mustInterpret gives the interpreter, which ends with the process, however that ends.
func mustInterpret(t testing.TB) *interpreter {
	t.Helper()
	needPython(t)
	i, err := started()
	if err != nil {
		t.Fatalf("moto: %v", err)
	}
	return i
}

var started = sync.OnceValues(func() (*interpreter, error) {
	// Another process may take the free port before moto does: then once more.
	for try := 1; ; try++ {
		i, err := start()
		if err == nil || try == 3 {
			return i, err
		}
	}
})

// keeper runs a program until its own standard input ends, which is when the
// process that started it is gone, killed or not.
const keeper = `
"$@" </dev/null &
server=$!
exec 3<&0
{ cat <&3 >/dev/null; kill -9 $server; } 2>/dev/null &
wait $server`

// readyWithin bounds the start of moto on a machine that is busy with other tests.
const readyWithin = 90 * time.Second

// start starts moto and waits until it is ready.
func start() (*interpreter, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	said, err := os.CreateTemp("", "moto-*.log")
	if err != nil {
		return nil, err
	}
	defer said.Close()
	defer os.Remove(said.Name())
	calls := &lambdas{at: map[string]*url.URL{}, answered: map[string]map[int]int{}}
	lambda := httptest.NewServer(calls) // ends with the process, as moto does
	_, lambdaPort, _ := strings.Cut(lambda.Listener.Addr().String(), ":")

	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", python, "-m", "moto.server", "-H", "127.0.0.1", "-p", strconv.Itoa(port)) // #nosec G204 -- our own Python
	// Nothing else of this environment: neither somebody's AWS profile nor a proxy.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "MOTO_PORT=" + lambdaPort}
	cmd.Stdout, cmd.Stderr = said, said
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting it: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	endpoint := "http://127.0.0.1:" + strconv.Itoa(port)
	if err := configure(endpoint, ended); err != nil {
		_ = input.Close()
		words, _ := os.ReadFile(said.Name())
		return nil, fmt.Errorf("%w; it said: %s", err, words)
	}
	return &interpreter{states: sfn.New(sfn.Options{
		Region: template.Region, BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}), lambdas: calls}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// configure waits until moto answers, and has it execute state machines, which by
// itself it does not.
func configure(endpoint string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/moto-api/config", strings.NewReader(`{"stepfunctions":{"execute_state_machine":true}}`))
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode >= http.StatusBadRequest {
				return fmt.Errorf("it refuses to execute state machines: %s", response.Status)
			}
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("it ended: %w", errors.Join(end, io.ErrUnexpectedEOF))
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", readyWithin, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
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

package stormtest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/local/lambda"
)

// killChance is that of a request to the store to be the last of its process, at each
// of the two moments.
const killChance = 0.01

// tap is the line between the functions and the store.
type tap struct {
	t      testing.TB
	engine http.Handler

	mu        sync.Mutex
	random    *rand.Rand
	functions *lambda.Service // nil: nobody is killed
	toCut     int             // so many requests find nobody: the store is away
	cut       int
	requests  int
	reached   map[string]bool // the traces whose requests came this far
	killed    map[string]moment
}

// moment is when a process is killed.
type moment string

const (
	before moment = "before the transaction"
	after  moment = "after the transaction, before its answer"
)

func newTap(t testing.TB, seed uint64, engine string) *tap {
	t.Helper()
	to, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	return &tap{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), reached: map[string]bool{}, killed: map[string]moment{},
		engine: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
			Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		},
	}
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	root, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("X-Amzn-Trace-Id"), "Root="), ";")
	if root == "" { // the test's own, or the cloud's
		p.engine.ServeHTTP(w, r)
		return
	}
	if !p.arrives(root) {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.strike(root, before)
	answer := httptest.NewRecorder()
	p.engine.ServeHTTP(answer, r)
	p.strike(root, after)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the caller is gone: nobody to tell
}

// arrives counts a request, unless the store is away.
func (p *tap) arrives(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached[root] = true
	if p.toCut > 0 {
		p.toCut--
		p.cut++
		return false
	}
	p.requests++
	return true
}

// goAway has the store away for so many requests.
func (p *tap) goAway(requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toCut += requests
}

// strike kills the process of a trace, now and then, and ends the request.
func (p *tap) strike(root string, m moment) {
	p.mu.Lock()
	kill := p.functions != nil && p.random.Float64() < killChance
	if kill {
		p.killed[root] = m
	}
	functions := p.functions
	p.mu.Unlock()
	if !kill {
		return
	}
	if !functions.Kill(root) {
		p.t.Errorf("%s: there is no process to kill", m)
	}
	panic(http.ErrAbortHandler)
}

func (p *tap) wasKilled(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed[root] != ""
}

func (p *tap) hasReached(root string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached[root]
}

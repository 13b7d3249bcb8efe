//go:build proof

package stack

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Moment is one of the two at which a request's fate is decided.
type Moment string

// The moments of a request.
const (
	Before Moment = "before" // the work at the other end
	After  Moment = "after"  // the work is done, and the answer is not yet on its way
)

// Request is a request at a tap, with its body read.
type Request struct {
	*http.Request
	Body   []byte
	server http.Handler
}

// TraceRoot is the root of the invocation's trace, "" for a request of the test's own or
// of the cloud's.
func (r *Request) TraceRoot() string {
	root, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("X-Amzn-Trace-Id"), "Root="), ";")
	return root
}

func (r *Request) send(ctx context.Context, w http.ResponseWriter) {
	request := r.Clone(ctx)
	request.Body = io.NopCloser(bytes.NewReader(r.Body))
	r.server.ServeHTTP(w, request)
}

// SendLate has the server do the work for a request whose sender is gone: nobody waits
// for the answer, and it may be cut.
func (r *Request) SendLate() {
	defer func() {
		if cut := recover(); cut != nil && cut != http.ErrAbortHandler { // as net/http compares it
			panic(cut)
		}
	}()
	r.send(context.WithoutCancel(r.Context()), httptest.NewRecorder())
}

// Tap is a line to a server. It lets everything pass until Strike is called.
type Tap struct {
	server http.Handler

	mu     sync.Mutex
	decide func(*Request, Moment) bool
}

// NewTap makes a tap before a server.
func NewTap(server http.Handler) *Tap { return &Tap{server: server} }

// Strike sets who decides from now on whether a request passes; where it does not, its
// connection is cut. nil: everything passes.
func (t *Tap) Strike(decide func(*Request, Moment) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decide = decide
}

// ServeHTTP implements http.Handler. It reads the whole request first: only then is it
// noticed when the client has gone.
func (t *Tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	request := &Request{Request: r, Body: body, server: t.server}
	t.meet(request, Before)
	request.send(r.Context(), &answer{ResponseWriter: w, begins: func() { t.meet(request, After) }})
}

func (t *Tap) meet(r *Request, m Moment) {
	t.mu.Lock()
	decide := t.decide
	t.mu.Unlock()
	if decide != nil && !decide(r, m) {
		panic(http.ErrAbortHandler)
	}
}

// answer calls begins when the answer begins, and the work is done.
type answer struct {
	http.ResponseWriter
	begins func()
	begun  bool
}

func (a *answer) WriteHeader(status int) {
	a.begin()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		a.begins()
	}
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Forward is a reverse proxy to an engine. An answer is read to its end before it goes
// on: where it is cut off on its way, the connection behind it stays good.
func Forward(t testing.TB, engine string) http.Handler {
	t.Helper()
	target, err := url.Parse(engine)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			r.Body = io.NopCloser(bytes.NewReader(body))
			return err
		},
	}
}

package crashtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
)

// moment is one of the two at which something happens to a call.
type moment string

const (
	before moment = "before" // the work at the other end
	after  moment = "after"  // the work is done, and the answer is not yet on its way
)

// fate is what happens to the invocation at a moment of one of its calls.
type fate string

const (
	goesOn     fate = ""
	killed     fate = "killed"      // its process; before: the request is never sent
	killedLate fate = "killed late" // its process; before: the request arrives later
	cut        fate = "cut"         // its connection; before: the request is never sent
)

// tap is a line between the functions and a server.
type tap struct {
	stack  *stack
	server http.Handler
	read   func(*http.Request, []byte) call
}

func (t tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	send := func(ctx context.Context, w http.ResponseWriter) {
		request := r.Clone(ctx)
		request.Body = io.NopCloser(bytes.NewReader(body))
		t.server.ServeHTTP(w, request)
	}
	c := t.read(r, body)
	if c.trace == "" { // the test's own
		send(r.Context(), w)
		return
	}
	i := t.stack.invocationOf(&c)
	switch t.stack.meet(i, c, before) {
	case killed, cut:
		panic(http.ErrAbortHandler)
	case killedLate:
		ctx := context.WithoutCancel(r.Context())
		i.order.hold(func() {
			sendCut(func() { send(ctx, httptest.NewRecorder()) })
			t.stack.expire(i.order.ref, i.owner) // it may have brought the lease of the dead
		}, c)
		panic(http.ErrAbortHandler)
	}
	send(r.Context(), &answer{ResponseWriter: w, begins: func() {
		if t.stack.meet(i, c, after) != goesOn {
			panic(http.ErrAbortHandler)
		}
	}})
}

// answer stops at the beginning of an answer, when the work is done.
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

// sendCut sends a request whose answer nobody awaits: that it is cut does not matter.
func sendCut(send func()) {
	defer func() {
		if cut := recover(); cut != nil && cut != http.ErrAbortHandler { // as net/http compares it
			panic(cut)
		}
	}()
	send()
}

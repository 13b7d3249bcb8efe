package storetest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Wire is what a client's requests go through. It counts them, and makes them fail.
type Wire struct {
	next http.RoundTripper

	mu       sync.Mutex
	requests int
	faults   []Fault
	down     bool
}

// Fault is what happens to a request; send does the work at the engine.
type Fault func(send func() (*http.Response, error)) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return w.next.RoundTrip(r) }
	return w.fault()(send)
}

// fault counts a request and takes its fault.
func (w *Wire) fault() Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if w.down {
		return Unreachable
	}
	if len(w.faults) == 0 {
		return Fine
	}
	fault := w.faults[0]
	w.faults = w.faults[1:]
	return fault
}

// Requests gives the number of requests since the last call of it.
func (w *Wire) Requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.requests = 0 }()
	return w.requests
}

// Fail gives each of the next requests a fault; the others are fine.
func (w *Wire) Fail(faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = faults
}

// Cut makes every request fail until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
}

// Mend ends every failure.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.faults = false, nil
}

// Fine is no fault.
func Fine(send func() (*http.Response, error)) (*http.Response, error) { return send() }

// Unreachable fails before the request is sent.
func Unreachable(func() (*http.Response, error)) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// AnswerLost lets the engine do the work and then loses the answer.
func AnswerLost(send func() (*http.Response, error)) (*http.Response, error) {
	answer, err := send()
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// Refusal answers in the engine's place: HTTP 400 with a body, such as
// {"__type":"ThrottlingException"}.
func Refusal(body string) Fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

// Conflict is a transaction of so many writes that another one is in the way of.
func Conflict(writes int) Fault {
	reasons := `{"Code":"TransactionConflict"}` + strings.Repeat(`,{"Code":"None"}`, writes-1)
	return Refusal(`{"__type":"TransactionCanceledException","CancellationReasons":[` + reasons + `]}`)
}

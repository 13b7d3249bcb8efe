package lambdatest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Gate is a server that functions wait at until the test lets them go on. So a test
// knows that a function is in the middle of an invocation, and when it is gone.
type Gate struct {
	URL     string
	Arrived chan struct{} // one for each function that came
	Open    chan struct{} // one lets one go on; closed lets all
	Gone    chan struct{} // one for each that left without being let: it was killed
}

// NewGate makes a closed one.
func NewGate(t testing.TB) *Gate {
	g := &Gate{Arrived: make(chan struct{}, 10), Open: make(chan struct{}), Gone: make(chan struct{}, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.Arrived <- struct{}{}
		select {
		case <-g.Open:
		case <-r.Context().Done():
			g.Gone <- struct{}{}
		}
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// Event has the function wait at the gate.
func (g *Gate) Event() Event { return Event{Do: "get", URL: g.URL} }

// Lines is a log that a test can wait for: an io.Writer for log.New.
type Lines chan string

// Write implements io.Writer.
func (l Lines) Write(p []byte) (int, error) {
	l <- string(bytes.TrimSpace(p))
	return len(p), nil
}

// Await gives the first line that holds text.
func (l Lines) Await(t testing.TB, text string) string {
	t.Helper()
	for line := range l {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("no line with %q came", text)
	return ""
}

package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

var _ g2a.Observer = telemetry.Calls{}

type spanKey struct{}

// tracer records its spans.
type tracer struct {
	started  []string
	ended    []error
	statuses []int
}

func (r *tracer) Start(ctx context.Context, namespace telemetry.Namespace, name string) (context.Context, func(int, error)) {
	r.started = append(r.started, string(namespace)+" "+name)
	return context.WithValue(ctx, spanKey{}, name), func(status int, err error) {
		r.ended, r.statuses = append(r.ended, err), append(r.statuses, status)
	}
}

// TestFaultsOfG2A: a fault is one more metric, without dimensions. What G2A decides is none,
// nor is a call for a token.
func TestFaultsOfG2A(t *testing.T) {
	for _, test := range []struct {
		err     error
		ofToken bool
		want    bool
	}{
		{err: nil},
		{err: g2a.ErrUnavailable, want: true},
		{err: g2a.ErrThrottled, want: true},
		{err: g2a.ErrMalformedAnswer, want: true},
		{err: g2a.ErrUnavailable, ofToken: true},
		{err: g2a.ErrCredentialsRejected},
		{err: g2a.ErrInsufficientFunds},
		{err: g2a.ErrNotFound},
		{err: g2a.ErrInvalidRequest},
	} {
		emitted := &output{}
		calls := telemetry.Calls{Log: telemetry.NewLogger(&output{}), Metrics: metricsTo(emitted), Tracer: &tracer{}}
		_, finish := calls.StartCall(t.Context(), "GET", "/products")
		finish(g2a.Call{Method: "GET", Route: "/products", OfToken: test.ofToken, Err: test.err})
		faults := emitted.pieces[1:]
		if len(faults) > 0 != test.want {
			t.Errorf("%v, of a token %t: further metrics %q", test.err, test.ofToken, faults)
		}
		if test.want && fmt.Sprint(readMetrics(t, faults[0])) != "[G2AFault=1 Count]" {
			t.Errorf("%v: metrics %q", test.err, faults)
		}
	}
}

func TestCalls(t *testing.T) {
	failed := errors.New("GET /order/key/{id}: not enough funds (HTTP 403)")
	tests := []struct {
		name    string
		call    g2a.Call
		line    map[string]any // beside the timestamp
		metrics []string
	}{
		{"success", g2a.Call{Method: "GET", Route: "/order/key/{id}", Status: 200, Attempts: 1, Latency: 1234567 * time.Microsecond, CorrelationID: "c1"},
			map[string]any{"level": "INFO", "message": "G2A call", "method": "GET", "path": "/order/key/{id}", "status": 200.0, "latency_ms": 1234.0, "retries": 0.0, "correlation_id": "c1"},
			[]string{"G2ACall=1 Count", "G2AError=0 Count", "G2ARetry=0 Count", "G2ALatency=1234 Milliseconds"}},
		{"success after two retries", g2a.Call{Method: "GET", Route: "/order/key/{id}", Status: 200, Attempts: 3, CorrelationID: "c1"},
			map[string]any{"level": "INFO", "message": "G2A call", "method": "GET", "path": "/order/key/{id}", "status": 200.0, "latency_ms": 0.0, "retries": 2.0, "correlation_id": "c1"},
			[]string{"G2ACall=1 Count", "G2AError=0 Count", "G2ARetry=2 Count", "G2ALatency=0 Milliseconds"}},
		{"failure", g2a.Call{Method: "GET", Route: "/order/key/{id}", Status: 403, Attempts: 1, CorrelationID: "c1", Err: failed},
			map[string]any{"level": "WARN", "message": "G2A call failed", "method": "GET", "path": "/order/key/{id}", "status": 403.0, "latency_ms": 0.0, "retries": 0.0, "correlation_id": "c1", "error": failed.Error()},
			[]string{"G2ACall=1 Count", "G2AError=1 Count", "G2ARetry=0 Count", "G2ALatency=0 Milliseconds"}},
		{"not sent at all", g2a.Call{Method: "GET", Route: "/order/key/{id}", CorrelationID: "c1", Err: failed},
			map[string]any{"level": "WARN", "message": "G2A call failed", "method": "GET", "path": "/order/key/{id}", "status": 0.0, "latency_ms": 0.0, "retries": 0.0, "correlation_id": "c1", "error": failed.Error()},
			[]string{"G2ACall=1 Count", "G2AError=1 Count", "G2ARetry=0 Count", "G2ALatency=0 Milliseconds"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			logged, emitted, traced := &output{}, &output{}, &tracer{}
			calls := telemetry.Calls{Log: telemetry.NewLogger(logged), Metrics: metricsTo(emitted), Tracer: traced}
			ctx, finish := calls.StartCall(g2a.WithCorrelationID(t.Context(), "c1"), test.call.Method, test.call.Route)
			if got := ctx.Value(spanKey{}); got != "G2A GET /order/key/{id}" || len(traced.ended) != 0 {
				t.Errorf("span of the attempts is %v, %d spans ended", got, len(traced.ended))
			}
			finish(test.call)
			if len(traced.started) != 1 || traced.started[0] != "remote G2A GET /order/key/{id}" {
				t.Errorf("spans %q", traced.started)
			}
			if len(traced.ended) != 1 || !errors.Is(traced.ended[0], test.call.Err) || traced.statuses[0] != test.call.Status {
				t.Errorf("ended with %v and statuses %v, want one with %v and %d", traced.ended, traced.statuses, test.call.Err, test.call.Status)
			}
			lines := logged.objects(t)
			if len(lines) != 1 || len(emitted.pieces) != 1 {
				t.Fatalf("%d log lines and %d of metrics, want one of each", len(lines), len(emitted.pieces))
			}
			delete(lines[0], "timestamp")
			if got, want := fmt.Sprint(lines[0]), fmt.Sprint(test.line); got != want {
				t.Errorf("line is %s\nwant    %s", got, want)
			}
			var want []string
			for _, metric := range test.metrics {
				want = append(want, metric+" route=GET /order/key/{id}")
			}
			if got := readMetrics(t, emitted.pieces[0]); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("metrics are %q, want %q", got, want)
			}
		})
	}
}

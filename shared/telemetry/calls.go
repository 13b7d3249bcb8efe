package telemetry

import (
	"context"
	"errors"
	"log/slog"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// A Tracer puts a span of a trace around a call.
type Tracer interface {
	// Start begins a span. The context it returns is for the work within the span. The
	// function ends it, with the HTTP status of the answer, 0 without one, and the call's
	// error, whose words become part of the trace.
	Start(ctx context.Context, namespace Namespace, name string) (context.Context, func(status int, err error))
}

// Namespace says whose service is called, in X-Ray's words.
type Namespace string

// The namespaces that X-Ray knows.
const (
	AWS    Namespace = "aws"
	Remote Namespace = "remote"
)

// Calls tells of the calls to G2A. It is a g2a.Observer.
type Calls struct {
	Log     *slog.Logger
	Metrics Metrics
	Tracer  Tracer
}

// StartCall implements g2a.Observer.
func (c Calls) StartCall(ctx context.Context, method, route string) (context.Context, func(g2a.Call)) {
	ctx, end := c.Tracer.Start(ctx, Remote, "G2A "+method+" "+route)
	return ctx, func(call g2a.Call) {
		end(call.Status, call.Err)
		c.tell(ctx, call)
	}
}

// tell logs and counts a call. G2AFault counts, over all routes, those at which G2A is
// at fault or beyond reach: an alarm cannot add up over dimensions.
func (c Calls) tell(ctx context.Context, call g2a.Call) {
	retries := max(0, call.Attempts-1)
	attributes := []any{
		"method", call.Method, "path", call.Route, "status", call.Status, "latency_ms", call.Latency.Milliseconds(),
		"retries", retries,
	}
	failed := 0.0
	if call.Err != nil {
		failed = 1
		c.Log.WarnContext(ctx, "G2A call failed", append(attributes, "error", call.Err.Error())...)
	} else {
		c.Log.InfoContext(ctx, "G2A call", attributes...)
	}
	c.Metrics.Emit(Dimension{"route", call.Method + " " + call.Route},
		Metric{"G2ACall", 1, Count}, Metric{"G2AError", failed, Count},
		Metric{"G2ARetry", float64(retries), Count}, Metric{"G2ALatency", float64(call.Latency.Milliseconds()), Milliseconds})
	if isFault(call) {
		c.Metrics.Count("G2AFault", Dimension{})
	}
}

// isFault reports whether a call failed in a way that no order is an answer to. Credentials
// that are rejected are counted by the function that they stop. A token that is due and not
// available is counted as such: where orders need none, it is no fault of an order's call.
func isFault(call g2a.Call) bool {
	return !call.OfToken && (errors.Is(call.Err, g2a.ErrUnavailable) || errors.Is(call.Err, g2a.ErrThrottled) ||
		errors.Is(call.Err, g2a.ErrMalformedAnswer))
}

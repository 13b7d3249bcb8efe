//go:build lighttrace

package xray

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// Tracer makes subsegments of the invocation's segment, which Lambda names in the
// context, and sends each to the daemon when it ends. It is a telemetry.Tracer.
type Tracer struct {
	log    *slog.Logger
	daemon net.Conn // nil where the address is not one
	warned sync.Once
}

// NewTracer returns the Tracer of this process, for the daemon at host:port. The first
// span that cannot be sent is a warning in log.
func NewTracer(log *slog.Logger, daemon string) *Tracer {
	t := &Tracer{log: log}
	connection, err := net.Dial("udp", daemon) // sends nothing
	if err != nil {
		t.warn(err)
		return t
	}
	t.daemon = connection
	return t
}

// subsegment is the document that X-Ray documents, as far as it is used here.
type subsegment struct {
	ID        string              `json:"id"`
	TraceID   string              `json:"trace_id"`
	ParentID  string              `json:"parent_id"`
	Type      string              `json:"type"`
	Name      string              `json:"name"`
	Namespace telemetry.Namespace `json:"namespace"`
	StartTime float64             `json:"start_time"` // seconds since 1970
	EndTime   float64             `json:"end_time"`
	Error     bool                `json:"error,omitempty"`
	Fault     bool                `json:"fault,omitempty"`
	Throttle  bool                `json:"throttle,omitempty"`
	Cause     *cause              `json:"cause,omitempty"`
}

type cause struct {
	Exceptions []exception `json:"exceptions"`
}

type exception struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// spanKey is the context's key of the id of the span that its work is within.
type spanKey struct{}

// Start implements telemetry.Tracer.
func (t *Tracer) Start(ctx context.Context, namespace telemetry.Namespace, name string) (context.Context, func(int, error)) {
	root, parent, found := sampled(ctx)
	if !found || t.daemon == nil {
		return ctx, func(int, error) {}
	}
	if outer, within := ctx.Value(spanKey{}).(string); within {
		parent = outer
	}
	span := subsegment{
		ID: newID(), TraceID: root, ParentID: parent, Type: "subsegment",
		Name: allowed.Replace(name), Namespace: namespace,
	}
	started := time.Now()
	return context.WithValue(ctx, spanKey{}, span.ID), func(status int, err error) {
		span.StartTime = seconds(started)
		span.EndTime = seconds(started.Add(time.Since(started))) // never before the start, whatever the clock does
		if err != nil {
			span.Error, span.Fault, span.Throttle = blame(status)
			span.Cause = &cause{[]exception{{ID: newID(), Type: strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), Message: err.Error()}}}
		}
		t.send(span)
	}
}

// send sends a span as one datagram: a line that names the format, and the document.
func (t *Tracer) send(span subsegment) {
	document, err := json.Marshal(span)
	if err == nil {
		_, err = t.daemon.Write(append([]byte(`{"format":"json","version":1}`+"\n"), document...))
	}
	if err != nil {
		t.warn(err)
	}
}

func (t *Tracer) warn(err error) {
	t.warned.Do(func() { warn(t.log, err.Error()) })
}

// newID returns 16 random hexadecimal digits.
func newID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: see its documentation
	return hex.EncodeToString(id[:])
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

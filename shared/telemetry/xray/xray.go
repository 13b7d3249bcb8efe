package xray

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-xray-sdk-go/xray"
	"github.com/aws/aws-xray-sdk-go/xraylog"
)

// Tracer makes subsegments of the invocation's segment, which Lambda names in the
// context. It is a telemetry.Tracer.
type Tracer struct{}

// NewTracer makes the Tracer of this process. What the SDK has to say goes to log,
// for it would write lines of its own to standard output.
func NewTracer(log *slog.Logger) Tracer {
	xray.SetLogger(logger{log})
	return Tracer{}
}

// allowed replaces what X-Ray does not take in a name.
var allowed = strings.NewReplacer("{", ":", "}", "")

// Start implements telemetry.Tracer.
func (Tracer) Start(ctx context.Context, name string) (context.Context, func(error)) {
	ctx, segment := xray.BeginSubsegment(ctx, allowed.Replace(name))
	if segment == nil { // no invocation is traced here
		return ctx, func(error) {}
	}
	segment.Lock()
	segment.Namespace = "remote"
	segment.Unlock()
	return ctx, segment.Close
}

// logger gives the SDK's warnings to the functions' log.
type logger struct{ log *slog.Logger }

// Log implements xraylog.Logger.
func (l logger) Log(level xraylog.LogLevel, message fmt.Stringer) {
	if level >= xraylog.LogLevelWarn {
		l.log.Warn("X-Ray", "error", message.String())
	}
}

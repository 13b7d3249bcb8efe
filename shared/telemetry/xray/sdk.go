//go:build !lighttrace

package xray

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-xray-sdk-go/xray"
	"github.com/aws/aws-xray-sdk-go/xraylog"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// Tracer makes subsegments of the invocation's segment, which Lambda names in the
// context, with the X-Ray SDK. It is a telemetry.Tracer.
type Tracer struct{}

// NewTracer returns the Tracer of this process, for the daemon at host:port. What the SDK
// has to say goes to log: it would write lines of its own to standard output.
func NewTracer(log *slog.Logger, daemon string) *Tracer {
	xray.SetLogger(logger{log})
	if err := xray.Configure(xray.Config{DaemonAddr: daemon}); err != nil {
		warn(log, err.Error())
	}
	return &Tracer{}
}

// Start implements telemetry.Tracer.
func (*Tracer) Start(ctx context.Context, namespace telemetry.Namespace, name string) (context.Context, func(int, error)) {
	if _, _, found := sampled(ctx); !found {
		return ctx, func(int, error) {}
	}
	ctx, segment := xray.BeginSubsegment(ctx, allowed.Replace(name))
	segment.Lock()
	segment.Namespace = string(namespace)
	segment.Unlock()
	return ctx, func(status int, err error) {
		if err != nil {
			_ = segment.AddError(err) // never fails
			segment.Lock()
			segment.Error, segment.Fault, segment.Throttle = blame(status)
			segment.Unlock()
		}
		segment.Close(nil)
	}
}

// logger gives the SDK's warnings to the functions' log.
type logger struct{ log *slog.Logger }

// Log implements xraylog.Logger.
func (l logger) Log(level xraylog.LogLevel, message fmt.Stringer) {
	if level >= xraylog.LogLevelWarn {
		warn(l.log, message.String())
	}
}

package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// NewLogger returns a logger that writes one JSON object a line, with the names that
// Lambda's JSON format has: timestamp, level, message. A line logged with a context has
// that context's correlation id (g2a.WithCorrelationID) as correlation_id.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(correlated{slog.NewJSONHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch {
			case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime: // a caller's own "time" may be a string
				return slog.Attr{Key: "timestamp", Value: slog.TimeValue(a.Value.Time().UTC())}
			case a.Key == slog.MessageKey:
				a.Key = "message"
			}
			return a
		},
	})})
}

// correlated adds the context's correlation id to each record.
type correlated struct{ slog.Handler }

// Handle implements slog.Handler.
func (c correlated) Handle(ctx context.Context, record slog.Record) error {
	if id := g2a.CorrelationID(ctx); id != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("correlation_id", id))
	}
	return c.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (c correlated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return correlated{c.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (c correlated) WithGroup(name string) slog.Handler {
	return correlated{c.Handler.WithGroup(name)}
}

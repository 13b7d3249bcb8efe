package telemetry

import (
	"io"
	"log/slog"
)

// NewLogger writes one JSON object a line, with the names that Lambda's JSON
// format has: timestamp, level, message.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch {
			case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime: // a caller's own "time" may be a text
				return slog.Attr{Key: "timestamp", Value: slog.TimeValue(a.Value.Time().UTC())}
			case a.Key == slog.MessageKey:
				a.Key = "message"
			}
			return a
		},
	}))
}

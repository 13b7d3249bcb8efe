package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// output is a standard output: one Write call is one piece, whoever makes it.
type output struct {
	mu     sync.Mutex
	pieces []string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pieces = append(o.pieces, string(p))
	return len(p), nil
}

// objects reads the output's lines, each of which must be a JSON object, written
// by one Write call.
func (o *output) objects(t *testing.T) []map[string]any {
	t.Helper()
	var objects []map[string]any
	for _, piece := range o.pieces {
		var object map[string]any
		if err := json.Unmarshal([]byte(piece), &object); err != nil || strings.Count(piece, "\n") != 1 || !strings.HasSuffix(piece, "\n") {
			t.Errorf("not one JSON object on one line: %q (%v)", piece, err)
		}
		objects = append(objects, object)
	}
	return objects
}

func TestLogLine(t *testing.T) {
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want map[string]any // beside the timestamp
	}{
		{"message", func(l *slog.Logger) { l.Info("order paid", "order_ref", "r1") },
			map[string]any{"level": "INFO", "message": "order paid", "order_ref": "r1"}},
		{"warning", func(l *slog.Logger) { l.Warn("w") }, map[string]any{"level": "WARN", "message": "w"}},
		{"error", func(l *slog.Logger) { l.Error("e", "error", errors.New("a\nb").Error()) },
			map[string]any{"level": "ERROR", "message": "e", "error": "a\nb"}},
		{"line breaks and quotes", func(l *slog.Logger) { l.Info("a\r\n{\"level\":\"x\"}") },
			map[string]any{"level": "INFO", "message": "a\r\n{\"level\":\"x\"}"}},
		{"a secret", func(l *slog.Logger) { l.Info("m", "key", g2a.NewSecret("hunter2")) },
			map[string]any{"level": "INFO", "message": "m", "key": "[redacted]"}},
		{"an attribute called time", func(l *slog.Logger) { l.Info("m", "time", "noon") },
			map[string]any{"level": "INFO", "message": "m", "time": "noon"}},
		{"a group", func(l *slog.Logger) { l.WithGroup("g").Info("m", "msg", "inner", "time", time.Unix(0, 0).UTC()) },
			map[string]any{"level": "INFO", "message": "m", "g": map[string]any{"msg": "inner", "time": "1970-01-01T00:00:00Z"}}},
	}
	local := time.Local
	time.Local = time.FixedZone("somewhere", 3600)
	t.Cleanup(func() { time.Local = local })
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := &output{}
			test.log(telemetry.NewLogger(out))
			lines := out.objects(t)
			if len(lines) != 1 {
				t.Fatalf("%d lines", len(lines))
			}
			text, _ := lines[0]["timestamp"].(string)
			if at, err := time.Parse(time.RFC3339Nano, text); err != nil || at.IsZero() || !strings.HasSuffix(text, "Z") {
				t.Errorf("timestamp is %q, want one in UTC", text)
			}
			delete(lines[0], "timestamp")
			if got, want := fmt.Sprint(lines[0]), fmt.Sprint(test.want); got != want {
				t.Errorf("line is %s, want %s", got, want)
			}
		})
	}
}

func TestLogHasNoDebugLines(t *testing.T) {
	var b bytes.Buffer
	telemetry.NewLogger(&b).Debug("m")
	if b.Len() > 0 {
		t.Errorf("logged %s", b.String())
	}
}

// A line has its context's correlation id, once, whatever groups and attributes the
// logger has; without one it has none.
func TestCorrelation(t *testing.T) {
	ctx := g2a.WithCorrelationID(t.Context(), "c1")
	var out output
	log := telemetry.NewLogger(&out)
	log.InfoContext(ctx, "plain")
	log.With("a", 1).WarnContext(ctx, "with attributes")
	log.InfoContext(t.Context(), "without an id")
	log.Info("without a context")
	lines := out.objects(t)
	for n, want := range []any{"c1", "c1", nil, nil} {
		if got := lines[n]["correlation_id"]; got != want {
			t.Errorf("%v: correlation id %v, want %v", lines[n]["message"], got, want)
		}
		if count := strings.Count(out.pieces[n], "correlation_id"); count > 1 {
			t.Errorf("%v: %d correlation ids", lines[n]["message"], count)
		}
	}
}

package function

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// NewLogger returns the log of the process. Each line has the version that was built. What is written by package log becomes lines
// of it, too: aws-lambda-go writes there, and its lines would be the only ones that are
// not JSON.
func NewLogger(w io.Writer) *slog.Logger {
	logger := telemetry.NewLogger(w).With("version", Version())
	slog.SetDefault(logger)
	stdlog.SetOutput(standardLog{logger})
	return slog.New(noting{logger.Handler()})
}

// logged is set when an invocation has logged an error. aws-lambda-go repeats its failure
// on the standard log, which is the process's own, as is this.
var logged atomic.Bool

// noting is the log that notes whether an error was logged.
type noting struct{ slog.Handler }

// Handle implements slog.Handler.
func (n noting) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError {
		logged.Store(true)
	}
	return n.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (n noting) WithAttrs(attrs []slog.Attr) slog.Handler { return noting{n.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (n noting) WithGroup(name string) slog.Handler { return noting{n.Handler.WithGroup(name)} }

// standardLog is where package log writes to.
type standardLog struct{ log *slog.Logger }

// Write implements io.Writer. A failure that has been logged is not logged again, in
// aws-lambda-go's words and without a correlation id.
func (s standardLog) Write(line []byte) (int, error) {
	var failure struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(line, &failure) != nil || failure.Type == "" || !logged.Swap(false) {
		s.log.Error(strings.TrimSuffix(string(line), "\n"))
	}
	return len(line), nil
}

// Start serves the function. The handler logs its own errors; a panic is logged here, and
// ends the process as it would anyway.
func Start(log *slog.Logger, handler lambda.Handler) {
	lambda.Start(watched{handler, log})
}

// watched is a handler whose panics are logged, and whose failures once.
type watched struct {
	lambda.Handler
	log *slog.Logger
}

// Invoke implements lambda.Handler.
func (w watched) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	logged.Store(false)
	defer func() {
		if cause := recover(); cause != nil {
			w.log.ErrorContext(Correlate(ctx), "the function panicked", "error", fmt.Sprint(cause), "stack", string(debug.Stack()))
			panic(cause)
		}
	}()
	return w.Handler.Invoke(ctx, payload)
}

package function

import (
	"io"
	"log/slog"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// NewLogger makes the log of the process. What is written by package log becomes
// lines of it too: aws-lambda-go writes errors and panics there, which would
// otherwise be the only lines that are not JSON.
func NewLogger(w io.Writer) *slog.Logger {
	logger := telemetry.NewLogger(w)
	slog.SetLogLoggerLevel(slog.LevelError)
	slog.SetDefault(logger)
	return logger
}

//go:build lighttrace

package main

import (
	"log/slog"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

// newTracer returns the Tracer of this process, for the daemon at host:port.
func newTracer(log *slog.Logger, daemon string) telemetry.Tracer { return xray.NewTracer(log, daemon) }

package main

import (
	"log/slog"
	"net/http"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/gateway"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// newGateway returns the function's lambda.Handler. The routes are those of template.yaml.
func newGateway(handler http.Handler, log *slog.Logger, metrics telemetry.Metrics) gateway.Handler {
	return gateway.New(handler, log, metrics, "POST /webhooks/g2a", "GET /health/live")
}

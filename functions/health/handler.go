package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/functions/internal/gateway"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// handler is the function's lambda.Handler.
type handler struct {
	gateway  gateway.Handler
	schedule schedule
}

func newHandler(reports *reporter, log *slog.Logger, metrics telemetry.Metrics) handler {
	return handler{
		gateway:  gateway.New(endpoint{reports}, log, metrics, "GET /health"), // as in template.yaml
		schedule: schedule{reports, log, metrics},
	}
}

// Invoke implements lambda.Handler. What is not an HTTP request is the schedule's.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if gateway.IsRequest(payload) {
		return h.gateway.Invoke(ctx, payload)
	}
	return h.schedule.Invoke(ctx, payload)
}

// endpoint answers GET /health.
type endpoint struct{ reports *reporter }

// ServeHTTP implements http.Handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := e.reports.latest(r.Context())
	status := http.StatusOK
	if found.Status != ok {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	body, _ := json.Marshal(found) // strings and integers: never fails
	_, _ = w.Write(body)           // the gateway has gone: nothing we can do about it
}

// schedule answers any JSON object with a report of its own. It alone emits metrics, so
// that nobody outside can drown or fake them.
type schedule struct {
	reports *reporter
	log     *slog.Logger
	metrics telemetry.Metrics
}

// Invoke implements lambda.Handler.
func (s schedule) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	if err := function.CheckEvent(payload); err != nil {
		s.log.ErrorContext(ctx, "no report", "error_name", function.InvalidEvent, "error", err.Error())
		return nil, function.FailAs(function.InvalidEvent, err)
	}
	made := s.reports.fresh(ctx)
	for name, found := range made.Dependencies {
		healthy := 1.0
		if found.Status == failing {
			healthy = 0
		}
		s.metrics.Emit(telemetry.Dimension{Name: "dependency", Value: name},
			telemetry.Metric{Name: "Healthy", Value: healthy, Unit: telemetry.Count},
			telemetry.Metric{Name: "HealthLatency", Value: float64(found.LatencyMS), Unit: telemetry.Milliseconds})
	}
	s.metrics.Emit(telemetry.Dimension{}, telemetry.Metric{Name: "TokenTTL", Value: float64(made.TokenTTL), Unit: telemetry.Seconds})
	return json.Marshal(made)
}

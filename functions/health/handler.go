package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// maxAge is how old a report may be that GET /health answers: however often it is
// asked from outside, G2A and the store are not.
const maxAge = 10 * time.Second

// handler is the function's lambda.Handler.
type handler struct {
	prober  prober
	log     *slog.Logger
	metrics telemetry.Metrics

	mu   sync.Mutex
	last report
}

func newHandler(p prober, log *slog.Logger, metrics telemetry.Metrics) *handler {
	return &handler{prober: p, log: log, metrics: metrics}
}

// Invoke implements lambda.Handler. The request of an HTTP API gets an HTTP answer
// from a report that may be maxAge old; any other JSON object, such as the schedule's
// event, gets a new report.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	if err := function.CheckEvent(payload); err != nil {
		h.log.ErrorContext(ctx, "no report", "error_name", function.InvalidEvent, "error", err.Error())
		return nil, function.FailAs(function.InvalidEvent, err)
	}
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(payload, &event) == nil && event.RequestContext.HTTP.Method != "" {
		return answer(h.report(ctx, maxAge))
	}
	return json.Marshal(h.report(ctx, 0))
}

// report gives one that is not older than age.
func (h *handler) report(ctx context.Context, age time.Duration) report {
	h.mu.Lock()
	defer h.mu.Unlock()
	if checkedAt := time.Unix(h.last.CheckedAt, 0); h.last.Status == "" || h.prober.clock().Sub(checkedAt) >= age {
		h.last = h.prober.probe(ctx)
		h.tell(ctx, h.last)
	}
	return h.last
}

// tell writes a report into the log and the metrics.
func (h *handler) tell(ctx context.Context, r report) {
	for name, found := range r.Dependencies {
		healthy := 1.0
		if found.err != nil {
			healthy = 0
			h.log.ErrorContext(ctx, "dependency is failing", "dependency", name, "error", found.err.Error())
		}
		h.metrics.Emit(telemetry.Dimension{Name: "dependency", Value: name},
			telemetry.Metric{Name: "Healthy", Value: healthy, Unit: telemetry.Count},
			telemetry.Metric{Name: "HealthLatency", Value: float64(found.LatencyMS), Unit: telemetry.Milliseconds})
	}
	h.metrics.Emit(telemetry.Dimension{}, telemetry.Metric{Name: "TokenTTL", Value: float64(r.TokenTTL), Unit: telemetry.Seconds})
	h.log.InfoContext(ctx, "health", "status", r.Status, "token_ttl_seconds", r.TokenTTL)
}

// answer is a report as an HTTP API's answer, payload format 2.0.
func answer(r report) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if r.Status != ok {
		status = http.StatusServiceUnavailable
	}
	return json.Marshal(events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"},
		Body:       string(body),
	})
}

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// keepFor is how long the token that a run leaves behind must stay fresh: until the run
// after the next, since one may fail. EventBridge starts each run somewhere in its minute,
// so those two are up to three minutes apart, and Lambda needs some seconds.
const keepFor = 3*time.Minute + 3*time.Second

// output tells which token there is now, and never the token.
type output struct {
	Version        int64 `json:"version"`
	TokenExpiresAt int64 `json:"token_expires_at"` // unix seconds
	TTLSeconds     int64 `json:"ttl_seconds"`
}

// handler is the function's lambda.Handler. Any JSON object is its payload: the
// schedule's event holds nothing it needs.
type handler struct {
	tokens  g2a.TokenSource
	clock   func() time.Time
	log     *slog.Logger
	metrics telemetry.Metrics
	// needed: orders are bought with the token. Without that credentials that are rejected
	// here are logged and not counted as such: nobody shall be called for a token that
	// nothing uses.
	needed bool
}

// Invoke implements lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	if err := function.CheckEvent(payload); err != nil {
		return nil, h.fail(ctx, function.FailAs(function.InvalidEvent, err))
	}
	token, err := h.tokens.Token(ctx)
	if err != nil {
		return nil, h.fail(ctx, function.Fail(err))
	}
	out := output{
		Version: token.Version, TokenExpiresAt: token.ExpiresAt.Unix(),
		TTLSeconds: int64(token.TTL(h.clock()) / time.Second),
	}
	h.log.InfoContext(ctx, "token is fresh", "token_version", out.Version, "ttl_seconds", out.TTLSeconds)
	h.metrics.Emit(telemetry.Dimension{}, telemetry.Metric{Name: "TokenTTL", Value: float64(out.TTLSeconds), Unit: telemetry.Seconds})
	return json.Marshal(out)
}

// fail logs and counts an invocation that ends with an error.
func (h handler) fail(ctx context.Context, failure messages.InvokeResponse_Error) error {
	h.log.ErrorContext(ctx, "no token", "error_name", failure.Type, "error", failure.Message)
	h.metrics.Count("TokenError", telemetry.Dimension{})
	if h.needed {
		function.CountRejection(h.metrics, failure)
	}
	return failure
}

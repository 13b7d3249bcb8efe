package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// output is the answer. It never holds a product key.
type output struct {
	OrderRef    string `json:"order_ref"`
	Status      string `json:"status"` // fulfilled, partly_fulfilled, waiting, failed or needs_attention
	Reason      string `json:"reason,omitempty"`
	G2AOrderID  string `json:"g2a_order_id,omitempty"`
	Price       string `json:"price,omitempty"`
	Currency    string `json:"currency,omitempty"`
	Quantity    int    `json:"quantity"`               // keys that were asked for
	KeysStored  int    `json:"keys_stored"`            // and those that are in the record
	WaitSeconds int    `json:"wait_seconds,omitempty"` // while waiting: when to call again
}

// advancer is what is called of a *purchase.Purchaser.
type advancer interface {
	Advance(ctx context.Context, in purchase.Input, owner string) (purchase.Result, error)
}

// handler is the function's lambda.Handler.
type handler struct {
	orders  advancer
	clock   func() time.Time
	log     *slog.Logger
	metrics telemetry.Metrics
}

// Invoke implements lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, started := function.Correlate(ctx), h.clock()
	in, err := readInput(payload)
	if err != nil {
		return nil, h.fail(ctx, started, in, function.FailAs(function.InvalidOrder, err))
	}
	result, err := h.orders.Advance(ctx, purchase.Input{
		Ref: in.OrderRef, ProductID: in.ProductID, MaxPrice: in.MaxPrice, Currency: in.Currency, Quantity: in.Quantity,
		Cancel: in.Cancel,
	}, rand.Text())
	if result.Delayed {
		h.metrics.Count("OrderDelayed", telemetry.Dimension{})
	}
	if err != nil {
		return nil, h.fail(ctx, started, in, function.Fail(err))
	}
	h.log.InfoContext(ctx, "order advanced", append(h.about(started, in),
		"status", string(result.Status), "reason", result.Reason, "g2a_order_id", result.G2AOrderID,
		"quantity", result.Quantity, "keys_stored", result.KeysStored)...)
	h.metrics.Count("OrderOutcome", telemetry.Dimension{Name: "outcome", Value: string(result.Status)})
	if result.Reason != "" {
		h.metrics.Count("OrderReason", telemetry.Dimension{Name: "reason", Value: result.Reason})
	}
	return writeOutput(result)
}

// fail tells of an invocation that ends with an error.
func (h handler) fail(ctx context.Context, started time.Time, in input, failure messages.InvokeResponse_Error) error {
	h.log.ErrorContext(ctx, "order not advanced", append(h.about(started, in), "error_name", failure.Type, "error", failure.Message)...)
	h.metrics.Count("OrderError", telemetry.Dimension{Name: "error", Value: failure.Type})
	h.countFault(failure)
	function.CountRejection(h.metrics, failure)
	return failure
}

// countFault counts a failure without its name: OrderRefused where nothing is broken, since
// the caller is at fault or another one is at work, else OrderFault. Alarms need the two
// without dimensions, over which they cannot add up.
func (h handler) countFault(failure messages.InvokeResponse_Error) {
	switch failure.Type {
	case function.InvalidOrder, function.OrderConflict, function.OrderBusy:
		h.metrics.Count("OrderRefused", telemetry.Dimension{})
	default:
		h.metrics.Count("OrderFault", telemetry.Dimension{})
	}
}

func (h handler) about(started time.Time, in input) []any {
	return []any{"order_ref", in.OrderRef, "latency_ms", h.clock().Sub(started).Milliseconds()}
}

func writeOutput(result purchase.Result) ([]byte, error) {
	out := output{
		OrderRef: result.Ref, Status: string(result.Status), Reason: result.Reason,
		G2AOrderID: result.G2AOrderID, Quantity: result.Quantity, KeysStored: result.KeysStored, WaitSeconds: int(result.Wait / time.Second),
	}
	if !result.Price.IsZero() {
		out.Price, out.Currency = result.Price.Text(), result.Price.Currency
	}
	return json.Marshal(out)
}

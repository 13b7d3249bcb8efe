package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// input is the payload. With an order_ref alone it continues an order that exists.
type input struct {
	OrderRef  string `json:"order_ref"`
	ProductID string `json:"product_id"`
	MaxPrice  string `json:"max_price"` // a decimal, "12.50"
	Currency  string `json:"currency"`  // ISO 4217
}

// output is the answer. It never holds the product key.
type output struct {
	OrderRef    string `json:"order_ref"`
	Status      string `json:"status"` // fulfilled, waiting, failed or needs_attention
	Reason      string `json:"reason,omitempty"`
	G2AOrderID  string `json:"g2a_order_id,omitempty"`
	Price       string `json:"price,omitempty"`
	Currency    string `json:"currency,omitempty"`
	WaitSeconds int    `json:"wait_seconds,omitempty"` // while waiting: when to call again
}

// advancer is what is called of a *purchase.Purchaser.
type advancer interface {
	Advance(ctx context.Context, in purchase.Input, owner string) (purchase.Result, error)
}

// handler is the function's lambda.Handler.
type handler struct {
	orders  advancer
	log     *slog.Logger
	metrics telemetry.Metrics
}

// Invoke implements lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	in, err := readInput(payload)
	if err != nil {
		err = function.FailAs(function.InvalidOrder, err)
		h.log.WarnContext(ctx, "no order", "error", err.Error())
		return nil, err
	}
	started := time.Now()
	result, err := h.orders.Advance(ctx, purchase.Input{Ref: in.OrderRef, ProductID: in.ProductID, MaxPrice: in.MaxPrice, Currency: in.Currency}, rand.Text())
	attributes := []any{"order_ref", in.OrderRef, "correlation_id", g2a.CorrelationID(ctx), "latency_ms", time.Since(started).Milliseconds()}
	if err != nil {
		err = function.Fail(err)
		h.log.ErrorContext(ctx, "order not advanced", append(attributes, "error", err.Error())...)
		h.metrics.Count("OrderError", telemetry.Dimension{})
		return nil, err
	}
	h.log.InfoContext(ctx, "order advanced", append(attributes, "status", string(result.Status), "reason", result.Reason, "g2a_order_id", result.G2AOrderID)...)
	h.metrics.Count("OrderOutcome", telemetry.Dimension{Name: "outcome", Value: string(result.Status)})
	return writeOutput(result)
}

// readInput reads the payload. A field it does not know is a mistake too: it may be
// one that was meant, such as max_price, written wrongly.
func readInput(payload []byte) (input, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	var in *input
	if err := decoder.Decode(&in); err != nil {
		return input{}, fmt.Errorf(`the order is not {"order_ref","product_id","max_price","currency"}, all texts: %w`, err)
	}
	if _, err := decoder.Token(); in == nil || !errors.Is(err, io.EOF) {
		return input{}, errors.New(`the order is not one JSON object {"order_ref","product_id","max_price","currency"}`)
	}
	return *in, nil
}

func writeOutput(result purchase.Result) ([]byte, error) {
	out := output{
		OrderRef: result.Ref, Status: string(result.Status), Reason: result.Reason,
		G2AOrderID: result.G2AOrderID, WaitSeconds: int(result.Wait / time.Second),
	}
	if !result.Price.IsZero() {
		out.Price, out.Currency = result.Price.Text(), result.Price.Currency
	}
	return json.Marshal(out)
}

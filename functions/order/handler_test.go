package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	root       = "1-5759e988-bd862e3fe1be46a994272793"
	productKey = "AAAAA-BBBBB-CCCCC"
)

var now = time.Unix(1764000000, 0)

// advance is an advancer of one function.
type advance func(ctx context.Context, in purchase.Input, owner string) (purchase.Result, error)

func (a advance) Advance(ctx context.Context, in purchase.Input, owner string) (purchase.Result, error) {
	return a(ctx, in, owner)
}

// invoked is what one invocation left behind.
type invoked struct {
	output  []byte
	err     error
	log     map[string]any // its one line
	metrics map[string]any // of all its lines
	text    string         // both, as written
}

// invoke calls the handler as aws-lambda-go does. Each look at its clock is 70 ms
// after the one before.
func invoke(t *testing.T, orders advancer, payload string) invoked {
	t.Helper()
	var log, metrics bytes.Buffer
	ticks := now
	clock := func() time.Time { ticks = ticks.Add(70 * time.Millisecond); return ticks }
	h := handler{
		orders: orders, clock: clock, log: telemetry.NewLogger(&log),
		metrics: telemetry.Metrics{Writer: &metrics, Clock: func() time.Time { return now }},
	}
	//lint:ignore SA1029 the key is aws-lambda-go's
	ctx := context.WithValue(t.Context(), "x-amzn-trace-id", "Root="+root+";Parent=53995c3f42cd8ad8;Sampled=1")
	output, err := lambda.NewHandler(h).Invoke(ctx, []byte(payload))
	measured := map[string]any{}
	for line := range bytes.Lines(metrics.Bytes()) {
		maps.Copy(measured, object(t, line))
	}
	return invoked{output, err, object(t, log.Bytes()), measured, log.String() + metrics.String()}
}

func object(t *testing.T, text []byte) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("not one JSON object: %q", text)
	}
	return fields
}

func euros(t *testing.T, amount string) g2a.Money {
	t.Helper()
	money, err := g2a.ParseMoney(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return money
}

func TestOutput(t *testing.T) {
	tests := []struct {
		name   string
		result purchase.Result
		want   string
	}{
		{
			"fulfilled", purchase.Result{Ref: "a", Status: purchase.StatusFulfilled, Quantity: 1, KeysStored: 1, G2AOrderID: "42", Price: euros(t, "4.9")},
			`{"order_ref":"a","status":"fulfilled","g2a_order_id":"42","price":"4.90","currency":"EUR","quantity":1,"keys_stored":1}`,
		},
		{
			"waiting", purchase.Result{Ref: "a", Status: purchase.StatusWaiting, Quantity: 1, G2AOrderID: "42", Price: euros(t, "12"), Wait: 2 * time.Second},
			`{"order_ref":"a","status":"waiting","g2a_order_id":"42","price":"12.00","currency":"EUR","quantity":1,"keys_stored":0,"wait_seconds":2}`,
		},
		{
			"waiting for funds", purchase.Result{Ref: "a", Status: purchase.StatusWaiting, Quantity: 1, Reason: purchase.ReasonNoFunds, G2AOrderID: "42", Price: euros(t, "0.125"), Wait: time.Minute},
			`{"order_ref":"a","status":"waiting","reason":"insufficient_funds","g2a_order_id":"42","price":"0.125","currency":"EUR","quantity":1,"keys_stored":0,"wait_seconds":60}`,
		},
		{
			"failed before it had a price", purchase.Result{Ref: "a", Status: purchase.StatusFailed, Quantity: 1, Reason: purchase.ReasonOutOfStock},
			`{"order_ref":"a","status":"failed","reason":"out_of_stock","quantity":1,"keys_stored":0}`,
		},
		{
			"free of charge", purchase.Result{Ref: "a", Status: purchase.StatusFulfilled, Quantity: 1, KeysStored: 1, G2AOrderID: "42", Price: euros(t, "0")},
			`{"order_ref":"a","status":"fulfilled","g2a_order_id":"42","price":"0.00","currency":"EUR","quantity":1,"keys_stored":1}`,
		},
		{
			"needs attention", purchase.Result{Ref: "a", Status: purchase.StatusNeedsAttention, Quantity: 1, Reason: purchase.ReasonKeyLost, G2AOrderID: "42", Price: euros(t, "4.90")},
			`{"order_ref":"a","status":"needs_attention","reason":"key_lost","g2a_order_id":"42","price":"4.90","currency":"EUR","quantity":1,"keys_stored":0}`,
		},
		{
			"some of the keys", purchase.Result{
				Ref: "a", Status: purchase.StatusPartlyFulfilled, Reason: purchase.ReasonOutOfStock, G2AOrderID: "42", Price: euros(t, "9.80"), Quantity: 3, KeysStored: 2,
			},
			`{"order_ref":"a","status":"partly_fulfilled","reason":"out_of_stock","g2a_order_id":"42","price":"9.80","currency":"EUR","quantity":3,"keys_stored":2}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := invoke(t, advance(func(context.Context, purchase.Input, string) (purchase.Result, error) { return tt.result, nil }), `{"order_ref":"a"}`)
			if got.err != nil || string(got.output) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got.output, got.err, tt.want)
			}
			line := map[string]any{
				"timestamp": got.log["timestamp"], "level": "INFO", "message": "order advanced", "order_ref": "a", "status": string(tt.result.Status),
				"reason": tt.result.Reason, "g2a_order_id": tt.result.G2AOrderID, "correlation_id": root, "latency_ms": 70.0,
				"quantity": float64(tt.result.Quantity), "keys_stored": float64(tt.result.KeysStored),
			}
			if !reflect.DeepEqual(got.log, line) {
				t.Errorf("logged %v\nwant %v", got.log, line)
			}
			if got.metrics["OrderOutcome"] != 1.0 || got.metrics["outcome"] != string(tt.result.Status) {
				t.Errorf("metrics %v", got.metrics)
			}
			var count, reason any // absent where there is no reason
			if tt.result.Reason != "" {
				count, reason = 1.0, tt.result.Reason
			}
			if got.metrics["OrderReason"] != count || got.metrics["reason"] != reason {
				t.Errorf("metrics %v, want the reason %v", got.metrics, reason)
			}
		})
	}
}

// TestKeyStaysInside takes an order that has its key through the real purchase.
func TestKeyStaysInside(t *testing.T) {
	orders := &purchase.Purchaser{Orders: fulfilled{}, Clock: func() time.Time { return now }}
	got := invoke(t, orders, `{"order_ref":"a"}`)
	if want := `{"order_ref":"a","status":"fulfilled","g2a_order_id":"42","price":"4.90","currency":"EUR","quantity":1,"keys_stored":1}`; string(got.output) != want {
		t.Errorf("got %s, %v\nwant %s", got.output, got.err, want)
	}
	if strings.Contains(string(got.output)+got.text, productKey) {
		t.Errorf("the key has got out: %s\n%s", got.output, got.text)
	}
}

// fulfilled is a purchase.Orders with an order at its end, and its key.
type fulfilled struct{ purchase.Orders }

func (fulfilled) Load(context.Context, string) (purchase.Order, bool, error) {
	price, err := g2a.ParseMoney("4.90", "EUR")
	return purchase.Order{
		Request: purchase.Request{Ref: "a", ProductID: "1", Quantity: 1}, Step: purchase.Fulfilled, Version: 9, Price: price,
		G2AOrderID: "42", API: g2a.ExportV1, Keys: []purchase.Key{{Value: g2a.NewSecret(productKey), G2AOrderID: "42", Stored: true}},
	}, true, err
}

func TestInputReachesThePurchase(t *testing.T) {
	owners := map[string]bool{}
	for range 2 {
		invoke(t, advance(func(ctx context.Context, in purchase.Input, owner string) (purchase.Result, error) {
			if want := (purchase.Input{Ref: "a", ProductID: "1", MaxPrice: "12.50", Currency: "EUR", Quantity: 2}); in != want {
				t.Errorf("got %+v, want %+v", in, want)
			}
			if id := g2a.CorrelationID(ctx); id != root {
				t.Errorf("correlation id %q, want %q", id, root)
			}
			owners[owner] = true
			return purchase.Result{Ref: "a", Status: purchase.StatusWaiting}, nil
		}), `{"order_ref":"a","product_id":"1","max_price":"12.50","currency":"EUR","quantity":2}`)
	}
	if len(owners) != 2 || owners[""] {
		t.Errorf("owners of two invocations: %v", owners)
	}
}

func TestErrors(t *testing.T) {
	rejected := &g2a.Error{Method: "POST", Route: "/order", Status: 401, Code: "AUTH02", Kind: g2a.ErrCredentialsRejected}
	tests := []struct {
		name, payload string
		err           error // of the purchase
		want          messages.InvokeResponse_Error
		ref           string // in the log
	}{
		{
			"malformed input", `{"order_ref":"a","price":"1"}`, nil,
			messages.InvokeResponse_Error{Type: "InvalidOrder", Message: `the order has an unknown field "price"`}, "",
		},
		{
			"invalid order", `{"order_ref":"a"}`, &purchase.InvalidOrder{Problems: []string{"one", "two"}},
			messages.InvokeResponse_Error{Type: "InvalidOrder", Message: "invalid order: one; two"}, "a",
		},
		{
			"conflict", `{"order_ref":"a"}`, fmt.Errorf("order a: %w", purchase.ErrConflict),
			messages.InvokeResponse_Error{Type: "OrderConflict", Message: "order a: the order_ref belongs to another request"}, "a",
		},
		{
			"busy, of joined errors", `{"order_ref":"a"}`, errors.Join(purchase.ErrBusy, purchase.ErrVersionConflict),
			messages.InvokeResponse_Error{Type: "OrderBusy", Message: "another caller works on the order; the order has changed since it was read"}, "a",
		},
		{
			"store", `{"order_ref":"a"}`, fmt.Errorf("reading order a: %w", store.ErrUnavailable),
			messages.InvokeResponse_Error{Type: "StoreUnavailable", Message: "reading order a: the store is not available"}, "a",
		},
		{
			"credentials", `{"order_ref":"a"}`, fmt.Errorf("order a: %w", rejected),
			messages.InvokeResponse_Error{Type: "CredentialsRejected", Message: "order a: POST /order: G2A rejects the credentials (HTTP 401, AUTH02)"}, "a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := invoke(t, advance(func(context.Context, purchase.Input, string) (purchase.Result, error) {
				if tt.err == nil {
					t.Error("the purchase is called")
				}
				return purchase.Result{}, tt.err
			}), tt.payload)
			if failure, named := got.err.(messages.InvokeResponse_Error); !named || !reflect.DeepEqual(failure, tt.want) { // as aws-lambda-go looks at it
				t.Errorf("got %#v\nwant %#v", got.err, tt.want)
			}
			if got.output != nil {
				t.Errorf("output %s", got.output)
			}
			line := map[string]any{
				"timestamp": got.log["timestamp"], "level": "ERROR", "message": "order not advanced", "order_ref": tt.ref,
				"correlation_id": root, "latency_ms": 70.0, "error_name": tt.want.Type, "error": tt.want.Message,
			}
			if !reflect.DeepEqual(got.log, line) {
				t.Errorf("logged %v\nwant %v", got.log, line)
			}
			if got.metrics["OrderError"] != 1.0 || got.metrics["error"] != tt.want.Type {
				t.Errorf("metrics %v", got.metrics)
			}
			refused := tt.want.Type == "InvalidOrder" || tt.want.Type == "OrderConflict" || tt.want.Type == "OrderBusy"
			if (got.metrics["OrderRefused"] == 1.0) != refused || (got.metrics["OrderFault"] == 1.0) == refused {
				t.Errorf("metrics %v, want OrderRefused: %t, else OrderFault", got.metrics, refused)
			}
			if _, rejected := got.metrics["CredentialsRejected"]; rejected != (tt.want.Type == "CredentialsRejected") {
				t.Errorf("metrics %v", got.metrics)
			}
		})
	}
}

// A delayed order is counted whether the round ends well or not.
func TestDelayed(t *testing.T) {
	for name, test := range map[string]struct {
		result purchase.Result
		err    error
		want   any
	}{
		"waiting, delayed":     {purchase.Result{Ref: "a", Status: purchase.StatusWaiting, Wait: time.Minute, Delayed: true}, nil, 1.0},
		"waiting, not delayed": {purchase.Result{Ref: "a", Status: purchase.StatusWaiting, Wait: time.Minute}, nil, nil},
		"failing, delayed":     {purchase.Result{Delayed: true}, &g2a.Error{Kind: g2a.ErrUnavailable}, 1.0},
		"failing, not delayed": {purchase.Result{}, &g2a.Error{Kind: g2a.ErrUnavailable}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := invoke(t, advance(func(context.Context, purchase.Input, string) (purchase.Result, error) { return test.result, test.err }), `{"order_ref":"a"}`)
			if got.metrics["OrderDelayed"] != test.want {
				t.Errorf("OrderDelayed is %v, want %v", got.metrics["OrderDelayed"], test.want)
			}
		})
	}
}

func TestCancelIsHandedOn(t *testing.T) {
	var asked purchase.Input
	invoke(t, advance(func(_ context.Context, in purchase.Input, _ string) (purchase.Result, error) {
		asked = in
		return purchase.Result{Ref: "a", Status: purchase.StatusFailed, Reason: purchase.ReasonCancelled}, nil
	}), `{"order_ref":"a","cancel":true}`)
	if want := (purchase.Input{Ref: "a", Cancel: true}); asked != want {
		t.Errorf("asked for %+v, want %+v", asked, want)
	}
}

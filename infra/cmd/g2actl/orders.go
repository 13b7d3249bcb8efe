package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// orderRow is a record. It never holds the key.
func orderRow(o purchase.Order) row {
	return row{
		{"order_ref", o.Ref}, {"status", o.Step.Status()}, {"step", o.Step}, {"reason", o.Reason},
		{"product_id", o.ProductID}, {"quantity", o.Quantity}, {"keys", len(o.Keys)}, {"max_price", o.MaxPrice.Text()}, {"price", priceOrNone(o.Cost())}, {"currency", o.MaxPrice.Currency},
		{"g2a_order_id", o.G2AOrderID}, {"idempotency_key", o.IdempotencyKey}, {"key", keyState(o)}, {"updated_at", moment(o.UpdatedAt)},
	}
}

func keyState(o purchase.Order) string {
	switch {
	case !o.KeyStored:
		return ""
	case len(o.Keys) == 0:
		return "stored (not readable)"
	case o.Keys[0].IsFile:
		return "stored (a file)"
	}
	return "stored"
}

func priceOrNone(m g2a.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.Text()
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

var statuses = []string{
	string(purchase.StatusWaiting), string(purchase.StatusFulfilled), string(purchase.StatusPartlyFulfilled), string(purchase.StatusFailed), string(purchase.StatusNeedsAttention),
}

// listOrders prints the records, the latest change last.
func listOrders(flags *flag.FlagSet) action {
	status := flags.String("status", "", "only orders of this status: "+strings.Join(statuses, ", "))
	return func(ctx context.Context, t *tool, _ []string) error {
		if *status != "" && !slices.Contains(statuses, *status) {
			return fmt.Errorf("--status %q is none of %s", *status, strings.Join(statuses, ", "))
		}
		records, err := t.access.orders(ctx)
		if err != nil {
			return err
		}
		var found []purchase.Order
		var damaged []error
		read := 0
		for o, err := range records.List(ctx) {
			switch {
			case err != nil:
				damaged = append(damaged, err)
			case *status == "" || string(o.Step.Status()) == *status:
				found = append(found, o)
			}
			read++
			t.counting("orders", read)
		}
		t.counted()
		slices.SortFunc(found, func(a, b purchase.Order) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
		list := t.listing()
		for _, o := range found {
			if err := list.add(orderRow(o)); err != nil {
				return err
			}
		}
		return errors.Join(append(damaged, list.end())...)
	}
}

// showOrder prints one record, and what webhooks have told of it.
func showOrder(ctx context.Context, t *tool, operands []string) error {
	records, err := t.access.orders(ctx)
	if err != nil {
		return err
	}
	o, found, err := records.Load(ctx, operands[0])
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("there is no order %q", operands[0])
	}
	r := orderRow(o)
	if o.G2AOrderID != "" {
		status, err := records.Status(ctx, o.G2AOrderID)
		if err != nil {
			return err
		}
		r = append(r, cell{"webhooks_say", string(status)})
	}
	return t.one(append(r, cell{"created_at", moment(o.CreatedAt)}, cell{"version", o.Version}))
}

// retryOrder goes on with an order as the workflow would, also with one that needs
// attention.
func retryOrder(ctx context.Context, t *tool, operands []string) error {
	purchaser, err := t.access.purchaser(ctx, t.progress)
	if err != nil {
		return err
	}
	result, err := purchaser.Retry(ctx, operands[0], owner())
	if err != nil {
		return err
	}
	return t.one(resultRow(result))
}

// cancelOrder ends an order that is certainly unpaid.
func cancelOrder(ctx context.Context, t *tool, operands []string) error {
	purchaser, err := t.access.purchaser(ctx, t.progress)
	if err != nil {
		return err
	}
	result, err := purchaser.Advance(ctx, purchase.Input{Ref: operands[0], Cancel: true}, owner())
	if err != nil {
		return err
	}
	return t.one(resultRow(result))
}

func owner() string { return "g2actl-" + rand.Text() }

func resultRow(r purchase.Result) row {
	return row{
		{"order_ref", r.Ref}, {"status", r.Status}, {"reason", r.Reason},
		{"g2a_order_id", r.G2AOrderID}, {"price", priceOrNone(r.Price)}, {"currency", r.Price.Currency},
		{"quantity", r.Quantity}, {"keys_stored", r.KeysStored},
	}
}

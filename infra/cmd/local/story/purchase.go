package story

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// fetchToken has the token function fetch a token, and use it again.
func (t *teller) fetchToken(ctx context.Context) (string, error) {
	pk := "TOKEN#sandbox#" + t.credentials.Fingerprint()
	before, err := t.record(ctx, stateTable, pk, "TOKEN")
	if err != nil {
		return "", err
	}
	var first, second struct {
		Version    int64 `json:"version"`
		TTLSeconds int64 `json:"ttl_seconds"`
	}
	for _, out := range []any{&first, &second} {
		if err := t.invoke(ctx, tokenFunction, map[string]any{}, out); err != nil {
			return "", err
		}
	}
	item, err := t.record(ctx, stateTable, pk, "TOKEN")
	if err != nil {
		return "", err
	}
	stats, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	t.token = g2a.NewSecret(text(item["access_token"]))
	issued := 1
	if before != nil && text(before["version"]) == text(item["version"]) {
		issued = 0 // a database that was there before the stack
	}
	switch {
	case t.token.IsZero():
		return "", fmt.Errorf("no token in %s under %s", stateTable, pk)
	case first.Version != second.Version || text(item["version"]) != fmt.Sprint(first.Version):
		return "", mismatch("the token's version, twice and stored", first.Version, fmt.Sprint(second.Version, " ", text(item["version"])))
	case stats.TokensIssued != issued:
		return "", mismatch("tokens issued by G2A", issued, stats.TokensIssued)
	}
	return fmt.Sprintf("version %d cached, %d s left; asked twice, issued by G2A: %d", first.Version, second.TTLSeconds, stats.TokensIssued), nil
}

// findProduct reads the whole catalogue and takes the first product that is in stock.
func (t *teller) findProduct(ctx context.Context) (string, error) {
	found, pages := 0, 0
	for total := 1; found < total; {
		pages++
		page, err := t.market.Products(ctx, g2a.ProductQuery{Page: pages, IncludeOutOfStock: true})
		if err != nil {
			return "", err
		}
		if len(page.Products) == 0 {
			return "", mismatch("products on all pages", total, found)
		}
		for _, product := range page.Products {
			// Dearer than a cent, so that there is a limit below its price.
			if t.product.ID == "" && product.Quantity > 0 && product.MinPrice.Amount.GreaterThan(cent) {
				t.product = product
			}
		}
		found, total = found+len(page.Products), page.Total
	}
	if t.product.ID == "" {
		return "", fmt.Errorf("none of the %d products is in stock", found)
	}
	return fmt.Sprintf("%d on %d pages; taken: %s %q, %d in stock, %s", found, pages, t.product.ID, t.product.Name, t.product.Quantity, t.product.MinPrice), nil
}

var cent = decimal.New(1, -2)

type orderInput struct {
	OrderRef  string `json:"order_ref"`
	ProductID string `json:"product_id"`
	MaxPrice  string `json:"max_price"`
	Currency  string `json:"currency"`
}

type orderOutput struct {
	OrderRef    string `json:"order_ref"`
	Status      string `json:"status"`
	Reason      string `json:"reason"`
	G2AOrderID  string `json:"g2a_order_id"`
	Price       string `json:"price"`
	Currency    string `json:"currency"`
	WaitSeconds int    `json:"wait_seconds"`
}

func (t *teller) orderAt(ref string, limit decimal.Decimal) orderInput {
	return orderInput{OrderRef: ref, ProductID: t.product.ID, MaxPrice: limit.StringFixed(2), Currency: t.product.MinPrice.Currency}
}

// refusePrice asks for the product at a cent less than its price.
func (t *teller) refusePrice(ctx context.Context) (string, error) {
	limit := t.product.MinPrice.Amount.Sub(cent)
	var out orderOutput
	if err := t.invoke(ctx, orderFunction, t.orderAt("run-"+rand.Text(), limit), &out); err != nil {
		return "", err
	}
	stats, err := t.books.stats(ctx)
	switch {
	case err != nil:
		return "", err
	case out.Status != "failed" || out.Reason != "price_above_limit":
		return "", mismatch("the order above its limit", "failed (price_above_limit)", out.Status+" ("+out.Reason+")")
	case stats.OrdersCreated != 0:
		return "", mismatch("orders at G2A", 0, stats.OrdersCreated)
	}
	return fmt.Sprintf("limit %s, price %s: failed (%s), no order made at G2A", limit.StringFixed(2), t.product.MinPrice.Text(), out.Reason), nil
}

// placeOrder buys the product, and calls again for as long as the order waits.
func (t *teller) placeOrder(ctx context.Context) (string, error) {
	t.orderRef = "run-" + rand.Text()
	before, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	if err := t.invoke(ctx, orderFunction, t.orderAt(t.orderRef, t.product.MinPrice.Amount), &t.order); err != nil {
		return "", err
	}
	for t.order.Status == "waiting" {
		select {
		case <-time.After(time.Duration(t.order.WaitSeconds) * time.Second):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if err := t.invoke(ctx, orderFunction, map[string]string{"order_ref": t.orderRef}, &t.order); err != nil {
			return "", err
		}
	}
	stats, err := t.books.stats(ctx)
	switch {
	case err != nil:
		return "", err
	case t.order.Status != "fulfilled":
		return "", mismatch("the order", "fulfilled", t.order.Status+" ("+t.order.Reason+")")
	case stats.OrdersCreated != 1 || stats.OrdersPaid != 1 || stats.KeysRevealed != 1:
		return "", mismatch("orders created, paid, keys revealed", "1, 1, 1",
			fmt.Sprintf("%d, %d, %d", stats.OrdersCreated, stats.OrdersPaid, stats.KeysRevealed))
	}
	return fmt.Sprintf("fulfilled as %s for %s %s; created, paid, key revealed at G2A: 1, 1, 1, by %d calls",
		t.order.G2AOrderID, t.order.Price, t.order.Currency, callsBetween(before, stats)), nil
}

// placeOrderAgain sends the same order once more, as a caller does who lost the answer.
func (t *teller) placeOrderAgain(ctx context.Context) (string, error) {
	before, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	var out orderOutput
	if err := t.invoke(ctx, orderFunction, t.orderAt(t.orderRef, t.product.MinPrice.Amount), &out); err != nil {
		return "", err
	}
	after, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	calls := callsBetween(before, after)
	switch {
	case out != t.order:
		return "", mismatch("the same order's answer", t.order, out)
	case calls != 0:
		return "", mismatch("further calls of G2A", 0, calls)
	}
	return "the same answer, further calls of G2A: 0", nil
}

// callsBetween counts the calls that G2A got.
func callsBetween(before, after g2atest.Stats) int {
	calls := 0
	for route, stats := range after.Routes {
		calls += stats.Calls - before.Routes[route].Calls
	}
	return calls
}

// readKey reads the one-time key from the order's record.
func (t *teller) readKey(ctx context.Context) (string, error) {
	item, err := t.record(ctx, ordersTable, "ORDER#"+t.orderRef, "ORDER")
	if err != nil {
		return "", err
	}
	t.key = g2a.NewSecret(text(item["product_key"]))
	if t.key.IsZero() || text(item["step"]) != "fulfilled" {
		return "", mismatch("the order's record", "fulfilled, with a key", fmt.Sprintf("%q, key of %d characters", text(item["step"]), len(t.key.Reveal())))
	}
	return fmt.Sprintf("stored: %v (%d characters), after %s writes", t.key, len(t.key.Reveal()), text(item["version"])), nil
}

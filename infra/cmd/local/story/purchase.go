package story

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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

// catalogue returns all products, in stock or not, and how many pages they are on.
func (t *teller) catalogue(ctx context.Context) (products []g2a.Product, pages int, err error) {
	if t.stack.ExportAPI == g2a.ExportV2 {
		for more := true; more; {
			pages++
			page, err := t.market.ProductOffers(ctx, g2a.ProductOfferQuery{Page: pages, PerPage: 20})
			if err != nil {
				return nil, 0, err
			}
			for _, offer := range page.Products {
				products = append(products, offer.Product())
			}
			more = page.HasNext
		}
		return products, pages, nil
	}
	for total := 1; len(products) < total; {
		pages++
		page, err := t.market.Products(ctx, g2a.ProductQuery{Page: pages, IncludeOutOfStock: true})
		switch {
		case err != nil:
			return nil, 0, err
		case len(page.Products) == 0:
			return nil, 0, mismatch("products on all pages", total, len(products))
		}
		products, total = append(products, page.Products...), page.Total
	}
	return products, pages, nil
}

// findProduct reads the whole catalogue and takes the first product that is in stock.
func (t *teller) findProduct(ctx context.Context) (string, error) {
	products, pages, err := t.catalogue(ctx)
	if err != nil {
		return "", err
	}
	for _, product := range products {
		// Dearer than a cent, so that there is a limit below its price; and enough for all
		// that the story buys.
		if t.product.ID == "" && product.Quantity >= 3 && product.MinPrice.Amount.GreaterThan(cent) {
			t.product = product
		}
	}
	if t.product.ID == "" {
		return "", fmt.Errorf("none of the %d products is in stock", len(products))
	}
	return fmt.Sprintf("%d on %d pages; taken: %s %q, %d in stock, %s", len(products), pages, t.product.ID, t.product.Name, t.product.Quantity, t.product.MinPrice), nil
}

var cent = decimal.New(1, -2)

type orderInput struct {
	OrderRef  string `json:"order_ref"`
	ProductID string `json:"product_id"`
	MaxPrice  string `json:"max_price"`
	Currency  string `json:"currency"`
	Quantity  int    `json:"quantity,omitempty"`
}

type orderOutput struct {
	OrderRef    string `json:"order_ref"`
	Status      string `json:"status"`
	Reason      string `json:"reason"`
	G2AOrderID  string `json:"g2a_order_id"`
	Price       string `json:"price"`
	Currency    string `json:"currency"`
	Quantity    int    `json:"quantity"`
	KeysStored  int    `json:"keys_stored"`
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
	if t.order, err = t.buy(ctx, t.orderAt(t.orderRef, t.product.MinPrice.Amount)); err != nil {
		return "", err
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

// buy asks for an order, and calls again for as long as it waits.
func (t *teller) buy(ctx context.Context, in orderInput) (out orderOutput, err error) {
	err = t.invoke(ctx, orderFunction, in, &out)
	for err == nil && out.Status == "waiting" {
		select {
		case <-time.After(time.Duration(out.WaitSeconds) * time.Second):
		case <-ctx.Done():
			return out, ctx.Err()
		}
		wait := out.WaitSeconds
		out = orderOutput{}
		if err = t.invoke(ctx, orderFunction, map[string]string{"order_ref": in.OrderRef}, &out); err != nil {
			return out, fmt.Errorf("after a wait of %d s: %w", wait, err)
		}
	}
	return out, err
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

// readKey reads the key from the order's record.
func (t *teller) readKey(ctx context.Context) (string, error) {
	item, err := t.record(ctx, ordersTable, "ORDER#"+t.orderRef, "ORDER")
	if err != nil {
		return "", err
	}
	key := g2a.NewSecret(text(item["product_key"]))
	if key.IsZero() || text(item["step"]) != "fulfilled" {
		return "", mismatch("the order's record", "fulfilled, with a key", fmt.Sprintf("%q, key of %d characters", text(item["step"]), len(key.Reveal())))
	}
	t.keys = append(t.keys, key)
	return fmt.Sprintf("stored: %v (%d characters), after %s writes", key, len(key.Reveal()), text(item["version"])), nil
}

// placeTwo buys two keys of the product under one order_ref.
func (t *teller) placeTwo(ctx context.Context) (string, error) {
	before, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	in := t.orderAt("run-"+rand.Text(), t.product.MinPrice.Amount)
	in.Quantity = 2
	out, err := t.buy(ctx, in)
	if err != nil {
		return "", err
	}
	after, err := t.books.stats(ctx)
	if err != nil {
		return "", err
	}
	orders, want := after.OrdersPaid-before.OrdersPaid, 2
	if t.stack.ExportAPI == g2a.ExportV2 {
		want = 1
	}
	item, err := t.record(ctx, ordersTable, "ORDER#"+in.OrderRef, "ORDER")
	if err != nil {
		return "", err
	}
	t.keys = append(t.keys, g2a.NewSecret(text(item["product_key"])), g2a.NewSecret(secondKey(item["more_keys"])))
	switch {
	case out.Status != "fulfilled" || out.KeysStored != 2:
		return "", mismatch("the order of two keys", "fulfilled (2)", fmt.Sprintf("%s (%d) %s", out.Status, out.KeysStored, out.Reason))
	case orders != want || after.KeysRevealed-before.KeysRevealed != 2:
		return "", mismatch("orders paid and keys revealed", fmt.Sprint(want, ", 2"), fmt.Sprint(orders, ", ", after.KeysRevealed-before.KeysRevealed))
	case t.keys[1].IsZero() || t.keys[2].IsZero() || t.keys[1].Equal(t.keys[2]):
		return "", fmt.Errorf("the record of %s has not two keys", in.OrderRef)
	}
	return fmt.Sprintf("fulfilled for %s %s; keys stored: 2, orders paid at G2A: %d", out.Price, out.Currency, orders), nil
}

// secondKey returns the first key of a record's list of more keys, "" if there is none.
func secondKey(more types.AttributeValue) string {
	list, isList := more.(*types.AttributeValueMemberL)
	if !isList || len(list.Value) == 0 {
		return ""
	}
	key, isMap := list.Value[0].(*types.AttributeValueMemberM)
	if !isMap {
		return ""
	}
	return text(key.Value["product_key"])
}

package g2a

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"
)

// SellerOrder is an order that buyers have placed with the seller. Its shape is known from
// two clients that differ. Status is G2A's word, such as completed; the words are not public.
type SellerOrder struct {
	ID     string
	Status string
	Items  []json.RawMessage // as they came, for their fields are not public
}

// SellerOrderQuery selects orders of the seller. The zero value selects all.
type SellerOrderQuery struct {
	Page        int // from 1; 0 is the first
	PerPage     int // 1 to 100; 0 is G2A's choice
	Statuses    []string
	CreatedFrom time.Time // sent in RFC 3339 (one client); zero is left out
}

// SellerOrders returns one page of the seller's orders.
func (c *Client) SellerOrders(ctx context.Context, query SellerOrderQuery) (Page[SellerOrder], error) {
	r, _ := c.newRequest(importAPI, "GET", "/v3/sales/orders")
	asked := paging{query.Page, query.PerPage}
	if fault := asked.check(); fault != nil {
		return Page[SellerOrder]{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	return listImport(ctx, c, r, asked, wireSellerOrder.order)
}

// AllSellerOrders returns the seller's orders on all pages, as AllProducts returns products.
func (c *Client) AllSellerOrders(ctx context.Context, query SellerOrderQuery) iter.Seq2[SellerOrder, error] {
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return walkPages("/v3/sales/orders", query.Page, query.PerPage, func(o SellerOrder) string { return o.ID },
		func(ctx context.Context, page int) (Page[SellerOrder], error) {
			query.Page = page
			return c.SellerOrders(ctx, query)
		}).all(ctx)
}

// SellerOrder returns one order of the seller.
func (c *Client) SellerOrder(ctx context.Context, id string) (SellerOrder, error) {
	r, fault := c.newRequest(importAPI, "GET", "/v3/sales/orders/{orderId}", id)
	if fault != nil {
		return SellerOrder{}, invalid(ctx, r, fault)
	}
	return oneImport(ctx, c, r, wireSellerOrder.order)
}

func (q SellerOrderQuery) encode() string {
	values := query{}
	paging{q.Page, q.PerPage}.addTo(values)
	values.list("statuses", q.Statuses)
	values.since("createdAt[from]", q.CreatedFrom)
	return values.encode()
}

// wireSellerOrder is an order of the seller as G2A sends it.
type wireSellerOrder struct {
	ID     json.RawMessage `json:"id"`
	Status string          `json:"status"`
	Items  json.RawMessage `json:"items"`
}

// order checks and maps. The items are a list, or the only one of them.
func (w wireSellerOrder) order() (order SellerOrder, fault *FieldError) {
	if order.ID, fault = readID("id", w.ID); fault != nil {
		return SellerOrder{}, fault
	}
	if order.Status = w.Status; order.Status == "" {
		return SellerOrder{}, &FieldError{Field: "status", Problem: "is missing"}
	}
	switch {
	case absent(w.Items):
		return SellerOrder{}, &FieldError{Field: "items", Problem: "is missing"}
	case bytes.HasPrefix(w.Items, []byte("{")):
		order.Items = []json.RawMessage{slices.Clone(w.Items)}
	case json.Unmarshal(w.Items, &order.Items) != nil:
		return SellerOrder{}, &FieldError{Field: "items", Problem: "is neither a list nor an object"}
	}
	return order, nil
}

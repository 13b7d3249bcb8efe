package g2a

import (
	"context"
	"encoding/json"
	"iter"
)

// Bestseller is a product that sells well on the marketplace (two clients).
type Bestseller struct {
	ProductID string
	Sold      int // pieces, in the days asked for
}

// BestsellerQuery selects bestsellers. The zero value leaves all of it to G2A.
type BestsellerQuery struct {
	Page       int // from 1; 0 is the first
	PerPage    int // 1 to 100; 0 is G2A's choice
	Days       int // counted back from today; 0 is G2A's choice
	ProductIDs []string
}

// Bestsellers returns one page of the products that sell best.
func (c *Client) Bestsellers(ctx context.Context, query BestsellerQuery) (Page[Bestseller], error) {
	r, _ := c.newRequest(importAPI, "GET", "/v3/sales/bestsellers")
	if fault := query.check(); fault != nil {
		return Page[Bestseller]{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	return listImport(ctx, c, r, paging{query.Page, query.PerPage}, wireBestseller.bestseller)
}

// AllBestsellers returns the bestsellers on all pages, as AllProducts returns products.
func (c *Client) AllBestsellers(ctx context.Context, query BestsellerQuery) iter.Seq2[Bestseller, error] {
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return walkPages("/v3/sales/bestsellers", query.Page, query.PerPage, func(b Bestseller) string { return b.ProductID },
		func(ctx context.Context, page int) (Page[Bestseller], error) {
			query.Page = page
			return c.Bestsellers(ctx, query)
		}).all(ctx)
}

func (q BestsellerQuery) check() *FieldError {
	if q.Days < 0 {
		return &FieldError{Field: "daysNumber", Problem: "is negative"}
	}
	return paging{q.Page, q.PerPage}.check()
}

func (q BestsellerQuery) encode() string {
	values := query{}
	paging{q.Page, q.PerPage}.addTo(values)
	values.number("daysNumber", q.Days)
	values.list("productIds", q.ProductIDs)
	return values.encode()
}

// wireBestseller is a bestseller as G2A sends it.
type wireBestseller struct {
	ProductID json.RawMessage `json:"productId"`
	Sold      *int            `json:"soldItemsQuantity"`
}

// bestseller checks and maps.
func (w wireBestseller) bestseller() (b Bestseller, fault *FieldError) {
	if b.ProductID, fault = readID("productId", w.ProductID); fault != nil {
		return Bestseller{}, fault
	}
	if w.Sold == nil {
		return Bestseller{}, &FieldError{Field: "soldItemsQuantity", Problem: "is missing"}
	}
	b.Sold = *w.Sold
	return b, checkCount("soldItemsQuantity", w.Sold)
}

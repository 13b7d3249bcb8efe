package g2atest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestProductsAreSelected(t *testing.T) {
	c := client(t, newServer(t))
	amount := func(text string) *decimal.Decimal { d := decimal.RequireFromString(text); return &d }
	updated := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	readTime := func(p g2a.Product) time.Time { at, _ := time.Parse(time.DateTime, p.UpdatedAt); return at }
	for name, test := range map[string]struct {
		query g2a.ProductQuery
		holds func(g2a.Product) bool
	}{
		"by id":       {g2a.ProductQuery{ID: plentiful}, func(p g2a.Product) bool { return p.ID == plentiful }},
		"by quantity": {g2a.ProductQuery{MinQuantity: 1000}, func(p g2a.Product) bool { return p.Quantity >= 1000 }},
		"from a price": {g2a.ProductQuery{MinPriceFrom: amount("59.99")}, func(p g2a.Product) bool {
			return p.MinPrice.Amount.GreaterThanOrEqual(*amount("59.99"))
		}},
		"to a price": {g2a.ProductQuery{MinPriceTo: amount("0.99")}, func(p g2a.Product) bool {
			return p.MinPrice.Amount.LessThanOrEqual(*amount("0.99"))
		}},
		"from a time": {g2a.ProductQuery{UpdatedAtFrom: updated}, func(p g2a.Product) bool { return !readTime(p).Before(updated) }},
		"to a time": {g2a.ProductQuery{UpdatedAtTo: updated}, func(p g2a.Product) bool {
			return p.UpdatedAt != "" && !readTime(p).After(updated)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var all, found int
			everything := g2a.ProductQuery{IncludeOutOfStock: true}
			for everything.Page = 1; everything.Page < 100; everything.Page++ {
				part, err := c.Products(t.Context(), everything)
				if err != nil {
					t.Fatal(err)
				}
				if len(part.Products) == 0 {
					break
				}
				for _, product := range part.Products {
					if product.Quantity > 0 && test.holds(product) {
						all++
					}
				}
			}
			part, err := c.Products(t.Context(), test.query)
			if err != nil {
				t.Fatal(err)
			}
			for _, product := range part.Products {
				found++
				if !test.holds(product) {
					t.Errorf("%s %q is not what was asked for", product.ID, product.Name)
				}
			}
			if part.Total != all || all == 0 || found != min(all, 20) {
				t.Errorf("total is %d with %d on the first page, want %d", part.Total, found, all)
			}
		})
	}
}

func TestProductOutOfStockIsFoundOnlyWhenAskedFor(t *testing.T) {
	c := client(t, newServer(t))
	part, err := c.Products(t.Context(), g2a.ProductQuery{ID: soldOut})
	if err != nil || part.Total != 0 || len(part.Products) != 0 {
		t.Errorf("found %d products (%v), want none", part.Total, err)
	}
	if left := stock(t, c, soldOut); left != 0 {
		t.Errorf("quantity is %d, want 0", left)
	}
}

func TestBadProductQueryIsRefused(t *testing.T) {
	srv := newServer(t)
	for name, query := range map[string]url.Values{
		"page 0":              {"page": {"0"}},
		"page is a text":      {"page": {"one"}},
		"page is huge":        {"page": {"99999999999999999999"}},
		"page is too large":   {"page": {"1000001"}},
		"quantity":            {"minQty": {"-1"}},
		"price":               {"minPriceFrom": {"1,50"}},
		"price with exponent": {"minPriceTo": {"1e3"}},
		"time":                {"updatedAtFrom": {"2024-01-01"}},
		"out of stock":        {"includeOutOfStock": {"perhaps"}},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, "GET", "/v1/products?"+query.Encode(), "", credentials(srv)).wantFailure(t, http.StatusBadRequest, "BR02")
		})
	}
}

package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// The most ids one query of the Export API v2 takes. Public clients stop there; that G2A
// refuses more is inferred.
const (
	maxOfferIDs   = 100
	maxProductIDs = 20
)

// ProductOffer is a product of the Export API v2 with the offers for it. Quantity and
// MinPrice are what to check before an order, as in [Product].
type ProductOffer struct {
	ID        string
	Name      string
	Quantity  int           // pieces in all offers
	MinPrice  Money         // of one piece of the cheapest offer; zero if it is sold out
	UpdatedAt string        // as G2A writes it: the format is not public
	Offers    []MarketOffer // in G2A's order, which need not be that of the prices

	// Odd lists the fields that are not as G2A documents them, as in [Product].
	Odd []FieldError
}

// MarketOffer is one seller's offer of a product.
type MarketOffer struct {
	ID       string
	Price    Money // of one piece
	Quantity int
}

// Product returns the part that the two Export APIs have in common. AvailableToBuy is true:
// that the Export API v2 lists only what can be bought is inferred.
func (o ProductOffer) Product() Product {
	return Product{
		ID: o.ID, Name: o.Name, Quantity: o.Quantity, MinPrice: o.MinPrice, UpdatedAt: o.UpdatedAt,
		AvailableToBuy: true, Odd: slices.Clone(o.Odd),
	}
}

// ProductOfferQuery selects product offers. The zero value selects all of them.
type ProductOfferQuery struct {
	Page          int       // from 1; 0 is the first
	PerPage       int       // 10, 20, 50 or 100; 0 is G2A's own choice
	UpdatedAtFrom time.Time // sent as RFC 3339 in UTC, which is inferred; zero is no bound
	ProductIDs    []string  // at most 100; none is no bound
}

// ProductOfferPage is one page of product offers. Page, PerPage and Total are zero where
// G2A's cannot be read.
type ProductOfferPage struct {
	Products []ProductOffer
	Page     int
	PerPage  int
	Total    int // products on all pages
	HasNext  bool
}

// ProductOffers returns one page of the product offers selected.
func (c *Client) ProductOffers(ctx context.Context, query ProductOfferQuery) (ProductOfferPage, error) {
	r, _ := c.newRequest(exportV2API, "GET", "/product-offers")
	if fault := query.check(); fault != nil {
		return ProductOfferPage{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	var wire map[string]json.RawMessage
	var page ProductOfferPage
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		page, fault = readProductOfferPage(wire)
		return fault
	}))
	if err != nil {
		return ProductOfferPage{}, err
	}
	return page, nil
}

// AllProductOffers returns the product offers selected on all pages, from the query's page
// on, 100 a page unless the query says otherwise. A page is requested when the loop reaches
// it, and the loop ends with the first error. The catalogue may change concurrently: a
// product that moves between two pages comes twice or not at all. A page that is not the
// one asked for, repeats the one before, or is empty or one too many though more are
// announced, is an ErrMalformedAnswer.
func (c *Client) AllProductOffers(ctx context.Context, query ProductOfferQuery) iter.Seq2[ProductOffer, error] {
	query.Page = max(1, query.Page)
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return func(yield func(ProductOffer, error) bool) {
		ctx, id := correlated(ctx)
		var before ProductOfferPage
		for last := query.Page + maxWalk/query.PerPage; ; query.Page++ {
			page, err := c.ProductOffers(ctx, query)
			if fault := page.follows(before, query.Page, last); err == nil && fault != nil {
				err = &Error{
					Method: "GET", Route: "/product-offers", Status: 200, CorrelationID: id, Kind: ErrMalformedAnswer, Cause: fault,
				}
			}
			if err != nil {
				yield(ProductOffer{}, err)
				return
			}
			for _, product := range page.Products {
				if !yield(product, nil) {
					return
				}
			}
			if !page.HasNext {
				return
			}
			if size := len(page.Products); before.Products == nil && page.Total > 0 {
				last = min(last, query.Page+(page.Total+size-1)/size) // with a page of those added concurrently
			}
			before = page
		}
	}
}

// follows reports what would make a walk over the pages endless, or repeat the same.
func (p ProductOfferPage) follows(before ProductOfferPage, asked, last int) *FieldError {
	same := func(a, b ProductOffer) bool { return a.ID == b.ID }
	named := func(o ProductOffer) bool { return o.ID != "" } // those without an id are all alike
	switch {
	case p.Page != 0 && p.Page != asked:
		return &FieldError{Field: "meta.page", Problem: "is not the page asked for"}
	case slices.ContainsFunc(before.Products, named) && slices.EqualFunc(p.Products, before.Products, same):
		return &FieldError{Field: "data", Problem: "holds the same as the page before"}
	case p.HasNext && (len(p.Products) == 0 || asked >= last):
		return &FieldError{Field: "meta.hasNext", Problem: "is not plausible"}
	}
	return nil
}

// ProductOffer returns one product with its offers. A product that is not in the catalogue
// is ErrNotFound. Only what a purchase needs must be readable: the id, the quantity, and
// the price of what is in stock.
func (c *Client) ProductOffer(ctx context.Context, productID string) (ProductOffer, error) {
	r, fault := c.newRequest(exportV2API, "GET", "/product-offers/{id}", productID)
	if fault != nil {
		return ProductOffer{}, invalid(ctx, r, fault)
	}
	var wire map[string]json.RawMessage
	var offer ProductOffer
	err := c.doBearer(ctx, r, decoded(&wire, func() *FieldError {
		offer = readProductOffer(wire["data"])
		if fault := offer.needed(); fault != nil {
			return fault.within("data")
		}
		if offer.ID != productID {
			return &FieldError{Field: "data.id", Problem: "is not the product asked for"}
		}
		return nil
	}))
	if err != nil {
		return ProductOffer{}, err
	}
	return offer, nil
}

// needed returns a copy of the first odd field that a purchase needs.
func (o ProductOffer) needed() *FieldError {
	for _, odd := range o.Odd {
		switch odd.Field {
		case "", "id", "totalQuantity":
			return &odd
		case "minPrice", "currency":
			if o.Quantity > 0 {
				return &odd
			}
		}
	}
	return nil
}

// pageSizes are those the Export API v2 has.
var pageSizes = []int{10, 20, 50, 100}

func (q ProductOfferQuery) check() *FieldError {
	asked := paging{q.Page, q.PerPage}
	if fault := asked.check(); fault != nil {
		return fault
	}
	if q.PerPage != 0 && !slices.Contains(pageSizes, q.PerPage) {
		return &FieldError{Field: "itemsPerPage", Problem: "is none of 10, 20, 50, 100"}
	}
	return checkIDs(q.ProductIDs, maxOfferIDs)
}

// checkIDs checks the productIds[] of a query.
func checkIDs(ids []string, most int) *FieldError {
	switch {
	case len(ids) > most:
		return &FieldError{Field: "productIds", Problem: fmt.Sprintf("are more than %d", most)}
	case slices.Contains(ids, ""):
		return &FieldError{Field: "productIds", Problem: "has an empty id"}
	}
	return nil
}

func (q ProductOfferQuery) encode() string {
	values := query{}
	paging{q.Page, q.PerPage}.addTo(values)
	values.since("updatedAtFrom", q.UpdatedAtFrom)
	values.list("productIds", q.ProductIDs)
	return values.encode()
}

// readProductOfferPage reads a page. Nothing in one of its products is a fault, and of the
// meta only what ends a walk must be there.
func readProductOfferPage(wire map[string]json.RawMessage) (ProductOfferPage, *FieldError) {
	data, fault := readDataList(wire)
	if fault != nil {
		return ProductOfferPage{}, fault
	}
	var unread []FieldError
	meta := members{raw: wire, odd: &unread}.object("meta")
	hasNext, known := readFlag(meta.raw["hasNext"])
	if !known {
		return ProductOfferPage{}, &FieldError{Field: "meta.hasNext", Problem: "is neither true nor false"}
	}
	page := ProductOfferPage{Products: make([]ProductOffer, len(data)), HasNext: hasNext}
	page.Page, _ = meta.count("page")
	page.PerPage, _ = meta.count("itemsPerPage")
	page.Total, _ = meta.count("totalResults")
	for i, raw := range data {
		page.Products[i] = readProductOffer(raw)
	}
	return page, nil
}

// readDataList reads the list that an answer of the Export API v2 holds.
func readDataList(wire map[string]json.RawMessage) ([]json.RawMessage, *FieldError) {
	var data []json.RawMessage
	switch {
	case absent(wire["data"]):
		return nil, &FieldError{Field: "data", Problem: "is missing"}
	case json.Unmarshal(wire["data"], &data) != nil:
		return nil, &FieldError{Field: "data", Problem: "is not a list"}
	}
	return data, nil
}

// readProductOffer reads a product with its offers, each field by itself.
func readProductOffer(raw json.RawMessage) ProductOffer {
	var o ProductOffer
	m := members{odd: &o.Odd}
	if json.Unmarshal(raw, &m.raw) != nil || m.raw == nil {
		m.note("", "is not an object")
		return o
	}
	o.ID, o.Name, o.UpdatedAt = m.id("id"), m.text("name"), m.text("updatedAt")
	currency := m.currency()
	o.Quantity, o.MinPrice = m.stock(currency)
	all, names := m.elements("offers")
	o.Offers = make([]MarketOffer, 0, len(names))
	for _, name := range names {
		offer := all.object(name)
		each := MarketOffer{ID: offer.id("id"), Price: offer.priceIn("price", currency)}
		each.Quantity, _ = offer.count("quantity")
		o.Offers = append(o.Offers, each)
	}
	return o
}

// stock reads the quantity and the lowest price of an entry of the Export API v2. What is
// sold out has no price, which G2A's nullable field suggests.
func (m members) stock(currency string) (quantity int, minPrice Money) {
	quantity, known := m.count("totalQuantity")
	minPrice = m.priceIn("minPrice", currency)
	if blank(m.raw["minPrice"]) && !(known && quantity == 0) {
		m.note("minPrice", "is missing")
	}
	return quantity, minPrice
}

// currency reads the currency of an entry of the Export API v2, which sells in EUR; one
// that is absent is EUR. "" is one that cannot be read.
func (m members) currency() string {
	if blank(m.raw["currency"]) {
		return ProductCurrency
	}
	code := strings.ToUpper(stringOf(m.raw["currency"]))
	if !currencyPattern.MatchString(code) {
		m.note("currency", "is not three letters")
		return ""
	}
	return code
}

// priceIn reads an amount in a currency; without either it is the zero Money.
func (m members) priceIn(name, currency string) Money {
	amount := m.amount(name)
	if amount == nil || currency == "" {
		return Money{}
	}
	return Money{Amount: *amount, Currency: currency}
}

package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// ProductCurrency is the currency of all prices of the catalogue and of offers.
const ProductCurrency = "EUR"

const productsPerPage = 20 // G2A's, and no other

// productTime is how the Export API writes times in its queries.
const productTime = time.DateTime

// Product is one product of the catalogue. Strings that G2A does not know are "".
//
// Quantity and MinPrice are the stock and the price to check before an order: n pieces
// for at most limit each are available when Quantity >= n && MinPrice.AtMost(limit). What
// binds G2A is the limit passed to CreateOrder.
type Product struct {
	ID             string
	Name           string
	Slug           string
	Type           string
	Platform       string
	Region         string
	Developer      string
	Publisher      string
	UpdatedAt      string // "yyyy-mm-dd hh:mm:ss"; G2A names no time zone
	ReleaseDate    string
	Quantity       int   // in stock
	MinPrice       Money // of the cheapest offer; zero if it is sold out and has none
	RetailMinPrice Money
	// RetailMinBasePrice is RetailMinPrice without taxes.
	RetailMinBasePrice Money
	// AvailableToBuy is false on every product of the sandbox, and the products can be
	// ordered nevertheless; it has a meaning only in live.
	AvailableToBuy bool
	// PriceLimits bound the price an offer may have, nil where there is no bound.
	PriceLimitMin, PriceLimitMax *decimal.Decimal
	Categories                   []Category

	Thumbnail, SmallImage, CoverImage string // URLs
	Images                            []string
	Videos                            []Video
	MinimalMachine                    Machine
	RecommendedMachine                Machine
	Restrictions                      map[string]bool // by G2A's names, such as pegi_violence

	// Odd lists the fields that are not as G2A documents them, by their paths in the
	// product, such as priceLimit.min; they have their zero values. What is not even an
	// object has a path of "" and nothing else.
	Odd []FieldError
}

// Video is one of a product's videos.
type Video struct {
	Type string // YOUTUBE
	URL  string // or the id that the type has
}

// Machine is what a computer needs for a product, in G2A's words.
type Machine struct {
	System, Processor, Graphics, Memory, DiskSpace, Other string
}

// Category is one of a product's categories. Its id is an integer or a string at G2A,
// and "" here if G2A does not know it.
type Category struct {
	ID   string
	Name string
}

// ProductQuery selects products. The zero value selects all that are in stock.
type ProductQuery struct {
	Page              int // from 1; 0 is the first
	ID                string
	MinQuantity       int
	MinPriceFrom      *decimal.Decimal // EUR
	MinPriceTo        *decimal.Decimal // EUR
	IncludeOutOfStock bool
	UpdatedAtFrom     time.Time // sent as it stands, G2A names no time zone; zero is no bound
	UpdatedAtTo       time.Time
}

// ProductPage is one page of the catalogue, 20 products at most.
type ProductPage struct {
	Total    int // products on all pages
	Page     int
	Products []Product
}

// Products returns one page of the products selected.
func (c *Client) Products(ctx context.Context, query ProductQuery) (ProductPage, error) {
	r, _ := c.newRequest(exportAPI, "GET", "/products")
	if fault := query.check(); fault != nil {
		return ProductPage{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	var wire map[string]json.RawMessage
	var page ProductPage
	err := c.doExport(ctx, r, decoded(&wire, func() (fault *FieldError) {
		page, fault = readProductPage(wire)
		return fault
	}))
	if err != nil {
		return ProductPage{}, err
	}
	return page, nil
}

// AllProducts returns the products selected on all pages, from the query's page on. A
// page is requested when the loop reaches it, and the loop ends with the first error. The
// catalogue may change concurrently: a product that moves between two pages comes twice
// or not at all. The loop ends at an empty page, and after as many products as the first
// page has announced, plus a page.
func (c *Client) AllProducts(ctx context.Context, query ProductQuery) iter.Seq2[Product, error] {
	w := walk[Product]{
		route: "/products", first: query.Page, size: productsPerPage, totalField: "total", numberField: "page",
		id: func(p Product) string { return p.ID },
		ask: func(ctx context.Context, number int) (part[Product], error) {
			query.Page = number
			page, err := c.Products(ctx, query)
			return part[Product]{items: page.Products, number: page.Page, total: page.Total}, err
		},
	}
	return w.all(ctx)
}

// Product returns one product, in stock or not. A product that is not in the catalogue
// is ErrNotFound. G2A documents no call for a single product; the query by id is the
// documented way. Only what a purchase needs must be readable: the id, the quantity, the
// price of what is in stock, and AvailableToBuy.
func (c *Client) Product(ctx context.Context, id string) (Product, error) {
	ctx, correlationID := correlated(ctx)
	page, err := c.Products(ctx, ProductQuery{ID: id, IncludeOutOfStock: true})
	if err != nil {
		return Product{}, err
	}
	failed := &Error{Method: "GET", Route: "/products", Status: 200, CorrelationID: correlationID, Kind: ErrNotFound, Outcome: NotDone}
	for i, product := range page.Products {
		if product.ID != id && product.ID != "" {
			continue
		}
		fault := product.needed()
		if fault == nil {
			return product, nil
		}
		failed.Kind, failed.Outcome, failed.Cause = ErrMalformedAnswer, OutcomeUnknown, fault.within(fmt.Sprintf("docs[%d]", i))
		if product.ID == id {
			break // one whose id is odd may be it, unless another one is
		}
	}
	return Product{}, failed
}

// needed returns the first odd field that a purchase needs.
func (p Product) needed() *FieldError {
	for _, odd := range p.Odd {
		switch odd.Field {
		case "", "id", "qty", "availableToBuy":
			return &odd
		case "minPrice":
			if p.Quantity > 0 {
				return &odd
			}
		}
	}
	return nil
}

// check reports what cannot be valid in the query.
func (q ProductQuery) check() *FieldError {
	switch {
	case q.Page < 0:
		return &FieldError{Field: "page", Problem: "is negative"}
	case q.MinQuantity < 0:
		return &FieldError{Field: "minQty", Problem: "is negative"}
	case !q.UpdatedAtFrom.IsZero() && !q.UpdatedAtTo.IsZero() && q.UpdatedAtTo.Before(q.UpdatedAtFrom):
		return &FieldError{Field: "updatedAtTo", Problem: "is before updatedAtFrom"}
	}
	if q.MinPriceFrom != nil {
		if fault := checkAmount("minPriceFrom", *q.MinPriceFrom); fault != nil {
			return fault
		}
	}
	if q.MinPriceTo != nil {
		if fault := checkAmount("minPriceTo", *q.MinPriceTo); fault != nil {
			return fault
		}
	}
	if q.MinPriceFrom != nil && q.MinPriceTo != nil && q.MinPriceTo.LessThan(*q.MinPriceFrom) {
		return &FieldError{Field: "minPriceTo", Problem: "is less than minPriceFrom"}
	}
	return nil
}

func (q ProductQuery) encode() string {
	values := query{}
	values.number("page", q.Page)
	values.text("id", q.ID)
	values.number("minQty", q.MinQuantity)
	if q.IncludeOutOfStock {
		values.flag("includeOutOfStock", &q.IncludeOutOfStock)
	}
	if q.MinPriceFrom != nil {
		values.text("minPriceFrom", q.MinPriceFrom.String())
	}
	if q.MinPriceTo != nil {
		values.text("minPriceTo", q.MinPriceTo.String())
	}
	if !q.UpdatedAtFrom.IsZero() {
		values.text("updatedAtFrom", q.UpdatedAtFrom.Format(productTime))
	}
	if !q.UpdatedAtTo.IsZero() {
		values.text("updatedAtTo", q.UpdatedAtTo.Format(productTime))
	}
	return values.encode()
}

// readProductPage reads a page of the catalogue. Nothing in one of its products is a
// fault.
func readProductPage(wire map[string]json.RawMessage) (ProductPage, *FieldError) {
	var docs []json.RawMessage
	for _, name := range []string{"total", "page", "docs"} {
		if absent(wire[name]) {
			return ProductPage{}, &FieldError{Field: name, Problem: "is missing"}
		}
	}
	if json.Unmarshal(wire["docs"], &docs) != nil {
		return ProductPage{}, &FieldError{Field: "docs", Problem: "is not a list"}
	}
	var odd []FieldError
	top := members{raw: wire, odd: &odd}
	var page ProductPage
	page.Total, _ = top.count("total")
	if page.Page, _ = top.count("page"); page.Page < 1 {
		top.note("page", "is less than 1")
	}
	if len(odd) > 0 {
		return ProductPage{}, &odd[0]
	}
	page.Products = make([]Product, len(docs))
	for i, raw := range docs {
		page.Products[i] = readProduct(raw)
	}
	return page, nil
}

// readProduct reads a product, each field by itself.
func readProduct(raw json.RawMessage) Product {
	var p Product
	m := members{odd: &p.Odd}
	if json.Unmarshal(raw, &m.raw) != nil || m.raw == nil {
		m.note("", "is not an object")
		return p
	}
	p.ID = m.id("id")
	quantity, known := m.count("qty")
	p.Quantity = quantity
	if p.MinPrice = m.price("minPrice"); blank(m.raw["minPrice"]) && !(known && quantity == 0) {
		m.note("minPrice", "is missing")
	}
	p.AvailableToBuy = m.flag("availableToBuy")
	p.describe(m)
	p.illustrate(m)
	return p
}

// describe reads what a product is.
func (p *Product) describe(m members) {
	p.Name, p.Slug, p.Type = m.text("name"), m.text("slug"), m.text("type")
	p.Platform, p.Region = m.text("platform"), m.text("region")
	p.Developer, p.Publisher = m.text("developer"), m.text("publisher")
	p.UpdatedAt, p.ReleaseDate = m.text("updated_at"), m.text("release_date")
	p.RetailMinPrice, p.RetailMinBasePrice = m.price("retail_min_price"), m.price("retailMinBasePrice")
	limit := m.object("priceLimit")
	p.PriceLimitMin, p.PriceLimitMax = limit.amount("min"), limit.amount("max")
	p.Categories = m.categories()
	p.Restrictions = m.flags("restrictions")
}

func (m members) categories() []Category {
	all, names := m.elements("categories")
	categories := make([]Category, 0, len(names))
	for _, name := range names {
		category := all.object(name)
		c := Category{Name: category.text("name")}
		if !blank(category.raw["id"]) {
			c.ID = category.id("id")
		}
		categories = append(categories, c)
	}
	return categories
}

// illustrate reads what a shop shows of a product.
func (p *Product) illustrate(m members) {
	p.Thumbnail, p.SmallImage, p.CoverImage = m.text("thumbnail"), m.text("smallImage"), m.text("coverImage")
	p.Images = m.texts("images")
	all, names := m.elements("videos")
	p.Videos = make([]Video, 0, len(names))
	for _, name := range names {
		video := all.object(name)
		p.Videos = append(p.Videos, Video{Type: video.text("type"), URL: video.text("url")})
	}
	requirements := m.object("requirements")
	p.MinimalMachine, p.RecommendedMachine = readMachine(requirements.object("minimal")), readMachine(requirements.object("recommended"))
}

func readMachine(m members) Machine {
	return Machine{
		System: m.text("reqsystem"), Processor: m.text("reqprocessor"), Graphics: m.text("reqgraphics"),
		Memory: m.text("reqmemory"), DiskSpace: m.text("reqdiskspace"), Other: m.text("reqother"),
	}
}

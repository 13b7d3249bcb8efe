package g2a

import (
	"context"
	"encoding/json"
	"iter"
)

// Bestseller is a product that sells well. G2A documents the list and not its
// entries' fields: only the product's id must be there.
type Bestseller struct {
	ProductID  string
	Name       string
	Platform   string
	Categories []Category
	MinPrice   Money // zero where G2A does not say
	Sold       *int  // pieces, nil where G2A does not say
}

// BestsellerQuery selects bestsellers. The zero value selects all.
type BestsellerQuery struct {
	Page     int // from 1; 0 is the first
	PerPage  int // 10, 20, 50 or 100; 0 is G2A's choice
	Category string
	Platform string
}

// Bestsellers returns one page of the products that sell best. If G2A states no paging, the
// list is one page.
func (c *Client) Bestsellers(ctx context.Context, query BestsellerQuery) (Page[Bestseller], error) {
	r := request{api: importAPI, method: "GET", route: "/bestsellers", url: c.cfg.ImportURL + "/v1/bestsellers" + query.encode()}
	if fault := checkPaging(query.Page, query.PerPage); fault != nil {
		return Page[Bestseller]{}, invalid(ctx, r, fault)
	}
	var wire wirePage
	var page Page[Bestseller]
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		if wire.Meta == nil {
			all := max(1, len(wire.Data))
			wire.Meta = &wireMeta{CurrentPage: new(max(1, query.Page)), LastPage: new(max(1, query.Page)), PerPage: &all, Total: new(len(wire.Data))}
		}
		page, fault = readPage(wire, wireBestseller.bestseller)
		return fault
	}))
	if err != nil {
		return Page[Bestseller]{}, err
	}
	return page, nil
}

// AllBestsellers returns the bestsellers on all pages, as AllProducts returns products.
func (c *Client) AllBestsellers(ctx context.Context, query BestsellerQuery) iter.Seq2[Bestseller, error] {
	if query.PerPage == 0 {
		query.PerPage = maxPerPage
	}
	return walkPages("/bestsellers", query.Page, query.PerPage, func(b Bestseller) string { return b.ProductID },
		func(ctx context.Context, page int) (Page[Bestseller], error) {
			query.Page = page
			return c.Bestsellers(ctx, query)
		}).all(ctx)
}

func (q BestsellerQuery) encode() string {
	values := query{}
	values.number("page", q.Page)
	values.number("perPage", q.PerPage)
	values.text("category", q.Category)
	values.text("platform", q.Platform)
	return values.encode()
}

// wireBestseller is a bestseller as G2A sends it.
type wireBestseller struct {
	ProductID  json.RawMessage   `json:"productId"`
	Name       string            `json:"name"`
	Platform   string            `json:"platform"`
	Categories []json.RawMessage `json:"categories"`
	MinPrice   json.RawMessage   `json:"minPrice"`
	Sold       *int              `json:"sold"`
}

// bestseller checks and maps.
func (w wireBestseller) bestseller() (Bestseller, *FieldError) {
	b := Bestseller{Name: w.Name, Platform: w.Platform, Sold: w.Sold}
	var fault *FieldError
	if b.ProductID, fault = readID("productId", w.ProductID); fault != nil {
		return Bestseller{}, fault
	}
	if b.Categories, fault = readList("categories", w.Categories, wireCategory.category); fault != nil {
		return Bestseller{}, fault
	}
	if b.MinPrice, fault = readOptionalPrice("minPrice", w.MinPrice); fault != nil {
		return Bestseller{}, fault
	}
	if w.Sold != nil && *w.Sold < 0 {
		return Bestseller{}, &FieldError{Field: "sold", Problem: "is negative"}
	}
	return b, nil
}

// wireCategory is a category as G2A sends it.
type wireCategory struct {
	ID   json.RawMessage `json:"id"`
	Name string          `json:"name"`
}

func (w wireCategory) category() (Category, *FieldError) {
	if absent(w.ID) || string(w.ID) == `""` {
		return Category{Name: w.Name}, nil
	}
	id, fault := readID("id", w.ID)
	return Category{ID: id, Name: w.Name}, fault
}

package g2atest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// productsPerPage is G2A's: it takes no other.
const productsPerPage = 20

type productsPage struct {
	Total int        `json:"total"`
	Page  int        `json:"page"`
	Docs  []document `json:"docs"`
}

// listProducts is GET /products. Total is the number of products that match, on
// all pages. Products that are out of stock match only with includeOutOfStock,
// when asked for by id too. A page after the last is empty.
func (s *Simulator) listProducts(c *call) answer {
	filter, err := parseProductFilter(c.query)
	if err != nil {
		return fail(codeInvalidData, "%v", err)
	}
	page := productsPage{Page: filter.page, Docs: []document{}}
	first := (filter.page - 1) * productsPerPage
	for i, p := range s.stock.products {
		if !filter.matches(p, s.stock.left[i]) {
			continue
		}
		if page.Total >= first && len(page.Docs) < productsPerPage {
			page.Docs = append(page.Docs, s.stock.document(i))
		}
		page.Total++
	}
	return ok(page)
}

// document is a product as it came, with the quantity there is now.
func (st *stock) document(place int) document {
	return st.products[place].document.with("qty", json.RawMessage(strconv.Itoa(st.left[place])))
}

// productFilter is the query of GET /products. What is nil or empty does not filter.
type productFilter struct {
	page                   int
	id                     string
	minQuantity            int
	priceFrom, priceTo     *decimal.Decimal
	updatedFrom, updatedTo *time.Time
	includeOutOfStock      bool
}

func (f productFilter) matches(p product, left int) bool {
	switch {
	case f.id != "" && p.id != f.id,
		left == 0 && !f.includeOutOfStock,
		left < f.minQuantity,
		f.priceFrom != nil && p.price.LessThan(*f.priceFrom),
		f.priceTo != nil && p.price.GreaterThan(*f.priceTo):
		return false
	case f.updatedFrom != nil && (p.updatedAt.IsZero() || p.updatedAt.Before(*f.updatedFrom)),
		f.updatedTo != nil && (p.updatedAt.IsZero() || p.updatedAt.After(*f.updatedTo)):
		return false // no known time lies in no range
	}
	return true
}

func parseProductFilter(query url.Values) (productFilter, error) {
	filter := productFilter{page: 1, id: query.Get("id")}
	for name, read := range map[string]func(string) error{
		"page":              func(v string) error { return readWhole(v, 1, &filter.page) },
		"minQty":            func(v string) error { return readWhole(v, 0, &filter.minQuantity) },
		"minPriceFrom":      func(v string) error { return readPrice(v, &filter.priceFrom) },
		"minPriceTo":        func(v string) error { return readPrice(v, &filter.priceTo) },
		"updatedAtFrom":     func(v string) error { return readTime(v, &filter.updatedFrom) },
		"updatedAtTo":       func(v string) error { return readTime(v, &filter.updatedTo) },
		"includeOutOfStock": func(v string) error { return readBool(v, &filter.includeOutOfStock) },
	} {
		value := query.Get(name)
		if value == "" {
			continue
		}
		if err := read(value); err != nil {
			return productFilter{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return filter, nil
}

package g2atest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// product is one of the catalogue, with what the simulator reads of it taken out.
type product struct {
	document   document // as it came
	id         string
	name       string
	price      decimal.Decimal // minPrice: the cheapest auction, EUR
	quantity   int
	updatedAt  time.Time // zero: not known
	categories []category
}

type category struct {
	ID   json.RawMessage `json:"id"` // a number or a string
	Name string          `json:"name"`
}

// keyFileCategory marks the products whose key is a file. G2A's products do not
// tell; this is how a catalogue tells the simulator.
const keyFileCategory = "key-file"

func (p product) keyIsFile() bool { return p.in(keyFileCategory) }

// in reports whether a category has this id, a text or a number, or this name.
func (p product) in(wanted string) bool {
	return slices.ContainsFunc(p.categories, func(c category) bool { return c.text() == wanted || c.Name == wanted })
}

// text is a category's id as a text.
func (c category) text() string {
	var id string
	if json.Unmarshal(c.ID, &id) != nil {
		return string(c.ID)
	}
	return id
}

// parseCatalogue reads a page of products. What is not in G2A's page format is an
// error that names the place, such as docs[3].priceLimit.min.
func parseCatalogue(page []byte) ([]product, error) {
	var raw json.RawMessage
	if err := json.Unmarshal(page, &raw); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if err := pageFormat("", raw); err != nil {
		return nil, err
	}
	var body struct {
		Docs []json.RawMessage `json:"docs"`
	}
	if err := json.Unmarshal(page, &body); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	products, place := make([]product, len(body.Docs)), make(map[string]int, len(body.Docs))
	for i, doc := range body.Docs {
		p, err := parseProduct(doc)
		if err != nil {
			return nil, fmt.Errorf("docs[%d].%w", i, err)
		}
		if first, twice := place[p.id]; twice {
			return nil, fmt.Errorf("docs[%d].id: %q is the id of docs[%d] too", i, p.id, first)
		}
		products[i], place[p.id] = p, i
	}
	return products, nil
}

// parseProduct takes out what the simulator reads. The document is known to be in
// the format; the errors are what a format alone cannot tell.
func parseProduct(doc json.RawMessage) (product, error) {
	var fields struct {
		ID         string      `json:"id"`
		Name       string      `json:"name"`
		Quantity   json.Number `json:"qty"`
		MinPrice   json.Number `json:"minPrice"`
		UpdatedAt  string      `json:"updated_at"`
		Categories []category  `json:"categories"`
	}
	if err := json.Unmarshal(doc, &fields); err != nil {
		return product{}, fmt.Errorf("id: %w", err)
	}
	p := product{id: fields.ID, name: fields.Name, categories: fields.Categories}
	var err error
	if p.document, err = parseDocument(doc); err != nil {
		return product{}, fmt.Errorf("id: %w", err)
	}
	if p.id == "" {
		return product{}, fmt.Errorf("id: is empty")
	}
	if p.quantity, err = strconv.Atoi(fields.Quantity.String()); err != nil {
		return product{}, fmt.Errorf("qty: %w", err)
	}
	if p.price, err = parsePrice(fields.MinPrice.String()); err != nil {
		return product{}, fmt.Errorf("minPrice: %w", err)
	}
	if fields.UpdatedAt != "" {
		if p.updatedAt, err = parseTime(fields.UpdatedAt); err != nil {
			return product{}, fmt.Errorf("updated_at: %w", err)
		}
	}
	return p, nil
}

package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// ProductCurrency is the currency of all prices in the catalogue.
const ProductCurrency = "EUR"

// productTime is how the Export API writes times in its queries.
const productTime = time.DateTime

// Product is one product of the catalogue. Texts that G2A does not know are "".
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
	MinPrice       Money // of the cheapest offer
	RetailMinPrice Money
	// AvailableToBuy is false on every product of the sandbox, where the products
	// are ordered from all the same; it has a meaning only in live.
	AvailableToBuy bool
	// PriceLimits bound the price an offer may have, nil where there is no bound.
	PriceLimitMin, PriceLimitMax *decimal.Decimal
	Categories                   []Category
}

// Category is one of a product's categories. Its id is a number or a text at G2A
// and a text here, "" where G2A does not know it.
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
	UpdatedAtFrom     time.Time
	UpdatedAtTo       time.Time
}

// ProductPage is one page of the catalogue, 20 products at most.
type ProductPage struct {
	Total    int // products on all pages
	Page     int
	Products []Product
}

// Products gives one page of the products selected.
func (c *Client) Products(ctx context.Context, query ProductQuery) (ProductPage, error) {
	var wire struct {
		Total *int          `json:"total"`
		Page  *int          `json:"page"`
		Docs  []wireProduct `json:"docs"`
	}
	r := request{api: exportAPI, method: "GET", route: "/products", url: c.cfg.ExportURL + "/products" + query.encode()}
	var page ProductPage
	err := c.doExport(ctx, r, &wire, func() *FieldError {
		if wire.Total == nil || wire.Page == nil || wire.Docs == nil {
			return &FieldError{Field: "total, page or docs", Problem: "is missing"}
		}
		page = ProductPage{Total: *wire.Total, Page: *wire.Page, Products: make([]Product, 0, len(wire.Docs))}
		for i, doc := range wire.Docs {
			product, fault := doc.product()
			if fault != nil {
				fault.Field = fmt.Sprintf("docs[%d].%s", i, fault.Field)
				return fault
			}
			page.Products = append(page.Products, product)
		}
		return nil
	})
	if err != nil {
		return ProductPage{}, err
	}
	return page, nil
}

// Product gives one product, in stock or not. A product that is not in the
// catalogue is ErrNotFound. G2A documents no call for a single product; the
// query by id is the documented way.
func (c *Client) Product(ctx context.Context, id string) (Product, error) {
	ctx, correlationID := correlated(ctx)
	page, err := c.Products(ctx, ProductQuery{ID: id, IncludeOutOfStock: true})
	if err != nil {
		return Product{}, err
	}
	for _, product := range page.Products {
		if product.ID == id {
			return product, nil
		}
	}
	return Product{}, &Error{Method: "GET", Route: "/products", Status: 200, CorrelationID: correlationID, Kind: ErrNotFound}
}

// encode gives the query with its question mark, or "".
func (q ProductQuery) encode() string {
	values := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			values.Set(name, value)
		}
	}
	set("page", strconv.Itoa(q.Page), q.Page > 0)
	set("id", q.ID, q.ID != "")
	set("minQty", strconv.Itoa(q.MinQuantity), q.MinQuantity > 0)
	set("includeOutOfStock", "true", q.IncludeOutOfStock)
	if q.MinPriceFrom != nil {
		values.Set("minPriceFrom", q.MinPriceFrom.String())
	}
	if q.MinPriceTo != nil {
		values.Set("minPriceTo", q.MinPriceTo.String())
	}
	set("updatedAtFrom", q.UpdatedAtFrom.Format(productTime), !q.UpdatedAtFrom.IsZero())
	set("updatedAtTo", q.UpdatedAtTo.Format(productTime), !q.UpdatedAtTo.IsZero())
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// wireProduct is a product as G2A sends it. Pointers tell absent from zero.
type wireProduct struct {
	ID             string          `json:"id"`
	Name           *string         `json:"name"`
	Slug           string          `json:"slug"`
	Type           string          `json:"type"`
	Platform       string          `json:"platform"`
	Region         string          `json:"region"`
	Developer      string          `json:"developer"`
	Publisher      string          `json:"publisher"`
	UpdatedAt      string          `json:"updated_at"`
	ReleaseDate    string          `json:"release_date"`
	Quantity       *int            `json:"qty"`
	MinPrice       json.RawMessage `json:"minPrice"`
	RetailMinPrice json.RawMessage `json:"retail_min_price"`
	AvailableToBuy bool            `json:"availableToBuy"`
	PriceLimit     struct {
		Min json.RawMessage `json:"min"`
		Max json.RawMessage `json:"max"`
	} `json:"priceLimit"`
	Categories []struct {
		ID   json.RawMessage `json:"id"`
		Name string          `json:"name"`
	} `json:"categories"`
}

// product checks and maps.
func (w wireProduct) product() (Product, *FieldError) {
	switch {
	case w.ID == "":
		return Product{}, &FieldError{Field: "id", Problem: "is missing"}
	case w.Name == nil:
		return Product{}, &FieldError{Field: "name", Problem: "is missing"}
	case w.Quantity == nil:
		return Product{}, &FieldError{Field: "qty", Problem: "is missing"}
	case *w.Quantity < 0:
		return Product{}, &FieldError{Field: "qty", Problem: "is negative"}
	}
	minPrice, fault := readPrice("minPrice", w.MinPrice, ProductCurrency)
	if fault != nil {
		return Product{}, fault
	}
	product := Product{
		ID: w.ID, Name: *w.Name, Slug: w.Slug, Type: w.Type, Platform: w.Platform, Region: w.Region,
		Developer: w.Developer, Publisher: w.Publisher, UpdatedAt: w.UpdatedAt, ReleaseDate: w.ReleaseDate,
		Quantity: *w.Quantity, MinPrice: minPrice, AvailableToBuy: w.AvailableToBuy,
	}
	retail, fault := readAmount("retail_min_price", w.RetailMinPrice)
	if fault != nil {
		return Product{}, fault
	}
	if retail != nil {
		product.RetailMinPrice = Money{Amount: *retail, Currency: ProductCurrency}
	}
	if product.PriceLimitMin, fault = readAmount("priceLimit.min", w.PriceLimit.Min); fault != nil {
		return Product{}, fault
	}
	if product.PriceLimitMax, fault = readAmount("priceLimit.max", w.PriceLimit.Max); fault != nil {
		return Product{}, fault
	}
	for i, category := range w.Categories {
		id := ""
		if !absent(category.ID) && string(category.ID) != `""` {
			if id, fault = readID(fmt.Sprintf("categories[%d].id", i), category.ID); fault != nil {
				return Product{}, fault
			}
		}
		product.Categories = append(product.Categories, Category{ID: id, Name: category.Name})
	}
	return product, nil
}

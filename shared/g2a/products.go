package g2a

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// ProductCurrency is the currency of all prices of the catalogue and of offers.
const ProductCurrency = "EUR"

const productsPerPage = 20 // G2A's, and no other

// productTime is how the Export API writes times in its queries.
const productTime = time.DateTime

// Product is one product of the catalogue. Texts that G2A does not know are "".
//
// Quantity and MinPrice are the stock and the price to check before an order: n pieces
// for at most limit each are there when Quantity >= n && MinPrice.AtMost(limit). What
// binds G2A is the limit that is given to CreateOrder.
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
	// RetailMinBasePrice is RetailMinPrice without taxes.
	RetailMinBasePrice Money
	// AvailableToBuy is false on every product of the sandbox, where the products
	// are ordered from all the same; it has a meaning only in live.
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

	// Odd are the fields that are not as G2A documents them. They have their zero value.
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
	UpdatedAtFrom     time.Time // sent as it stands, G2A names no time zone; zero is no bound
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
		Total *int              `json:"total"`
		Page  *int              `json:"page"`
		Docs  []json.RawMessage `json:"docs"`
	}
	r := request{api: exportAPI, method: "GET", route: "/products"}
	if fault := query.check(); fault != nil {
		return ProductPage{}, unsent(ctx, r, fault)
	}
	r.url = c.cfg.ExportURL + "/products" + query.encode()
	var page ProductPage
	err := c.doExport(ctx, r, &wire, func() *FieldError {
		switch {
		case wire.Total == nil || wire.Page == nil || wire.Docs == nil:
			return &FieldError{Field: "total, page or docs", Problem: "is missing"}
		case *wire.Total < 0:
			return &FieldError{Field: "total", Problem: "is negative"}
		case *wire.Page < 1:
			return &FieldError{Field: "page", Problem: "is less than 1"}
		}
		products, fault := readList("docs", wire.Docs, wireProduct.product)
		page = ProductPage{Total: *wire.Total, Page: *wire.Page, Products: products}
		return fault
	})
	if err != nil {
		return ProductPage{}, err
	}
	return page, nil
}

// AllProducts gives the products selected on all pages, from the query's page on. A
// page is asked for when the loop has come to it, and the loop ends with the first
// error. The catalogue may change meanwhile: a product that moves between two pages
// comes twice or not at all. The loop ends at an empty page, and when it has given as
// many products as G2A told, on the first page, that there are, and a page more.
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

// check tells what in the query cannot be good.
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
	Categories []json.RawMessage `json:"categories"`

	RetailMinBasePrice json.RawMessage   `json:"retailMinBasePrice"`
	Thumbnail          string            `json:"thumbnail"`
	SmallImage         string            `json:"smallImage"`
	CoverImage         string            `json:"coverImage"`
	Images             []string          `json:"images"`
	Videos             []json.RawMessage `json:"videos"`
	Requirements       json.RawMessage   `json:"requirements"`
	Restrictions       json.RawMessage   `json:"restrictions"`
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
	if product.RetailMinPrice, fault = readOptionalPrice("retail_min_price", w.RetailMinPrice); fault != nil {
		return Product{}, fault
	}
	if product.RetailMinBasePrice, fault = readOptionalPrice("retailMinBasePrice", w.RetailMinBasePrice); fault != nil {
		return Product{}, fault
	}
	if product.PriceLimitMin, fault = readAmount("priceLimit.min", w.PriceLimit.Min); fault != nil {
		return Product{}, fault
	}
	if product.PriceLimitMax, fault = readAmount("priceLimit.max", w.PriceLimit.Max); fault != nil {
		return Product{}, fault
	}
	if product.Categories, fault = readList("categories", w.Categories, wireCategory.category); fault != nil {
		return Product{}, fault
	}
	if fault = w.show(&product); fault != nil {
		return Product{}, fault
	}
	return product, nil
}

// show maps what a shop shows of a product.
func (w wireProduct) show(product *Product) (fault *FieldError) {
	product.Thumbnail, product.SmallImage, product.CoverImage, product.Images = w.Thumbnail, w.SmallImage, w.CoverImage, w.Images
	if product.Videos, fault = readList("videos", w.Videos, wireVideo.video); fault != nil {
		return fault
	}
	var requirements struct {
		Minimal     wireMachine `json:"minimal"`
		Recommended wireMachine `json:"recommended"`
	}
	if fault = readOptionalObject("requirements", w.Requirements, &requirements); fault != nil {
		return fault
	}
	product.MinimalMachine, product.RecommendedMachine = requirements.Minimal.machine(), requirements.Recommended.machine()
	return readOptionalObject("restrictions", w.Restrictions, &product.Restrictions)
}

// wireVideo is a video as G2A sends it.
type wireVideo struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

func (w wireVideo) video() (Video, *FieldError) { return Video(w), nil }

// wireMachine is a machine as G2A sends it.
type wireMachine struct {
	System    string `json:"reqsystem"`
	Processor string `json:"reqprocessor"`
	Graphics  string `json:"reqgraphics"`
	Memory    string `json:"reqmemory"`
	DiskSpace string `json:"reqdiskspace"`
	Other     string `json:"reqother"`
}

func (w wireMachine) machine() Machine { return Machine(w) }

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

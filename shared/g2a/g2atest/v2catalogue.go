package g2atest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	maxOfferIDs   = 100
	maxProductIDs = 20
)

var v2PageSizes = []int{10, 20, 50, 100}

type v2Meta struct {
	Page         int  `json:"page"`
	ItemsPerPage int  `json:"itemsPerPage"`
	TotalResults int  `json:"totalResults"`
	HasNext      bool `json:"hasNext"`
	HasPrevious  bool `json:"hasPrevious"`
}

type productOffer struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	TotalQuantity int           `json:"totalQuantity"`
	MinPrice      any           `json:"minPrice"`
	UpdatedAt     any           `json:"updatedAt"`
	Currency      string        `json:"currency"`
	Offers        []marketOffer `json:"offers"`
}

type marketOffer struct {
	ID       string `json:"id"`
	Price    any    `json:"price"`
	Quantity int    `json:"quantity"`
}

// productDetails is a product of GET /products. What the catalogue does not know is null.
type productDetails struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Slug          string            `json:"slug"`
	Platform      any               `json:"platform"`
	Region        any               `json:"region"`
	Developer     any               `json:"developer"`
	Publisher     any               `json:"publisher"`
	ReleaseDate   any               `json:"releaseDate"`
	Categories    []detailsCategory `json:"categories"`
	Thumbnail     any               `json:"thumbnail"`
	PortraitImage any               `json:"portraitImage"`
	CoverImage    any               `json:"coverImage"`
	Images        json.RawMessage   `json:"images"`
	Videos        []string          `json:"videos"`
	TotalQuantity int               `json:"totalQuantity"`
	MinPrice      any               `json:"minPrice"`
	UpdatedAt     any               `json:"updatedAt"`
	Currency      string            `json:"currency"`
}

type detailsCategory struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// listProductOffers is GET /product-offers. Products that are out of stock are there, with
// no price and no offer: that they are is inferred from the price that may be null.
func (s *Simulator) listProductOffers(c *call) answer {
	filter, failure := parseCatalogueFilter(c.query)
	if failure != nil {
		return *failure
	}
	all := []productOffer{}
	for place, p := range s.stock.products {
		if filter.matches(p) {
			all = append(all, s.productOffer(place))
		}
	}
	first := min(len(all), (filter.page-1)*filter.perPage)
	last := min(len(all), first+filter.perPage)
	return ok(v2Data{Data: all[first:last], Meta: &v2Meta{
		Page: filter.page, ItemsPerPage: filter.perPage, TotalResults: len(all), HasNext: last < len(all), HasPrevious: filter.page > 1,
	}})
}

// getProductOffer is GET /product-offers/{id}.
func (s *Simulator) getProductOffer(c *call) answer {
	place, found := s.stock.place[c.id]
	if !found {
		return failV2(http.StatusNotFound, codeV2NotFound, "Product not found")
	}
	return ok(v2Data{Data: s.productOffer(place)})
}

// listProductDetails is GET /products. Ids that are not in the catalogue are left out.
func (s *Simulator) listProductDetails(c *call) answer {
	ids, failure := parseProductIDs(c.query, maxProductIDs)
	switch {
	case failure != nil:
		return *failure
	case len(ids) == 0:
		return *invalidV2("productIds", "is missing")
	}
	found := []productDetails{}
	for place, p := range s.stock.products {
		if slices.Contains(ids, p.id) {
			found = append(found, s.productDetails(place))
		}
	}
	return ok(v2Data{Data: found})
}

// productOffer is a product with its one offer, which has all that is in stock.
func (s *Simulator) productOffer(place int) productOffer {
	p, left := s.stock.products[place], s.stock.left[place]
	entry := productOffer{ID: p.id, Name: p.name, TotalQuantity: left, UpdatedAt: writtenTime(p.updatedAt), Currency: currency, Offers: []marketOffer{}}
	if left > 0 {
		entry.MinPrice = s.money(p.price)
		entry.Offers = append(entry.Offers, marketOffer{ID: marketOfferID(p.id), Price: entry.MinPrice, Quantity: left})
	}
	return entry
}

func (s *Simulator) productDetails(place int) productDetails {
	p, offer := s.stock.products[place], s.productOffer(place)
	details := productDetails{
		ID: p.id, Name: p.name, Slug: p.text("slug"), Platform: orNull(p.text("platform")), Region: orNull(p.text("region")),
		Developer: orNull(p.text("developer")), Publisher: orNull(p.text("publisher")), ReleaseDate: orNull(p.text("release_date")),
		Categories: []detailsCategory{}, Thumbnail: orNull(p.text("thumbnail")), PortraitImage: orNull(p.text("smallImage")),
		CoverImage: orNull(p.text("coverImage")), Videos: []string{},
		TotalQuantity: offer.TotalQuantity, MinPrice: offer.MinPrice, UpdatedAt: offer.UpdatedAt, Currency: currency,
	}
	details.Images, _ = p.document.only("images") // the catalogue was found to have it
	for _, category := range p.categories {
		details.Categories = append(details.Categories, detailsCategory{ID: category.text(), Name: category.Name})
	}
	return details
}

// text is a field of the catalogue that is a string.
func (p product) text(name string) string {
	var value string
	raw, _ := p.document.only(name)
	_ = json.Unmarshal(raw, &value) // the catalogue was found to have it
	return value
}

// orNull is null for what is not known.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func writtenTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// marketOfferID is the id of a product's offer, the same in every run.
func marketOfferID(productID string) string {
	sum := sha256.Sum256([]byte(productID))
	return fmt.Sprintf("%x-%x-4%x-8%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// catalogueFilter is the query of GET /product-offers.
type catalogueFilter struct {
	page, perPage int
	updatedFrom   time.Time
	ids           []string
}

func (f catalogueFilter) matches(p product) bool {
	return !p.updatedAt.Before(f.updatedFrom) && (len(f.ids) == 0 || slices.Contains(f.ids, p.id))
}

func parseCatalogueFilter(query url.Values) (catalogueFilter, *answer) {
	filter := catalogueFilter{page: 1, perPage: defaultPerPage}
	if value := query.Get("page"); value != "" {
		if err := readWhole(value, 1, &filter.page); err != nil {
			return catalogueFilter{}, invalidV2("page", "%v", err)
		}
	}
	if value := query.Get("itemsPerPage"); value != "" {
		size, err := strconv.Atoi(value)
		if err != nil || !slices.Contains(v2PageSizes, size) {
			return catalogueFilter{}, invalidV2("itemsPerPage", "must be one of %v", v2PageSizes)
		}
		filter.perPage = size
	}
	if value := query.Get("updatedAtFrom"); value != "" {
		from, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return catalogueFilter{}, invalidV2("updatedAtFrom", "must be a time such as 2024-01-31T18:30:00Z")
		}
		filter.updatedFrom = from
	}
	var failure *answer
	filter.ids, failure = parseProductIDs(query, maxOfferIDs)
	return filter, failure
}

// parseProductIDs reads productIds[]. That more than G2A's clients send is refused is inferred.
func parseProductIDs(query url.Values, most int) ([]string, *answer) {
	ids := query["productIds[]"]
	if len(ids) > most {
		return nil, invalidV2("productIds", "must be %d at most", most)
	}
	return ids, nil
}

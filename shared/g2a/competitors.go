package g2a

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
)

// CompetitorOffer is an offer of any seller for a product (two clients).
type CompetitorOffer struct {
	ID                 string
	Price              Money            // without the buyer's taxes
	FinalPrice         map[string]Money // what a private buyer pays, by country
	BusinessPrice      Money            // zero if businesses are offered nothing
	BusinessFinalPrice map[string]Money // what a business pays, by country
	Seller             Seller
	Stock              string // how many pieces there are, as a range in G2A's words; "0" is none
}

// Seller is who offers a product. What G2A does not state is zero.
type Seller struct {
	Name    string
	Rating  json.Number
	Ratings int // how many there are
	Tier    string
}

// CompetitorQuery selects offers of other sellers. The zero value leaves all of it to G2A.
type CompetitorQuery struct {
	Page       int    // from 1; 0 is the first
	PerPage    int    // 1 to 100; 0 is G2A's choice
	Country    string // whose prices (ISO 3166-1, two letters)
	Visibility Visibility
}

// CompetitorOffers returns one page of what sellers offer of a product. None is an empty
// page, also if G2A answers 404 (one client).
func (c *Client) CompetitorOffers(
	ctx context.Context, productID string, query CompetitorQuery,
) (Page[CompetitorOffer], error) {
	r, fault := c.newRequest(importAPI, "GET", "/v3/products/{productId}/offers", productID)
	if fault = cmp.Or(fault, query.check()); fault != nil {
		return Page[CompetitorOffer]{}, invalid(ctx, r, fault)
	}
	r.url += query.encode()
	asked := paging{query.Page, query.PerPage}
	var wire wireNullablePage
	var page Page[CompetitorOffer]
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		page, fault = wire.page(asked)
		return fault
	}))
	if errors.Is(err, ErrNotFound) {
		return Page[CompetitorOffer]{Number: max(1, query.Page), PerPage: query.PerPage}, nil
	}
	if err != nil {
		return Page[CompetitorOffer]{}, err
	}
	return page, nil
}

// wireNullablePage is a page whose data may be null if there is none (one client).
type wireNullablePage struct {
	Data json.RawMessage `json:"data"`
	Meta *wireMeta       `json:"meta"`
}

func (w wireNullablePage) page(asked paging) (Page[CompetitorOffer], *FieldError) {
	page := wirePage{Meta: w.Meta}
	if string(w.Data) == "null" {
		page.Data = []json.RawMessage{}
	} else if len(w.Data) > 0 && json.Unmarshal(w.Data, &page.Data) != nil {
		return Page[CompetitorOffer]{}, &FieldError{Field: "data", Problem: "has the wrong type"}
	}
	return readPage(page, asked, wireCompetitor.offer)
}

func (q CompetitorQuery) check() *FieldError {
	if q.Country != "" && !countryPattern.MatchString(q.Country) {
		return &FieldError{Field: "countryCode", Problem: "is not two upper-case letters"}
	}
	if q.Visibility != "" {
		if fault := readChoice("visibility", q.Visibility, visibilities); fault != nil {
			return fault
		}
	}
	return paging{q.Page, q.PerPage}.check()
}

func (q CompetitorQuery) encode() string {
	values := query{}
	paging{q.Page, q.PerPage}.addTo(values)
	values.text("countryCode", q.Country)
	values.text("visibility", string(q.Visibility))
	return values.encode()
}

// wireCompetitor is an offer of another seller as G2A sends it.
type wireCompetitor struct {
	ID     json.RawMessage `json:"id"`
	Price  wireNestedPrice `json:"price"`
	Seller struct {
		Name    string      `json:"name"`
		Rating  json.Number `json:"rating"`
		Ratings int         `json:"ratingsCount"`
		Tier    string      `json:"tier"`
	} `json:"seller"`
	Inventory struct {
		Range string `json:"range"`
	} `json:"inventory"`
}

// offer checks and maps.
func (w wireCompetitor) offer() (CompetitorOffer, *FieldError) {
	offer := CompetitorOffer{
		Seller: Seller{Name: w.Seller.Name, Rating: w.Seller.Rating, Ratings: w.Seller.Ratings, Tier: w.Seller.Tier},
		Stock:  w.Inventory.Range,
	}
	var fault *FieldError
	if offer.ID, fault = readID("id", w.ID); fault != nil {
		return CompetitorOffer{}, fault
	}
	offer.Price, offer.FinalPrice, fault = w.Price.Retail.prices("price.retail")
	if fault != nil || w.Price.Business == nil {
		return offer, fault
	}
	offer.BusinessPrice, offer.BusinessFinalPrice, fault = w.Price.Business.prices("price.business")
	return offer, fault
}

// prices reads the price before taxes, and what a buyer of each country pays.
func (w *wireAudiencePrice) prices(field string) (base Money, final map[string]Money, fault *FieldError) {
	if base, fault = w.base(field); fault != nil {
		return Money{}, nil, fault
	}
	type priceIn struct {
		country string
		price   Money
	}
	each, fault := readList(field+".final", w.Final, func(w wireCountryPrice) (priceIn, *FieldError) {
		price, fault := w.price()
		if fault == nil && !countryPattern.MatchString(w.Country) {
			fault = &FieldError{Field: "countryCode", Problem: "is not two upper-case letters"}
		}
		return priceIn{w.Country, price}, fault
	})
	if fault != nil {
		return Money{}, nil, fault
	}
	final = map[string]Money{}
	for _, in := range each {
		final[in.country] = in.price
	}
	return base, final, nil
}

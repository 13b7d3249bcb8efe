package g2atest

import (
	"errors"
	"maps"
	"slices"
	"strconv"
)

// competitorOffer is an offer of another seller. Its rating and its tier are made up.
type competitorOffer struct {
	ID        string          `json:"id"`
	Price     nestedPrice     `json:"price"`
	Seller    competitor      `json:"seller"`
	Inventory competitorStock `json:"inventory"`
}

type competitor struct {
	Name         string  `json:"name"`
	Rating       float64 `json:"rating"`
	RatingsCount int     `json:"ratingsCount"`
	Tier         string  `json:"tier"`
}

type competitorStock struct {
	Range string `json:"range"`
}

// productOffers is GET /v3/products/{productId}/offers: of a product that is in stock, the
// one offer that the catalogue's price is of; else 404.
func (s *Simulator) productOffers(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	countries := slices.Sorted(maps.Keys(vat))
	if country := c.query.Get("countryCode"); country != "" {
		if !countryPattern.MatchString(country) {
			return *invalid("countryCode", errors.New("must be two upper-case letters"))
		}
		countries = []string{country}
	}
	if wanted := c.query.Get("visibility"); wanted != "" && !slices.Contains(visibilities, wanted) {
		return *invalid("visibility", errors.New("there is no such visibility"))
	}
	place, found := s.stock.place[c.value("productId")]
	if !found || s.stock.left[place] == 0 {
		return notFound("Offer")
	}
	product := s.stock.products[place]
	price := audiencePrice{Base: priceIn(countries[0], product.price)}
	for _, country := range countries {
		if country != otherCountry {
			price.Final = append(price.Final, priceIn(country, withVAT(product.price, country)))
		}
	}
	page := pageOf([]competitorOffer{{
		ID: "offer-" + product.id, Price: nestedPrice{Retail: price},
		Seller:    competitor{Name: "Another Seller", Rating: 98.5, RatingsCount: 1200, Tier: "gold"},
		Inventory: competitorStock{Range: stockRange(s.stock.left[place])},
	}}, part)
	if s.options.Import.NullMeta {
		page.Meta = nil
	}
	return ok(page)
}

// stockRange is how many pieces there are, as G2A may put it.
func stockRange(pieces int) string {
	if pieces > 10 {
		return "10+"
	}
	return strconv.Itoa(pieces)
}

package g2a

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The countries of a PriceSimulation that are none.
const (
	AllCountries   = "ALL"
	OtherCountries = "OTHER"
)

// PriceSimulation is what a price comes to, by country (ISO 3166-1, two letters) or by
// AllCountries or OtherCountries. The amounts are in the currency of the price.
type PriceSimulation struct {
	Income             map[string]Money // what the seller gets
	FinalPrice         map[string]Money // what a private buyer pays
	BusinessFinalPrice map[string]Money // what a business pays
	BusinessIncome     map[string]Money // what the seller gets from a business
}

// SimulatePrice returns what an offer's price comes to for seller and buyer, in one
// country or, where country is "", in all of them. That the currency is a parameter is
// known from two clients, the country from one.
func (c *Client) SimulatePrice(
	ctx context.Context, productID string, price Money, country string,
) (PriceSimulation, error) {
	r, _ := c.newRequest(importAPI, "GET", "/v3/pricing/simulations")
	if fault := checkSimulation(productID, price, country); fault != nil {
		return PriceSimulation{}, invalid(ctx, r, fault)
	}
	values := query{}
	values.text("productId", productID)
	values.text("price", price.Amount.StringFixed(2))
	values.text("currency", price.Currency)
	values.text("country", country)
	r.url += values.encode()
	var wire wireSimulation
	var simulation PriceSimulation
	err := c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		simulation, fault = wire.simulation(price.Currency)
		return fault
	}))
	if err != nil {
		return PriceSimulation{}, err
	}
	return simulation, nil
}

// wireSimulation is a simulation as G2A sends it.
type wireSimulation struct {
	Income             json.RawMessage `json:"income"`
	FinalPrice         json.RawMessage `json:"finalePrice"` // G2A's spelling
	BusinessFinalPrice json.RawMessage `json:"businessFinalPrice"`
	BusinessIncome     json.RawMessage `json:"businessIncome"`
}

// simulation checks and maps.
func (w wireSimulation) simulation(currency string) (simulation PriceSimulation, fault *FieldError) {
	for _, amounts := range []struct {
		field string
		raw   json.RawMessage
		into  *map[string]Money
	}{
		{"income", w.Income, &simulation.Income},
		{"finalePrice", w.FinalPrice, &simulation.FinalPrice},
		{"businessFinalPrice", w.BusinessFinalPrice, &simulation.BusinessFinalPrice},
		{"businessIncome", w.BusinessIncome, &simulation.BusinessIncome},
	} {
		if absent(amounts.raw) {
			return PriceSimulation{}, &FieldError{Field: amounts.field, Problem: "is missing"}
		}
		if *amounts.into, fault = readByCountry(amounts.field, amounts.raw, currency); fault != nil {
			return PriceSimulation{}, fault
		}
	}
	return simulation, nil
}

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

func checkSimulation(productID string, price Money, country string) *FieldError {
	switch {
	case productID == "":
		return &FieldError{Field: "productId", Problem: "is missing"}
	case country != "" && !countryPattern.MatchString(country):
		return &FieldError{Field: "country", Problem: "is not two upper-case letters"}
	case !currencyPattern.MatchString(price.Currency):
		return &FieldError{Field: "currency", Problem: "is not three upper-case letters"}
	}
	return checkAmount("price", price.Amount)
}

// readByCountry reads an object of amounts. The names are read without their case: G2A has
// countries in lower case too. An empty object may be a list, as PHP writes it.
func readByCountry(field string, raw json.RawMessage, currency string) (map[string]Money, *FieldError) {
	amounts := map[string]Money{}
	var object map[string]json.RawMessage
	if absent(raw) || empty(raw) {
		return amounts, nil
	}
	if json.Unmarshal(raw, &object) != nil {
		return nil, &FieldError{Field: field, Problem: "has the wrong type"}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) { // the first fault is always the same one
		country := strings.ToUpper(name)
		if country != AllCountries && country != OtherCountries && !countryPattern.MatchString(country) {
			return nil, &FieldError{Field: field, Problem: "has a name that is neither a country nor ALL nor OTHER"}
		}
		amount, fault := readWrittenPrice(field+"."+country, object[name], currency)
		if fault != nil {
			return nil, fault
		}
		amounts[country] = amount
	}
	return amounts, nil
}

// readWrittenPrice reads an amount of the Import API that must be there: a string (most
// clients) or a number.
func readWrittenPrice(field string, raw json.RawMessage, currency string) (Money, *FieldError) {
	if absent(raw) {
		return Money{}, &FieldError{Field: field, Problem: "is missing"}
	}
	amount, problem := readLenientAmount(raw)
	if problem != "" {
		return Money{}, &FieldError{Field: field, Problem: problem}
	}
	return Money{Amount: amount, Currency: currency}, nil
}

// wireNestedPrice is a price that stands apart for private buyers and for businesses, in
// one client's reading of an offer, and in the offers of other sellers.
type wireNestedPrice struct {
	Retail   *wireAudiencePrice `json:"retail"`
	Business *wireAudiencePrice `json:"business"`
}

// wireAudiencePrice is the price before taxes and, of other sellers, what a buyer of each
// country pays.
type wireAudiencePrice struct {
	Base  *wireCountryPrice `json:"base"`
	Final []json.RawMessage `json:"final"`
}

type wireCountryPrice struct {
	Country  string          `json:"countryCode"`
	Currency string          `json:"currencyCode"`
	Value    json.RawMessage `json:"value"`
}

// base reads the price before taxes, which must be there.
func (w *wireAudiencePrice) base(field string) (Money, *FieldError) {
	if w == nil || w.Base == nil {
		return Money{}, &FieldError{Field: field + ".base", Problem: "is missing"}
	}
	price, fault := w.Base.price()
	if fault != nil {
		return Money{}, fault.within(field + ".base")
	}
	return price, nil
}

func (w wireCountryPrice) price() (Money, *FieldError) {
	if !currencyPattern.MatchString(w.Currency) {
		return Money{}, &FieldError{Field: "currencyCode", Problem: "is not three upper-case letters"}
	}
	return readWrittenPrice("value", w.Value, w.Currency)
}

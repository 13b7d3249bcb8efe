package g2a

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// The countries of a PriceSimulation that are none.
const (
	AllCountries   = "ALL"
	OtherCountries = "OTHER"
)

// PriceSimulation is what a price comes to, by country (ISO 3166-1, two letters) or by
// AllCountries or OtherCountries.
type PriceSimulation struct {
	Income             map[string]Money // what the seller gets
	FinalPrice         map[string]Money // what a private buyer pays
	BusinessFinalPrice map[string]Money // what a business pays
	BusinessIncome     map[string]Money // what the seller gets from a business
}

// SimulatePrice returns what an offer's price comes to for seller and buyer, in one
// country or, where country is "", in all of them.
func (c *Client) SimulatePrice(ctx context.Context, productID string, price Money, country string) (PriceSimulation, error) {
	r := request{api: importAPI, method: "GET", route: "/prices/simulations"}
	if fault := checkSimulation(productID, price, country); fault != nil {
		return PriceSimulation{}, invalid(ctx, r, fault)
	}
	values := query{}
	values.text("productId", productID)
	values.text("price", price.Amount.String())
	values.text("country", country)
	r.url = c.cfg.ImportURL + "/v1/prices/simulations" + values.encode()
	var wire struct {
		Income             map[string]json.RawMessage `json:"income"`
		FinalPrice         map[string]json.RawMessage `json:"finalePrice"` // G2A's spelling
		BusinessFinalPrice map[string]json.RawMessage `json:"businessFinalPrice"`
		BusinessIncome     map[string]json.RawMessage `json:"businessIncome"`
	}
	var simulation PriceSimulation
	err := c.doBearer(ctx, r, decoded(&wire, func() *FieldError {
		for _, amounts := range []struct {
			field string
			raw   map[string]json.RawMessage
			into  *map[string]Money
		}{
			{"income", wire.Income, &simulation.Income},
			{"finalePrice", wire.FinalPrice, &simulation.FinalPrice},
			{"businessFinalPrice", wire.BusinessFinalPrice, &simulation.BusinessFinalPrice},
			{"businessIncome", wire.BusinessIncome, &simulation.BusinessIncome},
		} {
			var fault *FieldError
			if *amounts.into, fault = readByCountry(amounts.field, amounts.raw); fault != nil {
				return fault
			}
		}
		return nil
	}))
	if err != nil {
		return PriceSimulation{}, err
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
	}
	return checkPrice("price", price)
}

// readByCountry reads an object of amounts.
func readByCountry(field string, raw map[string]json.RawMessage) (map[string]Money, *FieldError) {
	if raw == nil {
		return nil, &FieldError{Field: field, Problem: "is missing"}
	}
	amounts := make(map[string]Money, len(raw))
	for _, country := range slices.Sorted(maps.Keys(raw)) { // the first fault is always the same one
		if country != AllCountries && country != OtherCountries && !countryPattern.MatchString(country) {
			return nil, &FieldError{Field: field, Problem: "has a name that is neither a country nor ALL nor OTHER"}
		}
		amount, fault := readPrice(field+"."+country, raw[country], ProductCurrency)
		if fault != nil {
			return nil, fault
		}
		amounts[country] = amount
	}
	return amounts, nil
}

package g2atest

import (
	"encoding/json"
	"errors"
	"regexp"

	"github.com/shopspring/decimal"
)

// G2A's fees and taxes are not public. These are made up, so that the amounts
// differ from one another and have to be rounded: the seller gets the price less a
// commission, a private buyer pays the country's VAT on top, a business pays the
// price.
var (
	commission = decimal.RequireFromString("0.108")
	vat        = map[string]decimal.Decimal{
		"DE":         decimal.RequireFromString("0.19"),
		"FR":         decimal.RequireFromString("0.2"),
		"PL":         decimal.RequireFromString("0.23"),
		otherCountry: decimal.Zero,
	}
)

const (
	allCountries = "ALL"
	otherCountry = "OTHER"
)

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// amounts are EUR by country, or by ALL or OTHER.
type amounts map[string]json.Number

type priceSimulation struct {
	Income             amounts `json:"income"`
	FinalPrice         amounts `json:"finalePrice"` // G2A's spelling
	BusinessFinalPrice amounts `json:"businessFinalPrice"`
	BusinessIncome     amounts `json:"businessIncome"`
}

// simulatePrice is GET /prices/simulations. Amounts are rounded half up to cents.
func (s *Simulator) simulatePrice(c *call) answer {
	var price *decimal.Decimal
	if err := readPrice(c.query.Get("price"), &price); err != nil {
		return *invalid("price", err)
	}
	country := c.query.Get("country")
	if country != "" && !countryPattern.MatchString(country) {
		return *invalid("country", errors.New("must be two upper-case letters"))
	}
	if _, found := s.stock.place[c.query.Get("productId")]; !found {
		return *invalid("productId", errNoProduct)
	}
	income := cents(price.Sub(price.Mul(commission)))
	if country != "" {
		rate, known := vat[country]
		if !known {
			rate = vat[otherCountry]
		}
		return ok(priceSimulation{
			Income:             amounts{country: income},
			FinalPrice:         amounts{country: withVAT(*price, rate)},
			BusinessFinalPrice: amounts{country: cents(*price)},
			BusinessIncome:     amounts{country: income},
		})
	}
	final := amounts{}
	for name, rate := range vat {
		final[name] = withVAT(*price, rate)
	}
	return ok(priceSimulation{
		Income:             amounts{allCountries: income},
		FinalPrice:         final,
		BusinessFinalPrice: amounts{allCountries: cents(*price)},
		BusinessIncome:     amounts{allCountries: income},
	})
}

func withVAT(price, rate decimal.Decimal) json.Number { return cents(price.Add(price.Mul(rate))) }

func cents(amount decimal.Decimal) json.Number { return json.Number(amount.StringFixed(2)) }

package g2atest

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

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

var (
	countryPattern  = regexp.MustCompile(`^[A-Z]{2}$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// amounts are EUR by country, or by ALL or OTHER: strings, or numbers.
type amounts map[string]any

type priceSimulation struct {
	Income             amounts `json:"income"`
	FinalPrice         amounts `json:"finalePrice"` // G2A's spelling
	BusinessFinalPrice amounts `json:"businessFinalPrice"`
	BusinessIncome     amounts `json:"businessIncome"`
}

// simulatePrice is GET /v3/pricing/simulations. Amounts are in the currency asked for, which
// changes nothing else, and are rounded half up to cents.
func (s *Simulator) simulatePrice(c *call) answer {
	var price *decimal.Decimal
	if err := readPrice(c.query.Get("price"), &price); err != nil {
		return *invalid("price", err)
	}
	if wanted := c.query.Get("currency"); wanted != "" && !currencyPattern.MatchString(wanted) {
		return *invalid("currency", errors.New("must be three upper-case letters"))
	}
	country := c.query.Get("country")
	if country != "" && !countryPattern.MatchString(country) {
		return *invalid("country", errors.New("must be two upper-case letters"))
	}
	if _, found := s.stock.place[c.query.Get("productId")]; !found {
		return *invalid("productId", errNoProduct)
	}
	numbers := s.options.Import.SimulatedNumbers
	income, business := written(price.Sub(price.Mul(commission)), numbers), written(*price, numbers)
	if country != "" {
		return ok(priceSimulation{
			Income:             amounts{country: income},
			FinalPrice:         amounts{country: written(withVAT(*price, country), numbers)},
			BusinessFinalPrice: amounts{country: business},
			BusinessIncome:     amounts{country: income},
		})
	}
	final := amounts{}
	for name := range vat {
		final[name] = written(withVAT(*price, name), numbers)
	}
	return ok(priceSimulation{
		Income:             amounts{allCountries: income},
		FinalPrice:         final,
		BusinessFinalPrice: amounts{allCountries: business},
		BusinessIncome:     amounts{allCountries: income},
	})
}

// withVAT is what a private buyer of a country pays.
func withVAT(price decimal.Decimal, country string) decimal.Decimal {
	rate, known := vat[country]
	if !known {
		rate = vat[otherCountry]
	}
	return price.Add(price.Mul(rate))
}

// written is an amount in cents, as a string or as a number.
func written(amount decimal.Decimal, asNumber bool) any {
	text := amount.StringFixed(2)
	if asNumber {
		return json.Number(text)
	}
	return text
}

// finalPrices are what buyers pay for an offer, by country in lower case.
func finalPrices(price decimal.Decimal, numbers bool) amounts {
	final := amounts{}
	for country := range vat {
		if country != otherCountry {
			final[strings.ToLower(country)] = written(withVAT(price, country), numbers)
		}
	}
	return final
}

// nestedPrice is a price that stands apart for private buyers and for businesses.
type nestedPrice struct {
	Retail   audiencePrice  `json:"retail"`
	Business *audiencePrice `json:"business"`
}

type audiencePrice struct {
	Base  countryPrice   `json:"base"`
	Final []countryPrice `json:"final,omitempty"`
}

type countryPrice struct {
	CountryCode  string `json:"countryCode"`
	CurrencyCode string `json:"currencyCode"`
	Value        string `json:"value"`
}

func priceIn(country string, amount decimal.Decimal) countryPrice {
	return countryPrice{CountryCode: country, CurrencyCode: currency, Value: amount.StringFixed(2)}
}

package g2a_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestSimulatePrice(t *testing.T) {
	tests := []struct {
		name    string
		country string
		query   string
	}{
		{"everywhere", "", "currency=EUR&price=4.90&productId=7"},
		{"one country", "DE", "country=DE&currency=EUR&price=4.90&productId=7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodPrices)}}
			got, err := newClient(g2aServer).SimulatePrice(t.Context(), "7", money("4.90"), test.country)
			if err != nil {
				t.Fatal(err)
			}
			text := func(amounts map[string]g2a.Money) string {
				var parts []string
				for _, country := range slices.Sorted(maps.Keys(amounts)) {
					parts = append(parts, country+" "+amounts[country].String())
				}
				return strings.Join(parts, ", ")
			}
			for _, c := range []struct {
				name    string
				amounts map[string]g2a.Money
				want    string
			}{
				{"income", got.Income, "ALL 4.45 EUR"}, {"final", got.FinalPrice, "DE 5.94 EUR, OTHER 4.99 EUR"},
				{"business final", got.BusinessFinalPrice, "ALL 4.99 EUR"}, {"business income", got.BusinessIncome, "ALL 4.40 EUR"},
			} {
				if text(c.amounts) != c.want {
					t.Errorf("%s is %s, want %s", c.name, text(c.amounts), c.want)
				}
			}
			if u := g2aServer.requests()[0].URL; u.Path != "/v3/pricing/simulations" || u.RawQuery != test.query {
				t.Errorf("asked for %s, want the query %s", u, test.query)
			}
		})
	}
}

// TestSimulatedPriceForms: an amount is a string or a number, and an empty object PHP's list.
func TestSimulatedPriceForms(t *testing.T) {
	body := `{"income":{"ALL":4.45,"de":"1.10"},"finalePrice":[],"businessFinalPrice":{},"businessIncome":{"OTHER":0.1}}`
	got, err := newClient(&script{replies: []reply{answer(200, body)}}).SimulatePrice(t.Context(), "7", g2a.Money{Amount: money("4.90").Amount, Currency: "USD"}, "")
	if err != nil || got.Income["ALL"].String() != "4.45 USD" || got.Income["DE"].String() != "1.10 USD" ||
		got.BusinessIncome["OTHER"].String() != "0.10 USD" || len(got.FinalPrice)+len(got.BusinessFinalPrice) != 0 {
		t.Errorf("simulation is %+v, error %v", got, err)
	}
}

func TestSimulatePriceMalformed(t *testing.T) {
	changed := func(old, new string) string { return strings.Replace(goodPrices, old, new, 1) }
	tests := []struct{ name, body, fault string }{
		{"no income", changed(`"income"`, `"in"`), "field income is missing"},
		{"no final price", changed(`"finalePrice"`, `"finalPrice"`), "field finalePrice is missing"},
		{"no business price", changed(`"businessFinalPrice"`, `"b"`), "field businessFinalPrice is missing"},
		{"no business income", changed(`"businessIncome"`, `"b"`), "field businessIncome is missing"},
		{"income null", changed(`{"ALL":"4.45"}`, `null`), "field income is missing"},
		{"income a number", changed(`{"ALL":"4.45"}`, `4.45`), "field income has the wrong type"},
		{"negative", changed("4.45", "-4.45"), "field income.ALL is negative"},
		{"null", changed(`"4.45"`, "null"), "field income.ALL is missing"},
		{"a text", changed(`5.94`, `hunter2`), "field finalePrice.DE is not a number"},
		{"no country", changed(`"DE"`, `"hunter2"`), "field finalePrice has a name that is neither a country nor ALL nor OTHER"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).SimulatePrice(t.Context(), "7", money("4.90"), "")
			assertMalformed(t, err, test.fault)
			if got.Income != nil || got.FinalPrice != nil {
				t.Errorf("amounts beside the error: %+v", got)
			}
		})
	}
}

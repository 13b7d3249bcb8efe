package g2a_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const competitor = `{"id":"o2","price":{"retail":{"base":{"countryCode":"DE","currencyCode":"EUR","value":"5.20"},` +
	`"final":[{"countryCode":"DE","currencyCode":"EUR","value":"5.75"},{"countryCode":"US","currencyCode":"USD","value":6}]},` +
	`"business":{"base":{"currencyCode":"EUR","value":5.1},"final":[]}},` +
	`"seller":{"name":"Shop","rating":99.5,"ratingsCount":12,"tier":"gold"},"inventory":{"range":"10+"}}`

func TestCompetitorOffers(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, `{"data":[`+competitor+`],"meta":null}`)}}
	page, err := newClient(g2aServer).CompetitorOffers(t.Context(), "7/8", g2a.CompetitorQuery{Page: 2, PerPage: 50, Country: "DE", Visibility: g2a.VisibleAll})
	if err != nil || len(page.Items) != 1 || page.Number != 2 || page.PerPage != 50 {
		t.Fatalf("page is %+v, error %v", page, err)
	}
	o := page.Items[0]
	if o.ID != "o2" || o.Price.String() != "5.20 EUR" || o.FinalPrice["DE"].String() != "5.75 EUR" || o.FinalPrice["US"].String() != "6.00 USD" ||
		o.BusinessPrice.String() != "5.10 EUR" || len(o.BusinessFinalPrice) != 0 || o.Stock != "10+" ||
		o.Seller != (g2a.Seller{Name: "Shop", Rating: "99.5", Ratings: 12, Tier: "gold"}) {
		t.Errorf("offer is %+v", o)
	}
	want := "countryCode=DE&itemsPerPage=50&page=2&visibility=all"
	if u := g2aServer.requests()[0].URL; u.EscapedPath() != "/v3/products/7%2F8/offers" || u.RawQuery != want {
		t.Errorf("asked for %s, want the query %s", u, want)
	}
}

// TestNoCompetitors: each way that G2A may say so. A gateway's 404 says nothing.
func TestNoCompetitors(t *testing.T) {
	for name, none := range map[string]reply{
		"empty": answer(200, `{"data":[],"meta":{"page":1,"itemsPerPage":20,"totalResults":0}}`),
		"null":  answer(200, `{"data":null,"meta":null}`),
		"404":   answer(404, `{"errors":[{"code":"PO12","message":"no offers"}]}`),
	} {
		page, err := newClient(&script{replies: []reply{none}}).CompetitorOffers(t.Context(), "7", g2a.CompetitorQuery{})
		if err != nil || len(page.Items) != 0 || page.Number != 1 {
			t.Errorf("%s: page is %+v, error %v; want none", name, page, err)
		}
	}
	_, err := newClient(&script{replies: []reply{answer(404, "<html>")}}).CompetitorOffers(t.Context(), "7", g2a.CompetitorQuery{})
	if !errors.Is(err, g2a.ErrUnavailable) {
		t.Errorf("a gateway's 404 is %v, want ErrUnavailable", err)
	}
}

func TestCompetitorOffersMalformed(t *testing.T) {
	changed := func(old, new string) string {
		return `{"data":[` + competitor + `,` + strings.Replace(competitor, old, new, 1) + `]}`
	}
	tests := []struct{ name, body, fault string }{
		{"no data", `{"meta":null}`, "field data is missing"},
		{"data an object", `{"data":{}}`, "field data has the wrong type"},
		{"no id", changed(`"id"`, `"i"`), "field data[1].id is missing"},
		{"no retail price", changed(`"retail"`, `"r"`), "field data[1].price.retail.base is missing"},
		{"no price", changed(`"price"`, `"p"`), "field data[1].price.retail.base is missing"},
		{"no value", changed(`"value":"5.20"`, `"v":"5.20"`), "field data[1].price.retail.base.value is missing"},
		{"value negative", changed(`"5.20"`, `"-5.20"`), "field data[1].price.retail.base.value is negative"},
		{"value no number", changed(`"5.20"`, `"hunter2"`), "field data[1].price.retail.base.value is not a number"},
		{"no currency", changed(`"EUR"`, `"euro"`), "field data[1].price.retail.base.currencyCode is not three"},
		{"no country", changed(`"US"`, `"hunter2"`), "field data[1].price.retail.final[1].countryCode is not two"},
		{"business negative", changed(`5.1`, `-5.1`), "field data[1].price.business.base.value is negative"},
		{"meta without a page", `{"data":[],"meta":{"itemsPerPage":20,"totalResults":0}}`, "field meta.page is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := newClient(&script{replies: []reply{answer(200, test.body)}}).CompetitorOffers(t.Context(), "7", g2a.CompetitorQuery{})
			assertMalformed(t, err, test.fault)
			if page.Items != nil {
				t.Errorf("a page beside the error: %+v", page)
			}
		})
	}
}

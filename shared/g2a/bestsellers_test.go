package g2a_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestBestsellers(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, `{"data":[{"productId":"7","soldItemsQuantity":42,"more":1},{"productId":8,"soldItemsQuantity":0}],"meta":null}`)}}
	page, err := newClient(g2aServer).Bestsellers(t.Context(), g2a.BestsellerQuery{Page: 2, PerPage: 10, Days: 2, ProductIDs: []string{"7", "8&"}})
	if want := []g2a.Bestseller{{ProductID: "7", Sold: 42}, {ProductID: "8"}}; err != nil || !slices.Equal(page.Items, want) {
		t.Errorf("bestsellers are %+v, error %v; want %+v", page.Items, err, want)
	}
	want := "daysNumber=2&itemsPerPage=10&page=2&productIds%5B%5D=7&productIds%5B%5D=8%26"
	if u := g2aServer.requests()[0].URL; u.Path != "/v3/sales/bestsellers" || u.RawQuery != want {
		t.Errorf("asked for %s, want the query %s", u, want)
	}
}

func TestBestsellersMalformed(t *testing.T) {
	const seller = `{"productId":"7","soldItemsQuantity":42}`
	changed := func(old, new string) string {
		return `{"data":[` + seller + `,` + strings.Replace(seller, old, new, 1) + `]}`
	}
	tests := []struct{ name, body, fault string }{
		{"no data", `{}`, "field data is missing"},
		{"no product", changed(`"productId"`, `"p"`), "field data[1].productId is missing"},
		{"product empty", changed(`"7"`, `""`), "field data[1].productId is empty"},
		{"not stated how many", changed(`"soldItemsQuantity"`, `"sold"`), "field data[1].soldItemsQuantity is missing"},
		{"sold negative", changed("42", "-42"), "field data[1].soldItemsQuantity is negative"},
		{"sold a text", changed("42", `"hunter2"`), "field data[1].soldItemsQuantity has the wrong type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Bestsellers(t.Context(), g2a.BestsellerQuery{})
			assertMalformed(t, err, test.fault)
			if page.Items != nil {
				t.Errorf("a page beside the error: %+v", page)
			}
		})
	}
}

package g2a_test

import (
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const fullSeller = `{"productId":"7","name":"A","platform":"Steam","categories":[{"id":189,"name":"Games"},{"id":"","name":"?"}],"minPrice":4.9,"sold":12}`

func TestBestsellers(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, `{"data":[`+fullSeller+`,{"productId":8}],"meta":{"currentPage":2,"lastPage":3,"perPage":10,"total":22}}`)}}
	page, err := newClient(g2aServer).Bestsellers(t.Context(), g2a.BestsellerQuery{Page: 2, PerPage: 10, Category: "Games & more", Platform: "Steam"})
	if err != nil {
		t.Fatal(err)
	}
	if page.Number != 2 || page.LastPage != 3 || page.PerPage != 10 || page.Total != 22 || len(page.Items) != 2 {
		t.Fatalf("page is %+v", page)
	}
	full, bare := page.Items[0], page.Items[1]
	if full.ProductID != "7" || full.Name != "A" || full.Platform != "Steam" || full.MinPrice.String() != "4.90 EUR" || full.Sold == nil || *full.Sold != 12 ||
		len(full.Categories) != 2 || full.Categories[0] != (g2a.Category{ID: "189", Name: "Games"}) || full.Categories[1] != (g2a.Category{Name: "?"}) {
		t.Errorf("bestseller is %+v", full)
	}
	if bare.ProductID != "8" || bare.Sold != nil || !bare.MinPrice.IsZero() || len(bare.Categories) != 0 {
		t.Errorf("%+v has what it was not given", bare)
	}
	if u := g2aServer.requests()[0].URL; u.Path != "/v1/bestsellers" || u.RawQuery != "category=Games+%26+more&page=2&perPage=10&platform=Steam" {
		t.Errorf("asked for %s", u)
	}
}

// TestBestsellersWithoutPages: where G2A tells of no pages, the list is all there is.
func TestBestsellersWithoutPages(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, `{"data":[{"productId":"7"},{"productId":"8"}]}`)}}
	client := newClient(g2aServer)
	page, err := client.Bestsellers(t.Context(), g2a.BestsellerQuery{})
	if err != nil || len(page.Items) != 2 || page.Number != 1 || page.LastPage != 1 || page.PerPage != 2 || page.Total != 2 {
		t.Errorf("page is %+v, error %v", page, err)
	}
	items := 0
	for _, err := range client.AllBestsellers(t.Context(), g2a.BestsellerQuery{}) {
		if items++; err != nil {
			t.Fatal(err)
		}
	}
	if items != 2 || len(g2aServer.requests()) != 2 {
		t.Errorf("%d items in %d requests, want 2 in one", items, len(g2aServer.requests())-1)
	}
}

func TestBestsellersMalformed(t *testing.T) {
	changed := func(old, new string) string {
		return `{"data":[` + fullSeller + `,` + strings.Replace(fullSeller, old, new, 1) + `]}`
	}
	tests := []struct{ name, body, fault string }{
		{"no data", `{}`, "field data is missing"},
		{"no product", changed(`"productId"`, `"p"`), "field data[1].productId is missing"},
		{"product empty", changed(`"7"`, `""`), "field data[1].productId is empty"},
		{"price negative", changed("4.9", "-4.9"), "field data[1].minPrice is negative"},
		{"price a text", changed("4.9", `"hunter2"`), "field data[1].minPrice is not a number"},
		{"sold negative", changed("12", "-12"), "field data[1].sold is negative"},
		{"sold a text", changed("12", `"hunter2"`), "field data[1].sold has the wrong type"},
		{"category a list", changed("189", "[]"), "field data[1].categories[0].id is neither"},
		{"meta without a total", `{"data":[],"meta":{"currentPage":1,"lastPage":1,"perPage":10}}`, "field meta.total is missing"},
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

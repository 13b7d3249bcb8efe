package g2a_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// offerPage is an answer of GET /product-offers.
func offerPage(meta string, ids ...string) string {
	return `{"data":[` + each(ids, `{"id":"%s","name":"A","totalQuantity":3,"minPrice":"4.99"}`) + `],"meta":` + meta + `}`
}

func TestProductOffersRequest(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodProductOffers), answer(200, goodProductOffers), answer(200, goodProductDetails)}}
	client := newClient(g2aServer)
	from := time.Date(2025, 3, 1, 13, 30, 0, 0, time.FixedZone("", 3600))
	query := g2a.ProductOfferQuery{Page: 2, PerPage: 50, UpdatedAtFrom: from, ProductIDs: []string{"7", "8&9"}}
	page, err := client.ProductOffers(t.Context(), query)
	if err != nil || page.Page != 1 || page.PerPage != 10 || page.Total != 1 || page.HasNext || len(page.Products) != 1 {
		t.Errorf("page is %+v, error %v", page, err)
	}
	_, _ = client.ProductOffers(t.Context(), g2a.ProductOfferQuery{})
	_, _ = client.ProductDetails(t.Context(), []string{"7", "8"})
	for i, want := range []string{
		"/export/v1/product-offers?itemsPerPage=50&page=2&productIds%5B%5D=7&productIds%5B%5D=8%269&updatedAtFrom=2025-03-01T12%3A30%3A00Z",
		"/export/v1/product-offers",
		"/export/v1/products?productIds%5B%5D=7&productIds%5B%5D=8",
	} {
		if got := g2aServer.requests()[i].URL.RequestURI(); got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
}

func TestInvalidProductOfferQuery(t *testing.T) {
	client := newClient(&script{})
	for name, ask := range map[string]func() error{
		"a negative page": func() error {
			_, err := client.ProductOffers(t.Context(), g2a.ProductOfferQuery{Page: -1})
			return err
		},
		"an odd page size": func() error {
			_, err := client.ProductOffers(t.Context(), g2a.ProductOfferQuery{PerPage: 30})
			return err
		},
		"101 ids": func() error {
			_, err := client.ProductOffers(t.Context(), g2a.ProductOfferQuery{ProductIDs: numbered(1, 101)})
			return err
		},
		"an empty id": func() error {
			_, err := client.ProductOffers(t.Context(), g2a.ProductOfferQuery{ProductIDs: []string{""}})
			return err
		},
		"21 details": func() error { _, err := client.ProductDetails(t.Context(), numbered(1, 21)); return err },
		"no details": func() error { _, err := client.ProductDetails(t.Context(), nil); return err },
		"no id":      func() error { _, err := client.ProductOffer(t.Context(), ""); return err },
	} {
		if err := ask(); !errors.Is(err, g2a.ErrInvalidRequest) || g2a.OutcomeOf(err) != g2a.NotDone {
			t.Errorf("%s: error is %v, want it not sent", name, err)
		}
	}
}

// TestProductOffer: only what a purchase needs must be readable.
func TestProductOffer(t *testing.T) {
	of := func(members string) string { return `{"data":{"id":"7",` + members + `}}` }
	tests := []struct {
		name  string
		body  string
		want  g2a.ProductOffer // without Odd
		odd   string           // fields
		fault string
	}{
		{"documented", goodProductOffer, g2a.ProductOffer{
			ID: "7", Name: "A", Quantity: 3, MinPrice: money("4.99"), Offers: []g2a.MarketOffer{{ID: "f1", Price: money("4.99"), Quantity: 3}},
		}, "", ""},
		{"sold out", of(`"totalQuantity":0,"minPrice":null,"updatedAt":null,"currency":"EUR","offers":[]`), g2a.ProductOffer{ID: "7"}, "", ""},
		{"numbers, and an integer in a string", of(`"totalQuantity":"3","minPrice":4.99`), g2a.ProductOffer{ID: "7", Quantity: 3, MinPrice: money("4.99")}, "", ""},
		{"another currency", of(`"totalQuantity":3,"minPrice":"4.99","currency":"usd"`),
			g2a.ProductOffer{ID: "7", Quantity: 3, MinPrice: g2a.Money{Amount: money("4.99").Amount, Currency: "USD"}}, "", ""},
		{"odd where it does not matter", of(`"totalQuantity":3,"minPrice":"4.99","name":[],"updatedAt":7,"offers":[{"id":{},"price":"free"}]`),
			g2a.ProductOffer{ID: "7", Quantity: 3, MinPrice: money("4.99"), Offers: []g2a.MarketOffer{{}}},
			"name updatedAt offers[0].id offers[0].price offers[0].quantity", ""},
		{"sold out, in odd money", of(`"totalQuantity":0,"minPrice":"-","currency":"EURO"`), g2a.ProductOffer{ID: "7"}, "currency minPrice", ""},
		{"no quantity", of(`"minPrice":"4.99"`), g2a.ProductOffer{}, "", "field data.totalQuantity is missing"},
		{"no price", of(`"totalQuantity":3`), g2a.ProductOffer{}, "", "field data.minPrice is missing"},
		{"an odd price", of(`"totalQuantity":3,"minPrice":"4,99"`), g2a.ProductOffer{}, "", "field data.minPrice is not a number"},
		{"an odd currency", of(`"totalQuantity":3,"minPrice":"4.99","currency":978`), g2a.ProductOffer{}, "", "field data.currency is not three letters"},
		{"another product", strings.Replace(goodProductOffer, `"7"`, `"8"`, 1), g2a.ProductOffer{}, "", "field data.id is not the product asked for"},
		{"a list", goodProductDetails, g2a.ProductOffer{}, "", "field data is not an object"},
		{"no data", `{}`, g2a.ProductOffer{}, "", "field data is not an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).ProductOffer(t.Context(), "7")
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
				return
			}
			var odd []string
			for _, each := range got.Odd {
				odd = append(odd, each.Field)
			}
			if got.Odd = nil; len(got.Offers) == 0 {
				got.Offers = nil
			}
			if err != nil || strings.Join(odd, " ") != test.odd || !reflect.DeepEqual(got, test.want) {
				t.Errorf("offer is %+v, odd %q, error %v; want %+v, odd %q", got, odd, err, test.want, test.odd)
			}
		})
	}
	missing := answer(404, `{"error":{"code":"NOT_FOUND","status":404}}`)
	if err := productOffer.make(t.Context(), newClient(&script{replies: []reply{missing}})); !errors.Is(err, g2a.ErrNotFound) {
		t.Errorf("error is %v, want ErrNotFound", err)
	}
}

func TestProductOfOffer(t *testing.T) {
	odd := []g2a.FieldError{{Field: "name"}}
	offer := g2a.ProductOffer{ID: "7", Name: "A", Quantity: 3, MinPrice: money("4.99"), UpdatedAt: "now", Odd: odd}
	want := g2a.Product{ID: "7", Name: "A", Quantity: 3, MinPrice: money("4.99"), UpdatedAt: "now", AvailableToBuy: true, Odd: odd}
	if got := offer.Product(); !reflect.DeepEqual(got, want) {
		t.Errorf("product is %+v, want %+v", got, want)
	}
}

func TestProductDetails(t *testing.T) {
	const full = `{"id":"7","name":"A","slug":"a-i7","platform":"Steam","region":"GLOBAL","developer":"D","publisher":"P","releaseDate":"2024-03-01",
		"categories":[{"id":"189","name":"Games"}],"thumbnail":"t","portraitImage":"p","coverImage":null,"images":["i"],"videos":["v"],
		"totalQuantity":15,"minPrice":"4.99","updatedAt":"u","currency":"EUR"}`
	body := `{"data":[` + full + `,{"id":8,"totalQuantity":0,"categories":null},"x"]}`
	got, err := newClient(&script{replies: []reply{answer(200, body)}}).ProductDetails(t.Context(), []string{"7", "8"})
	if err != nil || len(got) != 3 {
		t.Fatalf("%d products, error %v", len(got), err)
	}
	want := g2a.Product{
		ID: "7", Name: "A", Slug: "a-i7", Platform: "Steam", Region: "GLOBAL", Developer: "D", Publisher: "P", ReleaseDate: "2024-03-01",
		Categories: []g2a.Category{{ID: "189", Name: "Games"}}, Thumbnail: "t", SmallImage: "p", Images: []string{"i"}, Videos: []g2a.Video{{URL: "v"}},
		Quantity: 15, MinPrice: money("4.99"), UpdatedAt: "u", AvailableToBuy: true,
	}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("product is %+v, want %+v", got[0], want)
	}
	if got[1].ID != "8" || len(got[1].Odd) != 0 || len(got[2].Odd) != 1 {
		t.Errorf("the others are %+v", got[1:])
	}
	for body, fault := range map[string]string{`{}`: "field data is missing", `{"data":{}}`: "field data is not a list", `[]`: "not the JSON expected"} {
		_, err := newClient(&script{replies: []reply{answer(200, body)}}).ProductDetails(t.Context(), []string{"7"})
		assertMalformed(t, err, fault)
	}
}

func TestProductOfferPage(t *testing.T) {
	for meta, fault := range map[string]string{
		`{"hasNext":false}`: "", `{"page":"x","itemsPerPage":null,"totalResults":-1,"hasNext":0}`: "",
		`{}`: "field meta.hasNext", `null`: "field meta.hasNext", `[]`: "field meta.hasNext", `{"hasNext":"maybe"}`: "field meta.hasNext",
	} {
		page, err := newClient(&script{replies: []reply{answer(200, offerPage(meta, "7"))}}).ProductOffers(t.Context(), g2a.ProductOfferQuery{})
		if fault != "" {
			assertMalformed(t, err, fault)
		} else if err != nil || len(page.Products) != 1 || page.Page != 0 || page.PerPage != 0 || page.Total != 0 {
			t.Errorf("%s: page is %+v, error %v", meta, page, err)
		}
	}
}

func TestAllProductOffers(t *testing.T) {
	meta := func(page, total int, hasNext bool) string {
		return fmt.Sprintf(`{"page":%d,"itemsPerPage":100,"totalResults":%d,"hasNext":%v}`, page, total, hasNext)
	}
	const more = `{"hasNext":true}`
	tests := map[string]struct {
		first int
		pages []string
		want  string // ids
		asked int
		fault string
	}{
		"one page":    {0, []string{offerPage(meta(1, 2, false), "1", "2")}, "1 2", 1, ""},
		"three pages": {0, []string{offerPage(meta(1, 3, true), "1"), offerPage(meta(2, 3, true), "2"), offerPage(meta(3, 3, false), "3")}, "1 2 3", 3, ""},
		"one that was added concurrently": {0, []string{
			offerPage(meta(1, 2, true), "1"), offerPage(meta(2, 3, true), "2"), offerPage(meta(3, 3, false), "3"),
		}, "1 2 3", 3, ""},
		"from the second on":    {2, []string{offerPage(meta(2, 3, true), "2"), offerPage(meta(3, 3, false), "3")}, "2 3", 2, ""},
		"hasNext alone":         {0, []string{offerPage(more, "1"), offerPage(more, "2"), offerPage(`{"hasNext":false}`)}, "1 2", 3, ""},
		"nothing":               {0, []string{offerPage(meta(1, 0, false))}, "", 1, ""},
		"another page":          {0, []string{offerPage(meta(1, 9, true), "1"), offerPage(meta(1, 9, true), "2")}, "1", 2, "field meta.page is not the page asked for"},
		"the same again":        {0, []string{offerPage(more, "1", "2"), offerPage(more, "1", "2")}, "1 2", 2, "field data holds the same as the page before"},
		"empty, with more":      {0, []string{offerPage(more, "1"), offerPage(more)}, "1", 2, "field meta.hasNext is not plausible"},
		"more than announced":   {0, []string{offerPage(meta(1, 1, true), "1"), offerPage(meta(2, 1, true), "2")}, "1", 2, "field meta.hasNext is not plausible"},
		"an error on the way":   {0, []string{offerPage(more, "1"), `{}`}, "1", 2, "field data is missing"},
		"ids that are not read": {0, []string{offerPage(more, "", ""), offerPage(`{"hasNext":false}`, "", "")}, "   ", 2, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g2aServer := &script{}
			for _, page := range test.pages {
				g2aServer.replies = append(g2aServer.replies, answer(200, page))
			}
			var ids []string
			var failed error
			for offer, err := range newClient(g2aServer).AllProductOffers(t.Context(), g2a.ProductOfferQuery{Page: test.first}) {
				if failed = err; err == nil {
					ids = append(ids, offer.ID)
				}
			}
			if got := strings.Join(ids, " "); got != test.want || len(g2aServer.requests()) != test.asked {
				t.Errorf("offers are %q after %d requests, want %q after %d", got, len(g2aServer.requests()), test.want, test.asked)
			}
			if test.fault != "" {
				assertMalformed(t, failed, test.fault)
			} else if failed != nil {
				t.Error(failed)
			}
			if first := g2aServer.requests()[0].URL.Query(); first.Get("itemsPerPage") != "100" || first.Get("page") != fmt.Sprint(max(1, test.first)) {
				t.Errorf("asked for %v", first)
			}
		})
	}
}

// TestAllProductOffersStops where the loop does.
func TestAllProductOffersStops(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, offerPage(`{"hasNext":true}`, "1", "2"))}}
	for range newClient(g2aServer).AllProductOffers(t.Context(), g2a.ProductOfferQuery{PerPage: 20}) {
		break
	}
	if sent := g2aServer.requests(); len(sent) != 1 || sent[0].URL.Query().Get("itemsPerPage") != "20" {
		t.Errorf("%d requests, want one of 20 items", len(sent))
	}
}

package g2a_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// awkward is a page in the form of the sandbox's, with what is awkward in it.
const awkward = `{"total":93,"page":2,"docs":[
 {"id":"10000000000001","name":"Pâté – Ключ 鍵 Key","type":"egoods","slug":"/pate-i1","qty":2926,"minPrice":4.9,"retail_min_price":9.25,
  "retailMinBasePrice":9,"availableToBuy":false,"thumbnail":"t.png","smallImage":"s.png","coverImage":"c.png","images":["a.png","b.png"],"updated_at":"2020-01-02 03:04:05",
  "release_date":"2019-01-01","region":"GLOBAL","developer":"Dev","publisher":"Pub","platform":"Steam","priceLimit":{"max":5.99,"min":4.99},
  "restrictions":{"pegi_sex":false,"pegi_fear":true},
  "requirements":{"minimal":{"reqprocessor":"p","reqgraphics":"g","reqmemory":"m","reqdiskspace":"d","reqsystem":"s","reqother":"o"},"recommended":{"reqother":"r"}},"videos":[{"type":"YOUTUBE","url":"x"}],
  "categories":[{"id":189,"name":"Games"},{"id":"g-1","name":"RPG"},{"id":"","name":"?"},{"id":null,"name":"?"},{"name":"?"}]},
 {"id":"2","name":"","qty":0,"minPrice":0,"priceLimit":{"max":null,"min":null},"categories":[],"requirements":[],"restrictions":[]},
 {"id":"3","name":"C","qty":1,"minPrice":0.1,"priceLimit":null,"retail_min_price":null,"categories":null,"slug":null,"requirements":null,"restrictions":null,"images":null,"videos":null,"availableToBuy":true}]}`

func TestProducts(t *testing.T) {
	page, err := newClient(&script{replies: []reply{answer(200, awkward)}}).Products(t.Context(), g2a.ProductQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if page.Total != 93 || page.Page != 2 || len(page.Products) != 3 {
		t.Fatalf("page %d of %d products, %d on it", page.Page, page.Total, len(page.Products))
	}
	p := page.Products[0]
	categories := ""
	for _, category := range p.Categories {
		categories += category.ID + "=" + category.Name + ";"
	}
	texts := []struct{ name, got, want string }{
		{"id", p.ID, "10000000000001"}, {"name", p.Name, "Pâté – Ключ 鍵 Key"}, {"type", p.Type, "egoods"}, {"slug", p.Slug, "/pate-i1"},
		{"price", p.MinPrice.String(), "4.90 EUR"}, {"retail price", p.RetailMinPrice.String(), "9.25 EUR"},
		{"lower limit", p.PriceLimitMin.String(), "4.99"}, {"upper limit", p.PriceLimitMax.String(), "5.99"},
		{"updated", p.UpdatedAt, "2020-01-02 03:04:05"}, {"released", p.ReleaseDate, "2019-01-01"}, {"region", p.Region, "GLOBAL"},
		{"developer", p.Developer, "Dev"}, {"publisher", p.Publisher, "Pub"}, {"platform", p.Platform, "Steam"},
		{"retail price without taxes", p.RetailMinBasePrice.String(), "9.00 EUR"},
		{"images", fmt.Sprint(p.Thumbnail, p.SmallImage, p.CoverImage, p.Images), "t.pngs.pngc.png[a.png b.png]"},
		{"videos", fmt.Sprint(p.Videos), "[{YOUTUBE x}]"},
		{"minimal machine", fmt.Sprintf("%+v", p.MinimalMachine), "{System:s Processor:p Graphics:g Memory:m DiskSpace:d Other:o}"},
		{"recommended machine", fmt.Sprintf("%+v", p.RecommendedMachine), "{System: Processor: Graphics: Memory: DiskSpace: Other:r}"},
		{"restrictions", fmt.Sprint(p.Restrictions), "map[pegi_fear:true pegi_sex:false]"},
		{"categories", categories, "189=Games;g-1=RPG;=?;=?;=?;"},
		{"price of the third", page.Products[2].MinPrice.Amount.String(), "0.1"},
	}
	for _, text := range texts {
		if text.got != text.want {
			t.Errorf("%s is %q, want %q", text.name, text.got, text.want)
		}
	}
	if p.Quantity != 2926 || p.AvailableToBuy {
		t.Errorf("quantity %d, available %v", p.Quantity, p.AvailableToBuy)
	}
	for _, bare := range page.Products[1:] {
		if bare.PriceLimitMin != nil || bare.PriceLimitMax != nil || !bare.RetailMinPrice.IsZero() || !bare.RetailMinBasePrice.IsZero() ||
			len(bare.Categories) != 0 || len(bare.Restrictions) != 0 || bare.MinimalMachine != (g2a.Machine{}) || len(bare.Videos)+len(bare.Images) != 0 {
			t.Errorf("%+v has what it was not given", bare)
		}
	}
	if page.Products[1].Quantity != 0 || page.Products[1].MinPrice.String() != "0.00 EUR" || !page.Products[2].AvailableToBuy {
		t.Errorf("bare products are %+v", page.Products[1:])
	}
}

func TestProductsMalformed(t *testing.T) {
	doc := func(fields string) string { return `{"total":1,"page":1,"docs":[` + fields + `]}` }
	tests := []struct{ name, body, fault string }{
		{"no total", `{"page":1,"docs":[]}`, "field total, page or docs is missing"},
		{"no page", `{"total":1,"docs":[]}`, "field total, page or docs is missing"},
		{"no docs", `{"total":1,"page":1}`, "field total, page or docs is missing"},
		{"docs null", `{"total":1,"page":1,"docs":null}`, "field total, page or docs is missing"},
		{"docs an object", `{"total":1,"page":1,"docs":{}}`, "field docs is of the wrong type"},
		{"total negative", `{"total":-1,"page":1,"docs":[]}`, "field total is negative"},
		{"page zero", `{"total":1,"page":0,"docs":[]}`, "field page is less than 1"},
		{"second product a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1},"hunter2"`), "field docs[1] is of the wrong type"},
		{"name a number, in the second product", doc(`{"id":"1","name":"A","qty":1,"minPrice":1},{"name":17}`), "field docs[1].name is of the wrong type"},
		{"total a text", `{"total":"1","page":1,"docs":[]}`, "field total is of the wrong type"},
		{"no id", doc(`{"name":"A","qty":1,"minPrice":1}`), "field docs[0].id is missing"},
		{"id empty", doc(`{"id":"","name":"A","qty":1,"minPrice":1}`), "field docs[0].id is missing"},
		{"second product", doc(`{"id":"1","name":"A","qty":1,"minPrice":1},{"id":"2","name":"B","minPrice":1}`), "field docs[1].qty is missing"},
		{"product null", doc(`null`), "field docs[0].id is missing"},
		{"no name", doc(`{"id":"1","qty":1,"minPrice":1}`), "field docs[0].name is missing"},
		{"quantity negative", doc(`{"id":"1","name":"A","qty":-1,"minPrice":1}`), "field docs[0].qty is negative"},
		{"quantity with a fraction", doc(`{"id":"1","name":"A","qty":1.5,"minPrice":1}`), "field docs[0].qty is of the wrong type"},
		{"no price", doc(`{"id":"1","name":"A","qty":1}`), "field docs[0].minPrice is missing"},
		{"price negative", doc(`{"id":"1","name":"A","qty":1,"minPrice":-1}`), "field docs[0].minPrice is negative"},
		{"price a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":"hunter2"}`), "field docs[0].minPrice is not a number"},
		{"retail price a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"retail_min_price":"x"}`), "field docs[0].retail_min_price is not a number"},
		{"lower limit a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"priceLimit":{"min":"x"}}`), "field docs[0].priceLimit.min is not a number"},
		{"upper limit negative", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"priceLimit":{"min":1,"max":-1}}`), "field docs[0].priceLimit.max is negative"},
		{"base price negative", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"retailMinBasePrice":-1}`), "field docs[0].retailMinBasePrice is negative"},
		{"image a number", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"images":[1]}`), "field docs[0].images is of the wrong type"},
		{"video a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"videos":[{},"hunter2"]}`), "field docs[0].videos[1] is of the wrong type"},
		{"requirements a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"requirements":"hunter2"}`), "field docs[0].requirements is of the wrong type"},
		{"memory a number", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"requirements":{"minimal":{"reqmemory":8}}}`), "field docs[0].requirements.minimal.reqmemory is of the wrong type"},
		{"restriction a text", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"restrictions":{"pegi_sex":"hunter2"}}`), "field docs[0].restrictions"},
		{"category id a list", doc(`{"id":"1","name":"A","qty":1,"minPrice":1,"categories":[{"id":1},{"id":[]}]}`), "field docs[0].categories[1].id is neither"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Products(t.Context(), g2a.ProductQuery{})
			assertMalformed(t, err, test.fault)
			if page.Products != nil || page.Total != 0 {
				t.Errorf("a page beside the error: %+v", page)
			}
		})
	}
}

func TestProductQuery(t *testing.T) {
	price := decimal.RequireFromString("4.90")
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name  string
		query g2a.ProductQuery
		want  string
	}{
		{"nothing", g2a.ProductQuery{}, ""},
		{"page", g2a.ProductQuery{Page: 2}, "page=2"},
		{"id", g2a.ProductQuery{ID: "7&x=1"}, "id=7%26x%3D1"},
		{"quantity", g2a.ProductQuery{MinQuantity: 3}, "minQty=3"},
		{"prices", g2a.ProductQuery{MinPriceFrom: &price, MinPriceTo: &price}, "minPriceFrom=4.9&minPriceTo=4.9"},
		{"out of stock too", g2a.ProductQuery{IncludeOutOfStock: true}, "includeOutOfStock=true"},
		{"times", g2a.ProductQuery{UpdatedAtFrom: at, UpdatedAtTo: at.Add(time.Hour)}, "updatedAtFrom=2020-01-02+03%3A04%3A05&updatedAtTo=2020-01-02+04%3A04%3A05"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodPage)}}
			if _, err := newClient(g2aServer).Products(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			u := g2aServer.requests()[0].URL
			if u.Path != "/v1/products" || u.RawQuery != test.want {
				t.Errorf("asked for %s, want the query %q", u, test.want)
			}
			if test.want == "" && strings.Contains(u.String(), "?") {
				t.Errorf("an empty query: %s", u)
			}
		})
	}
}

func TestProduct(t *testing.T) {
	tests := []struct {
		name string
		body string
		id   string
		want error
	}{
		{"there", `{"total":2,"page":1,"docs":[{"id":"8","name":"B","qty":1,"minPrice":1},{"id":"7","name":"A","qty":0,"minPrice":1}]}`, "7", nil},
		{"not there", `{"total":0,"page":1,"docs":[]}`, "7", g2a.ErrNotFound},
		{"others there", goodPage, "8", g2a.ErrNotFound},
		{"an id that begins with it", goodPage, "77", g2a.ErrNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.body)}}
			product, err := newClient(g2aServer).Product(t.Context(), test.id)
			if !errors.Is(err, test.want) || (err == nil) != (product.ID == test.id) {
				t.Errorf("product is %+v, error %v; want %v", product, err, test.want)
			}
			if got, want := g2aServer.requests()[0].URL.RawQuery, "id="+test.id+"&includeOutOfStock=true"; got != want {
				t.Errorf("query is %s, want %s", got, want)
			}
		})
	}
}

func FuzzProductPage(f *testing.F) {
	f.Add(awkward)
	f.Add(goodPage)
	f.Add(`{"total":1,"page":1,"docs":[null,{}]}`)
	f.Add(`{"total":1,"page":1,"docs":[{"id":"` + testHash + `","name":"` + testKey + `","qty":1,"minPrice":"` + testKey + `"}]}`)
	f.Add(`{"total":1e9,"page":-1,"docs":[{"priceLimit":[]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		page, err := newClient(&script{replies: []reply{answer(200, body)}}).Products(t.Context(), g2a.ProductQuery{})
		if err != nil {
			if !errors.Is(err, g2a.ErrMalformedAnswer) || page.Products != nil {
				t.Errorf("error is %v, page %+v", err, page)
			}
			assertDiscreet(t, err)
			return
		}
		for _, p := range page.Products {
			if p.ID == "" || p.Quantity < 0 || p.MinPrice.Currency != "EUR" || p.MinPrice.Amount.IsNegative() || len(p.MinPrice.Text()) > 20 {
				t.Errorf("product is %+v", p)
			}
		}
	})
}

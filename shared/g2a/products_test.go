package g2a_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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

// TestProductsMalformed: a page is a fault only where it cannot be walked over.
func TestProductsMalformed(t *testing.T) {
	tests := []struct{ name, body, fault string }{
		{"no total", `{"page":1,"docs":[]}`, "field total is missing"},
		{"no page", `{"total":1,"docs":[]}`, "field page is missing"},
		{"no docs", `{"total":1,"page":1}`, "field docs is missing"},
		{"docs null", `{"total":1,"page":1,"docs":null}`, "field docs is missing"},
		{"docs an object", `{"total":1,"page":1,"docs":{}}`, "field docs is not a list"},
		{"docs a string", `{"total":1,"page":1,"docs":"hunter2"}`, "field docs is not a list"},
		{"total negative", `{"total":-1,"page":1,"docs":[]}`, "field total is negative"},
		{"total a word", `{"total":"hunter2","page":1,"docs":[]}`, "field total is not an integer"},
		{"page zero", `{"total":1,"page":0,"docs":[]}`, "field page is less than 1"},
		{"page with a fraction", `{"total":1,"page":1.5,"docs":[]}`, "field page is not an integer"},
		{"a list", `[]`, "not the JSON expected"},
		{"null", `null`, "field total is missing"},
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

// productPage is a page of these products.
func productPage(docs ...string) string {
	return fmt.Sprintf(`{"total":%d,"page":1,"docs":[%s]}`, len(docs), strings.Join(docs, ","))
}

// TestLenientProducts: what another writer of JSON makes of a product is no fault of it.
func TestLenientProducts(t *testing.T) {
	tests := []struct {
		name   string
		fields string // besides id, qty and minPrice, or in their place
		want   string
	}{
		{"as documented", ``, `id 7, 3 at 4.99 EUR`},
		{"an id that is an integer", `"id":10000000000001`, `id 10000000000001, 3 at 4.99 EUR`},
		{"a quantity with a point", `"qty":12.0`, `id 7, 12 at 4.99 EUR`},
		{"a quantity in a string", `"qty":"12"`, `id 7, 12 at 4.99 EUR`},
		{"a price in a string", `"minPrice":"4.90"`, `id 7, 3 at 4.90 EUR`},
		{"a price with the noise of a float", `"minPrice":4.9900000000000002`, `id 7, 3 at 4.99 EUR`},
		{"a price with the noise of a float in a string", `"minPrice":"4.98999999999999999"`, `id 7, 3 at 4.99 EUR`},
		{"sold out, without a price", `"qty":0,"minPrice":null`, `id 7, 0 at none`},
		{"sold out, with an empty price", `"qty":"0","minPrice":""`, `id 7, 0 at none`},
		{"sold out, with a price", `"qty":0`, `id 7, 0 at 4.99 EUR`},
		{"available, 1", `"availableToBuy":1`, `id 7, 3 at 4.99 EUR, available`},
		{"available, in a string", `"availableToBuy":"true"`, `id 7, 3 at 4.99 EUR, available`},
		{"available, 1 in a string", `"availableToBuy":"1"`, `id 7, 3 at 4.99 EUR, available`},
		{"not available, 0", `"availableToBuy":0`, `id 7, 3 at 4.99 EUR`},
		{"not available, in a string", `"availableToBuy":"0"`, `id 7, 3 at 4.99 EUR`},
		{"available, null", `"availableToBuy":null`, `id 7, 3 at 4.99 EUR`},
		{"empty objects that are lists", `"priceLimit":[],"requirements":[],"restrictions":[]`, `id 7, 3 at 4.99 EUR`},
		{"empty objects in objects that are lists", `"requirements":{"minimal":[],"recommended":[]}`, `id 7, 3 at 4.99 EUR`},
		{"empty lists that are objects", `"images":{},"videos":{},"categories":{}`, `id 7, 3 at 4.99 EUR`},
		{"false for what is not known", `"slug":false,"developer":false,"priceLimit":false,"images":false,"retail_min_price":false,"requirements":{"minimal":false}`, `id 7, 3 at 4.99 EUR`},
		{"null for what is not known", `"name":null,"videos":null,"retailMinBasePrice":null,"priceLimit":{"min":null},"restrictions":{"pegi_sex":null},"categories":[{"id":null,"name":null}]`, `id 7, 3 at 4.99 EUR`},
		{"an empty string for what is not known", `"name":"","restrictions":{"pegi_sex":""},"retail_min_price":"","priceLimit":{"min":""},"categories":[{"id":"","name":""}]`, `id 7, 3 at 4.99 EUR`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := productPage(product(t, test.fields))
			page, err := newClient(&script{replies: []reply{answer(200, body)}}).Products(t.Context(), g2a.ProductQuery{})
			if err != nil || len(page.Products) != 1 {
				t.Fatalf("page is %+v, error %v", page, err)
			}
			if got := brief(page.Products[0]); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// product is a product with these fields besides, or in place of, those it must have.
func product(t *testing.T, fields string) string {
	t.Helper()
	all := map[string]json.RawMessage{"id": json.RawMessage(`"7"`), "qty": json.RawMessage(`3`), "minPrice": json.RawMessage(`4.99`)}
	if err := json.Unmarshal([]byte("{"+fields+"}"), &all); err != nil {
		t.Fatal(err)
	}
	for name, raw := range all {
		if string(raw) == `"absent"` {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brief is what a purchase needs of a product, and what is odd about it.
func brief(p g2a.Product) string {
	text := fmt.Sprintf("id %s, %d at %s", p.ID, p.Quantity, priceText(p.MinPrice))
	if p.MinPrice.IsZero() {
		text += "none"
	}
	if p.AvailableToBuy {
		text += ", available"
	}
	for _, odd := range p.Odd {
		text += "; " + odd.Error()
	}
	return text
}

// TestOddProducts: an odd field costs nothing but itself, in the listing; a purchase needs
// some of them.
func TestOddProducts(t *testing.T) {
	tests := []struct {
		name   string
		fields string
		odd    string
		needed bool // by a purchase
	}{
		{"no id", `"id":"absent"`, "field id is missing", true},
		{"an empty id", `"id":""`, "field id is empty", true},
		{"an id with a fraction", `"id":7.5`, "field id is neither a string nor an integer", true},
		{"an id that is a list", `"id":["hunter2"]`, "field id is neither a string nor an integer", true},
		{"no quantity", `"qty":"absent"`, "field qty is missing", true},
		{"a quantity that is null", `"qty":null`, "field qty is missing", true},
		{"a negative quantity", `"qty":-1`, "field qty is negative", true},
		{"a quantity with a fraction", `"qty":1.5`, "field qty is not an integer", true},
		{"a quantity with an exponent", `"qty":1e3`, "field qty is not an integer", true},
		{"a quantity out of range", `"qty":9223372036854775808`, "field qty is not an integer", true},
		{"no price", `"minPrice":"absent"`, "field minPrice is missing", true},
		{"a price that is null", `"minPrice":null`, "field minPrice is missing", true},
		{"a price that is false", `"minPrice":false`, "field minPrice is missing", true},
		{"no price and no quantity", `"minPrice":null,"qty":null`, "field qty is missing; field minPrice is missing", true},
		{"a negative price", `"minPrice":-1`, "field minPrice is negative", true},
		{"a price that is a word", `"minPrice":"hunter2"`, "field minPrice is not a number of at most 12 digits", true},
		{"a price with an exponent", `"minPrice":1e2`, "field minPrice is not a number of at most 12 digits", true},
		{"a price that is too long", `"minPrice":1000000000000`, "field minPrice is not a number of at most 12 digits", true},
		{"a price with too many places", `"minPrice":0.` + strings.Repeat("1", 41), "field minPrice is not a number of at most 12 digits", true},
		{"sold out, with an odd price", `"qty":0,"minPrice":-1`, "field minPrice is negative", false},
		{"available, a word", `"availableToBuy":"hunter2"`, "field availableToBuy is neither true nor false", true},
		{"available, an empty string", `"availableToBuy":""`, "field availableToBuy is neither true nor false", true},
		{"available, a list", `"availableToBuy":[]`, "field availableToBuy is neither true nor false", true},

		{"a name that is a number", `"name":17`, "field name is not a string", false},
		{"a developer that is a number", `"developer":0`, "field developer is not a string", false},
		{"a slug that is a list", `"slug":[]`, "field slug is not a string", false},
		{"a negative retail price", `"retail_min_price":-1`, "field retail_min_price is negative", false},
		{"a retail price that is a word", `"retailMinBasePrice":"hunter2"`, "field retailMinBasePrice is not a number of at most 12 digits", false},
		{"limits that are a number", `"priceLimit":7`, "field priceLimit is not an object", false},
		{"limits that are a list", `"priceLimit":[7]`, "field priceLimit is not an object", false},
		{"both limits", `"priceLimit":{"min":"x","max":-1}`, "field priceLimit.min is not a number of at most 12 digits; field priceLimit.max is negative", false},
		{"images that are a word", `"images":"hunter2"`, "field images is not a list", false},
		{"one image", `"images":["a.png",7,"b.png"]`, "field images[1] is not a string", false},
		{"one video", `"videos":[{},"hunter2"]`, "field videos[1] is not an object", false},
		{"a video's type", `"videos":[{"type":7}]`, "field videos[0].type is not a string", false},
		{"requirements that are a word", `"requirements":"hunter2"`, "field requirements is not an object", false},
		{"a machine that is a number", `"requirements":{"minimal":7}`, "field requirements.minimal is not an object", false},
		{"memory that is a number", `"requirements":{"minimal":{"reqmemory":8}}`, "field requirements.minimal.reqmemory is not a string", false},
		{"one restriction", `"restrictions":{"pegi_sex":"hunter2","pegi_fear":true}`, "field restrictions.pegi_sex is neither true nor false", false},
		{"a category's id", `"categories":[{"id":1},{"id":[]}]`, "field categories[1].id is neither a string nor an integer", false},
		{"many", `"name":17,"slug":17,"thumbnail":17`, "field name is not a string; field slug is not a string; field thumbnail is not a string", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := productPage(product(t, `"id":"1"`), product(t, test.fields), product(t, `"id":"9"`))
			client := newClient(&script{replies: []reply{answer(200, body)}})
			page, err := client.Products(t.Context(), g2a.ProductQuery{})
			if err != nil || len(page.Products) != 3 || len(page.Products[0].Odd)+len(page.Products[2].Odd) != 0 {
				t.Fatalf("page is %+v, error %v", page, err)
			}
			_, got, _ := strings.Cut(brief(page.Products[1]), "; ")
			if got != test.odd {
				t.Errorf("odd is %s, want %s", got, test.odd)
			}
			found, err := client.Product(t.Context(), "7")
			if !test.needed {
				if err != nil || found.ID != "7" {
					t.Errorf("product is %+v, error %v; want it all the same", found, err)
				}
				return
			}
			first, _, _ := strings.Cut(test.odd, ";")
			assertMalformed(t, err, strings.Replace(first, "field ", "field docs[1].", 1))
			if _, err := client.Product(t.Context(), "9"); err != nil {
				t.Errorf("the product after it: %v", err)
			}
		})
	}
}

// TestOddFieldsStayZero, and those around them do not.
func TestOddFieldsStayZero(t *testing.T) {
	body := productPage(product(t, `"name":"A","slug":7,"priceLimit":{"min":-1,"max":5.99},"images":["a.png",7,"b.png"],"restrictions":{"pegi_sex":7,"pegi_fear":true},
		"categories":[{"id":[],"name":"Games"},7],"videos":[7,{"type":"YOUTUBE","url":"x"}],"requirements":{"minimal":7,"recommended":{"reqmemory":8,"reqother":"r"}}`))
	page, err := newClient(&script{replies: []reply{answer(200, body)}}).Products(t.Context(), g2a.ProductQuery{})
	if err != nil {
		t.Fatal(err)
	}
	p := page.Products[0]
	got := fmt.Sprintf("%s %q %v %s %q %v %v %v %+v %+v", p.Name, p.Slug, p.PriceLimitMin, p.PriceLimitMax, p.Images, p.Restrictions, p.Categories, p.Videos, p.MinimalMachine, p.RecommendedMachine)
	want := `A "" <nil> 5.99 ["a.png" "" "b.png"] map[pegi_fear:true] [{ Games} { }] [{ } {YOUTUBE x}] {System: Processor: Graphics: Memory: DiskSpace: Other:} {System: Processor: Graphics: Memory: DiskSpace: Other:r}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestElementsThatAreNoProducts do not end a listing.
func TestElementsThatAreNoProducts(t *testing.T) {
	for _, element := range []string{`"hunter2"`, `7`, `null`, `true`, `[]`, `[{"id":"7"}]`} {
		t.Run(element, func(t *testing.T) {
			client := newClient(&script{replies: []reply{answer(200, productPage(product(t, `"id":"1"`), element, product(t, `"id":"9"`)))}})
			var ids []string
			for p, err := range client.AllProducts(t.Context(), g2a.ProductQuery{}) {
				if err != nil {
					t.Fatal(err)
				}
				if ids = append(ids, p.ID); p.ID != "" {
					continue
				}
				if odd := p.Odd; len(odd) != 1 || odd[0] != (g2a.FieldError{Problem: "is not an object"}) {
					t.Errorf("odd is %v", odd)
				}
				if p.Odd = nil; !reflect.DeepEqual(p, g2a.Product{}) {
					t.Errorf("product is %+v, want nothing but what is odd", p)
				}
			}
			if fmt.Sprint(ids) != "[1  9]" {
				t.Errorf("ids are %v", ids)
			}
			_, err := client.Product(t.Context(), "7")
			assertMalformed(t, err, "field docs[1] is not an object")
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
		{"there, with an id that is a number", `{"total":1,"page":1,"docs":[{"id":10000000000001,"qty":1,"minPrice":1}]}`, "10000000000001", nil},
		{"not there", `{"total":0,"page":1,"docs":[]}`, "7", g2a.ErrNotFound},
		{"others there", goodPage, "8", g2a.ErrNotFound},
		{"others there, and odd", `{"total":1,"page":1,"docs":[{"id":"7","qty":-1}]}`, "8", g2a.ErrNotFound},
		{"an id that begins with it", goodPage, "77", g2a.ErrNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.body)}}
			product, err := newClient(g2aServer).Product(t.Context(), test.id)
			if !errors.Is(err, test.want) || (err == nil) != (product.ID == test.id) {
				t.Errorf("product is %+v, error %v; want %v", product, err, test.want)
			}
			if err != nil && g2a.OutcomeOf(err) != g2a.NotDone {
				t.Errorf("outcome is %v", g2a.OutcomeOf(err))
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
	f.Add(`{"total":"1","page":1.0,"docs":[{"id":7,"qty":"1.0","minPrice":"4.9900000000000002","images":{},"restrictions":{"a":"0"}}]}`)
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
			odd := map[string]bool{}
			for _, field := range p.Odd {
				odd[field.Field] = true
			}
			if (p.ID == "") != (odd["id"] || odd[""]) || p.Quantity < 0 || p.Quantity > 0 && p.MinPrice.IsZero() && !odd["minPrice"] {
				t.Errorf("product is %+v", p)
			}
			for _, price := range []g2a.Money{p.MinPrice, p.RetailMinPrice, p.RetailMinBasePrice} {
				if !price.IsZero() && price.Currency != "EUR" || price.Amount.IsNegative() || len(price.Text()) > 20 || -price.Amount.Exponent() > 6 {
					t.Errorf("product is %+v", p)
				}
			}
		}
	})
}

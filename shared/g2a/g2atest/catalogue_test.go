package g2atest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// catalogueFile reads the catalogue that is embedded.
func catalogueFile(t *testing.T) []byte {
	t.Helper()
	page, err := os.ReadFile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// page is the catalogue, with its numbers digit for digit.
type page struct {
	Total int              `json:"total"`
	Page  int              `json:"page"`
	Docs  []map[string]any `json:"docs"`
}

func readPage(t *testing.T, raw []byte) page {
	t.Helper()
	var p page
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCatalogueHasTheAwkwardProducts(t *testing.T) {
	p := readPage(t, catalogueFile(t))
	if len(p.Docs) < 100 || p.Total != len(p.Docs) {
		t.Errorf("total is %d with %d products, want the same and at least 100", p.Total, len(p.Docs))
	}
	text := func(doc map[string]any, name string) string { value, _ := doc[name].(string); return value }
	price := func(pattern string) func(map[string]any) bool {
		return func(doc map[string]any) bool {
			return regexp.MustCompile(pattern).MatchString(doc["minPrice"].(json.Number).String())
		}
	}
	script := func(tables ...*unicode.RangeTable) func(map[string]any) bool {
		return func(doc map[string]any) bool {
			return strings.ContainsFunc(text(doc, "name"), func(r rune) bool { return unicode.In(r, tables...) })
		}
	}
	name := func(part string) func(map[string]any) bool {
		return func(doc map[string]any) bool { return strings.Contains(text(doc, "name"), part) }
	}
	field := func(name, value string) func(map[string]any) bool {
		return func(doc map[string]any) bool { return text(doc, name) == value }
	}
	given := func(name string) func(map[string]any) bool {
		return func(doc map[string]any) bool { return text(doc, name) != "" }
	}
	limit := func(name string, null bool) func(map[string]any) bool {
		return func(doc map[string]any) bool { return (doc["priceLimit"].(map[string]any)[name] == nil) == null }
	}
	category := func(is func(id any) bool) func(map[string]any) bool {
		return func(doc map[string]any) bool {
			return slices.ContainsFunc(doc["categories"].([]any), func(c any) bool { return is(c.(map[string]any)["id"]) })
		}
	}
	for kind, is := range map[string]func(map[string]any) bool{
		"accents":             func(doc map[string]any) bool { return strings.ContainsAny(text(doc, "name"), "éüñçøş") },
		"Cyrillic":            script(unicode.Cyrillic),
		"Han":                 script(unicode.Han),
		"Kana":                script(unicode.Hiragana, unicode.Katakana),
		"Hangul":              script(unicode.Hangul),
		"Arabic":              script(unicode.Arabic),
		"emoji":               script(unicode.So),
		"ampersand":           name("&"),
		"quotes":              name(`"`),
		"apostrophe":          name("'"),
		"angle brackets":      name("<"),
		"backslash":           name(`\`),
		"price 0.01":          price(`^0\.01$`),
		"large price":         price(`^\d{5,}`),
		"price without cents": price(`^\d+$`),
		"price, one decimal":  price(`^\d+\.\d$`),
		"price, two decimals": price(`^\d+\.\d\d$`),
		"null price minimum":  limit("min", true),
		"price minimum":       limit("min", false),
		"null price maximum":  limit("max", true),
		"price maximum":       limit("max", false),
		"numeric category":    category(func(id any) bool { _, is := id.(json.Number); return is }),
		"textual category":    category(func(id any) bool { _, is := id.(string); return is }),
		"numeric text as id":  category(func(id any) bool { text, _ := id.(string); return regexp.MustCompile(`^\d+$`).MatchString(text) }),
		"no category":         func(doc map[string]any) bool { return len(doc["categories"].([]any)) == 0 },
		"key is a file":       category(func(id any) bool { return id == "key-file" }),
		"out of stock":        func(doc map[string]any) bool { return doc["qty"].(json.Number).String() == "0" },
		"one piece":           func(doc map[string]any) bool { return doc["qty"].(json.Number).String() == "1" },
		"not available":       func(doc map[string]any) bool { return doc["availableToBuy"] == false },
		"available":           func(doc map[string]any) bool { return doc["availableToBuy"] == true },
		"no update time":      field("updated_at", ""),
		"update time":         given("updated_at"),
		"no release date":     field("release_date", ""),
		"release date":        given("release_date"),
		"no type":             field("type", ""),
		"no region":           field("region", ""),
		"no developer":        field("developer", ""),
		"no publisher":        field("publisher", ""),
		"no platform":         field("platform", ""),
		"no thumbnail":        field("thumbnail", ""),
		"no images":           func(doc map[string]any) bool { return len(doc["images"].([]any)) == 0 },
		"videos":              func(doc map[string]any) bool { return len(doc["videos"].([]any)) > 0 },
	} {
		t.Run(kind, func(t *testing.T) {
			if !slices.ContainsFunc(p.Docs, is) {
				t.Error("the catalogue has no such product")
			}
		})
	}
	digits := regexp.MustCompile(`^\d+$`)
	for i, doc := range p.Docs {
		if !digits.MatchString(text(doc, "id")) {
			t.Errorf("docs[%d].id %q is not digits", i, text(doc, "id"))
		}
	}
}

func TestEveryProductIsServedDigitForDigit(t *testing.T) {
	srv := newServer(t)
	var file, served struct {
		Docs []json.RawMessage `json:"docs"`
	}
	if err := json.Unmarshal(catalogueFile(t), &file); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(file.Docs); n++ {
		var part struct {
			Docs []json.RawMessage `json:"docs"`
		}
		send(t, srv, "GET", fmt.Sprintf("/v1/products?includeOutOfStock=true&page=%d", n), "", credentials(srv)).want(t, &part)
		if len(part.Docs) == 0 {
			break
		}
		served.Docs = append(served.Docs, part.Docs...)
	}
	if len(served.Docs) != len(file.Docs) {
		t.Fatalf("%d products are served, want %d", len(served.Docs), len(file.Docs))
	}
	for i := range file.Docs {
		var want bytes.Buffer
		if err := json.Compact(&want, file.Docs[i]); err != nil {
			t.Fatal(err)
		}
		if got := string(served.Docs[i]); got != want.String() {
			t.Errorf("product %d is served as\n%s\nwant\n%s", i, got, want.String())
		}
	}
}

func TestEveryProductIsReadByTheClient(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	docs := readPage(t, catalogueFile(t)).Docs
	for name, test := range map[string]struct {
		query g2a.ProductQuery
		want  func(doc map[string]any) bool
	}{
		"all":      {g2a.ProductQuery{IncludeOutOfStock: true}, func(map[string]any) bool { return true }},
		"in stock": {g2a.ProductQuery{}, func(doc map[string]any) bool { return doc["qty"].(json.Number) != "0" }},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.DeleteFunc(slices.Clone(docs), func(doc map[string]any) bool { return !test.want(doc) })
			var got []g2a.Product
			query := test.query
			for query.Page = 1; query.Page <= len(docs); query.Page++ {
				part, err := c.Products(t.Context(), query)
				if err != nil {
					t.Fatalf("page %d: %v", query.Page, err)
				}
				if part.Total != len(want) || part.Page != query.Page || len(part.Products) > 20 {
					t.Errorf("page %d: total %d, page %d, %d products; want total %d and at most 20", query.Page, part.Total, part.Page, len(part.Products), len(want))
				}
				if len(part.Products) == 0 {
					break
				}
				got = append(got, part.Products...)
			}
			if len(got) != len(want) {
				t.Fatalf("%d products on all pages, want %d", len(got), len(want))
			}
			for i, product := range got {
				if product.ID != want[i]["id"] || product.Name != want[i]["name"] || product.MinPrice.Text() == "" {
					t.Errorf("product %d is %s %q, want %s %q", i, product.ID, product.Name, want[i]["id"], want[i]["name"])
				}
			}
		})
	}
}

func TestBadCatalogueNamesThePlace(t *testing.T) {
	inSecond := func(change func(doc map[string]any)) func(*page) {
		return func(p *page) { change(p.Docs[1]) }
	}
	set := func(name string, value any) func(*page) {
		return inSecond(func(doc map[string]any) { doc[name] = value })
	}
	for name, test := range map[string]struct {
		change func(*page)
		want   string
	}{
		"price is a text":         {set("minPrice", "4.99"), "docs[1].minPrice: want a price"},
		"price, three decimals":   {set("minPrice", json.Number("4.999")), "docs[1].minPrice"},
		"price is negative":       {set("retail_min_price", json.Number("-1")), "docs[1].retail_min_price"},
		"price has an exponent":   {set("retailMinBasePrice", json.Number("1e3")), "docs[1].retailMinBasePrice"},
		"price is null":           {set("minPrice", nil), "docs[1].minPrice"},
		"quantity is broken":      {set("qty", json.Number("1.5")), "docs[1].qty"},
		"quantity is negative":    {set("qty", json.Number("-1")), "docs[1].qty"},
		"id is a number":          {set("id", json.Number("12")), "docs[1].id: want a string, found 12"},
		"id is empty":             {set("id", ""), "docs[1].id: is empty"},
		"name is null":            {set("name", nil), "docs[1].name"},
		"availability is a text":  {set("availableToBuy", "false"), "docs[1].availableToBuy"},
		"update time is no time":  {set("updated_at", "yesterday"), "docs[1].updated_at"},
		"update time, fraction":   {set("updated_at", "2024-01-31 18:30:00.5"), "docs[1].updated_at"},
		"quantity is minus 0":     {set("qty", json.Number("-0")), "docs[1].qty"},
		"limit in capitals":       {set("PRICELIMIT", 5), "docs[1].priceLimit: is there twice"},
		"limit in capitals alone": {inSecond(func(doc map[string]any) { doc["PRICELIMIT"] = doc["priceLimit"]; delete(doc, "priceLimit") }), "docs[1].priceLimit: is missing"},
		"images is a text":        {set("images", "a.png"), "docs[1].images: want a list"},
		"image is a number":       {set("images", []any{"a.png", 1}), "docs[1].images[1]"},
		"limit is a text":         {set("priceLimit", map[string]any{"min": "1", "max": nil}), "docs[1].priceLimit.min"},
		"limit is missing":        {set("priceLimit", map[string]any{"min": nil}), "docs[1].priceLimit.max: is missing"},
		"category id is null":     {set("categories", []any{map[string]any{"id": nil, "name": "x"}}), "docs[1].categories[0].id"},
		"category id is broken":   {set("categories", []any{map[string]any{"id": json.Number("1.5"), "name": "x"}}), "docs[1].categories[0].id"},
		"video without a URL":     {set("videos", []any{map[string]any{"type": "YOUTUBE"}}), "docs[1].videos[0].url: is missing"},
		"restriction is a number": {inSecond(func(doc map[string]any) { doc["restrictions"].(map[string]any)["pegi_sex"] = 0 }), "docs[1].restrictions.pegi_sex"},
		"requirement is missing": {inSecond(func(doc map[string]any) {
			delete(doc["requirements"].(map[string]any)["minimal"].(map[string]any), "reqother")
		}), "docs[1].requirements.minimal.reqother: is missing"},
		"field is missing":   {inSecond(func(doc map[string]any) { delete(doc, "slug") }), "docs[1].slug: is missing"},
		"id twice":           {func(p *page) { p.Docs[2]["id"] = p.Docs[0]["id"] }, "docs[2].id: \"" + plentiful + "\" is the id of docs[0] too"},
		"total is negative":  {func(p *page) { p.Total = -1 }, "total: want a whole number"},
		"products are null":  {func(p *page) { p.Docs = nil }, "docs: want a list"},
		"nothing is changed": {func(*page) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := readPage(t, catalogueFile(t))
			test.change(&p)
			raw, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			wantCatalogueError(t, raw, test.want)
		})
	}
	t.Run("not JSON", func(t *testing.T) { wantCatalogueError(t, []byte("{"), "it is not JSON") })
	t.Run("a list", func(t *testing.T) { wantCatalogueError(t, []byte("[]"), "the page: want an object, found []") })
	t.Run("empty", func(t *testing.T) { wantCatalogueError(t, []byte{}, "it is not JSON") })
}

func wantCatalogueError(t *testing.T, catalogue []byte, want string) {
	t.Helper()
	_, err := g2atest.New(g2atest.Options{Credentials: testCredentials, Catalogue: catalogue})
	switch {
	case want == "" && err != nil:
		t.Errorf("error is %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

var testCredentials = g2a.Credentials{Hash: g2a.NewSecret("hash-of-a-test"), Key: g2a.NewSecret("key-of-a-test")}

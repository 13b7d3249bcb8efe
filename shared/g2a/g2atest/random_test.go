package g2atest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/g2a-lambda/g2a-lambda/contracts"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// inMemory is the real client of a simulator, with no network between them. All
// calls are checked against the contract.
func inMemory(simulator *g2atest.Simulator, report func(error)) *g2a.Client {
	const origin = "https://sandboxapi.g2a.com"
	return g2a.New(g2a.Config{
		Env: g2a.Sandbox, ExportURL: origin + "/v1", ImportURL: origin + "/v1", OAuthURL: origin + "/oauth/token",
		AuthScheme: g2a.AuthHeader, TokenFlow: g2a.TokenByHash, Timeout: time.Minute,
	}, g2a.Options{
		Credentials: testCredentials,
		Transport: contracts.G2A().Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			simulator.ServeHTTP(w, r)
			response := w.Result()
			response.Request = r
			return response, nil
		}), report),
	})
}

// randomText is also what a reader might stumble over.
var randomText = rapid.OneOf(
	rapid.Just(""),
	rapid.String(),
	rapid.SampledFrom([]string{`"`, `\`, "<b>&amp;</b>", "Zoë's Ärger", "Тест", "鍵", "مفتاح", "🎮", "\u2028", "a\x00b", "null", "0", "\ufeff", "e\u0301"}),
)

// randomPrice is a price as G2A writes them, with its zeros.
var randomPrice = rapid.StringMatching(`(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?`)

// randomProduct is a product in G2A's format. Its texts are as a JSON reader reads
// them.
type randomProduct struct {
	ID, Name, Slug, Type, Platform, Region, Developer, Publisher string
	UpdatedAt, ReleaseDate                                       string
	Quantity                                                     int
	MinPrice, RetailMinPrice, PriceLimitMin, PriceLimitMax       string // digits, "" is null
	Available, KeyIsFile                                         bool
	Categories                                                   []any // ids: numbers and texts
}

func drawProduct(t *rapid.T, id string) randomProduct {
	text := func(label string) string {
		written, err := json.Marshal(randomText.Draw(t, label))
		if err != nil {
			t.Fatal(err)
		}
		var read string
		if err := json.Unmarshal(written, &read); err != nil {
			t.Fatal(err)
		}
		return read
	}
	limit := func(label string) string { return rapid.OneOf(rapid.Just(""), randomPrice).Draw(t, label) }
	p := randomProduct{
		ID: id, Name: text("name"), Slug: text("slug"), Type: text("type"), Platform: text("platform"), Region: text("region"),
		Developer: text("developer"), Publisher: text("publisher"), ReleaseDate: text("release date"),
		Quantity: rapid.OneOf(rapid.IntRange(0, 2), rapid.IntRange(0, 1<<40)).Draw(t, "quantity"),
		MinPrice: randomPrice.Draw(t, "minPrice"), RetailMinPrice: randomPrice.Draw(t, "retail_min_price"),
		PriceLimitMin: limit("priceLimit.min"), PriceLimitMax: limit("priceLimit.max"),
		Available: rapid.Bool().Draw(t, "available"), KeyIsFile: rapid.Bool().Draw(t, "key is a file"),
		Categories: rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.IntRange(0, 1<<40), func(n int) any { return n }),
			rapid.Map(rapid.StringMatching(`[a-z0-9é "]{0,5}`), func(s string) any { return s }),
		), 0, 3).Draw(t, "categories"),
	}
	if rapid.Bool().Draw(t, "has update time") {
		p.UpdatedAt = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "update time"), 0).UTC().Format(time.DateTime)
	}
	if p.KeyIsFile {
		p.Categories = append(p.Categories, "key-file")
	}
	return p
}

// document is the product as G2A writes it.
func (p randomProduct) document() map[string]any {
	number := func(digits string) any {
		if digits == "" {
			return nil
		}
		return json.Number(digits)
	}
	machine := map[string]any{"reqprocessor": p.Name, "reqgraphics": "", "reqmemory": "", "reqdiskspace": "", "reqsystem": "", "reqother": ""}
	categories := []any{}
	for _, id := range p.Categories {
		categories = append(categories, map[string]any{"id": id, "name": p.Type})
	}
	return map[string]any{
		"id": p.ID, "name": p.Name, "type": p.Type, "slug": p.Slug, "qty": p.Quantity, "minPrice": number(p.MinPrice),
		"retail_min_price": number(p.RetailMinPrice), "retailMinBasePrice": number(p.RetailMinPrice), "availableToBuy": p.Available,
		"thumbnail": p.Slug, "smallImage": "", "coverImage": "", "images": []string{p.Slug}, "updated_at": p.UpdatedAt,
		"release_date": p.ReleaseDate, "region": p.Region, "developer": p.Developer, "publisher": p.Publisher, "platform": p.Platform,
		"priceLimit":   map[string]any{"min": number(p.PriceLimitMin), "max": number(p.PriceLimitMax)},
		"requirements": map[string]any{"minimal": machine, "recommended": machine},
		"restrictions": map[string]any{
			"pegi_violence": p.Available, "pegi_profanity": false, "pegi_discrimination": false, "pegi_drugs": false,
			"pegi_fear": false, "pegi_gambling": false, "pegi_online": false, "pegi_sex": false,
		},
		"videos": []any{map[string]any{"type": "YOUTUBE", "url": p.Slug}}, "categories": categories,
		"something_new": map[string]any{"minPrice": "x"}, // which is nobody's business
	}
}

// read is the product as the client should read it, prices as their digits.
func (p randomProduct) read() readProduct {
	r := readProduct{
		Product: g2a.Product{
			ID: p.ID, Name: p.Name, Slug: p.Slug, Type: p.Type, Platform: p.Platform, Region: p.Region, Developer: p.Developer,
			Publisher: p.Publisher, UpdatedAt: p.UpdatedAt, ReleaseDate: p.ReleaseDate, Quantity: p.Quantity, AvailableToBuy: p.Available, Categories: []g2a.Category{},
		},
		prices: [4]string{p.MinPrice + " EUR", p.RetailMinPrice + " EUR", p.PriceLimitMin, p.PriceLimitMax},
	}
	for _, id := range p.Categories {
		r.Categories = append(r.Categories, g2a.Category{ID: fmt.Sprint(id), Name: p.Type})
	}
	return r
}

// readProduct is a client's product with its prices taken out.
type readProduct struct {
	g2a.Product
	prices [4]string
}

func fromClient(p g2a.Product) readProduct {
	r := readProduct{Product: p, prices: [4]string{
		digits(&p.MinPrice.Amount) + " " + p.MinPrice.Currency, digits(&p.RetailMinPrice.Amount) + " " + p.RetailMinPrice.Currency,
		digits(p.PriceLimitMin), digits(p.PriceLimitMax),
	}}
	r.MinPrice, r.RetailMinPrice, r.PriceLimitMin, r.PriceLimitMax = g2a.Money{}, g2a.Money{}, nil, nil
	r.Categories = append([]g2a.Category{}, p.Categories...) // none is none, nil or not
	return r
}

// digits writes an amount with the zeros it was read with.
func digits(amount *decimal.Decimal) string {
	if amount == nil {
		return ""
	}
	return amount.StringFixed(max(0, -amount.Exponent()))
}

// drawSimulator makes one with a random catalogue.
func drawSimulator(t *rapid.T, most int, settings ...func(*g2atest.Options)) (*g2atest.Simulator, []randomProduct) {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[1-9][0-9]{0,13}`), 1, most, rapid.ID[string]).Draw(t, "ids")
	products, docs := make([]randomProduct, len(ids)), make([]any, len(ids))
	for i, id := range ids {
		products[i] = drawProduct(t, id)
		docs[i] = products[i].document()
	}
	catalogue, err := json.Marshal(map[string]any{"total": len(docs), "page": 1, "docs": docs})
	if err != nil {
		t.Fatal(err)
	}
	options := g2atest.Options{Credentials: testCredentials, Catalogue: catalogue, Rand: rand.NewPCG(1, 2)}
	for _, set := range settings {
		set(&options)
	}
	simulator, err := g2atest.New(options)
	if err != nil {
		t.Fatalf("catalogue %s: %v", catalogue, err)
	}
	return simulator, products
}

func TestRandomCatalogueIsReadAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		simulator, products := drawSimulator(t, 45)
		c := inMemory(simulator, func(err error) { t.Error(err) })
		var got []readProduct
		for page := 1; ; page++ {
			part, err := c.Products(t.Context(), g2a.ProductQuery{Page: page, IncludeOutOfStock: true})
			if err != nil {
				t.Fatal(err)
			}
			if part.Total != len(products) {
				t.Fatalf("total is %d, want %d", part.Total, len(products))
			}
			if len(part.Products) == 0 {
				break
			}
			for _, product := range part.Products {
				got = append(got, fromClient(product))
			}
		}
		if len(got) != len(products) {
			t.Fatalf("%d products are read, want %d", len(got), len(products))
		}
		for i, p := range products {
			if want := p.read(); !reflect.DeepEqual(got[i], want) {
				t.Fatalf("product is read as\n%+v\nwant\n%+v", got[i], want)
			}
		}
	})
}

// TestRandomOrdersAreReadAsTheyAre orders, pays and fetches, and keeps its own books.
func TestRandomOrdersAreReadAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wallet := decimal.RequireFromString(rapid.StringMatching(`[1-9][0-9]{0,12}(\.[0-9]{2})?`).Draw(t, "wallet"))
		simulator, products := drawSimulator(t, 5, func(o *g2atest.Options) { o.Wallet = wallet })
		c := inMemory(simulator, func(err error) { t.Error(err) })
		left, charged := make([]int, len(products)), decimal.Zero
		for i, p := range products {
			left[i] = p.Quantity
		}
		for range rapid.IntRange(1, 12).Draw(t, "orders") {
			i := rapid.IntRange(0, len(products)-1).Draw(t, "product")
			price := decimal.RequireFromString(products[i].MinPrice)
			limit := price.Add(decimal.New(rapid.Int64Range(-1, 1).Draw(t, "cents above the price"), -2))
			if limit.IsNegative() || len(limit.StringFixed(0)) > 12 {
				limit = price
			}
			order, err := c.CreateOrder(t.Context(), products[i].ID, g2a.Money{Amount: limit, Currency: "EUR"})
			if refused := left[i] == 0 || limit.LessThan(price); refused {
				if !errors.Is(err, g2a.ErrInvalidRequest) {
					t.Fatalf("order: error is %v, want ErrInvalidRequest", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			left[i]--
			wantPrice(t, order.Price, products[i].MinPrice)
			affordable := charged.Add(price).LessThanOrEqual(wallet)
			_, err = c.PayOrder(t.Context(), order.ID)
			switch {
			case affordable && err != nil:
				t.Fatal(err)
			case !affordable && !errors.Is(err, g2a.ErrInsufficientFunds):
				t.Fatalf("pay: error is %v, want ErrInsufficientFunds", err)
			}
			details, err := c.OrderDetails(t.Context(), order.ID)
			if err != nil || (details.Status == g2a.OrderComplete) != affordable {
				t.Fatalf("details are %+v (%v), want complete: %v", details, err, affordable)
			}
			wantPrice(t, details.Price, products[i].MinPrice)
			if !affordable {
				continue
			}
			charged = charged.Add(price)
			key, err := c.OrderKey(t.Context(), order.ID)
			if err != nil || key.IsFile != products[i].KeyIsFile || key.Value.IsZero() {
				t.Fatalf("key: %v, file %v, want file %v", err, key.IsFile, products[i].KeyIsFile)
			}
		}
		stats := simulator.Stats()
		if !decimal.RequireFromString(stats.Charged.String()).Equal(charged) || !decimal.RequireFromString(stats.Wallet.String()).Equal(wallet.Sub(charged)) {
			t.Fatalf("charged %s, %s left; want %s of %s", stats.Charged, stats.Wallet, charged, wallet)
		}
		for i, p := range products {
			product, err := c.Product(t.Context(), p.ID)
			if err != nil || product.Quantity != left[i] {
				t.Fatalf("%d are left (%v), want %d", product.Quantity, err, left[i])
			}
		}
	})
}

func wantPrice(t *rapid.T, got g2a.Money, want string) {
	if digits(&got.Amount) != want || got.Currency != "EUR" {
		t.Fatalf("price is %s %s, want %s EUR", digits(&got.Amount), got.Currency, want)
	}
}

// FuzzCatalogue: a catalogue is refused in one line, or else everything that is
// served of it is as in the contract, and the client reads all of it.
func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(`{"total":0,"page":1,"docs":[]}`))
	f.Add([]byte(`{"total":0,"page":1,"docs":[{}]}`))
	f.Add([]byte(`[]`))
	for _, p := range []randomProduct{
		{ID: "1", MinPrice: "4.99", RetailMinPrice: "5", Categories: []any{1, "key-file"}},
		{ID: "2", Quantity: 3, MinPrice: "0.10", RetailMinPrice: "0", PriceLimitMin: "1", UpdatedAt: "2024-01-31 18:30:00", Name: "é\"\\"},
	} {
		doc, err := json.Marshal(map[string]any{"total": 1, "page": 1, "docs": []any{p.document()}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
		// What the simulator must not read in one way and the client in another.
		for old, twice := range map[string]string{
			`"qty":`: `"QTY":"1","qty":`, `"priceLimit":`: `"PriceLimit":5,"priceLimit":`, `"id":`: `"id":-0,"was":`,
		} {
			f.Add([]byte(strings.ReplaceAll(string(doc), old, twice)))
		}
	}
	f.Fuzz(func(t *testing.T, catalogue []byte) {
		simulator, err := g2atest.New(g2atest.Options{Credentials: testCredentials, Catalogue: catalogue})
		if err != nil {
			if text := err.Error(); strings.Contains(text, "\n") || !strings.HasPrefix(text, "g2a simulator: the catalogue is not a page of G2A's products: ") {
				t.Errorf("error is %q, want one line that says what is wrong", text)
			}
			return
		}
		c := inMemory(simulator, func(err error) { t.Error(err) })
		read := 0
		for page := 1; ; page++ {
			part, err := c.Products(t.Context(), g2a.ProductQuery{Page: page, IncludeOutOfStock: true})
			if err != nil {
				t.Fatalf("page %s: %v", strconv.Itoa(page), err)
			}
			if len(part.Products) == 0 {
				if read != part.Total {
					t.Errorf("%d products are read, want %d", read, part.Total)
				}
				return
			}
			read += len(part.Products)
		}
	})
}

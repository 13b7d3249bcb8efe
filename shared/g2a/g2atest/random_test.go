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

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// inMemory is the real client of a simulator, with no network between them. All
// calls are checked against the contract.
func inMemory(simulator *g2atest.Simulator, report func(error)) *g2a.Client {
	const origin = "https://sandboxapi.g2a.com"
	return g2a.New(g2a.Config{
		Env: g2a.Sandbox, ExportURL: origin + "/v1", ExportV2URL: origin + "/export/v1", ImportURL: origin, TokenURL: origin + "/v1/token",
		AuthScheme: g2a.AuthHeader, TokenFlow: g2a.TokenByHash, Timeout: time.Minute,
	}, g2a.Options{
		Credentials: testCredentials,
		Transport: contracttest.G2A().Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
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

// restrictions are the names that G2A has for them.
var restrictions = []string{
	"pegi_violence", "pegi_profanity", "pegi_discrimination", "pegi_drugs", "pegi_fear", "pegi_gambling", "pegi_online", "pegi_sex",
}

// randomProduct is a product in G2A's format, as the client should read it: its
// texts are as a JSON reader reads them, its prices as their digits.
type randomProduct struct {
	g2a.Product
	prices
	categoryIDs []any // numbers and texts
	keyIsFile   bool
}

// prices are digits; "" is null.
type prices struct{ min, retailMin, retailMinBase, limitMin, limitMax string }

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
	machine := func(label string) g2a.Machine {
		return g2a.Machine{
			System: text(label + " system"), Processor: text(label + " processor"), Graphics: text(label + " graphics"),
			Memory: text(label + " memory"), DiskSpace: text(label + " disk space"), Other: text(label + " other"),
		}
	}
	limit := func(label string) string { return rapid.OneOf(rapid.Just(""), randomPrice).Draw(t, label) }
	p := randomProduct{
		Product: g2a.Product{
			ID: id, Name: text("name"), Slug: text("slug"), Type: text("type"), Platform: text("platform"), Region: text("region"),
			Developer: text("developer"), Publisher: text("publisher"), ReleaseDate: text("release date"),
			Quantity:       rapid.OneOf(rapid.IntRange(0, 2), rapid.IntRange(0, 1<<40)).Draw(t, "quantity"),
			AvailableToBuy: rapid.Bool().Draw(t, "available"),
			Thumbnail:      text("thumbnail"), SmallImage: text("small image"), CoverImage: text("cover image"),
			Images: []string{}, Videos: []g2a.Video{}, Categories: []g2a.Category{}, Restrictions: map[string]bool{},
			MinimalMachine: machine("minimal"), RecommendedMachine: machine("recommended"),
		},
		prices: prices{
			min: randomPrice.Draw(t, "minPrice"), retailMin: randomPrice.Draw(t, "retail_min_price"), retailMinBase: randomPrice.Draw(t, "retailMinBasePrice"),
			limitMin: limit("priceLimit.min"), limitMax: limit("priceLimit.max"),
		},
		categoryIDs: rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.IntRange(0, 1<<40), func(n int) any { return n }),
			rapid.Map(rapid.StringMatching(`[a-z0-9é "]{0,5}`), func(s string) any { return s }),
		), 0, 3).Draw(t, "categories"),
		keyIsFile: rapid.Bool().Draw(t, "key is a file"),
	}
	if rapid.Bool().Draw(t, "has update time") {
		p.UpdatedAt = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "update time"), 0).UTC().Format(time.DateTime)
	}
	if p.keyIsFile {
		p.categoryIDs = append(p.categoryIDs, "key-file")
	}
	for _, id := range p.categoryIDs {
		p.Categories = append(p.Categories, g2a.Category{ID: fmt.Sprint(id), Name: text("category")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "images and videos") {
		p.Images = append(p.Images, text("image"))
		p.Videos = append(p.Videos, g2a.Video{Type: text("video"), URL: text("URL")})
	}
	for _, name := range restrictions {
		p.Restrictions[name] = rapid.Bool().Draw(t, name)
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
	machine := func(m g2a.Machine) map[string]any {
		return map[string]any{
			"reqprocessor": m.Processor, "reqgraphics": m.Graphics, "reqmemory": m.Memory, "reqdiskspace": m.DiskSpace,
			"reqsystem": m.System, "reqother": m.Other,
		}
	}
	categories, videos := []any{}, []any{}
	for i, category := range p.Categories {
		categories = append(categories, map[string]any{"id": p.categoryIDs[i], "name": category.Name})
	}
	for _, video := range p.Videos {
		videos = append(videos, map[string]any{"type": video.Type, "url": video.URL})
	}
	return map[string]any{
		"id": p.ID, "name": p.Name, "type": p.Type, "slug": p.Slug, "qty": p.Quantity, "minPrice": number(p.min),
		"retail_min_price": number(p.retailMin), "retailMinBasePrice": number(p.retailMinBase), "availableToBuy": p.AvailableToBuy,
		"thumbnail": p.Thumbnail, "smallImage": p.SmallImage, "coverImage": p.CoverImage, "images": p.Images,
		"updated_at": p.UpdatedAt, "release_date": p.ReleaseDate, "region": p.Region, "developer": p.Developer,
		"publisher": p.Publisher, "platform": p.Platform,
		"priceLimit":   map[string]any{"min": number(p.limitMin), "max": number(p.limitMax)},
		"requirements": map[string]any{"minimal": machine(p.MinimalMachine), "recommended": machine(p.RecommendedMachine)},
		"restrictions": p.Restrictions, "videos": videos, "categories": categories,
		"something_new": map[string]any{"minPrice": "x"}, // which is nobody's business
	}
}

// takePrices takes a product's prices out of it. All of them are EUR.
func takePrices(p g2a.Product) (g2a.Product, prices, error) {
	for _, price := range []g2a.Money{p.MinPrice, p.RetailMinPrice, p.RetailMinBasePrice} {
		if price.Currency != "EUR" {
			return p, prices{}, fmt.Errorf("price %s is not in EUR", price)
		}
	}
	taken := prices{
		min: digits(&p.MinPrice.Amount), retailMin: digits(&p.RetailMinPrice.Amount), retailMinBase: digits(&p.RetailMinBasePrice.Amount),
		limitMin: digits(p.PriceLimitMin), limitMax: digits(p.PriceLimitMax),
	}
	p.MinPrice, p.RetailMinPrice, p.RetailMinBasePrice, p.PriceLimitMin, p.PriceLimitMax = g2a.Money{}, g2a.Money{}, g2a.Money{}, nil, nil
	return p, taken, nil
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
		var got []g2a.Product
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
			got = append(got, part.Products...)
		}
		if len(got) != len(products) {
			t.Fatalf("%d products are read, want %d", len(got), len(products))
		}
		for i, want := range products {
			product, prices, err := takePrices(got[i])
			if err != nil || prices != want.prices || !reflect.DeepEqual(product, want.Product) {
				t.Fatalf("product is read as\n%+v %+v (%v)\nwant\n%+v %+v", product, prices, err, want.Product, want.prices)
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
			price := decimal.RequireFromString(products[i].min)
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
			wantPrice(t, order.Price, products[i].min)
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
			wantPrice(t, details.Price, products[i].min)
			if !affordable {
				continue
			}
			charged = charged.Add(price)
			key, err := c.OrderKey(t.Context(), order.ID)
			if err != nil || key.IsFile != products[i].keyIsFile || key.Value.IsZero() {
				t.Fatalf("key: %v, file %v, want file %v", err, key.IsFile, products[i].keyIsFile)
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
	pegi := map[string]bool{}
	for _, name := range restrictions {
		pegi[name] = false
	}
	for _, p := range []randomProduct{
		{
			Product:     g2a.Product{ID: "1", Images: []string{}, Restrictions: pegi, Categories: []g2a.Category{{Name: "Games"}, {Name: "Keys"}}},
			prices:      prices{min: "4.99", retailMin: "5", retailMinBase: "5"},
			categoryIDs: []any{1, "key-file"},
		},
		{
			Product: g2a.Product{ID: "2", Name: "é\"\\", Quantity: 3, Images: []string{"x"}, Restrictions: pegi, UpdatedAt: "2024-01-31 18:30:00"},
			prices:  prices{min: "0.10", retailMin: "0", retailMinBase: "0.0", limitMin: "1"},
		},
	} {
		doc, err := json.Marshal(map[string]any{"total": 1, "page": 1, "docs": []any{p.document()}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
		if _, err := g2atest.New(g2atest.Options{Credentials: testCredentials, Catalogue: doc}); err != nil {
			f.Fatalf("the seed is not a catalogue, so that nothing is tried with it: %v", err)
		}
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

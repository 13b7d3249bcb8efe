package g2a_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const offerFields = `"id":"o1","type":"game","product":{"id":"7","name":"A"},"price":"4.90"`

func TestOffer(t *testing.T) {
	replaced := func(old, new string) string { return strings.Replace(`{`+offerFields+`}`, old, new, 1) }
	tests := []struct {
		name, body string
		want       string // id, type, status, product, prices, visibility and what is optional
	}{
		{"all fields", `{` + offerFields + `,"businessPrice":"4.50","finalPrice":{"de":"5.83"},"businessFinalPrice":{"pl":5},"status":"active","active":true,` +
			`"visibility":"all","inventory":{"size":12,"soldCount":3},"seller":{"id":"x"},"priceLimit":{"min":0.5},"createdAt":"2026"}`,
			"o1 game active 7 A 4.90 EUR/4.50 EUR map[DE:5.83 EUR]/map[PL:5.00 EUR] all true 12 3"},
		{"the required ones", `{` + offerFields + `}`, "o1 game  7 A 4.90 EUR/0.00  map[]/map[]  null null null"},
		{"null for what is not known", `{` + offerFields + `,"businessPrice":null,"finalPrice":null,"status":null,"active":null,"visibility":null,"inventory":null}`,
			"o1 game  7 A 4.90 EUR/0.00  map[]/map[]  null null null"},
		{"empty lists of PHP", `{` + offerFields + `,"finalPrice":[],"businessFinalPrice":[]}`, "o1 game  7 A 4.90 EUR/0.00  map[]/map[]  null null null"},
		{"unknown words", `{"id":"o1","type":"egift","product":{"id":"7"},"price":"1","status":"Banned","visibility":"nobody"}`,
			"o1 egift Banned 7  1.00 EUR/0.00  map[]/map[] nobody null null null"},
		{"ids that are numbers", `{"id":17,"type":"game","product":{"id":8},"price":"1"}`, "17 game  8  1.00 EUR/0.00  map[]/map[]  null null null"},
		{"nothing in stock", `{` + offerFields + `,"active":false,"inventory":{"size":0}}`, "o1 game  7 A 4.90 EUR/0.00  map[]/map[]  false 0 null"},
		{"price a number", replaced(`"4.90"`, `4.9`), "o1 game  7 A 4.90 EUR/0.00  map[]/map[]  null null null"},
		{"price nested", replaced(`"4.90"`, `{"retail":{"base":{"currencyCode":"USD","value":"4.90"}},"business":{"base":{"currencyCode":"EUR","value":4.5}}}`),
			"o1 game  7 A 4.90 USD/4.50 EUR map[]/map[]  null null null"},
		{"price nested, none for businesses", replaced(`"4.90"`, `{"retail":{"base":{"countryCode":"DE","currencyCode":"EUR","value":"4.90"}},"business":null}`),
			"o1 game  7 A 4.90 EUR/0.00  map[]/map[]  null null null"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, `{"data":`+test.body+`}`)}}
			o, err := newClient(g2aServer).Offer(t.Context(), "o/1")
			optional := make([]any, 3)
			for i, value := range []any{o.Active, o.Inventory, o.Sold} {
				text, _ := json.Marshal(value)
				optional[i] = string(text)
			}
			got := fmt.Sprintln(o.ID, o.Type, o.Status, o.ProductID, o.ProductName, o.Price.String()+"/"+o.BusinessPrice.String(),
				fmt.Sprintf("%v/%v", o.FinalPrice, o.BusinessFinalPrice), o.Visibility, optional[0], optional[1], optional[2])
			if err != nil || strings.TrimSpace(got) != test.want {
				t.Errorf("offer is\n%s, error %v; want\n%s", got, err, test.want)
			}
			if r := g2aServer.requests()[0]; r.Method != "GET" || r.URL.EscapedPath() != "/v3/sales/offers/o%2F1" {
				t.Errorf("asked for %s %s", r.Method, r.URL)
			}
		})
	}
}

func TestOfferMalformed(t *testing.T) {
	replaced := func(old, new string) string { return strings.Replace(`{`+offerFields+`}`, old, new, 1) }
	nested := func(price string) string { return replaced(`"4.90"`, price) }
	tests := []struct{ name, body, fault string }{
		{"no id", replaced(`"id":"o1",`, ""), "field data.id is missing"},
		{"no type", replaced(`"type"`, `"offerType"`), "field data.type is missing"},
		{"no product", replaced(`"product"`, `"p"`), "field data.product.id is missing"},
		{"product a text", replaced(`{"id":"7","name":"A"}`, `"7"`), "field data.product has the wrong type"},
		{"no price", replaced(`"price"`, `"p"`), "field data.price is missing"},
		{"price null", replaced(`"4.90"`, "null"), "field data.price is missing"},
		{"price negative", replaced(`4.90`, "-4.90"), "field data.price is negative"},
		{"price no number", replaced(`4.90`, `hunter2`), "field data.price is not a number"},
		{"price with an exponent", replaced(`"4.90"`, "4e9"), "field data.price is not a number"},
		{"price nested, no retail", nested(`{"business":{}}`), "field data.price.retail.base is missing"},
		{"price nested, no base", nested(`{"retail":{}}`), "field data.price.retail.base is missing"},
		{"price nested, no value", nested(`{"retail":{"base":{"currencyCode":"EUR"}}}`), "field data.price.retail.base.value is missing"},
		{"price nested, no currency", nested(`{"retail":{"base":{"value":"4.90"}}}`), "field data.price.retail.base.currencyCode is not three"},
		{"price nested, a list", nested(`{"retail":[]}`), "field data.price.retail has the wrong type"},
		{"business without a base", nested(`{"retail":{"base":{"currencyCode":"EUR","value":"1"}},"business":{}}`), "field data.price.business.base is missing"},
		{"business price no number", `{` + offerFields + `,"businessPrice":"hunter2"}`, "field data.businessPrice is not a number"},
		{"final price negative", `{` + offerFields + `,"finalPrice":{"de":"-1"}}`, "field data.finalPrice.DE is negative"},
		{"final price of nowhere", `{` + offerFields + `,"finalPrice":{"hunter2":"1"}}`, "field data.finalPrice has a name"},
		{"business final price a text", `{` + offerFields + `,"businessFinalPrice":"1"}`, "field data.businessFinalPrice has the wrong type"},
		{"status a number", `{` + offerFields + `,"status":17}`, "field data.status has the wrong type"},
		{"active a text", `{` + offerFields + `,"active":"true"}`, "field data.active has the wrong type"},
		{"inventory negative", `{` + offerFields + `,"inventory":{"size":-1}}`, "field data.inventory.size is negative"},
		{"sold negative", `{` + offerFields + `,"inventory":{"soldCount":-1}}`, "field data.inventory.soldCount is negative"},
		{"inventory a number", `{` + offerFields + `,"inventory":7}`, "field data.inventory has the wrong type"},
		{"null", `null`, "field data is missing"},
		{"a list", `[]`, "field data has the wrong type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, `{"data":`+test.body+`}`)}}).Offer(t.Context(), "o1")
			assertMalformed(t, err, test.fault)
			if got.ID != "" || got.Type != "" || !got.Price.IsZero() {
				t.Errorf("an offer beside the error: %+v", got)
			}
			if test.name == "null" {
				return // in a list it is an offer without an id
			}
			page := `{"data":[` + strings.Repeat(goodOfferBody+",", 3) + test.body + `],` + goodMeta + `}`
			_, err = newClient(&script{replies: []reply{answer(200, page)}}).Offers(t.Context(), g2a.OfferQuery{})
			assertMalformed(t, err, strings.Replace(test.fault, "field data", "field data[3]", 1))
		})
	}
}

func TestOfferRequests(t *testing.T) {
	full := g2a.NewOffer{
		Type: g2a.OfferPreorder, ProductID: "7", Price: money("4.90"), BusinessPrice: money("4"), Active: true, Visibility: g2a.VisibleRetail,
		Inventory: new(0), Regions: []string{"GLOBAL"}, NotIn: []string{"RU", "BY"},
	}
	created := func(o g2a.NewOffer) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.CreateOffer(t.Context(), o); return err }
	}
	changed := func(id string, change g2a.OfferChange) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.ChangeOffer(t.Context(), id, change); return err }
	}
	only := newOffer()
	only.OnlyIn = []string{"DE"}
	tests := []struct {
		name string
		make func(c *g2a.Client) error
		good string
		line string
		body string
	}{
		{"the least", created(newOffer()), goodJobID, "POST /v3/sales/offers",
			`{"offerType":"game","variants":[{"productId":"7","price":{"retail":"4.99"},"active":false,"visibility":"all"}]}`},
		{"everything", created(full), goodJobID, "POST /v3/sales/offers",
			`{"offerType":"preorder","variants":[{"productId":"7","price":{"retail":"4.90","business":"4.00"},"active":true,` +
				`"inventory":{"size":0},"visibility":"retail","regions":["GLOBAL"],"regionRestrictions":{"exclude":["RU","BY"]}}]}`},
		{"in one country", created(only), goodJobID, "POST /v3/sales/offers", `{"offerType":"game","variants":[{"productId":"7","price":{"retail":"4.99"},` +
			`"active":false,"visibility":"all","regionRestrictions":{"include":["DE"]}}]}`},
		{"change of the price", changed("o 1", g2a.OfferChange{Type: g2a.OfferGame, Price: new(money("0.01"))}), goodJobID,
			"PATCH /v3/sales/offers/o%201", `{"offerType":"game","variant":{"price":{"retail":"0.01"}}}`},
		{"taken off the market", changed("o1", g2a.OfferChange{Type: g2a.OfferGame, Active: new(false), Inventory: new(0)}), goodJobID,
			"PATCH /v3/sales/offers/o1", `{"offerType":"game","variant":{"active":false,"inventory":{"size":0}}}`},
		{"change of everything", changed("o1", g2a.OfferChange{
			Type: g2a.OfferPromo, Price: new(money("5")), BusinessPrice: new(money("4")), Visibility: g2a.VisibleBusiness,
			Active: new(true), Archive: new(false), Inventory: new(3),
		}), goodJobID, "PATCH /v3/sales/offers/o1", `{"offerType":"promo","variant":{"price":{"retail":"5.00","business":"4.00"},` +
			`"active":true,"archive":false,"inventory":{"size":3},"visibility":"business"}}`},
		{"deletion", func(c *g2a.Client) error { _, err := c.DeleteOffer(t.Context(), "o 1"); return err }, goodJobID, "DELETE /v3/sales/offers/o%201", ""},
		{"keys", func(c *g2a.Client) error {
			_, err := c.AddInventory(t.Context(), []g2a.Secret{g2a.NewSecret("AAAA-1"), g2a.NewSecret(`B"<é`)})
			return err
		}, goodCollection, "POST /v3/sales/offers/inventory", `{"keys":["AAAA-1","B\"\u003cé"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(202, test.good)}}
			if err := test.make(newClient(g2aServer)); err != nil {
				t.Fatal(err)
			}
			r := g2aServer.requests()[0]
			_, body, _ := strings.Cut(r.dump, "\r\n\r\n")
			contentType := ""
			if body != "" {
				contentType = "application/json"
			}
			if line := r.Method + " " + r.URL.EscapedPath(); line != test.line || body != test.body || r.Header.Get("Content-Type") != contentType {
				t.Errorf("sent %s %s\nwant %s %s", line, body, test.line, test.body)
			}
		})
	}
}

// TestJobsOfOffers: a change may be done at once, a creation never is.
func TestJobsOfOffers(t *testing.T) {
	tests := []struct {
		name   string
		calls  []call
		status int
		body   string
		job    string
		fault  string // "" is none
	}{
		{"202 and a job", []call{createOffer, changeOffer, deleteOffer}, 202, goodJobID, "j1", ""},
		{"200 and a job", []call{createOffer, changeOffer, deleteOffer}, 200, `{"data":{"jobId":17}}`, "17", ""},
		{"204", []call{changeOffer, deleteOffer}, 204, "", "", ""},
		{"200 and nothing", []call{deleteOffer}, 200, "\n", "", ""},
		{"204 for a creation", []call{createOffer}, 204, "", "", "not the JSON expected"},
		{"202 and nothing", []call{createOffer, changeOffer, deleteOffer}, 202, "", "", "not the JSON expected"},
		{"200 and nothing", []call{createOffer, changeOffer}, 200, "", "", "not the JSON expected"},
		{"a page", []call{createOffer, changeOffer, deleteOffer}, 200, "<html>", "", "not the JSON expected"},
		{"no data", []call{createOffer, changeOffer, deleteOffer}, 202, `{"jobId":"j1"}`, "", "field data is missing"},
		{"no job", []call{createOffer, changeOffer, deleteOffer}, 202, `{"data":{}}`, "", "field data.jobId is missing"},
		{"an empty job", []call{createOffer, changeOffer, deleteOffer}, 202, `{"data":{"jobId":""}}`, "", "field data.jobId is empty"},
		{"a job that is an object", []call{createOffer, changeOffer, deleteOffer}, 202, `{"data":{"jobId":{"id":"hunter2"}}}`, "", "field data.jobId is neither a string nor"},
	}
	for _, test := range tests {
		for _, call := range test.calls {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				client := newClient(&script{replies: []reply{answer(test.status, test.body)}})
				job, err := "", error(nil)
				switch call.name {
				case createOffer.name:
					job, err = client.CreateOffer(t.Context(), newOffer())
				case changeOffer.name:
					job, err = client.ChangeOffer(t.Context(), "o1", g2a.OfferChange{Type: g2a.OfferGame, Active: new(false)})
				default:
					job, err = client.DeleteOffer(t.Context(), "o1")
				}
				if job != test.job || test.fault == "" && err != nil {
					t.Errorf("job is %q, error %v; want %q", job, err, test.job)
				}
				if test.fault != "" {
					assertMalformed(t, err, test.fault)
				}
			})
		}
	}
}

// TestRefusedOffers: of the Import API's codes none is public, so the status decides.
func TestRefusedOffers(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		body    string
		kind    error
		outcome g2a.Outcome
		exists  string
	}{
		{"it exists", 409, `{"data":{"offerId":"o9"}}`, g2a.ErrExists, g2a.NotDone, "o9"},
		{"it exists, and an error says so", 409, `{"data":{"offerId":"o9"},"errors":[{"code":"OF09","message":"exists"}]}`, g2a.ErrExists, g2a.NotDone, "o9"},
		{"it conflicts", 409, `{"errors":[{"code":"OF09","message":"no"}]}`, g2a.ErrExists, g2a.OutcomeUnknown, ""},
		{"not valid", 400, `{"errors":[{"code":"OF01","message":"no"}]}`, g2a.ErrInvalidRequest, g2a.NotDone, ""},
		{"not there", 404, `{"errors":[{"code":"OF04","message":"no"}]}`, g2a.ErrNotFound, g2a.NotDone, ""},
		{"too many price changes", 429, `{"errors":[{"code":"PR05","message":"no"}]}`, g2a.ErrThrottled, g2a.NotDone, ""},
		{"bad gateway", 502, `{"errors":[{"code":"BG01","message":"no"}]}`, g2a.ErrUnavailable, g2a.OutcomeUnknown, ""},
	}
	for _, test := range tests {
		for _, call := range []call{createOffer, changeOffer} {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				err := call.make(t.Context(), newClient(&script{replies: []reply{answer(test.status, test.body, "Retry-After: 60")}}))
				var e *g2a.Error
				if !errors.As(err, &e) || e.Kind != test.kind || e.Outcome != test.outcome || e.ExistingID != test.exists {
					t.Errorf("error is %#v, want %v, %v, %q", e, test.kind, test.outcome, test.exists)
				}
			})
		}
	}
}

func TestOfferQuery(t *testing.T) {
	from := time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	tests := []struct {
		name  string
		query g2a.OfferQuery
		want  string
	}{
		{"nothing", g2a.OfferQuery{}, ""},
		{"paging", g2a.OfferQuery{Page: 2, PerPage: 37}, "itemsPerPage=37&page=2"},
		{"type", g2a.OfferQuery{Type: g2a.OfferSteamGift}, "type=steamgift"},
		{"active", g2a.OfferQuery{Active: new(true)}, "active=true"},
		{"not active", g2a.OfferQuery{Active: new(false)}, "active=false"},
		{"since", g2a.OfferQuery{UpdatedFrom: from}, "updatedAtFrom=2026-03-01T12%3A00%3A00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodOffers)}}
			if _, err := newClient(g2aServer).Offers(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			u := g2aServer.requests()[0].URL
			if u.Path != "/v3/sales/offers" || u.RawQuery != test.want || u.RawQuery == "" && strings.Contains(u.String(), "?") {
				t.Errorf("asked for %s, want the query %q", u, test.want)
			}
		})
	}
}

// TestUnsent: what cannot be good is not sent, and the error names the field.
func TestUnsent(t *testing.T) {
	ctx, now := t.Context(), time.Unix(1764000000, 0)
	price := func(text string) *decimal.Decimal { d := decimal.RequireFromString(text); return &d }
	newWith := func(change func(*g2a.NewOffer)) func(*g2a.Client) error {
		o := newOffer()
		change(&o)
		return func(c *g2a.Client) error { _, err := c.CreateOffer(ctx, o); return err }
	}
	changed := func(change g2a.OfferChange) func(*g2a.Client) error {
		change.Type = cmp.Or(change.Type, g2a.OfferGame)
		return func(c *g2a.Client) error { _, err := c.ChangeOffer(ctx, "o1", change); return err }
	}
	productsOf := func(q g2a.ProductQuery) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.Products(ctx, q); return err }
	}
	offersOf := func(q g2a.OfferQuery) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.Offers(ctx, q); return err }
	}
	simulate := func(product string, price g2a.Money, country string) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.SimulatePrice(ctx, product, price, country); return err }
	}
	competitorsOf := func(product string, q g2a.CompetitorQuery) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.CompetitorOffers(ctx, product, q); return err }
	}
	const (
		postOffer, patchOffer = "POST /v3/sales/offers", "PATCH /v3/sales/offers/{offerId}"
		getOffers, getPrices  = "GET /v3/sales/offers", "GET /v3/pricing/simulations"
		getCompetitors        = "GET /v3/products/{productId}/offers"
	)
	euros := func(text string) g2a.Money { return g2a.Money{Amount: *price(text), Currency: "EUR"} }
	order := func(id string, limit g2a.Money) func(*g2a.Client) error {
		return func(c *g2a.Client) error { _, err := c.CreateOrder(ctx, id, limit); return err }
	}
	tests := []struct {
		name  string
		make  func(*g2a.Client) error
		route string
		fault string
	}{
		{"products: page", productsOf(g2a.ProductQuery{Page: -1}), "GET /products", "field page is negative"},
		{"products: quantity", productsOf(g2a.ProductQuery{MinQuantity: -1}), "GET /products", "field minQty is negative"},
		{"products: price from", productsOf(g2a.ProductQuery{MinPriceFrom: price("-0.01")}), "GET /products", "field minPriceFrom is negative"},
		{"products: price to", productsOf(g2a.ProductQuery{MinPriceTo: price("0.001")}), "GET /products", "field minPriceTo has more than 2 places"},
		{"products: price too long", productsOf(g2a.ProductQuery{MinPriceTo: new(decimal.New(1, 1<<30))}), "GET /products", "field minPriceTo is not a number of at most 12 digits"},
		{"products: price too short", productsOf(g2a.ProductQuery{MinPriceTo: new(decimal.New(1, -1<<30))}), "GET /products", "field minPriceTo is not a number of at most 12 digits"},
		{"products: prices the wrong way round", productsOf(g2a.ProductQuery{MinPriceFrom: price("2"), MinPriceTo: price("1.99")}), "GET /products", "field minPriceTo is less than minPriceFrom"},
		{"products: times the wrong way round", productsOf(g2a.ProductQuery{UpdatedAtFrom: now.Add(1), UpdatedAtTo: now}), "GET /products", "field updatedAtTo is before updatedAtFrom"},
		{"order: no product", order("", money("1")), "POST /order", "field product_id is missing"},
		{"order: no currency", order("7", g2a.Money{}), "POST /order", "field currency is not three"},
		{"order: negative", order("7", euros("-1")), "POST /order", "field max_price is negative"},
		{"pay: no id", func(c *g2a.Client) error { _, err := c.PayOrder(ctx, ""); return err }, "PUT /order/pay/{id}", "field id is missing"},
		{"pay: another path", func(c *g2a.Client) error { _, err := c.PayOrder(ctx, ".."); return err }, "PUT /order/pay/{id}", "field id is not a valid id"},
		{"details: no id", func(c *g2a.Client) error { _, err := c.OrderDetails(ctx, ""); return err }, "GET /order/details/{id}", "field id is missing"},
		{"key: no id", func(c *g2a.Client) error { _, err := c.OrderKey(ctx, "."); return err }, "GET /order/key/{id}", "field id is not a valid id"},
		{"offer: type", newWith(func(o *g2a.NewOffer) { o.Type = "gift" }), postOffer, "field offerType is none of"},
		{"offer: no type", newWith(func(o *g2a.NewOffer) { o.Type = "" }), postOffer, "field offerType is missing"},
		{"offer: no product", newWith(func(o *g2a.NewOffer) { o.ProductID = "" }), postOffer, "field productId is missing"},
		{"offer: no price", newWith(func(o *g2a.NewOffer) { o.Price = g2a.Money{} }), postOffer, "field price.retail is not in EUR"},
		{"offer: other currency", newWith(func(o *g2a.NewOffer) { o.Price.Currency = "USD" }), postOffer, "field price.retail is not in EUR"},
		{"offer: negative", newWith(func(o *g2a.NewOffer) { o.Price = euros("-1") }), postOffer, "field price.retail is negative"},
		{"offer: part of a cent", newWith(func(o *g2a.NewOffer) { o.Price = euros("1.005") }), postOffer, "field price.retail has more than 2 places"},
		{"offer: business", newWith(func(o *g2a.NewOffer) { o.BusinessPrice = euros("-1") }), postOffer, "field price.business is negative"},
		{"offer: visibility", newWith(func(o *g2a.NewOffer) { o.Visibility = "nobody" }), postOffer, "field visibility is none of"},
		{"offer: inventory", newWith(func(o *g2a.NewOffer) { o.Inventory = new(-1) }), postOffer, "field inventory.size is negative"},
		{"offer: country", newWith(func(o *g2a.NewOffer) { o.NotIn = []string{"DE", "de"} }), postOffer, "field regionRestrictions has a country"},
		{"offer: in and not in", newWith(func(o *g2a.NewOffer) { o.NotIn, o.OnlyIn = []string{"DE"}, []string{"FR"} }), postOffer, "field regionRestrictions both"},
		{"change: nothing", changed(g2a.OfferChange{}), patchOffer, "field variant changes nothing"},
		{"change: type", changed(g2a.OfferChange{Type: "gift", Active: new(true)}), patchOffer, "field offerType is none of"},
		{"change: price", changed(g2a.OfferChange{Price: new(euros("-1"))}), patchOffer, "field variant.price.retail is negative"},
		{"change: business", changed(g2a.OfferChange{Price: new(euros("1")), BusinessPrice: new(euros("-1"))}), patchOffer, "field variant.price.business is negative"},
		{"change: business alone", changed(g2a.OfferChange{BusinessPrice: new(euros("1"))}), patchOffer, "field variant.price.retail is missing"},
		{"change: visibility", changed(g2a.OfferChange{Visibility: "nobody"}), patchOffer, "field variant.visibility is none of"},
		{"change: inventory", changed(g2a.OfferChange{Inventory: new(-1)}), patchOffer, "field variant.inventory.size is negative"},
		{"change: no type", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(ctx, "o1", g2a.OfferChange{Active: new(true)})
			return err
		}, patchOffer, "field offerType is missing"},
		{"change: no id", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(ctx, "", g2a.OfferChange{Type: g2a.OfferGame, Active: new(true)})
			return err
		}, patchOffer, "field offerId is missing"},
		{"delete: no id", func(c *g2a.Client) error { _, err := c.DeleteOffer(ctx, ".."); return err }, "DELETE /v3/sales/offers/{offerId}", "field offerId is not a valid id"},
		{"one offer: no id", func(c *g2a.Client) error { _, err := c.Offer(ctx, ""); return err }, "GET /v3/sales/offers/{offerId}", "field offerId is missing"},
		{"offers: page", offersOf(g2a.OfferQuery{Page: -1}), getOffers, "field page is negative"},
		{"offers: page size", offersOf(g2a.OfferQuery{PerPage: 101}), getOffers, "field itemsPerPage is not from 1 to 100"},
		{"offers: negative page size", offersOf(g2a.OfferQuery{PerPage: -1}), getOffers, "field itemsPerPage is not from 1 to 100"},
		{"offers: type", offersOf(g2a.OfferQuery{Type: "gift"}), getOffers, "field type is none of"},
		{"keys: none", func(c *g2a.Client) error { _, err := c.AddInventory(ctx, nil); return err }, "POST /v3/sales/offers/inventory", "field keys is empty"},
		{"keys: an empty one", func(c *g2a.Client) error {
			_, err := c.AddInventory(ctx, []g2a.Secret{g2a.NewSecret("hunter2"), {}})
			return err
		}, "POST /v3/sales/offers/inventory", "field keys[1] is empty"},
		{"inventory: no id", func(c *g2a.Client) error { _, err := c.Inventory(ctx, "", 1, 10); return err },
			"GET /v3/sales/offers/{offerId}/inventory", "field offerId is missing"},
		{"inventory: page size", func(c *g2a.Client) error { _, err := c.Inventory(ctx, "o1", 1, 101); return err },
			"GET /v3/sales/offers/{offerId}/inventory", "field itemsPerPage is not from 1 to 100"},
		{"delete inventory: no id", func(c *g2a.Client) error { return c.DeleteInventory(ctx, "") }, "DELETE /v3/sales/offers/{offerId}/inventory", "field offerId is missing"},
		{"delete item: no id", func(c *g2a.Client) error { return c.DeleteInventoryItem(ctx, "o1", "") },
			"DELETE /v3/sales/offers/{offerId}/inventory/{itemId}", "field itemId is missing"},
		{"job: no id", func(c *g2a.Client) error { _, err := c.Job(ctx, ""); return err }, "GET /v3/jobs/{jobId}", "field jobId is missing"},
		{"simulation: no product", simulate("", money("1"), ""), getPrices, "field productId is missing"},
		{"simulation: price", simulate("7", euros("1.001"), ""), getPrices, "field price has more than 2 places"},
		{"simulation: currency", simulate("7", g2a.Money{Amount: *price("1"), Currency: "euro"}, ""), getPrices, "field currency is not three upper-case letters"},
		{"simulation: country", simulate("7", money("1"), "de"), getPrices, "field country is not two upper-case letters"},
		{"bestsellers: page size", func(c *g2a.Client) error {
			_, err := c.Bestsellers(ctx, g2a.BestsellerQuery{PerPage: 101})
			return err
		}, "GET /v3/sales/bestsellers", "field itemsPerPage is not from 1 to 100"},
		{"bestsellers: days", func(c *g2a.Client) error {
			_, err := c.Bestsellers(ctx, g2a.BestsellerQuery{Days: -1})
			return err
		}, "GET /v3/sales/bestsellers", "field daysNumber is negative"},
		{"competitors: no product", competitorsOf("", g2a.CompetitorQuery{}), getCompetitors, "field productId is missing"},
		{"competitors: country", competitorsOf("7", g2a.CompetitorQuery{Country: "de"}), getCompetitors, "field countryCode is not two"},
		{"competitors: visibility", competitorsOf("7", g2a.CompetitorQuery{Visibility: "nobody"}), getCompetitors, "field visibility is none of"},
		{"competitors: page", competitorsOf("7", g2a.CompetitorQuery{Page: -1}), getCompetitors, "field page is negative"},
		{"sales: page", func(c *g2a.Client) error {
			_, err := c.SellerOrders(ctx, g2a.SellerOrderQuery{Page: -1})
			return err
		}, "GET /v3/sales/orders", "field page is negative"},
		{"sale: no id", func(c *g2a.Client) error { _, err := c.SellerOrder(ctx, ""); return err }, "GET /v3/sales/orders/{orderId}", "field orderId is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, "{}")}}
			err := test.make(newClient(g2aServer))
			var e *g2a.Error
			var field *g2a.FieldError
			if !errors.As(err, &e) || e.Kind != g2a.ErrInvalidRequest || e.Method+" "+e.Route != test.route || e.CorrelationID == "" || e.Status != 0 || g2a.OutcomeOf(err) != g2a.NotDone {
				t.Fatalf("error is %#v, want ErrInvalidRequest of %s, not done", err, test.route)
			}
			if !errors.As(err, &field) || !strings.HasPrefix(field.Error(), test.fault) {
				t.Errorf("error is %v, want %s", err, test.fault)
			}
			if len(g2aServer.requests()) != 0 || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%d requests were sent; error is %v", len(g2aServer.requests()), err)
			}
		})
	}
}

func FuzzOfferPage(f *testing.F) {
	f.Add(goodOffers)
	f.Add(`{"data":[{` + offerFields + `,"inventory":{"size":3},"finalPrice":{"de":"5"}}],` + goodMeta + `}`)
	f.Add(`{"data":[{"id":1,"type":"x","product":{"id":1},"price":{"retail":{"base":{"currencyCode":"EUR","value":1}}}}],"meta":null}`)
	f.Add(`{"data":[null,{},[],"` + testAccess + `"],"meta":null}`)
	f.Add(`{"data":[{"id":"` + testAccess + `","type":"` + testKey + `"}],"meta":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		page, err := newClient(&script{replies: []reply{answer(200, text)}}).Offers(t.Context(), g2a.OfferQuery{})
		if err != nil {
			if !errors.Is(err, g2a.ErrMalformedAnswer) || page.Items != nil {
				t.Errorf("error is %v, page %+v", err, page)
			}
			assertDiscreet(t, err)
			return
		}
		if page.Number < 1 || page.PerPage < 0 || page.Total != nil && *page.Total < 0 {
			t.Errorf("page is %+v", page)
		}
		for _, o := range page.Items {
			if o.ID == "" || o.ProductID == "" || o.Price.Currency == "" || o.Price.Amount.IsNegative() || o.Type == "" ||
				o.Inventory != nil && *o.Inventory < 0 {
				t.Errorf("offer is %+v", o)
			}
		}
	})
}

package g2a_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const offerFields = `"id":"o1","offerType":"game","productId":"7","price":4.90,"visibility":"all","status":"active","active":true`

// without gives the offer without one of its fields.
func without(t *testing.T, field string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+offerFields+"}"), &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, field)
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOffer(t *testing.T) {
	tests := []struct {
		name      string
		body      string
		id        string
		inventory string
		variant   string
	}{
		{"all fields", `{` + offerFields + `,"inventory":{"size":12},"variant":{"a":[1,"b"]},"more":1}`, "o1", "12", `{"a":[1,"b"]}`},
		{"the required ones", `{` + offerFields + `}`, "o1", "", ""},
		{"null for what is not known", `{` + offerFields + `,"inventory":null,"variant":null}`, "o1", "", ""},
		{"nothing in stock", `{` + offerFields + `,"inventory":{"size":0}}`, "o1", "0", ""},
		{"ids that are numbers", strings.Replace(`{`+offerFields+`}`, `"o1"`, `17`, 1), "17", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.body)}}
			got, err := newClient(g2aServer).Offer(t.Context(), "o/1")
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != test.id || got.Type != g2a.OfferGame || got.ProductID != "7" || got.Price.String() != "4.90 EUR" ||
				got.Visibility != g2a.VisibleAll || got.Status != g2a.OfferActive || !got.Active || string(got.Variant) != test.variant {
				t.Errorf("offer is %+v", got)
			}
			if text, _ := json.Marshal(got.Inventory); got.Inventory == nil != (test.inventory == "") || test.inventory != "" && string(text) != test.inventory {
				t.Errorf("inventory is %s, want %q", text, test.inventory)
			}
			if r := g2aServer.requests()[0]; r.Method != "GET" || r.URL.EscapedPath() != "/v1/offers/o%2F1" {
				t.Errorf("asked for %s %s", r.Method, r.URL)
			}
		})
	}
}

func TestOfferMalformed(t *testing.T) {
	replaced := func(old, new string) string { return strings.Replace(`{`+offerFields+`}`, old, new, 1) }
	tests := []struct{ name, body, fault string }{
		{"no id", without(t, "id"), "field id is missing"},
		{"no type", without(t, "offerType"), "field offerType is missing"},
		{"no product", without(t, "productId"), "field productId is missing"},
		{"no price", without(t, "price"), "field price is missing"},
		{"no visibility", without(t, "visibility"), "field visibility is missing"},
		{"no status", without(t, "status"), "field status is missing"},
		{"not told whether active", without(t, "active"), "field active is missing"},
		{"price null", replaced("4.90", "null"), "field price is missing"},
		{"price negative", replaced("4.90", "-4.90"), "field price is negative"},
		{"price a text", replaced("4.90", `"hunter2"`), "field price is not a number"},
		{"price with an exponent", replaced("4.90", "4e9"), "field price is not a number"},
		{"type unknown", replaced(`"game"`, `"hunter2"`), "field offerType is none of dropshipping, promo, steamgift, game, preorder"},
		{"visibility unknown", replaced(`"all"`, `"hunter2"`), "field visibility is none of"},
		{"status unknown", replaced(`"active",`, `"hunter2",`), "field status is none of active, inactive"},
		{"status a number", replaced(`"active",`, `17,`), "field status has the wrong type"},
		{"active a text", replaced("true", `"true"`), "field active has the wrong type"},
		{"inventory without a size", `{` + offerFields + `,"inventory":{}}`, "field inventory.size is missing"},
		{"inventory negative", `{` + offerFields + `,"inventory":{"size":-1}}`, "field inventory.size is negative"},
		{"inventory a number", `{` + offerFields + `,"inventory":7}`, "field inventory has the wrong type"},
		{"variant a list", `{` + offerFields + `,"variant":[]}`, "field variant is not a JSON object"},
		{"null", `null`, "field id is missing"},
		{"a list", `[]`, "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).Offer(t.Context(), "o1")
			assertMalformed(t, err, test.fault)
			if got.ID != "" || got.Type != "" || !got.Price.IsZero() {
				t.Errorf("an offer beside the error: %+v", got)
			}
			if strings.HasPrefix(test.fault, "not") {
				return
			}
			page := `{"data":[` + goodOffer + `,` + goodOffer + `,` + goodOffer + `,` + test.body + `],"meta":{"currentPage":1,"lastPage":1,"perPage":10,"total":4}}`
			_, err = newClient(&script{replies: []reply{answer(200, page)}}).Offers(t.Context(), g2a.OfferQuery{})
			assertMalformed(t, err, strings.Replace(test.fault, "field ", "field data[3].", 1))
		})
	}
}

func TestOfferRequests(t *testing.T) {
	full := g2a.NewOffer{
		Type: g2a.OfferPreorder, ProductID: "7", Price: money("4.90"), Visibility: g2a.VisibleRetail, Inventory: new(0), Variant: json.RawMessage(`{"a":1}`),
	}
	tests := []struct {
		name string
		make func(c *g2a.Client) error
		good string
		line string
		body string
	}{
		{"the least", func(c *g2a.Client) error { _, err := c.CreateOffer(t.Context(), newOffer()); return err }, goodJobID,
			"POST /v1/offers", `{"offerType":"game","productId":"7","price":4.99,"visibility":"all"}`},
		{"everything", func(c *g2a.Client) error { _, err := c.CreateOffer(t.Context(), full); return err }, goodJobID,
			"POST /v1/offers", `{"offerType":"preorder","productId":"7","price":4.9,"visibility":"retail","inventory":{"size":0},"variant":{"a":1}}`},
		{"change of the price", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(t.Context(), "o 1", g2a.OfferChange{Price: new(money("0.01"))})
			return err
		}, goodOffer, "PATCH /v1/offers/o%201", `{"price":0.01}`},
		{"taken off the market", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(t.Context(), "o1", g2a.OfferChange{Active: new(false)})
			return err
		}, goodOffer, "PATCH /v1/offers/o1", `{"active":false}`},
		{"change of everything", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(t.Context(), "o1", g2a.OfferChange{
				Price: new(money("5")), Visibility: g2a.VisibleBusiness, Active: new(true), Inventory: new(3), Variant: json.RawMessage(`{}`),
			})
			return err
		}, goodOffer, "PATCH /v1/offers/o1", `{"price":5,"visibility":"business","active":true,"inventory":{"size":3},"variant":{}}`},
		{"keys", func(c *g2a.Client) error {
			_, err := c.AddInventory(t.Context(), "o1", []g2a.Secret{g2a.NewSecret("AAAA-1"), g2a.NewSecret(`B"<é`)})
			return err
		}, goodCollection, "POST /v1/offers/o1/inventory", `{"keys":["AAAA-1","B\"\u003cé"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.good)}}
			if err := test.make(newClient(g2aServer)); err != nil {
				t.Fatal(err)
			}
			r := g2aServer.requests()[0]
			_, body, _ := strings.Cut(r.dump, "\r\n\r\n")
			if line := r.Method + " " + r.URL.EscapedPath(); line != test.line || body != test.body || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("sent %s %s\nwant %s %s", line, body, test.line, test.body)
			}
		})
	}
}

func TestOfferAnswersMalformed(t *testing.T) {
	tests := []struct {
		name  string
		call  call
		body  string
		fault string
	}{
		{"no job", createOffer, `{}`, "field jobId is missing"},
		{"an empty job", createOffer, `{"jobId":""}`, "field jobId is empty"},
		{"a job that is an object", createOffer, `{"jobId":{"id":"hunter2"}}`, "field jobId is neither a string nor"},
		{"no collection", addInventory, `{}`, "field collectionUuid is missing"},
		{"a collection that is null", addInventory, `{"collectionUuid":null}`, "field collectionUuid is missing"},
		{"a changed offer without a price", changeOffer, without(t, "price"), "field price is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assertMalformed(t, test.call.make(t.Context(), newClient(&script{replies: []reply{answer(200, test.body)}})), test.fault)
		})
	}
}

func TestOfferIDs(t *testing.T) {
	client := newClient(&script{replies: []reply{answer(200, goodJobID), answer(200, goodCollection)}})
	job, err := client.CreateOffer(t.Context(), newOffer())
	if err != nil || job != "j1" {
		t.Errorf("job %q, error %v", job, err)
	}
	collection, err := client.AddInventory(t.Context(), "o1", []g2a.Secret{g2a.NewSecret("AAAA")})
	if err != nil || collection != "c1" {
		t.Errorf("collection %q, error %v", collection, err)
	}
}

func TestOfferQuery(t *testing.T) {
	tests := []struct {
		name  string
		query g2a.OfferQuery
		want  string
	}{
		{"nothing", g2a.OfferQuery{}, ""},
		{"paging", g2a.OfferQuery{Page: 2, PerPage: 50}, "page=2&perPage=50"},
		{"product", g2a.OfferQuery{ProductID: "7&x"}, "productId=7%26x"},
		{"status", g2a.OfferQuery{Status: g2a.OfferInactive}, "status=inactive"},
		{"type", g2a.OfferQuery{Type: g2a.OfferSteamGift}, "offerType=steamgift"},
		{"active", g2a.OfferQuery{Active: new(true)}, "active=true"},
		{"not active", g2a.OfferQuery{Active: new(false)}, "active=false"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodOffers)}}
			page, err := newClient(g2aServer).Offers(t.Context(), test.query)
			if err != nil {
				t.Fatal(err)
			}
			if u := g2aServer.requests()[0].URL; u.Path != "/v1/offers" || u.RawQuery != test.want || u.RawQuery == "" && strings.Contains(u.String(), "?") {
				t.Errorf("asked for %s, want the query %q", u, test.want)
			}
			if len(page.Items) != 1 || page.Number != 1 || page.LastPage != 1 || page.PerPage != 10 || page.Total != 1 {
				t.Errorf("page is %+v", page)
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
		{"offer: type", newWith(func(o *g2a.NewOffer) { o.Type = "gift" }), "POST /offers", "field offerType is none of"},
		{"offer: no type", newWith(func(o *g2a.NewOffer) { o.Type = "" }), "POST /offers", "field offerType is missing"},
		{"offer: no product", newWith(func(o *g2a.NewOffer) { o.ProductID = "" }), "POST /offers", "field productId is missing"},
		{"offer: no price", newWith(func(o *g2a.NewOffer) { o.Price = g2a.Money{} }), "POST /offers", "field price is not in EUR"},
		{"offer: other currency", newWith(func(o *g2a.NewOffer) { o.Price.Currency = "USD" }), "POST /offers", "field price is not in EUR"},
		{"offer: negative", newWith(func(o *g2a.NewOffer) { o.Price = euros("-1") }), "POST /offers", "field price is negative"},
		{"offer: part of a cent", newWith(func(o *g2a.NewOffer) { o.Price = euros("1.005") }), "POST /offers", "field price has more than 2 places"},
		{"offer: visibility", newWith(func(o *g2a.NewOffer) { o.Visibility = "nobody" }), "POST /offers", "field visibility is none of"},
		{"offer: inventory", newWith(func(o *g2a.NewOffer) { o.Inventory = new(-1) }), "POST /offers", "field inventory.size is negative"},
		{"offer: variant", newWith(func(o *g2a.NewOffer) { o.Variant = json.RawMessage(`[1]`) }), "POST /offers", "field variant is not a JSON object"},
		{"offer: variant broken", newWith(func(o *g2a.NewOffer) { o.Variant = json.RawMessage(`{`) }), "POST /offers", "field variant is not a JSON object"},
		{"change: nothing", changed(g2a.OfferChange{}), "PATCH /offers/{id}", "field price, visibility, active, inventory or variant is missing"},
		{"change: price", changed(g2a.OfferChange{Price: new(euros("-1"))}), "PATCH /offers/{id}", "field price is negative"},
		{"change: visibility", changed(g2a.OfferChange{Visibility: "nobody"}), "PATCH /offers/{id}", "field visibility is none of"},
		{"change: inventory", changed(g2a.OfferChange{Inventory: new(-1)}), "PATCH /offers/{id}", "field inventory.size is negative"},
		{"change: no id", func(c *g2a.Client) error {
			_, err := c.ChangeOffer(ctx, "", g2a.OfferChange{Active: new(true)})
			return err
		}, "PATCH /offers/{id}", "field id is missing"},
		{"one offer: no id", func(c *g2a.Client) error { _, err := c.Offer(ctx, ""); return err }, "GET /offers/{id}", "field id is missing"},
		{"offers: page", offersOf(g2a.OfferQuery{Page: -1}), "GET /offers", "field page is negative"},
		{"offers: page size", offersOf(g2a.OfferQuery{PerPage: 30}), "GET /offers", "field perPage is none of 10, 20, 50, 100"},
		{"offers: type", offersOf(g2a.OfferQuery{Type: "gift"}), "GET /offers", "field offerType is none of"},
		{"offers: status", offersOf(g2a.OfferQuery{Status: "odd"}), "GET /offers", "field status is none of"},
		{"keys: no id", func(c *g2a.Client) error {
			_, err := c.AddInventory(ctx, "", []g2a.Secret{g2a.NewSecret("A")})
			return err
		}, "POST /offers/{id}/inventory", "field id is missing"},
		{"keys: none", func(c *g2a.Client) error { _, err := c.AddInventory(ctx, "o1", nil); return err }, "POST /offers/{id}/inventory", "field keys is empty"},
		{"keys: an empty one", func(c *g2a.Client) error {
			_, err := c.AddInventory(ctx, "o1", []g2a.Secret{g2a.NewSecret("hunter2"), {}})
			return err
		}, "POST /offers/{id}/inventory", "field keys[1] is empty"},
		{"job: no id", func(c *g2a.Client) error { _, err := c.Job(ctx, ""); return err }, "GET /jobs/{id}", "field id is missing"},
		{"simulation: no product", simulate("", money("1"), ""), "GET /prices/simulations", "field productId is missing"},
		{"simulation: price", simulate("7", euros("1.001"), ""), "GET /prices/simulations", "field price has more than 2 places"},
		{"simulation: country", simulate("7", money("1"), "de"), "GET /prices/simulations", "field country is not two upper-case letters"},
		{"bestsellers: page size", func(c *g2a.Client) error {
			_, err := c.Bestsellers(ctx, g2a.BestsellerQuery{PerPage: 7})
			return err
		}, "GET /bestsellers", "field perPage is none of"},
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
	f.Add(`{"data":[{` + offerFields + `,"inventory":{"size":3},"variant":{}}],"meta":{"currentPage":1,"lastPage":1,"perPage":10,"total":1}}`)
	f.Add(`{"data":[null,{},[],"` + testAccess + `"],"meta":null}`)
	f.Add(`{"data":[{"id":"` + testAccess + `","offerType":"` + testKey + `"}],"meta":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		page, err := newClient(&script{replies: []reply{answer(200, text)}}).Offers(t.Context(), g2a.OfferQuery{})
		if err != nil {
			if !errors.Is(err, g2a.ErrMalformedAnswer) || page.Items != nil {
				t.Errorf("error is %v, page %+v", err, page)
			}
			assertDiscreet(t, err)
			return
		}
		if page.Number < 1 || page.PerPage < 1 || page.Total < 0 {
			t.Errorf("page is %+v", page)
		}
		for _, o := range page.Items {
			if o.ID == "" || o.ProductID == "" || o.Price.Currency != "EUR" || o.Price.Amount.IsNegative() || o.Type == "" || o.Visibility == "" || o.Status == "" ||
				o.Inventory != nil && *o.Inventory < 0 || o.Variant != nil && !json.Valid(o.Variant) {
				t.Errorf("offer is %+v", o)
			}
		}
	})
}

package g2atest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const idempotencyKey = "Idempotency-Key: 5a1c7e4e-0000-4000-8000-00000000000a"

// v2Order is the body of POST /orders.
func v2Order(productID string, quantity int, maxPrice string) string {
	return fmt.Sprintf(`{"items":[{"auto":{"productId":%q,"quantity":%d,"maxPrice":%q}}],"currency":"EUR"}`, productID, quantity, maxPrice)
}

// wish is an order of the Export API v2 whose idempotency key ends with these digits.
func wish(productID string, quantity int, limit string, digits int) g2a.NewOrder {
	return g2a.NewOrder{
		IdempotencyKey: fmt.Sprintf("5a1c7e4e-0000-4000-9000-%012d", digits), ProductID: productID, Quantity: quantity,
		MaxPrice: g2a.Money{Amount: decimal.RequireFromString(limit), Currency: "EUR"},
	}
}

// placeOrder places an order with a limit that is large enough.
func placeOrder(t *testing.T, srv *g2atest.Server, productID string, quantity int) g2a.Order {
	t.Helper()
	order, err := client(t, srv).PlaceOrder(t.Context(), wish(productID, quantity, "9999", quantity))
	if err != nil {
		t.Fatalf("placing an order: %v", err)
	}
	return order
}

// keysOf asks for an order's keys.
func keysOf(t *testing.T, c *g2a.Client, orderID string) []string {
	t.Helper()
	keys, err := c.OrderKeys(t.Context(), orderID)
	if err != nil {
		t.Fatalf("asking for keys: %v", err)
	}
	values := []string{}
	for _, key := range keys {
		values = append(values, key.Value.Reveal())
	}
	return values
}

func v2(set func(*g2atest.V2Options)) func(*g2atest.Options) {
	return func(o *g2atest.Options) { set(&o.V2) }
}

// TestV2Order goes from an order of three pieces to its keys, and through the books.
func TestV2Order(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	before := stock(t, c, plentiful)
	order, err := c.PlaceOrder(t.Context(), wish(plentiful, 3, "4.99", 1))
	if err != nil || order.Status != g2a.OrderComplete || order.Price.String() != "14.97 EUR" {
		t.Fatalf("order is %+v, error %v", order, err)
	}
	keys := keysOf(t, c, order.ID)
	if again := keysOf(t, c, order.ID); len(keys) != 3 || !slices.Equal(again, keys) || keys[0] == keys[1] {
		t.Errorf("%d keys, then %d", len(keys), len(again))
	}
	if got := before - stock(t, c, plentiful); got != 3 {
		t.Errorf("%d pieces are gone, want 3", got)
	}
	got := record(t, srv, order.ID)
	sums := []string{hexSHA256(keys[0]), hexSHA256(keys[1]), hexSHA256(keys[2])}
	if !slices.Equal(got.KeysSHA256, sums) || got.KeySHA256 != sums[0] || got.Quantity != 3 || got.IdempotencyKey != wish("", 0, "0", 1).IdempotencyKey ||
		got.Price != "14.97" || got.Charged != "14.97" || got.Charges != 1 || !got.Paid || !got.KeyRevealed || got.KeyCalls != 2 || got.Status != "complete" {
		t.Errorf("record is %+v", got)
	}
	stats := srv.Simulator.Stats()
	if stats.OrdersCreated != 1 || stats.OrdersPaid != 1 || stats.Charges != 1 || stats.KeysRevealed != 3 || stats.Wallet != "9985.03" {
		t.Errorf("stats are %+v", stats)
	}
}

// TestV2AndV1OrdersAreSeparate: neither API knows the other's.
func TestV2AndV1OrdersAreSeparate(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	old, placed := createOrder(t, c, plentiful), placeOrder(t, srv, plentiful, 1)
	_, detailsErr := c.OrderDetails(t.Context(), placed.ID)
	_, payErr := c.PayOrder(t.Context(), placed.ID)
	_, keyErr := c.OrderKey(t.Context(), placed.ID)
	_, keysErr := c.OrderKeys(t.Context(), old.ID)
	for _, err := range []error{detailsErr, payErr, keyErr, keysErr} {
		if !errors.Is(err, g2a.ErrNotFound) {
			t.Errorf("error is %v, want ErrNotFound", err)
		}
	}
}

func TestV2Refuses(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.Wallet = decimal.NewFromInt(100) })
	token := bearer(t, srv)
	ids := func(n int) string { return strings.Repeat("productIds[]=1&", n) }
	item := `{"auto":{"productId":"` + plentiful + `","quantity":1,"maxPrice":"5"}}`
	good := v2Order(plentiful, 1, "5")
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		field              string
	}{
		"no token":           {"GET", "/product-offers", "", nil, 401, ""},
		"an unknown token":   {"GET", "/product-offers", "", []string{"Authorization: Bearer x"}, 401, ""},
		"the hash and key":   {"GET", "/product-offers", "", []string{credentials(srv)}, 401, ""},
		"an odd page size":   {"GET", "/product-offers?itemsPerPage=30", "", []string{token}, 400, "itemsPerPage"},
		"page 0":             {"GET", "/product-offers?page=0", "", []string{token}, 400, "page"},
		"an odd time":        {"GET", "/product-offers?updatedAtFrom=2025-01-01", "", []string{token}, 400, "updatedAtFrom"},
		"101 ids":            {"GET", "/product-offers?" + ids(101), "", []string{token}, 400, "productIds"},
		"no such product":    {"GET", "/product-offers/1", "", []string{token}, 404, ""},
		"21 ids":             {"GET", "/products?" + ids(21), "", []string{token}, 400, "productIds"},
		"no ids":             {"GET", "/products", "", []string{token}, 400, "productIds"},
		"no such order":      {"GET", "/orders/1/keys", "", []string{token}, 404, ""},
		"no key":             {"POST", "/orders", good, []string{token}, 400, "Idempotency-Key"},
		"key not a UUID":     {"POST", "/orders", good, []string{token, "Idempotency-Key: 1"}, 400, "Idempotency-Key"},
		"not JSON":           {"POST", "/orders", "{", []string{token, idempotencyKey}, 400, ""},
		"no item":            {"POST", "/orders", `{"items":[],"currency":"EUR"}`, []string{token, idempotencyKey}, 400, "items"},
		"two items":          {"POST", "/orders", `{"items":[` + item + `,` + item + `],"currency":"EUR"}`, []string{token, idempotencyKey}, 400, "items"},
		"another currency":   {"POST", "/orders", strings.Replace(good, "EUR", "USD", 1), []string{token, idempotencyKey}, 400, "currency"},
		"no currency":        {"POST", "/orders", `{"items":[` + item + `]}`, []string{token, idempotencyKey}, 400, "currency"},
		"not auto":           {"POST", "/orders", `{"items":[{"offer":{}}],"currency":"EUR"}`, []string{token, idempotencyKey}, 400, "items[0].auto"},
		"maxPrice a number":  {"POST", "/orders", strings.Replace(good, `"5"`, `5`, 1), []string{token, idempotencyKey}, 400, "items[0].auto"},
		"maxPrice no price":  {"POST", "/orders", v2Order(plentiful, 1, "5.001"), []string{token, idempotencyKey}, 400, "items[0].auto.maxPrice"},
		"no product":         {"POST", "/orders", v2Order("", 1, "5"), []string{token, idempotencyKey}, 400, "items[0].auto.productId"},
		"an unknown product": {"POST", "/orders", v2Order("1", 1, "5"), []string{token, idempotencyKey}, 404, ""},
		"no piece":           {"POST", "/orders", v2Order(plentiful, 0, "5"), []string{token, idempotencyKey}, 400, "items[0].auto.quantity"},
		"sold out":           {"POST", "/orders", v2Order(soldOut, 1, "999"), []string{token, idempotencyKey}, 400, "items[0].auto.quantity"},
		"more than there is": {"POST", "/orders", v2Order(lastOne, 2, "999"), []string{token, idempotencyKey}, 400, "items[0].auto.quantity"},
		"above the limit":    {"POST", "/orders", v2Order(plentiful, 2, "4.98"), []string{token, idempotencyKey}, 400, "items[0].auto.maxPrice"},
		"too little money":   {"POST", "/orders", v2Order(plentiful, 21, "5"), []string{token, idempotencyKey}, 402, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, srv, test.method, "/export/v1"+test.path, test.body, append(test.headers, "Content-Type: application/json")...)
			var body struct {
				Error struct {
					Code, Message string
					Status        int
					Errors        []struct{ Field, Message string }
				}
				TraceID string
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatal(err)
			}
			e, field := body.Error, ""
			if len(e.Errors) == 1 {
				field = e.Errors[0].Field
			}
			if got.status != test.status || e.Status != test.status || e.Code == "" || e.Message == "" || body.TraceID == "" || field != test.field {
				t.Errorf("answer is %d %s, want %d for %q", got.status, got.body, test.status, test.field)
			}
		})
	}
	if stats := srv.Simulator.Stats(); stats.OrdersCreated != 0 || stats.Wallet != "100" {
		t.Errorf("stats are %+v, want no order", stats)
	}
}

func TestV2Catalogue(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	seen := map[string]g2a.ProductOffer{}
	for offer, err := range c.AllProductOffers(t.Context(), g2a.ProductOfferQuery{PerPage: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[offer.ID] = offer; len(offer.Odd) > 0 || offer.Quantity > 0 && (len(offer.Offers) != 1 || offer.Offers[0].Price.String() != offer.MinPrice.String()) {
			t.Errorf("offer is %+v", offer)
		}
	}
	all, err := c.Products(t.Context(), g2a.ProductQuery{IncludeOutOfStock: true})
	if err != nil || len(seen) != all.Total {
		t.Errorf("%d products, at the Export API v1 %d, error %v", len(seen), all.Total, err)
	}
	if sold := seen[soldOut]; sold.Quantity != 0 || !sold.MinPrice.IsZero() || len(sold.Offers) != 0 || sold.Name == "" {
		t.Errorf("what is sold out is %+v", sold)
	}
	page, err := c.ProductOffers(t.Context(), g2a.ProductOfferQuery{ProductIDs: []string{plentiful, "1", soldOut}})
	if err != nil || len(page.Products) != 2 || page.HasNext || page.Total != 2 || page.Page != 1 {
		t.Errorf("two of three are %+v, error %v", page, err)
	}
	dated := all.Products[slices.IndexFunc(all.Products, func(p g2a.Product) bool { return p.UpdatedAt != "" })].ID
	updated, err := time.Parse(time.RFC3339, seen[dated].UpdatedAt)
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[time.Time]int{updated: 1, updated.Add(time.Second): 0} {
		page, err := c.ProductOffers(t.Context(), g2a.ProductOfferQuery{ProductIDs: []string{dated}, UpdatedAtFrom: from})
		if err != nil || len(page.Products) != want {
			t.Errorf("updated from %v: %d products, error %v; want %d", from, len(page.Products), err, want)
		}
	}
	details, err := c.ProductDetails(t.Context(), []string{plentiful, "1"})
	if err != nil || len(details) != 1 || len(details[0].Odd) > 0 || details[0].Slug == "" || len(details[0].Categories) == 0 {
		t.Errorf("details are %+v, error %v", details, err)
	}
}

func TestV2MoneyAsNumber(t *testing.T) {
	srv := newServer(t, v2(func(o *g2atest.V2Options) { o.MoneyAsNumber = true }))
	token := bearer(t, srv)
	for path, want := range map[string]string{
		"/product-offers/" + plentiful: `"minPrice":4.99`, "/products?productIds[]=" + plentiful: `"minPrice":4.99`,
	} {
		if got := send(t, srv, "GET", "/export/v1"+path, "", token); !strings.Contains(got.body, want) {
			t.Errorf("answer is %s, want %s", got.body, want)
		}
	}
	if order := placeOrder(t, srv, plentiful, 2); order.Price.String() != "9.98 EUR" {
		t.Errorf("order is %+v", order)
	}
}

func TestV2OrderStatus(t *testing.T) {
	for option, want := range map[int]int{0: 201, 200: 200, 201: 201, 202: 202} {
		srv := newServer(t, v2(func(o *g2atest.V2Options) { o.OrderStatus = option }))
		got := send(t, srv, "POST", "/export/v1/orders", v2Order(plentiful, 1, "5"), bearer(t, srv), idempotencyKey, "Content-Type: application/json")
		if got.status != want {
			t.Errorf("answer is %d, want %d", got.status, want)
		}
	}
}

// TestV2IdempotencyKey: the same key is the same order, or what the options say.
func TestV2IdempotencyKey(t *testing.T) {
	first, other := wish(plentiful, 1, "5", 1), wish(plentiful, 2, "5", 1)
	for name, test := range map[string]struct {
		options func(*g2atest.V2Options)
		after   time.Duration
		again   g2a.NewOrder
		orders  int
		kind    error
	}{
		"the same":                   {func(*g2atest.V2Options) {}, 1000 * time.Hour, first, 1, nil},
		"another body":               {func(*g2atest.V2Options) {}, 0, other, 1, g2a.ErrExists},
		"the same, as a conflict":    {func(o *g2atest.V2Options) { o.Replay = "conflict" }, 0, first, 1, g2a.ErrExists},
		"at the end of its life":     {func(o *g2atest.V2Options) { o.IdempotencyLife = time.Hour }, time.Hour - 1, first, 1, nil},
		"after its life":             {func(o *g2atest.V2Options) { o.IdempotencyLife = time.Hour }, time.Hour, first, 2, nil},
		"another one after its life": {func(o *g2atest.V2Options) { o.IdempotencyLife = time.Hour }, time.Hour, other, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			srv := newServer(t, withClock(clock), v2(test.options))
			c := client(t, srv)
			order, err := c.PlaceOrder(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			clock.Advance(test.after)
			again, err := c.PlaceOrder(t.Context(), test.again)
			if !errors.Is(err, test.kind) || err == nil && (again.ID == order.ID) != (test.orders == 1) {
				t.Errorf("again it is %+v, error %v; want %v", again, err, test.kind)
			}
			stats := srv.Simulator.Stats()
			if stats.OrdersCreated != test.orders || stats.Charges != test.orders {
				t.Errorf("%d orders, %d charges; want %d", stats.OrdersCreated, stats.Charges, test.orders)
			}
			for _, record := range srv.Simulator.Orders() {
				if record.IdempotencyKey != first.IdempotencyKey {
					t.Errorf("the book names the key %q", record.IdempotencyKey)
				}
			}
		})
	}
}

func TestV2MaxPrice(t *testing.T) {
	for name, test := range map[string]struct {
		options func(*g2atest.V2Options)
		limit   string
		price   string // "" is refused
	}{
		"of one piece":           {func(*g2atest.V2Options) {}, "4.99", "9.98 EUR"},
		"of all, for one":        {func(o *g2atest.V2Options) { o.MaxPriceIsTotal = true }, "4.99", ""},
		"of all":                 {func(o *g2atest.V2Options) { o.MaxPriceIsTotal = true }, "9.98", "9.98 EUR"},
		"overcharged":            {func(o *g2atest.V2Options) { o.Surcharge = decimal.RequireFromString("0.50") }, "4.99", "10.48 EUR"},
		"overcharged, but broke": {func(o *g2atest.V2Options) { o.Surcharge = decimal.NewFromInt(10_000) }, "4.99", ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, v2(test.options))
			order, err := client(t, srv).PlaceOrder(t.Context(), wish(plentiful, 2, test.limit, 1))
			if (err != nil) != (test.price == "") || err == nil && order.Price.String() != test.price {
				t.Fatalf("order is %+v, error %v; want it for %q", order, err, test.price)
			}
			if err == nil && record(t, srv, order.ID).Charged.String()+" EUR" != test.price {
				t.Errorf("record is %+v", record(t, srv, order.ID))
			}
		})
	}
}

// TestV2Pending: until the payment has settled and the order is complete, there are no keys.
func TestV2Pending(t *testing.T) {
	for form, kind := range map[string]error{"": nil, "empty": nil, "202": nil, "404": g2a.ErrNotFound, "409": g2a.ErrExists} {
		t.Run(form, func(t *testing.T) {
			clock := newClock()
			srv := newServer(t, withClock(clock), v2(func(o *g2atest.V2Options) { o.Pending = form }), func(o *g2atest.Options) {
				o.PaymentDelay, o.CompleteAfter, o.PendingDetails = time.Minute, time.Minute, 1
			})
			c := client(t, srv)
			order := placeOrder(t, srv, plentiful, 1)
			if order.Status != g2a.OrderPending {
				t.Errorf("order is %+v", order)
			}
			for _, step := range []struct {
				charges, keys int
			}{{0, 0}, {1, 0}, {1, 1}} {
				keys, err := c.OrderKeys(t.Context(), order.ID)
				if want := kind; step.keys > 0 && err != nil || step.keys == 0 && !errors.Is(err, want) || len(keys) != step.keys {
					t.Errorf("%d keys, error %v; want %d, or %v", len(keys), err, step.keys, want)
				}
				if stats := srv.Simulator.Stats(); stats.Charges != step.charges || stats.KeysRevealed != step.keys || stats.OrdersCreated != 1 {
					t.Errorf("stats are %+v", stats)
				}
				clock.Advance(time.Minute)
			}
		})
	}
}

// TestV2MoneyIsHeld until the payment settles.
func TestV2MoneyIsHeld(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.PaymentDelay, o.Wallet = time.Hour, decimal.NewFromInt(6) })
	placeOrder(t, srv, plentiful, 1)
	if _, err := client(t, srv).PlaceOrder(t.Context(), wish(plentiful, 1, "5", 9)); !errors.Is(err, g2a.ErrPaymentRequired) {
		t.Errorf("error is %v, want ErrPaymentRequired", err)
	}
}

func TestV2KeysTrickleIn(t *testing.T) {
	for name, test := range map[string]struct {
		options func(*g2atest.V2Options)
		calls   string // keys that each call finds, of three
	}{
		"at once":             {func(*g2atest.V2Options) {}, "3 3 3"},
		"one call lacks one":  {func(o *g2atest.V2Options) { o.PartialKeys = 1 }, "2 3 3"},
		"one a call":          {func(o *g2atest.V2Options) { o.PartialKeys = 2 }, "1 2 3 3"},
		"none at first":       {func(o *g2atest.V2Options) { o.PartialKeys = 4 }, "0 0 1 2 3"},
		"once":                {func(o *g2atest.V2Options) { o.KeysOnce = true }, "3 0 0"},
		"once each, one call": {func(o *g2atest.V2Options) { o.KeysOnce, o.PartialKeys = true, 2 }, "1 1 1 0"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, v2(test.options))
			c := client(t, srv)
			order := placeOrder(t, srv, plentiful, 3)
			var calls []string
			known := map[string]bool{}
			for range strings.Fields(test.calls) {
				keys := keysOf(t, c, order.ID)
				for _, key := range keys {
					known[hexSHA256(key)] = true
				}
				calls = append(calls, fmt.Sprint(len(keys)))
				if got := srv.Simulator.Stats().KeysRevealed; got != len(known) {
					t.Errorf("%d keys revealed, want %d", got, len(known))
				}
				if got := record(t, srv, order.ID).KeyRevealed; got != (len(known) == 3) {
					t.Errorf("all revealed is %t after %d", got, len(known))
				}
			}
			if got := strings.Join(calls, " "); got != test.calls {
				t.Errorf("the calls find %s, want %s", got, test.calls)
			}
			for _, sum := range record(t, srv, order.ID).KeysSHA256 {
				if !known[sum] {
					t.Error("a key of the book was not given out")
				}
			}
		})
	}
}

// TestV2KeysAreKept for a time from the order on.
func TestV2KeysAreKept(t *testing.T) {
	for option, want := range map[time.Duration]time.Duration{0: 48 * time.Hour, time.Hour: time.Hour} {
		clock := newClock()
		srv := newServer(t, withClock(clock), v2(func(o *g2atest.V2Options) { o.KeysFor = option }))
		c := client(t, srv)
		order := placeOrder(t, srv, plentiful, 1)
		clock.Advance(want - 1)
		if got := keysOf(t, c, order.ID); len(got) != 1 {
			t.Errorf("%d keys, want one", len(got))
		}
		clock.Advance(1)
		var e *g2a.Error
		if _, err := c.OrderKeys(t.Context(), order.ID); !errors.As(err, &e) || e.Status != http.StatusGone {
			t.Errorf("error is %v, want 410", err)
		}
	}
}

// TestV2Faults have the form of the Export API v2, and know its orders.
func TestV2Faults(t *testing.T) {
	srv := newServer(t)
	order := placeOrder(t, srv, plentiful, 2)
	keys := keysOf(t, client(t, srv), order.ID)
	route := "GET /export/v1/orders/{id}/keys"
	path, token := "/export/v1/orders/"+order.ID+"/keys", bearer(t, srv)
	fault := func(f g2atest.Fault) reply {
		t.Helper()
		f.Route = route
		if err := srv.Simulator.AddFault(f); err != nil {
			t.Fatal(err)
		}
		return send(t, srv, "GET", path, "", token)
	}
	for _, wait := range []string{"", "7"} {
		got := fault(g2atest.Fault{Mode: "status", Status: 429, RetryAfter: json.Number(wait)})
		got.wantFailure(t, 429, "")
		if !strings.Contains(got.body, `"traceId":"`) || got.header.Get("Retry-After") != wait {
			t.Errorf("answer is %s, after %q", got.body, got.header.Get("Retry-After"))
		}
	}
	got := fault(g2atest.Fault{Mode: "answer", Status: 500, Body: `{"a":{{keys}},"b":"{{key}} {{order_id}} {{price}}","c":{{answer}}}`, ContentType: "text/plain"})
	want := `{"a":["` + keys[0] + `","` + keys[1] + `"],"b":"` + keys[0] + ` ` + order.ID + ` 9.98","c":{"data":[{"item":{"id":"`
	if got.status != 500 || !strings.HasPrefix(got.body, want) {
		t.Errorf("answer is %s, want %s…", got.body, want)
	}
}

// TestV2RateLimit counts the Export API v2 by itself.
func TestV2RateLimit(t *testing.T) {
	srv := newServer(t, withClock(newClock()), func(o *g2atest.Options) { o.RateLimit = 1 })
	token := bearer(t, srv)
	for path, header := range map[string]string{"/v1/products": credentials(srv), "/export/v1/product-offers": token} {
		if got := send(t, srv, "GET", path, "", header); got.status != http.StatusOK {
			t.Errorf("%s: answer is %d %s", path, got.status, got.body)
		}
		if got := send(t, srv, "GET", path, "", header); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: the second answer is %d %s", path, got.status, got.body)
		}
	}
}

func TestV2OptionsAreChecked(t *testing.T) {
	for name, set := range map[string]func(*g2atest.V2Options){
		"order status":    func(o *g2atest.V2Options) { o.OrderStatus = 204 },
		"pending":         func(o *g2atest.V2Options) { o.Pending = "410" },
		"replay":          func(o *g2atest.V2Options) { o.Replay = "other" },
		"life":            func(o *g2atest.V2Options) { o.IdempotencyLife = -1 },
		"keys kept":       func(o *g2atest.V2Options) { o.KeysFor = -1 },
		"partial keys":    func(o *g2atest.V2Options) { o.PartialKeys = -1 },
		"negative charge": func(o *g2atest.V2Options) { o.Surcharge = decimal.NewFromInt(-1) },
	} {
		options := g2atest.Options{Credentials: g2a.Credentials{Hash: g2a.NewSecret("h"), Key: g2a.NewSecret("k")}}
		set(&options.V2)
		if _, err := g2atest.New(options); err == nil || !strings.Contains(err.Error(), "Export API v2") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

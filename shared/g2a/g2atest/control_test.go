package g2atest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func TestStatsCountWhatHappened(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	createOrder(t, c, lastOne)
	payOrder(t, c, order.ID)
	if _, err := c.OrderKey(t.Context(), order.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); err == nil {
		t.Fatal("the key came twice")
	}
	if _, err := c.FetchToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	addFault(t, srv, `{"route":"`+payRoute+`","mode":"drop_before"}`)
	if _, err := c.PayOrder(t.Context(), order.ID); err == nil {
		t.Fatal("the fault did not come about")
	}
	send(t, srv, "GET", "/nothing", "")
	got := send(t, srv, "GET", "/_sim/stats", "")
	want := `{"routes":{` +
		`"GET /v1/order/key/{id}":{"calls":2,"statuses":{"200":1,"400":1},"dropped":0},` +
		`"GET /v1/token":{"calls":1,"statuses":{"200":1},"dropped":0},` +
		`"POST /v1/order":{"calls":2,"statuses":{"200":2},"dropped":0},` +
		`"PUT /v1/order/pay/{id}":{"calls":2,"statuses":{"200":1},"dropped":1},` +
		`"unknown":{"calls":1,"statuses":{"404":1},"dropped":0}},` +
		`"tokens_issued":1,"orders_created":2,"orders_paid":1,"keys_revealed":1,"charges":1,"charged":4.99,"wallet":9995.01}`
	if got.status != http.StatusOK || got.body != want {
		t.Errorf("stats are %d\n%s\nwant\n%s", got.status, got.body, want)
	}
}

func TestOrderBookOverHTTP(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock))
	if got := send(t, srv, "GET", "/_sim/orders", ""); got.body != `{"orders":[]}` {
		t.Errorf("the book is %s at the start, want it empty", got.body)
	}
	c := client(t, srv)
	first, second := createOrder(t, c, plentiful), createOrder(t, c, wholeEuro)
	clock.Advance(time.Hour)
	got := send(t, srv, "GET", "/_sim/orders", "")
	unpaid := func(order g2a.Order, productID, price string) string {
		sum := record(t, srv, order.ID).KeySHA256
		return `{"id":"` + order.ID + `","product_id":"` + productID + `","price":` + price + `,"key_sha256":"` + sum +
			`","status":"pending","created_at":1740830400,"lapsed":true,"paid":false,"pay_calls":0,"charges":0,"charged":0,` +
			`"key_calls":0,"key_revealed":false,"keys_revealed":0,"quantity":1,"keys_sha256":["` + sum + `"]}`
	}
	want := `{"orders":[` + unpaid(first, plentiful, "4.99") + `,` + unpaid(second, wholeEuro, "5") + `]}`
	if got.body != want {
		t.Errorf("the book is\n%s\nwant\n%s", got.body, want)
	}
}

func TestResetIsAsAtTheStart(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	start := srv.Simulator.Stats()
	order := createOrder(t, c, lastOne)
	payOrder(t, c, order.ID)
	token := bearer(t, srv)
	offerID := createOffer(t, srv, token, newOffer("game", plentiful, ""))
	addFault(t, srv, `{"route":"*","mode":"status","status":500}`)
	addFault(t, srv, `{"route":"`+productsRoute+`","mode":"status","status":500,"count":9}`)

	if got := send(t, srv, "POST", "/_sim/reset", ""); got.status != http.StatusOK {
		t.Fatalf("reset: answer is %d %s", got.status, got.body)
	}
	if stats := srv.Simulator.Stats(); !reflect.DeepEqual(stats, start) {
		t.Errorf("stats are %+v, want %+v", stats, start)
	}
	if book := srv.Simulator.Orders(); len(book) != 0 {
		t.Errorf("the book is %v, want it empty", book)
	}
	if left := stock(t, c, lastOne); left != 1 {
		t.Errorf("%d are left, want 1", left)
	}
	send(t, srv, "GET", "/v1/order/details/"+order.ID, "", credentials(srv)).wantFailure(t, 404, "ORD02")
	send(t, srv, "GET", "/v3/sales/offers", "", token).wantFailure(t, 401, "AUTH02")
	send(t, srv, "GET", "/v3/sales/offers/"+offerID, "", bearer(t, srv)).wantFailure(t, 404, "ERROR")
}

func TestUnknownControlRoutesAreNotFound(t *testing.T) {
	srv := newServer(t)
	for _, route := range []string{"GET /_sim/reset", "POST /_sim/stats", "GET /_sim/", "POST /_sim/nothing"} {
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			got := send(t, srv, method, path, "")
			got.wantFailure(t, http.StatusNotFound, "")
			if !strings.Contains(got.body, route) {
				t.Errorf("answer is %s, want one that names %s", got.body, route)
			}
		})
	}
	if stats := srv.Simulator.Stats(); len(stats.Routes) != 0 {
		t.Errorf("stats are %+v, want control routes not to be counted", stats)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*g2atest.Options)
		want   string
	}{
		"no hash":            {func(o *g2atest.Options) { o.Credentials.Hash = g2a.Secret{} }, "a hash and a key"},
		"no key":             {func(o *g2atest.Options) { o.Credentials.Key = g2a.Secret{} }, "a hash and a key"},
		"negative wallet":    {func(o *g2atest.Options) { o.Wallet = decimal.NewFromInt(-1) }, "negative"},
		"negative token":     {func(o *g2atest.Options) { o.TokenLife = -1 }, "negative"},
		"token of half":      {func(o *g2atest.Options) { o.TokenLife = 1500 * time.Millisecond }, "whole seconds"},
		"negative wait":      {func(o *g2atest.Options) { o.CompleteAfter = -1 }, "negative"},
		"negative details":   {func(o *g2atest.Options) { o.PendingDetails = -1 }, "negative"},
		"negative limit":     {func(o *g2atest.Options) { o.RateLimit = -1 }, "negative"},
		"negative delay":     {func(o *g2atest.Options) { o.PaymentDelay = -1 }, "negative"},
		"negative lag":       {func(o *g2atest.Options) { o.DetailsLag = -1 }, "negative"},
		"negative key":       {func(o *g2atest.Options) { o.FileKeySize = -1 }, "negative"},
		"key without room":   {func(o *g2atest.Options) { o.FileKeySize = 78 }, "at least 79 bytes"},
		"smallest key":       {func(o *g2atest.Options) { o.FileKeySize = 79 }, ""},
		"nothing is changed": {func(*g2atest.Options) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := g2atest.Options{Credentials: testCredentials}
			test.change(&options)
			_, err := g2atest.New(options)
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	r := newReceiver(t, time.Now, http.StatusOK, `{}`)
	srv := newServer(t, func(o *g2atest.Options) {
		o.Credentials, o.WebhookURL, o.Log = testCredentials, r.URL+"/webhooks/g2a", slog.New(slog.NewJSONHandler(&log, nil))
	})
	secrets := []string{testCredentials.Hash.Reveal(), testCredentials.Key.Reveal()}
	for _, flow := range []string{"hash", "client_credentials"} {
		token, err := client(t, srv, "G2A_TOKEN_FLOW="+flow, "G2A_AUTH_SCHEME=signed").FetchToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, token.Access.Reveal())
		send(t, srv, "GET", "/v3/sales/offers?token="+token.Access.Reveal(), "", "Authorization: Bearer "+token.Access.Reveal())
	}
	c := client(t, srv)
	for _, product := range []string{plentiful, asFile} {
		order := createOrder(t, c, product)
		payOrder(t, c, order.ID)
		key, err := c.OrderKey(t.Context(), order.ID)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key.Value.Reveal())
	}
	createOffer(t, srv, bearer(t, srv), newOffer("game", plentiful, ""))
	send(t, srv, "POST", "/v3/sales/offers/inventory", `{"keys":["SELLERS-OWN-KEY"]}`, bearer(t, srv))
	send(t, srv, "GET", "/v1/products", "", "Authorization: "+testCredentials.Hash.Reveal()+", wrong")
	send(t, srv, "GET", "/nothing/"+testCredentials.Key.Reveal()+"?key="+testCredentials.Key.Reveal(), "")
	send(t, srv, "GET", "/_sim/"+testCredentials.Key.Reveal(), "")
	send(t, srv, "POST", "/_sim/webhook", `{"order_id":"1","type":"order.failed","status":"failed"}`)
	secrets = append(append(secrets, "SELLERS-OWN-KEY"), r.signatures...)
	if len(secrets) != 8 {
		t.Fatalf("%d secrets, want 8: the test has lost one", len(secrets))
	}
	for i, secret := range secrets {
		if secret == "" || strings.Contains(log.String(), secret) {
			t.Errorf("secret %d is empty or in the log", i)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	var routes []string
	for _, line := range lines {
		var entry struct{ Route string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("line %s: %v", line, err)
		}
		routes = append(routes, entry.Route)
	}
	for _, route := range []string{"POST /oauth/token", "GET /v1/token", payRoute, keyRoute, "POST /v3/sales/offers/inventory", "unknown", "POST /_sim/webhook"} {
		if !strings.Contains(strings.Join(routes, "\n"), route) {
			t.Errorf("the log has no line of %s", route)
		}
	}
}

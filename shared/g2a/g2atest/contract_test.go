package g2atest_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// call is one call of a route that succeeds.
type call struct{ route, path, body, authorization string }

func (c call) send(t *testing.T, srv *g2atest.Server) reply {
	t.Helper()
	method, _, _ := strings.Cut(c.route, " ")
	headers := []string{"X-Correlation-ID: c-1"}
	if c.authorization != "" {
		headers = append(headers, c.authorization)
	}
	switch {
	case c.route == "POST /oauth/token":
		headers = append(headers, "Content-Type: application/x-www-form-urlencoded")
	case c.body != "":
		headers = append(headers, "Content-Type: application/json")
	}
	if c.route == "POST /export/v1/orders" {
		headers = append(headers, idempotencyKey)
	}
	return send(t, srv, method, c.path, c.body, headers...)
}

// everyCall gives a call of each route of G2A's, to be sent in this order.
func everyCall(t *testing.T, srv *g2atest.Server) []call {
	t.Helper()
	account, token := credentials(srv), bearer(t, srv)
	id := createOrder(t, client(t, srv), plentiful).ID
	grant := url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.Credentials.Hash.Reveal()}, "client_secret": {srv.Credentials.Key.Reveal()}}
	calls := []call{
		{"GET /v1/products", "/v1/products?page=2&minQty=1", "", account},
		{"POST /v1/order", "/v1/order", `{"product_id":"` + cheapest + `","currency":"EUR","max_price":1.00}`, account},
		{"PUT /v1/order/pay/{id}", "/v1/order/pay/" + id, "", account},
		{"GET /v1/order/details/{id}", "/v1/order/details/" + id, "", account},
		{"GET /v1/order/key/{id}", "/v1/order/key/" + id, "", account},
		{"POST /oauth/token", "/oauth/token", grant.Encode(), ""},
		{"GET /export/v1/product-offers", "/export/v1/product-offers?page=2&itemsPerPage=10", "", token},
		{"GET /export/v1/product-offers/{id}", "/export/v1/product-offers/" + plentiful, "", token},
		{"GET /export/v1/products", "/export/v1/products?productIds[]=" + plentiful, "", token},
		{"POST /export/v1/orders", "/export/v1/orders", v2Order(plentiful, 2, "4.99"), token},
		{"GET /export/v1/orders/{id}/keys", "/export/v1/orders/" + placeOrder(t, srv, wholeEuro, 1).ID + "/keys", "", token},
	}
	for _, base := range []string{"/v1", "/integration-api/v1"} {
		calls = append(calls, call{"GET " + base + "/token", base + "/token", "", account})
	}
	calls = append(calls, importCalls(t, srv, token)...)
	if got, want := routesOf(calls), allRoutes(t, srv); !slices.Equal(got, want) {
		t.Fatalf("there are calls of %q\nwant one of each of %q", got, want)
	}
	return calls
}

// importCalls returns a call of each route of the Import API's.
func importCalls(t *testing.T, srv *g2atest.Server, token string) []call {
	t.Helper()
	const offers = "/v3/sales/offers"
	offer := createOffer(t, srv, token, newOffer("game", plentiful, `"inventory":{"size":5}`))
	dead := createOffer(t, srv, token, newOffer("promo", plentiful, `"active":false`))
	order, err := srv.Simulator.Sell(offer)
	if err != nil {
		t.Fatal(err)
	}
	items := inventory(t, srv, token, offer)
	offerPath := offers + "/" + offer
	return []call{
		{"POST " + offers, offers, newOffer("preorder", plentiful, `"inventory":{"size":2}`), token},
		{"GET " + offers, offers + "?itemsPerPage=20&type=game", "", token},
		{"GET " + offers + "/{offerId}", offerPath, "", token},
		{"PATCH " + offers + "/{offerId}", offerPath, `{"offerType":"game","variant":{"price":{"retail":"4.98"},"active":false}}`, token},
		{"DELETE " + offers + "/{offerId}", offers + "/" + dead, "", token},
		{"POST " + offers + "/inventory", offers + "/inventory", `{"keys":["A-1"]}`, token},
		{"GET " + offers + "/{offerId}/inventory", offerPath + "/inventory?page=1", "", token},
		{"DELETE " + offers + "/{offerId}/inventory/{itemId}", offerPath + "/inventory/" + items[0], "", token},
		{"DELETE " + offers + "/{offerId}/inventory", offerPath + "/inventory", "", token},
		{"GET /v3/jobs/{jobId}", "/v3/jobs/" + startJob(t, srv, token, newOffer("steamgift", plentiful, "")), "", token},
		{"GET /v3/pricing/simulations", "/v3/pricing/simulations?price=4.99&currency=EUR&productId=" + plentiful, "", token},
		{"GET /v3/sales/bestsellers", "/v3/sales/bestsellers?daysNumber=2&productIds[]=" + plentiful, "", token},
		{"GET /v3/products/{productId}/offers", "/v3/products/" + plentiful + "/offers?countryCode=DE", "", token},
		{"GET /v3/sales/orders", "/v3/sales/orders?statuses[]=completed", "", token},
		{"GET /v3/sales/orders/{orderId}", "/v3/sales/orders/" + order, "", token},
	}
}

func routesOf(calls []call) []string {
	routes := make([]string, 0, len(calls))
	for _, c := range calls {
		routes = append(routes, c.route)
	}
	slices.Sort(routes)
	return routes
}

// allRoutes asks the simulator, which tells them to whoever names a wrong one.
func allRoutes(t *testing.T, srv *g2atest.Server) []string {
	t.Helper()
	err := srv.Simulator.AddFault(g2atest.Fault{Route: "none", Mode: "drop_after"})
	if err == nil {
		t.Fatal("a fault of no route was taken")
	}
	var routes []string
	for _, quoted := range regexp.MustCompile(`"([A-Z]+ /[^"]*)"`).FindAllStringSubmatch(err.Error(), -1) {
		routes = append(routes, quoted[1])
	}
	return routes
}

// TestEveryOperationIsAsInTheContract leaves no operation of the contract unchecked,
// and no route of the simulator: requests and answers, on both base paths.
func TestEveryOperationIsAsInTheContract(t *testing.T) {
	srv := newServer(t)
	calls := everyCall(t, srv)
	exercised := map[string]bool{}
	next := contracttest.G2A().Transport(srv.Client().Transport, func(err error) { t.Error(err) })
	srv.Client().Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil && response.StatusCode/100 == 2 {
			exercised[contracttest.G2A().Operation(r)] = true
		}
		return response, err
	})
	for _, c := range calls {
		if got := c.send(t, srv); got.status/100 != 2 {
			t.Errorf("%s: answer is %d %s, want success", c.route, got.status, got.body)
		}
	}
	if got, want := slices.Sorted(maps.Keys(exercised)), contracttest.G2A().Operations(); !slices.Equal(got, want) {
		t.Errorf("exercised are %q\nwant all of %q", got, want)
	}
}

// codes are those of the contract, with the status each comes with.
var codes = map[string]int{
	"AUTH01": 403, "AUTH02": 401, "AUTH03": 401, "AUTH04": 401, "BR01": 400, "BR02": 400, "BR03": 429, "ORD02": 404,
	"ORD004": 400, "ORD03": 403, "ORD05": 402, "ORD112": 403, "ORD114": 403, "ORD121": 403, "ORD122": 502,
}

func TestEveryCodeCanBeHadOnEveryRoute(t *testing.T) {
	srv := newServer(t)
	for _, c := range everyCall(t, srv) {
		for code, status := range codes {
			t.Run(c.route+", "+code, func(t *testing.T) {
				if err := srv.Simulator.AddFault(g2atest.Fault{Route: c.route, Mode: "status", Code: code}); err != nil {
					t.Fatal(err)
				}
				c.send(t, srv).wantFailure(t, status, code)
			})
		}
	}
}

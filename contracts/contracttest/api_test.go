package contracttest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// reports collects what a check has to say.
type reports struct {
	mu   sync.Mutex
	errs []string
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err.Error())
}

// want checks that there is one report, with this text in it; "" is none at all.
func (r *reports) want(t *testing.T, text string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case text == "" && len(r.errs) > 0:
		t.Errorf("reported is %q, want nothing", r.errs)
	case text != "" && (len(r.errs) != 1 || !strings.Contains(r.errs[0], text) || regexp.MustCompile("\n|Schema:").MatchString(r.errs[0])):
		t.Errorf("reported is %q, want one, on one line and without the schema, with %q", r.errs, text)
	}
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering gives every request one answer.
func answering(status int, header http.Header, body string) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: header, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	})
}

// request is one that a test sends. Headers are "Name: value".
type request struct {
	method, url, body string
	headers           []string
}

func (r request) send(t *testing.T, through http.RoundTripper) (status int, body string) {
	t.Helper()
	httpRequest, err := http.NewRequestWithContext(t.Context(), r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range r.headers {
		name, value, _ := strings.Cut(header, ": ")
		httpRequest.Header.Add(name, value)
	}
	response, err := through.RoundTrip(httpRequest)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(received)
}

const (
	correlation = "X-Correlation-ID: c-1"
	credentials = "Authorization: hash, key"
	bearer      = "Authorization: Bearer token"
	inJSON      = "Content-Type: application/json"
	base        = "https://127.0.0.1:8443"
)

var signed = []string{
	correlation, "X-API-HASH: hash", "X-API-KEY: key", "X-G2A-Timestamp: 1764000000", "X-G2A-Hash: " + sha256,
}

func TestRequestsToG2A(t *testing.T) {
	order := func(body string) request {
		return request{"POST", base + "/v1/order", body, []string{correlation, credentials, inJSON}}
	}
	offer := func(method, path, body string) request {
		return request{method, base + "/v3/sales/offers" + path, body, []string{correlation, bearer, inJSON}}
	}
	newOffer := func(variant string) request {
		return offer("POST", "", `{"offerType":"game","variants":[{"productId":"1","visibility":"all",`+variant+`}]}`)
	}
	get := func(path string, headers ...string) request {
		return request{"GET", base + path, "", append(headers, correlation)}
	}
	grant := func(form string) request {
		return request{"POST", base + "/oauth/token", form, []string{correlation, "Content-Type: application/x-www-form-urlencoded"}}
	}
	const named = "Idempotency-Key: 5a1c7e4e-0000-4000-8000-000000000001"
	item := `{"auto":{"productId":"1","quantity":2,"maxPrice":"5.50"}}`
	place := func(items string, headers ...string) request {
		return request{"POST", base + "/export/v1/orders", `{"items":[` + items + `],"currency":"EUR"}`, append(headers, correlation, bearer, inJSON)}
	}
	// In the contract for every call, and for what is no call.
	missing := roundTrip(func(r *http.Request) (*http.Response, error) {
		form := `{"status":"ERROR","message":"missing","error":{}}`
		if strings.HasPrefix(r.URL.Path, "/v3/") {
			form = `{"errors":[{"code":"X","message":"missing"}]}`
		}
		return answering(http.StatusNotFound, http.Header{"Content-Type": {"application/json"}}, form).RoundTrip(r)
	})
	for name, test := range map[string]struct {
		request
		want string
	}{
		"products":                  {get("/v1/products?page=2&minPriceFrom=4.99&updatedAtFrom=2024-01-31+18:30:00&includeOutOfStock=true", credentials), ""},
		"products, signed":          {request{"GET", base + "/v1/products", "", signed}, ""},
		"products with a token":     {get("/v1/products", bearer), "header Authorization is absent or not of the form"},
		"products, not signed":      {get("/v1/products"), "header Authorization is absent"},
		"signed in part":            {request{"GET", base + "/v1/products", "", signed[:4]}, "header X-G2A-Hash is absent"},
		"no correlation id":         {request{"GET", base + "/v1/products", "", []string{credentials}}, "X-Correlation-ID"},
		"page 0":                    {get("/v1/products?page=0", credentials), `"page" in query`},
		"a price, three decimals":   {get("/v1/products?minPriceTo=4.999", credentials), `"minPriceTo" in query`},
		"a time in another form":    {get("/v1/products?updatedAtTo=2024-01-31T18:30:00Z", credentials), `"updatedAtTo" in query`},
		"an unknown parameter":      {get("/v1/products?limit=5", credentials), `parameter "limit" in query is not in the contract`},
		"an unknown path":           {get("/v1/products/1", credentials), "it is not in the contract"},
		"an unknown method":         {request{"DELETE", base + "/v1/order", "", nil}, "it is not in the contract"},
		"the base path of Import":   {get("/integration-api/v1/products", credentials), "it is not in the contract"},
		"order":                     {order(`{"product_id":"1","currency":"EUR","max_price":12.50}`), ""},
		"order without a limit":     {order(`{"product_id":"1"}`), ""},
		"order, limit is a text":    {order(`{"product_id":"1","max_price":"12.50"}`), "'/max_price': got string"},
		"order, limit not in cents": {order(`{"product_id":"1","max_price":12.505}`), "'/max_price'"},
		"order, id is a number":     {order(`{"product_id":1}`), "'/product_id'"},
		"order, an unknown field":   {order(`{"product_id":"1","reference":"x"}`), "additional properties 'reference'"},
		"order, not JSON":           {order(`product_id=1`), "not one JSON document"},
		"order, no body":            {order(``), "not one JSON document"},
		"order, no content type":    {request{"POST", base + "/v1/order", `{"product_id":"1"}`, []string{correlation, credentials}}, `Content-Type ""`},
		"pay":                       {request{"PUT", base + "/v1/order/pay/1", "", []string{correlation, credentials}}, ""},
		"pay with a body":           {request{"PUT", base + "/v1/order/pay/1", "{}", []string{correlation, credentials}}, "must have none"},
		"token":                     {get("/v1/token", credentials), ""},
		"token, base path of live":  {get("/integration-api/v1/token", credentials), ""},
		"grant":                     {grant("grant_type=client_credentials&client_id=a&client_secret=b"), ""},
		"grant of another type":     {grant("grant_type=password&client_id=a&client_secret=b"), "'/grant_type'"},
		"grant without a secret":    {grant("grant_type=client_credentials&client_id=a"), "missing property 'client_secret'"},
		"grant with two ids":        {grant("grant_type=client_credentials&client_id=a&client_id=b&client_secret=c"), `field "client_id" is there twice`},
		"place":                     {place(item, named), ""},
		"place without a key":       {place(item), "Idempotency-Key"},
		"place with an odd key":     {place(item, "Idempotency-Key: order-1"), "Idempotency-Key"},
		"place, two items":          {place(item+","+item, named), "'/items': maxItems"},
		"place, limit is a number":  {place(strings.Replace(item, `"5.50"`, `5.50`, 1), named), "'/items/0/auto/maxPrice'"},
		"place, no limit":           {place(`{"auto":{"productId":"1","quantity":2}}`, named), "missing property 'maxPrice'"},
		"place, a field more":       {place(strings.Replace(item, `"quantity"`, `"offerId":"1","quantity"`, 1), named), "additional properties 'offerId'"},
		"keys of an order":          {get("/export/v1/orders/1/keys", bearer), ""},
		"keys with credentials":     {get("/export/v1/orders/1/keys", credentials), "header Authorization is absent or not of the form ^Bearer"},
		"an order of v2":            {get("/export/v1/orders/1", bearer), "it is not in the contract"},
		"product offers":            {get("/export/v1/product-offers?page=1&itemsPerPage=100&productIds[]=1&productIds[]=2&updatedAtFrom=2025-03-01T12:30:00Z", bearer), ""},
		"product offers, 30":        {get("/export/v1/product-offers?itemsPerPage=30", bearer), `"itemsPerPage" in query`},
		"product offers, a day":     {get("/export/v1/product-offers?updatedAtFrom=2025-03-01", bearer), `"updatedAtFrom" in query`},
		"product offers, 101 ids":   {get("/export/v1/product-offers?"+strings.Repeat("productIds[]=1&", 101), bearer), `"productIds[]" in query`},
		"product details, none":     {get("/export/v1/products", bearer), `"productIds[]" in query`},
		"product details, 21":       {get("/export/v1/products?"+strings.Repeat("productIds[]=1&", 21), bearer), `"productIds[]" in query`},
		"order, a rating":           {order(`{"product_id":"1","min_rating":0.95}`), ""},
		"order, a rating of 2":      {order(`{"product_id":"1","min_rating":2}`), "'/min_rating'"},
		"offer":                     {newOffer(`"price":{"retail":"5.00","business":"4.90"},"active":true,"inventory":{"size":3},"regions":["GLOBAL"],"regionRestrictions":{"exclude":["DE"]}`), ""},
		"offer of an unknown type":  {offer("POST", "", `{"offerType":"gift","variants":[]}`), "'/offerType'"},
		"offer without a price":     {newOffer(`"active":true`), "missing property 'price'"},
		"offer, price is a number":  {newOffer(`"price":{"retail":5},"active":true`), "'/variants/0/price/retail'"},
		"offer, not in cents":       {newOffer(`"price":{"retail":"5.005"},"active":true`), "'/variants/0/price/retail'"},
		"offer, an unknown field":   {newOffer(`"price":{"retail":"5.00"},"active":true,"sku":"x"`), "additional properties 'sku'"},
		"offer, two variants":       {offer("POST", "", `{"offerType":"game","variants":[{},{}]}`), "'/variants'"},
		"offers with credentials":   {get("/v3/sales/offers", credentials), "header Authorization is absent or not of the form ^Bearer"},
		"offers, too large a page":  {get("/v3/sales/offers?itemsPerPage=101", bearer), `"itemsPerPage" in query`},
		"offers, old page size":     {get("/v3/sales/offers?perPage=20", bearer), `parameter "perPage" in query is not in the contract`},
		"offers, an unknown type":   {get("/v3/sales/offers?type=gift", bearer), `"type" in query`},
		"offers, two types":         {get("/v3/sales/offers?type[]=game&type[]=promo", bearer), ""},
		"offers, a local time":      {get("/v3/sales/offers?updatedAtFrom=2024-01-31T18:30:00%2B01:00", bearer), `"updatedAtFrom" in query`},
		"the old path":              {get("/v1/offers", bearer), "it is not in the contract"},
		"the old path of live":      {get("/integration-api/v1/offers", bearer), "it is not in the contract"},
		"a change":                  {offer("PATCH", "/1", `{"offerType":"game","variant":{"active":false,"archive":true}}`), ""},
		"a change of nothing":       {offer("PATCH", "/1", `{"offerType":"game","variant":{}}`), "minProperties"},
		"a change of no type":       {offer("PATCH", "/1", `{"variant":{"active":false}}`), "missing property 'offerType'"},
		"a change of the product":   {offer("PATCH", "/1", `{"offerType":"game","variant":{"productId":"2"}}`), "additional properties 'productId'"},
		"deletion with a body":      {offer("DELETE", "/1", `{}`), "must have none"},
		"keys":                      {offer("POST", "/inventory", `{"keys":["A"]}`), ""},
		"no keys":                   {offer("POST", "/inventory", `{"keys":[]}`), "'/keys'"},
		"simulation":                {get("/v3/pricing/simulations?productId=1&price=4.99&currency=EUR&country=DE", bearer), ""},
		"simulation, no price":      {get("/v3/pricing/simulations?productId=1", bearer), `"price" in query`},
		"simulation, odd country":   {get("/v3/pricing/simulations?productId=1&price=5.00&country=Germany", bearer), `"country" in query`},
		"bestsellers":               {get("/v3/sales/bestsellers?daysNumber=2&productIds[]=1&productIds[]=2", bearer), ""},
		"competitors":               {get("/v3/products/1/offers?countryCode=DE&visibility=all", bearer), ""},
		"sales":                     {get("/v3/sales/orders?statuses[]=completed&createdAt[from]=2024-01-31T18:30:00Z", bearer), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var found reports
			test.send(t, contracttest.G2A().Transport(missing, found.add))
			found.want(t, test.want)
		})
	}
}

func TestRequestsToTheService(t *testing.T) {
	webhook := func(body string, changed ...string) request {
		headers := []string{inJSON, "X-G2A-Signature: " + sha256, "X-G2A-Timestamp: 1764000000000", "X-G2A-Nonce: nonce-0000000000000001"}
		return request{"POST", "http://127.0.0.1:3000/webhooks/g2a", body, append(changed, headers...)}
	}
	for name, test := range map[string]struct {
		request
		want string
	}{
		"an event":              {webhook(samples["webhook-event"]), ""},
		"an unknown status":     {webhook(strings.ReplaceAll(samples["webhook-event"], `"completed"`, `"on hold"`)), ""},
		"an event in fragments": {webhook(`{"event_id":17,"order_id":[],"type":3,"payload":null}`), ""},
		"a ping":                {webhook(`{"event_id":"e1","type":"ping"}`), ""},
		"no event":              {webhook(`{"type":"ping"}`), "missing property 'event_id'"},
		"an event of no name":   {webhook(`{"event_id":"","type":"ping"}`), "'/event_id'"},
		"a list":                {webhook(`[]`), "got array, want object"},
		"not JSON":              {webhook(`event_id=1`), "not one JSON document"},
		"JSON of G2A's":         {webhook(samples["webhook-event"], "Content-Type: application/vnd.g2a+json; v=1"), ""},
		"a form":                {webhook(samples["webhook-event"], "Content-Type: application/x-www-form-urlencoded"), "Content-Type"},
		"a short nonce":         {webhook(samples["webhook-event"], "X-G2A-Nonce: nonce"), "X-G2A-Nonce"},
	} {
		t.Run(name, func(t *testing.T) {
			var found reports
			answer := answering(http.StatusOK, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, `{"result":"acknowledged"}`)
			test.send(t, contracttest.Service().Transport(answer, found.add))
			found.want(t, test.want)
		})
	}
}

func TestAnswersOfTheService(t *testing.T) {
	webhook := request{method: "POST", url: "http://127.0.0.1:3000/webhooks/g2a"}
	health := request{method: "GET", url: "http://127.0.0.1:3000/health"}
	live := request{method: "GET", url: "https://x.execute-api.eu-central-1.amazonaws.com/health/live"}
	other := request{method: "GET", url: "http://127.0.0.1:3000/webhooks/g2a"}
	failing := strings.NewReplacer(`"ok","checked_at`, `"failing","checked_at`, `"store":{"status":"ok"`, `"store":{"status":"failing"`).Replace(samples["health-report"])
	json, stored := "application/json", "no-store"
	for name, test := range map[string]struct {
		request
		status                          int
		contentType, cache, retry, body string
		want                            string
	}{
		"processed":                {webhook, 200, json, stored, "", `{"result":"processed"}`, ""},
		"an unknown result":        {webhook, 200, json, stored, "", `{"result":"ignored"}`, "'/result'"},
		"result renamed":           {webhook, 200, json, stored, "", `{"outcome":"processed"}`, "missing property 'result'"},
		"one field more":           {webhook, 200, json, stored, "", `{"result":"processed","nonce":"x"}`, "additional properties 'nonce'"},
		"may be cached":            {webhook, 200, json, "", "", `{"result":"processed"}`, `"Cache-Control" missing`},
		"is cached":                {webhook, 200, json, "max-age=60", "", `{"result":"processed"}`, `"Cache-Control"`},
		"is a text":                {webhook, 200, "text/plain", stored, "", `{"result":"processed"}`, `Content-Type "text/plain"`},
		"malformed":                {webhook, 400, json, stored, "", `{"error":"event is malformed"}`, ""},
		"unauthorized":             {webhook, 401, json, stored, "", `{"error":"unauthorized"}`, ""},
		"unauthorized, and why":    {webhook, 401, json, stored, "", `{"error":"signature is wrong"}`, "'/error'"},
		"too long":                 {webhook, 413, json, stored, "", `{"error":"too long"}`, ""},
		"media type":               {webhook, 415, json, stored, "", `{"error":"media type"}`, ""},
		"try again":                {webhook, 503, json, stored, "5", `{"error":"try again later"}`, ""},
		"try again, no time":       {webhook, 503, json, stored, "", `{"error":"try again later"}`, `"Retry-After" missing`},
		"try again soon":           {webhook, 503, json, stored, "soon", `{"error":"try again later"}`, `"Retry-After"`},
		"died":                     {webhook, 500, json, "", "", `{"message":"Internal Server Error"}`, ""},
		"died, and why":            {webhook, 500, json, "", "", `{"message":"exit status 2"}`, "'/message'"},
		"teapot":                   {webhook, 418, json, stored, "", `{"error":"x"}`, "the status is not in the contract"},
		"redirect":                 {webhook, 301, json, stored, "", ``, "the status is not in the contract"},
		"health":                   {health, 200, json, stored, "", samples["health-report"], ""},
		"health, 200 but failing":  {health, 200, json, stored, "", failing, "'/status'"},
		"health, failing":          {health, 503, json, stored, "", failing, ""},
		"health, 503 but ok":       {health, 503, json, stored, "", samples["health-report"], "'/status'"},
		"alive":                    {live, 200, json, stored, "", `{"status":"alive"}`, ""},
		"half alive":               {live, 200, json, stored, "", `{"status":"ok"}`, "'/status'"},
		"another method":           {other, 404, json, "", "", `{"message":"Not Found"}`, ""},
		"another method is served": {other, 200, json, "", "", `{}`, "the request is not in the contract"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Content-Type": {test.contentType}}
			for name, value := range map[string]string{"Cache-Control": test.cache, "Retry-After": test.retry} {
				if value != "" {
					header.Set(name, value)
				}
			}
			var found reports
			status, body := test.send(t, contracttest.Service().Answers(answering(test.status, header, test.body), found.add))
			found.want(t, test.want)
			if status != test.status || body != test.body {
				t.Errorf("the answer arrives as %d %s, want %d %s", status, body, test.status, test.body)
			}
		})
	}
}

func TestAnswersOfG2A(t *testing.T) {
	send := func(method, path string) request { return request{method: method, url: base + path} }
	details, keys, job := send("GET", "/v1/order/details/1"), send("POST", "/v3/sales/offers/inventory"), send("GET", "/v3/jobs/1")
	offers, prices, best := send("GET", "/v3/sales/offers"), send("GET", "/v3/pricing/simulations"), send("GET", "/v3/sales/bestsellers")
	grant, creation, deletion := send("POST", "/oauth/token"), send("POST", "/v3/sales/offers"), send("DELETE", "/v3/sales/offers/1")
	competitors, sale := send("GET", "/v3/products/1/offers"), send("GET", "/v3/sales/orders/1")
	place, read, found := send("POST", "/export/v1/orders"), send("GET", "/export/v1/orders/1/keys"), send("GET", "/export/v1/product-offers/1")
	const (
		json  = "application/json; charset=utf-8"
		meta  = `"meta":{"page":1,"itemsPerPage":10,"totalResults":1}`
		offer = `{"id":"o","type":"game","product":{"id":"1"},"price":"5.50","inventory":{"size":2},"finalPrice":{"de":"6.50"},"more":1}`
		base  = `{"retail":{"base":{"currencyCode":"EUR","value":"5.50"}},"business":null}`
		token = `{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`
	)
	failure := func(code string) string { return `{"status":"ERROR","message":"m","code":"` + code + `"}` }
	for name, test := range map[string]struct {
		request
		status            int
		contentType, body string
		want              string
	}{
		"grant refused, enveloped":   {grant, 401, json, `{"error":{"code":"X"},"traceId":"t"}`, ""},
		"placed":                     {place, 202, json, `{"data":{"id":"o","status":"any","totalPrice":"9.98","currency":"EUR","more":1}}`, ""},
		"placed, price a number":     {place, 201, json, `{"data":{"id":"o","status":"any","totalPrice":9.98,"currency":"EUR"}}`, ""},
		"placed, no total":           {place, 200, json, `{"data":{"id":"o","status":"any","currency":"EUR"}}`, "missing property 'totalPrice'"},
		"placed, enveloped not":      {place, 200, json, `{"id":"o"}`, "missing property 'data'"},
		"place, other body":          {place, 409, json, `{"error":{}}`, ""},
		"place, in v1's words":       {place, 400, json, failure("BR02"), "missing property 'error'"},
		"keys read":                  {read, 200, json, `{"data":[{"item":{"id":"i"},"keys":[{"code":"A","kind":"text"}]}]}`, ""},
		"keys read, none":            {read, 200, json, `{"data":[]}`, ""},
		"keys read, accepted":        {read, 202, json, `{}`, ""},
		"keys read, no code":         {read, 200, json, `{"data":[{"item":{"id":"i"},"keys":[{"key":"A"}]}]}`, "missing property 'code'"},
		"product offer":              {found, 200, json, `{"data":{"id":"1","name":"A","totalQuantity":0,"minPrice":null,"currency":"EUR","offers":[]}}`, ""},
		"product offer, no offers":   {found, 200, json, `{"data":{"id":"1","name":"A","totalQuantity":0,"minPrice":null,"currency":"EUR"}}`, "missing property 'offers'"},
		"details":                    {details, 200, json, `{"status":"pending","price":4.99,"currency":"EUR"}`, ""},
		"details, price in a text":   {details, 200, json, `{"status":"pending","price":"4.99","currency":"EUR"}`, "'/price'"},
		"details, nothing":           {details, 200, json, ``, "not one JSON document"},
		"creation":                   {creation, 202, json, `{"data":{"jobId":"1"}}`, ""},
		"creation, no job":           {creation, 202, json, `{"jobId":"1"}`, "missing property 'data'"},
		"creation, not accepted":     {creation, 200, json, `{"data":{"jobId":"1"}}`, "the status is not in the contract"},
		"creation of what exists":    {creation, 409, json, `{"data":{"offerId":"1"}}`, ""},
		"deletion":                   {deletion, 204, "", ``, ""},
		"deletion with a page":       {deletion, 204, "text/html", `<html>`, "it has a body, and must have none"},
		"keys":                       {keys, 200, json, `{"data":{"collectionUuid":"6f1f2ac0"}}`, ""},
		"keys, no data":              {keys, 200, json, `{"collectionUuid":"6f1f2ac0"}`, ""},
		"keys, no collection":        {keys, 200, json, `{"data":{}}`, "missing property 'collectionUuid'"},
		"job":                        {job, 200, json, `{"data":{"jobId":"1","status":"odd","elements":[{"status":"failed","code":"X","resourceId":null}]}}`, ""},
		"job without a status":       {job, 200, json, `{"data":{"jobId":"1"}}`, "missing property 'status'"},
		"offers":                     {offers, 200, json, `{"data":[` + offer + `],` + meta + `}`, ""},
		"offers, price is a number":  {offers, 200, json, `{"data":[` + strings.Replace(offer, `"5.50"`, `5.50`, 1) + `],` + meta + `}`, ""},
		"offers, price is nested":    {offers, 200, json, `{"data":[` + strings.Replace(offer, `"5.50"`, base, 1) + `],` + meta + `}`, ""},
		"offers, price of nothing":   {offers, 200, json, `{"data":[` + strings.Replace(offer, `"5.50"`, `{}`, 1) + `],` + meta + `}`, "'/data/0/price'"},
		"offers without a page":      {offers, 200, json, `{"data":[` + offer + `]}`, "missing property 'meta'"},
		"offers, no end known":       {offers, 200, json, `{"data":[],"meta":{"page":1,"itemsPerPage":10}}`, "'/meta'"},
		"offers, hasNext":            {offers, 200, json, `{"data":[],"meta":{"page":1,"itemsPerPage":10,"hasNext":false}}`, ""},
		"no such offer":              {offers, 404, json, `{"errors":[{"code":"X","message":"m"}]}`, ""},
		"no such offer, Export form": {offers, 404, json, failure("ORD02"), "missing property 'errors'"},
		"prices":                     {prices, 200, json, `{"income":{"ALL":1.5},"finalePrice":{"DE":"1","OTHER":"2"},"businessFinalPrice":{},"businessIncome":{}}`, ""},
		"prices, spelt well":         {prices, 200, json, `{"income":{},"finalPrice":{},"businessFinalPrice":{},"businessIncome":{}}`, "missing property 'finalePrice'"},
		"prices, odd country":        {prices, 200, json, `{"income":{"Germany":1},"finalePrice":{},"businessFinalPrice":{},"businessIncome":{}}`, "'Germany'"},
		"bestsellers":                {best, 200, json, `{"data":[{"productId":"1","soldItemsQuantity":3}],"meta":null}`, ""},
		"bestsellers, nameless":      {best, 200, json, `{"data":[{"soldItemsQuantity":3}]}`, "missing property 'productId'"},
		"competitors, none":          {competitors, 200, json, `{"data":null,"meta":null}`, ""},
		"competitors":                {competitors, 200, json, `{"data":[{"id":"1","price":` + base + `}]}`, ""},
		"sale of one item":           {sale, 200, json, `{"data":{"id":"1","status":"x","items":{"id":"2"}}}`, ""},
		"sale of a text":             {sale, 200, json, `{"data":{"id":"1","status":"x","items":"2"}}`, "'/data/items'"},
		"token":                      {grant, 200, json, token, ""},
		"token that lasts for ever":  {grant, 200, json, strings.Replace(token, "3600", "99999999999", 1), "'/expires_in'"},
		"grant refused":              {grant, 400, json, `{"error":"unsupported_grant_type"}`, ""},
		"grant refused by G2A":       {grant, 401, json, failure("AUTH02"), ""},
		"grant refused, no reason":   {grant, 400, json, `{"error":"because"}`, "'/error'"},
		"no such order":              {details, 404, json, failure("ORD02"), ""},
		"an error without a message": {details, 404, json, `{"status":"ERROR","code":"ORD02"}`, "missing property 'message'"},
		"an error that is ok":        {details, 404, json, `{"status":"OK","message":"m"}`, "'/status'"},
		"a page for an error":        {details, 404, "text/html", `<html>`, `Content-Type "text/html"`},
		"bad gateway":                {details, 502, json, failure("ORD122"), ""},
		"bad gateway, a page":        {details, 502, "text/html", `<html>`, ""},
		"bad gateway, nothing":       {details, 502, "", ``, ""},
		"bad gateway, another code":  {details, 502, json, failure("ORD02"), "'/code'"},
		"throttled by a gateway":     {details, 429, "text/html", `<html>`, ""},
		"method not allowed":         {details, 405, json, failure("BR02"), "the status is not in the contract"},
		"no call, missing":           {send("GET", "/v1/nothing"), 404, "", ``, ""},
		"no call, served":            {send("GET", "/v1/nothing"), 200, json, `{}`, "the request is not in the contract"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if test.contentType != "" {
				header.Set("Content-Type", test.contentType)
			}
			var found reports
			test.send(t, contracttest.G2A().Answers(answering(test.status, header, test.body), found.add))
			found.want(t, test.want)
		})
	}
}

// changing changes the answers of the simulator on their way.
func changing(next http.RoundTripper, change func(*http.Response, string) string) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		response.Body.Close()
		response.Body = io.NopCloser(strings.NewReader(change(response, string(body))))
		return response, nil
	})
}

// TestDriftOfG2A lets an order go all its way through the real client, while one
// thing is different from what it was.
func TestDriftOfG2A(t *testing.T) {
	replace := func(old, new string) func(*http.Response, string) string {
		return func(_ *http.Response, body string) string { return strings.ReplaceAll(body, old, new) }
	}
	for name, test := range map[string]struct {
		change func(*http.Response, string) string
		want   string
	}{
		"nothing":                 {replace("", ""), ""},
		"a field more":            {replace(`"currency"`, `"discount":0,"currency"`), ""},
		"order id renamed":        {replace(`"order_id"`, `"orderId"`), "(createOrder): at '': missing property 'order_id'"},
		"product price renamed":   {replace(`"minPrice"`, `"min_price"`), "(listProducts): at '/docs/0': missing property 'minPrice'"},
		"product price is a text": {replace(`"minPrice":4.99`, `"minPrice":"4.99"`), "(listProducts): at '/docs/0/minPrice'"},
		"status is not known":     {replace(`"status":"complete"`, `"status":"completed"`), "(orderDetails): at '/status'"},
		"payment is not made":     {replace(`"status":true`, `"status":false`), "(payOrder): at '/status'"},
		"key is a number":         {replace(`"key":"FAKE-`, `"key":1,"was":"FAKE-`), "(orderKey): at '/key'"},
		"token type":              {replace(`"Bearer"`, `"MAC"`), "(issueToken): at '/token_type'"},
		"token life in words":     {replace(`"expires_in":300`, `"expires_in":"an hour"`), "(issueToken): at '/expires_in'"},
		"not JSON": {func(r *http.Response, body string) string {
			if strings.Contains(r.Request.URL.Path, "details") {
				return "<html>"
			}
			return body
		}, "(orderDetails): it is not one JSON document"},
		"another status": {func(r *http.Response, body string) string {
			if r.Request.Method == "PUT" {
				r.StatusCode = http.StatusNoContent
			}
			return body
		}, "answer 204 to PUT /order/pay/{id} (payOrder): the status is not in the contract"},
		"another content type": {func(r *http.Response, body string) string {
			if r.Request.Method == "PUT" {
				r.Header.Set("Content-Type", "text/html")
			}
			return body
		}, `(payOrder): Content-Type "text/html" is not in the contract`},
		"an unknown code": {func(r *http.Response, body string) string {
			if strings.Contains(r.Request.URL.Path, "key") {
				r.StatusCode = http.StatusForbidden
				return `{"status":"ERROR","message":"no","code":"ORD999"}`
			}
			return body
		}, "answer 403 to GET /order/key/{id} (orderKey): at '/code'"},
		"a code with another status": {func(r *http.Response, body string) string {
			if strings.Contains(r.Request.URL.Path, "key") {
				r.StatusCode = http.StatusNotFound
				return `{"status":"ERROR","message":"no","code":"ORD112"}`
			}
			return body
		}, "answer 404 to GET /order/key/{id} (orderKey): at '/code'"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := g2atest.NewServer(t)
			var found reports
			client := g2a.New(srv.Config("G2A_RETRY_MAX=0"), g2a.Options{
				Credentials: srv.Credentials,
				Transport:   contracttest.G2A().Transport(changing(srv.Client().Transport, test.change), found.add),
			})
			buy(t, client)
			found.want(t, test.want)
		})
	}
}

// buy makes every call of an order, and one for a token. What the client thinks of
// the answers does not matter here.
func buy(t *testing.T, client *g2a.Client) {
	t.Helper()
	const product = "90000000334016"
	_, _ = client.FetchToken(t.Context())
	_, _ = client.Product(t.Context(), product)
	order, err := client.CreateOrder(t.Context(), product, g2a.Money{Amount: decimal.NewFromInt(5), Currency: "EUR"})
	if err != nil {
		return
	}
	_, _ = client.PayOrder(t.Context(), order.ID)
	_, _ = client.OrderDetails(t.Context(), order.ID)
	_, _ = client.OrderKey(t.Context(), order.ID)
}

func TestDriftOfTheClientIsFound(t *testing.T) {
	srv := g2atest.NewServer(t)
	var found reports
	check := contracttest.G2A().Transport(srv.Client().Transport, found.add)
	client := g2a.New(srv.Config("G2A_RETRY_MAX=0"), g2a.Options{
		Credentials: srv.Credentials,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			r.Header.Del("X-Correlation-ID")
			return check.RoundTrip(r)
		}),
	})
	if _, err := client.FetchToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	found.want(t, "X-Correlation-ID")
}

// oneTime is a body that tells whether it was closed.
type oneTime struct {
	io.Reader
	closed bool
}

func (o *oneTime) Close() error { o.closed = true; return nil }

func TestTransportPassesRequestsOnAsTheyAre(t *testing.T) {
	for name, repeatable := range map[string]bool{"repeatable": true, "only once": false} {
		t.Run(name, func(t *testing.T) {
			body := &oneTime{Reader: strings.NewReader(`{"product_id":"1"}`)}
			var found reports
			next := roundTrip(func(r *http.Request) (*http.Response, error) {
				received, err := io.ReadAll(r.Body)
				if err != nil || string(received) != `{"product_id":"1"}` {
					t.Errorf("body is %s (%v)", received, err)
				}
				if (r.GetBody != nil) != repeatable || r.ContentLength != 18 || r.Header.Get("Authorization") != "hash, key" {
					t.Errorf("the request has changed: %+v", r)
				}
				return answering(http.StatusServiceUnavailable, nil, "").RoundTrip(r)
			})
			request, err := http.NewRequestWithContext(t.Context(), "POST", base+"/v1/order", body)
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = 18
			if repeatable {
				request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nil)), nil }
			}
			request.Header = http.Header{"Authorization": {"hash, key"}, "X-Correlation-Id": {"c"}, "Content-Type": {"application/json"}}
			response, err := contracttest.G2A().Transport(next, found.add).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if !body.closed {
				t.Error("the request's body was not closed")
			}
			found.want(t, "")
		})
	}
}

func TestRequestThatIsCheckedIsNotRead(t *testing.T) {
	request, err := http.NewRequestWithContext(t.Context(), "POST", base+"/v1/order?more=1", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"hash, key"}, "Content-Type": {"application/json"}}
	if err := contracttest.G2A().CheckRequest(request, []byte(`{}`)); err == nil {
		t.Error("nothing was found")
	}
	if body, err := io.ReadAll(request.Body); string(body) != "body" || request.GetBody != nil || request.ContentLength != 0 || request.URL.RawQuery != "more=1" {
		t.Errorf("body is %q (%v), of %+v; want the request as it was", body, err, request)
	}
}

func TestAnswerThatIsCutShortIsPassedOnAsItIs(t *testing.T) {
	cut := errors.New("cut short")
	body := &oneTime{Reader: io.MultiReader(strings.NewReader(`{"key":"A`), broken{cut})}
	next := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: body}, nil
	})
	var found reports
	request, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v1/order/key/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := contracttest.G2A().Answers(next, found.add).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	received, err := io.ReadAll(response.Body)
	if string(received) != `{"key":"A` || !errors.Is(err, cut) {
		t.Errorf("received is %q (%v), want the half and the error", received, err)
	}
	response.Body.Close()
	if !body.closed {
		t.Error("the answer's body was not closed")
	}
	found.want(t, "")
}

// broken is a reader that fails.
type broken struct{ err error }

func (e broken) Read([]byte) (int, error) { return 0, e.err }

func TestNoAnswerIsNoReport(t *testing.T) {
	reset := errors.New("reset")
	var found reports
	request, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v1/order/key/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	next := roundTrip(func(*http.Request) (*http.Response, error) { return nil, reset })
	if _, err := contracttest.G2A().Answers(next, found.add).RoundTrip(request); !errors.Is(err, reset) {
		t.Errorf("error is %v, want %v", err, reset)
	}
	found.want(t, "")
}

func TestOperations(t *testing.T) {
	if got := contracttest.Service().Operations(); !slices.Equal(got, []string{"health", "live", "receiveWebhook"}) {
		t.Errorf("operations are %v", got)
	}
	if got := len(contracttest.G2A().Operations()); got != 27 {
		t.Errorf("G2A has %d operations, want 27", got)
	}
	for target, want := range map[string]string{
		"GET /v1/products": "listProducts", "GET /export/v1/products": "listProductDetails", "GET /export/v1/orders/1/keys": "orderKeys",
		"GET /export/v1/orders/1": "",
		"GET /v1/order/key/1":     "orderKey", "POST /oauth/token": "grantToken", "GET /v3/sales/offers/1": "getOffer",
		"PATCH /v3/sales/offers/1": "changeOffer", "POST /v3/sales/offers/inventory": "addInventory", "GET /v1/offers/1": "", "HEAD /v1/products": "", "GET /v1/": "", "GET /oauth/token": "",
	} {
		method, path, _ := strings.Cut(target, " ")
		request, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := contracttest.G2A().Operation(request); got != want {
			t.Errorf("%s is operation %q, want %q", target, got, want)
		}
	}
}

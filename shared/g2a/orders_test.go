package g2a_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestOrderRequests(t *testing.T) {
	tests := []struct {
		name   string
		call   call
		line   string
		body   string
		length string // Content-Length, "" is none
	}{
		{"create", create, "POST /v1/order HTTP/1.1", `{"currency":"EUR","max_price":12.5,"product_id":"7"}`, "52"},
		{"pay", pay, "PUT /v1/order/pay/42 HTTP/1.1", "", "0"},
		{"details", details, "GET /v1/order/details/42 HTTP/1.1", "", ""},
		{"key", key, "GET /v1/order/key/42 HTTP/1.1", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, test.call.good)}}
			if err := test.call.make(t.Context(), newClient(g2aServer)); err != nil {
				t.Fatal(err)
			}
			head, body, _ := strings.Cut(g2aServer.requests()[0].dump, "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			length, contentType := "", ""
			for _, line := range lines {
				switch name, value, _ := strings.Cut(line, ": "); strings.ToLower(name) {
				case "content-length":
					length += value
				case "content-type":
					contentType = value
				case "transfer-encoding":
					t.Errorf("transfer encoding is %s", value)
				}
			}
			if lines[0] != test.line || body != test.body || length != test.length {
				t.Errorf("sent %q, body %q, length %q; want %q, %q, %q", lines[0], body, length, test.line, test.body, test.length)
			}
			if (contentType == "application/json") != (test.body != "") {
				t.Errorf("content type is %q", contentType)
			}
		})
	}
}

func TestMinRating(t *testing.T) {
	for rating, want := range map[float64]string{
		0:    `{"currency":"EUR","max_price":12.5,"product_id":"7"}`,
		0.95: `{"currency":"EUR","max_price":12.5,"min_rating":0.95,"product_id":"7"}`,
	} {
		g2aServer := &script{replies: []reply{answer(200, goodOrder)}}
		cfg := testConfig()
		cfg.MinRating = rating
		client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: g2aServer})
		if err := create.make(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if _, body, _ := strings.Cut(g2aServer.requests()[0].dump, "\r\n\r\n"); body != want {
			t.Errorf("with rating %v: sent %s, want %s", rating, body, want)
		}
	}
}

// TestNoLimitInAnotherCurrency: G2A would read it in EUR.
func TestNoLimitInAnotherCurrency(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, `{"order_id":"1","price":60,"currency":"PLN"}`)}}
	limit := g2a.Money{Amount: decimal.RequireFromString("50"), Currency: "PLN"}
	order, err := newClient(g2aServer).CreateOrder(t.Context(), "7", limit)
	if err != nil || order.Price.String() != "60.00 PLN" {
		t.Fatalf("order is %+v, error %v", order, err)
	}
	if _, body, _ := strings.Cut(g2aServer.requests()[0].dump, "\r\n\r\n"); body != `{"currency":"PLN","product_id":"7"}` {
		t.Errorf("sent %s", body)
	}
}

func TestOrderIDIsEscaped(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodDetails)}}
	if _, err := newClient(g2aServer).OrderDetails(t.Context(), "a/../b?c#d"); err != nil {
		t.Fatal(err)
	}
	if got, want := g2aServer.requests()[0].URL.EscapedPath(), "/v1/order/details/a%2F..%2Fb%3Fc%23d"; got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
}

// TestCreateOrder: an order that exists must not be lost, or another one is made.
func TestCreateOrder(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		id    string // "" is malformed
		price string // "" is the zero Money
		fault string
	}{
		{"documented", `{"order_id":"80201019921771","price":4.99,"currency":"EUR"}`, "80201019921771", "4.99 EUR", ""},
		{"id as a number", `{"order_id":80201019921771,"price":4.9,"currency":"USD"}`, "80201019921771", "4.90 USD", ""},
		{"id no float holds", `{"order_id":12345678901234567890,"price":0,"currency":"EUR"}`, "12345678901234567890", "0.00 EUR", ""},
		{"price no float holds", `{"order_id":"1","price":999999999999.999999,"currency":"EUR"}`, "1", "999999999999.999999 EUR", ""},
		{"price a string", `{"order_id":"1","price":"4.99","currency":"EUR"}`, "1", "4.99 EUR", ""},
		{"price with the noise of a float", `{"order_id":"1","price":4.9900000000000002,"currency":"EUR"}`, "1", "4.99 EUR", ""},
		{"price with the noise of a float below", `{"order_id":"1","price":4.98999999999999,"currency":"EUR"}`, "1", "4.99 EUR", ""},
		{"half of the last place, to the even one below", `{"order_id":"1","price":0.1234565,"currency":"EUR"}`, "1", "0.123456 EUR", ""},
		{"half of the last place, to the even one above", `{"order_id":"1","price":0.1234575,"currency":"EUR"}`, "1", "0.123458 EUR", ""},
		{"currency in small letters", `{"order_id":"1","price":1,"currency":"eur"}`, "1", "1.00 EUR", ""},
		{"after a BOM", "\xef\xbb\xbf" + `{"order_id":"1","price":1,"currency":"EUR"}`, "1", "1.00 EUR", ""},
		{"no price", `{"order_id":"1","currency":"EUR"}`, "1", "", ""},
		{"price null", `{"order_id":"1","price":null,"currency":"EUR"}`, "1", "", ""},
		{"price an object", `{"order_id":"1","price":{"amount":4.99},"currency":"EUR"}`, "1", "", ""},
		{"price negative", `{"order_id":"1","price":-4.99,"currency":"EUR"}`, "1", "", ""},
		{"price with an exponent", `{"order_id":"1","price":1e2,"currency":"EUR"}`, "1", "", ""},
		{"price too long", `{"order_id":"1","price":1000000000000,"currency":"EUR"}`, "1", "", ""},
		{"price too long once it is rounded", `{"order_id":"1","price":999999999999.9999999,"currency":"EUR"}`, "1", "", ""},
		{"no currency", `{"order_id":"1","price":1}`, "1", "", ""},
		{"currency of four letters", `{"order_id":"1","price":1,"currency":"EURO"}`, "1", "", ""},
		{"currency a number", `{"order_id":"1","price":1,"currency":978}`, "1", "", ""},
		{"no id", `{"price":1,"currency":"EUR"}`, "", "", "field order_id is missing"},
		{"empty id", `{"order_id":"","price":1,"currency":"EUR"}`, "", "", "field order_id is empty"},
		{"id with a fraction", `{"order_id":1.5,"price":1,"currency":"EUR"}`, "", "", "field order_id is neither"},
		{"id a list", `{"order_id":["hunter2"],"price":1,"currency":"EUR"}`, "", "", "field order_id is neither"},
		{"a list", `[]`, "", "", "not the JSON expected"},
		{"null", `null`, "", "", "field order_id is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := newClient(&script{replies: []reply{answer(200, test.body)}}).CreateOrder(t.Context(), "7", money("12.50"))
			if test.id == "" {
				assertMalformed(t, err, test.fault)
				if order != (g2a.Order{}) {
					t.Errorf("an order beside the error: %+v", order)
				}
				return
			}
			if err != nil || order.ID != test.id || priceText(order.Price) != test.price || order.Status != "" {
				t.Errorf("order is %+v, error %v; want %s for %s", order, err, test.id, test.price)
			}
		})
	}
}

// priceText is "" for the zero Money.
func priceText(m g2a.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

func assertMalformed(t *testing.T, err error, fault string) {
	t.Helper()
	var e *g2a.Error
	if g2a.OutcomeOf(err) != g2a.OutcomeUnknown {
		t.Errorf("outcome is %v, want it unknown", g2a.OutcomeOf(err))
	}
	if !errors.As(err, &e) || e.Kind != g2a.ErrMalformedAnswer || e.CorrelationID == "" || e.Cause == nil || !strings.HasPrefix(e.Cause.Error(), fault) {
		t.Errorf("error is %v, want a malformed answer, with its correlation id, because %s", err, fault)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error repeats the answer: %v", err)
	}
}

func TestPayOrder(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		want  string
		fault string
	}{
		{"documented", `{"status":true,"transaction_id":"tx-1"}`, "tx-1", ""},
		{"transaction as a number", `{"status":true,"transaction_id":17}`, "17", ""},
		{"not true", `{"status":false,"transaction_id":"tx-1"}`, "", "field status is not true"},
		{"no status", `{"transaction_id":"tx-1"}`, "", "field status is not true"},
		{"status a string", `{"status":"true","transaction_id":"tx-1"}`, "", "field status is not true"},
		{"status an integer", `{"status":1,"transaction_id":"tx-1"}`, "", "field status is not true"},
		{"status with its name in capitals", `{"STATUS":true,"transaction_id":"tx-1"}`, "", "field status is not true"},
		{"no transaction", `{"status":true}`, "", ""},
		{"transaction null", `{"status":true,"transaction_id":null}`, "", ""},
		{"transaction an object", `{"status":true,"transaction_id":{"id":"tx-1"}}`, "", ""},
		{"transaction with a fraction", `{"status":true,"transaction_id":1.5}`, "", ""},
		{"empty", ``, "", "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{answer(200, test.body)}}).PayOrder(t.Context(), "42")
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
			} else if err != nil {
				t.Error(err)
			}
			if got != test.want {
				t.Errorf("transaction is %q, want %q", got, test.want)
			}
		})
	}
}

func TestOrderDetails(t *testing.T) {
	of := func(status string) string { return `{"status":` + status + `,"price":4.99,"currency":"EUR"}` }
	tests := []struct {
		name  string
		body  string
		want  g2a.OrderStatus
		price string
		fault string
	}{
		{"pending", of(`"pending"`), g2a.OrderPending, "4.99 EUR", ""},
		{"complete", of(`"complete"`), g2a.OrderComplete, "4.99 EUR", ""},
		{"complete in capitals", of(`"Complete"`), g2a.OrderComplete, "4.99 EUR", ""},
		{"a webhook's word for it", of(`"completed"`), g2a.OrderComplete, "4.99 EUR", ""},
		{"space around it", of(`" COMPLETED\n"`), g2a.OrderComplete, "4.99 EUR", ""},
		{"an unknown word", of(`"Processing"`), "processing", "4.99 EUR", ""},
		{"two words", of(`"On Hold"`), "on hold", "4.99 EUR", ""},
		{"a word with what cannot be printed", of(`"on\u0000hold\u001b"`), "on hold", "4.99 EUR", ""},
		{"a long word", of(`"` + strings.Repeat("É", 41) + `"`), g2a.OrderStatus(strings.Repeat("é", 40)), "4.99 EUR", ""},
		{"space at the cut", of(`"` + strings.Repeat("x", 39) + ` y"`), g2a.OrderStatus(strings.Repeat("x", 39)), "4.99 EUR", ""},
		{"price in a string, currency in small letters", `{"status":"complete","price":"4.99","currency":"eur"}`, g2a.OrderComplete, "4.99 EUR", ""},
		{"no price", `{"status":"complete","currency":"EUR"}`, g2a.OrderComplete, "", ""},
		{"price null", `{"status":"complete","price":null,"currency":null}`, g2a.OrderComplete, "", ""},
		{"price a list", `{"status":"complete","price":[],"currency":"EUR"}`, g2a.OrderComplete, "", ""},
		{"no status", `{"price":4.99,"currency":"EUR"}`, "", "", "field status is missing"},
		{"status null", of(`null`), "", "", "field status is missing"},
		{"status empty", of(`""`), "", "", "field status is not a string with a word in it"},
		{"status blank", of(`" \u0000 "`), "", "", "field status is not a string with a word in it"},
		{"status a number", of(`7`), "", "", "field status is not a string with a word in it"},
		{"status true", of(`true`), "", "", "field status is not a string with a word in it"},
		{"a list", `[]`, "", "", "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := newClient(&script{replies: []reply{answer(200, test.body)}}).OrderDetails(t.Context(), "42")
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
				return
			}
			if err != nil || order.ID != "42" || order.Status != test.want || priceText(order.Price) != test.price {
				t.Errorf("order is %+v, error %v; want it %q for %q", order, err, test.want, test.price)
			}
		})
	}
}

// TestOrderDetailsRefused: G2A's refusals of the details keep their kinds.
func TestOrderDetailsRefused(t *testing.T) {
	tests := map[string]struct {
		status int
		kind   error
	}{
		"ORD02": {404, g2a.ErrNotFound}, "ORD03": {403, g2a.ErrPaymentNotReady}, "ORD05": {402, g2a.ErrPaymentRequired},
		"ORD112": {403, g2a.ErrInsufficientFunds}, "ORD121": {403, g2a.ErrPaymentLimit}, "ORD004": {400, g2a.ErrKeyAlreadyDownloaded},
	}
	for code, test := range tests {
		t.Run(code, func(t *testing.T) {
			err := details.make(t.Context(), newClient(&script{replies: []reply{answer(test.status, body(code))}}))
			if !errors.Is(err, test.kind) {
				t.Errorf("error is %v, want %v", err, test.kind)
			}
		})
	}
}

package g2a_test

import (
	"errors"
	"strings"
	"testing"

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
				switch name, value, _ := strings.Cut(line, ": "); name {
				case "Content-Length":
					length = value
				case "Content-Type":
					contentType = value
				case "Transfer-Encoding":
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
	for rating, want := range map[int]string{
		0:  `{"currency":"EUR","max_price":12.5,"product_id":"7"}`,
		90: `{"currency":"EUR","max_price":12.5,"min_rating":90,"product_id":"7"}`,
	} {
		g2aServer := &script{replies: []reply{answer(200, goodOrder)}}
		client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, MinRating: rating})
		if err := create.make(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if _, body, _ := strings.Cut(g2aServer.requests()[0].dump, "\r\n\r\n"); body != want {
			t.Errorf("with rating %d: sent %s, want %s", rating, body, want)
		}
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

func TestCreateOrder(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		id    string // "" is malformed
		price string
		fault string
	}{
		{"documented", `{"order_id":"80201019921771","price":4.99,"currency":"EUR"}`, "80201019921771", "4.99 EUR", ""},
		{"id as a number", `{"order_id":80201019921771,"price":4.9,"currency":"USD"}`, "80201019921771", "4.90 USD", ""},
		{"id no float holds", `{"order_id":12345678901234567890,"price":0,"currency":"EUR"}`, "12345678901234567890", "0.00 EUR", ""},
		{"price no float holds", `{"order_id":"1","price":999999999999.999999,"currency":"EUR"}`, "1", "999999999999.999999 EUR", ""},
		{"no id", `{"price":1,"currency":"EUR"}`, "", "", "field order_id is missing"},
		{"empty id", `{"order_id":"","price":1,"currency":"EUR"}`, "", "", "field order_id is empty"},
		{"id with a fraction", `{"order_id":1.5,"price":1,"currency":"EUR"}`, "", "", "field order_id is neither"},
		{"id a list", `{"order_id":["hunter2"],"price":1,"currency":"EUR"}`, "", "", "field order_id is neither"},
		{"no price", `{"order_id":"1","currency":"EUR"}`, "", "", "field price is missing"},
		{"price null", `{"order_id":"1","price":null,"currency":"EUR"}`, "", "", "field price is missing"},
		{"price a text", `{"order_id":"1","price":"4.99","currency":"EUR"}`, "", "", "field price is not a number"},
		{"price negative", `{"order_id":"1","price":-4.99,"currency":"EUR"}`, "", "", "field price is negative"},
		{"price with an exponent", `{"order_id":"1","price":1e2,"currency":"EUR"}`, "", "", "field price is not a number"},
		{"price with the noise of a float", `{"order_id":"1","price":4.98999999999,"currency":"EUR"}`, "", "", "field price is not a number"},
		{"no currency", `{"order_id":"1","price":1}`, "", "", "field currency is not"},
		{"currency in small letters", `{"order_id":"1","price":1,"currency":"eur"}`, "", "", "field currency is not"},
		{"a list", `[]`, "", "", "not the JSON expected"},
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
			if err != nil || order.ID != test.id || order.Price.String() != test.price || order.Status != "" {
				t.Errorf("order is %+v, error %v; want %s for %s", order, err, test.id, test.price)
			}
		})
	}
}

func assertMalformed(t *testing.T, err error, fault string) {
	t.Helper()
	var e *g2a.Error
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
		{"status a text", `{"status":"true","transaction_id":"tx-1"}`, "", "field status is of the wrong type"},
		{"no transaction", `{"status":true}`, "", "field transaction_id is missing"},
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
	tests := []struct {
		name  string
		body  string
		want  g2a.OrderStatus
		fault string
	}{
		{"pending", `{"status":"pending","price":4.99,"currency":"EUR"}`, g2a.OrderPending, ""},
		{"complete", `{"status":"complete","price":4.99,"currency":"EUR"}`, g2a.OrderComplete, ""},
		{"a webhook's status", `{"status":"completed","price":4.99,"currency":"EUR"}`, "", "field status is neither"},
		{"no status", `{"price":4.99,"currency":"EUR"}`, "", "field status is neither"},
		{"no price", `{"status":"complete","currency":"EUR"}`, "", "field price is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := newClient(&script{replies: []reply{answer(200, test.body)}}).OrderDetails(t.Context(), "42")
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
				return
			}
			if err != nil || order.ID != "42" || order.Status != test.want || order.Price.String() != "4.99 EUR" {
				t.Errorf("order is %+v, error %v", order, err)
			}
		})
	}
}

// TestOrderKey: the key is given out once, so nothing beside it may cost it.
func TestOrderKey(t *testing.T) {
	tests := []struct {
		name   string
		reply  reply
		want   string
		isFile bool
		fault  string
	}{
		{"documented", answer(200, `{"key":"AAAA-BBBB"}`), "AAAA-BBBB", false, ""},
		{"a file", answer(200, `{"key":"SGVsbG8=","isFile":true}`), "SGVsbG8=", true, ""},
		{"not a file", answer(200, `{"key":"AAAA-BBBB","isFile":false}`), "AAAA-BBBB", false, ""},
		{"flag null", answer(200, `{"key":"AAAA-BBBB","isFile":null}`), "AAAA-BBBB", false, ""},
		{"flag not as documented", answer(200, `{"key":"AAAA-BBBB","isFile":"no"}`), "AAAA-BBBB", false, ""},
		{"key a number", answer(200, `{"key":1234567890123456789}`), "1234567890123456789", false, ""},
		{"key with quotes and lines", answer(200, `{"key":"a\"b\r\nc"}`), "a\"b\r\nc", false, ""},
		{"extra fields", answer(200, `{"key":"AAAA-BBBB","note":{"a":[1e999]}}`), "AAAA-BBBB", false, ""},
		{"another status of success", answer(201, `{"key":"AAAA-BBBB"}`), "AAAA-BBBB", false, ""},
		{"no key", answer(200, `{}`), "", false, "field key is missing"},
		{"empty key", answer(200, `{"key":""}`), "", false, "field key is empty"},
		{"key an object", answer(200, `{"key":{"a":"hunter2"}}`), "", false, "field key is neither"},
		{"not JSON", answer(200, `hunter2`), "", false, "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := newClient(&script{replies: []reply{test.reply}}).OrderKey(t.Context(), "42")
			if test.fault != "" {
				assertMalformed(t, err, test.fault)
			} else if err != nil {
				t.Error(err)
			}
			if got.Value.Reveal() != test.want || got.IsFile != test.isFile {
				t.Errorf("key is %q, file %v; want %q, %v", got.Value.Reveal(), got.IsFile, test.want, test.isFile)
			}
		})
	}
}

// TestOrderKeyIsNotInErrors: an answer that is not of success may yet hold one.
func TestOrderKeyIsNotInErrors(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
	}{
		{"5xx with the answer", answer(500, `{"key":"hunter2"}`)},
		{"5xx with the answer cut short", cutShort(500, `{"key":"hunter2`)},
		{"success cut short", cutShort(200, `{"key":"hunter2`)},
		{"5xx with a text", answer(500, `hunter2`)},
		{"a redirect", answer(302, `{"key":"hunter2"}`, "Location: https://g2a.test/hunter2")},
		{"reset", reset},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newClient(&script{replies: []reply{test.reply}}).OrderKey(t.Context(), "42")
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %v, want one without the key", err)
			}
		})
	}
}

package g2a_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestPlaceOrderRequest(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodPlaced)}}
	if err := place.make(t.Context(), newClient(g2aServer)); err != nil {
		t.Fatal(err)
	}
	sent := g2aServer.requests()[0]
	head, body, _ := strings.Cut(sent.dump, "\r\n\r\n")
	if line, _, _ := strings.Cut(head, "\r\n"); line != "POST /export/v1/orders HTTP/1.1" {
		t.Errorf("sent %s", line)
	}
	if want := `{"items":[{"auto":{"productId":"7","quantity":2,"maxPrice":"5.50"}}],"currency":"EUR"}`; body != want {
		t.Errorf("sent %s, want %s", body, want)
	}
	for name, want := range map[string]string{
		"Idempotency-Key": newWish().IdempotencyKey, "Authorization": "Bearer " + testAccess, "Content-Type": "application/json",
	} {
		if got := sent.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestPlaceOrderAgain: whatever the client repeats by itself has the same key.
func TestPlaceOrderAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejected := answer(401, `{"error":{"code":"UNAUTHORIZED","message":"no","status":401,"errors":[]},"traceId":"t"}`)
		throttled := answer(429, `{"error":{"status":429}}`)
		g2aServer := &script{replies: []reply{throttled, rejected, answer(201, goodPlaced)}}
		client := g2a.New(testConfig(), g2a.Options{Tokens: &deck{tokens: []string{"t1", "t2"}}, Transport: g2aServer})
		if order, err := client.PlaceOrder(t.Context(), newWish()); err != nil || order.ID != "42" {
			t.Fatalf("order is %+v, error %v", order, err)
		}
		if len(g2aServer.requests()) != 3 {
			t.Errorf("%d requests, want three", len(g2aServer.requests()))
		}
		for _, sent := range g2aServer.requests() {
			if got := sent.Header.Values("Idempotency-Key"); len(got) != 1 || got[0] != newWish().IdempotencyKey {
				t.Errorf("the key is %q", got)
			}
		}
	})
}

// TestPlaceOrder: an order that was charged must not be lost.
func TestPlaceOrder(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		id     string // "" is malformed
		word   g2a.OrderStatus
		price  string // "" is the zero Money
		fault  string
	}{
		{"200", 200, goodPlaced, "42", "pending", "9.98 EUR", ""},
		{"201", 201, goodPlaced, "42", "pending", "9.98 EUR", ""},
		{"202", 202, goodPlaced, "42", "pending", "9.98 EUR", ""},
		{"total a number", 200, `{"data":{"id":"42","status":"paid","totalPrice":9.98,"currency":"eur"}}`, "42", "paid", "9.98 EUR", ""},
		{"id a number", 200, `{"data":{"id":42}}`, "42", "", "", ""},
		{"no word", 200, `{"data":{"id":"42","status":7,"totalPrice":"9.98","currency":"EUR"}}`, "42", "", "9.98 EUR", ""},
		{"total negative", 200, `{"data":{"id":"42","status":"x","totalPrice":"-9.98","currency":"EUR"}}`, "42", "x", "", ""},
		{"the price of one piece beside it", 200, `{"data":{"id":"42","price":"4.99","currency":"EUR"}}`, "42", "", "", ""},
		{"no id", 200, `{"data":{"status":"pending"}}`, "", "", "", "field data.id is missing"},
		{"no data", 200, `{"id":"42"}`, "", "", "", "field data.id is missing"},
		{"data a list", 200, `{"data":[{"id":"hunter2"}]}`, "", "", "", "field data has the wrong type"},
		{"nothing", 202, ``, "", "", "", "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := newClient(&script{replies: []reply{answer(test.status, test.body)}}).PlaceOrder(t.Context(), newWish())
			if test.id == "" {
				assertMalformed(t, err, test.fault)
			} else if err != nil {
				t.Fatal(err)
			}
			if order.ID != test.id || order.Status != test.word || priceText(order.Price) != test.price {
				t.Errorf("order is %+v, want %s, %q, for %q", order, test.id, test.word, test.price)
			}
		})
	}
}

func TestInvalidNewOrder(t *testing.T) {
	tests := map[string]struct {
		change func(*g2a.NewOrder)
		field  string
	}{
		"no key":           {func(o *g2a.NewOrder) { o.IdempotencyKey = "" }, "Idempotency-Key"},
		"key not a UUID":   {func(o *g2a.NewOrder) { o.IdempotencyKey = "order-1" }, "Idempotency-Key"},
		"key with a line":  {func(o *g2a.NewOrder) { o.IdempotencyKey += "\n" }, "Idempotency-Key"},
		"no product":       {func(o *g2a.NewOrder) { o.ProductID = "" }, "productId"},
		"no piece":         {func(o *g2a.NewOrder) { o.Quantity = 0 }, "quantity"},
		"another currency": {func(o *g2a.NewOrder) { o.MaxPrice.Currency = "USD" }, "maxPrice"},
		"no limit":         {func(o *g2a.NewOrder) { o.MaxPrice = g2a.Money{} }, "maxPrice"},
		"a limit of zero":  {func(o *g2a.NewOrder) { o.MaxPrice = money("0.00") }, "maxPrice"},
		"half a cent":      {func(o *g2a.NewOrder) { o.MaxPrice = money("5.005") }, "maxPrice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g2aServer, wish := &script{replies: []reply{answer(200, goodPlaced)}}, newWish()
			test.change(&wish)
			_, err := newClient(g2aServer).PlaceOrder(t.Context(), wish)
			var fault *g2a.FieldError
			if !errors.Is(err, g2a.ErrInvalidRequest) || g2a.OutcomeOf(err) != g2a.NotDone || !errors.As(err, &fault) || fault.Field != test.field {
				t.Errorf("error is %v, %v; want it invalid for %s", err, g2a.OutcomeOf(err), test.field)
			}
			if len(g2aServer.requests()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}

// TestExistingOrder: a 409 may hold the order, in any form. Its outcome stays unknown: the
// order may be this call's.
func TestExistingOrder(t *testing.T) {
	const said = `"error":{"code":"X","message":"m","status":409}`
	tests := map[string]struct {
		body, id string
		kind     error
	}{
		"an error alone":          {`{` + said + `}`, "", g2a.ErrExists},
		"data beside the error":   {`{` + said + `,"data":{"id":"42"}}`, "42", g2a.ErrExists},
		"data alone":              {goodPlaced, "42", g2a.ErrExists},
		"data in the error":       {`{"error":{"status":409,"data":{"id":42}}}`, "42", g2a.ErrExists},
		"the order itself":        {`{"id":"42","status":"paid","totalPrice":"9.98","currency":"EUR"}`, "42", g2a.ErrExists},
		"an id of something else": {`{"id":"42"}`, "", g2a.ErrUnavailable},
		"a page":                  {`<html>`, "", g2a.ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := place.make(t.Context(), newClient(&script{replies: []reply{answer(409, test.body)}}))
			var e *g2a.Error
			if !errors.As(err, &e) || e.Kind != test.kind || e.ExistingID != test.id || e.Outcome != g2a.OutcomeUnknown {
				t.Errorf("error is %v, %v, existing %q; want %v, unknown, %q", err, e.Outcome, e.ExistingID, test.kind, test.id)
			}
		})
	}
	for name, other := range map[string]struct {
		call   call
		status int
	}{"another call": {orderKeys, 409}, "another status": {place, 400}} {
		err := other.call.make(t.Context(), newClient(&script{replies: []reply{answer(other.status, goodPlaced)}}))
		if !errors.Is(err, g2a.ErrUnavailable) {
			t.Errorf("%s: error is %v, want ErrUnavailable", name, err)
		}
	}
}

// TestEnvelope: any part of the Export API v2's error may be absent.
func TestEnvelope(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		body    string
		kind    error
		outcome g2a.Outcome
		text    string // in brackets
	}{
		{"all of it", 400, `{"error":{"code":"C","message":"m","status":400,"errors":[{"field":"f","message":"p"},{"field":"g","message":"q"}]},"traceId":"t"}`,
			g2a.ErrInvalidRequest, g2a.NotDone, `HTTP 400, C, "m; f: p; g: q", trace t`},
		{"no field", 422, `{"error":{"message":"m","errors":[{"message":"p"},{},{"field":"f"}]}}`, g2a.ErrInvalidRequest, g2a.NotDone, `HTTP 422, "m; p; f"`},
		{"empty parts", 403, `{"error":{"code":"","message":"","status":403,"errors":[]},"traceId":""}`, g2a.ErrInvalidRequest, g2a.NotDone, `HTTP 403`},
		{"a code that is a number", 404, `{"error":{"code":1001}}`, g2a.ErrNotFound, g2a.NotDone, `HTTP 404, 1001`},
		{"errors that are no list", 400, `{"error":{"code":"C","errors":"e"}}`, g2a.ErrInvalidRequest, g2a.NotDone, `HTTP 400, C`},
		{"a trace alone", 404, `{"error":{},"traceId":"t"}`, g2a.ErrNotFound, g2a.NotDone, `HTTP 404, trace t`},
		{"402", 402, `{"error":{"code":"C"}}`, g2a.ErrPaymentRequired, g2a.OutcomeUnknown, `HTTP 402, C`},
		{"410", 410, `{"error":{"code":"C"}}`, g2a.ErrNotFound, g2a.NotDone, `HTTP 410, C`},
		{"425", 425, `{"error":{"code":"C"}}`, g2a.ErrPaymentNotReady, g2a.OutcomeUnknown, `HTTP 425, C`},
		{"5xx", 503, `{"error":{"code":"C"}}`, g2a.ErrUnavailable, g2a.OutcomeUnknown, `HTTP 503, C`},
		{"the token in the words", 400, `{"error":{"message":"` + testAccess + `"},"traceId":"` + testAccess + `"}`, g2a.ErrInvalidRequest, g2a.NotDone,
			`HTTP 400, "[redacted]", trace [redacted]`},
		{"nothing in it", 404, `{"error":{}}`, g2a.ErrUnavailable, g2a.OutcomeUnknown, `HTTP 404, the answer is not G2A's`},
		{"a problem of someone else's", 404, `{"title":"Not Found","status":404,"traceId":"t"}`, g2a.ErrUnavailable, g2a.OutcomeUnknown, `HTTP 404, the answer is not G2A's`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := place.make(t.Context(), newClient(&script{replies: []reply{answer(test.status, test.body)}}))
			if !errors.Is(err, test.kind) || g2a.OutcomeOf(err) != test.outcome || !strings.HasSuffix(err.Error(), " ("+test.text+")") {
				t.Errorf("error is %v, %v; want %v, %v, (%s)", err, g2a.OutcomeOf(err), test.kind, test.outcome, test.text)
			}
		})
	}
}

// TestEnvelopeOfTheTokenEndpoint: its error was not observed, so the status decides.
func TestEnvelopeOfTheTokenEndpoint(t *testing.T) {
	for body, want := range map[string]error{
		`{"error":{"code":"UNAUTHORIZED","message":"no","status":401},"traceId":"t"}`: g2a.ErrCredentialsRejected,
		`{"error":"invalid_client","error_description":"no"}`:                         g2a.ErrCredentialsRejected,
		`{"error":"unauthorized","message":"a gateway's"}`:                            g2a.ErrUnavailable,
	} {
		cfg := testConfig()
		cfg.TokenFlow, cfg.RetryMax = g2a.TokenByClientCredentials, 0
		client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: &script{replies: []reply{answer(401, body)}}})
		if _, err := client.FetchToken(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: error is %v, want %v", body, err, want)
		}
	}
}

// TestOrderKeys: whatever a success holds is kept, or is certain to hold no key.
func TestOrderKeys(t *testing.T) {
	entry := func(keys string) string { return `{"item":{"id":"i"},"keys":` + keys + `}` }
	data := func(entries string) string { return `{"data":[` + entries + `]}` }
	tests := map[string]struct {
		reply reply
		want  string // the values, with space between; "raw" is the answer as it came
	}{
		"documented":                 {answer(200, goodKeys), "AAAA-1 AAAA-2"},
		"several entries":            {answer(200, data(entry(`[{"code":"A"}]`)+","+entry(`[]`)+","+entry(`[{"code":"B"},{"code":"C"}]`))), "A B C"},
		"more members":               {answer(200, `{"meta":{},"data":[{"x":1,"keys":[{"code":"A","kind":"text"}]}]}`), "A"},
		"a number":                   {answer(200, data(entry(`[{"code":600649123456789012345678}]`))), "600649123456789012345678"},
		"the same twice":             {answer(200, data(entry(`[{"code":"A"},{"code":"A"}]`))), "A A"},
		"another success":            {answer(202, goodKeys), "AAAA-1 AAAA-2"},
		"gzipped":                    {answer(200, compressed(t, goodKeys)), "AAAA-1 AAAA-2"},
		"after a BOM":                {answer(200, "\xef\xbb\xbf"+goodKeys), "AAAA-1 AAAA-2"},
		"no entry":                   {answer(200, `{"data":[]}`), ""},
		"no key":                     {answer(200, data(entry(`[]`))), ""},
		"202 with nothing":           {answer(202, ""), ""},
		"202 with words":             {answer(202, `{"status":"pending"}`), ""},
		"204":                        {answer(204, ""), ""},
		"no data":                    {answer(200, `{"keys":[{"code":"A"}]}`), "raw"},
		"data null":                  {answer(200, `{"data":null}`), "raw"},
		"an entry of another form":   {answer(200, data(entry(`[{"code":"A"}]`)+`,{"key":"B"}`)), "raw"},
		"an entry that is a string":  {answer(200, data(`"A"`)), "raw"},
		"keys null":                  {answer(200, data(entry(`null`))), "raw"},
		"keys of strings":            {answer(200, data(entry(`["A","B"]`))), "raw"},
		"a key without a code":       {answer(200, data(entry(`[{"code":"A"},{"file":"B"}]`))), "raw"},
		"an empty code":              {answer(200, data(entry(`[{"code":""}]`))), "raw"},
		"a code twice":               {answer(200, data(entry(`[{"code":"A","code":"B"}]`))), "raw"},
		"half of a surrogate pair":   {answer(200, data(entry(`[{"code":"A\ud83d"}]`))), "raw"},
		"bytes that are not UTF-8":   {answer(200, data(entry("[{\"code\":\"CAF\xe9\"}]"))), "raw"},
		"such bytes beside it":       {answer(200, "{\"data\":[{\"item\":\"CAF\xe9\",\"keys\":[{\"code\":\"A\"}]}]}"), "raw"},
		"an order in place of keys":  {answer(200, goodPlaced), "raw"},
		"an error as a success":      {answer(200, `{"error":{"code":"X"}}`), "raw"},
		"markup around it":           {answer(200, "<b>Notice</b>"+goodKeys), "raw"},
		"cut short":                  {cutShort(200, goodKeys[:60]), "raw"},
		"cut short at its very end":  {cutShort(200, goodKeys), "raw"},
		"cut short, and accepted":    {cutShort(202, goodKeys), "raw"},
		"cut short where none is":    {cutShort(200, `{"data":[]}`), "raw"},
		"gzipped and not understood": {answer(200, compressed(t, `{"data":{}}`)), "raw"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			came := received(t, test.reply)
			keys, err := newClient(&script{replies: []reply{test.reply}}).OrderKeys(t.Context(), "42")
			if err != nil {
				t.Fatal(err)
			}
			var values []string
			for _, key := range keys {
				values = append(values, key.Value.Reveal())
			}
			switch got := strings.Join(values, " "); {
			case test.want == "raw":
				if len(keys) != 1 || keys[0].Raw.Reveal() != came || !keys[0].Value.IsZero() {
					t.Errorf("%d keys, values %q, want the answer as it came", len(keys), got)
				}
			case got != test.want, test.want == "" && keys != nil:
				t.Errorf("keys are %q, want %q", got, test.want)
			}
			for _, key := range keys {
				if key.Value.IsZero() == key.Raw.IsZero() {
					t.Error("want either a value or the answer")
				}
			}
		})
	}
}

// compressed is a text as gzip sends it.
func compressed(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// received is as much of a reply's body as comes.
func received(t *testing.T, r reply) string {
	t.Helper()
	response, err := r(&http.Request{})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// TestOrderKeysRefused: what holds no key is an error, none of which repeats the answer.
func TestOrderKeysRefused(t *testing.T) {
	said := func(status int) reply {
		return answer(status, `{"error":{"code":"hunter2","message":"hunter2"},"traceId":"hunter2"}`)
	}
	tests := []struct {
		name    string
		reply   reply
		kind    error
		outcome g2a.Outcome
	}{
		{"nothing", answer(200, ""), g2a.ErrMalformedAnswer, g2a.OutcomeUnknown},
		{"cut short before the first byte", cutShort(200, ""), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"accepted, and cut short", cutShort(202, ""), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"a page", answer(200, "<html>hunter2</html>"), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"404", said(404), g2a.ErrNotFound, g2a.NotDone},
		{"409", said(409), g2a.ErrExists, g2a.OutcomeUnknown},
		{"410", said(410), g2a.ErrNotFound, g2a.NotDone},
		{"425", said(425), g2a.ErrPaymentNotReady, g2a.NotDone},
		{"402", said(402), g2a.ErrPaymentRequired, g2a.NotDone},
		{"5xx with keys", answer(500, strings.ReplaceAll(goodKeys, "AAAA", "hunter2")), g2a.ErrUnavailable, g2a.OutcomeUnknown},
		{"404 with keys", answer(404, strings.ReplaceAll(goodKeys, "AAAA", "hunter2")), g2a.ErrUnavailable, g2a.OutcomeUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			keys, err := newClient(&script{replies: []reply{test.reply}}).OrderKeys(t.Context(), "42")
			if !errors.Is(err, test.kind) || g2a.OutcomeOf(err) != test.outcome || keys != nil {
				t.Errorf("error is %v, %v; want %v, %v", err, g2a.OutcomeOf(err), test.kind, test.outcome)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the answer: %v", err)
			}
		})
	}
	if _, err := newClient(&script{}).OrderKeys(t.Context(), ".."); !errors.Is(err, g2a.ErrInvalidRequest) {
		t.Errorf("an order named ..: error is %v", err)
	}
}

package purchase_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

var update = flag.Bool("update", false, "write the table of answers into docs/data-model.md")

// answeredStep is a step at which an order meets an answer, and the call that it is the
// answer to.
type answeredStep struct {
	name, call string
	left       *purchase.Order // by an earlier run; nil is a new order
}

// answerTables are those of the documentation.
var answerTables = []struct {
	api     g2a.ExportAPI
	steps   []answeredStep
	answers []wireAnswer
}{
	{g2a.ExportV1, []answeredStep{
		{name: "quote", call: "GET /v1/products"},
		{name: "create", call: "POST /v1/order"},
		{name: "pay", call: "PUT /v1/order/pay/"},
		{name: "pay again", call: "PUT /v1/order/pay/", left: &purchase.Order{Step: purchase.Paying, Price: euro("5.10"), Creations: 1, G2AOrderID: "g1", Payments: 1}},
		{name: "details", call: "GET /v1/order/details/"},
		{name: "key", call: "GET /v1/order/key/"},
	}, wireAnswers},
	{g2a.ExportV2, []answeredStep{
		{name: "quote", call: "GET /export/v1/product-offers/"},
		{name: "create", call: "POST /export/v1/orders"},
		{name: "create again", call: "POST /export/v1/orders", left: &purchase.Order{
			Step: purchase.Paying, Price: euro("5.10"), Creations: 1, Payments: 1, IdempotencyKey: "5a1c7e4e-0000-4000-8000-000000000001",
		}},
		{name: "keys", call: "GET /export/v1/orders/"},
	}, wireAnswersV2},
}

// wireAnswer is an answer of G2A as it comes over the wire, or what comes in its place.
type wireAnswer struct {
	name   string
	status int // 0: none
	body   string
	sent   bool // without an answer: the request got out
}

func verdict(status int, code string) wireAnswer {
	return wireAnswer{name: fmt.Sprintf("%d %s", status, code), status: status, body: fmt.Sprintf(`{"status":"ERROR","message":"m","code":%q}`, code)}
}

var wireAnswers = []wireAnswer{
	{name: "not sent: no connection"},
	{name: "no answer: cut off, timed out", sent: true},
	{name: "5xx", status: 503, body: `{"status":"ERROR","message":"m","code":""}`},
	{name: "page: 403", status: 403, body: "<html>blocked</html>"},
	{name: "page: 401, empty", status: 401},
	{name: "page: 404, empty", status: 404},
	{name: "page: 200", status: 200, body: "<html>wait a moment</html>"},
	{name: "200, not understood", status: 200, body: `{"result":"odd"}`},
	verdict(401, "AUTH02"), verdict(400, "BR02"), verdict(429, "BR03"), verdict(404, "ORD02"), verdict(403, "ORD03"),
	verdict(400, "ORD004"), verdict(402, "ORD05"), verdict(403, "ORD112"), verdict(403, "ORD114"), verdict(403, "ORD121"),
	verdict(502, "ORD122"), verdict(400, "NEW1"),
}

func enveloped(status int) wireAnswer {
	return wireAnswer{name: fmt.Sprint(status), status: status, body: `{"error":{"code":"any","message":"m"},"traceId":"t"}`}
}

var wireAnswersV2 = append(slices.Clone(wireAnswers[:8]),
	enveloped(401), enveloped(400), enveloped(402), enveloped(403), enveloped(404), enveloped(409), enveloped(410), enveloped(422),
	enveloped(425), enveloped(429),
	wireAnswer{name: "409 with the order's id", status: 409, body: `{"data":{"id":"g1"}}`},
	wireAnswer{name: "202, nothing in it", status: 202, body: `{"data":[]}`},
)

// market of the wire: a G2A that answers as documented, but for one call.
type wire struct {
	call   string
	answer wireAnswer
	met    bool
	paid   bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn(r.URL.Host)
	if call := r.Method + " " + r.URL.Path; !w.met && strings.HasPrefix(call, w.call) {
		w.met = true
		if w.answer.status == 0 && !w.answer.sent {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		trace.WroteHeaders()
		if w.answer.status == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return w.respond(r, w.answer.status, w.answer.body)
	}
	trace.WroteHeaders()
	body := ""
	switch {
	case strings.HasPrefix(r.URL.Path, "/export/v1/product-offers/"):
		body = `{"data":{"id":"` + productID + `","name":"x","totalQuantity":3,"minPrice":"4.90","currency":"EUR"}}`
	case r.URL.Path == "/export/v1/orders":
		body = `{"data":{"id":"g1","status":"any","totalPrice":"5.10","currency":"EUR"}}`
	case strings.HasPrefix(r.URL.Path, "/export/v1/orders/"):
		body = `{"data":[{"item":{"id":"i"},"keys":[{"code":"` + productKey + `"}]}]}`
	case strings.HasPrefix(r.URL.Path, "/v1/products"):
		body = `{"total":1,"page":1,"docs":[{"id":"` + productID + `","name":"x","qty":3,"minPrice":4.90,"availableToBuy":true}]}`
	case r.URL.Path == "/v1/order":
		body = `{"order_id":"g1","price":5.10,"currency":"EUR"}`
	case strings.HasPrefix(r.URL.Path, "/v1/order/pay/"):
		w.paid = true
		body = `{"status":true,"transaction_id":"t1"}`
	case strings.HasPrefix(r.URL.Path, "/v1/order/details/"):
		body = map[bool]string{true: `{"status":"complete","price":5.10,"currency":"EUR"}`, false: `{"status":"pending","price":5.10,"currency":"EUR"}`}[w.paid]
	default:
		body = `{"key":"` + productKey + `"}`
	}
	return w.respond(r, http.StatusOK, body)
}

func (w *wire) respond(r *http.Request, status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// becomes runs one invocation whose step meets an answer, with the real client, and tells
// what is stored after it.
func becomes(t *testing.T, api g2a.ExportAPI, step answeredStep, w *wire) string {
	t.Helper()
	config, err := g2a.ParseConfig(func(name string) (string, bool) {
		return map[string]string{"G2A_RETRY_MAX": "0"}[name], name == "G2A_RETRY_MAX"
	})
	must(t, err)
	records := newWorld()
	if step.left != nil {
		left, hourAgo := *step.left, time.Now().Add(-time.Hour)
		left.Request = purchase.Request{Ref: "r1", ProductID: productID, MaxPrice: euro("12.50"), Quantity: 1}
		left.Fingerprint, left.API, left.Version = left.Request.Fingerprint(), api, 1
		left.OrderedAt, left.TriedAt, left.CreatedAt = hourAgo, hourAgo, hourAgo
		records.records["r1"] = left
	}
	credentials := g2a.Credentials{Hash: g2a.NewSecret("hash-hash"), Key: g2a.NewSecret("key-key")}
	p := purchase.Purchaser{
		Orders: store{records}, Markets: purchase.Markets(g2a.New(config, g2a.Options{Credentials: credentials, Tokens: fixedToken{}, Transport: w})),
		API: api, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	result, err := p.Advance(context.Background(), place, "a")
	if !w.met {
		t.Errorf("%s has not met the answer", step.name)
	}
	stored := records.records["r1"]
	switch {
	case errors.Is(err, g2a.ErrCredentialsRejected):
		return fmt.Sprintf("%s, `CredentialsRejected`", stored.Step)
	case errors.Is(err, g2a.ErrThrottled):
		return fmt.Sprintf("%s, `G2AThrottled`", stored.Step)
	case err != nil:
		return fmt.Sprintf("%s, `G2AUnavailable`", stored.Step)
	case result.Reason != "" && stored.Step.Final():
		return fmt.Sprintf("**%s** `%s`", stored.Step, result.Reason)
	case result.Reason != "":
		return fmt.Sprintf("%s, waits: `%s`", stored.Step, result.Reason)
	case stored.Step.Final():
		return fmt.Sprintf("**%s**", stored.Step)
	}
	return fmt.Sprintf("%s, waits", stored.Step)
}

// fixedToken is a g2a.TokenSource.
type fixedToken struct{}

func (fixedToken) Token(context.Context) (g2a.Token, error) {
	return g2a.Token{Access: g2a.NewSecret("token-token")}, nil
}

// TestAnswerTable holds the tables in the documentation against the code, or writes it
// with -update.
func TestAnswerTable(t *testing.T) {
	const file = "../../docs/data-model.md"
	text, err := os.ReadFile(file)
	must(t, err)
	documents := string(text)
	for _, table := range answerTables {
		var rows strings.Builder
		rows.WriteString("| answer |")
		for _, step := range table.steps {
			fmt.Fprintf(&rows, " %s |", step.name)
		}
		rows.WriteString("\n|" + strings.Repeat("---|", len(table.steps)+1) + "\n")
		for _, answer := range table.answers {
			fmt.Fprintf(&rows, "| %s |", answer.name)
			for _, step := range table.steps {
				var cell string
				synctest.Test(t, func(t *testing.T) {
					cell = becomes(t, table.api, step, &wire{call: step.call, answer: answer})
				})
				fmt.Fprintf(&rows, " %s |", cell)
			}
			rows.WriteString("\n")
		}
		begin := fmt.Sprintf("<!-- answers of %s: go test ./shared/purchase -run TestAnswerTable -update -->\n", table.api)
		before, rest, found := strings.Cut(documents, begin)
		documented, after, ended := strings.Cut(rest, "<!-- end of answers -->\n")
		if !found || !ended {
			t.Fatalf("the documentation has no place for the table of %s", table.api)
		}
		want := "\n" + rows.String() + "\n"
		if documented != want && !*update {
			t.Errorf("the documentation's table of %s is not what the code does: go test ./shared/purchase -run TestAnswerTable -update\n%s", table.api, &rows)
		}
		documents = before + begin + want + "<!-- end of answers -->\n" + after
	}
	if *update {
		must(t, os.WriteFile(file, []byte(documents), 0o644)) // #nosec G306 -- a document
	}
}

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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

var update = flag.Bool("update", false, "write the table of answers into docs/data-model.md")

// The steps at which an order meets an answer, by the call that it is the answer to.
var answeredSteps = []struct{ name, call string }{
	{"quote", "GET /v1/products"},
	{"create", "POST /v1/order"},
	{"pay", "PUT /v1/order/pay/"},
	{"pay again", "PUT /v1/order/pay/"},
	{"details", "GET /v1/order/details/"},
	{"key", "GET /v1/order/key/"},
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
func becomes(t *testing.T, step string, w *wire) string {
	t.Helper()
	config, err := g2a.ParseConfig(func(name string) (string, bool) {
		return map[string]string{"G2A_RETRY_MAX": "0"}[name], name == "G2A_RETRY_MAX"
	})
	must(t, err)
	records := newWorld()
	if step == "pay again" {
		request := purchase.Request{Ref: "r1", ProductID: productID, MaxPrice: euro("12.50"), Quantity: 1}
		records.records["r1"] = purchase.Order{
			Request: request, Fingerprint: request.Fingerprint(), API: g2a.ExportV1, Step: purchase.Paying, Version: 1, Price: euro("5.10"), Creations: 1,
			G2AOrderID: "g1", OrderedAt: time.Now().Add(-time.Hour), Payments: 1, TriedAt: time.Now().Add(-time.Hour), CreatedAt: time.Now().Add(-time.Hour),
		}
	}
	credentials := g2a.Credentials{Hash: g2a.NewSecret("hash-hash"), Key: g2a.NewSecret("key-key")}
	p := purchase.Purchaser{
		Orders: store{records}, Markets: purchase.Markets(g2a.New(config, g2a.Options{Credentials: credentials, Transport: w})),
		API: g2a.ExportV1, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	result, err := p.Advance(context.Background(), place, "a")
	if !w.met {
		t.Errorf("%s has not met the answer", step)
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

// TestAnswerTable holds the table in the documentation against the code, or writes it
// with -update.
func TestAnswerTable(t *testing.T) {
	var table strings.Builder
	table.WriteString("| answer |")
	for _, step := range answeredSteps {
		fmt.Fprintf(&table, " %s |", step.name)
	}
	table.WriteString("\n|" + strings.Repeat("---|", len(answeredSteps)+1) + "\n")
	for _, answer := range wireAnswers {
		fmt.Fprintf(&table, "| %s |", answer.name)
		for _, step := range answeredSteps {
			var cell string
			synctest.Test(t, func(t *testing.T) {
				cell = becomes(t, step.name, &wire{call: step.call, answer: answer})
			})
			fmt.Fprintf(&table, " %s |", cell)
		}
		table.WriteString("\n")
	}
	const file, begin, end = "../../docs/data-model.md", "<!-- answers: go test ./shared/purchase -run TestAnswerTable -update -->\n", "<!-- end of answers -->\n"
	text, err := os.ReadFile(file)
	must(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	documented, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("the documentation has no place for the table")
	}
	if want := "\n" + table.String() + "\n"; documented != want {
		if *update {
			must(t, os.WriteFile(file, []byte(before+begin+want+end+after), 0o644)) // #nosec G306 -- a document
			return
		}
		t.Errorf("the documentation's table is not what the code does: go test ./shared/purchase -run TestAnswerTable -update\n%s", table.String())
	}
}

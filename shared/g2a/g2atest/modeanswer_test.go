package g2atest_test

import (
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	createRoute  = "POST /v1/order"
	detailsRoute = "GET /v1/order/details/{id}"
)

// sameDraws starts a simulator that draws the same ids and keys as every other of them:
// what one answers for real, another has for {{answer}}. Its answers are not checked.
func sameDraws(t *testing.T, settings ...func(*g2atest.Options)) *g2atest.Server {
	t.Helper()
	srv := g2atest.NewServer(t, append(settings, func(o *g2atest.Options) { o.Rand = rand.NewPCG(1, 2) })...)
	srv.Client().Transport.(*http.Transport).DisableCompression = true // bodies as they come
	return srv
}

// drawn is what they all draw: an order's id and key, and the id of the next order.
type drawn struct{ id, key, next string }

func draw(t *testing.T) drawn {
	t.Helper()
	srv := sameDraws(t)
	c := client(t, srv)
	order, next := createOrder(t, c, plentiful), createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	key, err := c.OrderKey(t.Context(), order.ID)
	if err != nil {
		t.Fatal(err)
	}
	return drawn{order.ID, key.Value.Reveal(), next.ID}
}

// callOf calls a route, for an order where the route takes one. The account's
// credentials are a header like any other.
func callOf(t *testing.T, srv *g2atest.Server, route, orderID string, headers ...string) reply {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	body := ""
	if route == createRoute {
		body = `{"product_id":"` + plentiful + `"}`
	}
	return send(t, srv, method, strings.ReplaceAll(path, "{id}", orderID), body, append([]string{credentials(srv)}, headers...)...)
}

func TestAnswerInPlaceOfG2As(t *testing.T) {
	known := draw(t)
	const latin1 = "{\"key\":\"CAF\xE9-1234\"}"
	for name, test := range map[string]struct {
		route string
		fault string // fields besides route and mode
		// <answer>, <key>, <id> and <next>, the id of a new order, stand for the real ones
		want        string
		status      int
		contentType string
		encoding    string
	}{
		"no body":              {keyRoute, ``, "", 200, "application/json", ""},
		"no body, not found":   {payRoute, `"status":404`, "", 404, "application/json", ""},
		"nothing to say":       {payRoute, `"status":204`, "", 204, "application/json", ""},
		"a firewall's page":    {payRoute, `"status":403,"body":"<h1>no</h1>","content_type":"text/html; charset=utf-8"`, "<h1>no</h1>", 403, "text/html; charset=utf-8", ""},
		"the answer itself":    {keyRoute, `"body":"{{answer}}"`, "<answer>", 200, "application/json", ""},
		"notice before":        {keyRoute, `"body":"Notice: x\n{{answer}}"`, "Notice: x\n<answer>", 200, "application/json", ""},
		"notice after":         {payRoute, `"body":"{{answer}}Notice: x"`, "<answer>Notice: x", 200, "application/json", ""},
		"byte order mark":      {keyRoute, `"body":"\ufeff{{answer}}"`, "\ufeff<answer>", 200, "application/json", ""},
		"key in a list":        {keyRoute, `"body":"{\"key\":[\"{{key}}\"]}"`, `{"key":["<key>"]}`, 200, "application/json", ""},
		"bytes":                {keyRoute, `"body_base64":"` + base64.StdEncoding.EncodeToString([]byte(latin1)) + `"`, latin1, 200, "application/json", ""},
		"bytes with a key":     {keyRoute, `"body_base64":"` + base64.StdEncoding.EncodeToString([]byte("\xff{{key}}\x00")) + `"`, "\xff<key>\x00", 200, "application/json", ""},
		"odd price and status": {detailsRoute, `"body":"{\"status\":\"Complete\",\"price\":\"{{price}}\"}"`, `{"status":"Complete","price":"4.99"}`, 200, "application/json", ""},
		"all of the order":     {payRoute, `"body":"{{price}} {{key}} {{order_id}} {{order_id}}"`, "4.99 <key> <id> <id>", 200, "application/json", ""},
		"of a new order":       {createRoute, `"body":"{{order_id}} {{price}} {{answer}}"`, "<next> 4.99 <answer>", 200, "application/json", ""},
		"no order":             {productsRoute, `"body":"{{price}} {{key}} {{order_id}}"`, "{{price}} {{key}} {{order_id}}", 200, "application/json", ""},
		"no placeholder":       {keyRoute, `"body":"{{codes}} {{ key }} {key} \\u00e9"`, `{{codes}} {{ key }} {key} \u00e9`, 200, "application/json", ""},
		"replacement as is":    {keyRoute, "\"body\":\"\uFFFD\"", "\ufffd", 200, "application/json", ""},
		"replacement by hand":  {keyRoute, `"body":"\ufffd"`, "\ufffd", 200, "application/json", ""},
		"surrogate escaped":    {keyRoute, `"body":"AB\\ud83dCD"`, `AB\ud83dCD`, 200, "application/json", ""},
		"an encoding":          {keyRoute, `"body":"x","content_encoding":"br"`, "x", 200, "application/json", "br"},
		"after a delay":        {keyRoute, `"body":"x","delay_ms":1`, "x", 200, "application/json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv, twin := sameDraws(t), sameDraws(t)
			for _, s := range []*g2atest.Server{srv, twin} {
				createOrder(t, client(t, s), plentiful)
				if test.route == keyRoute {
					payOrder(t, client(t, s), known.id)
				}
			}
			addFault(t, srv, `{"route":"`+test.route+`","mode":"answer"`+strings.TrimSuffix(","+test.fault, ",")+`}`)
			got, real := callOf(t, srv, test.route, known.id), callOf(t, twin, test.route, known.id)
			want := strings.NewReplacer("<answer>", real.body, "<key>", known.key, "<id>", known.id, "<next>", known.next).Replace(test.want)
			if got.status != test.status || got.body != want || got.header.Get("Content-Type") != test.contentType || got.header.Get("Content-Encoding") != test.encoding {
				t.Errorf("answer is %d %q %v\nwant %d %q, type %q, encoding %q", got.status, got.body, got.header, test.status, want, test.contentType, test.encoding)
			}
			if after, wanted := bookOf(t, srv), bookOf(t, twin); after != wanted {
				t.Errorf("the book is\n%s\nwant the work done:\n%s", after, wanted)
			}
			if of := srv.Simulator.Stats().Routes[test.route]; of.Statuses[test.status] == 0 || of.Dropped != 0 {
				t.Errorf("stats are %+v, want a %d", of, test.status)
			}
			if got, real := callOf(t, srv, test.route, known.id), callOf(t, twin, test.route, known.id); got.body != real.body {
				t.Errorf("the next answer is %s, want G2A's own: %s", got.body, real.body)
			}
		})
	}
}

// TestAnswerWhenTheWorkIsRefused: {{answer}} is the refusal, and the order's placeholders
// stay where the call came to no order.
func TestAnswerWhenTheWorkIsRefused(t *testing.T) {
	known := draw(t)
	for name, test := range map[string]struct {
		route, id, authorization string
		answer, rest             string // <key> stands for the real one
	}{
		"unpaid":              {keyRoute, known.id, "", `"code":"ORD05"`, "<key> <id>"},
		"no such order":       {keyRoute, "1", "", `"code":"ORD02"`, "{{key}} {{order_id}}"},
		"details that lag":    {detailsRoute, known.id, "", `"code":"ORD02"`, "<key> <id>"},
		"unknown credentials": {keyRoute, known.id, "Authorization: a, b", `"code":"AUTH02"`, "{{key}} {{order_id}}"},
		"without credentials": {createRoute, known.id, "Authorization: ", `"code":"AUTH01"`, "{{key}} {{order_id}}"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := sameDraws(t, func(o *g2atest.Options) { o.DetailsLag = 1 })
			createOrder(t, client(t, srv), plentiful)
			addFault(t, srv, `{"route":"`+test.route+`","mode":"answer","body":"{{answer}}|{{key}} {{order_id}}"}`)
			var headers []string
			if test.authorization != "" {
				headers = append(headers, test.authorization)
			}
			got := callOf(t, srv, test.route, test.id, headers...)
			answer, rest, _ := strings.Cut(got.body, "|")
			if !strings.HasPrefix(answer, `{"status":"ERROR",`) || !strings.HasSuffix(answer, test.answer+"}") {
				t.Errorf("answer is %s, want G2A's error with %s", answer, test.answer)
			}
			if want := strings.NewReplacer("<key>", known.key, "<id>", known.id).Replace(test.rest); rest != want {
				t.Errorf("the placeholders are %q, want %q", rest, want)
			}
			if stats := srv.Simulator.Stats(); got.status != http.StatusOK || stats.OrdersCreated != 1 || stats.KeysRevealed != 0 {
				t.Errorf("status is %d and stats are %+v, want 200 and no work done", got.status, stats)
			}
		})
	}
}

func TestCompressedAnswer(t *testing.T) {
	for name, reader := range map[string]func(io.Reader) (io.ReadCloser, error){
		"gzip":    func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
		"deflate": zlib.NewReader,
	} {
		t.Run(name, func(t *testing.T) {
			srv, twin := sameDraws(t), sameDraws(t)
			addFault(t, srv, `{"route":"`+productsRoute+`","mode":"answer","body":"{{answer_`+name+`}}","content_encoding":"`+name+`"}`)
			got, real := callOf(t, srv, productsRoute, ""), callOf(t, twin, productsRoute, "")
			r, err := reader(strings.NewReader(got.body))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			if err != nil || string(body) != real.body || got.header.Get("Content-Encoding") != name {
				t.Errorf("answer is %.80q, %v (%v), want %.80q", body, got.header, err, real.body)
			}
		})
	}
}

func TestAnswerWithAKeyThatIsAFile(t *testing.T) {
	srv := sameDraws(t, func(o *g2atest.Options) { o.FileKeySize = 400 << 10 })
	c := client(t, srv)
	order := createOrder(t, c, asFile)
	payOrder(t, c, order.ID)
	addFault(t, srv, `{"route":"`+keyRoute+`","mode":"answer","body":"{{key}}"}`)
	got := callOf(t, srv, keyRoute, order.ID)
	if book := record(t, srv, order.ID); hexSHA256(got.body) != book.KeySHA256 || !book.KeyRevealed {
		t.Errorf("%d bytes of hash %s came, want the key of %+v", len(got.body), hexSHA256(got.body), book)
	}
}

// TestFaultOfGoIsChecked has what JSON cannot hold.
func TestFaultOfGoIsChecked(t *testing.T) {
	srv := newServer(t)
	err := srv.Simulator.AddFault(g2atest.Fault{Route: "*", Mode: "answer", Body: "CAF\xE9"})
	if err == nil || !strings.Contains(err.Error(), "body: is not UTF-8") {
		t.Errorf("error is %v, want one that names the body", err)
	}
}

// bookOf is the order book in one text, without the times.
func bookOf(t *testing.T, srv *g2atest.Server) string {
	t.Helper()
	book := srv.Simulator.Orders()
	for i := range book {
		book[i].CreatedAt = 0
	}
	text, err := json.Marshal(book)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package g2atest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// Products of the embedded catalogue that the tests rely on.
const (
	plentiful = "90000000334016" // 4.99, many
	cheapest  = "90000000340030" // 0.01
	dearest   = "90000000362040" // 12999.99, more than the wallet holds
	soldOut   = "90000000462062"
	lastOne   = "90000000513083" // 5.5, one piece
	wholeEuro = "90000000537086" // 5
	asFile    = "90000000563093" // 3.49, its key is a file
)

var ample = g2a.Money{Amount: decimal.NewFromInt(100_000), Currency: "EUR"}

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func withClock(c *clock) func(*g2atest.Options) {
	return func(o *g2atest.Options) { o.Clock = c.Now }
}

// newServer is g2atest.NewServer, with each of its answers checked against the
// contract, of which the control routes are no part.
func newServer(t *testing.T, settings ...func(*g2atest.Options)) *g2atest.Server {
	t.Helper()
	srv := g2atest.NewServer(t, settings...)
	srv.Client().Transport = answersChecked(t, srv.Client().Transport)
	return srv
}

func answersChecked(t *testing.T, next http.RoundTripper) http.RoundTripper {
	check := contracttest.G2A().Answers(next, func(err error) { t.Error(err) })
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			return next.RoundTrip(r)
		}
		return check.RoundTrip(r)
	})
}

// newServerOver is newServer for one version of HTTP.
func newServerOver(t *testing.T, http2 bool) *g2atest.Server {
	t.Helper()
	srv := g2atest.NewServer(t)
	transport := srv.Client().Transport.(*http.Transport)
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	srv.Client().Transport = answersChecked(t, transport)
	return srv
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// client is the real client of a server, whose requests are checked, too. It tries
// nothing twice, so that each of its calls is one of the server's, unless the
// variables say otherwise.
func client(t *testing.T, srv *g2atest.Server, variables ...string) *g2a.Client {
	t.Helper()
	return g2a.New(srv.Config(append([]string{"G2A_RETRY_MAX=0"}, variables...)...), g2a.Options{
		Credentials: srv.Credentials,
		Transport:   contracttest.G2A().Transport(srv.Client().Transport, func(err error) { t.Error(err) }),
	})
}

// reply is an answer as it came.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a plain call. Headers are "Name: value".
func send(t *testing.T, srv *g2atest.Server, method, path, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := srv.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: strings.TrimSuffix(string(received), "\n")}
}

// credentials is the header of the Export API.
func credentials(srv *g2atest.Server) string {
	return "Authorization: " + srv.Credentials.Hash.Reveal() + ", " + srv.Credentials.Key.Reveal()
}

// bearer fetches a token and gives the header of the Import API.
func bearer(t *testing.T, srv *g2atest.Server) string {
	t.Helper()
	token, err := client(t, srv).FetchToken(t.Context())
	if err != nil {
		t.Fatalf("fetching a token: %v", err)
	}
	return "Authorization: Bearer " + token.Access.Reveal()
}

// wantFailure checks an answer for its status and G2A's code; "" is none.
func (r reply) wantFailure(t *testing.T, status int, code string) {
	t.Helper()
	var body struct {
		Status, Message, Code string
		Error                 *struct {
			Status        int
			Message, Code string
		}
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("answer %d %q is not G2A's error: %v", r.status, r.body, err)
	}
	if e := body.Error; e != nil && e.Status == r.status { // the Export API v2's form
		body.Status, body.Message, body.Code = "ERROR", e.Message, e.Code
	}
	if len(body.Errors) == 1 && body.Code+body.Message+body.Status == "" { // the Import API's form
		body.Status, body.Code, body.Message = "ERROR", body.Errors[0].Code, body.Errors[0].Message
	}
	if r.status != status || body.Code != code || body.Status != "ERROR" || body.Message == "" {
		t.Errorf("answer is %d %s, want %d with code %q", r.status, r.body, status, code)
	}
}

// want reads a 200's body.
func (r reply) want(t *testing.T, into any) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("answer is %d %s, want 200", r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("answer %s: %v", r.body, err)
	}
}

func createOrder(t *testing.T, c *g2a.Client, productID string) g2a.Order {
	t.Helper()
	order, err := c.CreateOrder(t.Context(), productID, ample)
	if err != nil {
		t.Fatalf("creating an order: %v", err)
	}
	return order
}

func payOrder(t *testing.T, c *g2a.Client, orderID string) {
	t.Helper()
	if _, err := c.PayOrder(t.Context(), orderID); err != nil {
		t.Fatalf("paying order %s: %v", orderID, err)
	}
}

// record finds an order in the book.
func record(t *testing.T, srv *g2atest.Server, orderID string) g2atest.OrderRecord {
	t.Helper()
	for _, r := range srv.Simulator.Orders() {
		if r.ID == orderID {
			return r
		}
	}
	t.Fatalf("order %s is not in the book", orderID)
	return g2atest.OrderRecord{}
}

// stock asks for a product's quantity.
func stock(t *testing.T, c *g2a.Client, productID string) int {
	t.Helper()
	product, err := c.Product(t.Context(), productID)
	if err != nil {
		t.Fatalf("asking for product %s: %v", productID, err)
	}
	return product.Quantity
}

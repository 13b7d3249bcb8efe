package g2a_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	testHash = "hash-0123456789-hash"
	testKey  = "key-0123456789-key"
)

var testCredentials = g2a.Credentials{Hash: g2a.NewSecret(testHash), Key: g2a.NewSecret(testKey)}

func testConfig() g2a.Config {
	return g2a.Config{
		Env: g2a.Sandbox, ExportURL: "https://g2a.test/v1", ExportV2URL: "https://g2a.test/export/v1", ImportURL: "https://g2a.test", TokenURL: "https://g2a.test/v1/token",
		AuthScheme: g2a.AuthHeader, TokenFlow: g2a.TokenByHash, Timeout: 8 * time.Second, RetryMax: 2,
	}
}

// reply is one answer of a script, or the error instead of it.
type reply func(*http.Request) (*http.Response, error)

// answer gives a status, a body and header lines such as "Retry-After: 3".
func answer(status int, body string, lines ...string) reply {
	return func(r *http.Request) (*http.Response, error) {
		header := http.Header{}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			header.Set(name, value)
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

// cutShort is an answer whose connection breaks before its end.
func cutShort(status int, body string) reply {
	return func(r *http.Request) (*http.Response, error) {
		broken := io.MultiReader(strings.NewReader(body), errorReader{io.ErrUnexpectedEOF})
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(broken), Request: r}, nil
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func reset(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
}

// hang answers nothing until the client gives up.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// script is a G2A in memory that gives its replies one after the other, the last
// of them ever again. It is safe for concurrent use.
type script struct {
	replies []reply

	mu   sync.Mutex
	seen []sent
}

// sent is a request as it went out.
type sent struct {
	*http.Request
	dump string        // the bytes of HTTP/1.1
	left time.Duration // until the context's deadline
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	dump, err := httputil.DumpRequestOut(r.Clone(context.Background()), true)
	if err != nil {
		return nil, fmt.Errorf("dumping the request: %w", err)
	}
	record := sent{Request: r, dump: string(dump)}
	if deadline, limited := r.Context().Deadline(); limited {
		record.left = time.Until(deadline)
	}
	s.mu.Lock()
	s.seen = append(s.seen, record)
	next := s.replies[min(len(s.seen), len(s.replies))-1]
	s.mu.Unlock()
	return next(r)
}

func (s *script) requests() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// calls records what an Observer is told.
type calls struct {
	mu   sync.Mutex
	told []g2a.Call
}

func (c *calls) StartCall(ctx context.Context, _, _ string) (context.Context, func(g2a.Call)) {
	return ctx, func(call g2a.Call) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.told = append(c.told, call)
	}
}

func newClient(t *script) *g2a.Client {
	return g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: t})
}

// testAccess is the access token of the calls of the Import API.
const testAccess = "access-0123456789-access"

// fixedToken is a source that cannot be told of a token that is rejected.
var fixedToken = sourceFunc(func(context.Context) (g2a.Token, error) {
	return g2a.Token{Access: g2a.NewSecret(testAccess)}, nil
})

const (
	goodPage    = `{"total":1,"page":1,"docs":[{"id":"7","name":"A","qty":3,"minPrice":4.99}]}`
	goodOrder   = `{"order_id":"42","price":4.99,"currency":"EUR"}`
	goodPay     = `{"status":true,"transaction_id":"tx1"}`
	goodDetails = `{"status":"complete","price":4.99,"currency":"EUR"}`
	goodKey     = `{"key":"AAAA-BBBB-CCCC"}`
	goodToken   = `{"access_token":"token-abc","expires_in":3600,"token_type":"Bearer"}`

	goodJobID       = `{"data":{"jobId":"j1"}}`
	goodOfferBody   = `{"id":"o1","type":"game","product":{"id":"7"},"price":"4.99"}`
	goodOffer       = `{"data":` + goodOfferBody + `}`
	goodMeta        = `"meta":{"page":1,"itemsPerPage":10,"totalResults":1}`
	goodOffers      = `{"data":[` + goodOfferBody + `],` + goodMeta + `}`
	goodCollection  = `{"data":{"collectionUuid":"c1"}}`
	goodJob         = `{"data":{"jobId":"j1","status":"complete","elements":[{"resourceId":"o1","resourceType":"offer","status":"completed"}]}}`
	goodPrices      = `{"income":{"ALL":"4.45"},"finalePrice":{"DE":"5.94","OTHER":"4.99"},"businessFinalPrice":{"ALL":"4.99"},"businessIncome":{"ALL":"4.4"}}`
	goodSellers     = `{"data":[{"productId":"7","soldItemsQuantity":3}],` + goodMeta + `}`
	goodCompetitors = `{"data":[{"id":"o2","price":{"retail":{"base":{"currencyCode":"EUR","value":"4.99"}}}}],` + goodMeta + `}`
	goodSale        = `{"data":{"id":"s1","status":"completed","items":[]}}`
	goodSales       = `{"data":[{"id":"s1","status":"completed","items":[]}],` + goodMeta + `}`

	goodEntry          = `{"id":"7","name":"A","totalQuantity":3,"minPrice":"4.99","currency":"EUR","offers":[{"id":"f1","price":"4.99","quantity":3}]}`
	goodProductOffer   = `{"data":` + goodEntry + `}`
	goodProductOffers  = `{"data":[` + goodEntry + `],"meta":{"page":1,"itemsPerPage":10,"totalResults":1,"hasNext":false}}`
	goodProductDetails = `{"data":[` + goodEntry + `]}`
	goodPlaced         = `{"data":{"id":"42","status":"pending","totalPrice":"9.98","currency":"EUR"}}`
	goodKeys           = `{"data":[{"item":{"id":"i1"},"keys":[{"code":"AAAA-1"},{"code":"AAAA-2"}]}]}`
)

// Every call of the client, with an answer of success.
var (
	products = call{"products", goodPage, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Products(ctx, g2a.ProductQuery{})
		return err
	}}
	create = call{"create", goodOrder, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.CreateOrder(ctx, "7", money("12.50"))
		return err
	}}
	pay = call{"pay", goodPay, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.PayOrder(ctx, "42")
		return err
	}}
	details = call{"details", goodDetails, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.OrderDetails(ctx, "42")
		return err
	}}
	key = call{"key", goodKey, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.OrderKey(ctx, "42")
		return err
	}}
	token = call{"token", goodToken, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.FetchToken(ctx)
		return err
	}}
	createOffer = call{"create offer", goodJobID, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.CreateOffer(ctx, newOffer())
		return err
	}}
	changeOffer = call{"change offer", goodJobID, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.ChangeOffer(ctx, "o1", g2a.OfferChange{Type: g2a.OfferGame, Active: new(false)})
		return err
	}}
	addInventory = call{"add inventory", goodCollection, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.AddInventory(ctx, []g2a.Secret{g2a.NewSecret("AAAA-BBBB-CCCC")})
		return err
	}}
	offer = call{"offer", goodOffer, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Offer(ctx, "o1")
		return err
	}}
	offers = call{"offers", goodOffers, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Offers(ctx, g2a.OfferQuery{})
		return err
	}}
	job = call{"job", goodJob, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Job(ctx, "j1")
		return err
	}}
	prices = call{"prices", goodPrices, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.SimulatePrice(ctx, "7", money("4.99"), "")
		return err
	}}
	bestsellers = call{"bestsellers", goodSellers, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Bestsellers(ctx, g2a.BestsellerQuery{})
		return err
	}}
	deleteOffer = call{"delete offer", goodJobID, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.DeleteOffer(ctx, "o1")
		return err
	}}
	inventory = call{"inventory", `{"data":[]}`, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.Inventory(ctx, "o1", 0, 0)
		return err
	}}
	competitors = call{"competitors", goodCompetitors, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.CompetitorOffers(ctx, "7", g2a.CompetitorQuery{})
		return err
	}}
	sales = call{"sales", goodSales, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.SellerOrders(ctx, g2a.SellerOrderQuery{})
		return err
	}}
	sale = call{"sale", goodSale, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.SellerOrder(ctx, "s1")
		return err
	}}
	productOffers = call{"product offers", goodProductOffers, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.ProductOffers(ctx, g2a.ProductOfferQuery{})
		return err
	}}
	productOffer = call{"product offer", goodProductOffer, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.ProductOffer(ctx, "7")
		return err
	}}
	productDetails = call{"product details", goodProductDetails, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.ProductDetails(ctx, []string{"7"})
		return err
	}}
	place = call{"place", goodPlaced, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.PlaceOrder(ctx, newWish())
		return err
	}}
	orderKeys = call{"keys", goodKeys, func(ctx context.Context, c *g2a.Client) error {
		_, err := c.OrderKeys(ctx, "42")
		return err
	}}
	withCredentials = []call{products, details, token, create, pay, key}
	bearerReads     = []call{offer, offers, inventory, job, prices, bestsellers, competitors, sales, sale, productOffers, productOffer, productDetails}
	importOnces     = []call{createOffer, changeOffer, deleteOffer, addInventory}
	withToken       = slices.Concat(bearerReads, importOnces, []call{place, orderKeys})
	reads           = append([]call{products, details, token}, bearerReads...)
	onces           = append([]call{create, pay, key, place, orderKeys}, importOnces...)
	allCalls        = append(append([]call{}, withCredentials...), withToken...)
)

func newWish() g2a.NewOrder {
	return g2a.NewOrder{IdempotencyKey: "5a1c7e4e-0000-4000-8000-000000000001", ProductID: "7", Quantity: 2, MaxPrice: money("5.5")}
}

func newOffer() g2a.NewOffer {
	return g2a.NewOffer{Type: g2a.OfferGame, ProductID: "7", Price: money("4.99"), Visibility: g2a.VisibleAll}
}

type call struct {
	name string
	good string
	make func(context.Context, *g2a.Client) error
}

func money(amount string) g2a.Money {
	m, err := g2a.ParseMoney(amount, "EUR")
	if err != nil {
		panic(err)
	}
	return m
}

func TestAttempts(t *testing.T) {
	throttled, unavailable, badGateway := answer(429, body("BR03")), answer(503, ""), answer(502, body("ORD122"))
	page := func(status int) reply { return answer(status, "<html>Just a moment...</html>") }
	notKey := slices.DeleteFunc(slices.Clone(allCalls), func(c call) bool { return c.name == key.name || c.name == orderKeys.name })
	needBody := slices.DeleteFunc(slices.Clone(allCalls), func(c call) bool { return c.name == deleteOffer.name })
	tests := []struct {
		name    string
		calls   []call
		replies []reply // the good answer comes after them
		want    int
		kind    error
	}{
		{"success at once", allCalls, nil, 1, nil},
		{"429 is retried", allCalls, []reply{throttled}, 2, nil},
		{"429 without a code is retried", allCalls, []reply{answer(429, `{"status":"ERROR","message":"slow down"}`)}, 2, nil},
		{"a gateway's 429 is retried by a read", reads, []reply{answer(429, "")}, 2, nil},
		{"a gateway's 429 is not retried by a once-call", onces, []reply{answer(429, "")}, 1, g2a.ErrUnavailable},
		{"a page in G2A's place is retried by a read", reads, []reply{page(403), page(404)}, 3, nil},
		{"a page in G2A's place is not retried by a once-call", onces, []reply{page(403)}, 1, g2a.ErrUnavailable},
		{"429 until the retries are used up", allCalls, []reply{throttled, throttled, throttled}, 3, g2a.ErrThrottled},
		{"a read is retried after 5xx", reads, []reply{unavailable, unavailable}, 3, nil},
		{"a read is retried after ORD122", reads, []reply{badGateway}, 2, nil},
		{"a read's 5xx until the retries are used up", reads, []reply{unavailable, unavailable, unavailable}, 3, g2a.ErrUnavailable},
		{"a read is retried after a reset connection", reads, []reply{reset}, 2, nil},
		{"a read is retried after an answer cut short", reads, []reply{cutShort(200, `{"to`)}, 2, nil},
		{"a read is retried after a timeout", reads, []reply{hang}, 2, nil},
		{"a once-call is not retried after 5xx", onces, []reply{unavailable}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after 500 that says BR03", onces, []reply{answer(500, `{"code":"BR03"}`)}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after ORD122", onces, []reply{badGateway}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after a reset connection", onces, []reply{reset}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after an answer cut short", onces, []reply{cutShort(200, "")}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after a timeout", onces, []reply{hang}, 1, g2a.ErrUnavailable},
		{"a once-call is not retried after a 429 and then 503", onces, []reply{throttled, unavailable}, 2, g2a.ErrUnavailable},
		{"400 is not retried", allCalls, []reply{answer(400, body("BR02"))}, 1, g2a.ErrInvalidRequest},
		{"401 is not retried", allCalls, []reply{answer(401, body("AUTH02"))}, 1, g2a.ErrCredentialsRejected},
		{"408 with an unknown code is not retried", allCalls, []reply{answer(408, body("ORD999"))}, 1, g2a.ErrInvalidRequest},
		{"a malformed success is not retried", notKey, []reply{answer(200, "<html>")}, 1, g2a.ErrMalformedAnswer},
		{"a page as a success is not retried by the keys", []call{key, orderKeys}, []reply{page(200)}, 1, g2a.ErrUnavailable},
		{"an empty success is not retried", needBody, []reply{answer(200, "")}, 1, g2a.ErrMalformedAnswer},
	}
	for _, test := range tests {
		for _, call := range test.calls {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g2aServer := &script{replies: append(append([]reply{}, test.replies...), answer(200, call.good))}
					observed := &calls{}
					client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: g2aServer, Observer: observed})
					err := call.make(t.Context(), client)
					if !errors.Is(err, test.kind) {
						t.Errorf("error is %v, want %v", err, test.kind)
					}
					if got := len(g2aServer.requests()); got != test.want {
						t.Errorf("%d attempts, want %d", got, test.want)
					}
					if len(observed.told) != 1 || observed.told[0].Attempts != test.want || !errors.Is(observed.told[0].Err, err) {
						t.Errorf("observer was told %+v, want one call with %d attempts and error %v", observed.told, test.want, err)
					}
				})
			})
		}
	}
}

func TestNoRetriesWhenConfiguredSo(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(503, "")}}
	cfg := testConfig()
	cfg.RetryMax = 0
	_, err := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: g2aServer}).Products(t.Context(), g2a.ProductQuery{})
	if !errors.Is(err, g2a.ErrUnavailable) || len(g2aServer.requests()) != 1 {
		t.Errorf("%d attempts and error %v, want one and ErrUnavailable", len(g2aServer.requests()), err)
	}
}

// TestWait goes by the bubble's own clock, which stands still but for the waits.
func TestWait(t *testing.T) {
	const firstBackoff = 200 * time.Millisecond
	tests := []struct {
		name       string
		status     int
		retryAfter string // "" is none; "+4s" is a date
		deadline   time.Duration
		attempts   int
		atLeast    time.Duration
		below      time.Duration
		asked      time.Duration // in the error, when there is no retry
	}{
		{"backoff with jitter", 503, "", time.Minute, 2, 0, firstBackoff, 0},
		{"no deadline at all", 503, "", 0, 2, 0, firstBackoff, 0},
		{"seconds", 429, "3", time.Minute, 2, 3 * time.Second, 3*time.Second + firstBackoff, 0},
		{"seconds with 503", 503, "3", time.Minute, 2, 3 * time.Second, 3*time.Second + firstBackoff, 0},
		{"a date", 429, "+4s", time.Minute, 2, 4 * time.Second, 4*time.Second + firstBackoff, 0},
		{"a date in the past", 429, "-4s", time.Minute, 2, 0, firstBackoff, 0},
		{"zero", 429, "0", time.Minute, 2, 0, firstBackoff, 0},
		{"nonsense", 429, "soon", time.Minute, 2, 0, firstBackoff, 0},
		{"negative", 429, "-5", time.Minute, 2, 0, firstBackoff, 0},
		{"longer than a timeout is left to the caller", 429, "9", time.Minute, 1, 0, 1, 9 * time.Second},
		{"a date longer than a timeout is left to the caller", 429, "+1h", time.Minute, 1, 0, 1, time.Hour},
		{"a number out of range is long", 429, "99999999999999999999999", 0, 1, 0, 1, (1<<32 - 1) * time.Second},
		{"a date out of range is long", 429, "Fri, 31 Dec 9999 23:59:59 GMT", 0, 1, 0, 1, 1<<63 - 1},
		{"beyond the deadline", 429, "3", 3400 * time.Millisecond, 1, 0, 1, 3 * time.Second},
		{"just within the deadline", 429, "3", 3500 * time.Millisecond, 2, 3 * time.Second, 3*time.Second + 1, 0},
		{"a date in the past, and too little time", 429, "-4s", 400 * time.Millisecond, 1, 0, 1, 0},
		{"too little time for another attempt", 503, "", 499 * time.Millisecond, 1, 0, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				header := test.retryAfter
				if shift, err := time.ParseDuration(header); err == nil && header != "0" {
					header = time.Now().Add(shift).UTC().Format(http.TimeFormat)
				}
				var lines []string
				if header != "" {
					lines = append(lines, "Retry-After: "+header)
				}
				g2aServer := &script{replies: []reply{answer(test.status, "", lines...), answer(200, goodPage)}}
				started := time.Now()
				_, err := newClient(g2aServer).Products(ctx, g2a.ProductQuery{})
				waited := time.Since(started)
				if got := len(g2aServer.requests()); got != test.attempts {
					t.Errorf("%d attempts, want %d", got, test.attempts)
				}
				if waited < test.atLeast || waited >= test.below {
					t.Errorf("waited %v, want from %v to below %v", waited, test.atLeast, test.below)
				}
				var e *g2a.Error
				switch {
				case test.attempts == 2 && err != nil:
					t.Errorf("error is %v", err)
				case test.attempts == 1 && !errors.As(err, &e):
					t.Errorf("error is %v, want an *Error", err)
				case test.attempts == 1 && e.RetryAfter != test.asked:
					t.Errorf("RetryAfter is %v, want %v", e.RetryAfter, test.asked)
				}
			})
		})
	}
}

// TestNoAttemptBeyondTheDeadline repeats itself for the jitter.
func TestNoAttemptBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
			g2aServer := &script{replies: []reply{answer(503, "")}}
			started := time.Now()
			err := details.make(ctx, newClient(g2aServer))
			var e *g2a.Error
			if !errors.As(err, &e) || e.Status != 503 || ctx.Err() != nil {
				t.Errorf("error is %v and context's error %v, want the last attempt's before the deadline", err, ctx.Err())
			}
			for i, attempt := range g2aServer.requests() {
				if attempt.left < 500*time.Millisecond {
					t.Fatalf("attempt %d was begun with %v left, %v after the start", i+1, attempt.left, time.Since(started))
				}
			}
			cancel()
		}
	})
}

// TestNothingIsSentWhenTheTimeIsUp, and nothing of it is held against G2A.
func TestNothingIsSentWhenTheTimeIsUp(t *testing.T) {
	for _, call := range allCalls {
		t.Run(call.name, func(t *testing.T) {
			g2aServer, observed := &script{replies: []reply{answer(200, call.good)}}, &calls{}
			client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: g2aServer, Observer: observed})
			ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			for range 10 {
				if err := call.make(ctx, client); !errors.Is(err, g2a.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error is %v, want the deadline", err)
				}
			}
			if len(g2aServer.requests()) != 0 || len(observed.told) != 10 || observed.told[0].Attempts != 0 {
				t.Errorf("%d requests sent, observer was told %+v", len(g2aServer.requests()), observed.told)
			}
			if err := call.make(t.Context(), client); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g2aServer := &script{replies: []reply{hang}}
		started := time.Now()
		err := pay.make(t.Context(), newClient(g2aServer))
		if !errors.Is(err, g2a.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want ErrUnavailable for a deadline", err)
		}
		if took := time.Since(started); took != 8*time.Second {
			t.Errorf("gave up after %v, want the timeout of 8s", took)
		}
	})
}

// TestLastResultCounts: what G2A has said is not lost because the time is up.
func TestLastResultCounts(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		kind  error
	}{
		{"a key given out", answer(200, goodKey), nil},
		{"a refusal", answer(403, body("ORD03")), g2a.ErrPaymentNotReady},
		{"throttling", answer(429, body("BR03")), g2a.ErrThrottled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
				cancel()
				return test.reply(r)
			}}}
			got, err := newClient(g2aServer).OrderKey(ctx, "42")
			if !errors.Is(err, test.kind) {
				t.Errorf("error is %v, want %v", err, test.kind)
			}
			if test.kind == nil && got.Value.Reveal() != "AAAA-BBBB-CCCC" {
				t.Error("the key is lost")
			}
			if len(g2aServer.requests()) != 1 {
				t.Errorf("%d attempts, want 1", len(g2aServer.requests()))
			}
		})
	}
}

// TestRateLimit goes by the bubble's own clock.
func TestRateLimit(t *testing.T) {
	tests := []struct {
		name  string
		limit int
		calls int
		least time.Duration
		most  time.Duration
	}{
		{"none", 0, 100, 0, 0},
		{"ten a second", 10, 31, 2900 * time.Millisecond, 3 * time.Second},
		{"one a second", 1, 4, 2 * time.Second, 3 * time.Second},
	}
	for _, test := range tests {
		for _, call := range []call{details, offer} { // one of either API
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g2aServer := &script{replies: []reply{answer(200, call.good)}}
					client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: g2aServer, RateLimit: test.limit})
					started := time.Now()
					var wg sync.WaitGroup
					for range test.calls {
						wg.Go(func() {
							if err := call.make(t.Context(), client); err != nil {
								t.Error(err)
							}
						})
					}
					wg.Wait()
					if took := time.Since(started); took < test.least || took > test.most {
						t.Errorf("%d calls took %v, want from %v to %v", test.calls, took, test.least, test.most)
					}
				})
			})
		}
	}
}

// TestRateLimitCountsAttempts: a retry is a request, too.
func TestRateLimitCountsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g2aServer := &script{replies: []reply{answer(503, ""), answer(200, goodDetails)}}
		client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, RateLimit: 1})
		started := time.Now()
		if err := details.make(t.Context(), client); err != nil || time.Since(started) < time.Second {
			t.Errorf("two attempts took %v, error %v; want a second", time.Since(started), err)
		}
	})
}

func TestRateLimitOfEachAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g2aServer := &script{replies: []reply{answer(200, goodDetails), answer(200, goodToken)}}
		client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, RateLimit: 1})
		started := time.Now()
		if err := errors.Join(details.make(t.Context(), client), token.make(t.Context(), client)); err != nil || time.Since(started) != 0 {
			t.Errorf("took %v, error %v; want no wait of one API for the other", time.Since(started), err)
		}
	})
}

// TestRateLimitAndDeadline: no wait is begun that cannot end in an attempt, and a call
// without a turn was certainly not done.
func TestRateLimitAndDeadline(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration
		giveUp   time.Duration // the caller's; 0 is never
		sent     int
		waited   time.Duration
		cause    error // of the throttling
	}{
		{"time enough", 9 * time.Second, 0, 2, time.Second, nil},
		{"too little time", 9*time.Second - 1, 0, 1, 0, nil},
		{"no deadline", 0, 0, 2, time.Second, nil},
		{"the caller gives up", 0, 300 * time.Millisecond, 1, 300 * time.Millisecond, context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g2aServer, observed := &script{replies: []reply{answer(200, goodPay)}}, &calls{}
				client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, RateLimit: 1, Observer: observed})
				if err := pay.make(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				if test.giveUp > 0 {
					time.AfterFunc(test.giveUp, cancel)
				}
				started := time.Now()
				err := pay.make(ctx, client)
				if waited := time.Since(started); waited != test.waited || len(g2aServer.requests()) != test.sent {
					t.Errorf("waited %v, %d requests sent; want %v, %d", waited, len(g2aServer.requests()), test.waited, test.sent)
				}
				if test.sent == 2 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, g2a.ErrThrottled) || test.cause != nil && !errors.Is(err, test.cause) || !strings.Contains(err.Error(), "own rate limit") {
					t.Errorf("error is %v, want ErrThrottled for %v", err, test.cause)
				}
				if last := observed.told[1]; last.Attempts != 0 || last.Status != 0 || last.Err == nil {
					t.Errorf("observer was told %+v, want no attempt", last)
				}
			})
		})
	}
}

// TestThrottledStaysThrottled: the circuit that opens between two attempts does not
// make an unknown outcome of a call that was certainly not done.
func TestThrottledStaysThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g2aServer := &script{}
		client := newClient(g2aServer)
		g2aServer.replies = []reply{
			func(r *http.Request) (*http.Response, error) {
				for range 5 {
					_ = create.make(t.Context(), client)
				}
				return answer(429, body("BR03"), "Retry-After: 1")(r)
			},
			answer(503, ""),
		}
		if err := pay.make(t.Context(), client); !errors.Is(err, g2a.ErrThrottled) {
			t.Errorf("error is %v, want ErrThrottled", err)
		}
	})
}

func TestCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &atomic.Bool{}
		failing.Store(true)
		g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Path == "/v1/token":
				return answer(200, goodToken)(r)
			case failing.Load():
				return answer(503, "")(r)
			default:
				return answer(200, goodPay)(r)
			}
		}}}
		client := newClient(g2aServer)
		expect := func(what string, wantSent int, kind error) {
			t.Helper()
			before := len(g2aServer.requests())
			if err := pay.make(t.Context(), client); !errors.Is(err, kind) {
				t.Errorf("%s: error is %v, want %v", what, err, kind)
			}
			if got := len(g2aServer.requests()) - before; got != wantSent {
				t.Errorf("%s: %d requests sent, want %d", what, got, wantSent)
			}
		}
		for i := range 5 {
			expect(fmt.Sprintf("failure %d", i+1), 1, g2a.ErrUnavailable)
		}
		expect("open", 0, g2a.ErrUnavailable)
		if err := token.make(t.Context(), client); err != nil {
			t.Errorf("the other API is cut off too: %v", err)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		expect("open until its delay is over", 0, g2a.ErrUnavailable)
		time.Sleep(time.Nanosecond)
		expect("one call tries", 1, g2a.ErrUnavailable)
		expect("open again after one failed try", 0, g2a.ErrUnavailable)
		time.Sleep(10 * time.Second)
		failing.Store(false)
		expect("one call tries again", 1, nil)
		expect("closed", 1, nil)
	})
}

func TestCircuitBreakerIgnores(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
	}{
		{"refusals", answer(403, body("ORD112"))},
		{"throttling", answer(429, body("BR03"), "Retry-After: 60")},
		{"malformed answers", answer(200, "<html>")},
		{"callers who give up", func(*http.Request) (*http.Response, error) { return nil, context.Canceled }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{test.reply}}
			client := newClient(g2aServer)
			for range 10 {
				_ = pay.make(t.Context(), client)
			}
			if got := len(g2aServer.requests()); got != 10 {
				t.Errorf("%d of 10 calls were sent", got)
			}
		})
	}
}

func TestCorrelationID(t *testing.T) {
	tests := []struct {
		name  string
		given string
		kept  bool
	}{
		{"given", "exec-1", true},
		{"none", "", false},
		{"not fit for a header", "a\r\nX-Evil: 1", false},
		{"too long", strings.Repeat("x", 257), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g2aServer := &script{replies: []reply{answer(503, ""), answer(429, ""), answer(200, `{"status":7}`)}}
				observed := &calls{}
				client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer, Observer: observed})
				ctx := t.Context()
				if test.given != "" {
					ctx = g2a.WithCorrelationID(ctx, test.given)
				}
				_, err := client.OrderDetails(ctx, "42")
				var e *g2a.Error
				if !errors.As(err, &e) || e.Kind != g2a.ErrMalformedAnswer || e.CorrelationID == "" {
					t.Fatalf("error is %#v, want a malformed answer with its correlation id", err)
				}
				if (e.CorrelationID == test.given) != test.kept {
					t.Errorf("id is %q, given %q", e.CorrelationID, test.given)
				}
				if got := observed.told[0].CorrelationID; got != e.CorrelationID {
					t.Errorf("observer was told id %q, the error has %q", got, e.CorrelationID)
				}
				if got := len(g2aServer.requests()); got != 3 {
					t.Fatalf("%d attempts, want 3", got)
				}
				for i, attempt := range g2aServer.requests() {
					if got := attempt.Header.Get("X-Correlation-ID"); got != e.CorrelationID {
						t.Errorf("attempt %d has id %q, the error %q", i+1, got, e.CorrelationID)
					}
				}
			})
		})
	}
}

func TestProductNotFoundHasCorrelationID(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodPage)}}
	_, err := newClient(g2aServer).Product(t.Context(), "8")
	var e *g2a.Error
	if !errors.As(err, &e) || e.Kind != g2a.ErrNotFound || e.CorrelationID != g2aServer.requests()[0].Header.Get("X-Correlation-ID") {
		t.Errorf("error is %#v, want ErrNotFound with the call's correlation id", err)
	}
}

func TestObserverIsTold(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodDetails)}}
	observed := &calls{}
	now := time.Unix(1000, 0)
	client := g2a.New(testConfig(), g2a.Options{
		Credentials: testCredentials, Transport: g2aServer, Observer: observed,
		Clock: func() time.Time { now = now.Add(time.Second); return now },
	})
	if err := details.make(g2a.WithCorrelationID(t.Context(), "c1"), client); err != nil {
		t.Fatal(err)
	}
	want := g2a.Call{Method: "GET", Route: "/order/details/{id}", Status: 200, Attempts: 1, Latency: time.Second, CorrelationID: "c1"}
	if len(observed.told) != 1 || observed.told[0] != want {
		t.Errorf("told %+v, want %+v", observed.told, want)
	}
}

func TestAuthentication(t *testing.T) {
	now := time.Unix(1764000000, 0)
	sum := sha256.Sum256([]byte(testHash + testKey + "1764000000"))
	tests := []struct {
		name   string
		scheme g2a.AuthScheme
		want   map[string]string // "" is absent
	}{
		{"header", g2a.AuthHeader, map[string]string{
			"Authorization": testHash + ", " + testKey, "X-API-HASH": "", "X-API-KEY": "", "X-G2A-Timestamp": "", "X-G2A-Hash": "",
		}},
		{"signed", g2a.AuthSigned, map[string]string{
			"Authorization": "", "X-API-HASH": testHash, "X-API-KEY": testKey, "X-G2A-Timestamp": "1764000000", "X-G2A-Hash": hex.EncodeToString(sum[:]),
		}},
	}
	for _, test := range tests {
		for _, call := range withCredentials {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				g2aServer := &script{replies: []reply{answer(200, call.good)}}
				cfg := testConfig()
				cfg.AuthScheme = test.scheme
				client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: g2aServer, Clock: func() time.Time { return now }})
				if err := call.make(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				for name, want := range test.want {
					if got := g2aServer.requests()[0].Header.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			})
		}
	}
}

// rotating is a source whose credentials were rotated after they were last read.
type rotating struct {
	mu        sync.Mutex
	refreshed int
	fresh     g2a.Credentials
	err       error
}

func (r *rotating) Credentials(context.Context) (g2a.Credentials, error) { return testCredentials, nil }

func (r *rotating) RefreshedCredentials(context.Context) (g2a.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refreshed++
	return r.fresh, r.err
}

func TestRotatedCredentials(t *testing.T) {
	rotated := g2a.Credentials{Hash: g2a.NewSecret("new-hash"), Key: g2a.NewSecret("new-key")}
	rejected := answer(401, `{"status":"ERROR","message":"no","code":"AUTH02"}`)
	tests := []struct {
		name    string
		fresh   g2a.Credentials
		err     error
		replies []reply
		sent    []string // Authorization of each request
		asked   int
		kind    error
	}{
		{"rotated", rotated, nil, []reply{rejected}, []string{testHash + ", " + testKey, "new-hash, new-key"}, 1, nil},
		{"rotated, and rejected too", rotated, nil, []reply{rejected, rejected},
			[]string{testHash + ", " + testKey, "new-hash, new-key"}, 1, g2a.ErrCredentialsRejected},
		{"not rotated", testCredentials, nil, []reply{rejected}, []string{testHash + ", " + testKey}, 1, g2a.ErrCredentialsRejected},
		{"cannot be refreshed", g2a.Credentials{}, errors.New("down"), []reply{rejected}, []string{testHash + ", " + testKey}, 1, g2a.ErrCredentialsRejected},
		{"another refusal", rotated, nil, []reply{answer(403, body("ORD112"))}, []string{testHash + ", " + testKey}, 0, g2a.ErrInsufficientFunds},
		{"an outcome that is not known", rotated, nil, []reply{hang}, []string{testHash + ", " + testKey}, 0, g2a.ErrUnavailable},
		{"a gateway's 401", rotated, nil, []reply{answer(401, "<html>")}, []string{testHash + ", " + testKey}, 1, g2a.ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g2aServer := &script{replies: append(append([]reply{}, test.replies...), answer(200, goodPay))}
				source := &rotating{fresh: test.fresh, err: test.err}
				client := g2a.New(testConfig(), g2a.Options{Credentials: source, Transport: g2aServer})
				if err := pay.make(t.Context(), client); !errors.Is(err, test.kind) {
					t.Errorf("error is %v, want %v", err, test.kind)
				}
				var sent []string
				ids := map[string]bool{}
				for _, r := range g2aServer.requests() {
					sent = append(sent, r.Header.Get("Authorization"))
					ids[r.Header.Get("X-Correlation-ID")] = true
				}
				if strings.Join(sent, ";") != strings.Join(test.sent, ";") {
					t.Errorf("sent %q, want %q", sent, test.sent)
				}
				if source.refreshed != test.asked || len(ids) != 1 {
					t.Errorf("asked for newer credentials %d times, want %d; %d correlation ids, want 1", source.refreshed, test.asked, len(ids))
				}
			})
		})
	}
}

type noCredentials struct{}

func (noCredentials) Credentials(context.Context) (g2a.Credentials, error) {
	return g2a.Credentials{}, errors.New("the safe is locked")
}

func TestWithoutCredentialsNothingIsSent(t *testing.T) {
	for _, call := range allCalls { // those of the Import API want a token first
		t.Run(call.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, call.good)}}
			err := call.make(t.Context(), g2a.New(testConfig(), g2a.Options{Credentials: noCredentials{}, Transport: g2aServer}))
			if err == nil || !strings.Contains(err.Error(), "reading the credentials: the safe is locked") {
				t.Errorf("error is %v", err)
			}
			if len(g2aServer.requests()) != 0 {
				t.Error("a request was sent")
			}
		})
	}
}

func TestAnswerTooLong(t *testing.T) {
	const limit = 8 << 20
	tests := []struct {
		name  string
		size  int
		kind  error
		cause string
	}{
		{"at the limit", limit, nil, ""},
		{"over the limit", limit + 1, g2a.ErrMalformedAnswer, "longer than 8388608 bytes"},
		{"far over the limit", 4 * limit, g2a.ErrMalformedAnswer, "longer than 8388608 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var read int
			g2aServer := &script{replies: []reply{func(r *http.Request) (*http.Response, error) {
				padding := io.LimitReader(spaces{}, int64(test.size-len(goodPage)))
				body := countingReader{io.MultiReader(strings.NewReader(goodPage), padding), &read}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
			}}}
			_, err := newClient(g2aServer).Products(t.Context(), g2a.ProductQuery{})
			if !errors.Is(err, test.kind) || (err != nil && !strings.Contains(err.Error(), test.cause)) {
				t.Errorf("error is %v, want %v", err, test.kind)
			}
			if read > limit+1 || len(g2aServer.requests()) != 1 {
				t.Errorf("read %d bytes in %d attempts", read, len(g2aServer.requests()))
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type countingReader struct {
	io.Reader
	read *int
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	*r.read += n
	return n, err
}

// server is a client of a G2A over TLS.
func server(t *testing.T, http2 bool, handler http.HandlerFunc) *g2a.Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	cfg := testConfig()
	cfg.ExportURL, cfg.ExportV2URL, cfg.ImportURL, cfg.TokenURL = srv.URL+"/v1", srv.URL+"/export/v1", srv.URL, srv.URL+"/oauth/token"
	return g2a.New(cfg, g2a.Options{Credentials: testCredentials, Tokens: fixedToken, Transport: srv.Client().Transport})
}

// TestConnectionIsKept, whatever the answer is.
func TestConnectionIsKept(t *testing.T) {
	var connections atomic.Int32
	statuses := []int{200, 404, 503, 429, 200, 302, 401, 200} // never five failures in a row
	var calls atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[calls.Add(1)-1])
		_, _ = io.WriteString(w, goodDetails+strings.Repeat(" ", 100_000))
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.StartTLS()
	defer srv.Close()
	cfg := testConfig()
	cfg.ExportURL, cfg.RetryMax = srv.URL+"/v1", 0
	client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: srv.Client().Transport})
	for range statuses {
		_ = details.make(t.Context(), client)
	}
	if calls.Load() != int32(len(statuses)) || connections.Load() != 1 {
		t.Errorf("%d calls over %d connections, want %d over one", calls.Load(), connections.Load(), len(statuses))
	}
}

func TestRequestsOverTLS(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, call := range allCalls {
			t.Run(fmt.Sprintf("http2=%v/%s", http2, call.name), func(t *testing.T) {
				client := server(t, http2, func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if hasBody := r.Method == "POST" || r.Method == "PATCH"; !hasBody && (len(body) > 0 || len(r.TransferEncoding) > 0 || err != nil) {
						t.Errorf("body %q, transfer encoding %q, error %v: want none", body, r.TransferEncoding, err)
					}
					_, _ = io.WriteString(w, call.good)
				})
				if err := call.make(t.Context(), client); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var stray atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stray.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other.URL + "/v1/steal", "/v1/elsewhere"} {
			for _, call := range allCalls {
				t.Run(fmt.Sprintf("%d/%s/%s", status, target[:5], call.name), func(t *testing.T) {
					var requests atomic.Int32
					client := server(t, false, func(w http.ResponseWriter, r *http.Request) {
						requests.Add(1)
						w.Header().Set("Location", target)
						w.Header().Set("Retry-After", "3600") // or a read is repeated
						w.WriteHeader(status)
					})
					err := call.make(t.Context(), client)
					var e *g2a.Error
					if !errors.As(err, &e) || e.Kind != g2a.ErrUnavailable || e.Status != status || e.Outcome != g2a.OutcomeUnknown {
						t.Errorf("error is %v, want ErrUnavailable with HTTP %d and an unknown outcome", err, status)
					}
					if requests.Load() != 1 || stray.Load() != 0 {
						t.Errorf("%d requests to G2A, %d to another host; want 1 and 0", requests.Load(), stray.Load())
					}
				})
			}
		}
	}
}

func TestUnknownCertificate(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	srv.StartTLS()
	defer srv.Close()
	cfg := testConfig()
	cfg.ExportURL, cfg.RetryMax = srv.URL+"/v1", 0
	_, err := g2a.New(cfg, g2a.Options{Credentials: testCredentials}).OrderDetails(t.Context(), "42")
	if !errors.Is(err, g2a.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error is %v, want one of the certificate", err)
	}
	if requests.Load() != 0 {
		t.Error("the request was sent all the same")
	}
}

// TestNotHTTP has a server that speaks no HTTP: its bytes are not repeated.
func TestNotHTTP(t *testing.T) {
	tests := []struct{ name, bytes string }{
		{"no status line", "AAAA-BBBB-CCCC is your key\r\n\r\n"},
		{"a header without a colon", "HTTP/1.1 200 OK\r\nAAAA-BBBB-CCCC\r\n\r\n"},
		{"a status that is none", "HTTP/1.1 AAAA-BBBB-CCCC\r\n\r\n"},
		{"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: AAAA-BBBB-CCCC\r\n\r\n"},
		{"an encoding that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: AAAA-BBBB-CCCC\r\n\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			certified := httptest.NewTLSServer(nil)
			defer certified.Close()
			listener, err := tls.Listen("tcp", "127.0.0.1:0", certified.TLS)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = connection.Read(make([]byte, 4096))
					_, _ = io.WriteString(connection, test.bytes)
					_ = connection.Close()
				}
			}()
			cfg := testConfig()
			cfg.ExportURL = "https://" + listener.Addr().String() + "/v1"
			_, err = g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: certified.Client().Transport}).OrderKey(t.Context(), "42")
			if !errors.Is(err, g2a.ErrUnavailable) {
				t.Errorf("error is %v, want ErrUnavailable", err)
			}
			if err != nil && strings.Contains(err.Error(), "AAAA") {
				t.Errorf("the error repeats what was read: %v", err)
			}
		})
	}
}

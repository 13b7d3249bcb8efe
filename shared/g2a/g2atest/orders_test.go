package g2atest_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func TestOrderFromItsCreationToItsKey(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	if order.Price.String() != "4.99 EUR" {
		t.Errorf("price is %v, want 4.99 EUR", order.Price)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrPaymentRequired) {
		t.Errorf("key of an unpaid order: error is %v, want ErrPaymentRequired", err)
	}
	if details, err := c.OrderDetails(t.Context(), order.ID); err != nil || details.Status != g2a.OrderPending {
		t.Errorf("details of an unpaid order are %v (%v), want pending", details, err)
	}
	transactionID, err := c.PayOrder(t.Context(), order.ID)
	if err != nil || transactionID == "" {
		t.Errorf("paying: transaction %q, error %v", transactionID, err)
	}
	if _, err := c.PayOrder(t.Context(), order.ID); !errors.Is(err, g2a.ErrPaymentRequired) {
		t.Errorf("second pay: error is %v, want ErrPaymentRequired", err)
	}
	if details, err := c.OrderDetails(t.Context(), order.ID); err != nil || details.Status != g2a.OrderComplete || details.Price.String() != "4.99 EUR" {
		t.Errorf("details of a paid order are %v (%v), want complete at 4.99 EUR", details, err)
	}
	key, err := c.OrderKey(t.Context(), order.ID)
	if err != nil || key.IsFile || !strings.HasPrefix(key.Value.Reveal(), "FAKE-") {
		t.Errorf("key: %v, file %v, want a text", err, key.IsFile)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, g2a.ErrKeyAlreadyDownloaded) {
		t.Errorf("second key: error is %v, want ErrKeyAlreadyDownloaded", err)
	}
	want := g2atest.OrderRecord{
		ID: order.ID, ProductID: plentiful, Price: "4.99", Status: "complete", Paid: true, TransactionID: transactionID,
		PayCalls: 2, Charges: 1, Charged: "4.99", KeyCalls: 3, KeyRevealed: true, KeysRevealed: 1, Quantity: 1,
	}
	got := record(t, srv, order.ID)
	if got.CreatedAt == 0 {
		t.Error("the record has no time of creation")
	}
	want.CreatedAt, want.KeySHA256, want.KeysSHA256 = got.CreatedAt, got.KeySHA256, []string{hexSHA256(key.Value.Reveal())}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("record is %+v, want %+v", got, want)
	}
}

func TestOrderErrorsHaveG2AsCodes(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.CompleteAfter = time.Hour })
	c := client(t, srv)
	unpaid, paid := createOrder(t, c, plentiful).ID, createOrder(t, c, plentiful).ID
	payOrder(t, c, paid)
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"no such order to pay":     {"PUT", "/v1/order/pay/1", "", 404, "ORD02"},
		"no such order":            {"GET", "/v1/order/details/1", "", 404, "ORD02"},
		"no such order's key":      {"GET", "/v1/order/key/1", "", 404, "ORD02"},
		"pay with a body":          {"PUT", "/v1/order/pay/" + unpaid, "{}", 400, "BR02"},
		"second pay":               {"PUT", "/v1/order/pay/" + paid, "", 402, "ORD05"},
		"key of an unpaid order":   {"GET", "/v1/order/key/" + unpaid, "", 402, "ORD05"},
		"key of a pending order":   {"GET", "/v1/order/key/" + paid, "", 403, "ORD03"},
		"order is not JSON":        {"POST", "/v1/order", "product_id=1", 400, "BR01"},
		"order is cut short":       {"POST", "/v1/order", `{"product_id":`, 400, "BR01"},
		"order is empty":           {"POST", "/v1/order", "", 400, "BR01"},
		"order is a list":          {"POST", "/v1/order", "[]", 400, "BR02"},
		"order is null":            {"POST", "/v1/order", "null", 400, "BR02"},
		"no product id":            {"POST", "/v1/order", `{}`, 400, "BR02"},
		"product id is null":       {"POST", "/v1/order", `{"product_id":null}`, 400, "BR02"},
		"product id is a number":   {"POST", "/v1/order", `{"product_id":1}`, 400, "BR02"},
		"no such product":          {"POST", "/v1/order", `{"product_id":"1"}`, 400, "BR02"},
		"out of stock":             {"POST", "/v1/order", `{"product_id":"` + soldOut + `"}`, 400, "BR02"},
		"price above the limit":    {"POST", "/v1/order", `{"product_id":"` + plentiful + `","max_price":4.98}`, 400, "BR02"},
		"limit is a text":          {"POST", "/v1/order", `{"product_id":"` + plentiful + `","max_price":"5"}`, 400, "BR02"},
		"limit has three decimals": {"POST", "/v1/order", `{"product_id":"` + plentiful + `","max_price":4.999}`, 400, "BR02"},
		"another currency":         {"POST", "/v1/order", `{"product_id":"` + plentiful + `","currency":"USD"}`, 400, "BR02"},
		"rating is a text":         {"POST", "/v1/order", `{"product_id":"` + plentiful + `","min_rating":"good"}`, 400, "BR02"},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, test.method, test.path, test.body, credentials(srv)).wantFailure(t, test.status, test.code)
		})
	}
	if created := srv.Simulator.Stats().OrdersCreated; created != 2 {
		t.Errorf("%d orders were created, want 2: a refusal must make none", created)
	}
}

func TestOrderAtExactlyTheLimitIsMade(t *testing.T) {
	srv := newServer(t)
	limit := g2a.Money{Amount: decimal.RequireFromString("4.99"), Currency: "EUR"}
	if _, err := client(t, srv).CreateOrder(t.Context(), plentiful, limit); err != nil {
		t.Errorf("error is %v, want none", err)
	}
}

func TestPricesAreDigitForDigit(t *testing.T) {
	asWritten := strings.Replace(string(catalogueFile(t)), `"minPrice": 5,`, `"minPrice": 5.50,`, 1)
	srv := newServer(t)
	other := newServer(t, func(o *g2atest.Options) { o.Catalogue = []byte(asWritten) })
	for name, test := range map[string]struct {
		srv     *g2atest.Server
		product string
		want    string
	}{
		"two decimals":      {srv, plentiful, `"price":4.99,"currency":"EUR"}`},
		"one decimal":       {srv, lastOne, `"price":5.5,"currency":"EUR"}`},
		"no decimals":       {srv, wholeEuro, `"price":5,"currency":"EUR"}`},
		"one cent":          {srv, cheapest, `"price":0.01,"currency":"EUR"}`},
		"large":             {srv, dearest, `"price":12999.99,"currency":"EUR"}`},
		"zero as a decimal": {other, wholeEuro, `"price":5.50,"currency":"EUR"}`},
		"key is a file":     {srv, asFile, `"price":3.49,"currency":"EUR"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, test.srv, "POST", "/v1/order", `{"product_id":"`+test.product+`","max_price":null}`, credentials(test.srv))
			var order struct {
				OrderID string `json:"order_id"`
			}
			got.want(t, &order)
			if !strings.HasSuffix(got.body, test.want) {
				t.Errorf("order is %s, want it to end in %s", got.body, test.want)
			}
			details := send(t, test.srv, "GET", "/v1/order/details/"+order.OrderID, "", credentials(test.srv))
			if !strings.HasSuffix(details.body, test.want) {
				t.Errorf("details are %s, want them to end in %s", details.body, test.want)
			}
		})
	}
}

func TestKeyThatIsAFile(t *testing.T) {
	c := client(t, newServer(t))
	order := createOrder(t, c, asFile)
	payOrder(t, c, order.ID)
	key, err := c.OrderKey(t.Context(), order.ID)
	if err != nil || !key.IsFile {
		t.Fatalf("key: error %v, file %v, want a file", err, key.IsFile)
	}
	if file, err := base64.StdEncoding.DecodeString(key.Value.Reveal()); err != nil || !strings.Contains(string(file), "FAKE-") {
		t.Errorf("the file is not base64 of a text with a key: %v", err)
	}
}

func TestStockIsReservedAndGivenBack(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock))
	c := client(t, srv)
	order := createOrder(t, c, lastOne)
	if left := stock(t, c, lastOne); left != 0 {
		t.Errorf("%d are left after the order, want 0", left)
	}
	if _, err := c.CreateOrder(t.Context(), lastOne, ample); !errors.Is(err, g2a.ErrInvalidRequest) {
		t.Errorf("order of a reserved piece: error is %v, want ErrInvalidRequest", err)
	}
	clock.Advance(30*time.Minute - 1)
	if left := stock(t, c, lastOne); left != 0 {
		t.Errorf("%d are left while the reservation lasts, want 0", left)
	}
	clock.Advance(1)
	if _, err := c.PayOrder(t.Context(), order.ID); !errors.Is(err, g2a.ErrTooLateToPay) {
		t.Errorf("pay after the reservation: error is %v, want ErrTooLateToPay", err)
	}
	if left := stock(t, c, lastOne); left != 1 {
		t.Errorf("%d are left after the reservation, want 1", left)
	}
	if got := record(t, srv, order.ID); !got.Lapsed || got.Paid || got.Charges != 0 {
		t.Errorf("record is %+v, want a lapsed order that was not charged", got)
	}
}

func TestSoldPieceIsNotGivenBack(t *testing.T) {
	clock := newClock()
	c := client(t, newServer(t, withClock(clock)))
	order := createOrder(t, c, lastOne)
	clock.Advance(30*time.Minute - 1)
	payOrder(t, c, order.ID)
	clock.Advance(24 * time.Hour)
	if left := stock(t, c, lastOne); left != 0 {
		t.Errorf("%d are left after the sale, want 0", left)
	}
	if _, err := c.OrderKey(t.Context(), order.ID); err != nil {
		t.Errorf("key: %v", err)
	}
}

func TestWalletRunsOut(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.Wallet = decimal.RequireFromString("9.98") })
	c := client(t, srv)
	first, second, third := createOrder(t, c, plentiful), createOrder(t, c, plentiful), createOrder(t, c, cheapest)
	payOrder(t, c, first.ID)
	payOrder(t, c, second.ID)
	if _, err := c.PayOrder(t.Context(), third.ID); !errors.Is(err, g2a.ErrInsufficientFunds) {
		t.Errorf("error is %v, want ErrInsufficientFunds", err)
	}
	stats := srv.Simulator.Stats()
	if stats.Charged != "9.98" || stats.Wallet != "0.00" || stats.OrdersPaid != 2 {
		t.Errorf("charged %s for %d orders, %s left; want 9.98 for 2 and 0.00", stats.Charged, stats.OrdersPaid, stats.Wallet)
	}
	if got := record(t, srv, third.ID); got.Paid || got.Charges != 0 || got.Charged != "0" {
		t.Errorf("record is %+v, want an order that was not charged", got)
	}
}

func TestDearestProductIsBeyondTheWallet(t *testing.T) {
	c := client(t, newServer(t))
	if _, err := c.PayOrder(t.Context(), createOrder(t, c, dearest).ID); !errors.Is(err, g2a.ErrInsufficientFunds) {
		t.Errorf("error is %v, want ErrInsufficientFunds", err)
	}
}

func TestPaidOrderIsCompleteLater(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), func(o *g2atest.Options) { o.CompleteAfter, o.PendingDetails = time.Minute, 2 })
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	clock.Advance(time.Minute)
	for call, want := range []g2a.OrderStatus{g2a.OrderPending, g2a.OrderPending, g2a.OrderComplete} {
		if details, err := c.OrderDetails(t.Context(), order.ID); err != nil || details.Status != want {
			t.Errorf("details call %d: %v (%v), want %s", call+1, details, err, want)
		}
	}
	late := createOrder(t, c, plentiful)
	payOrder(t, c, late.ID)
	for range 3 {
		if details, err := c.OrderDetails(t.Context(), late.ID); err != nil || details.Status != g2a.OrderPending {
			t.Errorf("details before the time: %v (%v), want pending", details, err)
		}
	}
	if _, err := c.OrderKey(t.Context(), late.ID); !errors.Is(err, g2a.ErrPaymentNotReady) {
		t.Errorf("key before the time: error is %v, want ErrPaymentNotReady", err)
	}
	clock.Advance(time.Minute)
	if _, err := c.OrderKey(t.Context(), late.ID); err != nil {
		t.Errorf("key after the time: %v", err)
	}
}

const callers = 64

// allAtOnce makes the call from many goroutines that start together, and gives
// their errors.
func allAtOnce(call func() error) []error {
	errs := make([]error, callers)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	group.Wait()
	return errs
}

// wantOne checks that one call went through, and the others failed in one way.
func wantOne(t *testing.T, errs []error, others error) {
	t.Helper()
	through := 0
	for _, err := range errs {
		switch {
		case err == nil:
			through++
		case !errors.Is(err, others):
			t.Errorf("error is %v, want %v", err, others)
		}
	}
	if through != 1 {
		t.Errorf("%d of %d calls went through, want 1", through, len(errs))
	}
}

func TestManyPayOneOrder(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	wantOne(t, allAtOnce(func() error { _, err := c.PayOrder(t.Context(), order.ID); return err }), g2a.ErrPaymentRequired)
	if got := record(t, srv, order.ID); got.PayCalls != callers || got.Charges != 1 || got.Charged != "4.99" {
		t.Errorf("record is %+v, want %d pay calls and one charge of 4.99", got, callers)
	}
	if stats := srv.Simulator.Stats(); stats.OrdersPaid != 1 || stats.Charged != "4.99" || stats.Wallet != "9995.01" {
		t.Errorf("stats are %+v, want one paid order, 4.99 charged, 9995.01 left", stats)
	}
}

func TestManyFetchOneKey(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	wantOne(t, allAtOnce(func() error { _, err := c.OrderKey(t.Context(), order.ID); return err }), g2a.ErrKeyAlreadyDownloaded)
	if stats := srv.Simulator.Stats(); stats.KeysRevealed != 1 || stats.Routes["GET /v1/order/key/{id}"].Calls != callers {
		t.Errorf("stats are %+v, want one key revealed in %d calls", stats, callers)
	}
}

func TestManyOrderTheLastPiece(t *testing.T) {
	srv := newServer(t)
	c := client(t, srv)
	wantOne(t, allAtOnce(func() error { _, err := c.CreateOrder(t.Context(), lastOne, ample); return err }), g2a.ErrInvalidRequest)
	if created := srv.Simulator.Stats().OrdersCreated; created != 1 {
		t.Errorf("%d orders were created, want 1", created)
	}
}

func TestUnknownCallsAreNotFound(t *testing.T) {
	srv := newServer(t)
	for _, route := range []string{"GET /", "GET /v1/products/" + plentiful, "POST /v1/products", "DELETE /v1/order", "GET /v2/products", "GET /integration-api/v1/products", "GET /v1/offers", "GET /integration-api/v1/offers"} {
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			send(t, srv, method, path, "", credentials(srv)).wantFailure(t, http.StatusNotFound, "")
		})
	}
}

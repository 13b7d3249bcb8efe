package g2atest_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func TestSecondPay(t *testing.T) {
	const minute = time.Minute
	for name, test := range map[string]struct {
		again         bool
		delay         time.Duration
		wallet        string // "" is the usual one
		want          error
		early, late   int // charges before the delay is over, and after it
		charged, left string
	}{
		"refused":                        {want: g2a.ErrPaymentRequired, early: 1, late: 1, charged: "4.99", left: "9995.01"},
		"charged again":                  {again: true, early: 2, late: 2, charged: "9.98", left: "9990.02"},
		"charged again to the last cent": {again: true, wallet: "9.98", early: 2, late: 2, charged: "9.98", left: "0.00"},
		"beyond the wallet":              {again: true, wallet: "9.97", want: g2a.ErrInsufficientFunds, early: 1, late: 1, charged: "4.99", left: "4.98"},
		"refused while it settles":       {delay: minute, want: g2a.ErrPaymentRequired, late: 1, charged: "4.99", left: "9995.01"},
		"charged twice once settled":     {again: true, delay: minute, late: 2, charged: "9.98", left: "9990.02"},
		"beyond what is not held":        {again: true, delay: minute, wallet: "9.97", want: g2a.ErrInsufficientFunds, late: 1, charged: "4.99", left: "4.98"},
	} {
		t.Run(name, func(t *testing.T) {
			clock, wallet := newClock(), decimal.RequireFromString(cmp.Or(test.wallet, "10000"))
			srv := newServer(t, withClock(clock), func(o *g2atest.Options) {
				o.ChargesAgain, o.PaymentDelay, o.Wallet = test.again, test.delay, wallet
			})
			c := client(t, srv)
			order := createOrder(t, c, plentiful)
			first, err := c.PayOrder(t.Context(), order.ID)
			if err != nil {
				t.Fatal(err)
			}
			second, err := c.PayOrder(t.Context(), order.ID)
			if !errors.Is(err, test.want) || second == first {
				t.Errorf("second pay: transaction %q after %q, error %v, want %v", second, first, err, test.want)
			}
			if got := record(t, srv, order.ID); got.Charges != test.early {
				t.Errorf("record is %+v at first, want %d charges", got, test.early)
			}
			if stats := srv.Simulator.Stats(); amount(t, stats.Charged).Add(amount(t, stats.Wallet)).Cmp(wallet) != 0 {
				t.Errorf("stats are %+v at first, want what is charged and what is left to be %v", stats, wallet)
			}
			clock.Advance(test.delay)
			got := record(t, srv, order.ID)
			if got.PayCalls != 2 || got.Charges != test.late || got.Charged.String() != test.charged || got.TransactionID != first {
				t.Errorf("record is %+v, want 2 pay calls, %d charges of %s, the first transaction", got, test.late, test.charged)
			}
			stats := srv.Simulator.Stats()
			if stats.OrdersPaid != 1 || stats.Charges != test.late || stats.Charged.String() != test.charged || stats.Wallet.String() != test.left {
				t.Errorf("stats are %+v, want one paid order, %d charges of %s, %s left", stats, test.late, test.charged, test.left)
			}
		})
	}
}

func amount(t *testing.T, of json.Number) decimal.Decimal {
	t.Helper()
	read, err := decimal.NewFromString(of.String())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestPaymentSettlesLater follows one order. The completion and the pending details
// count from the settlement, not from the call.
func TestPaymentSettlesLater(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), func(o *g2atest.Options) {
		o.PaymentDelay, o.CompleteAfter, o.PendingDetails = time.Hour, time.Minute, 1
	})
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	for _, step := range []struct {
		name    string
		advance time.Duration
		paid    bool
		status  g2a.OrderStatus
		key     error
	}{
		{"accepted", 0, false, g2a.OrderPending, g2a.ErrPaymentNotReady},
		{"about to settle", time.Hour - 1, false, g2a.OrderPending, g2a.ErrPaymentNotReady},
		{"settled", 1, true, g2a.OrderPending, g2a.ErrPaymentNotReady},
		{"about to complete", time.Minute - 1, true, g2a.OrderPending, g2a.ErrPaymentNotReady},
		{"complete", 1, true, g2a.OrderComplete, nil},
	} {
		clock.Advance(step.advance)
		if got := record(t, srv, order.ID); got.Paid != step.paid || (got.Charges == 1) != step.paid || (got.TransactionID != "") != step.paid {
			t.Errorf("%s: record is %+v, want paid %v", step.name, got, step.paid)
		}
		if details, err := c.OrderDetails(t.Context(), order.ID); err != nil || details.Status != step.status {
			t.Errorf("%s: details are %v (%v), want %s", step.name, details, err, step.status)
		}
		if _, err := c.OrderKey(t.Context(), order.ID); !errors.Is(err, step.key) {
			t.Errorf("%s: key: error is %v, want %v", step.name, err, step.key)
		}
	}
}

// TestBooksCatchUpWithTheClock reads each of the books first, with no call of G2A's in
// between.
func TestBooksCatchUpWithTheClock(t *testing.T) {
	for name, charges := range map[string]func(*testing.T, *g2atest.Server) int{
		"orders": func(_ *testing.T, srv *g2atest.Server) int { return srv.Simulator.Orders()[0].Charges },
		"stats":  func(_ *testing.T, srv *g2atest.Server) int { return srv.Simulator.Stats().Charges },
		"orders over HTTP": func(t *testing.T, srv *g2atest.Server) int {
			var book struct{ Orders []g2atest.OrderRecord }
			send(t, srv, "GET", "/_sim/orders", "").want(t, &book)
			return book.Orders[0].Charges
		},
		"stats over HTTP": func(t *testing.T, srv *g2atest.Server) int {
			var stats g2atest.Stats
			send(t, srv, "GET", "/_sim/stats", "").want(t, &stats)
			return stats.Charges
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			srv := newServer(t, withClock(clock), func(o *g2atest.Options) { o.PaymentDelay = time.Minute })
			c := client(t, srv)
			payOrder(t, c, createOrder(t, c, plentiful).ID)
			if got := charges(t, srv); got != 0 {
				t.Errorf("%d charges at first, want 0", got)
			}
			clock.Advance(time.Minute)
			if got := charges(t, srv); got != 1 {
				t.Errorf("%d charges once settled, want 1", got)
			}
		})
	}
}

func TestAcceptedPaymentKeepsItsPiece(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), func(o *g2atest.Options) { o.PaymentDelay = time.Hour })
	c := client(t, srv)
	order := createOrder(t, c, lastOne)
	clock.Advance(30*time.Minute - 1)
	payOrder(t, c, order.ID)
	clock.Advance(time.Minute)
	if left := stock(t, c, lastOne); left != 0 {
		t.Errorf("%d are left while the payment settles, want 0", left)
	}
	clock.Advance(time.Hour)
	if got := record(t, srv, order.ID); got.Lapsed || !got.Paid {
		t.Errorf("record is %+v, want it paid and not lapsed", got)
	}
}

func TestOrderChargedAgainIsSoldOnce(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.ChargesAgain = true })
	c := client(t, srv)
	twice, once, other := createOrder(t, c, plentiful), createOrder(t, c, cheapest), createOrder(t, c, cheapest)
	for _, order := range []g2a.Order{twice, twice, twice, once, other} {
		payOrder(t, c, order.ID)
	}
	var page struct {
		Data []struct {
			ProductID string
			Sold      int `json:"soldItemsQuantity"`
		}
	}
	send(t, srv, "GET", "/v3/sales/bestsellers", "", bearer(t, srv)).want(t, &page)
	if first, second := page.Data[0], page.Data[1]; first.ProductID != cheapest || first.Sold != 2 || second.ProductID != plentiful || second.Sold != 1 {
		t.Errorf("bestsellers are %+v, want 2 of %s and one of %s", page.Data[:2], cheapest, plentiful)
	}
}

func TestManyChargeOneOrder(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.ChargesAgain = true })
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	for _, err := range allAtOnce(func() error { _, err := c.PayOrder(t.Context(), order.ID); return err }) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := record(t, srv, order.ID); got.Charges != callers || got.Charged != "319.36" {
		t.Errorf("record is %+v, want %d charges of 319.36", got, callers)
	}
}

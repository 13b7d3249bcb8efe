package g2atest_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func withRateLimit(calls int) func(*g2atest.Options) {
	return func(o *g2atest.Options) { o.RateLimit = calls }
}

func TestRateLimitOfEachAPI(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), withRateLimit(3))
	account, token := credentials(srv), bearer(t, srv) // the first of Import's calls
	for i, step := range []struct {
		path, authorization string
		want                int
		advance             time.Duration // before the call
	}{
		{"/v1/products", account, 200, 0},
		{"/v1/order/details/1", account, 404, 0}, // a refused call counts
		{"/v1/products", "Authorization: other, other", 401, 0},
		{"/v1/products", account, 429, 0},
		{"/v1/order/details/1", account, 429, 0},
		{"/v3/sales/offers", token, 200, 0}, // the other API
		{"/v3/sales/bestsellers", token, 200, 0},
		{"/v3/sales/offers", token, 429, 0},
		{"/v1/token", account, 429, 0},
		{"/nothing", account, 404, 0}, // no call of either
		{"/v1/products", account, 429, time.Second - 1},
		{"/v1/products", account, 200, 1},
		{"/v1/token", account, 200, 0},
	} {
		clock.Advance(step.advance)
		got := send(t, srv, "GET", step.path, "", step.authorization)
		if got.status != step.want {
			t.Errorf("call %d, %s: answer is %d %s, want %d", i+1, step.path, got.status, got.body, step.want)
			continue
		}
		after := ""
		if got.status == http.StatusTooManyRequests {
			got.wantFailure(t, http.StatusTooManyRequests, "BR03")
			after = "1"
		}
		if got.header.Get("Retry-After") != after {
			t.Errorf("call %d, %s: Retry-After is %q, want %q", i+1, step.path, got.header.Get("Retry-After"), after)
		}
	}
}

func TestCallBeyondTheLimitDoesNothing(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), withRateLimit(1))
	c := client(t, srv)
	createOrder(t, c, plentiful)
	addFault(t, srv, `{"route":"POST /v1/order","mode":"status","status":500}`)
	_, err := c.CreateOrder(t.Context(), plentiful, ample)
	var throttled *g2a.Error
	if !errors.Is(err, g2a.ErrThrottled) || !errors.As(err, &throttled) || throttled.RetryAfter != time.Second {
		t.Errorf("error is %v, want ErrThrottled for a second", err)
	}
	if stats := srv.Simulator.Stats(); stats.OrdersCreated != 1 || stats.Routes["POST /v1/order"].Statuses[429] != 1 {
		t.Errorf("stats are %+v, want one order, and one answer of 429", stats)
	}
	clock.Advance(time.Second)
	if _, err := c.CreateOrder(t.Context(), plentiful, ample); !errors.Is(err, g2a.ErrUnavailable) {
		t.Errorf("error is %v, want that of the fault, which the limit must not use up", err)
	}
	srv.Simulator.Reset()
	createOrder(t, c, plentiful)
}

func TestManyMeetTheLimit(t *testing.T) {
	srv := newServer(t, withClock(newClock()), withRateLimit(1))
	c := client(t, srv)
	wantOne(t, allAtOnce(func() error { _, err := c.Products(t.Context(), g2a.ProductQuery{}); return err }), g2a.ErrThrottled)
}

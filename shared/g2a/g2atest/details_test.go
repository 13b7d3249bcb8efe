package g2atest_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// TestDetailsLag takes one order through calls of pay, details and key, each with G2A's
// code or else its status as the outcome, and through waits of a minute.
func TestDetailsLag(t *testing.T) {
	type step struct{ do, want string }
	const minute = time.Minute
	for name, test := range map[string]struct {
		options g2atest.Options
		steps   []step
	}{
		"no lag": {g2atest.Options{}, []step{
			{"details", "pending"}, {"pay", "ok"}, {"details", "complete"}, {"key", "ok"},
		}},
		"creation, then payment": {g2atest.Options{DetailsLag: 2}, []step{
			{"details", "ORD02"}, {"details", "ORD02"}, {"details", "pending"}, {"details", "pending"}, {"details", "pending"},
			{"pay", "ok"}, {"details", "pending"}, {"details", "pending"}, {"details", "complete"}, {"details", "complete"},
		}},
		"paid before it is seen": {g2atest.Options{DetailsLag: 2}, []step{
			{"pay", "ok"}, {"details", "ORD02"}, {"details", "ORD02"}, {"details", "pending"}, {"details", "pending"}, {"details", "complete"},
		}},
		"paid when half seen": {g2atest.Options{DetailsLag: 2}, []step{
			{"details", "ORD02"}, {"pay", "ok"}, {"details", "ORD02"}, {"details", "pending"}, {"details", "pending"}, {"details", "complete"},
		}},
		"only the details lag": {g2atest.Options{DetailsLag: 3}, []step{
			{"key", "ORD05"}, {"pay", "ok"}, {"pay", "ORD05"}, {"details", "ORD02"}, {"key", "ok"}, {"key", "ORD004"},
			{"details", "ORD02"}, {"details", "ORD02"}, {"details", "pending"}, {"details", "pending"}, {"details", "pending"}, {"details", "complete"},
		}},
		"a second charge does not lag": {g2atest.Options{DetailsLag: 1, ChargesAgain: true}, []step{
			{"details", "ORD02"}, {"pay", "ok"}, {"details", "pending"}, {"details", "complete"}, {"pay", "ok"}, {"details", "complete"},
		}},
		"adds to pending details": {g2atest.Options{DetailsLag: 1, PendingDetails: 2}, []step{
			{"details", "ORD02"}, {"pay", "ok"}, {"details", "pending"}, {"key", "ORD03"}, {"details", "pending"}, {"key", "ORD03"},
			{"details", "pending"}, {"key", "ok"}, {"details", "complete"},
		}},
		"counts from the settlement": {g2atest.Options{DetailsLag: 1, PaymentDelay: minute}, []step{
			{"details", "ORD02"}, {"pay", "ok"}, {"details", "pending"}, {"details", "pending"}, {"key", "ORD03"},
			{"wait", ""}, {"key", "ok"}, {"details", "pending"}, {"details", "complete"},
		}},
		"goes by before it completes": {g2atest.Options{DetailsLag: 1, CompleteAfter: minute}, []step{
			{"details", "ORD02"}, {"pay", "ok"}, {"details", "pending"}, {"details", "pending"}, {"wait", ""}, {"details", "complete"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			srv := newServer(t, withClock(clock), func(o *g2atest.Options) {
				o.DetailsLag, o.PendingDetails, o.ChargesAgain = test.options.DetailsLag, test.options.PendingDetails, test.options.ChargesAgain
				o.PaymentDelay, o.CompleteAfter = test.options.PaymentDelay, test.options.CompleteAfter
			})
			order := createOrder(t, client(t, srv), plentiful)
			var got []step
			for _, s := range test.steps {
				if s.do == "wait" {
					clock.Advance(minute)
					got = append(got, s)
					continue
				}
				method := map[string]string{"pay": "PUT"}[s.do]
				answered := send(t, srv, cmp.Or(method, "GET"), "/v1/order/"+s.do+"/"+order.ID, "", credentials(srv))
				got = append(got, step{s.do, outcome(t, answered)})
			}
			if !slices.Equal(got, test.steps) {
				t.Errorf("it went\n%v\nwant\n%v", got, test.steps)
			}
		})
	}
}

// outcome is G2A's code, or the status of the details, or "ok".
func outcome(t *testing.T, r reply) string {
	t.Helper()
	var body struct {
		Code   string
		Status any // of a payment: true
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("answer %s: %v", r.body, err)
	}
	status, _ := body.Status.(string)
	return cmp.Or(body.Code, status, "ok")
}

// TestBookDoesNotLag: what lags is what the client is told.
func TestBookDoesNotLag(t *testing.T) {
	srv := newServer(t, func(o *g2atest.Options) { o.DetailsLag = 5 })
	c := client(t, srv)
	order := createOrder(t, c, plentiful)
	payOrder(t, c, order.ID)
	if got := record(t, srv, order.ID); !got.Paid || got.Status != "complete" {
		t.Errorf("record is %+v, want it paid and complete", got)
	}
}

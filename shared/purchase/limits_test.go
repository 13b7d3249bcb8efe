package purchase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// always disturbs every call of a name.
func always(name string, d disturbance) func(w *world) {
	return func(w *world) {
		w.disturb = func(n int) disturbance {
			if w.calls[n] == name {
				return d
			}
			return disturbance{}
		}
	}
}

// rounds calls again as the workflow does, until the order is at its end or older than
// an age.
func (w *world) rounds(until time.Duration) (r purchase.Result, err error) {
	begun := time.Now()
	for n := 0; time.Since(begun) < until; n++ {
		var crashed bool
		r, crashed, err = w.advance(background, w.order, fmt.Sprintf("round-%d", n))
		if err == nil && !crashed && r.Status != purchase.StatusWaiting {
			return r, nil
		}
		time.Sleep(max(r.Wait, 30*time.Second))
	}
	return r, err
}

// Every order comes to an end inside the workflow's day: one that is certainly unpaid
// expires, one that may be paid goes to a person.
func TestEnds(t *testing.T) {
	stuck := func(reason string) [2]string { return [2]string{"needs_attention", reason} }
	expired := [2]string{"failed", purchase.ReasonExpired}
	for name, c := range map[string]struct {
		change func(w *world)
		want   [2]string
		limit  time.Duration
	}{
		"no product answers":       {always("product", unheard(g2a.ErrUnavailable)), expired, purchase.ExpireAfter},
		"nothing is sent":          {always("create", notDone(g2a.ErrUnavailable)), expired, purchase.ExpireAfter},
		"creating is throttled":    {always("create", notDone(g2a.ErrThrottled)), expired, purchase.ExpireAfter},
		"no funds":                 {always("create", notDone(g2a.ErrInsufficientFunds)), expired, purchase.ExpireAfter},
		"no funds to pay":          {always("pay", notDone(g2a.ErrInsufficientFunds)), expired, purchase.ExpireAfter},
		"above the limit of G2A":   {always("pay", notDone(g2a.ErrPaymentLimit)), expired, purchase.ExpireAfter},
		"paying is throttled":      {always("pay", notDone(g2a.ErrThrottled)), expired, purchase.ExpireAfter},
		"details stay pending":     {func(w *world) { w.pending = 1e9 }, stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"details are unavailable":  {always("details", unheard(g2a.ErrUnavailable)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"details are malformed":    {always("details", unheard(g2a.ErrMalformedAnswer)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"details decide nothing":   {always("details", notDone(g2a.ErrPaymentRequired)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"credentials are rejected": {always("details", notDone(g2a.ErrCredentialsRejected)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"the payment stays open":   {always("pay", unheard(g2a.ErrPaymentRequired)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"the key stays not ready":  {always("key", notDone(g2a.ErrPaymentNotReady)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
		"the key is unavailable":   {always("key", unheard(g2a.ErrUnavailable)), stuck(purchase.ReasonStuck), purchase.StuckAfter},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c.change(w)
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				wantResult(t, r, purchase.Status(c.want[0]), c.want[1])
				if age := w.records["r1"].UpdatedAt.Sub(w.records["r1"].CreatedAt); age < c.limit || age > c.limit+2*time.Minute {
					t.Errorf("ended at the age of %s, want %s", age, c.limit)
				}
				w.disturb, w.calls = nil, nil
				time.Sleep(7 * 24 * time.Hour)
				w.statuses["g1"] = g2a.StatusProcessing // a late webhook
				r, _, err = w.advance(background, again, "late")
				must(t, err)
				wantResult(t, r, purchase.Status(c.want[0]), c.want[1])
				if want := []string{"load"}; !slices.Equal(w.calls, want) {
					t.Errorf("after its end %q", w.calls)
				}
				if c.want[0] == "failed" && w.paid() > 0 {
					t.Error("it expired, and is paid")
				}
				if len(w.sold) > 3 {
					t.Errorf("%d orders at G2A", len(w.sold))
				}
			})
		})
	}
}

// An old order that nobody called for a week is not bought when somebody does.
func TestExpiredIsNotBought(t *testing.T) {
	for name, d := range map[string]map[string][]disturbance{
		"started": {"product": {crashBefore}}, "quoted": {"create": {crashBefore}}, "created": {"save paying": {crashBefore}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.script = d
				_, _, _ = w.advance(background, place, "a")
				if step := string(w.records["r1"].Step); step != name {
					t.Fatalf("stored at %s", step)
				}
				time.Sleep(purchase.ExpireAfter)
				w.calls = nil
				r, _, err := w.advance(background, again, "b")
				must(t, err)
				wantResult(t, r, purchase.StatusFailed, purchase.ReasonExpired)
				if slices.Contains(w.calls, "create") || slices.Contains(w.calls, "pay") {
					t.Errorf("calls %q", w.calls)
				}
			})
		})
	}
}

// An order that a person paid has its key fetched however old it is.
func TestExpiredAndPaidByAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		script("pay", notDone(g2a.ErrInsufficientFunds))(w)
		_, _, err := w.advance(background, place, "a")
		must(t, err)
		time.Sleep(purchase.ExpireAfter)
		w.sold["g1"].paid, w.statuses["g1"] = 1, g2a.StatusCompleted
		r, _, err := w.advance(background, again, "b")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
	})
}

// A G2A that is away for 20 hours, from any call on, costs time and nothing else. Where
// it went away with a payment on its way, which it did not carry out, nobody can tell
// that from one it did: a person must look.
func TestOutage(t *testing.T) {
	for _, call := range []string{"product", "create", "pay", "details", "key"} {
		for how, d := range map[string]disturbance{"unreachable": notDone(g2a.ErrUnavailable), "503": unheard(g2a.ErrUnavailable)} {
			t.Run(call+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.lapses = true
					away := time.Time{}
					w.disturb = func(n int) disturbance {
						name := w.calls[n]
						if away.IsZero() && name == call {
							away = time.Now().Add(20 * time.Hour)
						}
						if time.Now().Before(away) && ofMarket(name) {
							return d
						}
						return disturbance{}
					}
					r, err := w.rounds(24 * time.Hour)
					must(t, err)
					if call == "pay" && how == "503" {
						wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonPaymentUnknown)
					} else {
						wantResult(t, r, purchase.StatusFulfilled, "")
					}
					if len(w.sold) > 2 {
						t.Errorf("%d orders at G2A", len(w.sold))
					}
					checkBooks(t.Errorf, w, r)
				})
			})
		}
	}
}

func ofMarket(call string) bool {
	return slices.Contains([]string{"product", "create", "pay", "details", "key"}, call)
}

// A person hears of an order that may be paid and does not move, long before its end,
// also while every round fails.
func TestDelayed(t *testing.T) {
	for name, change := range map[string]func(*world){
		"waiting": func(w *world) { w.pending = 1e9 }, "failing": always("details", unheard(g2a.ErrUnavailable)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				change(w)
				r, _, _ := w.advance(background, place, "a")
				if r.Delayed {
					t.Error("delayed at once")
				}
				time.Sleep(30 * time.Minute)
				r, _, _ = w.advance(background, again, "b")
				if r.Delayed {
					t.Error("delayed at the limit")
				}
				time.Sleep(time.Second)
				r, _, _ = w.advance(background, again, "c")
				if !r.Delayed {
					t.Error("not delayed")
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		always("pay", notDone(g2a.ErrInsufficientFunds))(w)
		_, _, err := w.advance(background, place, "a")
		must(t, err)
		time.Sleep(time.Hour)
		always("status", notDone(errStore))(w) // so that it is not tried again
		if r, _, _ := w.advance(background, again, "b"); r.Delayed {
			t.Error("an unpaid order is delayed")
		}
	})
}

// At most three orders are made at G2A for one ref, after pauses, whatever becomes of
// the answers; then a person must look, who may have three more made.
func TestCreationsAreBounded(t *testing.T) {
	for name, d := range map[string]disturbance{
		"no answer": lost(g2a.ErrUnavailable), "malformed": lost(g2a.ErrMalformedAnswer),
		"crash": crashAfter, "late": arrivesLate(time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				always("create", d)(w)
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				w.arrive(time.Now().Add(time.Hour))
				wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonTooManyOrders)
				if made := len(w.sold); made != 3 || w.paid() != 0 {
					t.Errorf("%d orders at G2A and %d paid, want 3 and 0", made, w.paid())
				}
				w.disturb = nil
				r, err = w.purchaser().Retry(background, "r1", "person")
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
				if made := len(w.sold); made != 4 {
					t.Errorf("%d orders at G2A, want 4", made)
				}
			})
		})
	}
}

// The pauses between creations of unknown outcome.
func TestCreationPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var at []time.Duration
		begun := time.Now()
		w.disturb = func(n int) disturbance {
			if w.calls[n] == "create" {
				at = append(at, time.Since(begun).Truncate(time.Minute))
				return lost(g2a.ErrUnavailable)
			}
			return disturbance{}
		}
		_, err := w.rounds(24 * time.Hour)
		must(t, err)
		if want := []time.Duration{0, time.Minute, 31 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("created after %s, want %s", at, want)
		}
	})
}

// A creation that G2A refuses, or that was not sent, does not count.
func TestRefusedCreationsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		script("create", slices.Repeat([]disturbance{notDone(g2a.ErrThrottled), notDone(g2a.ErrInsufficientFunds), notDone(g2a.ErrUnavailable)}, 5)...)(w)
		r, err := w.rounds(time.Hour)
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if o := w.records["r1"]; o.Creations != 1 || len(w.sold) != 1 {
			t.Errorf("%d creations counted, %d orders at G2A", o.Creations, len(w.sold))
		}
	})
}

// An order whose price G2A's answer does not state is kept, asked for, and only then
// paid.
func TestPriceUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		details g2a.Money
		unread  int // details without a price, before
		status  purchase.Status
		reason  string
		pays    int
	}{
		"within the limit":       {euro("12.50"), 0, purchase.StatusFulfilled, "", 1},
		"above the limit":        {euro("12.51"), 0, purchase.StatusFailed, purchase.ReasonPriceAboveLimit, 0},
		"in another currency":    {money("1.00", "PLN"), 0, purchase.StatusFailed, purchase.ReasonPriceAboveLimit, 0},
		"stated after a while":   {euro("5.10"), 5, purchase.StatusFulfilled, "", 1},
		"never stated":           {euro("5.10"), 1e9, purchase.StatusFailed, purchase.ReasonExpired, 0},
		"G2A's details lag some": {euro("5.10"), -2, purchase.StatusFulfilled, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.price, w.unpriced = c.details, 1+max(c.unread, 0)
				w.lag = max(-c.unread, 0)
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				wantResult(t, r, c.status, c.reason)
				if made, pays := len(w.sold), count(w.calls, "pay"); made != 1 || pays != c.pays {
					t.Errorf("%d orders at G2A, %d calls to pay; want 1, %d", made, pays, c.pays)
				}
				checkBooks(t.Errorf, w, r)
			})
		})
	}
}

// After a payment of unknown outcome the order is not paid again for a quarter of an
// hour, and then under a new intent: a G2A that charges again has charged once.
func TestNotPaidAgainForMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		pay     disturbance
		settles time.Duration
		pays    int
		paid    int
	}{
		"its answer is lost, and it shows late": {lost(g2a.ErrUnavailable), 14 * time.Minute, 1, 1},
		"it arrives late":                       {arrivesLate(14 * time.Minute), 0, 1, 1},
		"it was not carried out":                {unheard(g2a.ErrUnavailable), 0, 2, 1},
		"the process dies before it":            {crashBefore, 0, 2, 1},
		"the process dies after it":             {crashAfter, 14 * time.Minute, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.again, w.settles = true, c.settles
				script("pay", c.pay)(w)
				var at []time.Duration
				begun := time.Now()
				w.disturb = func(n int) disturbance {
					if w.calls[n] == "pay" {
						at = append(at, time.Since(begun))
					}
					return disturbance{}
				}
				r, err := w.rounds(time.Hour)
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
				if pays := count(w.calls, "pay"); pays != c.pays || w.sold["g1"].paid != c.paid {
					t.Errorf("%d calls to pay and charged %d times, want %d and %d", pays, w.sold["g1"].paid, c.pays, c.paid)
				}
				for _, again := range at {
					if again < 15*time.Minute {
						t.Errorf("paid again after %s", again)
					}
				}
				checkBooks(t.Errorf, w, r)
			})
		})
	}
}

// A status that is not known is not an unpaid order: it is never paid again.
func TestUnknownStatus(t *testing.T) {
	for status, pays := range map[g2a.OrderStatus]int{"processing": 1, "canceled": 1, "refunded": 1, "new": 2, g2a.OrderPending: 2} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.word = status
				script("pay", unheard(g2a.ErrUnavailable))(w)
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonStuck)
				if got := count(w.calls, "pay"); got != pays {
					t.Errorf("%d calls to pay, want %d", got, pays)
				}
			})
		})
	}
}

// Only an order that is certainly unpaid can be cancelled.
func TestCancel(t *testing.T) {
	cancel := purchase.Input{Ref: "r1", Cancel: true}
	for name, c := range map[string]struct {
		script map[string][]disturbance
		change func(w *world)
		want   purchase.Status // "" is ErrNotCancellable
		reason string
	}{
		"started":             {map[string][]disturbance{"product": {unheard(g2a.ErrUnavailable)}}, nil, purchase.StatusFailed, purchase.ReasonCancelled},
		"quoted":              {map[string][]disturbance{"create": {lost(g2a.ErrUnavailable)}}, nil, purchase.StatusFailed, purchase.ReasonCancelled},
		"created":             {map[string][]disturbance{"pay": {notDone(g2a.ErrInsufficientFunds)}}, nil, purchase.StatusFailed, purchase.ReasonCancelled},
		"created, and paid":   {map[string][]disturbance{"pay": {notDone(g2a.ErrInsufficientFunds)}}, func(w *world) { w.sold["g1"].paid, w.statuses["g1"] = 1, g2a.StatusCompleted }, "", ""},
		"paying":              {map[string][]disturbance{"pay": {unheard(g2a.ErrUnavailable)}}, nil, "", ""},
		"paid":                {map[string][]disturbance{"details": {notDone(g2a.ErrPaymentRequired)}}, nil, "", ""},
		"key requested":       {map[string][]disturbance{"key": {notDone(g2a.ErrPaymentNotReady)}}, nil, "", ""},
		"fulfilled":           {nil, nil, "", ""},
		"needs attention":     {map[string][]disturbance{"key": {notDone(g2a.ErrInvalidRequest)}}, nil, "", ""},
		"failed for a reason": {map[string][]disturbance{"product": {notDone(g2a.ErrNotFound)}}, nil, purchase.StatusFailed, purchase.ReasonProductNotFound},
		"cancelled once before": {map[string][]disturbance{"product": {unheard(g2a.ErrUnavailable)}}, func(w *world) {
			_, _, _ = w.advance(background, cancel, "first")
		}, purchase.StatusFailed, purchase.ReasonCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.script = c.script
				_, _, _ = w.advance(background, place, "a")
				if c.change != nil {
					c.change(w)
				}
				before := w.records["r1"]
				w.calls = nil
				r, _, err := w.advance(background, cancel, "b")
				if c.want == "" {
					if !errors.Is(err, purchase.ErrNotCancellable) || w.records["r1"].Step != before.Step {
						t.Errorf("%v, and now at %s", err, w.records["r1"].Step)
					}
				} else {
					must(t, err)
					wantResult(t, r, c.want, c.reason)
				}
				if slices.ContainsFunc(w.calls, ofMarket) {
					t.Errorf("calls %q", w.calls)
				}
				r, err = w.toTheEnd()
				must(t, err)
				if c.want != "" && r.Status != purchase.StatusFailed {
					t.Errorf("in the end %s", r.Status)
				}
				checkBooks(t.Errorf, w, r)
			})
		})
	}
	t.Run("of an order that is not known", func(t *testing.T) {
		w := newWorld()
		var invalid *purchase.InvalidOrder
		if _, _, err := w.advance(background, cancel, "a"); !errors.As(err, &invalid) {
			t.Errorf("%v, want an InvalidOrder", err)
		}
	})
	t.Run("with a request", func(t *testing.T) {
		w, in := newWorld(), place
		in.Cancel = true
		var invalid *purchase.InvalidOrder
		if _, _, err := w.advance(background, in, "a"); !errors.As(err, &invalid) || len(w.records) > 0 {
			t.Errorf("%v, want an InvalidOrder", err)
		}
	})
}

// An effect has no more time than its lease, and leaves enough to store what it brings,
// whatever the deadline is and whether there is one.
func TestTimeOfEffects(t *testing.T) {
	for name, deadline := range map[string]time.Duration{"none": 0, "short": 22 * time.Second, "Lambda's": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ctx := background
				if deadline > 0 {
					limited, cancel := context.WithTimeout(ctx, deadline)
					defer cancel()
					ctx = limited
				}
				effects := 0
				w.inspect = func(ctx context.Context, call string) {
					end, limited := ctx.Deadline()
					if !limited {
						t.Errorf("%s has no deadline", call)
					}
					if !ofMarket(call) {
						return
					}
					effects++
					o := w.records["r1"]
					if left := o.LeaseUntil.Sub(end); left < 5*time.Second {
						t.Errorf("%s may end %s before its lease", call, left)
					}
					if left := time.Until(end); left < 10*time.Second {
						t.Errorf("%s has %s, less than a full call", call, left)
					}
				}
				r, _, err := w.advance(ctx, place, "a")
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
				if effects != 5 {
					t.Errorf("%d effects", effects)
				}
			})
		})
	}
}

// The key is not asked for where its call and two tries of storing do not fit.
func TestKeyIsNotAskedForLate(t *testing.T) {
	for left, asked := range map[time.Duration]bool{22 * time.Second: true, 22*time.Second - time.Nanosecond: false} {
		t.Run(left.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ctx, cancel := context.WithTimeout(background, time.Minute)
				defer cancel()
				w.disturb = func(n int) disturbance {
					if w.calls[n] == "save key_requested" {
						w.disturb = nil
						time.Sleep(time.Minute - left)
					}
					return disturbance{}
				}
				r, _, err := w.advance(ctx, place, "a")
				must(t, err)
				if got := slices.Contains(w.calls, "key"); got != asked {
					t.Errorf("asked: %t, want %t", got, asked)
				}
				if !asked {
					wantResult(t, r, purchase.StatusWaiting, purchase.ReasonTimeIsShort)
				}
			})
		})
	}
}

package purchase_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// several is an order of several keys at the Export API v1, which sells one an order.
func several(quantity int) *world {
	w := newWorld()
	w.order.Quantity = quantity
	return w
}

// checkPieces compares an order of several keys at its end with the books of the Export
// API v1.
func checkPieces(errorf func(string, ...any), w *world, r purchase.Result) {
	for _, problem := range w.problems {
		errorf("%s", problem)
	}
	o := w.records["r1"]
	keys := map[string]int{}
	for _, key := range o.Keys {
		keys[key.G2AOrderID]++
	}
	for id, s := range w.sold {
		lost := s.paid > 0 && keys[id] == 0
		switch {
		case s.paid > 1:
			errorf("%s was charged %d times", id, s.paid)
		case keys[id] > 1:
			errorf("the key of %s is stored %d times", id, keys[id])
		case keys[id] == 1 && s.paid == 0:
			errorf("a key of %s is stored, which is unpaid", id)
		case lost && r.Status != purchase.StatusNeedsAttention:
			errorf("%s is paid and its key is not stored, and the order is %s", id, r.Status)
		case lost && id != o.G2AOrderID:
			errorf("%s is paid, and the record names %q", id, o.G2AOrderID)
		}
	}
	switch quantity := w.order.Quantity; {
	case w.paid() > quantity:
		errorf("%d orders were paid for %d keys", w.paid(), quantity)
	case len(o.Keys) != r.KeysStored:
		errorf("%d keys are stored, %d reported", len(o.Keys), r.KeysStored)
	case r.Status == purchase.StatusFulfilled && (len(o.Keys) != quantity || w.paid() != quantity):
		errorf("fulfilled with %d keys and %d orders paid, of %d", len(o.Keys), w.paid(), quantity)
	case r.Status == purchase.StatusPartlyFulfilled && (len(o.Keys) == 0 || len(o.Keys) >= quantity || w.paid() != len(o.Keys)):
		errorf("partly fulfilled with %d keys and %d orders paid, of %d", len(o.Keys), w.paid(), quantity)
	case r.Status == purchase.StatusFailed && w.paid()+len(o.Keys) > 0:
		errorf("failed with %d keys and %d orders paid", len(o.Keys), w.paid())
	}
}

func TestSeveralKeys(t *testing.T) {
	soldOut := func(w *world) {
		w.inspect = func(_ context.Context, call string) {
			if call == "save started" && len(w.sold) == 2 {
				w.product.Quantity = 0
			}
		}
	}
	for name, c := range map[string]struct {
		quantity int
		change   func(w *world)
		want     purchase.Status
		reason   string
		keys     int
		price    string
	}{
		"three":             {3, nil, purchase.StatusFulfilled, "", 3, "15.30 EUR"},
		"the most there is": {purchase.MaxQuantity, nil, purchase.StatusFulfilled, "", purchase.MaxQuantity, "255.00 EUR"},
		"two of three":      {3, soldOut, purchase.StatusPartlyFulfilled, purchase.ReasonOutOfStock, 2, "10.20 EUR"},
		"none":              {3, func(w *world) { w.product.Quantity = 0 }, purchase.StatusFailed, purchase.ReasonOutOfStock, 0, "0.00 "},
		"the second one's price has grown": {3, func(w *world) {
			w.inspect = func(_ context.Context, call string) {
				if call == "create" && len(w.sold) == 1 {
					w.price = euro("12.51")
				}
			}
		}, purchase.StatusPartlyFulfilled, purchase.ReasonPriceAboveLimit, 1, "5.10 EUR"},
		"the second key is lost": {3, script("key", disturbance{}, lost(g2a.ErrUnavailable)), purchase.StatusNeedsAttention,
			purchase.ReasonKeyLost, 1, "10.20 EUR"},
		"no funds for the second one": {2, func(w *world) {
			w.disturb = func(n int) disturbance {
				if w.calls[n] == "pay" && w.paid() == 1 {
					return notDone(g2a.ErrInsufficientFunds)
				}
				return disturbance{}
			}
		}, purchase.StatusPartlyFulfilled, purchase.ReasonExpired, 1, "5.10 EUR"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := several(c.quantity)
				if c.change != nil {
					c.change(w)
				}
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				wantResult(t, r, c.want, c.reason)
				if r.KeysStored != c.keys || r.Price.String() != c.price || r.Quantity != c.quantity {
					t.Errorf("%d keys of %d for %s, want %d of %d for %s", r.KeysStored, r.Quantity, r.Price, c.keys, c.quantity, c.price)
				}
				checkPieces(t.Errorf, w, r)
			})
		})
	}
}

// An order of several keys can be cancelled between two of them, and keeps what it has.
func TestCancelSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := several(2)
		w.disturb = func(n int) disturbance {
			if w.calls[n] == "pay" && w.paid() == 1 {
				return notDone(g2a.ErrInsufficientFunds)
			}
			return disturbance{}
		}
		r, _, err := w.advance(background, w.order, "a")
		must(t, err)
		wantResult(t, r, purchase.StatusWaiting, purchase.ReasonNoFunds)
		for _, owner := range []string{"b", "c"} {
			r, _, err = w.advance(background, purchase.Input{Ref: "r1", Cancel: true}, owner)
			must(t, err)
			wantResult(t, r, purchase.StatusPartlyFulfilled, purchase.ReasonCancelled)
		}
		checkPieces(t.Errorf, w, r)
	})
}

// TestEveryCrashOfSeveral is TestEveryCrash for an order of two keys.
func TestEveryCrashOfSeveral(t *testing.T) {
	var calls []string
	synctest.Test(t, func(t *testing.T) {
		w := several(2)
		_, _, err := w.advance(background, w.order, "a")
		must(t, err)
		calls = w.calls
	})
	for n, call := range calls {
		for how, d := range map[string]disturbance{
			"crash before": crashBefore, "crash after": crashAfter, "arrives late": arrivesLate(25 * time.Second),
			"not done": notDone(failureOf(call)), "unheard": unheard(failureOf(call)), "answer lost": lost(failureOf(call)),
		} {
			t.Run(fmt.Sprintf("%d %s %s", n, call, how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := several(2)
					w.disturb = func(at int) disturbance {
						if at == n {
							return d
						}
						return disturbance{}
					}
					_, _, _ = w.advance(background, w.order, "a")
					r, err := w.toTheEnd()
					must(t, err)
					checkPieces(t.Errorf, w, r)
					keyLost := call == "key" && (how == "crash after" || how == "answer lost") ||
						how == "crash before" && n > 0 && calls[n-1] == "key"
					if (r.Status == purchase.StatusNeedsAttention) != keyLost || !keyLost && r.Status != purchase.StatusFulfilled {
						t.Errorf("in the end %s %q", r.Status, r.Reason)
					}
				})
			})
		}
	}
}

// A key in hand is stored whatever the order has become in the meantime. Where another
// caller has gone on to another order at G2A, or to an end, that stays as it is.
func TestKeyInHandOfSeveral(t *testing.T) {
	for _, step := range []purchase.Step{
		purchase.Started, purchase.Quoted, purchase.Created, purchase.Paying, purchase.Paid, purchase.KeyRequested, purchase.NeedsAttention, purchase.Failed,
	} {
		for _, now := range []string{"g1", "g2"} {
			t.Run(string(step)+" "+now, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, struck := several(3), false
					w.disturb = func(n int) disturbance {
						if struck || w.calls[n] != "save started" || w.paid() == 0 {
							return disturbance{}
						}
						struck = true
						return disturbance{before: func() error {
							o := w.records["r1"]
							o.Step, o.LeaseOwner, o.G2AOrderID = step, "b", now
							o.Version++
							w.records["r1"] = o
							w.inspect = func(_ context.Context, call string) {
								if ofMarket(call) {
									panic(crash{}) // what follows is another matter
								}
							}
							return nil
						}}
					}
					_, _, _ = w.advance(background, w.order, "a")
					o := w.records["r1"]
					if len(o.Keys) != 1 || o.Keys[0].G2AOrderID != "g1" {
						t.Fatalf("stored are %d keys, want one of g1", len(o.Keys))
					}
					ended := map[purchase.Step]purchase.Step{purchase.NeedsAttention: step, purchase.Failed: purchase.PartlyFulfilled}[step]
					switch {
					case ended != "" && o.Step != ended:
						t.Errorf("at %s, want %s", o.Step, ended)
					case ended == "" && now == "g1" && o.Step != purchase.Started:
						t.Errorf("at %s, want started for the next key", o.Step)
					case ended == "" && now == "g2" && o.G2AOrderID != "g2":
						t.Errorf("it goes on with %q, want the other caller's g2", o.G2AOrderID)
					}
				})
			})
		}
	}
}

// A key that could only just be noted is not asked for again: the order goes on to its
// next one.
func TestNotedKeyOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := several(2)
		w.disturb = func(n int) disturbance {
			if w.calls[n] == "save started" && w.paid() == 1 {
				return notDone(errStore)
			}
			return disturbance{}
		}
		ctx, cancel := context.WithTimeout(background, 30*time.Second)
		defer cancel()
		if _, _, err := w.advance(ctx, w.order, "a"); err == nil {
			t.Fatal("the key was stored")
		}
		w.disturb = nil
		r, err := w.toTheEnd()
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		checkPieces(t.Errorf, w, r)
		if asked := count(w.calls, "key"); asked != 2 {
			t.Errorf("%d calls for keys, want 2", asked)
		}
	})
}

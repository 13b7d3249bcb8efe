package purchase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// exportV2 is what the world's Export API v2 has sold, and how it reads what is not public.
type exportV2 struct {
	placed map[string]*placed // by idempotency key, the last order of each
	made   []*placed
	// conflict: a repeated idempotency key is a conflict; named: which names the order.
	conflict, named bool
	forgets         time.Duration // after which a repeated key is another order; 0 is never
	once            bool          // a key can be read once
	trickle         bool          // each look at the keys finds one more
	notYet          []error       // what the first looks at an order's keys are answered with; nil is an empty list
	surcharge       string        // beyond the limit, in EUR
	unreadable      int           // so many looks at an order's keys cannot be understood
}

// placed is an order at the Export API v2, which is charged.
type placed struct {
	id       string
	key      string // idempotency key
	at       time.Time
	quantity int
	looks    int
	ready    int // keys that are there
	read     int // how many of them were read
}

// keysOf returns the values of an order's keys, in their order.
func (p *placed) keys() []string {
	keys := make([]string, p.quantity)
	for n := range keys {
		keys[n] = fmt.Sprintf("KEY-%s-%d", p.id, n)
	}
	return keys
}

// marketV2 is the world's Export API v2.
type marketV2 struct{ *world }

func (m marketV2) ProductOffer(ctx context.Context, id string) (o g2a.ProductOffer, err error) {
	err = m.do(ctx, "offer", func() error {
		if id != m.product.ID {
			return refused(g2a.ErrNotFound)
		}
		o = g2a.ProductOffer{ID: id, Quantity: m.product.Quantity, MinPrice: m.product.MinPrice}
		return nil
	})
	return o, err
}

func (m marketV2) PlaceOrder(ctx context.Context, order g2a.NewOrder) (o g2a.Order, err error) {
	err = m.do(ctx, "place", func() error {
		record := m.records["r1"]
		m.intended("place", record.G2AOrderID, "", purchase.Started, purchase.Quoted, purchase.Created)
		if record.IdempotencyKey != order.IdempotencyKey {
			m.problems = append(m.problems, "the idempotency key was sent before it was stored")
		}
		if order.MaxPrice.String() != record.MaxPrice.String() {
			m.problems = append(m.problems, "the limit sent is not that of one key: "+order.MaxPrice.String())
		}
		p := m.v2.placed[order.IdempotencyKey]
		repeated := p != nil && (m.v2.forgets == 0 || time.Since(p.at) < m.v2.forgets)
		switch {
		case repeated && m.v2.conflict && m.v2.named:
			return &g2a.Error{Kind: g2a.ErrExists, ExistingID: p.id}
		case repeated && m.v2.conflict:
			return &g2a.Error{Kind: g2a.ErrExists}
		case !repeated:
			p = &placed{id: fmt.Sprintf("v%d", len(m.v2.made)+1), key: order.IdempotencyKey, at: time.Now(), quantity: order.Quantity}
			m.v2.placed[p.key], m.v2.made = p, append(m.v2.made, p)
		}
		o = g2a.Order{ID: p.id, Price: euro(decimal.NewFromInt(int64(p.quantity)).Mul(m.price.Amount).String())}
		if m.v2.surcharge != "" {
			o.Price = euro(m.v2.surcharge)
		}
		return nil
	})
	return o, err
}

func (m marketV2) OrderKeys(ctx context.Context, id string) (keys []g2a.Key, err error) {
	err = m.do(ctx, "keys", func() error {
		m.intended("keys", id, "", purchase.Started, purchase.Quoted, purchase.Created, purchase.Paying)
		at := slices.IndexFunc(m.v2.made, func(p *placed) bool { return p.id == id })
		if at < 0 {
			return refused(g2a.ErrNotFound)
		}
		p := m.v2.made[at]
		if p.looks++; p.looks <= len(m.v2.notYet) {
			return failure(m.v2.notYet[p.looks-1], g2a.NotDone)
		}
		if p.looks-len(m.v2.notYet) <= m.v2.unreadable {
			keys = []g2a.Key{{Raw: g2a.NewSecret(fmt.Sprintf(`{"data":"odd %d"}`, p.looks))}}
			return nil
		}
		if p.ready = p.quantity; m.v2.trickle {
			p.ready = min(p.quantity, p.looks-len(m.v2.notYet))
		}
		from := 0
		if m.v2.once {
			from = p.read
		}
		for _, value := range p.keys()[from:p.ready] {
			keys = append(keys, g2a.Key{Value: g2a.NewSecret(value)})
		}
		p.read = p.ready
		return nil
	})
	return keys, err
}

// newWorldV2 is a world whose orders are bought through the Export API v2.
func newWorldV2(quantity int) *world {
	w := newWorld()
	w.api, w.product.Quantity = g2a.ExportV2, 10
	w.order.Quantity = quantity
	return w
}

// keyValues returns the keys of a record.
func keyValues(o purchase.Order) (values []string) {
	for _, key := range o.Keys {
		values = append(values, key.Value.Reveal())
	}
	return values
}

// checkBooksV2 compares an order at its end with the books of the Export API v2.
func checkBooksV2(errorf func(string, ...any), w *world, r purchase.Result) {
	for _, problem := range w.problems {
		errorf("%s", problem)
	}
	o := w.records["r1"]
	if len(w.v2.made) > 1 {
		errorf("%d orders were made at G2A", len(w.v2.made))
	}
	stored := keyValues(o)
	if sorted := slices.Sorted(slices.Values(stored)); len(slices.Compact(sorted)) != len(stored) {
		errorf("a key is stored twice: %q", stored)
	}
	for _, p := range w.v2.made {
		for _, value := range p.keys()[:p.read] {
			if !slices.Contains(stored, value) && r.Status != purchase.StatusNeedsAttention {
				errorf("%s was given out and is lost, and the order is %s", value, r.Status)
			}
		}
		if w.v2.once {
			slices.Sort(stored) // two callers may each have read some of them
		}
		if r.Status == purchase.StatusFulfilled && (p.id != o.G2AOrderID || !slices.Equal(stored, p.keys())) {
			errorf("fulfilled by %s with %q, and G2A has sold %s with %q", o.G2AOrderID, stored, p.id, p.keys())
		}
	}
	switch {
	case r.Status == purchase.StatusFulfilled && len(w.v2.made) == 0:
		errorf("fulfilled, and nothing was bought")
	case r.Status == purchase.StatusFailed && len(w.v2.made) > 0:
		errorf("failed, and yet paid")
	case r.KeysStored != len(stored):
		errorf("%d keys are stored, and %d reported", len(stored), r.KeysStored)
	}
}

func TestExportV2(t *testing.T) {
	for name, c := range map[string]struct {
		quantity int
		change   func(w *world)
		want     purchase.Status
		reason   string
		price    string
		posts    int
	}{
		"one key":    {quantity: 1, want: purchase.StatusFulfilled, price: "5.10 EUR", posts: 1},
		"three keys": {quantity: 3, want: purchase.StatusFulfilled, price: "15.30 EUR", posts: 1},
		"they come one by one": {quantity: 3, change: func(w *world) { w.v2.trickle = true }, want: purchase.StatusFulfilled,
			price: "15.30 EUR", posts: 1},
		"one by one, and each once": {quantity: 3, change: func(w *world) { w.v2.trickle, w.v2.once = true, true }, want: purchase.StatusFulfilled,
			price: "15.30 EUR", posts: 1},
		"not yet, in every form": {quantity: 2, change: func(w *world) {
			w.v2.notYet = []error{nil, g2a.ErrNotFound, g2a.ErrExists, g2a.ErrPaymentNotReady, g2a.ErrPaymentRequired, g2a.ErrInvalidRequest}
		}, want: purchase.StatusFulfilled, price: "10.20 EUR", posts: 1},
		"the answer is lost":          {quantity: 1, change: script("place", lost(g2a.ErrUnavailable)), want: purchase.StatusFulfilled, price: "5.10 EUR", posts: 2},
		"lost, and then it conflicts": {quantity: 1, change: func(w *world) { script("place", lost(g2a.ErrUnavailable))(w); w.v2.conflict = true }, want: purchase.StatusNeedsAttention, reason: purchase.ReasonPaymentUnknown, price: "4.90 EUR", posts: 3},
		"a conflict that names the order": {quantity: 1, change: func(w *world) {
			script("place", lost(g2a.ErrUnavailable))(w)
			w.v2.conflict, w.v2.named = true, true
		}, want: purchase.StatusFulfilled, price: "4.90 EUR", posts: 2},
		"never answered":     {quantity: 1, change: always("place", unheard(g2a.ErrUnavailable)), want: purchase.StatusNeedsAttention, reason: purchase.ReasonPaymentUnknown, price: "4.90 EUR", posts: 3},
		"refused":            {quantity: 1, change: script("place", notDone(g2a.ErrInvalidRequest)), want: purchase.StatusFailed, reason: purchase.ReasonOrderRejected, price: "4.90 EUR", posts: 1},
		"throttled at first": {quantity: 1, change: script("place", notDone(g2a.ErrThrottled)), want: purchase.StatusFulfilled, price: "5.10 EUR", posts: 2},
		"lost, and then refused": {quantity: 1, change: script("place", lost(g2a.ErrUnavailable), notDone(g2a.ErrInvalidRequest)),
			want: purchase.StatusNeedsAttention, reason: purchase.ReasonPaymentUnknown, price: "4.90 EUR", posts: 2},
		"charged above the limit": {quantity: 2, change: func(w *world) { w.v2.surcharge = "25.01" }, want: purchase.StatusNeedsAttention,
			reason: purchase.ReasonPaidAboveLimit, price: "25.01 EUR", posts: 1},
		"charged just the limit": {quantity: 2, change: func(w *world) { w.v2.surcharge = "25.00" }, want: purchase.StatusFulfilled, price: "25.00 EUR", posts: 1},
		"fewer in stock":         {quantity: 2, change: func(w *world) { w.product.Quantity = 1 }, want: purchase.StatusFailed, reason: purchase.ReasonOutOfStock, price: "0.00 ", posts: 0},
		"too expensive":          {quantity: 2, change: func(w *world) { w.product.MinPrice = euro("12.51") }, want: purchase.StatusFailed, reason: purchase.ReasonPriceAboveLimit, price: "25.02 EUR"},
		"in another currency":    {quantity: 1, change: func(w *world) { w.order.Currency = "PLN" }, want: purchase.StatusFailed, reason: purchase.ReasonCurrency, price: "0.00 "},
		"no such product":        {quantity: 1, change: func(w *world) { w.product.ID = "other" }, want: purchase.StatusFailed, reason: purchase.ReasonProductNotFound, price: "0.00 "},
		"unreadable once":        {quantity: 2, change: func(w *world) { w.v2.unreadable = 1 }, want: purchase.StatusFulfilled, price: "10.20 EUR", posts: 1},
		"unreadable twice": {quantity: 2, change: func(w *world) { w.v2.unreadable = 2 }, want: purchase.StatusNeedsAttention,
			reason: purchase.ReasonKeyUnreadable, price: "10.20 EUR", posts: 1},
		"keys that never come": {quantity: 1, change: func(w *world) { w.v2.notYet = make([]error, 1e6) }, want: purchase.StatusNeedsAttention, reason: purchase.ReasonStuck,
			price: "5.10 EUR", posts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldV2(c.quantity)
				if c.change != nil {
					c.change(w)
				}
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				wantResult(t, r, c.want, c.reason)
				if posts := count(w.calls, "place"); posts != c.posts || r.Price.String() != c.price || r.Quantity != c.quantity {
					t.Errorf("%d posts, %d keys for %s; want %d, %d for %s", posts, r.Quantity, r.Price, c.posts, c.quantity, c.price)
				}
				if kept := strings.Count(w.records["r1"].Raw.Reveal(), "odd"); kept != w.v2.unreadable {
					t.Errorf("%d answers are kept, want %d", kept, w.v2.unreadable)
				}
				checkBooksV2(t.Errorf, w, r)
			})
		})
	}
}

// A G2A that does not keep to the meaning of the idempotency key, or forgets it early, can
// do harm three times at most, and not later than two hours after the first post.
func TestForgottenIdempotencyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldV2(1)
		w.v2.forgets = time.Second
		always("place", lost(g2a.ErrUnavailable))(w)
		r, err := w.rounds(24 * time.Hour)
		must(t, err)
		wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonPaymentUnknown)
		if len(w.v2.made) != 3 {
			t.Errorf("%d orders made", len(w.v2.made))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorldV2(1)
		w.v2.forgets = 2 * time.Hour
		script("place", lost(g2a.ErrUnavailable))(w)
		_, _, err := w.advance(background, w.order, "a")
		must(t, err)
		time.Sleep(2*time.Hour + time.Second)
		r, _, err := w.advance(background, again, "b")
		must(t, err)
		wantResult(t, r, purchase.StatusNeedsAttention, purchase.ReasonPaymentUnknown)
		if len(w.v2.made) != 1 {
			t.Errorf("%d orders made", len(w.v2.made))
		}
	})
}

// A person who has looked has the same order asked for again, under the same key.
func TestRetryV2(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		mend   func(w *world)
		posts  int
	}{
		"of an order that was never answered": {always("place", lost(g2a.ErrUnavailable)), func(w *world) { w.disturb = nil }, 4},
		"of an order that cost too much":      {func(w *world) { w.v2.surcharge = "25.01" }, func(*world) {}, 1},
		"of keys that never came":             {func(w *world) { w.v2.notYet = make([]error, 1e6) }, func(w *world) { w.v2.notYet = nil }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldV2(2)
				c.change(w)
				r, err := w.rounds(24 * time.Hour)
				must(t, err)
				if r.Status != purchase.StatusNeedsAttention {
					t.Fatalf("%s %q", r.Status, r.Reason)
				}
				c.mend(w)
				time.Sleep(22 * time.Hour) // older than any order that is unpaid
				r, err = w.purchaser().Retry(background, "r1", "person")
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
				if posts := count(w.calls, "place"); posts != c.posts {
					t.Errorf("%d posts, want %d", posts, c.posts)
				}
				checkBooksV2(t.Errorf, w, r)
			})
		})
	}
}

// An order stays with the API that it was begun with.
func TestOrderKeepsItsAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		script("pay", notDone(g2a.ErrInsufficientFunds))(w)
		_, _, err := w.advance(background, place, "a")
		must(t, err)
		w.api = g2a.ExportV2
		r, err := w.toTheEnd()
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if count(w.calls, "place") != 0 || w.paid() != 1 {
			t.Errorf("calls %q", w.calls)
		}
	})
}

// A process may end before or after any outside call, or the call may fail without effect
// or lose its answer: one order is made at G2A. Keys that can be read again are not lost;
// of those that can be read once a loss is never silent.
func TestEveryCrashV2(t *testing.T) {
	for _, once := range []bool{false, true} {
		for n, call := range happyCallsV2(t) {
			for how, d := range map[string]disturbance{
				"crash before": crashBefore, "crash after": crashAfter, "arrives late": arrivesLate(25 * time.Second),
				"not done": notDone(failureOf(call)), "unheard": unheard(failureOf(call)), "answer lost": lost(failureOf(call)),
			} {
				t.Run(fmt.Sprintf("once %t, %d %s %s", once, n, call, how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorldV2(2)
						w.v2.once = once
						w.disturb = func(at int) disturbance {
							if at == n {
								return d
							}
							return disturbance{}
						}
						_, _, _ = w.advance(background, w.order, "a")
						r, err := w.rounds(24 * time.Hour)
						must(t, err)
						checkBooksV2(t.Errorf, w, r)
						want := purchase.StatusFulfilled
						if once && (call == "keys" && (how == "crash after" || how == "answer lost") || call == "save fulfilled" && how == "crash before") {
							want = purchase.StatusNeedsAttention // the keys were given out to no one
						}
						if r.Status != want {
							t.Errorf("in the end %s %q, want %s", r.Status, r.Reason, want)
						}
					})
				})
			}
		}
	}
}

// longRounds calls again until the order is at its end, ever more rarely: keys that are lost
// are missed for a day.
func (w *world) longRounds() (purchase.Result, error) {
	for n := range 200 {
		r, _, err := w.advance(background, w.order, fmt.Sprintf("round-%d", n))
		if err == nil && r.Status != purchase.StatusWaiting && r.Status != "" {
			return r, nil
		}
		time.Sleep(max(r.Wait, 2*time.Minute))
		if n > 60 {
			time.Sleep(time.Hour)
		}
	}
	return purchase.Result{}, errors.New("the order comes to no end")
}

func happyCallsV2(t *testing.T) (calls []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldV2(2)
		r, _, err := w.advance(background, w.order, "a")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		calls = w.calls
	})
	return calls
}

// Whatever happens around the calls, with other callers in between, at any reading of what
// G2A does not document: one order is made, its keys are stored in their order and each
// once, and none is lost in silence.
func TestAnyDisturbancesV2(t *testing.T) {
	calls := []string{
		"load", "offer", "place", "keys", "save started", "save paying", "link key_requested", "save key_requested",
		"save fulfilled", "save needs_attention",
	}
	kinds := []string{
		"none", "not done", "unheard", "lost", "crash before", "crash after", "arrives late", "throttled", "credentials",
		"another caller before", "another caller after", "late, another caller before", "late, another caller after",
	}
	ends, checks := map[purchase.Status]int{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		plan := map[string][]string{}
		for _, call := range calls {
			plan[call] = rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 3).Draw(rt, call)
		}
		drawn := exportV2{
			conflict: rapid.Bool().Draw(rt, "a repeated key conflicts"), named: rapid.Bool().Draw(rt, "the conflict names the order"),
			once: rapid.Bool().Draw(rt, "keys are read once"), trickle: rapid.Bool().Draw(rt, "keys come one by one"),
			notYet: rapid.SliceOfN(rapid.SampledFrom([]error{nil, g2a.ErrNotFound, g2a.ErrExists, g2a.ErrPaymentNotReady}), 0, 3).Draw(rt, "not yet"),
			placed: map[string]*placed{},
		}
		quantity := rapid.IntRange(1, 3).Draw(rt, "quantity")
		var w *world
		var end purchase.Result
		var err error
		synctest.Test(t, func(*testing.T) {
			w = newWorldV2(quantity)
			w.v2 = drawn
			w.disturb = disturbances(w, plan, false)
			_, _, _ = w.advance(background, w.order, "first")
			if end, err = w.longRounds(); err == nil {
				time.Sleep(time.Hour) // whatever is on its way arrives
				w.arrive(time.Now())
				w.disturb = nil
				end, _, err = w.advance(background, w.order, "last")
			}
		})
		if err != nil || !w.records["r1"].Step.Final() {
			rt.Fatalf("at %s, %v\ncalls: %q", w.records["r1"].Step, err, w.calls)
		}
		ends[end.Status]++
		checks++
		checkBooksV2(rt.Errorf, w, end)
	})
	t.Logf("%d checks, orders at their end: %v", checks, ends)
}

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

	"pgregory.net/rapid"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

var background = context.Background()

func wantResult(t *testing.T, got purchase.Result, status purchase.Status, reason string) {
	t.Helper()
	if got.Status != status || got.Reason != reason {
		t.Errorf("%s %q, want %s %q", got.Status, got.Reason, status, reason)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The whole way takes six writes, each before the next outside effect.
func TestHappyPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _, err := w.advance(background, place, "a")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if r.Ref != "r1" || r.G2AOrderID != "g1" || r.Price.String() != "5.10 EUR" || r.Wait != 0 {
			t.Errorf("result %+v", r)
		}
		want := []string{
			"load", "save started",
			"product", "save quoted",
			"create", "link created",
			"save paying", "pay",
			"status", "details", "save key_requested",
			"key", "save fulfilled",
		}
		if !slices.Equal(w.calls, want) {
			t.Errorf("calls %q\nwant  %q", w.calls, want)
		}
		o := w.records["r1"]
		if o.Step != purchase.Fulfilled || o.Version != 6 || firstKey(o) != productKey || o.LeaseOwner != "" || !o.LeaseUntil.IsZero() {
			t.Errorf("record %+v", o)
		}

		w.calls = nil
		for _, in := range []purchase.Input{place, again} {
			r, _, err = w.advance(background, in, "b")
			must(t, err)
			wantResult(t, r, purchase.StatusFulfilled, "")
		}
		if want := []string{"load", "load"}; !slices.Equal(w.calls, want) {
			t.Errorf("calls on an order at its end %q, want %q", w.calls, want)
		}
	})
}

// Each answer of G2A at each step, as its error table wants it.
func TestAnswers(t *testing.T) {
	type want struct {
		status purchase.Status // of this invocation, "" for an error
		reason string
		err    error
		step   purchase.Step // stored after it
		pays   int           // calls to pay
	}
	const (
		failed    = purchase.StatusFailed
		waiting   = purchase.StatusWaiting
		attention = purchase.StatusNeedsAttention
		fulfilled = purchase.StatusFulfilled
	)
	tests := map[string]struct {
		change func(w *world)
		want   want
		end    purchase.Status // when it is called again until it ends
	}{
		"product not found":            {script("product", notDone(g2a.ErrNotFound)), want{failed, "product_not_found", nil, "failed", 0}, failed},
		"product throttled":            {script("product", notDone(g2a.ErrThrottled)), want{"", "", g2a.ErrThrottled, "started", 0}, fulfilled},
		"product unavailable":          {script("product", notDone(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "started", 0}, fulfilled},
		"product, credentials":         {script("product", notDone(g2a.ErrCredentialsRejected)), want{"", "", g2a.ErrCredentialsRejected, "started", 0}, fulfilled},
		"out of stock":                 {func(w *world) { w.product.Quantity = 0 }, want{failed, "out_of_stock", nil, "failed", 0}, failed},
		"price above the limit":        {func(w *world) { w.product.MinPrice = euro("12.51") }, want{failed, "price_above_limit", nil, "failed", 0}, failed},
		"price at the limit":           {func(w *world) { w.product.MinPrice, w.price = euro("12.50"), euro("12.50") }, want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"order above the limit":        {func(w *world) { w.price = euro("12.51") }, want{failed, "price_above_limit", nil, "failed", 0}, failed},
		"order in another currency":    {func(w *world) { w.price = money("5.10", "PLN") }, want{failed, "price_above_limit", nil, "failed", 0}, failed},
		"catalogue's other currency":   {func(w *world) { w.product.MinPrice = money("50", "PLN") }, want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"create rejected":              {script("create", notDone(g2a.ErrInvalidRequest)), want{failed, "order_rejected", nil, "failed", 0}, failed},
		"create not found":             {script("create", notDone(g2a.ErrNotFound)), want{failed, "order_rejected", nil, "failed", 0}, failed},
		"create, payment required":     {script("create", notDone(g2a.ErrPaymentRequired)), want{failed, "order_rejected", nil, "failed", 0}, failed},
		"create without funds":         {script("create", notDone(g2a.ErrInsufficientFunds)), want{waiting, "insufficient_funds", nil, "quoted", 0}, fulfilled},
		"create above G2A PAY's limit": {script("create", notDone(g2a.ErrPaymentLimit)), want{waiting, "payment_limit", nil, "quoted", 0}, fulfilled},
		"create throttled":             {script("create", notDone(g2a.ErrThrottled)), want{"", "", g2a.ErrThrottled, "quoted", 0}, fulfilled},
		"create's answer lost":         {script("create", lost(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "quoted", 0}, fulfilled},
		"pay without funds":            {script("pay", notDone(g2a.ErrInsufficientFunds)), want{waiting, "insufficient_funds", nil, "created", 1}, fulfilled},
		"pay above G2A PAY's limit":    {script("pay", notDone(g2a.ErrPaymentLimit)), want{waiting, "payment_limit", nil, "created", 1}, fulfilled},
		"pay throttled":                {script("pay", notDone(g2a.ErrThrottled)), want{"", "", g2a.ErrThrottled, "created", 1}, fulfilled},
		"pay, credentials":             {script("pay", notDone(g2a.ErrCredentialsRejected)), want{"", "", g2a.ErrCredentialsRejected, "created", 1}, fulfilled},
		"too late to pay":              {script("pay", notDone(g2a.ErrTooLateToPay)), want{waiting, "too_late_to_pay", nil, "quoted", 1}, fulfilled},
		"pay, not known yet":           {script("pay", notDone(g2a.ErrNotFound)), want{waiting, "order_unknown_at_g2a", nil, "created", 1}, fulfilled},
		"pay, never known":             {script("pay", slices.Repeat([]disturbance{notDone(g2a.ErrNotFound)}, 300)...), want{waiting, "order_unknown_at_g2a", nil, "created", 1}, attention},
		"pay rejected":                 {script("pay", notDone(g2a.ErrInvalidRequest)), want{attention, "payment_rejected", nil, "needs_attention", 1}, attention},
		"pay not sent":                 {script("pay", notDone(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "created", 1}, fulfilled},
		"pay not done, unavailable":    {script("pay", unheard(g2a.ErrUnavailable)), want{waiting, "payment_unknown", nil, "paying", 1}, fulfilled},
		"pay's answer lost":            {script("pay", lost(g2a.ErrUnavailable)), want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"pay's answer malformed":       {script("pay", lost(g2a.ErrMalformedAnswer)), want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"pay in progress":              {script("pay", lost(g2a.ErrPaymentRequired)), want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"pay not ready":                {script("pay", unheard(g2a.ErrPaymentNotReady)), want{waiting, "payment_unknown", nil, "paying", 1}, fulfilled},
		"pay's answer and the details lost": {func(w *world) {
			script("pay", lost(g2a.ErrUnavailable))(w)
			script("details", notDone(g2a.ErrThrottled))(w)
		}, want{"", "", g2a.ErrThrottled, "paying", 1}, fulfilled},
		"paid, details lost":          {script("details", notDone(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "paid", 1}, fulfilled},
		"paid, not known yet":         {script("details", notDone(g2a.ErrNotFound)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid, never known":           {script("details", slices.Repeat([]disturbance{notDone(g2a.ErrNotFound)}, 300)...), want{waiting, "", nil, "paid", 1}, attention},
		"paid, details say required":  {script("details", notDone(g2a.ErrPaymentRequired)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid, details say not ready": {script("details", notDone(g2a.ErrPaymentNotReady)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid, details say no funds":  {script("details", notDone(g2a.ErrInsufficientFunds)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid, details say limit":     {script("details", notDone(g2a.ErrPaymentLimit)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid, details say key given": {script("details", notDone(g2a.ErrKeyAlreadyDownloaded)), want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid and pending":            {func(w *world) { w.pending = 1 }, want{waiting, "", nil, "paid", 1}, fulfilled},
		"paid and pending for long":   {func(w *world) { w.pending = 20 }, want{waiting, "", nil, "paid", 1}, fulfilled},
		"key not ready":               {script("key", notDone(g2a.ErrPaymentNotReady)), want{waiting, "", nil, "key_requested", 1}, fulfilled},
		"key, payment in progress":    {script("key", notDone(g2a.ErrPaymentRequired)), want{waiting, "", nil, "key_requested", 1}, fulfilled},
		"key, not known yet":          {script("key", notDone(g2a.ErrNotFound)), want{waiting, "", nil, "key_requested", 1}, fulfilled},
		"key, never known":            {script("key", slices.Repeat([]disturbance{notDone(g2a.ErrNotFound)}, 300)...), want{waiting, "", nil, "key_requested", 1}, attention},
		"key rejected":                {script("key", notDone(g2a.ErrInvalidRequest)), want{attention, "key_rejected", nil, "needs_attention", 1}, attention},
		"key already downloaded":      {script("key", notDone(g2a.ErrKeyAlreadyDownloaded)), want{attention, "key_lost", nil, "needs_attention", 1}, attention},
		"key throttled":               {script("key", notDone(g2a.ErrThrottled)), want{"", "", g2a.ErrThrottled, "key_requested", 1}, fulfilled},
		"key not done, unavailable":   {script("key", notDone(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "key_requested", 1}, fulfilled},
		"key's answer lost":           {script("key", lost(g2a.ErrUnavailable)), want{"", "", g2a.ErrUnavailable, "key_requested", 1}, attention},
		"key's answer malformed":      {script("key", lost(g2a.ErrMalformedAnswer)), want{"", "", g2a.ErrMalformedAnswer, "key_requested", 1}, attention},
		"a webhook says completed":    {func(w *world) { w.pending, w.statuses["g1"] = 99, g2a.StatusCompleted }, want{fulfilled, "", nil, "fulfilled", 1}, fulfilled},
		"a webhook says processing":   {func(w *world) { w.pending, w.statuses["g1"] = 1, g2a.StatusProcessing }, want{waiting, "", nil, "paid", 1}, fulfilled},
		"a webhook says failed":       {func(w *world) { w.statuses["g1"] = g2a.StatusFailed }, want{attention, "cancelled_after_payment", nil, "needs_attention", 1}, attention},
		"a webhook says cancelled":    {func(w *world) { w.statuses["g1"] = g2a.StatusCancelled }, want{attention, "cancelled_after_payment", nil, "needs_attention", 1}, attention},
		"webhooks' status unreadable": {script("status", notDone(errStore)), want{"", "", errStore, "paid", 1}, fulfilled},
		"store down at first":         {script("load", notDone(errStore)), want{"", "", errStore, "", 0}, fulfilled},
		"store down for the intent":   {script("save paying", notDone(errStore)), want{"", "", errStore, "created", 0}, fulfilled},
		"store down for the link":     {script("link", notDone(errStore)), want{"", "", errStore, "quoted", 0}, fulfilled},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c.change(w)
				r, _, err := w.advance(background, place, "a")
				wantResult(t, r, c.want.status, c.want.reason)
				if !errors.Is(err, c.want.err) {
					t.Errorf("error %v, want %v", err, c.want.err)
				}
				o := w.records["r1"]
				if o.Step != c.want.step || o.LeaseOwner != "" {
					t.Errorf("stored at %q with the lease of %q, want %q and no lease", o.Step, o.LeaseOwner, c.want.step)
				}
				if pays := count(w.calls, "pay"); pays != c.want.pays {
					t.Errorf("%d calls to pay, want %d", pays, c.want.pays)
				}
				if (r.Wait != 0) != (r.Status == purchase.StatusWaiting) {
					t.Errorf("%s with a wait of %s", r.Status, r.Wait)
				}
				r, err = w.toTheEnd()
				must(t, err)
				if r.Status != c.end {
					t.Errorf("in the end %s %q, want %s", r.Status, r.Reason, c.end)
				}
				checkBooks(t.Errorf, w, r)
			})
		})
	}
}

func script(call string, ds ...disturbance) func(w *world) {
	return func(w *world) { w.script[call] = append(w.script[call], ds...) }
}

func count(calls []string, name string) (n int) {
	for _, call := range calls {
		if call == name {
			n++
		}
	}
	return n
}

// checkBooks compares an order at its end with the books of G2A.
func checkBooks(errorf func(string, ...any), w *world, r purchase.Result) {
	for _, problem := range w.problems {
		errorf("%s", problem)
	}
	o := w.records["r1"]
	given := 0
	for id, s := range w.sold {
		given += s.keys
		if s.paid > 1 {
			errorf("%s was charged %d times", id, s.paid)
		}
		if s.paid > 0 && id != o.G2AOrderID {
			errorf("%s is paid, and the record names %q", id, o.G2AOrderID)
		}
	}
	kept := firstKey(o) == productKey
	switch {
	case w.paid() > 1:
		errorf("%d orders were paid", w.paid())
	case r.Status == purchase.StatusFulfilled && (w.paid() != 1 || !kept):
		errorf("fulfilled with %d orders paid, key kept: %t", w.paid(), kept)
	case r.Status == purchase.StatusFailed && w.paid() != 0:
		errorf("failed, and yet paid")
	case given > 0 && !kept && r.Status != purchase.StatusNeedsAttention:
		errorf("a key was given out and lost, and the order is %s", r.Status)
	}
	if w.paid() > 0 && !w.price.AtMost(euro("12.50")) {
		errorf("paid %s", w.price)
	}
}

// What was created at G2A is not created again when only the write for it failed.
func TestCreatedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		script("link", notDone(errStore))(w)
		_, _, err := w.advance(background, place, "a")
		if !errors.Is(err, errStore) {
			t.Fatalf("got %v", err)
		}
		r, _, err := w.advance(background, again, "b")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if len(w.sold) != 1 {
			t.Errorf("%d orders at G2A, want 1", len(w.sold))
		}
	})
}

// When it is too late to pay, the order of a new attempt has its own id, and comes
// after a pause.
func TestTooLateToPay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		late := notDone(g2a.ErrTooLateToPay)
		script("pay", late, late)(w)
		for round, pause := range []time.Duration{time.Minute, 30 * time.Minute} {
			r, _, err := w.advance(background, place, fmt.Sprint(round))
			must(t, err)
			wantResult(t, r, purchase.StatusWaiting, purchase.ReasonTooLateToPay)
			if len(w.sold) != round+1 || r.G2AOrderID != "" {
				t.Errorf("round %d: %d orders at G2A, id %q", round, len(w.sold), r.G2AOrderID)
			}
			time.Sleep(pause - time.Nanosecond)
			r, _, err = w.advance(background, place, "early")
			must(t, err)
			wantResult(t, r, purchase.StatusWaiting, purchase.ReasonTooLateToPay)
			time.Sleep(time.Nanosecond)
		}
		r, _, err := w.advance(background, place, "last")
		must(t, err)
		wantResult(t, r, purchase.StatusFulfilled, "")
		if r.G2AOrderID != "g3" || w.sold["g1"].paid+w.sold["g2"].paid != 0 || w.sold["g3"].paid != 1 {
			t.Errorf("paid %q", r.G2AOrderID)
		}
	})
}

// Of an attempt whose outcome is not known, the details decide, and only the same
// order at G2A is paid again.
func TestUnknownPayment(t *testing.T) {
	unknown := lost(g2a.ErrUnavailable)
	tests := map[string]struct {
		first, second string // what becomes of the two attempts
		want          purchase.Status
		reason        string
	}{
		"not done, then done":              {"not done", "done", purchase.StatusFulfilled, ""},
		"done":                             {"done and pending", "", purchase.StatusFulfilled, ""},
		"not done, then too late":          {"not done", "too late", purchase.StatusNeedsAttention, purchase.ReasonPaymentUnknown},
		"not done, then no funds":          {"not done", "no funds", purchase.StatusWaiting, purchase.ReasonNoFunds},
		"not done, then not done":          {"not done", "not done", purchase.StatusWaiting, purchase.ReasonPaymentUnknown},
		"not done, then throttled":         {"not done", "throttled", "", ""},
		"not done, then credentials":       {"not done", "credentials", "", ""},
		"not done, then not sent":          {"not done", "not sent", "", ""},
		"not done, then above G2A PAY":     {"not done", "limit", purchase.StatusWaiting, purchase.ReasonPaymentLimit},
		"not done, then cancelled by G2A":  {"not done", "cancelled", purchase.StatusNeedsAttention, purchase.ReasonPaidAndCancelled},
		"not done, then completed by hook": {"not done", "completed", purchase.StatusFulfilled, ""},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				// The first invocation dies, or hears nothing, right at the payment.
				if c.first == "not done" {
					script("pay", unheard(g2a.ErrUnavailable))(w)
				} else {
					script("pay", unknown)(w)
					script("details", notDone(g2a.ErrUnavailable))(w)
				}
				_, _, _ = w.advance(background, place, "a")
				if o := w.records["r1"]; o.Step != purchase.Paying {
					t.Fatalf("stored at %s", o.Step)
				}
				time.Sleep(15 * time.Minute)
				switch c.second {
				case "too late":
					script("pay", notDone(g2a.ErrTooLateToPay))(w)
				case "no funds":
					script("pay", notDone(g2a.ErrInsufficientFunds))(w)
				case "not done":
					script("pay", unheard(g2a.ErrUnavailable))(w)
				case "throttled":
					script("pay", notDone(g2a.ErrThrottled))(w)
				case "credentials":
					script("pay", notDone(g2a.ErrCredentialsRejected))(w)
				case "not sent":
					script("pay", notDone(g2a.ErrUnavailable))(w)
				case "limit":
					script("pay", notDone(g2a.ErrPaymentLimit))(w)
				case "cancelled":
					w.statuses["g1"] = g2a.StatusCancelled
				case "completed":
					w.sold["g1"].paid, w.statuses["g1"] = 1, g2a.StatusCompleted
				}
				w.calls = nil
				r, _, err := w.advance(background, again, "b")
				if (err != nil) != (c.want == "") {
					t.Fatalf("error %v", err)
				}
				wantResult(t, r, c.want, c.reason)
				if len(w.sold) != 1 {
					t.Errorf("%d orders at G2A, want 1", len(w.sold))
				}
				if pay, ask := slices.Index(w.calls, "pay"), slices.Index(w.calls, "details"); pay >= 0 && (ask < 0 || ask > pay) {
					t.Errorf("calls %q: paid again before the details were asked", w.calls)
				}
				if (c.want == purchase.StatusWaiting || c.want == "") && w.records["r1"].Step != purchase.Paying {
					t.Errorf("stored at %s: the first attempt is forgotten", w.records["r1"].Step)
				}
			})
		})
	}
}

// An order that waits to be paid may be cancelled, or paid by a person, meanwhile.
func TestCreatedMeanwhile(t *testing.T) {
	for status, c := range map[g2a.EventStatus]struct {
		want purchase.Status
		pays int
	}{
		g2a.StatusCancelled: {purchase.StatusFailed, 0},
		g2a.StatusFailed:    {purchase.StatusFailed, 0},
		g2a.StatusCompleted: {purchase.StatusFulfilled, 0},
		g2a.StatusPending:   {purchase.StatusFulfilled, 1},
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				script("pay", notDone(g2a.ErrInsufficientFunds))(w)
				_, _, err := w.advance(background, place, "a")
				must(t, err)
				w.calls, w.statuses["g1"] = nil, status
				if status == g2a.StatusCompleted {
					w.sold["g1"].paid = 1
				}
				r, _, err := w.advance(background, place, "b")
				must(t, err)
				if r.Status != c.want || count(w.calls, "pay") != c.pays {
					t.Errorf("%s %q with %q", r.Status, r.Reason, w.calls)
				}
			})
		})
	}
}

func TestRequireAvailable(t *testing.T) {
	for _, required := range []bool{false, true} {
		t.Run(fmt.Sprint(required), func(t *testing.T) {
			w := newWorld()
			w.product.AvailableToBuy = false
			p := w.purchaser()
			p.RequireAvailable = required
			r, err := p.Advance(background, place, "a")
			must(t, err)
			if required {
				wantResult(t, r, purchase.StatusFailed, purchase.ReasonNotAvailable)
			} else {
				wantResult(t, r, purchase.StatusFulfilled, "")
			}
		})
	}
}

func TestConflict(t *testing.T) {
	w := newWorld()
	w.pending = 1
	_, _, err := w.advance(background, place, "a")
	must(t, err)
	other := place
	other.MaxPrice = "12.51"
	w.calls = nil
	if _, _, err := w.advance(background, other, "b"); !errors.Is(err, purchase.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	if want := []string{"load"}; !slices.Equal(w.calls, want) {
		t.Errorf("calls %q, want %q", w.calls, want)
	}
	equal := place
	equal.MaxPrice = "12.5"
	if _, _, err := w.advance(background, equal, "b"); err != nil {
		t.Errorf("the same amount, written shorter: %v", err)
	}
}

// While one caller is at work the other is told so, at whichever call of the first
// it comes.
func TestTwoCallers(t *testing.T) {
	calls := happyCalls(t)
	for n, call := range calls {
		t.Run(fmt.Sprintf("%d %s", n, call), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.disturb = func(at int) disturbance {
					if at != n {
						return disturbance{}
					}
					return disturbance{before: func() error {
						w.disturb = nil
						_, _, err := w.advance(background, place, "b")
						if n > 1 && !errors.Is(err, purchase.ErrBusy) { // from its first write on
							t.Errorf("the second caller: %v, want ErrBusy", err)
						}
						return nil
					}}
				}
				_, _, err := w.advance(background, place, "a")
				if n > 1 && err != nil {
					t.Errorf("the first caller: %v", err)
				}
				r, err := w.toTheEnd()
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
				checkBooks(t.Errorf, w, r)
			})
		})
	}
}

func happyCalls(t *testing.T) []string {
	t.Helper()
	w := newWorld()
	_, _, err := w.advance(background, place, "a")
	must(t, err)
	return w.calls
}

// A lease is short and renewed by each recovery point: that of a dead caller is over 18
// seconds after its last one, wherever it died.
func TestLease(t *testing.T) {
	for n, call := range happyCalls(t) {
		t.Run(fmt.Sprintf("%d %s", n, call), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.disturb = func(at int) disturbance {
					time.Sleep(time.Second) // each call takes it
					if at == n {
						return crashBefore
					}
					return disturbance{}
				}
				if _, crashed, _ := w.advance(background, place, "a"); !crashed {
					t.Fatal("not crashed")
				}
				w.disturb = nil
				o := w.records["r1"]
				if n > 1 { // from its first write on
					if lease := o.LeaseUntil.Sub(o.UpdatedAt); lease != purchase.LeaseTime || lease > 20*time.Second || o.LeaseOwner != "a" {
						t.Errorf("the lease of %q is of %s", o.LeaseOwner, lease)
					}
					time.Sleep(time.Until(o.LeaseUntil) - time.Nanosecond)
					if _, _, err := w.advance(background, place, "b"); !errors.Is(err, purchase.ErrBusy) {
						t.Errorf("before the lease's end: %v, want ErrBusy", err)
					}
					time.Sleep(time.Nanosecond)
				}
				if _, _, err := w.advance(background, place, "b"); err != nil {
					t.Errorf("after the lease's end: %v", err)
				}
				if w.records["r1"].Version <= o.Version {
					t.Error("the order has not moved on")
				}
			})
		})
	}
}

// No outside effect is begun in the last seconds.
func TestTimeIsShort(t *testing.T) {
	for name, c := range map[string]struct {
		left   time.Duration
		status purchase.Status
		reason string
	}{
		"too little": {22*time.Second - time.Nanosecond, purchase.StatusWaiting, purchase.ReasonTimeIsShort},
		"enough":     {22 * time.Second, purchase.StatusFulfilled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				ctx, cancel := context.WithTimeout(background, c.left)
				defer cancel()
				r, _, err := w.advance(ctx, place, "a")
				must(t, err)
				wantResult(t, r, c.status, c.reason)
				if c.reason != "" && slices.Contains(w.calls, "product") {
					t.Errorf("calls %q", w.calls)
				}
				r, err = w.toTheEnd()
				must(t, err)
				wantResult(t, r, purchase.StatusFulfilled, "")
			})
		})
	}
}

// The waits grow with the order's age.
func TestWait(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		0:                2 * time.Second,
		4 * time.Second:  2 * time.Second,
		11 * time.Second: 5 * time.Second,
		time.Minute:      30 * time.Second,
		2 * time.Minute:  time.Minute,
		22 * time.Hour:   time.Minute,
	} {
		t.Run(age.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.pending = 5
				_, _, err := w.advance(background, place, "a")
				must(t, err)
				time.Sleep(age)
				r, _, err := w.advance(background, again, "b")
				must(t, err)
				if r.Status != purchase.StatusWaiting || r.Wait != want {
					t.Errorf("%s for %s, want %s", r.Status, r.Wait, want)
				}
			})
		})
	}
}

// The key in hand is kept through everything but the end of the process.
func TestKeyIsKept(t *testing.T) {
	down := slices.Repeat([]disturbance{notDone(errStore)}, 1000)
	other := func(w *world, change func(*purchase.Order)) disturbance {
		return disturbance{before: func() error {
			o := w.records["r1"]
			change(&o)
			o.Version++
			w.records["r1"] = o
			return nil
		}}
	}
	tests := map[string]struct {
		change func(w *world)
		keep   bool
		status purchase.Status // of the order in the end
	}{
		"the store is down for a while": {script("save fulfilled", down[:50]...), true, purchase.StatusFulfilled},
		"the answer is lost":            {script("save fulfilled", lost(errStore)), true, purchase.StatusFulfilled},
		"and the reading too":           {func(w *world) { script("save fulfilled", lost(errStore), notDone(errStore))(w) }, true, purchase.StatusFulfilled},
		"down until the deadline":       {script("save fulfilled", down...), true, purchase.StatusFulfilled},
		"down until the end of the process": {func(w *world) {
			script("save fulfilled", down...)(w)
			script("save key_requested", disturbance{}, notDone(errStore))(w)
		}, false, purchase.StatusNeedsAttention},
		"another caller has the lease": {func(w *world) { script("save fulfilled", other(w, func(o *purchase.Order) { o.LeaseOwner = "b" }))(w) }, true, purchase.StatusFulfilled},
		"another caller found it lost": {func(w *world) {
			script("save fulfilled", other(w, func(o *purchase.Order) {
				o.Step, o.Reason, o.LeaseOwner, o.LeaseUntil = purchase.NeedsAttention, purchase.ReasonKeyLost, "", time.Time{}
			}))(w)
		}, true, purchase.StatusFulfilled},
		"the process ends": {script("save fulfilled", crashBefore), false, purchase.StatusNeedsAttention},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				c.change(w)
				ctx, cancel := context.WithTimeout(background, 30*time.Second)
				defer cancel()
				_, _, err := w.advance(ctx, place, "a")
				if err != nil && strings.Contains(err.Error(), productKey) {
					t.Errorf("%q tells the key", err)
				}
				w.script = map[string][]disturbance{}
				r, err := w.toTheEnd()
				must(t, err)
				if r.Status != c.status {
					t.Errorf("%s %q, want %s", r.Status, r.Reason, c.status)
				}
				if kept := firstKey(w.records["r1"]) == productKey; kept != c.keep {
					t.Errorf("the key is kept: %t, want %t", kept, c.keep)
				}
				if c.status == purchase.StatusNeedsAttention && r.Reason != purchase.ReasonKeyLost {
					t.Errorf("reason %q", r.Reason)
				}
				checkBooks(t.Errorf, w, r)
			})
		})
	}
}

// A process may end before or after any outside call, or the call may fail without
// effect or lose its answer: the same call again brings the order to its end, and
// one order is paid.
func TestEveryCrash(t *testing.T) {
	for n, call := range happyCalls(t) {
		for how, d := range map[string]disturbance{
			"crash before": crashBefore, "crash after": crashAfter, "arrives late": arrivesLate(25 * time.Second),
			"not done": notDone(failureOf(call)), "unheard": unheard(failureOf(call)), "answer lost": lost(failureOf(call)),
		} {
			t.Run(fmt.Sprintf("%d %s %s", n, call, how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.disturb = func(at int) disturbance {
						if at == n {
							return d
						}
						return disturbance{}
					}
					_, _, _ = w.advance(background, place, "a")
					r, err := w.toTheEnd()
					must(t, err)
					checkBooks(t.Errorf, w, r)
					want := purchase.StatusFulfilled
					if call == "key" && (how == "crash after" || how == "answer lost") || call == "save fulfilled" && how == "crash before" {
						want = purchase.StatusNeedsAttention // the key was given out to no one
					}
					if r.Status != want {
						t.Errorf("in the end %s %q, want %s", r.Status, r.Reason, want)
					}
				})
			})
		}
	}
}

// A person who retries an order that needs attention has G2A's details decide.
func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name     string
		disturb  map[string][]disturbance // the first run's
		mend     func(*world)
		want     purchase.Status
		reason   string
		payments int
	}{
		{
			name: "the key is given out again", disturb: map[string][]disturbance{"key": {lost(g2a.ErrKeyAlreadyDownloaded)}},
			mend: func(w *world) { w.sold["g1"].keys = 0 }, want: purchase.StatusFulfilled, payments: 1,
		},
		{
			name: "the key stays lost", disturb: map[string][]disturbance{"key": {lost(g2a.ErrKeyAlreadyDownloaded)}},
			want: purchase.StatusNeedsAttention, reason: purchase.ReasonKeyLost, payments: 1,
		},
		{
			name: "the payment was refused and is made", disturb: map[string][]disturbance{"pay": {notDone(g2a.ErrInvalidRequest)}},
			want: purchase.StatusFulfilled, payments: 1,
		},
		{
			name: "the payment was made and said to be refused", disturb: map[string][]disturbance{"pay": {{after: func() error { return refused(g2a.ErrInvalidRequest) }}}},
			want: purchase.StatusFulfilled, payments: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.script = tt.disturb
				r, _, err := w.advance(background, place, "a")
				must(t, err)
				if r.Status != purchase.StatusNeedsAttention {
					t.Fatalf("first %s %q, want needs_attention", r.Status, r.Reason)
				}
				if tt.mend != nil {
					tt.mend(w)
				}
				r, err = w.purchaser().Retry(background, "r1", "b")
				must(t, err)
				if r.Status != tt.want || r.Reason != tt.reason || w.sold["g1"].paid != tt.payments || len(w.sold) != 1 {
					t.Errorf("got %s %q, %d payments of %d orders; want %s %q, %d payments of 1", r.Status, r.Reason, w.sold["g1"].paid, len(w.sold), tt.want, tt.reason, tt.payments)
				}
			})
		})
	}
}

// Retry is Advance for an order that is at its end, waits, or is not known.
func TestRetryOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var invalid *purchase.InvalidOrder
		if _, err := w.purchaser().Retry(background, "r1", "a"); !errors.As(err, &invalid) {
			t.Errorf("of an order that is not known: %v, want an InvalidOrder", err)
		}
		w.script["pay"] = []disturbance{notDone(g2a.ErrInsufficientFunds)}
		r, _, err := w.advance(background, place, "a")
		must(t, err)
		if r.Status != purchase.StatusWaiting {
			t.Fatalf("%s, want waiting", r.Status)
		}
		for range 2 {
			r, err = w.purchaser().Retry(background, "r1", "b")
			must(t, err)
			if r.Status != purchase.StatusFulfilled || w.paid() != 1 {
				t.Errorf("%s, %d paid; want fulfilled, 1 paid", r.Status, w.paid())
			}
		}
	})
}

// failureOf is how a call fails that has no answer.
func failureOf(call string) error {
	switch call {
	case "product", "create", "pay", "details", "key", "offer", "place", "keys":
		return g2a.ErrUnavailable
	}
	return errStore
}

// Whatever happens around the calls, with other callers in between and leases that run
// out under a living caller, at a G2A that charges again when asked twice, whose payments
// take a while and whose details lag: at most one order is paid, once, and no key is lost
// in silence.
func TestAnyDisturbances(t *testing.T) {
	calls := []string{
		"load", "product", "create", "pay", "details", "key", "status", "save started", "save quoted", "link created",
		"save created", "save paying", "save paid", "save key_requested", "save fulfilled", "save needs_attention", "save partly_fulfilled",
	}
	kinds := []string{
		"none", "not done", "unheard", "lost", "crash before", "crash after", "arrives late",
		"another caller before", "another caller after", "late, another caller before", "late, another caller after",
	}
	refusals := []string{"too late to pay", "no funds", "throttled", "credentials"}
	ends, checks := map[purchase.Status]int{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		plan := map[string][]string{}
		for _, call := range calls {
			choice := kinds
			if call == "pay" {
				choice = append(refusals, kinds...)
			}
			plan[call] = rapid.SliceOfN(rapid.SampledFrom(choice), 0, 3).Draw(rt, call)
		}
		drawn := world{
			pending: rapid.IntRange(0, 3).Draw(rt, "pending rounds"),
			lag:     rapid.IntRange(0, 2).Draw(rt, "details that do not know the order"),
			again:   rapid.Bool().Draw(rt, "charges again"),
			settles: time.Duration(rapid.IntRange(0, 4).Draw(rt, "minutes until a payment shows")) * time.Minute,
		}
		told := rapid.Bool().Draw(rt, "webhooks tell of completion")
		quantity, check := rapid.IntRange(1, 3).Draw(rt, "quantity"), checkBooks
		if quantity > 1 {
			check = checkPieces
		}
		var w *world
		var end purchase.Result
		var err error
		synctest.Test(t, func(*testing.T) {
			w = several(quantity)
			w.pending, w.lag, w.again, w.settles = drawn.pending, drawn.lag, drawn.again, drawn.settles
			if w.again {
				w.pending = 0 // or there is no telling a charged order from an unpaid one: see payAgainAfter
			}
			w.disturb = disturbances(w, plan, told)
			_, _, _ = w.advance(background, w.order, "first")
			if end, err = w.toTheEnd(); err == nil {
				time.Sleep(time.Hour) // whatever is on its way arrives
				w.arrive(time.Now())
				w.disturb = nil
				end, _, err = w.advance(background, w.order, "last")
			}
		})
		if err != nil {
			rt.Fatalf("%v\ncalls: %q", err, w.calls)
		}
		ends[end.Status]++
		checks++
		check(rt.Errorf, w, end)
	})
	t.Logf("%d checks, orders at their end: %v", checks, ends)
}

// disturbances makes a plan, by the calls' names, into what happens.
func disturbances(w *world, plan map[string][]string, told bool) func(int) disturbance {
	nested := 0
	another := func(late bool) error {
		if nested > 2 {
			return nil
		}
		nested++
		defer func() { nested-- }()
		if late {
			time.Sleep(25 * time.Second) // the first one's lease is over, and it lives
		}
		_, _, _ = w.advance(background, w.order, fmt.Sprintf("other-%d", len(w.calls)))
		return nil
	}
	return func(n int) disturbance {
		for id, s := range w.sold {
			if told && s.paid > 0 {
				w.statuses[id] = g2a.StatusCompleted
			}
		}
		call := w.calls[n]
		if len(plan[call]) == 0 {
			return disturbance{}
		}
		kind := plan[call][0]
		plan[call] = plan[call][1:]
		switch kind {
		case "not done":
			return notDone(failureOf(call))
		case "unheard":
			return unheard(failureOf(call))
		case "lost":
			return lost(failureOf(call))
		case "arrives late":
			return arrivesLate(4 * time.Minute)
		case "crash before":
			return crashBefore
		case "crash after":
			return crashAfter
		case "another caller before", "late, another caller before":
			return disturbance{before: func() error { return another(kind[0] == 'l') }}
		case "another caller after", "late, another caller after":
			return disturbance{after: func() error { return another(kind[0] == 'l') }}
		case "too late to pay":
			return notDone(g2a.ErrTooLateToPay)
		case "no funds":
			return notDone(g2a.ErrInsufficientFunds)
		case "throttled":
			return notDone(g2a.ErrThrottled)
		case "credentials":
			return notDone(g2a.ErrCredentialsRejected)
		}
		return disturbance{}
	}
}

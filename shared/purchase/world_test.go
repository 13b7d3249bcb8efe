package purchase_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// world is a G2A and a store in memory. Every call of them is noted by name, and
// may be disturbed. It stands in a synctest bubble: its time is the bubble's.
type world struct {
	// What G2A has and says.
	product  g2a.Product
	price    g2a.Money       // of an order
	settles  time.Duration   // how long after its call a payment is charged and shows
	pending  int             // how often the details of a paid order say pending
	again    bool            // a second pay of an order is charged again
	lag      int             // how often the details do not know a new order
	lapses   bool            // an order not paid for half an hour cannot be
	unpriced int             // how often an order's answers state no price
	word     g2a.OrderStatus // in place of pending and complete
	given    *g2a.Key        // in place of the key
	sold     map[string]*sale
	statuses map[string]g2a.EventStatus // told by webhooks

	v2 exportV2 // what the Export API v2 has and does

	records map[string]purchase.Order
	api     g2a.ExportAPI  // that new orders are bought through
	order   purchase.Input // what is asked for

	inspect  func(ctx context.Context, call string)
	calls    []string
	script   map[string][]disturbance // by a call's name or its first word; each is used once
	disturb  func(n int) disturbance  // of the n-th call, where the script says nothing
	late     []lateEffect             // on their way
	problems []string                 // what no caller may do
}

// sale is an order at G2A.
type sale struct {
	made     time.Time
	payments []time.Time // when each one is charged
	paid     int         // how often it was charged
	pending  int
	lag      int
	keys     int // how often its key was given out

	unheard bool // a payment was tried whose outcome nobody was told
	unasked bool // and nobody has asked what became of it since
}

// settle charges the payments that are due.
func (s *sale) settle(now time.Time) {
	for len(s.payments) > 0 && !now.Before(s.payments[0]) {
		s.payments = s.payments[1:]
		s.paid++
	}
}

// lateEffect is an effect whose request arrives after its caller has given up.
type lateEffect struct {
	at     time.Time
	effect func() error
}

// disturbance is what happens around a call. The zero one is none.
type disturbance struct {
	before func() error // instead of the call, when it returns an error
	after  func() error // the answer in place of the call's own
	late   time.Duration
}

// notDone fails a call that has no effect, and says so; unheard does not say so; lost
// loses the answer of a call that has an effect.
func notDone(err error) disturbance {
	return disturbance{before: func() error { return failure(err, g2a.NotDone) }}
}
func unheard(err error) disturbance {
	return disturbance{before: func() error { return failure(err, g2a.OutcomeUnknown) }}
}
func lost(err error) disturbance {
	return disturbance{after: func() error { return failure(err, g2a.OutcomeUnknown) }}
}

// arrivesLate is a call without an answer that has its effect after a while.
func arrivesLate(after time.Duration) disturbance { return disturbance{late: after} }

// failure is an error of the client where err is a kind of its errors.
func failure(err error, outcome g2a.Outcome) error {
	if err == nil || errors.Is(err, errStore) {
		return err
	}
	return &g2a.Error{Kind: err, Outcome: outcome}
}

func refused(kind error) error { return failure(kind, g2a.NotDone) }

// crash is the end of a process.
type crash struct{}

var (
	crashBefore = disturbance{before: func() error { panic(crash{}) }}
	crashAfter  = disturbance{after: func() error { panic(crash{}) }}

	errStore = errors.New("the store does not answer")
)

const productID, productKey = "10000027819004", "AAAAA-BBBBB"

func euro(amount string) g2a.Money { return money(amount, "EUR") }

func money(amount, currency string) g2a.Money {
	m, err := g2a.ParseMoney(amount, currency)
	if err != nil {
		panic(err)
	}
	return m
}

func newWorld() *world {
	return &world{
		product: g2a.Product{ID: productID, Quantity: 3, MinPrice: euro("4.90"), AvailableToBuy: true},
		price:   euro("5.10"), sold: map[string]*sale{}, statuses: map[string]g2a.EventStatus{},
		records: map[string]purchase.Order{}, script: map[string][]disturbance{},
		api: g2a.ExportV1, order: place, v2: exportV2{placed: map[string]*placed{}},
	}
}

// place and again are the two inputs of an order.
var (
	place = purchase.Input{Ref: "r1", ProductID: productID, MaxPrice: "12.50", Currency: "EUR"}
	again = purchase.Input{Ref: "r1"}
)

func (w *world) purchaser() *purchase.Purchaser {
	return &purchase.Purchaser{
		Orders: store{w}, Markets: map[g2a.ExportAPI]purchase.Market{
			g2a.ExportV1: purchase.ExportV1{Calls: market{w}}, g2a.ExportV2: purchase.ExportV2{Calls: marketV2{w}},
		},
		API: w.api, Clock: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// firstKey returns the first key of a record, or "".
func firstKey(o purchase.Order) string {
	if len(o.Keys) == 0 {
		return ""
	}
	return o.Keys[0].Value.Reveal()
}

// advance is one invocation; crashed tells that its process ended in the middle.
func (w *world) advance(ctx context.Context, in purchase.Input, owner string) (r purchase.Result, crashed bool, err error) {
	defer func() {
		switch end := recover().(type) {
		case nil:
		case crash:
			crashed = true
		default:
			panic(end)
		}
	}()
	r, err = w.purchaser().Advance(ctx, in, owner)
	return r, false, err
}

// toTheEnd calls again, after the leases of the dead and the waits it is told, until
// the order is at its end.
func (w *world) toTheEnd() (purchase.Result, error) {
	for round := range 300 {
		r, _, err := w.advance(context.Background(), w.order, fmt.Sprintf("later-%d", round))
		if err == nil && r.Status != purchase.StatusWaiting && r.Status != "" {
			return r, nil
		}
		time.Sleep(max(r.Wait, 2*time.Minute))
	}
	return purchase.Result{}, fmt.Errorf("the order comes to no end: %s %q", w.records["r1"].Step, w.records["r1"].Reason)
}

// paid counts the orders at G2A that were charged.
func (w *world) paid() (orders int) {
	for _, s := range w.sold {
		orders += min(1, s.paid)
	}
	return orders
}

// do notes a call and does it, disturbed.
func (w *world) do(ctx context.Context, name string, effect func() error) error {
	w.arrive(time.Now())
	if w.inspect != nil {
		w.inspect(ctx, name)
	}
	n := len(w.calls)
	w.calls = append(w.calls, name)
	d := w.next(name, n)
	if d.late > 0 {
		w.late = append(w.late, lateEffect{time.Now().Add(d.late), effect})
		if strings.HasPrefix(name, "save") || strings.HasPrefix(name, "link") {
			return errStore
		}
		return failure(g2a.ErrUnavailable, g2a.OutcomeUnknown)
	}
	if d.before != nil {
		if err := d.before(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := effect()
	if d.after != nil {
		if err := d.after(); err != nil {
			return err
		}
	}
	return err
}

// arrive has the late effects that are due.
func (w *world) arrive(now time.Time) {
	due := slices.Clone(w.late)
	w.late = nil
	for _, late := range due {
		if now.Before(late.at) {
			w.late = append(w.late, late)
			continue
		}
		_ = late.effect() // nobody hears of it
	}
	for _, s := range w.sold {
		s.settle(now)
	}
}

func (w *world) next(name string, n int) disturbance {
	first, _, _ := strings.Cut(name, " ")
	for _, key := range []string{name, first} {
		if left := w.script[key]; len(left) > 0 {
			w.script[key] = left[1:]
			return left[0]
		}
	}
	if w.disturb != nil {
		return w.disturb(n)
	}
	return disturbance{}
}

// intended notes a problem where an effect begins before its intent is stored. One on an
// order at G2A that the record is done with comes from a caller that was overtaken.
func (w *world) intended(effect, g2aOrderID string, early ...purchase.Step) {
	o := w.records["r1"]
	if g2aOrderID != o.G2AOrderID && len(o.Keys) > 0 {
		return
	}
	if step := o.Step; slices.Contains(early, step) {
		w.problems = append(w.problems, fmt.Sprintf("%s, and stored is only %s", effect, step))
	}
}

// market is the world's Export API v1.
type market struct{ *world }

func (m market) Product(ctx context.Context, id string) (p g2a.Product, err error) {
	err = m.do(ctx, "product", func() error {
		if id != m.product.ID {
			return refused(g2a.ErrNotFound)
		}
		p = m.product
		return nil
	})
	return p, err
}

func (m market) CreateOrder(ctx context.Context, _ string, _ g2a.Money) (o g2a.Order, err error) {
	err = m.do(ctx, "create", func() error {
		m.intended("create", "new", "", purchase.Started)
		o = g2a.Order{ID: fmt.Sprintf("g%d", len(m.sold)+1), Price: m.price}
		m.sold[o.ID] = &sale{made: time.Now(), pending: m.pending, lag: m.lag}
		m.unprice(&o)
		return nil
	})
	return o, err
}

func (m market) PayOrder(ctx context.Context, id string) (transaction string, err error) {
	answered := false
	if s := m.sold[id]; s != nil {
		if s.unheard && s.unasked {
			m.problems = append(m.problems, "paid again without asking what became of the payment before")
		}
		before := s.unheard
		s.unheard, s.unasked = true, true // so it stays where the process crashes
		defer func() {
			if answered {
				s.unheard = before || err != nil && g2a.OutcomeOf(err) != g2a.NotDone
			}
		}()
	}
	err = m.do(ctx, "pay", func() error {
		m.intended("pay", id, "", purchase.Started, purchase.Quoted, purchase.Created)
		s := m.sold[id]
		switch {
		case s == nil:
			return refused(g2a.ErrNotFound)
		case m.lapses && s.paid+len(s.payments) == 0 && time.Since(s.made) >= 30*time.Minute:
			return refused(g2a.ErrTooLateToPay)
		case s.paid+len(s.payments) > 0 && !m.again:
			return failure(g2a.ErrPaymentRequired, g2a.OutcomeUnknown)
		}
		s.payments = append(s.payments, time.Now().Add(m.settles))
		s.settle(time.Now())
		transaction = "t-" + id
		return nil
	})
	answered = true
	return transaction, err
}

func (m market) OrderDetails(ctx context.Context, id string) (o g2a.Order, err error) {
	err = m.do(ctx, "details", func() error {
		s := m.sold[id]
		if s == nil {
			return refused(g2a.ErrNotFound)
		}
		if s.lag > 0 {
			s.lag--
			return refused(g2a.ErrNotFound)
		}
		s.unasked = false
		o = g2a.Order{ID: id, Status: g2a.OrderPending, Price: m.price}
		switch {
		case s.paid > 0 && s.pending == 0:
			o.Status = g2a.OrderComplete
		case s.paid > 0:
			s.pending--
		}
		if m.word != "" {
			o.Status = m.word
		}
		m.unprice(&o)
		return nil
	})
	return o, err
}

// unprice takes the price out of an answer.
func (m market) unprice(o *g2a.Order) {
	if m.unpriced > 0 {
		m.unpriced--
		o.Price = g2a.Money{}
	}
}

func (m market) OrderKey(ctx context.Context, id string) (k g2a.Key, err error) {
	err = m.do(ctx, "key", func() error {
		m.intended("key", id, "", purchase.Started, purchase.Quoted, purchase.Created, purchase.Paying, purchase.Paid)
		s := m.sold[id]
		switch {
		case s == nil:
			return refused(g2a.ErrNotFound)
		case s.paid == 0:
			return refused(g2a.ErrPaymentRequired)
		case s.keys > 0:
			return failure(g2a.ErrKeyAlreadyDownloaded, g2a.Done)
		}
		s.keys++
		k = g2a.Key{Value: g2a.NewSecret(productKey)}
		if m.given != nil {
			k = *m.given
		}
		return nil
	})
	return k, err
}

// unpaidSteps are those that say that nothing can have been paid.
var unpaidSteps = map[purchase.Step]bool{purchase.Started: true, purchase.Quoted: true, purchase.Created: true, purchase.Failed: true}

// store is the world's purchase.Orders.
type store struct{ *world }

func (s store) Load(ctx context.Context, ref string) (o purchase.Order, found bool, err error) {
	err = s.do(ctx, "load", func() error {
		o, found = s.records[ref]
		return nil
	})
	return o, found, err
}

func (s store) Save(ctx context.Context, o purchase.Order) error { return s.save(ctx, "save", o) }

func (s store) SaveLinked(ctx context.Context, o purchase.Order) error { return s.save(ctx, "link", o) }

func (s store) save(ctx context.Context, how string, o purchase.Order) error {
	return s.do(ctx, how+" "+string(o.Step), func() error {
		if s.records[o.Ref].Version != o.Version-1 {
			return purchase.ErrVersionConflict
		}
		if sold := s.sold[o.G2AOrderID]; sold != nil && sold.unheard && unpaidSteps[o.Step] && o.Step != s.records[o.Ref].Step {
			s.problems = append(s.problems, fmt.Sprintf("stored as %s, and nobody knows what became of a payment of %s", o.Step, o.G2AOrderID))
		}
		s.records[o.Ref] = o
		return nil
	})
}

func (s store) Status(ctx context.Context, id string) (status g2a.EventStatus, err error) {
	err = s.do(ctx, "status", func() error {
		status = s.statuses[id]
		return nil
	})
	return status, err
}

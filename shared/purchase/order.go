package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Step is how far an order has come.
type Step string

// The steps; the package comment tells what each means.
const (
	Started      Step = "started"
	Quoted       Step = "quoted"
	Created      Step = "created"
	Paying       Step = "paying"
	Paid         Step = "paid"
	KeyRequested Step = "key_requested"
	Fulfilled    Step = "fulfilled"
	// PartlyFulfilled: some of the keys are stored, and nothing was paid for the others.
	PartlyFulfilled Step = "partly_fulfilled"
	Failed          Step = "failed"
	NeedsAttention  Step = "needs_attention"
)

// transitions are the steps that may follow a step; "" is an order that is not yet
// known. What is drawn in docs/data-model.md is tested against it.
var transitions = map[Step][]Step{
	"":             {Started},
	Started:        {Quoted, Paying, Failed, PartlyFulfilled, NeedsAttention},
	Quoted:         {Created, Failed, PartlyFulfilled, NeedsAttention},
	Created:        {Paying, KeyRequested, Failed, PartlyFulfilled},
	Paying:         {Created, Quoted, Started, Paid, KeyRequested, Failed, NeedsAttention},
	Paid:           {KeyRequested, NeedsAttention},
	KeyRequested:   {Started, Fulfilled, NeedsAttention},
	NeedsAttention: {Started, Paying, Fulfilled}, // a person retries; a key in hand is stored late
}

// mayBecome reports whether next may follow the order's step. A key in hand is stored
// whatever the order has become in the meantime: it exists nowhere else.
func (o Order) mayBecome(next Step) bool {
	keeps := next == NeedsAttention && !o.Raw.IsZero()
	if len(o.Keys) > 0 {
		keeps = keeps || next == Started || next == PartlyFulfilled || next == Fulfilled && o.complete()
	}
	return next == o.Step || slices.Contains(transitions[o.Step], next) || keeps
}

// Final reports whether nothing follows the step, unless a person retries.
func (s Step) Final() bool {
	return s == Fulfilled || s == PartlyFulfilled || s == Failed || s == NeedsAttention
}

// unpaid reports whether nothing can have been paid at the step.
func (s Step) unpaid() bool { return s == Started || s == Quoted || s == Created }

// mayBePaid reports whether the order may have been paid and is not at its end.
func (s Step) mayBePaid() bool { return s == Paying || s == Paid || s == KeyRequested }

// Request asks for keys of one product. Ref is the caller's idempotency key: whatever is
// asked under one ref is bought at most once.
type Request struct {
	Ref       string
	ProductID string
	MaxPrice  g2a.Money // of one key
	Quantity  int       // keys, 1 to MaxQuantity
}

// Fingerprint tells apart two requests under one ref.
func (r Request) Fingerprint() string {
	parts := []string{r.ProductID, r.MaxPrice.Amount.String(), r.MaxPrice.Currency}
	if r.Quantity > 1 {
		parts = append(parts, strconv.Itoa(r.Quantity))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return hex.EncodeToString(sum[:])
}

// limit is what all keys may cost.
func (r Request) limit() g2a.Money { return times(r.MaxPrice, r.Quantity) }

func times(m g2a.Money, n int) g2a.Money {
	return g2a.Money{Amount: m.Amount.Mul(decimal.NewFromInt(int64(n))), Currency: m.Currency}
}

// Key is a product key in hand.
type Key struct {
	Value      g2a.Secret
	IsFile     bool // Value is a file in base64
	G2AOrderID string
	Stored     bool // the record holds it
}

// Order is the record of an order: its last recovery point.
type Order struct {
	Request
	Fingerprint string // of the Request it began with
	Step        Step
	Version     int64         // 1 for the first write, one more with each
	API         g2a.ExportAPI // that it is bought through
	// Spent is what the keys of earlier orders at G2A have cost.
	Spent g2a.Money
	// Price is in the request's currency: as quoted, then as of the order at G2A; zero while
	// unknown.
	Price      g2a.Money
	Creations  int // orders that may have been made at G2A for the keys in hand next, since a person last retried
	G2AOrderID string
	// IdempotencyKey names the order to a market that charges on creation. It is stored
	// before it is first sent.
	IdempotencyKey string
	OrderedAt      time.Time // when G2AOrderID was made, or IdempotencyKey first sent
	Payments       int       // payments of G2AOrderID, or of IdempotencyKey, that may have been carried out
	Overcharged    bool      // G2A has charged more than the limit
	TriedAt        time.Time // of the last intent to create or to pay
	LeaseOwner     string
	LeaseUntil     time.Time // zero: no one works on it
	Keys           []Key     // in the order they came; without their values where the record was listed
	// Raw is each answer with keys that could not be understood, byte for byte and one a
	// line: what it holds is the only copy of a key.
	Raw       g2a.Secret
	KeyStored bool   // the record holds a key or such an answer
	Reason    string // why it waits, failed or needs attention
	CreatedAt time.Time
	UpdatedAt time.Time
}

// markStored marks the keys as held by the record.
func (o *Order) markStored() {
	o.Keys = slices.Clone(o.Keys)
	for i := range o.Keys {
		o.Keys[i].Stored = true
	}
}

// complete reports whether all keys are there.
func (o Order) complete() bool { return len(o.Keys) >= o.Quantity }

// Cost returns what the order's keys have cost, those in work included; zero while unknown.
func (o Order) Cost() g2a.Money {
	switch {
	case o.Spent.IsZero():
		return o.Price
	case o.Step == PartlyFulfilled || o.Price.IsZero():
		return o.Spent
	}
	return g2a.Money{Amount: o.Spent.Amount.Add(o.Price.Amount), Currency: o.Spent.Currency}
}

func (o Order) age(now time.Time) time.Duration { return now.Sub(o.CreatedAt) }

// leasedAt reports whether someone may be at work on the order.
func (o Order) leasedAt(now time.Time) bool { return o.LeaseOwner != "" && now.Before(o.LeaseUntil) }

// Status is what the caller of an order is told.
type Status string

// The statuses.
const (
	StatusFulfilled       Status = "fulfilled"
	StatusPartlyFulfilled Status = "partly_fulfilled"
	StatusWaiting         Status = "waiting" // call again after Wait
	StatusFailed          Status = "failed"
	StatusNeedsAttention  Status = "needs_attention"
)

// Status is what the caller of an order at this step is told.
func (s Step) Status() Status {
	switch s {
	case Fulfilled:
		return StatusFulfilled
	case PartlyFulfilled:
		return StatusPartlyFulfilled
	case Failed:
		return StatusFailed
	case NeedsAttention:
		return StatusNeedsAttention
	}
	return StatusWaiting
}

// Result is how far an invocation has brought an order. It never holds a key.
type Result struct {
	Ref        string
	Status     Status
	Reason     string
	G2AOrderID string        // the last one
	Price      g2a.Money     // of all keys that are paid or in work
	Quantity   int           // keys that were asked for
	KeysStored int           // and those that the record holds
	Wait       time.Duration // whole seconds; only with StatusWaiting
	// Delayed: it may be paid, and its payment was tried longer than delayedAfter ago. A
	// person should hear of it before it needs one.
	Delayed bool
}

// Rounds of waiting begin short and grow with the age of the order.
const (
	minWait = 2 * time.Second
	maxWait = time.Minute
)

// result is the order's state as its caller sees it.
func (o Order) result(now time.Time) Result {
	r := Result{
		Ref: o.Ref, Status: o.Step.Status(), Reason: o.Reason, G2AOrderID: o.G2AOrderID, Price: o.Cost(),
		Quantity: o.Quantity, KeysStored: len(o.Keys),
	}
	if r.Status == StatusWaiting {
		r.Wait = min(max((o.age(now)/2).Truncate(time.Second), minWait), maxWait)
	}
	r.Delayed = o.Step.mayBePaid() && now.Sub(o.TriedAt) > delayedAfter
	return r
}

// Input is a request as its caller writes it. With a ref alone it continues an
// order that exists.
type Input struct {
	Ref       string
	ProductID string
	MaxPrice  string // of one key: a decimal of at most 2 places, more than 0
	Currency  string // ISO 4217
	Quantity  int    // keys, 1 to MaxQuantity; 0 is 1
	Cancel    bool   // ends an order that exists and is certainly unpaid
}

// InvalidOrder is an input that no order can be made of. It lists every mistake.
type InvalidOrder struct{ Problems []string }

// Error gives all problems in one line.
func (e *InvalidOrder) Error() string { return "invalid order: " + strings.Join(e.Problems, "; ") }

var (
	refPattern       = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	productIDPattern = regexp.MustCompile(`^[0-9]{1,32}$`)
)

// continues reports whether the input names an order and nothing else.
func (i Input) continues() bool {
	return i.ProductID == "" && i.MaxPrice == "" && i.Currency == "" && i.Quantity == 0
}

// request checks the whole input.
func (i Input) request() (Request, error) {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	request := Request{Ref: i.Ref, ProductID: i.ProductID, Quantity: max(1, i.Quantity)}
	if !refPattern.MatchString(i.Ref) {
		problem("order_ref %.150q is not 1 to 128 of A-Za-z0-9._:-", i.Ref)
	}
	if i.Cancel && !i.continues() {
		problem("cancel goes with an order_ref alone")
	}
	if !i.continues() {
		if !productIDPattern.MatchString(i.ProductID) {
			problem("product_id %.50q is not 1 to 32 digits", i.ProductID)
		}
		if i.Quantity < 0 || i.Quantity > MaxQuantity {
			problem("quantity %d is not from 1 to %d", i.Quantity, MaxQuantity)
		}
		// The currency is checked by itself, so that both mistakes are told.
		limit, err := g2a.ParseMoney(i.MaxPrice, g2a.ProductCurrency)
		switch {
		case err != nil:
			problem("max_price: %v", err)
		case !limit.Amount.IsPositive():
			problem("max_price %q is not more than 0", i.MaxPrice)
		case limit.Amount.Exponent() < -2 && !limit.Amount.Equal(limit.Amount.Truncate(2)):
			problem("max_price %q has more than 2 places", i.MaxPrice)
		}
		if _, err := g2a.ParseMoney("0", i.Currency); err != nil {
			problem("%v", err)
		} else if !currency.IsValid(i.Currency) {
			problem("currency %q is not a current one of ISO 4217", i.Currency)
		}
		request.MaxPrice = g2a.Money{Amount: limit.Amount, Currency: i.Currency}
	}
	if problems != nil {
		return Request{}, &InvalidOrder{Problems: problems}
	}
	return request, nil
}

package purchase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Errors of an invocation that left the order as it was found, for errors.Is.
var (
	// ErrBusy: another caller is at work on the order. Call again later.
	ErrBusy = errors.New("another caller works on the order")
	// ErrConflict: the ref was used before for another request.
	ErrConflict = errors.New("the order_ref belongs to another request")
	// ErrNotCancellable: the order may be paid, or is at its end otherwise.
	ErrNotCancellable = errors.New("the order may be paid and cannot be cancelled")

	// ErrVersionConflict is what an Orders returns when the record has changed.
	ErrVersionConflict = errors.New("the order has changed since it was read")
	// ErrUnwritable is what an Orders returns when the record can never be written as it
	// is: trying again is pointless.
	ErrUnwritable = errors.New("the store can never take the record")
)

// Reasons why an order waits, failed or needs attention.
const (
	// Failed: certainly nothing was paid.
	ReasonProductNotFound = "product_not_found"
	ReasonOutOfStock      = "out_of_stock"
	ReasonNotAvailable    = "not_available"
	ReasonCurrency        = "currency_not_sold"
	ReasonPriceAboveLimit = "price_above_limit"
	ReasonOrderRejected   = "order_rejected"
	ReasonCancelledByG2A  = "cancelled_by_g2a"
	ReasonCancelled       = "cancelled"
	ReasonExpired         = "expired"

	// Waiting.
	ReasonNoFunds         = "insufficient_funds"
	ReasonPaymentLimit    = "payment_limit"
	ReasonTooLateToPay    = "too_late_to_pay"
	ReasonCreationUnknown = "creation_unknown"
	ReasonPriceUnknown    = "price_unknown"
	ReasonStatusUnknown   = "status_unknown"
	ReasonTimeIsShort     = "time_is_short"

	// Waiting, and then a person.
	ReasonPaymentUnknown = "payment_unknown"
	ReasonOrderUnknown   = "order_unknown_at_g2a"

	// A person must look.
	ReasonTooManyOrders    = "too_many_orders"
	ReasonPaymentRejected  = "payment_rejected"
	ReasonPaidAndCancelled = "cancelled_after_payment"
	ReasonStuck            = "stuck"
	ReasonPaidAboveLimit   = "paid_above_limit"
	ReasonKeyLost          = "key_lost"
	ReasonKeyRejected      = "key_rejected"
	ReasonKeyUnreadable    = "key_unreadable"
	ReasonKeyUnstorable    = "key_unstorable"
)

// Orders keeps the records. Any error but ErrVersionConflict and
// ErrUnwritable is of the store, and temporary.
type Orders interface {
	// Load gives the record of a ref, and whether there is one.
	Load(ctx context.Context, ref string) (Order, bool, error)
	// Save writes the record on the condition that the stored one has the version
	// before it, or that there is none when Version is 1; else ErrVersionConflict.
	Save(ctx context.Context, o Order) error
	// SaveLinked is Save, and in the same transaction it notes the ref on the item
	// that collects the webhooks for o.G2AOrderID.
	SaveLinked(ctx context.Context, o Order) error
	// Status gives what webhooks have told of an order at G2A, or "".
	Status(ctx context.Context, g2aOrderID string) (g2a.EventStatus, error)
}

// Purchaser brings orders forward.
type Purchaser struct {
	Orders  Orders
	Markets map[g2a.ExportAPI]Market // by the API that an order is bought through
	API     g2a.ExportAPI            // for new orders; one that exists stays with its own
	// RequireAvailable refuses products that G2A says cannot be bought. Only live
	// says it truly: the sandbox says it of every product.
	RequireAvailable bool
	Clock            func() time.Time
	Log              *slog.Logger
}

// Advance takes the order as far as it can go now. owner names the caller, by
// another name in every invocation. The errors are *InvalidOrder, ErrBusy,
// ErrConflict, ErrNotCancellable, those of package g2a, and the store's own; after any
// of them the same call again is right. With an error the result tells only Delayed.
func (p *Purchaser) Advance(ctx context.Context, in Input, owner string) (Result, error) {
	request, err := in.request()
	if err != nil {
		return Result{}, err
	}
	if _, limited := ctx.Deadline(); !limited {
		limit, cancel := context.WithTimeout(ctx, defaultTime)
		defer cancel()
		ctx = limit
	}
	o, err := p.claim(ctx, request, in.continues(), owner)
	if err != nil {
		return Result{}, err
	}
	r := run{Purchaser: p, Order: o, market: p.Markets[o.API]}
	if r.market == nil && !o.Step.Final() {
		return Result{}, fmt.Errorf("order %s is bought through the API %.40q, which this version does not know", o.Ref, o.API)
	}
	if in.Cancel {
		err = r.cancel(ctx)
	} else {
		err = r.forward(ctx)
	}
	r.release(ctx)
	result := r.result(p.Clock())
	if err != nil {
		return Result{Delayed: result.Delayed}, err
	}
	return result, nil
}

// Retry is Advance for an order that exists, by its ref alone, and for one that needs
// attention too, after a person has looked. That continues from paying, where what G2A
// says of the order decides before anything else is done, or the same post is made again;
// or from the start, where no order at G2A may have been paid.
func (p *Purchaser) Retry(ctx context.Context, ref, owner string) (Result, error) {
	o, found, err := p.Orders.Load(ctx, ref)
	if err != nil {
		return Result{}, fmt.Errorf("reading order %s: %w", ref, err)
	}
	if found && o.Step == NeedsAttention {
		r := run{Purchaser: p, Order: o, market: p.Markets[o.API]}
		step := Paying
		switch {
		case o.G2AOrderID == "" && o.Payments == 0:
			step, r.Creations = Started, 0
		case o.G2AOrderID == "":
			r.Creations, r.OrderedAt = 0, p.Clock()
		}
		if err := r.to(ctx, step, o.Reason); err != nil {
			return Result{}, err
		}
	}
	return p.Advance(ctx, Input{Ref: ref}, owner)
}

// claim gives the order with a lease of owner on it, making it when it is new.
// Final orders need no lease.
func (p *Purchaser) claim(ctx context.Context, request Request, continues bool, owner string) (Order, error) {
	now := p.Clock()
	o, found, err := p.Orders.Load(ctx, request.Ref)
	switch {
	case err != nil:
		return Order{}, fmt.Errorf("reading order %s: %w", request.Ref, err)
	case !found && continues:
		return Order{}, &InvalidOrder{Problems: []string{fmt.Sprintf("order_ref %q is not known, and a new order needs product_id, max_price and currency", request.Ref)}}
	case found && !continues && o.Fingerprint != request.Fingerprint():
		return Order{}, fmt.Errorf("order %s: %w", request.Ref, ErrConflict)
	case found && o.Step.Final():
		return o, nil
	case found && o.leasedAt(now) && o.LeaseOwner != owner:
		return Order{}, fmt.Errorf("order %s, until %s: %w", request.Ref, o.LeaseUntil.UTC().Format(time.RFC3339), ErrBusy)
	case !found:
		o = Order{Request: request, Fingerprint: request.Fingerprint(), API: p.API, Step: Started, CreatedAt: now}
	}
	o.LeaseOwner, o.LeaseUntil = owner, now.Add(LeaseTime)
	o.Version++
	o.UpdatedAt = now
	if err := p.Orders.Save(ctx, o); errors.Is(err, ErrVersionConflict) {
		return Order{}, fmt.Errorf("order %s: %w", request.Ref, ErrBusy)
	} else if err != nil {
		return Order{}, fmt.Errorf("taking order %s: %w", request.Ref, err)
	}
	return o, nil
}

// run is one invocation's work on one order.
type run struct {
	*Purchaser
	Order
	market Market
	stored Step // the step last written by this run; "" before
	waits  bool // nothing more can be done now
}

// save stores next at a step, in the place of the run's order, and renews the lease. A
// final step ends it. An order that fails when it has keys is partly fulfilled.
func (r *run) save(ctx context.Context, next Order, step Step, reason string, write func(context.Context, Order) error) error {
	if step == Failed && len(next.Keys) > 0 {
		step = PartlyFulfilled
	}
	if !r.mayBecome(step) {
		return fmt.Errorf("order %s cannot go from %s to %s", r.Ref, r.Step, step)
	}
	next.Step, next.Reason = step, reason
	next.Version++
	next.UpdatedAt = r.Clock()
	next.LeaseUntil = next.UpdatedAt.Add(LeaseTime)
	if step.Final() || next.LeaseOwner == "" {
		next.LeaseOwner, next.LeaseUntil = "", time.Time{}
	}
	if err := write(ctx, next); errors.Is(err, ErrVersionConflict) {
		return fmt.Errorf("order %s at %s: %w", r.Ref, step, errors.Join(ErrBusy, err))
	} else if err != nil {
		return fmt.Errorf("storing order %s at %s: %w", r.Ref, step, err)
	}
	next.markStored()
	r.Order, r.stored = next, step
	r.Log.InfoContext(ctx, "order step", "order_ref", r.Ref, "step", string(step), "reason", reason, "g2a_order_id", r.G2AOrderID, "record_version", r.Version)
	return nil
}

func (r *run) to(ctx context.Context, step Step, reason string) error {
	return r.save(ctx, r.Order, step, reason, r.Orders.Save)
}

// wait ends the run, and leaves the reason for it in the record. An order that may be
// paid does not wait for ever.
func (r *run) wait(ctx context.Context, step Step, reason string) error {
	r.waits = true
	if step.mayBePaid() && r.stuck() {
		return r.to(ctx, NeedsAttention, ReasonStuck)
	}
	if r.Step == step && r.Reason == reason {
		return nil
	}
	return r.to(ctx, step, reason)
}

// release ends the lease of an order that is not at its end, so that the next
// caller need not wait for it to run out. It also stores what was got from G2A when
// the write for it did not succeed: a created order's id, or keys.
func (r *run) release(ctx context.Context) {
	if r.Step.Final() || r.LeaseOwner == "" {
		return
	}
	next := r.Order
	next.LeaseOwner, next.LeaseUntil = "", time.Time{}
	next.Version++
	next.UpdatedAt = r.Clock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if err := r.Orders.Save(ctx, next); err != nil {
		r.Log.WarnContext(ctx, "could not release the order's lease; it expires", "order_ref", r.Ref, "error", err.Error())
		return
	}
	r.Order = next
}

// timeIsShort reports whether too little time is left for an outside effect and for
// storing what it brings.
func (r *run) timeIsShort(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return limited && deadline.Sub(r.Clock()) < effectTime+storeTime
}

func (r *run) expired() bool { return r.age(r.Clock()) >= ExpireAfter }

func (r *run) stuck() bool { return r.age(r.Clock()) >= StuckAfter }

// forward works through the steps until the order is at its end or must wait.
func (r *run) forward(ctx context.Context) error {
	for !r.Step.Final() && !r.waits {
		if r.timeIsShort(ctx) {
			return r.wait(ctx, r.Step, ReasonTimeIsShort)
		}
		work := map[Step]func(context.Context) error{
			Started:      r.unlessExpired(r.quote),
			Quoted:       r.unlessExpired(r.create),
			Created:      r.intendToPay,
			Paying:       r.pay,
			Paid:         r.ask,
			KeyRequested: r.fetchKeys,
		}[r.Step]
		if work == nil {
			return fmt.Errorf("order %s is at step %.40q, which this version does not know", r.Ref, r.Step)
		}
		if err := work(ctx); err != nil {
			return r.giveUp(ctx, err)
		}
	}
	return nil
}

// unlessExpired is a step of an order that is certainly unpaid, and so may expire.
func (r *run) unlessExpired(work func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if r.expired() {
			return r.to(ctx, Failed, ReasonExpired)
		}
		return work(ctx)
	}
}

// giveUp returns the error of a step, or ends an order that may be paid and is too old to
// be tried again.
func (r *run) giveUp(ctx context.Context, err error) error {
	if !r.Step.mayBePaid() || !r.stuck() || errors.Is(err, ErrBusy) {
		return err
	}
	r.Log.ErrorContext(ctx, "the order does not come to its end", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "error", err.Error())
	if stuckErr := r.to(ctx, NeedsAttention, ReasonStuck); stuckErr != nil {
		return errors.Join(err, stuckErr)
	}
	return nil
}

// cancel ends an order that is certainly unpaid.
func (r *run) cancel(ctx context.Context) error {
	if r.Step == Failed || r.Step == PartlyFulfilled {
		return nil
	}
	paid := !r.Step.unpaid()
	if r.Step == Created {
		status, err := r.told(ctx)
		if err != nil {
			return err
		}
		paid = status == g2a.StatusCompleted // by a person
	}
	if paid {
		return fmt.Errorf("order %s is at %s: %w", r.Ref, r.Step, ErrNotCancellable)
	}
	return r.to(ctx, Failed, ReasonCancelled)
}

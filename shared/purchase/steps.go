package purchase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// effect makes a call of G2A in a bounded time, so that enough is left to store what it
// brings.
func effect[T, On any](ctx context.Context, call func(ctx context.Context, on On) (T, error), on On) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, effectTime)
	defer cancel()
	return call(ctx, on)
}

// quote checks the product and its price, and stores the intent to create an order.
func (r *run) quote(ctx context.Context) error {
	if r.Creations >= maxCreations {
		return r.to(ctx, NeedsAttention, ReasonTooManyOrders)
	}
	product, err := effect(ctx, r.market.Product, r.ProductID)
	switch {
	case errors.Is(err, g2a.ErrNotFound):
		return r.to(ctx, Failed, ReasonProductNotFound)
	case rejected(err):
		r.Log.WarnContext(ctx, "G2A refuses to look for the product", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, Failed, ReasonOrderRejected)
	case err != nil:
		return fmt.Errorf("order %s: asking for product %s: %w", r.Ref, r.ProductID, err)
	case product.Quantity < r.needed():
		return r.to(ctx, Failed, ReasonOutOfStock)
	case r.RequireAvailable && !product.AvailableToBuy:
		return r.to(ctx, Failed, ReasonNotAvailable)
	}
	next := r.Order
	// The catalogue's prices are in one currency. In another one, the order itself
	// states the price, and is checked before it is paid.
	if next.Price = (g2a.Money{}); product.MinPrice.Currency == r.MaxPrice.Currency {
		next.Price = times(product.MinPrice, r.needed())
		if !product.MinPrice.AtMost(r.MaxPrice) {
			return r.save(ctx, next, Failed, ReasonPriceAboveLimit, r.Orders.Save)
		}
	}
	if r.market.ChargesOnCreation() {
		if next.Price.IsZero() {
			return r.to(ctx, Failed, ReasonCurrency) // no limit can be set
		}
		next.IdempotencyKey, next.OrderedAt = idempotencyKey(r.Ref), r.Clock()
		r.Order = next
		return r.intend(ctx, "")
	}
	next.Creations++
	next.TriedAt = r.Clock()
	return r.save(ctx, next, Quoted, "", r.Orders.Save)
}

// needed is how many keys the next order at G2A is for.
func (r *run) needed() int {
	if r.market.ChargesOnCreation() {
		return r.Quantity
	}
	return 1
}

// create makes the order at G2A. When an earlier answer was lost, the order it made
// stays unpaid, returns its stock after 30 minutes, and is forgotten: the next one needs
// a quote, and so a G2A that answers, a pause, and one of the few creations there are.
func (r *run) create(ctx context.Context) error {
	if r.G2AOrderID != "" { // made by an earlier run that could only just note it
		return r.save(ctx, r.Order, Created, "", r.Orders.SaveLinked)
	}
	if r.stored != Quoted {
		if r.Creations < maxCreations && r.Clock().Before(r.TriedAt.Add(creationPause(r.Creations))) {
			return r.wait(ctx, Quoted, cmp.Or(r.Reason, ReasonCreationUnknown))
		}
		return r.quote(ctx)
	}
	order, err := effect(ctx, r.market.Create, r.Order)
	if err != nil {
		return r.notCreated(ctx, err)
	}
	next := r.Order
	next.G2AOrderID, next.Price, next.OrderedAt, next.Payments = order.ID, order.Price, r.Clock(), 0
	if !next.Price.IsZero() && !next.Price.AtMost(r.MaxPrice) {
		return r.tooExpensive(ctx, next)
	}
	r.Order = next // whatever becomes of the write
	return r.save(ctx, next, Created, "", r.Orders.SaveLinked)
}

// tooExpensive leaves an order at G2A unpaid whose price is above the limit, or in
// another currency.
func (r *run) tooExpensive(ctx context.Context, next Order) error {
	r.Log.WarnContext(ctx, "the order at G2A costs more than allowed and is left unpaid", "order_ref", r.Ref, "g2a_order_id", next.G2AOrderID, "price", next.Price.String())
	next.Price = r.inCurrency(next.Price)
	return r.save(ctx, next, Failed, ReasonPriceAboveLimit, r.Orders.SaveLinked)
}

// notCreated decides on a creation that failed. One that was certainly not done leaves
// nothing behind; any other may have made an order, and counts.
func (r *run) notCreated(ctx context.Context, err error) error {
	failed := fmt.Errorf("order %s: creating it at G2A: %w", r.Ref, err)
	if g2a.OutcomeOf(err) != g2a.NotDone {
		r.Log.WarnContext(ctx, "an order may have been created at G2A and lost; it is unpaid", "order_ref", r.Ref, "error", err.Error())
		return failed
	}
	r.Creations--
	switch {
	case errors.Is(err, g2a.ErrInsufficientFunds):
		return r.wait(ctx, Quoted, ReasonNoFunds)
	case errors.Is(err, g2a.ErrPaymentLimit):
		return r.wait(ctx, Quoted, ReasonPaymentLimit)
	case refusal(err):
		r.Log.WarnContext(ctx, "G2A refuses to create the order", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, Failed, ReasonOrderRejected)
	}
	return failed
}

// rejected reports whether G2A says that the request itself is wrong. A code that is not
// known does not say so.
func rejected(err error) bool {
	return errors.Is(err, g2a.ErrInvalidRequest) && g2a.OutcomeOf(err) == g2a.NotDone
}

// refusal reports whether G2A has said no, and would say it again.
func refusal(err error) bool {
	for _, kind := range []error{
		g2a.ErrInvalidRequest, g2a.ErrNotFound, g2a.ErrPaymentRequired, g2a.ErrPaymentNotReady,
		g2a.ErrTooLateToPay, g2a.ErrKeyAlreadyDownloaded,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// intendToPay stores the intent: from here on only G2A knows whether it is paid. What
// was created in an earlier run may have been cancelled since, or paid by a person.
func (r *run) intendToPay(ctx context.Context) error {
	if r.stored != Created {
		status, err := r.told(ctx)
		switch {
		case err != nil:
			return err
		case status == g2a.StatusFailed, status == g2a.StatusCancelled:
			return r.to(ctx, Failed, ReasonCancelledByG2A) // created means known to be unpaid
		case status == g2a.StatusCompleted:
			return r.to(ctx, KeyRequested, "")
		case r.expired():
			return r.to(ctx, Failed, ReasonExpired)
		}
	}
	if r.Price.IsZero() {
		return r.learnPrice(ctx)
	}
	return r.intend(ctx, "")
}

// intend stores the intent of a payment, which may be a creation too.
func (r *run) intend(ctx context.Context, reason string) error {
	next := r.Order
	next.Payments++
	if r.market.ChargesOnCreation() {
		next.Creations++
	}
	next.TriedAt = r.Clock()
	return r.save(ctx, next, Paying, reason, r.Orders.Save)
}

// learnPrice asks for the price of an order that G2A's answer did not state. Without it
// the order is not paid.
func (r *run) learnPrice(ctx context.Context) error {
	details, err := r.details(ctx)
	switch {
	case err != nil:
		return err
	case details.Price.IsZero():
		return r.wait(ctx, Created, ReasonPriceUnknown)
	}
	next := r.Order
	next.Price = details.Price
	if !next.Price.AtMost(r.MaxPrice) {
		return r.tooExpensive(ctx, next)
	}
	return r.save(ctx, next, Created, "", r.Orders.Save)
}

// pay pays the order of an intent. An intent that an earlier run has left may have been
// carried out, so G2A is asked first; then only the very same order is paid again, after
// a pause, and under a new intent.
func (r *run) pay(ctx context.Context) error {
	if r.stored != Paying {
		mayPay := r.mayPayAgain
		if r.market.ChargesOnCreation() {
			mayPay = r.mayPostAgain
		}
		if may, err := mayPay(ctx); err != nil || !may {
			return err
		}
		if err := r.intend(ctx, r.Reason); err != nil {
			return err
		}
	}
	payment, err := effect(ctx, r.market.Pay, r.Order)
	if err != nil {
		return r.notPaid(ctx, err)
	}
	r.Log.InfoContext(ctx, "order paid", "order_ref", r.Ref, "g2a_order_id", payment.G2AOrderID, "transaction_id", payment.TransactionID)
	if r.market.ChargesOnCreation() {
		return r.placed(ctx, payment)
	}
	return r.settle(ctx)
}

// mayPayAgain reports whether the order at G2A of an earlier run's intent may be paid now.
func (r *run) mayPayAgain(ctx context.Context) (bool, error) {
	status, err := r.look(ctx)
	switch {
	case err != nil || r.Step != Paying:
		return false, err
	case !readsUnpaid(status), r.Payments > 0 && r.Clock().Before(r.TriedAt.Add(payAgainAfter)):
		return false, r.wait(ctx, Paying, ReasonPaymentUnknown)
	case r.Price.IsZero():
		return false, r.wait(ctx, Paying, ReasonPriceUnknown)
	}
	return true, nil
}

// mayPostAgain reports whether the order of an earlier run's intent may be posted now. The
// post that may have been carried out had the same idempotency key. Should G2A not keep to
// the key's meaning, or have forgotten it, harm is bounded by the number of posts and by
// their time.
func (r *run) mayPostAgain(ctx context.Context) (bool, error) {
	now := r.Clock()
	switch {
	case r.G2AOrderID != "": // a person has the order's keys asked for again, or it was only just noted
		return false, r.save(ctx, r.Order, KeyRequested, "", r.Orders.SaveLinked)
	case r.Creations >= maxCreations || now.After(r.OrderedAt.Add(repeatFor)):
		return false, r.to(ctx, NeedsAttention, ReasonPaymentUnknown)
	case now.Before(r.TriedAt.Add(creationPause(r.Creations))):
		return false, r.wait(ctx, Paying, ReasonPaymentUnknown)
	}
	return true, nil
}

// placed stores an order that G2A has created and charges. What it costs cannot be
// prevented any more, only reported.
func (r *run) placed(ctx context.Context, order Payment) error {
	next := r.Order
	next.G2AOrderID = order.G2AOrderID
	if !order.Price.IsZero() {
		if order.Price.AtMost(r.limit()) {
			next.Price = order.Price
		} else {
			r.Log.ErrorContext(ctx, "the order at G2A costs more than allowed, and is charged", "order_ref", r.Ref, "g2a_order_id", order.G2AOrderID, "price", order.Price.String())
			next.Price, next.Overcharged = r.inCurrency(order.Price), true
		}
	}
	r.Order = next // whatever becomes of the write
	return r.save(ctx, next, KeyRequested, "", r.Orders.SaveLinked)
}

// inCurrency returns a price in the request's currency, and the zero Money for another.
func (r *run) inCurrency(price g2a.Money) g2a.Money {
	if price.Currency != r.MaxPrice.Currency {
		return g2a.Money{}
	}
	return price
}

// readsUnpaid reports whether the details' word is one that an unpaid order has. An order
// that is being paid may have it, too.
func readsUnpaid(status g2a.OrderStatus) bool { return status == g2a.OrderPending || status == "new" }

// settle is what follows a payment that is certain. Where G2A cannot be asked, the
// certainty is stored, so that it is never tried again.
func (r *run) settle(ctx context.Context) error {
	if _, err := r.look(ctx); err != nil {
		if r.Step != Paying {
			return err
		}
		return errors.Join(err, r.to(ctx, Paid, ""))
	}
	if r.Step != Paying {
		return nil
	}
	return r.wait(ctx, Paid, "")
}

// notPaid decides on a payment that failed: what was certainly not carried out is undone,
// and for anything else the details decide, now or in the next round.
func (r *run) notPaid(ctx context.Context, err error) error {
	if g2a.OutcomeOf(err) == g2a.NotDone {
		r.Payments--
		if r.market.ChargesOnCreation() {
			r.Creations--
		}
		return r.payRefused(ctx, err)
	}
	r.Log.WarnContext(ctx, "the payment's outcome is not known", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "error", err.Error())
	if r.market.ChargesOnCreation() {
		return r.wait(ctx, Paying, ReasonPaymentUnknown) // the next post asks
	}
	if _, lookErr := r.look(ctx); lookErr != nil {
		return errors.Join(fmt.Errorf("order %s: paying %s: %w", r.Ref, r.G2AOrderID, err), lookErr)
	}
	if r.Step != Paying {
		return nil
	}
	return r.wait(ctx, Paying, ReasonPaymentUnknown)
}

// payRefused is what follows a payment that was certainly not carried out. Where no
// earlier one may have been, the order is unpaid.
func (r *run) payRefused(ctx context.Context, err error) error {
	back := Created
	switch {
	case r.Payments > 0:
		back = Paying
	case r.market.ChargesOnCreation():
		back = Started
	}
	switch {
	case r.market.ChargesOnCreation() && refusal(err):
		r.Log.WarnContext(ctx, "G2A refuses to create the order", "order_ref", r.Ref, "error", err.Error())
		if back == Paying { // an earlier post may have created it
			return r.to(ctx, NeedsAttention, ReasonPaymentUnknown)
		}
		return r.to(ctx, Failed, ReasonOrderRejected)
	case errors.Is(err, g2a.ErrInsufficientFunds):
		return r.wait(ctx, back, ReasonNoFunds)
	case errors.Is(err, g2a.ErrPaymentLimit):
		return r.wait(ctx, back, ReasonPaymentLimit)
	case errors.Is(err, g2a.ErrTooLateToPay) && back == Created:
		r.Log.WarnContext(ctx, "too late to pay, another order is made", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID)
		r.waits = true
		next := r.Order
		next.G2AOrderID, next.OrderedAt = "", time.Time{}
		return r.save(ctx, next, Quoted, ReasonTooLateToPay, r.Orders.Save)
	case errors.Is(err, g2a.ErrTooLateToPay):
		return r.to(ctx, NeedsAttention, ReasonPaymentUnknown)
	case errors.Is(err, g2a.ErrNotFound) && r.settling():
		return r.wait(ctx, back, ReasonOrderUnknown)
	case errors.Is(err, g2a.ErrNotFound):
		return r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case refusal(err):
		r.Log.ErrorContext(ctx, "G2A refuses the payment", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, NeedsAttention, ReasonPaymentRejected)
	}
	failed := fmt.Errorf("order %s: paying %s: %w", r.Ref, r.G2AOrderID, err)
	if back != Paying {
		return errors.Join(failed, r.to(ctx, back, ""))
	}
	return failed
}

// settling reports whether G2A may not yet know the order everywhere.
func (r *run) settling() bool { return r.Clock().Before(r.OrderedAt.Add(settleTime)) }

// ask is the round of an order that is paid and not complete.
func (r *run) ask(ctx context.Context) error {
	status, err := r.look(ctx)
	if err != nil || r.Step != Paid {
		return err
	}
	if status != "" && !readsUnpaid(status) {
		return r.wait(ctx, Paid, ReasonStatusUnknown)
	}
	return r.wait(ctx, Paid, "")
}

// look asks what became of an order that may be paid, and moves it on where that decides
// anything. It returns the details' word otherwise, "" where there is none. A webhook's
// word is taken first, since it comes sooner and costs no call of G2A.
func (r *run) look(ctx context.Context) (g2a.OrderStatus, error) {
	told, err := r.told(ctx)
	switch {
	case err != nil:
		return "", err
	case told == g2a.StatusCompleted:
		return "", r.to(ctx, KeyRequested, "")
	case told == g2a.StatusFailed, told == g2a.StatusCancelled:
		return "", r.to(ctx, NeedsAttention, ReasonPaidAndCancelled)
	}
	details, err := r.details(ctx)
	switch {
	case errors.Is(err, g2a.ErrNotFound):
		return "", r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case err != nil:
		return "", err
	case details.Status == g2a.OrderComplete:
		return "", r.to(ctx, KeyRequested, "")
	case details.Status != "" && !readsUnpaid(details.Status):
		r.Log.WarnContext(ctx, "the order has a status that is not known", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "status", string(details.Status))
	}
	return details.Status, nil
}

// details asks for the order at G2A. An answer that decides nothing, such as a code that
// belongs to another call, leaves the status empty; so does an order that G2A does not
// know yet.
func (r *run) details(ctx context.Context) (g2a.Order, error) {
	details, err := effect(ctx, r.market.Details, r.G2AOrderID)
	switch {
	case err == nil:
		return details, nil
	case errors.Is(err, g2a.ErrNotFound) && r.settling():
		return g2a.Order{}, nil
	case errors.Is(err, g2a.ErrNotFound) || !refusal(err) && !funds(err):
		return g2a.Order{}, fmt.Errorf("order %s: asking for the details of %s: %w", r.Ref, r.G2AOrderID, err)
	}
	r.Log.WarnContext(ctx, "the order's details decide nothing", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "error", err.Error())
	return g2a.Order{}, nil
}

// funds reports whether G2A lacks money, or may not take it.
func funds(err error) bool {
	return errors.Is(err, g2a.ErrInsufficientFunds) || errors.Is(err, g2a.ErrPaymentLimit)
}

func (r *run) told(ctx context.Context) (g2a.EventStatus, error) {
	status, err := r.Orders.Status(ctx, r.G2AOrderID)
	if err != nil {
		return "", fmt.Errorf("order %s: reading the webhooks' status of %s: %w", r.Ref, r.G2AOrderID, err)
	}
	return status, nil
}

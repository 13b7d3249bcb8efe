package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// quote checks the product and its price, before anything is made at G2A.
func (r *run) quote(ctx context.Context) error {
	product, err := r.Market.Product(ctx, r.ProductID)
	switch {
	case errors.Is(err, g2a.ErrNotFound):
		return r.to(ctx, Failed, ReasonProductNotFound)
	case err != nil:
		return fmt.Errorf("order %s: asking for product %s: %w", r.Ref, r.ProductID, err)
	case product.Quantity == 0:
		return r.to(ctx, Failed, ReasonOutOfStock)
	case r.RequireAvailable && !product.AvailableToBuy:
		return r.to(ctx, Failed, ReasonNotAvailable)
	}
	// The catalogue's prices are in one currency. In another one, the order itself
	// tells the price, and is checked before it is paid.
	if product.MinPrice.Currency == r.MaxPrice.Currency {
		r.Price = product.MinPrice
		if !r.Price.AtMost(r.MaxPrice) {
			return r.to(ctx, Failed, ReasonPriceAboveLimit)
		}
	}
	return r.to(ctx, Quoted, "")
}

// create makes the order at G2A. When an earlier answer was lost, the order it
// made stays unpaid, gives its stock back after 30 minutes, and is forgotten.
func (r *run) create(ctx context.Context) error {
	if r.G2AOrderID != "" { // made by an earlier run that could only just note it
		return r.save(ctx, r.Order, Created, "", r.Orders.SaveLinked)
	}
	if r.stored != Quoted {
		r.Log.WarnContext(ctx, "an earlier order at G2A may have been created and lost; it is unpaid", "order_ref", r.Ref)
	}
	order, err := r.Market.CreateOrder(ctx, r.ProductID, r.MaxPrice)
	switch {
	case errors.Is(err, g2a.ErrInvalidRequest), errors.Is(err, g2a.ErrNotFound), errors.Is(err, g2a.ErrPaymentRequired):
		r.Log.WarnContext(ctx, "G2A refuses to create the order", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, Failed, ReasonOrderRejected)
	case errors.Is(err, g2a.ErrInsufficientFunds):
		return r.wait(ctx, Quoted, ReasonNoFunds)
	case errors.Is(err, g2a.ErrPaymentLimit):
		return r.wait(ctx, Quoted, ReasonPaymentLimit)
	case err != nil:
		return fmt.Errorf("order %s: creating it at G2A: %w", r.Ref, err)
	}
	next := r.Order
	next.G2AOrderID, next.Price = order.ID, order.Price
	if !next.Price.AtMost(r.MaxPrice) {
		r.Log.WarnContext(ctx, "the order at G2A costs more than allowed and is left unpaid", "order_ref", r.Ref, "g2a_order_id", order.ID, "price", order.Price.String())
		if next.Price.Currency != r.MaxPrice.Currency {
			next.Price = g2a.Money{}
		}
		return r.save(ctx, next, Failed, ReasonPriceAboveLimit, r.Orders.SaveLinked)
	}
	r.Order = next // whatever becomes of the write
	return r.save(ctx, next, Created, "", r.Orders.SaveLinked)
}

// intendToPay stores the intent: from here on only G2A knows whether it is paid.
// What was created in an earlier run may be cancelled meanwhile, or paid by a person.
func (r *run) intendToPay(ctx context.Context) error {
	if r.stored != Created {
		status, err := r.told(ctx)
		if err != nil {
			return err
		}
		switch status {
		case g2a.StatusFailed, g2a.StatusCancelled:
			return r.to(ctx, Failed, ReasonCancelled) // created means known to be unpaid
		case g2a.StatusCompleted:
			return r.to(ctx, KeyRequested, "")
		}
	}
	return r.to(ctx, Paying, "")
}

// pay pays the order of an intent. An intent that an earlier run has left may have
// been carried out, so the details are asked first, and then only the very same
// order at G2A is paid again.
func (r *run) pay(ctx context.Context) error {
	first := r.stored == Paying // no one has tried since the order was known unpaid
	if !first {
		complete, err := r.complete(ctx)
		if err != nil || complete || r.Step.Final() {
			return err
		}
	}
	transaction, err := r.Market.PayOrder(ctx, r.G2AOrderID)
	if err != nil {
		return r.payRefused(ctx, err, first)
	}
	r.Log.InfoContext(ctx, "order paid", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "transaction_id", transaction)
	if complete, err := r.complete(ctx); err != nil || complete || r.Step.Final() {
		return r.notePaid(ctx, err)
	}
	return r.wait(ctx, Paid, "")
}

// notePaid stores that the payment is certain when the details could not be had
// after it, so that it is never tried again.
func (r *run) notePaid(ctx context.Context, err error) error {
	if err == nil || r.Step != Paying {
		return err
	}
	return errors.Join(err, r.to(ctx, Paid, ""))
}

// payRefused decides on a payment that did not succeed. What G2A certainly did not
// do brings the order back to created; what is not certain leaves it paying.
func (r *run) payRefused(ctx context.Context, err error, first bool) error {
	back := Created
	if !first {
		back = Paying // an earlier attempt may still have been carried out
	}
	wrapped := fmt.Errorf("order %s: paying %s: %w", r.Ref, r.G2AOrderID, err)
	switch {
	case errors.Is(err, g2a.ErrInsufficientFunds):
		return r.wait(ctx, back, ReasonNoFunds)
	case errors.Is(err, g2a.ErrPaymentLimit):
		return r.wait(ctx, back, ReasonPaymentLimit)
	case errors.Is(err, g2a.ErrThrottled), errors.Is(err, g2a.ErrCredentialsRejected):
		if first {
			return errors.Join(wrapped, r.to(ctx, Created, ""))
		}
		return wrapped
	case errors.Is(err, g2a.ErrTooLateToPay) && first:
		r.Log.WarnContext(ctx, "too late to pay, the next run makes a new order", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID)
		r.waits = true // or a G2A that always says so would be given orders without end
		next := r.Order
		next.G2AOrderID = ""
		return r.save(ctx, next, Quoted, ReasonTooLateToPay, r.Orders.Save)
	case errors.Is(err, g2a.ErrTooLateToPay):
		return r.to(ctx, NeedsAttention, ReasonPaymentUnknown)
	case errors.Is(err, g2a.ErrNotFound):
		return r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case errors.Is(err, g2a.ErrInvalidRequest):
		r.Log.ErrorContext(ctx, "G2A refuses the payment", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, NeedsAttention, ReasonPaymentRejected)
	}
	// No answer, or ORD05: it may be paid. The details decide, now or in the next
	// round; it is not paid again in this one.
	r.Log.WarnContext(ctx, "the payment's outcome is not known", "order_ref", r.Ref, "error", err.Error())
	complete, detailsErr := r.complete(ctx)
	if detailsErr != nil {
		return errors.Join(wrapped, detailsErr)
	}
	if complete || r.Step.Final() {
		return nil
	}
	return r.wait(ctx, Paying, ReasonPaymentUnknown)
}

// ask is the round of an order that is paid and not complete.
func (r *run) ask(ctx context.Context) error {
	complete, err := r.complete(ctx)
	if err != nil || complete || r.Step.Final() {
		return err
	}
	return r.wait(ctx, Paid, "")
}

// complete brings an order that is complete to key_requested. A webhook's word is
// taken first, since it comes sooner and costs no call of G2A.
func (r *run) complete(ctx context.Context) (bool, error) {
	status, err := r.told(ctx)
	if err != nil {
		return false, err
	}
	switch status {
	case g2a.StatusCompleted:
		return true, r.to(ctx, KeyRequested, "")
	case g2a.StatusFailed, g2a.StatusCancelled:
		return false, r.to(ctx, NeedsAttention, ReasonPaidAndCancelled)
	}
	details, err := r.Market.OrderDetails(ctx, r.G2AOrderID)
	switch {
	case errors.Is(err, g2a.ErrNotFound):
		return false, r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case err != nil:
		return false, fmt.Errorf("order %s: asking for the details of %s: %w", r.Ref, r.G2AOrderID, err)
	case details.Status == g2a.OrderComplete:
		return true, r.to(ctx, KeyRequested, "")
	}
	return false, nil
}

func (r *run) told(ctx context.Context) (g2a.EventStatus, error) {
	status, err := r.Orders.Status(ctx, r.G2AOrderID)
	if err != nil {
		return "", fmt.Errorf("order %s: reading the webhooks' status of %s: %w", r.Ref, r.G2AOrderID, err)
	}
	return status, nil
}

// fetchKey fetches the key, which works once, and stores it before anything else.
func (r *run) fetchKey(ctx context.Context) error {
	if !r.Key.Value.IsZero() { // fetched by an earlier run that could only just note it
		return r.to(ctx, Fulfilled, "")
	}
	key, err := r.Market.OrderKey(ctx, r.G2AOrderID)
	switch {
	case err == nil:
		return r.keep(ctx, key)
	case errors.Is(err, g2a.ErrKeyAlreadyDownloaded):
		r.Log.ErrorContext(ctx, "the key was downloaded and is not stored", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID)
		return r.to(ctx, NeedsAttention, ReasonKeyLost)
	case errors.Is(err, g2a.ErrPaymentNotReady), errors.Is(err, g2a.ErrPaymentRequired):
		return r.wait(ctx, KeyRequested, "")
	case errors.Is(err, g2a.ErrNotFound):
		return r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case errors.Is(err, g2a.ErrInvalidRequest):
		r.Log.ErrorContext(ctx, "G2A refuses the key", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, NeedsAttention, ReasonKeyRejected)
	default: // the next round tells whether the key was given out
		return fmt.Errorf("order %s: fetching the key of %s: %w", r.Ref, r.G2AOrderID, err)
	}
}

// keyPause is between two tries to store a key.
const keyPause = 200 * time.Millisecond

// keep stores the key, and does not give up before the deadline: it exists only
// here. Where another caller has changed the record meanwhile, the key is put
// into what it has become.
func (r *run) keep(ctx context.Context, key g2a.Key) error {
	for {
		r.Key = key
		err := r.to(ctx, Fulfilled, "")
		if err == nil {
			return nil
		}
		select {
		case <-time.After(keyPause):
		case <-ctx.Done():
			r.Log.ErrorContext(ctx, "the key is in hand and could not be stored", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID, "error", err.Error())
			return err
		}
		latest, found, loadErr := r.Orders.Load(ctx, r.Ref)
		if loadErr != nil || !found {
			continue
		}
		r.Order = latest
		if !latest.Key.Value.IsZero() {
			return nil // the write had been done, and only its answer was lost
		}
	}
}

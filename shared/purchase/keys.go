package purchase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// fetchKeys fetches the keys that G2A gives out, perhaps once, and stores them before
// anything else.
func (r *run) fetchKeys(ctx context.Context) error {
	if r.complete() { // fetched by an earlier run that could only just note it
		return r.to(ctx, Fulfilled, "")
	}
	if r.holds(r.G2AOrderID) && !r.market.ChargesOnCreation() {
		return r.save(ctx, r.nextPiece(), Started, "", r.Orders.Save)
	}
	keys, err := effect(ctx, r.market.Keys, r.G2AOrderID)
	switch {
	case err == nil && len(keys) == 0:
		return r.wait(ctx, KeyRequested, "")
	case err == nil:
		return r.keep(ctx, keys)
	case errors.Is(err, g2a.ErrKeyAlreadyDownloaded) && !r.Raw.IsZero():
		return r.to(ctx, NeedsAttention, ReasonKeyUnreadable)
	case errors.Is(err, g2a.ErrKeyAlreadyDownloaded):
		r.Log.ErrorContext(ctx, "the key was downloaded and is not stored", "order_ref", r.Ref, "g2a_order_id", r.G2AOrderID)
		return r.to(ctx, NeedsAttention, ReasonKeyLost)
	case errors.Is(err, g2a.ErrNotFound) && !r.settling():
		return r.to(ctx, NeedsAttention, ReasonOrderUnknown)
	case rejected(err):
		r.Log.ErrorContext(ctx, "G2A refuses the key", "order_ref", r.Ref, "error", err.Error())
		return r.to(ctx, NeedsAttention, ReasonKeyRejected)
	case refusal(err) || funds(err): // not ready yet, or an answer that decides nothing
		return r.wait(ctx, KeyRequested, "")
	}
	// The next round shows whether the key was given out.
	return fmt.Errorf("order %s: fetching the key of %s: %w", r.Ref, r.G2AOrderID, err)
}

// holds reports whether a key of an order at G2A is in hand.
func (o Order) holds(g2aOrderID string) bool {
	return slices.ContainsFunc(o.Keys, func(k Key) bool { return k.G2AOrderID == g2aOrderID })
}

// nextPiece returns the order as it begins to buy its next key: nothing of the order at
// G2A that is done with is left.
func (o Order) nextPiece() Order {
	o.Spent, o.Price = o.Cost(), g2a.Money{}
	o.Creations, o.G2AOrderID, o.OrderedAt, o.Payments, o.TriedAt = 0, "", time.Time{}, 0, time.Time{}
	return o
}

// keyPause is between two tries to store keys.
const keyPause = 200 * time.Millisecond

// keep stores keys, and does not give up before the deadline: they may exist only here.
// Where another caller has changed the record, they are put into what it has become.
func (r *run) keep(ctx context.Context, keys []g2a.Key) error {
	from := r.G2AOrderID
	unreadable := slices.ContainsFunc(keys, func(k g2a.Key) bool { return k.Value.IsZero() })
	askAgain := r.market.ChargesOnCreation() && r.Raw.IsZero() // for what may be readable the next time
	for {
		without := r.Order
		if !r.hold(keys, from) && (!unreadable || r.Step == NeedsAttention) {
			break
		}
		next, step, reason := r.withKeys(unreadable, askAgain, from)
		err := r.save(ctx, next, step, reason, r.Orders.Save)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrUnwritable):
			r.Log.ErrorContext(ctx, "the key is in hand and the store refuses it", "order_ref", r.Ref, "g2a_order_id", from, "error", err.Error())
			r.Order = without
			return r.to(ctx, NeedsAttention, ReasonKeyUnstorable)
		}
		select {
		case <-time.After(keyPause):
		case <-ctx.Done():
			r.Log.ErrorContext(ctx, "the key is in hand and could not be stored", "order_ref", r.Ref, "g2a_order_id", from, "error", err.Error())
			return err
		}
		r.Order = without
		if latest, found, loadErr := r.Orders.Load(ctx, r.Ref); loadErr == nil && found {
			r.Order = latest
		}
	}
	// There was nothing new: a write had been done and only its answer was lost, or G2A has
	// given out no more than before.
	if r.market.ChargesOnCreation() && r.Step == KeyRequested && !r.complete() {
		return r.wait(ctx, KeyRequested, r.Reason)
	}
	return nil
}

// withKeys returns the order with the keys just put in, and what follows. Where another
// caller has gone on to another order at G2A, or to an end, that is not disturbed.
func (r *run) withKeys(unreadable, askAgain bool, from string) (next Order, step Step, reason string) {
	switch {
	case unreadable && !askAgain:
		return r.Order, NeedsAttention, ReasonKeyUnreadable
	case unreadable && r.Step == KeyRequested:
		r.waits = true
		return r.Order, KeyRequested, ReasonKeyUnreadable
	case r.complete() && r.Overcharged:
		return r.Order, NeedsAttention, ReasonPaidAboveLimit
	case r.complete():
		return r.Order, Fulfilled, ""
	case r.Step.Final() || r.G2AOrderID != from:
		return r.Order, r.Step, r.Reason
	case r.market.ChargesOnCreation():
		return r.Order, KeyRequested, ""
	}
	return r.nextPiece(), Started, ""
}

// hold puts the keys of an order at G2A into the order in hand, those that are not there
// yet, and reports whether there were any. An answer that could not be read stays beside
// what comes after it.
func (r *run) hold(keys []g2a.Key, from string) (news bool) {
	left := slices.Clone(r.Keys) // what an answer has again is no other key
	r.Keys = slices.Clone(r.Keys)
	for _, key := range keys {
		raw, kept := key.Raw.Reveal(), r.Raw.Reveal()
		switch {
		case key.Value.IsZero() && kept == "":
			r.Raw, news = key.Raw, true
		case key.Value.IsZero() && !strings.Contains(kept, raw):
			r.Raw, news = g2a.NewSecret(kept+"\n"+raw), true
		case !key.Value.IsZero():
			known := slices.IndexFunc(left, func(k Key) bool { return k.G2AOrderID == from && k.Value.Equal(key.Value) })
			if known >= 0 {
				left = slices.Delete(left, known, known+1)
				continue
			}
			r.Keys, news = append(r.Keys, Key{Value: key.Value, IsFile: key.IsFile, G2AOrderID: from}), true
		}
	}
	r.KeyStored = r.KeyStored || news
	return news
}

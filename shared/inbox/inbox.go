package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Outcome is what became of a webhook.
type Outcome string

// The outcomes.
const (
	Processed  Outcome = "processed"  // the order's status is now the event's
	Duplicate  Outcome = "duplicate"  // the event was received before
	Superseded Outcome = "superseded" // the order is as far, or further
	Parked     Outcome = "parked"     // verified, but it cannot be applied: kept for a person
)

// ErrNonceReused: the nonce was used with another event. It is a replay.
var ErrNonceReused = errors.New("nonce was used with another event")

// Ranks order the statuses: one of a higher rank replaces one of a lower.
const (
	rankPending    = 1
	rankProcessing = 2
	rankFinal      = 3
)

var ranks = map[g2a.EventStatus]int{
	g2a.StatusPending:    rankPending,
	g2a.StatusProcessing: rankProcessing,
	g2a.StatusCompleted:  rankFinal,
	g2a.StatusFailed:     rankFinal,
	g2a.StatusCancelled:  rankFinal,
}

// statusOf is the status that an event's type asserts.
var statusOf = map[g2a.EventType]g2a.EventStatus{
	g2a.EventOrderCompleted: g2a.StatusCompleted,
	g2a.EventOrderFailed:    g2a.StatusFailed,
	g2a.EventOrderCancelled: g2a.StatusCancelled,
	g2a.EventStatusChanged:  "", // any
}

// Delivery is a verified webhook on its way into the store.
type Delivery struct {
	Event      g2a.Event
	Body       []byte // stored with a parked event only
	BodySHA256 string // hexadecimal
	Rank       int    // of the event's status
	ReceivedAt time.Time
	Outcome    Outcome
	LastError  string // why it is parked
}

// EventKey is the idempotency key of the event.
func (d Delivery) EventKey() string {
	return d.Event.ID + "#" + d.Event.OrderID + "#" + string(d.Event.Type)
}

// Found is what stood in the way of a delivery.
type Found struct {
	NonceEventKey string          // the event the nonce was used with, "" where it is new
	Event         bool            // the event was received before
	Status        g2a.EventStatus // of the order, when its rank is not below the event's
}

// Store keeps nonces, events and the orders' status.
type Store interface {
	// Apply puts the nonce and the event where they are absent and raises the
	// order's status where its rank is lower: all in one transaction, or nothing.
	// When nothing was written, applied is false and found tells what was in the way.
	Apply(ctx context.Context, d Delivery) (found Found, applied bool, err error)
	// Record is Apply without the order's status.
	Record(ctx context.Context, d Delivery) (found Found, applied bool, err error)
}

// Inbox receives webhooks.
type Inbox struct {
	Store Store
	Clock func() time.Time
}

// Receive takes a verified webhook, once. Its errors are ErrNonceReused and the
// store's: after those nothing is written, and the sender may send it again.
func (i *Inbox) Receive(ctx context.Context, event g2a.Event, body []byte) (Outcome, error) {
	sum := sha256.Sum256(body)
	d := Delivery{
		Event: event, Body: body, BodySHA256: hex.EncodeToString(sum[:]),
		Rank: ranks[event.Status], ReceivedAt: i.Clock(), Outcome: Processed,
	}
	if reason := unapplicable(event); reason != "" {
		return i.record(ctx, d, Parked, reason)
	}
	found, applied, err := i.Store.Apply(ctx, d)
	switch {
	case err != nil:
		return "", fmt.Errorf("applying event %s: %w", d.EventKey(), err)
	case applied:
		return Processed, nil
	case found.NonceEventKey != "" || found.Event:
		return d.again(found)
	}
	if reason := d.contradicts(found.Status); reason != "" {
		return i.record(ctx, d, Parked, reason)
	}
	return i.record(ctx, d, Superseded, "")
}

// contradicts tells how the event's status and the order's rule each other out, or "".
func (d Delivery) contradicts(status g2a.EventStatus) string {
	if d.Rank == rankFinal && ranks[status] == rankFinal && status != d.Event.Status {
		return fmt.Sprintf("status %s after %s", d.Event.Status, status)
	}
	return ""
}

// unapplicable tells why an event can be applied to no order, or "".
func unapplicable(event g2a.Event) string {
	status, known := statusOf[event.Type]
	switch {
	case !known:
		return fmt.Sprintf("unknown type %s", event.Type)
	case ranks[event.Status] == 0:
		return fmt.Sprintf("unknown status %s", event.Status)
	case status != "" && status != event.Status:
		return fmt.Sprintf("type %s with status %s", event.Type, event.Status)
	}
	return ""
}

// record keeps the event without touching the order.
func (i *Inbox) record(ctx context.Context, d Delivery, outcome Outcome, reason string) (Outcome, error) {
	d.Outcome, d.LastError = outcome, reason
	found, applied, err := i.Store.Record(ctx, d)
	switch {
	case err != nil:
		return "", fmt.Errorf("recording event %s: %w", d.EventKey(), err)
	case applied:
		return outcome, nil
	}
	return d.again(found)
}

// again tells a delivery that was made before from a nonce that was stolen.
func (d Delivery) again(found Found) (Outcome, error) {
	if found.NonceEventKey != "" && found.NonceEventKey != d.EventKey() {
		return "", ErrNonceReused
	}
	return Duplicate, nil
}

package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Outcome is what became of a webhook.
type Outcome string

// The outcomes.
const (
	Processed    Outcome = "processed"    // the order's status is now the event's
	Duplicate    Outcome = "duplicate"    // the event was received before, with this status
	Superseded   Outcome = "superseded"   // the order is as far, or further
	Parked       Outcome = "parked"       // verified, but it cannot be applied: kept for a person
	Acknowledged Outcome = "acknowledged" // verified, and of no order: nothing is kept
)

// Cause is why an event is parked: one of a few, for a metric.
type Cause string

// The causes.
const (
	Contradiction Cause = "contradiction"  // the event came before, with another status
	SecondFinal   Cause = "second_final"   // the order has another final status
	Defective     Cause = "defective"      // a field is missing, or cannot be understood
	UnknownType   Cause = "unknown_type"   // one that this version does not know
	UnknownStatus Cause = "unknown_status" // likewise
	TypeMismatch  Cause = "type_mismatch"  // the type goes with another status
)

// Receipt is what became of a webhook, and why.
type Receipt struct {
	Outcome Outcome
	Cause   Cause  // of one that is parked; "" for any other
	Reason  string // the cause in words, with what is particular to the event
}

// ErrNonceReused: the nonce was used with another event, or with another status of this
// one. It is a replay.
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
	// Contradicts: the event is recorded with another status. This delivery has a record
	// of its own beside that one.
	Contradicts bool
}

// EventKey is the event's identity: another delivery with this key is the same event.
func (d Delivery) EventKey() string {
	return d.Event.ID + "#" + d.Event.OrderID + "#" + string(d.Event.Type)
}

// ContentKey is the event with what it says. The rest of the body may differ from one
// delivery to another: G2A may write the same event in other bytes.
func (d Delivery) ContentKey() string { return d.EventKey() + "#" + string(d.Event.Status) }

// RecordKey is the key of the delivery's record.
func (d Delivery) RecordKey() string {
	if d.Contradicts {
		return d.ContentKey()
	}
	return d.EventKey()
}

// Found is what stood in the way of a delivery.
type Found struct {
	NonceKey string          // the ContentKey that the nonce was used with, "" where it is new
	Event    bool            // there is a record under the delivery's RecordKey
	Recorded g2a.EventStatus // the status in that record
	Status   g2a.EventStatus // of the order, when its rank is not below the event's
}

// Store keeps nonces, events and the orders' status.
type Store interface {
	// Apply puts the nonce and the event where they are absent and raises the
	// order's status where its rank is lower: all in one transaction, or nothing.
	// When nothing was written, applied is false and found says what was in the way.
	Apply(ctx context.Context, d Delivery) (found Found, applied bool, err error)
	// Record is Apply without the order's status. A parked event is kept for a person, too.
	Record(ctx context.Context, d Delivery) (found Found, applied bool, err error)
}

// Inbox receives webhooks.
type Inbox struct {
	Store Store
	Clock func() time.Time
}

// Receive takes a verified webhook, once. Its errors are ErrNonceReused and the
// store's: after those nothing is written, and the sender may send it again.
func (i *Inbox) Receive(ctx context.Context, event g2a.Event, body []byte) (Receipt, error) {
	if !concernsOrder(event) {
		return Receipt{Outcome: Acknowledged}, nil
	}
	sum := sha256.Sum256(body)
	d := Delivery{
		Event: event, Body: body, BodySHA256: hex.EncodeToString(sum[:]),
		Rank: ranks[event.Status], ReceivedAt: i.Clock(), Outcome: Processed,
	}
	if cause, reason := unapplicable(event); cause != "" {
		return i.park(ctx, d, cause, reason)
	}
	found, applied, err := i.Store.Apply(ctx, d)
	switch {
	case err != nil:
		return Receipt{}, fmt.Errorf("applying event %s: %w", d.EventKey(), err)
	case applied:
		return Receipt{Outcome: Processed}, nil
	case found.NonceKey != "" || found.Event:
		return i.again(ctx, d, found)
	}
	if reason := d.secondFinal(found.Status); reason != "" {
		return i.park(ctx, d, SecondFinal, reason)
	}
	return i.record(ctx, d, Receipt{Outcome: Superseded})
}

// concernsOrder reports whether an event may be of an order: it names one, or its type
// says so. The others, such as a ping, are no business of ours.
func concernsOrder(event g2a.Event) bool {
	return event.OrderID != "" || strings.HasPrefix(string(event.Type), "order")
}

// secondFinal says how the event's status and the order's rule each other out, or "".
func (d Delivery) secondFinal(status g2a.EventStatus) string {
	if d.Rank == rankFinal && ranks[status] == rankFinal && status != d.Event.Status {
		return fmt.Sprintf("status %s after %s", d.Event.Status, status)
	}
	return ""
}

// unapplicable says why an event can be applied to no order; the cause is "" when it can.
func unapplicable(event g2a.Event) (cause Cause, reason string) {
	status, known := statusOf[event.Type]
	switch {
	case event.Defect != "":
		return Defective, event.Defect
	case !known:
		return UnknownType, fmt.Sprintf("unknown type %s", event.Type)
	case ranks[event.Status] == 0:
		return UnknownStatus, fmt.Sprintf("unknown status %s", event.Status)
	case status != "" && status != event.Status:
		return TypeMismatch, fmt.Sprintf("type %s with status %s", event.Type, event.Status)
	}
	return "", ""
}

// park keeps the event for a person.
func (i *Inbox) park(ctx context.Context, d Delivery, cause Cause, reason string) (Receipt, error) {
	return i.record(ctx, d, Receipt{Outcome: Parked, Cause: cause, Reason: reason})
}

// record keeps the event without touching the order.
func (i *Inbox) record(ctx context.Context, d Delivery, receipt Receipt) (Receipt, error) {
	d.Outcome, d.LastError = receipt.Outcome, receipt.Reason
	found, applied, err := i.Store.Record(ctx, d)
	switch {
	case err != nil:
		return Receipt{}, fmt.Errorf("recording event %s: %w", d.RecordKey(), err)
	case applied:
		return receipt, nil
	}
	return i.again(ctx, d, found)
}

// again tells apart a delivery that was made before, a nonce that was stolen, and an event
// that came before with another status: which of the two is right is for a person, so
// neither is dropped.
func (i *Inbox) again(ctx context.Context, d Delivery, found Found) (Receipt, error) {
	switch {
	case found.NonceKey != "" && found.NonceKey != d.ContentKey():
		return Receipt{}, ErrNonceReused
	case found.NonceKey != "", d.Contradicts, found.Recorded == d.Event.Status:
		return Receipt{Outcome: Duplicate}, nil
	}
	d.Contradicts = true
	return i.park(ctx, d, Contradiction, fmt.Sprintf("the event came with status %s, and then with status %s",
		orNone(found.Recorded), orNone(d.Event.Status)))
}

func orNone(status g2a.EventStatus) g2a.EventStatus {
	if status == "" {
		return "none"
	}
	return status
}

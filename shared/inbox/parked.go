package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// EventRecord is what is kept of an event.
type EventRecord struct {
	Key        string    // as Delivery.RecordKey returns it
	Outcome    Outcome   // of the last attempt: never Duplicate
	Attempts   int       // at least 1, the delivery
	TriedAt    time.Time // the last time
	BodySHA256 string    // hexadecimal
	Reason     string    // why it is parked; "" where it is not
	Body       []byte    // as it was delivered, while it is parked
}

// ParkedStore keeps parked events. Both writes are conditional on the record being as
// it was read; when it is not, found.Event is true and nothing is written.
type ParkedStore interface {
	// Parked reads the record of a parked event; found is false where there is none.
	Parked(ctx context.Context, eventKey string) (event EventRecord, found bool, err error)
	// ApplyParked makes the record one of an event that is settled, and raises the order's
	// status where its rank is lower, or with force where it is no higher: both in one
	// transaction, or nothing.
	ApplyParked(ctx context.Context, p EventRecord, d Delivery, force bool) (found Found, applied bool, err error)
	// RecordParked writes the record alone: settled, or parked once more.
	RecordParked(ctx context.Context, p EventRecord, d Delivery) (found Found, applied bool, err error)
}

var (
	// ErrNotParked: there is no such event, or it is not parked.
	ErrNotParked = errors.New("there is no such parked event")
	// ErrTriedMeanwhile: another caller has tried the event at the same time.
	ErrTriedMeanwhile = errors.New("the parked event was tried by somebody else meanwhile")
)

// Retrier tries parked events again.
type Retrier struct {
	Store ParkedStore
	Clock func() time.Time
}

// Retry tries a parked event again by the rules of this version, which may know a type
// or a status that the version which parked it did not. The outcome is Processed,
// Superseded, or Parked once more, with the reason. An event whose status contradicts a
// final one stays parked: with force it takes that one's place, which is for a person
// to decide. One that contradicts another delivery of itself is applied by its rank, as any
// other: that it is tried is the decision. The event's signature was verified when it came,
// and its nonce has been remembered since then. The errors are ErrNotParked, ErrTriedMeanwhile and the
// store's; after those nothing is written.
func (r *Retrier) Retry(ctx context.Context, eventKey string, force bool) (outcome Outcome, reason string, err error) {
	p, found, err := r.Store.Parked(ctx, eventKey)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("reading event %s: %w", eventKey, err)
	case !found:
		return "", "", fmt.Errorf("event %s: %w", eventKey, ErrNotParked)
	}
	event, err := g2a.ParseEvent(p.Body)
	if err != nil {
		return "", "", fmt.Errorf("reading the body of event %s: %w", eventKey, err)
	}
	d := Delivery{
		Event: event, Body: p.Body, BodySHA256: p.BodySHA256,
		Rank: ranks[event.Status], ReceivedAt: r.Clock(), Outcome: Processed,
	}
	switch eventKey {
	case d.EventKey():
	case d.ContentKey():
		d.Contradicts = true
	default:
		return "", "", fmt.Errorf("event %s: its body is of event %s", eventKey, d.ContentKey())
	}
	if _, reason := unapplicable(event); reason != "" {
		return r.record(ctx, p, d, Parked, reason)
	}
	return r.apply(ctx, p, d, force)
}

func (r *Retrier) apply(ctx context.Context, p EventRecord, d Delivery, force bool) (Outcome, string, error) {
	found, applied, err := r.Store.ApplyParked(ctx, p, d, false)
	reason := d.secondFinal(found.Status)
	if err == nil && !applied && !found.Event && reason != "" && force {
		found, applied, err = r.Store.ApplyParked(ctx, p, d, true)
	}
	switch {
	case err != nil:
		return "", "", fmt.Errorf("applying event %s: %w", p.Key, err)
	case applied:
		return Processed, "", nil
	case found.Event:
		return "", "", fmt.Errorf("event %s: %w", p.Key, ErrTriedMeanwhile)
	case reason != "":
		return r.record(ctx, p, d, Parked, reason)
	}
	return r.record(ctx, p, d, Superseded, "")
}

// record keeps what became of the event, without touching the order.
func (r *Retrier) record(ctx context.Context, p EventRecord, d Delivery, outcome Outcome, reason string) (Outcome, string, error) {
	d.Outcome, d.LastError = outcome, reason
	_, applied, err := r.Store.RecordParked(ctx, p, d)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("recording event %s: %w", p.Key, err)
	case !applied:
		return "", "", fmt.Errorf("event %s: %w", p.Key, ErrTriedMeanwhile)
	}
	return outcome, reason, nil
}

package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

var background = context.Background()

// memory is an inbox.Store that keeps the promises of the interface.
type memory struct {
	nonces map[string]string         // the content of each
	events map[string]inbox.Delivery // by their records' keys
	orders map[string]inbox.Delivery // the last one applied
	counts map[string]int            // applied to each order
	fail   []error                   // of the next calls
	calls  []string
}

func newMemory() *memory {
	return &memory{
		nonces: map[string]string{}, events: map[string]inbox.Delivery{},
		orders: map[string]inbox.Delivery{}, counts: map[string]int{},
	}
}

func (m *memory) Apply(_ context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return m.write("apply", d, true)
}

func (m *memory) Record(_ context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return m.write("record", d, false)
}

func (m *memory) write(call string, d inbox.Delivery, order bool) (found inbox.Found, applied bool, err error) {
	m.calls = append(m.calls, call)
	if len(m.fail) > 0 {
		err, m.fail = m.fail[0], m.fail[1:]
		if err != nil {
			return found, false, err
		}
	}
	found.NonceKey = m.nonces[d.Event.Nonce]
	if was, known := m.events[d.RecordKey()]; known {
		found.Event, found.Recorded = true, was.Event.Status
	}
	if was, known := m.orders[d.Event.OrderID]; order && known && was.Rank >= d.Rank {
		found.Status = was.Event.Status
	}
	if found != (inbox.Found{}) {
		return found, false, nil
	}
	m.nonces[d.Event.Nonce], m.events[d.RecordKey()] = d.ContentKey(), d
	if order {
		m.orders[d.Event.OrderID] = d
		m.counts[d.Event.OrderID]++
	}
	return found, true, nil
}

// event is one of order o1; its nonce is new with every name.
func event(id string, kind g2a.EventType, status g2a.EventStatus) g2a.Event {
	return g2a.Event{ID: id, OrderID: "o1", Type: kind, Status: status, Nonce: "nonce-of-" + id}
}

func changed(id string, status g2a.EventStatus) g2a.Event {
	return event(id, g2a.EventStatusChanged, status)
}

// defective is an event that cannot be read in whole.
func defective(id, order, defect string) g2a.Event {
	e := changed(id, "")
	e.OrderID, e.Defect = order, defect
	return e
}

// unordered is an event that names no order.
func unordered(id string, kind g2a.EventType) g2a.Event {
	e := defective(id, "", "field order_id is missing")
	e.Type = kind
	return e
}

func nonce(e g2a.Event, nonce string) g2a.Event {
	e.Nonce = nonce
	return e
}

func TestReceive(t *testing.T) {
	down := errors.New("the store does not answer")
	tests := map[string]struct {
		before []g2a.Event
		fail   []error // of the store's calls for the event
		event  g2a.Event
		want   inbox.Outcome
		err    error
		status g2a.EventStatus // of the order in the end
		calls  []string
		cause  inbox.Cause // of the parked
		reason string
	}{
		"the first": {event: changed("e1", "processing"), want: inbox.Processed, status: "processing", calls: []string{"apply"}},
		"a status ahead": {
			before: []g2a.Event{changed("e1", "pending")},
			event:  changed("e2", "processing"), want: inbox.Processed, status: "processing", calls: []string{"apply"},
		},
		"each type with its status": {
			before: []g2a.Event{changed("e1", "pending")},
			event:  event("e2", g2a.EventOrderCompleted, "completed"), want: inbox.Processed, status: "completed", calls: []string{"apply"},
		},
		"the very same again": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  changed("e1", "processing"), want: inbox.Duplicate, status: "processing", calls: []string{"apply"},
		},
		"the same event with a new nonce": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e1", "processing"), "another"), want: inbox.Duplicate, status: "processing", calls: []string{"apply"},
		},
		"the same event, and the order is further": {
			before: []g2a.Event{changed("e1", "processing"), changed("e2", "completed")},
			event:  nonce(changed("e1", "processing"), "another"), want: inbox.Duplicate, status: "completed", calls: []string{"apply"},
		},
		"a nonce of another event": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e2", "completed"), "nonce-of-e1"), err: inbox.ErrNonceReused, status: "processing", calls: []string{"apply"},
		},
		"an old event with the nonce of another": {
			before: []g2a.Event{changed("e1", "processing"), changed("e2", "completed")},
			event:  nonce(changed("e1", "processing"), "nonce-of-e2"), err: inbox.ErrNonceReused, status: "completed", calls: []string{"apply"},
		},
		"a parked event with the nonce of another": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e2", "lost"), "nonce-of-e1"), err: inbox.ErrNonceReused, status: "processing", calls: []string{"record"},
		},
		"same id of another order": {
			before: []g2a.Event{{ID: "e1", OrderID: "o2", Type: g2a.EventStatusChanged, Status: "completed", Nonce: "n"}},
			event:  changed("e1", "pending"), want: inbox.Processed, status: "pending", calls: []string{"apply"},
		},
		"status behind": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  changed("e2", "pending"), want: inbox.Superseded, status: "processing", calls: []string{"apply", "record"},
		},
		"status equal": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  changed("e2", "processing"), want: inbox.Superseded, status: "processing", calls: []string{"apply", "record"},
		},
		"status behind a final one": {
			before: []g2a.Event{changed("e1", "failed")},
			event:  changed("e2", "processing"), want: inbox.Superseded, status: "failed", calls: []string{"apply", "record"},
		},
		"the same final status": {
			before: []g2a.Event{changed("e1", "completed")},
			event:  event("e2", g2a.EventOrderCompleted, "completed"), want: inbox.Superseded, status: "completed", calls: []string{"apply", "record"},
		},
		"completed after failed": {
			before: []g2a.Event{changed("e1", "failed")},
			event:  changed("e2", "completed"), want: inbox.Parked, status: "failed", calls: []string{"apply", "record"}, cause: inbox.SecondFinal, reason: "status completed after failed",
		},
		"cancelled after completed": {
			before: []g2a.Event{changed("e1", "completed")},
			event:  changed("e2", "cancelled"), want: inbox.Parked, status: "completed", calls: []string{"apply", "record"}, cause: inbox.SecondFinal, reason: "status cancelled after completed",
		},
		"parked again": {
			before: []g2a.Event{changed("e1", "failed"), changed("e2", "completed")},
			event:  nonce(changed("e2", "completed"), "another"), want: inbox.Duplicate, status: "failed", calls: []string{"apply"},
		},
		"unknown status": {event: changed("e1", "lost"), want: inbox.Parked, calls: []string{"record"}, cause: inbox.UnknownStatus, reason: "unknown status lost"},
		"unknown type":   {event: event("e1", "order.lost", "completed"), want: inbox.Parked, calls: []string{"record"}, cause: inbox.UnknownType, reason: "unknown type order.lost"},
		"type and status of two minds": {
			event: event("e1", g2a.EventOrderCompleted, "failed"), want: inbox.Parked, calls: []string{"record"}, cause: inbox.TypeMismatch, reason: "type order.completed with status failed",
		},
		"unknown status, received before": {
			before: []g2a.Event{changed("e1", "lost")},
			event:  nonce(changed("e1", "lost"), "another"), want: inbox.Duplicate, calls: []string{"record"},
		},
		"a defect": {
			event: defective("e1", "o1", "field status is missing"), want: inbox.Parked, calls: []string{"record"},
			cause: inbox.Defective, reason: "field status is missing",
		},
		"a defect, received before": {
			before: []g2a.Event{defective("e1", "o1", "field status is missing")},
			event:  nonce(defective("e1", "o1", "field status is missing"), "another"), want: inbox.Duplicate, calls: []string{"record"},
		},
		"an event of orders that names none": {
			event: defective("e1", "", "field order_id is missing"), want: inbox.Parked, calls: []string{"record"},
			cause: inbox.Defective, reason: "field order_id is missing",
		},
		"a ping":               {event: unordered("e1", "ping"), want: inbox.Acknowledged},
		"a product":            {event: unordered("e1", "product.updated"), want: inbox.Acknowledged},
		"no type and no order": {event: unordered("e1", ""), want: inbox.Acknowledged},
		"the same event with another status": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e1", "completed"), "another"), want: inbox.Parked, status: "processing", calls: []string{"apply", "record"},
			cause: inbox.Contradiction, reason: "the event came with status processing, and then with status completed",
		},
		"the same event with a lower status": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e1", "pending"), "another"), want: inbox.Parked, status: "processing", calls: []string{"apply", "record"},
			cause: inbox.Contradiction, reason: "the event came with status processing, and then with status pending",
		},
		"a superseded event with another status": {
			before: []g2a.Event{changed("e1", "processing"), changed("e2", "pending")},
			event:  nonce(changed("e2", "completed"), "another"), want: inbox.Parked, status: "processing", calls: []string{"apply", "record"},
			cause: inbox.Contradiction, reason: "the event came with status pending, and then with status completed",
		},
		"the same event with an unknown status": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  nonce(changed("e1", "lost"), "another"), want: inbox.Parked, status: "processing", calls: []string{"record", "record"},
			cause: inbox.Contradiction, reason: "the event came with status processing, and then with status lost",
		},
		"a parked event with a known status": {
			before: []g2a.Event{defective("e1", "o1", "field status is missing")},
			event:  nonce(changed("e1", "completed"), "another"), want: inbox.Parked, calls: []string{"apply", "record"},
			cause: inbox.Contradiction, reason: "the event came with status none, and then with status completed",
		},
		"a contradiction again": {
			before: []g2a.Event{changed("e1", "processing"), nonce(changed("e1", "completed"), "n2")},
			event:  nonce(changed("e1", "completed"), "n3"), want: inbox.Duplicate, status: "processing", calls: []string{"apply", "record"},
		},
		"the very same contradiction again": {
			before: []g2a.Event{changed("e1", "processing"), nonce(changed("e1", "completed"), "n2")},
			event:  nonce(changed("e1", "completed"), "n2"), want: inbox.Duplicate, status: "processing", calls: []string{"apply"},
		},
		"another contradiction": {
			before: []g2a.Event{changed("e1", "processing"), nonce(changed("e1", "completed"), "n2")},
			event:  nonce(changed("e1", "failed"), "n3"), want: inbox.Parked, status: "processing", calls: []string{"apply", "record"},
			cause: inbox.Contradiction, reason: "the event came with status processing, and then with status failed",
		},
		"a contradiction with the nonce of the first": {
			before: []g2a.Event{changed("e1", "processing")},
			event:  changed("e1", "completed"), err: inbox.ErrNonceReused, status: "processing", calls: []string{"apply"},
		},
		"the first with the nonce of a contradiction": {
			before: []g2a.Event{changed("e1", "processing"), nonce(changed("e1", "completed"), "n2")},
			event:  nonce(changed("e1", "processing"), "n2"), err: inbox.ErrNonceReused, status: "processing", calls: []string{"apply"},
		},
		"the store fails before a contradiction is kept": {
			before: []g2a.Event{changed("e1", "processing")}, fail: []error{nil, down},
			event: nonce(changed("e1", "completed"), "another"), err: down, status: "processing", calls: []string{"apply", "record"},
		},
		"the store does not answer": {fail: []error{down}, event: changed("e1", "pending"), err: down, calls: []string{"apply"}},
		"nor for the record":        {fail: []error{down}, event: changed("e1", "lost"), err: down, calls: []string{"record"}},
		"the store fails between the two writes": {
			before: []g2a.Event{changed("e1", "processing")}, fail: []error{nil, down},
			event: changed("e2", "pending"), err: down, status: "processing", calls: []string{"apply", "record"},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				box := inbox.Inbox{Store: m, Clock: time.Now}
				for _, e := range c.before {
					if _, err := box.Receive(background, e, []byte("{}")); err != nil {
						t.Fatal(err)
					}
				}
				before := maps.Clone(m.events)
				m.calls, m.fail = nil, c.fail
				received := time.Now()
				got, err := box.Receive(background, c.event, []byte("{}"))
				if want := (inbox.Receipt{Outcome: c.want, Cause: c.cause, Reason: c.reason}); got != want || !errors.Is(err, c.err) {
					t.Errorf("got %+v, %v; want %+v, %v", got, err, want, c.err)
				}
				if !slices.Equal(m.calls, c.calls) {
					t.Errorf("calls %q, want %q", m.calls, c.calls)
				}
				if status := m.orders["o1"].Event.Status; status != c.status {
					t.Errorf("the order is %q, want %q", status, c.status)
				}
				if (c.err != nil || c.want == inbox.Duplicate || c.want == inbox.Acknowledged) && !same(before, m.events) {
					t.Errorf("something was written")
				}
				if c.want == inbox.Parked || c.want == inbox.Superseded || c.want == inbox.Processed {
					checkKept(t, m.events, c.event, inbox.Receipt{Outcome: c.want, Cause: c.cause, Reason: c.reason}, received)
				}
			})
		})
	}
}

func same(a, b map[string]inbox.Delivery) bool {
	return maps.EqualFunc(a, b, func(a, b inbox.Delivery) bool { return a.Event == b.Event && a.Outcome == b.Outcome })
}

func checkKept(t *testing.T, events map[string]inbox.Delivery, e g2a.Event, want inbox.Receipt, received time.Time) {
	t.Helper()
	key := e.ID + "#" + e.OrderID + "#" + string(e.Type)
	if want.Cause == inbox.Contradiction {
		key += "#" + string(e.Status)
	}
	d := events[key]
	const sum = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	if d.Outcome != want.Outcome || d.LastError != want.Reason || string(d.Body) != "{}" || d.BodySHA256 != sum || !d.ReceivedAt.Equal(received) {
		t.Errorf("kept %+v as %s, want %+v", d, key, want)
	}
}

// In whatever order events come, and however often: the status never goes back, and
// where a final one is among them, the first of those is the end.
func TestAnyOrder(t *testing.T) {
	rank := map[g2a.EventStatus]int{"pending": 1, "processing": 2, "completed": 3, "failed": 3, "cancelled": 3}
	statuses := []g2a.EventStatus{"pending", "processing", "completed", "failed", "cancelled", "lost"}
	rapid.Check(t, func(t *rapid.T) {
		deliveries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) g2a.Event {
			// Few ids, so that many are repeated; the status belongs to the event, but for a few.
			n := rapid.IntRange(0, 9).Draw(t, "event")
			e := changed(fmt.Sprint("e", n), statuses[n%len(statuses)])
			if rapid.IntRange(0, 9).Draw(t, "contradicts") == 0 {
				e.Status = rapid.SampledFrom(statuses).Draw(t, "status")
			}
			return nonce(e, fmt.Sprint("nonce-", rapid.IntRange(0, 99).Draw(t, "nonce")))
		}), 1, 30).Draw(t, "deliveries")

		m := newMemory()
		box := inbox.Inbox{Store: m, Clock: time.Now}
		var firstFinal, highest g2a.EventStatus
		processed := 0
		told := map[string]g2a.EventStatus{} // of each event, the first time
		for _, e := range deliveries {
			before := m.orders["o1"].Event.Status
			receipt, err := box.Receive(background, e, []byte("{}"))
			outcome := receipt.Outcome
			if err != nil && !errors.Is(err, inbox.ErrNonceReused) {
				t.Fatal(err)
			}
			after := m.orders["o1"].Event.Status
			if rank[after] < rank[before] || rank[before] == 3 && after != before {
				t.Fatalf("from %s back to %s", before, after)
			}
			if (outcome == inbox.Processed) != (after != before) {
				t.Fatalf("%s from %q to %q", outcome, before, after)
			}
			if err != nil { // a replay counts for nothing
				continue
			}
			if outcome == inbox.Processed {
				processed++
			}
			first, known := told[e.ID]
			if !known {
				told[e.ID] = e.Status
			}
			if contradicts := known && first != e.Status; (receipt.Cause == inbox.Contradiction) != (contradicts && outcome != inbox.Duplicate) {
				t.Fatalf("%s came with status %q, and now with %q: %+v", e.ID, first, e.Status, receipt)
			} else if contradicts {
				continue // it does nothing to the order
			}
			if rank[e.Status] == 3 && firstFinal == "" {
				firstFinal = e.Status
			}
			if rank[e.Status] > rank[highest] {
				highest = e.Status
			}
		}
		want := highest
		if firstFinal != "" {
			want = firstFinal
		}
		if got := m.orders["o1"].Event.Status; got != want {
			t.Fatalf("in the end %q, want %q", got, want)
		}
		if m.counts["o1"] != processed {
			t.Fatalf("%d applied, %d processed", m.counts["o1"], processed)
		}
	})
}

func TestErrorsNameTheEvent(t *testing.T) {
	for _, status := range []g2a.EventStatus{"pending", "lost"} {
		m := newMemory()
		m.fail = []error{errors.New("the store does not answer")}
		_, err := (&inbox.Inbox{Store: m, Clock: time.Now}).Receive(background, changed("e1", status), nil)
		if err == nil || !strings.Contains(err.Error(), "event e1#o1#order.status_changed: the store") {
			t.Errorf("got %v", err)
		}
	}
}

// The record of a contradiction that does not say its status is damaged, and is a record
// all the same: what it is of comes to an end.
func TestDamagedContradiction(t *testing.T) {
	m := newMemory()
	box := inbox.Inbox{Store: m, Clock: time.Now}
	if _, err := box.Receive(background, changed("e1", "processing"), nil); err != nil {
		t.Fatal(err)
	}
	m.events["e1#o1#order.status_changed#completed"] = inbox.Delivery{}
	got, err := box.Receive(background, nonce(changed("e1", "completed"), "another"), nil)
	if err != nil || got.Outcome != inbox.Duplicate {
		t.Errorf("got %+v, %v; want a duplicate", got, err)
	}
}

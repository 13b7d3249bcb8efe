package store_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func box(e *storetest.Engine) store.Inbox {
	return store.Inbox{DB: e.DB, StateTable: e.StateTable, OrdersTable: e.OrdersTable}
}

var rank = map[g2a.EventStatus]int{"pending": 1, "processing": 2, "completed": 3, "failed": 3, "cancelled": 3}

// delivery is one of the events of order o1.
func delivery(nonce, event string, status g2a.EventStatus) inbox.Delivery {
	return inbox.Delivery{
		Event: g2a.Event{ID: event, OrderID: "o1", Type: g2a.EventStatusChanged, Status: status, Nonce: nonce},
		Body:  []byte(`{"the":"body"}`), BodySHA256: "b0d1", Rank: rank[status], ReceivedAt: now, Outcome: inbox.Processed,
	}
}

func parked(d inbox.Delivery) inbox.Delivery {
	d.Outcome, d.LastError = inbox.Parked, "unknown status lost"
	return d
}

const day = 24 * 60 * 60

func nonceItem(event string) attributes {
	return attributes{"event_key": "S " + event + "#o1#order.status_changed", "expires_at": at(day)}
}

func eventItem(outcome string) attributes {
	return attributes{
		"status": "S done", "outcome": "S " + outcome, "attempts": "N 1", "body_sha256": "S b0d1",
		"updated_at": at(0), "expires_at": at(90 * day),
	}
}

func parkedItem() attributes {
	item := eventItem("parked")
	item["status"], item["last_error"], item["body"] = "S failed", "S unknown status lost", `S {"the":"body"}`
	delete(item, "expires_at")
	return item
}

func statusItem(status, event string, applied int) attributes {
	return attributes{
		"g2a_order_id": "S o1",
		"status":       "S " + status, "rank": fmt.Sprintf("N %d", rank[g2a.EventStatus(status)]),
		"last_event_id": "S " + event, "applied_events": fmt.Sprintf("N %d", applied), "updated_at": at(0),
	}
}

func eventPK(event string) string { return "EVENT#" + event + "#o1#order.status_changed" }

// clearInbox removes what the tests of one engine share.
func clearInbox(t *testing.T, e *storetest.Engine) {
	t.Helper()
	for _, n := range []string{"1", "2"} {
		e.Delete(t, e.StateTable, "NONCE#n"+n, "NONCE")
		e.Delete(t, e.StateTable, eventPK("e"+n), "EVENT")
	}
	e.Delete(t, e.OrdersTable, "G2A#o1", "STATUS")
}

func TestInbox(t *testing.T) {
	apply, record := store.Inbox.Apply, store.Inbox.Record
	type items struct{ nonce1, nonce2, event1, event2, status attributes }
	first := items{nonce1: nonceItem("e1"), event1: eventItem("processed"), status: statusItem("processing", "e1", 1)}
	tests := map[string]struct {
		before  []inbox.Delivery // applied
		write   func(store.Inbox, context.Context, inbox.Delivery) (inbox.Found, bool, error)
		d       inbox.Delivery
		found   inbox.Found
		applied bool
		want    items
	}{
		"new": {
			write: apply, d: delivery("n1", "e1", "processing"), applied: true, want: first,
		},
		"the very same again": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n1", "e1", "processing"),
			found: inbox.Found{NonceEventKey: "e1#o1#order.status_changed", Event: true, Status: "processing"}, want: first,
		},
		"the same event with a new nonce": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e1", "processing"),
			found: inbox.Found{Event: true, Status: "processing"}, want: first,
		},
		"the nonce of another event": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n1", "e2", "completed"),
			found: inbox.Found{NonceEventKey: "e1#o1#order.status_changed"}, want: first,
		},
		"a higher status": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e2", "completed"), applied: true,
			want: items{nonceItem("e1"), nonceItem("e2"), eventItem("processed"), eventItem("processed"), statusItem("completed", "e2", 2)},
		},
		"an equal status": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e2", "processing"),
			found: inbox.Found{Status: "processing"}, want: first,
		},
		"a lower status": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e2", "pending"),
			found: inbox.Found{Status: "processing"}, want: first,
		},
		"a final status after another": {
			before: []inbox.Delivery{delivery("n1", "e1", "failed")},
			write:  apply, d: delivery("n2", "e2", "completed"),
			found: inbox.Found{Status: "failed"},
			want:  items{nonce1: nonceItem("e1"), event1: eventItem("processed"), status: statusItem("failed", "e1", 1)},
		},
		"recorded": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: func() inbox.Delivery {
				d := delivery("n2", "e2", "pending")
				d.Outcome = inbox.Superseded
				return d
			}(), applied: true,
			want: items{nonceItem("e1"), nonceItem("e2"), eventItem("processed"), eventItem("superseded"), statusItem("processing", "e1", 1)},
		},
		"parked": {
			write: record, d: parked(delivery("n1", "e1", "lost")), applied: true,
			want: items{nonce1: nonceItem("e1"), event1: parkedItem()},
		},
		"recorded again": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: parked(delivery("n2", "e1", "processing")),
			found: inbox.Found{Event: true}, want: first,
		},
		"recorded with the nonce of another event": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: parked(delivery("n1", "e2", "processing")),
			found: inbox.Found{NonceEventKey: "e1#o1#order.status_changed"}, want: first,
		},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				for _, d := range c.before {
					_, _, err := box(e).Apply(ctx, d)
					must(t, err)
				}
				e.Wire.Requests()
				found, applied, err := c.write(box(e), ctx, c.d)
				must(t, err)
				wantRequests(t, e, 1)
				wantFound(t, found, c.found)
				if applied != c.applied {
					t.Errorf("applied: %t, want %t", applied, c.applied)
				}
				wantItem(t, e, e.StateTable, "NONCE#n1", "NONCE", c.want.nonce1)
				wantItem(t, e, e.StateTable, "NONCE#n2", "NONCE", c.want.nonce2)
				wantItem(t, e, e.StateTable, eventPK("e1"), "EVENT", c.want.event1)
				wantItem(t, e, e.StateTable, eventPK("e2"), "EVENT", c.want.event2)
				wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", c.want.status)
			})
		}
	})
}

// wantFound compares what was in the way. minidyn stops at the first write whose
// condition does not hold, and so may leave out what comes after it.
func wantFound(t *testing.T, got, want inbox.Found) {
	t.Helper()
	cut := want
	if cut.NonceEventKey != "" {
		cut.Event, cut.Status = false, ""
	} else if cut.Event {
		cut.Status = ""
	}
	if got != want && (got != cut || !strings.Contains(t.Name(), "minidyn")) {
		t.Errorf("found %+v, want %+v", got, want)
	}
}

func TestInboxOtherOrder(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		other := delivery("n2", "e1", "processing")
		other.Event.OrderID = "o2"
		for _, d := range []inbox.Delivery{delivery("n1", "e1", "processing"), other} {
			if _, applied, err := box(e).Apply(ctx, d); err != nil || !applied {
				t.Errorf("order %s: applied %t, %v", d.Event.OrderID, applied, err)
			}
		}
		want := statusItem("processing", "e1", 1)
		want["g2a_order_id"] = "S o2"
		wantItem(t, e, e.OrdersTable, "G2A#o2", "STATUS", want)
	})
}

// One event delivered many times at once is applied once.
func TestInboxRace(t *testing.T) {
	const callers = 64
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		start := make(chan struct{})
		outcomes := make([]inbox.Outcome, callers)
		errs := make([]error, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now }}
				<-start
				d := delivery(fmt.Sprintf("nonce-%d", i), "e1", "completed")
				outcomes[i], errs[i] = receiver.Receive(ctx, d.Event, d.Body)
			})
		}
		close(start)
		all.Wait()
		counts := map[inbox.Outcome]int{}
		for i := range callers {
			must(t, errs[i])
			counts[outcomes[i]]++
		}
		if want := map[inbox.Outcome]int{inbox.Processed: 1, inbox.Duplicate: callers - 1}; !maps.Equal(counts, want) {
			t.Errorf("got %v, want %v", counts, want)
		}
		wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", statusItem("completed", "e1", 1))
	})
}

// When the answer is lost, the SDK sends the transaction again: it must not count twice.
func TestInboxAnswerLost(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		e.Wire.Fail(storetest.AnswerLost)
		found, applied, err := box(e).Apply(ctx, delivery("n1", "e1", "processing"))
		must(t, err)
		wantRequests(t, e, 2)
		// DynamoDB knows the request again by its token; minidyn does not.
		if !applied && (!strings.Contains(t.Name(), "minidyn") || found.NonceEventKey != "e1#o1#order.status_changed") {
			t.Errorf("not applied: %+v", found)
		}
		wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", statusItem("processing", "e1", 1))
	})
}

func TestInboxDamagedNonce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		e.Put(t, e.StateTable, text("pk", "NONCE#n1", "sk", "NONCE"))
		_, applied, err := box(e).Apply(ctx, delivery("n1", "e1", "processing"))
		if applied || err == nil {
			t.Errorf("applied %t, %v; a nonce of no event must not pass", applied, err)
		}
	})
}

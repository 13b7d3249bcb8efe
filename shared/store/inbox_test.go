package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

const theBody = `{"the":"body"}`

// delivery is one of the events of order o1.
func delivery(nonce, event string, status g2a.EventStatus) inbox.Delivery {
	return inbox.Delivery{
		Event: g2a.Event{ID: event, OrderID: "o1", Type: g2a.EventStatusChanged, Status: status, Nonce: nonce},
		Body:  []byte(theBody), BodySHA256: "b0d1", Rank: rank[status], ReceivedAt: now, Outcome: inbox.Processed,
	}
}

func parked(d inbox.Delivery) inbox.Delivery {
	d.Outcome, d.LastError = inbox.Parked, "unknown status lost"
	return d
}

const day = 24 * 60 * 60

func nonceItem(event, status string) attributes {
	return attributes{"event_key": "S " + contentKey(event, status), "expires_at": at(day)}
}

func contentKey(event, status string) string { return event + "#o1#order.status_changed#" + status }

func eventItem(outcome, orderStatus string) attributes {
	status := "S done"
	if outcome == "parked" {
		status = "S failed"
	}
	return attributes{
		"status": status, "outcome": "S " + outcome, "attempts": "N 1", "body_sha256": "S b0d1",
		"order_status": "S " + orderStatus, "updated_at": at(0), "expires_at": at(90 * day),
	}
}

// parkedItem is what a person finds.
func parkedItem(orderStatus string) attributes {
	return attributes{
		"attempts": "N 1", "last_error": "S unknown status lost", "order_status": "S " + orderStatus,
		"body": fmt.Sprintf("B %x", theBody), "body_sha256": "S b0d1", "updated_at": at(0),
	}
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
		for _, pk := range []string{eventPK("e" + n), eventPK("e"+n) + "#completed"} {
			e.Delete(t, e.StateTable, pk, "EVENT")
			e.Delete(t, e.OrdersTable, pk, "PARKED")
		}
	}
	e.Delete(t, e.OrdersTable, "G2A#o1", "STATUS")
}

func TestInbox(t *testing.T) {
	apply, record := store.Inbox.Apply, store.Inbox.Record
	contradicts := func(d inbox.Delivery) inbox.Delivery {
		d = parked(d)
		d.Contradicts = true
		return d
	}
	type items struct{ nonce1, nonce2, event1, parked1, event2, other, parkedOther, status attributes }
	first := items{nonce1: nonceItem("e1", "processing"), event1: eventItem("processed", "processing"), status: statusItem("processing", "e1", 1)}
	second := func(i items, outcome, status string, order attributes) items {
		i.nonce2, i.event2, i.status = nonceItem("e2", status), eventItem(outcome, status), order
		return i
	}
	lost := items{nonce1: nonceItem("e1", "lost"), event1: eventItem("parked", "lost"), parked1: parkedItem("lost")}
	contradicted := first
	contradicted.nonce2, contradicted.other = nonceItem("e1", "completed"), eventItem("parked", "completed")
	contradicted.parkedOther = parkedItem("completed")
	tests := map[string]struct {
		before  []inbox.Delivery // applied, or recorded where they are parked
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
			found: inbox.Found{NonceKey: contentKey("e1", "processing"), Event: true, Recorded: "processing", Status: "processing"}, want: first,
		},
		"the same event with a new nonce": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e1", "processing"),
			found: inbox.Found{Event: true, Recorded: "processing", Status: "processing"}, want: first,
		},
		"the same event with another status": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e1", "completed"),
			found: inbox.Found{Event: true, Recorded: "processing"}, want: first,
		},
		"the nonce of another event": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n1", "e2", "completed"),
			found: inbox.Found{NonceKey: contentKey("e1", "processing")}, want: first,
		},
		"a higher status": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  apply, d: delivery("n2", "e2", "completed"), applied: true,
			want: second(first, "processed", "completed", statusItem("completed", "e2", 2)),
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
			want:  items{nonce1: nonceItem("e1", "failed"), event1: eventItem("processed", "failed"), status: statusItem("failed", "e1", 1)},
		},
		"recorded": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: func() inbox.Delivery {
				d := delivery("n2", "e2", "pending")
				d.Outcome = inbox.Superseded
				return d
			}(), applied: true,
			want: second(first, "superseded", "pending", statusItem("processing", "e1", 1)),
		},
		"parked": {
			write: record, d: parked(delivery("n1", "e1", "lost")), applied: true, want: lost,
		},
		"parked with no status": {
			write: record, d: parked(delivery("n1", "e1", "")), applied: true,
			want: items{nonce1: nonceItem("e1", ""), event1: eventItem("parked", ""), parked1: parkedItem("")},
		},
		"parked again": {
			before: []inbox.Delivery{parked(delivery("n1", "e1", "lost"))},
			write:  record, d: parked(delivery("n2", "e1", "lost")),
			found: inbox.Found{Event: true, Recorded: "lost"}, want: lost,
		},
		"parked, and to be applied": {
			before: []inbox.Delivery{parked(delivery("n1", "e1", "lost"))},
			write:  apply, d: delivery("n2", "e1", "completed"),
			found: inbox.Found{Event: true, Recorded: "lost"}, want: lost,
		},
		"recorded again": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: parked(delivery("n2", "e1", "processing")),
			found: inbox.Found{Event: true, Recorded: "processing"}, want: first,
		},
		"recorded with the nonce of another event": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: parked(delivery("n1", "e2", "processing")),
			found: inbox.Found{NonceKey: contentKey("e1", "processing")}, want: first,
		},
		"a contradiction": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing")},
			write:  record, d: contradicts(delivery("n2", "e1", "completed")), applied: true, want: contradicted,
		},
		"a contradiction again": {
			before: []inbox.Delivery{delivery("n1", "e1", "processing"), contradicts(delivery("n2", "e1", "completed"))},
			write:  record, d: contradicts(delivery("n3", "e1", "completed")),
			found: inbox.Found{Event: true, Recorded: "completed"}, want: contradicted,
		},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				for _, d := range c.before {
					write := apply
					if d.Outcome == inbox.Parked {
						write = record
					}
					_, _, err := write(box(e), ctx, d)
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
				wantItem(t, e, e.StateTable, "NONCE#n3", "NONCE", nil)
				wantItem(t, e, e.StateTable, eventPK("e1"), "EVENT", c.want.event1)
				wantItem(t, e, e.OrdersTable, eventPK("e1"), "PARKED", c.want.parked1)
				wantItem(t, e, e.StateTable, eventPK("e2"), "EVENT", c.want.event2)
				wantItem(t, e, e.OrdersTable, eventPK("e2"), "PARKED", nil)
				wantItem(t, e, e.StateTable, eventPK("e1")+"#completed", "EVENT", c.want.other)
				wantItem(t, e, e.OrdersTable, eventPK("e1")+"#completed", "PARKED", c.want.parkedOther)
				wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", c.want.status)
			})
		}
	})
}

// What a delivery costs that was made before: one round trip, but for a contradiction with
// a nonce that is new.
func TestDuplicateCosts(t *testing.T) {
	type sent struct {
		nonce, event string
		status       g2a.EventStatus
	}
	tests := map[string]struct {
		before   []sent
		again    sent
		requests int
	}{
		"processed":                       {[]sent{{"n1", "e1", "completed"}}, sent{"n2", "e1", "completed"}, 1},
		"processed, the same bytes":       {[]sent{{"n1", "e1", "completed"}}, sent{"n1", "e1", "completed"}, 1},
		"superseded":                      {[]sent{{"n1", "e1", "completed"}, {"n2", "e2", "pending"}}, sent{"n3", "e2", "pending"}, 1},
		"of unknown status":               {[]sent{{"n1", "e1", "lost"}}, sent{"n2", "e1", "lost"}, 1},
		"a second final status":           {[]sent{{"n1", "e1", "completed"}, {"n2", "e2", "failed"}}, sent{"n3", "e2", "failed"}, 1},
		"a contradiction":                 {[]sent{{"n1", "e1", "pending"}, {"n2", "e1", "completed"}}, sent{"n3", "e1", "completed"}, 2},
		"a contradiction, the same bytes": {[]sent{{"n1", "e1", "pending"}, {"n2", "e1", "completed"}}, sent{"n2", "e1", "completed"}, 1},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now }}
				var last inbox.Receipt
				for _, s := range append(c.before, c.again) {
					e.Wire.Requests()
					var err error
					last, err = receiver.Receive(ctx, delivery(s.nonce, s.event, s.status).Event, []byte(theBody))
					must(t, err)
				}
				wantRequests(t, e, c.requests)
				if last.Outcome != inbox.Duplicate {
					t.Errorf("%+v, want a duplicate", last)
				}
			})
		}
	})
}

// A parked event outlives its record in the state table, and what would be parked again
// finds it: it neither takes its place nor is lost.
func TestParkedOutlivesItsRecord(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		_, _, err := box(e).Record(ctx, parked(delivery("n1", "e1", "lost")))
		must(t, err)
		e.Delete(t, e.StateTable, eventPK("e1"), "EVENT")
		found, applied, err := box(e).Record(ctx, parked(delivery("n2", "e1", "missing")))
		must(t, err)
		if want := (inbox.Found{Event: true, Recorded: "lost"}); applied || found != want {
			t.Errorf("applied %t, found %+v; want %+v", applied, found, want)
		}
		wantItem(t, e, e.StateTable, "NONCE#n2", "NONCE", nil)
		wantItem(t, e, e.StateTable, eventPK("e1"), "EVENT", nil)
		wantItem(t, e, e.OrdersTable, eventPK("e1"), "PARKED", parkedItem("lost"))
	})
}

// A body is kept byte for byte, the longest one too, and whatever its bytes are.
func TestParkedBody(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, body := range map[string][]byte{
			"one Latin-1 byte":  []byte("{\"name\":\"caf\xe9\"}"),
			"every byte":        everyByte(256),
			"longest, no UTF-8": bytes.Repeat([]byte{0xff}, 256<<10),
			"longest, any byte": everyByte(256 << 10),
		} {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now }}
				receipt, err := receiver.Receive(ctx, delivery("n1", "e1", "lost").Event, body)
				must(t, err)
				event, found, err := box(e).Parked(ctx, "e1#o1#order.status_changed")
				must(t, err)
				if receipt.Outcome != inbox.Parked || !found || !bytes.Equal(event.Body, body) {
					t.Errorf("%s, found %t, of %d bytes %d are kept, the same: %t", receipt.Outcome, found, len(body), len(event.Body), bytes.Equal(event.Body, body))
				}
				if sum := sha256.Sum256(event.Body); event.BodySHA256 != hex.EncodeToString(sum[:]) {
					t.Errorf("body_sha256 is %s, and of the body kept it is %x", event.BodySHA256, sum)
				}
				again, err := receiver.Receive(ctx, delivery("n2", "e1", "lost").Event, body)
				must(t, err)
				if again.Outcome != inbox.Duplicate {
					t.Errorf("again: %s", again.Outcome)
				}
			})
		}
	})
}

func everyByte(length int) []byte {
	body := make([]byte, length)
	for i := range body {
		body[i] = byte(i)
	}
	return body
}

// wantFound compares what was in the way. minidyn stops at the first write whose
// condition does not hold, and so may leave out what comes after it.
func wantFound(t *testing.T, got, want inbox.Found) {
	t.Helper()
	cut := want
	if cut.NonceKey != "" {
		cut.Event, cut.Recorded, cut.Status = false, "", ""
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
		receipts := make([]inbox.Receipt, callers)
		errs := make([]error, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now }}
				<-start
				d := delivery(fmt.Sprintf("nonce-%d", i), "e1", "completed")
				receipts[i], errs[i] = receiver.Receive(ctx, d.Event, d.Body)
			})
		}
		close(start)
		all.Wait()
		counts := map[inbox.Outcome]int{}
		for i := range callers {
			must(t, errs[i])
			counts[receipts[i].Outcome]++
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
		if !applied && (!strings.Contains(t.Name(), "minidyn") || found.NonceKey != contentKey("e1", "processing")) {
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

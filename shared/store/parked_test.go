package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

var _ inbox.ParkedStore = store.Inbox{}

// later is when parked events are tried again.
var later = now.Add(time.Hour)

func retrier(e *storetest.Engine) *inbox.Retrier {
	return &inbox.Retrier{Store: box(e), Clock: func() time.Time { return later }}
}

func eventBody(event string, kind g2a.EventType, status g2a.EventStatus) string {
	return fmt.Sprintf(`{"event_id":%q,"order_id":"o1","type":%q,"payload":{"status":%q}}`, event, kind, status)
}

// park writes the items of an event of order o1 as a version that did not know its
// status, or found it against the order's, left them. The key's end is the type, and after
// it the status where the event contradicts itself.
func park(t *testing.T, e *storetest.Engine, end, body string, attempts int) {
	t.Helper()
	number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	item := text("pk", "EVENT#e1#o1#"+end, "sk", "PARKED", "last_error", "why it was parked", "body_sha256", "b0d1", "order_status", "any")
	item["body"] = &types.AttributeValueMemberB{Value: []byte(body)}
	item["attempts"], item["updated_at"] = number(int64(attempts)), number(now.Unix())
	e.Put(t, e.OrdersTable, item)
	item = text("pk", "EVENT#e1#o1#"+end, "sk", "EVENT", "status", "failed", "outcome", "parked", "body_sha256", "b0d1", "order_status", "any")
	item["attempts"], item["updated_at"], item["expires_at"] = number(1), number(now.Unix()), number(now.Unix()+90*day)
	e.Put(t, e.StateTable, item)
}

func TestRetry(t *testing.T) {
	const changed = g2a.EventStatusChanged
	settled := func(outcome string, status g2a.EventStatus) attributes {
		return attributes{
			"status": "S done", "outcome": "S " + outcome, "attempts": "N 2", "body_sha256": "S b0d1",
			"order_status": "S " + string(status), "updated_at": at(3600), "expires_at": at(3600 + 90*day),
		}
	}
	still := func(body, reason string) attributes {
		return attributes{
			"attempts": "N 2", "body_sha256": "S b0d1", "order_status": "S any",
			"updated_at": at(3600), "last_error": "S " + reason, "body": fmt.Sprintf("B %x", body),
		}
	}
	raised := func(status string, applied int) attributes {
		item := statusItem(status, "e1", applied)
		item["updated_at"] = at(3600)
		return item
	}
	tests := map[string]struct {
		order    g2a.EventStatus // before
		kind     g2a.EventType   // of the event; status_changed where it is empty
		other    bool            // the event was recorded before, with another status
		status   g2a.EventStatus // of the event
		force    bool
		outcome  inbox.Outcome
		reason   string
		requests int
		want     attributes // of the order
	}{
		"a status that is known by now": {
			status: "completed", outcome: inbox.Processed, requests: 2, want: raised("completed", 1),
		},
		"and the order is behind it": {
			order: "processing", status: "completed", outcome: inbox.Processed, requests: 2, want: raised("completed", 2),
		},
		"and the order is further": {
			order: "completed", status: "processing", outcome: inbox.Superseded, requests: 3, want: statusItem("completed", "e2", 1),
		},
		"and the order has it already": {
			order: "completed", status: "completed", outcome: inbox.Superseded, requests: 3, want: statusItem("completed", "e2", 1),
		},
		"a status that is not known yet": {
			order: "processing", status: "lost", outcome: inbox.Parked, reason: "unknown status lost", requests: 2, want: statusItem("processing", "e2", 1),
		},
		"a type that is not known yet, by force": {
			kind: "order.lost", status: "completed", force: true, outcome: inbox.Parked, reason: "unknown type order.lost", requests: 2,
		},
		"a final status after another": {
			order: "failed", status: "completed", outcome: inbox.Parked, reason: "status completed after failed", requests: 3, want: statusItem("failed", "e2", 1),
		},
		"a final status after another, by force": {
			order: "failed", status: "completed", force: true, outcome: inbox.Processed, requests: 3, want: raised("completed", 2),
		},
		"the same final status, by force": {
			order: "completed", status: "completed", force: true, outcome: inbox.Superseded, requests: 3, want: statusItem("completed", "e2", 1),
		},
		"a contradiction": {
			order: "processing", status: "completed", other: true, outcome: inbox.Processed, requests: 2, want: raised("completed", 2),
		},
		"a contradiction behind": {
			order: "processing", status: "pending", other: true, outcome: inbox.Superseded, requests: 3, want: statusItem("processing", "e2", 1),
		},
		"a contradiction of a final status": {
			order: "failed", status: "completed", other: true, outcome: inbox.Parked, reason: "status completed after failed", requests: 3, want: statusItem("failed", "e2", 1),
		},
		"a status behind, by force": {
			order: "completed", status: "pending", force: true, outcome: inbox.Superseded, requests: 3, want: statusItem("completed", "e2", 1),
		},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				if c.kind == "" {
					c.kind = changed
				}
				if c.order != "" {
					_, _, err := box(e).Apply(ctx, delivery("n2", "e2", c.order))
					must(t, err)
				}
				body := eventBody("e1", c.kind, c.status)
				end := string(c.kind)
				if c.other {
					end += "#" + string(c.status)
				}
				park(t, e, end, body, 1)
				e.Wire.Requests()
				outcome, reason, err := retrier(e).Retry(ctx, "e1#o1#"+end, c.force)
				must(t, err)
				wantRequests(t, e, c.requests)
				if outcome != c.outcome || reason != c.reason {
					t.Errorf("%s (%s), want %s (%s)", outcome, reason, c.outcome, c.reason)
				}
				record, waiting := settled(string(c.outcome), c.status), attributes(nil)
				if c.outcome == inbox.Parked {
					record, waiting = eventItem("parked", "any"), still(body, c.reason)
				}
				wantItem(t, e, e.StateTable, "EVENT#e1#o1#"+end, "EVENT", record)
				wantItem(t, e, e.OrdersTable, "EVENT#e1#o1#"+end, "PARKED", waiting)
				wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", c.want)
			})
		}
	})
}

// What is delivered and parked can be tried again, and is a duplicate ever after.
func TestRetryOfDelivered(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now }}
		var outcomes []inbox.Outcome
		receive := func(event, nonce string, status g2a.EventStatus) {
			d := delivery(nonce, event, status)
			receipt, err := receiver.Receive(ctx, d.Event, []byte(eventBody(event, g2a.EventStatusChanged, status)))
			must(t, err)
			outcomes = append(outcomes, receipt.Outcome)
		}
		retry := func(key string) {
			outcome, _, err := retrier(e).Retry(ctx, key, true)
			must(t, err)
			outcomes = append(outcomes, outcome)
		}
		receive("e2", "n2", "failed")
		receive("e1", "n1", "completed") // parked
		retry("e1#o1#order.status_changed")
		receive("e1", "n3", "completed")
		receive("e1", "n4", "failed") // contradicts itself
		receive("e1", "n5", "failed")
		retry("e1#o1#order.status_changed#failed")
		receive("e1", "n6", "failed")
		receive("e1", "n7", "completed")
		if want := []inbox.Outcome{
			inbox.Processed, inbox.Parked, inbox.Processed, inbox.Duplicate,
			inbox.Parked, inbox.Duplicate, inbox.Processed, inbox.Duplicate, inbox.Duplicate,
		}; !slices.Equal(outcomes, want) {
			t.Errorf("outcomes %v, want %v", outcomes, want)
		}
	})
}

func TestRetryRefused(t *testing.T) {
	good := eventBody("e1", g2a.EventStatusChanged, "completed")
	tests := map[string]struct {
		event string
		body  string
		want  error
		says  string
	}{
		"no such event":         {event: "e9#o1#order.status_changed", want: inbox.ErrNotParked},
		"an event that is done": {event: "e2#o1#order.status_changed", want: inbox.ErrNotParked},
		"a damaged body":        {event: "e1#o1#order.status_changed", body: "{}", want: g2a.ErrEventMalformed},
		"another event's body":  {event: "e1#o1#order.status_changed", body: strings.Replace(good, "e1", "e2", 1), says: "its body is of event e2#o1#order.status_changed#completed"},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				_, _, err := box(e).Apply(ctx, delivery("n2", "e2", "pending"))
				must(t, err)
				if c.body != "" {
					park(t, e, string(g2a.EventStatusChanged), c.body, 1)
				}
				_, _, err = retrier(e).Retry(ctx, c.event, true)
				if err == nil || !errors.Is(err, c.want) && c.want != nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.event) {
					t.Errorf("got %v, want %v %s", err, c.want, c.says)
				}
				wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", statusItem("pending", "e2", 1))
			})
		}
	})
}

// Who has read the record before somebody else tried the event writes nothing.
func TestRetryTriedMeanwhile(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		body := eventBody("e1", g2a.EventStatusChanged, "completed")
		park(t, e, string(g2a.EventStatusChanged), body, 2)
		before := attributesOf(t, e.Item(t, e.OrdersTable, eventPK("e1"), "PARKED"))
		read := inbox.EventRecord{Key: "e1#o1#order.status_changed", Attempts: 1, Body: []byte(body)}
		d := delivery("", "e1", "completed")
		for name, write := range map[string]func() (inbox.Found, bool, error){
			"applied":            func() (inbox.Found, bool, error) { return box(e).ApplyParked(ctx, read, d, false) },
			"applied by force":   func() (inbox.Found, bool, error) { return box(e).ApplyParked(ctx, read, d, true) },
			"recorded":           func() (inbox.Found, bool, error) { return box(e).RecordParked(ctx, read, d) },
			"recorded as parked": func() (inbox.Found, bool, error) { return box(e).RecordParked(ctx, read, parked(d)) },
		} {
			found, applied, err := write()
			must(t, err)
			if applied || !found.Event {
				t.Errorf("%s: applied %t, found %+v", name, applied, found)
			}
		}
		delete(before, "pk")
		delete(before, "sk")
		wantItem(t, e, e.OrdersTable, eventPK("e1"), "PARKED", before)
		wantItem(t, e, e.StateTable, eventPK("e1"), "EVENT", eventItem("parked", "any"))
		wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", nil)
	})
}

// A parked event that many try at once is applied once, and the others are told.
func TestRetryRace(t *testing.T) {
	const callers = 16
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		park(t, e, string(g2a.EventStatusChanged), eventBody("e1", g2a.EventStatusChanged, "completed"), 1)
		start := make(chan struct{})
		outcomes, errs := make([]inbox.Outcome, callers), make([]error, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				<-start
				outcomes[i], _, errs[i] = retrier(e).Retry(ctx, "e1#o1#order.status_changed", false)
			})
		}
		close(start)
		all.Wait()
		processed := 0
		for i := range callers {
			switch {
			case errs[i] == nil && outcomes[i] == inbox.Processed:
				processed++
			case !errors.Is(errs[i], inbox.ErrTriedMeanwhile) && !errors.Is(errs[i], inbox.ErrNotParked):
				t.Errorf("%s, %v", outcomes[i], errs[i])
			}
		}
		if processed != 1 {
			t.Errorf("%d processed, want 1", processed)
		}
		item := statusItem("completed", "e1", 1)
		item["updated_at"] = at(3600)
		wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", item)
	})
}

// While the order's status is being raised by another transaction, it waits.
func TestRetryInConflict(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		park(t, e, string(g2a.EventStatusChanged), eventBody("e1", g2a.EventStatusChanged, "completed"), 1)
		e.Wire.Fail(storetest.Fine, storetest.Conflict(3), storetest.Conflict(3))
		if outcome, _, err := retrier(e).Retry(ctx, "e1#o1#order.status_changed", false); err != nil || outcome != inbox.Processed {
			t.Errorf("%s, %v", outcome, err)
		}
	})
}

func TestEvents(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for i, status := range []g2a.EventStatus{"pending", "lost", "completed", "failed"} { // failed: after completed
			receiver := inbox.Inbox{Store: box(e), Clock: func() time.Time { return now.Add(time.Duration(i) * time.Second) }}
			d := delivery(fmt.Sprint("n", i), fmt.Sprint("e", i), status)
			_, err := receiver.Receive(ctx, d.Event, []byte("body "+status))
			must(t, err)
		}
		found := map[string]inbox.EventRecord{}
		for event, err := range box(e).Events(ctx, true) {
			must(t, err)
			found[event.Key] = event
		}
		for key, want := range map[string]inbox.EventRecord{
			"e1#o1#order.status_changed": {Reason: "unknown status lost", Attempts: 1, TriedAt: now.Add(time.Second), Body: []byte("body lost")},
			"e3#o1#order.status_changed": {Reason: "status failed after completed", Attempts: 1, TriedAt: now.Add(3 * time.Second), Body: []byte("body failed")},
		} {
			got := found[key]
			if got.Reason != want.Reason || got.Attempts != want.Attempts || !got.TriedAt.Equal(want.TriedAt) || string(got.Body) != string(want.Body) {
				t.Errorf("%s: %+v, want %+v", key, got, want)
			}
		}
		if len(found) != 2 {
			t.Errorf("%d events are parked, want 2: %v", len(found), found)
		}
		outcomes := map[string]inbox.Outcome{}
		for event, err := range box(e).Events(ctx, false) {
			must(t, err)
			outcomes[event.Key[:2]] = event.Outcome
		}
		want := map[string]inbox.Outcome{"e0": inbox.Processed, "e1": inbox.Parked, "e2": inbox.Processed, "e3": inbox.Parked}
		if !maps.Equal(outcomes, want) {
			t.Errorf("all events are %v, want %v", outcomes, want)
		}
	})
}

func TestEventsDamaged(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		park(t, e, string(g2a.EventStatusChanged), "{}", 1)
		e.Put(t, e.OrdersTable, text("pk", "EVENT#e2#o1#order.failed", "sk", "PARKED", "attempts", "many"))
		good, damaged := 0, 0
		for _, err := range box(e).Events(ctx, true) {
			if err != nil {
				damaged++
				continue
			}
			good++
		}
		if good != 1 || damaged != 1 {
			t.Errorf("%d good and %d damaged, want 1 and 1", good, damaged)
		}
	})
}

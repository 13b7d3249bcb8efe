package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// deliver has WebhookFunction's part done, three hours ago.
func deliver(t *testing.T, e *storetest.Engine, id, order string, status g2a.EventStatus) {
	t.Helper()
	receiver := inbox.Inbox{
		Store: store.Inbox{DB: e.DB, StateTable: e.StateTable, OrdersTable: e.OrdersTable},
		Clock: func() time.Time { return time.Now().Add(-3*time.Hour - time.Minute) },
	}
	body := fmt.Sprintf(`{"event_id":%q,"order_id":%q,"type":"order.status_changed","payload":{"status":%q}}`, id, order, status)
	event := g2a.Event{ID: id, OrderID: order, Type: g2a.EventStatusChanged, Status: status, Nonce: id + order + string(status)}
	if _, err := receiver.Receive(t.Context(), event, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		s := newStack(t, e)
		s.variables["STATE_TABLE"] = e.StateTable
		deliver(t, e, "evt_1", "41", "failed")
		deliver(t, e, "evt_2", "41", "completed") // parked
		deliver(t, e, "evt_3", "41", "lost")      // parked
		deliver(t, e, "evt_4", "41", "lost")      // parked
		deliver(t, e, "evt_4", "42", "lost")      // parked
		deliver(t, e, "evt_50", "42", "lost")     // parked
		deliver(t, e, "evt_5", "43", "pending")
		deliver(t, e, "evt_5", "43", "completed") // parked: the event contradicts itself
		for _, step := range []struct{ words, want, err string }{
			{"events list --failed --json", `{"event":"evt_2#41#order.status_changed","outcome":"parked","reason":"status completed after failed","attempts":1,`, ""},
			{"events list --failed --json", `"age":"3 hours"`, ""},
			{"events list", "processed", ""},
			{"events retry evt_2", "status completed after failed", ""},
			{"events list --failed --json", `"reason":"status completed after failed","attempts":2,`, ""},
			{"events retry evt_2 --force --json", `{"event":"evt_2#41#order.status_changed","outcome":"processed","reason":""}`, ""},
			{"events retry evt_2 --force", "", "event evt_2: there is no such parked event"},
			{"events retry evt_1#41#order.status_changed", "", "event evt_1#41#order.status_changed: there is no such parked event"},
			{"events retry evt_4", "", "event evt_4 is parked more than once: name one of evt_4#41#order.status_changed, evt_4#42#order.status_changed"},
			{"events retry evt_4#42#order.status_changed", "unknown status lost", ""},
			{"events list --failed --json", `{"event":"evt_5#43#order.status_changed#completed","outcome":"parked","reason":"the event came with status pending, and then with status completed","attempts":1,`, ""},
			{"events retry evt_5 --json", `{"event":"evt_5#43#order.status_changed#completed","outcome":"processed","reason":""}`, ""},
			{"events list --json", `{"event":"evt_5#43#order.status_changed#completed","outcome":"processed","reason":"","attempts":2,`, ""},
			{"events retry evt_5", "", "event evt_5: there is no such parked event"},
		} {
			out, err := s.call(t, step.words)
			if fmt.Sprint(err) != step.err && (err != nil || step.err != "") || !strings.Contains(out, step.want) {
				t.Errorf("%s: %v, want %q; output, want %q:\n%s", step.words, err, step.err, step.want, out)
			}
		}
		out, err := s.call(t, "events list --failed --json")
		if parked := strings.Count(out, "\n"); err != nil || parked != 4 {
			t.Errorf("%v, %d are parked, want 4:\n%s", err, parked, out)
		}
		all, err := s.call(t, "events list --json")
		if events := strings.Count(all, "\n"); err != nil || events != 8 { // evt_2 and evt_5's second are settled by now
			t.Errorf("%v, %d are listed, want 8:\n%s", err, events, all)
		}
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
	})
}

func TestEventsWithoutTable(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for _, name := range []string{"STATE_TABLE", "ORDERS_TABLE"} {
			s := newStack(t, e)
			s.variables["STATE_TABLE"] = e.StateTable
			delete(s.variables, name)
			for _, words := range []string{"events list", "events retry e"} {
				if _, err := s.call(t, words); err == nil || err.Error() != name+": is missing" {
					t.Errorf("%s without %s: %v", words, name, err)
				}
			}
		}
	})
}

func TestAge(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0 seconds", 119 * time.Second: "119 seconds", 2 * time.Minute: "2 minutes", 2 * time.Hour: "2 hours", 47 * time.Hour: "47 hours", 50 * time.Hour: "2 days",
	} {
		if got := age(span); got != want {
			t.Errorf("%s is %q, want %q", span, got, want)
		}
	}
}

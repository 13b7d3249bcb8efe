package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

var (
	_ g2a.TokenStore  = store.Tokens{}
	_ inbox.Store     = store.Inbox{}
	_ purchase.Orders = store.Orders{}

	ctx = context.Background()
	// now is when every test happens.
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// at gives a time so many seconds after now, as an item tells it.
func at(seconds int64) string { return fmt.Sprintf("N %d", now.Unix()+seconds) }

// attributes tells an item's names, types and values: "S text", "N 12", "BOOL true",
// "B ff00".
type attributes map[string]string

func attributesOf(t *testing.T, item map[string]types.AttributeValue) attributes {
	t.Helper()
	told := attributes{}
	for name, value := range item {
		switch value := value.(type) {
		case *types.AttributeValueMemberS:
			told[name] = "S " + value.Value
		case *types.AttributeValueMemberN:
			told[name] = "N " + value.Value
		case *types.AttributeValueMemberBOOL:
			told[name] = fmt.Sprintf("BOOL %t", value.Value)
		case *types.AttributeValueMemberB:
			told[name] = fmt.Sprintf("B %x", value.Value)
		case *types.AttributeValueMemberL:
			for n, element := range value.Value {
				told[name] += fmt.Sprintf("L %d %v ", n, attributesOf(t, element.(*types.AttributeValueMemberM).Value))
			}
		default:
			t.Errorf("attribute %s is a %T", name, value)
		}
	}
	return told
}

// wantItem compares the stored item with what is wanted, attribute for attribute;
// nil means that there must be none.
func wantItem(t *testing.T, e *storetest.Engine, table, pk, sk string, want attributes) {
	t.Helper()
	if want != nil {
		want = maps.Clone(want)
		want["pk"], want["sk"] = "S "+pk, "S "+sk
	}
	got := attributesOf(t, e.Item(t, table, pk, sk))
	for name := range got {
		if got[name] != want[name] {
			t.Errorf("%s %s: %s is %q, want %q", pk, sk, name, got[name], want[name])
		}
	}
	for name := range want {
		if _, found := got[name]; !found {
			t.Errorf("%s %s: %s is missing, want %q", pk, sk, name, want[name])
		}
	}
}

func wantRequests(t *testing.T, e *storetest.Engine, want int) {
	t.Helper()
	if got := e.Wire.Requests(); got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is a raw item of texts, from names and values in turn.
func text(pairs ...string) map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{}
	for i := 0; i < len(pairs); i += 2 {
		item[pairs[i]] = &types.AttributeValueMemberS{Value: pairs[i+1]}
	}
	return item
}

// wantDamaged wants an error that says so, and that no retry is the answer to.
func wantDamaged(t *testing.T, err error, doing string) {
	t.Helper()
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.HasPrefix(err.Error(), doing+": the item is damaged: ") {
		t.Errorf("got %v, want %q to be damaged", err, doing)
	}
}

func TestPing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		must(t, store.Ping(ctx, e.DB, e.StateTable))
		wantRequests(t, e, 1)
		if err := store.Ping(ctx, e.DB, "Absent"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a table that is not there: %v", err)
		}
	})
}

// Every call tells a store that cannot be reached, throttles or refuses by the same
// error, and says what was being done.
func TestUnavailable(t *testing.T) {
	calls := map[string]struct {
		doing string
		call  func(e *storetest.Engine) error
	}{
		"Ping":         {"reading from", func(e *storetest.Engine) error { return store.Ping(ctx, e.DB, e.StateTable) }},
		"LoadToken":    {"reading the token", func(e *storetest.Engine) error { _, err := tokens(e).LoadToken(ctx, "f"); return err }},
		"LeaseToken":   {"taking the token's lease", func(e *storetest.Engine) error { _, err := lease(e, seen(0, "", 0), "a", 20); return err }},
		"SaveToken":    {"storing the token", func(e *storetest.Engine) error { _, err := tokens(e).SaveToken(ctx, "f", "a", token(1)); return err }},
		"ReleaseToken": {"releasing the token's lease", func(e *storetest.Engine) error { return release(e, "a", 0) }},
		"Apply": {"writing the webhook", func(e *storetest.Engine) error {
			_, _, err := box(e).Apply(ctx, delivery("n1", "e1", "pending"))
			return err
		}},
		"Record": {"writing the webhook", func(e *storetest.Engine) error {
			_, _, err := box(e).Record(ctx, delivery("n1", "e1", "pending"))
			return err
		}},
		"Parked": {"reading the event", func(e *storetest.Engine) error { _, _, err := box(e).Parked(ctx, "e1"); return err }},
		"ApplyParked": {"writing the webhook", func(e *storetest.Engine) error {
			_, _, err := box(e).ApplyParked(ctx, inbox.EventRecord{}, delivery("n1", "e1", "pending"), false)
			return err
		}},
		"RecordParked": {"writing the webhook", func(e *storetest.Engine) error {
			_, _, err := box(e).RecordParked(ctx, inbox.EventRecord{}, delivery("n1", "e1", "pending"))
			return err
		}},
		"Events": {"listing the events", func(e *storetest.Engine) error {
			for _, err := range box(e).Events(ctx, true) {
				return err
			}
			return nil
		}},
		"Load":       {"reading the order", func(e *storetest.Engine) error { _, _, err := orders(e).Load(ctx, "r"); return err }},
		"Save":       {"writing the order", func(e *storetest.Engine) error { return orders(e).Save(ctx, fullOrder()) }},
		"SaveLinked": {"writing the order and its link", func(e *storetest.Engine) error { return orders(e).SaveLinked(ctx, fullOrder()) }},
		"Status":     {"reading the order's status", func(e *storetest.Engine) error { _, err := orders(e).Status(ctx, "g"); return err }},
	}
	throttled := storetest.Refusal(`{"__type":"ThrottlingException","message":"slow down"}`)
	failures := map[string]func(w *storetest.Wire){
		"not reachable": func(w *storetest.Wire) { w.Cut() },
		"throttled":     func(w *storetest.Wire) { w.Fail(throttled, throttled, throttled) },
		"refused":       func(w *storetest.Wire) { w.Fail(storetest.Refusal(`{"__type":"AccessDeniedException"}`)) },
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range calls {
			for failure, fail := range failures {
				t.Run(name+" "+failure, func(t *testing.T) {
					e.Wire.Mend()
					fail(e.Wire)
					err := c.call(e)
					if !errors.Is(err, store.ErrUnavailable) {
						t.Fatalf("got %v, want ErrUnavailable", err)
					}
					if errors.Is(err, purchase.ErrVersionConflict) {
						t.Errorf("%v is no conflict", err)
					}
					if !strings.HasPrefix(err.Error(), c.doing) {
						t.Errorf("%q does not begin with %q", err, c.doing)
					}
				})
			}
		}
	})
}

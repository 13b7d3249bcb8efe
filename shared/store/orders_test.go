package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func orders(e *storetest.Engine) store.Orders { return store.Orders{DB: e.DB, Table: e.OrdersTable} }

func money(amount string) g2a.Money {
	m, err := g2a.ParseMoney(amount, "EUR")
	if err != nil {
		panic(err)
	}
	return m
}

// newOrder is what the first write of an order holds.
func newOrder() purchase.Order {
	request := purchase.Request{Ref: "r1", ProductID: "10000027819004", MaxPrice: money("12.50"), Quantity: 1}
	return purchase.Order{
		Request: request, Fingerprint: request.Fingerprint(), API: g2a.ExportV1, Step: purchase.Started, Version: 1,
		LeaseOwner: "a", LeaseUntil: now.Add(time.Minute), CreatedAt: now, UpdatedAt: now,
	}
}

// fullOrder has a value in every field.
func fullOrder() purchase.Order {
	o := newOrder()
	o.Step, o.Price, o.G2AOrderID = purchase.Fulfilled, money("4.90"), "g1"
	o.Creations, o.OrderedAt, o.Payments, o.TriedAt = 2, now.Add(2*time.Second), 1, now.Add(3*time.Second)
	o.API, o.Quantity, o.Spent, o.IdempotencyKey, o.Overcharged = g2a.ExportV2, 2, money("3.20"), "a-uuid", true
	o.Keys = []purchase.Key{
		{Value: g2a.NewSecret("AAAAA-BBBBB"), IsFile: true, G2AOrderID: "g0"}, {Value: g2a.NewSecret("CCCCC"), G2AOrderID: "g1"},
	}
	o.Raw, o.KeyStored = g2a.NewSecret("\xff\x00"), true
	o.Reason = "a reason"
	o.UpdatedAt = now.Add(time.Second)
	return o
}

func newItem() attributes {
	return attributes{
		"step": "S started", "version": "N 1", "request_fingerprint": "S " + newOrder().Fingerprint,
		"product_id": "S 10000027819004", "max_price": "S 12.50", "currency": "S EUR", "quantity": "N 1", "api": "S v1",
		"lease_owner": "S a", "lease_until": at(60), "created_at": at(0), "updated_at": at(0),
	}
}

func fullItem() attributes {
	item := newItem()
	for name, value := range (attributes{
		"step": "S fulfilled", "price": "S 4.90", "g2a_order_id": "S g1", "product_key": "S AAAAA-BBBBB",
		"key_is_file": "BOOL true", "key_raw": "B ff00", "reason": "S a reason", "updated_at": at(1),
		"key_g2a_order_id": "S g0", "more_keys": "L 0 map[product_key:S CCCCC] ", "quantity": "N 2", "api": "S v2",
		"spent": "S 3.20", "idempotency_key": "S a-uuid", "overcharged": "BOOL true",
		"creations": "N 2", "ordered_at": at(2), "payments": "N 1", "tried_at": at(3),
	}) {
		item[name] = value
	}
	return item
}

func wantOrder(t *testing.T, e *storetest.Engine, item attributes) {
	t.Helper()
	wantItem(t, e, e.OrdersTable, "ORDER#r1", "ORDER", item)
}

// Each kind of record has exactly the documented attributes, and comes back as it was.
func TestOrderItem(t *testing.T) {
	released := newOrder()
	released.LeaseOwner, released.LeaseUntil = "", time.Time{}
	releasedItem := newItem()
	delete(releasedItem, "lease_owner")
	delete(releasedItem, "lease_until")
	tests := map[string]struct {
		order purchase.Order
		want  attributes
	}{
		"new":       {newOrder(), newItem()},
		"released":  {released, releasedItem},
		"all there": {fullOrder(), fullItem()},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				e.Delete(t, e.OrdersTable, "ORDER#r1", "ORDER")
				must(t, orders(e).Save(ctx, c.order))
				wantOrder(t, e, c.want)
				e.Wire.Requests()
				got, found, err := orders(e).Load(ctx, "r1")
				must(t, err)
				wantRequests(t, e, 1)
				if !found || !same(got, c.order) {
					t.Errorf("loaded %t %+v, want %+v", found, got, c.order)
				}
			})
		}
	})
}

// same compares all fields, amounts and times by their values.
func same(a, b purchase.Order) bool {
	equal := slices.EqualFunc(a.Keys, b.Keys, sameKey) && a.Raw.Equal(b.Raw) && a.Spent.String() == b.Spent.String() && a.MaxPrice.String() == b.MaxPrice.String() && a.Price.String() == b.Price.String() &&
		a.OrderedAt.Equal(b.OrderedAt) && a.TriedAt.Equal(b.TriedAt) && a.LeaseUntil.Equal(b.LeaseUntil) && a.CreatedAt.Equal(b.CreatedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
	for _, o := range []*purchase.Order{&a, &b} {
		o.Keys, o.Raw, o.MaxPrice, o.Price, o.Spent = nil, g2a.Secret{}, g2a.Money{}, g2a.Money{}, g2a.Money{}
		o.OrderedAt, o.TriedAt = time.Time{}, time.Time{}
		o.LeaseUntil, o.CreatedAt, o.UpdatedAt = time.Time{}, time.Time{}, time.Time{}
	}
	return equal && reflect.DeepEqual(a, b)
}

// sameKey leaves out whether the record holds it: what was loaded is stored.
func sameKey(a, b purchase.Key) bool {
	return a.Value.Equal(b.Value) && a.IsFile == b.IsFile && a.G2AOrderID == b.G2AOrderID
}

func TestLoadNothing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		if _, found, err := orders(e).Load(ctx, "r1"); found || err != nil {
			t.Errorf("found %t, %v", found, err)
		}
	})
}

// A write goes only over the version before it, whoever wrote that.
func TestSave(t *testing.T) {
	version := func(n int64, owner string) purchase.Order {
		o := newOrder()
		o.Version, o.LeaseOwner = n, owner
		return o
	}
	without := func(n int64) purchase.Order {
		o := version(n, "")
		o.LeaseUntil = time.Time{}
		return o
	}
	key := fullOrder()
	key.Version, key.LeaseOwner, key.LeaseUntil = 2, "", time.Time{}
	conflict := purchase.ErrVersionConflict
	tests := map[string]struct {
		before []purchase.Order
		faults []storetest.Fault
		order  purchase.Order
		want   error
		left   int64 // the version stored in the end
	}{
		"the first on nothing":                        {nil, nil, version(1, "a"), nil, 1},
		"the second over the first":                   {[]purchase.Order{version(1, "a")}, nil, version(2, "a"), nil, 2},
		"the first over another's first":              {[]purchase.Order{version(1, "b")}, nil, version(1, "a"), conflict, 1},
		"the second on nothing":                       {nil, nil, version(2, "a"), conflict, 0},
		"over a later one":                            {[]purchase.Order{version(1, "a"), version(2, "b"), version(3, "b")}, nil, version(2, "a"), conflict, 3},
		"a version left out":                          {[]purchase.Order{version(1, "a")}, nil, version(3, "a"), conflict, 1},
		"the answer to the first is lost":             {nil, []storetest.Fault{storetest.AnswerLost}, version(1, "a"), nil, 1},
		"the answer to a release is lost":             {[]purchase.Order{version(1, "a")}, []storetest.Fault{storetest.AnswerLost}, without(2), nil, 2},
		"the answer to the last write is lost":        {[]purchase.Order{version(1, "a")}, []storetest.Fault{storetest.AnswerLost}, key, nil, 2},
		"another's release is not one's own last one": {[]purchase.Order{version(1, "a"), without(2)}, nil, key, conflict, 2},
		"the request did not get there":               {nil, []storetest.Fault{storetest.Unreachable}, version(1, "a"), nil, 1},
	}
	for kind, write := range map[string]func(store.Orders, context.Context, purchase.Order) error{
		"Save": store.Orders.Save, "SaveLinked": store.Orders.SaveLinked,
	} {
		t.Run(kind, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
				for name, c := range tests {
					t.Run(name, func(t *testing.T) {
						e.Delete(t, e.OrdersTable, "ORDER#r1", "ORDER")
						for _, o := range c.before {
							must(t, orders(e).Save(ctx, o))
						}
						order := c.order
						order.G2AOrderID = "g1"
						e.Wire.Fail(c.faults...)
						if err := write(orders(e), ctx, order); !errors.Is(err, c.want) {
							t.Fatalf("got %v, want %v", err, c.want)
						}
						got, _, err := orders(e).Load(ctx, "r1")
						must(t, err)
						if got.Version != c.left {
							t.Errorf("version %d is stored, want %d", got.Version, c.left)
						}
					})
				}
			})
		})
	}
}

// SaveLinked writes the record and the link, or neither.
func TestSaveLinked(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		must(t, orders(e).SaveLinked(ctx, fullOrder()))
		wantRequests(t, e, 1)
		wantOrder(t, e, fullItem())
		wantItem(t, e, e.OrdersTable, "G2A#g1", "STATUS", attributes{"order_ref": "S r1", "updated_at": at(1)})

		other := fullOrder()
		other.G2AOrderID, other.LeaseOwner = "g2", "b"
		if err := orders(e).SaveLinked(ctx, other); !errors.Is(err, purchase.ErrVersionConflict) {
			t.Errorf("over another's first: %v", err)
		}
		wantOrder(t, e, fullItem())
		wantItem(t, e, e.OrdersTable, "G2A#g2", "STATUS", nil)
	})
}

// A webhook that writes the same status item at the same time does not lose the
// order's id.
func TestSaveLinkedConflict(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		conflict := storetest.Conflict(2)
		e.Wire.Fail(conflict, conflict, conflict)
		must(t, orders(e).SaveLinked(ctx, fullOrder()))
		wantRequests(t, e, 4)
		wantItem(t, e, e.OrdersTable, "G2A#g1", "STATUS", attributes{"order_ref": "S r1", "updated_at": at(1)})
	})
}

// The webhook may come before the order's own record or after it: the status item
// ends up with both.
func TestStatusItem(t *testing.T) {
	link := func(t *testing.T, e *storetest.Engine) {
		o := fullOrder()
		o.G2AOrderID = "o1"
		must(t, orders(e).SaveLinked(ctx, o))
	}
	webhook := func(t *testing.T, e *storetest.Engine) {
		d := delivery("n1", "e1", "completed")
		d.ReceivedAt = now.Add(time.Second)
		if _, applied, err := box(e).Apply(ctx, d); err != nil || !applied {
			t.Fatalf("applied %t, %v", applied, err)
		}
	}
	for name, steps := range map[string][]func(*testing.T, *storetest.Engine){
		"webhook before link": {webhook, link},
		"link before webhook": {link, webhook},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
				for _, step := range steps {
					step(t, e)
				}
				want := statusItem("completed", "e1", 1)
				want["order_ref"], want["updated_at"] = "S r1", at(1)
				wantItem(t, e, e.OrdersTable, "G2A#o1", "STATUS", want)
			})
		})
	}
}

func TestStatus(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		wantStatus := func(when string, want g2a.EventStatus) {
			t.Helper()
			got, err := orders(e).Status(ctx, "o1")
			must(t, err)
			if got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		wantStatus("nothing told", "")
		o := fullOrder()
		o.G2AOrderID = "o1"
		must(t, orders(e).SaveLinked(ctx, o))
		wantStatus("a link alone", "")
		_, _, err := box(e).Apply(ctx, delivery("n1", "e1", "processing"))
		must(t, err)
		wantStatus("told", g2a.StatusProcessing)
		if _, applied, err := box(e).Apply(ctx, parked(delivery("n2", "e2", "lost"))); applied || err != nil {
			t.Errorf("an event of no rank: applied %t, %v", applied, err)
		}
		wantStatus("a status of no rank", g2a.StatusProcessing)
	})
}

func TestOrderDamaged(t *testing.T) {
	set := func(name string, value types.AttributeValue) map[string]types.AttributeValue {
		item := text("pk", "ORDER#r1", "sk", "ORDER", "step", "created", "max_price", "12.50", "currency", "EUR", "product_key", "AAAAA-BBBBB")
		item[name] = value
		return item
	}
	tests := map[string]struct {
		item map[string]types.AttributeValue
		want string
	}{
		"no amount":        {set("max_price", &types.AttributeValueMemberS{Value: "a lot"}), "max_price"},
		"no currency":      {set("currency", &types.AttributeValueMemberS{Value: ""}), "max_price"},
		"price no amount":  {set("price", &types.AttributeValueMemberS{Value: "-1"}), "price"},
		"version a text":   {set("version", &types.AttributeValueMemberS{Value: "one"}), "int64"},
		"lease no integer": {set("lease_until", &types.AttributeValueMemberN{Value: "1.5"}), "1.5"},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				e.Put(t, e.OrdersTable, c.item)
				_, _, err := orders(e).Load(ctx, "r1")
				wantDamaged(t, err, "reading the order r1")
				if err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%q does not name %s", err, c.want)
				}
				if err != nil && strings.Contains(err.Error(), "AAAAA") {
					t.Errorf("%q tells the key", err)
				}
			})
		}
	})
}

// List gives the orders and nothing else, past the pages of one megabyte and past a
// damaged record.
func TestList(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		want := map[string]bool{}
		padding := strings.Repeat("x", 300_000) // four records are more than a page
		for i := range 5 {
			o := newOrder()
			o.Ref, o.Reason = fmt.Sprintf("r#%d", i), padding
			o.Keys, o.KeyStored = []purchase.Key{{Value: g2a.NewSecret("AAAAA-BBBBB")}}, true
			must(t, orders(e).Save(ctx, o))
			want[o.Ref] = true
		}
		e.Put(t, e.OrdersTable, text("pk", "G2A#g1", "sk", "STATUS", "status", "completed"))
		e.Put(t, e.OrdersTable, text("pk", "ORDER#damaged", "sk", "ORDER", "step", "created", "max_price", "a lot", "currency", "EUR"))
		var damaged []error
		for o, err := range orders(e).List(ctx) {
			switch {
			case err != nil:
				damaged = append(damaged, err)
			case !want[o.Ref] || o.Reason != padding:
				t.Errorf("lists %q, twice or not wanted", o.Ref)
			case !o.KeyStored || len(o.Keys) != 1 || !o.Keys[0].Value.IsZero():
				t.Errorf("%q: a key is stored: %t, and listed: %+v", o.Ref, o.KeyStored, o.Keys)
			}
			delete(want, o.Ref)
		}
		if len(want) > 0 || len(damaged) != 1 || !strings.Contains(damaged[0].Error(), "ORDER#damaged is damaged: max_price") {
			t.Errorf("not listed: %v; errors: %v", want, damaged)
		}
		for range orders(e).List(ctx) {
			break // must not panic
		}
		e.Wire.Cut()
		listed := 0
		for _, err := range orders(e).List(ctx) {
			if listed++; !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("from an engine out of reach: %v", err)
			}
		}
		if listed != 1 {
			t.Errorf("%d results, want the one error", listed)
		}
	})
}

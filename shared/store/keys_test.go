package store_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// bytesOf returns random bytes, the same for the same size.
func bytesOf(size int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	return content
}

// keySizes are around what an item holds beside the rest, around a part, what G2A's files
// were seen to have, and the most that is ever read.
var keySizes = []int{1, 96 << 10, 96<<10 + 1, 320 << 10, 320<<10 + 1, 430_080, 8 << 20}

// A key comes back byte for byte, whatever its size: as text, and as the bytes of an
// answer that could not be understood.
func TestKeySizes(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for n, size := range keySizes {
			value := base64.StdEncoding.EncodeToString(bytesOf(size))[:size]
			for name, key := range map[string]g2a.Key{
				"text":  {Value: g2a.NewSecret(value), IsFile: true},
				"bytes": {Raw: g2a.NewSecret(string(bytesOf(size)))},
				"both":  {Value: g2a.NewSecret(value), Raw: g2a.NewSecret(string(bytesOf(size)))},
			} {
				t.Run(fmt.Sprintf("%d %s", size, name), func(t *testing.T) {
					o := newOrder()
					o.Ref, o.Raw, o.KeyStored = fmt.Sprintf("key-%d-%s", n, name), key.Raw, true
					if !key.Value.IsZero() {
						o.Keys = []purchase.Key{{Value: key.Value, IsFile: key.IsFile}}
					}
					must(t, orders(e).Save(ctx, o))
					got, found, err := orders(e).Load(ctx, o.Ref)
					must(t, err)
					if !found || !same(got, o) {
						t.Errorf("found %t, the same %t", found, same(got, o))
					}
				})
			}
		}
	})
}

// Several keys come back in their order. What has no room in the record stands in parts,
// and those of a key that is stored are not written again with the next one.
func TestSeveralKeys(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		o := newOrder()
		o.Ref, o.Quantity, o.KeyStored = "several", 9, true
		for n := range o.Quantity { // together more than an item holds
			value := strings.Repeat(string(rune('a'+n)), 50_000)
			o.Keys = append(o.Keys, purchase.Key{Value: g2a.NewSecret(value), IsFile: n%2 == 1, G2AOrderID: fmt.Sprintf("g%d", n)})
			o.G2AOrderID = fmt.Sprintf("g%d", n)
			e.Wire.Requests()
			must(t, orders(e).Save(ctx, o))
			if requests := e.Wire.Requests(); requests != 1+min(n, 1) {
				t.Errorf("with key %d: %d requests, want the record and the parts of that key", n, requests)
			}
			got, _, err := orders(e).Load(ctx, o.Ref)
			must(t, err)
			if !same(got, o) {
				t.Errorf("with key %d: not the same", n)
			}
			o = got
			o.Version++
		}
	})
}

// The record of a key in parts is written last, and its own write alone is conditional:
// a caller that is too late changes nothing of another one's key.
func TestKeyInPartsIsConditional(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		first, late := newOrder(), newOrder()
		first.Keys, first.KeyStored = []purchase.Key{{Value: g2a.NewSecret(strings.Repeat("a", 700_000))}}, true
		late.Keys, late.KeyStored = []purchase.Key{{Value: g2a.NewSecret(strings.Repeat("b", 700_000))}}, true
		must(t, orders(e).Save(ctx, first))
		if err := orders(e).Save(ctx, late); !errors.Is(err, purchase.ErrVersionConflict) {
			t.Errorf("the second write of the version: %v", err)
		}
		if err := orders(e).Save(ctx, first); err != nil {
			t.Errorf("the same write again: %v", err)
		}
		got, _, err := orders(e).Load(ctx, first.Ref)
		must(t, err)
		if !same(got, first) {
			t.Error("the key has changed")
		}
		e.Wire.Cut()
		o := newOrder()
		o.Ref, o.Keys = "cut", first.Keys
		if err := orders(e).Save(ctx, o); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, purchase.ErrUnwritable) {
			t.Errorf("with the engine away: %v", err)
		}
	})
}

// Parts that are missing or changed are a damaged record, not another key.
func TestKeyPartsDamaged(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, damage := range map[string]func(t *testing.T, pk, sk string){
			"missing": func(t *testing.T, pk, sk string) { e.Delete(t, e.OrdersTable, pk, sk) },
			"changed": func(t *testing.T, pk, sk string) {
				item := text("pk", pk, "sk", sk)
				item["data"] = &types.AttributeValueMemberB{Value: []byte("other")}
				e.Put(t, e.OrdersTable, item)
			},
		} {
			t.Run(name, func(t *testing.T) {
				o := newOrder()
				o.Ref, o.Keys = "damaged-"+name, []purchase.Key{{Value: g2a.NewSecret(strings.Repeat("a", 700_000))}}
				must(t, orders(e).Save(ctx, o))
				parts, err := e.DB.Query(ctx, &dynamodb.QueryInput{
					TableName: &e.OrdersTable, KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :key)"),
					ExpressionAttributeValues: map[string]types.AttributeValue{
						":pk": &types.AttributeValueMemberS{Value: "ORDER#" + o.Ref}, ":key": &types.AttributeValueMemberS{Value: "KEY#"},
					},
				})
				must(t, err)
				if len(parts.Items) != 3 {
					t.Fatalf("%d parts, want 3", len(parts.Items))
				}
				damage(t, "ORDER#"+o.Ref, parts.Items[1]["sk"].(*types.AttributeValueMemberS).Value)
				if _, _, err := orders(e).Load(ctx, o.Ref); err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "parts are damaged") {
					t.Errorf("%v", err)
				}
			})
		}
	})
}

// What DynamoDB can never take is told apart from an outage. The embedded engine takes
// everything.
func TestUnwritable(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		o := newOrder()
		o.Reason = strings.Repeat("x", 500_000)
		o.G2AOrderID = "g1"
		for name, save := range map[string]func() error{
			"a write":       func() error { return orders(e).Save(ctx, o) },
			"a linked one":  func() error { return orders(e).SaveLinked(ctx, o) },
			"one once more": func() error { return orders(e).Save(ctx, o) },
		} {
			if strings.HasPrefix(t.Name(), "TestUnwritable/minidyn") {
				invalid := storetest.Refusal(`{"__type":"com.amazon.coral.validate#ValidationException","message":"Item size has exceeded the maximum allowed size"}`)
				e.Wire.Fail(invalid)
			}
			e.Wire.Requests()
			if err := save(); !errors.Is(err, purchase.ErrUnwritable) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnwritable", name, err)
			}
			wantRequests(t, e, 1)
		}
	})
}

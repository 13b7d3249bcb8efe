//go:build proof

package orders

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// audit is what the simulator's order book tells of the orders, held against their
// records.
type audit struct {
	orders   int            // of the shop
	ends     map[string]int // by the record's step
	created  int            // at G2A
	most     int            // for one order of the shop
	paid     int
	charges  int
	double   int // orders of the shop for which more than one was paid, or one twice
	above    int // paid above the limit
	revealed int // keys
	stored   int // of them
	reported int // of those that are not stored: in a record that needs attention
	raw      int // of the reported: in an answer that was kept as it came
	lost     int // neither
	problems []string
}

func (a *audit) problem(o *order, format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf("order %s (%s): ", o.ref, o.kind)+fmt.Sprintf(format, args...))
}

// audit closes the books. complete tells that G2A's orders are complete as soon as they
// are paid: then who asks before paying again never pays an order twice.
func (s *stack) audit(orders []*order, complete bool) *audit {
	a := &audit{orders: len(orders), ends: map[string]int{}}
	book := map[string][]g2atest.OrderRecord{}
	for _, sold := range s.Simulator.Orders() {
		book[sold.ProductID] = append(book[sold.ProductID], sold)
	}
	owners := map[string]string{}
	for _, o := range orders {
		record, keys := s.item("ORDER#"+o.ref, "ORDER"), s.keysOf(o.ref)
		market := s.options.market
		a.order(o, record, keys, append(book[o.product], book[o.dearer]...), market.pieces(), complete && market.api == g2a.ExportV1)
		if most := market.mostMade * market.pieces(); len(book[o.product])+len(book[o.dearer]) > most {
			a.problem(o, "more than %d orders are made for it at G2A", most)
		}
		for _, key := range keys {
			if owners[key] != "" {
				a.problem(o, "its key is that of order %s too", owners[key])
			}
			owners[key] = o.ref
		}
	}
	return a
}

// wholly checks that no order of G2A's is left over: all of them belong to the orders.
func (a *audit) wholly(stats g2atest.Stats) {
	if stats.OrdersPaid != a.paid || stats.Charges != a.charges || stats.KeysRevealed != a.revealed || stats.OrdersCreated != a.created {
		a.problems = append(a.problems, fmt.Sprintf("G2A has created %d orders, been paid for %d, charged %d times and revealed %d keys; found %d, %d, %d, %d",
			stats.OrdersCreated, stats.OrdersPaid, stats.Charges, stats.KeysRevealed, a.created, a.paid, a.charges, a.revealed))
	}
}

// order holds one record against what G2A has sold for it, which is so many orders.
func (a *audit) order(o *order, record map[string]string, keys []string, sold []g2atest.OrderRecord, pieces int, complete bool) {
	step, own := record["step"], record["g2a_order_id"]
	a.ends[step]++
	a.created += len(sold)
	if !final(step) {
		a.problem(o, "is without an end, at %q", step)
	}
	paid, pays := 0, 0
	have := map[string]int{}
	for _, key := range keys {
		have[digest(key)]++
	}
	for _, at := range sold {
		a.charges += at.Charges
		if at.Charges > 0 {
			paid++
			pays += at.PayCalls - at.Charges
			a.payment(o, at, step, record, have[at.KeySHA256] == 1)
		}
		for n, sum := range at.KeysSHA256 {
			stored := have[sum] == 1 && (at.ID == own || pieces > 1)
			if n < at.KeysRevealed {
				a.key(o, at, record, stored)
			} else if stored {
				a.problem(o, "has a key that G2A has not revealed")
			}
			delete(have, sum)
		}
	}
	if len(have) > 0 {
		a.problem(o, "has %d keys that G2A has not revealed, or twice", len(have))
	}
	a.paid += paid
	a.most = max(a.most, len(sold))
	if paid > pieces {
		a.double++
		a.problem(o, "%d orders are paid for it", paid)
	}
	if step == "fulfilled" && (paid != pieces || len(keys) != o.quantity) {
		a.problem(o, "is fulfilled with %d paid orders and %d keys of %d stored", paid, len(keys), o.quantity)
	}
	if complete && pays > o.latePay {
		a.problem(o, "paid again without asking first: %d times", pays)
	}
}

// payment holds one paid order against the record, which may hold its key.
func (a *audit) payment(o *order, at g2atest.OrderRecord, step string, record map[string]string, held bool) {
	if at.Charges > 1 {
		a.double++
		a.problem(o, "order %s of G2A is charged %d times", at.ID, at.Charges)
	}
	if charged := decimal.RequireFromString(at.Charged.String()); charged.GreaterThan(o.limit.Mul(decimal.NewFromInt(int64(o.quantity)))) {
		a.above++
		a.problem(o, "%s is paid, and %s is the limit of each of %d", charged, o.limit, o.quantity)
	}
	// On v2 an order whose id was never heard is named by its idempotency key.
	own := record["g2a_order_id"]
	known := at.ID == own || held || own == "" && at.IdempotencyKey != "" && at.IdempotencyKey == record["idempotency_key"]
	if !known || (step != "fulfilled" && step != "needs_attention" && step != "partly_fulfilled") {
		a.problem(o, "order %s of G2A is paid, and the record says %s of %q", at.ID, step, own)
	}
}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// key tells where a revealed key has come to.
func (a *audit) key(o *order, at g2atest.OrderRecord, record map[string]string, stored bool) {
	a.revealed++
	switch step := record["step"]; {
	case stored:
		a.stored++
	case step == "needs_attention":
		a.reported++
		if record["reason"] == "key_unreadable" {
			a.raw++
		}
	default:
		a.lost++
		a.problem(o, "the key of %s is lost, and the record says %s", at.ID, step)
	}
}

//go:build proof

package orders

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/shopspring/decimal"

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
	lost     int // neither
	problems []string
}

// mostCreated orders are made at G2A for one of the shop's without a person.
const mostCreated = 3

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
	keys := map[string]string{}
	for _, o := range orders {
		record := s.item("ORDER#"+o.ref, "ORDER")
		a.order(o, record, append(book[o.product], book[o.dearer]...), complete)
		if key := record["product_key"]; key != "" && keys[key] != "" {
			a.problem(o, "its key is that of order %s too", keys[key])
		} else if key != "" {
			keys[key] = o.ref
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

// order holds one record against what G2A has sold for it.
func (a *audit) order(o *order, record map[string]string, sold []g2atest.OrderRecord, complete bool) {
	step, own := record["step"], record["g2a_order_id"]
	a.ends[step]++
	a.created += len(sold)
	if !final(step) {
		a.problem(o, "is without an end, at %q", step)
	}
	paid, pays, hasKey := 0, 0, record["product_key"] != ""
	for _, at := range sold {
		a.charges += at.Charges
		if at.Charges > 0 {
			paid++
			pays += at.PayCalls - at.Charges
			a.payment(o, at, step, own)
		}
		if at.KeyRevealed {
			a.key(o, at, step, hasKey && at.ID == own)
		}
		if hasKey && at.ID == own && !at.KeyRevealed {
			a.problem(o, "has a key that G2A has not revealed")
		}
		if sum := sha256.Sum256([]byte(record["product_key"])); hasKey && at.ID == own && hex.EncodeToString(sum[:]) != at.KeySHA256 {
			a.problem(o, "has another key than G2A has revealed")
		}
	}
	a.paid += paid
	a.most = max(a.most, len(sold))
	if len(sold) > mostCreated {
		a.problem(o, "%d orders are made for it at G2A", len(sold))
	}
	if paid > 1 {
		a.double++
		a.problem(o, "%d orders are paid for it", paid)
	}
	if step == "fulfilled" && (paid != 1 || !hasKey) {
		a.problem(o, "is fulfilled with %d paid orders, its key stored: %v", paid, hasKey)
	}
	if complete && pays > o.latePay {
		a.problem(o, "paid again without asking first: %d times", pays)
	}
}

// payment holds one paid order against the record.
func (a *audit) payment(o *order, at g2atest.OrderRecord, step, own string) {
	if at.Charges > 1 {
		a.double++
		a.problem(o, "order %s of G2A is charged %d times", at.ID, at.Charges)
	}
	if charged := decimal.RequireFromString(at.Charged.String()); charged.GreaterThan(o.limit) {
		a.above++
		a.problem(o, "%s is paid, and %s is the limit", charged, o.limit)
	}
	if at.ID != own || (step != "fulfilled" && step != "needs_attention") {
		a.problem(o, "order %s of G2A is paid, and the record says %s of %q", at.ID, step, own)
	}
}

// key tells where a revealed key has come to.
func (a *audit) key(o *order, at g2atest.OrderRecord, step string, stored bool) {
	a.revealed++
	switch {
	case stored:
		a.stored++
	case step == "needs_attention":
		a.reported++
	default:
		a.lost++
		a.problem(o, "the key of %s is lost, and the record says %s", at.ID, step)
	}
}

//go:build proof

package workflow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// closeBooks holds G2A's order book against the records: no order_ref was paid twice, no
// order was charged twice, and each key that was given out is stored or reported.
func (s *shop) closeBooks() {
	var records []*purchase.Order
	for ref := range s.refs {
		if record, found := s.record(ref); found {
			records = append(records, &record)
		}
	}
	sold := s.orders()
	made, charges := map[*purchase.Order]int{}, map[*purchase.Order]int{}
	for _, at := range sold {
		of := owner(records, at)
		made[of]++
		charges[of] += at.Charges
		if at.Charges > 1 {
			s.Errorf("charged more than once: %+v", at)
		}
		s.closeKeys(at, of)
	}
	if charges[nil] > 0 {
		s.Errorf("%d orders at G2A are charged and no record knows of them: %+v", charges[nil], sold)
	}
	paid, double, most := charges[nil], charges[nil], 0
	for _, record := range records {
		paid += charges[record]
		double += s.overpaid(record, charges[record])
		most = max(most, made[record])
	}
	if len(records) == 1 { // then those that were left unpaid are its own too
		most = len(sold)
	}
	if s.market.api == g2a.ExportV2 && (most > 1 || made[nil] > 0) {
		s.Errorf("%d orders at G2A for one order_ref, and %d for none: %+v", most, made[nil], sold)
	}
	totals.add(s.market, func(t *counts) {
		t.refs += len(records)
		t.made += len(sold)
		t.most = max(t.most, most)
		t.paid += paid
		t.double += double
		t.kills += s.kills
	})
}

// overpaid returns how many charges a record has beyond those of its keys.
func (s *shop) overpaid(record *purchase.Order, charges int) (double int) {
	double = max(0, charges-s.market.orders(record.Quantity))
	if double > 0 {
		s.Errorf("%d charges for order %s of %d keys", charges, record.Ref, record.Quantity)
	}
	return double
}

// closeKeys accounts for each key that an order at G2A has given out.
func (s *shop) closeKeys(at g2atest.OrderRecord, of *purchase.Order) {
	for _, sum := range at.KeysSHA256[:at.KeysRevealed] {
		stored := of != nil && slices.ContainsFunc(of.Keys, func(k purchase.Key) bool { return k.G2AOrderID == at.ID && digest(k) == sum })
		reported := of != nil && of.Step == purchase.NeedsAttention
		if !stored && !reported {
			s.Errorf("a key of order %s at G2A was given out, and is lost: %+v", at.ID, of)
		}
		totals.add(s.market, func(t *counts) {
			switch t.revealed++; {
			case stored:
				t.stored++
			case reported:
				t.reported++
			default:
				t.lost++
			}
		})
	}
}

// owner returns the record that knows of an order at G2A; nil is none.
func owner(records []*purchase.Order, at g2atest.OrderRecord) *purchase.Order {
	for _, record := range records {
		hasKey := slices.ContainsFunc(record.Keys, func(k purchase.Key) bool { return k.G2AOrderID == at.ID })
		named := at.IdempotencyKey != "" && at.IdempotencyKey == record.IdempotencyKey
		if hasKey || named || record.G2AOrderID == at.ID {
			return record
		}
	}
	return nil
}

func digest(k purchase.Key) string {
	sum := sha256.Sum256([]byte(k.Value.Reveal()))
	return hex.EncodeToString(sum[:])
}

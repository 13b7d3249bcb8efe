package g2atest

import "encoding/json"

// OrderRecord is one order of the order book. It holds no key. Amounts are exact,
// in EUR.
type OrderRecord struct {
	ID            string      `json:"id"`
	ProductID     string      `json:"product_id"`
	Price         json.Number `json:"price"`                    // of all pieces
	KeySHA256     string      `json:"key_sha256"`               // hex, of the key string, given out or not yet; with several, of the first
	Status        string      `json:"status"`                   // pending or complete, as details without a lag say
	CreatedAt     int64       `json:"created_at"`               // unix seconds
	Lapsed        bool        `json:"lapsed"`                   // not paid while its piece was reserved
	Paid          bool        `json:"paid"`                     // charged, not only accepted
	TransactionID string      `json:"transaction_id,omitempty"` // of the first charge
	PayCalls      int         `json:"pay_calls"`                // those that were refused, too
	Charges       int         `json:"charges"`                  // times the wallet was charged
	Charged       json.Number `json:"charged"`                  // and how much in all
	KeyCalls      int         `json:"key_calls"`
	KeyRevealed   bool        `json:"key_revealed"`  // with several, all of them
	KeysRevealed  int         `json:"keys_revealed"` // how many, the first ones

	Quantity       int      `json:"quantity"`                  // pieces, 1 but for the Export API v2
	IdempotencyKey string   `json:"idempotency_key,omitempty"` // of the Export API v2
	KeysSHA256     []string `json:"keys_sha256"`               // of each key, in the order they are given out
}

// Orders returns the order book as of the clock, the oldest order first.
func (s *Simulator) Orders() []OrderRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock()
	s.catchUp(now)
	book := make([]OrderRecord, 0, len(s.orderIDs))
	for _, id := range s.orderIDs {
		o := s.orders[id]
		book = append(book, OrderRecord{
			ID:            o.id,
			ProductID:     s.stock.products[o.product].id,
			Price:         number(o.price),
			KeySHA256:     o.keys[0].sha256,
			Status:        o.status(now, s.options.CompleteAfter),
			CreatedAt:     o.createdAt.Unix(),
			Lapsed:        o.lapsed,
			Paid:          o.paid(),
			TransactionID: o.transactionID,
			PayCalls:      o.payCalls,
			Charges:       o.charges,
			Charged:       number(o.charged),
			KeyCalls:      o.keyCalls,
			KeyRevealed:   o.keysRevealed == len(o.keys),
			KeysRevealed:  o.keysRevealed,

			Quantity:       o.quantity,
			IdempotencyKey: o.idempotencyKey,
			KeysSHA256:     o.keySums(),
		})
	}
	return book
}

func (o *order) keySums() []string {
	sums := make([]string, len(o.keys))
	for i, key := range o.keys {
		sums[i] = key.sha256
	}
	return sums
}

package g2atest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/shopspring/decimal"
)

const (
	statusPending  = "pending"
	statusComplete = "complete"
)

var errNoProduct = errors.New("there is no such product")

// order is one line of the order book.
type order struct {
	id            string
	product       int             // its place in the stock
	price         decimal.Decimal // EUR
	createdAt     time.Time
	lapsed        bool // not paid while the piece was reserved
	paidAt        time.Time
	transactionID string
	pendingLeft   int // details calls that still find it pending
	keyRevealed   bool
	payCalls      int
	keyCalls      int
	charges       int             // times the wallet was charged
	charged       decimal.Decimal // EUR, in all
}

func (o *order) paid() bool { return !o.paidAt.IsZero() }

// status is what the details say; completeAfter is Options.CompleteAfter.
func (o *order) status(now time.Time, completeAfter time.Duration) string {
	if !o.paid() || o.pendingLeft > 0 || now.Before(o.paidAt.Add(completeAfter)) {
		return statusPending
	}
	return statusComplete
}

type createdOrder struct {
	OrderID  string      `json:"order_id"`
	Price    json.Number `json:"price"`
	Currency string      `json:"currency"`
}

// createOrder is POST /order: the cheapest auction's price, and one piece reserved.
// Nothing is charged. Each call is another order, as no reference of the client's
// is accepted. G2A's documentation has no code for a product that is not there, out
// of stock or above max_price; here it is BR02.
func (s *Simulator) createOrder(c *call) answer {
	wish, failure := parseOrderRequest(c.body)
	if failure != nil {
		return *failure
	}
	place, found := s.stock.place[wish.productID]
	if !found {
		return *invalid("product_id", errNoProduct)
	}
	price := s.stock.products[place].price
	if wish.maxPrice != nil && wish.maxPrice.LessThan(price) {
		return fail(codeInvalidData, "max_price: the cheapest offer is above it")
	}
	o := &order{id: s.newOrderID(), product: place, price: price, createdAt: c.now}
	if !s.stock.reserve(o) {
		return fail(codeInvalidData, "product_id: the product is out of stock")
	}
	s.orders[o.id] = o
	s.orderIDs = append(s.orderIDs, o.id)
	s.tally.ordersCreated++
	return ok(createdOrder{OrderID: o.id, Price: number(o.price), Currency: currency})
}

func (s *Simulator) newOrderID() string {
	for {
		id := s.randomOrderID()
		if _, taken := s.orders[id]; !taken {
			return id
		}
	}
}

type payment struct {
	Status        bool   `json:"status"`
	TransactionID string `json:"transaction_id"`
}

// payOrder is PUT /order/pay/{id}. An order is charged once; G2A's documentation
// is silent on a second pay, and ORD05 makes the client look at the details.
func (s *Simulator) payOrder(c *call) answer {
	o, found := s.orders[c.id]
	if !found {
		return orderNotFound()
	}
	o.payCalls++
	switch {
	case len(c.body) > 0:
		return fail(codeInvalidData, "The request must have no body")
	case o.paid():
		return fail(codePaymentRequired, "Payment is required or in progress")
	case o.lapsed:
		return fail(codeTooLateToPay, "It is too late to pay this order")
	case s.wallet.LessThan(o.price):
		return fail(codeNoFunds, "Not enough funds")
	}
	s.wallet = s.wallet.Sub(o.price)
	o.charges, o.charged = o.charges+1, o.charged.Add(o.price)
	o.paidAt, o.transactionID, o.pendingLeft = c.now, s.randomUUID(), s.options.PendingDetails
	s.stock.sold[o.product]++
	s.tally.ordersPaid++
	s.tally.charged = s.tally.charged.Add(o.price)
	return ok(payment{Status: true, TransactionID: o.transactionID})
}

type orderDetails struct {
	Status   string      `json:"status"` // pending or complete
	Price    json.Number `json:"price"`
	Currency string      `json:"currency"`
}

// orderDetails is GET /order/details/{id}.
func (s *Simulator) orderDetails(c *call) answer {
	o, found := s.orders[c.id]
	if !found {
		return orderNotFound()
	}
	details := orderDetails{Status: o.status(c.now, s.options.CompleteAfter), Price: number(o.price), Currency: currency}
	if o.pendingLeft > 0 {
		o.pendingLeft--
	}
	return ok(details)
}

type productKey struct {
	Key    string `json:"key"` // with IsFile, base64 of the file
	IsFile bool   `json:"isFile,omitempty"`
}

// orderKey is GET /order/key/{id}: the key, once.
func (s *Simulator) orderKey(c *call) answer {
	o, found := s.orders[c.id]
	if !found {
		return orderNotFound()
	}
	o.keyCalls++
	switch {
	case !o.paid():
		return fail(codePaymentRequired, "Payment is required or in progress")
	case o.status(c.now, s.options.CompleteAfter) != statusComplete:
		return fail(codePaymentNotReady, "Payment is not ready yet")
	case o.keyRevealed:
		return fail(codeKeyDownloaded, "The key was downloaded already")
	}
	o.keyRevealed = true
	s.tally.keysRevealed++
	key := s.randomProductKey()
	if s.stock.products[o.product].keyIsFile() {
		file := "This is no real product key, it comes from a simulator.\n" + key + "\n"
		return ok(productKey{Key: base64.StdEncoding.EncodeToString([]byte(file)), IsFile: true})
	}
	return ok(productKey{Key: key})
}

func orderNotFound() answer { return fail(codeOrderNotFound, "Order not found") }

// number writes an amount as a JSON number, digit for digit as it was read: 5.50
// stays 5.50.
func number(amount decimal.Decimal) json.Number {
	return json.Number(amount.StringFixed(max(0, -amount.Exponent())))
}

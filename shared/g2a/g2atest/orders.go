package g2atest

import (
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
	v2            bool            // made by the Export API v2
	product       int             // its place in the stock
	quantity      int             // pieces: one, but for the Export API v2
	price         decimal.Decimal // EUR, of all pieces
	createdAt     time.Time
	lapsed        bool // not paid while the piece was reserved
	accepted      bool // a payment was, and settles at once or later
	paidAt        time.Time
	transactionID string     // of the first payment
	pendingLeft   int        // details calls that still find it pending
	unseenLeft    int        // details calls that do not see its creation yet
	staleLeft     int        // details calls that do not see its payment yet
	keys          []drawnKey // one a piece
	keysRevealed  int        // the first ones
	payCalls      int
	keyCalls      int
	readyCalls    int             // of the Export API v2: key calls since the keys are there
	charges       int             // times the wallet was charged
	charged       decimal.Decimal // EUR, in all

	idempotencyKey, itemID string // of the Export API v2
}

func (o *order) paid() bool { return !o.paidAt.IsZero() }

// status is what the details say; completeAfter is Options.CompleteAfter.
func (o *order) status(now time.Time, completeAfter time.Duration) string {
	if !o.paid() || o.pendingLeft > 0 || now.Before(o.paidAt.Add(completeAfter)) {
		return statusPending
	}
	return statusComplete
}

// find returns the call's order, or nil. Each Export API knows its own orders alone.
func (s *Simulator) find(c *call, v2 bool) *order {
	if o := s.orders[c.id]; o != nil && o.v2 == v2 {
		c.order = o
	}
	return c.order
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
	o := &order{id: s.newOrderID(), product: place, quantity: 1, price: price, createdAt: c.now, unseenLeft: s.options.DetailsLag}
	if !s.stock.reserve(o) {
		return fail(codeInvalidData, "product_id: the product is out of stock")
	}
	o.keys = []drawnKey{s.drawKey(s.stock.products[place].keyIsFile())}
	s.orders[o.id], c.order = o, o
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

func orderNotFound() answer { return fail(codeOrderNotFound, "Order not found") }

// number writes an amount as a JSON number, digit for digit as it was read: 5.50
// stays 5.50.
func number(amount decimal.Decimal) json.Number {
	return json.Number(amount.StringFixed(max(0, -amount.Exponent())))
}

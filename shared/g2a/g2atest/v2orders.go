package g2atest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// orderWish is the body of POST /orders that was found good. Two that are equal are the
// same request.
type orderWish struct {
	productID string
	quantity  int
	maxPrice  string
}

// namedOrder is what an idempotency key stands for.
type namedOrder struct {
	order *order
	wish  orderWish
}

type placedOrder struct {
	ID         string `json:"id"`
	Status     string `json:"status"`
	TotalPrice any    `json:"totalPrice"`
	Currency   string `json:"currency"`
}

// placeOrder is POST /orders of the Export API v2: it charges the wallet, as G2A's accounts
// need an automated payment method. Not public, and chosen here: 404 for a product that is
// not there, 400 for one that is out of stock or above maxPrice, 402 for too little money.
func (s *Simulator) placeOrder(c *call) answer {
	key, wish, failure := parseOrderWish(c)
	if failure != nil {
		return *failure
	}
	if named, found := s.named(key, c.now); found {
		c.order = named.order
		if named.wish != wish || s.options.V2.Replay == replayConflict {
			return failV2(http.StatusConflict, codeV2Reused, "Idempotency key was used before")
		}
		return s.placed(named.order, c.now)
	}
	place, found := s.stock.place[wish.productID]
	if !found {
		return failV2(http.StatusNotFound, codeV2NotFound, "Product not found")
	}
	price := s.stock.products[place].price
	total := price.Mul(decimal.NewFromInt(int64(wish.quantity)))
	if failure := s.refuse(place, wish, price, total); failure != nil {
		return *failure
	}
	total = total.Add(s.options.V2.Surcharge)
	if s.funds.LessThan(total) {
		return failV2(http.StatusPaymentRequired, codeV2NoFunds, "Not enough funds")
	}
	c.order = s.charge(place, wish, key, total, c.now)
	s.settlePayments(c.now)
	return s.placed(c.order, c.now)
}

// refuse refuses what the stock or the buyer's limit does not allow.
func (s *Simulator) refuse(place int, wish orderWish, price, total decimal.Decimal) *answer {
	limited := price
	if s.options.V2.MaxPriceIsTotal {
		limited = total
	}
	limit, err := parsePrice(wish.maxPrice)
	switch {
	case err != nil:
		return invalidV2("items[0].auto.maxPrice", "must be a decimal")
	case s.stock.left[place] < wish.quantity:
		return invalidV2("items[0].auto.quantity", "there is less in stock")
	case limit.LessThan(limited):
		return invalidV2("items[0].auto.maxPrice", "the cheapest offer is above it")
	}
	return nil
}

// charge makes the order and takes its price from the wallet: at once, or as soon as
// Options.PaymentDelay has passed.
func (s *Simulator) charge(place int, wish orderWish, key string, total decimal.Decimal, now time.Time) *order {
	o := &order{
		id: s.randomUUID(), v2: true, product: place, quantity: wish.quantity, price: total, createdAt: now,
		accepted: true, idempotencyKey: key, itemID: s.randomUUID(),
	}
	for range wish.quantity {
		o.keys = append(o.keys, s.drawKey(s.stock.products[place].keyIsFile()))
	}
	s.stock.left[place] -= wish.quantity
	s.funds = s.funds.Sub(total)
	s.unsettled = append(s.unsettled, acceptedPayment{order: o, settlesAt: now.Add(s.options.PaymentDelay)})
	s.orders[o.id], s.orderIDs = o, append(s.orderIDs, o.id)
	s.names[key] = namedOrder{order: o, wish: wish}
	s.tally.ordersCreated++
	return o
}

// named is the order that an idempotency key stands for, until its life is over.
func (s *Simulator) named(key string, now time.Time) (namedOrder, bool) {
	named, found := s.names[key]
	life := s.options.V2.IdempotencyLife
	return named, found && (life == 0 || now.Before(named.order.createdAt.Add(life)))
}

func (s *Simulator) placed(o *order, now time.Time) answer {
	return answer{status: s.options.V2.OrderStatus, body: v2Data{Data: placedOrder{
		ID: o.id, Status: o.status(now, s.options.CompleteAfter), TotalPrice: s.money(o.price), Currency: currency,
	}}}
}

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// parseOrderWish reads POST /orders: an idempotency key that is a UUID, and one item.
func parseOrderWish(c *call) (key string, wish orderWish, failure *answer) {
	key = c.header.Get(g2a.HeaderIdempotencyKey)
	if !uuidPattern.MatchString(key) {
		return "", orderWish{}, invalidV2(g2a.HeaderIdempotencyKey, "must be a UUID")
	}
	var body struct {
		Items    []json.RawMessage `json:"items"`
		Currency string            `json:"currency"`
	}
	if json.Unmarshal(c.body, &body) != nil {
		return "", orderWish{}, invalidV2("", "the request is not the JSON expected")
	}
	switch {
	case len(body.Items) != 1:
		return "", orderWish{}, invalidV2("items", "must be exactly one")
	case body.Currency != currency:
		return "", orderWish{}, invalidV2("currency", "must be EUR")
	}
	var item struct {
		Auto *struct {
			ProductID string `json:"productId"`
			Quantity  int    `json:"quantity"`
			MaxPrice  string `json:"maxPrice"`
		} `json:"auto"`
	}
	switch err := json.Unmarshal(body.Items[0], &item); {
	case err != nil || item.Auto == nil:
		return "", orderWish{}, invalidV2("items[0].auto", "is missing or not as expected")
	case item.Auto.ProductID == "":
		return "", orderWish{}, invalidV2("items[0].auto.productId", "is missing")
	case item.Auto.Quantity < 1 || item.Auto.Quantity > maxWhole:
		return "", orderWish{}, invalidV2("items[0].auto.quantity", "must be from 1 to %d", maxWhole)
	}
	return key, orderWish{productID: item.Auto.ProductID, quantity: item.Auto.Quantity, maxPrice: item.Auto.MaxPrice}, nil
}

package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// OrderStatus is the word that the details of an order have for it, in lower case: G2A
// documents pending and complete, and its own client has seen new.
type OrderStatus string

const (
	// OrderPending is an order that is unpaid or still being worked on.
	OrderPending OrderStatus = "pending"
	// OrderComplete is a paid order whose key can be fetched.
	OrderComplete OrderStatus = "complete"
)

// Order is an order at G2A. CreateOrder leaves Status empty, since G2A states none.
type Order struct {
	ID     string
	Status OrderStatus
	Price  Money // of all its pieces; the zero Money where G2A's could not be read
}

// CreateOrder creates an unpaid order for the cheapest offer of a product; nothing is
// charged. It reserves the stock for 30 minutes. A maxPrice in EUR is G2A's limit, too; G2A
// knows no limit in another currency, and then the order's price must be checked before it
// is paid. G2A takes no reference of ours, so two calls are two orders; therefore an answer
// with an id is a success, even if its price cannot be read.
func (c *Client) CreateOrder(ctx context.Context, productID string, maxPrice Money) (Order, error) {
	r, _ := c.newRequest(exportAPI, "POST", "/order")
	r.effect = changes
	if fault := checkOrder(productID, maxPrice); fault != nil {
		return Order{}, invalid(ctx, r, fault)
	}
	wish := map[string]any{"product_id": productID, "currency": maxPrice.Currency}
	// G2A reads max_price in EUR whatever the order's currency is.
	if maxPrice.Currency == ProductCurrency {
		wish["max_price"] = json.Number(maxPrice.Amount.String())
	}
	if c.cfg.MinRating > 0 {
		wish["min_rating"] = c.cfg.MinRating
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return Order{}, notSent{fmt.Errorf("writing the order: %w", err)}
	}
	r.body = body
	var wire map[string]json.RawMessage
	var order Order
	err = c.doExport(ctx, r, decoded(&wire, func() (fault *FieldError) {
		order.Price = readTotal(wire, "price")
		order.ID, fault = readID("order_id", wire["order_id"])
		return fault
	}))
	if err != nil {
		return Order{}, err
	}
	return order, nil
}

// readTotal reads the price of an order, or returns the zero Money: an order must not be
// lost for it.
func readTotal(order map[string]json.RawMessage, name string) Money {
	amount, problem := readLenientAmount(order[name])
	currency := strings.ToUpper(stringOf(order["currency"]))
	if problem != "" || !currencyPattern.MatchString(currency) {
		return Money{}
	}
	return Money{Amount: amount, Currency: currency}
}

func checkOrder(productID string, maxPrice Money) *FieldError {
	switch {
	case productID == "":
		return &FieldError{Field: "product_id", Problem: "is missing"}
	case !currencyPattern.MatchString(maxPrice.Currency):
		return &FieldError{Field: "currency", Problem: "is not three upper-case letters"}
	}
	return checkAmount("max_price", maxPrice.Amount)
}

// PayOrder charges the account for an order and returns the transaction's id, "" if the
// answer has none that can be read. An error whose outcome is unknown leaves open whether
// it was charged: ask OrderDetails before anything else.
func (c *Client) PayOrder(ctx context.Context, orderID string) (transactionID string, err error) {
	r, fault := c.newRequest(exportAPI, "PUT", "/order/pay/{id}", orderID)
	r.effect = charges
	if fault != nil {
		return "", invalid(ctx, r, fault)
	}
	var wire map[string]json.RawMessage
	err = c.doExport(ctx, r, decoded(&wire, func() *FieldError {
		if string(wire["status"]) != "true" {
			return &FieldError{Field: "status", Problem: "is not true"}
		}
		transactionID, _ = readID("transaction_id", wire["transaction_id"]) // for people: its absence changes nothing
		return nil
	}))
	if err != nil {
		return "", err
	}
	return transactionID, nil
}

// OrderDetails asks for an order's status and price.
func (c *Client) OrderDetails(ctx context.Context, orderID string) (Order, error) {
	r, fault := c.newRequest(exportAPI, "GET", "/order/details/{id}", orderID)
	if fault != nil {
		return Order{}, invalid(ctx, r, fault)
	}
	var wire map[string]json.RawMessage
	order := Order{ID: orderID}
	err := c.doExport(ctx, r, decoded(&wire, func() (fault *FieldError) {
		order.Price = readTotal(wire, "price")
		order.Status, fault = readOrderStatus(wire["status"])
		return fault
	}))
	if err != nil {
		return Order{}, err
	}
	return order, nil
}

// maxStatus is how many characters of an unknown status are kept.
const maxStatus = 40

// readOrderStatus reads the status of an order. An unknown word is not a fault: the
// caller sees it, and may wait for another one.
func readOrderStatus(raw json.RawMessage) (OrderStatus, *FieldError) {
	word := []rune(strings.ToLower(printable(stringOf(raw), len(raw), nil)))
	switch status := strings.TrimSpace(string(word[:min(maxStatus, len(word))])); {
	case absent(raw):
		return "", &FieldError{Field: "status", Problem: "is missing"}
	case status == "":
		return "", &FieldError{Field: "status", Problem: "is not a string with a word in it"}
	case status == "completed": // a webhook's word for it
		return OrderComplete, nil
	default:
		return OrderStatus(status), nil
	}
}

// doExport makes a call with the credentials of the Export API.
func (c *Client) doExport(ctx context.Context, r request, read func(*answer) error) error {
	return c.doAuthenticated(ctx, r, c.signExport, read)
}

func (c *Client) signExport(r *request, credentials Credentials) {
	r.header = exportHeader(c.cfg.AuthScheme, credentials, c.options.Clock())
}

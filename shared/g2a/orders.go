package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
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
	Price  Money // the zero Money where G2A's could not be read
}

// Key is a product key, which G2A gives out once. Either Value or Raw is set.
type Key struct {
	Value  Secret
	IsFile bool // Value is a file in base64
	// Raw is the answer itself, byte for byte, where it could not be understood: what it
	// holds is the only copy of the key.
	Raw Secret
}

// IsZero reports whether nothing was given out.
func (k Key) IsZero() bool { return k.Value.IsZero() && k.Raw.IsZero() }

// CreateOrder makes an unpaid order for the cheapest offer of a product, not
// above maxPrice; nothing is charged. It reserves the stock for 30 minutes. G2A
// takes no reference of ours, so two calls are two orders.
func (c *Client) CreateOrder(ctx context.Context, productID string, maxPrice Money) (Order, error) {
	r := request{api: exportAPI, method: "POST", route: "/order", url: c.cfg.ExportURL + "/order", once: true}
	if fault := checkOrder(productID, maxPrice); fault != nil {
		return Order{}, unsent(ctx, r, fault)
	}
	wish := map[string]any{
		"product_id": productID,
		"currency":   maxPrice.Currency,
		"max_price":  json.Number(maxPrice.Amount.String()),
	}
	if c.options.MinRating > 0 {
		wish["min_rating"] = c.options.MinRating
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return Order{}, fmt.Errorf("writing the order: %w", err)
	}
	var wire struct {
		OrderID  json.RawMessage `json:"order_id"`
		Price    json.RawMessage `json:"price"`
		Currency string          `json:"currency"`
	}
	r.body = body
	var order Order
	err = c.doExport(ctx, r, &wire, func() (fault *FieldError) {
		if order.ID, fault = readID("order_id", wire.OrderID); fault == nil {
			order.Price, fault = readPrice("price", wire.Price, wire.Currency)
		}
		return fault
	})
	if err != nil {
		return Order{}, err
	}
	return order, nil
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

// PayOrder charges the account for an order and gives the transaction's id. An
// ErrUnavailable or ErrMalformedAnswer leaves open whether it was charged: ask
// OrderDetails before anything else.
func (c *Client) PayOrder(ctx context.Context, orderID string) (transactionID string, err error) {
	var wire struct {
		Status        *bool           `json:"status"`
		TransactionID json.RawMessage `json:"transaction_id"`
	}
	r := request{api: exportAPI, method: "PUT", route: "/order/pay/{id}", url: c.cfg.ExportURL + "/order/pay/" + url.PathEscape(orderID), once: true}
	if fault := checkID(orderID); fault != nil {
		return "", unsent(ctx, r, fault)
	}
	err = c.doExport(ctx, r, &wire, func() (fault *FieldError) {
		if wire.Status == nil || !*wire.Status {
			return &FieldError{Field: "status", Problem: "is not true"}
		}
		transactionID, fault = readID("transaction_id", wire.TransactionID)
		return fault
	})
	if err != nil {
		return "", err
	}
	return transactionID, nil
}

// OrderDetails asks for an order's status and price.
func (c *Client) OrderDetails(ctx context.Context, orderID string) (Order, error) {
	var wire struct {
		Status   OrderStatus     `json:"status"`
		Price    json.RawMessage `json:"price"`
		Currency string          `json:"currency"`
	}
	r := request{api: exportAPI, method: "GET", route: "/order/details/{id}", url: c.cfg.ExportURL + "/order/details/" + url.PathEscape(orderID)}
	if fault := checkID(orderID); fault != nil {
		return Order{}, unsent(ctx, r, fault)
	}
	order := Order{ID: orderID}
	err := c.doExport(ctx, r, &wire, func() (fault *FieldError) {
		if wire.Status != OrderPending && wire.Status != OrderComplete {
			return &FieldError{Field: "status", Problem: "is neither pending nor complete"}
		}
		order.Status = wire.Status
		order.Price, fault = readPrice("price", wire.Price, wire.Currency)
		return fault
	})
	if err != nil {
		return Order{}, err
	}
	return order, nil
}

// OrderKey fetches an order's key, which works once: store it before anything
// else happens. A second time is ErrKeyAlreadyDownloaded, and an ErrUnavailable
// or ErrMalformedAnswer may have used up the only time.
func (c *Client) OrderKey(ctx context.Context, orderID string) (Key, error) {
	var wire struct {
		Key    json.RawMessage `json:"key"`
		IsFile json.RawMessage `json:"isFile"`
	}
	r := request{api: exportAPI, method: "GET", route: "/order/key/{id}", url: c.cfg.ExportURL + "/order/key/" + url.PathEscape(orderID), once: true}
	if fault := checkID(orderID); fault != nil {
		return Key{}, unsent(ctx, r, fault)
	}
	var key Key
	err := c.doExport(ctx, r, &wire, func() *FieldError {
		value, fault := readID("key", wire.Key)
		// The flag alone must not cost the key: what is not true is false.
		key = Key{Value: NewSecret(value), IsFile: string(wire.IsFile) == "true"}
		return fault
	})
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

// doExport makes a call with the credentials of the Export API.
func (c *Client) doExport(ctx context.Context, r request, out any, check func() *FieldError) error {
	return c.doAuthenticated(ctx, r, c.signExport, out, check)
}

func (c *Client) signExport(r *request, credentials Credentials) {
	r.header = exportHeader(c.cfg.AuthScheme, credentials, c.options.Clock())
}

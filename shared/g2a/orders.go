package g2a

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// OrderStatus is what the details of an order say.
type OrderStatus string

const (
	// OrderPending is an order that is unpaid or still in work.
	OrderPending OrderStatus = "pending"
	// OrderComplete is a paid order whose key can be fetched.
	OrderComplete OrderStatus = "complete"
)

// Order is an order at G2A. CreateOrder leaves Status empty, since G2A says none.
type Order struct {
	ID     string
	Status OrderStatus
	Price  Money
}

// Key is a product key, which G2A gives out once.
type Key struct {
	Value  Secret
	IsFile bool // Value is a file in base64
}

// CreateOrder makes an unpaid order for the cheapest offer of a product, not
// above maxPrice; nothing is charged. It reserves the stock for 30 minutes. G2A
// takes no reference of ours, so two calls are two orders.
func (c *Client) CreateOrder(ctx context.Context, productID string, maxPrice Money) (Order, error) {
	body, err := json.Marshal(map[string]any{
		"product_id": productID,
		"currency":   maxPrice.Currency,
		"max_price":  json.Number(maxPrice.Amount.String()),
	})
	if err != nil {
		return Order{}, fmt.Errorf("writing the order: %w", err)
	}
	var wire struct {
		OrderID  json.RawMessage `json:"order_id"`
		Price    json.RawMessage `json:"price"`
		Currency string          `json:"currency"`
	}
	r := request{api: exportAPI, method: "POST", route: "/order", url: c.cfg.ExportURL + "/order", body: body, once: true}
	if err := c.doExport(ctx, r, &wire); err != nil {
		return Order{}, err
	}
	id, fault := readID("order_id", wire.OrderID)
	if fault != nil {
		return Order{}, malformed(r, fault)
	}
	price, fault := readPrice("price", wire.Price, wire.Currency)
	if fault != nil {
		return Order{}, malformed(r, fault)
	}
	return Order{ID: id, Price: price}, nil
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
	if err := c.doExport(ctx, r, &wire); err != nil {
		return "", err
	}
	if wire.Status == nil || !*wire.Status {
		return "", malformed(r, &FieldError{Field: "status", Problem: "is not true"})
	}
	transactionID, fault := readID("transaction_id", wire.TransactionID)
	if fault != nil {
		return "", malformed(r, fault)
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
	if err := c.doExport(ctx, r, &wire); err != nil {
		return Order{}, err
	}
	if wire.Status != OrderPending && wire.Status != OrderComplete {
		return Order{}, malformed(r, &FieldError{Field: "status", Problem: "is neither pending nor complete"})
	}
	price, fault := readPrice("price", wire.Price, wire.Currency)
	if fault != nil {
		return Order{}, malformed(r, fault)
	}
	return Order{ID: orderID, Status: wire.Status, Price: price}, nil
}

// OrderKey fetches an order's key, which works once: store it before anything
// else happens. A second time is ErrKeyAlreadyDownloaded, and an ErrUnavailable
// or ErrMalformedAnswer may have used up the only time.
func (c *Client) OrderKey(ctx context.Context, orderID string) (Key, error) {
	var wire struct {
		Key    string `json:"key"`
		IsFile bool   `json:"isFile"`
	}
	r := request{api: exportAPI, method: "GET", route: "/order/key/{id}", url: c.cfg.ExportURL + "/order/key/" + url.PathEscape(orderID), once: true}
	if err := c.doExport(ctx, r, &wire); err != nil {
		return Key{}, err
	}
	if wire.Key == "" {
		return Key{}, malformed(r, &FieldError{Field: "key", Problem: "is missing"})
	}
	return Key{Value: NewSecret(wire.Key), IsFile: wire.IsFile}, nil
}

// doExport makes a call with the credentials of the Export API.
func (c *Client) doExport(ctx context.Context, r request, out any) error {
	credentials, err := c.options.Credentials.Credentials(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: reading the credentials: %w", r.method, r.route, err)
	}
	r.header = exportHeader(c.cfg.AuthScheme, credentials, c.options.Clock())
	r.secrets = []Secret{credentials.Hash, credentials.Key}
	return c.do(ctx, r, out)
}

// malformed is an answer of success that is not as documented.
func malformed(r request, fault *FieldError) error {
	return &Error{Method: r.method, Route: r.route, Status: 200, Kind: ErrMalformedAnswer, Cause: fault}
}

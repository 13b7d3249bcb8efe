package g2a

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"unicode/utf8"
)

// HeaderIdempotencyKey names the order that a POST /orders is for.
const HeaderIdempotencyKey = "Idempotency-Key"

// NewOrder is an order to place at the Export API v2.
type NewOrder struct {
	// IdempotencyKey is a UUID that names this order: store it before the first call, and
	// send the same one with every repetition.
	IdempotencyKey string
	ProductID      string
	Quantity       int // pieces, at least 1
	// MaxPrice is the most that one piece may cost, in EUR and above zero. Whether G2A reads
	// it as the price of one piece or of all is not public; it is never multiplied, because
	// as a limit of one piece n times as much would allow n times the total. Read as a limit
	// of the total, it only refuses.
	MaxPrice Money
}

// uuidPattern is a UUID of any version.
var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (o NewOrder) check() *FieldError {
	switch {
	case !uuidPattern.MatchString(o.IdempotencyKey):
		return &FieldError{Field: HeaderIdempotencyKey, Problem: "is not a UUID"}
	case o.ProductID == "":
		return &FieldError{Field: "productId", Problem: "is missing"}
	case o.Quantity < 1:
		return &FieldError{Field: "quantity", Problem: "is less than 1"}
	case !o.MaxPrice.Amount.IsPositive():
		return &FieldError{Field: "maxPrice", Problem: "is not above zero"}
	}
	return checkPrice("maxPrice", o.MaxPrice)
}

// wireNewOrder is a new order as the Export API v2 reads it: one item, whose offers G2A
// picks.
type wireNewOrder struct {
	Items    [1]wireItem `json:"items"`
	Currency string      `json:"currency"`
}

type wireItem struct {
	Auto wireAuto `json:"auto"`
}

type wireAuto struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
	MaxPrice  string `json:"maxPrice"`
}

// PlaceOrder creates an order at the Export API v2, which charges the account by itself: no
// call pays it. Its Price is G2A's total of all pieces, which the buyer compares with his
// limit; it is zero, and the Status empty, where G2A's cannot be read. The words of the
// status are not public.
//
// Calls with the same idempotency key and the same content are one order if G2A keeps to
// the header's meaning; for how long is not public. So a call whose outcome is unknown is
// made again with the same key, never with a new one. ErrExists has an unknown outcome,
// too: the key belongs to another request, or to this one still at work;
// [Error].ExistingID is the order's id if G2A states it.
func (c *Client) PlaceOrder(ctx context.Context, order NewOrder) (Order, error) {
	r, _ := c.newRequest(exportV2API, "POST", "/orders")
	r.effect = charges
	if fault := order.check(); fault != nil {
		return Order{}, invalid(ctx, r, fault)
	}
	body, err := json.Marshal(wireNewOrder{
		Items:    [1]wireItem{{wireAuto{ProductID: order.ProductID, Quantity: order.Quantity, MaxPrice: order.MaxPrice.Text()}}},
		Currency: order.MaxPrice.Currency,
	})
	if err != nil {
		return Order{}, notSent{fmt.Errorf("writing the order: %w", err)}
	}
	r.body, r.header = body, map[string]string{HeaderIdempotencyKey: order.IdempotencyKey}
	var wire struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	var placed Order
	err = c.doBearer(ctx, r, decoded(&wire, func() (fault *FieldError) {
		placed.Price = readTotal(wire.Data, "totalPrice")
		placed.Status, _ = readOrderStatus(wire.Data["status"]) // the keys decide, not the word
		placed.ID, fault = readID("data.id", wire.Data["id"])
		return fault
	}))
	if err != nil {
		return Order{}, err
	}
	return placed, nil
}

// OrderKeys fetches the keys of an order of the Export API v2, in G2A's order. Without an
// error, none means that there are none yet; fewer than were ordered may be all there are
// for now. Store them before anything else happens: G2A keeps them for 48 hours, and that
// they can be read again until then is inferred. An answer that is not certain to be
// understood, in any part, is one Key with all of it in Raw.
//
// How G2A says "not yet" is not public either: ErrNotFound, ErrExists and
// ErrPaymentNotReady may all mean it.
func (c *Client) OrderKeys(ctx context.Context, orderID string) ([]Key, error) {
	r, fault := c.newRequest(exportV2API, "GET", "/orders/{id}/keys", orderID)
	r.effect = reveals
	if fault != nil {
		return nil, invalid(ctx, r, fault)
	}
	var keys []Key
	err := c.doBearer(ctx, r, func(a *answer) (fault error) {
		keys, fault = readKeys(a)
		return fault
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// readKeys reads the answer of a success. One that is not certain to be understood is kept
// as it is, unless its status says that there are no keys yet. The errors are for what
// holds no key, and repeat none of it.
func readKeys(a *answer) ([]Key, error) {
	pending := a.status == http.StatusAccepted || a.status == http.StatusNoContent
	switch {
	case len(a.body) == 0 && a.cut != nil:
		return nil, a.cut
	case len(a.body) == 0 && !pending:
		return nil, errors.New("the answer is empty")
	}
	content := withoutBOM(gunzipped(a.body, a.header))
	keys, understood := parseKeys(content)
	switch {
	case understood && a.cut == nil:
		return keys, nil
	case pending && a.cut == nil:
		return nil, nil
	case bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("<")) && !bytes.Contains(content, []byte(`"code"`)):
		return nil, errNotG2A
	}
	return []Key{{Raw: NewSecret(string(a.body))}}, nil // of a cut one, what it seems to say may be half of it
}

// parseKeys reads {"data":[{"item":{...},"keys":[{"code":"..."}]}]} and reports whether
// nothing in it can be misread.
func parseKeys(content []byte) (keys []Key, understood bool) {
	if !utf8.Valid(content) {
		return nil, false // encoding/json would replace bytes
	}
	object, err := readObject(content)
	if err != nil {
		return nil, false
	}
	entries, ok := listIn(object, "data")
	if !ok {
		return nil, false
	}
	for _, entry := range entries {
		members, err := readObject(entry)
		codes, ok := listIn(members, "keys")
		if err != nil || !ok {
			return nil, false
		}
		for _, each := range codes {
			of, err := readObject(each)
			value, ok := keyValue(of["code"])
			if err != nil || !ok {
				return nil, false
			}
			keys = append(keys, Key{Value: value})
		}
	}
	return keys, true
}

// listIn returns a list that must be there.
func listIn(members map[string]json.RawMessage, name string) (list []json.RawMessage, ok bool) {
	raw := members[name]
	ok = !absent(raw) && json.Unmarshal(raw, &list) == nil
	return list, ok
}

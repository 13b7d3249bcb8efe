package g2atest

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// orderRequest is the body of POST /order that was found good.
type orderRequest struct {
	productID string
	maxPrice  *decimal.Decimal // nil: any
}

// parseOrderRequest reads the body of POST /order. Fields it does not know are
// passed over. Prices must be JSON numbers, ids JSON strings.
func parseOrderRequest(body []byte) (orderRequest, *answer) {
	var fields map[string]json.RawMessage
	if failure := readObject(body, &fields); failure != nil {
		return orderRequest{}, failure
	}
	var wish orderRequest
	var wanted string
	for name, read := range map[string]func(json.RawMessage) error{
		"product_id": func(v json.RawMessage) error { return readText(v, &wish.productID) },
		"currency":   func(v json.RawMessage) error { return readText(v, &wanted) },
		"max_price":  func(v json.RawMessage) error { return readPrice(string(v), &wish.maxPrice) },
		"min_rating": func(v json.RawMessage) error { return whole("min_rating", v) },
	} {
		value, given := fields[name]
		if !given || string(value) == "null" {
			continue
		}
		if err := read(value); err != nil {
			return orderRequest{}, invalid(name, err)
		}
	}
	switch {
	case wish.productID == "":
		return orderRequest{}, invalid("product_id", errMissing)
	case wanted != "" && wanted != currency:
		return orderRequest{}, invalid("currency", errNotEuro)
	}
	return wish, nil
}

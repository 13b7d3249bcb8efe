package g2atest

import (
	"encoding/json"
	"errors"

	"github.com/shopspring/decimal"
)

// orderRequest is the body of POST /order that was found good.
type orderRequest struct {
	productID string
	maxPrice  *decimal.Decimal // nil: any
}

// parseOrderRequest reads the body of POST /order. Prices must be JSON numbers,
// ids JSON strings. min_rating is a share from 0 to 1, and has no effect: the simulator's
// auctions have no ratings.
func parseOrderRequest(body []byte) (orderRequest, *answer) {
	var wish orderRequest
	wanted := currency
	failure := readBody(body, map[string]func(json.RawMessage) error{
		"product_id": textInto(&wish.productID),
		"currency":   textInto(&wanted),
		"max_price":  func(v json.RawMessage) error { return readPrice(string(v), &wish.maxPrice) },
		"min_rating": func(v json.RawMessage) error { return readRating(string(v)) },
	})
	switch {
	case failure != nil:
		return orderRequest{}, failure
	case wish.productID == "":
		return orderRequest{}, invalid("product_id", errMissing)
	case wanted != currency:
		return orderRequest{}, invalid("currency", errors.New("only EUR is known here"))
	}
	return wish, nil
}

func readRating(value string) error {
	rating, err := parsePrice(value)
	if err != nil || rating.GreaterThan(decimal.NewFromInt(1)) {
		return errors.New("must be a number from 0.0 to 1.0")
	}
	return nil
}

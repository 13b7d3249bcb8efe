package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// input is the payload, {"order_ref","product_id","max_price","currency"}, all of
// them texts. With an order_ref alone it continues an order that exists.
type input struct {
	OrderRef  string
	ProductID string
	MaxPrice  string // a decimal, "12.50"
	Currency  string // ISO 4217
}

var errNotOneObject = errors.New(`the order is not one JSON object {"order_ref","product_id","max_price","currency"}`)

// readInput reads the payload. It spends money, so it is read by the letter, which
// json.Unmarshal does not do: a field that is not known may be a max_price written
// wrongly, and of two max_prices nobody knows which one is meant.
func readInput(payload []byte) (input, error) {
	if !json.Valid(payload) {
		return input{}, errNotOneObject
	}
	var in input
	fields := map[string]*string{
		"order_ref": &in.OrderRef, "product_id": &in.ProductID, "max_price": &in.MaxPrice, "currency": &in.Currency,
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return input{}, errNotOneObject
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return input{}, errNotOneObject
		}
		field, known := fields[name]
		switch {
		case !known:
			return input{}, fmt.Errorf("the order has a field %.40q, which is not known", name)
		case field == nil:
			return input{}, fmt.Errorf("the order has two fields %q", name)
		case decoder.Decode(field) != nil:
			return input{}, fmt.Errorf("the order's %s is not a text", name)
		}
		fields[name] = nil
	}
	return in, nil
}

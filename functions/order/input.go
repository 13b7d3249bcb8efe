package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// input is the payload, {"order_ref","product_id","max_price","currency"}, all of them
// strings, with "quantity" beside them if there is more than one key to buy. With an
// order_ref alone it continues an order that exists; with "cancel":true beside it, it ends
// one that is certainly unpaid.
type input struct {
	OrderRef  string
	ProductID string
	MaxPrice  string // of one key: a decimal, "12.50"
	Currency  string // ISO 4217
	Quantity  int    // keys; 0 where the payload states none
	Cancel    bool
}

// ignored are fields of a workflow's input that are not the caller's: Step Functions
// names the execution that has started this one, and its console writes a comment.
var ignored = map[string]bool{"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": true, "Comment": true}

var errNotOneObject = errors.New(`the order is not one JSON object {"order_ref","product_id","max_price","currency"}`)

// readInput reads the payload. It spends money, so it is read to the letter, which
// json.Unmarshal does not do: an unknown field may be a misspelt max_price, of two
// max_prices nobody knows which one is meant, and a null is not a field left out.
func readInput(payload []byte) (input, error) {
	if !json.Valid(payload) {
		return input{}, errNotOneObject
	}
	var in input
	read := map[string]func(json.RawMessage) error{
		"order_ref": stringInto(&in.OrderRef), "product_id": stringInto(&in.ProductID),
		"max_price": stringInto(&in.MaxPrice), "currency": stringInto(&in.Currency),
		"quantity": quantityInto(&in.Quantity), "cancel": boolInto(&in.Cancel),
	}
	seen := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return input{}, errNotOneObject
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err != nil || !isName || decoder.Decode(&value) != nil {
			return input{}, errNotOneObject
		}
		into := read[name]
		switch {
		case seen[name]:
			return input{}, fmt.Errorf("the order has two fields %.40q", name)
		case into == nil && !ignored[name]:
			return input{}, fmt.Errorf("the order has an unknown field %.40q", name)
		case into != nil:
			if err := into(value); err != nil {
				return input{}, fmt.Errorf("the order's %s %w", name, err)
			}
		}
		seen[name] = true
	}
	return in, nil
}

func stringInto(field *string) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		if value[0] != '"' || json.Unmarshal(value, field) != nil {
			return errors.New("is not a string")
		}
		return nil
	}
}

func quantityInto(field *int) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		number, err := strconv.Atoi(string(value))
		if err != nil || number < 1 || number > purchase.MaxQuantity {
			return fmt.Errorf("is not an integer from 1 to %d", purchase.MaxQuantity)
		}
		*field = number
		return nil
	}
}

func boolInto(field *bool) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		if string(value) != "true" && string(value) != "false" {
			return errors.New("is neither true nor false")
		}
		*field = string(value) == "true"
		return nil
	}
}

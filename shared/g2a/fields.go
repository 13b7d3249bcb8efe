package g2a

import (
	"encoding/json"
	"regexp"

	"github.com/shopspring/decimal"
)

// FieldError names a field of an answer that is not as G2A documents it. It does
// not repeat the value.
type FieldError struct {
	Field   string
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return "field " + e.Field + " " + e.Problem }

// absent reports whether a field was not there, or null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// readAmount reads a JSON number digit by digit, never as a binary float; an
// absent one is nil. What no price can be (negative, with an exponent, a text) is
// a fault.
func readAmount(field string, raw json.RawMessage) (*decimal.Decimal, *FieldError) {
	if absent(raw) {
		return nil, nil
	}
	if raw[0] == '-' {
		return nil, &FieldError{Field: field, Problem: "is negative"}
	}
	if !amountPattern.Match(raw) {
		return nil, &FieldError{Field: field, Problem: "is not a number of at most 12 digits and 6 places"}
	}
	amount, err := decimal.NewFromString(string(raw))
	if err != nil {
		return nil, &FieldError{Field: field, Problem: "is not a decimal"}
	}
	return &amount, nil
}

// readPrice reads an amount that must be there.
func readPrice(field string, raw json.RawMessage, currency string) (Money, *FieldError) {
	amount, fault := readAmount(field, raw)
	switch {
	case fault != nil:
		return Money{}, fault
	case amount == nil:
		return Money{}, &FieldError{Field: field, Problem: "is missing"}
	case !currencyPattern.MatchString(currency):
		return Money{}, &FieldError{Field: "currency", Problem: "is not three upper-case letters"}
	}
	return Money{Amount: *amount, Currency: currency}, nil
}

// idNumberPattern is an id that G2A sends as a number.
var idNumberPattern = regexp.MustCompile(`^[0-9]{1,20}$`)

// readID reads an id that is a JSON text or a whole JSON number, and not empty.
func readID(field string, raw json.RawMessage) (string, *FieldError) {
	if absent(raw) {
		return "", &FieldError{Field: field, Problem: "is missing"}
	}
	if idNumberPattern.Match(raw) {
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", &FieldError{Field: field, Problem: "is neither a text nor a whole number"}
	}
	if text == "" {
		return "", &FieldError{Field: field, Problem: "is empty"}
	}
	return text, nil
}

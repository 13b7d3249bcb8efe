package g2a

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// FieldError names a field of an answer, or of a request that was not sent, that is
// not as G2A documents it. It does not repeat the value.
type FieldError struct {
	Field   string // its path, such as data[3].price; "" is the whole of it
	Problem string
}

// Error names the field and the problem.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return "it " + e.Problem
	}
	return "field " + e.Field + " " + e.Problem
}

// within returns the fault as it is seen from outside: its path begins with the place of
// what it was found in.
func (e *FieldError) within(place string) *FieldError {
	e.Field = strings.TrimSuffix(place+"."+e.Field, ".")
	return e
}

// absent reports whether a field was not there, or null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// idNumberPattern is an id that G2A sends as a number.
var idNumberPattern = regexp.MustCompile(`^[0-9]{1,20}$`)

// readID reads an id that is a JSON string or integer, and not empty.
func readID(field string, raw json.RawMessage) (string, *FieldError) {
	if absent(raw) {
		return "", &FieldError{Field: field, Problem: "is missing"}
	}
	if idNumberPattern.Match(raw) {
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", &FieldError{Field: field, Problem: "is neither a string nor an integer"}
	}
	if text == "" {
		return "", &FieldError{Field: field, Problem: "is empty"}
	}
	return text, nil
}

// readChoice checks a string that must be one of those G2A documents.
func readChoice[T ~string](field string, value T, choices []T) *FieldError {
	switch {
	case value == "":
		return &FieldError{Field: field, Problem: "is missing"}
	case !slices.Contains(choices, value):
		return &FieldError{Field: field, Problem: "is none of " + join(choices)}
	}
	return nil
}

func join[T ~string](choices []T) string {
	texts := make([]string, len(choices))
	for i, choice := range choices {
		texts[i] = string(choice)
	}
	return strings.Join(texts, ", ")
}

// readList reads a list's elements one by one, so that a fault names its place.
func readList[W, T any](field string, raw []json.RawMessage, read func(W) (T, *FieldError)) ([]T, *FieldError) {
	items := make([]T, 0, len(raw))
	for i, element := range raw {
		item, fault := readWire(element, read)
		if fault != nil {
			return nil, fault.within(fmt.Sprintf("%s[%d]", field, i))
		}
		items = append(items, item)
	}
	return items, nil
}

// readWire reads an object as G2A sends it, and maps it.
func readWire[W, T any](raw json.RawMessage, read func(W) (T, *FieldError)) (T, *FieldError) {
	var wire W
	if fault := readElement(raw, &wire); fault != nil {
		return *new(T), fault
	}
	return read(wire)
}

// readElement reads one element; a fault of all of it has no field.
func readElement(raw json.RawMessage, out any) *FieldError {
	err := decode(raw, out)
	var fault *FieldError
	if err == nil || errors.As(err, &fault) {
		return fault
	}
	return &FieldError{Problem: "has the wrong type"}
}

// checkAmount checks an amount that is to be sent: what G2A's prices can be.
func checkAmount(field string, amount decimal.Decimal) *FieldError {
	places := -amount.Exponent()
	switch {
	case amount.IsNegative():
		return &FieldError{Field: field, Problem: "is negative"}
	case places < -12 || places > 12 || !amountPattern.MatchString(amount.String()):
		return &FieldError{Field: field, Problem: "is not a number of at most 12 digits"}
	case places > 2 && !amount.Equal(amount.Truncate(2)):
		return &FieldError{Field: field, Problem: "has more than 2 places"}
	}
	return nil
}

// checkPrice checks a price of the catalogue or of an offer that is to be sent.
func checkPrice(field string, price Money) *FieldError {
	if price.Currency != ProductCurrency {
		return &FieldError{Field: field, Problem: "is not in " + ProductCurrency}
	}
	return checkAmount(field, price.Amount)
}

// checkID checks an id that becomes part of a path.
func checkID(id string) *FieldError {
	switch id {
	case "":
		return &FieldError{Field: "id", Problem: "is missing"}
	case ".", "..":
		return &FieldError{Field: "id", Problem: "is not a valid id"}
	}
	return nil
}

// query is the query of a URL, without what is absent.
type query url.Values

func (q query) text(name, value string) {
	if value != "" {
		url.Values(q).Set(name, value)
	}
}

func (q query) number(name string, value int) {
	if value > 0 {
		q.text(name, strconv.Itoa(value))
	}
}

func (q query) flag(name string, value *bool) {
	if value != nil {
		q.text(name, strconv.FormatBool(*value))
	}
}

// encode returns the query with its question mark, or "".
func (q query) encode() string {
	if len(q) == 0 {
		return ""
	}
	return "?" + url.Values(q).Encode()
}

package g2atest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// shape checks that a JSON value has a form. The error says at which place what
// was wanted and what was found.
type shape func(place string, value json.RawMessage) error

// field is one of a JSON object that must be there. Others may be, too.
type field struct {
	name  string
	shape shape
}

// pageFormat is G2A's page of products: its public documentation, and what its
// sandbox was observed to send.
var pageFormat = object(
	field{"total", whole},
	field{"page", whole},
	field{"docs", list(productFormat)},
)

var productFormat = object(
	field{"id", text},
	field{"name", text},
	field{"type", text},
	field{"slug", text},
	field{"qty", whole},
	field{"minPrice", price},
	field{"retail_min_price", price},
	field{"retailMinBasePrice", price},
	field{"availableToBuy", boolean},
	field{"thumbnail", text},
	field{"smallImage", text},
	field{"coverImage", text},
	field{"images", list(text)},
	field{"updated_at", text},
	field{"release_date", text},
	field{"region", text},
	field{"developer", text},
	field{"publisher", text},
	field{"platform", text},
	field{"priceLimit", object(field{"min", priceOrNull}, field{"max", priceOrNull})},
	field{"requirements", object(field{"minimal", machineFormat}, field{"recommended", machineFormat})},
	field{"restrictions", object(
		field{"pegi_violence", boolean},
		field{"pegi_profanity", boolean},
		field{"pegi_discrimination", boolean},
		field{"pegi_drugs", boolean},
		field{"pegi_fear", boolean},
		field{"pegi_gambling", boolean},
		field{"pegi_online", boolean},
		field{"pegi_sex", boolean},
	)},
	field{"videos", list(object(field{"type", text}, field{"url", text}))},
	field{"categories", list(object(field{"id", textOrWhole}, field{"name", text}))},
)

var machineFormat = object(
	field{"reqprocessor", text},
	field{"reqgraphics", text},
	field{"reqmemory", text},
	field{"reqdiskspace", text},
	field{"reqsystem", text},
	field{"reqother", text},
)

func text(place string, value json.RawMessage) error {
	if value[0] != '"' {
		return unexpected(place, "a string", value)
	}
	return nil
}

func boolean(place string, value json.RawMessage) error {
	if value[0] != 't' && value[0] != 'f' {
		return unexpected(place, "true or false", value)
	}
	return nil
}

func whole(place string, value json.RawMessage) error {
	if _, err := strconv.Atoi(string(value)); err != nil || value[0] == '-' {
		return unexpected(place, "a whole number, not negative", value)
	}
	return nil
}

func textOrWhole(place string, value json.RawMessage) error {
	if text(place, value) != nil && whole(place, value) != nil {
		return unexpected(place, "a string or a whole number", value)
	}
	return nil
}

func price(place string, value json.RawMessage) error {
	if _, err := parsePrice(string(value)); err != nil {
		return unexpected(place, "a price, a number with at most two decimals", value)
	}
	return nil
}

func priceOrNull(place string, value json.RawMessage) error {
	if string(value) != "null" && price(place, value) != nil {
		return unexpected(place, "a price, a number with at most two decimals, or null", value)
	}
	return nil
}

func list(element shape) shape {
	return func(place string, value json.RawMessage) error {
		var elements []json.RawMessage
		if value[0] != '[' {
			return unexpected(place, "a list", value)
		}
		if err := json.Unmarshal(value, &elements); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		for i, e := range elements {
			if err := element(fmt.Sprintf("%s[%d]", place, i), e); err != nil {
				return err
			}
		}
		return nil
	}
}

func object(fields ...field) shape {
	return func(place string, value json.RawMessage) error {
		if value[0] != '{' {
			return unexpected(place, "an object", value)
		}
		found, err := parseDocument(value)
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		for _, f := range fields {
			inside := f.name
			if place != "" {
				inside = place + "." + f.name
			}
			v, err := found.only(f.name)
			if err != nil {
				return fmt.Errorf("%s: %w", inside, err)
			}
			if err := f.shape(inside, v); err != nil {
				return err
			}
		}
		return nil
	}
}

func unexpected(place, want string, found json.RawMessage) error {
	const longest = 60
	if len(found) > longest {
		found = append(found[:longest:longest], "..."...)
	}
	if place == "" {
		place = "the page"
	}
	return fmt.Errorf("%s: want %s, found %s", place, want, found)
}

var pricePattern = regexp.MustCompile(`^\d{1,12}(\.\d{1,2})?$`)

// parsePrice reads a price as G2A writes them: digits, and at most two decimals.
func parsePrice(digits string) (decimal.Decimal, error) {
	if !pricePattern.MatchString(digits) {
		return decimal.Decimal{}, errors.New("want digits with at most two decimals")
	}
	return decimal.NewFromString(digits)
}

// document is a JSON object with its fields in the order they came.
type document []member

type member struct {
	name  string
	value json.RawMessage
}

func parseDocument(value json.RawMessage) (document, error) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if _, err := decoder.Token(); err != nil { // the opening brace
		return nil, err
	}
	var d document
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := decoder.Decode(&v); err != nil {
			return nil, err
		}
		d = append(d, member{name: fmt.Sprint(name), value: v})
	}
	return d, nil
}

// only gives the one field of a name. encoding/json would take a name in any case,
// and the last of two: another reader might take another.
func (d document) only(name string) (json.RawMessage, error) {
	var found []member
	for _, m := range d {
		if strings.EqualFold(m.name, name) {
			found = append(found, m)
		}
	}
	switch {
	case len(found) == 0 || len(found) == 1 && found[0].name != name:
		return nil, errMissing
	case len(found) > 1:
		return nil, errors.New("is there twice")
	}
	return found[0].value, nil
}

// with is the document with another value for one of its fields.
func (d document) with(name string, value json.RawMessage) document {
	changed := make(document, len(d))
	for i, m := range d {
		if m.name == name {
			m.value = value
		}
		changed[i] = m
	}
	return changed
}

// MarshalJSON implements json.Marshaler: the values digit for digit as they came.
func (d document) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

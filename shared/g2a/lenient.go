package g2a

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// members reads the members of a JSON object one by one. A member that is not as G2A
// documents it stays zero and is noted in odd, so that it costs nothing but itself. What
// PHP makes of a value is not odd: a number in a string, [] for an empty object, and null,
// false or "" for what is not known.
type members struct {
	raw  map[string]json.RawMessage
	path string // of the object, with a dot behind it
	odd  *[]FieldError
}

// note records that a member is odd.
func (m members) note(name, problem string) {
	*m.odd = append(*m.odd, FieldError{Field: strings.TrimSuffix(m.path+name, "."), Problem: problem})
}

// blank reports whether a value stands for one that is not known.
func blank(raw json.RawMessage) bool {
	return absent(raw) || string(raw) == "false" || string(raw) == `""`
}

func (m members) text(name string) string {
	raw := m.raw[name]
	if blank(raw) {
		return ""
	}
	var value string
	if json.Unmarshal(raw, &value) != nil {
		m.note(name, "is not a string")
	}
	return value
}

func (m members) id(name string) string {
	value, fault := readID(name, m.raw[name])
	if fault != nil {
		m.note(name, fault.Problem)
	}
	return value
}

func (m members) flag(name string) bool {
	raw := m.raw[name]
	value, ok := readFlag(raw)
	if !ok && !absent(raw) {
		m.note(name, "is neither true nor false")
	}
	return value
}

// count reads an integer that must be there and is not negative.
func (m members) count(name string) (count int, ok bool) {
	raw := m.raw[name]
	number, isNumber := readNumber(raw)
	switch {
	case blank(raw):
		m.note(name, "is missing")
	case !isNumber || !number.IsInteger():
		m.note(name, "is not an integer")
	case number.IsNegative():
		m.note(name, "is negative")
	default:
		return int(number.IntPart()), true
	}
	return 0, false
}

// amount reads an amount; nil is one that is not known, or odd.
func (m members) amount(name string) *decimal.Decimal {
	raw := m.raw[name]
	if blank(raw) {
		return nil
	}
	amount, problem := readLenientAmount(raw)
	if problem != "" {
		m.note(name, problem)
		return nil
	}
	return &amount
}

// price reads an amount of the catalogue, as amount does.
func (m members) price(name string) Money {
	amount := m.amount(name)
	if amount == nil {
		return Money{}
	}
	return Money{Amount: *amount, Currency: ProductCurrency}
}

func (m members) object(name string) members {
	raw := m.raw[name]
	inner := members{path: m.path + name + ".", odd: m.odd}
	if !blank(raw) && !empty(raw) && json.Unmarshal(raw, &inner.raw) != nil {
		m.note(name, "is not an object")
	}
	return inner
}

// flags reads an object of flags; nil is one that has none.
func (m members) flags(name string) map[string]bool {
	inner := m.object(name)
	if len(inner.raw) == 0 {
		return nil
	}
	flags := map[string]bool{}
	for _, each := range slices.Sorted(maps.Keys(inner.raw)) {
		if value, ok := readFlag(inner.raw[each]); ok {
			flags[each] = value
		} else if !blank(inner.raw[each]) {
			inner.note(each, "is neither true nor false")
		}
	}
	return flags
}

// elements returns the elements of a list as members that are named by their place, such
// as videos[0].
func (m members) elements(name string) (all members, names []string) {
	raw := m.raw[name]
	all = members{raw: map[string]json.RawMessage{}, path: m.path, odd: m.odd}
	var elements []json.RawMessage
	if !blank(raw) && !empty(raw) && json.Unmarshal(raw, &elements) != nil {
		m.note(name, "is not a list")
	}
	for i, element := range elements {
		place := fmt.Sprintf("%s[%d]", name, i)
		all.raw[place], names = element, append(names, place)
	}
	return all, names
}

// empty reports whether a value is an empty list or object, which PHP takes for the same.
func empty(raw json.RawMessage) bool {
	var list []json.RawMessage
	var object map[string]json.RawMessage
	return json.Unmarshal(raw, &list) == nil && len(list) == 0 || json.Unmarshal(raw, &object) == nil && len(object) == 0
}

// readFlag reads true, false, 1 and 0, each as it is or in a string.
func readFlag(raw json.RawMessage) (value, ok bool) {
	word := string(raw)
	if inner := stringOf(raw); inner != "" {
		word = strings.ToLower(inner)
	}
	switch word {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// numberPattern bounds a number to what no arithmetic on it is expensive for. A binary
// float that G2A has written out has some 17 digits.
var numberPattern = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,40})?$`)

// readNumber reads a number that stands as it is or in a string, digit by digit.
func readNumber(raw json.RawMessage) (decimal.Decimal, bool) {
	digits := bytes.TrimSuffix(bytes.TrimPrefix(raw, []byte(`"`)), []byte(`"`))
	if !numberPattern.Match(digits) {
		return decimal.Decimal{}, false
	}
	number, err := decimal.NewFromString(string(digits))
	return number, err == nil
}

// amountPlaces is how many places an amount has at most; what is beyond them is the noise
// of a binary float.
const amountPlaces = 6

// readLenientAmount reads an amount as readNumber does, without the noise of a float.
func readLenientAmount(raw json.RawMessage) (amount decimal.Decimal, problem string) {
	amount, ok := readNumber(raw)
	switch {
	case !ok:
		return decimal.Decimal{}, "is not a number of at most 12 digits"
	case amount.IsNegative():
		return decimal.Decimal{}, "is negative"
	case -amount.Exponent() > amountPlaces:
		amount = shortest(amount.RoundBank(amountPlaces))
	}
	if !amountPattern.MatchString(amount.String()) {
		return decimal.Decimal{}, "is not a number of at most 12 digits"
	}
	return amount, ""
}

// shortest drops the zeros that rounding leaves after the second place.
func shortest(amount decimal.Decimal) decimal.Decimal {
	for places := int32(2); places < amountPlaces; places++ {
		if short := amount.Truncate(places); short.Equal(amount) {
			return short
		}
	}
	return amount
}

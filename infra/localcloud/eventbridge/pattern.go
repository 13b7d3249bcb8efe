package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Pattern is an event pattern. Of EventBridge's comparisons it knows equality and
// "exists".
type Pattern struct{ fields map[string]any } // a field's pattern, or its []comparison

// comparison holds for a value or does not; found is false where there is none.
type comparison func(value any, found bool) bool

// ParsePattern reads a pattern's JSON.
func ParsePattern(text []byte) (Pattern, error) {
	value, err := decode(text)
	if err != nil {
		return Pattern{}, err
	}
	object, is := value.(map[string]any)
	if !is {
		return Pattern{}, errors.New("an event pattern is an object")
	}
	return parseFields(object, "$")
}

func parseFields(object map[string]any, place string) (Pattern, error) {
	p := Pattern{fields: map[string]any{}}
	if len(object) == 0 {
		return p, fmt.Errorf("%s: an event pattern is not empty", place)
	}
	for name, value := range object {
		at := place + "." + name
		switch value := value.(type) {
		case map[string]any:
			inner, err := parseFields(value, at)
			if err != nil {
				return p, err
			}
			p.fields[name] = inner
		case []any:
			comparisons, err := parseComparisons(value, at)
			if err != nil {
				return p, err
			}
			p.fields[name] = comparisons
		default:
			return p, fmt.Errorf("%s: an event pattern has objects and lists only", at)
		}
	}
	return p, nil
}

func parseComparisons(list []any, place string) ([]comparison, error) {
	var all []comparison
	for _, element := range list {
		switch element := element.(type) {
		case map[string]any:
			exists, is := element["exists"].(bool)
			if !is || len(element) != 1 {
				return nil, fmt.Errorf("%s: of the comparisons only exists is supported by the local cloud", place)
			}
			all = append(all, func(_ any, found bool) bool { return found == exists })
		case []any:
			return nil, fmt.Errorf("%s: a list in a list", place)
		default: // a text, a number, true, false or null
			all = append(all, func(value any, found bool) bool { return found && value == element })
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: nothing is in the list, and so nothing can match", place)
	}
	return all, nil
}

// Matches reports whether an event has every field of the pattern, with one of the
// values that the pattern has for it.
func (p Pattern) Matches(event []byte) bool {
	value, err := decode(event)
	return err == nil && p.match(value)
}

func (p Pattern) match(event any) bool {
	object, _ := event.(map[string]any) // nil has no fields
	for name, want := range p.fields {
		value, found := object[name]
		switch want := want.(type) {
		case Pattern:
			if !want.match(value) {
				return false
			}
		case []comparison:
			if !anyOf(want, value, found) {
				return false
			}
		}
	}
	return true
}

// anyOf holds for a value or, where that is a list, for one of its elements.
func anyOf(comparisons []comparison, value any, found bool) bool {
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	for _, holds := range comparisons {
		for _, v := range values {
			if holds(v, found && !isObject(v)) {
				return true
			}
		}
	}
	return false
}

// isObject: "exists" is about values, not about objects.
func isObject(v any) bool {
	_, is := v.(map[string]any)
	return is
}

func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	return value, nil
}

package g2atest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

var errMissing = errors.New("is missing")

// invalid is the answer for a field or parameter that is not good.
func invalid(name string, err error) *answer {
	a := fail(codeInvalidData, "%s: %v", name, err)
	return &a
}

// readBody reads a request's JSON object: each field by its reader. Fields that
// have none are passed over, and null is as good as absent.
func readBody(body []byte, readers map[string]func(json.RawMessage) error) *answer {
	var fields map[string]json.RawMessage
	if !json.Valid(body) {
		a := fail(codeInvalidJSON, "The request is not JSON")
		return &a
	}
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		a := fail(codeInvalidData, "The request is not a JSON object")
		return &a
	}
	for _, name := range slices.Sorted(maps.Keys(readers)) {
		value, given := fields[name]
		if !given || string(value) == "null" {
			continue
		}
		if err := readers[name](value); err != nil {
			return invalid(name, err)
		}
	}
	return nil
}

func textInto(into *string) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		if json.Unmarshal(value, into) != nil || *into == "" {
			return errors.New("must be a text, and not empty")
		}
		return nil
	}
}

// choiceInto takes one of the texts given.
func choiceInto(into *string, choices ...string) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		var text string
		if json.Unmarshal(value, &text) != nil || !slices.Contains(choices, text) {
			return fmt.Errorf("must be one of %q", choices)
		}
		*into = text
		return nil
	}
}

func boolInto(into **bool) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		if json.Unmarshal(value, into) != nil {
			return errors.New("must be true or false")
		}
		return nil
	}
}

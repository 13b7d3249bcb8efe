package eventbridge

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Input is a template of a target's input: JSON with <variables> in the place of
// values. A variable's value comes in as JSON, a text in its quotes.
type Input struct {
	template string
	paths    map[string][]string // of the variables
}

var (
	variable = regexp.MustCompile(`<([^<>]*)>`)
	path     = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+)+$`)
)

// ParseInput reads a template. In a rule's, a variable's path is in the map; in a
// pipe's, which has none, the variable is the path.
func ParseInput(template string, paths map[string]string) (Input, error) {
	in := Input{template: template, paths: map[string][]string{}}
	for _, match := range variable.FindAllStringSubmatch(template, -1) {
		name := match[1]
		written := name
		if paths != nil {
			written = paths[name]
		}
		if !path.MatchString(written) {
			return Input{}, fmt.Errorf("<%s> has the path %q, and only paths like $.a.b are supported by the local cloud", name, written)
		}
		in.paths[name] = strings.Split(written, ".")[1:]
	}
	if _, err := decode([]byte(variable.ReplaceAllString(template, "null"))); err != nil {
		return Input{}, fmt.Errorf("only a template of JSON, with variables for whole values, is supported by the local cloud: %w", err)
	}
	return in, nil
}

// Of fills an event's values in. What the event does not have is an empty text.
func (in Input) Of(event []byte) ([]byte, error) {
	value, err := decode(event)
	if err != nil {
		return nil, err
	}
	filled := variable.ReplaceAllStringFunc(in.template, func(match string) string {
		found := value
		for _, name := range in.paths[match[1:len(match)-1]] {
			object, _ := found.(map[string]any)
			found = object[name]
		}
		if found == nil {
			found = ""
		}
		text, _ := json.Marshal(found) // it was JSON before
		return string(text)
	})
	return []byte(filled), nil
}

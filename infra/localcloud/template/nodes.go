package template

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// parser walks through the YAML and collects mistakes, so that all are reported at
// once. After a mistake it goes on with a zero value.
type parser struct {
	file       string
	values     map[string]string // of the parameters and the pseudo parameters
	conditions object
	resources  map[string]resource // by logical id
	mistakes   []error
}

// resource is what references need to know of one.
type resource struct {
	kind  string // its Type
	name  string // its physical name
	alias string // of a function: the alias that its versions are published under; "" is none
	value string // of a parameter in the Parameter Store
}

// mistake notes one, once: some places are read twice.
func (p *parser) mistake(at *yaml.Node, format string, args ...any) {
	mistake := fmt.Errorf("%s:%d: "+format, append([]any{p.file, at.Line}, args...)...)
	for _, known := range p.mistakes {
		if known.Error() == mistake.Error() {
			return
		}
	}
	p.mistakes = append(p.mistakes, mistake)
}

// object is a mapping and where it is, as errors say it.
type object struct {
	p     *parser
	node  *yaml.Node // never nil
	place string
}

// object makes a mapping of a node; nil gives an empty one.
func (p *parser) object(node *yaml.Node, place string) object {
	node = follow(node)
	if node == nil {
		return object{p, &yaml.Node{Kind: yaml.MappingNode}, place}
	}
	if node.Kind != yaml.MappingNode {
		p.mistake(node, "%s is not a mapping", place)
		return object{p, &yaml.Node{Kind: yaml.MappingNode, Line: node.Line}, place}
	}
	return object{p, node, place}
}

// follow gives what an alias stands for.
func follow(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// fields are the mapping's names and values, in the template's order.
func (o object) fields() iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(name, value *yaml.Node) bool) {
		for i := 0; i+1 < len(o.node.Content); i += 2 {
			if !yield(o.node.Content[i], follow(o.node.Content[i+1])) {
				return
			}
		}
	}
}

// get gives the field's value, nil when there is none.
func (o object) get(name string) *yaml.Node {
	for key, value := range o.fields() {
		if key.Value == name {
			return value
		}
	}
	return nil
}

func (o object) object(name string) object {
	return o.p.object(o.get(name), o.place+"."+name)
}

// text gives a field's text, "" when there is none.
func (o object) text(name string) string {
	node := o.get(name)
	if node == nil {
		return ""
	}
	return o.p.text(node, o.place+"."+name)
}

// required is text, and a mistake when there is none.
func (o object) required(name string) string {
	value := o.text(name)
	if value == "" {
		o.p.mistake(o.node, "%s: %s is missing", o.place, name)
	}
	return value
}

// integer gives a field's whole number, or fallback when there is none.
func (o object) integer(name string, fallback, lowest, highest int) int {
	node := o.get(name)
	if node == nil {
		return fallback
	}
	value := o.text(name)
	number, err := strconv.Atoi(value)
	if err != nil || number < lowest || number > highest {
		o.p.mistake(node, "%s.%s: %q is not a whole number from %d to %d", o.place, name, value, lowest, highest)
	}
	return number
}

// list gives a field's elements as mappings.
func (o object) list(name string) []object {
	node := o.get(name)
	if node == nil {
		return nil
	}
	place := o.place + "." + name
	if node.Kind != yaml.SequenceNode {
		o.p.mistake(node, "%s is not a list", place)
		return nil
	}
	elements := make([]object, len(node.Content))
	for i, element := range node.Content {
		elements[i] = o.p.object(element, fmt.Sprintf("%s[%d]", place, i))
	}
	return elements
}

// texts gives a field that is a mapping of texts.
func (o object) texts(name string) map[string]string {
	texts := map[string]string{}
	inner := o.object(name)
	for key, value := range inner.fields() {
		texts[key.Value] = o.p.text(value, inner.place+"."+key.Value)
	}
	return texts
}

// only makes a mistake of every field that is neither read nor without meaning here.
func (o object) only(known properties) {
	for key := range o.fields() {
		if !slices.Contains(known.read, key.Value) && !slices.Contains(known.inert, key.Value) {
			o.p.mistake(key, "%s: %s is not supported by the local cloud", o.place, key.Value)
		}
	}
}

// merge lays the second node over the first: mappings field by field, everything
// else as a whole. An intrinsic function is a value, not a mapping.
func merge(base, over *yaml.Node) *yaml.Node {
	base, over = follow(base), follow(over)
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || intrinsic(base) || intrinsic(over):
		return over
	}
	merged := *over
	merged.Content = slices.Clone(over.Content)
	for i := 0; i+1 < len(base.Content); i += 2 {
		at := -1
		for j := 0; j+1 < len(merged.Content); j += 2 {
			if merged.Content[j].Value == base.Content[i].Value {
				at = j + 1
			}
		}
		if at < 0 {
			merged.Content = append(merged.Content, base.Content[i], base.Content[i+1])
			continue
		}
		merged.Content[at] = merge(base.Content[i+1], merged.Content[at])
	}
	return &merged
}

// intrinsic reports whether a mapping is the long form of an intrinsic function.
func intrinsic(node *yaml.Node) bool {
	return len(node.Content) == 2 && (node.Content[0].Value == "Ref" || strings.HasPrefix(node.Content[0].Value, "Fn::"))
}

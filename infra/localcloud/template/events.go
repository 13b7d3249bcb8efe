package template

import (
	"encoding/json"

	"gopkg.in/yaml.v3"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/eventbridge"
)

func (p *parser) rule(name string, o object) Rule {
	o.only(ruleFields)
	transformer := o.object("InputTransformer")
	transformer.only(inputTransformerFields)
	r := Rule{Name: name, Bus: o.required("EventBusName")}
	if pattern := o.get("Pattern"); pattern == nil {
		p.mistake(o.node, "%s: Pattern is missing", o.place)
	} else {
		text, _ := json.Marshal(p.value(pattern, o.place+".Pattern")) // of YAML: can be written
		r.Pattern = p.pattern(pattern, string(text), o.place)
	}
	r.Input = p.input(transformer, transformer.texts("InputPathsMap"))
	return r
}

func (p *parser) pipe(id string, o object) Pipe {
	o.only(pipeFields)
	source, target := o.object("SourceParameters"), o.object("TargetParameters")
	source.only(pipeSourceFields)
	target.only(pipeTargetFields)
	stream, bus := source.object("DynamoDBStreamParameters"), target.object("EventBridgeEventBusParameters")
	stream.only(pipeStreamFields)
	bus.only(pipeBusFields)
	pipe := Pipe{
		Name:       p.resources[id].name,
		Table:      p.named(o, "Source", typeTable, "StreamArn"),
		FromStart:  stream.required("StartingPosition") == "TRIM_HORIZON",
		Bus:        p.named(o, "Target", typeEventBus, "Arn"),
		Source:     bus.required("Source"),
		DetailType: bus.required("DetailType"),
		Detail:     p.input(target, nil),
	}
	criteria := source.object("FilterCriteria")
	criteria.only(pipeFilterFields)
	for _, filter := range criteria.list("Filters") {
		filter.only(patternFields)
		pipe.Filters = append(pipe.Filters, p.pattern(filter.node, filter.required("Pattern"), filter.place))
	}
	return pipe
}

// named gives the name of the resource whose attribute a field is.
func (p *parser) named(o object, field, kind, attribute string) string {
	given := o.required(field)
	for id, r := range p.resources {
		if given != "" && r.kind == kind && p.attributeOf(o.node, id, attribute, o.place) == given {
			return r.name
		}
	}
	p.mistake(o.node, "%s.%s: only the %s of an %s is supported by the local cloud", o.place, field, attribute, kind)
	return ""
}

func (p *parser) pattern(at *yaml.Node, text, place string) eventbridge.Pattern {
	pattern, err := eventbridge.ParsePattern([]byte(text))
	if err != nil {
		p.mistake(at, "%s.Pattern: %w", place, err)
	}
	return pattern
}

// input reads the InputTemplate of o. A rule's variables have their paths.
func (p *parser) input(o object, paths map[string]string) eventbridge.Input {
	input, err := eventbridge.ParseInput(o.required("InputTemplate"), paths)
	if err != nil {
		p.mistake(o.node, "%s.InputTemplate: %w", o.place, err)
	}
	return input
}

// value gives what a node says, with its references resolved.
func (p *parser) value(node *yaml.Node, place string) any {
	node = follow(node)
	if name, _ := call(node); name != "" {
		return p.text(node, place)
	}
	switch node.Kind {
	case yaml.MappingNode:
		fields := map[string]any{}
		for name, value := range p.object(node, place).fields() {
			fields[name.Value] = p.value(value, place+"."+name.Value)
		}
		return fields
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, element := range node.Content {
			list[i] = p.value(element, place)
		}
		return list
	}
	var value any
	if err := node.Decode(&value); err != nil {
		p.mistake(node, "%s: %w", place, err)
	}
	return value
}

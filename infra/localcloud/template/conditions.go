package template

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// choose leaves of a node what the conditions choose: a resource, and each Fn::If, is
// there or not. It returns nil where that is AWS::NoValue.
func (p *parser) choose(node *yaml.Node, place string) *yaml.Node {
	node = follow(node)
	name, argument := call(node)
	switch {
	case name == "If":
		return p.choose(p.branch(argument, place), place)
	case name == "Ref" && argument.Value == "AWS::NoValue":
		return nil
	case node.Kind == yaml.MappingNode:
		kept := *node
		kept.Content = nil
		for key, value := range p.object(node, place).fields() {
			if chosen := p.choose(value, place+"."+key.Value); chosen != nil {
				kept.Content = append(kept.Content, key, chosen)
			}
		}
		return &kept
	case node.Kind == yaml.SequenceNode:
		kept := *node
		kept.Content = nil
		for _, element := range node.Content {
			if chosen := p.choose(element, place); chosen != nil {
				kept.Content = append(kept.Content, chosen)
			}
		}
		return &kept
	}
	return node
}

// branch returns the value that an Fn::If chooses.
func (p *parser) branch(argument *yaml.Node, place string) *yaml.Node {
	if argument.Kind != yaml.SequenceNode || len(argument.Content) != 3 {
		p.mistake(argument, "%s: If needs a condition and two values", place)
		return &yaml.Node{Kind: yaml.ScalarNode, Line: argument.Line}
	}
	if p.given(argument.Content[0], place) {
		return argument.Content[1]
	}
	return argument.Content[2]
}

// existing returns the resources whose condition holds, with their own conditions applied.
func (p *parser) existing(all object) object {
	kept := *all.node
	kept.Content = nil
	for id, value := range all.fields() {
		if value.Kind == yaml.MappingNode {
			if condition := p.object(value, id.Value).get("Condition"); condition != nil && !p.given(condition, id.Value) {
				continue
			}
			value = p.choose(value, id.Value)
		}
		kept.Content = append(kept.Content, id, value)
	}
	return object{p, &kept, all.place}
}

// given reports whether the condition of a name holds.
func (p *parser) given(name *yaml.Node, place string) bool {
	condition := p.conditions.get(name.Value)
	if condition == nil {
		p.mistake(name, "%s: there is no condition %s", place, name.Value)
		return false
	}
	return p.holds(condition, "Conditions."+name.Value)
}

// holds evaluates a condition.
func (p *parser) holds(node *yaml.Node, place string) bool {
	node = follow(node)
	name, argument := call(node)
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 && node.Content[0].Value == "Condition" {
		name, argument = "Condition", node.Content[1]
	}
	operands := argument
	if operands == nil || operands.Kind != yaml.SequenceNode {
		operands = &yaml.Node{}
	}
	one := func(operand *yaml.Node) bool { return p.holds(operand, place) }
	switch n := len(operands.Content); {
	case name == "Condition":
		return p.given(argument, place)
	case name == "Equals" && n == 2:
		return p.text(operands.Content[0], place) == p.text(operands.Content[1], place)
	case name == "Not" && n == 1:
		return !one(operands.Content[0])
	case name == "And" && n >= 2:
		return !slices.ContainsFunc(operands.Content, func(operand *yaml.Node) bool { return !one(operand) })
	case name == "Or" && n >= 2:
		return slices.ContainsFunc(operands.Content, one)
	}
	p.mistake(node, "%s is not a condition that the local cloud supports", place)
	return false
}

// rules makes a mistake of every assertion about the parameters that does not hold.
func (p *parser) rules(all object) {
	for name, value := range all.fields() {
		rule := p.object(value, "Rules."+name.Value)
		rule.only(ruleOfParametersFields)
		if condition := rule.get("RuleCondition"); condition != nil && !p.holds(condition, rule.place) {
			continue
		}
		for _, assertion := range rule.list("Assertions") {
			if assert := assertion.get("Assert"); assert == nil || !p.holds(assert, assertion.place) {
				p.mistake(assertion.node, "%s: %s", rule.place, assertion.text("AssertDescription"))
			}
		}
	}
}

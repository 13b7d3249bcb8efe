package template

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// What the pseudo parameters are in the local cloud.
const (
	Region    = "eu-central-1"
	AccountID = "123456789012"

	stackName = "local"
)

func pseudoParameters() map[string]string {
	return map[string]string{
		"AWS::AccountId": AccountID,
		"AWS::Partition": "aws",
		"AWS::Region":    Region,
		"AWS::StackName": stackName,
		"AWS::StackId":   "arn:aws:cloudformation:" + Region + ":" + AccountID + ":stack/" + stackName + "/local",
		"AWS::URLSuffix": "amazonaws.com",
	}
}

// text gives a node's text: a scalar as it is written, or what an intrinsic
// function comes to.
func (p *parser) text(node *yaml.Node, place string) string {
	name, argument := call(node)
	switch {
	case name == "Ref" && argument.Kind == yaml.ScalarNode:
		return p.reference(argument, argument.Value, place)
	case name == "GetAtt":
		return p.attribute(argument, place)
	case name == "Sub":
		return p.substitute(argument, place)
	case name != "":
		p.mistake(node, "%s: the function %s is not supported by the local cloud", place, name)
	case node.Kind == yaml.ScalarNode && node.Tag != "!!null":
		return node.Value
	default:
		p.mistake(node, "%s is not a text", place)
	}
	return ""
}

// call gives an intrinsic function's name, without "Fn::", and its argument. For
// anything else the name is "".
func call(node *yaml.Node) (name string, argument *yaml.Node) {
	if strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return node.Tag[1:], node
	}
	if node.Kind == yaml.MappingNode && intrinsic(node) {
		return strings.TrimPrefix(node.Content[0].Value, "Fn::"), follow(node.Content[1])
	}
	return "", nil
}

// reference gives the value of a parameter or the physical name of a resource. That
// is so for a secret too, whose Ref is its ARN on AWS: Secrets Manager takes both.
func (p *parser) reference(at *yaml.Node, name, place string) string {
	if value, found := p.values[name]; found {
		return value
	}
	if r, found := p.resources[name]; found {
		return r.name
	}
	if id, isAlias := strings.CutSuffix(name, ".Alias"); isAlias && p.resources[id].alias != "" { // SAM's
		return p.attributeOf(at, id, "Arn", place) + ":" + p.resources[id].alias
	}
	p.mistake(at, "%s: there is no parameter or resource %s", place, name)
	return ""
}

// attribute gives Resource.Attribute, from a text or a list of two.
func (p *parser) attribute(argument *yaml.Node, place string) string {
	id, attribute, _ := strings.Cut(argument.Value, ".")
	if argument.Kind == yaml.SequenceNode && len(argument.Content) == 2 {
		id, attribute = argument.Content[0].Value, argument.Content[1].Value
	}
	return p.attributeOf(argument, id, attribute, place)
}

func (p *parser) attributeOf(at *yaml.Node, id, attribute, place string) string {
	r, found := p.resources[id]
	if !found {
		p.mistake(at, "%s: there is no resource %s", place, id)
		return ""
	}
	service, found := arns[r.kind]
	switch {
	case r.kind == typeTable && attribute == "StreamArn":
		service += "/stream/local"
	case r.kind == typeQueue && attribute == "QueueName":
		return r.name
	case r.kind == typeParameter && attribute == "Value":
		return r.value
	case attribute != "Arn" || !found:
		p.mistake(at, "%s: the attribute %s of %s (%s) is not supported by the local cloud", place, attribute, id, r.kind)
		return ""
	}
	return "arn:aws:" + strings.NewReplacer("{place}", Region+":"+AccountID, "{name}", r.name).Replace(service)
}

// arns are the ARNs of the resources, without "arn:aws:".
var arns = map[string]string{
	typeFunction:          "lambda:{place}:function:{name}",
	typeTable:             "dynamodb:{place}:table/{name}",
	typeSecret:            "secretsmanager:{place}:secret:{name}",
	typeStateMachine:      "states:{place}:stateMachine:{name}",
	typeEventBus:          "events:{place}:event-bus/{name}",
	typePipe:              "pipes:{place}:pipe/{name}",
	typeQueue:             "sqs:{place}:{name}",
	"AWS::Logs::LogGroup": "logs:{place}:log-group:{name}:*",
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// substitute fills the ${names} of a text in; ${!name} stands for ${name} itself.
func (p *parser) substitute(argument *yaml.Node, place string) string {
	text, own := argument, object{p: p, node: &yaml.Node{}}
	if argument.Kind == yaml.SequenceNode && len(argument.Content) == 2 {
		text, own = argument.Content[0], p.object(argument.Content[1], place)
	}
	if text.Kind != yaml.ScalarNode {
		p.mistake(argument, "%s: Sub needs a text, or a text and a mapping", place)
		return ""
	}
	return variable.ReplaceAllStringFunc(text.Value, func(match string) string {
		name := strings.TrimSpace(match[2 : len(match)-1])
		if literal, found := strings.CutPrefix(name, "!"); found {
			return "${" + literal + "}"
		}
		if node := own.get(name); node != nil {
			return p.text(node, place)
		}
		if id, attribute, dotted := strings.Cut(name, "."); dotted {
			return p.attributeOf(text, id, attribute, place)
		}
		return p.reference(text, name, place)
	})
}

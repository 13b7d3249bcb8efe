package template

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Lambda's limits and defaults.
const (
	defaultTimeoutSeconds = 3
	maxTimeoutSeconds     = 900
	defaultMemoryMB       = 128
	maxMemoryMB           = 10240
)

// stack reads the whole document.
func (p *parser) stack(node *yaml.Node, given map[string]string) *Stack {
	document := p.object(node, "the template")
	p.values = pseudoParameters()
	p.parameters(p.object(document.get("Parameters"), "Parameters"), given)
	p.conditions = p.object(document.get("Conditions"), "Conditions")
	p.rules(p.object(document.get("Rules"), "Rules"))
	globals := p.object(document.get("Globals"), "Globals")
	globals = p.object(p.choose(globals.node, globals.place), globals.place)
	globals.only(globalFields)

	all := p.existing(p.object(document.get("Resources"), "Resources"))
	p.names(all, globals.get("Function"))
	stack := &Stack{NotLocal: map[string]int{}}
	for id, value := range all.fields() {
		kind := p.resources[id.Value].kind
		if kind == "" {
			continue // a mistake that names has seen
		}
		r := p.object(value, id.Value)
		properties := p.object(r.get("Properties"), id.Value)
		if notLocal(kind) {
			stack.NotLocal[kind]++
			continue
		}
		r.only(resourceFields)
		switch kind {
		case typeFunction:
			properties = p.object(merge(globals.get("Function"), r.get("Properties")), id.Value)
			stack.Functions = append(stack.Functions, p.function(id.Value, properties))
		case typeTable:
			stack.Tables = append(stack.Tables, p.table(id.Value, properties))
		case typeSecret:
			properties.only(secretFields)
			stack.Secrets = append(stack.Secrets, Secret{Name: p.resources[id.Value].name, Description: properties.text("Description")})
		case typeStateMachine:
			stack.StateMachines = append(stack.StateMachines, p.stateMachine(id.Value, properties))
		case typeHTTPAPI:
			properties.only(httpAPIFields)
		case typeEventBus:
			properties.only(eventBusFields)
		case typePipe:
			stack.Pipes = append(stack.Pipes, p.pipe(id.Value, properties))
		default:
			p.mistake(value, "%s: the type %q is not supported by the local cloud", id.Value, kind)
		}
	}
	p.routesOnce(all, stack.Functions)
	return stack
}

// parameters gives every parameter its value: the given one, or its default.
func (p *parser) parameters(declared object, given map[string]string) {
	known := map[string]bool{}
	for name, value := range declared.fields() {
		known[name.Value] = true
		parameter := p.object(value, name.Value)
		chosen, found := given[name.Value]
		if !found {
			if parameter.get("Default") == nil {
				p.mistake(name, "parameter %s has no default and was given no value", name.Value)
				p.values[name.Value] = ""
				continue
			}
			chosen = parameter.text("Default")
		}
		p.checkParameter(name.Value, chosen, parameter)
		p.values[name.Value] = chosen
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			p.mistake(declared.node, "there is no parameter %s", name)
		}
	}
}

func (p *parser) checkParameter(name, value string, parameter object) {
	if allowed := parameter.get("AllowedValues"); allowed != nil {
		var choices []string
		for _, choice := range allowed.Content {
			choices = append(choices, choice.Value)
		}
		if !slices.Contains(choices, value) {
			p.mistake(parameter.node, "parameter %s: %q is not %s", name, value, strings.Join(choices, " or "))
		}
	}
	if text := parameter.text("AllowedPattern"); text != "" {
		// CloudFormation wants the whole value to match.
		pattern, err := regexp.Compile(`^(?:` + text + `)$`)
		switch {
		case err != nil:
			p.mistake(parameter.node, "parameter %s: %w", name, err)
		case !pattern.MatchString(value):
			p.mistake(parameter.node, "parameter %s: %q does not match %s", name, value, text)
		}
	}
	if parameter.text("Type") != "Number" {
		return
	}
	const unlimited = 1 << 53
	lowest, highest := parameter.integer("MinValue", -unlimited, -unlimited, unlimited), parameter.integer("MaxValue", unlimited, -unlimited, unlimited)
	if number, err := strconv.Atoi(value); err != nil || number < lowest || number > highest {
		p.mistake(parameter.node, "parameter %s: %q is not a whole number from %d to %d", name, value, lowest, highest)
	}
}

// names notes every resource's type and physical name, for the references.
func (p *parser) names(all object, functions *yaml.Node) {
	p.resources = map[string]resource{}
	for id, value := range all.fields() {
		r := p.object(value, id.Value)
		entry := resource{kind: r.required("Type"), name: id.Value}
		if property := nameProperty[entry.kind]; property != "" {
			if name := p.object(r.get("Properties"), id.Value).text(property); name != "" {
				entry.name = name
			}
		}
		switch entry.kind {
		case typeFunction:
			entry.alias = p.object(merge(functions, r.get("Properties")), id.Value).text("AutoPublishAlias")
		case typeParameter:
			entry.value = r.object("Properties").text("Value")
		}
		p.resources[id.Value] = entry
	}
}

func (p *parser) function(id string, o object) Function {
	o.only(functionFields)
	if runtime := o.required("Runtime"); runtime != "" && !strings.HasPrefix(runtime, "provided.") {
		p.mistake(o.get("Runtime"), "%s: the runtime %s is not supported by the local cloud: only provided.*, a compiled bootstrap", id, runtime)
	}
	logging := o.object("LoggingConfig")
	logging.only(loggingFields)
	environment := o.object("Environment")
	environment.only(environmentFields)
	f := Function{
		LogicalID:   id,
		Name:        p.resources[id].name,
		Alias:       p.resources[id].alias,
		CodeURI:     strings.TrimSuffix(o.required("CodeUri"), "/"),
		Handler:     o.required("Handler"),
		Timeout:     time.Duration(o.integer("Timeout", defaultTimeoutSeconds, 1, maxTimeoutSeconds)) * time.Second,
		MemoryMB:    o.integer("MemorySize", defaultMemoryMB, defaultMemoryMB, maxMemoryMB),
		JSONLogs:    logging.text("LogFormat") == "JSON",
		LogGroup:    logging.text("LogGroup"),
		Environment: environment.texts("Variables"),
	}
	events := o.object("Events")
	for name, value := range events.fields() {
		p.event(&f, name.Value, p.object(value, events.place+"."+name.Value))
	}
	return f
}

func (p *parser) event(f *Function, name string, o object) {
	o.only(eventFields)
	properties := p.object(o.get("Properties"), o.place)
	switch kind := o.required("Type"); kind {
	case "HttpApi":
		f.Routes = append(f.Routes, p.route(properties))
	case "Schedule":
		properties.only(scheduleFields)
		every := p.rate(properties)
		if properties.text("Enabled") != "false" {
			f.Schedules = append(f.Schedules, Schedule{Name: name, Every: every})
		}
	case "EventBridgeRule":
		f.Rules = append(f.Rules, p.rule(name, properties))
	case "":
	default:
		p.mistake(o.node, "%s: an event of type %s is not supported by the local cloud", o.place, kind)
	}
}

func (p *parser) route(o object) Route {
	o.only(httpEventFields)
	if api := o.text("ApiId"); api != "" && p.resources[api].kind != typeHTTPAPI {
		p.mistake(o.get("ApiId"), "%s.ApiId: %s is not an %s", o.place, api, typeHTTPAPI)
	}
	if version := o.text("PayloadFormatVersion"); version != "" && version != "2.0" {
		p.mistake(o.get("PayloadFormatVersion"), "%s: the payload format %s is not supported by the local cloud: only 2.0", o.place, version)
	}
	route := Route{
		Method:  strings.ToUpper(o.required("Method")),
		Path:    o.required("Path"),
		Timeout: time.Duration(o.integer("TimeoutInMillis", 0, 50, 30000)) * time.Millisecond,
	}
	if route.Method == "ANY" || strings.ContainsAny(route.Path, "{$") {
		p.mistake(o.node, "%s: %s %s is not supported by the local cloud: only one method and a path without parameters", o.place, route.Method, route.Path)
	}
	return route
}

var ratePattern = regexp.MustCompile(`^rate\(([1-9][0-9]{0,5}) (minute|hour|day)(s?)\)$`)

// rate reads rate(1 minute), rate(5 hours) and so on. As EventBridge does, it wants
// the singular for one and the plural for more.
func (p *parser) rate(o object) time.Duration {
	expression := o.required("Schedule")
	if expression == "" {
		return 0
	}
	parts := ratePattern.FindStringSubmatch(expression)
	if parts == nil || (parts[1] == "1") != (parts[3] == "") {
		p.mistake(o.get("Schedule"), "%s: the schedule %q is not supported by the local cloud: only rate(1 minute), rate(5 minutes), hours or days", o.place, expression)
		return 0
	}
	count, _ := strconv.Atoi(parts[1]) // the pattern leaves digits only
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
	return time.Duration(count) * unit
}

// routesOnce refuses two functions on one route, and two APIs: there is one port.
func (p *parser) routesOnce(all object, functions []Function) {
	apis, taken := 0, map[string]string{}
	for id := range all.fields() {
		if p.resources[id.Value].kind == typeHTTPAPI {
			apis++
		}
		if apis > 1 && p.resources[id.Value].kind == typeHTTPAPI {
			p.mistake(id, "%s: a second %s is not supported by the local cloud", id.Value, typeHTTPAPI)
		}
	}
	for _, f := range functions {
		for _, r := range f.Routes {
			route := r.Method + " " + r.Path
			if other, found := taken[route]; found {
				p.mistake(all.get(f.LogicalID), "%s: the route %s belongs to %s already", f.LogicalID, route, other)
			}
			taken[route] = f.LogicalID
		}
	}
}

func (p *parser) table(id string, o object) Table {
	o.only(tableFields)
	t := Table{Name: p.resources[id].name, Stream: o.object("StreamSpecification").text("StreamViewType")}
	if ttl := o.object("TimeToLiveSpecification"); ttl.text("Enabled") == "true" {
		t.TTL = ttl.required("AttributeName")
	}
	for _, a := range o.list("AttributeDefinitions") {
		t.Attributes = append(t.Attributes, Attribute{Name: a.required("AttributeName"), Type: a.required("AttributeType")})
	}
	for _, k := range o.list("KeySchema") {
		t.Keys = append(t.Keys, Key{Attribute: k.required("AttributeName"), Type: k.required("KeyType")})
	}
	if o.get("AttributeDefinitions") == nil || o.get("KeySchema") == nil {
		p.mistake(o.node, "%s: AttributeDefinitions or KeySchema is missing", id)
	}
	return t
}

func (p *parser) stateMachine(id string, o object) StateMachine {
	o.only(stateMachineFields)
	return StateMachine{
		Name:          p.resources[id].name,
		DefinitionURI: o.required("DefinitionUri"),
		Substitutions: o.texts("DefinitionSubstitutions"),
	}
}

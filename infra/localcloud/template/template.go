package template

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/eventbridge"
)

// Stack is a template with its parameters filled in and its references resolved.
type Stack struct {
	Functions     []Function
	Tables        []Table
	Secrets       []Secret
	StateMachines []StateMachine
	Pipes         []Pipe
	// NotLocal counts, by type, the resources that have no counterpart here.
	NotLocal map[string]int
}

// Function is an AWS::Serverless::Function with the Globals merged into it.
type Function struct {
	LogicalID   string
	Name        string // FunctionName, or the logical id
	Alias       string // that its versions are published under; "" is none
	CodeURI     string // as the template has it, without a trailing slash
	Handler     string
	Timeout     time.Duration
	MemoryMB    int
	JSONLogs    bool   // LoggingConfig.LogFormat is JSON
	LogGroup    string // "" is Lambda's own choice
	Environment map[string]string
	Routes      []Route
	Schedules   []Schedule
	Rules       []Rule
}

// Package is the last element of the code's folder, which names the binary.
func (f Function) Package() string { return path.Base(f.CodeURI) }

// Route is an event of type HttpApi: one method and one path, no parameters.
type Route struct {
	Method  string // upper-case
	Path    string
	Timeout time.Duration // zero is API Gateway's 30 seconds
}

// Schedule is an event of type Schedule.
type Schedule struct {
	Name  string // of the event
	Every time.Duration
}

// Rule is an event of type EventBridgeRule.
type Rule struct {
	Name    string // of the event
	Bus     string // its name
	Pattern eventbridge.Pattern
	Input   eventbridge.Input
}

// Pipe is an AWS::Pipes::Pipe from a table's stream to an event bus.
type Pipe struct {
	Name       string
	Table      string                // its name
	FromStart  bool                  // StartingPosition is TRIM_HORIZON, not LATEST
	Filters    []eventbridge.Pattern // one of them must match; none is all records
	Bus        string                // its name
	Source     string                // of the events
	DetailType string
	Detail     eventbridge.Input
}

// Table is an AWS::DynamoDB::Table.
type Table struct {
	Name       string
	Attributes []Attribute
	Keys       []Key
	TTL        string // the attribute; "" is none
	Stream     string // the view type; "" is no stream
}

// Attribute is one of a table's attribute definitions.
type Attribute struct {
	Name string
	Type string // S, N or B
}

// Key is one element of a table's key schema.
type Key struct {
	Attribute string
	Type      string // HASH or RANGE
}

// Secret is an AWS::SecretsManager::Secret. Its value is not the template's.
type Secret struct {
	Name        string
	Description string
}

// StateMachine is an AWS::Serverless::StateMachine.
type StateMachine struct {
	Name          string
	DefinitionURI string
	Substitutions map[string]string
}

// Load reads the template at file. Parameters override the defaults. The error
// holds every mistake, one a line, each with its line in the file.
func Load(file string, parameters map[string]string) (*Stack, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(path.Base(file), text, parameters)
}

// Parse is Load of a text; file is what the errors call it.
func Parse(file string, text []byte, parameters map[string]string) (*Stack, error) {
	content, err := parseYAML(file, text)
	if err != nil {
		return nil, err
	}
	p := &parser{file: file}
	stack := p.stack(content, parameters)
	if err := errors.Join(p.mistakes...); err != nil {
		return nil, err
	}
	return stack, nil
}

func readFile(file string) ([]byte, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the project's own template
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	return text, nil
}

// parseYAML returns what a document consists of.
func parseYAML(file string, text []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if document.Kind != yaml.DocumentNode {
		return nil, fmt.Errorf("%s: is empty", file)
	}
	return document.Content[0], nil
}

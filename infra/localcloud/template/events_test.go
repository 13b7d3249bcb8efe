package template

import (
	"fmt"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
)

// TestOwnOrderEvents takes records of the orders' stream through the project's pipe
// and rule: which are let through, and what OrderFunction is called with.
func TestOwnOrderEvents(t *testing.T) {
	stack, err := Load("../../../template.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	var rules []Rule
	for _, f := range stack.Functions {
		if f.LogicalID == "OrderFunction" {
			rules = f.Rules
		}
	}
	if len(stack.Pipes) != 1 || len(rules) != 1 {
		t.Fatalf("pipes %+v, rules of OrderFunction %+v: want one of each", stack.Pipes, rules)
	}
	pipe, rule := stack.Pipes[0], rules[0]
	if pipe.Table != "OrdersTable" || !pipe.FromStart || pipe.Bus != rule.Bus || pipe.Bus == "" || len(pipe.Filters) != 1 {
		t.Errorf("pipe %+v, rule %+v", pipe, rule)
	}
	const (
		status = `"pk":{"S":"G2A#42"},"sk":{"S":"STATUS"},"g2a_order_id":{"S":"42"},"rank":{"N":"3"}`
		order  = `"pk":{"S":"ORDER#shop-1"},"sk":{"S":"ORDER"},"product_key":{"S":"the key"},"g2a_order_id":{"S":"42"}`
	)
	record := func(name, sk, image string) string {
		return fmt.Sprintf(`{"eventName":%q,"dynamodb":{"Keys":{"pk":{"S":"x"},"sk":{"S":%q}},"NewImage":{%s}}}`, name, sk, image)
	}
	for name, c := range map[string]struct {
		record string
		passes bool
	}{
		"a webhook moves an order":               {record("MODIFY", "STATUS", status+`,"status":{"S":"completed"},"order_ref":{"S":"shop-1"}`), true},
		"an order becomes known after a webhook": {record("INSERT", "STATUS", status+`,"status":{"S":"completed"},"order_ref":{"S":"shop-1"}`), true},
		"a webhook for an order not known yet":   {record("INSERT", "STATUS", status+`,"status":{"S":"completed"}`), false},
		"an order becomes known, and no webhook": {record("INSERT", "STATUS", `"order_ref":{"S":"shop-1"}`), false},
		"an order":                               {record("MODIFY", "ORDER", order), false},
		"an order with all that a status has":    {record("MODIFY", "ORDER", order+`,"status":{"S":"completed"},"order_ref":{"S":"shop-1"}`), false},
		"an event is parked":                     {record("INSERT", "PARKED", `"pk":{"S":"EVENT#e#42#order.completed"},"order_status":{"S":"completed"},"body":{"B":"e30="},"status":{"S":"completed"},"order_ref":{"S":"shop-1"}`), false},
		"a status deleted":                       {record("REMOVE", "STATUS", status+`,"status":{"S":"completed"},"order_ref":{"S":"shop-1"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pipe.Filters[0].Matches([]byte(c.record)); got != c.passes {
				t.Fatalf("passes: %t, want %t", got, c.passes)
			}
			if !c.passes {
				return
			}
			detail, err := pipe.Detail.Of([]byte(c.record))
			if err != nil {
				t.Fatal(err)
			}
			if err := contracttest.Schema("order-updated").Validate(detail); err != nil {
				t.Errorf("%s: %v", detail, err)
			}
			event := fmt.Sprintf(`{"source":%q,"detail-type":%q,"detail":%s}`, pipe.Source, pipe.DetailType, detail)
			if !rule.Pattern.Matches([]byte(event)) {
				t.Errorf("the rule does not take %s", event)
			}
			input, err := rule.Input.Of([]byte(event))
			if err != nil || string(input) != `{"order_ref": "shop-1"}` {
				t.Errorf("input %s, %v", input, err)
			}
			if err := contracttest.Schema("order-input").Validate(input); err != nil {
				t.Error(err)
			}
		})
	}
	if other := `{"source":"aws.s3","detail-type":"g2a.order.updated","detail":{}}`; rule.Pattern.Matches([]byte(other)) {
		t.Errorf("the rule takes %s", other)
	}
}

// piped is small with a pipe, a bus and a rule.
var piped = strings.Replace(small, "        Hourly:", `        Moved:
          Type: EventBridgeRule
          Properties:
            EventBusName: !Ref Bus
            Pattern: {source: [me], detail: {stage: [!Ref Stage]}}
            InputTransformer: {InputPathsMap: {a: $.detail.a}, InputTemplate: '{"a": <a>}'}
        Hourly:`, 1) + `  Bus: {Type: AWS::Events::EventBus, Properties: {Name: the-bus}}
  Pipe:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt Role.Arn
      Source: !GetAtt Table.StreamArn
      SourceParameters:
        DynamoDBStreamParameters: {StartingPosition: LATEST}
        FilterCriteria: {Filters: [{Pattern: '{"eventName":["INSERT"]}'}]}
      Target: !GetAtt Bus.Arn
      TargetParameters:
        EventBridgeEventBusParameters: {Source: me, DetailType: moved}
        InputTemplate: '{"a": <$.a>}'
`

func TestPipe(t *testing.T) {
	stack, err := Parse("t.yaml", []byte(piped), map[string]string{"Stage": "prod"})
	if err != nil {
		t.Fatal(err)
	}
	pipe, rule := stack.Pipes[0], stack.Functions[0].Rules[0]
	if pipe.Name != "Pipe" || pipe.Table != "the-table" || pipe.FromStart || pipe.Bus != "the-bus" || pipe.Source != "me" || pipe.DetailType != "moved" {
		t.Errorf("pipe %+v", pipe)
	}
	if rule.Name != "Moved" || rule.Bus != "the-bus" || !rule.Pattern.Matches([]byte(`{"source":"me","detail":{"stage":"prod"}}`)) {
		t.Errorf("rule %+v", rule)
	}
}

func TestPipeMistakes(t *testing.T) {
	for _, c := range []struct{ name, replace, by, want string }{
		{"source that is no stream", "!GetAtt Table.StreamArn", "!GetAtt Table.Arn", "Pipe.Source: only the StreamArn of an AWS::DynamoDB::Table is supported"},
		{"target that is no bus", "Target: !GetAtt Bus.Arn", "Target: !GetAtt One.Arn", "Pipe.Target: only the Arn of an AWS::Events::EventBus is supported"},
		{"no target", "      Target: !GetAtt Bus.Arn\n", "", "Pipe: Target is missing"},
		{"an enrichment", "      RoleArn:", "      Enrichment: x\n      RoleArn:", "Pipe: Enrichment is not supported"},
		{"pattern that is none", `'{"eventName":["INSERT"]}'`, `'{"eventName":"INSERT"}'`, "Pipe.SourceParameters.FilterCriteria.Filters[0].Pattern: $.eventName: an event pattern has"},
		{"path that is none", "<$.a>", "<$.a[0]>", `Pipe.TargetParameters.InputTemplate: <$.a[0]> has the path`},
		{"no source", "Source: me, ", "", "Pipe.TargetParameters.EventBridgeEventBusParameters: Source is missing"},
		{"rule without a pattern", "            Pattern: {source: [me], detail: {stage: [!Ref Stage]}}\n", "", "One.Events.Moved: Pattern is missing"},
		{"rule of another comparison", "source: [me]", "source: [{prefix: me}]", "One.Events.Moved.Pattern: $.source: of the comparisons only exists"},
		{"rule with all of the event", "            InputTransformer: {InputPathsMap: {a: $.detail.a}, InputTemplate: '{\"a\": <a>}'}\n", "", "One.Events.Moved.InputTransformer: InputTemplate is missing"},
		{"rule with an input", "            InputTransformer:", "            Input: x\n            InputTransformer:", "One.Events.Moved: Input is not supported"},
		{"variable without a path", "InputPathsMap: {a: $.detail.a}", "InputPathsMap: {b: $.detail.a}", `One.Events.Moved.InputTransformer.InputTemplate: <a> has the path ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(piped, c.replace) {
				t.Fatalf("the template does not hold %q", c.replace)
			}
			_, err := Parse("t.yaml", []byte(strings.Replace(piped, c.replace, c.by, 1)), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

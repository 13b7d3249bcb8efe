package template

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// TestOwnTemplate reads the project's template. What it asks for is what other
// parts rely on: names, routes, keys.
func TestOwnTemplate(t *testing.T) {
	stack, err := Load("../../../template.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]Function{}
	for _, f := range stack.Functions {
		functions[f.LogicalID] = f
		if f.Name != f.LogicalID || f.Handler != "bootstrap" || f.MemoryMB < 128 || !f.JSONLogs || f.LogGroup == "" {
			t.Errorf("%+v", f)
		}
		for name, want := range map[string]string{
			"G2A_ENV": "sandbox", "G2A_API_URL": "", "G2A_RETRY_MAX": "2",
			"G2A_SECRET_ID": "G2ASecret", "STATE_TABLE": "StateTable", "ORDERS_TABLE": "OrdersTable",
		} {
			if got, found := f.Environment[name]; !found || got != want {
				t.Errorf("%s: %s is %q, %v; want %q", f.LogicalID, name, got, found, want)
			}
		}
	}
	for id, want := range map[string]Function{
		"WebhookFunction":      {CodeURI: "functions/webhook", Routes: []Route{{Method: "POST", Path: "/webhooks/g2a"}, {Method: "GET", Path: "/health/live"}}},
		"OrderFunction":        {CodeURI: "functions/order"},
		"TokenRefreshFunction": {CodeURI: "functions/token", Schedules: []Schedule{{"Refresh", time.Minute}}},
		"HealthFunction":       {CodeURI: "functions/health", Routes: []Route{{Method: "GET", Path: "/health"}}, Schedules: []Schedule{{"Probe", time.Minute}}},
	} {
		got := functions[id]
		if got.CodeURI != want.CodeURI || !slices.Equal(got.Routes, want.Routes) || !slices.Equal(got.Schedules, want.Schedules) {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	for _, table := range stack.Tables {
		if want := []Key{{"pk", "HASH"}, {"sk", "RANGE"}}; !slices.Equal(table.Keys, want) {
			t.Errorf("%s has the keys %v", table.Name, table.Keys)
		}
	}
	if len(stack.Tables) != 2 || stack.Tables[0].TTL != "expires_at" || stack.Tables[1].Stream != "NEW_AND_OLD_IMAGES" {
		t.Errorf("tables: %+v", stack.Tables)
	}
	if len(stack.Secrets) != 1 || stack.Secrets[0].Name != "G2ASecret" {
		t.Errorf("secrets: %+v", stack.Secrets)
	}
	wantMachine := StateMachine{"OrderWorkflow", "infra/order-workflow.asl.json", map[string]string{"OrderFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:OrderFunction:live"}}
	if len(stack.StateMachines) != 1 || !reflect.DeepEqual(stack.StateMachines[0], wantMachine) {
		t.Errorf("state machines: %+v", stack.StateMachines)
	}
}

// small is a template with everything that can be said in more than one way.
const small = `
Parameters:
  Stage: {Type: String, AllowedValues: [test, prod], Default: test}
  Count: {Type: Number, MinValue: 1, MaxValue: 5, Default: 3}
  Nothing: {Type: String, Default: ""}
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    Timeout: 7
    Environment: {Variables: {FROM: globals, SHARED: globals}}
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${Stage}-one"
      CodeUri: functions/one/
      MemorySize: 512
      Environment:
        Variables:
          SHARED: own
          NUMBER: 0123
          TRUTH: true
          EMPTY: ""
          REF: !Ref Count
          LONG_REF: {Ref: Nothing}
          PSEUDO: !Ref AWS::Region
          NAME: !Ref One
          ARN: !GetAtt One.Arn
          LONG_ARN: {Fn::GetAtt: [Table, Arn]}
          SUB: !Sub "${Stage}/${One}/${Table.Arn}/${AWS::AccountId}/${!Literal}"
          LONG_SUB: {Fn::Sub: ["${A}-${Stage}", {A: !Ref Count}]}
      Events:
        Get: {Type: HttpApi, Properties: {Method: get, Path: /one, TimeoutInMillis: 100}}
        Hourly: {Type: Schedule, Properties: {Schedule: rate(2 hours)}}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day), Enabled: false}}
  Two:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ./two, Timeout: 900}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: the-table
      AttributeDefinitions: [{AttributeName: id, AttributeType: "N"}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {Whatever: !Join [a, [b, c]]}}
  Queue: {Type: AWS::SQS::Queue}
`

func TestResolution(t *testing.T) {
	stack, err := Parse("small.yaml", []byte(small), map[string]string{"Count": "5"})
	if err != nil {
		t.Fatal(err)
	}
	want := &Stack{
		Functions: []Function{
			{
				LogicalID: "One", Name: "test-one", CodeURI: "functions/one", Handler: "bootstrap", Timeout: 7 * time.Second, MemoryMB: 512,
				Environment: map[string]string{
					"FROM": "globals", "SHARED": "own", "NUMBER": "0123", "TRUTH": "true", "EMPTY": "",
					"REF": "5", "LONG_REF": "", "PSEUDO": "eu-central-1", "NAME": "test-one",
					"ARN":      "arn:aws:lambda:eu-central-1:123456789012:function:test-one",
					"LONG_ARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/the-table",
					"SUB":      "test/test-one/arn:aws:dynamodb:eu-central-1:123456789012:table/the-table/123456789012/${Literal}",
					"LONG_SUB": "5-test",
				},
				Routes:    []Route{{"GET", "/one", 100 * time.Millisecond}},
				Schedules: []Schedule{{"Hourly", 2 * time.Hour}},
			},
			{
				LogicalID: "Two", Name: "Two", CodeURI: "./two", Handler: "bootstrap", Timeout: 15 * time.Minute, MemoryMB: 128,
				Environment: map[string]string{"FROM": "globals", "SHARED": "globals"},
			},
		},
		Tables:   []Table{{Name: "the-table", Attributes: []Attribute{{"id", "N"}}, Keys: []Key{{"id", "HASH"}}}},
		NotLocal: map[string]int{"AWS::CloudWatch::Alarm": 1, "AWS::SQS::Queue": 1},
	}
	if !reflect.DeepEqual(stack, want) {
		t.Errorf("got  %+v\nwant %+v", stack, want)
	}
	if one, two := stack.Functions[0].Package(), stack.Functions[1].Package(); one != "one" || two != "two" {
		t.Errorf("packages %s, %s", one, two)
	}
}

// TestMistakes puts one mistake at a time into the small template.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, replace, by, want string }{
		{"not YAML", "Parameters:", "Parameters: [", "t.yaml: yaml: "},
		{"resource without a type", "  Queue: {Type: AWS::SQS::Queue}", "  Queue: {}", "t.yaml:47: Queue: Type is missing"},
		{"properties that are no mapping", "  Queue: {Type: AWS::SQS::Queue}", "  S: {Type: AWS::SecretsManager::Secret, Properties: 7}", "t.yaml:47: S is not a mapping"},
		{"unknown type of resource", "AWS::SQS::Queue", "AWS::Kinesis::Stream", `t.yaml:47: Queue: the type "AWS::Kinesis::Stream" is not supported`},
		{"resource with an unknown condition", "  Queue: {Type: AWS::SQS::Queue}", "  Queue: {Type: AWS::SQS::Queue, Condition: Never}", "t.yaml:47: Queue: there is no condition Never"},
		{"unknown global", "Globals:", "Globals:\n  Api: {}", "t.yaml:7: Globals: Api is not supported"},
		{"unknown property of a function", "MemorySize: 512", "Layers: [x]", "t.yaml:18: One: Layers is not supported"},
		{"unknown property of a table", "TableName: the-table", "GlobalSecondaryIndexes: []", "t.yaml:43: Table: GlobalSecondaryIndexes is not supported"},
		{"another runtime", "Timeout: 900}", "Runtime: python3.13}", "t.yaml:39: Two: the runtime python3.13 is not supported"},
		{"no code", "{CodeUri: ./two, Timeout: 900}", "{Timeout: 900}", "t.yaml:39: Two: CodeUri is missing"},
		{"time-out too long", "Timeout: 900", "Timeout: 901", `t.yaml:39: Two.Timeout: "901" is not a whole number from 1 to 900`},
		{"time-out not a number", "Timeout: 900", "Timeout: soon", `t.yaml:39: Two.Timeout: "soon" is not a whole number`},
		{"variable without a value", `EMPTY: ""`, "EMPTY:", "t.yaml:24: One.Environment.Variables.EMPTY is not a text"},
		{"variable that is a list", `EMPTY: ""`, "EMPTY: []", "t.yaml:24: One.Environment.Variables.EMPTY is not a text"},
		{"reference to nothing", "!Ref Count\n          LONG", "!Ref Counter\n          LONG", "t.yaml:25: One.Environment.Variables.REF: there is no parameter or resource Counter"},
		{"attribute of nothing", "!GetAtt One.Arn", "!GetAtt Three.Arn", "t.yaml:29: One.Environment.Variables.ARN: there is no resource Three"},
		{"unknown attribute", "!GetAtt One.Arn", "!GetAtt Table.Name", "t.yaml:29: One.Environment.Variables.ARN: the attribute Name of Table (AWS::DynamoDB::Table) is not supported"},
		{"unknown name in a Sub", "${Stage}/${One}", "${Stag}/${One}", "t.yaml:31: One.Environment.Variables.SUB: there is no parameter or resource Stag"},
		{"unknown function", "!GetAtt One.Arn", "!Select [0, [a]]", "t.yaml:29: One.Environment.Variables.ARN: the function Select is not supported"},
		{"unknown function, long form", "!GetAtt One.Arn", "{Fn::Select: [0, [a]]}", "t.yaml:29: One.Environment.Variables.ARN: the function Select is not supported"},
		{"choice by an unknown condition", "!GetAtt One.Arn", "{Fn::If: [a, b, c]}", "t.yaml:29: One.Properties.Environment.Variables.ARN: there is no condition a"},
		{"choice of one value", "!GetAtt One.Arn", "!If [a, b]", "t.yaml:29: One.Properties.Environment.Variables.ARN: If needs a condition and two values"},
		{"alias of a function that has none", "!GetAtt One.Arn", "!Ref One.Alias", "t.yaml:29: One.Environment.Variables.ARN: there is no parameter or resource One.Alias"},
		{"unknown kind of condition", "Globals:", "Rules: {R: {RuleCondition: !Contains [[a], a]}}\nGlobals:", "t.yaml:6: Rules.R is not a condition"},
		{"unknown event", "{Type: HttpApi, Properties", "{Type: SQS, Properties", "t.yaml:34: One.Events.Get: an event of type SQS is not supported"},
		{"any method", "Method: get", "Method: any", "t.yaml:34: One.Events.Get: ANY /one is not supported"},
		{"path with a parameter", "Path: /one", `Path: "/one/{id}"`, "t.yaml:34: One.Events.Get: GET /one/{id} is not supported"},
		{"no path", "Path: /one, ", "", "t.yaml:34: One.Events.Get: Path is missing"},
		{"an authorizer", "Path: /one,", "Path: /one, Auth: {},", "t.yaml:34: One.Events.Get: Auth is not supported"},
		{"payload format 1.0", "Path: /one,", `Path: /one, PayloadFormatVersion: "1.0",`, "t.yaml:34: One.Events.Get: the payload format 1.0 is not supported"},
		{"API that is none", "Path: /one,", "Path: /one, ApiId: !Ref Table,", "t.yaml:34: One.Events.Get.ApiId: the-table is not an AWS::Serverless::HttpApi"},
		{"route twice", "        Hourly:", "        Again: {Type: HttpApi, Properties: {Method: GET, Path: /one}}\n        Hourly:", "t.yaml:14: One: the route GET /one belongs to One already"},
		{"two APIs", "  Queue: {Type: AWS::SQS::Queue}", "  A: {Type: AWS::Serverless::HttpApi}\n  B: {Type: AWS::Serverless::HttpApi}", "t.yaml:48: B: a second AWS::Serverless::HttpApi is not supported"},
		{"cron", "rate(2 hours)", `"cron(0 12 * * ? *)"`, `t.yaml:35: One.Events.Hourly: the schedule "cron(0 12 * * ? *)" is not supported`},
		{"singular of many", "rate(2 hours)", "rate(2 hour)", `t.yaml:35: One.Events.Hourly: the schedule "rate(2 hour)" is not supported`},
		{"plural of one", "rate(2 hours)", "rate(1 hours)", `t.yaml:35: One.Events.Hourly: the schedule "rate(1 hours)" is not supported`},
		{"never", "rate(2 hours)", "rate(0 hours)", `t.yaml:35: One.Events.Hourly: the schedule "rate(0 hours)" is not supported`},
		{"table without keys", "KeySchema: [{AttributeName: id, KeyType: HASH}]", "", "t.yaml:43: Table: AttributeDefinitions or KeySchema is missing"},
		{"keys that are no list", "KeySchema: [{AttributeName: id, KeyType: HASH}]", "KeySchema: id", "t.yaml:45: Table.KeySchema is not a list"},
		{"default that is not allowed", "Default: test}", "Default: dev}", `t.yaml:3: parameter Stage: "dev" is not test or prod`},
		{"no default", `Nothing: {Type: String, Default: ""}`, "Nothing: {Type: String}", "t.yaml:5: parameter Nothing has no default and was given no value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(small, c.replace) {
				t.Fatalf("the template does not hold %q", c.replace)
			}
			_, err := Parse("t.yaml", []byte(strings.Replace(small, c.replace, c.by, 1)), nil)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s, and nothing else", err, c.want)
			}
		})
	}
}

func TestGivenParameters(t *testing.T) {
	for _, c := range []struct {
		name  string
		given map[string]string
		want  string
	}{
		{"not allowed", map[string]string{"Stage": "dev"}, `t.yaml:3: parameter Stage: "dev" is not test or prod`},
		{"too high", map[string]string{"Count": "6"}, `t.yaml:4: parameter Count: "6" is not a whole number from 1 to 5`},
		{"not a number", map[string]string{"Count": "many"}, `t.yaml:4: parameter Count: "many" is not a whole number from 1 to 5`},
		{"not there", map[string]string{"Size": "6"}, `t.yaml:3: there is no parameter Size`},
		{"all at once", map[string]string{"Stage": "dev", "Count": "6"}, "t.yaml:3: parameter Stage: \"dev\" is not test or prod\nt.yaml:4: parameter Count: \"6\" is not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse("t.yaml", []byte(small), c.given); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestNoTemplate(t *testing.T) {
	if _, err := Load(t.TempDir()+"/template.yaml", nil); err == nil || !strings.HasPrefix(err.Error(), "reading the template: open ") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("t.yaml", nil, nil); err == nil || err.Error() != "t.yaml: is empty" {
		t.Errorf("got %v", err)
	}
}

// TestVersionsFollowParameters: a parameter that a function has is in the description of
// its versions, or a new value would not reach the alias.
func TestVersionsFollowParameters(t *testing.T) {
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Parameters map[string]any       `yaml:"Parameters"`
		Conditions map[string]yaml.Node `yaml:"Conditions"`
		Globals    struct {
			Function yaml.Node `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	// used are the parameters that a function's configuration refers to, itself or through
	// a condition. What SAM makes of the rest is no part of a version.
	var used func(node *yaml.Node) []string
	used = func(node *yaml.Node) (names []string) {
		if condition, found := document.Conditions[node.Value]; found {
			names = used(&condition)
		}
		if _, found := document.Parameters[node.Value]; found && node.Tag == "!Ref" {
			names = append(names, node.Value)
		}
		for i, child := range node.Content {
			beside := []string{"Policies", "Events", "DeploymentPreference", "VersionDescription"}
			if node.Kind == yaml.MappingNode && i%2 == 1 && slices.Contains(beside, node.Content[i-1].Value) {
				continue
			}
			names = append(names, used(child)...)
		}
		return names
	}
	functions := 0
	for id, r := range document.Resources {
		if r.Type != typeFunction {
			continue
		}
		functions++
		var own struct {
			VersionDescription string `yaml:"VersionDescription"`
		}
		if err := r.Properties.Decode(&own); err != nil {
			t.Fatal(err)
		}
		want := append(used(&document.Globals.Function), used(&r.Properties)...)
		if len(want) < 9 {
			t.Errorf("%s: only %v are found", id, want)
		}
		for _, name := range want {
			if !strings.Contains(own.VersionDescription, "${"+name+"}") {
				t.Errorf("%s: VersionDescription does not have the parameter %s", id, name)
			}
		}
	}
	if functions != 4 {
		t.Errorf("%d functions", functions)
	}
}

package template

import (
	"reflect"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// conditional is a template whose parameter A decides what is there.
const conditional = `
Parameters:
  A: {Type: String, Default: "yes"}
  B: {Type: String, Default: "", AllowedPattern: "[a-z]*"}
Rules:
  NotBoth:
    RuleCondition: !Equals [!Ref A, "no"]
    Assertions: [{Assert: !Equals [!Ref B, ""], AssertDescription: B is for A=yes.}]
Conditions:
  Yes: !Equals [!Ref A, "yes"]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Not [!Equals [!Ref B, ""]]]
  Any: {Fn::Or: [{Condition: Both}, !Condition No]}
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    AutoPublishAlias: live
    VpcConfig: !If [No, {SubnetIds: [x]}, !Ref AWS::NoValue]
Resources:
  First: {Type: AWS::SSM::Parameter, Condition: Yes, Properties: {Name: n, Value: first}}
  Second: {Type: AWS::SSM::Parameter, Condition: No, Properties: {Name: n, Value: second}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Timeout: !If [Both, 9, !Ref AWS::NoValue]
      Environment:
        Variables:
          VALUE: !If [Yes, !GetAtt First.Value, !GetAtt Second.Value]
          ANY: !If [Any, "1", "0"]
          ALIAS: !Ref Function.Alias
  Secret: {Type: AWS::SecretsManager::Secret, Condition: Any}
`

func TestConditions(t *testing.T) {
	for _, test := range []struct {
		a, b, value, any string
		timeout, secrets int
	}{
		{a: "yes", b: "", value: "first", any: "0", timeout: 3, secrets: 0},
		{a: "yes", b: "b", value: "first", any: "1", timeout: 9, secrets: 1},
		{a: "no", b: "", value: "second", any: "1", timeout: 3, secrets: 1},
	} {
		t.Run(test.a+","+test.b, func(t *testing.T) {
			stack, err := Parse("t.yaml", []byte(conditional), map[string]string{"A": test.a, "B": test.b})
			if err != nil {
				t.Fatal(err)
			}
			f := stack.Functions[0]
			if f.Environment["VALUE"] != test.value || f.Environment["ANY"] != test.any || int(f.Timeout.Seconds()) != test.timeout || len(stack.Secrets) != test.secrets {
				t.Errorf("%+v, %d secrets; want %+v", f, len(stack.Secrets), test)
			}
			if want := "arn:aws:lambda:eu-central-1:123456789012:function:Function:live"; f.Environment["ALIAS"] != want || f.Alias != "live" {
				t.Errorf("alias %s, %s; want %s", f.Alias, f.Environment["ALIAS"], want)
			}
			if stack.NotLocal[typeParameter] != 1 {
				t.Errorf("not local: %v", stack.NotLocal)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"no", "b", "t.yaml:8: Rules.NotBoth: B is for A=yes."},
		{"yes", "B", `t.yaml:4: parameter B: "B" does not match [a-z]*`},
	} {
		_, err := Parse("t.yaml", []byte(conditional), map[string]string{"A": test.a, "B": test.b})
		if err == nil || err.Error() != test.want {
			t.Errorf("A=%s, B=%s: got %v, want %s", test.a, test.b, err, test.want)
		}
	}
}

// load reads the project's template with parameters, "Name=value" each.
func load(t *testing.T, parameters ...string) (*Stack, error) {
	t.Helper()
	given := map[string]string{}
	for _, parameter := range parameters {
		name, value, _ := strings.Cut(parameter, "=")
		given[name] = value
	}
	return Load("../../../template.yaml", given)
}

// TestLiveIsTypedOut: real money takes two parameters that agree.
func TestLiveIsTypedOut(t *testing.T) {
	const confirmed = "ConfirmLive=live-charges-real-money"
	for _, test := range []struct {
		parameters []string
		want       string // in the error; "" is none
	}{
		{[]string{"G2AEnv=sandbox"}, ""},
		{[]string{"G2AEnv=live"}, "G2AEnv=live needs ConfirmLive"},
		{[]string{"G2AEnv=live", "ConfirmLive=yes"}, "G2AEnv=live needs ConfirmLive"},
		{[]string{"G2AEnv=live", confirmed}, ""},
		{[]string{confirmed}, "ConfirmLive was given, and G2AEnv is not live"},
	} {
		stack, err := load(t, test.parameters...)
		switch {
		case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%v: error %v, want %q", test.parameters, err, test.want)
		case err == nil:
			want := strings.TrimPrefix(test.parameters[0], "G2AEnv=")
			for _, f := range stack.Functions {
				if got := f.Environment["G2A_ENV"]; got != want {
					t.Errorf("%v: G2A_ENV of %s is %q", test.parameters, f.LogicalID, got)
				}
			}
		}
	}
}

// TestMistypedParameters do not deploy. Of a URL, what the template lets through is what
// the functions take.
func TestMistypedParameters(t *testing.T) {
	for _, url := range []string{
		"", "https://sandboxapi.g2a.com", "https://sandboxapi.g2a.com/", "https://sandboxapi.g2a.com/v1", "https://sandboxapi.g2a.com/v3/",
		"https://sandboxapi.g2a.com/v4", "https://sandboxapi.g2a.com/export/v1", "https://sandboxapi.g2a.com/integration-api/v1",
		"http://sandboxapi.g2a.com", "https:/sandboxapi.g2a.com", "sandboxapi.g2a.com", "https://sandboxapi.g2a.co", "https://sandboxapi-g2a.com",
		"https://sandboxapi.g2a.com/v2", "https://sandboxapi.g2a.com/export", "https://sandboxapi.g2a.com/v1?x=1", "https://sandboxapi.g2a.com#x",
		"https://user@sandboxapi.g2a.com", "https://sandboxapi.g2a.com.example.com", " https://sandboxapi.g2a.com", "https://sandboxapi.g2a.com:8443",
	} {
		_, err := load(t, "G2AApiUrl="+url)
		_, refused := g2a.ParseConfig(func(name string) (string, bool) {
			return map[string]string{"G2A_API_URL": url}[name], true
		})
		if (err == nil) != (refused == nil) {
			t.Errorf("%q: the template says %v, the functions say %v", url, err, refused)
		}
	}
	for _, parameter := range []string{
		"LogRetentionDays=91", "LogRetentionDays=0", "G2ATimeoutMs=4999", "G2ATimeoutMs=10001", "G2ARetryMax=4", "G2ARetryMax=-1",
		"G2APreviousHashHours=169", "G2AMinRating=1.1", "G2AEnv=production", "FixedEgress=yes", "DeploymentType=Never",
		"KmsKeyArn=alias/mine", "AlarmEmail=someone", "DomainName=https://keys.example.com", "CertificateArn=1-2",
	} {
		if _, err := load(t, parameter); err == nil {
			t.Errorf("%s is let through", parameter)
		}
	}
}

// TestOptions: what the options add, and that the functions are the same with them here.
func TestOptions(t *testing.T) {
	plain, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	const certificate = "CertificateArn=arn:aws:acm:eu-central-1:123456789012:certificate/1-2"
	for _, test := range []struct {
		parameters []string
		added      map[string]int // resources by type
	}{
		{[]string{"KmsKeyArn=arn:aws:kms:eu-central-1:123456789012:key/1-2"}, map[string]int{"AWS::IAM::Policy": 1}},
		{[]string{"AlarmEmail=someone@example.com"}, map[string]int{"AWS::SNS::Subscription": 1}},
		{[]string{"DomainName=keys.example.com", certificate}, map[string]int{"AWS::ApiGatewayV2::DomainName": 1, "AWS::ApiGatewayV2::ApiMapping": 1}},
		{[]string{"FixedEgress=one-zone"}, map[string]int{
			"AWS::EC2::VPC": 1, "AWS::EC2::NatGateway": 1, "AWS::EC2::EIP": 1, "AWS::EC2::Subnet": 2, "AWS::EC2::SecurityGroup": 1,
		}},
		{[]string{"FixedEgress=two-zones"}, map[string]int{
			"AWS::EC2::VPC": 1, "AWS::EC2::NatGateway": 2, "AWS::EC2::EIP": 2, "AWS::EC2::Subnet": 4, "AWS::EC2::SecurityGroup": 1,
		}},
	} {
		stack, err := load(t, test.parameters...)
		if err != nil {
			t.Errorf("%v: %v", test.parameters, err)
			continue
		}
		for kind, want := range test.added {
			if got := stack.NotLocal[kind] - plain.NotLocal[kind]; got != want {
				t.Errorf("%v: %d of %s are added, want %d", test.parameters, got, kind, want)
			}
		}
		for i, f := range stack.Functions {
			want := plain.Functions[i]
			f.Rules, want.Rules = nil, nil // cannot be compared
			if !reflect.DeepEqual(f, want) {
				t.Errorf("%v: got %+v, want %+v", test.parameters, f, want)
			}
		}
	}
	for kind := range plain.NotLocal {
		if strings.HasPrefix(kind, "AWS::EC2::") || strings.HasPrefix(kind, "AWS::ApiGatewayV2::") {
			t.Errorf("a stack without options has %s", kind)
		}
	}
	for _, half := range []string{"DomainName=keys.example.com", certificate} {
		if _, err := load(t, half); err == nil {
			t.Errorf("%s is let through alone", half)
		}
	}
}

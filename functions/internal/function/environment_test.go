package function_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const secretAccessKey = "wJalrXUtnFEMI-not-to-be-seen"

// complete is what Lambda and the template give to a function.
func complete() map[string]string {
	return map[string]string{
		"G2A_SECRET_ID":         "G2ASecret",
		"STATE_TABLE":           "StateTable",
		"ORDERS_TABLE":          "OrdersTable",
		"AWS_REGION":            "eu-central-1",
		"AWS_ACCESS_KEY_ID":     "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": secretAccessKey,
		"AWS_SESSION_TOKEN":     "session-token",
	}
}

func with(changes map[string]string) map[string]string {
	environment := complete()
	maps.Copy(environment, changes)
	return environment
}

func lookup(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, found := environment[name]
		return value, found
	}
}

func TestReadEnvironment(t *testing.T) {
	tests := []struct {
		name    string
		changes map[string]string
		want    []string // names of variables at fault, one a line of the error
	}{
		{name: "complete"},
		{"secret missing", map[string]string{"G2A_SECRET_ID": ""}, []string{"G2A_SECRET_ID"}},
		{"state table missing", map[string]string{"STATE_TABLE": ""}, []string{"STATE_TABLE"}},
		{"orders table missing", map[string]string{"ORDERS_TABLE": ""}, []string{"ORDERS_TABLE"}},
		{"region missing", map[string]string{"AWS_REGION": ""}, []string{"AWS_REGION"}},
		{"access key missing", map[string]string{"AWS_ACCESS_KEY_ID": ""}, []string{"AWS_ACCESS_KEY_ID"}},
		{"secret key missing", map[string]string{"AWS_SECRET_ACCESS_KEY": ""}, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"no session token", map[string]string{"AWS_SESSION_TOKEN": ""}, nil},
		{"endpoints over http and https", map[string]string{
			"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://secrets.example",
		}, nil},
		{"DynamoDB's endpoint without a scheme", map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": "127.0.0.1:8000"}, []string{"AWS_ENDPOINT_URL_DYNAMODB"}},
		{"DynamoDB's endpoint without a host", map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": "http:///x"}, []string{"AWS_ENDPOINT_URL_DYNAMODB"}},
		{"Secrets Manager's endpoint of another scheme", map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": "ftp://127.0.0.1"}, []string{"AWS_ENDPOINT_URL_SECRETS_MANAGER"}},
		{"no hours for the previous hash", map[string]string{"G2A_PREVIOUS_HASH_HOURS": "0"}, nil},
		{"a week for the previous hash", map[string]string{"G2A_PREVIOUS_HASH_HOURS": "168"}, nil},
		{"more than a week", map[string]string{"G2A_PREVIOUS_HASH_HOURS": "169"}, []string{"G2A_PREVIOUS_HASH_HOURS"}},
		{"negative hours", map[string]string{"G2A_PREVIOUS_HASH_HOURS": "-1"}, []string{"G2A_PREVIOUS_HASH_HOURS"}},
		{"hours that are no integer", map[string]string{"G2A_PREVIOUS_HASH_HOURS": "1.5"}, []string{"G2A_PREVIOUS_HASH_HOURS"}},
		{"G2A's variables are checked too", map[string]string{"G2A_ENV": "staging"}, []string{"G2A_ENV"}},
		{"all at once", map[string]string{
			"G2A_TIMEOUT_MS": "1", "G2A_RETRY_MAX": "9", "G2A_SECRET_ID": "", "G2A_PREVIOUS_HASH_HOURS": "x", "STATE_TABLE": "", "ORDERS_TABLE": "", "AWS_REGION": "",
			"AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL_DYNAMODB": "x", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://user:" + secretAccessKey + "@",
		}, []string{
			"G2A_TIMEOUT_MS", "G2A_RETRY_MAX", "G2A_SECRET_ID", "G2A_PREVIOUS_HASH_HOURS", "STATE_TABLE", "ORDERS_TABLE", "AWS_REGION",
			"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := function.ReadEnvironment(lookup(with(tt.changes)))
			if err == nil {
				if tt.want != nil {
					t.Fatalf("no error, want those of %v", tt.want)
				}
				return
			}
			var names []string
			for line := range strings.Lines(err.Error()) {
				name, _, _ := strings.Cut(line, ":")
				names = append(names, name)
			}
			slices.Sort(names)
			slices.Sort(tt.want)
			if !slices.Equal(names, tt.want) {
				t.Errorf("variables at fault: %v, want %v\n%v", names, tt.want, err)
			}
			if strings.Contains(err.Error(), secretAccessKey) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestReadEnvironmentValues(t *testing.T) {
	e, err := function.ReadEnvironment(lookup(with(map[string]string{"G2A_RETRY_MAX": "0"})))
	if err != nil {
		t.Fatal(err)
	}
	if e.SecretID != "G2ASecret" || e.StateTable != "StateTable" || e.OrdersTable != "OrdersTable" {
		t.Errorf("names: %q, %q, %q", e.SecretID, e.StateTable, e.OrdersTable)
	}
	if e.G2A.Env != g2a.Sandbox || e.G2A.RetryMax != 0 {
		t.Errorf("G2A's configuration: %+v", e.G2A)
	}
	if e.XRayDaemon != "127.0.0.1:2000" {
		t.Errorf("traces go to %q", e.XRayDaemon)
	}
	// With no variable for it, a client goes to AWS's own endpoint.
	if o := e.DynamoDB().Options(); o.BaseEndpoint != nil || o.Region != "eu-central-1" {
		t.Errorf("DynamoDB: endpoint %v, region %q", o.BaseEndpoint, o.Region)
	}
	if o := e.SecretsManager().Options(); o.BaseEndpoint != nil || o.Region != "eu-central-1" {
		t.Errorf("Secrets Manager: endpoint %v, region %q", o.BaseEndpoint, o.Region)
	}
}

func TestXRayDaemon(t *testing.T) {
	e, err := function.ReadEnvironment(lookup(with(map[string]string{"AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000"})))
	if err != nil || e.XRayDaemon != "169.254.79.129:2000" {
		t.Errorf("traces go to %q, error %v", e.XRayDaemon, err)
	}
}

func TestPreviousHash(t *testing.T) {
	for _, tt := range []struct {
		name, hours string
		want        time.Duration
	}{
		{"by default", "", 24 * time.Hour},
		{"not at all", "0", 0},
		{"for a week", "168", 168 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := function.ReadEnvironment(lookup(with(map[string]string{"G2A_PREVIOUS_HASH_HOURS": tt.hours})))
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Credentials(slog.New(slog.DiscardHandler)).PreviousFor; got != tt.want {
				t.Errorf("the previous hash is accepted for %s, want %s", got, tt.want)
			}
		})
	}
}

// TestClients sees what arrives at the endpoints that the variables name.
func TestClients(t *testing.T) {
	var got http.Header
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = w.Write([]byte(`{}`))
	}))
	defer service.Close()
	tests := []struct {
		name, variable, target string
		call                   func(function.Environment) error
	}{
		{"DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB", "DynamoDB_20120810.GetItem", func(e function.Environment) error {
			key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "x"}}
			_, err := e.DynamoDB().GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &e.StateTable, Key: key})
			return err
		}},
		{"Secrets Manager", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager.GetSecretValue", func(e function.Environment) error {
			_, err := e.SecretsManager().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &e.SecretID})
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := function.ReadEnvironment(lookup(with(map[string]string{tt.variable: service.URL})))
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.call(e); err != nil {
				t.Fatal(err)
			}
			if got.Get("X-Amz-Target") != tt.target {
				t.Errorf("target %q, want %q", got.Get("X-Amz-Target"), tt.target)
			}
			if signed := got.Get("Authorization"); !strings.Contains(signed, "Credential=AKIDEXAMPLE/") || !strings.Contains(signed, "/eu-central-1/") {
				t.Errorf("signed as %q", signed)
			}
			if got.Get("X-Amz-Security-Token") != "session-token" {
				t.Errorf("session token %q", got.Get("X-Amz-Security-Token"))
			}
		})
	}
}

func TestMustReadEnvironment(t *testing.T) {
	pairs := func(environment map[string]string) (pairs []string) {
		for name, value := range environment {
			pairs = append(pairs, name+"="+value)
		}
		return pairs
	}
	t.Run("complete", func(t *testing.T) {
		lines, exitCode := runAsFunction(t, "reads its environment", pairs(complete())...)
		if exitCode != 0 || len(lines) != 1 || lines[0]["message"] != "started" {
			t.Errorf("exit code %d after %v", exitCode, lines)
		}
	})
	t.Run("two mistakes in one line", func(t *testing.T) {
		lines, exitCode := runAsFunction(t, "reads its environment", pairs(with(map[string]string{"G2A_ENV": "x", "STATE_TABLE": ""}))...)
		if exitCode != 1 || len(lines) != 1 {
			t.Fatalf("exit code %d after %v", exitCode, lines)
		}
		line := lines[0]
		want := `G2A_ENV: "x" is not sandbox or live; STATE_TABLE: is missing`
		if line["level"] != "ERROR" || line["message"] != "the function cannot start" || line["error"] != want {
			t.Errorf("got %v, want the error %s", line, want)
		}
	})
}

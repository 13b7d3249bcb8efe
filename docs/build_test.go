package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run runs a command in the project's folder and returns what it writes.
func run(t *testing.T, name string, arguments ...string) (output string, failed error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = root
	text, err := command.CombinedOutput()
	return string(text), err
}

// TestTraceIsChosen: what `make build` and `sam build` run for each value of TRACE.
func TestTraceIsChosen(t *testing.T) {
	if _, err := os.Stat(filepath.Join(root, "Makefile")); err != nil { // and a change of it is a change of this test to go test's cache
		t.Fatal(err)
	}
	const mistake = `TRACE is "xray", and must be sdk (the default) or light`
	for _, tt := range []struct{ name, trace, want string }{
		{"by default", "", "-tags 'lambda.norpc' "},
		{"the SDK", "sdk", "-tags 'lambda.norpc' "},
		{"light", "light", "-tags 'lambda.norpc,lighttrace' "},
		{"neither", "xray", mistake},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, asVariableOf := range []string{"make", "the environment"} {
				for _, target := range []string{"build", "build-WebhookFunction", "build-OrderFunction", "build-TokenRefreshFunction", "build-HealthFunction"} {
					arguments := []string{"make", "-n", target, "ARTIFACTS_DIR=x"}
					if asVariableOf == "make" {
						arguments = append(arguments, "TRACE="+tt.trace)
					} else {
						arguments = slices.Insert(arguments, 0, "TRACE="+tt.trace)
					}
					said, err := run(t, "env", arguments...)
					if !strings.Contains(said, tt.want) || (err != nil) != (tt.want == mistake) {
						t.Errorf("%s, TRACE a variable of %s: %v\n%s", target, asVariableOf, err, said)
					}
				}
			}
		})
	}
}

// TestWhoCarriesTheXRaySDK: the three functions that trace with it, and the webhook's
// never does.
func TestWhoCarriesTheXRaySDK(t *testing.T) {
	const sdk, own = "github.com/aws/aws-xray-sdk-go/xray", module + "shared/telemetry/xray"
	for _, tt := range []struct {
		tag, function string
		want          []string
	}{
		{"none", "webhook", nil},
		{"none", "order", []string{sdk, own}},
		{"none", "token", []string{sdk, own}},
		{"none", "health", []string{sdk, own}},
		{"lighttrace", "webhook", []string{own}},
		{"lighttrace", "order", []string{own}},
		{"lighttrace", "token", []string{own}},
		{"lighttrace", "health", []string{own}},
	} {
		said, err := run(t, "go", "list", "-deps", "-tags", tt.tag, "./functions/"+tt.function)
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		packages := strings.Fields(said)
		found := slices.DeleteFunc([]string{sdk, own}, func(name string) bool { return !slices.Contains(packages, name) })
		if !slices.Equal(found, tt.want) {
			t.Errorf("%s with the tag %s has %q, want %q", tt.function, tt.tag, found, tt.want)
		}
	}
}

//go:build proof

package workflow_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/moto"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// definition is what the tests read of the workflow.
type definition struct {
	text   string
	States map[string]struct {
		Type           string
		TimeoutSeconds int
		Retry          []retrier
		Catch          []struct{ ErrorEquals []string }
	}
	TimeoutSeconds int
}

type retrier struct {
	ErrorEquals     []string
	IntervalSeconds int
	MaxAttempts     int
	BackoffRate     float64
	MaxDelaySeconds int
	JitterStrategy  string
}

func mustLoad(t *testing.T) (stack *template.Stack, d definition) {
	t.Helper()
	stack, err := template.Load(filepath.Join(proof.Repository, "template.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(stack.StateMachines) != 1 {
		t.Fatalf("the template has %d state machines", len(stack.StateMachines))
	}
	text, err := os.ReadFile(filepath.Join(proof.Repository, stack.StateMachines[0].DefinitionURI))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	d.text = string(text)
	return stack, d
}

// TestGrammar has statelint read the definition, and copies of it with mistakes.
func TestGrammar(t *testing.T) {
	t.Parallel()
	python := moto.Python(t, proof.Repository)
	_, d := mustLoad(t)
	for _, test := range []struct{ name, old, new, want string }{
		{"as it is", "", "", ""},
		{"a state that is not there", `"Next": "Decide"`, `"Next": "Decided"`, `No state found named "Decided"`},
		{"a path that is none", `"SecondsPath": "$.wait_seconds"`, `"SecondsPath": "wait_seconds"`, "SecondsPath"},
		{"a strategy that is none", `"JitterStrategy": "FULL"`, `"JitterStrategy": "HALF"`, "JitterStrategy"},
		{"a field that is none", `"Retry": [`, `"Retries": [`, "Retries"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(d.text, test.old) {
				t.Fatalf("the definition has no %s", test.old)
			}
			file := filepath.Join(t.TempDir(), "workflow.json")
			if err := os.WriteFile(file, []byte(strings.Replace(d.text, test.old, test.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			said, err := exec.Command(python, "-m", "statelint", file).CombinedOutput() // #nosec G204 -- our own Python
			if (err == nil) != (test.want == "") || !strings.Contains(string(said), test.want) {
				t.Errorf("want %q, statelint said: %s (%v)", test.want, said, err)
			}
		})
	}
}

// TestSubstitutions: what the template fills in and what the definition has to be
// filled in are the same.
func TestSubstitutions(t *testing.T) {
	stack, d := mustLoad(t)
	blanks := map[string]bool{}
	for _, match := range regexp.MustCompile(`\$\{([^}]*)\}`).FindAllStringSubmatch(d.text, -1) {
		blanks[match[1]] = true
	}
	want := slices.Sorted(maps.Keys(stack.StateMachines[0].Substitutions))
	if got := slices.Sorted(maps.Keys(blanks)); !slices.Equal(got, want) {
		t.Errorf("the definition has the blanks %q, the template fills %q in", got, want)
	}
}

// retriable are the function's errors after which the same call may end better; the
// comments at the names in functions/internal/function say it of each.
var retriable = []string{"G2AThrottled", "G2AUnavailable", "OrderBusy", "StoreUnavailable"}

// serviceErrors are those of Lambda and of Step Functions themselves that pass: see
// "Handle Lambda service exceptions" in Step Functions' developer guide, and Lambda's
// runtimes for the first two, which come as a function's errors.
var serviceErrors = []string{
	"Runtime.ExitError",
	"Sandbox.Timedout",
	"States.Timeout",
	"Lambda.TooManyRequestsException",
	"Lambda.ClientExecutionTimeoutException",
	"Lambda.ServiceException",
	"Lambda.AWSLambdaException",
	"Lambda.SdkClientException",
	"Lambda.Unknown",
}

// TestErrorNames: every error of the function is decided on, and no name is one that
// nobody gives.
func TestErrorNames(t *testing.T) {
	_, d := mustLoad(t)
	var given, want, retried, ended []string
	for _, name := range functionErrors(t) {
		given = append(given, name)
		if !slices.Contains(retriable, name) {
			want = append(want, name)
		}
	}
	if len(given) < len(retriable) {
		t.Fatalf("the function's errors are %v", given)
	}
	task := d.States["Advance"]
	for _, r := range task.Retry {
		if r.MaxAttempts == 0 {
			ended = append(ended, r.ErrorEquals...)
			continue
		}
		retried = append(retried, r.ErrorEquals...)
		if r.JitterStrategy != "FULL" {
			t.Errorf("retries without jitter: %+v", r)
		}
	}
	same(t, "not retried", ended, want)
	same(t, "retried", retried, append(slices.Clone(retriable), serviceErrors...))
	for _, name := range retriable {
		if !slices.Contains(given, name) {
			t.Errorf("the function does not give %s", name)
		}
	}
	if len(task.Catch) != 1 || !slices.Equal(task.Catch[0].ErrorEquals, []string{"States.ALL"}) {
		t.Errorf("what ends the workflow is not caught at one place: %+v", task.Catch)
	}
}

// same compares two lists without regard to order.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q\nwant %q", what, got, want)
	}
}

// functionErrors reads in the source which names the order function gives its errors:
// its own, and those of function.Fail.
func functionErrors(t *testing.T) []string {
	t.Helper()
	values, named := map[string]string{}, map[string]bool{}
	for _, file := range parse(t, "functions/internal/function") {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				if n.Tok == token.CONST {
					constants(n, values)
				}
			case *ast.FuncDecl:
				if n.Name.Name == "nameOf" {
					ast.Inspect(n.Body, func(n ast.Node) bool { note(n, named); return true })
				}
			}
			return true
		})
	}
	if len(named) == 0 {
		t.Fatal("functions/internal/function has no nameOf that names errors")
	}
	for _, file := range parse(t, "functions/order") {
		ast.Inspect(file, func(n ast.Node) bool {
			if selector, is := n.(*ast.SelectorExpr); is {
				note(selector.Sel, named)
			}
			return true
		})
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if value, is := values[name]; is {
			names = append(names, value)
		}
	}
	return names
}

// constants notes the exported text constants of a declaration.
func constants(declaration *ast.GenDecl, values map[string]string) {
	for _, spec := range declaration.Specs {
		constant := spec.(*ast.ValueSpec)
		for i, value := range constant.Values {
			literal, is := value.(*ast.BasicLit)
			if is && literal.Kind == token.STRING && constant.Names[i].IsExported() {
				values[constant.Names[i].Name], _ = strconv.Unquote(literal.Value)
			}
		}
	}
}

func note(n ast.Node, names map[string]bool) {
	if identifier, is := n.(*ast.Ident); is {
		names[identifier.Name] = true
	}
}

// parse reads a package of the project, without its tests.
func parse(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(proof.Repository, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// TestTimes holds the workflow's times against the function's.
func TestTimes(t *testing.T) {
	stack, d := mustLoad(t)
	var timeout time.Duration
	for _, f := range stack.Functions {
		if f.LogicalID == function {
			timeout = f.Timeout
		}
	}
	if timeout == 0 {
		t.Fatalf("the template has no time-out of %s", function)
	}
	task := d.States["Advance"]
	if limit := time.Duration(task.TimeoutSeconds) * time.Second; limit <= timeout {
		t.Errorf("the workflow gives a call up after %s, the function may take %s", limit, timeout)
	}
	if d.TimeoutSeconds <= task.TimeoutSeconds {
		t.Errorf("the workflow ends after %d s", d.TimeoutSeconds)
	}
	// A function that is killed leaves a lease behind, and OrderBusy is the answer
	// until it runs out: Retry must outlast it by far, for with full jitter the
	// waits come to half of their limits, and to less with bad luck.
	lease := timeout + 5*time.Second
	for _, r := range task.Retry {
		if r.MaxAttempts == 0 {
			continue
		}
		if mean := meanWait(r); mean < 5*lease {
			t.Errorf("retries last %s on average, a lease %s", mean, lease)
		}
	}
}

// meanWait is how long a retrier waits in all, on average.
func meanWait(r retrier) time.Duration {
	total, delay := 0.0, float64(r.IntervalSeconds)
	for range r.MaxAttempts {
		total += min(delay, float64(r.MaxDelaySeconds)) / 2
		delay = min(delay, float64(r.MaxDelaySeconds)) * r.BackoffRate
	}
	return time.Duration(total * float64(time.Second))
}

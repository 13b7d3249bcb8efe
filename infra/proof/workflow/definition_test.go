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
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
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
		{"a path that is none", `"SecondsPath": "$.answer.wait_seconds"`, `"SecondsPath": "wait_seconds"`, "SecondsPath"},
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

// business are the function's errors after which the same call would end the same way.
// After any other one it may end better: everything else is retried.
var business = []string{"CredentialsRejected", "InvalidOrder", "OrderConflict"}

// TestErrorNames: only the named business errors are not retried, all else is for the
// whole of the workflow's time, and each name is one that the function has.
func TestErrorNames(t *testing.T) {
	_, d := mustLoad(t)
	given := functionErrors(t)
	task := d.States["Advance"]
	if len(task.Retry) != 3 {
		t.Fatalf("%d retriers, want 3", len(task.Retry))
	}
	ended, busy, all := task.Retry[0], task.Retry[1], task.Retry[2]
	same(t, "not retried", ended.ErrorEquals, business)
	if ended.MaxAttempts != 0 {
		t.Errorf("business errors are retried %d times", ended.MaxAttempts)
	}
	same(t, "retried with a schedule of its own", busy.ErrorEquals, []string{"OrderBusy"})
	same(t, "retried", all.ErrorEquals, []string{"States.ALL"})
	if all.JitterStrategy != "FULL" {
		t.Errorf("retries without jitter: %+v", all)
	}
	for _, r := range []retrier{busy, all} {
		if longest := time.Duration(r.MaxAttempts) * time.Duration(r.MaxDelaySeconds) * time.Second / 2; longest < time.Duration(d.TimeoutSeconds)*time.Second {
			t.Errorf("retries end after %s: %+v", longest, r)
		}
	}
	for _, name := range append(slices.Clone(business), "OrderBusy") {
		if !slices.Contains(given, name) {
			t.Errorf("the function has no error %s: %v", name, given)
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
	for _, limit := range []time.Duration{purchase.ExpireAfter, purchase.StuckAfter} {
		// After it there must be a round, which comes within the longest wait and the
		// longest pause of a retry, and may take as long as the function may.
		if last := limit + 2*time.Minute + timeout; last >= time.Duration(d.TimeoutSeconds)*time.Second {
			t.Errorf("an order ends after %s, the workflow after %d s", limit, d.TimeoutSeconds)
		}
		if limit <= 20*time.Hour {
			t.Errorf("an order ends after %s: an outage of 20 hours would end it", limit)
		}
	}
}

// delays are the pauses of a retrier before each of its first retries, at their longest.
func (r retrier) delays(n int) (delays []time.Duration) {
	delay := float64(r.IntervalSeconds)
	for range n {
		delays = append(delays, time.Duration(min(delay, float64(r.MaxDelaySeconds))*float64(time.Second)))
		delay *= r.BackoffRate
	}
	return delays
}

// TestCrashToProgress: a process dies right after it has renewed its lease. Whatever the
// jitter of the first retry, the one that finds the lease over comes within 30 seconds.
func TestCrashToProgress(t *testing.T) {
	_, d := mustLoad(t)
	busy, all := d.States["Advance"].Retry[1], d.States["Advance"].Retry[2]
	longest := time.Duration(0)
	for first := time.Duration(0); first <= all.delays(1)[0]; first += 10 * time.Millisecond {
		at := first
		for _, delay := range busy.delays(20) {
			if at >= purchase.LeaseTime {
				break
			}
			at += delay
		}
		longest = max(longest, at)
	}
	t.Logf("a lease of %s, progress at the latest after %s", purchase.LeaseTime, longest)
	if longest > 30*time.Second {
		t.Errorf("an order moves on only after %s", longest)
	}
}

// What a round and a failed call put into an execution's history; TestHistory counts them.
const (
	eventsOfRound   = 9
	eventsOfFailure = 3
	mostEvents      = 25_000 // Step Functions' own limit
)

// TestHistoryIsBounded: rounds as dense as they come, each with any number of retries
// before it, at their mean with jitter, keep a whole day under the limit.
func TestHistoryIsBounded(t *testing.T) {
	_, d := mustLoad(t)
	busy, all := d.States["Advance"].Retry[1], d.States["Advance"].Retry[2]
	const wait, young = time.Minute, 200 // rounds of a young order come faster
	most := 0
	for b := range 40 {
		for a := range 40 {
			round, events := wait, eventsOfRound+(a+b)*eventsOfFailure
			for _, delay := range busy.delays(b) {
				round += delay
			}
			for _, delay := range all.delays(a) {
				round += delay / 2
			}
			most = max(most, young+int(int64(events)*int64(d.TimeoutSeconds)*int64(time.Second)/int64(round)))
		}
	}
	t.Logf("%d events at most", most)
	if most >= mostEvents {
		t.Errorf("an execution may have %d events, and is ended at %d", most, mostEvents)
	}
}

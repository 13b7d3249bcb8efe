package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/alarm"
)

// emitted is a metric that the code emits: of one name there may be several, with a
// dimension and without.
type emitted struct{ name, unit, dimension string }

func (e emitted) String() string { return fmt.Sprintf("%s, %s, by %q", e.name, e.unit, e.dimension) }

// emissions finds the metrics that the sources emit. A name or a dimension that is not
// written where it is emitted is a mistake: nobody could find it.
func emissions(t *testing.T) map[emitted]bool {
	t.Helper()
	all := map[emitted]bool{}
	for _, folder := range folders(t) {
		if !within(folder, "shared") && !within(folder, "functions") {
			continue
		}
		for _, name := range sources(t, folder) {
			if filepath.ToSlash(name) == root+"/shared/telemetry/metrics.go" {
				continue // Emit and Count themselves
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				call, is := node.(*ast.CallExpr)
				if is && isEmission(call) && !read(call, all) {
					t.Errorf("%s: the metric is not written here", files.Position(call.Pos()))
				}
				return true
			})
		}
	}
	filtered(t, all)
	return all
}

// filteredMetric is a metric that CloudWatch makes of the log, by a filter of the template.
var filteredMetric = regexp.MustCompile(`MetricNamespace: !Sub "G2A/\$\{G2AEnv\}", MetricName: (\w+), MetricValue: "1"`)

// filtered notes the metrics of the template's filters.
func filtered(t *testing.T, all map[emitted]bool) {
	t.Helper()
	text, err := os.ReadFile(root + "/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range filteredMetric.FindAllStringSubmatch(string(text), -1) {
		all[emitted{metric[1], "Count", ""}] = true
	}
}

// isEmission reports whether a call is of Emit or Count on metrics.
func isEmission(call *ast.CallExpr) bool {
	method, is := call.Fun.(*ast.SelectorExpr)
	if !is || (method.Sel.Name != "Emit" && method.Sel.Name != "Count") {
		return false
	}
	switch on := method.X.(type) {
	case *ast.SelectorExpr:
		return strings.EqualFold(on.Sel.Name, "metrics")
	case *ast.Ident:
		return strings.EqualFold(on.Name, "metrics")
	}
	return false
}

// read notes the metrics of an emission, and reports whether it understands them.
func read(call *ast.CallExpr, all map[emitted]bool) bool {
	if call.Fun.(*ast.SelectorExpr).Sel.Name == "Count" {
		name, of := text(call.Args[0]), literal(call.Args[1], "Dimension")
		all[emitted{name, "Count", text(of["Name"])}] = true
		return name != "" && of != nil
	}
	of := literal(call.Args[0], "Dimension")
	for _, arg := range call.Args[1:] {
		metric := literal(arg, "Metric")
		name := text(metric["Name"])
		if of == nil || name == "" {
			return false
		}
		unit := metric["Unit"]
		if selector, is := unit.(*ast.SelectorExpr); is {
			unit = selector.Sel
		}
		all[emitted{name, unit.(*ast.Ident).Name, text(of["Name"])}] = true
	}
	return true
}

// literal returns the fields of a Dimension or a Metric that is written out, else nil.
func literal(expression ast.Expr, kind string) map[string]ast.Expr {
	composite, is := expression.(*ast.CompositeLit)
	if !is {
		return nil
	}
	of := composite.Type
	if selector, is := of.(*ast.SelectorExpr); is {
		of = selector.Sel
	}
	if name, is := of.(*ast.Ident); !is || name.Name != kind {
		return nil
	}
	fields, order := map[string]ast.Expr{}, []string{"Name", "Value", "Unit"}
	for i, element := range composite.Elts {
		if pair, keyed := element.(*ast.KeyValueExpr); keyed {
			fields[pair.Key.(*ast.Ident).Name] = pair.Value
			continue
		}
		fields[order[i]] = element
	}
	return fields
}

// text returns the string that an expression is, "" for any other.
func text(expression ast.Expr) string {
	basic, is := expression.(*ast.BasicLit)
	if !is || basic.Kind != token.STRING {
		return ""
	}
	value, _ := strconv.Unquote(basic.Value) // parsed: it is one
	return value
}

// row is a table's row by its cells.
type row []string

// table returns the rows of the first table below a heading of operations.md.
func table(t *testing.T, heading string) (rows []row) {
	t.Helper()
	document, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(document), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("operations.md has no heading %q", heading)
	}
	for line := range strings.SplitSeq(below, "\n") {
		cells, is := strings.CutPrefix(line, "| ")
		if !is && len(rows) > 1 {
			break
		}
		if is {
			rows = append(rows, strings.Split(strings.TrimSuffix(cells, " |"), " | "))
		}
	}
	if len(rows) < 2 {
		t.Fatalf("there is no table below %q", heading)
	}
	return rows[1:]
}

func alarms(t *testing.T) []alarm.Alarm {
	t.Helper()
	all, err := alarm.Load(root+"/template.yaml", map[string]string{"G2AExportApi": "v2"}) // which has them all
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryAlarmIsDescribed(t *testing.T) {
	var described, there []string
	for _, r := range table(t, "Alarms") {
		described = append(described, strings.Split(strings.ReplaceAll(r[0], "`", ""), ", ")...)
		if len(r) != 3 || r[1] == "" || r[2] == "" {
			t.Errorf("%s: it is not said what has happened and what to do", r[0])
		}
	}
	for _, a := range alarms(t) {
		there = append(there, a.Name)
	}
	slices.Sort(described)
	slices.Sort(there)
	if !slices.Equal(described, there) {
		t.Errorf("operations.md describes the alarms\n%s\nand the template has\n%s", strings.Join(described, "\n"), strings.Join(there, "\n"))
	}
}

// TestAlarmsNameWhatIsEmitted: an alarm on a metric that nothing emits never goes off.
func TestAlarmsNameWhatIsEmitted(t *testing.T) {
	all, own := emissions(t), 0
	for _, a := range alarms(t) {
		for _, m := range a.Watches() {
			if m.Namespace != "G2A/sandbox" {
				continue
			}
			own++
			dimension := strings.Join(slices.Sorted(maps.Keys(m.Dimensions)), ", ")
			if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(e emitted) bool { return e.name == m.Name && e.dimension == dimension }) {
				t.Errorf("%s watches %s, which nothing emits", a.Name, m)
			}
			if value := m.Dimensions[dimension]; value != "" && !written(t, value) {
				t.Errorf("%s: nothing gives %s the value %s", a.Name, dimension, value)
			}
		}
	}
	if own < 15 {
		t.Errorf("only %d metrics of our own are watched", own)
	}
}

// written reports whether a string stands in the sources.
func written(t *testing.T, value string) bool {
	t.Helper()
	for _, folder := range folders(t) {
		if !within(folder, "shared") && !within(folder, "functions") {
			continue
		}
		for _, name := range sources(t, folder) {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(source), strconv.Quote(value)) {
				return true
			}
		}
	}
	return false
}

// TestEveryMetricHasAnAlarmOrAReason, and is in the table as it is emitted.
func TestEveryMetricHasAnAlarmOrAReason(t *testing.T) {
	watching := map[string][]string{} // names of alarms, by metric and dimension
	for _, a := range alarms(t) {
		for _, m := range a.Watches() {
			key := m.Name + " " + strings.Join(slices.Sorted(maps.Keys(m.Dimensions)), ", ")
			watching[key] = append(watching[key], a.Name)
		}
	}
	listed := map[emitted]bool{}
	for _, r := range table(t, "Metrics") {
		if len(r) != 4 {
			t.Errorf("%q is not metric, unit, dimension, and alarm or reason", r)
			continue
		}
		is := emitted{strings.Trim(r[0], "`"), r[1], strings.Trim(r[2], "`")}
		listed[is] = true
		var named []string
		for word := range strings.FieldsFuncSeq(r[3], func(c rune) bool { return strings.ContainsRune(" ,.;:()", c) }) {
			if strings.HasSuffix(word, "Alarm") {
				named = append(named, word)
			}
		}
		for _, name := range watching[is.name+" "+is.dimension] {
			if !slices.Contains(named, name) {
				t.Errorf("%s: %s is not in its row", is, name)
			}
		}
		if len(watching[is.name+" "+is.dimension]) == 0 && !strings.HasPrefix(r[3], "none: ") {
			t.Errorf("%s: no alarm watches it, and there is no reason", is)
		}
	}
	if found := emissions(t); !maps.Equal(found, listed) {
		for e := range found {
			if !listed[e] {
				t.Errorf("%s: it is emitted and not in the table", e)
			}
		}
		for e := range listed {
			if !found[e] {
				t.Errorf("%s: it is in the table and nothing emits it", e)
			}
		}
	}
}

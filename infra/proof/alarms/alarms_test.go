//go:build proof

package alarms

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/alarm"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	healthyFor = 30 * time.Minute // before the fault
	faultFor   = 2 * time.Hour
	// noticedWithin is when the first alarm must have gone off.
	noticedWithin = 5 * time.Minute
	// often and seldom are the minutes from one order and one webhook to the next.
	often, seldom = 1, 7
)

// TestMain has some faults recorded at once: most of the time they wait for timeouts. More
// would keep the probes of a busy machine from answering in time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// wentOff is an alarm that went off at a fault, and after how long.
type wentOff struct {
	name  string
	after time.Duration
}

// outcome is the alarms that went off at a fault, the first one first.
type outcome []wentOff

// String is a cell of the table.
func (o outcome) String() string {
	if len(o) == 0 {
		return "none"
	}
	texts := make([]string, len(o))
	for i, a := range o {
		texts[i] = fmt.Sprintf("%s %d", a.name, a.after/time.Minute)
	}
	return strings.Join(texts, ", ")
}

// names are the alarms', in alphabetical order.
func (o outcome) names() (names []string) {
	for _, a := range o {
		names = append(names, a.name)
	}
	slices.Sort(names)
	return names
}

// TestFaults: each outage is an alarm within five minutes, no alarm flaps during a fault
// that stays, and none goes off without one.
func TestFaults(t *testing.T) {
	apis := []g2a.ExportAPI{g2a.ExportV1, g2a.ExportV2}
	outcomes := map[g2a.ExportAPI][]outcome{apis[0]: make([]outcome, len(faults)), apis[1]: make([]outcome, len(faults))}
	t.Run("api", func(t *testing.T) {
		for _, api := range apis {
			t.Run(string(api), func(t *testing.T) {
				t.Parallel()
				playAll(t, api, outcomes[api])
			})
		}
	})
	table := []string{"| fault | on v1 | on v2 |", "|---|---|---|"}
	for i, f := range faults {
		table = append(table, fmt.Sprintf("| %s | %s | %s |", f.name, outcomes[apis[0]][i], outcomes[apis[1]][i]))
	}
	t.Log("minutes until the alarms, with an order and a webhook a minute\n" + strings.Join(table, "\n"))
	for i, f := range faults {
		isDocumented(t, f, outcomes[apis[0]][i], outcomes[apis[1]][i])
	}
}

// playAll has each fault recorded and replayed, at both rates of traffic.
func playAll(t *testing.T, api g2a.ExportAPI, outcomes []outcome) {
	t.Helper()
	alarms, err := alarm.Load(filepath.Join(proof.Repository, "template.yaml"), map[string]string{"G2AExportApi": string(api)})
	must(t, err)
	recordings := recordAll(t, api)
	for i, f := range faults {
		busy := play(t, f, alarms, recordings[0], recordings[i], often)
		quiet := play(t, f, alarms, recordings[0], recordings[i], seldom)
		check(t, f, api, busy, quiet)
		outcomes[i] = busy
	}
}

// isDocumented holds the table of the documentation against what went off: the alarms, not
// their minutes.
func isDocumented(t *testing.T, f fault, v1, v2 outcome) {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(proof.Repository, "docs", "operations.md"))
	must(t, err)
	_, row, found := strings.Cut(string(document), "\n| "+f.name+" | ")
	row, _, _ = strings.Cut(row, "\n")
	cells := strings.Split(strings.TrimSuffix(row, " |"), " | ")
	if !found || len(cells) != 2 {
		t.Errorf("operations.md does not say what goes off at %s", f.name)
		return
	}
	for i, went := range []outcome{v1, v2} {
		named := regexp.MustCompile(`\w+Alarm`).FindAllString(cells[i], -1)
		slices.Sort(named)
		if !slices.Equal(named, went.names()) {
			t.Errorf("%s: operations.md has %s, and what goes off is %s", f.name, cells[i], went)
		}
	}
}

// recordAll records each fault, some at a time.
func recordAll(t *testing.T, api g2a.ExportAPI) [][]minute {
	t.Helper()
	recordings := make([][]minute, len(faults))
	var mu sync.Mutex
	t.Run("record", func(t *testing.T) {
		for i, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				recorded := record(t, f, api)
				mu.Lock()
				defer mu.Unlock()
				recordings[i] = recorded
			})
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return recordings
}

// play replays a fault after a time in which all is well, through all alarms.
func play(t *testing.T, f fault, alarms []alarm.Alarm, well, faulty []minute, each int) (o outcome) {
	t.Helper()
	start := time.Unix(1764000000, 0).Truncate(time.Minute)
	begins, ends := start.Add(healthyFor), start.Add(healthyFor+faultFor)
	var series alarm.Metrics
	replay(&series, well, start, begins, each)
	replay(&series, faulty, begins, ends, each)
	for _, a := range alarms {
		// Not from the start: what would be missing before it is no fault.
		replayed := a.History(&series, start.Add(healthyFor/2), ends)
		if len(replayed) == 0 {
			continue
		}
		if first := replayed[0]; len(replayed) > 1 || first.To != alarm.InAlarm || !first.At.After(begins) {
			t.Errorf("%s, each %d minutes: %s changes %v, the fault begins at %s", f.name, each, a.Name, replayed, begins)
			continue
		}
		o = append(o, wentOff{a.Name, replayed[0].At.Sub(begins)})
	}
	slices.SortStableFunc(o, func(a, b wentOff) int { return cmp.Compare(a.after, b.after) })
	return o
}

// check holds what went off against what must.
func check(t *testing.T, f fault, api g2a.ExportAPI, busy, quiet outcome) {
	t.Helper()
	if f.silent != nil && f.silent(api) {
		if len(busy)+len(quiet) > 0 {
			t.Errorf("%s: %v and with little traffic %v go off, want none", f.name, busy, quiet)
		}
		return
	}
	if len(busy) == 0 || busy[0].after > noticedWithin {
		t.Errorf("%s: the first alarm is not there within %s: %v", f.name, noticedWithin, busy)
	}
	if f.scheduled && (len(quiet) == 0 || quiet[0].after > noticedWithin) {
		t.Errorf("%s: with little traffic the first alarm is not there within %s: %v", f.name, noticedWithin, quiet)
	}
}

package crashtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// report is what a run prints at its end, and what it fails by.
type report struct {
	*stack
	*audit
	seed     uint64
	faults   map[string]int // by kind
	webhooks int            // accepted
	resent   int            // since they were not accepted at first
}

// maxProblems are printed: one is enough to look at, and a thousand hide it.
const maxProblems = 20

func (r report) print(t testing.TB) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	if r.seed != 0 {
		line("seed", r.seed)
	}
	line("orders", r.orders)
	for _, end := range slices.Sorted(maps.Keys(r.ends)) {
		line("  "+end, r.ends[end])
	}
	line("invocations", r.invoked)
	line("kills", sum(r.kills))
	for _, place := range slices.Sorted(maps.Keys(r.kills)) {
		line("  "+place, r.kills[place])
	}
	line("requests of the dead that arrived late", r.late)
	line("faults of G2A", sum(r.faults))
	for _, kind := range slices.Sorted(maps.Keys(r.faults)) {
		line("  "+kind, r.faults[kind])
	}
	line("webhooks", r.webhooks)
	line("  sent again", r.resent)
	line("orders made at G2A", r.created)
	line("paid", r.paid)
	line("double paid", r.double)
	line("above limit", r.above)
	line("keys revealed", r.revealed)
	line("  stored", r.stored)
	line("  reported as lost", r.reported)
	line("  lost in silence", r.lost)
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
	for n, problem := range r.problems {
		if n == maxProblems {
			t.Errorf("and %d more", len(r.problems)-n)
			break
		}
		t.Error(problem)
	}
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

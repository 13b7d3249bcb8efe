//go:build proof

package orders

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// report is what is printed at the end of a run.
type report struct {
	audit
	seed        uint64 // 0: nothing was drawn
	invocations int
	kills       map[string]int // by place
	late        int            // requests of dead processes that arrived late
	again       int            // orders at a G2A that charges again whoever pays again
	faults      map[string]int // by kind
	webhooks    int            // accepted
	resent      int            // of webhooks that were not accepted at first
}

func newReport(s *stack, a *audit) report {
	r := report{audit: *a, invocations: s.invoked, kills: s.kills, late: s.late}
	if s.options.chargesAgain {
		r.again = a.orders
	}
	return r
}

// add adds another run's.
func (r *report) add(other report) {
	r.orders += other.orders
	r.created += other.created
	r.paid += other.paid
	r.charges += other.charges
	r.again += other.again
	r.most = max(r.most, other.most)
	r.double += other.double
	r.above += other.above
	r.revealed += other.revealed
	r.stored += other.stored
	r.reported += other.reported
	r.raw += other.raw
	r.lost += other.lost
	r.invocations += other.invocations
	r.late += other.late
	r.webhooks += other.webhooks
	r.resent += other.resent
	r.ends, r.kills, r.faults = plus(r.ends, other.ends), plus(r.kills, other.kills), plus(r.faults, other.faults)
}

func plus(a, b map[string]int) map[string]int {
	both := map[string]int{}
	for _, counts := range []map[string]int{a, b} {
		for name, n := range counts {
			both[name] += n
		}
	}
	return both
}

// print prints it as a table.
func (r *report) print(t testing.TB) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	part := func(name string, counts map[string]int) {
		total := 0
		for _, n := range counts {
			total += n
		}
		line(name, total)
		for _, of := range slices.Sorted(maps.Keys(counts)) {
			line("  "+of, counts[of])
		}
	}
	part("orders", r.ends)
	line("invocations", r.invocations)
	part("kills", r.kills)
	line("requests of the dead that arrived late", r.late)
	part("faults", r.faults)
	line("webhooks", r.webhooks)
	line("  sent again", r.resent)
	line("orders made at G2A", r.created)
	line("  for one, at most", r.most)
	line("paid", r.paid)
	line("charged", r.charges)
	line("  at a G2A that charges again, orders", r.again)
	line("double paid", r.double)
	line("above limit", r.above)
	line("keys revealed", r.revealed)
	line("  stored", r.stored)
	line("  reported as lost", r.reported)
	line("    kept as they came", r.raw)
	line("  lost in silence", r.lost)
	if r.seed != 0 {
		line("seed", r.seed)
	}
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
}

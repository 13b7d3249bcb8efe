//go:build proof

package workflow_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// counts are what all cases on one purchasing API came to together.
type counts struct {
	executions int
	calls      int // of the function
	retries    int // of these, by Retry
	kills      int
	refs       int // orders of the shops
	made       int // orders at G2A
	most       int // for one order_ref
	paid       int // orders at G2A
	double     int // paid beyond what an order_ref asked for
	revealed   int // keys that G2A gave out
	stored     int // of them
	reported   int // not stored, and a person is told
	lost       int // neither
}

// tally adds counts up.
type tally struct {
	mu sync.Mutex
	by map[g2a.ExportAPI]*counts
}

func (t *tally) add(m market, change func(*counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[m.api] == nil {
		t.by[m.api] = &counts{}
	}
	change(t.by[m.api])
}

var totals = tally{by: map[g2a.ExportAPI]*counts{}}

func (t *tally) print() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range []market{exportV1, exportV2} {
		c := t.by[m.api]
		if c == nil {
			continue
		}
		fmt.Printf("Export API %s: executions %d, calls of the function %d, retries %d, kills %d\n", m.api, c.executions, c.calls, c.retries, c.kills)
		fmt.Printf("Export API %s: order_refs %d, orders made at G2A %d, most for one order_ref %d, paid %d, double paid %d\n",
			m.api, c.refs, c.made, c.most, c.paid, c.double)
		fmt.Printf("Export API %s: keys given out %d, stored %d, lost and reported %d, lost in silence %d\n", m.api, c.revealed, c.stored, c.reported, c.lost)
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The cases wait far more than they work, for Wait and Retry in real time.
	_ = flag.Set("test.parallel", "32") // a flag of package testing
	code := m.Run()
	totals.print()
	os.Exit(code)
}

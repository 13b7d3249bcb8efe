//go:build proof

package workflow_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// counts are what all cases came to together.
type counts struct {
	executions int
	calls      int // of the function
	retries    int // of these, by Retry
	kills      int
	paid       int
	double     int // paid beyond one for an order_ref
}

// tally adds counts up.
type tally struct {
	mu sync.Mutex
	counts
}

func (t *tally) add(change func(*counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.counts)
}

var totals tally

func TestMain(m *testing.M) {
	flag.Parse()
	// The cases wait far more than they work, for Wait and Retry in real time.
	_ = flag.Set("test.parallel", "32") // a flag of package testing
	code := m.Run()
	t := totals.counts
	fmt.Printf("executions %d, calls of the function %d, retries %d, kills %d, paid %d, double paid %d\n",
		t.executions, t.calls, t.retries, t.kills, t.paid, t.double)
	os.Exit(code)
}

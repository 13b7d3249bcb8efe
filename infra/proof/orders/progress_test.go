//go:build proof

package orders

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
)

// progressWithin is how soon after its process has died an order moves on.
const progressWithin = 30 * time.Second

// TestProgress kills a process at each call of an order, before and after the call's
// work, and lets the workflow retry as its state machine says, in real time: nobody turns
// a lease back. An order has moved on when its record is written again.
func TestProgress(t *testing.T) {
	for _, market := range []marketplace{exportV1, exportV2} {
		t.Run(market.name, func(t *testing.T) {
			t.Parallel()
			progress(t, market)
		})
	}
}

func progress(t *testing.T, market marketplace) {
	t.Helper()
	const most = 60
	orders := ordinary("progress-"+localcloudtest.TraceRoot(), most)
	s := newStack(t, options{market: market, orders: orders, concurrency: most})
	s.patient = true
	var undisturbed passages
	s.strike(undisturbed.note)
	if out := s.invoke(t.Context(), orders[0], orders[0].input()); out.Status != "fulfilled" {
		t.Fatalf("undisturbed: %s", out)
	}
	calls := undisturbed.names
	deaths := &deaths{calls: map[string]int{}, at: map[string]death{}}
	for n := range calls {
		for _, m := range []moment{before, after} {
			o := orders[1+len(deaths.at)]
			deaths.at[o.ref] = death{call: n, moment: m}
		}
	}
	s.strike(deaths.strike)
	w := readWorkflow(t)
	w.speed = 1
	var all sync.WaitGroup
	for _, o := range orders[1 : 1+len(deaths.at)] {
		all.Go(func() {
			e := execution{invocations: 100, maxWaits: 1}
			out := e.run(t.Context(), s, w, o)
			if out.ErrorType != "" {
				t.Errorf("%s: %s", deaths.of(o.ref).place(calls), out)
			}
		})
	}
	all.Wait()
	longest := time.Duration(0)
	for _, ref := range slices.Sorted(maps.Keys(deaths.at)) {
		d := deaths.of(ref)
		switch took := d.moved.Sub(d.died); {
		case d.died.IsZero():
			t.Errorf("%s: nothing was killed", d.place(calls))
		case d.moved.IsZero() && !final(s.item("ORDER#"+ref, "ORDER")["step"]):
			t.Errorf("%s: the order has not moved on", d.place(calls))
		case took > progressWithin:
			t.Errorf("%s: the order has moved on only after %s", d.place(calls), took)
		default:
			longest = max(longest, took)
		}
	}
	a := s.audit(orders[:1+len(deaths.at)], false)
	t.Logf("%d kills, the order moved on after %s at the latest; double paid %d, lost in silence %d", len(deaths.at), longest.Round(time.Millisecond), a.double, a.lost)
	if a.double+a.lost+a.above > 0 {
		t.Errorf("double paid %d, above the limit %d, lost in silence %d", a.double, a.above, a.lost)
	}
}

// death is what happens to an order's first process, and after.
type death struct {
	call   int // its number
	moment moment
	died   time.Time
	moved  time.Time // when the record was next written
}

func (d death) place(calls []string) string {
	return fmt.Sprintf("%d %s %s", d.call, d.moment, calls[d.call])
}

// deaths are those of all orders.
type deaths struct {
	mu    sync.Mutex
	calls map[string]int // so far, by order
	at    map[string]death
}

func (d *deaths) of(ref string) death {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at[ref]
}

func (d *deaths) strike(i *invocation, c call, m moment) fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref := i.order.ref
	planned := d.at[ref]
	if m == before {
		d.calls[ref]++
	}
	switch {
	case planned.died.IsZero() && m == planned.moment && d.calls[ref] == planned.call+1:
		planned.died = time.Now()
		d.at[ref] = planned
		return killed
	case !planned.died.IsZero() && planned.moved.IsZero() && m == after && (c.name == "claim" || strings.HasPrefix(c.name, "save") || strings.HasPrefix(c.name, "link")):
		planned.moved = time.Now()
		d.at[ref] = planned
	}
	return goesOn
}

//go:build proof

package orders

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// passages are the calls of the order's invocations, in their order.
type passages struct {
	mu    sync.Mutex
	names []string
	write int // of the store, how many
}

func (p *passages) note(_ *invocation, c call, m moment) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m == before {
		p.names = append(p.names, c.name)
		if c.write {
			p.write++
		}
	}
	return goesOn
}

// g2a gives the calls to G2A among them.
func (p *passages) g2a() []string {
	return slices.DeleteFunc(slices.Clone(p.names), func(name string) bool { return !call{name: name}.ofG2A() })
}

// ordinary makes orders that can be bought at their limit.
func ordinary(prefix string, number int) []*order {
	orders := newOrders(prefix, 1, number)
	for _, o := range orders {
		o.kind, o.limit = affordable, o.price
	}
	return orders
}

// TestCosts counts the calls of an order that meets no trouble.
func TestCosts(t *testing.T) {
	for _, market := range []marketplace{exportV1, exportV2} {
		for _, engine := range engines {
			t.Run(market.name+" "+engine.name, func(t *testing.T) {
				o := ordinary("costs-"+localcloudtest.TraceRoot(), 1)[0]
				s := newStack(t, options{market: market, engine: engine.start, orders: []*order{o}})
				var seen passages
				s.strike(seen.note)
				if out := s.invoke(t.Context(), o, o.input()); out.Status != "fulfilled" {
					t.Fatalf("%s, want fulfilled", out)
				}
				if calls, want := seen.g2a(), market.ofG2A(); !slices.Equal(calls, want) {
					t.Errorf("calls to G2A: %q, want %q", calls, want)
				}
				if seen.write > market.mostWrites {
					t.Errorf("%d writes, want at most %d: %q", seen.write, market.mostWrites, seen.names)
				}
			})
		}
	}
}

// blow is what happens to one call.
type blow struct {
	moment moment
	fate   fate
	// arrives is, for a request that arrives late, the call of the next invocation
	// before which it does; "" is after all of them.
	arrives string
}

func (b blow) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", b.moment, b.fate, b.arrives))
}

// TestOneByOne kills the process at each call of an order, before and after the call's
// work, and has its request arrive late: in the middle of the next invocation, between
// its reading of the record and its first write, and after it.
func TestOneByOne(t *testing.T) {
	for _, market := range []marketplace{exportV1, exportV1Several, exportV2, exportV2Once, exportV2Conflict} {
		where := engines
		if market.name != string(market.api) {
			where = engines[:1] // what differs is G2A
		}
		for n, engine := range where {
			for pending := range 2 {
				switch {
				case market.pieces() > 1 && pending > 0:
					continue // each piece is an order like any other
				case pending == 0 && (n > 0 || market.api == g2a.ExportV2 && len(where) == 1):
					continue // the calls of an order that is pending are those of one that is not, and more
				}
				market := market // each its own
				market.v2.PartialKeys = pending
				t.Run(fmt.Sprintf("%s %s, pending %d times", market.name, engine.name, pending), func(t *testing.T) {
					t.Parallel()
					oneByOne(t, options{market: market, engine: engine.start, pendingDetails: pending})
				})
			}
		}
	}
}

// oneByOne takes orders to their end, each with one blow at one of its calls.
func oneByOne(t *testing.T, o options) {
	blows := []blow{
		{before, killed, ""}, {after, killed, ""},
		{before, killedLate, "claim"}, {before, killedLate, o.market.pays}, {before, killedLate, ""},
	}
	const most = 30 // calls
	o.orders = ordinary("one-"+localcloudtest.TraceRoot(), most*len(blows)+1)
	s := newStack(t, o)
	var undisturbed passages
	s.strike(undisturbed.note)
	e := execution{invocations: 10}
	if out := e.run(t.Context(), s, readWorkflow(t), o.orders[0]); out.Status != "fulfilled" {
		t.Fatalf("undisturbed: %s", out)
	}
	complete, next := o.pendingDetails == 0, 1
	for at, name := range undisturbed.names {
		for _, b := range blows {
			t.Run(fmt.Sprintf("%d %s %s", at, name, b), func(t *testing.T) { s.oneBlow(t, o.orders[next], at, name, b, complete) })
			next++
		}
	}
	s.strike(nil)
	a := s.audit(o.orders[:next], complete)
	a.wholly(s.Simulator.Stats())
	for _, problem := range a.problems {
		t.Error(problem)
	}
	r := newReport(s, a)
	r.print(t)
}

// oneBlow takes an order to its end, with one blow at its call number at.
func (s *stack) oneBlow(t *testing.T, o *order, at int, name string, b blow, complete bool) {
	var mu sync.Mutex
	number, struck := -1, false
	s.strike(func(i *invocation, c call, m moment) fate {
		mu.Lock()
		if m == before {
			number++
		}
		now := m == b.moment && number == at && !struck
		struck = struck || now
		mu.Unlock()
		switch {
		case now && c.name != name:
			t.Errorf("call %d is %s, want %s", at, c.name, name)
		case now:
			return b.fate
		case m == before && c.name == b.arrives:
			o.arrive()
		}
		return goesOn
	})
	e := execution{invocations: 20}
	out := e.run(t.Context(), s, readWorkflow(t), o)
	o.arrive()
	if !struck {
		t.Fatal("nothing was killed")
	}
	market := s.options.market
	want := output{Status: "fulfilled"}
	switch {
	case !market.again && s.losesKey(o, name, b):
		want = output{Status: "needs_attention", Reason: market.lost}
	case market.v2.Replay == "conflict" && losesOrder(name, b):
		want = output{Status: "needs_attention", Reason: "payment_unknown"}
	}
	if out.Status == "waiting" && want.Reason == "stuck" { // when there is nothing more to wait for
		s.age(o)
		e.invocations = 20
		out = e.run(t.Context(), s, readWorkflow(t), o)
	}
	if out.Status != want.Status || out.Reason != want.Reason {
		t.Errorf("the order ends as %s, want %s", out, want)
	}
	a := s.audit([]*order{o}, complete)
	if most := market.pieces() + min(1, market.mostMade-1); a.created > most || want.Status == "fulfilled" && a.paid != market.pieces() {
		t.Errorf("%d orders made at G2A and %d paid, want at most %d and %d", a.created, a.paid, most, market.pieces())
	}
	for _, problem := range a.problems {
		t.Error(problem)
	}
}

// losesOrder reports whether a blow leaves an order at G2A that only a repeated post could
// name.
func losesOrder(name string, b blow) bool {
	switch name {
	case placeRoute:
		return b.moment == after || b.arrives != ""
	case "link key_requested":
		return b.moment == before && b.arrives != "claim"
	}
	return false
}

// losesKey reports whether a blow loses the key, which is given out once: whoever dies
// with it in hand has lost it. From everything else there is a way on.
func (s *stack) losesKey(o *order, name string, b blow) bool {
	if s.options.market.api == g2a.ExportV2 { // where the call may have found no key yet
		sold := s.ofOrder(o)
		return len(sold) > 0 && sold[0].KeysRevealed > len(s.keysOf(o.ref))
	}
	meanwhile := b.arrives == "claim" // the late request, before the next one gets there
	switch {
	case name == s.options.market.keys:
		return b.moment == after || meanwhile
	case name == "save fulfilled", name == "save started": // and on to the next piece
		return b.moment == before && !meanwhile
	}
	return false
}

//go:build proof

package orders

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// How often what happens. Each is drawn for each call, so that an order, which needs
// some twenty, meets one or two of them.
const (
	killChance    = 0.03  // at each of a call's two moments
	lateChance    = 0.3   // of what is killed before a call: its request arrives late
	arrivalChance = 0.3   // of a request on its way: it arrives before this call of another
	faultChance   = 0.12  // of G2A, for a call to it
	cutChance     = 0.003 // at each of the two moments of a call to DynamoDB: the client's next try takes it half a second
	stallChance   = 0.001 // of a call to G2A: no answer within the client's time-out
	maxStalls     = 2     // in a batch: each costs 5 seconds
	webhookChance = 0.1   // after a call that has to do with an order at G2A
	maxAge        = 2     // of a webhook, in statuses
	crowdChance   = 0.1   // maxCallers at an order, in place of fewCallers at most
	maxCallers    = 8
	fewCallers    = 2
	inFlight      = 10 // orders

	// callerPatience is how many invocations a caller makes before it is cut off.
	callerPatience = 12
	// endPatience is how many an order's last caller may make, undisturbed. It is as
	// much as a circuit breaker that is open may refuse in the 10 seconds it stays so.
	endPatience = 200
	// failedPatience is enough where one order has come to no end already.
	failedPatience = 10
	// endWaits is how often the last caller may be told to wait: a few rounds more than
	// the order is pending at G2A.
	endWaits = 8
)

// faultsV1 are everything that the documentation of the Export API v1 has, and what lines
// do.
var faultsV1 = func() []g2atest.Fault {
	all := faultsOf(429, 500, 503)
	for _, code := range []string{"BR03", "ORD05", "ORD112", "ORD114", "ORD121", "ORD122", "ORD03", "ORD004", "ORD02", "BR02", "AUTH02"} {
		all = append(all, g2atest.Fault{Mode: "status", Code: code})
	}
	return all
}()

// faultsV2 are every status that the Export API v2 may refuse with, and what lines do: its
// codes are not public.
var faultsV2 = faultsOf(400, 401, 402, 403, 404, 409, 410, 422, 425, 429, 500, 503)

// faultsOf are these statuses, and what lines do.
func faultsOf(statuses ...int) (all []g2atest.Fault) {
	for _, status := range statuses {
		all = append(all, g2atest.Fault{Mode: "status", Status: status})
	}
	for _, mode := range []string{"drop_before", "drop_after", "truncated_body", "wrong_content_type"} {
		all = append(all, g2atest.Fault{Mode: mode})
	}
	for _, mode := range []string{"delay", "slow_body"} {
		all = append(all, g2atest.Fault{Mode: mode, DelayMS: 40})
	}
	return all
}

// stall is longer than the client waits.
var stall = g2atest.Fault{Mode: "delay", DelayMS: 5500}

func kindOf(f g2atest.Fault) string {
	switch {
	case f.DelayMS > 0:
		return fmt.Sprintf("%s %d ms", f.Mode, f.DelayMS)
	case f.Mode == "status":
		return f.Mode + " " + cmp.Or(f.Code, strconv.Itoa(f.Status))
	}
	return f.Mode
}

// batch is a number of orders on a stack of their own.
type batch struct {
	*stack
	workflow workflow
	orders   []*order
	postman  *postman

	mu      sync.Mutex
	random  *rand.Rand     // for what belongs to no order
	faults  map[string]int // by kind
	stalls  int
	letters sync.WaitGroup // webhooks on their way
}

// TestAtRandom has many orders at once, each with several callers, meet kills, faults
// of G2A and webhooks at random calls, and then brings each to its end in peace.
// CRASHTEST_ORDERS is how many, in batches; CRASHTEST_SEED repeats what was drawn, the
// first batch by the seed itself, but not how the callers come between each other.
func TestAtRandom(t *testing.T) {
	const size = 250
	orders, seed := localcloudtest.Number(t, "CRASHTEST_ORDERS", 500), localcloudtest.Number(t, "CRASHTEST_SEED", rand.Uint64N(1e9)+1)
	for _, market := range []marketplace{exportV1, exportV2, exportV2Once} {
		t.Run(market.name, func(t *testing.T) {
			isV1, orders := market.api == g2a.ExportV1, orders
			if market.name != string(market.api) { // what differs is G2A's answer to one call
				orders = (orders + 1) / 2
			}
			total := report{seed: seed}
			for n := uint64(0); n*size < orders; n++ {
				t.Run(fmt.Sprintf("batch %d", n), func(t *testing.T) {
					total.add(randomBatch(t, market, storetest.Minidyn, seed+n, int(min(size, orders-n*size)), isV1 && n%2 == 1))
				})
			}
			if market.name == string(market.api) {
				t.Run("DynamoDB Local", func(t *testing.T) {
					total.add(randomBatch(t, market, storetest.DynamoDBLocal, seed, int(min(60, orders)), isV1))
				})
			}
			total.print(t)
			if lost := total.reported - total.raw; market.again && lost > 0 {
				t.Errorf("%d keys are reported as lost that can be read again", lost)
			}
			if total.orders >= 500 { // or too few to meet everything
				total.metEverything(t, market)
			}
		})
	}
}

// metEverything checks that each call of an order was killed at, and each fault met.
func (r *report) metEverything(t *testing.T, market marketplace) {
	t.Helper()
	for _, call := range market.calls {
		for _, m := range []moment{before, after} {
			if r.kills[string(m)+" "+call] == 0 {
				t.Errorf("nothing was killed %s %s", m, call)
			}
		}
	}
	for _, f := range market.faults {
		if r.faults[kindOf(f)] == 0 {
			t.Errorf("no fault %s was met", kindOf(f))
		}
	}
}

// randomBatch is a number of orders; again has G2A charge again whoever pays twice.
func randomBatch(t *testing.T, market marketplace, engine func(testing.TB) string, seed uint64, number int, again bool) report {
	t.Logf("CRASHTEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pending := max(0, random.IntN(6)-2) // half of the batches know no pending
	lag := max(0, random.IntN(4)-1)     // nor any details that lag
	orders := newOrders("random-"+localcloudtest.TraceRoot(), seed, number)
	var delay time.Duration
	if again {
		delay = time.Duration(random.IntN(3)) * 50 * time.Millisecond
	}
	market.v2.PartialKeys = max(0, random.IntN(3)-1)
	market.v2.Pending = []string{"empty", "404", "409", "202"}[random.IntN(4)]
	if market.api == g2a.ExportV2 {
		market.quantity = 1 + random.IntN(3)
		t.Logf("%d keys an order, %d calls find too few, none yet is %s", market.quantity, market.v2.PartialKeys, market.v2.Pending)
	}
	t.Logf("pending %d times, details lag %d times, charges again: %t, settles after %s", pending, lag, again, delay)
	b := &batch{
		stack: newStack(t, options{
			market: market, engine: engine, orders: orders, pendingDetails: pending, detailsLag: lag, concurrency: 40,
			chargesAgain: again, paymentDelay: delay,
			retryMax: []string{"0", "0", "0", "1"}[random.IntN(4)],
		}),
		workflow: readWorkflow(t), orders: orders, random: random, faults: map[string]int{},
	}
	b.postman = newPostman(b.stack)
	b.strike(b.disturb)
	b.each(b.crowd)
	b.letters.Wait()
	b.strike(nil)
	b.each(b.end)
	b.postman.check()
	a := b.audit(orders, pending+lag == 0 && delay == 0)
	a.wholly(b.Simulator.Stats())
	for _, problem := range a.problems {
		t.Error(problem)
	}
	if bought := a.ends["fulfilled"]; bought*2 < number {
		t.Errorf("only %d of %d orders are fulfilled: too much is disturbed to prove anything", bought, number)
	}
	r := newReport(b.stack, a)
	r.faults, r.webhooks, r.resent = b.faults, b.postman.sent, b.postman.resent
	return r
}

// each does something with all orders, some at a time.
func (b *batch) each(do func(*order)) {
	var working sync.WaitGroup
	queue := make(chan *order)
	for range inFlight {
		working.Go(func() {
			for o := range queue {
				do(o)
			}
		})
	}
	for _, o := range b.orders {
		queue <- o
	}
	close(queue)
	working.Wait()
}

// crowd calls for one order, all callers at once.
func (b *batch) crowd(o *order) {
	number := 1 + o.pick(fewCallers)
	if o.chance(crowdChance) {
		number = maxCallers
	}
	if b.options.chargesAgain {
		number = 1 // or time would pass for one while another pays
	}
	var callers sync.WaitGroup
	for range number {
		callers.Go(func() {
			e := execution{invocations: callerPatience}
			e.run(b.t.Context(), b.stack, b.workflow, o)
		})
	}
	callers.Wait()
}

// end brings an order to its end with one caller that nothing disturbs.
func (b *batch) end(o *order) {
	o.arrive()
	patience := endPatience
	if b.t.Failed() {
		patience = failedPatience
	}
	e := execution{invocations: patience, maxWaits: endWaits}
	for aged := false; ; {
		out := e.run(b.t.Context(), b.stack, b.workflow, o)
		switch {
		case final(out.Status):
			return
		case out.Status == "waiting" && b.options.market.lost == "stuck" && !aged: // keys that were lost
			b.age(o)
			e.waits, aged = 0, true
		case e.invocations <= 0 || out.Status == "waiting":
			b.t.Errorf("order %s: %d invocations and %d waits bring it to no end, but to %s", o.ref, patience-e.invocations, e.waits, out)
			return
		}
	}
}

// disturb is the nemesis.
func (b *batch) disturb(i *invocation, c call, m moment) fate {
	if i == nil {
		return b.disturbWebhook()
	}
	o := i.order
	switch {
	case m == before && o.chance(arrivalChance):
		o.arrive()
	case m == after && c.ofG2A() && c.name != b.options.market.shows && o.chance(webhookChance):
		b.send(o)
	}
	switch dies := o.chance(killChance); {
	case dies && m == before && o.chance(lateChance) && !(b.options.chargesAgain && c.name == payRoute):
		return killedLate // not a payment that is charged however late it comes: see what is assumed about G2A
	case dies:
		return killed
	case m == before && c.ofG2A():
		b.fault(o, c.name)
	case !c.ofG2A() && o.chance(cutChance):
		b.count("DynamoDB: cut " + string(m) + " the work")
		return cut
	}
	return goesOn
}

func (b *batch) disturbWebhook() fate {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.random.Float64() < killChance {
		return killed
	}
	return goesOn
}

// send sends a webhook about one of an order's orders at G2A.
func (b *batch) send(o *order) {
	b.letters.Go(func() {
		if sold := b.ofOrder(o); len(sold) > 0 {
			b.postman.tell(context.WithoutCancel(b.t.Context()), sold[o.pick(len(sold))], o.pick(maxAge+1))
		}
	})
}

// fault gives a call's route a fault, which this call uses up, or another at the same
// time.
func (b *batch) fault(o *order, route string) {
	faults := b.options.market.faults
	f := faults[o.pick(len(faults))]
	switch {
	case o.chance(stallChance) && b.mayStall():
		f = stall
	case !o.chance(faultChance):
		return
	}
	f.Route = route
	if err := b.Simulator.AddFault(f); err != nil {
		b.t.Errorf("a fault of G2A: %v", err)
	}
	b.count(kindOf(f))
}

func (b *batch) count(fault string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[fault]++
}

func (b *batch) mayStall() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stalls++
	return b.stalls <= maxStalls
}

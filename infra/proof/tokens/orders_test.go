//go:build proof

package tokens

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	placeRoute = "POST /export/v1/orders"
	keysRoute  = "GET /export/v1/orders/{id}/keys"
)

// buyers are instances of OrderFunction, each a process, which buy at once through the
// Export API v2.
type buyers struct {
	*stack
	number int
	orders int // so far
	table  *tabwriter.Writer
}

const buyerCount = 16

func newBuyers(t *testing.T, table *tabwriter.Writer) *buyers {
	t.Helper()
	s := newStack(t, func(o *localcloud.Options) { onV2(o); o.Concurrency = buyerCount })
	return &buyers{stack: s, number: buyerCount, table: table}
}

// turn is one order of each instance, and what it must come to.
type turn struct {
	name string
	// meet is where all instances wait for each other, so that none does another's work;
	// then met is called, before any call is answered.
	meet    string
	met     func()
	refused int    // calls answered with 401
	tokens  int    // issued
	version string // of the token that is stored then; "" is none
}

// buy takes a turn.
func (b *buyers) buy(r turn) {
	b.t.Helper()
	before := b.Simulator.Stats()
	if r.met == nil {
		r.met = func() {}
	}
	b.ToG2A.Strike(b.gather(r.meet, func() {
		r.met()
		if after := b.Simulator.Stats(); after.TokensIssued < before.TokensIssued { // it counts anew
			before = after
		}
	}))
	started := time.Now()
	failures := b.buyAtOnce()
	took := time.Since(started)
	b.ToG2A.Strike(nil)
	if len(failures) > 0 {
		b.t.Errorf("%s: %d of %d orders fail: %v", r.name, len(failures), b.number, failures[0])
	}
	b.audit(r, before, took)
}

// buyAtOnce has each instance buy a new order.
func (b *buyers) buyAtOnce() (failures []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range b.number {
		number := b.orders
		b.orders++
		wg.Go(func() {
			if err := b.order(number); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	return failures
}

// gather holds the first request of each instance for a route until all have come, and
// those for a token, from then on, until all of the first are answered.
func (b *buyers) gather(route string, met func()) func(*proof.Request, proof.Moment) bool {
	routes := http.NewServeMux()
	routes.Handle(route, http.NotFoundHandler())
	came, answered := newBarrier(b.number, met), newBarrier(b.number, func() {})
	return func(r *proof.Request, m proof.Moment) bool {
		_, pattern := routes.Handler(r.Request)
		switch {
		case pattern == route && m == proof.Before:
			came.arrive()
			return came.wait(r.Context())
		case pattern == route:
			answered.arrive()
		case isTokenCall(r.Request) && m == proof.Before && came.isOpen():
			return answered.wait(r.Context())
		}
		return true
	}
}

// barrier opens when so many have arrived.
type barrier struct {
	mu     sync.Mutex
	left   int
	opens  func()
	opened chan struct{}
}

func newBarrier(number int, opens func()) *barrier {
	return &barrier{left: number, opens: opens, opened: make(chan struct{})}
}

func (b *barrier) arrive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left == 0 {
		b.opens()
		close(b.opened)
	}
}

// wait reports whether the barrier has opened before its context ended.
func (b *barrier) wait(ctx context.Context) bool {
	select {
	case <-b.opened:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *barrier) isOpen() bool {
	select {
	case <-b.opened:
		return true
	default:
		return false
	}
}

// audit holds G2A's books against what a turn must have come to.
func (b *buyers) audit(r turn, before g2atest.Stats, took time.Duration) {
	b.t.Helper()
	after := b.Simulator.Stats()
	tokens, made, paid := after.TokensIssued-before.TokensIssued, after.OrdersCreated-before.OrdersCreated, after.OrdersPaid-before.OrdersPaid
	refused := refusals(after) - refusals(before)
	if tokens != r.tokens || refused != r.refused {
		b.t.Errorf("%s: %d tokens issued and %d calls refused, want %d and %d", r.name, tokens, refused, r.tokens, r.refused)
	}
	if made != b.number || paid != b.number {
		b.t.Errorf("%s: %d orders made and %d paid, want %d", r.name, made, paid, b.number)
	}
	if version := b.token(original)["version"]; version != r.version {
		b.t.Errorf("%s: the stored token is of version %q, want %q", r.name, version, r.version)
	}
	instances := len(b.processes("order"))
	if instances != b.number {
		b.t.Errorf("%s: %d instances, want %d", r.name, instances, b.number)
	}
	fmt.Fprintf(b.table, "%s\t%d\t%d\t%d\t%d\t%s\n", r.name, instances, paid, tokens, refused, took.Round(time.Millisecond))
}

// refusals counts the calls that were answered with 401.
func refusals(s g2atest.Stats) (n int) {
	for _, route := range s.Routes {
		n += route.Statuses[http.StatusUnauthorized]
	}
	return n
}

// unauthorized has G2A refuse the token once for each instance, on a route.
func (b *buyers) unauthorized(route string) func() {
	return func() {
		b.fault(g2atest.Fault{Route: route, Mode: "status", Status: http.StatusUnauthorized, Count: b.number})
	}
}

// dropLate holds the first write that drops a token until the next token is stored.
func (b *buyers) dropLate() {
	var first sync.Once
	stored := newBarrier(1, func() {})
	b.ToStore.Strike(func(r *proof.Request, m proof.Moment) bool {
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch {
		case m == proof.After && action == "PutItem" && bytes.Contains(r.Body, []byte(`"access_token"`)):
			stored.arrive()
		case m == proof.Before && action == "UpdateItem" && bytes.Contains(r.Body, []byte("access_token = :none")):
			late := false
			first.Do(func() { late = true })
			return !late || stored.wait(r.Context())
		}
		return true
	})
}

// TestBuyers: orders of the Export API v2 share one token, however many instances need it
// at once, and together replace one that G2A refuses.
func TestBuyers(t *testing.T) {
	linuxOnly(t)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "orders of v2\tinstances\tpaid\ttokens\trefused calls\ttook")
	t.Run("no token is stored", func(t *testing.T) {
		b := newBuyers(t, table)
		b.fault(slow)
		b.buy(turn{name: "no token is stored", meet: offerRoute, tokens: 1, version: "1"})
		b.buy(turn{name: "all have it in memory", meet: offerRoute, tokens: 0, version: "1"})
		b.buy(turn{name: "G2A forgets its tokens", meet: offerRoute, met: b.Simulator.Reset, tokens: 1, refused: b.number, version: "2"})
		for n, route := range []string{offerRoute, placeRoute, keysRoute} {
			b.buy(turn{
				name: "401 to " + route, meet: route, met: b.unauthorized(route),
				tokens: 1, refused: b.number, version: fmt.Sprint(3 + n),
			})
		}
		b.dropLate()
		b.buy(turn{
			name: "401, and one instance drops the token late", meet: offerRoute, met: b.unauthorized(offerRoute),
			tokens: 1, refused: b.number, version: "6",
		})
	})
	t.Run("the stored token has expired", func(t *testing.T) {
		b := newBuyers(t, table)
		b.refresh("")
		b.age(stackTokenLife)
		b.fault(slow)
		b.buy(turn{name: "the stored token has expired", meet: offerRoute, tokens: 1, version: "2"})
	})
	t.Run("the token's item is out of reach", func(t *testing.T) {
		b := newBuyers(t, table)
		b.ToStore.Strike(func(r *proof.Request, _ proof.Moment) bool {
			return r.TraceRoot() == "" || !bytes.Contains(r.Body, []byte("TOKEN#")) // the test's own pass
		})
		b.buy(turn{name: "the token's item is out of reach", meet: offerRoute, tokens: b.number})
		if n := b.metrics("OrderFunction", "TokenStoreDown"); n != b.number {
			t.Errorf("TokenStoreDown is counted %d times, want %d", n, b.number)
		}
		b.buy(turn{name: "and each has its own in memory", meet: offerRoute})
	})
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
}

//go:build proof

package orders

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// postman sends G2A's webhooks, again until they are accepted, as a sender does, and
// keeps in mind what was.
type postman struct {
	stack *stack

	mu       sync.Mutex
	sent     int
	resent   int
	accepted map[string]int // the highest rank, by G2A's order id
}

// ranks of what is told, as the records have them.
var ranks = map[g2a.EventStatus]int{g2a.StatusPending: 1, g2a.StatusProcessing: 2, g2a.StatusCompleted: 3, g2a.StatusCancelled: 3}

func newPostman(s *stack) *postman { return &postman{stack: s, accepted: map[string]int{}} }

// maxDeliveries of one event: so often in a row no function is killed.
const maxDeliveries = 100

// tell sends the webhook of what an order at G2A has come to, or, with an age, of so
// many statuses before that, as one that was long on its way.
func (p *postman) tell(ctx context.Context, sold g2atest.OrderRecord, age int) {
	history := []g2a.EventStatus{g2a.StatusPending}
	if sold.Paid {
		history = append(history, g2a.StatusProcessing)
	}
	if sold.Status == "complete" {
		history = append(history, g2a.StatusCompleted)
	}
	w := g2atest.Webhook{OrderID: sold.ID, Type: "order.status_changed", Status: history[max(0, len(history)-1-age)]}
	if w.Status == g2a.StatusCompleted {
		w.Type = "order.completed"
	}
	p.deliver(ctx, w)
}

// deliver sends a webhook, whatever it says.
func (p *postman) deliver(ctx context.Context, w g2atest.Webhook) {
	p.mu.Lock()
	p.sent++
	w.EventID = "evt_" + strconv.Itoa(p.sent)
	p.mu.Unlock()
	for range maxDeliveries {
		done, err := p.stack.Simulator.Deliver(ctx, w)
		if err != nil {
			p.stack.t.Errorf("sending a webhook: %v", err)
			return
		}
		p.mu.Lock()
		if done.Deliveries[0].Status == http.StatusOK {
			p.accepted[w.OrderID] = max(p.accepted[w.OrderID], ranks[w.Status])
			p.mu.Unlock()
			return
		}
		p.resent++
		p.mu.Unlock()
	}
	p.stack.t.Errorf("the webhook %s for order %s of G2A is not accepted after %d deliveries", w.Status, w.OrderID, maxDeliveries)
}

// check holds what was accepted against the records.
func (p *postman) check() {
	for id, rank := range p.accepted {
		if stored := p.stack.item("G2A#"+id, "STATUS")["rank"]; stored != strconv.Itoa(rank) {
			p.stack.t.Errorf("order %s of G2A: the rank %s is stored, and %d was accepted", id, stored, rank)
		}
	}
}

// ofOrder gives G2A's orders for an order, the oldest first.
func (s *stack) ofOrder(o *order) (sold []g2atest.OrderRecord) {
	for _, at := range s.Simulator.Orders() {
		if at.ProductID == o.product || at.ProductID == o.dearer {
			sold = append(sold, at)
		}
	}
	return sold
}

// TestEarlyWebhook has a webhook come before the record knows its order.
func TestEarlyWebhook(t *testing.T) {
	for _, test := range []struct {
		name   string
		status g2a.EventStatus // told when G2A has made the order, and has not yet answered
		dies   blow            // at which call's moment the invocation then ends
		at     string
		end    output
		calls  []string // to G2A, of all invocations
		orders int      // made at G2A
		linked bool     // the webhook's order is the record's
	}{
		{
			"believed after the payment", g2a.StatusCompleted, blow{}, "",
			output{Status: "fulfilled"}, []string{productsRoute, orderRoute, payRoute, keyRoute}, 1, true,
		},
		{
			"believed by another process", g2a.StatusCancelled, blow{moment: after, fate: killed}, "link created",
			output{Status: "failed", Reason: "cancelled_by_g2a"}, []string{productsRoute, orderRoute}, 1, true,
		},
		{
			"kept for an order whose answer is lost", g2a.StatusPending, blow{moment: after, fate: killed}, orderRoute,
			output{Status: "fulfilled"}, []string{productsRoute, orderRoute, productsRoute, orderRoute, payRoute, detailsRoute, keyRoute}, 2, false,
		},
		{
			"kept for an order that is not recorded", g2a.StatusCompleted, blow{moment: before, fate: killed}, "link created",
			output{Status: "fulfilled"}, []string{productsRoute, orderRoute, productsRoute, orderRoute, payRoute, detailsRoute, keyRoute}, 2, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := ordinary("early-"+localcloudtest.TraceRoot(), 1)[0]
			s := newStack(t, options{orders: []*order{o}})
			postman, seen := newPostman(s), passages{}
			told := ""
			s.strike(func(i *invocation, c call, m moment) fate {
				if i == nil {
					return goesOn // the webhook's own
				}
				seen.note(i, c, m)
				if told == "" && m == after && c.name == orderRoute {
					told = s.ofOrder(o)[0].ID
					postman.deliver(t.Context(), g2atest.Webhook{OrderID: told, Type: "order.status_changed", Status: test.status})
				}
				if m == test.dies.moment && c.name == test.at {
					test.at = "" // once
					return test.dies.fate
				}
				return goesOn
			})
			e := execution{invocations: 10}
			out := e.run(t.Context(), s, readWorkflow(t), o)
			if out.Status != test.end.Status || out.Reason != test.end.Reason {
				t.Errorf("the order ends as %s, want %s", out, test.end)
			}
			if calls := seen.g2a(); !slices.Equal(calls, test.calls) {
				t.Errorf("calls to G2A: %q, want %q", calls, test.calls)
			}
			postman.check()
			if ref := s.item("G2A#"+told, "STATUS")["order_ref"]; (ref == o.ref) != test.linked {
				t.Errorf("the webhook's order belongs to %q", ref)
			}
			a := s.audit([]*order{o}, true)
			if a.created != test.orders {
				t.Errorf("%d orders made at G2A, want %d", a.created, test.orders)
			}
			for _, problem := range a.problems {
				t.Error(problem)
			}
		})
	}
}

// TestWithoutWebhooks has an order wait for G2A, with no webhook ever: each round asks
// once.
func TestWithoutWebhooks(t *testing.T) {
	const rounds = 4
	for _, test := range []struct {
		market marketplace
		calls  []string
	}{
		{exportV1, []string{productsRoute, orderRoute, payRoute, detailsRoute, detailsRoute, detailsRoute, detailsRoute, keyRoute}},
		{exportV2, []string{offerRoute, placeRoute, keysRoute, keysRoute, keysRoute, keysRoute}},
	} {
		t.Run(test.market.name, func(t *testing.T) {
			o := ordinary("unheard-"+localcloudtest.TraceRoot(), 1)[0]
			s := newStack(t, options{market: test.market, orders: []*order{o}, pendingDetails: rounds - 1})
			var seen passages
			s.strike(seen.note)
			e := execution{invocations: 10}
			if out := e.run(t.Context(), s, readWorkflow(t), o); out.Status != "fulfilled" || s.invoked != rounds {
				t.Errorf("%s after %d invocations, want fulfilled after %d", out, s.invoked, rounds)
			}
			if calls := seen.g2a(); !slices.Equal(calls, test.calls) {
				t.Errorf("calls to G2A: %q, want %q", calls, test.calls)
			}
		})
	}
}

// TestWithWebhook has one come while the order waits: the next call needs no other of
// G2A's than that for the key.
func TestWithWebhook(t *testing.T) {
	o := ordinary("heard-"+localcloudtest.TraceRoot(), 1)[0]
	s := newStack(t, options{orders: []*order{o}, pendingDetails: 1})
	if out := s.invoke(t.Context(), o, o.input()); out.Status != "waiting" {
		t.Fatalf("%s, want waiting", out)
	}
	newPostman(s).tell(t.Context(), s.ofOrder(o)[0], 0)
	var seen passages
	s.strike(seen.note)
	if out := s.invoke(t.Context(), o, o.input()); out.Status != "fulfilled" {
		t.Errorf("%s, want fulfilled", out)
	}
	if calls, want := seen.g2a(), []string{keyRoute}; !slices.Equal(calls, want) {
		t.Errorf("calls to G2A: %q, want %q", calls, want)
	}
}

package crashtest

import (
	"context"
	"net/http"
	"strconv"
	"sync"

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
var ranks = map[g2a.EventStatus]int{g2a.StatusPending: 1, g2a.StatusProcessing: 2, g2a.StatusCompleted: 3}

// maxDeliveries of one event: so often in a row no function is killed.
const maxDeliveries = 100

// tell sends the webhook of what an order at G2A has come to.
func (p *postman) tell(ctx context.Context, sold g2atest.OrderRecord) {
	w := g2atest.Webhook{OrderID: sold.ID, Type: "order.status_changed", Status: g2a.StatusPending}
	switch {
	case sold.Status == "complete":
		w.Type, w.Status = "order.completed", g2a.StatusCompleted
	case sold.Paid:
		w.Status = g2a.StatusProcessing
	}
	p.mu.Lock()
	p.sent++
	w.EventID = "evt_" + strconv.Itoa(p.sent)
	p.mu.Unlock()
	for range maxDeliveries {
		done, err := p.stack.g2a.Deliver(ctx, w)
		if err != nil {
			p.stack.t.Errorf("sending a webhook: %v", err)
			return
		}
		p.mu.Lock()
		if done.Deliveries[0].Status == http.StatusOK {
			p.accepted[sold.ID] = max(p.accepted[sold.ID], ranks[w.Status])
			p.mu.Unlock()
			return
		}
		p.resent++
		p.mu.Unlock()
	}
	p.stack.t.Errorf("the webhook %s for order %s of G2A is not accepted after %d deliveries", w.Status, sold.ID, maxDeliveries)
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
	for _, at := range s.g2a.Orders() {
		if at.ProductID == o.product || at.ProductID == o.dearer {
			sold = append(sold, at)
		}
	}
	return sold
}

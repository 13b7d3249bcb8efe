package g2atest

import "encoding/json"

type orderDetails struct {
	Status   string      `json:"status"` // pending or complete
	Price    json.Number `json:"price"`
	Currency string      `json:"currency"`
}

// orderDetails is GET /order/details/{id}. Calls that lag behind the creation do not
// count for the payment, so that a client that pays at once meets both lags.
func (s *Simulator) orderDetails(c *call) answer {
	o := s.find(c, false)
	if o == nil {
		return orderNotFound()
	}
	status := o.status(c.now, s.options.CompleteAfter)
	switch {
	case o.unseenLeft > 0:
		o.unseenLeft--
		return orderNotFound()
	case o.staleLeft > 0:
		o.staleLeft--
		status = statusPending
	case o.pendingLeft > 0:
		o.pendingLeft--
	}
	return ok(orderDetails{Status: status, Price: number(o.price), Currency: currency})
}

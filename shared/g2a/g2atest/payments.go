package g2atest

import "time"

// acceptedPayment holds the order's price until it settles; only then is the order
// charged and paid.
type acceptedPayment struct {
	order         *order
	transactionID string
	settlesAt     time.Time
}

type payment struct {
	Status        bool   `json:"status"`
	TransactionID string `json:"transaction_id"`
}

// payOrder is PUT /order/pay/{id}. G2A's documentation is silent on a second pay:
// ORD05 makes the client look at the details. With Options.ChargesAgain it is a
// payment like the first.
func (s *Simulator) payOrder(c *call) answer {
	o := s.find(c, false)
	if o == nil {
		return orderNotFound()
	}
	o.payCalls++
	switch {
	case len(c.body) > 0:
		return fail(codeInvalidData, "The request must have no body")
	case o.accepted && !s.options.ChargesAgain:
		return fail(codePaymentRequired, "Payment is required or in progress")
	case o.lapsed:
		return fail(codeTooLateToPay, "It is too late to pay this order")
	case s.funds.LessThan(o.price):
		return fail(codeNoFunds, "Not enough funds")
	}
	o.accepted = true
	s.funds = s.funds.Sub(o.price)
	p := acceptedPayment{order: o, transactionID: s.randomUUID(), settlesAt: c.now.Add(s.options.PaymentDelay)}
	s.unsettled = append(s.unsettled, p)
	return ok(payment{Status: true, TransactionID: p.transactionID})
}

// settlePayments settles the payments that are due: those without a delay before anyone
// can look. All of them take equally long, so the oldest is due first.
func (s *Simulator) settlePayments(now time.Time) {
	for len(s.unsettled) > 0 && !now.Before(s.unsettled[0].settlesAt) {
		s.settle(s.unsettled[0])
		s.unsettled = s.unsettled[1:]
	}
}

// settle charges the order. It is paid and sold once, however often it is charged.
func (s *Simulator) settle(p acceptedPayment) {
	o := p.order
	if !o.paid() {
		o.paidAt, o.transactionID = p.settlesAt, p.transactionID
		o.pendingLeft, o.staleLeft = s.options.PendingDetails, s.options.DetailsLag
		s.stock.sold[o.product] += o.quantity
		s.tally.ordersPaid++
	}
	o.charges, o.charged = o.charges+1, o.charged.Add(o.price)
	s.tally.charges, s.tally.charged = s.tally.charges+1, s.tally.charged.Add(o.price)
}

package g2atest

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Stats tell what was asked since the start or the last reset, and what became
// of it. Amounts are exact, in EUR.
type Stats struct {
	Routes        map[string]RouteStats `json:"routes"` // by pattern; "unknown" is every other path
	TokensIssued  int                   `json:"tokens_issued"`
	OrdersCreated int                   `json:"orders_created"`
	OrdersPaid    int                   `json:"orders_paid"` // each once, however often it was charged
	KeysRevealed  int                   `json:"keys_revealed"`
	Charges       int                   `json:"charges"` // payments that were charged
	Charged       json.Number           `json:"charged"` // and how much in all
	Wallet        json.Number           `json:"wallet"`  // what is left
}

// RouteStats are the calls of one route. Calls that are still in work are in none
// of the counts.
type RouteStats struct {
	Calls    int         `json:"calls"`
	Statuses map[int]int `json:"statuses"` // answers by HTTP status
	Dropped  int         `json:"dropped"`  // connections cut instead of an answer, or in one
}

// tally is what the simulator counts for its Stats.
type tally struct {
	answered      map[string]map[int]int // by route and status
	dropped       map[string]int         // by route
	tokensIssued  int
	ordersCreated int
	ordersPaid    int
	keysRevealed  int
	charges       int
	charged       decimal.Decimal // EUR
}

// Stats returns the counts as of the clock.
func (s *Simulator) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp(s.options.Clock())
	stats := Stats{
		Routes:        map[string]RouteStats{},
		TokensIssued:  s.tally.tokensIssued,
		OrdersCreated: s.tally.ordersCreated,
		OrdersPaid:    s.tally.ordersPaid,
		KeysRevealed:  s.tally.keysRevealed,
		Charges:       s.tally.charges,
		Charged:       number(s.tally.charged),
		Wallet:        number(s.options.Wallet.Sub(s.tally.charged)),
	}
	for route, dropped := range s.tally.dropped {
		stats.Routes[route] = RouteStats{Calls: dropped, Statuses: map[int]int{}, Dropped: dropped}
	}
	for route, byStatus := range s.tally.answered {
		of := RouteStats{Calls: s.tally.dropped[route], Statuses: map[int]int{}, Dropped: s.tally.dropped[route]}
		for status, answers := range byStatus {
			of.Calls += answers
			of.Statuses[status] = answers
		}
		stats.Routes[route] = of
	}
	return stats
}

func (s *Simulator) countAnswer(route string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally.answered[route] == nil {
		s.tally.answered[route] = map[int]int{}
	}
	s.tally.answered[route][status]++
}

func (s *Simulator) countDropped(route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.dropped[route]++
}

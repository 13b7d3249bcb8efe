package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

// The size of one history. It is checked as a whole, not order by order: a nonce that
// is used again may come with an event of another order.
const (
	historyOrders     = 2
	historyEvents     = 8
	historyNonces     = 32
	historyClients    = 5
	historyDeliveries = 6 // by each client
	readChance        = 0.15
	otherChance       = 0.15 // that an event comes with its other status
	faultChance       = 0.12
	// checkWithin bounds the search for an order of a history's operations.
	checkWithin = time.Minute
)

// operation is one of a history: a delivery, or a look at an order's status.
type operation struct {
	read  bool
	order int  // that is looked at
	event int  // that is delivered
	other bool // with its other status
	nonce int
}

// answer is what an operation was told. Of a delivery whose answer was lost nothing is
// known: it may have been applied, may be applied later, or never.
type answer struct {
	outcome inbox.Outcome
	reused  bool // the nonce, with another event
	unknown bool
	status  g2a.EventStatus // that was read
	applied int             // the count that was read
}

// history is a plan and what came of it.
type history struct {
	name   string // part of all keys, so that histories do not meet
	events [historyEvents]g2a.Event
	others [historyEvents]g2a.EventStatus // with which the events contradict themselves
	orders [historyEvents]int             // of the events

	mu         sync.Mutex
	operations []porcupine.Operation
}

// newHistory draws events of every status, the unknown one too.
func newHistory(r *rand.Rand, name string) *history {
	statuses := []g2a.EventStatus{"pending", "processing", "processing", "completed", "completed", "failed", "cancelled", "lost"}
	h := &history{name: name}
	for i := range h.events {
		h.orders[i] = r.IntN(historyOrders)
		h.events[i] = g2a.Event{
			ID: fmt.Sprint(name, "-e", i), OrderID: h.orderID(h.orders[i]),
			Type: g2a.EventStatusChanged, Status: statuses[r.IntN(len(statuses))],
		}
		for h.others[i] = h.events[i].Status; h.others[i] == h.events[i].Status; {
			h.others[i] = statuses[r.IntN(len(statuses))]
		}
	}
	return h
}

// status is what a delivery says.
func (h *history) status(o operation) g2a.EventStatus {
	if o.other {
		return h.others[o.event]
	}
	return h.events[o.event].Status
}

func (h *history) orderID(order int) string { return fmt.Sprint(h.name, "-o", order) }

// plan draws what the clients do: new events, the same events again with other nonces,
// the very same bytes again, and nonces of other events.
func (h *history) plan(r *rand.Rand) [][]operation {
	plans := make([][]operation, historyClients)
	var sent []operation
	nonce := 0
	for range historyDeliveries {
		for client := range plans {
			next := operation{event: r.IntN(historyEvents), other: r.Float64() < otherChance, nonce: nonce}
			switch chance := r.Float64(); {
			case len(sent) > 0 && chance < 0.2: // the very same
				next = sent[r.IntN(len(sent))]
			case len(sent) > 0 && chance < 0.35: // a nonce of another event, most likely
				next.nonce = sent[r.IntN(len(sent))].nonce
			default:
				nonce++
			}
			sent = append(sent, next)
			plans[client] = append(plans[client], next)
			if r.Float64() < readChance {
				plans[client] = append(plans[client], operation{read: true, order: r.IntN(historyOrders)})
			}
		}
	}
	return plans
}

// state is all that the store should know after some operations.
type state struct {
	nonces       [historyNonces]int  // of the content they were used with
	first        [historyEvents]int  // the content that came first
	contradicted [historyEvents]bool // the other one came, too
	status       [historyOrders]g2a.EventStatus
	applied      [historyOrders]int
}

// content is an event with one of its statuses, and never 0.
func (o operation) content() int {
	if o.other {
		return 2*o.event + 2
	}
	return 2*o.event + 1
}

// deliver is the sequential specification: what one delivery alone does.
func (s state) deliver(h *history, o operation) (state, answer) {
	status, order, content := h.status(o), h.orders[o.event], o.content()
	was := s.status[order]
	switch first := s.first[o.event]; {
	case s.nonces[o.nonce] != 0 && s.nonces[o.nonce] != content:
		return s, answer{reused: true}
	case first == content, first != 0 && s.contradicted[o.event]:
		return s, answer{outcome: inbox.Duplicate}
	case first != 0:
		s.nonces[o.nonce], s.contradicted[o.event] = content, true
		return s, answer{outcome: inbox.Parked}
	}
	s.nonces[o.nonce], s.first[o.event] = content, content
	switch {
	case rank[status] == 0, rank[status] == 3 && rank[was] == 3 && was != status:
		return s, answer{outcome: inbox.Parked}
	case rank[status] <= rank[was]:
		return s, answer{outcome: inbox.Superseded}
	}
	s.status[order] = status
	s.applied[order]++
	return s, answer{outcome: inbox.Processed}
}

// model lets a delivery of unknown outcome take its effect: it has no end, so that one
// which was never applied can come after everything that was seen.
func (h *history) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(before, input, output any) (bool, any) {
			s, o, got := before.(state), input.(operation), output.(answer)
			if o.read {
				return got == answer{status: s.status[o.order], applied: s.applied[o.order]}, s
			}
			after, want := s.deliver(h, o)
			return got.unknown || got == want, after
		},
		DescribeOperation: func(input, output any) string { return h.tell(input.(operation), output.(answer)) },
	}
}

func (h *history) tell(o operation, a answer) string {
	if o.read {
		return fmt.Sprintf("order %d: %q, %d applied", o.order, a.status, a.applied)
	}
	said := string(a.outcome)
	switch {
	case a.unknown:
		said = "no answer"
	case a.reused:
		said = "nonce reused"
	}
	return fmt.Sprintf("event %d (order %d, %s) with nonce %d: %s", o.event, h.orders[o.event], h.status(o), o.nonce, said)
}

// play has the clients do at once what is planned.
func (h *history) play(t *testing.T, e *storetest.Engine, r *rand.Rand, receiver *inbox.Inbox, faults []storetest.Fault) {
	t.Helper()
	begun := time.Now()
	var all sync.WaitGroup
	for client, plan := range h.plan(r) {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		all.Go(func() {
			for _, o := range plan {
				if len(faults) > 0 && own.Float64() < faultChance {
					e.Wire.Fail(faults[own.IntN(len(faults))])
				}
				call := time.Since(begun)
				h.note(client, o, h.do(t, e, receiver, o), call, time.Since(begun))
			}
		})
	}
	all.Wait()
	e.Wire.Mend()
	for order := range historyOrders { // what stands in the end
		o, call := operation{read: true, order: order}, time.Since(begun)
		h.note(historyClients, o, h.do(t, e, receiver, o), call, time.Since(begun))
	}
}

func (h *history) note(client int, o operation, a answer, call, end time.Duration) {
	if a.unknown {
		end = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: o, Call: int64(call), Output: a, Return: int64(end)})
}

func (h *history) do(t *testing.T, e *storetest.Engine, receiver *inbox.Inbox, o operation) answer {
	if o.read {
		item := attributesOf(t, e.Item(t, e.OrdersTable, "G2A#"+h.orderID(o.order), "STATUS"))
		applied, _ := strconv.Atoi(strings.TrimPrefix(item["applied_events"], "N ")) // none is 0
		return answer{status: g2a.EventStatus(strings.TrimPrefix(item["status"], "S ")), applied: applied}
	}
	event := h.events[o.event]
	event.Status, event.Nonce = h.status(o), fmt.Sprintf("%s-n%d", h.name, o.nonce)
	receipt, err := receiver.Receive(ctx, event, []byte("{}"))
	switch {
	case errors.Is(err, inbox.ErrNonceReused):
		return answer{reused: true}
	case err != nil:
		return answer{unknown: true}
	}
	return answer{outcome: receipt.Outcome}
}

// linearizable reports whether some order of the operations, each between its call and
// its answer, is what the specification says.
func (h *history) linearizable(t *testing.T) bool {
	t.Helper()
	switch porcupine.CheckOperationsTimeout(h.model(), h.operations, checkWithin) {
	case porcupine.Ok:
		return true
	case porcupine.Unknown:
		t.Errorf("history %s is not checked within %s", h.name, checkWithin)
	}
	return false
}

// tellAll is the history, by the times of the calls.
func (h *history) tellAll() string {
	slices.SortFunc(h.operations, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, o := range h.operations {
		end := "never"
		if o.Return != math.MaxInt64 {
			end = time.Duration(o.Return).String()
		}
		fmt.Fprintf(&text, "\n  %s to %s, client %d: %s", time.Duration(o.Call), end, o.ClientId, h.tell(o.Input.(operation), o.Output.(answer)))
	}
	return text.String()
}

// boxThrough is an inbox whose requests go through a transport on their way to the
// wire, and are not sent again by the SDK unless it is to.
func boxThrough(e *storetest.Engine, transport http.RoundTripper, retries bool) *inbox.Inbox {
	own := box(e)
	own.DB = dynamodb.New(e.DB.Options(), func(o *dynamodb.Options) {
		o.HTTPClient = &http.Client{Transport: transport}
		if !retries {
			o.Retryer = aws.NopRetryer{}
		}
	})
	return &inbox.Inbox{Store: own, Clock: func() time.Time { return now }}
}

func numberFrom(t *testing.T, variable string, fallback uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return fallback
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return number
}

// TestInboxLinearizable checks histories of clients that deliver at once.
// LINEARIZABLE_HISTORIES is how many on each engine; LINEARIZABLE_SEED repeats the
// plans, but not how the clients come between each other.
func TestInboxLinearizable(t *testing.T) {
	histories := numberFrom(t, "LINEARIZABLE_HISTORIES", 40)
	seed := numberFrom(t, "LINEARIZABLE_SEED", rand.Uint64N(1e9)+1)
	t.Logf("LINEARIZABLE_SEED=%d", seed)
	// The answer of a conflict is of a transaction that another one was in the way of:
	// nothing is written, and the inbox itself tries again.
	faults := []storetest.Fault{storetest.AnswerLost, storetest.AnswerLost, storetest.Unreachable, storetest.Conflict(3)}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		counts, operations := map[string]int{}, 0
		for n := range histories {
			r := rand.New(rand.NewPCG(seed, n))
			h := newHistory(r, fmt.Sprint("h", n))
			// When the SDK sends a transaction again, DynamoDB knows it by its token and
			// gives the first answer. minidyn does not: there, every lost answer stays so.
			retries := n%2 == 0 && !strings.Contains(t.Name(), "minidyn")
			h.play(t, e, r, boxThrough(e, e.Wire, retries), faults)
			if !h.linearizable(t) {
				t.Fatalf("history %d of seed %d is not linearizable:%s", n, seed, h.tellAll())
			}
			operations += len(h.operations)
			h.count(counts)
		}
		t.Logf("%d histories of %d operations are linearizable: %v", histories, operations, counts)
		for _, outcome := range []string{"processed", "duplicate", "superseded", "parked", "nonce reused", "no answer", "read"} {
			if histories >= 20 && counts[outcome] == 0 {
				t.Errorf("no delivery was %s: the test has lost it", outcome)
			}
		}
	})
}

func (h *history) count(counts map[string]int) {
	for _, o := range h.operations {
		a := o.Output.(answer)
		switch {
		case o.Input.(operation).read:
			counts["read"]++
		case a.unknown:
			counts["no answer"]++
		case a.reused:
			counts["nonce reused"]++
		default:
			counts[string(a.outcome)]++
		}
	}
}

// stripper takes one condition out of every transaction that writes items of these sort
// keys.
type stripper struct {
	next  http.RoundTripper
	items string // "NONCE EVENT STATUS"
	place int
}

// RoundTrip implements http.RoundTripper. The engines check no signature.
func (s *stripper) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request map[string]any
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	if writes, _ := request["TransactItems"].([]any); len(writes) > s.place && sortKeys(writes) == s.items {
		for _, write := range writes[s.place].(map[string]any) {
			delete(write.(map[string]any), "ConditionExpression")
			delete(write.(map[string]any), "ReturnValuesOnConditionCheckFailure")
		}
		if body, err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return s.next.RoundTrip(r)
}

// sortKeys are those of a transaction's items.
func sortKeys(writes []any) string {
	var keys []string
	for _, write := range writes {
		for _, action := range write.(map[string]any) {
			key, _ := action.(map[string]any)["Key"].(map[string]any) // a put has none
			sk, _ := key["sk"].(map[string]any)
			keys = append(keys, fmt.Sprint(sk["S"]))
		}
	}
	return strings.Join(keys, " ")
}

// TestEveryConditionIsNeeded takes each condition of the three transactions away. Without
// it some history must be one that the specification does not have. The one that is left
// out, that no such event is parked, has a test of its own: it is for an event whose
// record in the state table has expired, and here nothing expires.
func TestEveryConditionIsNeeded(t *testing.T) {
	const patience = 200 // histories
	seed := numberFrom(t, "LINEARIZABLE_SEED", rand.Uint64N(1e9)+1)
	t.Logf("LINEARIZABLE_SEED=%d", seed)
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for n, c := range []struct {
			name, items string
			place       int
		}{
			{"the nonce of an event that is applied", "NONCE EVENT STATUS", 0},
			{"the event that is applied", "NONCE EVENT STATUS", 1},
			{"the order's status", "NONCE EVENT STATUS", 2},
			{"the nonce of an event that is superseded", "NONCE EVENT", 0},
			{"the event that is superseded", "NONCE EVENT", 1},
			{"the nonce of an event that is parked", "NONCE EVENT PARKED", 0},
			{"the event that is parked", "NONCE EVENT PARKED", 1},
		} {
			t.Run(c.name, func(t *testing.T) {
				own := &stripper{next: e.Wire, items: c.items, place: c.place}
				for i := range uint64(patience) {
					r := rand.New(rand.NewPCG(seed, i))
					h := newHistory(r, fmt.Sprintf("s%d-%d", n, i))
					h.play(t, e, r, boxThrough(e, own, false), nil)
					if !h.linearizable(t) {
						t.Logf("found in history %d", i)
						return
					}
				}
				t.Errorf("%d histories without the condition are as with it", patience)
			})
		}
		for name, c := range map[string]struct {
			through  http.RoundTripper
			requests int
		}{
			"a duplicate, with the event's condition":    {e.Wire, 1},
			"a duplicate, without the event's condition": {&stripper{next: e.Wire, items: "NONCE EVENT STATUS", place: 1}, 2},
		} {
			t.Run(name, func(t *testing.T) {
				clearInbox(t, e)
				receiver := boxThrough(e, c.through, false)
				for _, d := range []struct {
					nonce string
					want  inbox.Outcome
				}{{"n1", inbox.Processed}, {"n2", inbox.Duplicate}} {
					e.Wire.Requests()
					receipt, err := receiver.Receive(ctx, delivery(d.nonce, "e1", "completed").Event, []byte("{}"))
					if err != nil || receipt.Outcome != d.want {
						t.Errorf("%s, %v; want %s", receipt.Outcome, err, d.want)
					}
				}
				wantRequests(t, e, c.requests)
			})
		}
	})
}

// The specification itself must tell histories apart: one answer changed is another
// history.
func TestModelNotices(t *testing.T) {
	first := operation{event: 0, nonce: 0}
	read := operation{read: true}
	for name, c := range map[string]struct {
		operations []porcupine.Operation
		want       bool
	}{
		"once":                                     {[]porcupine.Operation{{Input: first, Output: answer{outcome: inbox.Processed}, Return: 1}}, true},
		"twice processed":                          {[]porcupine.Operation{{Input: first, Output: answer{outcome: inbox.Processed}, Return: 9}, {Input: first, Output: answer{outcome: inbox.Processed}, Return: 9}}, false},
		"a duplicate of nothing":                   {[]porcupine.Operation{{Input: first, Output: answer{outcome: inbox.Duplicate}, Return: 1}}, false},
		"a duplicate of what has no answer":        {[]porcupine.Operation{{Input: first, Output: answer{unknown: true}, Return: math.MaxInt64}, {Input: first, Output: answer{outcome: inbox.Duplicate}, Call: 5, Return: 6}}, true},
		"no answer, and never applied":             {[]porcupine.Operation{{Input: first, Output: answer{unknown: true}, Return: math.MaxInt64}, {Input: read, Output: answer{}, Call: 5, Return: 6}}, true},
		"no answer, and applied twice":             {[]porcupine.Operation{{Input: first, Output: answer{unknown: true}, Return: math.MaxInt64}, {Input: read, Output: answer{status: "completed", applied: 2}, Call: 5, Return: 6}}, false},
		"processed, and not to be seen afterwards": {[]porcupine.Operation{{Input: first, Output: answer{outcome: inbox.Processed}, Return: 1}, {Input: read, Output: answer{}, Call: 5, Return: 6}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(rand.New(rand.NewPCG(1, 1)), "h")
			h.events[0].Status, h.orders[0], h.operations = "completed", 0, c.operations
			if got := h.linearizable(t); got != c.want {
				t.Errorf("linearizable: %t, want %t:%s", got, c.want, h.tellAll())
			}
		})
	}
}

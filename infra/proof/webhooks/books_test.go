//go:build proof

package webhooks

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// books are what a storm has come to.
type books struct {
	mu        sync.Mutex
	counts    map[string]int
	forgeries map[string]map[int]int // answers by mutation
	outcomes  map[*event][]string    // the answers that were accepted
	records   map[string]int         // events by the outcome in their record
	longest   int                    // body that is kept and is not UTF-8, in bytes
	problems  []string
}

func newBooks() *books {
	return &books{counts: map[string]int{}, forgeries: map[string]map[int]int{}, outcomes: map[*event][]string{}, records: map[string]int{}}
}

func (b *books) problem(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

func (b *books) count(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[what]++
}

// answered counts an answer to a good letter.
func (b *books) answered(a answer) {
	switch {
	case a.status == 200:
		b.count("function: 200 " + a.result)
	case a.function:
		b.count(fmt.Sprintf("function: %d, Retry-After %q", a.status, a.retryAfter))
	case a.killed:
		b.count(fmt.Sprintf("gateway: %d, the process was killed", a.status))
	default:
		b.count(fmt.Sprintf("gateway: %d, all instances are busy", a.status))
	}
}

func (b *books) accepted(e *event, a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes[e] = append(b.outcomes[e], a.result)
}

func (b *books) forged(mutation string, a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forgeries[mutation] == nil {
		b.forgeries[mutation] = map[int]int{}
	}
	b.forgeries[mutation][a.status]++
}

// ranks of what is told; a status that is not known has none.
var ranks = map[g2a.EventStatus]int{"pending": 1, "processing": 2, "completed": 3, "failed": 3, "cancelled": 3}

// item is an item of either table.
type item struct {
	PK            string          `dynamodbav:"pk"`
	SK            string          `dynamodbav:"sk"`
	Status        g2a.EventStatus `dynamodbav:"status"`
	Outcome       string          `dynamodbav:"outcome"`
	Attempts      int             `dynamodbav:"attempts"`
	BodySHA256    string          `dynamodbav:"body_sha256"`
	OrderStatus   g2a.EventStatus `dynamodbav:"order_status"`
	LastError     string          `dynamodbav:"last_error"`
	Body          []byte          `dynamodbav:"body"`
	EventKey      string          `dynamodbav:"event_key"`
	Rank          int             `dynamodbav:"rank"`
	AppliedEvents int             `dynamodbav:"applied_events"`
	LastEventID   string          `dynamodbav:"last_event_id"`
}

// emptyTables is for an engine that others have used before.
func (s *storm) emptyTables() {
	for _, table := range []string{"StateTable", "OrdersTable"} {
		for _, fields := range s.scan(table) {
			_, err := s.cloud.DynamoDB().DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{
				TableName: &table, Key: map[string]types.AttributeValue{"pk": fields["pk"], "sk": fields["sk"]},
			})
			if err != nil {
				s.t.Fatalf("emptying %s: %v", table, err)
			}
		}
	}
}

func (s *storm) scan(table string) (items []map[string]types.AttributeValue) {
	s.t.Helper()
	pages := dynamodb.NewScanPaginator(s.cloud.DynamoDB(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.WithoutCancel(s.t.Context()))
		if err != nil {
			s.t.Fatalf("reading %s: %v", table, err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// items reads a table, by the part of the partition key before the first #.
func (s *storm) items(table string) map[string]map[string]item {
	s.t.Helper()
	found := map[string]map[string]item{}
	for _, fields := range s.scan(table) {
		var i item
		if err := attributevalue.UnmarshalMap(fields, &i); err != nil {
			s.t.Fatalf("an item of %s: %v", table, err)
		}
		kind, key, _ := strings.Cut(i.PK, "#")
		if found[kind] == nil {
			found[kind] = map[string]item{}
		}
		found[kind][key] = i
	}
	return found
}

// check holds all records against what was sent and answered.
func (s *storm) check() {
	state, orders := s.items("StateTable"), s.items("OrdersTable")
	s.checkNothingElse(state, orders)
	byOrder := map[string][]outcome{}
	for _, e := range s.events {
		if e.acknowledged() {
			s.checkAcknowledged(e)
			continue
		}
		o := outcomeOf(e, state["EVENT"])
		s.checkEvent(o, orders["EVENT"][o.key])
		byOrder[e.order] = append(byOrder[e.order], o)
	}
	for order, outcomes := range byOrder {
		s.checkOrder(order, outcomes, orders["G2A"][order])
	}
	s.checkLost()
}

// outcome is an event with its record.
type outcome struct {
	*event
	record      item
	key         string // of the record
	contradicts bool   // the event came before with another status
}

// outcomeOf finds an event's record: under its own key, or, where the other of two
// contradictions came first, under that of its content.
func outcomeOf(e *event, records map[string]item) outcome {
	if record := records[e.key()]; record.OrderStatus == e.status || e.form != contradictions {
		return outcome{event: e, record: record, key: e.key()}
	}
	return outcome{event: e, record: records[e.content()], key: e.content(), contradicts: true}
}

// checkNothingElse: an event has one record, and the nonce of the one delivery that
// wrote it; one that is parked has an item beside it, and an order that was moved a
// status. Nothing else is there, whoever sent it.
func (s *storm) checkNothingElse(state, orders map[string]map[string]item) {
	kept, parked, moved := 0, 0, map[string]bool{}
	nonces := map[string]int{}
	for _, nonce := range state["NONCE"] {
		nonces[nonce.EventKey]++
	}
	for _, e := range s.events {
		if e.acknowledged() {
			continue
		}
		kept++
		if nonces[e.content()] != 1 {
			s.books.problem("event %s has %d nonces, want 1", e.content(), nonces[e.content()])
		}
		switch outcomeOf(e, state["EVENT"]).record.Outcome {
		case "parked":
			parked++
		case "processed":
			moved[e.order] = true
		}
	}
	for what, got := range map[string][2]int{
		"items EVENT":  {len(state["EVENT"]), kept},
		"items NONCE":  {len(state["NONCE"]), kept},
		"items PARKED": {len(orders["EVENT"]), parked},
		"items STATUS": {len(orders["G2A"]), len(moved)},
	} {
		if got[0] != got[1] {
			s.books.problem("%d %s, want %d", got[0], what, got[1])
		}
	}
	if len(orders) > 2 || len(state) > 2 {
		s.books.problem("items of other kinds: %v, %v", slices.Sorted(maps.Keys(state)), slices.Sorted(maps.Keys(orders)))
	}
}

// checkAcknowledged: each delivery of an event of no order is answered so.
func (s *storm) checkAcknowledged(e *event) {
	s.books.records["acknowledged: no record"]++
	for _, outcome := range s.books.outcomes[e] {
		if outcome != "acknowledged" {
			s.books.problem("event %s is of no order, and was answered %s", e.key(), outcome)
		}
	}
}

// checkEvent: it was answered once with what became of it, and ever after as a
// duplicate; not even once, when the process was killed before it could answer.
func (s *storm) checkEvent(o outcome, waiting item) {
	s.books.records[o.record.Outcome]++
	want := g2a.EventStatus("done")
	if o.record.Outcome == "parked" {
		want = "failed"
		s.checkParked(o, waiting)
	} else if waiting.PK != "" {
		s.books.problem("event %s is %s, and waits for a person", o.key, o.record.Outcome)
	}
	if o.record.Status != want || o.record.Attempts != 1 || o.record.OrderStatus != o.status || o.sent[o.record.BodySHA256] == nil {
		s.books.problem("event %s: its record is %+v", o.key, o.record)
	}
	told := 0
	for _, outcome := range s.books.outcomes[o.event] {
		switch outcome {
		case o.record.Outcome:
			told++
		case "duplicate":
		default:
			s.books.problem("event %s was answered %s, and its record says %s", o.key, outcome, o.record.Outcome)
		}
	}
	if told > 1 {
		s.books.problem("event %s was answered %s %d times", o.key, o.record.Outcome, told)
	}
	if told == 0 {
		s.books.count(answerLost)
	}
}

// checkParked: a person finds the body as it was sent, byte for byte.
func (s *storm) checkParked(o outcome, waiting item) {
	body := o.sent[o.record.BodySHA256]
	if waiting.SK != "PARKED" || !bytes.Equal(waiting.Body, body) || waiting.BodySHA256 != o.record.BodySHA256 || waiting.Attempts != 1 || waiting.OrderStatus != o.status {
		size := len(waiting.Body)
		waiting.Body = nil // it may be long
		s.books.problem("event %s of %d bytes is parked with %d, as %+v", o.key, len(body), size, waiting)
	}
	if said := strings.HasPrefix(waiting.LastError, "the event came with status "); said != o.contradicts || waiting.LastError == "" {
		s.books.problem("event %s is parked because %q, and contradicts itself: %t", o.key, waiting.LastError, o.contradicts)
	}
	if o.contradicts {
		s.books.records["parked: it contradicts itself"]++
	}
	if !utf8.Valid(waiting.Body) {
		s.books.records["parked: its body is not UTF-8"]++
		s.books.longest = max(s.books.longest, len(waiting.Body))
	}
}

const answerLost = "events whose own answer was lost with its process"

// checkOrder replays what the records say: the events that were applied, by their
// rank, must lead to the order's status, and there must be a reason for each other.
func (s *storm) checkOrder(order string, outcomes []outcome, status item) {
	applied := map[int]outcome{} // by rank
	highest := 0
	for _, o := range outcomes {
		if !o.contradicts {
			highest = max(highest, o.rank)
		}
		if o.record.Outcome != "processed" {
			continue
		}
		other, twice := applied[o.rank]
		switch {
		case twice:
			s.books.problem("order %s: %s is applied, and %s of the same rank", order, o.key, other.key)
		case o.rank == 0 || o.contradicts:
			s.books.problem("order %s: %s is applied, and cannot be", order, o.key)
		}
		applied[o.rank] = o
	}
	if status.AppliedEvents != len(applied) || status.Rank != highest {
		s.books.problem("order %s: %d applied, rank %d; want %d, rank %d", order, status.AppliedEvents, status.Rank, len(applied), highest)
	}
	last, moved := applied[highest]
	switch {
	case !moved && highest > 0:
		s.books.problem("order %s: no event of rank %d is applied", order, highest)
		return
	case moved && (status.Status != last.status || status.LastEventID != last.id):
		s.books.problem("order %s is %s by %s, want %s by %s", order, status.Status, status.LastEventID, last.status, last.id)
	}
	for _, o := range outcomes {
		want := "superseded"
		if o.contradicts || o.rank == 0 || o.rank == 3 && o.status != last.status {
			want = "parked"
		}
		if got := o.record.Outcome; got != "processed" && got != want {
			s.books.problem("order %s: %s, %s (%s), is %s, want %s", order, o.key, o.status, o.form, got, want)
		}
	}
}

// checkLost: where nobody was killed, nothing was lost.
func (s *storm) checkLost() {
	killed := 0
	for _, m := range s.weather.killed {
		if m == proof.After {
			killed++
		}
	}
	if lost := s.books.counts[answerLost]; lost > killed {
		s.books.problem("%d answers are lost, and %d processes were killed before one", lost, killed)
	}
}

// checkWeather: all that a storm is made of must have been there.
func (s *storm) checkWeather() {
	kills := map[proof.Moment]int{}
	for _, m := range s.weather.killed {
		kills[m]++
	}
	if kills[proof.Before] == 0 || kills[proof.After] == 0 || s.weather.cut == 0 || s.rotatedAt.IsZero() {
		s.books.problem("%v processes were killed, %d requests cut, the credentials rotated at %s: too little of a storm", kills, s.weather.cut, s.rotatedAt)
	}
	for _, what := range []string{"200 processed", "200 duplicate", "200 superseded", "200 parked", "200 acknowledged"} {
		if s.books.counts["function: "+what] == 0 {
			s.books.problem("nothing was answered %s", what)
		}
	}
	for _, what := range []string{"parked: it contradicts itself", "parked: its body is not UTF-8"} {
		if s.books.records[what] == 0 {
			s.books.problem("nothing is %s", what)
		}
	}
	if s.books.longest < 250<<10 {
		s.books.problem("the longest body that is not UTF-8 has %d bytes", s.books.longest)
	}
	if forms := s.forms(); len(forms) != 9 {
		s.books.problem("events have the forms %v", forms)
	}
	if got, want := len(s.books.forgeries), len(mutations); got != want {
		s.books.problem("%d kinds of mutated letters were sent, want %d", got, want)
	}
}

// forms counts the events by their form.
func (s *storm) forms() map[string]int {
	forms := map[string]int{}
	for _, e := range s.events {
		forms[e.form]++
	}
	return forms
}

func (b *books) print(t *testing.T, s *storm, orders int, took time.Duration) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	line("orders", orders)
	line("events", len(s.events))
	forms := s.forms()
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		line("  "+form, forms[form])
	}
	line("records", "")
	for _, outcome := range slices.Sorted(maps.Keys(b.records)) {
		line("  "+outcome, b.records[outcome])
	}
	line("longest body kept that is not UTF-8", b.longest)
	line("deliveries, each until it is accepted", s.copies)
	for _, what := range slices.Sorted(maps.Keys(b.counts)) {
		line("  "+what, b.counts[what])
	}
	line("requests to the store", s.weather.requests)
	line("  that found it away, in "+strconv.Itoa(outages)+" outages", s.weather.cut)
	kills := map[proof.Moment]int{}
	for _, m := range s.weather.killed {
		kills[m]++
	}
	line("processes killed", len(s.weather.killed))
	line("  "+string(proof.Before), kills[proof.Before])
	line("  "+string(proof.After), kills[proof.After])
	forged, taken := 0, 0
	for _, answers := range b.forgeries {
		for status, n := range answers {
			forged += n
			if status < 400 {
				taken += n
			}
		}
	}
	line("mutated letters", forged)
	for _, m := range slices.Sorted(maps.Keys(b.forgeries)) {
		line("  "+m, b.forgeries[m])
	}
	line("mutated letters taken", taken)
	line("took", took.Round(100*time.Millisecond))
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
	for n, problem := range b.problems {
		if n == maxProblems {
			t.Errorf("and %d more", len(b.problems)-n)
			break
		}
		t.Error(problem)
	}
}

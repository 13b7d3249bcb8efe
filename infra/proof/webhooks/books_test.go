//go:build proof

package webhooks

import (
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
	Status        g2a.EventStatus `dynamodbav:"status"`
	Outcome       string          `dynamodbav:"outcome"`
	Attempts      int             `dynamodbav:"attempts"`
	BodySHA256    string          `dynamodbav:"body_sha256"`
	Body          string          `dynamodbav:"body"`
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
	byOrder := map[string][]*event{}
	for _, e := range s.events {
		byOrder[e.order] = append(byOrder[e.order], e)
		s.checkEvent(e, state["EVENT"][e.key()])
	}
	for order, events := range byOrder {
		s.checkOrder(order, events, state["EVENT"], orders["G2A"][order])
	}
	s.checkLost()
}

// checkNothingElse: an event has one record, and the nonce of the one delivery that
// wrote it. Nothing else is there, whoever sent it.
func (s *storm) checkNothingElse(state, orders map[string]map[string]item) {
	for kind, want := range map[string]int{"EVENT": len(s.events), "NONCE": len(s.events)} {
		if got := len(state[kind]); got != want {
			s.books.problem("%d items %s, want %d", got, kind, want)
		}
	}
	nonces := map[string]int{}
	for _, nonce := range state["NONCE"] {
		nonces[nonce.EventKey]++
	}
	for _, e := range s.events {
		if nonces[e.key()] != 1 {
			s.books.problem("event %s has %d nonces, want 1", e.key(), nonces[e.key()])
		}
	}
	if len(orders) > 1 || len(state) > 2 {
		s.books.problem("items of other kinds: %v, %v", slices.Sorted(maps.Keys(state)), slices.Sorted(maps.Keys(orders)))
	}
}

// checkEvent: it was answered once with what became of it, and ever after as a
// duplicate; not even once, when the process was killed before it could answer.
func (s *storm) checkEvent(e *event, record item) {
	s.books.records[record.Outcome]++
	want := g2a.EventStatus("done")
	if record.Outcome == "parked" {
		want = "failed"
		if record.Body != string(e.body) {
			s.books.problem("event %s is parked with another body", e.key())
		}
	}
	if record.Status != want || record.Attempts != 1 || record.BodySHA256 != e.sha256() {
		s.books.problem("event %s: its record is %+v", e.key(), record)
	}
	told := 0
	for _, outcome := range s.books.outcomes[e] {
		switch outcome {
		case record.Outcome:
			told++
		case "duplicate":
		default:
			s.books.problem("event %s was answered %s, and its record says %s", e.key(), outcome, record.Outcome)
		}
	}
	if told > 1 {
		s.books.problem("event %s was answered %s %d times", e.key(), record.Outcome, told)
	}
	if told == 0 {
		s.books.count(answerLost)
	}
}

const answerLost = "events whose own answer was lost with its process"

// checkOrder replays what the records say: the events that were applied, by their
// rank, must lead to the order's status, and there must be a reason for each other.
func (s *storm) checkOrder(order string, events []*event, records map[string]item, status item) {
	applied := map[int]*event{} // by rank
	highest := 0
	for _, e := range events {
		highest = max(highest, ranks[e.status])
		if records[e.key()].Outcome != "processed" {
			continue
		}
		switch other := applied[ranks[e.status]]; {
		case other != nil:
			s.books.problem("order %s: %s is applied, and %s of the same rank", order, e.key(), other.key())
		case ranks[e.status] == 0:
			s.books.problem("order %s: %s is applied, of a status that nobody knows", order, e.key())
		}
		applied[ranks[e.status]] = e
	}
	if status.AppliedEvents != len(applied) || status.Rank != highest {
		s.books.problem("order %s: %d applied, rank %d; want %d, rank %d", order, status.AppliedEvents, status.Rank, len(applied), highest)
	}
	last := applied[highest]
	if last == nil {
		if highest > 0 {
			s.books.problem("order %s: no event of rank %d is applied", order, highest)
		}
		return
	}
	if status.Status != last.status || status.LastEventID != last.id {
		s.books.problem("order %s is %s by %s, want %s by %s", order, status.Status, status.LastEventID, last.status, last.id)
	}
	for _, e := range events {
		rank := ranks[e.status]
		want := "superseded"
		if rank == 0 || rank == 3 && e.status != last.status {
			want = "parked"
		}
		if got := records[e.key()].Outcome; got != "processed" && got != want {
			s.books.problem("order %s, which is %s: %s, %s, is %s, want %s", order, last.status, e.key(), e.status, got, want)
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
	for _, what := range []string{"200 processed", "200 duplicate", "200 superseded", "200 parked"} {
		if s.books.counts["function: "+what] == 0 {
			s.books.problem("nothing was answered %s", what)
		}
	}
	if got, want := len(s.books.forgeries), len(mutations); got != want {
		s.books.problem("%d kinds of mutated letters were sent, want %d", got, want)
	}
}

func (b *books) print(t *testing.T, s *storm, orders int, took time.Duration) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	line("orders", orders)
	line("events", len(s.events))
	for _, outcome := range slices.Sorted(maps.Keys(b.records)) {
		line("  "+outcome, b.records[outcome])
	}
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

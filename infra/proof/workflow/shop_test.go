//go:build proof

package workflow_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

const (
	function    = "OrderFunction"
	lookAgain   = 200 * time.Millisecond
	lookLongest = time.Minute // then what is waited for will not come
)

// shop is a local cloud of the real binaries with the workflow in front of it, as a
// shop finds them.
type shop struct {
	*testing.T
	*interpreter
	market  market
	cloud   *proof.Stack
	account string
	machine string // ARN
	refs    map[string]bool
	begun   int // executions
	kills   int
	// impatient has the pauses before another creation or payment over at once.
	impatient bool
}

// setup changes the options of a shop's cloud, and of G2A's simulator in it.
type setup struct {
	cloud     func(*localcloud.Options)
	simulator func(*g2atest.Options)
}

// open starts a local cloud in a folder of its own, whose orders are bought on a market,
// and makes the state machine as template.yaml says. At the end of the test its books are
// closed: they hold for every case, and go into the totals.
func open(t *testing.T, m market, change setup) *shop {
	t.Helper()
	s := &shop{T: t, interpreter: mustInterpret(t), market: m, refs: map[string]bool{}}
	s.cloud = proof.Start(t, proof.Options{
		Engine:      storetest.Minidyn(t),
		Credentials: g2a.Credentials{Hash: g2a.NewSecret("test-hash-of-the-workflow"), Key: g2a.NewSecret("test-key-of-the-workflow")},
		Simulator:   change.simulator,
		Cloud: func(o *localcloud.Options) {
			o.Parameters = map[string]string{"G2AExportApi": string(m.api)}
			if change.cloud != nil {
				change.cloud(o)
			}
		},
	})
	var err error
	s.account, err = s.lambdas.open(s.cloud.Addresses().Lambda)
	s.must(err, "opening an account")
	s.create()
	t.Cleanup(s.closeBooks)
	return s
}

func (s *shop) must(err error, doing string) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", doing, err)
	}
}

// create makes the state machine of the template.
func (s *shop) create() {
	s.Helper()
	machine := s.cloud.Stack().StateMachines[0]
	text, err := os.ReadFile(filepath.Join(proof.Repository, machine.DefinitionURI))
	s.must(err, "reading the definition")
	definition := string(text)
	for name, value := range machine.Substitutions {
		definition = strings.ReplaceAll(definition, "${"+name+"}", value)
	}
	made, err := s.states.CreateStateMachine(s.Context(), &sfn.CreateStateMachineInput{
		Name:       aws.String(machine.Name + "-" + s.account),
		Definition: aws.String(strings.ReplaceAll(definition, ":"+template.AccountID+":", ":"+s.account+":")),
		RoleArn:    aws.String("arn:aws:iam::" + template.AccountID + ":role/workflow"),
		Type:       types.StateMachineTypeStandard,
	})
	s.must(err, "creating the state machine")
	s.machine = *made.StateMachineArn
}

// order is the input of a good order. The product costs 4.99.
func order(ref string) string { return orderFor(ref, "5.00") }

func orderFor(ref, maxPrice string) string {
	return fmt.Sprintf(`{"order_ref":%q,"product_id":"90000000334016","max_price":%q,"currency":"EUR"}`, ref, maxPrice)
}

// orderOf is the input of a good order of several keys.
func orderOf(ref string, quantity int) string {
	return fmt.Sprintf(`{"order_ref":%q,"product_id":"90000000334016","max_price":"5.00","currency":"EUR","quantity":%d}`, ref, quantity)
}

// execution is one execution of the workflow.
type execution struct {
	*shop
	arn string
}

func (s *shop) start(input string) execution {
	s.Helper()
	var named struct {
		Ref string `json:"order_ref"`
	}
	s.must(json.Unmarshal([]byte(input), &named), "reading the input")
	s.refs[named.Ref] = true
	s.begun++
	begun, err := s.states.StartExecution(s.Context(), &sfn.StartExecutionInput{
		StateMachineArn: &s.machine, Input: &input, Name: aws.String(fmt.Sprintf("%s-%d", s.account, s.begun)), // moto makes none up
	})
	s.must(err, "starting an execution")
	totals.add(s.market, func(t *counts) { t.executions++ })
	return execution{s, *begun.ExecutionArn}
}

// until looks again and again until there is what is waited for.
func (s *shop) until(what string, found func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), lookLongest)
	defer cancel()
	for !found() {
		select {
		case <-ctx.Done():
			s.Fatalf("waited in vain for %s", what)
		case <-time.After(lookAgain):
		}
	}
}

// outcome is how an execution ended.
type outcome struct {
	status       types.ExecutionStatus
	output       string
	error, cause string
	history
}

func (e execution) end() outcome {
	e.Helper()
	var last *sfn.DescribeExecutionOutput
	e.until("the end of the execution", func() bool {
		var err error
		last, err = e.states.DescribeExecution(e.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &e.arn})
		e.must(err, "describing the execution")
		if e.impatient {
			e.turnBack()
		}
		return last.Status != types.ExecutionStatusRunning
	})
	past := e.history()
	totals.add(e.market, func(t *counts) {
		t.calls += past.count(types.HistoryEventTypeTaskScheduled)
		t.retries += past.retries()
	})
	return outcome{last.Status, aws.ToString(last.Output), aws.ToString(last.Error), aws.ToString(last.Cause), past}
}

// fulfilled ends the execution, which must have bought.
func (e execution) fulfilled() outcome {
	e.Helper()
	o := e.end()
	if o.status != types.ExecutionStatusSucceeded {
		e.Fatalf("the execution is %s: %s: %s\n%s", o.status, o.error, o.cause, o.history)
	}
	if !strings.Contains(o.output, `"fulfilled"`) {
		e.Errorf("the execution's output is %s", o.output)
	}
	return o
}

// failed ends the execution, which must have failed with an error, and a cause that
// holds some words.
func (e execution) failed(name, cause string) outcome {
	e.Helper()
	o := e.end()
	if o.status != types.ExecutionStatusFailed || o.error != name || !strings.Contains(o.cause, cause) {
		e.Errorf("want FAILED, %s: %s\nfound %s, %s: %s\n%s", name, cause, o.status, o.error, o.cause, o.history)
	}
	return o
}

// history is the events of an execution.
type history []types.HistoryEvent

func (e execution) history() (h history) {
	e.Helper()
	pages := sfn.NewGetExecutionHistoryPaginator(e.states, &sfn.GetExecutionHistoryInput{ExecutionArn: &e.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(e.Context())
		e.must(err, "reading the execution's history")
		h = append(h, page.Events...)
	}
	return h
}

func (h history) count(kind types.HistoryEventType) (n int) {
	for _, event := range h {
		if event.Type == kind {
			n++
		}
	}
	return n
}

// failures are the names of the errors that the function's calls ended with.
func (h history) failures() (names []string) {
	for _, event := range h {
		if event.Type == types.HistoryEventTypeTaskFailed {
			names = append(names, aws.ToString(event.TaskFailedEventDetails.Error))
		}
	}
	return names
}

// retries are the calls beyond the first of each time the state was entered.
func (h history) retries() int {
	return h.count(types.HistoryEventTypeTaskScheduled) - h.count(types.HistoryEventTypeTaskStateEntered)
}

// payloads are what the function was called with.
func (h history) payloads(t *testing.T) (payloads []string) {
	t.Helper()
	for _, event := range h {
		if event.Type != types.HistoryEventTypeTaskScheduled {
			continue
		}
		var parameters struct{ Payload json.RawMessage }
		if err := json.Unmarshal([]byte(aws.ToString(event.TaskScheduledEventDetails.Parameters)), &parameters); err != nil {
			t.Fatalf("reading the parameters of a call: %v", err)
		}
		payloads = append(payloads, canonical(t, parameters.Payload))
	}
	return payloads
}

// String is one event a line.
func (h history) String() string {
	var lines strings.Builder
	for _, event := range h {
		fmt.Fprintf(&lines, "%s", event.Type)
		if failed := event.TaskFailedEventDetails; failed != nil {
			fmt.Fprintf(&lines, " %s: %s", aws.ToString(failed.Error), aws.ToString(failed.Cause))
		}
		if failed := event.ExecutionFailedEventDetails; failed != nil {
			fmt.Fprintf(&lines, " %s: %s", aws.ToString(failed.Error), aws.ToString(failed.Cause))
		}
		if entered := event.StateEnteredEventDetails; entered != nil {
			fmt.Fprintf(&lines, " %s", aws.ToString(entered.Name))
		}
		lines.WriteByte('\n')
	}
	return lines.String()
}

// canonical writes a JSON text with its fields in order.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("not JSON: %q", text)
	}
	ordered, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(ordered)
}

// invoke calls the function as the stream's target does.
func (s *shop) invoke(payload string) (answer string) {
	s.Helper()
	result, err := s.cloud.Invoke(s.Context(), function, []byte(payload))
	s.must(err, "invoking the function")
	totals.add(s.market, func(t *counts) { t.calls++ })
	return string(result.Payload)
}

// ask calls one of the control routes of G2A's simulator; into gets the answer.
func (s *shop) ask(method, route, body string, into any) {
	s.Helper()
	request, err := http.NewRequest(method, s.cloud.Addresses().G2A+"/_sim/"+route, strings.NewReader(body))
	s.must(err, "asking the simulator")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.cloud.Roots(), MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	response, err := client.Do(request)
	s.must(err, "asking the simulator")
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err, "asking the simulator")
	if response.StatusCode != http.StatusOK {
		s.Fatalf("%s /_sim/%s: %s %s", method, route, response.Status, text)
	}
	if into != nil {
		s.must(json.NewDecoder(bytes.NewReader(text)).Decode(into), "reading the simulator's answer")
	}
}

// faults puts faults into the simulator's queues.
func (s *shop) faults(faults ...string) {
	s.Helper()
	for _, fault := range faults {
		s.ask(http.MethodPost, "faults", fault, nil)
	}
}

func (s *shop) stats() (stats g2atest.Stats) {
	s.Helper()
	s.ask(http.MethodGet, "stats", "", &stats)
	return stats
}

func (s *shop) orders() []g2atest.OrderRecord {
	s.Helper()
	var book struct {
		Orders []g2atest.OrderRecord `json:"orders"`
	}
	s.ask(http.MethodGet, "orders", "", &book)
	return book.Orders
}

// paid requires of G2A's books that so many orders of one key were paid and their keys
// revealed.
func (s *shop) paid(want int) {
	s.Helper()
	s.sold(want, want)
}

// sold requires of G2A's books that so many orders were paid and so many keys revealed.
func (s *shop) sold(orders, keys int) {
	s.Helper()
	if stats := s.stats(); stats.OrdersPaid != orders || stats.KeysRevealed != keys {
		s.Errorf("want %d paid and %d keys revealed, found %+v", orders, keys, stats)
	}
}

// stored requires that an order's record holds the keys of all orders that were paid at G2A,
// in their order.
func (s *shop) stored(ref string) {
	s.Helper()
	var want, got []string
	for _, sold := range s.orders() {
		if sold.Paid {
			want = append(want, sold.KeysSHA256...)
		}
	}
	record, _ := s.record(ref)
	for _, key := range record.Keys {
		got = append(got, digest(key))
	}
	if !slices.Equal(got, want) {
		s.Errorf("order %s has the keys %q, G2A has sold %q", ref, got, want)
	}
}

func (s *shop) records() store.Orders {
	return store.Orders{DB: s.cloud.DynamoDB(), Table: "OrdersTable"}
}

// record reads an order's record; false is that there is none yet.
func (s *shop) record(ref string) (purchase.Order, bool) {
	s.Helper()
	o, found, err := s.records().Load(context.WithoutCancel(s.Context()), ref)
	s.must(err, "reading the record")
	return o, found
}

// turnBack makes the last intent of every order an hour old, as time does that no test can
// wait for. The record's version stays, as it does while time passes.
func (s *shop) turnBack() {
	for ref := range s.refs {
		s.update(ref, "tried_at", &dynamodbtypes.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)})
	}
}

// damage writes another step into a record.
func (s *shop) damage(ref, step string) {
	s.update(ref, "step", &dynamodbtypes.AttributeValueMemberS{Value: step})
}

// update changes an attribute of a record that has it.
func (s *shop) update(ref, name string, value dynamodbtypes.AttributeValue) {
	s.Helper()
	_, err := s.cloud.DynamoDB().UpdateItem(context.WithoutCancel(s.Context()), &dynamodb.UpdateItemInput{
		TableName: aws.String("OrdersTable"),
		Key: map[string]dynamodbtypes.AttributeValue{
			"pk": &dynamodbtypes.AttributeValueMemberS{Value: "ORDER#" + ref}, "sk": &dynamodbtypes.AttributeValueMemberS{Value: "ORDER"},
		},
		UpdateExpression: aws.String("SET #name = :value"), ConditionExpression: aws.String("attribute_exists(#name)"),
		ExpressionAttributeNames: map[string]string{"#name": name}, ExpressionAttributeValues: map[string]dynamodbtypes.AttributeValue{":value": value},
	})
	if refused := new(dynamodbtypes.ConditionalCheckFailedException); err != nil && !errors.As(err, &refused) {
		s.Errorf("writing %s of order %s: %v", name, ref, err)
	}
}

// deliver has the simulator send a webhook for its one order.
func (s *shop) deliver(status string) {
	s.Helper()
	var sent struct {
		Deliveries []struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
		} `json:"deliveries"`
	}
	s.ask(http.MethodPost, "webhook", fmt.Sprintf(`{"order_id":%q,"type":"order.%s","status":%q}`, s.orders()[0].ID, status, status), &sent)
	if len(sent.Deliveries) != 1 || sent.Deliveries[0].Status != http.StatusOK || !strings.Contains(string(sent.Deliveries[0].Body), "processed") {
		s.Fatalf("the webhook's delivery: %+v", sent)
	}
}

// untilAt waits until an order has come to a step.
func (s *shop) untilAt(ref string, step purchase.Step) {
	s.Helper()
	s.until("order "+ref+" at "+string(step), func() bool {
		o, found := s.record(ref)
		return found && o.Step == step
	})
}

// untilFailed waits until a call of an execution has ended with an error.
func (e execution) untilFailed(name string) {
	e.Helper()
	e.until(name, func() bool {
		h := e.history()
		failed := slices.Contains(h.failures(), name)
		if !failed && h.count(types.HistoryEventTypeExecutionSucceeded)+h.count(types.HistoryEventTypeExecutionFailed) > 0 {
			e.Fatalf("the execution has ended without %s\n%s", name, h)
		}
		return failed
	})
}

// arrival returns a function that waits until a request of a route has come to G2A.
func (s *shop) arrival(route string) (await func()) {
	var arrived atomic.Bool
	routes := http.NewServeMux()
	routes.Handle(route, http.NotFoundHandler())
	s.cloud.ToG2A.Strike(func(r *proof.Request, _ proof.Moment) bool {
		if _, pattern := routes.Handler(r.Request); pattern == route {
			arrived.Store(true)
		}
		return true
	})
	return func() {
		s.Helper()
		s.until("a call of "+route, arrived.Load)
	}
}

// signal sends a signal to the one process of the function.
func (s *shop) signal(signal syscall.Signal) {
	s.Helper()
	var pids []int
	s.until("a process of the function", func() bool { pids = s.processes(); return len(pids) > 0 })
	if len(pids) != 1 {
		s.Fatalf("want one process of the function, found %v", pids)
	}
	s.must(syscall.Kill(pids[0], signal), "sending a signal")
	if signal == syscall.SIGKILL {
		s.kills++
	}
}

// processes finds the function's processes among all: they run the binary by a path
// that only this cloud has.
func (s *shop) processes() (pids []int) {
	s.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	s.must(err, "listing the processes")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(line), filepath.Join(s.cloud.Root, "build", "order", "bootstrap")+"\x00") {
			continue // it has ended meanwhile, or is another one's
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/cmdline", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

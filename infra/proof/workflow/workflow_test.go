//go:build proof

package workflow_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

func TestHappyPath(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	o := s.start(order("happy")).fulfilled()
	want := fmt.Sprintf(`{"currency":"EUR","g2a_order_id":%q,"order_ref":"happy","price":"4.99","status":"fulfilled"}`, s.orders()[0].ID)
	if got := canonical(t, []byte(o.output)); got != want {
		t.Errorf("output %s\nwant   %s", got, want)
	}
	calls := map[string]int{}
	for route, stats := range s.stats().Routes {
		calls[route] = stats.Calls
	}
	cost := map[string]int{
		"GET /v1/products": 1, "POST /v1/order": 1, "PUT /v1/order/pay/{id}": 1, "GET /v1/order/details/{id}": 1, "GET /v1/order/key/{id}": 1,
	}
	if !reflect.DeepEqual(calls, cost) {
		t.Errorf("calls of G2A %v\nwant         %v", calls, cost)
	}
	if n := s.lambdas.calls(s.account); n != 1 {
		t.Errorf("%d calls of the function, want 1", n)
	}
	s.paid(1)
	if record, _ := s.record("happy"); record.Keys[0].Value.IsZero() {
		t.Error("no key is stored")
	}
	if again := s.invoke(`{"order_ref":"happy"}`); canonical(t, []byte(again)) != want {
		t.Errorf("the function answers %s, want %s", again, want)
	}
}

// TestWaiting has G2A say "not now" twice: no funds, and a key that is not ready.
func TestWaiting(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.faults(`{"route":"PUT /v1/order/pay/{id}","mode":"status","code":"ORD112"}`, `{"route":"GET /v1/order/key/{id}","mode":"status","code":"ORD03"}`)
	o := s.start(order("waits")).fulfilled()
	if waits := o.count(types.HistoryEventTypeWaitStateEntered); waits != 2 {
		t.Errorf("waited %d times, want 2\n%s", waits, o.history)
	}
	want := []string{canonical(t, []byte(order("waits"))), `{"order_ref":"waits"}`, `{"order_ref":"waits"}`}
	if got := o.payloads(t); !reflect.DeepEqual(got, want) {
		t.Errorf("the function was called with %q\nwant %q", got, want)
	}
	if o.retries() != 0 {
		t.Errorf("%d retries, want none\n%s", o.retries(), o.history)
	}
	s.paid(1)
}

// TestWebhookIsSooner finishes an order by a webhook, and by the call that the
// table's stream makes for it, while the workflow cannot: G2A gives no details.
func TestWebhookIsSooner(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.faults(`{"route":"GET /v1/order/details/{id}","mode":"status","code":"BR03","count":1000}`)
	e := s.start(order("told"))
	e.untilFailed("G2AThrottled")
	s.untilAt("told", purchase.Paid)

	s.deliver("completed")
	var answer string
	s.until("the order to be fulfilled by the stream's call", func() bool {
		answer = s.invoke(`{"order_ref":"told"}`)
		return !strings.Contains(answer, "OrderBusy") // the workflow calls now and then
	})
	if !strings.Contains(answer, `"fulfilled"`) {
		t.Fatalf("the stream's call found %s", answer)
	}
	o := e.fulfilled()
	if canonical(t, []byte(answer)) != canonical(t, []byte(o.output)) {
		t.Errorf("the stream's call found %s, the workflow %s", answer, o.output)
	}
	s.paid(1)
	if answered := s.stats().Routes["GET /v1/order/details/{id}"].Statuses[http.StatusOK]; answered != 0 {
		t.Errorf("%d details were given, want none", answered)
	}
}

// TestTroubleAtG2A has calls of G2A fail until only Retry gets the order through.
func TestTroubleAtG2A(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		faults  []string
		error   string // the one that the function fails with
		atLeast int    // times
		made    int    // orders at G2A: an answer that is lost leaves an unpaid one
	}{
		{
			"down", []string{
				`{"route":"GET /v1/products","mode":"status","status":503,"count":4}`,
				`{"route":"POST /v1/order","mode":"status","status":503}`,
				`{"route":"PUT /v1/order/pay/{id}","mode":"status","code":"ORD122"}`,
			}, "G2AUnavailable", 2, 1,
		},
		{
			"connections cut", []string{
				`{"route":"POST /v1/order","mode":"drop_after"}`,
				`{"route":"PUT /v1/order/pay/{id}","mode":"drop_after"}`,
				`{"route":"GET /v1/order/details/{id}","mode":"drop_before","count":1}`,
				`{"route":"GET /v1/order/key/{id}","mode":"drop_before"}`,
			}, "G2AUnavailable", 2, 2,
		},
		{
			"throttled", []string{
				`{"route":"POST /v1/order","mode":"status","code":"BR03","retry_after":1,"count":4}`,
				`{"route":"PUT /v1/order/pay/{id}","mode":"status","code":"BR03","count":4}`,
			}, "G2AThrottled", 2, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			s.faults(test.faults...)
			s.impatient = true
			o := s.start(order("trouble")).fulfilled()
			failures := o.failures()
			if len(failures) < test.atLeast || o.retries() != len(failures) {
				t.Errorf("%d retries of %v, want at least %d", o.retries(), failures, test.atLeast)
			}
			for _, failure := range failures {
				if failure != test.error {
					t.Errorf("failed with %v, want %s alone", failures, test.error)
				}
			}
			s.paid(1)
			if made := s.stats().OrdersCreated; made != test.made {
				t.Errorf("%d orders made, want %d", made, test.made)
			}
		})
	}
}

// TestStoreUnavailable cuts the function off from DynamoDB for a while.
func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	var failing atomic.Int64
	failing.Store(5) // the SDK makes three attempts
	s.cloud.ToStore.Strike(func(r *proof.Request, m proof.Moment) bool {
		return m == proof.After || r.TraceRoot() == "" || failing.Add(-1) < 0
	})
	o := s.start(order("stored")).fulfilled()
	if got := o.failures(); !reflect.DeepEqual(got, []string{"StoreUnavailable"}) {
		t.Errorf("failed with %v, want StoreUnavailable once", got)
	}
	s.paid(1)
}

// TestLambdaThrottled has another order hold the only instance there may be.
func TestLambdaThrottled(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	s := open(t, func(o *localcloud.Options) { o.Concurrency = 1 })
	s.faults(`{"route":"GET /v1/products","mode":"delay","delay_ms":600000,"count":1000}`)
	s.refs["holds"] = true
	held := make(chan string)
	go func() {
		result, err := s.cloud.Invoke(t.Context(), function, []byte(order("holds")))
		held <- fmt.Sprint(string(result.Payload), err)
	}()
	s.untilAt("holds", purchase.Started)
	e := s.start(order("throttled"))
	e.untilFailed("Lambda.TooManyRequestsException")
	s.signal(syscall.SIGKILL)
	s.ask(http.MethodPost, "reset", "", nil) // takes the faults away
	if how := <-held; !strings.Contains(how, "Runtime.ExitError") {
		t.Errorf("the instance was to be killed at work, but: %s", how)
	}
	for _, failure := range e.fulfilled().failures() {
		if failure != "Lambda.TooManyRequestsException" {
			t.Errorf("failed with %s too", failure)
		}
	}
	s.paid(1)
}

// TestLambdaDies stops a process while it waits for G2A's answer. What it has asked
// for is done all the same, and its lease on the order lasts until it runs out, which
// is not waited for here: the test turns it back.
func TestLambdaDies(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	for _, test := range []struct {
		name   string
		route  string
		at     purchase.Step
		signal syscall.Signal
		error  string
	}{
		{"killed before the order is made", "POST /v1/order", purchase.Quoted, syscall.SIGKILL, "Runtime.ExitError"},
		{"killed while it pays", "PUT /v1/order/pay/{id}", purchase.Paying, syscall.SIGKILL, "Runtime.ExitError"},
		{"frozen while it pays, to its time-out", "PUT /v1/order/pay/{id}", purchase.Paying, syscall.SIGSTOP, "Sandbox.Timedout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, func(o *localcloud.Options) { shorten(t, o.Root) })
			s.faults(fmt.Sprintf(`{"route":%q,"mode":"delay","delay_ms":600000}`, test.route))
			e := s.start(order("dies"))
			s.untilAt("dies", test.at)
			s.signal(test.signal)
			e.untilFailed(test.error)
			if test.signal == syscall.SIGKILL { // the other one's lease is over by then
				e.untilFailed("OrderBusy")
			}
			s.impatient = true
			o := e.fulfilled() // when the lease of the dead is over
			if o.retries() < 1 {
				t.Errorf("%d retries\n%s", o.retries(), o.history)
			}
			s.paid(1)
		})
	}
}

// shorten gives the function of a cloud less time than the template does: enough to
// work in, and not for the test to wait for.
func shorten(t *testing.T, root string) {
	t.Helper()
	file := filepath.Join(root, "template.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const long, short = "Timeout: 120\n", "Timeout: 30\n"
	if strings.Count(string(text), long) != 1 {
		t.Fatalf("the template has not one %q", long)
	}
	if err := os.Remove(file); err != nil { // the link
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), long, short, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only on Linux are the function's processes found, through /proc")
	}
}

// TestMended: what no retry can help is retried all the same, and goes on when a person
// has helped.
func TestMended(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.faults(`{"route":"GET /v1/order/details/{id}","mode":"status","code":"ORD05","count":1000}`)
	e := s.start(order("x"))
	s.untilAt("x", purchase.Paid)
	s.until("the function to meet the damage", func() bool {
		s.damage("x", "sideways") // again where the function has written over it
		return slices.Contains(e.history().failures(), "InternalError")
	})
	s.deliver("completed")
	s.until("the mended order to be fulfilled", func() bool {
		o, _ := s.record("x")
		if o.Step == "sideways" {
			s.damage("x", string(purchase.Paid))
		}
		return o.Step == purchase.Fulfilled
	})
	e.fulfilled()
	s.paid(1)
}

// TestHistory counts what a round and a failed call put into the history.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.faults(`{"route":"GET /v1/order/details/{id}","mode":"status","code":"ORD05","count":3}`)
	long := s.start(order("rounds")).fulfilled()
	short := s.start(order("none")).fulfilled()
	if rounds := long.count(types.HistoryEventTypeWaitStateEntered); rounds == 0 || len(long.history)-len(short.history) != rounds*eventsOfRound {
		t.Errorf("%d rounds have %d events, want %d each\n%s", rounds, len(long.history)-len(short.history), eventsOfRound, long.history)
	}
	s.faults(`{"route":"GET /v1/products","mode":"status","status":503,"count":3}`)
	failed := s.start(order("fails")).fulfilled()
	if failures := len(failed.failures()); failures == 0 || len(failed.history)-len(short.history) != failures*eventsOfFailure {
		t.Errorf("%d failures have %d events, want %d each\n%s", failures, len(failed.history)-len(short.history), eventsOfFailure, failed.history)
	}
	s.paid(3)
}

// TestNestedExecution has the input that Step Functions writes where one execution starts
// another.
func TestNestedExecution(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.start(strings.Replace(order("nested"), "{", `{"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID":"arn:aws:states:eu-central-1:1:execution:a:b","Comment":"",`, 1)).fulfilled()
	s.paid(1)
}

// TestCancelled: an order that waits for funds is cancelled, and its workflow ends.
func TestCancelled(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.faults(`{"route":"PUT /v1/order/pay/{id}","mode":"status","code":"ORD112","count":1000}`)
	e := s.start(order("off"))
	s.untilAt("off", purchase.Created)
	var answer string
	s.until("the cancellation to be taken", func() bool {
		answer = s.invoke(`{"order_ref":"off","cancel":true}`)
		return !strings.Contains(answer, "OrderBusy")
	})
	if !strings.Contains(answer, `"reason":"cancelled"`) {
		t.Errorf("the function answers %s", answer)
	}
	e.failed("OrderFailed", "cancelled")
	s.paid(0)
}

// TestNotRetried: the same call again would end the same way, so there is one.
func TestNotRetried(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		input   string
		prepare func(*shop)
		error   string
		cause   string // what it holds
		paid    int
	}{
		{"InvalidOrder", `{"order_ref":"x","product_id":"none","max_price":"0","currency":"EUR"}`, nil, "InvalidOrder", `max_price \"0\" is not more than 0`, 0},
		{"InvalidOrder, not known", `{"order_ref":"x"}`, nil, "InvalidOrder", `order_ref \"x\" is not known`, 0},
		{"OrderConflict", orderFor("x", "4.99"), func(s *shop) { s.start(order("x")).fulfilled() }, "OrderConflict", "order x: the order_ref belongs to another request", 1},
		{"CredentialsRejected", order("x"), func(s *shop) {
			s.faults(`{"route":"GET /v1/products","mode":"status","code":"AUTH02","count":1000}`)
		}, "CredentialsRejected", "AUTH02", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			if test.prepare != nil {
				test.prepare(s)
			}
			before := s.lambdas.calls(s.account)
			o := s.start(test.input).failed(test.error, test.cause)
			if calls, retries := s.lambdas.calls(s.account)-before, o.retries(); calls != 1 || retries != 0 {
				t.Errorf("%d calls of the function and %d retries, want 1 and none\n%s", calls, retries, o.history)
			}
			s.paid(test.paid)
		})
	}
}

// TestEndsWithoutKey: the function succeeds in telling that the order did not.
func TestEndsWithoutKey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		input        string
		fault        string
		error, cause string
		paid, made   int
		retried      bool
	}{
		{"above the limit", orderFor("x", "4.98"), "", "OrderFailed", "price_above_limit", 0, 0, false},
		{"refused by G2A", order("x"), `{"route":"POST /v1/order","mode":"status","code":"BR02"}`, "OrderFailed", "order_rejected", 0, 0, false},
		{"key downloaded by another", order("x"), `{"route":"GET /v1/order/key/{id}","mode":"status","code":"ORD004"}`, "OrderNeedsAttention", "key_lost", 1, 1, false},
		{"key lost on its way", order("x"), `{"route":"GET /v1/order/key/{id}","mode":"drop_after"}`, "OrderNeedsAttention", "key_lost", 1, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			if test.fault != "" {
				s.faults(test.fault)
			}
			o := s.start(test.input).failed(test.error, test.cause)
			if o.cause != test.cause {
				t.Errorf("the cause is %q, want %q and nothing else", o.cause, test.cause)
			}
			if retried := o.retries() > 0; retried != test.retried {
				t.Errorf("%d retries\n%s", o.retries(), o.history)
			}
			if stats := s.stats(); stats.OrdersPaid != test.paid || stats.OrdersCreated != test.made {
				t.Errorf("want %d made and %d paid, found %+v", test.made, test.paid, stats)
			}
		})
	}
}

// TestAtOnce starts several executions for one order_ref.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	var begun []execution
	for range 6 {
		begun = append(begun, s.start(order("shared"))) // and goes on by itself
	}
	outputs := map[string]int{}
	for _, e := range begun {
		o := e.fulfilled()
		outputs[canonical(t, []byte(o.output))]++
		for _, failure := range o.failures() {
			if failure != "OrderBusy" {
				t.Errorf("failed with %s, want OrderBusy alone", failure)
			}
		}
	}
	if len(outputs) != 1 {
		t.Errorf("the executions ended differently: %v", outputs)
	}
	s.paid(1)
	if made := s.stats().OrdersCreated; made != 1 {
		t.Errorf("%d orders made at G2A, want 1", made)
	}
}

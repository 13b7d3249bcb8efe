//go:build proof

package workflow_test

import (
	"encoding/json"
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
	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// TestHappyPath takes orders of one key, and of several, to their end in one call of the
// function, and counts their calls of G2A.
func TestHappyPath(t *testing.T) {
	onBoth(t, func(t *testing.T, m market) {
		for quantity, price := range map[int]string{1: "4.99", 3: "14.97"} {
			t.Run(fmt.Sprintf("%d keys", quantity), func(t *testing.T) {
				t.Parallel()
				s := open(t, m, setup{})
				o := s.start(orderOf("happy", quantity)).fulfilled()
				sold := s.orders()
				want := fmt.Sprintf(`{"currency":"EUR","g2a_order_id":%q,"keys_stored":%d,"order_ref":"happy","price":%q,"quantity":%d,"status":"fulfilled"}`,
					sold[len(sold)-1].ID, quantity, price, quantity)
				if got := canonical(t, []byte(o.output)); got != want {
					t.Errorf("output %s\nwant   %s", got, want)
				}
				s.cost(quantity)
				if n := s.lambdas.calls(s.account); n != 1 {
					t.Errorf("%d calls of the function, want 1", n)
				}
				s.sold(m.orders(quantity), quantity)
				s.stored("happy")
				if again := s.invoke(`{"order_ref":"happy"}`); canonical(t, []byte(again)) != want {
					t.Errorf("the function answers %s, want %s", again, want)
				}
			})
		}
	})
}

// cost requires of G2A's books the calls of one order that met no trouble.
func (s *shop) cost(quantity int) {
	s.Helper()
	calls := map[string]int{}
	for route, stats := range s.stats().Routes {
		calls[route] = stats.Calls
	}
	if cost := s.market.cost(quantity); !reflect.DeepEqual(calls, cost) {
		s.Errorf("calls of G2A %v\nwant         %v", calls, cost)
	}
}

// TestWaiting has G2A say "not now" twice: no funds, and keys that are not ready, in each
// form that this may have.
func TestWaiting(t *testing.T) {
	t.Parallel()
	pending := func(form string) setup {
		return setup{simulator: func(o *g2atest.Options) { o.PendingDetails, o.V2.Pending = 1, form }}
	}
	for _, test := range []struct {
		name     string
		market   market
		setup    setup
		notReady string // a fault
		quantity int
	}{
		{"v1", exportV1, setup{}, `{"route":"GET /v1/order/key/{id}","mode":"status","code":"ORD03"}`, 1},
		{"v2, an empty list", exportV2, pending("empty"), "", 2},
		{"v2, 404", exportV2, pending("404"), "", 2},
		{"v2, 409", exportV2, pending("409"), "", 2},
		{"v2, 202", exportV2, pending("202"), "", 2},
		{"v2, a list that grows", exportV2, setup{simulator: func(o *g2atest.Options) { o.V2.PartialKeys = 2 }}, "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.market, test.setup)
			s.faults(fmt.Sprintf(`{"route":%q,"mode":"status","code":"ORD112"}`, test.market.pays))
			if test.notReady != "" {
				s.faults(test.notReady)
			}
			o := s.start(orderOf("waits", test.quantity)).fulfilled()
			if waits := o.count(types.HistoryEventTypeWaitStateEntered); waits != 2 {
				t.Errorf("waited %d times, want 2\n%s", waits, o.history)
			}
			want := []string{canonical(t, []byte(orderOf("waits", test.quantity))), `{"order_ref":"waits"}`, `{"order_ref":"waits"}`}
			if got := o.payloads(t); !reflect.DeepEqual(got, want) {
				t.Errorf("the function was called with %q\nwant %q", got, want)
			}
			if o.retries() != 0 {
				t.Errorf("%d retries, want none\n%s", o.retries(), o.history)
			}
			s.sold(1, test.quantity)
			s.stored("waits")
		})
	}
}

// TestWebhookIsSooner finishes an order by a webhook, and by the call that the
// table's stream makes for it, while the workflow cannot: G2A gives no details.
func TestWebhookIsSooner(t *testing.T) {
	t.Parallel()
	s := open(t, exportV1, setup{})
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

// fault writes a fault of a route: its mode, how many calls it meets, and what else the
// mode needs.
func fault(route, mode string, count int, more string) string {
	return fmt.Sprintf(`{"route":%q,"mode":%q,"count":%d%s}`, route, mode, count, more)
}

// troubles are what goes wrong with the calls of G2A until only Retry and Wait get an
// order through.
var troubles = []struct {
	name    string
	market  market
	faults  []string
	error   string // the one that the function fails with
	atLeast int    // times
	made    int    // orders at G2A: an answer that is lost leaves an unpaid one on v1
}{
	{
		"v1, down", exportV1, []string{
			fault(exportV1.shows, "status", 4, `,"status":503`),
			fault("POST /v1/order", "status", 1, `,"status":503`),
			fault(exportV1.pays, "status", 1, `,"code":"ORD122"`),
		}, "G2AUnavailable", 2, 1,
	},
	{
		"v1, connections cut", exportV1, []string{
			fault("POST /v1/order", "drop_after", 1, ""),
			fault(exportV1.pays, "drop_after", 1, ""),
			fault("GET /v1/order/details/{id}", "drop_before", 1, ""),
			fault(exportV1.keys, "drop_before", 1, ""),
		}, "G2AUnavailable", 2, 2,
	},
	{
		"v1, throttled", exportV1, []string{
			fault("POST /v1/order", "status", 4, `,"code":"BR03","retry_after":1`),
			fault(exportV1.pays, "status", 4, `,"code":"BR03"`),
		}, "G2AThrottled", 2, 1,
	},
	{
		"v2, down", exportV2, []string{
			fault(tokenRoute, "status", 1, `,"status":500`),
			fault(exportV2.shows, "status", 3, `,"status":503`),
			fault(exportV2.pays, "status", 1, `,"status":502`),
			fault(exportV2.keys, "status", 1, `,"status":500`),
		}, "G2AUnavailable", 2, 1,
	},
	{
		"v2, connections cut", exportV2, []string{
			fault(exportV2.shows, "drop_before", 3, ""),
			fault(exportV2.pays, "drop_before", 1, ""),
			fault(exportV2.pays, "drop_after", 1, ""),
			fault(exportV2.keys, "drop_after", 1, ""),
		}, "G2AUnavailable", 2, 1,
	},
	{
		"v2, answers cut", exportV2, []string{
			fault(exportV2.shows, "truncated_body", 3, ""),
			fault(exportV2.pays, "truncated_body", 1, ""),
			fault(exportV2.keys, "truncated_body", 1, ""), // it may hold a key: it is kept, and asked for again
		}, "G2AUnavailable", 1, 1,
	},
	{
		"v2, pages", exportV2, []string{
			fault(exportV2.shows, "wrong_content_type", 1, ""),
			fault(exportV2.pays, "wrong_content_type", 1, `,"status":403`),
			fault(exportV2.keys, "wrong_content_type", 1, ""),
		}, "G2AUnavailable", 2, 1,
	},
	{
		"v2, throttled", exportV2, []string{
			fault(exportV2.shows, "status", 4, `,"status":429,"retry_after":1`),
			fault(exportV2.pays, "status", 4, `,"status":429`),
			fault(exportV2.keys, "status", 4, `,"status":429`),
		}, "G2AThrottled", 3, 1,
	},
	{
		"v2, made and refused", exportV2, []string{ // with words that do not say that nothing was charged
			fault(exportV2.pays, "answer", 1, `,"status":402,"body":"{\"error\":{\"code\":\"PAYMENT_FAILED\",\"status\":402}}"`),
			fault(exportV2.pays, "answer", 1, `,"status":409,"body":"{\"error\":{\"code\":\"IN_PROGRESS\",\"status\":409}}"`),
		}, "", 0, 1,
	},
	{
		"v2, keys refused", exportV2, []string{
			fault(exportV2.keys, "status", 1, `,"status":401`), fault(exportV2.keys, "status", 1, `,"status":400`),
			fault(exportV2.keys, "status", 1, `,"status":402`), fault(exportV2.keys, "status", 1, `,"status":403`),
			fault(exportV2.keys, "status", 1, `,"status":410`), fault(exportV2.keys, "status", 1, `,"status":422`),
		}, "", 0, 1,
	},
}

// TestTroubleAtG2A has calls of G2A fail, be refused, or lose their answers.
func TestTroubleAtG2A(t *testing.T) {
	t.Parallel()
	for _, test := range troubles {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.market, setup{})
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
			s.metAll(test.faults)
		})
	}
}

// metAll requires that each fault has met as many calls as it is for, so that none is left.
func (s *shop) metAll(faults []string) {
	s.Helper()
	least := map[string]int{}
	for _, each := range faults {
		var f g2atest.Fault
		s.must(json.Unmarshal([]byte(each), &f), "reading a fault")
		least[f.Route] += f.Count
	}
	for route, count := range least {
		if calls := s.stats().Routes[route].Calls; calls < count {
			s.Errorf("%s was called %d times, and its faults are for %d", route, calls, count)
		}
	}
}

// TestStoreUnavailable cuts the function off from DynamoDB for a while.
func TestStoreUnavailable(t *testing.T) {
	onBoth(t, func(t *testing.T, m market) {
		s := open(t, m, setup{})
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
	})
}

// TestLambdaThrottled has another order hold the only instance there may be.
func TestLambdaThrottled(t *testing.T) {
	linuxOnly(t)
	onBoth(t, func(t *testing.T, m market) {
		s := open(t, m, setup{cloud: func(o *localcloud.Options) { o.Concurrency = 1 }})
		s.faults(fault(m.shows, "delay", 1000, `,"delay_ms":600000`))
		await := s.arrival(m.shows)
		s.refs["holds"] = true
		held := make(chan string)
		go func() {
			result, err := s.cloud.Invoke(t.Context(), function, []byte(order("holds")))
			held <- fmt.Sprint(string(result.Payload), err)
		}()
		await()
		e := s.start(order("throttled"))
		e.untilFailed("Lambda.TooManyRequestsException")
		s.signal(syscall.SIGKILL)
		s.ask(http.MethodPost, "reset", "", nil) // takes the faults away, and revokes the token
		if how := <-held; !strings.Contains(how, "Runtime.ExitError") {
			t.Errorf("the instance was to be killed at work, but: %s", how)
		}
		for _, failure := range e.fulfilled().failures() {
			if failure != "Lambda.TooManyRequestsException" {
				t.Errorf("failed with %s too", failure)
			}
		}
		s.paid(1)
	})
}

// TestLambdaDies stops a process while it waits for G2A's answer. What it has asked
// for is done all the same, and its lease on the order lasts until it runs out, which
// is not waited for here: the test turns it back.
func TestLambdaDies(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	for _, test := range []struct {
		name   string
		market market
		route  string
		at     purchase.Step
		signal syscall.Signal
		error  string
	}{
		{"v1, killed before the order is made", exportV1, "POST /v1/order", purchase.Quoted, syscall.SIGKILL, "Runtime.ExitError"},
		{"v1, killed while it pays", exportV1, exportV1.pays, purchase.Paying, syscall.SIGKILL, "Runtime.ExitError"},
		{"v1, frozen while it pays, to its time-out", exportV1, exportV1.pays, purchase.Paying, syscall.SIGSTOP, "Sandbox.Timedout"},
		{"v2, killed while it fetches the token", exportV2, tokenRoute, purchase.Started, syscall.SIGKILL, "Runtime.ExitError"},
		{"v2, killed while it asks for the price", exportV2, exportV2.shows, purchase.Started, syscall.SIGKILL, "Runtime.ExitError"},
		{"v2, killed while it orders", exportV2, exportV2.pays, purchase.Paying, syscall.SIGKILL, "Runtime.ExitError"},
		{"v2, killed while it fetches the keys", exportV2, exportV2.keys, purchase.KeyRequested, syscall.SIGKILL, "Runtime.ExitError"},
		{"v2, frozen while it orders, to its time-out", exportV2, exportV2.pays, purchase.Paying, syscall.SIGSTOP, "Sandbox.Timedout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.market, setup{cloud: func(o *localcloud.Options) { shorten(t, o.Root) }})
			s.faults(fault(test.route, "delay", 1, `,"delay_ms":600000`))
			await := s.arrival(test.route)
			e := s.start(order("dies"))
			await()
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
			s.stored("dies")
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
	s := open(t, exportV1, setup{})
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
	onBoth(t, func(t *testing.T, m market) {
		s := open(t, m, setup{})
		s.faults(fault(m.keys, "status", 3, `,"code":"ORD03"`))
		long := s.start(order("rounds")).fulfilled()
		short := s.start(order("none")).fulfilled()
		if rounds := long.count(types.HistoryEventTypeWaitStateEntered); rounds == 0 || len(long.history)-len(short.history) != rounds*eventsOfRound {
			t.Errorf("%d rounds have %d events, want %d each\n%s", rounds, len(long.history)-len(short.history), eventsOfRound, long.history)
		}
		s.faults(fault(m.shows, "status", 3, `,"status":503`))
		failed := s.start(order("fails")).fulfilled()
		if failures := len(failed.failures()); failures == 0 || len(failed.history)-len(short.history) != failures*eventsOfFailure {
			t.Errorf("%d failures have %d events, want %d each\n%s", failures, len(failed.history)-len(short.history), eventsOfFailure, failed.history)
		}
		several := s.start(orderOf("several", 3)).fulfilled()
		if len(several.history) != len(short.history) {
			t.Errorf("an order of 3 keys has %d events, one of 1 has %d\n%s", len(several.history), len(short.history), several.history)
		}
		s.sold(3+m.orders(3), 6)
	})
}

// TestNestedExecution has the input that Step Functions writes where one execution starts
// another.
func TestNestedExecution(t *testing.T) {
	t.Parallel()
	s := open(t, exportV1, setup{})
	s.start(strings.Replace(order("nested"), "{", `{"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID":"arn:aws:states:eu-central-1:1:execution:a:b","Comment":"",`, 1)).fulfilled()
	s.paid(1)
}

// TestCancelled: an order that waits for funds is cancelled, and its workflow ends.
func TestCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, m market) {
		s := open(t, m, setup{})
		s.faults(fault(m.pays, "status", 1000, `,"code":"ORD112"`))
		e := s.start(order("off"))
		s.until("the order to wait for funds", func() bool {
			o, _ := s.record("off")
			return o.Step == m.unpaid && o.Reason == purchase.ReasonNoFunds
		})
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
	})
}

// TestNotRetried: the same call again would end the same way, so there is one.
func TestNotRetried(t *testing.T) {
	t.Parallel()
	bought := func(s *shop) { s.start(order("x")).fulfilled() }
	refused := func(fault string) func(*shop) { return func(s *shop) { s.faults(fault) } }
	for _, test := range []struct {
		name    string
		market  market
		input   string
		prepare func(*shop)
		error   string
		cause   string // what it holds
		paid    int
	}{
		{"InvalidOrder", exportV1, `{"order_ref":"x","product_id":"none","max_price":"0","currency":"EUR"}`, nil, "InvalidOrder", `max_price \"0\" is not more than 0`, 0},
		{"InvalidOrder, too many keys", exportV2, orderOf("x", 51), nil, "InvalidOrder", "quantity is not an integer from 1 to 50", 0},
		{"InvalidOrder, not known", exportV1, `{"order_ref":"x"}`, nil, "InvalidOrder", `order_ref \"x\" is not known`, 0},
		{"OrderConflict", exportV1, orderFor("x", "4.99"), bought, "OrderConflict", "order x: the order_ref belongs to another request", 1},
		{"OrderConflict, another quantity", exportV2, orderOf("x", 2), bought, "OrderConflict", "order x: the order_ref belongs to another request", 1},
		{"CredentialsRejected", exportV1, order("x"), refused(fault(exportV1.shows, "status", 1000, `,"code":"AUTH02"`)), "CredentialsRejected", "AUTH02", 0},
		{"CredentialsRejected, no token", exportV2, order("x"), refused(fault(tokenRoute, "status", 1000, `,"code":"AUTH02"`)), "CredentialsRejected", "AUTH02", 0},
		{"CredentialsRejected, token of no use", exportV2, order("x"), refused(fault(exportV2.shows, "status", 1000, `,"status":401`)), "CredentialsRejected", "401", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.market, setup{})
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

// scarce is the input of an order of a product at 1.05 of which there are 3.
func scarce(quantity int) string {
	return fmt.Sprintf(`{"order_ref":"x","product_id":"90000001439545","max_price":"1.05","currency":"EUR","quantity":%d}`, quantity)
}

// lacking are orders that end without all of their keys.
var lacking = []struct {
	name         string
	market       market
	input        string
	simulator    func(*g2atest.Options)
	faults       []string
	error, cause string
	paid, made   int // orders at G2A
	stored       int // keys
	retried      bool
}{
	{
		name: "v1, above the limit", market: exportV1, input: orderFor("x", "4.98"),
		error: "OrderFailed", cause: "price_above_limit",
	},
	{
		name: "v1, refused by G2A", market: exportV1, input: order("x"), faults: []string{fault("POST /v1/order", "status", 1, `,"code":"BR02"`)},
		error: "OrderFailed", cause: "order_rejected",
	},
	{
		name: "v1, key downloaded by another", market: exportV1, input: order("x"), faults: []string{fault(exportV1.keys, "status", 1, `,"code":"ORD004"`)},
		error: "OrderNeedsAttention", cause: "key_lost", paid: 1, made: 1,
	},
	{
		name: "v1, key lost on its way", market: exportV1, input: order("x"), faults: []string{fault(exportV1.keys, "drop_after", 1, "")},
		error: "OrderNeedsAttention", cause: "key_lost", paid: 1, made: 1, retried: true,
	},
	{
		name: "v1, fewer in stock", market: exportV1, input: scarce(4),
		error: "OrderPartlyFulfilled", cause: "out_of_stock", paid: 3, made: 3, stored: 3,
	},
	{
		name: "v1, a key lost among several", market: exportV1, input: scarce(2),
		faults: []string{fault(exportV1.keys, "delay", 1, `,"delay_ms":1`), fault(exportV1.keys, "status", 1, `,"code":"ORD004"`)},
		error:  "OrderNeedsAttention", cause: "key_lost", paid: 2, made: 2, stored: 1,
	},
	{
		name: "v2, above the limit", market: exportV2, input: orderFor("x", "4.98"),
		error: "OrderFailed", cause: "price_above_limit",
	},
	{
		name: "v2, fewer in stock", market: exportV2, input: scarce(4),
		error: "OrderFailed", cause: "out_of_stock",
	},
	{
		name: "v2, refused by G2A", market: exportV2, input: order("x"), faults: []string{fault(exportV2.pays, "status", 1, `,"status":400`)},
		error: "OrderFailed", cause: "order_rejected",
	},
	{
		name: "v2, another currency", market: exportV2, input: strings.Replace(order("x"), "EUR", "USD", 1),
		error: "OrderFailed", cause: "currency_not_sold",
	},
	{
		name: "v2, charged above the limit", market: exportV2, input: orderOf("x", 3),
		simulator: func(o *g2atest.Options) { o.V2.Surcharge = decimal.RequireFromString("0.04") }, // 15.01, of 15.00
		error:     "OrderNeedsAttention", cause: "paid_above_limit", paid: 1, made: 1, stored: 3,
	},
	{
		name: "v2, order lost on its way, and not named again", market: exportV2, input: order("x"),
		simulator: func(o *g2atest.Options) { o.V2.Replay = "conflict" }, faults: []string{fault(exportV2.pays, "drop_after", 1, "")},
		error: "OrderNeedsAttention", cause: "payment_unknown", paid: 1, made: 1,
	},
	{
		name: "v2, no money", market: exportV2, input: order("x"), // a 402 does not say that nothing was charged
		simulator: func(o *g2atest.Options) { o.Wallet = decimal.RequireFromString("4.98") },
		error:     "OrderNeedsAttention", cause: "payment_unknown",
	},
	{
		name: "v2, unknown three times", market: exportV2, input: order("x"), faults: []string{fault(exportV2.pays, "status", 1000, `,"status":500`)},
		error: "OrderNeedsAttention", cause: "payment_unknown",
	},
}

// TestEndsWithoutKey: the function succeeds in telling that the order did not.
func TestEndsWithoutKey(t *testing.T) {
	t.Parallel()
	for _, test := range lacking {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.market, setup{simulator: test.simulator})
			s.faults(test.faults...)
			s.impatient = true
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
			if record, _ := s.record("x"); len(record.Keys) != test.stored {
				t.Errorf("%d keys are stored, want %d", len(record.Keys), test.stored)
			}
		})
	}
}

// TestAtOnce starts several executions for one order_ref, of one key and of several.
func TestAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, m market) {
		for _, quantity := range []int{1, 3} {
			t.Run(fmt.Sprintf("%d keys", quantity), func(t *testing.T) {
				t.Parallel()
				s := open(t, m, setup{})
				s.atOnce(orderOf("shared", quantity))
				s.sold(m.orders(quantity), quantity)
				s.stored("shared")
				if made := s.stats().OrdersCreated; made != m.orders(quantity) {
					t.Errorf("%d orders made at G2A, want %d", made, m.orders(quantity))
				}
			})
		}
	})
}

// atOnce starts six executions of an input, which must all end alike.
func (s *shop) atOnce(input string) {
	s.Helper()
	var begun []execution
	for range 6 {
		begun = append(begun, s.start(input)) // and goes on by itself
	}
	outputs := map[string]int{}
	for _, e := range begun {
		o := e.fulfilled()
		outputs[canonical(s.T, []byte(o.output))]++
		for _, failure := range o.failures() {
			if failure != "OrderBusy" {
				s.Errorf("failed with %s, want OrderBusy alone", failure)
			}
		}
	}
	if len(outputs) != 1 {
		s.Errorf("the executions ended differently: %v", outputs)
	}
}

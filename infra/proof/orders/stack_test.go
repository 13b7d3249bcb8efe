//go:build proof

package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// stack is the local cloud of the real binaries, with a tap on the lines to DynamoDB
// and to G2A.
type stack struct {
	*proof.Stack
	options options
	patient bool             // leases and pauses take the time they take
	db      *dynamodb.Client // its calls belong to no trace: the tap lets them through
	t       testing.TB

	mu          sync.Mutex
	nemesis     nemesis
	invocations map[string]*invocation // under way, by the root of their trace
	invoked     int
	kills       map[string]int // by place: moment and call
	late        int            // requests of dead processes that arrive late
}

// nemesis decides what happens at a moment of a call. i is nil for the calls of
// WebhookFunction.
type nemesis func(i *invocation, c call, m moment) fate

// invocation is one of OrderFunction under way.
type invocation struct {
	order  *order
	owner  string // of the lease it asks for
	claim  string // the record's version with which it asks
	killed bool
}

// engines are what the tables are in.
var engines = []struct {
	name  string
	start func(testing.TB) (endpoint string)
}{
	{"minidyn", storetest.Minidyn},
	{"DynamoDB Local", storetest.DynamoDBLocal},
}

// options of a stack.
type options struct {
	market         marketplace             // zero: the Export API v1
	engine         func(testing.TB) string // nil: minidyn
	orders         []*order
	pendingDetails int           // how many details calls after its payment find an order pending
	detailsLag     int           // how many after its creation, and after its payment, lag behind
	chargesAgain   bool          // whoever pays twice is charged twice
	paymentDelay   time.Duration // until a payment is charged and shows
	fileKeySize    int           // bytes of a key that is a file
	retryMax       string        // G2A_RETRY_MAX; "" is 0
	concurrency    int           // instances of a function; zero is 8
}

// newStack starts a stack whose G2A sells the orders' products.
func newStack(t testing.TB, o options) *stack {
	t.Helper()
	if o.market.name == "" {
		o.market = exportV1
	}
	if o.engine == nil {
		o.engine = storetest.Minidyn
	}
	if o.retryMax == "" {
		o.retryMax = "0"
	}
	if o.concurrency == 0 {
		o.concurrency = 8
	}
	s := &stack{t: t, invocations: map[string]*invocation{}, kills: map[string]int{}}
	s.Stack = proof.Start(t, proof.Options{
		Engine: o.engine(t),
		// Its own: an engine that several stacks share keeps the token of each account.
		Credentials: g2a.Credentials{Hash: g2a.NewSecret("hash-of-the-crash-test"), Key: g2a.NewSecret("key-" + localcloudtest.TraceRoot())},
		Cloud: func(options *localcloud.Options) {
			options.Parameters = map[string]string{"G2ARetryMax": o.retryMax, "G2ATimeoutMs": "5000", "G2AExportApi": string(o.market.api)}
			options.Catalogue, options.Concurrency = catalogue(o.orders), o.concurrency
		},
		Simulator: func(options *g2atest.Options) {
			options.PendingDetails, options.DetailsLag, options.Wallet = o.pendingDetails, o.detailsLag, decimal.New(1, 9)
			options.V2 = o.market.v2
			options.ChargesAgain, options.PaymentDelay, options.FileKeySize = o.chargesAgain, o.paymentDelay, o.fileKeySize
		},
		Market: func(simulator *g2atest.Simulator) http.Handler { return market(simulator, o.orders) },
	})
	s.options = o
	for _, each := range o.orders {
		each.quantity = o.market.quantity
	}
	s.ToStore.Strike(s.at(storeCall))
	s.ToG2A.Strike(s.at(g2aCall))
	s.db = s.DynamoDB()
	return s
}

// at has the nemesis decide on the calls at a tap.
func (s *stack) at(read func(*proof.Request) call) func(*proof.Request, moment) bool {
	return func(r *proof.Request, m moment) bool {
		c := read(r)
		if c.trace == "" { // the test's own
			return true
		}
		i := s.invocationOf(&c)
		f := s.meet(i, c, m)
		if f == killedLate {
			i.order.hold(func() {
				r.SendLate()
				s.expire(i.order.ref, i.owner) // it may have brought the lease of the dead
			}, c)
		}
		return f == goesOn
	}
}

// moment is when something happens to a call.
type moment = proof.Moment

const (
	before = proof.Before
	after  = proof.After
)

// fate is what happens to the invocation at a moment of one of its calls.
type fate string

const (
	goesOn     fate = ""
	killed     fate = "killed"      // its process; before: the request is never sent
	killedLate fate = "killed late" // its process; before: the request arrives later
	cut        fate = "cut"         // its connection; before: the request is never sent
)

// strike sets who decides from now on; nil: nobody.
func (s *stack) strike(n nemesis) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nemesis = n
}

// invocationOf gives the invocation that makes a call, and the call its full name: the
// first write of an invocation claims the lease, and one without a lease gives it back.
func (s *stack) invocationOf(c *call) *invocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.invocations[c.trace]
	if i == nil || c.record == nil {
		return i
	}
	switch owner, version := c.record["lease_owner"].S, c.record["version"].N; {
	case i.owner == "":
		i.owner, i.claim, c.name = owner, version, "claim"
	case version == i.claim: // sent again
		c.name = "claim"
	case owner == "" && !final(c.record["step"].S):
		c.name = "release"
	}
	return i
}

// final reports whether an order at a step is at its end.
func final(step string) bool {
	return step == "fulfilled" || step == "partly_fulfilled" || step == "failed" || step == "needs_attention"
}

// meet has the nemesis decide, and kills the process if it says so: after that it is
// gone.
func (s *stack) meet(i *invocation, c call, m moment) fate {
	s.mu.Lock()
	decide := s.nemesis
	s.mu.Unlock()
	if decide == nil {
		return goesOn
	}
	f := decide(i, c, m)
	if f == goesOn || f == cut {
		return f
	}
	s.mu.Lock()
	s.kills[string(m)+" "+c.name]++
	if i != nil {
		i.killed = true
	}
	if f == killedLate {
		s.late++
	}
	s.mu.Unlock()
	if !s.Functions().Kill(c.trace) {
		s.t.Errorf("%s %s: there is no process to kill", m, c.name)
	}
	return f
}

// output is a function's answer, or its error.
type output struct {
	OrderRef   string `json:"order_ref"`
	Status     string `json:"status"`
	Reason     string `json:"reason"`
	G2AOrderID string `json:"g2a_order_id"`
	ErrorType  string `json:"errorType"`
	Message    string `json:"errorMessage"`
}

func (o output) String() string {
	if o.ErrorType != "" {
		return o.ErrorType + " (" + o.Message + ")"
	}
	return fmt.Sprintf("%s (%s)", o.Status, o.Reason)
}

// invoke calls OrderFunction once for an order.
func (s *stack) invoke(ctx context.Context, o *order, payload []byte) output {
	i, trace := &invocation{order: o}, localcloudtest.TraceRoot()
	s.mu.Lock()
	s.invocations[trace] = i
	s.invoked++
	s.mu.Unlock()
	result, err := s.Functions().Invoke(ctx, "OrderFunction", lambda.Invocation{Payload: payload, TraceID: "Root=" + trace})
	s.mu.Lock()
	delete(s.invocations, trace)
	wasKilled, owner := i.killed, i.owner
	s.mu.Unlock()
	var out output
	switch {
	case errors.Is(err, lambda.ErrThrottled):
		return output{ErrorType: "Lambda.TooManyRequestsException", Message: err.Error()}
	case err != nil:
		s.t.Errorf("order %s: invoking OrderFunction: %v", o.ref, err)
		return output{ErrorType: "Lambda.Unknown", Message: err.Error()}
	case json.Unmarshal(result.Payload, &out) != nil:
		s.t.Errorf("order %s: the answer %s", o.ref, result.Payload)
	}
	if died := out.ErrorType == "Runtime.ExitError"; died != wasKilled {
		s.t.Errorf("order %s: killed %v, and the answer is %s", o.ref, wasKilled, out)
	}
	if s.patient {
		return out
	}
	if wasKilled && owner != "" {
		s.expire(o.ref, owner)
	}
	if wasKilled || out.Status == "waiting" {
		s.passTime(o)
	}
	return out
}

// expire ends the lease of a caller whose process was killed and is gone, as time does
// within seconds for which not every order can wait. The version stays, as it does
// while time passes. Another caller's lease is left alone.
func (s *stack) expire(ref, owner string) {
	s.update(ref, "lease_until = :past", "lease_owner = :owner", map[string]types.AttributeValue{
		":past": &types.AttributeValueMemberN{Value: "1"}, ":owner": &types.AttributeValueMemberS{Value: owner},
	})
}

// passTime has the pauses over that follow an intent of unknown outcome: minutes. A G2A
// that charges again is assumed to show by then what it has charged: where it has, and
// does not show it yet, no time passes.
func (s *stack) passTime(o *order) {
	if s.options.chargesAgain {
		pause(s.t.Context(), s.options.paymentDelay)
		for _, sold := range s.ofOrder(o) {
			if sold.Charges > 0 {
				return
			}
		}
	}
	s.update(o.ref, "tried_at = :past", "attribute_exists(tried_at)", map[string]types.AttributeValue{":past": &types.AttributeValueMemberN{Value: "1"}})
}

// age makes an order as old as one that no longer waits.
func (s *stack) age(o *order) {
	s.update(o.ref, "created_at = :past", "attribute_exists(pk)", map[string]types.AttributeValue{
		":past": &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(-purchase.StuckAfter).Unix(), 10)},
	})
}

// update sets an attribute of a record on a condition; where that does not hold, nothing.
func (s *stack) update(ref, set, condition string, values map[string]types.AttributeValue) {
	_, err := s.db.UpdateItem(context.WithoutCancel(s.t.Context()), &dynamodb.UpdateItemInput{
		TableName: aws.String("OrdersTable"), Key: itemKey("ORDER#"+ref, "ORDER"),
		UpdateExpression: aws.String("SET " + set), ConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	if refused := new(types.ConditionalCheckFailedException); err != nil && !errors.As(err, &refused) {
		s.t.Errorf("order %s: setting %s: %v", ref, set, err)
	}
}

// item reads texts and numbers of an item of the orders table; nil: there is none.
func (s *stack) item(pk, sk string) map[string]string {
	got, err := s.db.GetItem(context.WithoutCancel(s.t.Context()), &dynamodb.GetItemInput{
		TableName: aws.String("OrdersTable"), Key: itemKey(pk, sk), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		s.t.Fatalf("reading %s: %v", pk, err)
	}
	if got.Item == nil {
		return nil
	}
	return localcloudtest.Texts(got.Item)
}

// keysOf returns the keys of an order's record, in their order.
func (s *stack) keysOf(ref string) (keys []string) {
	got, err := s.db.GetItem(context.WithoutCancel(s.t.Context()), &dynamodb.GetItemInput{
		TableName: aws.String("OrdersTable"), Key: itemKey("ORDER#"+ref, "ORDER"), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		s.t.Fatalf("reading the keys of %s: %v", ref, err)
	}
	maps := []map[string]types.AttributeValue{got.Item}
	if more, several := got.Item["more_keys"].(*types.AttributeValueMemberL); several {
		for _, each := range more.Value {
			maps = append(maps, each.(*types.AttributeValueMemberM).Value)
		}
	}
	for _, fields := range maps {
		if key := localcloudtest.Texts(fields)["product_key"]; key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func itemKey(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}}
}

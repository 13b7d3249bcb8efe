package store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// script is an engine that answers each request with the next of its faults, the last
// one again and again.
type script struct {
	faults   []storetest.Fault
	requests int
	seen     func(requests int) // called for each request, where it is set
}

// RoundTrip implements http.RoundTripper.
func (s *script) RoundTrip(*http.Request) (*http.Response, error) {
	fault := s.faults[min(s.requests, len(s.faults)-1)]
	s.requests++
	if s.seen != nil {
		s.seen(s.requests)
	}
	return fault(func() (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2,
		}, nil
	})
}

// client sends nothing again by itself.
func (s *script) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String("http://engine.invalid"), Region: "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  &http.Client{Transport: s}, Retryer: aws.NopRetryer{},
	})
}

// transactions are all calls that write more than one item.
var transactions = map[string]func(ctx context.Context, db *dynamodb.Client) error{
	"Apply": func(ctx context.Context, db *dynamodb.Client) error {
		_, _, err := store.Inbox{DB: db}.Apply(ctx, delivery("n1", "e1", "pending"))
		return err
	},
	"Record": func(ctx context.Context, db *dynamodb.Client) error {
		_, _, err := store.Inbox{DB: db}.Record(ctx, parked(delivery("n1", "e1", "lost")))
		return err
	},
	"ApplyParked": func(ctx context.Context, db *dynamodb.Client) error {
		_, _, err := store.Inbox{DB: db}.ApplyParked(ctx, inbox.EventRecord{}, delivery("n1", "e1", "pending"), false)
		return err
	},
	"RecordParked": func(ctx context.Context, db *dynamodb.Client) error {
		_, _, err := store.Inbox{DB: db}.RecordParked(ctx, inbox.EventRecord{}, delivery("n1", "e1", "pending"))
		return err
	},
	"SaveLinked": func(ctx context.Context, db *dynamodb.Client) error {
		return store.Orders{DB: db}.SaveLinked(ctx, fullOrder())
	},
}

// While another transaction is in the way, each transaction is tried again: so often, and
// no longer than the caller has.
func TestTransactionConflict(t *testing.T) {
	conflict := storetest.Conflict(2)
	besideCondition := storetest.Refusal(`{"__type":"TransactionCanceledException","CancellationReasons":[` +
		`{"Code":"None"},{"Code":"TransactionConflict"},{"Code":"ConditionalCheckFailed","Item":{"status":{"S":"completed"}}}]}`)
	inProgress := storetest.Refusal(`{"__type":"TransactionInProgressException"}`)
	throttled := storetest.Refusal(`{"__type":"ThrottlingException"}`)
	tests := map[string]struct {
		faults   []storetest.Fault
		deadline time.Duration // 0 is none
		cancelAt int           // the request, 0 is none
		requests int           // at most, where there is a deadline
		within   time.Duration
		ok       bool
	}{
		"once":                         {faults: []storetest.Fault{conflict, storetest.Fine}, requests: 2, within: 20 * time.Millisecond, ok: true},
		"beside a condition":           {faults: []storetest.Fault{besideCondition, storetest.Fine}, requests: 2, within: 20 * time.Millisecond, ok: true},
		"in progress":                  {faults: []storetest.Fault{inProgress, inProgress, storetest.Fine}, requests: 3, within: 60 * time.Millisecond, ok: true},
		"until the last try":           {faults: append(repeated(conflict, 11), storetest.Fine), requests: 12, within: 4 * time.Second, ok: true},
		"without end":                  {faults: []storetest.Fault{conflict}, requests: 12, within: 3400 * time.Millisecond},
		"without end, in progress":     {faults: []storetest.Fault{inProgress}, requests: 12, within: 3400 * time.Millisecond},
		"no time left":                 {faults: []storetest.Fault{conflict}, deadline: 510 * time.Millisecond, requests: 11, within: 10 * time.Millisecond},
		"the caller gives up":          {faults: []storetest.Fault{conflict}, cancelAt: 3, requests: 3, within: 60 * time.Millisecond},
		"another error is not retried": {faults: []storetest.Fault{throttled}, requests: 1},
		"another error after it":       {faults: []storetest.Fault{conflict, throttled}, requests: 2, within: 20 * time.Millisecond},
	}
	for name, call := range transactions {
		for fault, c := range tests {
			t.Run(name+" "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					if c.deadline > 0 {
						ctx, cancel = context.WithTimeout(ctx, c.deadline)
						defer cancel()
					}
					engine := &script{faults: c.faults, seen: func(requests int) {
						if requests == c.cancelAt {
							cancel()
						}
					}}
					begun := time.Now()
					err := call(ctx, engine.client())
					if took := time.Since(begun); took > c.within {
						t.Errorf("took %s, want at most %s", took, c.within)
					}
					if c.ok && err != nil || !c.ok && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("got %v, want success: %t", err, c.ok)
					}
					if errors.Is(err, purchase.ErrVersionConflict) {
						t.Errorf("%v is of the record, which nobody has changed", err)
					}
					if engine.requests != c.requests && (c.deadline == 0 || engine.requests > c.requests) {
						t.Errorf("%d requests, want %d", engine.requests, c.requests)
					}
				})
			})
		}
	}
}

func repeated(fault storetest.Fault, times int) []storetest.Fault {
	faults := make([]storetest.Fault, times)
	for i := range faults {
		faults[i] = fault
	}
	return faults
}

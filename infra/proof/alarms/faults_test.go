//go:build proof

package alarms

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const (
	tokenLife = time.Hour
	// tokenLeft is left of a token that is due and still serves.
	tokenLeft = 10 * time.Minute
)

// fault is what goes wrong, and stays so.
type fault struct {
	name    string
	options options
	// begin makes it, in a stack with a fresh token; nil is none.
	begin func(*stack)
	// silent is where no alarm may go off.
	silent func(g2a.ExportAPI) bool
	// scheduled: the schedules alone notice it, however little traffic there is.
	scheduled bool
}

func always(g2a.ExportAPI) bool   { return true }
func onV1(api g2a.ExportAPI) bool { return api == g2a.ExportV1 }

var faults = []fault{
	{name: "nothing", silent: always},
	{name: "an order that fails for business", begin: func(s *stack) { s.order = dearOrder }, silent: always},
	{name: "a caller whose orders are invalid", begin: func(s *stack) { s.order = invalidOrder }, silent: always},
	{name: "G2A answers 503 to everything", begin: func(s *stack) { s.fault("*", 503) }, scheduled: true},
	{name: "G2A hangs", begin: g2aHangs, scheduled: true},
	{name: "DynamoDB is cut off", begin: func(s *stack) {
		s.ToStore.Strike(func(*proof.Request, proof.Moment) bool { return false })
	}, scheduled: true},
	{name: "WebhookFunction cannot start", options: options{broken: "webhook"}},
	{name: "OrderFunction cannot start", options: options{broken: "order"}},
	{name: "TokenRefreshFunction cannot start", options: options{broken: "token"}, silent: onV1, scheduled: true},
	{name: "HealthFunction cannot start", options: options{broken: "health"}, scheduled: true},
	{name: "G2A rejects the credentials", begin: func(s *stack) {
		s.ageToken(tokenLife - time.Minute) // to its end
		s.Simulator.SetCredentials(g2a.Credentials{Hash: g2a.NewSecret("another-hash"), Key: g2a.NewSecret("another-key")})
		s.fault("*", 401)
	}, scheduled: true},
	{name: "no funds", options: options{wallet: "0.01"}},
	{name: "webhooks cannot be stored", begin: func(s *stack) {
		s.ToStore.Strike(func(r *proof.Request, _ proof.Moment) bool { return !bytes.Contains(r.Body, []byte("NONCE#")) })
	}},
	{name: "the token is not replaced, the old one serves", begin: func(s *stack) {
		s.ageToken(tokenLife - tokenLeft)
		s.fault("GET /v1/token", 503)
	}, silent: onV1, scheduled: true},
}

// fault has a route of G2A answer with a status from now on.
func (s *stack) fault(route string, status int) {
	s.t.Helper()
	must(s.t, s.Simulator.AddFault(g2atest.Fault{Route: route, Mode: "status", Status: status, Count: 1_000_000}))
}

// g2aHangs has G2A take requests and never answer.
func g2aHangs(s *stack) {
	over, end := context.WithCancel(context.Background())
	s.t.Cleanup(end)
	s.ToG2A.Strike(func(r *proof.Request, _ proof.Moment) bool {
		select {
		case <-over.Done():
		case <-r.Context().Done():
		}
		return false
	})
}

// ageToken makes the stored token older, as time does that no test can wait for. It is for
// functions that remember no token: the instances of OrderFunction have bought nothing yet.
func (s *stack) ageToken(by time.Duration) {
	s.t.Helper()
	key := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "TOKEN#sandbox#" + account.Fingerprint()}, "sk": &types.AttributeValueMemberS{Value: "TOKEN"},
	}
	_, err := s.DynamoDB().UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("StateTable"), Key: key,
		UpdateExpression: aws.String("SET issued_at = :issued, token_expires_at = :ends"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":issued": unixSeconds(time.Now().Add(-by)), ":ends": unixSeconds(time.Now().Add(tokenLife - by)),
		},
	})
	must(s.t, err)
}

func unixSeconds(at time.Time) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(at.Unix(), 10)}
}

// record makes a fault in a stack of its own, and records two minutes of it: what happens
// at first, and what happens from then on.
func record(t *testing.T, f fault, api g2a.ExportAPI) []minute {
	t.Helper()
	f.options.api = api
	s := newStack(t, f.options)
	s.warmUp()
	if f.begin != nil {
		f.begin(s)
	}
	recorded := []minute{s.minute(), s.minute()}
	if len(recorded[1].scheduled) == 0 {
		t.Errorf("nothing was recorded of %s", f.name)
	}
	return recorded
}

//go:build proof

package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

var original = g2a.Credentials{Hash: g2a.NewSecret("hash-of-the-token-test"), Key: g2a.NewSecret("key-of-the-token-test")}

// stack is the local cloud of the real binaries, with a line to DynamoDB and one to G2A
// that count their requests.
type stack struct {
	*proof.Stack
	t        *testing.T
	dynamoDB *line
	market   *line
	ends     *lines // of instances, and what else the cloud says
	webhooks int    // delivered so far
}

// line counts the requests of a tap. While it is set, hold is called with each one
// first, and cuts the connection where it returns false.
type line struct {
	mu   sync.Mutex
	hold func(*http.Request) bool
	seen map[string]int // requests by X-Amz-Target, or method and path
}

func newLine(tap *proof.Tap) *line {
	l := &line{seen: map[string]int{}}
	tap.Strike(l.passes)
	return l
}

func (l *line) passes(r *proof.Request, m proof.Moment) bool {
	if m == proof.After {
		return true
	}
	name := r.Header.Get("X-Amz-Target")
	if name == "" {
		name = r.Method + " " + r.URL.Path
	}
	l.mu.Lock()
	l.seen[name]++
	hold := l.hold
	l.mu.Unlock()
	return hold == nil || hold(r.Request)
}

// set sets what holds requests up from now on; nil is nothing.
func (l *line) set(hold func(*http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = hold
}

// taken gives the requests seen since the last call of it.
func (l *line) taken() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.seen = map[string]int{} }()
	return l.seen
}

// lines collects what is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// stackTokenLife is longer than G2A's, so that the tests can turn times back by minutes.
const stackTokenLife = time.Hour

// onV2 has orders be bought through the Export API v2, which needs the access token.
func onV2(o *localcloud.Options) { o.Parameters = map[string]string{"G2AExportApi": "v2"} }

// newStack starts a stack on minidyn.
func newStack(t *testing.T, set func(*localcloud.Options)) *stack {
	t.Helper()
	return newStackOn(t, storetest.Minidyn(t), set)
}

func newStackOn(t *testing.T, endpoint string, set func(*localcloud.Options)) *stack {
	t.Helper()
	s := &stack{t: t, ends: &lines{}}
	s.Stack = proof.Start(t, proof.Options{
		Engine: endpoint, Credentials: original,
		Simulator: func(o *g2atest.Options) { o.TokenLife = stackTokenLife },
		Cloud: func(o *localcloud.Options) {
			o.Log = log.New(s.ends, "", 0)
			if set != nil {
				set(o)
			}
		},
	})
	s.dynamoDB, s.market = newLine(s.ToStore), newLine(s.ToG2A)
	return s
}

// answer is TokenRefreshFunction's, or its error.
type answer struct {
	Version   int64  `json:"version"`
	TTL       int64  `json:"ttl_seconds"`
	ErrorType string `json:"errorType"`
	Message   string `json:"errorMessage"`
}

// refresh calls TokenRefreshFunction under a trace; "" is a new one.
func (s *stack) refresh(trace string) answer {
	if trace == "" {
		trace = localcloudtest.TraceRoot()
	}
	result, err := s.Functions().Invoke(context.WithoutCancel(s.t.Context()), "TokenRefreshFunction", lambda.Invocation{Payload: []byte(`{}`), TraceID: "Root=" + trace})
	var a answer
	if err != nil || json.Unmarshal(result.Payload, &a) != nil {
		s.t.Errorf("TokenRefreshFunction: %s, %v", result.Payload, err)
	}
	return a
}

// refreshes calls it so many times at once.
func (s *stack) refreshes(n int) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = s.refresh("") })
	}
	wg.Wait()
	return answers
}

func (s *stack) issued(want int) {
	s.t.Helper()
	if issued := s.Simulator.Stats().TokensIssued; issued != want {
		s.t.Errorf("%d tokens issued, want %d", issued, want)
	}
}

func tokenKey(c g2a.Credentials) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "TOKEN#sandbox#" + c.Fingerprint()}, "sk": &types.AttributeValueMemberS{Value: "TOKEN"},
	}
}

// token gives the texts and numbers of an account's item.
func (s *stack) token(c g2a.Credentials) map[string]string {
	s.t.Helper()
	got, err := s.DynamoDB().GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: aws.String("StateTable"), Key: tokenKey(c), ConsistentRead: aws.Bool(true)})
	if err != nil {
		s.t.Fatal(err)
	}
	return localcloudtest.Texts(got.Item)
}

// turnBack makes times of the original account's item earlier, as time does that no
// test can wait for.
func (s *stack) turnBack(by time.Duration, names ...string) {
	s.t.Helper()
	item := s.token(original)
	for _, name := range names {
		at, err := strconv.ParseInt(item[name], 10, 64)
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		_, err = s.DynamoDB().UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("StateTable"), Key: tokenKey(original), UpdateExpression: aws.String("SET " + name + " = :at"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":at": &types.AttributeValueMemberN{Value: strconv.FormatInt(at-int64(by/time.Second), 10)}},
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// age makes the token older.
func (s *stack) age(by time.Duration) { s.turnBack(by, "issued_at", "token_expires_at") }

// metrics counts the lines of a function's log that have a metric.
func (s *stack) metrics(function, metric string) (lines int) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Logs(), function+".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var fields map[string]any
		if json.Unmarshal(line, &fields) == nil && fields[metric] != nil {
			lines++
		}
	}
	return lines
}

// setSecret puts other credentials into Secrets Manager, as a person does.
func (s *stack) setSecret(c g2a.Credentials) {
	s.t.Helper()
	value := fmt.Sprintf(`{"api_key":%q,"api_hash":%q}`, c.Key.Reveal(), c.Hash.Reveal())
	if _, err := s.SecretsManager().PutSecretValue(s.t.Context(), putSecret(value)); err != nil {
		s.t.Fatal(err)
	}
}

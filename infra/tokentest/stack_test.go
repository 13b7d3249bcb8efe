package tokentest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

	"github.com/g2a-lambda/g2a-lambda/infra/local/cloud"
	"github.com/g2a-lambda/g2a-lambda/infra/local/cloud/cloudtest"
	"github.com/g2a-lambda/g2a-lambda/infra/local/lambda"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/store/storetest"
)

const repository = "../.."

var original = g2a.Credentials{Hash: g2a.NewSecret("hash-of-the-token-test"), Key: g2a.NewSecret("key-of-the-token-test")}

// stack is the local cloud of the real binaries, with a tap on the lines to DynamoDB and
// to G2A.
type stack struct {
	*cloud.Cloud
	t        *testing.T
	g2a      *g2atest.Simulator
	dynamoDB *tap
	market   *tap
	logs     string
	ends     *lines // of instances, and what else the cloud says
}

// tap is a line to a server. All requests pass it; while it is set, hold is called with
// each one first, and cuts the connection where it gives false.
type tap struct {
	server http.Handler

	mu   sync.Mutex
	hold func(*http.Request) bool
	seen map[string]int // requests by X-Amz-Target, or method and path
}

func (l *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // only then is it noticed when the client has gone
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := r.Header.Get("X-Amz-Target")
	if name == "" {
		name = r.Method + " " + r.URL.Path
	}
	l.mu.Lock()
	l.seen[name]++
	hold := l.hold
	l.mu.Unlock()
	if hold != nil && !hold(r) {
		panic(http.ErrAbortHandler)
	}
	l.server.ServeHTTP(w, r)
}

// set sets what holds requests up from now on; nil is nothing.
func (l *tap) set(hold func(*http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = hold
}

// taken gives the requests seen since the last call of it.
func (l *tap) taken() map[string]int {
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

// newStack starts a stack on minidyn.
func newStack(t *testing.T, set func(*cloud.Options)) *stack {
	t.Helper()
	return newStackOn(t, storetest.Minidyn(t), set)
}

func newStackOn(t *testing.T, endpoint string, set func(*cloud.Options)) *stack {
	t.Helper()
	engine, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		t: t, ends: &lines{}, market: &tap{seen: map[string]int{}},
		dynamoDB: &tap{seen: map[string]int{}, server: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(engine) }, Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		}},
	}
	dynamoDB := httptest.NewServer(s.dynamoDB)
	t.Cleanup(dynamoDB.Close)
	root := cloudtest.Root(t, repository)
	s.logs = filepath.Join(root, ".local", "logs")
	options := cloud.Options{
		Root: root, Credentials: original, Concurrency: 8, DynamoDBEndpoint: dynamoDB.URL, Log: log.New(s.ends, "", 0),
		G2A: func(o g2atest.Options) (http.Handler, error) {
			var err error
			s.g2a, err = g2atest.New(o)
			s.market.server = s.g2a
			return s.market, err
		},
	}
	if set != nil {
		set(&options)
	}
	if s.Cloud, err = cloud.Start(t.Context(), options); err != nil {
		t.Fatalf("starting the local cloud (make build makes the binaries): %v", err)
	}
	t.Cleanup(s.Close)
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
		trace = cloudtest.TraceRoot()
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
	if issued := s.g2a.Stats().TokensIssued; issued != want {
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
	return cloudtest.Texts(got.Item)
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
	text, err := os.ReadFile(filepath.Join(s.logs, function+".log"))
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

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/functions/internal/gateway"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	root      = "1-5759e988-bd862e3fe1be46a994272793"
	timestamp = "1764000000000"
	nonce     = "nonce-0000000000000001"
	completed = `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`
	// signature is the one of completed with nonce at timestamp under hash: worked out
	// apart from this program.
	signature = "cf7e47aeb0b9e169b2d6602cba2cd6384e904bd655ed8f2ad92e6a631ba3ceb0"
)

var (
	hash    = g2a.NewSecret("test-hash-0123456789")
	oldHash = g2a.NewSecret("old-hash-0123456789")
	newHash = g2a.NewSecret("new-hash-0123456789")

	now = time.UnixMilli(1764000000000)
)

// hashes is a hashSource that counts.
type hashes struct {
	known, fresh         []g2a.Secret
	err, freshErr        error
	asked, askedForFresh int
}

func (h *hashes) Hashes(context.Context) ([]g2a.Secret, error) {
	h.asked++
	return h.known, h.err
}

func (h *hashes) RefreshedHashes(context.Context) ([]g2a.Secret, error) {
	h.askedForFresh++
	if h.fresh == nil {
		return h.known, h.freshErr
	}
	return h.fresh, h.freshErr
}

// memory is an inbox.Store with the rules of the real one.
type memory struct {
	mu     sync.Mutex
	nonces map[string]string         // the key of what was delivered with it
	events map[string]inbox.Delivery // by the record's key
	orders map[string]inbox.Delivery // the last one that raised the order's status

	touched int
	// before, where there is one, is called before each write and may let it fail.
	before func(ctx context.Context) error
}

func newMemory() *memory {
	return &memory{nonces: map[string]string{}, events: map[string]inbox.Delivery{}, orders: map[string]inbox.Delivery{}}
}

func (m *memory) Apply(ctx context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return m.write(ctx, d, true)
}

func (m *memory) Record(ctx context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return m.write(ctx, d, false)
}

func (m *memory) write(ctx context.Context, d inbox.Delivery, raises bool) (inbox.Found, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touched++
	if m.before != nil {
		if err := m.before(ctx); err != nil {
			return inbox.Found{}, false, err
		}
	}
	order, known := m.orders[d.Event.OrderID]
	found := inbox.Found{NonceKey: m.nonces[d.Event.Nonce]}
	if was, known := m.events[d.RecordKey()]; known {
		found.Event, found.Recorded = true, was.Event.Status
	}
	behind := raises && known && order.Rank >= d.Rank
	if behind {
		found.Status = order.Event.Status
	}
	if found.NonceKey != "" || found.Event || behind {
		return found, false, nil
	}
	m.nonces[d.Event.Nonce] = d.ContentKey()
	m.events[d.RecordKey()] = d
	if raises {
		m.orders[d.Event.OrderID] = d
	}
	return inbox.Found{}, true, nil
}

// fixture is the function, from its gateway to a store in memory.
type fixture struct {
	gateway      gateway.Handler
	hashes       *hashes
	store        *memory
	log, metrics bytes.Buffer
	secrets      []string // what may stand in neither of the two
}

func newFixture() *fixture {
	f := &fixture{hashes: &hashes{known: []g2a.Secret{hash}}, store: newMemory()}
	log, metrics := telemetry.NewLogger(&f.log), telemetry.Metrics{Writer: &f.metrics, Clock: func() time.Time { return now }}
	f.gateway = newGateway(newHandler(endpoint{
		hashes:  f.hashes,
		inbox:   &inbox.Inbox{Store: f.store, Clock: func() time.Time { return now }},
		clock:   func() time.Time { return now },
		log:     log,
		metrics: metrics,
	}), log, metrics)
	for _, secret := range []g2a.Secret{hash, oldHash, newHash} {
		f.secrets = append(f.secrets, secret.Reveal())
	}
	return f
}

// delivery is one webhook. What is empty is as it should be.
type delivery struct {
	body, timestamp, nonce string
	signedBy               g2a.Secret
	signature              string            // in place of the right one
	headers                map[string]string // further ones; "" takes one away
	base64                 bool
}

func (d delivery) complete() delivery {
	for field, fallback := range map[*string]string{&d.body: completed, &d.timestamp: timestamp, &d.nonce: nonce} {
		if *field == "" {
			*field = fallback
		}
	}
	if d.signedBy.IsZero() {
		d.signedBy = hash
	}
	if d.signature == "" {
		d.signature = g2a.SignWebhook(d.signedBy, []byte(d.body), d.timestamp, d.nonce).Reveal()
	}
	return d
}

// event is what API Gateway makes of the delivery, payload format 2.0.
func (d delivery) event(t testing.TB) []byte {
	t.Helper()
	d = d.complete()
	headers := map[string]string{
		"content-length": fmt.Sprint(len(d.body)), "content-type": "application/json", "host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		"user-agent": "G2A/1.0", "x-amzn-trace-id": "Root=" + root, "x-forwarded-for": "192.0.2.7", "x-forwarded-port": "443", "x-forwarded-proto": "https",
		"x-g2a-signature": d.signature, "x-g2a-timestamp": d.timestamp, "x-g2a-nonce": d.nonce,
	}
	maps.Copy(headers, d.headers)
	maps.DeleteFunc(headers, func(_, value string) bool { return value == "" })
	body := d.body
	if d.base64 {
		body = base64.StdEncoding.EncodeToString([]byte(body))
	}
	return event(t, "POST", "/webhooks/g2a", headers, body, d.base64)
}

func event(t testing.TB, method, path string, headers map[string]string, body string, isBase64 bool) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": method + " " + path, "rawPath": path, "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "domainPrefix": "a1b2c3d4e5",
			"http":      map[string]any{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "G2A/1.0"},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": method + " " + path, "stage": "$default", "time": "24/Nov/2025:16:00:00 +0000", "timeEpoch": 1764000000000,
		},
		"body": body, "isBase64Encoded": isBase64,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// send invokes the function with an event, as aws-lambda-go does.
func (f *fixture) send(ctx context.Context, t *testing.T, event []byte) events.APIGatewayV2HTTPResponse {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	ctx = context.WithValue(ctx, "x-amzn-trace-id", "Root="+root+";Parent=53995c3f42cd8ad8;Sampled=1")
	output, err := lambda.NewHandler(f.gateway).Invoke(ctx, event)
	if err != nil {
		t.Fatalf("the invocation fails: %v", err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(output, &response); err != nil {
		t.Fatalf("not a response: %s", output)
	}
	return response
}

// deliver is send for a delivery. It also checks what was told about it, and both against
// the contract.
func (f *fixture) deliver(t *testing.T, d delivery) events.APIGatewayV2HTTPResponse {
	t.Helper()
	d = d.complete()
	f.secrets = append(f.secrets, d.signature, d.nonce, strings.Trim(d.body, " "))
	response := f.send(t.Context(), t, d.event(t))
	f.checkTold(t)
	checkContract(t, d, response)
	return response
}

// checkContract holds an answer against contracts/service.openapi.yaml. What is taken must
// be a request that stands there, and what is refused as malformed must not, but for what
// a schema cannot say.
func checkContract(t *testing.T, d delivery, response events.APIGatewayV2HTTPResponse) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/webhooks/g2a", http.NoBody)
	header := http.Header{}
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	if err := contracttest.Service().CheckAnswer(request, response.StatusCode, header, []byte(response.Body)); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", g2a.HeaderSignature: d.signature, g2a.HeaderTimestamp: d.timestamp, g2a.HeaderNonce: d.nonce,
	} {
		request.Header.Set(name, value)
	}
	err := contracttest.Service().CheckRequest(request, []byte(d.body))
	switch {
	case response.StatusCode == http.StatusOK && err != nil:
		t.Errorf("taken, and not in the contract: %v", err)
	case response.StatusCode == http.StatusBadRequest && err == nil && !strings.Contains(response.Body, "two fields of one name"):
		t.Errorf("refused with %s, and it is in the contract", response.Body)
	}
}

// checkTold checks that all that is told is JSON, has a correlation id and tells no
// secret.
func (f *fixture) checkTold(t *testing.T) {
	t.Helper()
	for _, line := range objects(t, f.log.String()) {
		if line["correlation_id"] != root {
			t.Errorf("a line without its correlation id: %v", line)
		}
	}
	objects(t, f.metrics.String())
	for _, secret := range f.secrets {
		if len(secret) >= 8 && strings.Contains(f.log.String()+f.metrics.String(), secret) {
			t.Errorf("%q is told: %s%s", secret, f.log.String(), f.metrics.String())
		}
	}
}

// objects reads a JSON object a line.
func objects(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("not a JSON object: %q", line)
		}
		lines = append(lines, fields)
	}
	return lines
}

// counted gives the last metric's line, less its frame: {"WebhookRejected":1,"reason":"..."}.
func (f *fixture) counted(t *testing.T) map[string]any {
	t.Helper()
	lines := objects(t, f.metrics.String())
	if len(lines) == 0 {
		return nil
	}
	last := lines[len(lines)-1]
	delete(last, "_aws")
	return last
}

// lastLine gives the log's last line.
func (f *fixture) lastLine(t *testing.T) map[string]any {
	t.Helper()
	lines := objects(t, f.log.String())
	if len(lines) == 0 {
		return nil
	}
	return lines[len(lines)-1]
}

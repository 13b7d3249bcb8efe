package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	scheduled = `{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`
	request   = `{"version":"2.0","routeKey":"GET /health","rawPath":"/health","requestContext":{"domainName":"x","http":{"method":"GET","path":"/health"}}}`
	root      = "1-5759e988-bd862e3fe1be46a994272793"
	access    = "eyJ-an-access-token"
)

var errRefused = errors.New("dial tcp 10.1.2.3:443: connection refused")

// world is what the instances of the function share: the dependencies, and the last
// report. Tests run in a synctest bubble, whose time stands still unless all wait.
type world struct {
	pingStore func(ctx context.Context) error
	loadToken func(ctx context.Context) (g2a.Token, error)
	askG2A    func(ctx context.Context) error
	// needsToken: orders are bought with the access token.
	needsToken bool
	probes     atomic.Int64 // each asks every dependency once

	records table
}

func newWorld() *world {
	return &world{
		pingStore: func(context.Context) error { return nil },
		loadToken: hourToken,
		askG2A:    func(context.Context) error { return nil },

		needsToken: true,
	}
}

func hourToken(context.Context) (g2a.Token, error) {
	return g2a.Token{Access: g2a.NewSecret(access), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Version: 1}, nil
}

// table is the records of all instances, with the rules of a store.Health.
type table struct {
	mu   sync.Mutex
	kept store.HealthRecord

	load, take, save func(ctx context.Context) error // what goes wrong; nil is nothing
	saves            int
}

func trouble(ctx context.Context, of func(context.Context) error) error {
	if of == nil {
		return nil
	}
	return of(ctx)
}

func (r *table) Load(ctx context.Context) (store.HealthRecord, error) {
	if err := trouble(ctx, r.load); err != nil {
		return store.HealthRecord{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept, nil
}

func (r *table) TakeTurn(ctx context.Context, seen store.HealthRecord, turn store.HealthTurn) (bool, error) {
	if err := trouble(ctx, r.take); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !seen.CheckedAt.Equal(r.kept.CheckedAt) || seen.Turn != r.kept.Turn {
		return false, nil
	}
	r.kept.Turn = turn
	return true, nil
}

func (r *table) Save(ctx context.Context, record store.HealthRecord) error {
	if err := trouble(ctx, r.save); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = record
	r.saves++
	return nil
}

// instance is one process of the function.
type instance struct {
	handler
	log, metrics bytes.Buffer
}

func (w *world) instance(owner string) *instance {
	i := &instance{}
	log := telemetry.NewLogger(&i.log)
	i.handler = newHandler(&reporter{
		prober: prober{
			needsToken: w.needsToken,
			pingStore:  func(ctx context.Context) error { w.probes.Add(1); return w.pingStore(ctx) },
			loadToken:  func(ctx context.Context) (g2a.Token, error) { return w.loadToken(ctx) },
			askG2A:     func(ctx context.Context) error { return w.askG2A(ctx) },
			clock:      time.Now,
		},
		records: &w.records, owner: owner, log: log,
	}, log, telemetry.Metrics{Writer: &i.metrics, Clock: time.Now})
	return i
}

// invoke calls the function as aws-lambda-go does.
func (i *instance) invoke(t *testing.T, payload string) ([]byte, error) {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	return lambda.NewHandler(i.handler).Invoke(context.WithValue(t.Context(), "x-amzn-trace-id", "Root="+root), []byte(payload))
}

// answered is the answer to GET /health.
type answered struct {
	status int
	body   map[string]any
}

// get has an instance answer GET /health.
func (i *instance) get(t *testing.T) answered {
	t.Helper()
	output, err := i.invoke(t, request)
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(output, &response); err != nil {
		t.Fatal(err)
	}
	if response.Headers["Content-Type"] != "application/json" || response.Headers["Cache-Control"] != "no-store" || response.IsBase64Encoded {
		t.Errorf("headers %v", response.Headers)
	}
	return answered{response.StatusCode, object(t, []byte(response.Body))}
}

// probe has an instance answer its schedule.
func (i *instance) probe(t *testing.T) map[string]any {
	t.Helper()
	output, err := i.invoke(t, scheduled)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, output)
}

func object(t *testing.T, text []byte) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("not one JSON object: %q", text)
	}
	return fields
}

// lines reads a JSON object a line.
func lines(t *testing.T, text []byte) (all []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(text) {
		all = append(all, object(t, line))
	}
	return all
}

// failingOf returns the dependencies that a report says are failing.
func failingOf(report map[string]any) (names []string) {
	checks, _ := report["dependencies"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if check, _ := checks[name].(map[string]any); check["status"] != "ok" {
			names = append(names, name)
		}
	}
	return names
}

func (w *world) wantProbes(t *testing.T, step string, want int64) {
	t.Helper()
	if got := w.probes.Load(); got != want {
		t.Errorf("%s: %d probes so far, want %d", step, got, want)
	}
}

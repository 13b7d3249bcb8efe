package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// TestTokenThatNobodyNeeds: orders of the Export API v1 are bought without one.
func TestTokenThatNobodyNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.needsToken = false
		w.loadToken = func(context.Context) (g2a.Token, error) { return g2a.Token{}, nil }
		got := w.instance("a").get(t)
		token := got.body["dependencies"].(map[string]any)["token"].(map[string]any)
		if got.status != 200 || got.body["status"] != "ok" || token["status"] != "unused" {
			t.Errorf("answer %d %v", got.status, got.body)
		}
		w.pingStore = func(context.Context) error { return errors.New("no store") }
		time.Sleep(maxAge)
		if got := w.instance("b").get(t); got.status != 503 {
			t.Errorf("without a store: answer %d %v", got.status, got.body)
		}
	})
}

func TestHealth(t *testing.T) {
	// What hangs here heeds no context.
	hangs := func(over <-chan struct{}) error { <-over; return nil }
	refuses := func(<-chan struct{}) error { return errRefused }
	slow := func(<-chan struct{}) error { time.Sleep(700 * time.Millisecond); return nil }
	late := func(<-chan struct{}) error { time.Sleep(800*time.Millisecond + time.Nanosecond); return nil }
	tests := []struct {
		name              string
		store, token, g2a func(over <-chan struct{}) error // nil: all is well
		failing           []string
		took              time.Duration
		ttl               float64
	}{
		{name: "all well", ttl: 3600},
		{name: "no store", store: refuses, failing: []string{"store"}, ttl: 3600},
		{name: "no token", token: refuses, failing: []string{"token"}},
		{name: "no G2A", g2a: refuses, failing: []string{"g2a"}, ttl: 3600},
		{name: "nothing", store: refuses, token: refuses, g2a: refuses, failing: []string{"g2a", "store", "token"}},
		{name: "store hangs", store: hangs, failing: []string{"store"}, took: 800 * time.Millisecond, ttl: 3599}, // whole seconds
		{name: "token hangs", token: hangs, failing: []string{"token"}, took: 800 * time.Millisecond},
		{name: "token too late", token: late, failing: []string{"token"}, took: 800 * time.Millisecond},
		{name: "G2A hangs", g2a: hangs, failing: []string{"g2a"}, took: 800 * time.Millisecond, ttl: 3599},
		{name: "all hang", store: hangs, token: hangs, g2a: hangs, failing: []string{"g2a", "store", "token"}, took: 800 * time.Millisecond},
		{name: "all slow, at once", store: slow, token: slow, g2a: slow, took: 700 * time.Millisecond, ttl: 3600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				w := newWorld()
				if tt.store != nil {
					w.pingStore = func(context.Context) error { return tt.store(over) }
				}
				if tt.g2a != nil {
					w.askG2A = func(context.Context) error { return tt.g2a(over) }
				}
				if tt.token != nil {
					w.loadToken = func(ctx context.Context) (g2a.Token, error) {
						err := tt.token(over)
						token, _ := hourToken(ctx) // comes with an error, too
						return token, err
					}
				}
				i, began := w.instance("a"), time.Now()
				got := i.get(t)
				if took := time.Since(began); took != tt.took {
					t.Errorf("the answer took %v, want %v", took, tt.took)
				}
				wantStatus, want := 200, "ok"
				if tt.failing != nil {
					wantStatus, want = 503, "failing"
				}
				if got.status != wantStatus || got.body["status"] != want || !slices.Equal(failingOf(got.body), tt.failing) || got.body["token_ttl_seconds"] != tt.ttl {
					t.Errorf("answer %d %v, want %d, failing %v and a TTL of %v", got.status, got.body, wantStatus, tt.failing, tt.ttl)
				}
				i.checkLog(t, tt.failing)
				time.Sleep(time.Second) // what comes too late comes now
			})
		})
	}
}

// checkLog checks the log of one probe: why each dependency fails, and the result.
func (i *instance) checkLog(t *testing.T, failing []string) {
	t.Helper()
	var told []string
	for _, line := range lines(t, i.log.Bytes()) {
		if line["correlation_id"] != root {
			t.Errorf("no correlation id: %v", line)
		}
		if line["level"] == "ERROR" && line["error"] != "" {
			told = append(told, line["dependency"].(string))
		}
	}
	if !slices.Equal(told, failing) {
		t.Errorf("logged as failing: %v, want %v\n%s", told, failing, i.log.String())
	}
}

// TestShape: the answer to the outside says what and how long, and not why.
func TestShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.pingStore = func(context.Context) error { time.Sleep(30 * time.Millisecond); return errRefused }
		w.loadToken = func(ctx context.Context) (g2a.Token, error) {
			token, err := hourToken(ctx)
			time.Sleep(20 * time.Millisecond)
			return token, err
		}
		w.askG2A = func(context.Context) error {
			time.Sleep(40 * time.Millisecond)
			return &g2a.Error{Method: "GET", Route: "/products", Kind: g2a.ErrUnavailable, Status: 503, Message: "maintenance"}
		}
		i, began := w.instance("a"), float64(time.Now().Unix())
		got := i.get(t)
		want := map[string]any{
			"status": "failing", "checked_at": began, "age_seconds": 0.0, "version": "unknown", "token_ttl_seconds": 3599.0,
			"dependencies": map[string]any{
				"store": map[string]any{"status": "failing", "latency_ms": 30.0},
				"token": map[string]any{"status": "ok", "latency_ms": 20.0},
				"g2a":   map[string]any{"status": "failing", "latency_ms": 40.0},
			},
		}
		if !reflect.DeepEqual(got.body, want) {
			t.Errorf("body %v\nwant %v", got.body, want)
		}
		text, err := json.Marshal(got.body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "refused") || strings.Contains(string(text), "maintenance") || strings.Contains(string(text)+i.log.String(), access) {
			t.Errorf("too much is told: %s\n%s", text, i.log.String())
		}
		for _, why := range []string{errRefused.Error(), "HTTP 503", "maintenance"} {
			if !strings.Contains(i.log.String(), why) {
				t.Errorf("the log does not say %q: %s", why, i.log.String())
			}
		}
		if stored := w.records.kept.Report; strings.Contains(stored, "refused") || strings.Contains(stored, "maintenance") || strings.Contains(stored, access) {
			t.Errorf("too much is stored: %s", stored)
		}
	})
}

// TestSchedule gets a report, not an HTTP answer, and alone emits metrics.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.pingStore = func(context.Context) error { return errRefused }
		i := w.instance("a")
		i.get(t)
		time.Sleep(maxAge)
		i.get(t)
		if i.metrics.Len() != 0 {
			t.Errorf("GET /health emits metrics: %s", i.metrics.String())
		}
		report := i.probe(t)
		if report["status"] != "failing" || !slices.Equal(failingOf(report), []string{"store"}) || report["age_seconds"] != 0.0 {
			t.Errorf("report %v", report)
		}
		if want := (store.HealthTurn{Owner: "a", At: time.Now()}); w.records.kept.Turn != want {
			t.Errorf("stored as made in the turn %v, want %v", w.records.kept.Turn, want)
		}
		healthy, ttl := map[string]any{}, any(nil)
		for _, line := range lines(t, i.metrics.Bytes()) {
			if name, found := line["dependency"].(string); found {
				healthy[name] = line["Healthy"]
				if _, measured := line["HealthLatency"].(float64); !measured {
					t.Errorf("no latency: %v", line)
				}
			} else {
				ttl = line["TokenTTL"]
			}
		}
		if want := map[string]any{"store": 0.0, "token": 1.0, "g2a": 1.0}; !maps.Equal(healthy, want) || ttl != 3600.0 {
			t.Errorf("metrics %s, want %v and the token's TTL", i.metrics.String(), want)
		}
	})
}

// TestProbesAreCancelled: a probe that heeds its context ends with its time.
func TestProbesAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ended := newWorld(), make(chan error, 1)
		w.askG2A = func(ctx context.Context) error { <-ctx.Done(); ended <- ctx.Err(); return ctx.Err() }
		w.instance("a").get(t)
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the probe ended with %v", err)
		}
	})
}

// TestEvents: each kind of event goes to its own handler, whatever is wrong with it.
func TestEvents(t *testing.T) {
	replaced := func(old, replacement string) string { return strings.Replace(request, old, replacement, 1) }
	tests := []struct {
		name, payload string
		failure       string // error name
		status        int    // of an HTTP answer; 0 is a report
		probes        int64
	}{
		{name: "request", payload: request, status: 200, probes: 1},
		{name: "named stage", payload: replaced(`"rawPath":"/health"`, `"rawPath":"/prod/health"`), status: 200, probes: 1},
		{name: "mapping", payload: replaced(`"rawPath":"/health"`, `"rawPath":"/shop/health"`), status: 200, probes: 1},
		{name: "no route key", payload: replaced(`"routeKey":"GET /health",`, ``), status: 200, probes: 1},
		{name: "another route", payload: replaced(`"routeKey":"GET /health","rawPath":"/health"`, `"routeKey":"GET /x","rawPath":"/x"`), status: 404},
		{name: "schedule", payload: scheduled, probes: 1},
		{name: "by hand", payload: `{}`, probes: 1},
		{name: "malformed request", payload: replaced(`"version":"2.0"`, `"headers":[]`), failure: "InvalidEvent"},
		{name: "request of a REST API", payload: `{"httpMethod":"GET","path":"/health","requestContext":{"httpMethod":"GET"}}`, failure: "InvalidEvent"},
		{name: "nothing", payload: ``, failure: "InvalidEvent"},
		{name: "null", payload: `null`, failure: "InvalidEvent"},
		{name: "list", payload: `[]`, failure: "InvalidEvent"},
		{name: "string", payload: `"x"`, failure: "InvalidEvent"},
		{name: "number", payload: `7`, failure: "InvalidEvent"},
		{name: "cut short", payload: `{`, failure: "InvalidEvent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			i := w.instance("a")
			output, err := i.invoke(t, tt.payload)
			w.wantProbes(t, tt.name, tt.probes)
			if tt.failure != "" {
				if failure, named := err.(messages.InvokeResponse_Error); output != nil || !named || failure.Type != tt.failure { // as aws-lambda-go looks at it
					t.Errorf("got %s, %#v; want %s", output, err, tt.failure)
				}
				if told := lines(t, i.log.Bytes()); len(told) != 1 || told[0]["level"] != "ERROR" || told[0]["error_name"] != tt.failure {
					t.Errorf("logged %v", told)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var response events.APIGatewayV2HTTPResponse
			if err := json.Unmarshal(output, &response); err != nil || response.StatusCode != tt.status {
				t.Errorf("answer %s, want status %d", output, tt.status)
			}
			if (i.metrics.Len() != 0) == (tt.status == 200) {
				t.Errorf("metrics %s", i.metrics.String())
			}
		})
	}
}

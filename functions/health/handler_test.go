package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	schedule = `{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`
	request  = `{"version":"2.0","routeKey":"GET /health","rawPath":"/health","requestContext":{"http":{"method":"GET","path":"/health"}}}`
	root     = "1-5759e988-bd862e3fe1be46a994272793"
	access   = "eyJ-an-access-token"
)

var errRefused = errors.New("dial tcp 10.1.2.3:443: connection refused")

// source is a g2a.TokenSource of one function.
type source func(ctx context.Context) (g2a.Token, error)

func (s source) Token(ctx context.Context) (g2a.Token, error) { return s(ctx) }

// fixture is a handler in a synctest bubble, whose time stands still unless all wait.
type fixture struct {
	*handler
	log, metrics         bytes.Buffer
	tokenAsks, storeAsks atomic.Int64
	token                func(ctx context.Context) (g2a.Token, error)
	store                func(ctx context.Context) error
}

func hourToken(context.Context) (g2a.Token, error) {
	return g2a.Token{Access: g2a.NewSecret(access), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Version: 1}, nil
}

func newFixture() *fixture {
	f := &fixture{token: hourToken, store: func(context.Context) error { return nil }}
	f.handler = newHandler(prober{
		tokens:    source(func(ctx context.Context) (g2a.Token, error) { f.tokenAsks.Add(1); return f.token(ctx) }),
		pingStore: func(ctx context.Context) error { f.storeAsks.Add(1); return f.store(ctx) },
		clock:     time.Now,
	}, telemetry.NewLogger(&f.log), telemetry.Metrics{Writer: &f.metrics, Clock: time.Now})
	return f
}

// ask invokes the handler as aws-lambda-go does.
func (f *fixture) ask(t *testing.T, payload string) []byte {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	ctx := context.WithValue(t.Context(), "x-amzn-trace-id", "Root="+root)
	output, err := lambda.NewHandler(f.handler).Invoke(ctx, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// get is ask for GET /health.
func (f *fixture) get(t *testing.T) (status int, body map[string]any) {
	t.Helper()
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(f.ask(t, request), &response); err != nil {
		t.Fatal(err)
	}
	if response.Headers["Content-Type"] != "application/json" || response.Headers["Cache-Control"] != "no-store" || response.IsBase64Encoded {
		t.Errorf("headers %v", response.Headers)
	}
	return response.StatusCode, object(t, []byte(response.Body))
}

func object(t *testing.T, text []byte) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("not one JSON object: %q", text)
	}
	return fields
}

func statusOf(report map[string]any, dependency string) any {
	dependencies, _ := report["dependencies"].(map[string]any)
	check, _ := dependencies[dependency].(map[string]any)
	return check["status"]
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestHealth(t *testing.T) {
	// Whatever hangs here does so until the test is over, and heeds no context.
	tests := []struct {
		name    string
		token   func(over <-chan struct{}) (g2a.Token, error)
		store   func(over <-chan struct{}) error
		status  int
		tokenIs string
		storeIs string
		took    time.Duration
		ttl     float64
	}{
		{name: "all well", status: 200, tokenIs: "ok", storeIs: "ok", ttl: 3600},
		{
			name: "no token", status: 503, tokenIs: "failing", storeIs: "ok", // whatever comes with the error
			token: func(<-chan struct{}) (g2a.Token, error) {
				return g2a.Token{ExpiresAt: time.Now().Add(time.Hour)}, errRefused
			},
		},
		{
			name: "no store", status: 503, tokenIs: "ok", storeIs: "failing", ttl: 3600,
			store: func(<-chan struct{}) error { return errRefused },
		},
		{
			name: "nothing", status: 503, tokenIs: "failing", storeIs: "failing",
			token: func(<-chan struct{}) (g2a.Token, error) { return g2a.Token{}, errRefused },
			store: func(<-chan struct{}) error { return errRefused },
		},
		{
			name: "token hangs", status: 503, tokenIs: "failing", storeIs: "ok", took: 800 * time.Millisecond,
			token: func(over <-chan struct{}) (g2a.Token, error) { <-over; return hourToken(context.Background()) },
		},
		{
			name: "store hangs", status: 503, tokenIs: "ok", storeIs: "failing", took: 800 * time.Millisecond, ttl: 3599, // whole seconds
			store: func(over <-chan struct{}) error { <-over; return nil },
		},
		{
			name: "both hang", status: 503, tokenIs: "failing", storeIs: "failing", took: 800 * time.Millisecond,
			token: func(over <-chan struct{}) (g2a.Token, error) { <-over; return hourToken(context.Background()) },
			store: func(over <-chan struct{}) error { <-over; return nil },
		},
		{
			name: "both slow, at once", status: 200, tokenIs: "ok", storeIs: "ok", took: 700 * time.Millisecond, ttl: 3600,
			token: func(<-chan struct{}) (g2a.Token, error) {
				time.Sleep(700 * time.Millisecond)
				return hourToken(context.Background())
			},
			store: func(<-chan struct{}) error { time.Sleep(700 * time.Millisecond); return nil },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				f := newFixture()
				if tt.token != nil {
					f.token = func(context.Context) (g2a.Token, error) { return tt.token(over) }
				}
				if tt.store != nil {
					f.store = func(context.Context) error { return tt.store(over) }
				}
				asked := time.Now()
				status, report := f.get(t)
				if took := time.Since(asked); took != tt.took {
					t.Errorf("the answer took %v, want %v", took, tt.took)
				}
				if status != tt.status {
					t.Errorf("HTTP status %d, want %d", status, tt.status)
				}
				want := map[int]string{200: "ok", 503: "failing"}[tt.status]
				if report["status"] != want || statusOf(report, "token") != tt.tokenIs || statusOf(report, "store") != tt.storeIs {
					t.Errorf("report %v", report)
				}
				if report["token_ttl_seconds"] != tt.ttl {
					t.Errorf("TTL %v, want %v", report["token_ttl_seconds"], tt.ttl)
				}
				f.checkTold(t, tt.tokenIs, tt.storeIs, tt.ttl)
			})
		})
	}
}

// checkTold checks the log and the metrics of one probe.
func (f *fixture) checkTold(t *testing.T, tokenIs, storeIs string, ttl float64) {
	t.Helper()
	failing := map[string]bool{}
	for line := range bytes.Lines(f.log.Bytes()) {
		fields := object(t, line)
		if fields["correlation_id"] != root {
			t.Errorf("no correlation id: %v", fields)
		}
		if fields["level"] == "ERROR" {
			failing[fields["dependency"].(string)] = fields["error"] != ""
		}
	}
	if failing["token"] != (tokenIs == "failing") || failing["store"] != (storeIs == "failing") {
		t.Errorf("logged %s", f.log.String())
	}
	healthy, ttlTold := map[string]any{}, any(nil)
	for line := range bytes.Lines(f.metrics.Bytes()) {
		fields := object(t, line)
		if dependency, found := fields["dependency"].(string); found {
			healthy[dependency] = fields["Healthy"]
			if _, measured := fields["HealthLatency"].(float64); !measured {
				t.Errorf("no latency: %v", fields)
			}
		} else {
			ttlTold = fields["TokenTTL"]
		}
	}
	number := map[string]float64{"ok": 1, "failing": 0}
	if healthy["token"] != number[tokenIs] || healthy["store"] != number[storeIs] || ttlTold != ttl {
		t.Errorf("metrics %s", f.metrics.String())
	}
}

// TestShape: the answer to the outside says what and how long, and not why.
func TestShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.store = func(context.Context) error { time.Sleep(30 * time.Millisecond); return errRefused }
		f.token = func(ctx context.Context) (g2a.Token, error) { time.Sleep(20 * time.Millisecond); return hourToken(ctx) }
		began := time.Now().Unix()
		_, report := f.get(t)
		if got, want := keys(report), []string{"checked_at", "dependencies", "status", "token_ttl_seconds"}; !slices.Equal(got, want) {
			t.Errorf("fields %v, want %v", got, want)
		}
		dependencies := report["dependencies"].(map[string]any)
		if got, want := keys(dependencies), []string{"store", "token"}; !slices.Equal(got, want) {
			t.Errorf("dependencies %v, want %v", got, want)
		}
		for name, latency := range map[string]float64{"store": 30, "token": 20} {
			check := dependencies[name].(map[string]any)
			if got, want := keys(check), []string{"latency_ms", "status"}; !slices.Equal(got, want) || check["latency_ms"] != latency {
				t.Errorf("%s: %v, want %v and %v ms", name, check, want, latency)
			}
		}
		if report["checked_at"] != float64(began) {
			t.Errorf("checked at %v, want %v", report["checked_at"], began)
		}
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "refused") || strings.Contains(string(text)+f.log.String()+f.metrics.String(), access) {
			t.Errorf("too much is told: %s\n%s", text, f.log.String())
		}
		if !strings.Contains(f.log.String(), errRefused.Error()) {
			t.Errorf("the log does not say why: %s", f.log.String())
		}
	})
}

// TestAge: GET /health answers from a report of at most 10 s, the schedule makes a new one.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		steps := []struct {
			name    string
			wait    time.Duration
			payload string
			probes  int64 // so far
		}{
			{"first request", 0, request, 1},
			{"at once", 0, request, 1},
			{"9.999 s old", 9999 * time.Millisecond, request, 1},
			{"10 s old", time.Millisecond, request, 2},
			{"young again", 5 * time.Second, request, 2},
			{"schedule", 0, schedule, 3},
			{"schedule again, at once", 0, schedule, 4},
			{"request soon after the schedule", 9 * time.Second, request, 4},
			{"and not soon", time.Second, request, 5},
		}
		for _, step := range steps {
			time.Sleep(step.wait)
			f.ask(t, step.payload)
			if tokens, stores := f.tokenAsks.Load(), f.storeAsks.Load(); tokens != step.probes || stores != step.probes {
				t.Errorf("%s: %d and %d probes so far, want %d", step.name, tokens, stores, step.probes)
			}
		}
	})
}

// TestAgeOfFailure: an outage is remembered no longer than health is.
func TestAgeOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.store = func(context.Context) error { return errRefused }
		if status, _ := f.get(t); status != 503 {
			t.Errorf("HTTP status %d, want 503", status)
		}
		f.store = func(context.Context) error { return nil }
		time.Sleep(maxAge)
		if status, _ := f.get(t); status != 200 {
			t.Errorf("HTTP status %d after the outage, want 200", status)
		}
	})
}

// TestScheduleGetsTheReport, not an HTTP answer.
func TestScheduleGetsTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.store = func(context.Context) error { return errRefused }
		report := object(t, f.ask(t, schedule))
		if report["status"] != "failing" || statusOf(report, "store") != "failing" || statusOf(report, "token") != "ok" {
			t.Errorf("report %v", report)
		}
	})
}

// TestProbesAreCancelled: a probe that heeds its context ends with its time.
func TestProbesAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		ended := make(chan error, 1)
		f.store = func(ctx context.Context) error { <-ctx.Done(); ended <- ctx.Err(); return ctx.Err() }
		f.get(t)
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the probe ended with %v", err)
		}
	})
}

// TestManyAtOnce is for the race detector, and outside a bubble: those who wait for
// another's probe hold up its time.
func TestManyAtOnce(t *testing.T) {
	f := newFixture()
	answers := make(chan string)
	for range 8 {
		go func() {
			output, err := f.Invoke(t.Context(), []byte(request))
			answers <- fmt.Sprint(err, string(output))
		}()
	}
	for range 8 {
		if answer := <-answers; !strings.Contains(answer, `"statusCode":200`) {
			t.Errorf("got %s", answer)
		}
	}
	if probes := f.storeAsks.Load(); probes != 1 {
		t.Errorf("%d probes for 8 requests at once, want 1", probes)
	}
}

func TestEventThatIsNoObject(t *testing.T) {
	for _, payload := range []string{``, `null`, `[]`, `"x"`, `7`, `{`} {
		t.Run(payload, func(t *testing.T) {
			f := newFixture()
			output, err := lambda.NewHandler(f.handler).Invoke(t.Context(), []byte(payload))
			if failure, named := err.(messages.InvokeResponse_Error); output != nil || !named || failure.Type != "InvalidEvent" { // as aws-lambda-go looks at it
				t.Errorf("got %s, %#v", output, err)
			}
			if f.tokenAsks.Load()+f.storeAsks.Load() != 0 {
				t.Error("it probes")
			}
		})
	}
}

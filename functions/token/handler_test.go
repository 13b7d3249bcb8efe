package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	root     = "1-5759e988-bd862e3fe1be46a994272793"
	access   = "eyJ-an-access-token"
	schedule = `{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`
)

var now = time.Unix(1764000000, 0)

// source is a g2a.TokenSource of one function.
type source func(ctx context.Context) (g2a.Token, error)

func (s source) Token(ctx context.Context) (g2a.Token, error) { return s(ctx) }

// invoke calls the handler as aws-lambda-go does.
func invoke(t *testing.T, tokens g2a.TokenSource, payload string) (output []byte, log, metrics string, err error) {
	t.Helper()
	return invokeWhere(t, true, tokens, payload)
}

// invokeWhere is invoke where orders need the token, or not.
func invokeWhere(t *testing.T, needed bool, tokens g2a.TokenSource, payload string) (output []byte, log, metrics string, err error) {
	t.Helper()
	var logged, measured bytes.Buffer
	clock := func() time.Time { return now }
	h := handler{tokens: tokens, clock: clock, log: telemetry.NewLogger(&logged), metrics: telemetry.Metrics{Writer: &measured, Clock: clock}, needed: needed}
	//lint:ignore SA1029 the key is aws-lambda-go's
	ctx := context.WithValue(t.Context(), "x-amzn-trace-id", "Root="+root)
	output, err = lambda.NewHandler(h).Invoke(ctx, []byte(payload))
	return output, logged.String(), measured.String(), err
}

func object(t *testing.T, text string) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatalf("not one JSON object: %q", text)
	}
	return fields
}

func TestToken(t *testing.T) {
	tests := []struct {
		name, payload string
		life          time.Duration
		want          string
		ttl           float64
	}{
		{"fresh", schedule, time.Hour, `{"version":7,"token_expires_at":1764003600,"ttl_seconds":3600}`, 3600},
		{"part of a second", schedule, 90*time.Second + 999*time.Millisecond, `{"version":7,"token_expires_at":1764000090,"ttl_seconds":90}`, 90},
		{"past its end", schedule, -time.Hour, `{"version":7,"token_expires_at":1763996400,"ttl_seconds":0}`, 0},
		{"any object will do", `{}`, time.Hour, `{"version":7,"token_expires_at":1764003600,"ttl_seconds":3600}`, 3600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			output, log, metrics, err := invoke(t, source(func(ctx context.Context) (g2a.Token, error) {
				if id := g2a.CorrelationID(ctx); id != root {
					t.Errorf("correlation id %q, want %q", id, root)
				}
				return g2a.Token{Access: g2a.NewSecret(access), IssuedAt: now, ExpiresAt: now.Add(tt.life), Version: 7}, nil
			}), tt.payload)
			if err != nil || string(output) != tt.want {
				t.Errorf("got %s, %v\nwant %s", output, err, tt.want)
			}
			line := object(t, log)
			if line["level"] != "INFO" || line["token_version"] != 7.0 || line["ttl_seconds"] != tt.ttl || line["correlation_id"] != root {
				t.Errorf("logged %v", line)
			}
			if m := object(t, metrics); m["TokenTTL"] != tt.ttl {
				t.Errorf("metrics %v", m)
			}
			if strings.Contains(string(output)+log+metrics, access) {
				t.Errorf("the token has got out: %s %s %s", output, log, metrics)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	call := func(kind error) error {
		return fmt.Errorf("fetching a token: %w", &g2a.Error{Method: "GET", Route: "/token", Kind: kind})
	}
	tests := []struct {
		name string
		err  error
		want messages.InvokeResponse_Error
	}{
		{"rejected", call(g2a.ErrCredentialsRejected), messages.InvokeResponse_Error{Type: "CredentialsRejected", Message: "fetching a token: GET /token: G2A rejects the credentials"}},
		{"throttled", call(g2a.ErrThrottled), messages.InvokeResponse_Error{Type: "G2AThrottled", Message: "fetching a token: GET /token: G2A has had too many requests"}},
		{"unavailable", call(g2a.ErrUnavailable), messages.InvokeResponse_Error{Type: "G2AUnavailable", Message: "fetching a token: GET /token: G2A is not available"}},
		{"secret", secrets.ErrUnavailable, messages.InvokeResponse_Error{Type: "StoreUnavailable", Message: "the credentials cannot be read"}},
		{"two lines", errors.Join(errors.New("a"), store.ErrUnavailable), messages.InvokeResponse_Error{Type: "StoreUnavailable", Message: "a; the store is not available"}},
		{"defect", errors.New("a defect"), messages.InvokeResponse_Error{Type: "InternalError", Message: "a defect"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			output, log, metrics, err := invoke(t, source(func(context.Context) (g2a.Token, error) { return g2a.Token{}, tt.err }), schedule)
			if failure, named := err.(messages.InvokeResponse_Error); output != nil || !named || !reflect.DeepEqual(failure, tt.want) { // as aws-lambda-go looks at it
				t.Errorf("got %s, %#v\nwant %#v", output, err, tt.want)
			}
			line := object(t, log)
			if line["level"] != "ERROR" || line["error_name"] != tt.want.Type || line["error"] != tt.want.Message || line["correlation_id"] != root {
				t.Errorf("logged %v", line)
			}
			first, second, rejected := strings.Cut(strings.TrimSpace(metrics), "\n")
			if m := object(t, first); m["TokenError"] != 1.0 {
				t.Errorf("metrics %v", m)
			}
			if rejected != (tt.want.Type == "CredentialsRejected") || (rejected && object(t, second)["CredentialsRejected"] != 1.0) {
				t.Errorf("metrics %s", metrics)
			}
		})
	}
}

// TestRejectedWhereNothingNeedsTheToken: nobody is called for it. The failure is still the
// run's.
func TestRejectedWhereNothingNeedsTheToken(t *testing.T) {
	_, log, metrics, err := invokeWhere(t, false, source(func(context.Context) (g2a.Token, error) {
		return g2a.Token{}, g2a.ErrCredentialsRejected
	}), schedule)
	if failure, named := err.(messages.InvokeResponse_Error); !named || failure.Type != "CredentialsRejected" { // as aws-lambda-go looks at it
		t.Errorf("got %#v", err)
	}
	if object(t, log)["error_name"] != "CredentialsRejected" || object(t, metrics)["TokenError"] != 1.0 {
		t.Errorf("logged %s, metrics %s", log, metrics)
	}
}

func TestEventThatIsNoObject(t *testing.T) {
	for _, payload := range []string{``, `null`, `[]`, `"x"`, `7`, `{`} {
		t.Run(payload, func(t *testing.T) {
			output, _, _, err := invoke(t, source(func(context.Context) (g2a.Token, error) {
				t.Error("a token is asked for")
				return g2a.Token{}, nil
			}), payload)
			if failure, named := err.(messages.InvokeResponse_Error); output != nil || !named || failure.Type != "InvalidEvent" { // as aws-lambda-go looks at it
				t.Errorf("got %s, %#v", output, err)
			}
		})
	}
}

//go:build proof

package tokens

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
)

// hang is a server that takes requests and never answers. The connection is cut when
// the test ends.
func hang(t *testing.T, l *line) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	l.set(func(r *http.Request) bool {
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return false
	})
}

// get asks the gateway, and prints how long it took.
func (s *stack) get(path string) (status int, body []byte) {
	s.t.Helper()
	started := time.Now()
	response, err := http.Get(s.Addresses().HTTP + path) // our own
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("GET %s: %d after %s, with a cold start: %s", path, response.StatusCode, time.Since(started).Round(time.Millisecond), body)
	return response.StatusCode, body
}

// TestHealthWhileAllHangs asks the real function, whose dependencies take connections
// and requests and do not answer. Were it to wait for them, Lambda would kill it.
func TestHealthWhileAllHangs(t *testing.T) {
	for _, test := range []struct {
		name  string
		hangs func(*stack) []*line
		// A store that hangs keeps the token from being had, too.
		token, store string
	}{
		{"G2A", func(s *stack) []*line { return []*line{s.market} }, "failing", "ok"},
		{"the store", func(s *stack) []*line { return []*line{s.dynamoDB} }, "failing", "failing"},
		{"both", func(s *stack) []*line { return []*line{s.market, s.dynamoDB} }, "failing", "failing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStack(t, nil)
			for _, l := range test.hangs(s) {
				hang(t, l)
			}
			status, body := s.get("/health")
			if status != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", status)
			}
			s.checkReport(body, test.token, test.store)
			s.market.taken()
			s.dynamoDB.taken()
			if status, body := s.get("/health/live"); status != http.StatusOK {
				t.Errorf("live is answered %d %s", status, body)
			}
			if asked := len(s.market.taken()) + len(s.dynamoDB.taken()); test.name == "both" && asked != 0 {
				// A probe that hangs is cut off by then, and makes no further request.
				t.Errorf("live has asked %d things", asked)
			}
		})
	}
}

// checkReport checks that the answer names each dependency, its latency and the token's
// life, and nothing else.
func (s *stack) checkReport(body []byte, token, store string) (ttl int64) {
	s.t.Helper()
	var report struct {
		Status       string                                `json:"status"`
		CheckedAt    int64                                 `json:"checked_at"`
		Dependencies map[string]map[string]json.RawMessage `json:"dependencies"`
		TTL          int64                                 `json:"token_ttl_seconds"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	if got := slices.Sorted(maps.Keys(report.Dependencies)); !slices.Equal(got, []string{"store", "token"}) {
		s.t.Errorf("dependencies %v, want store and token", got)
	}
	for name, want := range map[string]string{"token": token, "store": store} {
		check := report.Dependencies[name]
		if got := slices.Sorted(maps.Keys(check)); !slices.Equal(got, []string{"latency_ms", "status"}) || string(check["status"]) != `"`+want+`"` {
			s.t.Errorf("%s is %s, want %s and its latency", name, check, want)
		}
	}
	if (report.TTL > 0) != (token == "ok") || report.CheckedAt == 0 {
		s.t.Errorf("the report is %s", body)
	}
	for _, secret := range []string{original.Hash.Reveal(), original.Key.Reveal(), "127.0.0.1", "Table"} {
		if strings.Contains(string(body), secret) {
			s.t.Errorf("the report tells %q: %s", secret, body)
		}
	}
	return report.TTL
}

// TestHealthOnSchedule: a scheduled run emits the metrics, and warms the token that all
// share.
func TestHealthOnSchedule(t *testing.T) {
	s := newStack(t, nil)
	if a := s.refresh(""); a.Version != 1 {
		t.Fatalf("got %+v", a)
	}
	event, err := os.ReadFile(filepath.Join(proof.Repository, "events", "health-scheduled.json"))
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Invoke(t.Context(), "HealthFunction", event)
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s, %v", result.Payload, err)
	}
	for metric, want := range map[string]int{"Healthy": 2, "HealthLatency": 2, "TokenTTL": 1} {
		if got := s.metrics("HealthFunction", metric); got != want {
			t.Errorf("%s is told %d times, want %d", metric, got, want)
		}
	}
	s.issued(1)
}

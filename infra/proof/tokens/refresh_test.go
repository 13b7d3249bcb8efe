//go:build proof

package tokens

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func putSecret(value string) *secretsmanager.PutSecretValueInput {
	return &secretsmanager.PutSecretValueInput{SecretId: aws.String("G2ASecret"), SecretString: &value}
}

func isTokenCall(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/token") }

// gate stops the first request for a token until open is called: it tells that there
// is one.
func gate(l *line) (arrived <-chan struct{}, open func()) {
	at, opened := make(chan struct{}), make(chan struct{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	l.set(func(r *http.Request) bool {
		if isTokenCall(r) {
			select {
			case <-first:
				close(at)
				<-opened
			default:
			}
		}
		return true
	})
	return at, func() { close(opened) }
}

// TestProcessesAtOnce has eight processes refresh at once, with no token anywhere.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range []struct {
		name  string
		start func(testing.TB) string
	}{{"minidyn", storetest.Minidyn}, {"DynamoDB Local", storetest.DynamoDBLocal}} {
		t.Run(engine.name, func(t *testing.T) {
			s := newStackOn(t, engine.start(t), nil)
			if err := s.Simulator.AddFault(slow); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			for _, a := range s.refreshes(8) {
				if a.Version != 1 || a.ErrorType != "" || a.TTL < 3000 {
					t.Errorf("got %+v, want version 1", a)
				}
			}
			s.issued(1)
			if n := s.metrics("TokenRefreshFunction", "TokenTTL"); n != 8 {
				t.Errorf("the token's life is told %d times, want 8", n)
			}
			t.Logf("8 processes on %s: %d token, slowest wait %s, with a cold start", engine.name, s.Simulator.Stats().TokensIssued, time.Since(started).Round(time.Millisecond))
		})
	}
}

// TestOverlappingRuns: a second run of the schedule comes while the first one is
// replacing a token that can still be used.
func TestOverlappingRuns(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	if a := s.refresh(""); a.Version != 1 {
		t.Fatalf("got %+v", a)
	}
	s.age(49 * time.Minute)
	arrived, open := gate(s.market)
	first := make(chan answer)
	go func() { first <- s.refresh("") }()
	<-arrived
	if a := s.refresh(""); a.Version != 1 || a.TTL == 0 || a.TTL > 11*60 {
		t.Errorf("the second run has %+v, want the old token", a)
	}
	s.issued(1)
	open()
	if a := <-first; a.Version != 2 || a.TTL < 3000 {
		t.Errorf("the first run has %+v, want version 2", a)
	}
	s.issued(2)
	if a := s.refresh(""); a.Version != 2 {
		t.Errorf("the third run has %+v, want version 2", a)
	}
	s.issued(2)
}

// TestLeaderKilled kills the process that is fetching the first token, with G2A's
// answer on its way.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	arrived, open := gate(s.market)
	trace, first := localcloudtest.TraceRoot(), make(chan answer)
	go func() { first <- s.refresh(trace) }()
	<-arrived
	if !s.Functions().Kill(trace) {
		t.Fatal("there is no process to kill")
	}
	open()
	if a := <-first; a.ErrorType != "Runtime.ExitError" {
		t.Errorf("got %+v, want a process that died", a)
	}
	if item := s.token(original); item["lease_owner"] == "" || item["access_token"] != "" {
		t.Fatalf("the item has lease owner %q, want the dead one's", item["lease_owner"])
	}
	s.turnBack(3*time.Minute, "lease_until")
	for _, a := range s.refreshes(6) {
		if a.Version != 1 {
			t.Errorf("got %+v, want version 1", a)
		}
	}
	if issued := s.Simulator.Stats().TokensIssued; issued > 2 {
		t.Errorf("%d tokens issued, want one, and at most one of the dead", issued)
	}
}

// TestCredentialsRefused: one call of G2A for all runs, each of which fails and says so,
// until the secret holds other credentials.
func TestCredentialsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	renewed := g2a.Credentials{Hash: g2a.NewSecret("renewed-hash"), Key: g2a.NewSecret("renewed-key")}
	s.Simulator.SetCredentials(renewed)
	refusedAll := func(answers []answer, calls int) {
		t.Helper()
		for _, a := range answers {
			if a.ErrorType != "CredentialsRejected" || strings.Contains(a.Message, "hash-of") {
				t.Errorf("got %+v, want CredentialsRejected", a)
			}
		}
		if n := s.Simulator.Stats().Routes[tokenRoute].Calls; n != calls {
			t.Errorf("G2A was asked %d times, want %d", n, calls)
		}
	}
	refusedAll(s.refreshes(4), 1)
	refusedAll(s.refreshes(4), 1)
	s.turnBack(31*time.Second, "rejected_until")
	refusedAll(s.refreshes(4), 2)
	if item := s.token(original); item["rejections"] != "2" {
		t.Errorf("%q rejections are kept, want 2", item["rejections"])
	}
	if n := s.metrics("TokenRefreshFunction", "TokenError"); n != 12 {
		t.Errorf("TokenError is counted %d times, want once in each of 12 runs", n)
	}
	s.setSecret(renewed)
	s.renew() // those that have just looked for other credentials do not within ten seconds
	if a := s.refresh(""); a.Version != 1 {
		t.Errorf("got %+v, want a token", a)
	}
	refusedAll(nil, 3)
}

// renew kills the idle processes of TokenRefreshFunction, of which there are four.
func (s *stack) renew() {
	hold, arrived, done := make(chan struct{}), make(chan struct{}, 4), make(chan answer)
	s.dynamoDB.set(func(*http.Request) bool { arrived <- struct{}{}; <-hold; return false })
	traces := []string{localcloudtest.TraceRoot(), localcloudtest.TraceRoot(), localcloudtest.TraceRoot(), localcloudtest.TraceRoot()}
	for _, trace := range traces {
		go func() { done <- s.refresh(trace) }()
	}
	for range traces {
		<-arrived
	}
	s.dynamoDB.set(nil)
	for _, trace := range traces {
		s.Functions().Kill(trace)
	}
	close(hold)
	for range traces {
		<-done
	}
}

// TestStoreDown: a token is fetched without the store, which is counted, and the cache
// is used as soon as it is there again.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	s.dynamoDB.set(func(*http.Request) bool { return false })
	for range 2 {
		if a := s.refresh(""); a.ErrorType != "" || a.Version != 0 || a.TTL < 3000 {
			t.Errorf("got %+v, want a token of its own", a)
		}
	}
	s.issued(2)
	if n := s.metrics("TokenRefreshFunction", "TokenStoreDown"); n != 2 {
		t.Errorf("TokenStoreDown is counted %d times, want 2", n)
	}
	s.dynamoDB.set(nil)
	for range 2 {
		if a := s.refresh(""); a.Version != 1 {
			t.Errorf("got %+v, want version 1", a)
		}
	}
	s.issued(3)
	if n := s.metrics("TokenRefreshFunction", "TokenStoreDown"); n != 2 {
		t.Errorf("TokenStoreDown is counted %d times with the store back, want 2", n)
	}
}

// TestTokenServerDown: with the old token in hand a run succeeds, without it fails.
func TestTokenServerDown(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	s.refresh("")
	s.age(50 * time.Minute)
	if err := s.Simulator.AddFault(status(503, 1000)); err != nil {
		t.Fatal(err)
	}
	if a := s.refresh(""); a.ErrorType != "" || a.Version != 1 {
		t.Errorf("got %+v, want the old token", a)
	}
	s.age(10 * time.Minute)
	if a := s.refresh(""); a.ErrorType != "G2AUnavailable" {
		t.Errorf("got %+v, want G2AUnavailable", a)
	}
	s.issued(1)
}

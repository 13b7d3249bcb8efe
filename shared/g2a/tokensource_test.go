package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestFetchToken(t *testing.T) {
	now := time.Unix(1764000000, 0)
	tests := []struct {
		name  string
		body  string
		life  time.Duration // 0 is malformed
		fault string
	}{
		{"documented", `{"access_token":"token-abc","expires_in":3600,"token_type":"Bearer"}`, time.Hour, ""},
		{"type in small letters", `{"access_token":"token-abc","expires_in":3600,"token_type":"bearer"}`, time.Hour, ""},
		{"no type", `{"access_token":"token-abc","expires_in":1}`, time.Second, ""},
		{"type in capitals", `{"access_token":"token-abc","expires_in":3600,"token_type":"BEARER"}`, time.Hour, ""},
		{"type null", `{"access_token":"token-abc","expires_in":3600,"token_type":null}`, time.Hour, ""},
		{"life in a string", `{"access_token":"token-abc","expires_in":"3600"}`, time.Hour, ""},
		{"life as a float", `{"access_token":"token-abc","expires_in":3600.0}`, time.Hour, ""},
		{"life as a float in a string", `{"access_token":"token-abc","expires_in":"3600.0"}`, time.Hour, ""},
		{"life with an exponent", `{"access_token":"token-abc","expires_in":3.6e+3}`, time.Hour, ""},
		{"life with a fraction", `{"access_token":"token-abc","expires_in":299.9}`, 299 * time.Second, ""},
		{"life as the sandbox states it", `{"access_token":"token-abc","expires_in":300,"token_type":"bearer"}`, 5 * time.Minute, ""},
		{"no life", `{"access_token":"token-abc","token_type":"Bearer"}`, 5 * time.Minute, ""},
		{"life null", `{"access_token":"token-abc","expires_in":null}`, 5 * time.Minute, ""},
		{"a day", `{"access_token":"token-abc","expires_in":86400}`, 24 * time.Hour, ""},
		{"more than a day", `{"access_token":"token-abc","expires_in":86401}`, 24 * time.Hour, ""},
		{"a year in a string", `{"access_token":"token-abc","expires_in":"31536000"}`, 24 * time.Hour, ""},
		{"more than an int64", `{"access_token":"token-abc","expires_in":9223372036854775808}`, 24 * time.Hour, ""},
		{"more than a float64", `{"access_token":"token-abc","expires_in":1e999}`, 24 * time.Hour, ""},
		{"another type", `{"access_token":"hunter2","expires_in":3600,"token_type":"mac"}`, 0, "field token_type is not Bearer"},
		{"no token", `{"expires_in":3600}`, 0, "field access_token is missing"},
		{"a token with a line break", `{"access_token":"hunter2\r\nX: y","expires_in":3600}`, 0, "field access_token is missing or not printable"},
		{"a token that is a number", `{"access_token":17,"expires_in":3600}`, 0, "field access_token has the wrong type"},
		{"life 0", `{"access_token":"hunter2","expires_in":0}`, 0, "field expires_in is less than one second"},
		{"life 0 in a string", `{"access_token":"hunter2","expires_in":"0"}`, 0, "field expires_in is less than one second"},
		{"half a second", `{"access_token":"hunter2","expires_in":0.5}`, 0, "field expires_in is less than one second"},
		{"next to nothing", `{"access_token":"hunter2","expires_in":1e-999}`, 0, "field expires_in is less than one second"},
		{"negative life", `{"access_token":"hunter2","expires_in":-3600}`, 0, "field expires_in is less than one second"},
		{"negative life in a string", `{"access_token":"hunter2","expires_in":"-3600"}`, 0, "field expires_in is less than one second"},
		{"less than a float64", `{"access_token":"hunter2","expires_in":-1e999}`, 0, "field expires_in is less than one second"},
		{"NaN", `{"access_token":"hunter2","expires_in":"NaN"}`, 0, "field expires_in is not a number of seconds"},
		{"infinite", `{"access_token":"hunter2","expires_in":"Inf"}`, 0, "field expires_in is not a number of seconds"},
		{"infinite in words", `{"access_token":"hunter2","expires_in":"infinity"}`, 0, "field expires_in is not a number of seconds"},
		{"hexadecimal", `{"access_token":"hunter2","expires_in":"0xe10"}`, 0, "field expires_in is not a number of seconds"},
		{"hexadecimal float", `{"access_token":"hunter2","expires_in":"0x1p8"}`, 0, "field expires_in is not a number of seconds"},
		{"with a unit", `{"access_token":"hunter2","expires_in":"3600s"}`, 0, "field expires_in is not a number of seconds"},
		{"two lines", `{"access_token":"hunter2","expires_in":"3600\n"}`, 0, "field expires_in is not a number of seconds"},
		{"empty life", `{"access_token":"hunter2","expires_in":""}`, 0, "field expires_in is not a number of seconds"},
		{"life true", `{"access_token":"hunter2","expires_in":true}`, 0, "field expires_in is not a number of seconds"},
		{"life in a list", `{"access_token":"hunter2","expires_in":[3600]}`, 0, "field expires_in is not a number of seconds"},
		{"life in an object", `{"access_token":"hunter2","expires_in":{"seconds":3600}}`, 0, "field expires_in is not a number of seconds"},
		{"a type that is a number", `{"access_token":"hunter2","expires_in":3600,"token_type":7}`, 0, "field token_type has the wrong type"},
		{"cut short", `{"access_token":"hunter2`, 0, "not the JSON expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := g2a.New(testConfig(), g2a.Options{
				Credentials: testCredentials, Transport: &script{replies: []reply{answer(200, test.body)}}, Clock: func() time.Time { return now },
			})
			token, err := client.FetchToken(t.Context())
			if test.life == 0 {
				assertMalformed(t, err, test.fault)
				if token != (g2a.Token{}) {
					t.Error("a token beside the error")
				}
				return
			}
			if err != nil || token.Access.Reveal() != "token-abc" || !token.IssuedAt.Equal(now) || token.ExpiresAt.Sub(now) != test.life || token.Version != 0 {
				t.Errorf("token is %+v, error %v; want a life of %v", token, err, test.life)
			}
		})
	}
}

// TestTokenTimesAreWallClock: the monotonic clock of an instance that was frozen has stood
// still.
func TestTokenTimesAreWallClock(t *testing.T) {
	client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: &script{replies: []reply{answer(200, goodToken)}}})
	token, err := client.FetchToken(t.Context())
	if err != nil || token.IssuedAt != token.IssuedAt.Round(0) || token.ExpiresAt != token.ExpiresAt.Round(0) {
		t.Errorf("issued at %s, expires at %s, error %v; want no monotonic reading", token.IssuedAt, token.ExpiresAt, err)
	}
}

func TestFetchTokenRequest(t *testing.T) {
	tests := []struct {
		name          string
		flow          g2a.TokenFlow
		line          string
		authorization string
		contentType   string
		body          string
	}{
		{"hash", g2a.TokenByHash, "GET /v1/token", testHash + ", " + testKey, "", ""},
		{"client credentials", g2a.TokenByClientCredentials, "POST /oauth/token", "", "application/x-www-form-urlencoded",
			"client_id=" + testHash + "&client_secret=" + testKey + "&grant_type=client_credentials"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g2aServer := &script{replies: []reply{answer(200, goodToken)}}
			cfg := testConfig()
			cfg.TokenFlow, cfg.TokenURL = test.flow, "https://g2a.test"+strings.Fields(test.line)[1]
			if _, err := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: g2aServer}).FetchToken(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := g2aServer.requests()[0]
			_, body, _ := strings.Cut(r.dump, "\r\n\r\n")
			if line := r.Method + " " + r.URL.Path; line != test.line || body != test.body {
				t.Errorf("sent %s with %q, want %s with %q", line, body, test.line, test.body)
			}
			if got := r.Header.Get("Authorization"); got != test.authorization || r.Header.Get("Content-Type") != test.contentType {
				t.Errorf("Authorization is %q, content type %q", got, r.Header.Get("Content-Type"))
			}
		})
	}
}

// memoryStore is a TokenStore that goes by the rules the interface names. Its clock is the
// right one.
type memoryStore struct {
	loadErr, leaseErr, saveErr, releaseErr, dropErr error

	clockless bool // it reports no time

	mu       sync.Mutex
	items    map[string]*memoryItem
	leased   int
	released int
	dropped  int
}

type memoryItem struct {
	token     g2a.Token
	owner     string
	until     time.Time
	rejection g2a.TokenRejection
	damage    error
}

func (s *memoryStore) item(fingerprint string) *memoryItem {
	if s.items == nil {
		s.items = map[string]*memoryItem{}
	}
	if s.items[fingerprint] == nil {
		s.items[fingerprint] = &memoryItem{}
	}
	return s.items[fingerprint]
}

func (s *memoryStore) now() time.Time {
	if s.clockless {
		return time.Time{}
	}
	return time.Now()
}

// kept gives the token of the tests' account.
func (s *memoryStore) kept() g2a.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.item(testCredentials.Fingerprint()).token
}

// lend gives the lease of the tests' account to another instance.
func (s *memoryStore) lend(owner string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item := s.item(testCredentials.Fingerprint())
	item.owner, item.until = owner, until
}

func (s *memoryStore) LoadToken(_ context.Context, fingerprint string) (g2a.TokenRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadErr != nil {
		return g2a.TokenRecord{}, s.loadErr
	}
	item := s.item(fingerprint)
	if item.damage != nil {
		return g2a.TokenRecord{ReadAt: s.now(), Damage: item.damage}, nil
	}
	return g2a.TokenRecord{Token: item.token, Lease: g2a.TokenLease{Owner: item.owner, Until: item.until}, Rejection: item.rejection, ReadAt: s.now()}, nil
}

func (s *memoryStore) LeaseToken(_ context.Context, fingerprint string, seen g2a.TokenRecord, lease g2a.TokenLease) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item := s.item(fingerprint)
	switch {
	case s.leaseErr != nil:
		return false, s.leaseErr
	case item.damage != nil && errors.Is(seen.Damage, item.damage):
		*item = memoryItem{}
	case item.damage != nil, item.token.Version != seen.Token.Version, item.rejection.Count != seen.Rejection.Count, item.owner != seen.Lease.Owner || !item.until.Equal(seen.Lease.Until):
		return false, nil
	}
	item.owner, item.until = lease.Owner, lease.Until
	s.leased++
	return true, nil
}

func (s *memoryStore) SaveToken(_ context.Context, fingerprint, owner string, token g2a.Token) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item := s.item(fingerprint)
	switch {
	case s.saveErr != nil:
		return false, s.saveErr
	case item.owner != owner:
		return false, nil
	}
	*item = memoryItem{token: token}
	return true, nil
}

func (s *memoryStore) ReleaseToken(ctx context.Context, fingerprint, owner string, rejection g2a.TokenRejection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, limited := ctx.Deadline(); ctx.Err() != nil || !limited {
		return fmt.Errorf("released with a context that is over or without an end: %w", errors.Join(ctx.Err()))
	}
	if item := s.item(fingerprint); item.owner == owner && s.releaseErr == nil {
		item.owner, item.until, item.rejection = "", time.Time{}, rejection
		s.released++
	}
	return s.releaseErr
}

func (s *memoryStore) DropToken(_ context.Context, fingerprint string, token g2a.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if item := s.item(fingerprint); s.dropErr == nil && item.token.Access.Equal(token.Access) {
		item.token = g2a.Token{Version: item.token.Version}
		s.dropped++
	}
	return s.dropErr
}

// tokenServer gives out tokens, each after a while.
type tokenServer struct {
	fetched atomic.Int32
	takes   time.Duration
	life    time.Duration
	err     error
}

func (s *tokenServer) fetch(ctx context.Context) (g2a.Token, error) {
	n := s.fetched.Add(1)
	issued := time.Now()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return g2a.Token{}, ctx.Err()
	}
	if s.err != nil {
		return g2a.Token{}, s.err
	}
	return g2a.Token{Access: g2a.NewSecret(fmt.Sprintf("token-%d", n)), IssuedAt: issued, ExpiresAt: issued.Add(s.life)}, nil
}

func shared(store g2a.TokenStore, server *tokenServer, owner string) *g2a.SharedTokens {
	return &g2a.SharedTokens{
		Store: store, Credentials: testCredentials, Owner: owner, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Fetch: func(ctx context.Context, _ g2a.Credentials) (g2a.Token, error) { return server.fetch(ctx) },
	}
}

// herd asks n instances at once, and gives the tokens' texts and errors.
func herd(ctx context.Context, n int, instance func(i int) g2a.TokenSource) (map[string]int, []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	texts, failures := map[string]int{}, []error{}
	for i := range n {
		wg.Go(func() {
			token, err := instance(i).Token(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
			} else {
				texts[token.Access.Reveal()]++
			}
		})
	}
	wg.Wait()
	return texts, failures
}

func TestHerdFetchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: 3 * time.Second, life: time.Hour}
		texts, failures := herd(t.Context(), 50, func(i int) g2a.TokenSource { return shared(store, server, fmt.Sprint("instance-", i)) })
		if server.fetched.Load() != 1 || texts["token-1"] != 50 || len(failures) != 0 {
			t.Errorf("%d fetches gave %v and errors %v, want one for all", server.fetched.Load(), texts, failures)
		}
		if kept := store.kept(); kept.Version != 1 {
			t.Errorf("version is %d, want 1", kept.Version)
		}
	})
}

func TestDeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour}
		// The holder is killed in its fetch: its lease is neither saved nor released.
		store.lend("dead", time.Now().Add(20*time.Second))
		started := time.Now()
		texts, failures := herd(t.Context(), 10, func(i int) g2a.TokenSource { return shared(store, server, fmt.Sprint("instance-", i)) })
		if server.fetched.Load() != 1 || texts["token-1"] != 10 || len(failures) != 0 {
			t.Errorf("%d fetches gave %v and errors %v, want one more for all", server.fetched.Load(), texts, failures)
		}
		if took := time.Since(started); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("took %v, want the lease's 20s and a fetch", took)
		}
	})
}

// TestLeaseLength: what a holder takes, it takes for 20 seconds of the given clock.
func TestLeaseLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: 30 * time.Second, life: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		go func() { _, _ = shared(store, server, "slow").Token(t.Context()) }()
		synctest.Wait()
		_, err := shared(store, server, "second").Token(ctx)
		if server.fetched.Load() != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d fetches, error %v: want a second one after the first one's lease", server.fetched.Load(), err)
		}
		time.Sleep(10 * time.Second) // the slow one comes too late, and must not be kept
		if kept := store.kept(); kept.Version != 0 {
			t.Errorf("kept version %d of a holder whose lease was taken over", kept.Version)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		store.lend("other", time.Now().Add(20*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		started := time.Now()
		_, err := shared(store, server, "me").Token(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, g2a.ErrUnavailable) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error is %v, want one line of the deadline and ErrUnavailable", err)
		}
		if took := time.Since(started); took != 3*time.Second || server.fetched.Load() != 0 {
			t.Errorf("took %v and %d fetches, want the deadline's 3s and none", took, server.fetched.Load())
		}
	})
}

func TestSharedTokens(t *testing.T) {
	const life = time.Hour
	down := errors.New("table not reachable")
	tests := []struct {
		name    string
		age     time.Duration // of the token kept, negative: none is kept
		life    time.Duration
		other   bool // another instance holds the lease
		store   *memoryStore
		server  *tokenServer
		want    string // the token, "" is an error
		fetched int32
		version int64 // kept afterwards
		owner   string
	}{
		{"new", 0, life, false, &memoryStore{}, &tokenServer{}, "old", 0, 7, ""},
		{"20 % left", 48 * time.Minute, life, false, &memoryStore{}, &tokenServer{}, "old", 0, 7, ""},
		{"less than 20 % left", 48*time.Minute + 1, life, false, &memoryStore{}, &tokenServer{}, "token-1", 1, 8, ""},
		{"less than 20 % left, another instance fetches", 48*time.Minute + 1, life, true, &memoryStore{}, &tokenServer{}, "old", 0, 7, "other"},
		{"less than 20 % left, G2A fails", 48*time.Minute + 1, life, false, &memoryStore{}, &tokenServer{err: g2a.ErrUnavailable}, "old", 1, 7, ""},
		{"less than 20 % left, no lease to be had", 48*time.Minute + 1, life, false, &memoryStore{leaseErr: down}, &tokenServer{}, "old", 0, 7, ""},
		{"in its last minute", 59 * time.Minute, life, false, &memoryStore{}, &tokenServer{}, "token-1", 1, 8, ""},
		{"in its last minute, G2A fails", 59 * time.Minute, life, false, &memoryStore{}, &tokenServer{err: g2a.ErrUnavailable}, "", 1, 7, ""},
		{"in its last minute, no lease to be had", 59 * time.Minute, life, false, &memoryStore{leaseErr: down}, &tokenServer{}, "token-1", 1, 7, ""},
		{"expired", 2 * life, life, false, &memoryStore{}, &tokenServer{}, "token-1", 1, 8, ""},
		{"short-lived, 20 % left", 80 * time.Second, 100 * time.Second, false, &memoryStore{}, &tokenServer{}, "old", 0, 7, ""},
		{"short-lived, less than 20 % left", 81 * time.Second, 100 * time.Second, true, &memoryStore{}, &tokenServer{}, "old", 0, 7, "other"},
		{"short-lived, in its last tenth", 90 * time.Second, 100 * time.Second, false, &memoryStore{}, &tokenServer{}, "token-1", 1, 8, ""},
		{"none", -1, life, false, &memoryStore{}, &tokenServer{}, "token-1", 1, 1, ""},
		{"none, G2A fails", -1, life, false, &memoryStore{}, &tokenServer{err: g2a.ErrCredentialsRejected}, "", 1, 0, ""},
		{"none, G2A fails, no release", -1, life, false, &memoryStore{releaseErr: down}, &tokenServer{err: g2a.ErrUnavailable}, "", 1, 0, "me"},
		{"none, cannot be stored", -1, life, false, &memoryStore{saveErr: down}, &tokenServer{}, "token-1", 1, 0, "me"},
		{"none, store cannot be read", -1, life, false, &memoryStore{loadErr: down}, &tokenServer{}, "token-1", 1, 0, ""},
		{"none, no lease to be had", -1, life, false, &memoryStore{leaseErr: down}, &tokenServer{}, "token-1", 1, 0, ""},
		{"none, store and G2A fail", -1, life, false, &memoryStore{loadErr: down}, &tokenServer{err: g2a.ErrUnavailable}, "", 1, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := test.store, test.server
				server.life = life
				item := store.item(testCredentials.Fingerprint())
				if issued := time.Now().Add(-test.age); test.age >= 0 {
					item.token = g2a.Token{Access: g2a.NewSecret("old"), IssuedAt: issued, ExpiresAt: issued.Add(test.life), Version: 7}
				}
				if test.other {
					item.owner, item.until = "other", time.Now().Add(time.Second)
				}
				token, err := shared(store, server, "me").Token(t.Context())
				if (err == nil) != (test.want != "") || token.Access.Reveal() != test.want {
					t.Errorf("token is %q, error %v; want %q", token.Access.Reveal(), err, test.want)
				}
				if err != nil && !errors.Is(err, server.err) {
					t.Errorf("error is %v, want %v in it", err, server.err)
				}
				if server.fetched.Load() != test.fetched || item.token.Version != test.version || item.owner != test.owner {
					t.Errorf("%d fetches, version %d kept, lease of %q; want %d, %d, %q",
						server.fetched.Load(), item.token.Version, item.owner, test.fetched, test.version, test.owner)
				}
			})
		})
	}
}

func TestStoreDownEachFetchesItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		store, server := &memoryStore{loadErr: errors.New("table not reachable")}, &tokenServer{takes: time.Second, life: time.Hour}
		texts, failures := herd(t.Context(), 5, func(i int) g2a.TokenSource { return shared(store, server, fmt.Sprint("instance-", i)) })
		if server.fetched.Load() != 5 || len(texts) != 5 || len(failures) != 0 {
			t.Errorf("%d fetches gave %v and errors %v, want five of each", server.fetched.Load(), texts, failures)
		}
		one := shared(store, server, "logged")
		one.Log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := one.Token(t.Context()); err != nil || !strings.Contains(log.String(), "table not reachable") || strings.Contains(log.String(), "token-6") {
			t.Errorf("log is %q, error %v; want the cause and no token", log.String(), err)
		}
	})
}

func TestReleaseWhenTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: time.Minute, life: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := shared(store, server, "me").Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the deadline", err)
		}
		if store.released != 1 {
			t.Error("the lease is not released, and the others wait in vain")
		}
	})
}

// TestLeaseThatWasNotReleased: its owner need not wait until it expires.
func TestLeaseThatWasNotReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{releaseErr: errors.New("down")}, &tokenServer{life: time.Hour, err: g2a.ErrUnavailable}
		source := shared(store, server, "me")
		if _, err := source.Token(t.Context()); !errors.Is(err, g2a.ErrUnavailable) {
			t.Fatalf("error is %v, want ErrUnavailable", err)
		}
		server.err = nil
		started := time.Now()
		if token, err := source.Token(t.Context()); err != nil || token.Version != 1 || time.Since(started) != 0 {
			t.Errorf("version %d after %v, error %v; want a token at once", token.Version, time.Since(started), err)
		}
	})
}

func TestOtherCredentialsAreAnotherItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		first, second := shared(store, server, "a"), shared(store, server, "b")
		second.Credentials = g2a.Credentials{Hash: g2a.NewSecret("x"), Key: g2a.NewSecret("y")}
		_, firstErr := first.Token(t.Context())
		got, secondErr := second.Token(t.Context())
		if firstErr != nil || secondErr != nil || got.Access.Reveal() != "token-2" || len(store.items) != 2 {
			t.Errorf("token %q, errors %v and %v, %d items; want each account its own", got.Access.Reveal(), firstErr, secondErr, len(store.items))
		}
		first.Credentials = noCredentials{}
		if _, err := first.Token(t.Context()); err == nil || server.fetched.Load() != 2 {
			t.Errorf("without credentials: error %v, %d fetches", err, server.fetched.Load())
		}
	})
}

func TestTTL(t *testing.T) {
	now := time.Unix(1000, 0)
	token := g2a.Token{ExpiresAt: now}
	if token.TTL(now.Add(-time.Minute)) != time.Minute || token.TTL(now) != 0 || token.TTL(now.Add(time.Minute)) != 0 {
		t.Error("the life that is left is not the time until it expires, or less than nothing")
	}
}

// sourceFunc is a TokenSource of one function.
type sourceFunc func(context.Context) (g2a.Token, error)

func (f sourceFunc) Token(ctx context.Context) (g2a.Token, error) { return f(ctx) }

func TestRememberedFetchOnceForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &tokenServer{takes: time.Second, life: time.Hour}
		remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
		for round := range 2 {
			texts, failures := herd(t.Context(), 50, func(int) g2a.TokenSource { return remembered })
			if server.fetched.Load() != 1 || texts["token-1"] != 50 || len(failures) != 0 {
				t.Errorf("round %d: %d fetches gave %v and errors %v, want one for all", round, server.fetched.Load(), texts, failures)
			}
		}
		time.Sleep(48*time.Minute + time.Second)
		if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "token-2" {
			t.Errorf("under 20 %%: token %q, error %v", token.Access.Reveal(), err)
		}
	})
}

func TestRememberedWhileAnotherCallerFetches(t *testing.T) {
	tests := []struct {
		name  string
		age   time.Duration // of the first token, of an hour
		want  string
		waits time.Duration
	}{
		{"the old one is used on", 50 * time.Minute, "token-1", 0},
		{"the old one is of no use", 59 * time.Minute, "token-2", 5 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &tokenServer{life: time.Hour}
				remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
				if _, err := remembered.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.age)
				server.takes = 5 * time.Second
				go func() { _, _ = remembered.Token(t.Context()) }()
				synctest.Wait()
				started := time.Now()
				token, err := remembered.Token(t.Context())
				if err != nil || token.Access.Reveal() != test.want || time.Since(started) != test.waits {
					t.Errorf("token %q after %v, error %v; want %q after %v", token.Access.Reveal(), time.Since(started), err, test.want, test.waits)
				}
				time.Sleep(10 * time.Second)
				if server.fetched.Load() != 2 {
					t.Errorf("%d fetches, want 2", server.fetched.Load())
				}
			})
		})
	}
}

func TestRememberedWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &tokenServer{takes: time.Minute, life: time.Hour}
		remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
		go func() { _, _ = remembered.Token(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := remembered.Token(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, g2a.ErrUnavailable) {
			t.Errorf("error is %v, want the deadline and ErrUnavailable", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestRememberedWhenTheSourceFails(t *testing.T) {
	tests := []struct {
		name string
		age  time.Duration
		want string
	}{
		{"the old one is used on", 50 * time.Minute, "token-1"},
		{"the old one is of no use", 59 * time.Minute, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &tokenServer{life: time.Hour}
				remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
				if _, err := remembered.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.age)
				server.err = io.ErrUnexpectedEOF
				for range 2 { // the turn is given back each time
					time.Sleep(10 * time.Second) // the pause
					token, err := remembered.Token(t.Context())
					if token.Access.Reveal() != test.want || (test.want == "") != errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("token %q, error %v; want %q", token.Access.Reveal(), err, test.want)
					}
				}
				server.err = nil
				time.Sleep(10 * time.Second)
				if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "token-4" {
					t.Errorf("token %q, error %v; want a new one", token.Access.Reveal(), err)
				}
			})
		})
	}
}

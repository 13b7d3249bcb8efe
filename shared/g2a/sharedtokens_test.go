package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// clockOff is a clock that is wrong by so much.
func clockOff(skew time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(skew) }
}

// skewed is an instance whose clock is off. Its tokens' times are by that clock too,
// as a Client's are.
func skewed(store g2a.TokenStore, server *tokenServer, owner string, skew time.Duration) *g2a.SharedTokens {
	s := shared(store, server, owner)
	s.Clock = clockOff(skew)
	s.Fetch = func(ctx context.Context, _ g2a.Credentials) (g2a.Token, error) {
		token, err := server.fetch(ctx)
		token.IssuedAt, token.ExpiresAt = token.IssuedAt.Add(skew), token.ExpiresAt.Add(skew)
		return token, err
	}
	return s
}

// TestSkewedClocks lets instances, whose clocks are a minute off either way, use a token
// every second of three hours. None is ever sent in the last ten seconds before its end
// at the server, however wrong the clocks are, and each token is fetched once.
func TestSkewedClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour}
		ends := map[string]time.Time{}
		var instances []*g2a.RememberedTokens
		for i, skew := range []time.Duration{0, time.Minute, -time.Minute, 30 * time.Second, -time.Minute, time.Minute} {
			source := skewed(store, server, fmt.Sprint("instance-", i), skew)
			fetch := source.Fetch
			source.Fetch = func(ctx context.Context, c g2a.Credentials) (g2a.Token, error) {
				issued := time.Now()
				token, err := fetch(ctx, c)
				ends[token.Access.Reveal()] = issued.Add(server.life)
				return token, err
			}
			instances = append(instances, g2a.RememberTokens(source, clockOff(skew)))
		}
		for range 3 * 3600 {
			for i, instance := range instances {
				token, err := instance.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if end := ends[token.Access.Reveal()]; !time.Now().Add(10 * time.Second).Before(end) {
					t.Fatalf("instance %d sends %s at %s, which ends at %s: a call takes a while", i, token.Access.Reveal(), time.Now(), end)
				}
			}
			time.Sleep(time.Second)
		}
		if kept := store.kept(); int64(server.fetched.Load()) != kept.Version || kept.Version > 4 {
			t.Errorf("%d fetches for %d tokens in three hours", server.fetched.Load(), kept.Version)
		}
	})
}

// TestExpiryWithSkewedClocks: the last moment at which a token may be used is the same for
// every instance, whoever fetched it.
func TestExpiryWithSkewedClocks(t *testing.T) {
	for _, test := range []struct {
		name         string
		clockless    bool
		issuer, user time.Duration
		life, margin time.Duration
	}{
		{"right", false, 0, 0, time.Hour, 130 * time.Second},
		{"issued by a fast clock, used by a slow one", false, time.Minute, -time.Minute, time.Hour, 130 * time.Second},
		{"issued by a slow clock, used by a fast one", false, -time.Minute, time.Minute, time.Hour, 130 * time.Second},
		{"clocks that are hours off", false, -5 * time.Hour, 7 * time.Hour, time.Hour, 130 * time.Second},
		{"life of five minutes", false, time.Minute, -time.Minute, 5 * time.Minute, 30 * time.Second},
		{"life of a minute", false, -time.Minute, time.Minute, time.Minute, 6 * time.Second},
		{"a store without a clock, clocks that agree", true, time.Minute, time.Minute, time.Hour, 130 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{clockless: test.clockless}, &tokenServer{life: test.life}
				if _, err := skewed(store, server, "issuer", test.issuer).Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				server.err = g2a.ErrUnavailable
				user := skewed(store, server, "user", test.user)
				time.Sleep(test.life - test.margin - time.Second)
				token, err := user.Token(t.Context())
				if err != nil || token.Access.Reveal() != "token-1" {
					t.Errorf("a second before the margin: %v", err)
				}
				if left := token.TTL(clockOff(test.user)()); left != test.margin+time.Second {
					t.Errorf("%s are left by the user's clock, want %s", left, test.margin+time.Second)
				}
				time.Sleep(time.Second)
				if _, err := user.Token(t.Context()); !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("%s before its end: %v, want ErrUnavailable", test.margin, err)
				}
			})
		})
	}
}

// TestClockIsSet: an instance's clock is set back by two minutes while it remembers a token.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server, skew := &memoryStore{}, &tokenServer{life: time.Hour}, time.Minute
		source := skewed(store, server, "me", skew)
		source.Clock = func() time.Time { return time.Now().Add(skew) }
		remembered := g2a.RememberTokens(source, source.Clock)
		end := time.Now().Add(server.life)
		if _, err := remembered.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		skew = -time.Minute
		server.err, store.loadErr = g2a.ErrUnavailable, errors.New("down") // it has its memory alone
		used := 0
		for ; ; used++ {
			if _, err := remembered.Token(t.Context()); err != nil {
				break
			}
			if left := time.Until(end); left <= 10*time.Second {
				t.Fatalf("the token is sent with %s left", left)
			}
			time.Sleep(time.Second)
		}
		if want := 3600 - 10; used != want {
			t.Errorf("used for %d s, want %d", used, want)
		}
	})
}

// TestLeaseWithSkewedClocks: a lease is 20 seconds long for every instance, whether or not
// it has watched the lease from its start.
func TestLeaseWithSkewedClocks(t *testing.T) {
	for _, test := range []struct {
		name          string
		holder, other time.Duration
	}{
		{"right", 0, 0},
		{"holder slow, other fast", -time.Minute, time.Minute},
		{"holder fast, other slow", time.Minute, -time.Minute},
	} {
		t.Run(test.name+", the holder alive", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{takes: 19 * time.Second, life: time.Hour}
				go func() { _, _ = skewed(store, server, "holder", test.holder).Token(t.Context()) }()
				synctest.Wait()
				token, err := skewed(store, server, "other", test.other).Token(t.Context())
				if err != nil || token.Version != 1 || server.fetched.Load() != 1 {
					t.Errorf("version %d, error %v after %d fetches, want the holder's one", token.Version, err, server.fetched.Load())
				}
			})
		})
		// hangs starts a holder whose fetch takes until the end of the test.
		hangs := func(t *testing.T, store *memoryStore) (end func()) {
			over := make(chan struct{})
			holder := skewed(store, &tokenServer{}, "holder", test.holder)
			holder.Fetch = func(context.Context, g2a.Credentials) (g2a.Token, error) {
				<-over
				return g2a.Token{}, g2a.ErrUnavailable
			}
			go func() { _, _ = holder.Token(t.Context()) }()
			synctest.Wait()
			return func() { close(over) }
		}
		t.Run(test.name+", the holder hangs", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{life: time.Hour}
				defer hangs(t, store)()
				started := time.Now()
				token, err := skewed(store, server, "other", test.other).Token(t.Context())
				if took := time.Since(started); err != nil || token.Version != 1 || took < 20*time.Second || took > 21*time.Second {
					t.Errorf("version %d, error %v after %s, want one after the lease's 20s", token.Version, err, took)
				}
			})
		})
		t.Run(test.name+", the holder hangs, the other looks briefly", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{life: time.Hour}
				defer hangs(t, store)()
				other := skewed(store, server, "other", test.other)
				brief := func() error { // as a probe has little time
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, err := other.Token(ctx)
					return err
				}
				time.Sleep(18 * time.Second)
				if err := brief(); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("18 s into the lease: %v, want the deadline", err)
				}
				time.Sleep(time.Second)
				if err := brief(); err != nil {
					t.Errorf("the lease has expired, and is not taken over: %v", err)
				}
			})
		})
	}
}

// TestRejectedCredentials: what one instance has learned keeps all of them from asking,
// longer each time, until the credentials are others.
func TestRejectedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour, err: fmt.Errorf("GET /token: %w", g2a.ErrCredentialsRejected)}
		all := func(i int) g2a.TokenSource { return shared(store, server, fmt.Sprint("instance-", i)) }
		for try, wait := range []time.Duration{30, 60, 120, 240, 480, 900, 900} {
			_, failures := herd(t.Context(), 20, all)
			if len(failures) != 20 || int(server.fetched.Load()) != try+1 {
				t.Fatalf("%d errors after %d fetches, want 20 and %d", len(failures), server.fetched.Load(), try+1)
			}
			for _, err := range failures {
				if !errors.Is(err, g2a.ErrCredentialsRejected) {
					t.Errorf("try %d: %v, want ErrCredentialsRejected", try, err)
				}
			}
			time.Sleep(wait*time.Second - time.Second)
			if _, err := all(0).Token(t.Context()); !errors.Is(err, g2a.ErrCredentialsRejected) || int(server.fetched.Load()) != try+1 {
				t.Errorf("try %d: asked again before %d s were over: %v", try, wait, err)
			}
			time.Sleep(time.Second)
		}
		server.err = nil
		if token, err := all(0).Token(t.Context()); err != nil || token.Version != 1 {
			t.Errorf("version %d, error %v, want a token", token.Version, err)
		}
		if record, _ := store.LoadToken(t.Context(), testCredentials.Fingerprint()); record.Rejection != (g2a.TokenRejection{}) {
			t.Errorf("rejection %+v is kept beside the token", record.Rejection)
		}
	})
}

// TestRejectionWithSkewedClocks: the pause is as long for everybody, whoever was rejected.
func TestRejectionWithSkewedClocks(t *testing.T) {
	for _, rejected := range []time.Duration{-time.Minute, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			store, server := &memoryStore{}, &tokenServer{err: g2a.ErrCredentialsRejected}
			if _, err := skewed(store, server, "rejected", rejected).Token(t.Context()); !errors.Is(err, g2a.ErrCredentialsRejected) {
				t.Fatal(err)
			}
			other := skewed(store, server, "other", -rejected)
			for _, step := range []struct {
				wait    time.Duration
				fetches int32 // so far
			}{{29 * time.Second, 1}, {time.Second, 2}, {59 * time.Second, 2}, {time.Second, 3}} {
				time.Sleep(step.wait)
				if _, err := other.Token(t.Context()); !errors.Is(err, g2a.ErrCredentialsRejected) || server.fetched.Load() != step.fetches {
					t.Errorf("rejected by a clock off by %s: %d fetches, error %v; want %d", rejected, server.fetched.Load(), err, step.fetches)
				}
			}
		})
	}
}

// TestRejectionKeepsTheOldToken: it is used to its end, and G2A is not asked meanwhile.
func TestRejectionKeepsTheOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		source := shared(store, server, "me")
		if _, err := source.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		server.err = g2a.ErrCredentialsRejected
		for range 10 {
			if token, err := source.Token(t.Context()); err != nil || token.Access.Reveal() != "token-1" {
				t.Errorf("token %q, error %v, want the old one", token.Access.Reveal(), err)
			}
		}
		if server.fetched.Load() != 2 {
			t.Errorf("%d fetches, want the first and one try", server.fetched.Load())
		}
		// A failure of another kind forgets nothing of it.
		time.Sleep(30 * time.Second)
		server.err = g2a.ErrUnavailable
		if _, err := source.Token(t.Context()); err != nil {
			t.Error(err)
		}
		if record, _ := store.LoadToken(t.Context(), testCredentials.Fingerprint()); record.Rejection.Count != 1 {
			t.Errorf("%d rejections, want 1", record.Rejection.Count)
		}
	})
}

// lateRotation are credentials that turn out to be others when they are looked at anew.
type lateRotation struct{ known, current g2a.Credentials }

func (r *lateRotation) Credentials(context.Context) (g2a.Credentials, error) { return r.known, nil }

func (r *lateRotation) RefreshedCredentials(context.Context) (g2a.Credentials, error) {
	r.known = r.current
	return r.known, nil
}

// TestRotationWhileFetching: instances that still have the old credentials cost one
// rejected call altogether, and the new token is the new credentials' item.
func TestRotationWhileFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renewed := g2a.Credentials{Hash: g2a.NewSecret("new-hash"), Key: g2a.NewSecret("new-key")}
		store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour}
		var refused atomic.Int32
		instance := func(i int) g2a.TokenSource {
			s := shared(store, server, fmt.Sprint("instance-", i))
			s.Credentials = &lateRotation{known: testCredentials, current: renewed}
			s.Fetch = func(ctx context.Context, c g2a.Credentials) (g2a.Token, error) {
				if c.Fingerprint() != renewed.Fingerprint() {
					refused.Add(1)
					return g2a.Token{}, g2a.ErrCredentialsRejected
				}
				return server.fetch(ctx)
			}
			return s
		}
		texts, failures := herd(t.Context(), 50, instance)
		if texts["token-1"] != 50 || len(failures) != 0 || refused.Load() != 1 || server.fetched.Load() != 1 {
			t.Errorf("tokens %v, errors %v, %d rejected and %d good fetches, want one each", texts, failures, refused.Load(), server.fetched.Load())
		}
		if old, _ := store.LoadToken(t.Context(), testCredentials.Fingerprint()); !old.Token.Access.IsZero() {
			t.Error("the old credentials' item has the new ones' token")
		}
		if kept, _ := store.LoadToken(t.Context(), renewed.Fingerprint()); kept.Token.Access.Reveal() != "token-1" {
			t.Error("the new credentials' item has no token")
		}
	})
}

// TestDamagedRecord: what is stored cannot be read, or is not what an instance writes. One
// instance replaces it for all.
func TestDamagedRecord(t *testing.T) {
	// Each is of a record that was well a minute ago, and would be for the next hour.
	tests := []struct {
		name   string
		damage func(*memoryItem)
		logged string // "" is not
		kept   int64  // version afterwards
	}{
		{"not to be read", func(m *memoryItem) { *m = memoryItem{damage: errors.New("version is not a number")} }, "version is not a number", 1},
		{"a token with a line break", func(m *memoryItem) { m.token.Access = g2a.NewSecret("hunter2\nx: y") }, "not printable", 8},
		{"no life", func(m *memoryItem) { m.token.IssuedAt = m.token.ExpiresAt }, "life", 8},
		{"a life that ends before it begins", func(m *memoryItem) { m.token.IssuedAt = m.token.ExpiresAt.Add(time.Second) }, "life", 8},
		{"a life of more than a day", func(m *memoryItem) { m.token.ExpiresAt = m.token.IssuedAt.Add(24*time.Hour + time.Second) }, "life", 8},
		{"no times", func(m *memoryItem) { m.token.IssuedAt, m.token.ExpiresAt = time.Unix(0, 0), time.Unix(0, 0) }, "life", 8},
		{"issued in the future", func(m *memoryItem) {
			m.token.IssuedAt = time.Now().Add(121 * time.Second)
			m.token.ExpiresAt = m.token.IssuedAt.Add(time.Hour)
		}, "future", 8},
		{"a lease that is too long", func(m *memoryItem) {
			m.token.Access, m.owner, m.until = g2a.Secret{}, "other", time.Now().Add(141*time.Second)
		}, "", 8},
		{"a rejection that is too long", func(m *memoryItem) {
			m.token.Access, m.rejection = g2a.Secret{}, g2a.TokenRejection{Count: 1, Until: time.Now().Add(time.Hour + time.Second)}
		}, "", 8},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour}
				item := store.item(testCredentials.Fingerprint())
				issued := time.Now().Add(-time.Minute)
				item.token = g2a.Token{Access: g2a.NewSecret("hunter2"), IssuedAt: issued, ExpiresAt: issued.Add(time.Hour), Version: 7}
				test.damage(item)
				logger := slog.New(slog.NewTextHandler(&log, nil)) // one instance at a time writes a line
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				texts, failures := herd(ctx, 20, func(i int) g2a.TokenSource {
					s := shared(store, server, fmt.Sprint("instance-", i))
					s.Log, s.StoreFailed = logger, func() { t.Error("damage is reported as an outage") }
					return s
				})
				if texts["token-1"] != 20 || len(failures) != 0 || server.fetched.Load() != 1 {
					t.Errorf("tokens %v and errors %v after %d fetches, want one for all", texts, failures, server.fetched.Load())
				}
				if kept := store.kept(); kept.Version != test.kept || kept.Access.Reveal() != "token-1" {
					t.Errorf("version %d is kept, want the new token's %d", kept.Version, test.kept)
				}
				if lines := strings.Count(log.String(), "\n"); !strings.Contains(log.String(), test.logged) || (test.logged != "") != (lines == 1) || strings.Contains(log.String(), "hunter2") {
					t.Errorf("log is %q, want one line with %q and no token", log.String(), test.logged)
				}
			})
		})
	}
}

// TestDamageMendedMeanwhile: the record is good again before the instance that has seen the
// damage gets to replace it.
func TestDamageMendedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		item := store.item(testCredentials.Fingerprint())
		item.damage = errors.New("version is not a number")
		source := shared(mendedStore{store}, server, "me")
		if token, err := source.Token(t.Context()); err != nil || token.Access.Reveal() != "of-another" || server.fetched.Load() != 0 {
			t.Errorf("token %q, error %v, %d fetches; want the other instance's", token.Access.Reveal(), err, server.fetched.Load())
		}
	})
}

// mendedStore is one whose damaged record another instance replaces just before this one.
type mendedStore struct{ *memoryStore }

func (s mendedStore) LeaseToken(ctx context.Context, fingerprint string, seen g2a.TokenRecord, lease g2a.TokenLease) (bool, error) {
	s.mu.Lock()
	*s.item(fingerprint) = memoryItem{token: g2a.Token{Access: g2a.NewSecret("of-another"), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Version: 1}}
	s.mu.Unlock()
	return s.memoryStore.LeaseToken(ctx, fingerprint, seen, lease)
}

// TestStoreDownAndBack: each instance fetches for itself, once, and tells of it; later
// they share again.
func TestStoreDownAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{loadErr: errors.New("table not reachable")}, &tokenServer{life: time.Hour}
		var failed atomic.Int32
		var instances []g2a.TokenSource
		for i := range 5 {
			s := shared(store, server, fmt.Sprint("instance-", i))
			s.StoreFailed = func() { failed.Add(1) }
			instances = append(instances, g2a.RememberTokens(s, time.Now))
		}
		round := func() map[string]int {
			texts, failures := herd(t.Context(), len(instances), func(i int) g2a.TokenSource { return instances[i] })
			if len(failures) != 0 {
				t.Error(failures)
			}
			return texts
		}
		for range 3 {
			if texts := round(); len(texts) != 5 || server.fetched.Load() != 5 || failed.Load() != 5 {
				t.Errorf("tokens %v after %d fetches and %d failures told, want five of each", texts, server.fetched.Load(), failed.Load())
			}
		}
		store.loadErr = nil
		time.Sleep(50 * time.Minute)
		round()
		time.Sleep(10 * time.Second) // those who used theirs on meanwhile
		if texts := round(); len(texts) != 1 || server.fetched.Load() != 6 || failed.Load() != 5 {
			t.Errorf("tokens %v after %d fetches and %d failures told, want one more fetch for all", texts, server.fetched.Load(), failed.Load())
		}
	})
}

// TestTokenServerDown: G2A gives no tokens, and those in hand are used to their end
// without asking at each call; then the error says what it is.
func TestTokenServerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		s := shared(store, server, "me")
		s.Log = slog.New(slog.DiscardHandler)
		told := 0
		s.RefreshFailed = func() { told++ }
		remembered := g2a.RememberTokens(s, time.Now)
		if _, err := remembered.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.err = fmt.Errorf("GET /token: %w", g2a.ErrUnavailable)
		used := 0
		for ; ; used++ {
			token, err := remembered.Token(t.Context())
			if err != nil {
				if !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
				break
			}
			if token.Access.Reveal() != "token-1" {
				t.Fatalf("token %q", token.Access.Reveal())
			}
			time.Sleep(time.Second)
		}
		if want := 3600 - 130; used != want {
			t.Errorf("used for %d s, want %d", used, want)
		}
		if tries := int(server.fetched.Load()) - 1; tries < 40 || tries > 60 { // 590 s of it
			t.Errorf("%d tries to replace it, want one in 10 s", tries)
		} else if told != tries {
			t.Errorf("%d failures told of %d, most of them while the old token served", told, tries)
		}
	})
}

// TestRefreshRejected: while G2A rejects the credentials it is asked ever more rarely, and
// each run that leaves a due token in its place still tells of it.
func TestRefreshRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		s := shared(store, server, "me")
		s.Log = slog.New(slog.DiscardHandler)
		told := 0
		s.RefreshFailed = func() { told++ }
		if _, err := s.Token(t.Context()); err != nil || told != 0 {
			t.Fatalf("error %v, %d failures told", err, told)
		}
		server.err = g2a.ErrCredentialsRejected
		time.Sleep(50 * time.Minute)
		const serves, ended = 8, 20 // runs, one a minute
		for run := range serves + ended {
			if _, err := s.Token(t.Context()); (err == nil) != (run < serves) {
				t.Errorf("run %d: error %v", run, err)
			}
			time.Sleep(time.Minute)
		}
		if told != serves+ended || server.fetched.Load() > 8 {
			t.Errorf("%d failures told in %d runs, %d fetches", told, serves+ended, server.fetched.Load())
		}
	})
}

// TestFetchTokenFor sends these credentials, and does not look for others when G2A
// rejects them.
func TestFetchTokenFor(t *testing.T) {
	source := &rotating{fresh: g2a.Credentials{Hash: g2a.NewSecret("fresh-hash"), Key: g2a.NewSecret("fresh-key")}}
	g2aServer := &script{replies: []reply{answer(401, body("AUTH02")), answer(200, goodToken)}}
	client := g2a.New(testConfig(), g2a.Options{Credentials: source, Transport: g2aServer})
	given := g2a.Credentials{Hash: g2a.NewSecret("given-hash"), Key: g2a.NewSecret("given-key")}
	if _, err := client.FetchTokenFor(t.Context(), given); !errors.Is(err, g2a.ErrCredentialsRejected) {
		t.Errorf("got %v, want ErrCredentialsRejected", err)
	}
	if sent := g2aServer.requests(); len(sent) != 1 || sent[0].Header.Get("Authorization") != "given-hash, given-key" || source.refreshed != 0 {
		t.Errorf("%d requests sent, the first with %q, looked for others %d times", len(sent), sent[0].Header.Get("Authorization"), source.refreshed)
	}
}

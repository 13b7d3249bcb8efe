package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
// every second of three hours. None is ever sent after its end at the server, however
// the clocks stand, and each of them is fetched once.
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

// TestExpiryWithSkewedClocks: the last moment at which a token may be used, with the
// clocks as far apart as they may be and G2A not giving another one.
func TestExpiryWithSkewedClocks(t *testing.T) {
	for _, test := range []struct {
		name          string
		issuer, user  time.Duration
		before, after time.Duration // of the token's end at G2A: used, and not any more
	}{
		{"right", 0, 0, 131 * time.Second, 130 * time.Second},
		{"issued by a fast clock, used by a slow one", time.Minute, -time.Minute, 11 * time.Second, 10 * time.Second},
		{"issued by a slow clock, used by a fast one", -time.Minute, time.Minute, 251 * time.Second, 250 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{life: time.Hour}
				if _, err := skewed(store, server, "issuer", test.issuer).Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				server.err = g2a.ErrUnavailable
				user := skewed(store, server, "user", test.user)
				time.Sleep(server.life - test.before)
				if token, err := user.Token(t.Context()); err != nil || token.Access.Reveal() != "token-1" {
					t.Errorf("%s before its end: %v", test.before, err)
				}
				time.Sleep(test.before - test.after)
				if _, err := user.Token(t.Context()); !errors.Is(err, g2a.ErrUnavailable) {
					t.Errorf("%s before its end: %v, want ErrUnavailable", test.after, err)
				}
			})
		})
	}
}

// TestLeaseWithSkewedClocks: a lease is 20 seconds long for everybody who watches it,
// and for who does not only past what the clocks may differ.
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
		t.Run(test.name+", the holder dead", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{life: time.Hour}
				store.lend("dead", clockOff(test.holder)().Add(20*time.Second))
				started := time.Now()
				token, err := skewed(store, server, "other", test.other).Token(t.Context())
				if took := time.Since(started); err != nil || token.Version != 1 || took < 20*time.Second || took > 21*time.Second {
					t.Errorf("version %d, error %v after %s, want one after the lease's 20s", token.Version, err, took)
				}
			})
		})
		t.Run(test.name+", nobody has watched", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, server := &memoryStore{}, &tokenServer{life: time.Hour}
				store.lend("dead", clockOff(test.holder)().Add(20*time.Second))
				other := skewed(store, server, "other", test.other)
				brief := func() error { // as a probe has little time
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, err := other.Token(ctx)
					return err
				}
				apart := test.holder - test.other
				time.Sleep(20*time.Second + 2*time.Minute + apart - 2*time.Second)
				if err := brief(); err == nil {
					t.Error("the lease is taken before it must be over")
				}
				time.Sleep(time.Second)
				if err := brief(); err != nil {
					t.Errorf("the lease is over, and not taken: %v", err)
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

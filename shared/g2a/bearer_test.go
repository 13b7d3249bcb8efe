package g2a_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// deck is a DroppingSource that gives its tokens one after the other: the next one
// when the one before was dropped.
type deck struct {
	tokens  []string // "" is an error
	dropped []string
}

func (d *deck) Token(context.Context) (g2a.Token, error) {
	text := d.tokens[min(len(d.dropped), len(d.tokens)-1)]
	if text == "" {
		return g2a.Token{}, fmt.Errorf("fetching a token: %w", g2a.ErrUnavailable)
	}
	return g2a.Token{Access: g2a.NewSecret(text)}, nil
}

func (d *deck) DropToken(_ context.Context, token g2a.Token) {
	d.dropped = append(d.dropped, token.Access.Reveal())
}

func TestRejectedToken(t *testing.T) {
	rejected := answer(401, `{"status":"ERROR","message":"no","code":"AUTH02"}`)
	tests := []struct {
		name    string
		tokens  []string
		replies []reply // the good answer comes after them
		sent    string
		dropped string
		kind    error
	}{
		{"good", []string{"t1"}, nil, "t1", "", nil},
		{"rejected", []string{"t1", "t2"}, []reply{rejected}, "t1 t2", "t1", nil},
		{"rejected without a code", []string{"t1", "t2"}, []reply{answer(401, `{"status":"ERROR","message":"no"}`)}, "t1 t2", "t1", nil},
		{"rejected in the Import API's form", []string{"t1", "t2"}, []reply{answer(401, `{"errors":[{"code":"AUTH02","message":"no"}]}`)}, "t1 t2", "t1", nil},
		{"AUTH03", []string{"t1", "t2"}, []reply{answer(401, body("AUTH03"))}, "t1 t2", "t1", nil},
		{"AUTH04", []string{"t1", "t2"}, []reply{answer(401, body("AUTH04"))}, "t1 t2", "t1", nil},
		{"the next one rejected too", []string{"t1", "t2", "t3"}, []reply{rejected, rejected}, "t1 t2", "t1", g2a.ErrCredentialsRejected},
		{"no other one", []string{"t1"}, []reply{rejected}, "t1", "t1", g2a.ErrCredentialsRejected},
		{"the next one cannot be had", []string{"t1", ""}, []reply{rejected}, "t1", "t1", g2a.ErrUnavailable},
		{"none can be had", []string{""}, nil, "", "", g2a.ErrUnavailable},
		{"a request without a header is no fault of the token", []string{"t1", "t2"}, []reply{answer(403, body("AUTH01"))}, "t1", "", g2a.ErrCredentialsRejected},
		{"another refusal", []string{"t1", "t2"}, []reply{answer(402, body("ORD05"))}, "t1", "", g2a.ErrPaymentRequired},
		{"an outcome that is not known", []string{"t1", "t2"}, []reply{hang}, "t1", "", g2a.ErrUnavailable},
	}
	for _, test := range tests {
		for _, call := range withToken {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g2aServer, source := &script{replies: append(append([]reply{}, test.replies...), answer(200, call.good))}, &deck{tokens: test.tokens}
					cfg := testConfig()
					cfg.RetryMax = 0
					client := g2a.New(cfg, g2a.Options{Credentials: noCredentials{}, Tokens: source, Transport: g2aServer})
					if err := call.make(t.Context(), client); !errors.Is(err, test.kind) {
						t.Errorf("error is %v, want %v", err, test.kind)
					}
					var sent []string
					ids := map[string]bool{}
					for _, r := range g2aServer.requests() {
						bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
						sent = append(sent, bearer)
						ids[r.Header.Get("X-Correlation-ID")] = true
						if len(r.Header.Values("Authorization")) != 1 || r.Header.Get("X-API-KEY") != "" {
							t.Errorf("headers are %v", r.Header)
						}
					}
					if strings.Join(sent, " ") != test.sent || strings.Join(source.dropped, " ") != test.dropped || len(ids) > 1 {
						t.Errorf("sent %q, dropped %q, %d correlation ids; want %q, %q, one", sent, source.dropped, len(ids), test.sent, test.dropped)
					}
				})
			})
		}
	}
}

// TestTokenIsNotTold: G2A's words may repeat the token, or a key.
func TestTokenIsNotTold(t *testing.T) {
	echo := answer(400, `{"status":"ERROR","message":"`+testAccess+` and AAAA-BBBB-CCCC","code":"`+testAccess+`"}`)
	err := addInventory.make(t.Context(), newClient(&script{replies: []reply{echo}}))
	if err == nil || strings.Contains(err.Error(), testAccess) || strings.Contains(err.Error(), "AAAA") || !strings.Contains(err.Error(), "[redacted] and [redacted]") {
		t.Errorf("error is %v", err)
	}
}

// market is a G2A that takes one access token and answers an offer.
type market struct {
	mu   sync.Mutex
	good string
	sent int
}

func (m *market) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent++
	if r.Header.Get("Authorization") != "Bearer "+m.good {
		return answer(401, body("AUTH02"))(r)
	}
	return answer(200, goodOffer)(r)
}

// ask asks for an offer with each of the sources at once.
func ask(t *testing.T, m *market, sources ...g2a.TokenSource) {
	t.Helper()
	var wg sync.WaitGroup
	for _, source := range sources {
		client := g2a.New(testConfig(), g2a.Options{Credentials: noCredentials{}, Tokens: source, Transport: m})
		wg.Go(func() {
			if _, err := client.Offer(t.Context(), "o1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestRevokedTokenIsReplacedOnce: all callers of all instances meet the rejection, one
// fetches, and nobody drops the token after it.
func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{takes: time.Second, life: time.Hour}
		var callers []g2a.TokenSource
		for instance := range 5 {
			remembered := g2a.RememberTokens(shared(store, server, fmt.Sprint("instance-", instance)), time.Now)
			for range 10 {
				callers = append(callers, remembered)
			}
		}
		m := &market{good: "token-1"}
		ask(t, m, callers...)
		if server.fetched.Load() != 1 || m.sent != 50 {
			t.Fatalf("%d fetches, %d requests before", server.fetched.Load(), m.sent)
		}
		m.good = "token-2"
		ask(t, m, callers...)
		if server.fetched.Load() != 2 || store.dropped != 1 {
			t.Errorf("%d fetches and %d drops, want 2 and 1", server.fetched.Load(), store.dropped)
		}
		if kept := store.kept(); kept.Version != 2 || kept.Access.Reveal() != "token-2" {
			t.Errorf("version %d is kept, want the second token's 2", kept.Version)
		}
	})
}

// TestSlowInstanceDropsNothingNew: an instance that comes late with a token that was
// replaced long ago.
func TestSlowInstanceDropsNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, server := &memoryStore{}, &tokenServer{life: time.Hour}
		quick, slow := shared(store, server, "quick"), shared(store, server, "slow")
		old, err := slow.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		quick.DropToken(t.Context(), old)
		next, err := quick.Token(t.Context())
		if err != nil || next.Version != 2 {
			t.Fatalf("version %d, error %v", next.Version, err)
		}
		slow.DropToken(t.Context(), old)
		if got, err := slow.Token(t.Context()); err != nil || !got.Access.Equal(next.Access) || server.fetched.Load() != 2 {
			t.Errorf("version %d, error %v, %d fetches; want the one that is there", got.Version, err, server.fetched.Load())
		}
	})
}

// TestUnsavedTokenHasNoVersion: it cannot be taken for the one that another instance
// saves, and dropping it drops nothing else.
func TestUnsavedTokenHasNoVersion(t *testing.T) {
	tests := []struct {
		name  string
		store *memoryStore
	}{
		{"the store fails", &memoryStore{saveErr: errors.New("down")}},
		{"the store cannot be read", &memoryStore{loadErr: errors.New("down")}},
		{"the lease is lost", &memoryStore{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &tokenServer{life: time.Hour}
				mine := shared(test.store, server, "mine")
				fetch := mine.Fetch
				mine.Fetch = func(ctx context.Context, c g2a.Credentials) (g2a.Token, error) {
					test.store.mu.Lock()
					test.store.item(testCredentials.Fingerprint()).owner = "other" // in the middle of the fetch
					test.store.mu.Unlock()
					return fetch(ctx, c)
				}
				token, err := mine.Token(t.Context())
				if err != nil || token.Version != 0 || token.Access.IsZero() {
					t.Fatalf("version %d, error %v; want a token without a version", token.Version, err)
				}
				test.store.saveErr, test.store.loadErr = nil, nil
				saved := g2a.Token{Access: g2a.NewSecret("of-the-other"), Version: 1, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
				if kept, err := test.store.SaveToken(t.Context(), testCredentials.Fingerprint(), "other", saved); err != nil || !kept {
					t.Fatal(kept, err)
				}
				token.Version = 1 // also where it had that version
				mine.DropToken(t.Context(), token)
				if got, err := mine.Token(t.Context()); err != nil || got != saved {
					t.Errorf("token of version %d, error %v; want the other instance's", got.Version, err)
				}
			})
		})
	}
}

func TestDropWithoutTheStore(t *testing.T) {
	tests := []struct {
		name string
		from func(*g2a.SharedTokens, *memoryStore)
	}{
		{"the store fails", func(_ *g2a.SharedTokens, store *memoryStore) { store.dropErr = errors.New("it is closed") }},
		{"the credentials cannot be read", func(s *g2a.SharedTokens, _ *memoryStore) { s.Credentials = noCredentials{} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				store := &memoryStore{}
				source := shared(store, &tokenServer{life: time.Hour}, "me")
				source.Log = slog.New(slog.NewTextHandler(&log, nil))
				token, err := source.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				test.from(source, store)
				source.DropToken(t.Context(), token)
				if !strings.Contains(log.String(), "WARN") || !strings.Contains(log.String(), "closed") && !strings.Contains(log.String(), "locked") || strings.Contains(log.String(), "token-1") {
					t.Errorf("log is %q, want the cause and no token", log.String())
				}
			})
		})
	}
}

// TestDropWaitsForTheOneWhoAsks: what is asked for before the drop may still be the
// token that is dropped.
func TestDropWaitsForTheOneWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := func(text string) g2a.Token {
			return g2a.Token{Access: g2a.NewSecret(text), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
		}
		asked := 0
		remembered := g2a.RememberTokens(sourceFunc(func(context.Context) (g2a.Token, error) {
			if asked++; asked > 1 {
				return good("new"), nil
			}
			time.Sleep(5 * time.Second)
			return good("old"), nil
		}), time.Now)
		go func() { _, _ = remembered.Token(t.Context()) }()
		synctest.Wait()
		remembered.DropToken(t.Context(), good("old"))
		if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "new" {
			t.Errorf("token %q, error %v; want another one", token.Access.Reveal(), err)
		}
		remembered.DropToken(t.Context(), good("old"))
		if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "new" || asked != 2 {
			t.Errorf("token %q, error %v, asked %d times; want the one remembered", token.Access.Reveal(), err, asked)
		}
	})
}

func TestDropEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remembered := g2a.RememberTokens(sourceFunc((&tokenServer{takes: time.Minute, life: time.Hour}).fetch), time.Now)
		go func() { _, _ = remembered.Token(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		remembered.DropToken(ctx, g2a.Token{Access: g2a.NewSecret("old")})
		if took := time.Since(started); took != time.Second {
			t.Errorf("took %v, want the context's second", took)
		}
		time.Sleep(time.Minute)
	})
}

// TestRejectedCredentialsAreNotTriedOn: many callers make one try, and the next one
// comes after a pause.
func TestRejectedCredentialsAreNotTriedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &tokenServer{takes: time.Second, life: time.Hour, err: fmt.Errorf("GET /token: %w", g2a.ErrCredentialsRejected)}
		remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
		for round := range 2 {
			_, failures := herd(t.Context(), 50, func(int) g2a.TokenSource { return remembered })
			if len(failures) != 50 || !errors.Is(errors.Join(failures...), g2a.ErrCredentialsRejected) || server.fetched.Load() != 1 {
				t.Errorf("round %d: %d errors after %d tries, want 50 and one", round, len(failures), server.fetched.Load())
			}
		}
		time.Sleep(30 * time.Second)
		server.err = nil
		if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "token-2" {
			t.Errorf("after the pause: token %q, error %v", token.Access.Reveal(), err)
		}
	})
}

func TestRejectedCredentialsWithAnOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &tokenServer{life: time.Hour}
		remembered := g2a.RememberTokens(sourceFunc(server.fetch), time.Now)
		if _, err := remembered.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute) // it is to be replaced, and can still be used
		server.err = g2a.ErrCredentialsRejected
		for range 10 {
			if token, err := remembered.Token(t.Context()); err != nil || token.Access.Reveal() != "token-1" {
				t.Errorf("token %q, error %v; want the old one", token.Access.Reveal(), err)
			}
		}
		if server.fetched.Load() != 2 {
			t.Errorf("%d fetches, want the first one and one try", server.fetched.Load())
		}
	})
}

// TestOwnTokens: without a source the client fetches a token and remembers it.
func TestOwnTokens(t *testing.T) {
	g2aServer := &script{replies: []reply{answer(200, goodToken), answer(200, goodOffer)}}
	client := g2a.New(testConfig(), g2a.Options{Credentials: testCredentials, Transport: g2aServer})
	for range 2 {
		if _, err := client.Offer(t.Context(), "o1"); err != nil {
			t.Fatal(err)
		}
	}
	var sent []string
	for _, r := range g2aServer.requests() {
		sent = append(sent, r.URL.Path+" "+r.Header.Get("Authorization"))
	}
	want := "/v1/token " + testHash + ", " + testKey + "; /v3/sales/offers/o1 Bearer token-abc; /v3/sales/offers/o1 Bearer token-abc"
	if got := strings.Join(sent, "; "); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

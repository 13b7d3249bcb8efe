package g2a_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// EventBridge starts a run each minute, somewhere within the minute, and one may be lost
// or fail. So the run after the next comes at most three minutes later, and Lambda needs
// some seconds to start it.
const (
	runEvery  = time.Minute
	startUp   = 3 * time.Second // at most
	keepFor   = 3*runEvery + startUp
	shortKept = 5 * time.Minute // the shortest life of which a token is always in the store
)

// tableStore is a memoryStore that is as exact as the real one: it keeps whole seconds, and
// states the time in whole seconds, in an answer that has been on its way for a while.
type tableStore struct {
	*memoryStore
	world    *tokenWorld
	onItsWay time.Duration // an answer, at most
	readOnly bool          // no lease is ever free
}

func (s tableStore) LoadToken(ctx context.Context, fingerprint string) (g2a.TokenRecord, error) {
	record, err := s.memoryStore.LoadToken(ctx, fingerprint)
	record.ReadAt = record.ReadAt.Add(-s.world.upTo(s.onItsWay)).Truncate(time.Second)
	return record, err
}

func (s tableStore) LeaseToken(ctx context.Context, fingerprint string, seen g2a.TokenRecord, lease g2a.TokenLease) (bool, error) {
	if s.readOnly {
		return false, nil
	}
	return s.memoryStore.LeaseToken(ctx, fingerprint, seen, lease)
}

func (s tableStore) SaveToken(ctx context.Context, fingerprint, owner string, token g2a.Token) (bool, error) {
	s.world.look()
	defer s.world.look()
	token.IssuedAt, token.ExpiresAt = token.IssuedAt.Truncate(time.Second), token.ExpiresAt.Truncate(time.Second)
	return s.memoryStore.SaveToken(ctx, fingerprint, owner, token)
}

// tokenWorld is G2A, the store, the schedule and instances, all in a bubble of time.
type tokenWorld struct {
	t     *testing.T
	life  time.Duration
	store *memoryStore

	mu      sync.Mutex
	random  *rand.Rand
	ends    map[string]time.Time // of the tokens, at G2A
	fetches int
	looks   int           // of cold instances into the store
	gaps    int           // looks that found no usable token
	least   time.Duration // life that was left of a token that was used
	waited  time.Duration // the longest that an instance waited for a token
}

// upTo draws a duration.
func (w *tokenWorld) upTo(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(most)))
}

// oneIn draws whether something of that chance happens.
func (w *tokenWorld) oneIn(n int) bool { return w.upTo(time.Duration(n)) == 0 }

// fetch is G2A's: most answers take a second, some nearly as long as the lease.
func (w *tokenWorld) fetch(context.Context, g2a.Credentials) (g2a.Token, error) {
	issued, takes := time.Now(), w.upTo(2*time.Second)
	if w.oneIn(10) {
		takes = w.upTo(17 * time.Second)
	}
	w.mu.Lock()
	w.fetches++
	access := fmt.Sprint("token-", w.fetches)
	w.ends[access] = issued.Add(w.life)
	w.mu.Unlock()
	time.Sleep(takes)
	return g2a.Token{Access: g2a.NewSecret(access), IssuedAt: issued, ExpiresAt: issued.Add(w.life)}, nil
}

// instance has a clock that is wrong by skew.
func (w *tokenWorld) instance(owner string, skew time.Duration) *g2a.SharedTokens {
	return &g2a.SharedTokens{
		Store: tableStore{memoryStore: w.store, world: w, onItsWay: time.Second}, Credentials: testCredentials, Owner: owner, Clock: clockOff(skew), Log: slog.New(slog.DiscardHandler),
		Fetch: func(ctx context.Context, c g2a.Credentials) (g2a.Token, error) {
			token, err := w.fetch(ctx, c)
			token.IssuedAt, token.ExpiresAt = token.IssuedAt.Add(skew), token.ExpiresAt.Add(skew)
			return token, err
		},
	}
}

// send uses a token, which must not be in its last moments.
func (w *tokenWorld) send(token g2a.Token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := time.Until(w.ends[token.Access.Reveal()])
	w.least = min(w.least, left)
	if left < min(20*time.Second, w.life/10-2*time.Second) { // its answer was on its way, and rounded
		w.t.Errorf("%s is sent with %s left", token.Access.Reveal(), left)
	}
}

// look has cold instances look into the store, with the clocks as wrong as they may be.
func (w *tokenWorld) look() {
	if w.store.kept().Version == 0 {
		return // the first one is being fetched
	}
	for _, skew := range []time.Duration{-time.Minute, 0, time.Minute} {
		cold := w.instance("cold", skew)
		cold.Store = tableStore{memoryStore: w.store, world: w, onItsWay: time.Second, readOnly: true}
		ctx, cancel := context.WithCancel(w.t.Context())
		cancel() // it waits for nothing
		token, err := cold.Token(ctx)
		w.mu.Lock()
		w.looks++
		if err != nil {
			w.gaps++
		}
		w.mu.Unlock()
		if err == nil {
			w.send(token)
		}
	}
}

// schedule starts a run in every minute, each of an instance of its own.
func (w *tokenWorld) schedule(until time.Time) {
	var running sync.WaitGroup
	defer running.Wait()
	lost := false
	for minute := time.Now(); minute.Before(until); minute = minute.Add(runEvery) {
		time.Sleep(time.Until(minute.Add(w.upTo(runEvery))))
		if lost = !lost && w.oneIn(8); lost {
			continue
		}
		running.Go(func() {
			time.Sleep(w.upTo(startUp))
			w.look()
			run := w.instance(fmt.Sprint("run-", minute), w.upTo(2*time.Minute)-time.Minute)
			run.KeepFor = keepFor
			token, err := run.Token(w.t.Context())
			if err != nil {
				w.t.Errorf("a run fails: %v", err)
				return
			}
			w.send(token)
		})
	}
}

// use has an instance use the token every few seconds.
func (w *tokenWorld) use(owner string, skew time.Duration, until time.Time) {
	source := g2a.RememberTokens(w.instance(owner, skew), clockOff(skew))
	for time.Now().Before(until) {
		asked := time.Now()
		token, err := source.Token(w.t.Context())
		if err != nil {
			w.t.Errorf("%s has no token: %v", owner, err)
			return
		}
		w.send(token)
		w.mu.Lock()
		w.waited = max(w.waited, time.Since(asked))
		w.mu.Unlock()
		time.Sleep(w.upTo(20 * time.Second))
	}
}

// live lets the world go on for some lives, and returns the fetches of an hour.
func (w *tokenWorld) live(scheduled, used bool) (perHour float64) {
	lasts := max(time.Hour, 3*w.life)
	until := time.Now().Add(lasts)
	var all sync.WaitGroup
	if scheduled {
		all.Go(func() { w.schedule(until) })
	}
	if used {
		for i, skew := range []time.Duration{0, time.Minute, -time.Minute, w.upTo(time.Minute), -w.upTo(time.Minute)} {
			all.Go(func() { w.use(fmt.Sprint("instance-", i), skew, until) })
		}
	}
	for time.Now().Before(until) {
		w.look()
		time.Sleep(max(time.Second, w.life/500))
	}
	all.Wait()
	return float64(w.fetches) / lasts.Hours()
}

// TestKeepFor: when a run of the schedule replaces a token, and when another instance does.
func TestKeepFor(t *testing.T) {
	tests := []struct {
		name         string
		life         time.Duration
		run, another time.Duration // left of it when it is last kept
	}{
		{"five minutes", 5 * time.Minute, 4 * time.Minute, time.Minute},
		{"six minutes", 6 * time.Minute, keepFor + 72*time.Second, 72 * time.Second},
		{"an hour", time.Hour, keepFor + 12*time.Minute, 12 * time.Minute},
		{"a day", 24 * time.Hour, keepFor + 288*time.Minute, 288 * time.Minute},
		{"two minutes", 2 * time.Minute, 96 * time.Second, 24 * time.Second},
		{"a minute", time.Minute, 48 * time.Second, 12 * time.Second},
	}
	for _, test := range tests {
		for who, last := range map[string]time.Duration{"run": test.run, "another": test.another} {
			t.Run(test.name+", "+who, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, server := &memoryStore{}, &tokenServer{life: test.life}
					source := shared(store, server, who)
					if who == "run" {
						source.KeepFor = keepFor
					}
					for i, step := range []struct {
						wait    time.Duration
						fetches int32 // so far
					}{{0, 1}, {0, 1}, {test.life - last, 1}, {time.Second, 2}, {0, 2}} {
						time.Sleep(step.wait)
						if _, err := source.Token(t.Context()); err != nil || server.fetched.Load() != step.fetches {
							t.Errorf("step %d: %d fetches, error %v; want %d", i, server.fetched.Load(), err, step.fetches)
						}
					}
				})
			})
		}
	}
}

// TestTokenLives lives through hours of tokens of all lives, with clocks that are up to a
// minute off either way, and looks at the store at every event and each second, or 500th of
// a long life.
func TestTokenLives(t *testing.T) {
	lives := []int{60, 90, 120, 180, 299, 300, 301, 330, 600, 1800, 3600, 86400}
	for range 2 {
		lives = append(lives, 300+rand.IntN(900), 60+rand.IntN(240))
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "life\twho fetches\tfetches an hour\tat most\tlooks\tno usable token\tleast life left\tlongest wait\t")
	for _, seconds := range lives {
		life := time.Duration(seconds) * time.Second
		for _, who := range []struct {
			name            string
			scheduled, used bool
		}{{"schedule", true, false}, {"schedule and instances", true, true}, {"instances", false, true}} {
			t.Run(fmt.Sprint(life, ", ", who.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					seed := rand.Uint64()
					w := &tokenWorld{t: t, life: life, store: &memoryStore{}, random: rand.New(rand.NewPCG(seed, 0)), ends: map[string]time.Time{}, least: life}
					perHour := w.live(who.scheduled, who.used)
					most := 2 / max(1, 3*life.Hours()) // the first one, and the one that is replaced at the end
					if who.scheduled {
						most += min(60, time.Hour.Seconds()/(life/5).Seconds())
					}
					if who.used {
						most += time.Hour.Seconds() / (life*4/5 - 6*time.Second).Seconds()
					}
					if perHour > most {
						t.Errorf("%.1f fetches an hour, want %.1f at most (seed %d)", perHour, most, seed)
					}
					if who.scheduled && life >= shortKept && w.gaps != 0 {
						t.Errorf("%d of %d looks found no usable token (seed %d)", w.gaps, w.looks, seed)
					}
					if kept := w.store.kept(); kept.Version != int64(w.fetches) {
						t.Errorf("%d fetches for %d tokens (seed %d)", w.fetches, kept.Version, seed)
					}
					fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%d\t%d\t%s\t%s\t\n", life, who.name, perHour, most, w.looks, w.gaps, w.least.Round(time.Second), w.waited.Round(time.Second/10))
				})
			})
		}
	}
	_ = table.Flush() // into memory
	t.Logf("\n%s", &text)
}

package store_test

import (
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/store/storetest"
)

func tokens(e *storetest.Engine) store.Tokens {
	return store.Tokens{DB: e.DB, Table: e.StateTable, Env: g2a.Sandbox}
}

func token(version int64) g2a.Token {
	return g2a.Token{
		Access: g2a.NewSecret("access-" + string(rune('0'+version))), Version: version,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// lease takes the lease for 20 s, so many seconds after now.
func lease(e *storetest.Engine, seen int64, owner string, after time.Duration) (bool, error) {
	from := now.Add(after * time.Second)
	return tokens(e).LeaseToken(ctx, "f", seen, owner, from, from.Add(20*time.Second))
}

func TestTokens(t *testing.T) {
	mustLease := func(t *testing.T, e *storetest.Engine, seen int64, owner string, after time.Duration, want bool) {
		t.Helper()
		got, err := lease(e, seen, owner, after)
		must(t, err)
		if got != want {
			t.Fatalf("%s got the lease after %d s having seen version %d: %t, want %t", owner, after, seen, got, want)
		}
	}
	mustSave := func(t *testing.T, e *storetest.Engine, owner string, version int64, want bool) {
		t.Helper()
		got, err := tokens(e).SaveToken(ctx, "f", owner, token(version))
		must(t, err)
		if got != want {
			t.Fatalf("%s saved version %d: %t, want %t", owner, version, got, want)
		}
	}
	kept := func(version int64) attributes {
		return attributes{
			"access_token": "S " + token(version).Access.Reveal(), "version": "N " + string(rune('0'+version)),
			"issued_at": at(0), "token_expires_at": at(3600),
		}
	}
	dropped := func(version int64) attributes {
		item := kept(version)
		item["access_token"] = "S "
		return item
	}
	leased := func(item attributes, owner string, until int64) attributes {
		item["lease_owner"], item["lease_until"] = "S "+owner, at(until)
		return item
	}
	tests := map[string]struct {
		run  func(t *testing.T, e *storetest.Engine)
		want attributes
	}{
		"nothing kept": {func(t *testing.T, e *storetest.Engine) {}, nil},
		"a lease alone is no token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
		}, leased(attributes{}, "a", 20)},
		"the first token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
		}, kept(1)},
		"a lease is held": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustLease(t, e, 0, "b", 19, false)
		}, leased(attributes{}, "a", 20)},
		"its owner gets it again": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustLease(t, e, 0, "a", 5, true)
		}, leased(attributes{}, "a", 25)},
		"a lease has run out": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustLease(t, e, 0, "b", 20, true)
		}, leased(attributes{}, "b", 40)},
		"who lost the lease keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustLease(t, e, 0, "b", 20, true)
			mustSave(t, e, "a", 1, false)
		}, leased(attributes{}, "b", 40)},
		"who lost it to one that is done keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustLease(t, e, 0, "b", 20, true)
			mustSave(t, e, "b", 1, true)
			mustSave(t, e, "a", 2, false)
		}, kept(1)},
		"the next token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, 1, "b", 0, true)
			mustSave(t, e, "b", 2, true)
		}, kept(2)},
		"the old token stays while the next is fetched": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, 1, "b", 0, true)
		}, leased(kept(1), "b", 20)},
		"a version that is not the kept one gets no lease": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, 0, "b", 0, false)
			mustLease(t, e, 2, "b", 0, false)
		}, kept(1)},
		"an older version than the kept one gets no lease": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 2, true)
			mustLease(t, e, 1, "b", 0, false)
		}, kept(2)},
		"released": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			must(t, tokens(e).ReleaseToken(ctx, "f", "a"))
		}, attributes{"lease_owner": "S a", "lease_until": "N 0"}},
		"who released the lease keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			must(t, tokens(e).ReleaseToken(ctx, "f", "a"))
			mustSave(t, e, "a", 1, false)
		}, attributes{"lease_owner": "S a", "lease_until": "N 0"}},
		"a released lease can be taken": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			must(t, tokens(e).ReleaseToken(ctx, "f", "a"))
			mustLease(t, e, 0, "b", 1, true)
		}, leased(attributes{}, "b", 21)},
		"another owner's lease is not released": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			must(t, tokens(e).ReleaseToken(ctx, "f", "b"))
		}, leased(attributes{}, "a", 20)},
		"releasing nothing makes nothing": {func(t *testing.T, e *storetest.Engine) {
			must(t, tokens(e).ReleaseToken(ctx, "f", "a"))
		}, nil},
		"dropped": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"dropping is by the text, not the version": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 2, true)
			other := token(1)
			other.Version = 2
			must(t, tokens(e).DropToken(ctx, "f", other))
		}, kept(2)},
		"a newer token is not dropped": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, 1, "b", 0, true)
			mustSave(t, e, "b", 2, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, kept(2)},
		"dropping twice": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"dropping nothing makes nothing": {func(t *testing.T, e *storetest.Engine) {
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			must(t, tokens(e).DropToken(ctx, "f", g2a.Token{}))
		}, nil},
		"dropped while the next is fetched": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, 1, "b", 0, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, leased(dropped(1), "b", 20)},
		"the one after a dropped one": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			mustLease(t, e, 0, "b", 0, false)
			mustLease(t, e, 1, "b", 0, true)
			mustSave(t, e, "b", 2, true)
		}, kept(2)},
		"the answer to a drop is lost": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			mustSave(t, e, "a", 1, true)
			e.Wire.Fail(storetest.AnswerLost)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"the lease's answer is lost": {func(t *testing.T, e *storetest.Engine) {
			e.Wire.Fail(storetest.AnswerLost)
			mustLease(t, e, 0, "a", 0, true)
		}, leased(attributes{}, "a", 20)},
		"the answer to a save is lost": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, 0, "a", 0, true)
			e.Wire.Fail(storetest.AnswerLost)
			mustSave(t, e, "a", 1, true)
		}, kept(1)},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range tests {
			t.Run(name, func(t *testing.T) {
				e.Delete(t, e.StateTable, "TOKEN#sandbox#f", "TOKEN")
				c.run(t, e)
				wantItem(t, e, e.StateTable, "TOKEN#sandbox#f", "TOKEN", c.want)
				checkLoad(t, e, c.want)
			})
		}
	})
}

// checkLoad compares the loaded token with the item.
func checkLoad(t *testing.T, e *storetest.Engine, item attributes) {
	t.Helper()
	got, err := tokens(e).LoadToken(ctx, "f")
	must(t, err)
	if item["access_token"] == "" || item["access_token"] == "S " { // never one, or dropped
		want := g2a.Token{}
		if item["version"] != "" {
			want.Version = int64(item["version"][2] - '0')
		}
		if got != want {
			t.Errorf("loaded version %d, issued %s, want no token", got.Version, got.IssuedAt)
		}
		return
	}
	if "S "+got.Access.Reveal() != item["access_token"] || "N "+string(rune('0'+got.Version)) != item["version"] ||
		!got.IssuedAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("loaded version %d, issued %s, expires %s, from %v", got.Version, got.IssuedAt, got.ExpiresAt, item)
	}
}

// Other credentials and the other environment have items of their own.
func TestTokensApart(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		live := tokens(e)
		live.Env = g2a.Live
		for name, s := range map[string]struct {
			tokens      store.Tokens
			fingerprint string
		}{"one": {tokens(e), "f"}, "other": {tokens(e), "g"}, "live": {live, "f"}} {
			leased, err := s.tokens.LeaseToken(ctx, s.fingerprint, 0, name, now, now.Add(time.Minute))
			must(t, err)
			if !leased {
				t.Errorf("%s: another one's lease is in the way", name)
			}
		}
	})
}

func TestTokenDamaged(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		e.Put(t, e.StateTable, text("pk", "TOKEN#sandbox#f", "sk", "TOKEN", "access_token", "a", "version", "one"))
		_, err := tokens(e).LoadToken(ctx, "f")
		wantDamaged(t, err, "reading the token")
	})
}

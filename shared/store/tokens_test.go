package store_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
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

// seen is a record with a version and a lease, or nobody's.
func seen(version int64, owner string, until time.Duration) g2a.TokenRecord {
	record := g2a.TokenRecord{Token: g2a.Token{Version: version}}
	if owner != "" {
		record.Lease = g2a.TokenLease{Owner: owner, Until: now.Add(until * time.Second)}
	}
	return record
}

// rejectedOnce is a record with one rejection.
func rejectedOnce(record g2a.TokenRecord) g2a.TokenRecord {
	record.Rejection = g2a.TokenRejection{Count: 1, Until: now.Add(30 * time.Second)}
	return record
}

// ended is until when a lease was that was given back: 1970.
var ended = time.Unix(0, 0).Sub(now) / time.Second

// lease asks for the lease until so many seconds after now.
func lease(e *storetest.Engine, record g2a.TokenRecord, owner string, until time.Duration) (bool, error) {
	return tokens(e).LeaseToken(ctx, "f", record, g2a.TokenLease{Owner: owner, Until: now.Add(until * time.Second)})
}

// release gives the lease back, with so many rejections, each of 30 seconds.
func release(e *storetest.Engine, owner string, rejections int64) error {
	var rejection g2a.TokenRejection
	if rejections != 0 {
		rejection = g2a.TokenRejection{Count: rejections, Until: now.Add(time.Duration(rejections) * 30 * time.Second)}
	}
	return tokens(e).ReleaseToken(ctx, "f", owner, rejection)
}

func TestTokens(t *testing.T) {
	mustLease := func(t *testing.T, e *storetest.Engine, record g2a.TokenRecord, owner string, until time.Duration, want bool) {
		t.Helper()
		got, err := lease(e, record, owner, until)
		must(t, err)
		if got != want {
			t.Fatalf("%s got the lease having seen version %d and the lease of %q: %t, want %t", owner, record.Token.Version, record.Lease.Owner, got, want)
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
	rejected := func(item attributes) attributes {
		item["lease_owner"], item["lease_until"], item["rejections"], item["rejected_until"] = "S b", "N 0", "N 1", at(30)
		return item
	}
	tests := map[string]struct {
		run  func(t *testing.T, e *storetest.Engine)
		want attributes
	}{
		"nothing kept": {func(t *testing.T, e *storetest.Engine) {}, nil},
		"a lease alone is no token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
		}, leased(attributes{}, "a", 20)},
		"the first token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
		}, kept(1)},
		"a lease is held": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "", 0), "b", 40, false)
		}, leased(attributes{}, "a", 20)},
		"another lease than the one seen is held": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "x", 20), "b", 40, false)
			mustLease(t, e, seen(0, "a", 19), "b", 40, false)
		}, leased(attributes{}, "a", 20)},
		"the lease seen is gone": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "a", 20), "b", 40, false)
		}, nil},
		"its owner gets it again": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "", 0), "a", 25, true)
		}, leased(attributes{}, "a", 25)},
		"the lease seen is taken over": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "a", 20), "b", 40, true)
		}, leased(attributes{}, "b", 40)},
		"who lost the lease keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "a", 20), "b", 40, true)
			mustSave(t, e, "a", 1, false)
		}, leased(attributes{}, "b", 40)},
		"who lost it to one that is done keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "a", 20), "b", 40, true)
			mustSave(t, e, "b", 1, true)
			mustSave(t, e, "a", 2, false)
		}, kept(1)},
		"the next token": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
			mustSave(t, e, "b", 2, true)
		}, kept(2)},
		"the old token stays while the next is fetched": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
		}, leased(kept(1), "b", 20)},
		"a version that is not the kept one gets no lease": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(0, "", 0), "b", 20, false)
			mustLease(t, e, seen(2, "", 0), "b", 20, false)
		}, kept(1)},
		"an older version than the kept one gets no lease": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 2, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, false)
		}, kept(2)},
		"released": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 0))
		}, attributes{"lease_owner": "S a", "lease_until": "N 0"}},
		"who released the lease keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 0))
			mustSave(t, e, "a", 1, false)
		}, attributes{"lease_owner": "S a", "lease_until": "N 0"}},
		"a released lease can be taken": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 0))
			mustLease(t, e, seen(0, "", 0), "b", 21, false)
			mustLease(t, e, seen(0, "a", ended), "b", 21, true)
		}, leased(attributes{}, "b", 21)},
		"another owner's lease is not released": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "b", 0))
		}, leased(attributes{}, "a", 20)},
		"rejected": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
		}, attributes{"lease_owner": "S a", "lease_until": "N 0", "rejections": "N 1", "rejected_until": at(30)}},
		"rejected again": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "b", 60, true)
			must(t, release(e, "b", 2))
		}, attributes{"lease_owner": "S b", "lease_until": "N 0", "rejections": "N 2", "rejected_until": at(60)}},
		"rejected, and somebody tries again": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "b", 60, true)
		}, leased(attributes{"rejections": "N 1", "rejected_until": at(30)}, "b", 60)},
		"rejected with a token kept": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
			must(t, release(e, "b", 1))
		}, rejected(kept(1))},
		"a token ends the rejections": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "b", 60, true)
			mustSave(t, e, "b", 1, true)
		}, kept(1)},
		"a rejection that was not seen": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
			mustLease(t, e, seen(0, "a", ended), "b", 60, false)
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "a", 60, true)
			must(t, release(e, "a", 2))
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "b", 60, false)
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "a", 60, false)
		}, attributes{"lease_owner": "S a", "lease_until": "N 0", "rejections": "N 2", "rejected_until": at(60)}},
		"who lost the lease rejects nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustLease(t, e, seen(0, "a", 20), "b", 40, true)
			must(t, release(e, "a", 1))
		}, leased(attributes{}, "b", 40)},
		"releasing nothing makes nothing": {func(t *testing.T, e *storetest.Engine) {
			must(t, release(e, "a", 0))
		}, nil},
		"dropped": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"dropping is by the text, not the version": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 2, true)
			other := token(1)
			other.Version = 2
			must(t, tokens(e).DropToken(ctx, "f", other))
		}, kept(2)},
		"a newer token is not dropped": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
			mustSave(t, e, "b", 2, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, kept(2)},
		"dropping twice": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"dropping nothing makes nothing": {func(t *testing.T, e *storetest.Engine) {
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			must(t, tokens(e).DropToken(ctx, "f", g2a.Token{}))
		}, nil},
		"dropped while the next is fetched": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, leased(dropped(1), "b", 20)},
		"the one after a dropped one": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
			mustLease(t, e, seen(0, "", 0), "b", 20, false)
			mustLease(t, e, seen(1, "", 0), "b", 20, true)
			mustSave(t, e, "b", 2, true)
		}, kept(2)},
		"the answer to a drop is lost": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			mustSave(t, e, "a", 1, true)
			e.Wire.Fail(storetest.AnswerLost)
			must(t, tokens(e).DropToken(ctx, "f", token(1)))
		}, dropped(1)},
		"the lease's answer is lost": {func(t *testing.T, e *storetest.Engine) {
			e.Wire.Fail(storetest.AnswerLost)
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
		}, leased(attributes{}, "a", 20)},
		"the answer to a save is lost": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
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

// checkLoad compares the loaded record with the item.
func checkLoad(t *testing.T, e *storetest.Engine, item attributes) {
	t.Helper()
	got, err := tokens(e).LoadToken(ctx, "f")
	must(t, err)
	loaded := attributes{}
	add := func(present bool, name, value string) {
		if present {
			loaded[name] = value
		}
	}
	add(got.Token.Version != 0, "version", fmt.Sprintf("N %d", got.Token.Version))
	add(got.Lease.Owner != "", "lease_owner", "S "+got.Lease.Owner)
	add(got.Lease.Owner != "", "lease_until", fmt.Sprintf("N %d", got.Lease.Until.Unix()))
	add(got.Rejection.Count != 0, "rejections", fmt.Sprintf("N %d", got.Rejection.Count))
	add(got.Rejection.Count != 0, "rejected_until", fmt.Sprintf("N %d", got.Rejection.Until.Unix()))
	want := maps.Clone(item)
	if want["access_token"] == "S " { // dropped
		for _, name := range []string{"access_token", "issued_at", "token_expires_at"} {
			delete(want, name)
		}
	}
	if got.Token.Access.IsZero() {
		add(!got.Token.IssuedAt.IsZero() || !got.Token.ExpiresAt.IsZero(), "times", "of no token")
	} else {
		add(true, "access_token", "S "+got.Token.Access.Reveal())
		add(true, "issued_at", fmt.Sprintf("N %d", got.Token.IssuedAt.Unix()))
		add(true, "token_expires_at", fmt.Sprintf("N %d", got.Token.ExpiresAt.Unix()))
	}
	if !maps.Equal(loaded, want) {
		t.Errorf("loaded %v\nwant   %v", loaded, want)
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
			leased, err := s.tokens.LeaseToken(ctx, s.fingerprint, g2a.TokenRecord{}, g2a.TokenLease{Owner: name, Until: now.Add(time.Minute)})
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

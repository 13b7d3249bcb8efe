package store_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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
			"issued_at": at(0), "token_expires_at": at(3600), "expires_at": at(3600 + 7*day),
		}
	}
	dropped := func(version int64) attributes {
		item := kept(version)
		item["access_token"] = "S "
		return item
	}
	leased := func(item attributes, owner string, until int64) attributes {
		item["lease_owner"], item["lease_until"], item["expires_at"] = "S "+owner, at(until), at(until+7*day)
		return item
	}
	rejected := func(item attributes) attributes {
		item["lease_owner"], item["lease_until"], item["rejections"], item["rejected_until"] = "S b", "N 0", "N 1", at(30)
		item["expires_at"] = at(20 + 7*day)
		return item
	}
	// released is a lease that was given back, by one who had it until so many seconds.
	released := func(owner string, until int64, more attributes) attributes {
		item := attributes{"lease_owner": "S " + owner, "lease_until": "N 0", "expires_at": at(until + 7*day)}
		maps.Copy(item, more)
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
		}, released("a", 20, nil)},
		"who released the lease keeps nothing": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 0))
			mustSave(t, e, "a", 1, false)
		}, released("a", 20, nil)},
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
		}, released("a", 20, attributes{"rejections": "N 1", "rejected_until": at(30)})},
		"rejected again": {func(t *testing.T, e *storetest.Engine) {
			mustLease(t, e, seen(0, "", 0), "a", 20, true)
			must(t, release(e, "a", 1))
			mustLease(t, e, rejectedOnce(seen(0, "a", ended)), "b", 60, true)
			must(t, release(e, "b", 2))
		}, released("b", 60, attributes{"rejections": "N 2", "rejected_until": at(60)})},
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
		}, released("a", 60, attributes{"rejections": "N 2", "rejected_until": at(60)})},
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
	delete(want, "expires_at")        // it is DynamoDB's
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

// TestTokenClock: a record is read at the time that DynamoDB states.
func TestTokenClock(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		before := time.Now().Truncate(time.Second) // of the same machine
		record, err := tokens(e).LoadToken(ctx, "f")
		must(t, err)
		if record.ReadAt.Before(before) || record.ReadAt.After(time.Now()) {
			t.Errorf("read at %s, want it from %s on", record.ReadAt, before)
		}
		e.Wire.Fail(storetest.Refusal(`{}`)) // has no Date
		if record, _ := tokens(e).LoadToken(ctx, "f"); !record.ReadAt.IsZero() {
			t.Errorf("read at %s, which nobody has stated", record.ReadAt)
		}
	})
}

type (
	attributeS    = types.AttributeValueMemberS
	attributeN    = types.AttributeValueMemberN
	attributeB    = types.AttributeValueMemberB
	attributeBOOL = types.AttributeValueMemberBOOL
	attributeNULL = types.AttributeValueMemberNULL
	attributeL    = types.AttributeValueMemberL
	attributeM    = types.AttributeValueMemberM
	attributeSS   = types.AttributeValueMemberSS
)

// damaged are attributes that make a good item one that cannot be read; nil removes one.
var damaged = map[string]struct {
	change map[string]types.AttributeValue
	reason string
}{
	"a version that is a string":       {map[string]types.AttributeValue{"version": &attributeS{Value: "one"}}, "version is not a number"},
	"a version in a string":            {map[string]types.AttributeValue{"version": &attributeS{Value: "1"}}, "version is not a number"},
	"a version that is NULL":           {map[string]types.AttributeValue{"version": &attributeNULL{Value: true}}, "version is not a number"},
	"a version with a fraction":        {map[string]types.AttributeValue{"version": &attributeN{Value: "1.5"}}, "version is not an integer"},
	"a version below 0":                {map[string]types.AttributeValue{"version": &attributeN{Value: "-1"}}, "version is not an integer"},
	"version 0":                        {map[string]types.AttributeValue{"version": &attributeN{Value: "0"}}, "version is 0"},
	"a version beyond any count":       {map[string]types.AttributeValue{"version": &attributeN{Value: "9223372036854775807"}}, "version is not an integer"},
	"a version of 38 digits":           {map[string]types.AttributeValue{"version": &attributeN{Value: "99999999999999999999999999999999999999"}}, "version is not an integer"},
	"no version":                       {map[string]types.AttributeValue{"version": nil}, "access_token is there without version"},
	"a token that is a number":         {map[string]types.AttributeValue{"access_token": &attributeN{Value: "17"}}, "access_token is not a string"},
	"a token that is bytes":            {map[string]types.AttributeValue{"access_token": &attributeB{Value: []byte("hunter2")}}, "access_token is not a string"},
	"a token that is a map":            {map[string]types.AttributeValue{"access_token": &attributeM{Value: map[string]types.AttributeValue{"S": &attributeS{Value: "hunter2"}}}}, "access_token is not a string"},
	"a token that is a list":           {map[string]types.AttributeValue{"access_token": &attributeL{Value: []types.AttributeValue{&attributeS{Value: "hunter2"}, &attributeN{Value: "1"}}}}, "access_token is not a string"},
	"a token that is a set":            {map[string]types.AttributeValue{"access_token": &attributeSS{Value: []string{"hunter2", "a"}}}, "access_token is not a string"},
	"a token that is true":             {map[string]types.AttributeValue{"access_token": &attributeBOOL{Value: true}}, "access_token is not a string"},
	"no time of issue":                 {map[string]types.AttributeValue{"issued_at": nil}, "access_token is there without issued_at"},
	"no end":                           {map[string]types.AttributeValue{"token_expires_at": nil}, "access_token is there without token_expires_at"},
	"an end that is a string":          {map[string]types.AttributeValue{"token_expires_at": &attributeS{Value: "2026-03-01T12:00:00Z"}}, "token_expires_at is not a number"},
	"a time of issue before 1970":      {map[string]types.AttributeValue{"issued_at": &attributeN{Value: "-5"}}, "issued_at is not an integer"},
	"a lease without an end":           {map[string]types.AttributeValue{"lease_owner": &attributeS{Value: "x"}}, "lease_owner is there without lease_until"},
	"a lease of nobody":                {map[string]types.AttributeValue{"lease_owner": &attributeS{Value: ""}, "lease_until": &attributeN{Value: "5"}}, "lease_owner is empty"},
	"a lease whose end is NULL":        {map[string]types.AttributeValue{"lease_owner": &attributeS{Value: "x"}, "lease_until": &attributeNULL{Value: true}}, "lease_until is not a number"},
	"rejections without an end":        {map[string]types.AttributeValue{"rejections": &attributeN{Value: "3"}}, "rejections is there without rejected_until"},
	"no rejections, yet counted":       {map[string]types.AttributeValue{"rejections": &attributeN{Value: "0"}, "rejected_until": &attributeN{Value: "5"}}, "rejections is 0"},
	"a time to live that is no number": {map[string]types.AttributeValue{"expires_at": &attributeS{Value: "soon"}}, "expires_at is not a number"},
}

// damage writes a good item with its second token, changed, and loads it.
func damage(t *testing.T, e *storetest.Engine, change map[string]types.AttributeValue) g2a.TokenRecord {
	t.Helper()
	fields := text("pk", "TOKEN#sandbox#f", "sk", "TOKEN", "access_token", "hunter2")
	for name, value := range map[string]int64{"version": 2, "issued_at": now.Unix(), "token_expires_at": now.Unix() + 3600, "expires_at": now.Unix() + day} {
		fields[name] = &attributeN{Value: strconv.FormatInt(value, 10)}
	}
	for name, value := range change {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	e.Put(t, e.StateTable, fields)
	record, err := tokens(e).LoadToken(ctx, "f")
	must(t, err)
	return record
}

// TestDamagedToken: one instance of all that see the damage gets the lease, which takes the
// item's place, and the token that it saves is kept.
func TestDamagedToken(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range damaged {
			t.Run(name, func(t *testing.T) {
				record := damage(t, e, c.change)
				if record.Damage == nil || errors.Is(record.Damage, store.ErrUnavailable) || !strings.HasPrefix(record.Damage.Error(), "the item is damaged: "+c.reason) {
					t.Fatalf("damage is %v, want %q", record.Damage, c.reason)
				}
				if told := fmt.Sprintf("%v %+v %#v", record, record, record.Damage.Error()); strings.Contains(told, "hunter2") {
					t.Errorf("it tells the token: %s", told)
				}
				if record.ReadAt.IsZero() || record.Token != (g2a.Token{}) || record.Lease != (g2a.TokenLease{}) || record.Rejection != (g2a.TokenRejection{}) {
					t.Errorf("beside the damage there is %+v", record)
				}
				var taken atomic.Int32
				var all sync.WaitGroup
				for i := range 8 {
					all.Go(func() {
						switch leased, err := lease(e, record, fmt.Sprint("instance-", i), 20); {
						case err != nil:
							t.Error(err)
						case leased:
							taken.Add(1)
							if saved, err := tokens(e).SaveToken(ctx, "f", fmt.Sprint("instance-", i), token(1)); err != nil || !saved {
								t.Errorf("saved: %t, %v", saved, err)
							}
						}
					})
				}
				all.Wait()
				if taken.Load() != 1 {
					t.Errorf("%d instances got the lease, want one", taken.Load())
				}
				wantItem(t, e, e.StateTable, "TOKEN#sandbox#f", "TOKEN", attributes{
					"access_token": "S access-1", "version": "N 1", "issued_at": at(0), "token_expires_at": at(3600), "expires_at": at(3600 + 7*day),
				})
			})
		}
	})
}

// TestDamageIsReplacedOnlyAsItWasSeen: a good item that was written since stays, and so does
// other damage.
func TestDamageIsReplacedOnlyAsItWasSeen(t *testing.T) {
	version := func(value string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"version": &attributeS{Value: value}}
	}
	since := map[string]struct {
		do     func(t *testing.T, e *storetest.Engine)
		want   bool
		absent bool // the damage is that there is no version
	}{
		"nothing": {func(*testing.T, *storetest.Engine) {}, true, false},
		"other damage": {func(t *testing.T, e *storetest.Engine) {
			damage(t, e, map[string]types.AttributeValue{"version": &attributeN{Value: "-1"}})
		}, false, false},
		"other damage, beside the same": {func(t *testing.T, e *storetest.Engine) {
			damage(t, e, map[string]types.AttributeValue{"version": &attributeS{Value: "one"}, "issued_at": nil})
		}, false, false},
		"mended": {func(t *testing.T, e *storetest.Engine) {
			damage(t, e, nil)
		}, false, false},
		"mended, with a lease": {func(t *testing.T, e *storetest.Engine) {
			if taken, err := lease(e, damage(t, e, nil), "b", 20); err != nil || !taken {
				t.Fatal(taken, err)
			}
		}, false, false},
		"replaced, and leased": {func(t *testing.T, e *storetest.Engine) {
			if taken, err := lease(e, damage(t, e, version("one")), "b", 20); err != nil || !taken {
				t.Fatal(taken, err)
			}
		}, false, false},
		"the absent version is there": {func(t *testing.T, e *storetest.Engine) {
			damage(t, e, nil)
		}, false, true},
		"nothing, and there is no version": {func(*testing.T, *storetest.Engine) {}, true, true},
		"deleted": {func(t *testing.T, e *storetest.Engine) {
			e.Delete(t, e.StateTable, "TOKEN#sandbox#f", "TOKEN")
		}, false, false},
		"the lease's answer is lost": {func(_ *testing.T, e *storetest.Engine) {
			e.Wire.Fail(storetest.AnswerLost)
		}, true, false},
	}
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for name, c := range since {
			t.Run(name, func(t *testing.T) {
				seen := damage(t, e, version("one"))
				if c.absent {
					seen = damage(t, e, map[string]types.AttributeValue{"version": nil})
				}
				c.do(t, e)
				before := attributesOf(t, e.Item(t, e.StateTable, "TOKEN#sandbox#f", "TOKEN"))
				taken, err := lease(e, seen, "a", 20)
				must(t, err)
				want := attributes{"pk": "S TOKEN#sandbox#f", "sk": "S TOKEN", "lease_owner": "S a", "lease_until": at(20), "expires_at": at(20 + 7*day)}
				if !c.want {
					want = before
				}
				if got := attributesOf(t, e.Item(t, e.StateTable, "TOKEN#sandbox#f", "TOKEN")); taken != c.want || !maps.Equal(got, want) {
					t.Errorf("taken: %t, want %t; the item is %v, want %v", taken, c.want, got, want)
				}
			})
		}
	})
}

// TestTokenItemOfAnOlderVersion has no time to live yet: it is read, and gets one.
func TestTokenItemOfAnOlderVersion(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		record := damage(t, e, map[string]types.AttributeValue{"expires_at": nil})
		if record.Damage != nil || record.Token.Version != 2 || record.Token.Access.Reveal() != "hunter2" {
			t.Fatalf("record %+v", record)
		}
		if taken, err := lease(e, record, "a", 20); err != nil || !taken {
			t.Fatal(taken, err)
		}
		if got := attributesOf(t, e.Item(t, e.StateTable, "TOKEN#sandbox#f", "TOKEN"))["expires_at"]; got != at(20+7*day) {
			t.Errorf("expires_at is %q, want a week after the lease", got)
		}
	})
}

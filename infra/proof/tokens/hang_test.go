//go:build proof

package tokens

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

var forger = g2a.Credentials{Hash: g2a.NewSecret("hash-of-a-forger"), Key: g2a.NewSecret("key-of-a-forger")}

// pace is between two webhooks where many are sent until something happens.
const pace = 100 * time.Millisecond

// round is a time as it is printed.
func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// TestSecretsManagerHangs while both hashes are in memory, too old to be used without a
// look at it: webhooks are verified with them all the same.
func TestSecretsManagerHangs(t *testing.T) {
	t.Parallel()
	v, kept := newVault(t), keptFor(t)
	s := newStack(t, keeping(t, kept, v))
	s.setSecret(renewed)
	s.accepted("at first", renewed)
	if reads := v.reads(); reads != 2 {
		t.Errorf("the first webhook costs %d reads, want one of each version", reads)
	}
	time.Sleep(kept)

	hang(t, v.line)
	began := time.Now()
	slowest, sum, all := time.Duration(0), time.Duration(0), 0
	count := func(d delivery) {
		slowest, sum, all = max(slowest, d.took), sum+d.took, all+1
	}
	for range 20 {
		count(s.accepted("while it hangs", renewed))
		count(s.accepted("while it hangs, signed with the previous hash", original))
		count(s.refused("while it hangs, forged", forger, http.StatusUnauthorized))
	}
	hung := v.reads()
	if most := 1 + int(time.Since(began)/(10*time.Second)); hung < 1 || hung > most {
		t.Errorf("Secrets Manager is asked %d times while it hangs, want 1 to %d", hung, most)
	}
	t.Logf("\n%d webhooks while Secrets Manager hangs and the hashes are older than %s: all answered, 40 accepted, 20 forged ones refused; slowest %s, mean %s; reads tried %d",
		all, kept, round(slowest), round(sum/time.Duration(all)), hung)

	v.line.set(nil)
	began = time.Now()
	reads := 0
	for ; reads == 0 && time.Since(began) < time.Minute; reads = v.reads() {
		time.Sleep(pace)
		s.accepted("when it answers again", renewed)
	}
	if reads == 0 {
		t.Error("the value is not refreshed")
	}
	t.Logf("refreshed %s after Secrets Manager answers again", round(time.Since(began)))
}

// TestSecretsManagerHangsAtAColdStart: without a hash no webhook can be verified, and
// each one has its 503 within the function's time.
func TestSecretsManagerHangsAtAColdStart(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s := newStack(t, func(o *localcloud.Options) { o.SecretsEndpoint, o.Concurrency = v.endpoint, 1 })
	hang(t, v.line)
	first, next := s.refused("at first", original, http.StatusServiceUnavailable), time.Duration(0)
	const more = 5
	for range more {
		next = max(next, s.refused("right after it", original, http.StatusServiceUnavailable).took)
	}
	if reads := v.reads(); reads > more {
		t.Errorf("%d reads for %d webhooks, want one in a second", reads, 1+more)
	}
	v.line.set(nil)
	began := time.Now()
	for d := s.deliver(original); d.status != http.StatusOK; d = s.deliver(original) {
		if time.Since(began) > time.Minute {
			t.Fatalf("webhooks are answered %d %s", d.status, d.result)
		}
		time.Sleep(pace)
	}
	t.Logf("503 after %s with a cold start, those right after it within %s; accepted %s after Secrets Manager answers", round(first.took), round(next), round(time.Since(began)))
}

// TestFrozenBetweenWebhooks freezes the process, as Lambda does, for longer than a value
// is kept. In that time the credentials are rotated, or Secrets Manager fails.
func TestFrozenBetweenWebhooks(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	for _, test := range []struct {
		name      string
		meanwhile func(*testing.T, *stack, vault)
		signer    g2a.Credentials // of the first webhook after the thaw
		reads     int             // that it costs
	}{
		{"nothing happens", func(*testing.T, *stack, vault) {}, original, 2},
		{"the credentials are rotated", func(_ *testing.T, s *stack, _ vault) { s.setSecret(renewed) }, renewed, 2},
		{"Secrets Manager hangs", func(t *testing.T, _ *stack, v vault) { hang(t, v.line) }, original, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v, kept := newVault(t), keptFor(t)
			s := newStack(t, keeping(t, kept, v))
			s.accepted("at first", original)
			s.signal(syscall.SIGSTOP)
			v.reads()
			test.meanwhile(t, s, v)
			time.Sleep(kept)
			s.signal(syscall.SIGCONT)
			thawed := s.accepted("after the thaw", test.signer)
			if reads := v.reads(); reads != test.reads {
				t.Errorf("the first webhook after the thaw costs %d reads, want %d", reads, test.reads)
			}
			s.accepted("after it", original)
			t.Logf("frozen for %s: the first webhook is accepted after %s", kept, round(thawed.took))
		})
	}
}

// TestPreviousHashOff: with G2APreviousHashHours 0 a rotation ends the old hash at once.
func TestPreviousHashOff(t *testing.T) {
	t.Parallel()
	s := newStack(t, func(o *localcloud.Options) {
		o.Concurrency, o.Parameters = 1, map[string]string{"G2APreviousHashHours": "0"}
	})
	s.accepted("before", original)
	s.setSecret(renewed)
	s.accepted("after the rotation", renewed)
	s.refused("after the rotation, signed with the old hash", original, http.StatusUnauthorized)
}

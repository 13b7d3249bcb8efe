package secrets_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
)

// hangs is a Secrets Manager that takes a request and never answers.
func hangs(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// newTimedFixture has the clock of the test's bubble.
func newTimedFixture(current, previous string) *fixture {
	f := newFixture(current, previous)
	timed := secrets.New(f.manager, "g2a", time.Now)
	timed.PreviousFor, timed.Log = f.credentials.PreviousFor, f.credentials.Log
	f.credentials = timed
	return f
}

// took is how long a call takes.
func took(call func()) time.Duration {
	began := time.Now()
	call()
	return time.Since(began)
}

func TestOldValueIsKept(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.meet(fails())
	f.wait(5 * time.Minute)
	f.expectHashes(t, "while it fails", f.credentials.Hashes, "hash-v1 hash-v0", 1)
	if !strings.Contains(f.log.String(), "throttled") || strings.Contains(f.log.String(), "hash-v") {
		t.Errorf("log is %q, want the cause and no credentials", f.log.String())
	}
	f.expectHashes(t, "tried just now", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.expectHashes(t, "tried just now, forged webhook", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 0)
	f.meet(nil)
	f.set(v2, v1)
	f.wait(10*time.Second - 1)
	f.expectHashes(t, "still tried just now", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.wait(1)
	f.expectHashes(t, "tried again after ten seconds", f.credentials.Hashes, "hash-v2 hash-v1", 2)
}

// TestMalformedValueIsNotTaken over from a value in hand that is good.
func TestMalformedValueIsNotTaken(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.set("changeme", v1)
	f.wait(5 * time.Minute)
	f.expectHashes(t, "with a bad one", f.credentials.Hashes, "hash-v1 hash-v0", 1)
	f.set(v2, "changeme")
	f.wait(10 * time.Second)
	f.expectHashes(t, "with a good one", f.credentials.Hashes, "hash-v2", 2)
}

// TestHangWithAValueInHand: the caller who refreshes it waits a second, and all others
// not at all.
func TestHangWithAValueInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		time.Sleep(5 * time.Minute)
		f.meet(hangs)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		first := make(chan time.Duration)
		go func() {
			first <- took(func() {
				if hashes, err := f.credentials.Hashes(ctx); err != nil || reveal(hashes) != "hash-v1 hash-v0" {
					t.Errorf("hashes are %q, error %v", reveal(hashes), err)
				}
			})
		}()
		synctest.Wait() // it is reading
		for range 50 {
			if d := took(func() { f.expectHashes(t, "others", f.credentials.Hashes, "hash-v1 hash-v0", 0) }); d != 0 {
				t.Errorf("another caller waits %s", d)
			}
			if d := took(func() {
				if c, err := f.credentials.Credentials(ctx); err != nil || c.Key.Reveal() != "key-v1" {
					t.Errorf("key %q, error %v", c.Key.Reveal(), err)
				}
			}); d != 0 {
				t.Errorf("another caller waits %s", d)
			}
		}
		if d := <-first; d != time.Second {
			t.Errorf("who reads waits %s, want a second", d)
		}
		// From its end, and not its begin, there is a pause: for a webhook that is
		// forged, too, and for both versions.
		time.Sleep(10*time.Second - 1)
		f.expectHashes(t, "in the pause", f.credentials.Hashes, "hash-v1 hash-v0", 0)
		f.expectHashes(t, "in the pause, forged", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 0)
		time.Sleep(time.Nanosecond)
		if d := took(func() {
			f.expectHashes(t, "after the pause", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 1)
		}); d != time.Second {
			t.Errorf("the next who reads waits %s, want a second", d)
		}
		f.meet(nil)
		f.set(v2, v1)
		time.Sleep(10 * time.Second)
		f.expectHashes(t, "it answers again", f.credentials.Hashes, "hash-v2 hash-v1", 2)
	})
}

// TestSlowWithLittleTime: a caller with less than two seconds, such as a health probe,
// has half of them left, and the next one has what was read.
func TestSlowWithLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		time.Sleep(5 * time.Minute)
		f.set(v2, v1)
		f.meet(func(context.Context, string) error { time.Sleep(450 * time.Millisecond); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		if d := took(func() {
			if hashes, err := f.credentials.Hashes(ctx); err != nil || reveal(hashes) != "hash-v1 hash-v0" {
				t.Errorf("hashes are %q, error %v", reveal(hashes), err)
			}
		}); d != 400*time.Millisecond {
			t.Errorf("a caller with 800 ms waits %s, want half of them", d)
		}
		time.Sleep(time.Second)
		f.expectHashes(t, "the next one", f.credentials.Hashes, "hash-v2 hash-v1", 0)
	})
}

// TestRefreshIsShared: who asks out of turn has no use for the value in hand, and waits
// for the read in progress.
func TestRefreshIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		f.set(v2, v1)
		f.meet(func(context.Context, string) error { time.Sleep(200 * time.Millisecond); return nil })
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if hashes, err := f.credentials.RefreshedHashes(t.Context()); err != nil || reveal(hashes) != "hash-v2 hash-v1" {
					t.Errorf("hashes are %q, error %v", reveal(hashes), err)
				}
			})
		}
		callers.Wait()
		if f.reads() != 4 {
			t.Errorf("%d reads, want two more, of both versions", f.reads())
		}
	})
}

// TestPauseCountsFromTheEnd of a read that takes long, failed or not.
func TestPauseCountsFromTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
	}{{"it fails", errors.New("throttled")}, {"it succeeds", nil}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(v1, "")
			ask := func() (reads int) {
				before := f.reads()
				if _, err := f.credentials.RefreshedCredentials(t.Context()); err != nil {
					t.Error(err)
				}
				return f.reads() - before
			}
			if _, err := f.credentials.Credentials(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.meet(func(context.Context, string) error { f.wait(900 * time.Millisecond); return test.err })
			if ask() != 1 {
				t.Fatal("it is not refreshed")
			}
			f.wait(10*time.Second - 1)
			if ask() != 0 {
				t.Error("it is refreshed before ten seconds after the end")
			}
			f.wait(1)
			if ask() != 1 {
				t.Error("it is not refreshed ten seconds after the end")
			}
		})
	}
}

// TestFirstReadHangs: all callers share one read, which has a limit, and those who come
// in the second after it fail at once.
func TestFirstReadHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.meet(hangs)
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if d := took(func() {
					if _, err := f.credentials.Hashes(t.Context()); !errors.Is(err, secrets.ErrUnavailable) {
						t.Errorf("error is %v, want ErrUnavailable", err)
					}
				}); d != 5*time.Second {
					t.Errorf("a caller waits %s, want five seconds", d)
				}
			})
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
				defer cancel()
				if d := took(func() {
					_, err := f.credentials.Credentials(ctx)
					if !errors.Is(err, secrets.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error is %v, want ErrUnavailable and the deadline", err)
					}
				}); d != 800*time.Millisecond {
					t.Errorf("a caller with less time waits %s", d)
				}
			})
		}
		callers.Wait()
		time.Sleep(time.Second - 1)
		for range 50 {
			if d := took(func() {
				if _, err := f.credentials.Credentials(t.Context()); !errors.Is(err, secrets.ErrUnavailable) {
					t.Errorf("error is %v, want ErrUnavailable", err)
				}
			}); d != 0 {
				t.Errorf("a caller in the pause waits %s", d)
			}
		}
		if f.reads() != 1 {
			t.Errorf("%d reads, want one", f.reads())
		}
		f.meet(nil)
		time.Sleep(time.Nanosecond)
		f.expectHashes(t, "after the pause", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	})
}

// TestFirstReadOutlivesItsCaller: where Secrets Manager is slower than a caller has
// time, the next one has what was read.
func TestFirstReadOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.meet(func(context.Context, string) error { time.Sleep(2 * time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		if _, err := f.credentials.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the deadline", err)
		}
		time.Sleep(2 * time.Second)
		if c, err := f.credentials.Credentials(t.Context()); err != nil || c.Key.Reveal() != "key-v1" || f.reads() != 1 {
			t.Errorf("key %q, error %v, %d reads", c.Key.Reveal(), err, f.reads())
		}
	})
}

// TestPreviousHangs: webhooks that are signed with the current hash wait a second for it
// at most, at a cold start too.
func TestPreviousHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(v1, v0)
		f.meet(func(ctx context.Context, stage string) error {
			if stage == "AWSPREVIOUS" {
				return hangs(ctx, stage)
			}
			return nil
		})
		if d := took(func() { f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1", 2) }); d != time.Second {
			t.Errorf("it takes %s, want a second", d)
		}
	})
}

// TestFrozenRead: a read that Lambda has frozen with the process is not waited for after
// the thaw, and what becomes of it is nothing to the read that has replaced it.
func TestFrozenRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(v1, v0) // its clock is the wall's; the bubble's stands still with the process
		frozen, replaced := make(chan struct{}), make(chan struct{})
		f.meet(func(context.Context, string) error { <-frozen; return errors.New("connection reset") })
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		if _, err := f.credentials.Hashes(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the deadline", err)
		}
		f.wait(time.Minute)
		f.meet(func(context.Context, string) error { <-replaced; return nil })
		ask := func() {
			if hashes, err := f.credentials.Hashes(t.Context()); err != nil || reveal(hashes) != "hash-v1 hash-v0" {
				t.Errorf("hashes are %q, error %v", reveal(hashes), err)
			}
		}
		var callers sync.WaitGroup
		callers.Go(ask)
		synctest.Wait()
		close(frozen)
		synctest.Wait()
		callers.Go(ask)
		synctest.Wait()
		close(replaced)
		callers.Wait()
		if f.reads() != 3 {
			t.Errorf("%d reads, want the frozen one, and one of each version", f.reads())
		}
		if f.log.Len() != 0 {
			t.Errorf("the frozen read leaves a trace: %s", f.log.String())
		}
	})
}

// TestMonotonicClockStandsStill, as it may while Lambda freezes the process: values age
// by the wall clock.
func TestMonotonicClockStandsStill(t *testing.T) {
	frozen := time.Now()
	thawed := frozen.Add(5 * time.Minute)
	// There is no other way to such a time: its reading of the monotonic clock is put back.
	reading := func(t *time.Time) *int64 { return (*int64)(unsafe.Add(unsafe.Pointer(t), unsafe.Sizeof(uint64(0)))) }
	*reading(&thawed) = *reading(&frozen)
	if thawed.Sub(frozen) != 0 || thawed.Round(0).Sub(frozen.Round(0)) != 5*time.Minute {
		t.Fatal("time.Time has another layout by now")
	}
	m, now := &manager{}, frozen
	m.set(v1, v0)
	c := secrets.New(m, "g2a", func() time.Time { return now })
	for _, step := range []struct {
		at    time.Time
		reads int
	}{{frozen, 1}, {thawed, 2}} {
		now = step.at
		if _, err := c.Credentials(t.Context()); err != nil || m.reads() != step.reads {
			t.Errorf("%d reads, error %v, want %d", m.reads(), err, step.reads)
		}
	}
}

// TestClockSetBack must not keep a value for ever, nor a failure.
func TestClockSetBack(t *testing.T) {
	f := newFixture(v1, "")
	f.wait(24 * time.Hour)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1", 2)
	f.set(v2, v1)
	f.wait(-time.Hour)
	f.expectHashes(t, "set back", f.credentials.Hashes, "hash-v2 hash-v1", 2)
	f.meet(fails())
	f.wait(5 * time.Minute)
	f.expectHashes(t, "failed", f.credentials.Hashes, "hash-v2 hash-v1", 1)
	f.wait(-time.Hour)
	f.expectHashes(t, "set back after a failure", f.credentials.Hashes, "hash-v2 hash-v1", 1)
}

func TestManyCallersReadOnce(t *testing.T) {
	f := newFixture(v1, v0)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := f.credentials.Credentials(t.Context()); err != nil {
				t.Error(err)
			}
			if hashes, err := f.credentials.RefreshedHashes(t.Context()); err != nil || len(hashes) != 2 {
				t.Errorf("%d hashes, error %v", len(hashes), err)
			}
		})
	}
	wg.Wait()
	if f.reads() != 3 {
		t.Errorf("%d reads, want one of each version, and one out of turn", f.reads())
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// TestOneProbeForAll: whoever asks which instance, there is one probe in ten seconds, and
// the schedule's own.
func TestOneProbeForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a, b := w.instance("a"), w.instance("b")
		for _, step := range []struct {
			name   string
			wait   time.Duration
			from   *instance // of the schedule where it is nil
			probes int64     // so far
			age    float64   // of the report in the answer
		}{
			{"first request", 0, a, 1, 0},
			{"at once", 0, a, 1, 0},
			{"another instance at once", 0, b, 1, 0},
			{"9.999 s old", 9999 * time.Millisecond, a, 1, 9},
			{"another instance, 9.999 s old", 0, b, 1, 9},
			{"10 s old", time.Millisecond, b, 2, 0},
			{"the other one reads it", 0, a, 2, 0},
			{"5 s old", 5 * time.Second, a, 2, 5},
			{"schedule", 0, nil, 3, 0},
			{"schedule again, at once", 0, nil, 4, 0},
			{"b has its own, of 5 s", 0, b, 4, 5},
			{"b's is too old, the schedule's is not", 5 * time.Second, b, 4, 5},
			{"9 s after the schedule", 4 * time.Second, a, 4, 9},
			{"10 s after the schedule", time.Second, a, 5, 0},
		} {
			time.Sleep(step.wait)
			if step.from == nil {
				a.probe(t)
			} else if got := step.from.get(t); got.status != 200 || got.body["age_seconds"] != step.age {
				t.Errorf("%s: answer %d %v, want an age of %v s", step.name, got.status, got.body, step.age)
			}
			w.wantProbes(t, step.name, step.probes)
		}
	})
}

// TestFlood has many instances asked at once, with no report anywhere: one makes it, and
// the others wait for it.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.askG2A = func(context.Context) error { time.Sleep(600 * time.Millisecond); return nil }
		began := time.Now()
		var wg sync.WaitGroup
		for n := range 40 {
			i := w.instance(fmt.Sprint("instance-", n))
			wg.Go(func() {
				for range 5 {
					if got := i.get(t); got.status != 200 || got.body["status"] != "ok" {
						t.Errorf("answer %d %v", got.status, got.body)
					}
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took >= time.Second {
			t.Errorf("the answers took %v", took)
		}
		w.wantProbes(t, "200 requests", 1)
	})
}

// TestOthersDoNotWait: while one instance makes the next report, the others answer the
// last one at once, unless it is too old to say anything.
func TestOthersDoNotWait(t *testing.T) {
	for _, test := range []struct {
		name string
		old  time.Duration
		took time.Duration
		age  float64
	}{
		{"11 s old", 11 * time.Second, 0, 11},
		{"almost 2 minutes old", maxStale - time.Second, 0, 119},
		{"2 minutes old", maxStale, 600 * time.Millisecond, 0},
		{"a day old", 24 * time.Hour, 600 * time.Millisecond, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				a, b := w.instance("a"), w.instance("b")
				a.probe(t)
				b.get(t)
				time.Sleep(test.old)
				w.askG2A = func(context.Context) error { time.Sleep(580 * time.Millisecond); return errRefused }
				var wg sync.WaitGroup
				wg.Go(func() {
					if got := a.get(t); got.status != 503 || got.body["age_seconds"] != 0.0 {
						t.Errorf("who probes answers %d %v", got.status, got.body)
					}
				})
				synctest.Wait()
				began := time.Now()
				got := b.get(t)
				wantStatus := map[bool]int{true: 200, false: 503}[test.took == 0]
				if took := time.Since(began); took != test.took || got.status != wantStatus || got.body["age_seconds"] != test.age {
					t.Errorf("answer %d %v after %v, want %d, an age of %v s, after %v", got.status, got.body, took, wantStatus, test.age, test.took)
				}
				wg.Wait()
				w.wantProbes(t, test.name, 2)
			})
		})
	}
}

// TestTurnOfTheDead: an instance that dies in its turn is waited for ten seconds.
func TestTurnOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a := w.instance("a")
		w.records.kept.Turn = store.HealthTurn{Owner: "dead", At: time.Now()}
		began := time.Now()
		if got := a.get(t); got.status != 503 || !slices.Equal(failingOf(got.body), dependencies) {
			t.Errorf("answer %d %v with no report", got.status, got.body)
		}
		if took := time.Since(began); took != answerTimeout {
			t.Errorf("the answer took %v, want %v", took, answerTimeout)
		}
		if !strings.Contains(a.log.String(), errNoReport.Error()) {
			t.Errorf("logged %s", a.log.String())
		}
		w.wantProbes(t, "in the turn of the dead", 0)
		time.Sleep(maxAge - answerTimeout)
		if got := a.get(t); got.status != 200 {
			t.Errorf("answer %d %v after its turn", got.status, got.body)
		}
		w.wantProbes(t, "after it", 1)

		time.Sleep(maxAge)
		w.records.kept.Turn = store.HealthTurn{Owner: "dead", At: time.Now()}
		if got := a.get(t); got.status != 200 || got.body["age_seconds"] != 10.0 {
			t.Errorf("answer %d %v with a report of 10 s", got.status, got.body)
		}
		w.wantProbes(t, "in the next turn of the dead", 1)
		time.Sleep(maxAge)
		a.get(t)
		w.wantProbes(t, "after that", 2)
	})
}

// TestOutageEnds: failing is remembered no longer than ok.
func TestOutageEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a, b := w.instance("a"), w.instance("b")
		w.askG2A = func(context.Context) error { return errRefused }
		for _, i := range []*instance{a, b} {
			if got := i.get(t); got.status != 503 {
				t.Errorf("answer %d %v in the outage", got.status, got.body)
			}
		}
		w.askG2A = func(context.Context) error { return nil }
		time.Sleep(maxAge)
		for _, i := range []*instance{b, a} {
			if got := i.get(t); got.status != 200 {
				t.Errorf("answer %d %v after the outage", got.status, got.body)
			}
		}
	})
}

// TestStoreAway: each instance makes its own reports, and says that the store is failing
// even if the tables can be pinged.
func TestStoreAway(t *testing.T) {
	away := func(context.Context) error { return fmt.Errorf("reading: %w: refused", store.ErrUnavailable) }
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("reading: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	for _, test := range []struct {
		name       string
		load, take func(context.Context) error
		hang       bool // the dependencies too
		took       time.Duration
	}{
		{name: "no reads", load: away},
		{name: "no writes", take: away},
		{name: "reads hang", load: hangs, took: turnTimeout},
		{name: "writes hang", take: hangs, took: turnTimeout},
		{name: "all hangs", load: hangs, hang: true, took: answerTimeout - saveReserve},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.records.load, w.records.take = test.load, test.take
				if test.hang {
					w.pingStore, w.askG2A = hangs, hangs
				}
				a, b := w.instance("a"), w.instance("b")
				for n, i := range []*instance{a, b} {
					began := time.Now()
					got := i.get(t)
					if took := time.Since(began); took != test.took {
						t.Errorf("the answer took %v, want %v", took, test.took)
					}
					if got.status != 503 || !slices.Contains(failingOf(got.body), "store") || !test.hang && len(failingOf(got.body)) != 1 {
						t.Errorf("answer %d %v, want the store failing", got.status, got.body)
					}
					i.get(t)
					w.wantProbes(t, "one an instance", int64(n)+1)
				}
				if !strings.Contains(a.log.String(), store.ErrUnavailable.Error()) || w.records.saves != 0 {
					t.Errorf("logged %s, stored %d times", a.log.String(), w.records.saves)
				}
				time.Sleep(maxAge)
				a.get(t)
				w.wantProbes(t, "10 s later", 3)

				synctest.Wait() // for the probes that were left behind
				w.records.load, w.records.take = nil, nil
				w.pingStore, w.askG2A = newWorld().pingStore, newWorld().askG2A
				time.Sleep(maxAge)
				a.get(t)
				if got := b.get(t); got.status != 200 {
					t.Errorf("answer %d %v with the store back", got.status, got.body)
				}
				w.wantProbes(t, "with the store back", 4)
			})
		})
	}
}

// TestReportIsNotStored: it is answered all the same, in time.
func TestReportIsNotStored(t *testing.T) {
	for name, save := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return store.ErrUnavailable },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.records.save = save
				w.askG2A = func(context.Context) error { time.Sleep(time.Minute); return nil }
				i, began := w.instance("a"), time.Now()
				if got := i.get(t); got.status != 503 {
					t.Errorf("answer %d %v", got.status, got.body)
				}
				if took := time.Since(began); took > answerTimeout {
					t.Errorf("the answer took %v", took)
				}
				if !strings.Contains(i.log.String(), "the health report could not be stored") {
					t.Errorf("logged %s", i.log.String())
				}
				time.Sleep(time.Minute) // the one left behind ends
			})
		})
	}
}

// TestRecordThatCannotBeRead is replaced.
func TestRecordThatCannotBeRead(t *testing.T) {
	valid := func() store.HealthRecord {
		return store.HealthRecord{
			Report: `{"status":"ok","checked_at":` + fmt.Sprint(time.Now().Unix()) + `,"age_seconds":0,"dependencies":` +
				`{"g2a":{"status":"ok","latency_ms":1},"store":{"status":"ok","latency_ms":1},"token":{"status":"ok","latency_ms":1}},"token_ttl_seconds":60,"version":"v1"}`,
			CheckedAt: time.Now(), Turn: store.HealthTurn{Owner: "z", At: time.Now().Add(-maxAge)},
		}
	}
	for _, test := range []struct {
		name     string
		old, new string // in the report
		load     error
		probes   int64
	}{
		{name: "valid", probes: 0},
		{name: "item of another type", load: errors.New("the item is damaged"), probes: 1},
		{name: "not JSON", old: `{"status"`, new: `"status"`, probes: 1},
		{name: "status of another kind", old: `{"status":"ok","checked_at"`, new: `{"status":"fine","checked_at"`, probes: 1},
		{name: "ok with a failing part", old: `"g2a":{"status":"ok"`, new: `"g2a":{"status":"failing"`, probes: 1},
		{name: "failing without one", old: `{"status":"ok","checked_at"`, new: `{"status":"failing","checked_at"`, probes: 1},
		{name: "older version, one dependency less", old: `"g2a":{"status":"ok","latency_ms":1},`, new: ``, probes: 1},
		{name: "newer version, one more", old: `"g2a"`, new: `"mail":{"status":"ok","latency_ms":1},"g2a"`, probes: 1},
		{name: "older version, which named none", old: `,"version":"v1"`, new: ``, probes: 1},
		{name: "no time", old: `"checked_at"`, new: `"at"`, probes: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.records.kept = valid()
				if test.old != "" && !strings.Contains(w.records.kept.Report, test.old) {
					t.Fatalf("the report has no %s", test.old)
				}
				w.records.kept.Report = strings.Replace(w.records.kept.Report, test.old, test.new, 1)
				if test.load != nil {
					w.records.load = func(context.Context) error { return test.load }
				}
				i := w.instance("a")
				if got := i.get(t); got.status != 200 {
					t.Errorf("answer %d %v", got.status, got.body)
				}
				w.wantProbes(t, test.name, test.probes)
				if _, err := readReport(w.records.kept.Report); err != nil {
					t.Errorf("it was not replaced: %s", w.records.kept.Report)
				}
			})
		})
	}
}

// TestClockAhead: a report that another instance's clock has put into the future is no
// reason not to look again.
func TestClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ahead := report{Status: ok, CheckedAt: time.Now().Add(time.Hour).Unix()}
		a := w.instance("a")
		a.schedule.reports.last = ahead
		if got := a.get(t); got.body["age_seconds"] != 0.0 {
			t.Errorf("answer %v", got.body)
		}
		w.wantProbes(t, "an hour ahead", 1)
	})
}

// TestManyAtOnce is for the race detector, and outside a bubble: those who wait for
// another's probe hold up its time.
func TestManyAtOnce(t *testing.T) {
	w := newWorld()
	i := w.instance("a")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := i.get(t); got.status != 200 {
				t.Errorf("answer %d %v", got.status, got.body)
			}
		})
	}
	wg.Wait()
	w.wantProbes(t, "8 requests at once", 1)
}

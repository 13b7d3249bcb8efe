package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

const (
	// maxAge is how old a report may be before the next one is made: however often GET
	// /health is called, on however many instances, G2A and the store are probed once in
	// this time.
	maxAge = 10 * time.Second
	// maxStale is how old a report may be that is answered while another instance makes
	// the next one. The schedule makes one each minute.
	maxStale = 2 * time.Minute

	// The whole answer is there within a second, whatever hangs.
	answerTimeout = 900 * time.Millisecond
	turnTimeout   = 300 * time.Millisecond // to learn from the store whose turn it is
	saveReserve   = 100 * time.Millisecond // left of an answer's time to store the report
	// awaitPoll is the wait between two looks for a report that another instance makes.
	awaitPoll = 50 * time.Millisecond
)

// records keeps the last report for all instances. A store.Health does.
type records interface {
	Load(ctx context.Context) (store.HealthRecord, error)
	TakeTurn(ctx context.Context, seen store.HealthRecord, turn store.HealthTurn) (bool, error)
	Save(ctx context.Context, record store.HealthRecord) error
}

// reporter makes reports, and shares them with the other instances.
type reporter struct {
	prober  prober
	records records
	owner   string // names this instance; another name in every process
	log     *slog.Logger

	mu   sync.Mutex
	last report // of any instance
}

// fresh makes a report now.
func (r *reporter) fresh(ctx context.Context) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return r.probe(ctx, nil)
}

// latest returns a report that is not older than maxAge, or, while another instance makes
// one, the last. Where the store fails, this instance makes its own.
func (r *reporter) latest(ctx context.Context) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.age(r.now()) < maxAge {
		return r.last.at(r.now())
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	mine, err := r.takeTurn(ctx)
	switch {
	case err != nil, mine:
		return r.probe(ctx, err)
	case r.last.age(r.now()) < maxStale:
		return r.last.at(r.now())
	}
	return r.await(ctx)
}

// takeTurn reads the last report, and reports whether it is due and this instance is the
// one to make the next.
func (r *reporter) takeTurn(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	kept, err := r.records.Load(ctx)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return false, err
	case err != nil: // damaged: the next report takes its place
		r.log.WarnContext(ctx, "the last health report cannot be read", "error", err.Error())
		return true, nil
	}
	r.remember(ctx, kept)
	now := r.now()
	if r.last.age(now) < maxAge || now.Sub(kept.Turn.At).Abs() < maxAge {
		return false, nil
	}
	return r.records.TakeTurn(ctx, kept, store.HealthTurn{Owner: r.owner, At: now})
}

// remember keeps a stored report as the last one.
func (r *reporter) remember(ctx context.Context, kept store.HealthRecord) {
	if kept.Report == "" {
		return
	}
	stored, err := readReport(kept.Report)
	if err != nil {
		r.log.WarnContext(ctx, "the last health report cannot be read", "error", err.Error())
		return
	}
	r.last = stored
}

// probe makes a report and stores it for the others, unless the store is known to fail.
func (r *reporter) probe(ctx context.Context, storeFailed error) report {
	turn := store.HealthTurn{Owner: r.owner, At: r.now()}
	deadline, _ := ctx.Deadline() // always set by the caller
	made := r.prober.probe(ctx, time.Until(deadline)-saveReserve)
	if storeFailed != nil {
		made.set(dependencyStore, check{LatencyMS: made.Dependencies[dependencyStore].LatencyMS, err: storeFailed}, true)
	}
	made.Version = function.Version()
	r.tell(ctx, made)
	r.last = made
	if storeFailed == nil {
		if err := r.save(ctx, made, turn); err != nil {
			r.log.WarnContext(ctx, "the health report could not be stored; it is this instance's alone", "error", err.Error())
		}
	}
	return made
}

func (r *reporter) save(ctx context.Context, made report, turn store.HealthTurn) error {
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	return r.records.Save(ctx, store.HealthRecord{Report: string(text), CheckedAt: time.Unix(made.CheckedAt, 0), Turn: turn})
}

// tell logs a report that was just made.
func (r *reporter) tell(ctx context.Context, made report) {
	for _, name := range dependencies {
		if found := made.Dependencies[name]; found.err != nil {
			r.log.ErrorContext(ctx, "dependency is failing", "dependency", name, "error", found.err.Error())
		}
	}
	r.log.InfoContext(ctx, "health", "status", made.Status, "token_ttl_seconds", made.TokenTTL)
}

var errNoReport = errors.New("the instance whose turn it is has made no report in time")

// await waits for the report that another instance is making: the last one is missing or too
// old.
func (r *reporter) await(ctx context.Context) report {
	started := r.now()
	poll := time.NewTicker(awaitPoll)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return r.unknown(ctx, started)
		}
		kept, err := r.records.Load(ctx)
		if err != nil {
			continue // until the time is up
		}
		r.remember(ctx, kept)
		if r.last.age(r.now()) < maxStale {
			return r.last.at(r.now())
		}
	}
}

// unknown returns the report of an instance that learned nothing in time. It is not remembered.
func (r *reporter) unknown(ctx context.Context, started time.Time) report {
	now := r.now()
	r.log.ErrorContext(ctx, "no health report", "error", errNoReport.Error())
	made := report{Version: function.Version(), CheckedAt: now.Unix(), Dependencies: map[string]check{}}
	for _, name := range dependencies {
		made.set(name, check{LatencyMS: now.Sub(started).Milliseconds(), err: errNoReport}, true)
	}
	return made
}

func (r *reporter) now() time.Time { return r.prober.clock() }

package main

import (
	"context"
	"errors"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// probeTimeout is how long a dependency may take: the whole answer is there within a
// second, whatever hangs.
const probeTimeout = 800 * time.Millisecond

// report is what the probes found. It is also the answer's JSON.
type report struct {
	Status       string           `json:"status"`            // ok or failing
	CheckedAt    int64            `json:"checked_at"`        // unix seconds
	Dependencies map[string]check `json:"dependencies"`      // token: one for G2A can be had; store: its tables answer
	TokenTTL     int64            `json:"token_ttl_seconds"` // 0 without a token
}

// check is one dependency's.
type check struct {
	Status    string `json:"status"` // ok or failing
	LatencyMS int64  `json:"latency_ms"`
	err       error  // why it fails: for the log, not for the answer
}

const (
	ok      = "ok"
	failing = "failing"
)

// prober probes the dependencies.
type prober struct {
	tokens    g2a.TokenSource
	pingStore func(ctx context.Context) error
	clock     func() time.Time
}

// probe asks all of them at once. It takes probeTimeout at most: one that does not
// heed its context is left behind.
func (p prober) probe(ctx context.Context) report {
	var token g2a.Token // read only after its probe has answered
	tokenDone := p.start(ctx, func(ctx context.Context) (err error) {
		token, err = p.tokens.Token(ctx)
		return err
	})
	storeDone := p.start(ctx, p.pingStore)
	r := report{Status: ok, CheckedAt: p.clock().Unix(), Dependencies: map[string]check{}}
	for name, done := range map[string]<-chan check{"token": tokenDone, "store": storeDone} {
		found := <-done
		if found.Status != ok {
			r.Status = failing
		}
		r.Dependencies[name] = found
	}
	if r.Dependencies["token"].Status == ok {
		r.TokenTTL = int64(token.TTL(p.clock()) / time.Second)
	}
	return r
}

// start begins one probe. Its check comes in time, with or without the probe.
func (p prober) start(ctx context.Context, ask func(context.Context) error) <-chan check {
	done, answered, started := make(chan check, 1), make(chan error, 1), p.clock()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	go func() { answered <- ask(ctx) }()
	go func() {
		defer cancel()
		var err error
		select {
		case err = <-answered:
		case <-ctx.Done():
			err = errors.New("no answer in time")
		}
		found := check{Status: ok, LatencyMS: p.clock().Sub(started).Milliseconds(), err: err}
		if err != nil {
			found.Status = failing
		}
		done <- found
	}()
	return done
}

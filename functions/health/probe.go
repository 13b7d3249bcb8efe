package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// prober probes the dependencies. Its functions only read.
type prober struct {
	pingStore func(ctx context.Context) error
	loadToken func(ctx context.Context) (g2a.Token, error) // no token is the zero Token
	askG2A    func(ctx context.Context) error
	// needsToken: orders are bought with the access token. Without that a token is reported,
	// for whoever else uses it, and missed by nobody.
	needsToken bool
	clock      func() time.Time
}

// probe asks all of them at once, each for as long as timeout: one that does not heed its
// context is left behind.
func (p prober) probe(ctx context.Context, timeout time.Duration) report {
	var token g2a.Token // read only after its probe has answered
	r := report{Status: ok, CheckedAt: p.clock().Unix(), Dependencies: map[string]check{}}
	running := map[string]<-chan check{
		dependencyStore: p.start(ctx, timeout, p.pingStore),
		dependencyG2A:   p.start(ctx, timeout, func(ctx context.Context) error { return unlessAnswered(p.askG2A(ctx)) }),
		dependencyToken: p.start(ctx, timeout, func(ctx context.Context) (err error) {
			token, err = p.usableToken(ctx)
			return err
		}),
	}
	for name, done := range running {
		r.set(name, <-done, name != dependencyToken || p.needsToken)
	}
	if r.Dependencies[dependencyToken].Status == ok {
		r.TokenTTL = int64(token.TTL(p.clock()) / time.Second)
	}
	return r
}

// start begins one probe. Its check comes in time, with or without the probe.
func (p prober) start(ctx context.Context, timeout time.Duration, ask func(context.Context) error) <-chan check {
	done, answered, started := make(chan check, 1), make(chan error, 1), p.clock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	go func() { answered <- ask(ctx) }()
	go func() {
		defer cancel()
		var err error
		select {
		case err = <-answered:
		case <-ctx.Done():
			err = fmt.Errorf("no answer within %s", timeout)
		}
		done <- check{LatencyMS: p.clock().Sub(started).Milliseconds(), err: err}
	}()
	return done
}

var errNoToken = errors.New("no token is stored for the current credentials")

// usableToken returns the stored token if instances still send it.
func (p prober) usableToken(ctx context.Context) (g2a.Token, error) {
	token, err := p.loadToken(ctx)
	switch {
	case err != nil:
		return g2a.Token{}, err
	case token.Access.IsZero():
		return g2a.Token{}, errNoToken
	}
	if now := p.clock(); !token.Usable(now) {
		return g2a.Token{}, fmt.Errorf("the stored token has %s left and is not used any more", token.TTL(now).Truncate(time.Second))
	}
	return token, nil
}

// askProducts makes the call that each order begins with, for a product that there is not.
func askProducts(ctx context.Context, client *g2a.Client, api g2a.ExportAPI) error {
	if api == g2a.ExportV2 {
		_, err := client.ProductOffer(ctx, "0")
		return err
	}
	_, err := client.Products(ctx, g2a.ProductQuery{ID: "0"})
	return err
}

// storedToken is a g2a.TokenSource that fetches nothing: a probe only reads.
type storedToken func(ctx context.Context) (g2a.Token, error)

// Token implements g2a.TokenSource.
func (s storedToken) Token(ctx context.Context) (g2a.Token, error) { return s(ctx) }

// unlessAnswered returns the error of a call to G2A, unless it is a well-formed answer: a
// refusal shows that G2A is at work.
func unlessAnswered(err error) error {
	var failed *g2a.Error
	if !errors.As(err, &failed) || failed.Status == 0 {
		return err
	}
	switch failed.Kind {
	case g2a.ErrUnavailable, g2a.ErrMalformedAnswer, g2a.ErrCredentialsRejected:
		return err
	}
	return nil
}

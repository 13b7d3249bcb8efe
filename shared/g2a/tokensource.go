package g2a

import (
	"context"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

const (
	// refreshShare is the share of a token's life, 1 in refreshShare, below which it
	// is replaced while it can still be used.
	refreshShare = 5
	// expiryMargin keeps a token from being sent in the last moments of its life,
	// and covers clocks that differ between instances.
	expiryMargin = time.Minute
	// tokenLease is how long one instance may take to fetch a token before another
	// one tries: two attempts of the longest time-out.
	tokenLease = 20 * time.Second
	// tokenPoll is the longest wait between two looks at a token that another
	// instance is fetching.
	tokenPoll = 200 * time.Millisecond
	// releaseTimeout bounds the release of a lease, which is done even when the
	// caller's time is up.
	releaseTimeout = time.Second
)

// TTL gives the life that is left, never less than nothing.
func (t Token) TTL(now time.Time) time.Duration { return max(0, t.ExpiresAt.Sub(now)) }

func (t Token) life() time.Duration { return t.ExpiresAt.Sub(t.IssuedAt) }

// usable reports whether the token can be sent.
func (t Token) usable(now time.Time) bool {
	return !t.Access.IsZero() && t.TTL(now) > min(expiryMargin, t.life()/10)
}

// fresh reports whether the token need not be replaced yet.
func (t Token) fresh(now time.Time) bool {
	return t.usable(now) && t.TTL(now) >= t.life()/refreshShare
}

// A TokenSource gives an access token that can be used now. Client has none of its
// own: sources are stacked, SharedTokens over TokenStore and G2A, and
// RememberedTokens over that.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// TokenStore keeps one token per account, named by the credentials' fingerprint,
// for all instances. Its methods return an error only when the store itself fails.
type TokenStore interface {
	// LoadToken gives the token kept, or the zero Token.
	LoadToken(ctx context.Context, fingerprint string) (Token, error)
	// LeaseToken gives owner alone the task of fetching the next token, until the
	// time given. It reports false while another owner has it at the time now, and
	// when the token kept is no longer the version the caller has seen.
	LeaseToken(ctx context.Context, fingerprint string, seenVersion int64, owner string, now, until time.Time) (bool, error)
	// SaveToken keeps a token and ends the owner's lease. It reports false, and
	// keeps nothing, when owner no longer has the lease.
	SaveToken(ctx context.Context, fingerprint, owner string, token Token) (bool, error)
	// ReleaseToken ends the owner's lease without a token.
	ReleaseToken(ctx context.Context, fingerprint, owner string) error
}

// SharedTokens gives the token that all instances share, and fetches the next one
// when it is one's turn: one instance fetches, the others go on with the token they
// have, or wait when there is none. While the store fails, each fetches its own.
type SharedTokens struct {
	Store       TokenStore
	Credentials CredentialSource
	// Fetch asks G2A: a Client's FetchToken.
	Fetch func(ctx context.Context) (Token, error)
	Owner string // names this instance; another name in every process
	Clock func() time.Time
	Log   *slog.Logger
}

// Token implements TokenSource.
func (s *SharedTokens) Token(ctx context.Context) (Token, error) {
	credentials, err := s.Credentials.Credentials(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("reading the credentials: %w", err)
	}
	fingerprint := credentials.Fingerprint()
	for {
		now := s.Clock()
		kept, err := s.Store.LoadToken(ctx, fingerprint)
		if err != nil {
			return s.withoutStore(ctx, err)
		}
		if kept.fresh(now) {
			return kept, nil
		}
		leased, err := s.Store.LeaseToken(ctx, fingerprint, kept.Version, s.Owner, now, now.Add(tokenLease))
		switch {
		case err != nil && kept.usable(now):
			s.Log.WarnContext(ctx, "the token's lease cannot be had, the old token is used on", "error", err.Error())
			return kept, nil
		case err != nil:
			return s.withoutStore(ctx, err)
		case leased:
			return s.replace(ctx, fingerprint, kept)
		case kept.usable(now):
			return kept, nil
		}
		if err := pause(ctx, tokenPoll/2+time.Duration(mathrand.Int64N(int64(tokenPoll/2)))); err != nil {
			return Token{}, fmt.Errorf("waiting for the token that another instance fetches: %w: %w", ErrUnavailable, err)
		}
	}
}

// replace fetches the next token while this instance has the lease.
func (s *SharedTokens) replace(ctx context.Context, fingerprint string, kept Token) (Token, error) {
	token, err := s.Fetch(ctx)
	if err != nil {
		// The lease must end even if the time is up, or the others wait in vain.
		releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if err := s.Store.ReleaseToken(releaseCtx, fingerprint, s.Owner); err != nil {
			s.Log.WarnContext(ctx, "the token's lease could not be released and runs out by itself", "error", err.Error())
		}
		if kept.usable(s.Clock()) {
			s.Log.WarnContext(ctx, "no new token, the old one is used on", "error", err.Error())
			return kept, nil
		}
		return Token{}, fmt.Errorf("fetching a token: %w", err)
	}
	token.Version = kept.Version + 1
	saved, err := s.Store.SaveToken(ctx, fingerprint, s.Owner, token)
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "the new token could not be stored and serves this instance alone", "error", err.Error())
	case !saved:
		s.Log.WarnContext(ctx, "fetching a token took longer than its lease; it serves this instance alone")
	}
	return token, nil
}

func (s *SharedTokens) withoutStore(ctx context.Context, cause error) (Token, error) {
	s.Log.WarnContext(ctx, "the token cache cannot be reached, a token is fetched for this instance alone", "error", cause.Error())
	token, err := s.Fetch(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("fetching a token: %w", err)
	}
	return token, nil
}

// pause waits, or gives the context's error.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RememberedTokens keeps the last token of another source in memory while it is
// fresh.
type RememberedTokens struct {
	source TokenSource
	clock  func() time.Time

	mu   sync.Mutex // guards last, not the fetching
	last Token
	turn chan struct{} // held by the one who asks the source
}

// RememberTokens makes a RememberedTokens over source.
func RememberTokens(source TokenSource, clock func() time.Time) *RememberedTokens {
	return &RememberedTokens{source: source, clock: clock, turn: make(chan struct{}, 1)}
}

// Token implements TokenSource.
func (r *RememberedTokens) Token(ctx context.Context) (Token, error) {
	token := r.remembered()
	if token.fresh(r.clock()) {
		return token, nil
	}
	mine, err := r.takeTurn(ctx, token.usable(r.clock()))
	switch {
	case err != nil:
		return Token{}, fmt.Errorf("waiting for a token: %w: %w", ErrUnavailable, err)
	case !mine:
		return token, nil // another caller asks for the next one
	}
	defer func() { <-r.turn }()
	token = r.remembered() // another caller may have got one meanwhile
	if token.fresh(r.clock()) {
		return token, nil
	}
	next, err := r.source.Token(ctx)
	if err != nil {
		if token.usable(r.clock()) {
			return token, nil
		}
		return Token{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = next
	return next, nil
}

// takeTurn waits for the turn to ask the source, unless the caller can do without.
func (r *RememberedTokens) takeTurn(ctx context.Context, dispensable bool) (bool, error) {
	select {
	case r.turn <- struct{}{}:
		return true, nil
	default:
	}
	if dispensable {
		return false, nil
	}
	select {
	case r.turn <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (r *RememberedTokens) remembered() Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

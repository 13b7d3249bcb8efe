package g2a

import (
	"context"
	"errors"
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
	// rejectionPause is how long a token is not asked for again after G2A has rejected
	// the credentials: trying on could lock the account.
	rejectionPause = 30 * time.Second
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

// A TokenSource gives an access token that can be used now. Sources are stacked:
// SharedTokens over a TokenStore and G2A, and RememberedTokens over that.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// A DroppingSource is a TokenSource that can forget a token. The client asks it when
// G2A rejects the token before its time. Only exactly that token is forgotten: the
// next one, which another caller or instance may have got meanwhile, stays. What
// fails is for the source to tell; Token then gives the same token again.
type DroppingSource interface {
	TokenSource
	DropToken(ctx context.Context, token Token)
}

// tokenFunc is a TokenSource of one function.
type tokenFunc func(ctx context.Context) (Token, error)

func (f tokenFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// TokenStore keeps one token per account, named by the credentials' fingerprint,
// for all instances. Its methods return an error only when the store itself fails.
type TokenStore interface {
	// LoadToken gives the token kept. Where there is none, Access is absent and Version
	// that of the last one, 0 where there was none ever.
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
	// DropToken forgets the token where it is the one kept, told by Access, and leaves
	// another one, a lease and the version's count as they are.
	DropToken(ctx context.Context, fingerprint string, token Token) error
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
	next := token
	next.Version = kept.Version + 1
	saved, err := s.Store.SaveToken(ctx, fingerprint, s.Owner, next)
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "the new token could not be stored and serves this instance alone", "error", err.Error())
		return token, nil // without a version: another instance's token may have that one
	case !saved:
		s.Log.WarnContext(ctx, "fetching a token took longer than its lease; it serves this instance alone")
		return token, nil
	}
	return next, nil
}

// DropToken implements DroppingSource. It is dropped for all instances.
func (s *SharedTokens) DropToken(ctx context.Context, token Token) {
	credentials, err := s.Credentials.Credentials(ctx)
	if err == nil {
		err = s.Store.DropToken(ctx, credentials.Fingerprint(), token)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "the token that G2A rejects could not be dropped", "error", err.Error())
	}
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
// fresh. Where G2A rejects the credentials, the source is not asked again for 30
// seconds, and the rejection is every caller's.
type RememberedTokens struct {
	source TokenSource
	clock  func() time.Time

	mu   sync.Mutex // guards last, not the fetching
	last Token
	turn chan struct{} // held by the one who asks the source, and guards what follows

	rejection error     // of the credentials
	askAgain  time.Time // not before
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
	next, err := r.ask(ctx)
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

// ask asks the source. The caller has the turn.
func (r *RememberedTokens) ask(ctx context.Context) (Token, error) {
	if r.clock().Before(r.askAgain) {
		return Token{}, r.rejection
	}
	token, err := r.source.Token(ctx)
	if errors.Is(err, ErrCredentialsRejected) {
		r.rejection, r.askAgain = err, r.clock().Add(rejectionPause)
	}
	return token, err
}

// DropToken implements DroppingSource. It waits until nobody asks the source, who
// might still be given the token that is dropped.
func (r *RememberedTokens) DropToken(ctx context.Context, token Token) {
	if mine, _ := r.takeTurn(ctx, false); !mine {
		return
	}
	defer func() { <-r.turn }()
	if !r.remembered().Access.Equal(token.Access) {
		return // dropped or replaced, there and in the source
	}
	if source, drops := r.source.(DroppingSource); drops {
		source.DropToken(ctx, token)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = Token{}
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

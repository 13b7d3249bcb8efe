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
	// clockTolerance is how wrong the store's time may be as an instance works it out: by
	// seconds, and by more if its own clock was set since it last read that time.
	clockTolerance = 2 * time.Minute
	// expiryMargin keeps a token from being sent in the last moments of its life: the call
	// takes a while too. For a short life it is 1 in expiryShare.
	expiryMargin = clockTolerance + 10*time.Second
	expiryShare  = 10
	// tokenLease is how long one instance may take to fetch a token before another
	// one tries: two attempts of the longest time-out.
	tokenLease = 20 * time.Second
	// refreshPause is how long a token that is still usable is kept if no newer one is
	// available, because another instance is fetching it or G2A fails.
	refreshPause = 10 * time.Second
	// tokenPoll is the longest wait between two looks at a token that another
	// instance is fetching.
	tokenPoll = 200 * time.Millisecond
	// rejectionPause is how long a token is not asked for again after G2A has rejected
	// the credentials, doubled with each further time up to maxRejectionPause: more tries
	// could lock the account.
	rejectionPause    = 30 * time.Second
	maxRejectionPause = 15 * time.Minute
	// impossiblePause is longer than any pause that an instance has stored.
	impossiblePause = time.Hour
	// releaseTimeout bounds the release of a lease, which is done even when the
	// caller's time is up.
	releaseTimeout = time.Second
)

// TTL returns the life that is left, never less than zero.
func (t Token) TTL(now time.Time) time.Duration { return max(0, t.ExpiresAt.Sub(now)) }

func (t Token) life() time.Duration { return t.ExpiresAt.Sub(t.IssuedAt) }

// Usable reports whether the token can still be sent: it has more life left than a share
// of it, or than the margin for calls and clocks.
func (t Token) Usable(now time.Time) bool {
	return !t.Access.IsZero() && t.TTL(now) > min(expiryMargin, t.life()/expiryShare)
}

// fresh reports whether the token need not be replaced yet.
func (t Token) fresh(now time.Time) bool {
	return t.Usable(now) && t.TTL(now) >= t.life()/refreshShare
}

// shifted returns the token with its times by a clock that is ahead by so much.
func (t Token) shifted(ahead time.Duration) Token {
	t.IssuedAt, t.ExpiresAt = t.IssuedAt.Add(ahead), t.ExpiresAt.Add(ahead)
	return t
}

// A TokenSource returns an access token that can be used now. Sources are stacked:
// SharedTokens over a TokenStore and G2A, and RememberedTokens over that.
type TokenSource interface {
	Token(ctx context.Context) (Token, error)
}

// A DroppingSource is a TokenSource that can forget a token. The client asks it when
// G2A rejects the token before its time. Only exactly that token is forgotten: the
// next one, which another caller or instance may have acquired since, stays. A failure is
// for the source to report; Token then returns the same token again.
type DroppingSource interface {
	TokenSource
	DropToken(ctx context.Context, token Token)
}

// tokenFunc is a TokenSource of one function.
type tokenFunc func(ctx context.Context) (Token, error)

func (f tokenFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// TokenRecord is what a TokenStore keeps of one account. The zero value means that nothing
// is stored for the account. All times in it are by the store's clock.
type TokenRecord struct {
	// Token is the newest token. If there is none, Access is absent and Version that of
	// the last one, 0 if there never was one.
	Token     Token
	Lease     TokenLease
	Rejection TokenRejection
	// ReadAt is when the record was read. Instances go by it and not by their own clocks,
	// which may be wrong; zero means that the store has no clock, and theirs must agree.
	ReadAt time.Time
	// Damage is why what is stored cannot be read; the rest is then zero, but for ReadAt.
	Damage error
}

// damage reports why the record cannot be one that an instance wrote.
func (r TokenRecord) damage(now time.Time) error {
	switch life := r.Token.life(); {
	case r.Damage != nil || r.Token.Access.IsZero():
		return r.Damage
	case checkCredential(r.Token.Access.Reveal()) != nil:
		return errors.New("the token is not printable")
	case life <= 0 || life > maxTokenLife:
		return errors.New("the token's life is not one that a token has")
	case r.Token.IssuedAt.After(now.Add(clockTolerance)):
		return errors.New("the token is issued in the future")
	}
	return nil
}

// TokenLease is one instance's task of fetching the next token. Without an owner, or
// with Until zero or in 1970, it is nobody's.
type TokenLease struct {
	Owner string
	Until time.Time
}

// over reports whether another instance may take the lease: it has expired, or ends later
// than any lease does.
func (l TokenLease) over(now time.Time) bool {
	left := l.Until.Sub(now)
	return l.Owner == "" || left <= 0 || left > tokenLease+clockTolerance
}

// TokenRejection is kept when G2A rejects the credentials.
type TokenRejection struct {
	Count int64     // in a row
	Until time.Time // G2A is not asked again before
}

// stands reports whether G2A must not be asked yet. An impossible pause is none.
func (r TokenRejection) stands(now time.Time) bool {
	return now.Before(r.Until) && r.Until.Sub(now) <= impossiblePause
}

// next returns the rejection after this one.
func (r TokenRejection) next(now time.Time) TokenRejection {
	wait := min(maxRejectionPause, rejectionPause<<min(r.Count, 10))
	return TokenRejection{Count: r.Count + 1, Until: now.Add(wait)}
}

// TokenStore keeps one TokenRecord per account, named by the credentials' fingerprint,
// for all instances. The times that it is given are by its own clock, which LoadToken
// reports. Its methods return an error only when the store itself fails.
type TokenStore interface {
	LoadToken(ctx context.Context, fingerprint string) (TokenRecord, error)
	// LeaseToken makes lease that of the account. It reports false if the record is no
	// longer what the caller has seen, in the token's version, in the rejections or in the
	// lease, unless the lease is the same owner's. A damaged record is replaced by the
	// lease, and only if it is still the one that was seen.
	LeaseToken(ctx context.Context, fingerprint string, seen TokenRecord, lease TokenLease) (bool, error)
	// SaveToken keeps a token, and ends the owner's lease and the rejections. It reports
	// false, and keeps nothing, when owner no longer has the lease.
	SaveToken(ctx context.Context, fingerprint, owner string, token Token) (bool, error)
	// ReleaseToken ends the owner's lease without a token, and keeps the rejection.
	ReleaseToken(ctx context.Context, fingerprint, owner string, rejection TokenRejection) error
	// DropToken forgets the token if it is the one kept, by its Access, and leaves another
	// one, a lease and the version's count as they are.
	DropToken(ctx context.Context, fingerprint string, token Token) error
}

// SharedTokens returns the token that all instances share, and fetches the next one
// when it is one's turn: one instance fetches, the others continue with the token they
// have, or wait if there is none. While the store fails, each fetches its own.
// Credentials that G2A rejects are left alone, by all instances, for 30 seconds, and
// twice as long each further time, up to 15 minutes; others, after a rotation, are not.
type SharedTokens struct {
	Store       TokenStore
	Credentials CredentialSource
	// Fetch asks G2A: a Client's FetchTokenFor.
	Fetch func(ctx context.Context, credentials Credentials) (Token, error)
	Owner string // names this instance; another name in every process
	Clock func() time.Time
	Log   *slog.Logger
	// KeepFor is for an instance that keeps the token fresh, so that no other one has to
	// fetch it: for how long that must last. A token in the first fifth of its life is
	// not replaced even so. Zero is for the others.
	KeepFor time.Duration
	// StoreFailed is called each time the store fails, besides the log; nil is not.
	StoreFailed func()
	// RefreshFailed is called each time a token that is due to be replaced could not be,
	// because G2A gave none or is not asked while it rejects the credentials, even where
	// the old one still serves. nil is not.
	RefreshFailed func()
}

// Token implements TokenSource.
func (s *SharedTokens) Token(ctx context.Context) (Token, error) {
	credentials, err := s.Credentials.Credentials(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("reading the credentials: %w", err)
	}
	token, err := s.tokenFor(ctx, credentials)
	source, refreshes := s.Credentials.(RefreshingSource)
	if !refreshes || !errors.Is(err, ErrCredentialsRejected) {
		return token, err
	}
	rotated, refreshErr := source.RefreshedCredentials(ctx)
	if refreshErr != nil || rotated.Fingerprint() == credentials.Fingerprint() {
		return token, err
	}
	return s.tokenFor(ctx, rotated)
}

// tokenFor returns the token of one account.
func (s *SharedTokens) tokenFor(ctx context.Context, credentials Credentials) (Token, error) {
	fingerprint := credentials.Fingerprint()
	for {
		kept, err := s.Store.LoadToken(ctx, fingerprint)
		if err != nil {
			return s.withoutStore(ctx, credentials, err)
		}
		now, ahead := s.storeTime(kept.ReadAt)
		damage := kept.damage(now)
		if damage != nil {
			kept.Token.Access = Secret{}
		}
		mine := kept.Token.shifted(-ahead)
		usable, rejected := kept.Token.Usable(now), kept.Rejection.stands(now)
		switch {
		case s.fresh(kept.Token, now):
			return mine, nil
		case rejected && usable:
			s.refreshFailed()
			return mine, nil
		case rejected:
			s.refreshFailed()
			return Token{}, fmt.Errorf("G2A is not asked for a token before %s: %w", kept.Rejection.Until.UTC().Format(time.RFC3339), ErrCredentialsRejected)
		}
		if kept.Lease.over(now) || kept.Lease.Owner == s.Owner {
			leased, err := s.Store.LeaseToken(ctx, fingerprint, kept, TokenLease{Owner: s.Owner, Until: now.Add(tokenLease)})
			switch {
			case err != nil && usable:
				s.storeFailed(ctx, "could not acquire the token lease; keeping the current token", err)
				return mine, nil
			case err != nil:
				return s.withoutStore(ctx, credentials, err)
			case leased:
				if damage != nil {
					s.Log.WarnContext(ctx, "the stored token is damaged; replacing it", "error", damage.Error())
				}
				return s.replace(ctx, credentials, kept, ahead)
			}
		}
		if usable {
			return mine, nil
		}
		if err := pause(ctx, tokenPoll/2+time.Duration(mathrand.Int64N(int64(tokenPoll/2)))); err != nil {
			return Token{}, fmt.Errorf("waiting for the token that another instance fetches: %w: %w", ErrUnavailable, err)
		}
	}
}

// storeTime returns the store's time, and how far it is ahead of this instance's clock.
func (s *SharedTokens) storeTime(readAt time.Time) (now time.Time, ahead time.Duration) {
	mine := s.Clock()
	if readAt.IsZero() {
		return mine, 0
	}
	return readAt, readAt.Sub(mine)
}

// fresh reports whether this instance need not replace the token yet: it stays fresh for
// KeepFor, or is in the first fifth of its life.
func (s *SharedTokens) fresh(t Token, now time.Time) bool {
	young := t.fresh(now) && t.TTL(now) >= t.life()-t.life()/refreshShare
	return young || t.fresh(now.Add(s.KeepFor))
}

// replace fetches the next token while this instance has the lease. kept is by the store's
// clock, which is ahead by so much.
func (s *SharedTokens) replace(ctx context.Context, credentials Credentials, kept TokenRecord, ahead time.Duration) (Token, error) {
	fingerprint := credentials.Fingerprint()
	token, err := s.Fetch(ctx, credentials)
	if err != nil {
		s.refreshFailed()
		now, rejection := s.Clock().Add(ahead), kept.Rejection
		if errors.Is(err, ErrCredentialsRejected) {
			rejection = rejection.next(now)
		}
		// The lease must end even if the time is up, or the others wait for nothing.
		releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if err := s.Store.ReleaseToken(releaseCtx, fingerprint, s.Owner, rejection); err != nil {
			s.storeFailed(ctx, "could not release the token lease; it expires", err)
		}
		if kept.Token.Usable(now) {
			s.Log.WarnContext(ctx, "could not fetch a token; keeping the current one", "error", err.Error())
			return kept.Token.shifted(-ahead), nil
		}
		return Token{}, fmt.Errorf("fetching a token: %w", err)
	}
	next := token
	next.Version = kept.Token.Version + 1
	saved, err := s.Store.SaveToken(ctx, fingerprint, s.Owner, next.shifted(ahead))
	switch {
	case err != nil:
		s.storeFailed(ctx, "could not store the new token; only this instance uses it", err)
		return token, nil // without a version: another instance's token may have that one
	case !saved:
		s.Log.WarnContext(ctx, "fetching a token took longer than its lease; only this instance uses it")
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
		s.Log.WarnContext(ctx, "could not drop the token that G2A rejects", "error", err.Error())
	}
}

func (s *SharedTokens) withoutStore(ctx context.Context, credentials Credentials, cause error) (Token, error) {
	s.storeFailed(ctx, "could not read the shared token; fetching one for this instance alone", cause)
	token, err := s.Fetch(ctx, credentials)
	if err != nil {
		s.refreshFailed()
		return Token{}, fmt.Errorf("fetching a token: %w", err)
	}
	return token, nil
}

func (s *SharedTokens) storeFailed(ctx context.Context, what string, err error) {
	s.Log.WarnContext(ctx, what, "error", err.Error())
	if s.StoreFailed != nil {
		s.StoreFailed()
	}
}

func (s *SharedTokens) refreshFailed() {
	if s.RefreshFailed != nil {
		s.RefreshFailed()
	}
}

// pause waits, or returns the context's error.
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
// fresh, and for 10 seconds more each time the source has no newer one. Where G2A
// rejects the credentials, the source is not asked again for 30 seconds, and the
// rejection is every caller's.
type RememberedTokens struct {
	source TokenSource
	clock  func() time.Time

	mu       sync.Mutex // guards the next two, not the fetching
	last     Token
	notAgain time.Time     // is the source asked before, where last is usable
	turn     chan struct{} // held by the one who asks the source, and guards what follows

	rejection error     // of the credentials
	askAgain  time.Time // not before
}

// RememberTokens makes a RememberedTokens over source.
func RememberTokens(source TokenSource, clock func() time.Time) *RememberedTokens {
	return &RememberedTokens{source: source, clock: clock, turn: make(chan struct{}, 1)}
}

// Token implements TokenSource.
func (r *RememberedTokens) Token(ctx context.Context) (Token, error) {
	token, serves := r.remembered()
	if serves {
		return token, nil
	}
	mine, err := r.takeTurn(ctx, token.Usable(r.clock()))
	switch {
	case err != nil:
		return Token{}, fmt.Errorf("waiting for a token: %w: %w", ErrUnavailable, err)
	case !mine:
		return token, nil // another caller asks for the next one
	}
	defer func() { <-r.turn }()
	token, serves = r.remembered() // another caller may have acquired one since
	if serves {
		return token, nil
	}
	next, err := r.ask(ctx)
	switch {
	case err != nil && !token.Usable(r.clock()):
		return Token{}, err
	case err != nil:
		next = token
	}
	r.remember(next)
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
	if last, _ := r.remembered(); !last.Access.Equal(token.Access) {
		return // dropped or replaced, there and in the source
	}
	if source, drops := r.source.(DroppingSource); drops {
		source.DropToken(ctx, token)
	}
	r.remember(Token{})
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

// remembered returns the last token, and whether it can be used without asking.
func (r *RememberedTokens) remembered() (token Token, serves bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	return r.last, r.last.fresh(now) || r.last.Usable(now) && now.Before(r.notAgain)
}

func (r *RememberedTokens) remember(token Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.notAgain = token, r.clock().Add(refreshPause)
}

package secrets

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// ErrUnavailable wraps every error of Secrets Manager itself, and of a secret that is
// not of the right form.
var ErrUnavailable = errors.New("the credentials cannot be read")

// Getter is what is called of Secrets Manager.
type Getter interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Credentials are the credentials of one secret, a JSON object
// {"api_key","api_hash"}, in its current and its previous version. It is a
// g2a.CredentialSource and safe for concurrent use.
type Credentials struct {
	// Log gets a warning when a value cannot be refreshed, and when one had to be
	// trimmed. New discards it.
	Log *slog.Logger
	// PreviousFor is how long after a rotation the previous API hash is accepted. The
	// zero value means not at all.
	PreviousFor time.Duration

	secretsManager Getter
	id             string
	clock          func() time.Time

	mu       sync.Mutex // never held while Secrets Manager is asked
	versions map[stage]version
	reading  *reading // in progress; nil: none
}

type stage string

const (
	current  stage = "AWSCURRENT"
	previous stage = "AWSPREVIOUS"
)

// New returns the Credentials of the secret with this name or ARN. Nothing is read
// before it is needed.
func New(secretsManager Getter, id string, clock func() time.Time) *Credentials {
	return &Credentials{Log: slog.New(slog.DiscardHandler), secretsManager: secretsManager, id: id, clock: clock, versions: map[stage]version{}}
}

// now is the wall clock. The monotonic one may stand still while Lambda freezes the
// process, and values must age in that time.
func (c *Credentials) now() time.Time { return c.clock().Round(0) }

// Credentials implements g2a.CredentialSource: the current version.
func (c *Credentials) Credentials(ctx context.Context) (g2a.Credentials, error) {
	return c.credentials(ctx, false)
}

// RefreshedCredentials is Credentials, refreshed unless that was asked for in the last
// ten seconds: it makes this a g2a.RefreshingSource.
func (c *Credentials) RefreshedCredentials(ctx context.Context) (g2a.Credentials, error) {
	return c.credentials(ctx, true)
}

func (c *Credentials) credentials(ctx context.Context, outOfTurn bool) (g2a.Credentials, error) {
	c.await(ctx, outOfTurn, current)
	c.mu.Lock()
	defer c.mu.Unlock()
	v, err := c.inHand(ctx, current)
	return v.credentials, err
}

// Hashes returns the API hashes that webhooks may be signed with, the current one
// first. A previous one that cannot be read is left out: it must not cost the webhooks
// that are signed with the current one.
func (c *Credentials) Hashes(ctx context.Context) ([]g2a.Secret, error) {
	return c.hashes(ctx, false)
}

// RefreshedHashes is Hashes, refreshed unless that was asked for in the last ten
// seconds. A previous one that cannot be read is an error.
func (c *Credentials) RefreshedHashes(ctx context.Context) ([]g2a.Secret, error) {
	return c.hashes(ctx, true)
}

func (c *Credentials) hashes(ctx context.Context, outOfTurn bool) ([]g2a.Secret, error) {
	wanted := []stage{current}
	if c.PreviousFor > 0 {
		wanted = append(wanted, previous)
	}
	c.await(ctx, outOfTurn, wanted...)
	c.mu.Lock()
	defer c.mu.Unlock()
	newer, err := c.inHand(ctx, current)
	if err != nil {
		return nil, err
	}
	hashes := []g2a.Secret{newer.credentials.Hash}
	if c.PreviousFor <= 0 || !c.now().Before(c.rotatedAt().Add(c.PreviousFor)) {
		return hashes, nil
	}
	older, err := c.inHand(ctx, previous)
	switch {
	case err != nil && outOfTurn:
		return nil, err
	case err == nil && !older.credentials.Hash.IsZero():
		hashes = append(hashes, older.credentials.Hash)
	}
	return hashes, nil
}

// rotatedAt is when the previous version became the previous one: no sooner than the
// newer of the two was put. That is the previous one where a person has moved
// AWSCURRENT back to an older version.
func (c *Credentials) rotatedAt() time.Time {
	at := c.versions[current].putAt
	if older := c.versions[previous].putAt; older.After(at) {
		return older
	}
	return at
}

package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	// maxAge is how old a value may be: the longest a rotation goes unseen.
	maxAge = 5 * time.Minute
	// pause is the least time between two readings out of turn, so that forged webhooks
	// cannot make us read all the time, and between two tries while reading fails.
	pause = 10 * time.Second
)

// ErrUnavailable is around every error of Secrets Manager itself, and around a
// secret that is not of the right form.
var ErrUnavailable = errors.New("the credentials cannot be read")

// Getter is what is called of Secrets Manager.
type Getter interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Credentials are the credentials of one secret, a JSON object
// {"api_key","api_hash"}, in its current and its previous version. It is a
// g2a.CredentialSource and safe for concurrent use.
type Credentials struct {
	// Log is told when an old value is used on. New makes it a log that is thrown away.
	Log *slog.Logger

	secretsManager Getter
	id             string
	clock          func() time.Time

	mu     sync.Mutex // held while a value is read: the others want the same one
	stages map[stage]version
}

type stage string

const (
	current  stage = "AWSCURRENT"
	previous stage = "AWSPREVIOUS"
)

type version struct {
	credentials g2a.Credentials // zero: there is no such version
	readAt      time.Time
	failedAt    time.Time // the last try, where it failed
	refreshedAt time.Time // the last try out of turn
}

// due reports whether the version is to be read: in turn, or out of turn.
func (v version) due(now time.Time, outOfTurn bool) bool {
	if now.Sub(v.failedAt) < pause {
		return false
	}
	return now.Sub(v.readAt) >= maxAge || outOfTurn && now.Sub(v.refreshedAt) >= pause
}

// New makes the Credentials of the secret with this name or ARN. Nothing is read
// before it is needed.
func New(secretsManager Getter, id string, clock func() time.Time) *Credentials {
	return &Credentials{Log: slog.New(slog.DiscardHandler), secretsManager: secretsManager, id: id, clock: clock, stages: map[stage]version{}}
}

// Credentials implements g2a.CredentialSource: the current version.
func (c *Credentials) Credentials(ctx context.Context) (g2a.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(ctx, current, false)
}

// RefreshedCredentials is Credentials, read anew unless that was asked for in the last
// ten seconds: it makes this a g2a.RefreshingSource.
func (c *Credentials) RefreshedCredentials(ctx context.Context) (g2a.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(ctx, current, true)
}

// Hashes gives the API hashes that webhooks may be signed with: the current one
// and, where there is one, the previous one.
func (c *Credentials) Hashes(ctx context.Context) ([]g2a.Secret, error) {
	return c.hashes(ctx, false)
}

// RefreshedHashes is Hashes, read anew unless that was asked for in the last ten
// seconds.
func (c *Credentials) RefreshedHashes(ctx context.Context) ([]g2a.Secret, error) {
	return c.hashes(ctx, true)
}

func (c *Credentials) hashes(ctx context.Context, outOfTurn bool) ([]g2a.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var hashes []g2a.Secret
	for _, s := range []stage{current, previous} {
		credentials, err := c.get(ctx, s, outOfTurn)
		if err != nil {
			return nil, err
		}
		if !credentials.Hash.IsZero() {
			hashes = append(hashes, credentials.Hash)
		}
	}
	return hashes, nil
}

// get gives a version, read anew where that is due. While Secrets Manager fails, the
// last value is used on, and another try is made after every pause.
func (c *Credentials) get(ctx context.Context, s stage, outOfTurn bool) (g2a.Credentials, error) {
	now := c.clock()
	known, found := c.stages[s]
	if found && !known.due(now, outOfTurn) {
		return known.credentials, nil
	}
	if outOfTurn {
		known.refreshedAt = now
	}
	credentials, err := c.read(ctx, s)
	switch {
	case err != nil && !found:
		return g2a.Credentials{}, err
	case err != nil:
		c.Log.WarnContext(ctx, "the credentials cannot be read anew, the last ones are used on", "error", err.Error())
		known.failedAt = now
		c.stages[s] = known
		return known.credentials, nil
	}
	if s == current && found && credentials.Fingerprint() != known.credentials.Fingerprint() {
		delete(c.stages, previous) // a rotation moves both
	}
	c.stages[s] = version{credentials: credentials, readAt: now, refreshedAt: known.refreshedAt}
	return credentials, nil
}

// read asks Secrets Manager. A previous version that is not there, or is not of the
// right form, has signed nothing, and must not cost the current one.
func (c *Credentials) read(ctx context.Context, s stage) (g2a.Credentials, error) {
	wanted := string(s)
	answer, err := c.secretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &c.id, VersionStage: &wanted})
	var missing *types.ResourceNotFoundException
	switch {
	case s == previous && errors.As(err, &missing):
		return g2a.Credentials{}, nil // never rotated
	case err != nil:
		return g2a.Credentials{}, fmt.Errorf("reading secret %s (%s): %w: %w", c.id, s, ErrUnavailable, err)
	}
	credentials, err := parse(answer.SecretString)
	switch {
	case err != nil && s == previous:
		return g2a.Credentials{}, nil
	case err != nil:
		return g2a.Credentials{}, fmt.Errorf("secret %s (%s): %w: %w", c.id, s, ErrUnavailable, err)
	}
	return credentials, nil
}

// parse reads a secret's value. Its errors repeat nothing of it.
func parse(value *string) (g2a.Credentials, error) {
	if value == nil {
		return g2a.Credentials{}, errors.New("is not a text")
	}
	var fields struct {
		Key  string `json:"api_key"`
		Hash string `json:"api_hash"`
	}
	if err := json.Unmarshal([]byte(*value), &fields); err != nil {
		return g2a.Credentials{}, errors.New(`is not a JSON object {"api_key","api_hash"}`)
	}
	credentials := g2a.Credentials{Hash: g2a.NewSecret(fields.Hash), Key: g2a.NewSecret(fields.Key)}
	if err := credentials.Validate(); err != nil {
		return g2a.Credentials{}, err
	}
	return credentials, nil
}

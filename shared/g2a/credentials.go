package g2a

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Credentials are a G2A account's API hash and API key.
type Credentials struct {
	Hash Secret // also signs the webhooks
	Key  Secret
}

// Fingerprint names the credentials without revealing them: 16 hexadecimal digits,
// different for different credentials. Tokens are cached under it.
func (c Credentials) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(c.Hash.Reveal()), c.Hash.Reveal(), c.Key.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// A CredentialSource returns the current credentials.
type CredentialSource interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// A RefreshingSource is a CredentialSource that can look for newer credentials out of
// turn. The client asks it when the ones it has are rejected.
type RefreshingSource interface {
	CredentialSource
	RefreshedCredentials(ctx context.Context) (Credentials, error)
}

// Credentials makes fixed credentials a CredentialSource of their own.
func (c Credentials) Credentials(context.Context) (Credentials, error) { return c, nil }

// doAuthenticated makes a call that sign puts the credentials into. When it is rejected
// and the credentials turn out to have been rotated, it is made once more.
func (c *Client) doAuthenticated(ctx context.Context, r request, sign func(*request, Credentials), read func(*answer) error) error {
	ctx, _ = correlated(ctx)
	credentials, err := c.options.Credentials.Credentials(ctx)
	if err != nil {
		return notSent{fmt.Errorf("%s %s: reading the credentials: %w", r.method, r.route, err)}
	}
	call := func(credentials Credentials) error {
		signed := r
		signed.secrets = []Secret{credentials.Hash, credentials.Key}
		sign(&signed, credentials)
		return c.do(ctx, signed, read)
	}
	err = call(credentials)
	source, refreshes := c.options.Credentials.(RefreshingSource)
	if !refreshes || !unauthorized(err) && !errors.Is(err, ErrCredentialsRejected) {
		return err
	}
	rotated, refreshErr := source.RefreshedCredentials(ctx)
	if refreshErr != nil || rotated.Fingerprint() == credentials.Fingerprint() || !repeatable(r, err) {
		return err
	}
	return call(rotated)
}

// doBearer makes a call with an access token. On a 401 exactly that token is dropped, and
// the call is made once more with another one.
func (c *Client) doBearer(ctx context.Context, r request, read func(*answer) error) error {
	ctx, _ = correlated(ctx)
	token, err := c.options.Tokens.Token(ctx)
	if err != nil {
		return notSent{fmt.Errorf("%s %s: %w", r.method, r.route, err)}
	}
	call := func(token Token) error {
		signed := r
		signed.secrets = append([]Secret{token.Access}, r.secrets...)
		signed.header = map[string]string{"Authorization": "Bearer " + token.Access.Reveal()}
		maps.Copy(signed.header, r.header)
		return c.do(ctx, signed, read)
	}
	err = call(token)
	source, drops := c.options.Tokens.(DroppingSource)
	if !drops || !unauthorized(err) {
		return err
	}
	source.DropToken(ctx, token)
	if !repeatable(r, err) {
		return err
	}
	next, tokenErr := source.Token(ctx)
	switch {
	case tokenErr != nil:
		return notSent{fmt.Errorf("%s %s: replacing the token that G2A rejects: %w", r.method, r.route, tokenErr)}
	case next.Access.Equal(token.Access):
		return err
	}
	return call(next)
}

// unauthorized reports whether a call was answered with 401, by G2A or by a gateway
// before it. AUTH01, a missing header, comes with another status: no other token helps.
func unauthorized(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusUnauthorized
}

// repeatable reports whether a call that failed with err may be made again.
func repeatable(r request, err error) bool {
	return !r.effect.once() || OutcomeOf(err) == NotDone
}

// DeriveKey computes an API key as G2A's Developers API documentation says: the
// hexadecimal SHA-256 of the API hash, the account's e-mail address and the API
// secret, with nothing in between.
func DeriveKey(hash Secret, email string, apiSecret Secret) Secret {
	sum := sha256.Sum256([]byte(hash.Reveal() + email + apiSecret.Reveal()))
	return NewSecret(hex.EncodeToString(sum[:]))
}

// AuthScheme is how a call of the Export API is authenticated.
type AuthScheme string

const (
	// AuthHeader sends "Authorization: <hash>, <key>": the documented form.
	AuthHeader AuthScheme = "header"
	// AuthSigned sends X-API-HASH, X-API-KEY, X-G2A-Timestamp and X-G2A-Hash. Live
	// is said to have refused it; it is there for accounts that G2A has asked to use it.
	AuthSigned AuthScheme = "signed"
)

// exportHeader returns the headers that authenticate a call of the Export API.
func exportHeader(scheme AuthScheme, c Credentials, now time.Time) map[string]string {
	if scheme != AuthSigned {
		return map[string]string{"Authorization": c.Hash.Reveal() + ", " + c.Key.Reveal()}
	}
	timestamp := fmt.Sprint(now.Unix())
	sum := sha256.Sum256([]byte(c.Hash.Reveal() + c.Key.Reveal() + timestamp))
	return map[string]string{
		"X-API-HASH":      c.Hash.Reveal(),
		"X-API-KEY":       c.Key.Reveal(),
		"X-G2A-Timestamp": timestamp,
		"X-G2A-Hash":      hex.EncodeToString(sum[:]),
	}
}

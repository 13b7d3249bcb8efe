package g2a

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Credentials are a G2A account's API hash and API key.
type Credentials struct {
	Hash Secret // also signs the webhooks
	Key  Secret
}

// Fingerprint names the credentials without telling them: 16 hexadecimal digits,
// other ones for other credentials. Tokens are cached under it.
func (c Credentials) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(c.Hash.Reveal()), c.Hash.Reveal(), c.Key.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// A CredentialSource gives the credentials that are current now.
type CredentialSource interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// A RefreshingSource is a CredentialSource that can look for newer credentials out
// of turn. The client asks it when G2A rejects the ones it has.
type RefreshingSource interface {
	CredentialSource
	RefreshedCredentials(ctx context.Context) (Credentials, error)
}

// Credentials makes fixed credentials a CredentialSource of themselves.
func (c Credentials) Credentials(context.Context) (Credentials, error) { return c, nil }

// doAuthenticated makes a call that sign puts the credentials into. Where G2A
// rejects them and they turn out to have been rotated, the call is made once more:
// a rejected one was not done.
func (c *Client) doAuthenticated(ctx context.Context, r request, sign func(*request, Credentials), out any, check func() *FieldError) error {
	ctx, _ = correlated(ctx)
	credentials, err := c.options.Credentials.Credentials(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: reading the credentials: %w", r.method, r.route, err)
	}
	call := func(credentials Credentials) error {
		signed := r
		signed.secrets = []Secret{credentials.Hash, credentials.Key}
		sign(&signed, credentials)
		return c.do(ctx, signed, out, check)
	}
	err = call(credentials)
	source, refreshes := c.options.Credentials.(RefreshingSource)
	if !refreshes || !errors.Is(err, ErrCredentialsRejected) {
		return err
	}
	rotated, refreshErr := source.RefreshedCredentials(ctx)
	if refreshErr != nil || rotated.Fingerprint() == credentials.Fingerprint() {
		return err
	}
	return call(rotated)
}

// doImport makes a call with an access token. Where G2A answers 401, exactly that
// token is dropped, and the call is made once more with another one: a call that was
// rejected was not done.
func (c *Client) doImport(ctx context.Context, r request, out any, check func() *FieldError) error {
	ctx, _ = correlated(ctx)
	token, err := c.options.Tokens.Token(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.route, err)
	}
	call := func(token Token) error {
		signed := r
		signed.secrets = append([]Secret{token.Access}, r.secrets...)
		signed.header = map[string]string{"Authorization": "Bearer " + token.Access.Reveal()}
		return c.do(ctx, signed, out, check)
	}
	err = call(token)
	source, drops := c.options.Tokens.(DroppingSource)
	if !drops || !unauthorized(err) {
		return err
	}
	source.DropToken(ctx, token)
	next, tokenErr := source.Token(ctx)
	switch {
	case tokenErr != nil:
		return fmt.Errorf("%s %s: replacing the token that G2A rejects: %w", r.method, r.route, tokenErr)
	case next.Access.Equal(token.Access):
		return err
	}
	return call(next)
}

// unauthorized reports whether G2A rejects what a call was authenticated with.
// AUTH01, that there was nothing, comes with another status: no other token helps.
func unauthorized(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusUnauthorized && e.Kind == ErrCredentialsRejected
}

// DeriveKey computes an API key as G2A's Developers API documentation tells: the
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
	// is said to have refused it; it is there for accounts that were told to use it.
	AuthSigned AuthScheme = "signed"
)

// exportHeader gives the headers that authenticate a call of the Export API.
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

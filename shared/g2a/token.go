package g2a

import (
	"context"
	"net/url"
	"strings"
	"time"
)

// Token is an access token of the Import API.
type Token struct {
	Access    Secret
	IssuedAt  time.Time // as this side's clock said when it was asked for
	ExpiresAt time.Time
	// Version counts the tokens that were shared by one account, from 1. A token that
	// one instance has for itself is of version 0.
	Version int64
}

// maxTokenLife bounds expires_in to what makes sense as a duration.
const maxTokenLife = 365 * 24 * time.Hour

// FetchToken asks G2A for a new access token, by the flow of the configuration.
// The token is not shared yet and has no version.
func (c *Client) FetchToken(ctx context.Context) (Token, error) {
	r := request{api: importAPI, method: "GET", route: "/token", url: c.cfg.ImportURL + "/token"}
	sign := c.signExport
	if c.cfg.TokenFlow == TokenByClientCredentials {
		r = request{api: importAPI, method: "POST", route: "/oauth/token", url: c.cfg.OAuthURL, form: true}
		sign = signForm
	}
	var wire struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
		TokenType   string `json:"token_type"`
	}
	issuedAt := c.options.Clock() // before the call, so that it never seems younger than it is
	err := c.doAuthenticated(ctx, r, sign, decoded(&wire, func() *FieldError {
		switch {
		case checkCredential(wire.AccessToken) != nil:
			return &FieldError{Field: "access_token", Problem: "is missing or not printable"}
		case wire.TokenType != "" && !strings.EqualFold(wire.TokenType, "Bearer"):
			return &FieldError{Field: "token_type", Problem: "is not Bearer"}
		case wire.ExpiresIn <= 0 || wire.ExpiresIn > int64(maxTokenLife/time.Second):
			return &FieldError{Field: "expires_in", Problem: "is not a number of seconds from one second to a year"}
		}
		return nil
	}))
	if err != nil {
		return Token{}, err
	}
	life := time.Duration(wire.ExpiresIn) * time.Second
	return Token{Access: NewSecret(wire.AccessToken), IssuedAt: issuedAt, ExpiresAt: issuedAt.Add(life)}, nil
}

// FetchTokenFor is FetchToken for these credentials: those of Options are not looked
// at, and so not refreshed where G2A rejects these.
func (c *Client) FetchTokenFor(ctx context.Context, credentials Credentials) (Token, error) {
	fixed := *c
	fixed.options.Credentials = credentials
	return fixed.FetchToken(ctx)
}

// signForm writes the form of OAuth2's client credentials grant. That form is all there
// is to the grant: a library for it would send it past the client's retries, limits and
// errors, and puts G2A's words, which may repeat the secret, into errors of its own.
func signForm(r *request, credentials Credentials) {
	r.body = []byte(url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {credentials.Hash.Reveal()},
		"client_secret": {credentials.Key.Reveal()},
	}.Encode())
}

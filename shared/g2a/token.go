package g2a

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// Token is an access token of the Import API.
type Token struct {
	Access    Secret
	IssuedAt  time.Time // as this side's clock said when it was asked for
	ExpiresAt time.Time
	// Version counts the tokens of one account: a token is dropped by its version,
	// so that a newer one is not dropped in its stead. It starts at 1.
	Version int64
}

// maxTokenLife bounds expires_in to what makes sense as a duration.
const maxTokenLife = 365 * 24 * time.Hour

// FetchToken asks G2A for a new access token, by the flow of the configuration.
// The token has no version yet.
func (c *Client) FetchToken(ctx context.Context) (Token, error) {
	credentials, err := c.options.Credentials.Credentials(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("fetching a token: reading the credentials: %w", err)
	}
	r := request{
		api: importAPI, method: "GET", route: "/token", url: c.cfg.ImportURL + "/token",
		header:  exportHeader(c.cfg.AuthScheme, credentials, c.options.Clock()),
		secrets: []Secret{credentials.Hash, credentials.Key},
	}
	if c.cfg.TokenFlow == TokenByClientCredentials {
		form := url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {credentials.Hash.Reveal()},
			"client_secret": {credentials.Key.Reveal()},
		}
		r.method, r.route, r.url, r.header = "POST", "/oauth/token", c.cfg.OAuthURL, nil
		r.body, r.form = []byte(form.Encode()), true
	}
	var wire struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
		TokenType   string `json:"token_type"`
	}
	issuedAt := c.options.Clock() // before the call, so that it never seems younger than it is
	if err := c.do(ctx, r, &wire); err != nil {
		return Token{}, err
	}
	switch life := time.Duration(wire.ExpiresIn) * time.Second; {
	case checkCredential(wire.AccessToken) != nil:
		return Token{}, malformed(r, &FieldError{Field: "access_token", Problem: "is missing or not printable"})
	case wire.ExpiresIn <= 0 || wire.ExpiresIn > int64(maxTokenLife/time.Second):
		return Token{}, malformed(r, &FieldError{Field: "expires_in", Problem: "is not a number of seconds from one second to a year"})
	default:
		return Token{Access: NewSecret(wire.AccessToken), IssuedAt: issuedAt, ExpiresAt: issuedAt.Add(life)}, nil
	}
}

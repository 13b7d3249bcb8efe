package g2a

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Token is an access token, for the Export API v2 and the Import API.
type Token struct {
	Access    Secret
	IssuedAt  time.Time // when it was asked for, by this instance's clock
	ExpiresAt time.Time
	// Version counts the tokens that were shared by one account, from 1. A token that
	// one instance has for itself is of version 0.
	Version int64
}

const (
	// defaultTokenLife is assumed if G2A states no life: the shortest that its sandbox
	// has been seen to state.
	defaultTokenLife = 5 * time.Minute
	// maxTokenLife caps what G2A states. A token that is replaced too early costs one call
	// a day; one that is kept too long, a call that is refused.
	maxTokenLife = 24 * time.Hour
)

// FetchToken asks G2A for a new access token, by the flow of the configuration.
// The token is not shared yet and has no version.
func (c *Client) FetchToken(ctx context.Context) (Token, error) {
	r := request{api: tokenAPI, method: "GET", route: "/token", url: c.cfg.TokenURL}
	sign := c.signExport
	if c.cfg.TokenFlow == TokenByClientCredentials {
		r = request{api: tokenAPI, method: "POST", route: clientGrantPath, url: c.cfg.TokenURL, form: true}
		sign = signForm
	}
	var wire struct {
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		TokenType   string          `json:"token_type"`
	}
	var life time.Duration
	// Before the call, so that the token never seems younger than it is; and without the
	// monotonic reading, which may stand still while AWS Lambda has frozen the instance.
	issuedAt := c.options.Clock().Round(0)
	err := c.doAuthenticated(ctx, r, sign, decoded(&wire, func() (fault *FieldError) {
		switch {
		case checkCredential(wire.AccessToken) != nil:
			return &FieldError{Field: "access_token", Problem: "is missing or not printable"}
		case wire.TokenType != "" && !strings.EqualFold(wire.TokenType, "Bearer"):
			return &FieldError{Field: "token_type", Problem: "is not Bearer"}
		}
		life, fault = readTokenLife("expires_in", wire.ExpiresIn)
		return fault
	}))
	if err != nil {
		return Token{}, err
	}
	return Token{Access: NewSecret(wire.AccessToken), IssuedAt: issuedAt, ExpiresAt: issuedAt.Add(life)}, nil
}

// secondsPattern is a number as JSON writes it.
var secondsPattern = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// readTokenLife reads a number of seconds, as it is or in a string, and drops the fraction
// of one. An absent one is the default, one of more than a day is a day.
func readTokenLife(field string, raw json.RawMessage) (time.Duration, *FieldError) {
	if absent(raw) {
		return defaultTokenLife, nil
	}
	text := string(raw)
	if inner := stringOf(raw); inner != "" {
		text = inner
	}
	if !secondsPattern.MatchString(text) {
		return 0, &FieldError{Field: field, Problem: "is not a number of seconds"}
	}
	seconds, _ := strconv.ParseFloat(text, 64) // a number out of range is infinite, or 0
	if seconds < 1 {
		return 0, &FieldError{Field: field, Problem: "is less than one second"}
	}
	return time.Duration(min(seconds, maxTokenLife.Seconds())) * time.Second, nil
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

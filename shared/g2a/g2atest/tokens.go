package g2atest

import (
	"net/http"
	"net/url"
	"time"
)

// issueToken is GET /token: an access token for the Export API v1's credentials.
func (s *Simulator) issueToken(c *call) answer { return ok(s.newToken("Bearer", c.now)) }

// grantToken is POST /oauth/token: an access token by OAuth2's client credentials
// (RFC 6749, 4.4), with the errors of that document and not G2A's.
func (s *Simulator) grantToken(c *call) answer {
	form, err := url.ParseQuery(string(c.body))
	switch {
	case err != nil || form.Get("grant_type") == "":
		return refuseGrant(http.StatusBadRequest, "invalid_request")
	case form.Get("grant_type") != "client_credentials":
		return refuseGrant(http.StatusBadRequest, "unsupported_grant_type")
	case !s.known(form.Get("client_id"), form.Get("client_secret")):
		return refuseGrant(http.StatusUnauthorized, "invalid_client")
	}
	return ok(s.newToken("bearer", c.now)) // as its sandbox was seen to write it
}

func refuseGrant(status int, reason string) answer {
	return answer{status: status, body: struct {
		Error string `json:"error"`
	}{reason}}
}

type accessToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
}

// newToken issues a token. Earlier ones stay good until their own end.
func (s *Simulator) newToken(kind string, now time.Time) accessToken {
	for token, end := range s.tokens {
		if !now.Before(end) {
			delete(s.tokens, token)
		}
	}
	token := accessToken{
		AccessToken: s.randomHex(4),
		ExpiresIn:   int(s.options.TokenLife / time.Second),
		TokenType:   kind,
	}
	s.tokens[token.AccessToken] = now.Add(s.options.TokenLife)
	s.tally.tokensIssued++
	return token
}

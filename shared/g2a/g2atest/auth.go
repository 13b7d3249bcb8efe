package g2atest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// maxSkew is how far the timestamp of the signed scheme may be off, either way.
const maxSkew = 5 * time.Minute

// withCredentials guards an operation of the Export API, and the token call. It
// takes both schemes: "Authorization: <hash>, <key>", and the four headers of the
// signed one.
func withCredentials(do operation) operation {
	return func(s *Simulator, c *call) answer {
		authorization := c.header.Get("Authorization")
		switch {
		case authorization == "" && c.header.Get("X-API-HASH") == "":
			return fail(codeNoAuthorization, "Authorization header is missing")
		case strings.HasPrefix(authorization, "Bearer "):
			return fail(codeNoPrivilege, "An access token is not good for this call")
		case authorization != "":
			hash, key, _ := strings.Cut(authorization, ",")
			if !s.known(strings.TrimSpace(hash), strings.TrimSpace(key)) {
				return fail(codeUnknownMerchant, "Merchant not found")
			}
		default:
			if err := s.checkSigned(c); err != nil {
				return fail(codeUnknownMerchant, "Merchant not found: %v", err)
			}
		}
		return do(s, c)
	}
}

// withToken guards an operation of the Import API.
func withToken(do operation) operation {
	return func(s *Simulator, c *call) answer {
		authorization := c.header.Get("Authorization")
		if authorization == "" {
			refusal := fail(codeNoAuthorization, "Authorization header is missing")
			refusal.status = http.StatusUnauthorized // 403 is the Export API v1's
			return refusal
		}
		token, found := strings.CutPrefix(authorization, "Bearer ")
		if !found {
			return fail(codeNoPrivilege, "This call needs an access token")
		}
		if !s.issued(token, c.now) {
			return fail(codeUnknownMerchant, "Access token is not known or has expired")
		}
		return do(s, c)
	}
}

// issued reports whether an access token is good.
func (s *Simulator) issued(token string, now time.Time) bool {
	end, known := s.tokens[token]
	return known && now.Before(end)
}

// known reports whether hash and key are the account's.
func (s *Simulator) known(hash, key string) bool {
	return slices.ContainsFunc(s.accepted, func(c g2a.Credentials) bool {
		return c.Hash.Equal(g2a.NewSecret(hash)) && c.Key.Equal(g2a.NewSecret(key))
	})
}

// checkSigned checks the signed scheme: X-API-HASH, X-API-KEY, X-G2A-Timestamp in
// unix seconds, and X-G2A-Hash, the hexadecimal SHA-256 of hash, key and timestamp.
func (s *Simulator) checkSigned(c *call) error {
	hash, key, timestamp := c.header.Get("X-API-HASH"), c.header.Get("X-API-KEY"), c.header.Get("X-G2A-Timestamp")
	if !s.known(hash, key) {
		return fmt.Errorf("unknown X-API-HASH or X-API-KEY")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("X-G2A-Timestamp is not in unix seconds")
	}
	if skew := c.now.Sub(time.Unix(seconds, 0)).Abs(); skew > maxSkew {
		return fmt.Errorf("X-G2A-Timestamp is more than %v off", maxSkew)
	}
	sum := sha256.Sum256([]byte(hash + key + timestamp))
	if !g2a.NewSecret(hex.EncodeToString(sum[:])).Equal(g2a.NewSecret(c.header.Get("X-G2A-Hash"))) {
		return fmt.Errorf("X-G2A-Hash is wrong")
	}
	return nil
}

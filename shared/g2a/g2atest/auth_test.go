package g2atest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

func TestExportAPITakesBothSchemes(t *testing.T) {
	srv := newServer(t)
	for _, scheme := range []string{"header", "signed"} {
		t.Run(scheme, func(t *testing.T) {
			c := client(t, srv, "G2A_AUTH_SCHEME="+scheme)
			if _, err := c.Products(t.Context(), g2a.ProductQuery{}); err != nil {
				t.Errorf("products: %v", err)
			}
			if _, err := c.FetchToken(t.Context()); err != nil {
				t.Errorf("token: %v", err)
			}
		})
	}
}

// TestSetCredentials: old credentials are good for calls as long as they are accepted,
// tokens to their end, and a reset brings the first ones back.
func TestSetCredentials(t *testing.T) {
	srv := newServer(t)
	old, renewed := srv.Credentials, g2a.Credentials{Hash: g2a.NewSecret("renewed-hash"), Key: g2a.NewSecret("renewed-key")}
	token := bearer(t, srv)
	for _, step := range []struct {
		name       string
		do         func()
		old, fresh bool // are good
	}{
		{"at the start", func() {}, true, false},
		{"both", func() { srv.Simulator.SetCredentials(renewed, old) }, true, true},
		{"renewed alone", func() { srv.Simulator.SetCredentials(renewed) }, false, true},
		{"reset", srv.Simulator.Reset, true, false},
	} {
		step.do()
		for credentials, good := range map[g2a.Credentials]bool{old: step.old, renewed: step.fresh} {
			c := g2a.New(srv.Config(), g2a.Options{Credentials: credentials, Transport: srv.Client().Transport})
			_, err := c.Products(t.Context(), g2a.ProductQuery{})
			if (err == nil) != good || err != nil && !errors.Is(err, g2a.ErrCredentialsRejected) {
				t.Errorf("%s: error %v, want them good: %t", step.name, err, good)
			}
		}
		if got := send(t, srv, "GET", "/v3/sales/offers", "", token); (got.status == http.StatusOK) != (step.name != "reset") {
			t.Errorf("%s: the token is answered %d", step.name, got.status)
		}
	}
}

func TestExportAPIRefuses(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock))
	hash, key := srv.Credentials.Hash.Reveal(), srv.Credentials.Key.Reveal()
	signed := func(hash, key string, at time.Time, change func(headers []string)) []string {
		timestamp := strconv.FormatInt(at.Unix(), 10)
		sum := sha256.Sum256([]byte(hash + key + timestamp))
		headers := []string{"X-API-HASH: " + hash, "X-API-KEY: " + key, "X-G2A-Timestamp: " + timestamp, "X-G2A-Hash: " + hex.EncodeToString(sum[:])}
		change(headers)
		return headers
	}
	asIs := func([]string) {}
	for name, test := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"nothing":              {nil, 403, "AUTH01"},
		"another hash":         {[]string{"Authorization: other, " + key}, 401, "AUTH02"},
		"another key":          {[]string{"Authorization: " + hash + ", other"}, 401, "AUTH02"},
		"hash alone":           {[]string{"Authorization: " + hash}, 401, "AUTH02"},
		"a token":              {[]string{bearer(t, srv)}, 401, "AUTH04"},
		"signed, another hash": {signed("other", key, clock.Now(), asIs), 401, "AUTH02"},
		"signed, another key":  {signed(hash, "other", clock.Now(), asIs), 401, "AUTH02"},
		"signed, too old":      {signed(hash, key, clock.Now().Add(-301*time.Second), asIs), 401, "AUTH02"},
		"signed, too early":    {signed(hash, key, clock.Now().Add(301*time.Second), asIs), 401, "AUTH02"},
		"signed, at the edge":  {signed(hash, key, clock.Now().Add(-300*time.Second), asIs), 200, ""},
		"signed, no time":      {signed(hash, key, clock.Now(), func(h []string) { h[2] = "X-G2A-Timestamp: now" }), 401, "AUTH02"},
		"signed, wrong sum":    {signed(hash, key, clock.Now(), func(h []string) { h[3] = "X-G2A-Hash: 00" }), 401, "AUTH02"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, srv, "GET", "/v1/products", "", test.headers...)
			if test.status == http.StatusOK {
				var body struct{ Total int }
				got.want(t, &body)
				return
			}
			got.wantFailure(t, test.status, test.code)
		})
	}
}

func TestClientIsToldThatItsCredentialsAreWrong(t *testing.T) {
	srv := newServer(t)
	srv.Credentials.Key = g2a.NewSecret("other")
	if _, err := client(t, srv).Products(t.Context(), g2a.ProductQuery{}); !errors.Is(err, g2a.ErrCredentialsRejected) {
		t.Errorf("error is %v, want ErrCredentialsRejected", err)
	}
}

func TestTokenOpensTheImportAPIUntilItExpires(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), func(o *g2atest.Options) { o.TokenLife = 90 * time.Second })
	live := srv.Config("G2A_RETRY_MAX=0")
	live.TokenURL = srv.URL + "/integration-api/v1/token"
	for name, c := range map[string]*g2a.Client{
		"by hash":               client(t, srv),
		"by client credentials": client(t, srv, "G2A_TOKEN_FLOW=client_credentials"),
		"by hash, base of live": g2a.New(live, g2a.Options{Credentials: srv.Credentials, Transport: srv.Client().Transport}),
	} {
		t.Run(name, func(t *testing.T) {
			token, err := c.FetchToken(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if life := token.ExpiresAt.Sub(token.IssuedAt); life != 90*time.Second {
				t.Errorf("the token is good for %v, want 90s", life)
			}
			header := "Authorization: Bearer " + token.Access.Reveal()
			clock.Advance(90*time.Second - 1)
			if got := send(t, srv, "GET", "/v3/sales/offers", "", header); got.status != http.StatusOK {
				t.Errorf("answer is %d %s, want 200", got.status, got.body)
			}
			clock.Advance(1)
			send(t, srv, "GET", "/v3/sales/offers", "", header).wantFailure(t, http.StatusUnauthorized, "AUTH02")
		})
	}
}

func TestEarlierTokenStaysGood(t *testing.T) {
	srv := newServer(t)
	first, second := bearer(t, srv), bearer(t, srv)
	if first == second {
		t.Error("the same token came twice")
	}
	for _, token := range []string{first, second} {
		if got := send(t, srv, "GET", "/v3/sales/offers", "", token); got.status != http.StatusOK {
			t.Errorf("answer is %d %s, want 200", got.status, got.body)
		}
	}
}

func TestImportAPIRefuses(t *testing.T) {
	srv := newServer(t)
	for _, c := range importCalls(t, srv, bearer(t, srv)) {
		route := strings.NewReplacer("{", "", "}", "").Replace(c.route)
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			send(t, srv, method, path, "").wantFailure(t, 401, "AUTH01")
			send(t, srv, method, path, "", credentials(srv)).wantFailure(t, 401, "AUTH04")
			send(t, srv, method, path, "", "Authorization: Bearer other").wantFailure(t, 401, "AUTH02")
		})
	}
}

func TestOAuth2GrantIsRefused(t *testing.T) {
	srv := newServer(t)
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.Credentials.Hash.Reveal()}, "client_secret": {srv.Credentials.Key.Reveal()}}
	}
	for name, test := range map[string]struct {
		name, value string
		status      int
		want        string
	}{
		"no grant type":      {"grant_type", "", 400, `{"error":"invalid_request"}`},
		"another grant type": {"grant_type", "password", 400, `{"error":"unsupported_grant_type"}`},
		"another id":         {"client_id", "other", 401, `{"error":"invalid_client"}`},
		"another secret":     {"client_secret", "other", 401, `{"error":"invalid_client"}`},
		"no secret":          {"client_secret", "", 401, `{"error":"invalid_client"}`},
	} {
		t.Run(name, func(t *testing.T) {
			form := good()
			form.Set(test.name, test.value)
			got := send(t, srv, "POST", "/oauth/token", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
			if got.status != test.status || got.body != test.want {
				t.Errorf("answer is %d %s, want %d %s", got.status, got.body, test.status, test.want)
			}
		})
	}
	if issued := srv.Simulator.Stats().TokensIssued; issued != 0 {
		t.Errorf("%d tokens were issued, want none", issued)
	}
}

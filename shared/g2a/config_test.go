package g2a_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func lookup(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, found := variables[name]
		return value, found
	}
}

func TestParseConfig(t *testing.T) {
	const sandbox, live = "https://sandboxapi.g2a.com", "https://api.g2a.com"
	base := g2a.Config{
		Env: g2a.Sandbox, ExportAPI: g2a.ExportV1,
		ExportURL: sandbox + "/v1", ExportV2URL: sandbox + "/export/v1", ImportURL: sandbox, TokenURL: sandbox + "/v1/token",
		AuthScheme: g2a.AuthHeader, TokenFlow: g2a.TokenByHash, Timeout: 8 * time.Second, RetryMax: 2,
	}
	with := func(change func(*g2a.Config)) g2a.Config {
		cfg := base
		change(&cfg)
		return cfg
	}
	at := func(origin string) g2a.Config {
		return with(func(c *g2a.Config) {
			c.ExportURL, c.ExportV2URL, c.ImportURL, c.TokenURL = origin+"/v1", origin+"/export/v1", origin, origin+"/v1/token"
		})
	}
	liveAt := func(origin string) g2a.Config {
		return with(func(c *g2a.Config) {
			c.Env, c.TokenFlow = g2a.Live, g2a.TokenByClientCredentials
			c.ExportURL, c.ExportV2URL, c.ImportURL, c.TokenURL = origin+"/v1", origin+"/export/v1", origin, origin+"/oauth/token"
		})
	}
	tests := []struct {
		name      string
		variables map[string]string
		want      g2a.Config
	}{
		{"nothing set", nil, base},
		{"all empty", map[string]string{"G2A_ENV": "", "G2A_API_URL": "", "G2A_ALLOWED_HOSTS": "", "G2A_AUTH_SCHEME": "",
			"G2A_TOKEN_FLOW": "", "G2A_TIMEOUT_MS": "", "G2A_RETRY_MAX": ""}, base},
		{"live", map[string]string{"G2A_ENV": "live"}, liveAt(live)},
		{"sandbox by name", map[string]string{"G2A_ENV": "sandbox", "G2A_API_URL": sandbox}, base},
		{"URL with a slash", map[string]string{"G2A_API_URL": sandbox + "/"}, base},
		{"URL with the Export path", map[string]string{"G2A_API_URL": sandbox + "/v1"}, base},
		{"URL with the Export path and a slash", map[string]string{"G2A_API_URL": sandbox + "/v1/"}, base},
		{"URL with the Import path", map[string]string{"G2A_API_URL": sandbox + "/integration-api/v1"}, base},
		{"URL with the Import path and a slash", map[string]string{"G2A_API_URL": sandbox + "/integration-api/v1/"}, base},
		{"live URL with the Export path", map[string]string{"G2A_ENV": "live", "G2A_API_URL": live + "/v1"}, liveAt(live)},
		{"live URL with the Import path", map[string]string{"G2A_ENV": "live", "G2A_API_URL": live + "/integration-api/v1/"}, liveAt(live)},
		{"live at the web host", map[string]string{"G2A_ENV": "live", "G2A_API_URL": "https://www.g2a.com"}, liveAt("https://www.g2a.com")},
		{"URL in capitals", map[string]string{"G2A_API_URL": "HTTPS://SandboxAPI.G2A.com/v1"}, base},
		{"URL with a dot after the host", map[string]string{"G2A_API_URL": sandbox + "./v1"}, base},
		{"live URL with a dot after the host", map[string]string{"G2A_ENV": "live", "G2A_API_URL": "https://API.g2a.com.:443"}, liveAt(live)},
		{"URL with port 443", map[string]string{"G2A_API_URL": sandbox + ":443/v1"}, base},
		{"further host with a port", map[string]string{"G2A_API_URL": "https://127.0.0.1:8443", "G2A_ALLOWED_HOSTS": "127.0.0.1:8443"}, at("https://127.0.0.1:8443")},
		{"further host in a list", map[string]string{"G2A_API_URL": "https://g2a.local:8443/v1", "G2A_ALLOWED_HOSTS": "a.b, G2A.local:8443 ,c:1"}, at("https://g2a.local:8443")},
		{"further host without a port", map[string]string{"G2A_API_URL": "https://g2a.local", "G2A_ALLOWED_HOSTS": "g2a.local"}, at("https://g2a.local")},
		{"further host with port 443", map[string]string{"G2A_API_URL": "https://g2a.local:443", "G2A_ALLOWED_HOSTS": "g2a.local:443"}, at("https://g2a.local")},
		{"further host with a dot at the end", map[string]string{"G2A_API_URL": "https://g2a.local", "G2A_ALLOWED_HOSTS": "G2A.local."}, at("https://g2a.local")},
		{"URL with a dot after a further host", map[string]string{"G2A_API_URL": "https://G2A.local.:8443", "G2A_ALLOWED_HOSTS": "g2a.local:8443"}, at("https://g2a.local:8443")},
		{"further host with a port in other digits", map[string]string{"G2A_API_URL": "https://g2a.local:08443", "G2A_ALLOWED_HOSTS": "g2a.local:8443"}, at("https://g2a.local:8443")},
		{"further host, IPv6 in other digits", map[string]string{"G2A_API_URL": "https://[::0001]:8443", "G2A_ALLOWED_HOSTS": "[0:0::1]:8443"}, at("https://[::1]:8443")},
		{"further host, IPv6", map[string]string{"G2A_API_URL": "https://[::1]:8443", "G2A_ALLOWED_HOSTS": "[::1]:8443"}, at("https://[::1]:8443")},
		{"another port of the sandbox", map[string]string{"G2A_API_URL": sandbox + ":8443", "G2A_ALLOWED_HOSTS": "sandboxapi.g2a.com:8443"}, at(sandbox + ":8443")},
		{"further hosts that are not used", map[string]string{"G2A_ALLOWED_HOSTS": "127.0.0.1:8443"}, base},
		{"signed", map[string]string{"G2A_AUTH_SCHEME": "signed"}, with(func(c *g2a.Config) { c.AuthScheme = g2a.AuthSigned })},
		{"client credentials", map[string]string{"G2A_TOKEN_FLOW": "client_credentials"}, with(func(c *g2a.Config) {
			c.TokenFlow, c.TokenURL = g2a.TokenByClientCredentials, sandbox+"/oauth/token"
		})},
		{"hash in live", map[string]string{"G2A_ENV": "live", "G2A_TOKEN_FLOW": "hash"}, func() g2a.Config {
			c := liveAt(live)
			c.TokenFlow, c.TokenURL = g2a.TokenByHash, live+"/integration-api/v1/token"
			return c
		}()},
		{"Export API v2", map[string]string{"G2A_EXPORT_API": "v2"}, with(func(c *g2a.Config) { c.ExportAPI = g2a.ExportV2 })},
		{"URL with the path of the Export API v2", map[string]string{"G2A_API_URL": sandbox + "/export/v1"}, base},
		{"URL with the path of the Import API v3", map[string]string{"G2A_API_URL": sandbox + "/v3/"}, base},
		{"lowest rating", map[string]string{"G2A_MIN_RATING": "0.85"}, with(func(c *g2a.Config) { c.MinRating = 0.85 })},
		{"highest rating", map[string]string{"G2A_MIN_RATING": "1.0"}, with(func(c *g2a.Config) { c.MinRating = 1 })},
		{"shortest time-out", map[string]string{"G2A_TIMEOUT_MS": "5000"}, with(func(c *g2a.Config) { c.Timeout = 5 * time.Second })},
		{"longest time-out", map[string]string{"G2A_TIMEOUT_MS": "10000"}, with(func(c *g2a.Config) { c.Timeout = 10 * time.Second })},
		{"no retries", map[string]string{"G2A_RETRY_MAX": "0"}, with(func(c *g2a.Config) { c.RetryMax = 0 })},
		{"most retries", map[string]string{"G2A_RETRY_MAX": "3"}, with(func(c *g2a.Config) { c.RetryMax = 3 })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := g2a.ParseConfig(lookup(test.variables))
			if err != nil || got != test.want {
				t.Errorf("got  %+v, error %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func TestParseConfigMistakes(t *testing.T) {
	const secret = "hunter2"
	tests := []struct {
		name      string
		variables map[string]string
		want      []string // the start of each line
	}{
		{"not https", map[string]string{"G2A_API_URL": "http://sandboxapi.g2a.com/v1"}, []string{"G2A_API_URL: must start with https://"}},
		{"no scheme", map[string]string{"G2A_API_URL": "sandboxapi.g2a.com/v1"}, []string{"G2A_API_URL: must start with https://"}},
		{"not a URL", map[string]string{"G2A_API_URL": "https://user:" + secret + "@%zz"}, []string{"G2A_API_URL: is not a URL"}},
		{"no host", map[string]string{"G2A_API_URL": "https:///v1"}, []string{"G2A_API_URL: has no host"}},
		{"no host but a port", map[string]string{"G2A_API_URL": "https://:443/v1"}, []string{"G2A_API_URL: has no host"}},
		{"opaque", map[string]string{"G2A_API_URL": "https:sandboxapi.g2a.com"}, []string{"G2A_API_URL: has no host"}},
		{"user", map[string]string{"G2A_API_URL": "https://" + secret + "@sandboxapi.g2a.com"}, []string{"G2A_API_URL: must not hold a user"}},
		{"user and password", map[string]string{"G2A_API_URL": "https://user:" + secret + "@sandboxapi.g2a.com"}, []string{"G2A_API_URL: must not hold a user"}},
		{"another host as the user", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com@evil.example"}, []string{"G2A_API_URL: must not hold a user"}},
		{"query", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v1?key=" + secret}, []string{"G2A_API_URL: must not have a query"}},
		{"empty query", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v1?"}, []string{"G2A_API_URL: must not have a query"}},
		{"fragment", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v1#" + secret}, []string{"G2A_API_URL: must not have a fragment"}},
		{"empty fragment", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v1#"}, []string{"G2A_API_URL: must not have a fragment"}},
		{"another port", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com:8443"}, []string{`G2A_API_URL: host "sandboxapi.g2a.com:8443" is not one`}},
		{"another port in live", map[string]string{"G2A_ENV": "live", "G2A_API_URL": "https://api.g2a.com:8443"}, []string{`G2A_API_URL: host "api.g2a.com:8443" is not one`}},
		{"another path", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v2/" + secret}, []string{"G2A_API_URL: must have no path other"}},
		{"a path beyond the API's", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com/v1/products"}, []string{"G2A_API_URL: must have no path other"}},
		{"two slashes", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com//"}, []string{"G2A_API_URL: must have no path other"}},
		{"another host", map[string]string{"G2A_API_URL": "https://evil.example"}, []string{`G2A_API_URL: host "evil.example" is not one`}},
		{"a host that ends like G2A's", map[string]string{"G2A_API_URL": "https://evilsandboxapi.g2a.com"}, []string{"G2A_API_URL: host"}},
		{"a host that begins like G2A's", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com.evil.example"}, []string{"G2A_API_URL: host"}},
		{"further host with another port", map[string]string{"G2A_API_URL": "https://127.0.0.1:8444", "G2A_ALLOWED_HOSTS": "127.0.0.1:8443"}, []string{"G2A_API_URL: host"}},
		{"further host without its port", map[string]string{"G2A_API_URL": "https://127.0.0.1:8443", "G2A_ALLOWED_HOSTS": "127.0.0.1"}, []string{"G2A_API_URL: host"}},
		{"sandbox host in live", map[string]string{"G2A_ENV": "live", "G2A_API_URL": "https://sandboxapi.g2a.com"}, []string{`G2A_API_URL: host "sandboxapi.g2a.com" does not belong to G2A_ENV=live`}},
		{"live host in sandbox", map[string]string{"G2A_API_URL": "https://api.g2a.com"}, []string{`G2A_API_URL: host "api.g2a.com" does not belong to G2A_ENV=sandbox`}},
		{"live web host in sandbox", map[string]string{"G2A_API_URL": "https://www.g2a.com"}, []string{`G2A_API_URL: host "www.g2a.com" does not belong`}},
		{"live host with a port in sandbox", map[string]string{"G2A_API_URL": "https://api.g2a.com:8443"}, []string{`G2A_API_URL: host "api.g2a.com:8443" does not belong`}},
		{"further host that is live's", map[string]string{"G2A_ALLOWED_HOSTS": "127.0.0.1:8443,api.g2a.com"}, []string{"G2A_ALLOWED_HOSTS: entry 2 is a host of G2A_ENV=live"}},
		{"several dots after the host", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com.."}, []string{"G2A_API_URL: has no valid host"}},
		{"a dot and nothing else", map[string]string{"G2A_API_URL": "https://."}, []string{"G2A_API_URL: has no valid host"}},
		{"a host in full-width letters", map[string]string{"G2A_API_URL": "https://ｓandboxapi.g2a.com"}, []string{"G2A_API_URL: has a host that is not ASCII"}},
		{"a port out of range", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com:65979"}, []string{"G2A_API_URL: has no valid port"}}, // 443, had it wrapped
		{"port 0", map[string]string{"G2A_API_URL": "https://sandboxapi.g2a.com:0"}, []string{"G2A_API_URL: has no valid port"}},
		{"IPv6 with a zone", map[string]string{"G2A_API_URL": "https://[fe80::1%25eth0]", "G2A_ALLOWED_HOSTS": "[fe80::1%25eth0]"}, []string{"G2A_ALLOWED_HOSTS: entry 1", "G2A_API_URL: has no valid host"}},
		{"further hosts in live", map[string]string{"G2A_ENV": "live", "G2A_ALLOWED_HOSTS": "127.0.0.1:8443"}, []string{"G2A_ALLOWED_HOSTS: is only for G2A_ENV=sandbox"}},
		{"further host in live", map[string]string{"G2A_ENV": "live", "G2A_ALLOWED_HOSTS": "127.0.0.1:8443", "G2A_API_URL": "https://127.0.0.1:8443"},
			[]string{"G2A_ALLOWED_HOSTS: is only for G2A_ENV=sandbox", "G2A_API_URL: host"}},
		{"further host with a path", map[string]string{"G2A_ALLOWED_HOSTS": "127.0.0.1/v1"}, []string{"G2A_ALLOWED_HOSTS: entry 1"}},
		{"further host with a password", map[string]string{"G2A_ALLOWED_HOSTS": "a,user:" + secret + "@host"}, []string{"G2A_ALLOWED_HOSTS: entry 2"}},
		{"further host as a URL", map[string]string{"G2A_ALLOWED_HOSTS": "https://127.0.0.1:8443"}, []string{"G2A_ALLOWED_HOSTS: entry 1"}},
		{"empty further host", map[string]string{"G2A_ALLOWED_HOSTS": "a,,b"}, []string{"G2A_ALLOWED_HOSTS: entry 2"}},
		{"port without a further host", map[string]string{"G2A_ALLOWED_HOSTS": ":8443"}, []string{"G2A_ALLOWED_HOSTS: entry 1"}},
		{"unknown environment", map[string]string{"G2A_ENV": "prod"}, []string{`G2A_ENV: "prod" is not sandbox or live`}},
		{"environment in capitals", map[string]string{"G2A_ENV": "LIVE", "G2A_API_URL": "https://api.g2a.com"}, []string{`G2A_ENV: "LIVE" is not`}},
		{"unknown scheme", map[string]string{"G2A_AUTH_SCHEME": "basic"}, []string{`G2A_AUTH_SCHEME: "basic" is not header or signed`}},
		{"unknown Export API", map[string]string{"G2A_EXPORT_API": "v3"}, []string{`G2A_EXPORT_API: "v3" is not v1 or v2`}},
		{"rating in percent", map[string]string{"G2A_MIN_RATING": "95"}, []string{`G2A_MIN_RATING: "95" is not a number from 0.0 to 1.0 of at most 2 places`}},
		{"rating above 1", map[string]string{"G2A_MIN_RATING": "1.01"}, []string{"G2A_MIN_RATING: "}},
		{"unknown flow", map[string]string{"G2A_TOKEN_FLOW": "password"}, []string{`G2A_TOKEN_FLOW: "password" is not hash or client_credentials`}},
		{"time-out too short", map[string]string{"G2A_TIMEOUT_MS": "4999"}, []string{`G2A_TIMEOUT_MS: "4999" is not a whole number from 5000 to 10000`}},
		{"time-out too long", map[string]string{"G2A_TIMEOUT_MS": "10001"}, []string{"G2A_TIMEOUT_MS"}},
		{"time-out not a number", map[string]string{"G2A_TIMEOUT_MS": "8s"}, []string{"G2A_TIMEOUT_MS"}},
		{"time-out with a fraction", map[string]string{"G2A_TIMEOUT_MS": "8000.5"}, []string{"G2A_TIMEOUT_MS"}},
		{"time-out out of range", map[string]string{"G2A_TIMEOUT_MS": "99999999999999999999"}, []string{"G2A_TIMEOUT_MS"}},
		{"too many retries", map[string]string{"G2A_RETRY_MAX": "4"}, []string{`G2A_RETRY_MAX: "4" is not a whole number from 0 to 3`}},
		{"negative retries", map[string]string{"G2A_RETRY_MAX": "-1"}, []string{"G2A_RETRY_MAX"}},
		{"all at once", map[string]string{"G2A_ENV": "x", "G2A_AUTH_SCHEME": "x", "G2A_TOKEN_FLOW": "x", "G2A_TIMEOUT_MS": "x", "G2A_RETRY_MAX": "x",
			"G2A_ALLOWED_HOSTS": "/", "G2A_API_URL": "http://x"},
			[]string{"G2A_ENV: ", "G2A_AUTH_SCHEME: ", "G2A_TOKEN_FLOW: ", "G2A_TIMEOUT_MS: ", "G2A_RETRY_MAX: ", "G2A_ALLOWED_HOSTS: ", "G2A_API_URL: "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := g2a.ParseConfig(lookup(test.variables))
			if err == nil {
				t.Fatalf("accepted as %+v", cfg)
			}
			if cfg != (g2a.Config{}) {
				t.Errorf("a configuration beside the error: %+v", cfg)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.want) {
				t.Fatalf("mistakes are %q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("mistake is %q, want %q", lines[i], want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// liveSpellings are spellings of live's hosts, of which net/http would reach live by some.
var liveSpellings = []string{
	"api.g2a.com", "api.g2a.com.", "api.g2a.com..", "api.g2a.com...", "API.g2a.COM", "Api.G2a.Com.",
	"api.g2a.com:443", "api.g2a.com.:443", "api.g2a.com:0443", "api.g2a.com:", "API.G2A.COM.:443", "api.g2a.com:8443", "api.g2a.com..:443",
	"www.g2a.com", "www.g2a.com.", "WWW.G2A.com:443",
	"ａｐｉ.g2a.com", "ａｐｉ．ｇ２ａ．ｃｏｍ", "api。g2a。com", "api｡g2a｡com", "ⓐⓟⓘ.g2a.com", "api.g2a.com。", "a\u00adpi.g2a.com", "api.g2a.ⅽom", "\u200bapi.g2a.com",
	"%EF%BD%81pi.g2a.com", "api%E3%80%82g2a.com", "%61pi.g2a.com", "api.g2a.com%2e",
}

// TestSandboxNeverReachesLive: however live's host is spelt, alone or as a further host.
func TestSandboxNeverReachesLive(t *testing.T) {
	for _, spelt := range liveSpellings {
		for _, test := range []struct {
			name      string
			variables map[string]string
			faults    []string
		}{
			{"the URL", map[string]string{"G2A_API_URL": "https://" + spelt}, []string{"G2A_API_URL"}},
			{"the URL, with a path", map[string]string{"G2A_API_URL": "https://" + spelt + "/v1/"}, []string{"G2A_API_URL"}},
			{"a further host", map[string]string{"G2A_ALLOWED_HOSTS": spelt}, []string{"G2A_ALLOWED_HOSTS"}},
			{"both", map[string]string{"G2A_API_URL": "https://" + spelt, "G2A_ALLOWED_HOSTS": spelt}, []string{"G2A_ALLOWED_HOSTS", "G2A_API_URL"}},
			{"the URL, as it is allowed in other letters", map[string]string{"G2A_API_URL": "https://" + spelt, "G2A_ALLOWED_HOSTS": "api.g2a.com"}, []string{"G2A_ALLOWED_HOSTS", "G2A_API_URL"}},
			{"the further host, for the plain URL", map[string]string{"G2A_API_URL": "https://api.g2a.com", "G2A_ALLOWED_HOSTS": spelt}, []string{"G2A_ALLOWED_HOSTS", "G2A_API_URL"}},
		} {
			t.Run(spelt+" as "+test.name, func(t *testing.T) {
				cfg, err := g2a.ParseConfig(lookup(test.variables))
				if err == nil {
					t.Fatalf("accepted as %+v, which connects to %s", cfg, dialled(t, cfg))
				}
				var faults []string
				for line := range strings.Lines(err.Error()) {
					name, _, _ := strings.Cut(line, ":")
					faults = append(faults, name)
				}
				if !slices.Equal(faults, test.faults) {
					t.Errorf("mistakes in %v, want %v: %v", faults, test.faults, err)
				}
			})
		}
	}
}

// dialled returns the address that net/http connects to.
func dialled(t *testing.T, cfg g2a.Config) (address string) {
	t.Helper()
	transport := &http.Transport{DialTLSContext: func(_ context.Context, _, to string) (net.Conn, error) {
		address = to
		return nil, errors.New("the test connects to nothing")
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, cfg.ExportURL+"/products", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := transport.RoundTrip(request); err == nil {
		_ = response.Body.Close()
		t.Fatal("an answer of nothing")
	}
	return address
}

func TestParseCredentials(t *testing.T) {
	const key, hash, other = "key-hunter2", "hash-hunter2", "other-hunter2"
	tests := []struct {
		name       string
		variables  map[string]string
		deprecated bool
		want       []string // mistakes
	}{
		{"hash and key", map[string]string{"G2A_API_HASH": hash, "G2A_API_KEY": key}, false, nil},
		{"deprecated name", map[string]string{"G2A_API_SECRET": hash, "G2A_API_KEY": key}, true, nil},
		{"both names, same value", map[string]string{"G2A_API_SECRET": hash, "G2A_API_HASH": hash, "G2A_API_KEY": key}, true, nil},
		{"both names, other values", map[string]string{"G2A_API_SECRET": other, "G2A_API_HASH": hash, "G2A_API_KEY": key}, false,
			[]string{"G2A_API_SECRET: is the deprecated name of G2A_API_HASH and differs from it"}},
		{"nothing", nil, false, []string{"G2A_API_HASH: is missing", "G2A_API_KEY: is missing"}},
		{"no key", map[string]string{"G2A_API_HASH": hash}, false, []string{"G2A_API_KEY: is missing"}},
		{"no hash", map[string]string{"G2A_API_HASH": "", "G2A_API_KEY": key}, false, []string{"G2A_API_HASH: is missing"}},
		{"a comma", map[string]string{"G2A_API_HASH": hash + ",x", "G2A_API_KEY": key}, false, []string{"G2A_API_HASH: holds a character"}},
		{"a space", map[string]string{"G2A_API_HASH": hash, "G2A_API_KEY": key + " "}, false, []string{"G2A_API_KEY: holds a character"}},
		{"a line break", map[string]string{"G2A_API_HASH": hash, "G2A_API_KEY": key + "\n"}, false, []string{"G2A_API_KEY: holds a character"}},
		{"not ASCII", map[string]string{"G2A_API_HASH": hash + "é", "G2A_API_KEY": key}, false, []string{"G2A_API_HASH: holds a character"}},
		{"deprecated name, malformed", map[string]string{"G2A_API_SECRET": hash + " x", "G2A_API_KEY": key}, false, []string{"G2A_API_SECRET: holds a character"}},
		{"all at once", map[string]string{"G2A_API_SECRET": other, "G2A_API_HASH": hash + "\t", "G2A_API_KEY": ""}, false,
			[]string{"G2A_API_SECRET: is the deprecated", "G2A_API_HASH: holds a character", "G2A_API_KEY: is missing"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, deprecated, err := g2a.ParseCredentials(lookup(test.variables))
			if deprecated != test.deprecated {
				t.Errorf("deprecated is %v", deprecated)
			}
			if test.want == nil {
				if err != nil || c.Hash.Reveal() != hash || c.Key.Reveal() != key {
					t.Errorf("error %v, or other credentials", err)
				}
				return
			}
			if err == nil || !c.Hash.IsZero() || !c.Key.IsZero() {
				t.Fatalf("credentials, or no error: %v", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.want) {
				t.Fatalf("mistakes are %q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("mistake is %q, want %q", lines[i], want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func FuzzParseConfigURL(f *testing.F) {
	for _, seed := range append([]string{
		"https://sandboxapi.g2a.com/v1/", "https://127.0.0.1:8443", "https://api.g2a.com", "http://x", "https://a@sandboxapi.g2a.com",
		"https://sandboxapi.g2a.com:443?", "//sandboxapi.g2a.com", "https://[::1]:8443/v1", "https://sandboxapi.g2a.com\\@evil.example", "%", "",
	}, liveSpellings...) {
		f.Add(seed, seed)
		f.Add("https://"+seed, seed)
	}
	f.Fuzz(func(t *testing.T, raw, allowed string) {
		parse := func(raw string) (g2a.Config, error) {
			return g2a.ParseConfig(lookup(map[string]string{"G2A_API_URL": raw, "G2A_ALLOWED_HOSTS": allowed}))
		}
		cfg, err := parse(raw)
		if err == nil {
			u, urlErr := url.Parse(cfg.ExportURL)
			if urlErr != nil || u.Scheme != "https" || u.Path != "/v1" || u.User != nil {
				t.Errorf("%q becomes %q", raw, cfg.ExportURL)
			}
			host, _, splitErr := net.SplitHostPort(dialled(t, cfg))
			if name := strings.ToLower(strings.TrimRight(host, ".")); splitErr != nil || name == "api.g2a.com" || name == "www.g2a.com" {
				t.Errorf("%q, with %q allowed, connects to %q", raw, allowed, host)
			}
		}
		const password = "hunter2-hunter2"
		if _, err := parse("https://user:" + password + "@" + raw); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("a URL with a password is accepted, or repeated: %v", err)
		}
	})
}

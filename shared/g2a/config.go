package g2a

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Env is one of G2A's two environments.
type Env string

const (
	// Sandbox is G2A's test environment and the default.
	Sandbox Env = "sandbox"
	// Live charges real money.
	Live Env = "live"
)

// ExportAPI is one of G2A's two purchasing APIs.
type ExportAPI string

const (
	// ExportV1 is the legacy API: an order is created, then paid, and has one key that can
	// be read once. It is authenticated by the API hash and key, and the default.
	ExportV1 ExportAPI = "v1"
	// ExportV2 is the API that G2A documents today: creating an order charges the account,
	// an Idempotency-Key names the order, which has one key or several. It is authenticated
	// by an access token.
	ExportV2 ExportAPI = "v2"
)

// TokenFlow is how an access token is obtained.
type TokenFlow string

const (
	// TokenByHash asks GET /token with the API hash and key, as the integration plan has
	// it. Live was observed to answer 404.
	TokenByHash TokenFlow = "hash"
	// TokenByClientCredentials is the standard OAuth2 grant, at POST /oauth/token: what
	// every public client of G2A does.
	TokenByClientCredentials TokenFlow = "client_credentials"
)

// Config says which G2A is called, and how. ParseConfig makes a valid one.
type Config struct {
	Env       Env
	ExportAPI ExportAPI // the one that purchases use; a Client speaks both

	ExportURL   string // base of the Export API v1, without a trailing slash
	ExportV2URL string // base of the Export API v2, without a trailing slash
	ImportURL   string // base of the Import API, without its version and a trailing slash
	TokenURL    string // the whole URL of the token endpoint of TokenFlow

	AuthScheme AuthScheme
	TokenFlow  TokenFlow
	// MinRating is the lowest rating of a seller whose offer an order of the Export API v1
	// may take, from 0.0 to 1.0; 0 is any.
	MinRating float64
	Timeout   time.Duration // of one attempt
	RetryMax  int           // attempts after the first
}

const (
	defaultTimeoutMS = 8000
	minTimeoutMS     = 5000
	maxTimeoutMS     = 10000
	defaultRetryMax  = 2
	maxRetryMax      = 3

	exportPath      = "/v1"
	exportV2Path    = "/export/v1" // the product is called v2, the path says v1
	liveLegacyPath  = "/integration-api/v1"
	clientGrantPath = "/oauth/token"
)

// apiPaths are the paths that G2A_API_URL may have: those of its APIs.
var apiPaths = []string{exportPath, exportV2Path, liveLegacyPath, "/v3", "/v4"}

// ParseConfig reads the configuration from the G2A_* variables that lookup returns
// (os.LookupEnv, say). Every mistake is reported with the name of its variable. An empty
// variable is an absent one.
//
//	G2A_ENV            sandbox (default) or live
//	G2A_API_URL        G2A's origin, bare or with the path of one of its APIs; default by G2A_ENV
//	G2A_ALLOWED_HOSTS  further hosts, comma-separated, with a port where it is not 443; sandbox only
//	G2A_EXPORT_API     v1 (default) or v2: the API that purchases use
//	G2A_AUTH_SCHEME    header (default) or signed, for the Export API v1
//	G2A_TOKEN_FLOW     hash or client_credentials; by default hash in sandbox, client_credentials in live
//	G2A_MIN_RATING     0.0 (default, any seller) to 1.0, for orders of the Export API v1
//	G2A_TIMEOUT_MS     5000 to 10000, default 8000
//	G2A_RETRY_MAX      0 to 3, default 2
func ParseConfig(lookup func(name string) (string, bool)) (Config, error) {
	p := parser{lookup: lookup}
	env := Env(p.oneOf("G2A_ENV", string(Sandbox), string(Live)))
	flows := []string{string(TokenByHash), string(TokenByClientCredentials)}
	if env == Live {
		slices.Reverse(flows)
	}
	cfg := Config{
		Env:        env,
		ExportAPI:  ExportAPI(p.oneOf("G2A_EXPORT_API", string(ExportV1), string(ExportV2))),
		AuthScheme: AuthScheme(p.oneOf("G2A_AUTH_SCHEME", string(AuthHeader), string(AuthSigned))),
		TokenFlow:  TokenFlow(p.oneOf("G2A_TOKEN_FLOW", flows...)),
		MinRating:  p.rating("G2A_MIN_RATING"),
		Timeout:    time.Duration(p.integer("G2A_TIMEOUT_MS", defaultTimeoutMS, minTimeoutMS, maxTimeoutMS)) * time.Millisecond,
		RetryMax:   p.integer("G2A_RETRY_MAX", defaultRetryMax, 0, maxRetryMax),
	}
	p.endpoints(&cfg)
	if err := errors.Join(p.mistakes...); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// parser collects mistakes, so that all are reported at once.
type parser struct {
	lookup   func(string) (string, bool)
	mistakes []error
}

func (p *parser) mistake(name, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Errorf("%s: "+format, append([]any{name}, args...)...))
}

func (p *parser) value(name string) string {
	value, _ := p.lookup(name)
	return value
}

// oneOf returns the variable's value, which must be one of choices; the first is
// the default.
func (p *parser) oneOf(name string, choices ...string) string {
	value := p.value(name)
	if value == "" {
		return choices[0]
	}
	if !slices.Contains(choices, value) {
		p.mistake(name, "%.40q is not %s", value, strings.Join(choices, " or "))
		return ""
	}
	return value
}

func (p *parser) integer(name string, fallback, lowest, highest int) int {
	value := p.value(name)
	if value == "" {
		return fallback
	}
	number, err := strconv.Atoi(value)
	if err != nil || number < lowest || number > highest {
		p.mistake(name, "%.40q is not a whole number from %d to %d", value, lowest, highest)
	}
	return number
}

// ratingPattern is a rating of at most 2 places.
var ratingPattern = regexp.MustCompile(`^(0(\.[0-9]{1,2})?|1(\.0{1,2})?)$`)

// rating reads a share from 0.0 to 1.0; an empty one is 0.
func (p *parser) rating(name string) float64 {
	value := p.value(name)
	if value == "" {
		return 0
	}
	if !ratingPattern.MatchString(value) {
		p.mistake(name, "%.40q is not a number from 0.0 to 1.0 of at most 2 places", value)
		return 0
	}
	rating, _ := strconv.ParseFloat(value, 64) // its form was checked
	return rating
}

// endpoints normalises G2A_API_URL to the base of each API. While the environment
// is not known, what depends on it is not a second mistake.
func (p *parser) endpoints(cfg *Config) {
	further := p.furtherHosts(cfg.Env)
	raw := p.value("G2A_API_URL")
	if raw == "" {
		raw = "https://" + sandboxHost
		if cfg.Env == Live {
			raw = "https://" + liveHost
		}
	}
	target, err := apiHost(raw)
	if err != nil {
		p.mistake("G2A_API_URL", "%w", err)
		return
	}
	belongs, isG2A := hostEnv[target.name]
	switch {
	case cfg.Env == "":
		return
	case isG2A && belongs != cfg.Env:
		// Not even the list of further hosts may take a sandbox to live.
		p.mistake("G2A_API_URL", "host %.100q does not belong to G2A_ENV=%s", target, cfg.Env)
		return
	case (!isG2A || target.port != "") && !slices.Contains(further, target):
		p.mistake("G2A_API_URL", "host %.100q is not one of G2A's (%s, %s, %s) and not in G2A_ALLOWED_HOSTS", target, sandboxHost, liveHost, liveWebHost)
		return
	}
	origin := "https://" + target.String()
	cfg.ExportURL, cfg.ExportV2URL, cfg.ImportURL = origin+exportPath, origin+exportV2Path, origin
	switch {
	case cfg.TokenFlow == TokenByClientCredentials:
		cfg.TokenURL = origin + clientGrantPath
	case cfg.Env == Live:
		cfg.TokenURL = origin + liveLegacyPath + "/token"
	default:
		cfg.TokenURL = origin + exportPath + "/token"
	}
}

// furtherHosts reads G2A_ALLOWED_HOSTS, which only the sandbox may have: in live,
// nothing but G2A itself is ever sent the credentials.
func (p *parser) furtherHosts(env Env) []host {
	value := p.value("G2A_ALLOWED_HOSTS")
	if value == "" {
		return nil
	}
	if env == Live {
		p.mistake("G2A_ALLOWED_HOSTS", "is only for G2A_ENV=sandbox")
		return nil
	}
	var hosts []host
	for i, entry := range strings.Split(value, ",") {
		// No mistake repeats the entry: it may be a URL that holds a password.
		entry = strings.TrimSpace(entry)
		u, err := url.Parse("https://" + entry)
		if err != nil || u.Host != entry {
			p.mistake("G2A_ALLOWED_HOSTS", "entry %d is not a host or host:port", i+1)
			continue
		}
		further, err := readHost(u)
		switch {
		case err != nil:
			p.mistake("G2A_ALLOWED_HOSTS", "entry %d %w", i+1, err)
		case hostEnv[further.name] == Live:
			p.mistake("G2A_ALLOWED_HOSTS", "entry %d is a host of G2A_ENV=live", i+1)
		default:
			hosts = append(hosts, further)
		}
	}
	return hosts
}

// apiHost returns the host of a URL that is an https origin, bare or with the path
// of one of the APIs.
func apiHost(raw string) (host, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return host{}, errors.New("is not a URL") // the cause repeats the value, which may hold a password
	}
	path := strings.TrimSuffix(u.Path, "/")
	switch {
	case u.Scheme != "https":
		return host{}, errors.New("must start with https://")
	case u.Hostname() == "":
		return host{}, errors.New("has no host")
	case u.User != nil:
		return host{}, errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery:
		return host{}, errors.New("must not have a query")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return host{}, errors.New("must not have a fragment")
	case path != "" && !slices.Contains(apiPaths, path):
		return host{}, fmt.Errorf("must have no path other than %s", strings.Join(apiPaths, " or "))
	}
	return readHost(u)
}

// ParseCredentials reads credentials from G2A_API_HASH and G2A_API_KEY, as
// ParseConfig reads its variables. G2A_API_SECRET is the deprecated name of
// G2A_API_HASH: it still works, and deprecated reports that it was used.
func ParseCredentials(lookup func(name string) (string, bool)) (c Credentials, deprecated bool, err error) {
	p := parser{lookup: lookup}
	hash, old, key := p.value("G2A_API_HASH"), p.value("G2A_API_SECRET"), p.value("G2A_API_KEY")
	name := "G2A_API_HASH"
	switch {
	case hash == "" && old != "":
		name, hash = "G2A_API_SECRET", old
	case old != "" && hash != old:
		p.mistake("G2A_API_SECRET", "is the deprecated name of G2A_API_HASH and differs from it")
	}
	c = Credentials{Hash: p.credential(name, hash), Key: p.credential("G2A_API_KEY", key)}
	if err := errors.Join(p.mistakes...); err != nil {
		return Credentials{}, false, err
	}
	return c, old != "", nil
}

// credential checks what goes into an HTTP header; the value is never repeated.
func (p *parser) credential(name, value string) Secret {
	if err := checkCredential(value); err != nil {
		p.mistake(name, "%w", err)
	}
	return NewSecret(value)
}

func checkCredential(value string) error {
	if value == "" {
		return errors.New("is missing")
	}
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' || c == ',' {
			return errors.New("holds a character that no credential has (only printable ASCII without space and comma)")
		}
	}
	return nil
}

// Validate reports the first thing that makes the credentials unusable, without
// repeating them.
func (c Credentials) Validate() error {
	if err := checkCredential(c.Hash.Reveal()); err != nil {
		return fmt.Errorf("the API hash %w", err)
	}
	if err := checkCredential(c.Key.Reveal()); err != nil {
		return fmt.Errorf("the API key %w", err)
	}
	return nil
}

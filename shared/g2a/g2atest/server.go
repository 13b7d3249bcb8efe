package g2atest

import (
	"net/http/httptest"
	"strings"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// TB is what a Server needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a Simulator on an HTTPS server of its own, on a free port of this
// machine.
type Server struct {
	*httptest.Server // URL, and Client, which trusts the server's certificate
	Simulator        *Simulator
	Credentials      g2a.Credentials // the account's

	t TB
}

// NewServer starts a simulator for a test, and stops it when the test ends. The
// settings change its options; without any it has credentials of its own and the
// embedded catalogue.
func NewServer(t TB, settings ...func(*Options)) *Server {
	t.Helper()
	options := Options{Credentials: g2a.Credentials{
		Hash: g2a.NewSecret("simulator-hash-0001"),
		Key:  g2a.NewSecret("simulator-key-5f1d7a84c0e2496b"),
	}}
	for _, set := range settings {
		set(&options)
	}
	simulator, err := New(options)
	if err != nil {
		t.Fatalf("starting G2A's simulator: %v", err)
	}
	server := httptest.NewUnstartedServer(simulator)
	server.EnableHTTP2 = true // as G2A's own
	server.StartTLS()
	t.Cleanup(server.Close)
	return &Server{Server: server, Simulator: simulator, Credentials: options.Credentials, t: t}
}

// Config is the configuration of a client of this server, as g2a.ParseConfig makes
// it from G2A_API_URL, G2A_ALLOWED_HOSTS and any further variables, each in the
// form "G2A_TOKEN_FLOW=client_credentials".
func (s *Server) Config(variables ...string) g2a.Config {
	s.t.Helper()
	environment := map[string]string{"G2A_API_URL": s.URL, "G2A_ALLOWED_HOSTS": s.Listener.Addr().String()}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	cfg, err := g2a.ParseConfig(func(name string) (string, bool) { value, found := environment[name]; return value, found })
	if err != nil {
		s.t.Fatalf("the configuration for G2A's simulator: %v", err)
	}
	return cfg
}

package story_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/httpapi"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// prefixed serves the cloud's routes behind a path prefix, and returns its URL.
func prefixed(t *testing.T, c *localcloud.Cloud, prefix string) string {
	t.Helper()
	var routes []httpapi.Route
	for _, f := range c.Stack().Functions {
		for _, r := range f.Routes {
			routes = append(routes, httpapi.Route{Method: r.Method, Path: r.Path, Function: f.LogicalID, Timeout: r.Timeout})
		}
	}
	api := httpapi.New(routes, c.Functions(), template.AccountID)
	api.Prefix = prefix
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL + prefix
}

// TestPathPrefix calls the binaries as a named stage and the mapping of a domain do.
func TestPathPrefix(t *testing.T) {
	c, stack := start(t, nil)
	invokeEvents(t, c, "TokenRefreshFunction", "token-refresh.json") // without a token health is failing
	for _, prefix := range []string{"/prod", "/shop/v1"} {
		t.Run(prefix, func(t *testing.T) {
			stack.Gateway = prefixed(t, c, prefix)
			deliver(t, c, stack, g2a.StatusProcessing, g2a.EventStatusChanged)
			for _, path := range []string{"/health", "/health/live"} {
				if status, answer := do(t, c, http.MethodGet, stack.Gateway+path, nil, ""); status != http.StatusOK {
					t.Errorf("GET %s: %d %s", path, status, answer)
				}
			}
		})
	}
}

// TestUnknownRoute: a request of another function's route is not answered in silence.
func TestUnknownRoute(t *testing.T) {
	c, stack := start(t, nil)
	for function, event := range map[string]string{"WebhookFunction": "health-request.json", "HealthFunction": "webhook-live.json"} {
		payload, err := os.ReadFile(filepath.Join(repository, "events", event))
		if err != nil {
			t.Fatal(err)
		}
		result, err := c.Invoke(t.Context(), function, payload)
		if err != nil || !strings.Contains(string(result.Payload), `"statusCode":404`) {
			t.Errorf("%s answers %s, %v", function, result.Payload, err)
		}
		logged, err := os.ReadFile(filepath.Join(stack.Logs, function+".log"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"level":"WARN"`, `"message":"no route for the request"`, `"route_key":"GET /health`, `"path":"/health`, `"RouteUnknown":1`} {
			if !strings.Contains(string(logged), want) {
				t.Errorf("the log of %s has no %s:\n%s", function, want, logged)
			}
		}
	}
}

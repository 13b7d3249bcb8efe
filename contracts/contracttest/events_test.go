package contracttest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
)

// wrongEvents are those that show a refusal of what is not in the contract, with
// what is wrong about them. All others must be as in the contract.
var wrongEvents = map[string]string{
	"order-invalid.json":              "'/order_ref'",
	"webhook-unsigned.json":           "X-G2A-Signature",
	"webhook-wrong-content-type.json": `Content-Type "text/plain"`,
}

func TestEvents(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			err, want := checkEvent(t, name, event), wrongEvents[name]
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("error is %v, want one with %q", err, want)
			}
		})
	}
	for _, name := range []string{"order-place.json", "order-continue.json", "webhook-stale.json", "health-request.json"} {
		if !seen[name] {
			t.Errorf("%s is missing: the test has lost it", name)
		}
	}
	for name := range wrongEvents {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// checkEvent checks an event by its kind. Those of a schedule are AWS's own, and the
// functions read nothing of them.
func checkEvent(t *testing.T, name string, event []byte) error {
	t.Helper()
	var fields struct {
		Version        string
		Source         string
		RawPath        string
		Headers        map[string]string
		Body           string
		RequestContext struct{ HTTP struct{ Method string } }
	}
	if err := json.Unmarshal(event, &fields); err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(name, "order-"):
		return contracttest.Schema("order-input").Validate(event)
	case fields.Version == "2.0":
		request, err := http.NewRequestWithContext(t.Context(), fields.RequestContext.HTTP.Method, "https://api.example.com"+fields.RawPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range fields.Headers {
			request.Header.Set(name, value)
		}
		return contracttest.Service().CheckRequest(request, []byte(fields.Body))
	case fields.Source != "aws.events":
		t.Errorf("it is neither an order, nor an HTTP request, nor a schedule's event")
	}
	return nil
}

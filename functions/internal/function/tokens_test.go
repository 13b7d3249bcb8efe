package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// TestSharedTokens sees what arrives at the table and at G2A.
func TestSharedTokens(t *testing.T) {
	var targets []string
	table := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			TableName string
			Key, Item struct{ PK struct{ S string } }
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		targets = append(targets, operation+" "+request.TableName+" "+request.Key.PK.S+request.Item.PK.S)
		_, _ = w.Write([]byte(`{}`))
	}))
	defer table.Close()
	srv := g2atest.NewServer(t)
	e, err := function.ReadEnvironment(lookup(with(map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": table.URL})))
	if err != nil {
		t.Fatal(err)
	}
	var log, counted bytes.Buffer
	metrics := telemetry.Metrics{Namespace: "test", Writer: &counted, Clock: time.Now}
	outside := g2a.New(srv.Config(), g2a.Options{Credentials: srv.Credentials, Transport: srv.Client().Transport})
	source := func() *g2a.SharedTokens {
		_, tokens := e.Client(e.DynamoDB(), srv.Credentials, telemetry.Calls{Log: telemetry.NewLogger(&log), Metrics: metrics})
		tokens.Fetch = outside.FetchTokenFor // trusts the server
		return tokens
	}
	first, second := source(), source()
	if first.Owner == "" || first.Owner == second.Owner {
		t.Errorf("the owners are %q and %q, want one each", first.Owner, second.Owner)
	}
	token, err := first.Token(t.Context())
	if err != nil || token.Version != 1 || token.TTL(time.Now()) < 4*time.Minute {
		t.Errorf("version %d with %s left, error %v", token.Version, token.TTL(time.Now()), err)
	}
	pk := "TOKEN#sandbox#" + srv.Credentials.Fingerprint()
	if got, want := strings.Join(targets, "; "), "GetItem StateTable "+pk+"; UpdateItem StateTable "+pk+"; PutItem StateTable "+pk; got != want {
		t.Errorf("requests are %s\nwant %s", got, want)
	}
	if log.Len()+counted.Len() != 0 {
		t.Errorf("logged %s, counted %s", log.String(), counted.String())
	}
	table.Close()
	if _, err := second.Token(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(counted.String(), `"TokenStoreDown":1`) || !strings.Contains(log.String(), `"level":"WARN"`) {
		t.Errorf("without the table: logged %s, counted %s", log.String(), counted.String())
	}
	if strings.Contains(counted.String(), "TokenRefreshFailed") {
		t.Errorf("G2A gave a token, and counted is %s", counted.String())
	}
	third := source()
	third.Fetch = func(context.Context, g2a.Credentials) (g2a.Token, error) { return g2a.Token{}, g2a.ErrUnavailable }
	if _, err := third.Token(t.Context()); err == nil || !strings.Contains(counted.String(), `"TokenRefreshFailed":1`) {
		t.Errorf("without G2A: error %v, counted %s", err, counted.String())
	}
}

package story_test

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/g2a-lambda/g2a-lambda/infra/cmd/local/story"
	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// recorder stands before DynamoDB and notes what is asked of it, as IAM names it, with the
// kind of item: "PutItem StateTable NONCE#*". A transaction is the actions that it is made
// of.
type recorder struct {
	engine http.Handler

	mu    sync.Mutex
	asked map[string]bool
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	var fields struct {
		asked
		TransactItems []map[string]asked
	}
	_ = json.Unmarshal(body, &fields) // what is no JSON, the engine refuses
	r.mu.Lock()
	for _, one := range fields.TransactItems {
		for action, item := range one {
			r.asked[action+"Item "+item.of()] = true
		}
	}
	if fields.TableName != "" {
		r.asked[operation+" "+fields.of()] = true
	}
	r.mu.Unlock()
	r.engine.ServeHTTP(w, request)
}

// asked is what a request to DynamoDB is about.
type asked struct {
	TableName string
	Key, Item struct{ PK struct{ S string } }
}

// of returns the table and the kind of item, as a policy's dynamodb:LeadingKeys has it.
func (a asked) of() string {
	kind, _, more := strings.Cut(a.Key.PK.S+a.Item.PK.S, "#")
	if more {
		kind += "#*"
	}
	return strings.TrimSpace(a.TableName + " " + kind)
}

// taken gives what was asked since it was last called.
func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := slices.Sorted(maps.Keys(r.asked))
	clear(r.asked)
	return asked
}

// TestPermissions: what a function asks of DynamoDB is what the template's policy lets
// it ask, neither less nor more. No engine here looks at policies.
func TestPermissions(t *testing.T) {
	asked := map[string][]string{} // by function, on either purchasing API
	for _, api := range []g2a.ExportAPI{g2a.ExportV1, g2a.ExportV2} {
		engine, err := url.Parse(storetest.Minidyn(t))
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{engine: httputil.NewSingleHostReverseProxy(engine), asked: map[string]bool{}}
		server := httptest.NewServer(r)
		t.Cleanup(server.Close)
		c, stack := start(t, func(o *localcloud.Options) {
			o.DynamoDBEndpoint, o.Parameters = server.URL, map[string]string{"G2AExportApi": string(api)}
		})
		for function, use := range uses(t, c, stack) {
			r.taken()
			use()
			asked[function] = append(asked[function], r.taken()...)
		}
	}
	for function, all := range asked {
		slices.Sort(all)
		if used, allowed := slices.Compact(all), policy(t, function); !slices.Equal(used, allowed) {
			t.Errorf("%s asks for %v; the template allows %v", function, used, allowed)
		}
	}
}

// uses are what each function does, one after the other.
func uses(t *testing.T, c *localcloud.Cloud, stack story.Stack) iter.Seq2[string, func()] {
	t.Helper()
	all := []struct {
		function string
		use      func()
	}{
		{"OrderFunction", func() {
			invokeEvents(t, c, "OrderFunction", "order-place.json", "order-continue.json", "order-out-of-stock.json")
		}},
		{"WebhookFunction", func() {
			deliver(t, c, stack, g2a.StatusProcessing, g2a.EventStatusChanged) // applied
			deliver(t, c, stack, g2a.StatusPending, g2a.EventStatusChanged)    // superseded
			deliver(t, c, stack, g2a.StatusFailed, g2a.EventOrderCompleted)    // parked
		}},
		{"TokenRefreshFunction", func() { invokeEvents(t, c, "TokenRefreshFunction", "token-refresh.json") }},
		{"HealthFunction", func() { invokeEvents(t, c, "HealthFunction", "health-request.json", "health-scheduled.json") }},
	}
	return func(yield func(string, func()) bool) {
		for _, each := range all {
			if !yield(each.function, each.use) {
				return
			}
		}
	}
}

// invokeEvents calls a function with ready events, none of which may fail.
func invokeEvents(t *testing.T, c *localcloud.Cloud, function string, events ...string) {
	t.Helper()
	for _, event := range events {
		payload, err := os.ReadFile(filepath.Join(repository, "events", event))
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := c.Invoke(t.Context(), function, payload); err != nil || answer.FunctionError != "" {
			t.Fatalf("%s with %s: %s, %v", function, event, answer.Payload, err)
		}
	}
}

// deliver sends a webhook that is signed well.
func deliver(t *testing.T, c *localcloud.Cloud, s story.Stack, status g2a.EventStatus, kind g2a.EventType) {
	t.Helper()
	id := strconv.FormatInt(time.Now().UnixNano(), 10)
	body := `{"event_id":"evt_` + id + `","order_id":"42","type":"` + string(kind) + `","payload":{"status":"` + string(status) + `"}}`
	timestamp, nonce := strconv.FormatInt(time.Now().UnixMilli(), 10), "nonce-"+id
	header := map[string]string{
		"Content-Type": "application/json", g2a.HeaderTimestamp: timestamp, g2a.HeaderNonce: nonce,
		g2a.HeaderSignature: g2a.SignWebhook(testHash, []byte(body), timestamp, nonce).Reveal(),
	}
	if code, answer := do(t, c, http.MethodPost, s.Gateway+"/webhooks/g2a", header, body); code != http.StatusOK {
		t.Fatalf("the webhook is answered with %d %s", code, answer)
	}
}

// policy gives what the template allows a function to ask of DynamoDB.
func policy(t *testing.T, function string) (allowed []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Properties struct {
				Policies yaml.Node `yaml:"Policies"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	var policies []struct {
		Statement []struct {
			Action    yaml.Node `yaml:"Action"`
			Resource  string    `yaml:"Resource"`
			Condition struct {
				Keys struct {
					Leading []string `yaml:"dynamodb:LeadingKeys"`
				} `yaml:"ForAllValues:StringLike"`
			} `yaml:"Condition"`
		} `yaml:"Statement"`
	}
	node := template.Resources[function].Properties.Policies
	if err := node.Decode(&policies); err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		for _, statement := range p.Statement {
			for _, action := range append([]*yaml.Node{&statement.Action}, statement.Action.Content...) {
				name, found := strings.CutPrefix(action.Value, "dynamodb:")
				if found && len(statement.Condition.Keys.Leading) == 0 {
					t.Errorf("%s may %s any item of %s", function, name, statement.Resource)
				}
				for _, kind := range statement.Condition.Keys.Leading {
					if found {
						allowed = append(allowed, name+" "+strings.TrimSuffix(statement.Resource, ".Arn")+" "+kind)
					}
				}
			}
		}
	}
	slices.Sort(allowed)
	return allowed
}

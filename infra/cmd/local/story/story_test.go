package story_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/infra/cmd/local/story"
	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const repository = "../../../.."

var testHash = g2a.NewSecret("test-hash-of-the-story")

// start starts a cloud of the functions' real binaries, in a folder of its own.
func start(t *testing.T, set func(*localcloud.Options)) (*localcloud.Cloud, story.Stack) {
	t.Helper()
	root := localcloudtest.Root(t, repository)
	options := localcloud.Options{
		Root:        root,
		Credentials: g2a.Credentials{Hash: testHash, Key: g2a.NewSecret("test-key-of-the-story")},
		Concurrency: 4,
	}
	if set != nil {
		set(&options)
	}
	c, err := localcloud.Start(t.Context(), options)
	if err != nil {
		t.Fatalf("starting the local cloud: %v", err)
	}
	t.Cleanup(c.Close)
	a := c.Addresses()
	return c, story.Stack{
		ExportAPI: g2a.ExportAPI(cmp.Or(options.Parameters["G2AExportApi"], string(g2a.ExportV1))),
		Gateway:   a.HTTP, Lambda: a.Lambda, DynamoDB: a.DynamoDB, SecretsManager: a.Secrets, G2A: a.G2A, Roots: c.Roots(),
		Logs: filepath.Join(root, ".local", "logs"),
	}
}

func TestStory(t *testing.T) {
	embedded := func(testing.TB) string { return "" }
	for name, c := range map[string]struct {
		endpoint func(testing.TB) string
		api      g2a.ExportAPI
	}{
		"embedded DynamoDB, v1": {embedded, g2a.ExportV1},
		"embedded DynamoDB, v2": {embedded, g2a.ExportV2},
		"DynamoDB Local, v1":    {storetest.DynamoDBLocal, g2a.ExportV1},
		"DynamoDB Local, v2":    {storetest.DynamoDBLocal, g2a.ExportV2},
	} {
		t.Run(name, func(t *testing.T) {
			_, stack := start(t, func(o *localcloud.Options) {
				o.DynamoDBEndpoint, o.Parameters = c.endpoint(t), map[string]string{"G2AExportApi": string(c.api)}
			})
			var out bytes.Buffer
			if err := story.Tell(t.Context(), stack, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			if !strings.Contains(out.String(), "All 13 steps are as they should be") {
				t.Errorf("the story does not end well:\n%s", &out)
			}
			for _, secret := range []string{"test-hash-of-the-story", "test-key-of-the-story", "FAKE-"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("the story prints %q", secret)
				}
			}
			wantVersions(t, stack)
		})
	}
}

// wantVersions: every line of every function, a metric's too, has the version that was
// built as its one version.
func wantVersions(t *testing.T, stack story.Stack) {
	t.Helper()
	built, err := exec.Command("git", "-C", repository, "describe", "--always", "--dirty", "--tags").Output()
	version := strings.TrimSpace(string(built))
	if err != nil {
		version = "unknown" // outside git
	}
	files, err := filepath.Glob(filepath.Join(stack.Logs, "*Function.log"))
	if err != nil || len(files) != 4 {
		t.Fatalf("logs: %v, %v", files, err)
	}
	for _, file := range files {
		logged, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(logged)) {
			if strings.Count(line, `"version":`) != 1 || !strings.Contains(line, `"version":"`+version+`"`) {
				t.Errorf("%s: want the version %s once: %s", filepath.Base(file), version, line)
			}
		}
	}
}

// TestStoryNotices spoils one thing at a time: the story must stop at that step.
func TestStoryNotices(t *testing.T) {
	for _, test := range []struct{ name, fault, want string }{
		{"no token", `{"route":"GET /v1/token","mode":"status","status":401,"code":"AUTH02","count":9}`, "step 1, token: TokenRefreshFunction failed"},
		{"no products", `{"route":"GET /v1/products","mode":"status","status":400,"code":"BR02"}`, "step 2, products: GET /products"},
		{"order refused", `{"route":"POST /v1/order","mode":"status","status":400,"code":"BR02"}`, "step 4, order: the order: want fulfilled, found failed"},
		{"key lost", `{"route":"GET /v1/order/key/{id}","mode":"status","status":400,"code":"ORD004"}`, "step 4, order: the order: want fulfilled, found needs_attention (key_lost)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, stack := start(t, nil)
			status, body := do(t, c, http.MethodPost, stack.G2A+"/_sim/faults", nil, test.fault)
			if status != http.StatusOK {
				t.Fatalf("putting the fault: %d %s", status, body)
			}
			var out bytes.Buffer
			err := story.Tell(t.Context(), stack, &out)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("want an error that begins %q, found %v\n%s", test.want, err, &out)
			}
		})
	}
}

// do sends a request to anything in the cloud.
func do(t *testing.T, c *localcloud.Cloud, method, url string, header map[string]string, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	var transport http.RoundTripper = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.Roots(), MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if strings.HasPrefix(url, c.Addresses().HTTP) {
		transport = contracttest.Service().Answers(transport, func(err error) { t.Error(err) })
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(read))
}

// TestGateway sends the binaries what does not need a signature to be refused.
func TestGateway(t *testing.T) {
	c, stack := start(t, nil)
	invokeEvents(t, c, "TokenRefreshFunction", "token-refresh.json") // without a token health is failing
	jsonType := map[string]string{"Content-Type": "application/json"}
	for _, test := range []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
		answer             string
	}{
		{"live", "GET", "/health/live", nil, "", 200, `{"status":"alive"}`},
		{"health", "GET", "/health", nil, "", 200, ""},
		{"no signature", "POST", "/webhooks/g2a", jsonType, "{}", 401, `{"error":"unauthorized"}`},
		{"text", "POST", "/webhooks/g2a", map[string]string{"Content-Type": "text/plain"}, "hello", 415, `{"error":"Content-Type is not application/json"}`},
		{"bytes", "POST", "/webhooks/g2a", map[string]string{"Content-Type": "application/octet-stream"}, "\xff\xfe", 415, `{"error":"Content-Type is not application/json"}`},
		{"too long", "POST", "/webhooks/g2a", jsonType, strings.Repeat(" ", 256<<10+1), 413, ""},
		{"another method", "GET", "/webhooks/g2a", nil, "", 404, `{"message":"Not Found"}`},
		{"another path", "POST", "/webhooks", jsonType, "{}", 404, `{"message":"Not Found"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, answer := do(t, c, test.method, stack.Gateway+test.path, test.header, test.body)
			if status != test.status || (test.answer != "" && answer != test.answer) {
				t.Errorf("want %d %s, found %d %s", test.status, test.answer, status, answer)
			}
		})
	}
}

// TestEvents invokes the functions with the project's ready events, in the order in
// which the quickstart names them.
func TestEvents(t *testing.T) {
	c, _ := start(t, nil)
	for _, test := range []struct{ function, event, want string }{
		{"OrderFunction", "order-place.json", `"status":"fulfilled"`},
		{"OrderFunction", "order-continue.json", `"status":"fulfilled"`},
		{"OrderFunction", "order-conflict.json", `"errorType":"OrderConflict"`},
		{"OrderFunction", "order-cancel.json", `"errorType":"OrderConflict"`}, // it is paid
		{"OrderFunction", "order-key-file.json", `"status":"fulfilled"`},
		{"OrderFunction", "order-price-above-limit.json", `"reason":"price_above_limit"`},
		{"OrderFunction", "order-out-of-stock.json", `"reason":"out_of_stock"`},
		{"OrderFunction", "order-product-unknown.json", `"reason":"product_not_found"`},
		{"OrderFunction", "order-invalid.json", `"errorType":"InvalidOrder"`},
		{"OrderFunction", "token-refresh.json", `"errorType":"InvalidOrder"`},
		{"TokenRefreshFunction", "token-refresh.json", `"version":1`},
		{"HealthFunction", "health-scheduled.json", `{"status":"ok"`},
		{"HealthFunction", "health-request.json", `{"statusCode":200`},
		{"WebhookFunction", "webhook-live.json", `{"statusCode":200`},
		{"WebhookFunction", "webhook-unsigned.json", `{"statusCode":401`},
		{"WebhookFunction", "webhook-stale.json", `{"statusCode":401`},
		{"WebhookFunction", "webhook-wrong-content-type.json", `{"statusCode":415`},
		{"WebhookFunction", "order-place.json", `"errorType":"InvalidEvent"`},
	} {
		t.Run(test.function+" "+test.event, func(t *testing.T) {
			payload, err := os.ReadFile(filepath.Join(repository, "events", test.event))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Invoke(t.Context(), test.function, payload)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(answer.Payload), test.want) {
				t.Errorf("want %s, found %s", test.want, answer.Payload)
			}
			schema := map[string]string{"OrderFunction": "order-output", "TokenRefreshFunction": "token-output"}[test.function]
			if test.event == "health-scheduled.json" {
				schema = "health-report"
			}
			if schema != "" && answer.FunctionError == "" {
				if err := contracttest.Schema(schema).Validate(answer.Payload); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestMalformedVariable gives the functions a template with two mistakes.
func TestMalformedVariable(t *testing.T) {
	c, stack := start(t, func(o *localcloud.Options) {
		text, err := os.ReadFile(filepath.Join(repository, "template.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, mistake := range [][2]string{{"!Ref G2ARetryMax", "many"}, {"!Ref StateTable\n", `""` + "\n"}} {
			if !bytes.Contains(text, []byte(mistake[0])) {
				t.Fatalf("the template has no %q", mistake[0])
			}
			text = bytes.Replace(text, []byte(mistake[0]), []byte(mistake[1]), 1)
		}
		own := filepath.Join(o.Root, "template.yaml")
		if err := os.Remove(own); err != nil { // the link
			t.Fatal(err)
		}
		if err := os.WriteFile(own, text, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	answer, err := c.Invoke(t.Context(), "OrderFunction", []byte(`{"order_ref":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer.Payload), "Runtime.ExitError") {
		t.Errorf("want Runtime.ExitError, found %s", answer.Payload)
	}
	logged, err := os.ReadFile(filepath.Join(stack.Logs, "OrderFunction.log"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(logged), "\n")
	const want = `"error":"G2A_RETRY_MAX: \"many\" is not a whole number from 0 to 3; STATE_TABLE: is missing"`
	if !strings.Contains(first, want) {
		t.Errorf("want a line with %s, found %s", want, first)
	}
}

// TestEveryLogLineIsCorrelated reads all logs of a whole run, and of an order that fails:
// each line has a correlation id, and each failure of a function is one line.
func TestEveryLogLineIsCorrelated(t *testing.T) {
	c, stack := start(t, nil)
	if err := story.Tell(t.Context(), stack, io.Discard); err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, c, http.MethodPost, stack.G2A+"/_sim/faults", nil, `{"route":"GET /v1/products","mode":"status","status":503,"count":9}`); status != http.StatusOK {
		t.Fatalf("putting the fault: %d %s", status, body)
	}
	for function, payload := range map[string]string{
		"OrderFunction":        `{"order_ref":"unlucky","product_id":"90000000334016","max_price":"5.00","currency":"EUR"}`,
		"TokenRefreshFunction": `[]`, "WebhookFunction": `{}`, "HealthFunction": `7`,
	} {
		if result, err := c.Invoke(t.Context(), function, []byte(payload)); err != nil || result.FunctionError == "" {
			t.Errorf("%s: %s, %v; want an error", function, result.Payload, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(stack.Logs, "*Function.log"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%d logs, %v", len(files), err)
	}
	lines, failures := 0, map[string]int{} // by function
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var fields map[string]any
			if err := json.Unmarshal(line, &fields); err != nil {
				t.Errorf("%s: not JSON: %s", filepath.Base(file), line)
				continue
			}
			if fields["_aws"] != nil { // metrics
				continue
			}
			lines++
			if id, _ := fields["correlation_id"].(string); id == "" {
				t.Errorf("%s: without a correlation id: %s", filepath.Base(file), line)
			}
			if fields["level"] == "ERROR" {
				failures[filepath.Base(file)]++
			}
		}
	}
	for _, file := range files {
		if got := failures[filepath.Base(file)]; got != 1 {
			t.Errorf("%s: %d lines at level ERROR, want the one failure", filepath.Base(file), got)
		}
	}
	t.Logf("%d lines of %d logs have a correlation id, failures %v", lines, len(files), failures)
}

package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/gateway"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const root = "1-5759e988-bd862e3fe1be46a994272793"

// fixture is an edge with two routes and a handler that records what it is asked.
type fixture struct {
	gateway.Handler
	asked        []string // "POST /webhooks/g2a?query body"
	log, metrics bytes.Buffer
}

func newFixture() *fixture {
	f := &fixture{}
	clock := func() time.Time { return time.UnixMilli(1764000000000) }
	f.Handler = gateway.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // of a string
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		w.WriteHeader(http.StatusNoContent)
	}), telemetry.NewLogger(&f.log), telemetry.Metrics{Writer: &f.metrics, Clock: clock}, "POST /webhooks/g2a", "GET /health/live")
	return f
}

// invoke is called as aws-lambda-go calls a handler.
func (f *fixture) invoke(t *testing.T, payload []byte) ([]byte, error) {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	return f.Invoke(context.WithValue(t.Context(), "x-amzn-trace-id", "Root="+root), payload)
}

// send sends an event that must be answered.
func (f *fixture) send(t *testing.T, event events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	output, err := f.invoke(t, payload)
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(output, &response); err != nil {
		t.Fatalf("not a response: %s", output)
	}
	return response
}

// request returns an event of a stage, as API Gateway has it: a named stage and a mapping
// stand before the path everywhere but in the route key.
func request(routeKey, stage, method, path string) events.APIGatewayV2HTTPRequest {
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: routeKey, RawPath: path, Headers: map[string]string{"host": "shop.example"}}
	event.RequestContext.RouteKey, event.RequestContext.Stage, event.RequestContext.DomainName = routeKey, stage, "shop.example"
	event.RequestContext.HTTP.Method, event.RequestContext.HTTP.Path = method, path
	return event
}

func withoutRawPath(event events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPRequest {
	event.RawPath = ""
	return event
}

func TestRoutes(t *testing.T) {
	const webhooks, live, unnamed = "POST /webhooks/g2a", "GET /health/live", "$default"
	tests := []struct {
		name  string
		event events.APIGatewayV2HTTPRequest
		want  string // what the handler is asked; "" is a refusal
	}{
		{"no prefix", request(webhooks, unnamed, "POST", "/webhooks/g2a"), webhooks},
		{"named stage", request(webhooks, "prod", "POST", "/prod/webhooks/g2a"), webhooks},
		{"mapping", request(live, unnamed, "GET", "/shop/health/live"), live},
		{"mapping of two parts, on a named stage", request(live, "prod", "GET", "/shop/v1/health/live"), live},
		{"prefix that is no URL's", request(live, "prod", "GET", "/%zz/health/live"), live},
		{"method in lower case", request(webhooks, unnamed, "post", "/webhooks/g2a"), webhooks},
		{"no route key", request("", unnamed, "POST", "/webhooks/g2a"), webhooks},
		{"no route key, path without a slash", request("", unnamed, "POST", "webhooks/g2a"), webhooks},
		{"no route key and no raw path", withoutRawPath(request("", unnamed, "POST", "/webhooks/g2a")), webhooks},
		{"default route", request("$default", unnamed, "GET", "/health/live"), live},
		{"any method", request("ANY /health/live", unnamed, "GET", "/health/live"), live},
		{"greedy route", request("ANY /{proxy+}", unnamed, "POST", "/webhooks/g2a"), webhooks},
		{"route key of another method", request(webhooks, unnamed, "GET", "/health/live"), live},
		{"no route key, named stage", request("", "prod", "POST", "/prod/webhooks/g2a"), ""},
		{"default route, mapping", request("$default", unnamed, "GET", "/shop/health/live"), ""},
		{"unknown route", request("GET /health", unnamed, "GET", "/health"), ""},
		{"method in a route key that is another", request(webhooks, unnamed, "GET", "/webhooks/g2a"), ""},
		{"HEAD is not GET", request("HEAD /health/live", unnamed, "HEAD", "/health/live"), ""},
		{"path below", request("", unnamed, "POST", "/webhooks/g2a/x"), ""},
		{"path with a slash at the end", request("", unnamed, "POST", "/webhooks/g2a/"), ""},
		{"path in capitals", request("", unnamed, "POST", "/Webhooks/G2A"), ""},
		{"route key alone, no method in it", request("/webhooks/g2a", unnamed, "POST", "/x"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			response := f.send(t, tt.event)
			if tt.want != "" {
				if !reflect.DeepEqual(f.asked, []string{tt.want}) || response.StatusCode != http.StatusNoContent || f.log.Len()+f.metrics.Len() != 0 {
					t.Errorf("asked %q, answer %+v, log %s%s; want %s", f.asked, response, f.log.String(), f.metrics.String(), tt.want)
				}
				return
			}
			if f.asked != nil || response.StatusCode != http.StatusNotFound || response.Body != `{"message":"Not Found"}` || response.Headers["Content-Type"] != "application/json" {
				t.Errorf("asked %q, answer %+v; want the gateway's own 404", f.asked, response)
			}
			f.checkRefusal(t, tt.event)
		})
	}
}

// checkRefusal checks that a refusal is one line of the log and one metric.
func (f *fixture) checkRefusal(t *testing.T, event events.APIGatewayV2HTTPRequest) {
	t.Helper()
	var line, metric map[string]any
	if err := json.Unmarshal(f.log.Bytes(), &line); err != nil {
		t.Fatalf("not one line: %q", f.log.String())
	}
	if err := json.Unmarshal(f.metrics.Bytes(), &metric); err != nil {
		t.Fatalf("not one metric: %q", f.metrics.String())
	}
	delete(line, "timestamp")
	want := map[string]any{
		"level": "WARN", "message": "no route for the request", "correlation_id": root,
		"method": event.RequestContext.HTTP.Method, "route_key": event.RouteKey, "path": event.RawPath,
	}
	if !reflect.DeepEqual(line, want) {
		t.Errorf("logged %v\nwant   %v", line, want)
	}
	if metric["RouteUnknown"] != 1.0 {
		t.Errorf("metric %v, want RouteUnknown", metric)
	}
}

// TestRefusalIsShort: the log repeats no more of a path than helps.
func TestRefusalIsShort(t *testing.T) {
	f := newFixture()
	f.send(t, request("GET /"+strings.Repeat("k", 9000), "$default", "GET", "/"+strings.Repeat("p", 9000)))
	if f.log.Len() > 1000 {
		t.Errorf("%d bytes are logged", f.log.Len())
	}
}

// TestRequest: all but the path is as it was sent.
func TestRequest(t *testing.T) {
	f := newFixture()
	event := request("POST /webhooks/g2a", "prod", "POST", "/prod/webhooks/g2a")
	event.RawQueryString, event.Body, event.IsBase64Encoded = "a=1&b=%20", "e30=", true
	f.send(t, event)
	if want := []string{"POST /webhooks/g2a?a=1&b=%20 {}"}; !reflect.DeepEqual(f.asked, want) {
		t.Errorf("asked %q, want %q", f.asked, want)
	}
}

// TestInvalidEvents: an event that API Gateway never sends is an error with a name. The
// adapter, which would print it, does not get to see it.
func TestInvalidEvents(t *testing.T) {
	const before, after = `{"version":"2.0","requestContext":{"domainName":"x","http":{"method":"POST"}},`, `}`
	tests := []struct{ name, payload string }{
		{"nothing", ``},
		{"not JSON", `POST /webhooks/g2a`},
		{"null", `null`},
		{"list", `[]`},
		{"another event", `{"source":"aws.events"}`},
		{"payload format 1.0", `{"version":"1.0","httpMethod":"POST","path":"/webhooks/g2a","body":"{}","requestContext":{"httpMethod":"POST"}}`},
		{"headers of another type", before + `"headers":[]` + after},
		{"body of another type", before + `"body":{}` + after},
		{"not base64", before + `"isBase64Encoded":true,"body":"***"` + after},
		{"not base64, on a route", before + `"routeKey":"POST /webhooks/g2a","isBase64Encoded":true,"body":"***"` + after},
		{"path with a bad escape", before + `"rawPath":"/%zz"` + after},
		{"path with a control character", before + `"rawPath":"/\u0000"` + after},
		{"query with a control character", before + `"rawQueryString":"a=\n"` + after},
		{"query with a control character, on a route", before + `"routeKey":"POST /webhooks/g2a","rawQueryString":"a=\n"` + after},
		{"method with a space", `{"requestContext":{"domainName":"x","http":{"method":"PO ST","path":"/"}}}`},
		{"domain with a space", `{"requestContext":{"domainName":"x y","http":{"method":"POST","path":"/"}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			var output []byte
			var err error
			printed := captured(t, func() { output, err = f.invoke(t, []byte(tt.payload)) })
			if failure, named := err.(messages.InvokeResponse_Error); output != nil || !named || failure.Type != "InvalidEvent" || failure.Message == "" { // as aws-lambda-go looks at it
				t.Errorf("got %s, %#v", output, err)
			}
			if printed != "" {
				t.Errorf("printed past the log: %q", printed)
			}
			var line map[string]any
			if err := json.Unmarshal(f.log.Bytes(), &line); err != nil || line["level"] != "ERROR" || line["error_name"] != "InvalidEvent" || line["correlation_id"] != root {
				t.Errorf("logged %s", f.log.String())
			}
			if f.asked != nil || f.metrics.Len() != 0 {
				t.Errorf("asked %q, counted %s", f.asked, f.metrics.String())
			}
		})
	}
}

// captured returns what is written to standard output and by package log.
func captured(t *testing.T, do func()) string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	stdout, stdlogger := os.Stdout, stdlog.Writer()
	os.Stdout = writer
	stdlog.SetOutput(&logged)
	defer func() {
		os.Stdout = stdout
		stdlog.SetOutput(stdlogger)
	}()
	do()
	_ = writer.Close()
	written, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(written) + logged.String()
}

func TestIsRequest(t *testing.T) {
	tests := []struct {
		name, payload string
		want          bool
	}{
		{"HTTP API", `{"version":"2.0","requestContext":{"http":{"method":"GET"}}}`, true},
		{"REST API", `{"httpMethod":"GET","requestContext":{"httpMethod":"GET"}}`, true},
		{"HTTP API, malformed", `{"headers":[],"requestContext":{"http":{"method":"GET"}}}`, true},
		{"schedule", `{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`, false},
		{"empty", `{}`, false},
		{"not an object", `7`, false},
		{"not JSON", `{`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := gateway.IsRequest([]byte(tt.payload)); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
)

// invoker is a Lambda that notes what it was called with.
type invoker struct {
	called []string
	in     lambda.Invocation
	do     func(ctx context.Context) (lambda.Result, error)
}

func (i *invoker) Invoke(ctx context.Context, function string, in lambda.Invocation) (lambda.Result, error) {
	i.called, i.in = append(i.called, function), in
	return i.do(ctx)
}

func answering(payload string) func(context.Context) (lambda.Result, error) {
	return func(context.Context) (lambda.Result, error) { return lambda.Result{Payload: []byte(payload)}, nil }
}

func failing(err error) func(context.Context) (lambda.Result, error) {
	return func(context.Context) (lambda.Result, error) { return lambda.Result{}, err }
}

func TestGateway(t *testing.T) {
	const ok = `{"statusCode":200,"body":"fine"}`
	unreadable := io.MultiReader(strings.NewReader("a"), brokenReader{})
	for _, c := range []struct {
		name, method, path string
		body               io.Reader
		do                 func(context.Context) (lambda.Result, error)
		wantStatus         int
		wantBody           string
		wantCalled         string
	}{
		{"a route", "POST", "/hook", nil, answering(ok), 200, "fine", "Hook"},
		{"a route with a query", "POST", "/hook?a=1", nil, answering(ok), 200, "fine", "Hook"},
		{"another route of the path", "GET", "/hook", nil, answering(ok), 200, "fine", "Show"},
		{"another method", "DELETE", "/hook", nil, answering(ok), 404, `{"message":"Not Found"}`, ""},
		{"HEAD is another method", "HEAD", "/hook", nil, answering(ok), 404, `{"message":"Not Found"}`, ""},
		{"another path", "POST", "/hook/", nil, answering(ok), 404, `{"message":"Not Found"}`, ""},
		{"the root", "GET", "/", nil, answering(ok), 404, `{"message":"Not Found"}`, ""},
		{"a body that is too long", "POST", "/hook", strings.NewReader(strings.Repeat("a", maxBody+1)), answering(ok), 413, `{"message":"Request Entity Too Large"}`, ""},
		{"a body that is too long for Lambda", "POST", "/hook", strings.NewReader(strings.Repeat("a", maxBody)), answering(ok), 413, `{"message":"Request Too Long"}`, ""},
		{"a body that is cut short", "POST", "/hook", unreadable, answering(ok), 400, `{"message":"Bad Request"}`, ""},
		{"a function's error", "POST", "/hook", nil, func(context.Context) (lambda.Result, error) {
			return lambda.Result{FunctionError: "Unhandled", Payload: []byte(ok)}, nil
		}, 500, `{"message":"Internal Server Error"}`, "Hook"},
		{"an answer that is none", "POST", "/hook", nil, answering("oops"), 500, `{"message":"Internal Server Error"}`, "Hook"},
		{"throttled", "POST", "/hook", nil, failing(lambda.ErrThrottled), 503, `{"message":"Service Unavailable"}`, "Hook"},
		{"closed", "POST", "/hook", nil, failing(lambda.ErrClosed), 503, `{"message":"Service Unavailable"}`, "Hook"},
		{"another error of Lambda's", "POST", "/hook", nil, failing(errors.New("no such file")), 500, `{"message":"Internal Server Error"}`, "Hook"},
		{"too slow", "GET", "/slow", nil, func(ctx context.Context) (lambda.Result, error) {
			<-ctx.Done()
			return lambda.Result{}, ctx.Err()
		}, 503, `{"message":"Service Unavailable"}`, "Slow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			functions := &invoker{do: c.do}
			api := New([]Route{
				{Method: "POST", Path: "/hook", Function: "Hook"}, {Method: "GET", Path: "/hook", Function: "Show"},
				{Method: "GET", Path: "/slow", Function: "Slow", Timeout: time.Millisecond},
			}, functions, "123456789012")
			recorder := httptest.NewRecorder()
			api.ServeHTTP(recorder, httptest.NewRequest(c.method, c.path, c.body))
			if got := strings.TrimSpace(recorder.Body.String()); recorder.Code != c.wantStatus || got != c.wantBody {
				t.Errorf("got %d %s, want %d %s", recorder.Code, got, c.wantStatus, c.wantBody)
			}
			if got := strings.Join(functions.called, " "); got != c.wantCalled {
				t.Errorf("called %q, want %q", got, c.wantCalled)
			}
			if recorder.Header().Get("Apigw-Requestid") == "" {
				t.Error("no request id")
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestPrefix: of a prefix the routes know nothing, and the event's paths have it.
func TestPrefix(t *testing.T) {
	for path, status := range map[string]int{"/prod/hook": 200, "/hook": 404, "/prodhook": 404, "/prod/prod/hook": 404, "/other/hook": 404} {
		functions := &invoker{do: answering(`{"statusCode":200}`)}
		api := New([]Route{{Method: "POST", Path: "/hook", Function: "Hook"}}, functions, "123456789012")
		api.Prefix = "/prod"
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, path, nil))
		if recorder.Code != status {
			t.Errorf("%s: status %d, want %d", path, recorder.Code, status)
		}
		if status != http.StatusOK {
			continue
		}
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(functions.in.Payload, &event); err != nil {
			t.Fatal(err)
		}
		if event.RouteKey != "POST /hook" || event.RequestContext.RouteKey != "POST /hook" || event.RawPath != path || event.RequestContext.HTTP.Path != path {
			t.Errorf("got %+v", event)
		}
	}
}

func TestFunctionGetsTheRequest(t *testing.T) {
	functions := &invoker{do: answering(`{"statusCode":200}`)}
	api := New([]Route{{Method: "POST", Path: "/hook", Function: "Hook"}}, functions, "123456789012")
	r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader("\x00 bytes"))
	r.Header.Set("X-Amzn-Trace-Id", "Root=1-a-b")
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, r)
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(functions.in.Payload, &event); err != nil {
		t.Fatal(err)
	}
	if event.Body != "ACBieXRlcw==" || !event.IsBase64Encoded || event.RouteKey != "POST /hook" || event.RequestContext.AccountID != "123456789012" {
		t.Errorf("got %+v", event)
	}
	if event.RequestContext.RequestID != recorder.Header().Get("Apigw-Requestid") {
		t.Errorf("the function's request id %q is not the client's %q", event.RequestContext.RequestID, recorder.Header().Get("Apigw-Requestid"))
	}
	if functions.in.TraceID != "Root=1-a-b" {
		t.Errorf("trace id %q", functions.in.TraceID)
	}
}

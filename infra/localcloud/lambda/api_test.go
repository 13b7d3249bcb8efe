package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda/lambdatest"
)

// newClient serves the Invoke API and gives the real client of it.
func newClient(t *testing.T, f *fixture) (*lambda.Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(f.API())
	t.Cleanup(server.Close)
	return lambda.New(lambda.Options{
		Region:           "eu-central-1",
		BaseEndpoint:     &server.URL,
		Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
		RetryMaxAttempts: 1,
	}), server
}

func TestAPIThroughTheSDK(t *testing.T) {
	f := newFixture(t)
	client, _ := newClient(t, f)
	clientContext := base64.StdEncoding.EncodeToString([]byte(`{"client":{"app_title":"my app"}}`))
	for _, c := range []struct {
		name       string
		in         lambda.InvokeInput
		wantStatus int32
		wantError  string // X-Amz-Function-Error
		wantIn     string // the payload holds it
	}{
		{"by logical id", lambda.InvokeInput{FunctionName: aws.String("MyFunction"), Payload: lambdatest.Event{}.JSON()}, 200, "", `{"pid":`},
		{"by ARN", lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-central-1:123456789012:function:my-name")}, 200, "", `{"pid":`},
		{"with a qualifier", lambda.InvokeInput{FunctionName: aws.String("my-name"), Qualifier: aws.String("$LATEST")}, 200, "", `{"pid":`},
		{"without an event", lambda.InvokeInput{FunctionName: aws.String("my-name")}, 200, "", `{"pid":`},
		{"with a client context", lambda.InvokeInput{FunctionName: aws.String("my-name"), ClientContext: &clientContext, Payload: lambdatest.Event{Do: "context"}.JSON()}, 200, "", `"my app"`},
		{"a function's error", lambda.InvokeInput{FunctionName: aws.String("my-name"), Payload: lambdatest.Event{Do: "error"}.JSON()}, 200, "Unhandled", `"errorMessage":"this is my error"`},
		{"an exit", lambda.InvokeInput{FunctionName: aws.String("my-name"), Payload: lambdatest.Event{Do: "exit"}.JSON()}, 200, "Unhandled", `"errorType":"Runtime.ExitError"`},
		{"asynchronous", lambda.InvokeInput{FunctionName: aws.String("my-name"), InvocationType: types.InvocationTypeEvent}, 202, "", ""},
		{"dry", lambda.InvokeInput{FunctionName: aws.String("my-name"), InvocationType: types.InvocationTypeDryRun}, 204, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := client.Invoke(t.Context(), &c.in)
			if err != nil {
				t.Fatal(err)
			}
			if out.StatusCode != c.wantStatus || aws.ToString(out.FunctionError) != c.wantError || !strings.Contains(string(out.Payload), c.wantIn) {
				t.Errorf("got %d %q %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
			}
			if (c.wantIn == "") != (len(out.Payload) == 0) {
				t.Errorf("payload %q", out.Payload)
			}
			if c.wantStatus == 200 && aws.ToString(out.ExecutedVersion) != "$LATEST" {
				t.Errorf("executed version %q", aws.ToString(out.ExecutedVersion))
			}
		})
	}
}

func TestAPIErrorsThroughTheSDK(t *testing.T) {
	f, g := newFixture(t, func(_ *Function, o *Options) { o.Concurrency = 1 }), lambdatest.NewGate(t)
	client, _ := newClient(t, f)
	busy := f.invokeAside(t, g.Event().JSON())
	<-g.Arrived
	long := bytes.Repeat([]byte(" "), maxPayload+1)
	for _, c := range []struct {
		name string
		in   lambda.InvokeInput
		want string
	}{
		{"no such function", lambda.InvokeInput{FunctionName: aws.String("Nobody")}, "ResourceNotFoundException"},
		{"no such function, asynchronous", lambda.InvokeInput{FunctionName: aws.String("Nobody"), InvocationType: types.InvocationTypeEvent}, "ResourceNotFoundException"},
		{"no such function, dry", lambda.InvokeInput{FunctionName: aws.String("Nobody"), InvocationType: types.InvocationTypeDryRun}, "ResourceNotFoundException"},
		{"no such version", lambda.InvokeInput{FunctionName: aws.String("my-name"), Qualifier: aws.String("7")}, "ResourceNotFoundException"},
		{"not JSON", lambda.InvokeInput{FunctionName: aws.String("my-name"), Payload: []byte("{")}, "InvalidRequestContentException"},
		{"too long", lambda.InvokeInput{FunctionName: aws.String("my-name"), Payload: long}, "RequestEntityTooLargeException"},
		{"too long, asynchronous", lambda.InvokeInput{FunctionName: aws.String("my-name"), InvocationType: types.InvocationTypeEvent, Payload: long[:maxAsyncPayload+1]}, "RequestEntityTooLargeException"},
		{"client context that is not base64", lambda.InvokeInput{FunctionName: aws.String("my-name"), ClientContext: aws.String("?")}, "InvalidRequestContentException"},
		{"unknown type", lambda.InvokeInput{FunctionName: aws.String("my-name"), InvocationType: "Later"}, "InvalidParameterValueException"},
		{"throttled", lambda.InvokeInput{FunctionName: aws.String("my-name")}, "TooManyRequestsException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client.Invoke(t.Context(), &c.in)
			var got smithy.APIError
			if !errors.As(err, &got) || got.ErrorCode() != c.want || got.ErrorMessage() == "" {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	close(g.Open)
	<-busy
}

// TestAPIErrorsOnTheWire is what the SDK hides: the status and the body.
func TestAPIErrorsOnTheWire(t *testing.T) {
	f, g := newFixture(t, func(_ *Function, o *Options) { o.Concurrency = 1 }), lambdatest.NewGate(t)
	_, server := newClient(t, f)
	busy := f.invokeAside(t, g.Event().JSON())
	<-g.Arrived
	for _, c := range []struct {
		name, path, body string
		wantStatus       int
		wantCode         string
		want             map[string]string
	}{
		{"no such function", "/2015-03-31/functions/Nobody/invocations", "{}", 404, "ResourceNotFoundException",
			map[string]string{"Type": "User", "Message": "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:Nobody"}},
		{"throttled", "/2015-03-31/functions/my-name/invocations", "{}", 429, "TooManyRequestsException",
			map[string]string{"Type": "User", "Message": "Rate Exceeded.", "Reason": "ConcurrentInvocationLimitExceeded"}},
		{"not JSON", "/2015-03-31/functions/my-name/invocations", "no", 400, "InvalidRequestContentException",
			map[string]string{"Type": "User", "Message": "Could not parse request body into json"}},
		{"another operation", "/2015-03-31/functions", "{}", 404, "UnknownOperationException",
			map[string]string{"Type": "User", "Message": "only POST /2015-03-31/functions/{name}/invocations is served here"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, err := http.Post(server.URL+c.path, "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if response.StatusCode != c.wantStatus || response.Header.Get("X-Amzn-ErrorType") != c.wantCode || len(got) != len(c.want) {
				t.Errorf("got %d %s %v", response.StatusCode, response.Header.Get("X-Amzn-ErrorType"), got)
			}
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
		})
	}
	close(g.Open)
	<-busy
}

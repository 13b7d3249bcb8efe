package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// AtStart is the variable that makes the function fail before its first
// invocation: "exit", "hang" or "report", which tells the Runtime API.
const AtStart = "AT_START"

// clinging is the variable that makes the process one that a function left behind.
const clinging = "CLINGING_TO"

// Event is what the function is to do. An event of API Gateway's has its own in the
// body.
type Event struct {
	Do   string `json:"do"`
	URL  string `json:"url,omitempty"`
	Body string `json:"body,omitempty"` // of API Gateway's events
	// DetailType is of EventBridge's events, which are refused.
	DetailType string `json:"detail-type,omitempty"`
}

// JSON gives the event's text.
func (e Event) JSON() []byte {
	text, _ := json.Marshal(e) // texts: cannot fail
	return text
}

// Answer is what the function answers.
type Answer struct {
	PID           int      `json:"pid"`
	Environment   []string `json:"environment,omitempty"`
	Event         any      `json:"event,omitempty"`
	RequestID     string   `json:"request_id,omitempty"`
	ARN           string   `json:"arn,omitempty"`
	TraceID       string   `json:"trace_id,omitempty"`
	ClientContext string   `json:"client_context,omitempty"`
	MillisLeft    int64    `json:"millis_left,omitempty"`
	Got           string   `json:"got,omitempty"` // the body of the answer to a get
}

// Main is for TestMain.
func Main(m *testing.M) {
	if address := os.Getenv(clinging); address != "" {
		cling(address)
	}
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	switch os.Getenv(AtStart) {
	case "exit":
		fmt.Println(`{"message":"no way to start"}`)
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "report":
		_, _ = http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json",
			strings.NewReader(`{"errorType":"Bad.Config","errorMessage":"no table"}`))
		os.Exit(1)
	}
	lambda.Start(handle)
}

// Bootstrap puts the function's binary at folder/bootstrap and gives its path.
func Bootstrap(t testing.TB, folder string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "bootstrap")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var event Event
	_ = json.Unmarshal(payload, &event) // then there is nothing to do
	if event.Body != "" {
		_ = json.Unmarshal([]byte(event.Body), &event)
	}
	if event.DetailType != "" {
		return nil, fmt.Errorf("no use for a %s", event.DetailType)
	}
	answer := Answer{PID: os.Getpid()}
	switch event.Do {
	case "event":
		return answer, json.Unmarshal(payload, &answer.Event)
	case "environment":
		answer.Environment = os.Environ()
	case "context":
		answer.context(ctx)
	case "print":
		fmt.Println(`{"to":"stdout"}`)
		fmt.Fprintln(os.Stderr, `{"to":"stderr"}`)
	case "error":
		return nil, errors.New("this is my error")
	case "panic":
		panic("this is my panic")
	case "exit":
		os.Exit(7)
	case "exit in peace":
		os.Exit(0)
	case "hang":
		select {}
	case "get": // and so: wait for as long as the server likes
		return answer, answer.get(context.WithoutCancel(ctx), event.URL)
	case "leave a process":
		return answer, leave(event.URL)
	case "answer 7 MB":
		return strings.Repeat("x", 7<<20), nil
	}
	return answer, nil
}

func (a *Answer) context(ctx context.Context) {
	if lc, found := lambdacontext.FromContext(ctx); found {
		a.RequestID, a.ARN, a.ClientContext = lc.AwsRequestID, lc.InvokedFunctionArn, lc.ClientContext.Client.AppTitle
	}
	a.TraceID, _ = ctx.Value("x-amzn-trace-id").(string)
	if deadline, found := ctx.Deadline(); found {
		a.MillisLeft = time.Until(deadline).Milliseconds()
	}
}

func (a *Answer) get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a.Got = string(body)
	return err
}

// leave starts a process in the function's group that holds a connection to
// address for as long as it lives.
func leave(address string) error {
	command := exec.Command(os.Args[0])
	command.Env = []string{clinging + "=" + address}
	return command.Start()
}

func cling(address string) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, connection) // until the test closes, or the kill
	os.Exit(0)
}

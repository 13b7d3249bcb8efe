package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda/lambdatest"
)

func TestMain(m *testing.M) { lambdatest.Main(m) }

const testTimeout = 30 * time.Second // longer than any test that does not want it

// fixture is a service with one function, MyFunction, also called my-name.
type fixture struct {
	*Service
	lines  lambdatest.Lines
	logDir string
	folder string
}

func newFixture(t *testing.T, change ...func(*Function, *Options)) *fixture {
	t.Helper()
	folder := t.TempDir()
	f := Function{
		LogicalID: "MyFunction", Name: "my-name", Alias: "live", Bootstrap: lambdatest.Bootstrap(t, folder), Handler: "bootstrap",
		Timeout: testTimeout, MemoryMB: 256, JSONLogs: true, Environment: map[string]string{"OWN": "value", "EMPTY": ""},
	}
	lines := make(lambdatest.Lines, 100)
	options := Options{
		Region: "eu-central-1", AccountID: "123456789012", Concurrency: 4, XRayDaemon: "127.0.0.1:2000",
		LogDir: filepath.Join(folder, "logs"), Log: log.New(lines, "", 0),
	}
	for _, c := range change {
		c(&f, &options)
	}
	options.Functions = []Function{f}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &fixture{s, lines, options.LogDir, folder}
}

func (f *fixture) must(t *testing.T, do string) lambdatest.Answer {
	t.Helper()
	return f.mustInvoke(t, Invocation{Payload: lambdatest.Event{Do: do}.JSON()})
}

func (f *fixture) mustInvoke(t *testing.T, in Invocation) lambdatest.Answer {
	t.Helper()
	result, err := f.Invoke(t.Context(), "MyFunction", in)
	if err != nil {
		t.Fatal(err)
	}
	if result.FunctionError != "" {
		t.Fatalf("the function failed: %s", result.Payload)
	}
	var answer lambdatest.Answer
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		t.Fatalf("%s: %v", result.Payload, err)
	}
	return answer
}

// invokeAside invokes and gives the outcome later.
func (f *fixture) invokeAside(t *testing.T, payload []byte) <-chan Result {
	results := make(chan Result, 1)
	go func() {
		result, err := f.Invoke(context.WithoutCancel(t.Context()), "MyFunction", Invocation{Payload: payload})
		if err != nil {
			t.Error(err)
		}
		results <- result
	}()
	return results
}

func TestOneProcessServesOneCallAfterAnother(t *testing.T) {
	f := newFixture(t)
	first := f.must(t, "")
	if second := f.must(t, ""); second.PID != first.PID {
		t.Errorf("process %d served the second call, want %d again", second.PID, first.PID)
	}
}

func TestFunctionIsFoundBy(t *testing.T) {
	f := newFixture(t)
	for name, want := range map[string]error{
		"MyFunction":                    nil,
		"my-name":                       nil,
		"my-name:$LATEST":               nil,
		"123456789012:function:my-name": nil,
		"arn:aws:lambda:eu-central-1:123456789012:function:my-name":             nil,
		"arn:aws:lambda:eu-central-1:123456789012:function:MyFunction:$LATEST":  nil,
		"arn:aws:lambda:eu-central-1:123456789012:function:MyFunction:an-alias": ErrNotFound,
		"arn:aws:lambda:eu-central-1:123456789012:function:MyFunction:live":     nil,
		"OtherFunction": ErrNotFound,
		"":              ErrNotFound,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := f.Invoke(t.Context(), name, Invocation{}); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name      string
		do        string
		wantType  string
		wantError string // $ID stands for the request's id
		survives  bool
	}{
		{"an error", "error", "errorString", "this is my error", true},
		{"a panic", "panic", "string", "this is my panic", false},
		{"an exit", "exit", "Runtime.ExitError", "RequestId: $ID Error: Runtime exited with error: exit status 7", false},
		{"an exit without an error", "exit in peace", "Runtime.ExitError", "RequestId: $ID Error: Runtime exited without providing a reason", false},
		{"an answer that is too long", "answer 7 MB", "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291456 bytes).", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			before := f.must(t, "")
			result, err := f.Invoke(t.Context(), "MyFunction", Invocation{Payload: lambdatest.Event{Do: c.do}.JSON()})
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(result.Payload, &got); err != nil {
				t.Fatalf("%s: %v", result.Payload, err)
			}
			want := strings.ReplaceAll(c.wantError, "$ID", result.RequestID)
			if result.FunctionError != "Unhandled" || got.ErrorType != c.wantType || got.ErrorMessage != want {
				t.Errorf("got %q %+v, want Unhandled, %s: %s", result.FunctionError, got, c.wantType, want)
			}
			if !c.survives {
				f.lines.Await(t, "MyFunction: an instance ")
			}
			if after := f.must(t, ""); (after.PID == before.PID) != c.survives {
				t.Errorf("process %d served before and %d after the failure; the same one: want %v", before.PID, after.PID, c.survives)
			}
		})
	}
}

// TestKilled has the process killed from outside, at the worst and at the best time.
func TestKilled(t *testing.T) {
	t.Run("during an invocation", func(t *testing.T) {
		f, g := newFixture(t), lambdatest.NewGate(t)
		before := f.must(t, "")
		result := f.invokeAside(t, g.Event().JSON())
		<-g.Arrived
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		got := <-result
		want := `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + got.RequestID + ` Error: Runtime exited with error: signal: killed"}`
		if string(got.Payload) != want || got.FunctionError != "Unhandled" {
			t.Errorf("got %s %s, want %s", got.FunctionError, got.Payload, want)
		}
		f.lines.Await(t, "died during an invocation: signal: killed")
		if after := f.must(t, ""); after.PID == before.PID {
			t.Error("a dead process served")
		}
	})
	t.Run("between invocations", func(t *testing.T) {
		f := newFixture(t)
		before := f.must(t, "")
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		f.lines.Await(t, "ended between invocations: signal: killed")
		if after := f.must(t, ""); after.PID == before.PID {
			t.Error("a dead process served")
		}
	})
}

// TestKill kills the one instance of two at work that serves a trace.
func TestKill(t *testing.T) {
	const root, other = "1-5759e988-bd862e3fe1be46a994272793", "1-5759e988-bd862e3fe1be46a994272794"
	f, g := newFixture(t), lambdatest.NewGate(t)
	outcomes := map[string]chan Result{root: make(chan Result, 1), other: make(chan Result, 1)}
	for trace, outcome := range outcomes {
		go func() {
			result, _ := f.Invoke(context.WithoutCancel(t.Context()), "MyFunction", Invocation{Payload: g.Event().JSON(), TraceID: "Root=" + trace})
			outcome <- result
		}()
		<-g.Arrived
	}
	if !f.Kill(root) {
		t.Error("no instance was killed")
	}
	<-g.Gone
	if got := <-outcomes[root]; !strings.Contains(string(got.Payload), `"Runtime.ExitError"`) || !strings.Contains(string(got.Payload), "signal: killed") {
		t.Errorf("the killed one answered %s", got.Payload)
	}
	if f.Kill(root) {
		t.Error("an instance was killed that is gone")
	}
	close(g.Open)
	if got := <-outcomes[other]; got.FunctionError != "" {
		t.Errorf("the other one answered %s", got.Payload)
	}
	if f.Kill(other) {
		t.Error("an instance was killed that has answered")
	}
}

func TestTimeOut(t *testing.T) {
	f := newFixture(t, func(f *Function, _ *Options) { f.Timeout = time.Second })
	result, err := f.Invoke(t.Context(), "MyFunction", Invocation{Payload: lambdatest.Event{Do: "hang"}.JSON()})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + result.RequestID + ` Error: Task timed out after 1.00 seconds"}`
	if string(result.Payload) != want || result.FunctionError != "Unhandled" {
		t.Errorf("got %s %s, want %s", result.FunctionError, result.Payload, want)
	}
	f.lines.Await(t, "was killed at its time-out of 1s")
	if answer := f.must(t, ""); answer.PID == 0 {
		t.Error("the next call was not served")
	}
}

// TestProcessesOfTheFunctionGoWithIt has the function start a process, which holds
// a connection for as long as it lives.
func TestProcessesOfTheFunctionGoWithIt(t *testing.T) {
	f := newFixture(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	f.mustInvoke(t, Invocation{Payload: lambdatest.Event{Do: "leave a process", URL: listener.Addr().String()}.JSON()})
	connection, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	f.Close()
	if n, err := connection.Read(make([]byte, 1)); n != 0 || err == nil { // returns when the process is gone
		t.Errorf("read %d bytes and %v", n, err)
	}
}

func TestFailureAtTheStart(t *testing.T) {
	for _, c := range []struct{ how, wantPayload, wantLine string }{
		{"exit", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: $ID Error: Runtime exited with error: exit status 3"}`,
			`MyFunction: an instance died at its start: exit status 3; its log ends with: {"message":"no way to start"}`},
		{"report", `{"errorType":"Bad.Config","errorMessage":"no table"}`, "MyFunction: an instance "},
		{"hang", `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: $ID Error: Task timed out after 0.25 seconds"}`,
			"MyFunction: an instance did not ask for work in time"},
	} {
		t.Run(c.how, func(t *testing.T) {
			f := newFixture(t, func(f *Function, _ *Options) { f.Environment[lambdatest.AtStart] = c.how })
			if c.how == "hang" {
				f.initTimeout = 250 * time.Millisecond
			}
			result, err := f.Invoke(t.Context(), "MyFunction", Invocation{})
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(c.wantPayload, "$ID", result.RequestID); string(result.Payload) != want || result.FunctionError != "Unhandled" {
				t.Errorf("got %s %s, want %s", result.FunctionError, result.Payload, want)
			}
			f.lines.Await(t, c.wantLine)
		})
	}
}

func TestConcurrency(t *testing.T) {
	f, g := newFixture(t, func(_ *Function, o *Options) { o.Concurrency = 2 }), lambdatest.NewGate(t)
	one, two := f.invokeAside(t, g.Event().JSON()), f.invokeAside(t, g.Event().JSON())
	<-g.Arrived
	<-g.Arrived
	if _, err := f.Invoke(t.Context(), "MyFunction", Invocation{}); !errors.Is(err, ErrThrottled) {
		t.Errorf("the third of two at a time: got %v, want %v", err, ErrThrottled)
	}
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		if err := f.InvokeAsync("MyFunction", Invocation{Payload: g.Event().JSON()}); err != nil {
			t.Error(err)
		}
	}()
	<-waiting // it does not wait for its turn
	g.Open <- struct{}{}
	<-g.Arrived // the asynchronous one has its turn now
	close(g.Open)
	first, second := <-one, <-two
	if string(first.Payload) == string(second.Payload) {
		t.Errorf("two at a time were served by one process: %s", first.Payload)
	}
	// The caller of a synchronous call finds the slot free.
	for range 20 {
		f.must(t, "")
	}
}

func TestAsynchronousFailureIsALine(t *testing.T) {
	f := newFixture(t)
	if err := f.InvokeAsync("MyFunction", Invocation{Payload: lambdatest.Event{Do: "error"}.JSON()}); err != nil {
		t.Fatal(err)
	}
	f.lines.Await(t, "MyFunction: an asynchronous invocation failed: {\"errorMessage\":\"this is my error\"")
	if err := f.InvokeAsync("OtherFunction", Invocation{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want %v", err, ErrNotFound)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	f, g := newFixture(t), lambdatest.NewGate(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-g.Arrived
		cancel()
	}()
	if _, err := f.Invoke(ctx, "MyFunction", Invocation{Payload: g.Event().JSON()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	g.Open <- struct{}{} // the function is still there
}

func TestEnvironment(t *testing.T) {
	t.Setenv("OF_THE_DEVELOPER", "must not be seen")
	f := newFixture(t, func(f *Function, _ *Options) { f.Environment["LANG"] = "de_AT.UTF-8" })
	got := map[string]string{}
	for _, variable := range f.must(t, "environment").Environment {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	for name, pattern := range map[string]string{
		"AWS_LAMBDA_RUNTIME_API":     `^127\.0\.0\.1:[0-9]+$`,
		"AWS_LAMBDA_LOG_STREAM_NAME": `^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`,
		"_X_AMZN_TRACE_ID":           `^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$`, // set by aws-lambda-go
	} {
		if !regexp.MustCompile(pattern).MatchString(got[name]) {
			t.Errorf("%s is %q, want %s", name, got[name], pattern)
		}
		delete(got, name)
	}
	want := map[string]string{
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
		"AWS_LAMBDA_FUNCTION_NAME": "my-name", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/my-name",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
		"LAMBDA_RUNTIME_DIR": "/var/runtime", "LAMBDA_TASK_ROOT": f.folder, "LANG": "de_AT.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ": ":UTC", "_HANDLER": "bootstrap", "OWN": "value", "EMPTY": "",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestInvocationContext(t *testing.T) {
	f := newFixture(t)
	in := Invocation{
		Payload:       lambdatest.Event{Do: "context"}.JSON(),
		TraceID:       "Root=1-65a00000-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
		ClientContext: `{"client":{"app_title":"my app"}}`,
	}
	result, err := f.Invoke(t.Context(), "my-name", in)
	if err != nil {
		t.Fatal(err)
	}
	var got lambdatest.Answer
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.MillisLeft <= 0 || got.MillisLeft > testTimeout.Milliseconds() {
		t.Errorf("%d ms left of %s", got.MillisLeft, testTimeout)
	}
	want := lambdatest.Answer{
		PID: got.PID, MillisLeft: got.MillisLeft, RequestID: result.RequestID, TraceID: in.TraceID, ClientContext: "my app",
		ARN: "arn:aws:lambda:eu-central-1:123456789012:function:my-name",
	}
	if got.RequestID == "" || got.ClientContext != want.ClientContext || got.RequestID != want.RequestID || got.TraceID != want.TraceID || got.ARN != want.ARN {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTraceID(t *testing.T) {
	const root, parent = "1-65a00000-0123456789abcdef01234567", "0123456789abcdef"
	now := time.Unix(0x65a00001, 0)
	for _, c := range []struct{ name, header, want string }{
		{"whole", "Root=" + root + ";Parent=" + parent + ";Sampled=0", "^Root=" + root + ";Parent=" + parent + ";Sampled=0$"},
		{"root only", "Root=" + root, "^Root=" + root + ";Parent=[0-9a-f]{16};Sampled=1$"},
		{"none", "", "^Root=1-65a00001-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$"},
		{"with more in it", "Self=1-a-b; Root=" + root + "; Lineage=a:0", "^Root=" + root + ";Parent=[0-9a-f]{16};Sampled=1$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := completeTraceID(c.header, now); !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLogHoldsTheFunctionsLinesOnly(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "MyFunction.log")
	if err := os.WriteFile(file, []byte("of an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(_ *Function, o *Options) { o.LogDir = folder })
	f.must(t, "print")
	f.must(t, "print")
	f.Close()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const twice = "{\"to\":\"stdout\"}\n{\"to\":\"stderr\"}\n"
	if string(got) != twice+twice {
		t.Errorf("got %q, want %q", got, twice+twice)
	}
}

func TestClose(t *testing.T) {
	f, g := newFixture(t), lambdatest.NewGate(t)
	idle := f.must(t, "")
	first := f.invokeAside(t, g.Event().JSON())
	<-g.Arrived
	second := f.invokeAside(t, g.Event().JSON())
	<-g.Arrived
	f.mu.Lock()
	instances := slices.Collect(maps.Keys(f.instances))
	f.mu.Unlock()
	f.Close()
	for _, i := range instances {
		select {
		case <-i.exited:
		default:
			t.Error("Close did not wait for a process")
		}
	}
	f.Close()
	for _, result := range []Result{<-first, <-second} {
		if !strings.Contains(string(result.Payload), "Runtime.ExitError") {
			t.Errorf("an invocation under way ended with %s", result.Payload)
		}
	}
	<-g.Gone
	<-g.Gone
	if err := syscall.Kill(idle.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", idle.PID, err)
	}
	if _, err := f.Invoke(t.Context(), "MyFunction", Invocation{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, ErrClosed)
	}
	if err := f.InvokeAsync("MyFunction", Invocation{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, ErrClosed)
	}
	if len(f.lines) != 0 {
		t.Errorf("Close is not a death to report: %s", <-f.lines)
	}
}

func TestProcessCannotBeStarted(t *testing.T) {
	f := newFixture(t, func(f *Function, _ *Options) { f.Bootstrap += "-that-is-not-there" })
	_, err := f.Invoke(t.Context(), "MyFunction", Invocation{})
	if err == nil || !strings.Contains(err.Error(), "MyFunction: starting an instance: ") {
		t.Errorf("got %v", err)
	}
	if i := slices.Collect(maps.Keys(f.instances)); len(i) != 0 {
		t.Errorf("%d instances are left", len(i))
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda/lambdatest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestMain(m *testing.M) { lambdatest.Main(m) }

// environment is a lookup in it.
type environment map[string]string

func (e environment) lookup(name string) (string, bool) {
	value, found := e[name]
	return value, found
}

// freePorts has every service take a port that is free.
func freePorts() environment {
	return environment{"LOCAL_HTTP_PORT": "0", "LOCAL_LAMBDA_PORT": "0", "LOCAL_DYNAMODB_PORT": "0", "LOCAL_SECRETS_PORT": "0", "LOCAL_G2A_PORT": "0"}
}

func TestSettings(t *testing.T) {
	s, err := readSettings(environment{}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if want := (localcloud.Ports{HTTP: 3000, Lambda: 3001, DynamoDB: 8000, Secrets: 8001, G2A: 8443}); s.ports != want || s.concurrency != 4 || s.dynamoDB != "" || s.catalogue != "" {
		t.Errorf("by default: %+v", s)
	}
	s, err = readSettings(environment{
		"LOCAL_HTTP_PORT": "1", "LOCAL_LAMBDA_PORT": "2", "LOCAL_DYNAMODB_PORT": "3", "LOCAL_SECRETS_PORT": "4", "LOCAL_G2A_PORT": "5",
		"LOCAL_CONCURRENCY": "6", "LOCAL_G2A_CATALOGUE": "a.json", "DYNAMODB_ENDPOINT": "http://127.0.0.1:7",
	}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if want := (localcloud.Ports{HTTP: 1, Lambda: 2, DynamoDB: 3, Secrets: 4, G2A: 5}); s.ports != want || s.concurrency != 6 || s.dynamoDB != "http://127.0.0.1:7" || s.catalogue != "a.json" {
		t.Errorf("as given: %+v", s)
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		name                  string
		given                 environment
		wantHash, wantKey     string // "" is a made up one
		hashGiven, deprecated bool
	}{
		{"none", environment{}, "", "", false, false},
		{"both", environment{"G2A_API_HASH": "h", "G2A_API_KEY": "k"}, "h", "k", true, false},
		{"a hash", environment{"G2A_API_HASH": "h"}, "h", "", true, false},
		{"a key", environment{"G2A_API_KEY": "k"}, "", "k", false, false},
		{"the old name", environment{"G2A_API_SECRET": "h", "G2A_API_KEY": "k"}, "h", "k", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := readSettings(c.given.lookup)
			if err != nil {
				t.Fatal(err)
			}
			again, err := readSettings(c.given.lookup)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []struct {
				name, want string
				got, again g2a.Secret
			}{
				{"hash", c.wantHash, s.credentials.Hash, again.credentials.Hash},
				{"key", c.wantKey, s.credentials.Key, again.credentials.Key},
			} {
				got := part.got.Reveal()
				if part.want != "" && got != part.want || part.want == "" && (len(got) < 20 || got == part.again.Reveal()) {
					t.Errorf("%s: got %q, want %q", part.name, got, part.want)
				}
			}
			if s.hashGiven != c.hashGiven || s.deprecated != c.deprecated {
				t.Errorf("hash given: %v, deprecated: %v", s.hashGiven, s.deprecated)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		given environment
		args  []string
		want  string
	}{
		{"HTTP port", environment{"LOCAL_HTTP_PORT": "x"}, nil, `LOCAL_HTTP_PORT: "x" is not a whole number from 0 to 65535`},
		{"Lambda port", environment{"LOCAL_LAMBDA_PORT": "65536"}, nil, `LOCAL_LAMBDA_PORT: "65536" is not a whole number from 0 to 65535`},
		{"concurrency", environment{"LOCAL_CONCURRENCY": "0"}, nil, `LOCAL_CONCURRENCY: "0" is not a whole number from 1 to 1000`},
		{"all at once", environment{"LOCAL_G2A_PORT": "-1", "DYNAMODB_ENDPOINT": "localhost:8000"}, nil,
			"LOCAL_G2A_PORT: \"-1\" is not a whole number from 0 to 65535\nDYNAMODB_ENDPOINT: \"localhost:8000\" is not a URL like http://127.0.0.1:8000"},
		{"two hashes", environment{"G2A_API_HASH": "a", "G2A_API_SECRET": "b"}, nil, "G2A_API_SECRET: is the deprecated name of G2A_API_HASH and differs from it"},
		{"a hash that is none", environment{"G2A_API_HASH": "a b"}, nil, "G2A_API_HASH: holds a character that no credential has (only printable ASCII without space and comma)"},
		{"no catalogue", environment{"LOCAL_G2A_CATALOGUE": "not/there.json"}, nil, "LOCAL_G2A_CATALOGUE: open not/there.json: no such file or directory"},
		{"no command", nil, []string{}, usage},
		{"unknown command", nil, []string{"down"}, "there is no command \"down\"\n" + usage},
		{"invoke without an event", nil, []string{"invoke", "OrderFunction"}, usage},
		{"invoke without a file", nil, []string{"invoke", "OrderFunction", "not/there.json"}, "reading the event: open not/there.json: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.args == nil {
				c.args = []string{"up"}
			}
			if err := execute(t.Context(), c.args, c.given.lookup, io.Discard); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestInvoke(t *testing.T) {
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		status  int
		header  map[string]string
		wantOut string
		wantErr string
	}{
		{"an answer", 200, nil, "{\"b\":2}\n", ""},
		{"a function's error", 200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, "", `My/Function failed: {"b":2}`},
		{"an error of Lambda's", 404, map[string]string{"X-Amzn-ErrorType": "ResourceNotFoundException"}, "", `My/Function: ResourceNotFoundException: {"b":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"a":1}` || r.Method != "POST" || r.URL.EscapedPath() != "/2015-03-31/functions/My%2FFunction/invocations" {
					t.Errorf("was asked %s %s %s, %v", r.Method, r.URL.EscapedPath(), body, err)
				}
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"b":2}`)
			})}
			go func() { _ = server.Serve(listener) }()
			defer server.Close()
			var out bytes.Buffer
			err = invoke(t.Context(), listener.Addr().String(), "My/Function", event, &out)
			if out.String() != c.wantOut || errorText(err) != c.wantErr {
				t.Errorf("got %q, %v; want %q, %s", out.String(), err, c.wantOut, c.wantErr)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestNothingIsUp: both commands that need a running cloud say so.
func TestNothingIsUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	newRoot(t)
	if err := os.WriteFile("event.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("nothing answers on 127.0.0.1:%s: is `make up` running?", port)
	given := environment{"LOCAL_LAMBDA_PORT": port, "LOCAL_SECRETS_PORT": port}
	for _, args := range [][]string{{"invoke", "OrderFunction", "event.json"}, {"event"}} {
		t.Run(args[0], func(t *testing.T) {
			if err := execute(t.Context(), args, given.lookup, io.Discard); errorText(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestSignedEvent(t *testing.T) {
	const hash = "my-hash"
	for _, c := range []struct {
		name       string
		args       []string
		wantID     string
		wantOrder  string
		wantType   g2a.EventType
		wantStatus g2a.EventStatus
	}{
		{"by default", nil, "", "80201019921771", g2a.EventOrderCompleted, g2a.StatusCompleted},
		{"failed", []string{"-type", "order.failed", "-order", "7", "-event", "evt_1"}, "evt_1", "7", g2a.EventOrderFailed, g2a.StatusFailed},
		{"cancelled", []string{"-type", "order.cancelled"}, "", "80201019921771", g2a.EventOrderCancelled, g2a.StatusCancelled},
		{"changed", []string{"-type", "order.status_changed"}, "", "80201019921771", g2a.EventStatusChanged, g2a.StatusProcessing},
		{"a type that G2A has not", []string{"-type", "order.eaten", "-status", "gone"}, "", "80201019921771", "order.eaten", "gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "signed.json")
			args := append([]string{"event", "-o", file}, c.args...)
			var out bytes.Buffer
			if err := execute(t.Context(), args, environment{"G2A_API_HASH": hash}.lookup, &out); err != nil {
				t.Fatal(err)
			}
			written, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(written), hash) || strings.Contains(out.String(), hash) {
				t.Error("the hash is written")
			}
			event := verify(t, written, g2a.NewSecret(hash))
			if (c.wantID != "" && event.ID != c.wantID) || event.ID == "" || event.OrderID != c.wantOrder || event.Type != c.wantType || event.Status != c.wantStatus {
				t.Errorf("got %+v", event)
			}
		})
	}
}

// verify takes a file as the webhook's function would.
func verify(t *testing.T, written []byte, hash g2a.Secret) g2a.Event {
	t.Helper()
	var request events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(written, &request); err != nil {
		t.Fatal(err)
	}
	if request.RouteKey != "POST /webhooks/g2a" || request.IsBase64Encoded || request.Headers["content-type"] != "application/json" {
		t.Errorf("got %+v", request)
	}
	header := http.Header{}
	for name, value := range request.Headers {
		header.Set(name, value)
	}
	event, err := g2a.VerifyWebhook([]byte(request.Body), header, []g2a.Secret{hash}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return event
}

func TestSignedEventMistakes(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"order that is no id", []string{"-order", "a b"}, "field order_id is not 1 to 128 of "},
		{"folder that is not there", []string{"-o", "not/there.json"}, "writing the event: open not/there.json: "},
		{"unknown flag", []string{"-colour", "red"}, "flag provided but not defined: -colour"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			err := execute(t.Context(), append([]string{"event"}, c.args...), environment{"G2A_API_HASH": "h"}.lookup, io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// newRoot goes to a folder with the project's template and a test function in the
// place of each binary.
func newRoot(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("template.yaml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"webhook", "order", "token", "health"} {
		lambdatest.Bootstrap(t, filepath.Join("build", name))
	}
}

var readyLine = regexp.MustCompile(`^ready http=http://127\.0\.0\.1:\d+ lambda=http://127\.0\.0\.1:(\d+) dynamodb=http://127\.0\.0\.1:\d+ secrets=http://127\.0\.0\.1:(\d+) g2a=https://127\.0\.0\.1:\d+$`)

// TestUp starts it all, uses it through the other commands, and stops it.
func TestUp(t *testing.T) {
	newRoot(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- execute(ctx, []string{"up"}, freePorts().lookup, writer)
		writer.Close()
	}()
	var said []string
	running := environment{}
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		said = append(said, lines.Text())
		if ports := readyLine.FindStringSubmatch(lines.Text()); ports != nil {
			running["LOCAL_LAMBDA_PORT"], running["LOCAL_SECRETS_PORT"] = ports[1], ports[2]
			break
		}
	}
	if len(running) == 0 {
		t.Fatalf("it never was ready: %s, %v", said, <-ended)
	}
	go func() { // whatever it says from now on
		_, _ = io.Copy(io.Discard, reader)
	}()
	for _, want := range []string{"StateTable", "OrdersTable", "G2ASecret", "G2A  ", "OrderFunction", "/webhooks/g2a -> WebhookFunction", "HealthFunction every 1m0s", "not here    AWS::Logs::LogGroup"} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("it did not say %q: %s", want, strings.Join(said, "\n"))
		}
	}
	var out bytes.Buffer
	if err := execute(ctx, []string{"event", "-o", "signed.json"}, running.lookup, &out); err != nil {
		t.Error(err)
	}
	if err := execute(ctx, []string{"invoke", "WebhookFunction", "signed.json"}, running.lookup, &out); err != nil || !strings.Contains(out.String(), `{"pid":`) {
		t.Errorf("got %s, %v", out.String(), err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestUpIsStoppedWhileStarting(t *testing.T) {
	newRoot(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := execute(ctx, []string{"up"}, freePorts().lookup, io.Discard); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestUpFails(t *testing.T) {
	newRoot(t)
	if err := os.RemoveAll("build"); err != nil {
		t.Fatal(err)
	}
	err := execute(t.Context(), []string{"up"}, freePorts().lookup, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "build/webhook/bootstrap is missing: make build\n") {
		t.Errorf("got %v", err)
	}
}

package xray_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-xray-sdk-go/xray"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

const (
	root   = "1-5759e988-bd862e3fe1be46a994272793"
	parent = "53995c3f42cd8ad8"
)

// nameAllowed is what X-Ray's documentation lets a name hold.
var nameAllowed = regexp.MustCompile(`^[\pL\pN\pZ_.:/%&#=+\\\-@]{1,200}$`)

// segment is the part of a segment document that is looked at.
type segment struct {
	Name      string  `json:"name"`
	ID        string  `json:"id"`
	TraceID   string  `json:"trace_id"`
	ParentID  string  `json:"parent_id"`
	Type      string  `json:"type"`
	Namespace string  `json:"namespace"`
	Fault     bool    `json:"fault"`
	StartTime float64 `json:"start_time"`
	EndTime   float64 `json:"end_time"`
	Cause     struct {
		Exceptions []struct {
			Message string `json:"message"`
		} `json:"exceptions"`
	} `json:"cause"`
	Subsegments []segment `json:"subsegments"`
}

// daemon listens as X-Ray's does, and has the SDK send to it.
func daemon(t *testing.T) net.PacketConn {
	t.Helper()
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if err := sdk.Configure(sdk.Config{DaemonAddr: listener.LocalAddr().String()}); err != nil {
		t.Fatal(err)
	}
	return listener
}

// receive reads the next segment. What was sent is there already: the deadline only
// ends a test that fails.
func receive(t *testing.T, daemon net.PacketConn) (s segment) {
	t.Helper()
	if err := daemon.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 64<<10)
	n, _, err := daemon.ReadFrom(packet)
	if err != nil {
		t.Fatalf("no segment was sent: %v", err)
	}
	header, document, _ := bytes.Cut(packet[:n], []byte("\n"))
	if string(header) != `{"format": "json", "version": 1}` {
		t.Fatalf("header %s", header)
	}
	if err := json.Unmarshal(document, &s); err != nil {
		t.Fatalf("segment %s: %v", document, err)
	}
	return s
}

func traced(t *testing.T, header string) context.Context {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	return context.WithValue(t.Context(), "x-amzn-trace-id", header)
}

func TestTracer(t *testing.T) {
	tests := []struct {
		name string
		span string
		want string
		err  error
	}{
		{"call", "G2A GET /products", "G2A GET /products", nil},
		{"path with an id", "G2A PUT /order/pay/{id}", "G2A PUT /order/pay/:id", nil},
		{"call that failed", "G2A GET /order/details/{id}", "G2A GET /order/details/:id", errors.New("G2A is not available")},
	}
	daemon := daemon(t)
	var log bytes.Buffer
	var tracer telemetry.Tracer = xray.NewTracer(telemetry.NewLogger(&log))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, end := tracer.Start(traced(t, "Root="+root+";Parent="+parent+";Sampled=1"), tt.span)
			end(tt.err)
			got := receive(t, daemon)
			if got.Name != tt.want || !nameAllowed.MatchString(got.Name) {
				t.Errorf("name %q, want %q", got.Name, tt.want)
			}
			if got.TraceID != root || got.ParentID != parent || got.Type != "subsegment" || got.Namespace != "remote" || len(got.ID) != 16 {
				t.Errorf("segment %+v", got)
			}
			if got.StartTime <= 0 || got.EndTime < got.StartTime {
				t.Errorf("from %v to %v", got.StartTime, got.EndTime)
			}
			if got.Fault != (tt.err != nil) {
				t.Errorf("fault is %v", got.Fault)
			}
			if tt.err != nil && (len(got.Cause.Exceptions) != 1 || got.Cause.Exceptions[0].Message != tt.err.Error()) {
				t.Errorf("cause %+v", got.Cause)
			}
		})
	}
	if log.Len() != 0 {
		t.Errorf("logged %s", log.String())
	}
}

// TestSpanInSpan: the context that Start gives has the span.
func TestSpanInSpan(t *testing.T) {
	daemon := daemon(t)
	tracer := xray.NewTracer(slog.New(slog.DiscardHandler))
	ctx, endOuter := tracer.Start(traced(t, "Root="+root+";Parent="+parent+";Sampled=1"), "outer")
	_, endInner := tracer.Start(ctx, "inner")
	endInner(nil)
	endOuter(nil)
	if got := receive(t, daemon); got.Name != "outer" || len(got.Subsegments) != 1 || got.Subsegments[0].Name != "inner" {
		t.Errorf("got %+v", got)
	}
}

// TestNotTraced: where Lambda does not sample, or there is no trace, nothing is sent.
// The next span of a trace is then the first thing to arrive.
func TestNotTraced(t *testing.T) {
	tests := []struct {
		name string
		ctx  func(t *testing.T) context.Context
	}{
		{"no header", func(t *testing.T) context.Context { return t.Context() }},
		{"empty header", func(t *testing.T) context.Context { return traced(t, "") }},
		{"header of another form", func(t *testing.T) context.Context { return traced(t, ";=;Root;Sampled=?") }},
		{"not sampled", func(t *testing.T) context.Context { return traced(t, "Root="+root+";Parent="+parent+";Sampled=0") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			daemon := daemon(t)
			tracer := xray.NewTracer(slog.New(slog.DiscardHandler))
			_, end := tracer.Start(tt.ctx(t), "lost")
			end(errors.New("failed"))
			_, end = tracer.Start(traced(t, "Root="+root+";Parent="+parent+";Sampled=1"), "kept")
			end(nil)
			if got := receive(t, daemon); got.Name != "kept" {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

// TestOutput runs the test binary as a function: all that it writes is JSON, whatever
// the SDK has to say while it is loaded, without a trace and without a daemon.
func TestOutput(t *testing.T) {
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	child := exec.CommandContext(t.Context(), os.Args[0])
	// GOCOVERDIR, since -cover would warn without it.
	child.Env = []string{asFunction + "=1", "GOCOVERDIR=" + t.TempDir(), "AWS_XRAY_DAEMON_ADDRESS=" + gone.LocalAddr().String(), "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR"}
	output, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("running as a function: %v\n%s", err, output)
	}
	told := false
	for line := range bytes.Lines(output) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Errorf("a line that is not a JSON object: %q", line)
		}
		text, _ := fields["error"].(string)
		told = told || fields["level"] == "WARN" && strings.Contains(text, "without a trace")
	}
	if !told {
		t.Errorf("the SDK's warning is not in the log: %s", output)
	}
}

// asFunction is set where the test binary runs as a function.
const asFunction = "TEST_AS_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) == "" {
		os.Exit(m.Run())
	}
	tracer := xray.NewTracer(telemetry.NewLogger(os.Stdout))
	_, end := tracer.Start(context.Background(), "without a trace")
	end(nil)
	header := "Root=" + root + ";Parent=" + parent + ";Sampled=1"
	for range 3 {
		//lint:ignore SA1029 the key is aws-lambda-go's
		_, end := tracer.Start(context.WithValue(context.Background(), "x-amzn-trace-id", header), "without a daemon")
		end(errors.New("failed"))
	}
}

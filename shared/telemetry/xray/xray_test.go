// Both implementations pass these tests: go test ./shared/telemetry/xray, and again with
// -tags lighttrace. What they send is compared with the same spans, so that either can
// take the other's place.
package xray_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry/xray"
)

const (
	root   = "1-5759e988-bd862e3fe1be46a994272793"
	parent = "53995c3f42cd8ad8"
	header = "Root=" + root + ";Parent=" + parent + ";Sampled=1"
)

var (
	// nameAllowed is what X-Ray's documentation lets a name hold.
	nameAllowed = regexp.MustCompile(`^[\pL\pN\pZ_.:/%&#=+\\\-@]{1,200}$`)
	idForm      = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// document is the part of a subsegment that is looked at.
type document struct {
	Name      string  `json:"name"`
	ID        string  `json:"id"`
	TraceID   string  `json:"trace_id"`
	ParentID  string  `json:"parent_id"`
	Type      string  `json:"type"`
	Namespace string  `json:"namespace"`
	Error     bool    `json:"error"`
	Fault     bool    `json:"fault"`
	Throttle  bool    `json:"throttle"`
	StartTime float64 `json:"start_time"`
	EndTime   float64 `json:"end_time"`
	Cause     struct {
		Exceptions []struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"exceptions"`
	} `json:"cause"`
	Subsegments []document `json:"subsegments"`
}

// span is what X-Ray shows of a subsegment, whether it came within its parent, as the
// SDK may send it, or alone. The zero parent is the invocation's segment.
type span struct {
	name, parent, namespace string
	isError, fault          bool
	throttle                bool
	cause                   string // "type: message"
}

// daemon listens as X-Ray's does.
type daemon struct {
	net.PacketConn
	t       *testing.T
	packets bytes.Buffer // all that has arrived
}

func listen(t *testing.T) *daemon {
	t.Helper()
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return &daemon{PacketConn: connection, t: t}
}

func (d *daemon) address() string { return d.LocalAddr().String() }

// next reads one datagram. What was sent is there already: the deadline only ends a test
// that fails.
func (d *daemon) next() (sent document) {
	d.t.Helper()
	if err := d.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	packet := make([]byte, 64<<10)
	n, _, err := d.ReadFrom(packet)
	if err != nil {
		d.t.Fatalf("no segment was sent: %v", err)
	}
	d.packets.Write(packet[:n])
	line, text, _ := bytes.Cut(packet[:n], []byte("\n"))
	var format map[string]any
	if json.Unmarshal(line, &format) != nil || fmt.Sprint(format) != "map[format:json version:1]" {
		d.t.Fatalf("header %s", line)
	}
	if err := json.Unmarshal(text, &sent); err != nil {
		d.t.Fatalf("segment %s: %v", text, err)
	}
	if sent.Type != "subsegment" || sent.TraceID != root {
		d.t.Errorf("type %q of trace %q", sent.Type, sent.TraceID)
	}
	return sent
}

// spans returns all that has been sent, sorted by name. It ends with a span of its own,
// which is not among them.
func (d *daemon) spans(tracer telemetry.Tracer) []span {
	d.t.Helper()
	const last = "the last one"
	_, end := tracer.Start(traced(d.t, header), telemetry.Remote, last)
	end(200, nil)
	var all []document
	for {
		sent := d.next()
		if sent.Name == last {
			break
		}
		all = append(all, d.flatten(sent)...)
	}
	names := map[string]string{parent: ""}
	for _, s := range all {
		if names[s.ID] != "" || !idForm.MatchString(s.ID) {
			d.t.Errorf("%s: id %q is not one of its own", s.Name, s.ID)
		}
		names[s.ID] = s.Name
	}
	var spans []span
	for _, s := range all {
		of, known := names[s.ParentID]
		if !known {
			d.t.Errorf("%s: no parent %q", s.Name, s.ParentID)
		}
		if now := float64(time.Now().UnixMicro()) / 1e6; s.StartTime < now-60 || s.EndTime < s.StartTime || s.EndTime > now+1 {
			d.t.Errorf("%s: from %f to %f", s.Name, s.StartTime, s.EndTime)
		}
		if !nameAllowed.MatchString(s.Name) {
			d.t.Errorf("X-Ray does not take the name %q", s.Name)
		}
		got := span{s.Name, of, s.Namespace, s.Error, s.Fault, s.Throttle, ""}
		for _, e := range s.Cause.Exceptions {
			if !idForm.MatchString(e.ID) {
				d.t.Errorf("%s: id %q of its exception", s.Name, e.ID)
			}
			got.cause += e.Type + ": " + e.Message
		}
		spans = append(spans, got)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.name, b.name) })
	return spans
}

// flatten returns a subsegment and those within it, each with its parent.
func (d *daemon) flatten(s document) []document {
	all := []document{s}
	for _, inner := range s.Subsegments {
		inner.ParentID = s.ID
		all = append(all, d.flatten(inner)...)
	}
	return all
}

func (d *daemon) expect(tracer telemetry.Tracer, want ...span) {
	d.t.Helper()
	if got := d.spans(tracer); !slices.Equal(got, want) {
		d.t.Errorf("sent\n%+v\nwant\n%+v", got, want)
	}
}

func traced(t *testing.T, header string) context.Context {
	t.Helper()
	//lint:ignore SA1029 the key is aws-lambda-go's
	return context.WithValue(t.Context(), "x-amzn-trace-id", header)
}

func TestSpans(t *testing.T) {
	const hash = "hash-not-to-be-seen"
	refused := &g2a.Error{Method: "GET", Route: "/order/key/{id}", Status: 403, Kind: g2a.ErrInsufficientFunds}
	tests := []struct {
		name      string
		namespace telemetry.Namespace
		span      string
		status    int
		err       error
		want      span
	}{
		{"call", telemetry.Remote, "G2A GET /products", 200, nil,
			span{name: "G2A GET /products", namespace: "remote"}},
		{"call of AWS", telemetry.AWS, "Secrets Manager GetSecretValue", 200, nil,
			span{name: "Secrets Manager GetSecretValue", namespace: "aws"}},
		{"path with an id", telemetry.Remote, "G2A PUT /order/pay/{id}", 200, nil,
			span{name: "G2A PUT /order/pay/:id", namespace: "remote"}},
		{"refused", telemetry.Remote, "refused", 403, refused,
			span{name: "refused", namespace: "remote", isError: true, cause: "g2a.Error: GET /order/key/{id}: not enough funds (HTTP 403)"}},
		{"throttled", telemetry.AWS, "throttled", 429, errors.New("ThrottlingException"),
			span{name: "throttled", namespace: "aws", isError: true, throttle: true, cause: "errors.errorString: ThrottlingException"}},
		{"the service's fault", telemetry.Remote, "down", 503, errors.New("G2A is\nnot \"available\""),
			span{name: "down", namespace: "remote", fault: true, cause: "errors.errorString: G2A is\nnot \"available\""}},
		{"malformed answer", telemetry.Remote, "malformed", 200, g2a.ErrMalformedAnswer,
			span{name: "malformed", namespace: "remote", fault: true, cause: "errors.errorString: G2A's answer is malformed"}},
		{"no answer", telemetry.Remote, "silent", 0, context.DeadlineExceeded,
			span{name: "silent", namespace: "remote", fault: true, cause: "context.deadlineExceededError: context deadline exceeded"}},
		{"secret in an error", telemetry.Remote, "secret", 401, fmt.Errorf("rejected: %v", g2a.NewSecret(hash)),
			span{name: "secret", namespace: "remote", isError: true, cause: "errors.errorString: rejected: [redacted]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := listen(t)
			var log bytes.Buffer
			var tracer telemetry.Tracer = xray.NewTracer(telemetry.NewLogger(&log), d.address())
			_, end := tracer.Start(traced(t, header), tt.namespace, tt.span)
			end(tt.status, tt.err)
			d.expect(tracer, tt.want)
			if strings.Contains(d.packets.String(), hash) {
				t.Errorf("sent a secret: %s", d.packets.String())
			}
			if log.Len() != 0 {
				t.Errorf("logged %s", log.String())
			}
		})
	}
}

// TestSpanInSpan: the context that Start returns has the span.
func TestSpanInSpan(t *testing.T) {
	start := func(t *testing.T, tracer telemetry.Tracer, ctx context.Context, name string) (context.Context, func()) {
		t.Helper()
		ctx, end := tracer.Start(ctx, telemetry.Remote, name)
		return ctx, func() { end(200, nil) }
	}
	tests := []struct {
		name string
		work func(t *testing.T, tracer telemetry.Tracer)
		want []span
	}{
		{"two levels", func(t *testing.T, tracer telemetry.Tracer) {
			a, endA := start(t, tracer, traced(t, header), "a")
			b, endB := start(t, tracer, a, "b")
			_, endC := start(t, tracer, b, "c")
			endC()
			_, endD := start(t, tracer, a, "d")
			endD()
			endB()
			endA()
		}, []span{{name: "a"}, {name: "b", parent: "a"}, {name: "c", parent: "b"}, {name: "d", parent: "a"}}},
		{"one after the other", func(t *testing.T, tracer telemetry.Tracer) {
			ctx := traced(t, header)
			_, endA := start(t, tracer, ctx, "a")
			endA()
			_, endB := start(t, tracer, ctx, "b")
			endB()
		}, []span{{name: "a"}, {name: "b"}}},
		{"the outer one ends first", func(t *testing.T, tracer telemetry.Tracer) {
			a, endA := start(t, tracer, traced(t, header), "a")
			_, endB := start(t, tracer, a, "b")
			endA()
			endB()
		}, []span{{name: "a"}, {name: "b", parent: "a"}}},
		{"at the same time", func(t *testing.T, tracer telemetry.Tracer) {
			a, endA := start(t, tracer, traced(t, header), "a")
			var working sync.WaitGroup
			for _, name := range []string{"b", "c", "d"} {
				working.Go(func() {
					_, end := start(t, tracer, a, name)
					end()
				})
			}
			working.Wait()
			endA()
		}, []span{{name: "a"}, {name: "b", parent: "a"}, {name: "c", parent: "a"}, {name: "d", parent: "a"}}},
		{"cancelled, and detached from it", func(t *testing.T, tracer telemetry.Tracer) {
			ctx, cancel := context.WithCancel(traced(t, header))
			a, endA := start(t, tracer, ctx, "a")
			cancel()
			_, endB := start(t, tracer, context.WithoutCancel(a), "b")
			endB()
			endA()
		}, []span{{name: "a"}, {name: "b", parent: "a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := listen(t)
			tracer := xray.NewTracer(slog.New(slog.DiscardHandler), d.address())
			tt.work(t, tracer)
			for i := range tt.want {
				tt.want[i].namespace = "remote"
			}
			d.expect(tracer, tt.want...)
		})
	}
}

// TestNotTraced: where Lambda does not sample, or there is no trace, nothing is sent and
// nothing logged.
func TestNotTraced(t *testing.T) {
	tests := []struct {
		name string
		ctx  func(t *testing.T) context.Context
	}{
		{"no header", func(t *testing.T) context.Context { return t.Context() }},
		{"empty header", func(t *testing.T) context.Context { return traced(t, "") }},
		{"header of another form", func(t *testing.T) context.Context { return traced(t, ";=;Root;Sampled=?") }},
		{"no root", func(t *testing.T) context.Context { return traced(t, "Parent="+parent+";Sampled=1") }},
		{"no segment", func(t *testing.T) context.Context { return traced(t, "Root="+root+";Sampled=1") }},
		{"not sampled", func(t *testing.T) context.Context { return traced(t, "Root="+root+";Parent="+parent+";Sampled=0") }},
		{"not decided", func(t *testing.T) context.Context { return traced(t, "Root="+root+";Parent="+parent+";Sampled=?") }},
		{"not said", func(t *testing.T) context.Context { return traced(t, "Root="+root+";Parent="+parent) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := listen(t)
			var log bytes.Buffer
			tracer := xray.NewTracer(telemetry.NewLogger(&log), d.address())
			ctx, end := tracer.Start(tt.ctx(t), telemetry.Remote, "outer")
			_, endInner := tracer.Start(ctx, telemetry.AWS, "inner")
			endInner(200, nil)
			end(0, errors.New("failed"))
			d.expect(tracer)
			if log.Len() != 0 {
				t.Errorf("logged %s", log.String())
			}
		})
	}
}

// TestHeader: a header is read whatever stands beside, in any order.
func TestHeader(t *testing.T) {
	d := listen(t)
	tracer := xray.NewTracer(slog.New(slog.DiscardHandler), d.address())
	_, end := tracer.Start(traced(t, "Self=1-2-3; Sampled=1 ;Lineage=a:1;Parent="+parent+"; Root="+root), telemetry.Remote, "a")
	end(200, nil)
	d.expect(tracer, span{name: "a", namespace: "remote"})
}

// TestNoDaemon: an address that is not one is a warning, and harms no call.
func TestNoDaemon(t *testing.T) {
	var log bytes.Buffer
	tracer := xray.NewTracer(telemetry.NewLogger(&log), "nowhere")
	if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"level":"WARN","message":"X-Ray","error":"`) {
		t.Errorf("logged %q, want one warning", line)
	}
	_, end := tracer.Start(traced(t, header), telemetry.Remote, "lost")
	end(200, nil)
}

// TestOutput runs the test binary as a function: all that it writes is JSON, whatever
// the SDK has to say while it is loaded, without a trace and without a daemon.
func TestOutput(t *testing.T) {
	gone := listen(t)
	_ = gone.Close()
	child := exec.CommandContext(t.Context(), os.Args[0])
	// GOCOVERDIR, since -cover would warn without it.
	child.Env = []string{asFunction + "=1", "GOCOVERDIR=" + t.TempDir(), "AWS_XRAY_DAEMON_ADDRESS=" + gone.address(), "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR"}
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
		told = told || fields["level"] == "WARN" && strings.Contains(text, "connection refused")
	}
	if !told {
		t.Errorf("that no daemon listens is not in the log: %s", output)
	}
}

// asFunction is set where the test binary runs as a function.
const asFunction = "TEST_AS_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) == "" {
		os.Exit(m.Run())
	}
	tracer := xray.NewTracer(telemetry.NewLogger(os.Stdout), os.Getenv("AWS_XRAY_DAEMON_ADDRESS"))
	_, end := tracer.Start(context.Background(), telemetry.Remote, "without a trace")
	end(200, nil)
	for range 3 {
		//lint:ignore SA1029 the key is aws-lambda-go's
		_, end := tracer.Start(context.WithValue(context.Background(), "x-amzn-trace-id", header), telemetry.Remote, "without a daemon")
		end(0, errors.New("failed"))
	}
}

package localcloud

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda/lambdatest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var called []time.Duration
		go keep(ctx, time.Minute, func(now time.Time) { called = append(called, now.Sub(start)) })
		time.Sleep(3*time.Minute + time.Second) // of the bubble's own time
		cancel()
		synctest.Wait()
		time.Sleep(time.Hour)
		if want := []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}; !reflect.DeepEqual(called, want) {
			t.Errorf("called after %s, want %s", called, want)
		}
	})
}

func TestScheduledEvent(t *testing.T) {
	payload := scheduledEvent(template.Function{LogicalID: "TokenRefreshFunction"}, template.Schedule{Name: "Refresh"}, time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600)))
	var event events.CloudWatchEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	if len(event.ID) != 36 {
		t.Errorf("id %q", event.ID)
	}
	event.ID = ""
	want := events.CloudWatchEvent{
		Version: "0", DetailType: "Scheduled Event", Source: "aws.events", AccountID: "123456789012", Region: "eu-central-1",
		Time:      time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC),
		Resources: []string{"arn:aws:events:eu-central-1:123456789012:rule/TokenRefreshFunctionRefresh"},
		Detail:    json.RawMessage("{}"),
	}
	if !reflect.DeepEqual(event, want) {
		t.Errorf("got  %+v\nwant %+v", event, want)
	}
}

// TestFire has a schedule's call reach the function, which says so by refusing it.
func TestFire(t *testing.T) {
	lines := make(lambdatest.Lines, 100)
	options := testOptions(newRoot(t))
	options.Schedules, options.Log = true, log.New(lines, "", 0)
	c := mustStart(t, options)
	lines.Await(t, "schedule    TokenRefreshFunction every 1m0s")
	lines.Await(t, "schedule    HealthFunction every 1m0s")
	f := c.Stack().Functions[len(c.Stack().Functions)-1]
	c.fire(f, f.Schedules[0], time.Now())
	lines.Await(t, f.LogicalID+`: an asynchronous invocation failed: {"errorMessage":"no use for a Scheduled Event"`)
}

func TestXRay(t *testing.T) {
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	ended := make(chan error)
	go func() { ended <- copySegments(writer, connection) }()
	client, err := net.Dial("udp", connection.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	const header = `{"format":"json","version":1}` + "\n"
	for _, packet := range []string{"no segment", header + "{broken", header + "{\n \"id\": \"1\"\n}", header + `{"id":"2"}`} {
		if _, err := client.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	lines := bufio.NewScanner(reader)
	for _, want := range []string{`{"id":"1"}`, `{"id":"2"}`} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
	connection.Close()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestAuthority(t *testing.T) {
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "folder", caFile)
	if err := a.write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("%s", text)
	}
	written, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(written)
	leaf, err := x509.ParseCertificate(a.leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, wantTrust := range map[string]bool{"127.0.0.1": true, "localhost": true, "sandboxapi.g2a.com": false} {
		t.Run(name, func(t *testing.T) {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: name}); (err == nil) != wantTrust {
				t.Errorf("got %v, want trust: %v", err, wantTrust)
			}
		})
	}
}

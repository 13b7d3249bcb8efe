package telemetry_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

func metricsTo(out *output) telemetry.Metrics {
	return telemetry.Metrics{Namespace: "G2A/test", Writer: out, Clock: func() time.Time { return time.UnixMilli(1764000000123) }}
}

// embedded is what CloudWatch reads of a line in its embedded metric format.
type embedded struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// readMetrics reads a line as CloudWatch does: "name=value unit [dimension=value]".
func readMetrics(t *testing.T, line string) []string {
	t.Helper()
	var e embedded
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	if e.AWS.Timestamp != 1764000000123 || len(e.AWS.CloudWatchMetrics) != 1 || e.AWS.CloudWatchMetrics[0].Namespace != "G2A/test" {
		t.Fatalf("not an embedded metric of namespace G2A/test: %s", line)
	}
	directive := e.AWS.CloudWatchMetrics[0]
	if len(directive.Dimensions) != 1 {
		t.Fatalf("dimension sets are %v, want one", directive.Dimensions)
	}
	dimensions := ""
	for _, name := range directive.Dimensions[0] {
		value, isText := fields[name].(string)
		if !isText || value == "" {
			t.Errorf("dimension %s has no value: %s", name, line)
		}
		dimensions += " " + name + "=" + value
	}
	var read []string
	for _, metric := range directive.Metrics {
		value, isNumber := fields[metric.Name].(float64)
		if !isNumber {
			t.Errorf("metric %s has no value: %s", metric.Name, line)
		}
		read = append(read, fmt.Sprint(metric.Name, "=", value, " ", metric.Unit, dimensions))
	}
	if want := 1 + len(directive.Dimensions[0]) + len(directive.Metrics); len(fields) != want {
		t.Errorf("%d fields, want %d: %s", len(fields), want, line)
	}
	return read
}

func TestEmit(t *testing.T) {
	tests := []struct {
		name string
		emit func(telemetry.Metrics)
		want []string
	}{
		{"with a dimension", func(m telemetry.Metrics) {
			m.Emit(telemetry.Dimension{Name: "result", Value: "processed"}, telemetry.Metric{Name: "Webhook", Value: 1, Unit: telemetry.Count})
		}, []string{"Webhook=1 Count result=processed"}},
		{"without", func(m telemetry.Metrics) {
			m.Emit(telemetry.Dimension{}, telemetry.Metric{Name: "TokenTTL", Value: 3599.5, Unit: telemetry.Seconds})
		}, []string{"TokenTTL=3599.5 Seconds"}},
		{"with a dimension of no value", func(m telemetry.Metrics) {
			m.Emit(telemetry.Dimension{Name: "reason"}, telemetry.Metric{Name: "Rejected", Value: 1, Unit: telemetry.Count})
		}, []string{"Rejected=1 Count"}},
		{"several", func(m telemetry.Metrics) {
			m.Emit(telemetry.Dimension{Name: "route", Value: "GET /x"},
				telemetry.Metric{Name: "A", Value: 0, Unit: telemetry.Count}, telemetry.Metric{Name: "B", Value: 12, Unit: telemetry.Milliseconds})
		}, []string{"A=0 Count route=GET /x", "B=12 Milliseconds route=GET /x"}},
		{"count", func(m telemetry.Metrics) {
			m.Count("Orders", telemetry.Dimension{Name: "status", Value: "fulfilled\n\"x"})
		},
			[]string{"Orders=1 Count status=fulfilled\n\"x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := &output{}
			test.emit(metricsTo(out))
			if out.objects(t); len(out.pieces) != 1 {
				t.Fatalf("%d lines", len(out.pieces))
			}
			if got := readMetrics(t, out.pieces[0]); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("metrics are %q, want %q", got, test.want)
			}
		})
	}
}

func TestEmitWhatIsNoNumber(t *testing.T) {
	out := &output{}
	metricsTo(out).Emit(telemetry.Dimension{}, telemetry.Metric{Name: "A", Value: math.NaN(), Unit: telemetry.Count})
	line := out.objects(t)[0]
	if line["level"] != "ERROR" || line["message"] != "a metric could not be written" || line["timestamp"] != "2025-11-24T16:00:00.123Z" || line["_aws"] != nil {
		t.Errorf("line is %v, want an error in the log", line)
	}
}

// TestVersion: each line of metrics names the version, and no metric is split by it.
func TestVersion(t *testing.T) {
	out := &output{}
	metrics := metricsTo(out)
	metrics.Version = "v1.4.0"
	metrics.Count("Orders", telemetry.Dimension{Name: "status", Value: "paid"})
	metrics.Emit(telemetry.Dimension{}, telemetry.Metric{Name: "A", Value: math.NaN(), Unit: telemetry.Count})
	for _, line := range out.objects(t) {
		if line["version"] != "v1.4.0" {
			t.Errorf("line is %v, want the version v1.4.0", line)
		}
	}
	if !strings.Contains(out.pieces[0], `"Dimensions":[["status"]]`) {
		t.Errorf("line is %s, want the dimension status alone", out.pieces[0])
	}
}

// TestLinesDoNotInterleave: metrics and log share standard output, which takes one
// Write call as one piece.
func TestLinesDoNotInterleave(t *testing.T) {
	out := &output{}
	metrics, log := metricsTo(out), telemetry.NewLogger(out)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { metrics.Count("Orders", telemetry.Dimension{Name: "status", Value: fmt.Sprint(i)}) })
		wg.Go(func() { log.Info("line", "i", i) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, line := range out.objects(t) {
		seen[fmt.Sprint(line["status"], line["i"])] = true
	}
	if len(out.pieces) != 100 || len(seen) != 100 {
		t.Errorf("%d writes with %d lines, want 100 of each", len(out.pieces), len(seen))
	}
}

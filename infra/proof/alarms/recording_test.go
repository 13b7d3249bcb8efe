//go:build proof

package alarms

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/alarm"
)

// value is a value of a metric.
type value struct {
	metric alarm.Metric
	is     float64
}

// minute is what a minute of traffic was measured as: what its schedules emitted, and what
// its order and its webhook did, which come as often as the traffic has them.
type minute struct{ scheduled, traffic []value }

// replay puts minutes into the series from one time to another: the first and the second as
// they were recorded, and the last one for the rest. Traffic comes each so many minutes.
func replay(series *alarm.Metrics, recorded []minute, from, to time.Time, each int) {
	for n := 0; from.Before(to); n, from = n+1, from.Add(time.Minute) {
		of := recorded[min(n, len(recorded)-1)]
		values := of.scheduled
		if n%each == 0 {
			values = append(values[:len(values):len(values)], of.traffic...)
		}
		for _, v := range values {
			series.Put(v.metric, from, v.is)
		}
	}
}

// embedded is a line in CloudWatch's embedded metric format.
type embedded struct {
	AWS struct {
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name string }
		}
	} `json:"_aws"`
}

// readMetrics reads the metrics among the lines of a log, as CloudWatch does.
func readMetrics(t *testing.T, log []byte) (values []value) {
	t.Helper()
	for line := range bytes.Lines(log) {
		var e embedded
		var fields map[string]any
		if json.Unmarshal(line, &e) != nil || json.Unmarshal(line, &fields) != nil {
			continue // what a function prints that could not even start
		}
		for _, directive := range e.AWS.CloudWatchMetrics {
			for _, names := range directive.Dimensions {
				dimensions := map[string]string{}
				for _, name := range names {
					dimensions[name], _ = fields[name].(string)
				}
				for _, metric := range directive.Metrics {
					is, measured := fields[metric.Name].(float64)
					if !measured {
						t.Errorf("metric %s has no value: %s", metric.Name, line)
					}
					values = append(values, value{alarm.Metric{Namespace: directive.Namespace, Name: metric.Name, Dimensions: dimensions}, is})
				}
			}
		}
	}
	return values
}

// emitted returns what a function has emitted since it was last asked.
func (s *stack) emitted(function string) []value {
	s.t.Helper()
	log, err := os.ReadFile(filepath.Join(s.Logs(), function+".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	fresh := log[s.read[function]:]
	s.read[function] = len(log)
	return readMetrics(s.t, fresh)
}

// byAWS is what AWS measures of an invocation.
func byAWS(function string, failed bool, took time.Duration) []value {
	of := func(name string) alarm.Metric {
		return alarm.Metric{Namespace: "AWS/Lambda", Name: name, Dimensions: map[string]string{"FunctionName": function}}
	}
	return []value{{of("Errors"), number(failed)}, {of("Throttles"), 0}, {of("Duration"), float64(took.Milliseconds())}}
}

// byGateway is what AWS measures of a request.
func byGateway(status int) value {
	return value{alarm.Metric{Namespace: "AWS/ApiGateway", Name: "5xx", Dimensions: map[string]string{"ApiId": "HttpApi"}}, number(status >= 500)}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

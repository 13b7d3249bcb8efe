package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Unit is a CloudWatch unit.
type Unit string

// The units in use.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
	Seconds      Unit = "Seconds"
)

// Metric is one measured value.
type Metric struct {
	Name  string
	Value float64
	Unit  Unit
}

// Dimension splits a metric. The zero Dimension is none.
type Dimension struct{ Name, Value string }

// Metrics writes CloudWatch's embedded metric format: log lines that CloudWatch
// makes metrics of, with no call.
type Metrics struct {
	Namespace string // CloudWatch's, one for each stack
	Version   string // of the program, in each line, not in the metrics; "" is none
	Writer    io.Writer
	Clock     func() time.Time
}

// Emit writes the metrics as one line.
func (m Metrics) Emit(dimension Dimension, metrics ...Metric) {
	type definition struct {
		Name string `json:"Name"`
		Unit Unit   `json:"Unit"`
	}
	line := map[string]any{}
	if m.Version != "" {
		line["version"] = m.Version
	}
	dimensions := [][]string{{}}
	if dimension.Name != "" && dimension.Value != "" { // CloudWatch refuses an empty value
		dimensions = [][]string{{dimension.Name}}
		line[dimension.Name] = dimension.Value
	}
	definitions := make([]definition, len(metrics))
	for i, metric := range metrics {
		definitions[i] = definition{metric.Name, metric.Unit}
		line[metric.Name] = metric.Value
	}
	line["_aws"] = map[string]any{
		"Timestamp": m.Clock().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": m.Namespace, "Dimensions": dimensions, "Metrics": definitions,
		}},
	}
	text, err := json.Marshal(line)
	if err != nil { // only a value that is no number can do this
		text = fmt.Appendf(nil, `{"timestamp":%q,"level":"ERROR","message":"a metric could not be written","error":%q,"version":%q}`,
			m.Clock().UTC().Format(time.RFC3339Nano), err.Error(), m.Version)
	}
	_, _ = m.Writer.Write(append(text, '\n')) // where standard output fails, nothing is left to tell it to
}

// Count writes one metric with the value 1.
func (m Metrics) Count(name string, dimension Dimension) {
	m.Emit(dimension, Metric{Name: name, Value: 1, Unit: Count})
}

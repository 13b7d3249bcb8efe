package alarm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Metric names a metric. Each set of dimensions is another one: CloudWatch adds nothing up
// over dimensions.
type Metric struct {
	Namespace  string
	Name       string
	Dimensions map[string]string
}

// String returns the metric's identity in one line.
func (m Metric) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", m.Namespace, m.Name)
	for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
		fmt.Fprintf(&b, " %s=%s", name, m.Dimensions[name])
	}
	return b.String()
}

// Metrics are values of metrics over time, kept for each minute. The zero value has none.
type Metrics struct {
	minutes map[string]map[int64]set // by metric and unix minute
}

// set is a statistic set.
type set struct {
	sum, lowest, highest float64
	count                int
}

func (s set) with(other set) set {
	if s.count == 0 {
		return other
	}
	return set{s.sum + other.sum, min(s.lowest, other.lowest), max(s.highest, other.highest), s.count + other.count}
}

// Put adds a value.
func (m *Metrics) Put(metric Metric, at time.Time, value float64) {
	if m.minutes == nil {
		m.minutes = map[string]map[int64]set{}
	}
	name, minute := metric.String(), at.Unix()/60
	if m.minutes[name] == nil {
		m.minutes[name] = map[int64]set{}
	}
	m.minutes[name][minute] = m.minutes[name][minute].with(set{value, value, value, 1})
}

// statistic aggregates the period that ends at a time, which is a minute's end. false is a
// datapoint that is missing.
func (m *Metrics) statistic(metric Metric, statistic string, end time.Time, period time.Duration) (float64, bool) {
	of, all := m.minutes[metric.String()], set{}
	for minute := end.Add(-period).Unix() / 60; minute < end.Unix()/60; minute++ {
		if found, any := of[minute]; any {
			all = all.with(found)
		}
	}
	switch {
	case all.count == 0:
		return 0, false
	case statistic == "Sum":
		return all.sum, true
	case statistic == "Average":
		return all.sum / float64(all.count), true
	case statistic == "Minimum":
		return all.lowest, true
	case statistic == "Maximum":
		return all.highest, true
	default: // New has let no other pass than SampleCount
		return float64(all.count), true
	}
}

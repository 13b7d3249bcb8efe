package alarm

import (
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// TestMissingData has the cases of CloudWatch's documentation: 0 is a datapoint within
// the threshold, X one that breaches it, - one that is missing.
func TestMissingData(t *testing.T) {
	const before = State("as before")
	for _, test := range []struct {
		datapoints string
		toAlarm    int // of three
		want       map[string]State
	}{
		{"0 - X - X", 3, all(OK)},
		{"0 - - - -", 3, all(OK)},
		{"- - - - -", 3, map[string]State{"missing": InsufficientData, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
		{"0 X X - X", 3, all(InAlarm)},
		{"- - - - X", 3, map[string]State{"missing": InsufficientData, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
		{"X - - - -", 3, map[string]State{"missing": InAlarm, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
		{"- - X - -", 3, map[string]State{"missing": InAlarm, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
		{"0 - X - X", 2, all(InAlarm)},
		{"0 0 X 0 X", 2, all(InAlarm)},
		{"0 - X - -", 2, map[string]State{"missing": OK, "ignore": OK, "breaching": InAlarm, "notBreaching": OK}},
		{"- - - - 0", 2, map[string]State{"missing": OK, "ignore": OK, "breaching": InAlarm, "notBreaching": OK}},
		{"- - - - X", 2, map[string]State{"missing": InsufficientData, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
		{"- - - X -", 2, map[string]State{"missing": InAlarm, "ignore": before, "breaching": InAlarm, "notBreaching": OK}},
	} {
		var datapoints []datapoint
		for _, mark := range strings.Fields(test.datapoints) {
			datapoints = append(datapoints, map[string]datapoint{"0": within, "X": breaching, "-": absent}[mark])
		}
		for missing, want := range test.want {
			if got := decide(datapoints, 3, test.toAlarm, missing, before); got != want {
				t.Errorf("%s, %d of 3, %s: %s, want %s", test.datapoints, test.toAlarm, missing, got, want)
			}
		}
	}
}

func all(s State) map[string]State {
	return map[string]State{"missing": s, "ignore": s, "breaching": s, "notBreaching": s}
}

var (
	start   = time.Unix(1764000000, 0).Truncate(time.Minute)
	errorsM = Metric{Namespace: "N", Name: "Errors", Dimensions: map[string]string{"f": "one"}}
	refused = Metric{Namespace: "N", Name: "Refused"}
)

// alarm is a template's, of one metric unless it is changed.
func newAlarm(t *testing.T, change func(*template.Alarm)) Alarm {
	t.Helper()
	of := template.Alarm{
		Name: "A", Queries: []template.MetricQuery{queryOf("m", errorsM, "Sum", time.Minute, true)},
		EvaluationPeriods: 1, DatapointsToAlarm: 1, Threshold: 2, Comparison: "GreaterThanOrEqualToThreshold", TreatMissingData: "notBreaching",
	}
	change(&of)
	a, err := New(of)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func queryOf(id string, m Metric, statistic string, period time.Duration, returns bool) template.MetricQuery {
	return template.MetricQuery{
		ID: id, Namespace: m.Namespace, Metric: m.Name, Dimensions: m.Dimensions, Statistic: statistic, Period: period, ReturnData: returns,
	}
}

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func TestStatistics(t *testing.T) {
	var m Metrics
	for _, value := range []float64{1, 2, 6} {
		m.Put(errorsM, minute(0).Add(time.Duration(value)*time.Second), value)
	}
	m.Put(errorsM, minute(1), 100)
	m.Put(Metric{Namespace: "N", Name: "Errors"}, minute(0), 50) // another metric
	for statistic, want := range map[string]float64{"Sum": 9, "Average": 3, "Minimum": 1, "Maximum": 6, "SampleCount": 3} {
		if got, found := m.statistic(errorsM, statistic, minute(1), time.Minute); !found || got != want {
			t.Errorf("%s is %v, %t; want %v", statistic, got, found, want)
		}
	}
	if got, _ := m.statistic(errorsM, "Sum", minute(2), 5*time.Minute); got != 109 {
		t.Errorf("the sum of two minutes is %v", got)
	}
	if _, found := m.statistic(errorsM, "Sum", minute(0), time.Minute); found {
		t.Error("there is a datapoint before the first value")
	}
}

func TestHistory(t *testing.T) {
	everyMinute := func(m *Metrics) {
		for n := range 10 {
			m.Put(errorsM, minute(n), 2)
		}
	}
	for _, test := range []struct {
		name   string
		change func(*template.Alarm)
		put    func(*Metrics)
		want   string
	}{
		{"at once", func(*template.Alarm) {}, everyMinute, "1 ALARM"},
		{"nothing", func(*template.Alarm) {}, func(*Metrics) {}, ""},
		{"three of three", func(a *template.Alarm) { a.EvaluationPeriods, a.DatapointsToAlarm = 3, 3 }, everyMinute, "3 ALARM"},
		{"the window slides", func(a *template.Alarm) { a.Queries[0].Period, a.Threshold = 5*time.Minute, 6 }, everyMinute, "3 ALARM"},
		{"above and not at the threshold", func(a *template.Alarm) { a.Comparison = "GreaterThanThreshold" }, everyMinute, ""},
		{"below", func(a *template.Alarm) { a.Comparison = "LessThanOrEqualToThreshold" }, everyMinute, "1 ALARM"},
		{"not below", func(a *template.Alarm) { a.Comparison = "LessThanThreshold" }, everyMinute, ""},
		{"a metric that stops stays for the datapoints that are looked at", func(*template.Alarm) {}, func(m *Metrics) { m.Put(errorsM, minute(0), 2) }, "1 ALARM, 4 OK"},
		{"one that goes on within the threshold does not", func(*template.Alarm) {}, func(m *Metrics) { m.Put(errorsM, minute(0), 2); m.Put(errorsM, minute(1), 0) }, "1 ALARM, 2 OK"},
		{"what is missing breaches", func(a *template.Alarm) {
			a.TreatMissingData, a.EvaluationPeriods, a.DatapointsToAlarm = "breaching", 3, 2
		}, func(m *Metrics) {
			for n := -5; n < 3; n++ {
				m.Put(errorsM, minute(n), 0)
			}
		}, "7 ALARM"},
		{"what is missing is insufficient", func(a *template.Alarm) { a.TreatMissingData = "missing" }, func(*Metrics) {}, "1 INSUFFICIENT_DATA"},
		{"in DynamoDB's namespace what is missing is ignored", func(a *template.Alarm) { a.Queries[0].Namespace = "AWS/DynamoDB" }, func(m *Metrics) {
			m.Put(Metric{"AWS/DynamoDB", errorsM.Name, errorsM.Dimensions}, minute(0), 2)
		}, "1 ALARM"},
		{"a difference", difference, func(m *Metrics) { everyMinute(m); m.Put(refused, minute(0), 1) }, "2 ALARM"},
		{"a difference without its filled part", difference, everyMinute, "1 ALARM"},
		{"a difference whose other part is missing", difference, func(m *Metrics) { m.Put(refused, minute(0), 9) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m Metrics
			test.put(&m)
			var got []string
			for _, change := range newAlarm(t, test.change).History(&m, start, minute(9)) {
				got = append(got, change.At.Sub(start).Truncate(time.Minute).String()[:1]+" "+string(change.To))
			}
			if joined := strings.Join(got, ", "); joined != test.want {
				t.Errorf("changes are %q, want %q", joined, test.want)
			}
		})
	}
}

func difference(a *template.Alarm) {
	a.Queries = []template.MetricQuery{
		{ID: "d", Expression: "errors - FILL(refused, 0)", ReturnData: true},
		queryOf("errors", errorsM, "Sum", time.Minute, false), queryOf("refused", refused, "Sum", time.Minute, false),
	}
}

// TestNotUnderstood: an alarm that this package would evaluate wrongly is an error.
func TestNotUnderstood(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*template.Alarm)
	}{
		{`the statistic "p99" is not known`, func(a *template.Alarm) { a.Queries[0].Statistic = "p99" }},
		{`the comparison "GreaterThanUpperThreshold" is not known`, func(a *template.Alarm) { a.Comparison = "GreaterThanUpperThreshold" }},
		{`"never" is not a treatment of missing data`, func(a *template.Alarm) { a.TreatMissingData = "never" }},
		{"no query returns data", func(a *template.Alarm) { a.Queries[0].ReturnData = false }},
		{"two queries return data", func(a *template.Alarm) { difference(a); a.Queries[1].ReturnData = true }},
		{"the periods differ", func(a *template.Alarm) { difference(a); a.Queries[1].Period = time.Hour }},
		{"the periods differ, or are not minutes", func(a *template.Alarm) { a.Queries[0].Period = 90 * time.Second }},
		{"the expression's other is not a metric", func(a *template.Alarm) { difference(a); a.Queries[0].Expression = "errors + other" }},
		{`is not understood from "*2"`, func(a *template.Alarm) { difference(a); a.Queries[0].Expression = "errors * 2" }},
		{"is empty", func(a *template.Alarm) { difference(a); a.Queries[0].Expression = " " }},
	} {
		of := newAlarm(t, func(*template.Alarm) {}).Alarm
		test.change(&of)
		if _, err := New(of); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

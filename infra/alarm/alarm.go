package alarm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// State is an alarm's.
type State string

// The states of an alarm.
const (
	OK               State = "OK"
	InAlarm          State = "ALARM"
	InsufficientData State = "INSUFFICIENT_DATA"
)

// furtherDatapoints is how many more datapoints are looked at than there are evaluation
// periods.
const furtherDatapoints = 2

// comparisons report whether a value breaches a threshold, by ComparisonOperator.
var comparisons = map[string]func(value, threshold float64) bool{
	"GreaterThanThreshold":          func(value, threshold float64) bool { return value > threshold },
	"GreaterThanOrEqualToThreshold": func(value, threshold float64) bool { return value >= threshold },
	"LessThanThreshold":             func(value, threshold float64) bool { return value < threshold },
	"LessThanOrEqualToThreshold":    func(value, threshold float64) bool { return value <= threshold },
}

var (
	statistics = []string{"Sum", "Average", "Minimum", "Maximum", "SampleCount"}
	treatments = []string{"missing", "ignore", "breaching", "notBreaching"}
)

// Alarm is one of the template's alarms, ready to be evaluated.
type Alarm struct {
	template.Alarm
	period   time.Duration
	metrics  map[string]template.MetricQuery // by id
	terms    []term
	breaches func(value, threshold float64) bool
	missing  string // how missing datapoints are treated
}

// Load reads the alarms that a stack of the template at file with these parameters has.
func Load(file string, parameters map[string]string) (alarms []Alarm, err error) {
	read, err := template.LoadAlarms(file, parameters)
	if err != nil {
		return nil, err
	}
	var mistakes []error
	for _, each := range read {
		a, err := New(each)
		alarms, mistakes = append(alarms, a), append(mistakes, err)
	}
	return alarms, errors.Join(mistakes...)
}

// New returns an alarm to evaluate, or what it has that this package does not know.
func New(of template.Alarm) (Alarm, error) {
	a := Alarm{Alarm: of, metrics: map[string]template.MetricQuery{}, breaches: comparisons[of.Comparison], missing: of.TreatMissingData}
	for _, query := range of.Queries {
		if query.Expression == "" {
			a.metrics[query.ID], a.period = query, query.Period
			if !slices.Contains(statistics, query.Statistic) {
				return a, fmt.Errorf("%s: the statistic %q is not known", of.Name, query.Statistic)
			}
			if query.Namespace == "AWS/DynamoDB" {
				a.missing = "ignore" // whatever the alarm says: so CloudWatch does in this namespace
			}
		}
		if query.ReturnData {
			if err := a.watch(query); err != nil {
				return a, err
			}
		}
	}
	return a, a.check()
}

// watch has the alarm watch a query's result.
func (a *Alarm) watch(query template.MetricQuery) (err error) {
	if a.terms != nil {
		return fmt.Errorf("%s: two queries return data", a.Name)
	}
	if query.Expression == "" {
		query.Expression = query.ID
	}
	a.terms, err = readExpression(query.Expression)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Name, err)
	}
	return nil
}

func (a *Alarm) check() error {
	for _, t := range a.terms {
		if _, found := a.metrics[t.id]; t.id != "" && !found {
			return fmt.Errorf("%s: the expression's %s is not a metric beside it", a.Name, t.id)
		}
	}
	for _, query := range a.metrics {
		if query.Period != a.period || query.Period%time.Minute != 0 {
			return fmt.Errorf("%s: the periods differ, or are not minutes", a.Name)
		}
	}
	switch {
	case a.terms == nil:
		return fmt.Errorf("%s: no query returns data", a.Name)
	case a.breaches == nil:
		return fmt.Errorf("%s: the comparison %q is not known", a.Name, a.Comparison)
	case !slices.Contains(treatments, a.missing):
		return fmt.Errorf("%s: %q is not a treatment of missing data", a.Name, a.missing)
	}
	return nil
}

// Watches are the metrics that the alarm looks at.
func (a Alarm) Watches() (all []Metric) {
	for _, query := range a.Queries {
		if query.Expression == "" {
			all = append(all, metricOf(query))
		}
	}
	return all
}

func metricOf(query template.MetricQuery) Metric {
	return Metric{Namespace: query.Namespace, Name: query.Metric, Dimensions: query.Dimensions}
}

// Transition is a change of an alarm's state.
type Transition struct {
	At time.Time
	To State
}

// History evaluates the alarm at the end of each minute from one time to another, and
// returns its changes. It begins OK.
func (a Alarm) History(metrics *Metrics, from, to time.Time) (changes []Transition) {
	state := OK
	for at := from.Add(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		if next := a.Evaluate(metrics, at, state); next != state {
			state = next
			changes = append(changes, Transition{at, next})
		}
	}
	return changes
}

// Evaluate returns the alarm's state at the end of a minute, given the one that it had.
func (a Alarm) Evaluate(metrics *Metrics, at time.Time, before State) State {
	datapoints := make([]datapoint, a.EvaluationPeriods+furtherDatapoints)
	for i := range datapoints {
		end := at.Add(-time.Duration(len(datapoints)-1-i) * a.period)
		value, found := evaluate(a.terms, func(id string) (float64, bool) {
			query := a.metrics[id]
			return metrics.statistic(metricOf(query), query.Statistic, end, a.period)
		})
		switch {
		case found && a.breaches(value, a.Threshold):
			datapoints[i] = breaching
		case found:
			datapoints[i] = within
		}
	}
	return decide(datapoints, a.EvaluationPeriods, a.DatapointsToAlarm, a.missing, before)
}

// datapoint is what a datapoint means to an alarm.
type datapoint byte

const (
	absent datapoint = iota
	within
	breaching
)

// decide returns the state that datapoints, the oldest first, make of an alarm that goes
// off at toAlarm of periods.
func decide(datapoints []datapoint, periods, toAlarm int, missing string, before State) State {
	present := slices.DeleteFunc(slices.Clone(datapoints), func(d datapoint) bool { return d == absent })
	present = present[max(0, len(present)-periods):]
	counts := map[datapoint]int{}
	for _, d := range present {
		counts[d]++
	}
	if missing == "breaching" {
		counts[breaching] += periods - len(present)
	}
	switch {
	case counts[breaching] >= toAlarm:
		return InAlarm
	case len(present) == periods, counts[within] > 0, missing == "breaching", missing == "notBreaching":
		return OK
	case missing == "ignore":
		return before
	case premature(datapoints, toAlarm):
		return InAlarm
	}
	return InsufficientData
}

// premature reports whether datapoints that are breaching or missing make an alarm that
// treats missing data as missing go off: the oldest that breaches is as old as toAlarm
// periods, and none has been within the threshold since.
func premature(datapoints []datapoint, toAlarm int) bool {
	oldest := slices.Index(datapoints, breaching)
	return oldest >= 0 && len(datapoints)-oldest >= toAlarm
}

package template

import (
	"cmp"
	"errors"
	"math"
	"path"
	"strconv"
	"time"
)

// typeAlarm is not a resource of the local cloud: only LoadAlarms reads it.
const typeAlarm = "AWS::CloudWatch::Alarm"

// Alarm is an AWS::CloudWatch::Alarm.
type Alarm struct {
	Name        string // its logical id
	Description string
	// Queries are what it watches: one metric, or the metrics of an expression and the
	// expression, which alone has ReturnData.
	Queries           []MetricQuery
	EvaluationPeriods int
	DatapointsToAlarm int
	Threshold         float64
	Comparison        string // the ComparisonOperator
	TreatMissingData  string
	Notifies          bool // AlarmActions has the topic
	NotifiesOK        bool // OKActions has it, too
}

// MetricQuery is a metric, or an expression over the metrics beside it.
type MetricQuery struct {
	ID         string
	Expression string // "" is a metric
	Namespace  string
	Metric     string
	Dimensions map[string]string
	Statistic  string
	Period     time.Duration
	ReturnData bool
}

// LoadAlarms reads the alarms of the template at file that a stack with these parameters
// has.
func LoadAlarms(file string, parameters map[string]string) ([]Alarm, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return ParseAlarms(path.Base(file), text, parameters)
}

// ParseAlarms is LoadAlarms of a text; file is what the errors call it.
func ParseAlarms(file string, text []byte, parameters map[string]string) ([]Alarm, error) {
	content, err := parseYAML(file, text)
	if err != nil {
		return nil, err
	}
	p := &parser{file: file}
	p.stack(content, parameters) // resolves parameters and names
	root := p.object(content, "the template")
	var alarms []Alarm
	for id, value := range p.existing(root.object("Resources")).fields() {
		if p.resources[id.Value].kind != typeAlarm {
			continue
		}
		r := p.object(value, id.Value)
		r.only(alarmResourceFields)
		alarms = append(alarms, p.alarm(id.Value, p.object(r.get("Properties"), id.Value)))
	}
	return alarms, errors.Join(p.mistakes...)
}

func (p *parser) alarm(id string, o object) Alarm {
	o.only(alarmFields)
	a := Alarm{
		Name:              id,
		Description:       o.text("AlarmDescription"),
		EvaluationPeriods: o.integer("EvaluationPeriods", 0, 1, 1440),
		Threshold:         p.number(o, "Threshold"),
		Comparison:        o.required("ComparisonOperator"),
		TreatMissingData:  cmp.Or(o.text("TreatMissingData"), "missing"),
		Notifies:          o.get("AlarmActions") != nil,
		NotifiesOK:        o.get("OKActions") != nil,
	}
	a.DatapointsToAlarm = o.integer("DatapointsToAlarm", a.EvaluationPeriods, 1, a.EvaluationPeriods)
	if o.get("Metrics") == nil {
		query := p.metric(o, o, "Statistic")
		query.ID, query.ReturnData = "m", true
		a.Queries = []MetricQuery{query}
		return a
	}
	for _, each := range o.list("Metrics") {
		a.Queries = append(a.Queries, p.metricQuery(each))
	}
	return a
}

func (p *parser) metricQuery(o object) MetricQuery {
	o.only(metricQueryFields)
	if o.get("Expression") != nil {
		return MetricQuery{ID: o.required("Id"), Expression: o.text("Expression"), ReturnData: o.text("ReturnData") != "false"}
	}
	stat := o.object("MetricStat")
	stat.only(metricStatFields)
	metric := stat.object("Metric")
	metric.only(metricFields)
	query := p.metric(stat, metric, "Stat")
	query.ID, query.ReturnData = o.required("Id"), o.text("ReturnData") != "false"
	return query
}

// metric reads a metric, and how it is aggregated, which an expression's stands beside.
func (p *parser) metric(how, what object, statistic string) MetricQuery {
	query := MetricQuery{
		Namespace:  what.required("Namespace"),
		Metric:     what.required("MetricName"),
		Dimensions: map[string]string{},
		Statistic:  how.required(statistic),
		Period:     time.Duration(how.integer("Period", 0, 60, 86400)) * time.Second,
	}
	for _, each := range what.list("Dimensions") {
		query.Dimensions[each.required("Name")] = each.required("Value")
	}
	return query
}

func (p *parser) number(o object, name string) float64 {
	number, err := strconv.ParseFloat(o.required(name), 64)
	if err != nil || math.IsNaN(number) {
		p.mistake(o.node, "%s: %s is not a number", o.place, name)
	}
	return number
}

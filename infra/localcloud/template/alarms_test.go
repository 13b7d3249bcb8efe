package template

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const withAlarms = `
Parameters:
  Stage: {Type: String, Default: test}
Conditions:
  Live: !Equals [!Ref Stage, live]
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Queue: {Type: AWS::SQS::Queue}
  Plain:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: Something waits.
      Namespace: !Sub N/${Stage}
      MetricName: Visible
      Dimensions: [{Name: QueueName, Value: !GetAtt Queue.QueueName}]
      Statistic: Maximum
      Period: 300
      EvaluationPeriods: 3
      Threshold: 0.5
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Ref Topic]
  Math:
    Type: AWS::CloudWatch::Alarm
    Condition: Live
    Properties:
      Metrics:
        - {Id: total, Expression: "FILL(a, 0)"}
        - Id: a
          ReturnData: false
          MetricStat: {Stat: Sum, Period: 60, Metric: {Namespace: N, MetricName: M}}
      EvaluationPeriods: 3
      DatapointsToAlarm: 2
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
      AlarmActions: [!Ref Topic]
      OKActions: [!Ref Topic]
`

func TestAlarms(t *testing.T) {
	plain := Alarm{
		Name: "Plain", Description: "Something waits.", EvaluationPeriods: 3, DatapointsToAlarm: 3, Threshold: 0.5,
		Comparison: "GreaterThanThreshold", TreatMissingData: "missing", Notifies: true,
		Queries: []MetricQuery{{
			ID: "m", Namespace: "N/test", Metric: "Visible", Dimensions: map[string]string{"QueueName": "Queue"},
			Statistic: "Maximum", Period: 5 * time.Minute, ReturnData: true,
		}},
	}
	got, err := ParseAlarms("t.yaml", []byte(withAlarms), nil)
	if err != nil || !reflect.DeepEqual(got, []Alarm{plain}) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, plain)
	}
	got, err = ParseAlarms("t.yaml", []byte(withAlarms), map[string]string{"Stage": "live"})
	want := Alarm{
		Name: "Math", EvaluationPeriods: 3, DatapointsToAlarm: 2, Threshold: 1, Comparison: "GreaterThanThreshold",
		TreatMissingData: "notBreaching", Notifies: true, NotifiesOK: true,
		Queries: []MetricQuery{
			{ID: "total", Expression: "FILL(a, 0)", ReturnData: true},
			{ID: "a", Namespace: "N", Metric: "M", Dimensions: map[string]string{}, Statistic: "Sum", Period: time.Minute},
		},
	}
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[1], want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestMistakesOfAlarms(t *testing.T) {
	for _, c := range []struct{ replace, by, want string }{
		{"Statistic: Maximum", "ExtendedStatistic: p99", "t.yaml:16: Plain: ExtendedStatistic is not supported"},
		{"Threshold: 0.5", "Threshold: half", "Plain: Threshold is not a number"},
		{"Period: 300", "Period: 10", `Plain.Period: "10" is not a whole number from 60 to 86400`},
		{"Condition: Live", "Condition: Dead", "Math: there is no condition Dead"},
		{"!Equals [!Ref Stage, live]", "!Not [!Ref Stage]", "Conditions.Live is not a condition that the local cloud supports"},
		{"MetricName: Visible", "", "Plain: MetricName is missing"},
	} {
		_, err := ParseAlarms("t.yaml", []byte(strings.Replace(withAlarms, c.replace, c.by, 1)), map[string]string{"Stage": "live"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.by, err, c.want)
		}
	}
}

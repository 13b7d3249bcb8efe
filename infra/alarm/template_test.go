package alarm_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/alarm"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

const file = "../../template.yaml"

func load(t *testing.T, api string) []alarm.Alarm {
	t.Helper()
	alarms, err := alarm.Load(file, map[string]string{"G2AExportApi": api})
	if err != nil {
		t.Fatal(err)
	}
	return alarms
}

// TestAlarmsOfV2: a stack that buys on v1 has no alarm about the token, nor about the
// function that refreshes it, nor about what v1 says otherwise.
func TestAlarmsOfV2(t *testing.T) {
	onV2 := []string{"PaymentUnknownAlarm", "TokenAlarm", "TokenHealthAlarm", "TokenRefreshAlarm", "TokenTTLAlarm", "TokenStoreAlarm",
		"TokenRefreshErrorsAlarm", "TokenRefreshThrottlesAlarm", "TokenRefreshDurationAlarm"}
	v1, v2 := load(t, "v1"), load(t, "v2")
	named := func(in []alarm.Alarm, name string) bool {
		return slices.ContainsFunc(in, func(a alarm.Alarm) bool { return a.Name == name })
	}
	for _, each := range v2 {
		if of := slices.Contains(onV2, each.Name); named(v1, each.Name) == of {
			t.Errorf("%s is on v1: %t", each.Name, !of)
		}
	}
	if len(v2)-len(v1) != len(onV2) {
		t.Errorf("%d alarms on v2, %d on v1, and %d are of v2", len(v2), len(v1), len(onV2))
	}
}

// TestAlarmsNotify: each goes to the topic, and those whose cause a person must settle do
// not say that all is well again.
func TestAlarmsNotify(t *testing.T) {
	byPerson := []string{"OrderNeedsAttentionAlarm", "CredentialsAlarm", "WebhookParkedAlarm", "RouteUnknownAlarm", "OrderEventsAlarm",
		"OrderDefectAlarm", "OrderWorkflowAlarm"}
	for _, each := range load(t, "v2") {
		if !each.Notifies || each.NotifiesOK == slices.Contains(byPerson, each.Name) {
			t.Errorf("%s notifies: %t, of OK: %t", each.Name, each.Notifies, each.NotifiesOK)
		}
	}
}

// TestFunctionAlarms: each function has its three, and one goes off at nine tenths of its
// timeout.
func TestFunctionAlarms(t *testing.T) {
	stack, err := template.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	alarms := load(t, "v2")
	for _, f := range stack.Functions {
		for _, metric := range []string{"Errors", "Throttles", "Duration"} {
			want := alarm.Metric{Namespace: "AWS/Lambda", Name: metric, Dimensions: map[string]string{"FunctionName": f.Name}}
			at := slices.IndexFunc(alarms, func(a alarm.Alarm) bool { return a.Watches()[0].String() == want.String() })
			if at < 0 {
				t.Errorf("%s has no alarm", want)
			} else if threshold := alarms[at].Threshold; metric == "Duration" && threshold != float64(f.Timeout*9/10/time.Millisecond) {
				t.Errorf("%s: the threshold is %v ms, the timeout %s", alarms[at].Name, threshold, f.Timeout)
			}
		}
	}
}

// TestStopsOfTheWorkflow: no metric of Step Functions tells an execution that stopped for
// a technical reason from an order that failed. So each error at which the workflow stops
// without another try must be the caller's, or have an alarm of its own; after any other
// the workflow tries until it times out, which has one.
func TestStopsOfTheWorkflow(t *testing.T) {
	text, err := os.ReadFile("../order-workflow.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		TimeoutSeconds int
		States         map[string]struct {
			Retry []struct {
				ErrorEquals []string
				MaxAttempts int
			}
		}
	}
	if err := json.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	const untilTimeout = 10000                           // tries, of which a day has time for some 1500
	settled := []string{"InvalidOrder", "OrderConflict", // the caller's
		"CredentialsRejected"} // CredentialsAlarm
	for _, retry := range workflow.States["Advance"].Retry {
		for _, name := range retry.ErrorEquals {
			if retry.MaxAttempts != untilTimeout && !slices.Contains(settled, name) {
				t.Errorf("the workflow stops at %s after %d tries, and no alarm says so", name, retry.MaxAttempts)
			}
		}
	}
	if len(workflow.States["Advance"].Retry) == 0 || workflow.TimeoutSeconds != 24*60*60 {
		t.Errorf("the workflow has another form: %+v", workflow)
	}
}

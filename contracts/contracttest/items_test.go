package contracttest_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// TestIdempotencyRecord takes the records from the tables, as shared/store writes them.
func TestIdempotencyRecord(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		box := inbox.Inbox{
			Store: store.Inbox{DB: e.DB, StateTable: e.StateTable, OrdersTable: e.OrdersTable},
			Clock: func() time.Time { return time.Unix(1764000000, 0) },
		}
		for i, step := range []struct {
			body string
			want inbox.Outcome
			key  string
		}{
			{`{"event_id":"a","order_id":"42","type":"order.status_changed","payload":{"status":"processing"}}`, inbox.Processed, "a#42#order.status_changed"},
			{`{"event_id":"b","order_id":"42","type":"order.status_changed","payload":{"status":"pending"}}`, inbox.Superseded, "b#42#order.status_changed"},
			{`{"event_id":"c","order_id":"42","type":"order.status_changed","payload":{"status":"on hold"}}`, inbox.Parked, "c#42#order.status_changed"},
			{`{"event_id":"d","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`, inbox.Processed, "d#42#order.completed"},
			{`{"event_id":"e","order_id":"42","type":"order.failed","payload":{"status":"failed"}}`, inbox.Parked, "e#42#order.failed"},
			{`{"event_id":"a","order_id":"42","type":"order.status_changed","payload":{"status":"failed"}}`, inbox.Parked, "a#42#order.status_changed#failed"},
			{`{"event_id":"é/#","order_id":"42","type":"order.status_changed","payload":{"status":"processing"}}`, inbox.Superseded, "%C3%A9%2F%23#42#order.status_changed"},
			{`{"event_id":"f","type":"order","payload":{}}`, inbox.Parked, "f##order"},
			{`{"event_id":"g","order_id":7}`, inbox.Parked, "g#7#"},
			{`{"event_id":"g","order_id":7,"payload":{"status":["x"]}}`, inbox.Parked, "g#7##~cd65ea2c2ad99e94a85b1b6df72efef9cb2ed0ae933a60c32ce16317f7d7d6aa"},
		} {
			event, err := g2a.ParseEvent([]byte(step.body))
			if err != nil {
				t.Fatal(err)
			}
			event.Nonce = "nonce-000000000000000" + strconv.Itoa(i)
			receipt, err := box.Receive(t.Context(), event, []byte(step.body))
			if err != nil || receipt.Outcome != step.want {
				t.Fatalf("%s: outcome is %+v (%v), want %s", step.body, receipt, err, step.want)
			}
			checkItem(t, e.Item(t, e.StateTable, "EVENT#"+step.key, "EVENT"), step.body)
			parked := e.Item(t, e.OrdersTable, "EVENT#"+step.key, "PARKED")
			if (parked != nil) != (step.want == inbox.Parked) {
				t.Errorf("%s: %s, and the parked item is %v", step.body, step.want, parked)
			} else if parked != nil {
				checkItem(t, parked, step.body)
			}
		}
	})
}

func checkItem(t *testing.T, item map[string]types.AttributeValue, name string) {
	t.Helper()
	var record map[string]any
	if err := attributevalue.UnmarshalMapWithOptions(item, &record, func(o *attributevalue.DecoderOptions) { o.UseNumber = true }); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(plain(record))
	if err != nil {
		t.Fatal(err)
	}
	if err := contracttest.Schema("idempotency-record").Validate(document); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// plain has numbers as encoding/json writes them.
func plain(record map[string]any) map[string]any {
	for name, value := range record {
		if number, is := value.(attributevalue.Number); is {
			record[name] = json.Number(number)
		}
	}
	return record
}

// TestReasonsAreAllInTheContract reads them from the source of shared/purchase.
func TestReasonsAreAllInTheContract(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../shared/purchase/purchaser.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, is := node.(*ast.ValueSpec)
		if !is || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		found++
		reason := spec.Values[0].(*ast.BasicLit).Value // in quotes, as in JSON
		output := `{"order_ref":"1","quantity":1,"keys_stored":0,"status":"failed","reason":` + reason + `}`
		if err := contracttest.Schema("order-output").Validate([]byte(output)); err != nil {
			t.Errorf("%s: %v", spec.Names[0].Name, err)
		}
		return true
	})
	if found == 0 {
		t.Error("there are no reasons: the test has lost them")
	}
}

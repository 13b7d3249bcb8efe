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

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// TestIdempotencyRecord takes the records from the table, as shared/store writes them.
func TestIdempotencyRecord(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		box := inbox.Inbox{
			Store: store.Inbox{DB: e.DB, StateTable: e.StateTable, OrdersTable: e.OrdersTable},
			Clock: func() time.Time { return time.Unix(1764000000, 0) },
		}
		for i, step := range []struct {
			status g2a.EventStatus
			want   inbox.Outcome
		}{
			{g2a.StatusProcessing, inbox.Processed},
			{g2a.StatusPending, inbox.Superseded},
			{"lost", inbox.Parked},
			{g2a.StatusCompleted, inbox.Processed},
			{g2a.StatusFailed, inbox.Parked},
		} {
			event := g2a.Event{
				ID: "evt_" + strconv.Itoa(i), OrderID: "42", Type: g2a.EventStatusChanged, Status: step.status,
				Nonce: "nonce-000000000000000" + strconv.Itoa(i),
			}
			outcome, err := box.Receive(t.Context(), event, []byte(`{"event_id":"e"}`))
			if err != nil || outcome != step.want {
				t.Fatalf("event %d, %s: outcome is %s (%v), want %s", i, step.status, outcome, err, step.want)
			}
			item := e.Item(t, e.StateTable, "EVENT#"+event.ID+"#42#"+string(event.Type), "EVENT")
			var record map[string]any
			if err := attributevalue.UnmarshalMapWithOptions(item, &record, func(o *attributevalue.DecoderOptions) { o.UseNumber = true }); err != nil {
				t.Fatal(err)
			}
			document, err := json.Marshal(plain(record))
			if err != nil {
				t.Fatal(err)
			}
			if err := contracttest.Schema("idempotency-record").Validate(document); err != nil {
				t.Errorf("event %d, %s: %v", i, step.status, err)
			}
		}
	})
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
		output := `{"order_ref":"1","status":"failed","reason":` + reason + `}`
		if err := contracttest.Schema("order-output").Validate([]byte(output)); err != nil {
			t.Errorf("%s: %v", spec.Names[0].Name, err)
		}
		return true
	})
	if found == 0 {
		t.Error("there are no reasons: the test has lost them")
	}
}

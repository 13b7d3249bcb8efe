package story_test

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// TestWebhookMovesOrder: an order waits, since G2A says that it is pending, and nobody
// calls again. A webhook says that it is complete; the stream carries that to
// OrderFunction, which fetches the key.
func TestWebhookMovesOrder(t *testing.T) {
	endpoint := storetest.DynamoDBLocal(t)
	var market *g2atest.Simulator
	c, stack := start(t, func(o *localcloud.Options) {
		o.DynamoDBEndpoint, o.Streams = endpoint, true
		o.G2A = func(options g2atest.Options) (http.Handler, error) {
			options.PendingDetails = 1
			var err error
			market, err = g2atest.New(options)
			return market, err
		}
	})
	const order = `{"order_ref":"moved-by-a-webhook","product_id":"90000000334016","max_price":"5.00","currency":"EUR"}`
	answer, err := c.Invoke(t.Context(), "OrderFunction", []byte(order))
	if err != nil || !strings.Contains(string(answer.Payload), `"status":"waiting"`) {
		t.Fatalf("%s, %v; want it to wait", answer.Payload, err)
	}
	record := ordersItem(t, c, "ORDER#moved-by-a-webhook", "ORDER")
	done, err := market.Deliver(t.Context(), g2atest.Webhook{OrderID: record["g2a_order_id"], Type: g2a.EventOrderCompleted, Status: g2a.StatusCompleted})
	if err != nil || done.Deliveries[0].Status != http.StatusOK {
		t.Fatalf("%+v, %v", done, err)
	}
	const patience = time.Minute
	for until := time.Now().Add(patience); record["step"] != "fulfilled"; record = ordersItem(t, c, "ORDER#moved-by-a-webhook", "ORDER") {
		if time.Now().After(until) {
			t.Fatalf("after %s the order is %s", patience, record["step"])
		}
		time.Sleep(10 * time.Millisecond)
	}
	if record["product_key"] == "" || market.Stats().KeysRevealed != 1 {
		t.Errorf("keys revealed: %d, want 1, stored", market.Stats().KeysRevealed)
	}
	said, err := os.ReadFile(filepath.Join(stack.Logs, "OrderFunction.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(said), record["product_key"]) {
		t.Error("the key is in the log")
	}
}

// TestNoStreamInMemory: the engine in memory has none, and the cloud starts all the
// same and says so.
func TestNoStreamInMemory(t *testing.T) {
	var said strings.Builder
	start(t, func(o *localcloud.Options) {
		o.Streams, o.Log = true, log.New(&said, "", 0)
	})
	if !strings.Contains(said.String(), "the stream of OrdersTable: the DynamoDB in memory has none") {
		t.Errorf("it says\n%s", &said)
	}
}

// ordersItem reads the texts of an item of the orders' table.
func ordersItem(t *testing.T, c *localcloud.Cloud, pk, sk string) map[string]string {
	t.Helper()
	got, err := c.DynamoDB().GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("OrdersTable"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for name, value := range got.Item {
		if text, is := value.(*types.AttributeValueMemberS); is {
			fields[name] = text.Value
		}
	}
	return fields
}

package storetest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/truora/minidyn/server"
)

// Engine is one engine with two tables that nobody else uses.
type Engine struct {
	Endpoint    string // its URL
	StateTable  string
	OrdersTable string
	DB          *dynamodb.Client // its requests go through Wire
	Wire        *Wire

	direct *dynamodb.Client // past Wire
}

// Run runs a test on each engine. DynamoDB Local is left out, and the test's log
// says why, where it was not fetched; with CI=true that is a failure.
func Run(t *testing.T, test func(t *testing.T, e *Engine)) {
	t.Run("minidyn", func(t *testing.T) { test(t, newEngine(t, Minidyn(t))) })
	t.Run("DynamoDB Local", func(t *testing.T) { test(t, newEngine(t, DynamoDBLocal(t))) })
}

// Minidyn starts an engine of this test alone and gives its URL.
func Minidyn(t testing.TB) (endpoint string) {
	t.Helper()
	s := httptest.NewServer(server.NewServer())
	t.Cleanup(s.Close)
	return s.URL
}

// tables counts the tables' names up, since DynamoDB Local is shared.
var tables atomic.Int64

func newEngine(t testing.TB, endpoint string) *Engine {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	wire := &Wire{next: transport}
	n := tables.Add(1)
	e := &Engine{
		Endpoint: endpoint, Wire: wire, DB: client(endpoint, wire), direct: client(endpoint, transport),
		StateTable: fmt.Sprintf("State%d", n), OrdersTable: fmt.Sprintf("Orders%d", n),
	}
	for _, table := range []string{e.StateTable, e.OrdersTable} {
		createTable(t, e.direct, table)
	}
	return e
}

// client is one with the SDK's retries but not its pauses between them.
func client(endpoint string, transport http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint,
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   &http.Client{Transport: transport, Timeout: 30 * time.Second},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = time.Millisecond
		}),
	})
}

func createTable(t testing.TB, db *dynamodb.Client, name string) {
	t.Helper()
	ctx := context.Background()
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatalf("creating the table %s: %v", name, err)
	}
	t.Cleanup(func() {
		if _, err := db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Logf("deleting the table %s: %v", name, err)
		}
	})
}

// Item reads a raw item, or nil, past Wire.
func (e *Engine) Item(t testing.TB, table, pk, sk string) map[string]types.AttributeValue {
	t.Helper()
	answer, err := e.direct.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: &table, Key: itemKey(pk, sk), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		t.Fatalf("reading %s %s: %v", pk, sk, err)
	}
	return answer.Item
}

// Put writes a raw item, past Wire.
func (e *Engine) Put(t testing.TB, table string, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := e.direct.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatalf("writing an item: %v", err)
	}
}

// Delete removes an item, past Wire.
func (e *Engine) Delete(t testing.TB, table, pk, sk string) {
	t.Helper()
	if _, err := e.direct.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: &table, Key: itemKey(pk, sk)}); err != nil {
		t.Fatalf("deleting %s %s: %v", pk, sk, err)
	}
}

func itemKey(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk},
	}
}

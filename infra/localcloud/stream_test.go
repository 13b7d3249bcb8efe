package localcloud

import (
	"log"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
)

// TestStreamOfOlderTable: a table that was made without a stream gets one.
func TestStreamOfOlderTable(t *testing.T) {
	options := testOptions(newRoot(t))
	options.DynamoDBEndpoint = storetest.DynamoDBLocal(t)
	older := mustStart(t, options) // for its client
	db := older.DynamoDB()
	_, err := db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: aws.String("OrdersTable"), StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	options.Streams, options.Log = true, log.New(&said, "", 0)
	mustStart(t, options)
	if !strings.Contains(said.String(), "stream      OrdersTable -> OrderEventPipe -> ") {
		t.Errorf("it says\n%s", &said)
	}
	found, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("OrdersTable")})
	if err != nil || found.Table.StreamSpecification == nil || found.Table.StreamSpecification.StreamViewType != types.StreamViewTypeNewAndOldImages {
		t.Errorf("%+v, %v", found.Table.StreamSpecification, err)
	}
}

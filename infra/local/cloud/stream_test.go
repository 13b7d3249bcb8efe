package cloud

import (
	"log"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/g2a-lambda/g2a-lambda/shared/store/storetest"
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

func TestImage(t *testing.T) {
	text := &streams.AttributeValueMemberS{Value: "a"}
	got := image(map[string]streams.AttributeValue{
		"S": text, "N": &streams.AttributeValueMemberN{Value: "1.50"}, "B": &streams.AttributeValueMemberB{Value: []byte("b")},
		"BOOL": &streams.AttributeValueMemberBOOL{Value: true}, "NULL": &streams.AttributeValueMemberNULL{Value: true},
		"M":  &streams.AttributeValueMemberM{Value: map[string]streams.AttributeValue{"in": text}},
		"L":  &streams.AttributeValueMemberL{Value: []streams.AttributeValue{text}},
		"SS": &streams.AttributeValueMemberSS{Value: []string{"a"}}, "NS": &streams.AttributeValueMemberNS{Value: []string{"1"}},
		"BS": &streams.AttributeValueMemberBS{Value: [][]byte{[]byte("b")}},
	})
	type m = map[string]any
	want := m{
		"S": m{"S": "a"}, "N": m{"N": "1.50"}, "B": m{"B": []byte("b")}, "BOOL": m{"BOOL": true}, "NULL": m{"NULL": true},
		"M": m{"M": m{"in": m{"S": "a"}}}, "L": m{"L": []any{m{"S": "a"}}},
		"SS": m{"SS": []string{"a"}}, "NS": m{"NS": []string{"1"}}, "BS": m{"BS": [][]byte{[]byte("b")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

package dynamodb

import (
	"reflect"
	"testing"

	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

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

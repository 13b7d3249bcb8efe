package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// ErrUnavailable is around every error of DynamoDB itself: not reachable,
// throttled, or a request it refuses.
var ErrUnavailable = errors.New("the store is not available")

func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// invalid reports whether DynamoDB refuses a request for what it is, such as an item that
// is too large: it would refuse it again.
func invalid(err error) bool {
	var failed smithy.APIError
	if errors.As(err, &failed) && failed.ErrorCode() == "ValidationException" {
		return true
	}
	for _, reason := range cancellation(err) {
		if aws.ToString(reason.Code) == reasonValidation {
			return true
		}
	}
	return false
}

// Ping reports whether the tables answer, by one read each of an item that is not
// there.
func Ping(ctx context.Context, db *dynamodb.Client, tables ...string) error {
	for _, table := range tables {
		if _, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key("PING", "PING")}); err != nil {
			return unavailable("reading from "+table, err)
		}
	}
	return nil
}

type item = map[string]types.AttributeValue

// values are the :name values of an expression.
type values = map[string]types.AttributeValue

func key(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
}

func seconds(t time.Time) types.AttributeValue { return number(t.Unix()) }

// get reads an item, strongly consistent, into out. It reports whether there is one.
func get(ctx context.Context, db *dynamodb.Client, table string, k item, doing string, out any) (bool, error) {
	answer, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: k, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return false, unavailable(doing, err)
	}
	if answer.Item == nil {
		return false, nil
	}
	if err := attributevalue.UnmarshalMap(answer.Item, out); err != nil {
		return false, fmt.Errorf("%s: the item is damaged: %w", doing, err)
	}
	return true, nil
}

// refused reports whether a write's own condition did not hold.
func refused(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

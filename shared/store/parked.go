package store

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

// parkedSK is the sort key of a parked event in the orders table.
const parkedSK = "PARKED"

// eventItem is what is read of an event's item in either table. Times are unix seconds.
type eventItem struct {
	PK         string `dynamodbav:"pk"`
	SK         string `dynamodbav:"sk"`
	Outcome    string `dynamodbav:"outcome"`
	Attempts   int    `dynamodbav:"attempts"`
	LastError  string `dynamodbav:"last_error"`
	Body       []byte `dynamodbav:"body"`
	BodySHA256 string `dynamodbav:"body_sha256"`
	UpdatedAt  int64  `dynamodbav:"updated_at"`
}

func (r eventItem) record() inbox.EventRecord {
	outcome := inbox.Outcome(r.Outcome)
	if r.SK == parkedSK {
		outcome = inbox.Parked
	}
	return inbox.EventRecord{
		Key: strings.TrimPrefix(r.PK, eventPK), Outcome: outcome, Attempts: r.Attempts,
		TriedAt: time.Unix(r.UpdatedAt, 0), BodySHA256: r.BodySHA256, Reason: r.LastError, Body: r.Body,
	}
}

// park keeps an event for a person. It is binary: a body need not be UTF-8.
func (i Inbox) park(d inbox.Delivery) write {
	return write{ofEvent, putIfAbsent(i.OrdersTable, key(eventPK+d.RecordKey(), parkedSK), item{
		"attempts": number(1), "last_error": text(d.LastError), "order_status": text(string(d.Event.Status)),
		"body": &types.AttributeValueMemberB{Value: d.Body}, "body_sha256": text(d.BodySHA256), "updated_at": seconds(d.ReceivedAt),
	})}
}

// Parked implements inbox.ParkedStore.
func (i Inbox) Parked(ctx context.Context, eventKey string) (inbox.EventRecord, bool, error) {
	var event eventItem
	found, err := get(ctx, i.DB, i.OrdersTable, key(eventPK+eventKey, parkedSK), "reading the event", &event)
	if err != nil || !found {
		return inbox.EventRecord{}, false, err
	}
	return event.record(), true, nil
}

// Events returns the records of all events, or of those that are parked, in no order, by
// reading the whole tables. It ends after an error; a damaged item is one, and does not end it.
func (i Inbox) Events(ctx context.Context, parked bool) iter.Seq2[inbox.EventRecord, error] {
	scans := []*dynamodb.ScanInput{{
		TableName: &i.OrdersTable, ConsistentRead: aws.Bool(true),
		FilterExpression: aws.String("sk = :parked"), ExpressionAttributeValues: values{":parked": text(parkedSK)},
	}}
	if !parked {
		scans = append(scans, &dynamodb.ScanInput{
			TableName: &i.StateTable, ConsistentRead: aws.Bool(true),
			FilterExpression:          aws.String("sk = :event AND outcome <> :parked"),
			ExpressionAttributeValues: values{":event": text(eventSK), ":parked": text(string(inbox.Parked))},
		})
	}
	return func(yield func(inbox.EventRecord, error) bool) {
		for _, scan := range scans {
			if !i.scanEvents(ctx, scan, yield) {
				return
			}
		}
	}
}

// scanEvents reports whether it came to the table's end.
func (i Inbox) scanEvents(ctx context.Context, scan *dynamodb.ScanInput, yield func(inbox.EventRecord, error) bool) bool {
	const doing = "listing the events"
	pages := dynamodb.NewScanPaginator(i.DB, scan)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			yield(inbox.EventRecord{}, unavailable(doing, err))
			return false
		}
		for _, fields := range page.Items {
			var event eventItem
			if err = attributevalue.UnmarshalMap(fields, &event); err != nil {
				err = fmt.Errorf("%s: an item is damaged: %w", doing, err)
			}
			if !yield(event.record(), err) {
				return false
			}
		}
	}
	return true
}

// ApplyParked implements inbox.ParkedStore, in one round trip.
func (i Inbox) ApplyParked(ctx context.Context, p inbox.EventRecord, d inbox.Delivery, force bool) (inbox.Found, bool, error) {
	comparison := "<"
	if force {
		comparison = "<="
	}
	return i.write(ctx, i.unpark(p), i.settled(p, d), i.status(d, comparison))
}

// RecordParked implements inbox.ParkedStore.
func (i Inbox) RecordParked(ctx context.Context, p inbox.EventRecord, d inbox.Delivery) (inbox.Found, bool, error) {
	if d.Outcome == inbox.Parked {
		return i.write(ctx, i.tried(p, d))
	}
	return i.write(ctx, i.unpark(p), i.settled(p, d))
}

// asRead holds while nobody else has tried a parked event.
func asRead(p inbox.EventRecord) (condition *string, v values) {
	return aws.String("attempts = :before"), values{":before": number(int64(p.Attempts))}
}

// tried counts an attempt after which the event stays parked.
func (i Inbox) tried(p inbox.EventRecord, d inbox.Delivery) write {
	condition, v := asRead(p)
	v[":attempts"], v[":error"], v[":now"] = number(int64(p.Attempts+1)), text(d.LastError), seconds(d.ReceivedAt)
	return write{ofEvent, types.TransactWriteItem{Update: &types.Update{
		TableName: &i.OrdersTable, Key: key(eventPK+p.Key, parkedSK),
		UpdateExpression:    aws.String("SET attempts = :attempts, last_error = :error, updated_at = :now"),
		ConditionExpression: condition, ExpressionAttributeValues: v,
	}}}
}

// unpark ends the wait of an event.
func (i Inbox) unpark(p inbox.EventRecord) write {
	condition, v := asRead(p)
	return write{ofEvent, types.TransactWriteItem{Delete: &types.Delete{
		TableName: &i.OrdersTable, Key: key(eventPK+p.Key, parkedSK), ConditionExpression: condition, ExpressionAttributeValues: v,
	}}}
}

// settled is the record of an event that was parked, as if it had never been.
func (i Inbox) settled(p inbox.EventRecord, d inbox.Delivery) write {
	event := eventFields(d, p.Attempts+1)
	maps.Copy(event, eventKey(d))
	return write{ofEvent, types.TransactWriteItem{Put: &types.Put{TableName: &i.StateTable, Item: event}}}
}

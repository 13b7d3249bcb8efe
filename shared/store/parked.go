package store

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

// eventItem is what is read of an item EVENT#... EVENT. Times are unix seconds.
type eventItem struct {
	PK         string `dynamodbav:"pk"`
	Outcome    string `dynamodbav:"outcome"`
	Attempts   int    `dynamodbav:"attempts"`
	LastError  string `dynamodbav:"last_error"`
	Body       string `dynamodbav:"body"`
	BodySHA256 string `dynamodbav:"body_sha256"`
	UpdatedAt  int64  `dynamodbav:"updated_at"`
}

func (r eventItem) record() inbox.EventRecord {
	return inbox.EventRecord{
		Key: strings.TrimPrefix(r.PK, eventPK), Outcome: inbox.Outcome(r.Outcome), Attempts: r.Attempts,
		TriedAt: time.Unix(r.UpdatedAt, 0), BodySHA256: r.BodySHA256, Reason: r.LastError, Body: []byte(r.Body),
	}
}

// Parked implements inbox.ParkedStore.
func (i Inbox) Parked(ctx context.Context, eventKey string) (inbox.EventRecord, bool, error) {
	var event eventItem
	found, err := get(ctx, i.DB, i.StateTable, key(eventPK+eventKey, eventSK), "reading the event", &event)
	if err != nil || !found || event.Outcome != string(inbox.Parked) {
		return inbox.EventRecord{}, false, err
	}
	return event.record(), true, nil
}

// Events gives the records of all events, or of those that are parked, in no order, by
// reading the whole table. An error ends it, but one of a damaged item, which stands in
// that item's place.
func (i Inbox) Events(ctx context.Context, parked bool) iter.Seq2[inbox.EventRecord, error] {
	const doing = "listing the events"
	scan := &dynamodb.ScanInput{
		TableName: &i.StateTable, ConsistentRead: aws.Bool(true),
		FilterExpression: aws.String("sk = :event"), ExpressionAttributeValues: values{":event": text(eventSK)},
	}
	if parked {
		scan.FilterExpression = aws.String("sk = :event AND #status = :failed")
		scan.ExpressionAttributeNames = map[string]string{"#status": "status"}
		scan.ExpressionAttributeValues[":failed"] = text(statusFailed)
	}
	return func(yield func(inbox.EventRecord, error) bool) {
		pages := dynamodb.NewScanPaginator(i.DB, scan)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(inbox.EventRecord{}, unavailable(doing, err))
				return
			}
			for _, fields := range page.Items {
				var event eventItem
				if err = attributevalue.UnmarshalMap(fields, &event); err != nil {
					err = fmt.Errorf("%s: an item is damaged: %w", doing, err)
				}
				if !yield(event.record(), err) {
					return
				}
			}
		}
	}
}

// ApplyParked implements inbox.ParkedStore, in one round trip.
func (i Inbox) ApplyParked(ctx context.Context, p inbox.EventRecord, d inbox.Delivery, force bool) (inbox.Found, bool, error) {
	comparison := "<"
	if force {
		comparison = "<="
	}
	return i.write(ctx, i.parked(p, d), i.status(d, comparison))
}

// RecordParked implements inbox.ParkedStore.
func (i Inbox) RecordParked(ctx context.Context, p inbox.EventRecord, d inbox.Delivery) (inbox.Found, bool, error) {
	return i.write(ctx, i.parked(p, d))
}

// parked writes the record anew, after one more attempt.
func (i Inbox) parked(p inbox.EventRecord, d inbox.Delivery) write {
	put := i.put(d, p.Attempts+1)
	put.ConditionExpression = aws.String("#status = :failed AND attempts = :before")
	put.ExpressionAttributeNames = map[string]string{"#status": "status"}
	put.ExpressionAttributeValues = values{":failed": text(statusFailed), ":before": number(int64(p.Attempts))}
	return write{ofEvent, types.TransactWriteItem{Put: put}}
}

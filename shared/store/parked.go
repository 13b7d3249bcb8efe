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

// parkedItem is what is read of an item EVENT#... EVENT.
type parkedItem struct {
	PK         string `dynamodbav:"pk"`
	Status     string `dynamodbav:"status"`
	Attempts   int    `dynamodbav:"attempts"`
	LastError  string `dynamodbav:"last_error"`
	Body       string `dynamodbav:"body"`
	BodySHA256 string `dynamodbav:"body_sha256"`
	UpdatedAt  int64  `dynamodbav:"updated_at"`
}

func (r parkedItem) event() inbox.ParkedEvent {
	return inbox.ParkedEvent{
		Key: strings.TrimPrefix(r.PK, eventPK), Reason: r.LastError, Attempts: r.Attempts,
		TriedAt: time.Unix(r.UpdatedAt, 0), Body: []byte(r.Body), BodySHA256: r.BodySHA256,
	}
}

// Parked implements inbox.ParkedStore.
func (i Inbox) Parked(ctx context.Context, eventKey string) (inbox.ParkedEvent, bool, error) {
	var record parkedItem
	found, err := get(ctx, i.DB, i.StateTable, key(eventPK+eventKey, eventSK), "reading the event", &record)
	if err != nil || !found || record.Status != statusFailed {
		return inbox.ParkedEvent{}, false, err
	}
	return record.event(), true, nil
}

// AllParked gives the events that are parked, in no order, by reading the whole table.
// An error ends it, but one of a damaged item, which stands in that item's place.
func (i Inbox) AllParked(ctx context.Context) iter.Seq2[inbox.ParkedEvent, error] {
	const doing = "listing the parked events"
	return func(yield func(inbox.ParkedEvent, error) bool) {
		pages := dynamodb.NewScanPaginator(i.DB, &dynamodb.ScanInput{
			TableName: &i.StateTable, FilterExpression: aws.String("sk = :event AND #status = :failed"),
			ExpressionAttributeNames:  map[string]string{"#status": "status"},
			ExpressionAttributeValues: values{":event": text(eventSK), ":failed": text(statusFailed)},
			ConsistentRead:            aws.Bool(true),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(inbox.ParkedEvent{}, unavailable(doing, err))
				return
			}
			for _, fields := range page.Items {
				var record parkedItem
				if err = attributevalue.UnmarshalMap(fields, &record); err != nil {
					err = fmt.Errorf("%s: an item is damaged: %w", doing, err)
				}
				if !yield(record.event(), err) {
					return
				}
			}
		}
	}
}

// ApplyParked implements inbox.ParkedStore, in one round trip.
func (i Inbox) ApplyParked(ctx context.Context, p inbox.ParkedEvent, d inbox.Delivery, force bool) (inbox.Found, bool, error) {
	comparison := "<"
	if force {
		comparison = "<="
	}
	return i.write(ctx, i.parked(p, d), i.status(d, comparison))
}

// RecordParked implements inbox.ParkedStore.
func (i Inbox) RecordParked(ctx context.Context, p inbox.ParkedEvent, d inbox.Delivery) (inbox.Found, bool, error) {
	return i.write(ctx, i.parked(p, d))
}

// parked writes the record anew, after one more attempt.
func (i Inbox) parked(p inbox.ParkedEvent, d inbox.Delivery) write {
	put := i.put(d, p.Attempts+1)
	put.ConditionExpression = aws.String("#status = :failed AND attempts = :before")
	put.ExpressionAttributeNames = map[string]string{"#status": "status"}
	put.ExpressionAttributeValues = values{":failed": text(statusFailed), ":before": number(int64(p.Attempts))}
	return write{ofEvent, types.TransactWriteItem{Put: put}}
}

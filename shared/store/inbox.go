package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

// Inbox keeps webhooks: nonces and events in the state table, the orders' status in
// the orders table. It is an inbox.Store and an inbox.ParkedStore.
type Inbox struct {
	DB          *dynamodb.Client
	StateTable  string
	OrdersTable string
}

const (
	// nonceLife covers every timestamp that could be accepted with the nonce, and
	// DynamoDB's delay in neither direction matters.
	nonceLife = 24 * time.Hour
	// eventLife is how long a delivery is known as a duplicate. Parked events stay.
	eventLife = 90 * 24 * time.Hour
)

const (
	eventPK = "EVENT#" // and the event's key
	eventSK = "EVENT"
	// statusDone and statusFailed are an event's; failed is parked.
	statusDone   = "done"
	statusFailed = "failed"
)

// write is one of a transaction.
type write struct {
	of   subject
	item types.TransactWriteItem
}

// subject is what a write is of.
type subject int

const (
	ofNonce subject = iota
	ofEvent
	ofStatus
)

// Apply implements inbox.Store, in one round trip.
func (i Inbox) Apply(ctx context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return i.write(ctx, i.nonce(d), i.event(d), i.status(d, "<"))
}

// Record implements inbox.Store.
func (i Inbox) Record(ctx context.Context, d inbox.Delivery) (inbox.Found, bool, error) {
	return i.write(ctx, i.nonce(d), i.event(d))
}

// nonce is an update, not a put: every engine gives back what stood in its way.
func (i Inbox) nonce(d inbox.Delivery) write {
	return write{ofNonce, types.TransactWriteItem{Update: &types.Update{
		TableName: &i.StateTable, Key: key("NONCE#"+d.Event.Nonce, "NONCE"),
		UpdateExpression:    aws.String("SET event_key = :event, expires_at = :expires"),
		ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ExpressionAttributeValues: values{
			":event": text(d.EventKey()), ":expires": seconds(d.ReceivedAt.Add(nonceLife)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}

func (i Inbox) event(d inbox.Delivery) write {
	put := i.put(d, 1)
	put.ConditionExpression = aws.String("attribute_not_exists(pk)")
	return write{ofEvent, types.TransactWriteItem{Put: put}}
}

// put writes an event's record. A parked one keeps its body, to be tried again, and
// has no end; any other ends by itself.
func (i Inbox) put(d inbox.Delivery, attempts int) *types.Put {
	event := key(eventPK+d.EventKey(), eventSK)
	event["status"] = text(statusDone)
	event["outcome"] = text(string(d.Outcome))
	event["attempts"] = number(int64(attempts))
	event["body_sha256"] = text(d.BodySHA256)
	event["updated_at"] = seconds(d.ReceivedAt)
	if d.Outcome == inbox.Parked {
		event["status"] = text(statusFailed)
		event["last_error"] = text(d.LastError)
		event["body"] = text(string(d.Body))
	} else {
		event["expires_at"] = seconds(d.ReceivedAt.Add(eventLife))
	}
	return &types.Put{TableName: &i.StateTable, Item: event}
}

// status raises the order's status where its rank compares so with the event's.
func (i Inbox) status(d inbox.Delivery, comparison string) write {
	return write{ofStatus, types.TransactWriteItem{Update: &types.Update{
		TableName: &i.OrdersTable, Key: statusKey(d.Event.OrderID),
		// The id stands in the key, too: what reads the table's stream cannot cut it out.
		UpdateExpression: aws.String("SET #status = :status, #rank = :rank, g2a_order_id = :id, last_event_id = :event, updated_at = :now " +
			"ADD applied_events :one"),
		ConditionExpression:      aws.String("attribute_not_exists(#rank) OR #rank " + comparison + " :rank"),
		ExpressionAttributeNames: map[string]string{"#status": "status", "#rank": "rank"},
		ExpressionAttributeValues: values{
			":status": text(string(d.Event.Status)), ":rank": number(int64(d.Rank)), ":id": text(d.Event.OrderID),
			":event": text(d.Event.ID), ":now": seconds(d.ReceivedAt), ":one": number(1),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
}

func statusKey(g2aOrderID string) item { return key("G2A#"+g2aOrderID, "STATUS") }

func (i Inbox) write(ctx context.Context, writes ...write) (inbox.Found, bool, error) {
	items := make([]types.TransactWriteItem, len(writes))
	for n, w := range writes {
		items[n] = w.item
	}
	err := transact(ctx, i.DB, items...)
	if err == nil {
		return inbox.Found{}, true, nil
	}
	const doing = "writing the webhook"
	if conflicting(err) {
		return inbox.Found{}, false, unavailable(doing, err)
	}
	found, stopped := inbox.Found{}, false
	for place, reason := range cancellation(err) {
		if aws.ToString(reason.Code) != reasonCondition {
			continue
		}
		stopped = true
		if err := note(&found, writes[place].of, reason.Item); err != nil {
			return inbox.Found{}, false, unavailable(doing, err)
		}
	}
	if !stopped {
		return inbox.Found{}, false, unavailable(doing, err)
	}
	return found, false, nil
}

// note reads the old item of a write whose condition did not hold.
func note(found *inbox.Found, of subject, old item) error {
	var was struct {
		EventKey string `dynamodbav:"event_key"`
		Status   string `dynamodbav:"status"`
	}
	if err := attributevalue.UnmarshalMap(old, &was); err != nil {
		return fmt.Errorf("reading the old item: %w", err)
	}
	switch of {
	case ofNonce:
		if was.EventKey == "" {
			return errors.New("the nonce's old item names no event")
		}
		found.NonceEventKey = was.EventKey
	case ofEvent:
		found.Event = true
	case ofStatus:
		found.Status = g2a.EventStatus(was.Status)
	}
	return nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
)

// Inbox keeps webhooks: nonces and events in the state table; parked events and the
// orders' status in the orders table, where nothing expires. It is an inbox.Store and an
// inbox.ParkedStore.
type Inbox struct {
	DB          *dynamodb.Client
	StateTable  string
	OrdersTable string
}

const (
	// nonceLife covers every timestamp that could be accepted with the nonce, and
	// DynamoDB's delay in neither direction matters.
	nonceLife = 24 * time.Hour
	// eventLife is how long a delivery is known as a duplicate.
	eventLife = 90 * 24 * time.Hour
)

const (
	eventPK = "EVENT#" // and the event's key, in both tables
	eventSK = "EVENT"  // in the state table
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
	writes := []write{i.nonce(d), i.event(d)}
	if d.Outcome == inbox.Parked {
		writes = append(writes, i.park(d))
	}
	return i.write(ctx, writes...)
}

func (i Inbox) nonce(d inbox.Delivery) write {
	return write{ofNonce, putIfAbsent(i.StateTable, key("NONCE#"+d.Event.Nonce, "NONCE"), item{
		"event_key": text(d.ContentKey()), "expires_at": seconds(d.ReceivedAt.Add(nonceLife)),
	})}
}

func (i Inbox) event(d inbox.Delivery) write {
	return write{ofEvent, putIfAbsent(i.StateTable, eventKey(d), eventFields(d, 1))}
}

func eventKey(d inbox.Delivery) item { return key(eventPK+d.RecordKey(), eventSK) }

// eventFields are those of an event's record, which expires. That of a parked event only
// makes another delivery of it a duplicate; what a person needs is in the orders table.
func eventFields(d inbox.Delivery, attempts int) item {
	status := statusDone
	if d.Outcome == inbox.Parked {
		status = statusFailed
	}
	return item{
		"status": text(status), "outcome": text(string(d.Outcome)), "attempts": number(int64(attempts)),
		"order_status": text(string(d.Event.Status)), "body_sha256": text(d.BodySHA256),
		"updated_at": seconds(d.ReceivedAt), "expires_at": seconds(d.ReceivedAt.Add(eventLife)),
	}
}

// putIfAbsent is an update, not a put: every engine returns what stood in its way.
func putIfAbsent(table string, k, fields item) types.TransactWriteItem {
	update := &types.Update{
		TableName: &table, Key: k, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ExpressionAttributeNames: map[string]string{}, ExpressionAttributeValues: values{},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	var set []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		update.ExpressionAttributeNames["#"+name], update.ExpressionAttributeValues[":"+name] = name, fields[name]
		set = append(set, "#"+name+" = :"+name)
	}
	update.UpdateExpression = aws.String("SET " + strings.Join(set, ", "))
	return types.TransactWriteItem{Update: update}
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
		EventKey    string `dynamodbav:"event_key"`    // of a nonce
		OrderStatus string `dynamodbav:"order_status"` // of an event
		Status      string `dynamodbav:"status"`       // of an order
	}
	if err := attributevalue.UnmarshalMap(old, &was); err != nil {
		return fmt.Errorf("reading the old item: %w", err)
	}
	switch of {
	case ofNonce:
		if was.EventKey == "" {
			return errors.New("the nonce's old item names no event")
		}
		found.NonceKey = was.EventKey
	case ofEvent:
		found.Event, found.Recorded = true, g2a.EventStatus(was.OrderStatus)
	case ofStatus:
		found.Status = g2a.EventStatus(was.Status)
	}
	return nil
}

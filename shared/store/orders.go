package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

// Orders keeps the orders' records in the orders table. It is a purchase.Orders.
type Orders struct {
	DB    *dynamodb.Client
	Table string
}

// orderItem is an item ORDER#<order_ref> ORDER. Times are unix seconds; amounts are
// decimals as texts.
type orderItem struct {
	PK                 string      `dynamodbav:"pk"`
	SK                 string      `dynamodbav:"sk"`
	Step               string      `dynamodbav:"step"`
	Version            int64       `dynamodbav:"version"`
	RequestFingerprint string      `dynamodbav:"request_fingerprint"`
	ProductID          string      `dynamodbav:"product_id"`
	MaxPrice           string      `dynamodbav:"max_price"`
	Currency           string      `dynamodbav:"currency"`
	Quantity           int         `dynamodbav:"quantity,omitempty"` // absent: 1
	API                string      `dynamodbav:"api,omitempty"`      // absent: v1
	Spent              string      `dynamodbav:"spent,omitempty"`
	Price              string      `dynamodbav:"price,omitempty"`
	Creations          int         `dynamodbav:"creations,omitempty"`
	G2AOrderID         string      `dynamodbav:"g2a_order_id,omitempty"`
	IdempotencyKey     string      `dynamodbav:"idempotency_key,omitempty"`
	Overcharged        bool        `dynamodbav:"overcharged,omitempty"`
	OrderedAt          int64       `dynamodbav:"ordered_at,omitempty"`
	Payments           int         `dynamodbav:"payments,omitempty"`
	TriedAt            int64       `dynamodbav:"tried_at,omitempty"`
	LeaseOwner         string      `dynamodbav:"lease_owner,omitempty"`
	LeaseUntil         int64       `dynamodbav:"lease_until,omitempty"`
	keyFields                      // the first key
	MoreKeys           []keyFields `dynamodbav:"more_keys,omitempty"`
	KeyRaw             []byte      `dynamodbav:"key_raw,omitempty"`
	KeyRawParts        string      `dynamodbav:"key_raw_parts,omitempty"`
	Reason             string      `dynamodbav:"reason,omitempty"`
	CreatedAt          int64       `dynamodbav:"created_at"`
	UpdatedAt          int64       `dynamodbav:"updated_at"`
}

func orderPK(ref string) string { return "ORDER#" + ref }

const orderSK = "ORDER"

// Load implements purchase.Orders.
func (s Orders) Load(ctx context.Context, ref string) (purchase.Order, bool, error) {
	var record orderItem
	found, err := get(ctx, s.DB, s.Table, key(orderPK(ref), orderSK), "reading the order "+ref, &record)
	if err != nil || !found {
		return purchase.Order{}, false, err
	}
	o, err := record.order(ref)
	if err != nil {
		return purchase.Order{}, false, fmt.Errorf("reading the order %s: the item is damaged: %w", ref, err)
	}
	if err := s.readKeys(ctx, record, &o); err != nil {
		return purchase.Order{}, false, fmt.Errorf("reading the keys of order %s: %w", ref, err)
	}
	return o, true, nil
}

// List returns every order, in no order and without their keys. It reads the whole table,
// a page at a time, and ends after an error; a damaged record is one, and does not end it.
func (s Orders) List(ctx context.Context) iter.Seq2[purchase.Order, error] {
	return func(yield func(purchase.Order, error) bool) {
		pages := dynamodb.NewScanPaginator(s.DB, &dynamodb.ScanInput{
			TableName: &s.Table, FilterExpression: aws.String("sk = :order"),
			ExpressionAttributeValues: values{":order": text(orderSK)},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(purchase.Order{}, unavailable("listing the orders", err))
				return
			}
			for _, item := range page.Items {
				if !yield(readOrder(item)) {
					return
				}
			}
		}
	}
}

func readOrder(fields item) (purchase.Order, error) {
	var record orderItem
	if err := attributevalue.UnmarshalMap(fields, &record); err != nil {
		return purchase.Order{}, fmt.Errorf("listing the orders: an item is damaged: %w", err)
	}
	o, err := record.order(strings.TrimPrefix(record.PK, orderPK("")))
	if err != nil {
		return purchase.Order{}, fmt.Errorf("listing the orders: the item %s is damaged: %w", record.PK, err)
	}
	return o, nil
}

// Save implements purchase.Orders.
func (s Orders) Save(ctx context.Context, o purchase.Order) error {
	record, parts := recordOf(o)
	put, err := s.put(record)
	if err != nil {
		return err
	}
	if err := s.writeParts(ctx, record.PK, parts); err != nil {
		return err
	}
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: put.TableName, Item: put.Item, ConditionExpression: put.ConditionExpression,
		ExpressionAttributeNames: put.ExpressionAttributeNames, ExpressionAttributeValues: put.ExpressionAttributeValues,
	})
	switch {
	case refused(err):
		return s.conflictUnless(ctx, o.Ref, record)
	case err != nil:
		return unwritten("writing the order", err)
	}
	return nil
}

// SaveLinked implements purchase.Orders.
func (s Orders) SaveLinked(ctx context.Context, o purchase.Order) error {
	record, parts := recordOf(o)
	put, err := s.put(record)
	if err != nil {
		return err
	}
	if err := s.writeParts(ctx, record.PK, parts); err != nil {
		return err
	}
	link := &types.Update{
		TableName: &s.Table, Key: statusKey(o.G2AOrderID),
		UpdateExpression:          aws.String("SET order_ref = :ref, updated_at = :now"),
		ExpressionAttributeValues: values{":ref": text(o.Ref), ":now": seconds(o.UpdatedAt)},
	}
	err = transact(ctx, s.DB, types.TransactWriteItem{Put: put}, types.TransactWriteItem{Update: link})
	reasons := cancellation(err)
	switch {
	case err == nil:
		return nil
	case len(reasons) > 0 && aws.ToString(reasons[0].Code) == reasonCondition:
		return s.conflictUnless(ctx, o.Ref, record)
	}
	return unwritten("writing the order and its link", err)
}

// conflictUnless tells a record that another caller has changed from a write of
// this caller whose answer was lost and which the SDK has sent again: then the very
// record stands there.
func (s Orders) conflictUnless(ctx context.Context, ref string, record orderItem) error {
	var stored orderItem
	_, err := get(ctx, s.DB, s.Table, key(record.PK, record.SK), "reading the order "+ref, &stored)
	switch {
	case err != nil:
		return err
	case !reflect.DeepEqual(stored, record):
		return purchase.ErrVersionConflict
	}
	return nil
}

// put writes the record over the version before it.
func (s Orders) put(record orderItem) (*types.Put, error) {
	fields, err := attributevalue.MarshalMap(record)
	if err != nil {
		return nil, fmt.Errorf("writing the order's record: %w", err)
	}
	put := &types.Put{TableName: &s.Table, Item: fields, ConditionExpression: aws.String("attribute_not_exists(pk)")}
	if record.Version > 1 {
		put.ConditionExpression = aws.String("version = :before")
		put.ExpressionAttributeValues = values{":before": number(record.Version - 1)}
	}
	return put, nil
}

// Status implements purchase.Orders.
func (s Orders) Status(ctx context.Context, g2aOrderID string) (g2a.EventStatus, error) {
	var told struct {
		Status string `dynamodbav:"status"`
	}
	_, err := get(ctx, s.DB, s.Table, statusKey(g2aOrderID), "reading the order's status", &told)
	return g2a.EventStatus(told.Status), err
}

// recordOf maps an order to its item, and to those of a key that the item cannot hold.
func recordOf(o purchase.Order) (orderItem, []keyPart) {
	record := orderItem{
		PK: orderPK(o.Ref), SK: orderSK, Step: string(o.Step), Version: o.Version,
		RequestFingerprint: o.Fingerprint, ProductID: o.ProductID,
		MaxPrice: o.MaxPrice.Text(), Currency: o.MaxPrice.Currency, Quantity: o.Quantity, API: string(o.API),
		Spent: textOrNone(o.Spent), Price: textOrNone(o.Price),
		IdempotencyKey: o.IdempotencyKey, Overcharged: o.Overcharged, Creations: o.Creations, G2AOrderID: o.G2AOrderID, OrderedAt: secondsOrZero(o.OrderedAt),
		Payments: o.Payments, TriedAt: secondsOrZero(o.TriedAt),
		LeaseOwner: o.LeaseOwner, LeaseUntil: secondsOrZero(o.LeaseUntil), Reason: o.Reason,
		CreatedAt: o.CreatedAt.Unix(), UpdatedAt: o.UpdatedAt.Unix(),
	}
	return record, record.setKeys(o)
}

// textOrNone writes an amount, and "" for one that is not known.
func textOrNone(m g2a.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.Text()
}

func secondsOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func timeOrZero(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// order maps an item to its order, without the keys' values.
func (r orderItem) order(ref string) (purchase.Order, error) {
	limit, err := g2a.ParseMoney(r.MaxPrice, r.Currency)
	if err != nil {
		return purchase.Order{}, fmt.Errorf("max_price: %w", err)
	}
	o := purchase.Order{
		Request: purchase.Request{Ref: ref, ProductID: r.ProductID, MaxPrice: limit, Quantity: max(1, r.Quantity)},
		API:     cmp.Or(g2a.ExportAPI(r.API), g2a.ExportV1), IdempotencyKey: r.IdempotencyKey, Overcharged: r.Overcharged,
		Fingerprint: r.RequestFingerprint, Step: purchase.Step(r.Step), Version: r.Version,
		Creations: r.Creations, G2AOrderID: r.G2AOrderID, OrderedAt: timeOrZero(r.OrderedAt),
		Payments: r.Payments, TriedAt: timeOrZero(r.TriedAt),
		LeaseOwner: r.LeaseOwner, LeaseUntil: timeOrZero(r.LeaseUntil),
		Keys: r.keys(), KeyStored: r.hasKey(), Reason: r.Reason,
		CreatedAt: time.Unix(r.CreatedAt, 0), UpdatedAt: time.Unix(r.UpdatedAt, 0),
	}
	if o.Price, err = r.amount("price", r.Price); err != nil {
		return purchase.Order{}, err
	}
	if o.Spent, err = r.amount("spent", r.Spent); err != nil {
		return purchase.Order{}, err
	}
	return o, nil
}

// amount reads an amount that may be absent.
func (r orderItem) amount(name, text string) (g2a.Money, error) {
	if text == "" {
		return g2a.Money{}, nil
	}
	amount, err := g2a.ParseMoney(text, r.Currency)
	if err != nil {
		return g2a.Money{}, fmt.Errorf("%s: %w", name, err)
	}
	return amount, nil
}

package store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Health keeps the last health report in the state table, for all instances, and decides
// whose turn it is to make the next one.
type Health struct {
	DB    *dynamodb.Client
	Table string
}

// HealthRecord is the last report. The zero value means that none is stored.
type HealthRecord struct {
	Report    string // as it was saved
	CheckedAt time.Time
	Turn      HealthTurn // the last one that was taken
}

// HealthTurn is one instance's task of making the next report. The zero value means that
// none was ever taken.
type HealthTurn struct {
	Owner string
	At    time.Time // as the owner's clock says
}

// healthItem is the item HEALTH HEALTH. Times are unix seconds.
type healthItem struct {
	Report    string `dynamodbav:"report"`
	CheckedAt int64  `dynamodbav:"checked_at"`
	TurnOwner string `dynamodbav:"turn_owner"`
	TurnAt    int64  `dynamodbav:"turn_at"`
}

func healthKey() item { return key("HEALTH", "HEALTH") }

// Load returns the last report. An item that is damaged is an error, and not
// ErrUnavailable: saving the next report mends it.
func (h Health) Load(ctx context.Context) (HealthRecord, error) {
	var kept healthItem
	if _, err := get(ctx, h.DB, h.Table, healthKey(), "reading the health report", &kept); err != nil {
		return HealthRecord{}, err
	}
	record := HealthRecord{Report: kept.Report}
	if kept.CheckedAt != 0 {
		record.CheckedAt = time.Unix(kept.CheckedAt, 0)
	}
	if kept.TurnOwner != "" {
		record.Turn = HealthTurn{Owner: kept.TurnOwner, At: time.Unix(kept.TurnAt, 0)}
	}
	return record, nil
}

// TakeTurn takes the turn to make the next report. It reports false where the record is
// no longer what the caller has seen: another instance was faster. An owner that has this
// turn gets it again: its first answer may have been lost and the request sent once more.
func (h Health) TakeTurn(ctx context.Context, seen HealthRecord, turn HealthTurn) (bool, error) {
	v := values{":owner": text(turn.Owner), ":at": seconds(turn.At)}
	report := "attribute_not_exists(checked_at)"
	if !seen.CheckedAt.IsZero() {
		report, v[":checked_at"] = "checked_at = :checked_at", seconds(seen.CheckedAt)
	}
	unchanged := "attribute_not_exists(turn_owner)"
	if seen.Turn.Owner != "" {
		unchanged = "(turn_owner = :seen_owner AND turn_at = :seen_at)"
		v[":seen_owner"], v[":seen_at"] = text(seen.Turn.Owner), seconds(seen.Turn.At)
	}
	_, err := h.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &h.Table, Key: healthKey(),
		UpdateExpression:          aws.String("SET turn_owner = :owner, turn_at = :at"),
		ConditionExpression:       aws.String(report + " AND (" + unchanged + " OR (turn_owner = :owner AND turn_at = :at))"),
		ExpressionAttributeValues: v,
	})
	switch {
	case refused(err):
		return false, nil
	case err != nil:
		return false, unavailable("taking the turn to check health", err)
	}
	return true, nil
}

// Save keeps a report in the place of the last one, and of whatever is damaged.
func (h Health) Save(ctx context.Context, record HealthRecord) error {
	_, err := h.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &h.Table, Key: healthKey(),
		UpdateExpression: aws.String("SET report = :report, checked_at = :checked_at, turn_owner = :owner, turn_at = :at"),
		ExpressionAttributeValues: values{
			":report": text(record.Report), ":checked_at": seconds(record.CheckedAt),
			":owner": text(record.Turn.Owner), ":at": seconds(record.Turn.At),
		},
	})
	if err != nil {
		return unavailable("storing the health report", err)
	}
	return nil
}

package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// PollEvery is how often a stream is asked for records: as often as a pipe does.
const PollEvery = 250 * time.Millisecond

// Stream reads the stream of a table.
type Stream struct {
	client *dynamodbstreams.Client
	arn    string
	shards map[string]*position // all that were ever seen
	carry  func(event []byte) error
}

// OpenStream opens the stream of a table at an engine; nil where the table has none. A
// table that was there before without one gets it now, unless the engine has no streams.
// From now on, or from the stream's beginning, carry gets each record as a pipe sees it.
func OpenStream(ctx context.Context, endpoint string, table template.Table, hasStreams, fromStart bool, carry func(event []byte) error) (*Stream, error) {
	arn, err := streamARN(ctx, NewClient(endpoint), table, hasStreams)
	if err != nil || arn == "" {
		return nil, err
	}
	s := &Stream{arn: arn, shards: map[string]*position{}, carry: carry, client: dynamodbstreams.New(dynamodbstreams.Options{
		Region:           template.Region,
		BaseEndpoint:     &endpoint,
		Credentials:      functionsCredentials(),
		RetryMaxAttempts: 1, // the next round comes soon
	})}
	return s, s.begin(ctx, fromStart)
}

// streamARN gives the ARN of a table's stream, "" where the engine has no streams.
func streamARN(ctx context.Context, db *dynamodb.Client, table template.Table, hasStreams bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	found, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table.Name})
	if err != nil {
		return "", err
	}
	if spec := found.Table.StreamSpecification; spec != nil && aws.ToBool(spec.StreamEnabled) {
		return aws.ToString(found.Table.LatestStreamArn), nil
	}
	if !hasStreams {
		return "", nil
	}
	updated, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table.Name, StreamSpecification: streamSpecification(table)})
	if err != nil {
		return "", err
	}
	return aws.ToString(updated.TableDescription.LatestStreamArn), nil
}

// position is how far a shard is read.
type position struct {
	iterator *string // nil: to be had anew
	last     *string // the sequence number of the last record
	from     streams.ShardIteratorType
	ended    bool
}

// begin notes the shards that are there, and where to begin with them. With LATEST
// that is now, for good: a change made after Start is not missed.
func (s *Stream) begin(ctx context.Context, fromStart bool) error {
	from := streams.ShardIteratorTypeLatest
	if fromStart {
		from = streams.ShardIteratorTypeTrimHorizon
	}
	if err := s.find(ctx, from); err != nil {
		return err
	}
	for id, at := range s.shards {
		if err := s.place(ctx, id, at); err != nil {
			return err
		}
	}
	return nil
}

// Read is one round over all shards. A new one, which follows one that has ended, is
// read from its beginning.
func (s *Stream) Read(ctx context.Context) error {
	if err := s.find(ctx, streams.ShardIteratorTypeTrimHorizon); err != nil {
		return err
	}
	var failures []error
	for id, at := range s.shards {
		if !at.ended {
			failures = append(failures, s.readShard(ctx, id, at))
		}
	}
	return errors.Join(failures...)
}

// find notes shards that were not seen before.
func (s *Stream) find(ctx context.Context, from streams.ShardIteratorType) error {
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &s.arn}
	for {
		page, err := s.client.DescribeStream(ctx, in)
		if err != nil {
			return err
		}
		for _, shard := range page.StreamDescription.Shards {
			id := aws.ToString(shard.ShardId)
			if s.shards[id] == nil {
				s.shards[id] = &position{from: from}
			}
		}
		if in.ExclusiveStartShardId = page.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return nil
		}
	}
}

// place gets the iterator of a shard.
func (s *Stream) place(ctx context.Context, id string, at *position) error {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &s.arn, ShardId: &id, ShardIteratorType: at.from}
	if at.last != nil {
		in.ShardIteratorType, in.SequenceNumber = streams.ShardIteratorTypeAfterSequenceNumber, at.last
	}
	out, err := s.client.GetShardIterator(ctx, in)
	if err != nil {
		return err
	}
	at.iterator = out.ShardIterator
	return nil
}

func (s *Stream) readShard(ctx context.Context, id string, at *position) error {
	if at.iterator == nil {
		if err := s.place(ctx, id, at); err != nil {
			return err
		}
	}
	out, err := s.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: at.iterator})
	if err != nil {
		at.iterator = nil // it may have expired
		return err
	}
	for _, record := range out.Records {
		event, err := json.Marshal(streamEvent(record))
		if err != nil {
			return fmt.Errorf("reading a record: %w", err)
		}
		if err := s.carry(event); err != nil {
			return err
		}
		at.last = record.Dynamodb.SequenceNumber
	}
	at.iterator, at.ended = out.NextShardIterator, out.NextShardIterator == nil
	return nil
}

// streamEvent is a record as a pipe sees it.
func streamEvent(r streams.Record) map[string]any {
	change := map[string]any{
		"Keys": image(r.Dynamodb.Keys), "SequenceNumber": aws.ToString(r.Dynamodb.SequenceNumber), "StreamViewType": r.Dynamodb.StreamViewType,
	}
	if r.Dynamodb.NewImage != nil {
		change["NewImage"] = image(r.Dynamodb.NewImage)
	}
	if r.Dynamodb.OldImage != nil {
		change["OldImage"] = image(r.Dynamodb.OldImage)
	}
	return map[string]any{
		"eventID": aws.ToString(r.EventID), "eventName": r.EventName, "eventSource": "aws:dynamodb", "awsRegion": template.Region, "dynamodb": change,
	}
}

// image is an item in DynamoDB's JSON.
func image(item map[string]streams.AttributeValue) map[string]any {
	fields := map[string]any{}
	for name, value := range item {
		fields[name] = attribute(value)
	}
	return fields
}

func attribute(value streams.AttributeValue) map[string]any {
	switch v := value.(type) {
	case *streams.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *streams.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *streams.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *streams.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *streams.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}
	case *streams.AttributeValueMemberM:
		return map[string]any{"M": image(v.Value)}
	case *streams.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, element := range v.Value {
			list[i] = attribute(element)
		}
		return map[string]any{"L": list}
	case *streams.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *streams.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *streams.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}
	}
	return nil
}

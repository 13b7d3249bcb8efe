package cloud

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	smithyrand "github.com/aws/smithy-go/rand"

	"github.com/g2a-lambda/g2a-lambda/infra/local/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/local/template"
)

// pollEvery is how often a stream is asked for records: as often as a pipe does.
const pollEvery = 250 * time.Millisecond

// startStreams carries the tables' changes through the template's pipes, buses and
// rules to the functions, until Close. The engine in memory has no streams.
func (c *Cloud) startStreams(ctx context.Context) error {
	if !c.options.Streams {
		return nil
	}
	following, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	c.closers = append(c.closers, func() {
		cancel()
		done.Wait()
	})
	for _, pipe := range c.stack.Pipes {
		stream, err := c.stream(ctx, pipe.Table)
		if err != nil {
			return fmt.Errorf("the stream of %s: %w", pipe.Table, err)
		}
		if stream == "" {
			c.options.Log.Printf("not here    the stream of %s: the DynamoDB in memory has none, DYNAMODB_ENDPOINT names one that has", pipe.Table)
			continue
		}
		f := &follower{cloud: c, pipe: pipe, client: c.streams(), stream: stream, shards: map[string]*position{}}
		if err := f.begin(ctx); err != nil {
			return fmt.Errorf("the stream of %s: %w", pipe.Table, err)
		}
		done.Go(func() { f.follow(following) })
		c.options.Log.Printf("stream      %s -> %s -> %s", pipe.Table, pipe.Name, pipe.Bus)
	}
	return nil
}

func (c *Cloud) streams() *dynamodbstreams.Client {
	return dynamodbstreams.New(dynamodbstreams.Options{
		Region:           template.Region,
		BaseEndpoint:     &c.addresses.DynamoDB,
		Credentials:      credentials.NewStaticCredentialsProvider(lambda.AccessKeyID, lambda.SecretAccessKey, lambda.SessionToken),
		RetryMaxAttempts: 1, // the next round comes soon
	})
}

// stream gives the ARN of a table's stream, "" where the engine has no streams. A
// table that was there before without one gets it now.
func (c *Cloud) stream(ctx context.Context, table string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	db := c.DynamoDB()
	found, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		return "", err
	}
	if spec := found.Table.StreamSpecification; spec != nil && aws.ToBool(spec.StreamEnabled) {
		return aws.ToString(found.Table.LatestStreamArn), nil
	}
	if c.options.DynamoDBEndpoint == "" {
		return "", nil
	}
	for _, t := range c.stack.Tables {
		if t.Name != table {
			continue
		}
		updated, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, StreamSpecification: streamSpecification(t)})
		if err != nil {
			return "", err
		}
		return aws.ToString(updated.TableDescription.LatestStreamArn), nil
	}
	return "", nil
}

func streamSpecification(t template.Table) *types.StreamSpecification {
	if t.Stream == "" {
		return nil
	}
	return &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewType(t.Stream)}
}

// follower reads a stream for a pipe.
type follower struct {
	cloud  *Cloud
	pipe   template.Pipe
	client *dynamodbstreams.Client
	stream string
	shards map[string]*position // all that were ever seen
	broken bool                 // the last round failed, and the log says so
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
func (f *follower) begin(ctx context.Context) error {
	from := streams.ShardIteratorTypeLatest
	if f.pipe.FromStart {
		from = streams.ShardIteratorTypeTrimHorizon
	}
	if err := f.find(ctx, from); err != nil {
		return err
	}
	for id, at := range f.shards {
		if err := f.place(ctx, id, at); err != nil {
			return err
		}
	}
	return nil
}

// follow reads the stream until ctx ends.
func (f *follower) follow(ctx context.Context) {
	keep(ctx, pollEvery, func(time.Time) {
		err := f.read(ctx)
		if err != nil && ctx.Err() == nil && !f.broken {
			f.cloud.options.Log.Printf("stream of %s: %v; it is tried again", f.pipe.Table, err)
		}
		f.broken = err != nil
	})
}

// read is one round over all shards. A new one, which follows one that has ended, is
// read from its beginning.
func (f *follower) read(ctx context.Context) error {
	if err := f.find(ctx, streams.ShardIteratorTypeTrimHorizon); err != nil {
		return err
	}
	var failures []error
	for id, at := range f.shards {
		if !at.ended {
			failures = append(failures, f.readShard(ctx, id, at))
		}
	}
	return errors.Join(failures...)
}

// find notes shards that were not seen before.
func (f *follower) find(ctx context.Context, from streams.ShardIteratorType) error {
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &f.stream}
	for {
		page, err := f.client.DescribeStream(ctx, in)
		if err != nil {
			return err
		}
		for _, shard := range page.StreamDescription.Shards {
			id := aws.ToString(shard.ShardId)
			if f.shards[id] == nil {
				f.shards[id] = &position{from: from}
			}
		}
		if in.ExclusiveStartShardId = page.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return nil
		}
	}
}

// place gets the iterator of a shard.
func (f *follower) place(ctx context.Context, id string, at *position) error {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &f.stream, ShardId: &id, ShardIteratorType: at.from}
	if at.last != nil {
		in.ShardIteratorType, in.SequenceNumber = streams.ShardIteratorTypeAfterSequenceNumber, at.last
	}
	out, err := f.client.GetShardIterator(ctx, in)
	if err != nil {
		return err
	}
	at.iterator = out.ShardIterator
	return nil
}

func (f *follower) readShard(ctx context.Context, id string, at *position) error {
	if at.iterator == nil {
		if err := f.place(ctx, id, at); err != nil {
			return err
		}
	}
	out, err := f.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: at.iterator})
	if err != nil {
		at.iterator = nil // it may have expired
		return err
	}
	for _, record := range out.Records {
		if err := f.carry(record); err != nil {
			return err
		}
		at.last = record.Dynamodb.SequenceNumber
	}
	at.iterator, at.ended = out.NextShardIterator, out.NextShardIterator == nil
	return nil
}

// carry takes a record through the pipe to its bus, and on to the functions whose
// rules take it. A record's contents may be secret: no error quotes them.
func (f *follower) carry(record streams.Record) error {
	event, err := json.Marshal(streamEvent(record))
	if err != nil {
		return fmt.Errorf("reading a record: %w", err)
	}
	if !f.passes(event) {
		return nil
	}
	detail, err := f.pipe.Detail.Of(event)
	if err != nil {
		return fmt.Errorf("making an event of a record: %w", err)
	}
	return f.cloud.tell(f.pipe, detail)
}

func (f *follower) passes(event []byte) bool {
	for _, filter := range f.pipe.Filters {
		if filter.Matches(event) {
			return true
		}
	}
	return len(f.pipe.Filters) == 0
}

// tell puts an event on a pipe's bus: each rule of the bus that takes it has its
// function called.
func (c *Cloud) tell(pipe template.Pipe, detail []byte) error {
	id, _ := smithyrand.NewUUID(rand.Reader).GetUUID() // fails when rand.Reader does: never
	event, err := json.Marshal(map[string]any{
		"version":     "0",
		"id":          id,
		"detail-type": pipe.DetailType,
		"source":      pipe.Source,
		"account":     template.AccountID,
		"time":        time.Now().UTC().Format(time.RFC3339),
		"region":      template.Region,
		"resources":   []string{},
		"detail":      json.RawMessage(detail),
	})
	if err != nil {
		return fmt.Errorf("making an event of a record: %w", err)
	}
	for _, f := range c.stack.Functions {
		for _, rule := range f.Rules {
			if rule.Bus != pipe.Bus || !rule.Pattern.Matches(event) {
				continue
			}
			input, err := rule.Input.Of(event)
			if err != nil {
				return fmt.Errorf("rule %s of %s: %w", rule.Name, f.LogicalID, err)
			}
			if err := c.functions.InvokeAsync(f.LogicalID, lambda.Invocation{Payload: input}); err != nil {
				return fmt.Errorf("rule %s of %s: %w", rule.Name, f.LogicalID, err)
			}
		}
	}
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

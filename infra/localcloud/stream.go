package localcloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/dynamodb"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

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
		stream, err := c.openStream(ctx, pipe)
		if err != nil {
			return fmt.Errorf("the stream of %s: %w", pipe.Table, err)
		}
		if stream == nil {
			c.options.Log.Printf("not here    the stream of %s: the DynamoDB in memory has none, DYNAMODB_ENDPOINT names one that has", pipe.Table)
			continue
		}
		done.Go(func() { c.follow(following, pipe, stream) })
		c.options.Log.Printf("stream      %s -> %s -> %s", pipe.Table, pipe.Name, pipe.Bus)
	}
	return nil
}

// openStream opens the stream of a pipe's table; nil where the engine has none.
func (c *Cloud) openStream(ctx context.Context, pipe template.Pipe) (*dynamodb.Stream, error) {
	at := slices.IndexFunc(c.stack.Tables, func(t template.Table) bool { return t.Name == pipe.Table })
	if at < 0 {
		return nil, errors.New("the template has no such table")
	}
	return dynamodb.OpenStream(ctx, c.addresses.DynamoDB, c.stack.Tables[at], c.options.DynamoDBEndpoint != "", pipe.FromStart,
		func(event []byte) error { return c.carry(pipe, event) })
}

// follow reads a stream for a pipe until ctx ends. The log is told once of rounds that
// fail one after the other.
func (c *Cloud) follow(ctx context.Context, pipe template.Pipe, stream *dynamodb.Stream) {
	broken := false
	keep(ctx, dynamodb.PollEvery, func(time.Time) {
		err := stream.Read(ctx)
		if err != nil && ctx.Err() == nil && !broken {
			c.options.Log.Printf("stream of %s: %v; it is tried again", pipe.Table, err)
		}
		broken = err != nil
	})
}

// carry takes a record through a pipe to its bus, and on to the functions whose rules
// take it. A record's contents may be secret: no error quotes them.
func (c *Cloud) carry(pipe template.Pipe, event []byte) error {
	if !passes(pipe, event) {
		return nil
	}
	detail, err := pipe.Detail.Of(event)
	if err != nil {
		return fmt.Errorf("making an event of a record: %w", err)
	}
	return c.tell(pipe, detail)
}

func passes(pipe template.Pipe, event []byte) bool {
	for _, filter := range pipe.Filters {
		if filter.Matches(event) {
			return true
		}
	}
	return len(pipe.Filters) == 0
}

// tell puts an event on a pipe's bus: each rule of the bus that takes it has its
// function called.
func (c *Cloud) tell(pipe template.Pipe, detail []byte) error {
	event, err := busEvent(pipe.Source, pipe.DetailType, time.Now(), detail)
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

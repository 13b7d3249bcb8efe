package localcloud

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	smithyrand "github.com/aws/smithy-go/rand"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// startSchedules calls the functions on their schedules until Close. As on AWS, the
// first call comes after one period.
func (c *Cloud) startSchedules(context.Context) error {
	if !c.options.Schedules {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, f := range c.stack.Functions {
		for _, s := range f.Schedules {
			done.Go(func() {
				keep(ctx, s.Every, func(now time.Time) { c.fire(f, s, now) })
			})
			c.options.Log.Printf("schedule    %s every %s", f.LogicalID, s.Every)
		}
	}
	c.closers = append(c.closers, func() {
		cancel()
		done.Wait()
	})
	return nil
}

// keep calls at the end of every period until ctx ends.
func keep(ctx context.Context, every time.Duration, call func(now time.Time)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			call(now)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Cloud) fire(f template.Function, s template.Schedule, now time.Time) {
	if err := c.functions.InvokeAsync(f.LogicalID, lambda.Invocation{Payload: scheduledEvent(f, s, now)}); err != nil {
		c.options.Log.Printf("schedule %s of %s: %v", s.Name, f.LogicalID, err)
	}
}

// scheduledEvent is what EventBridge sends. SAM names the rule after the function
// and the event.
func scheduledEvent(f template.Function, s template.Schedule, now time.Time) []byte {
	rule := fmt.Sprintf("arn:aws:events:%s:%s:rule/%s%s", template.Region, template.AccountID, f.LogicalID, s.Name)
	event, _ := busEvent("aws.events", "Scheduled Event", now, []byte("{}"), rule) // strings only: cannot fail
	return event
}

// busEvent is an event on a bus of EventBridge.
func busEvent(source, detailType string, at time.Time, detail []byte, resources ...string) ([]byte, error) {
	id, _ := smithyrand.NewUUID(rand.Reader).GetUUID() // fails when rand.Reader does: never
	return json.Marshal(map[string]any{
		"version":     "0",
		"id":          id,
		"detail-type": detailType,
		"source":      source,
		"account":     template.AccountID,
		"time":        at.UTC().Format(time.RFC3339),
		"region":      template.Region,
		"resources":   append([]string{}, resources...), // a list, also where it is empty
		"detail":      json.RawMessage(detail),
	})
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// listEvents prints what is kept of webhooks' events, the latest attempt last.
func listEvents(flags *flag.FlagSet) action {
	failed := flags.Bool("failed", false, "only events that are parked: they wait for a person")
	return func(ctx context.Context, t *tool, _ []string) error {
		box, err := t.access.inbox(ctx)
		if err != nil {
			return err
		}
		var found []inbox.EventRecord
		var damaged []error
		for event, err := range box.Events(ctx, *failed) {
			if err != nil {
				damaged = append(damaged, err)
				continue
			}
			found = append(found, event)
			t.counting("events", len(found))
		}
		t.counted()
		slices.SortFunc(found, func(a, b inbox.EventRecord) int { return a.TriedAt.Compare(b.TriedAt) })
		list, now := t.listing(), time.Now()
		for _, event := range found {
			if err := list.add(row{
				{"event", event.Key}, {"outcome", event.Outcome}, {"reason", event.Reason}, {"attempts", event.Attempts},
				{"tried_at", moment(event.TriedAt)}, {"age", age(now.Sub(event.TriedAt))},
			}); err != nil {
				return err
			}
		}
		return errors.Join(append(damaged, list.end())...)
	}
}

// age is a time span in its largest unit, as of the last attempt.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// retryEvent tries a parked event again.
func retryEvent(flags *flag.FlagSet) action {
	force := flags.Bool("force", false, "put the event's final status in the place of another final one")
	return func(ctx context.Context, t *tool, operands []string) error {
		box, err := t.access.inbox(ctx)
		if err != nil {
			return err
		}
		key := operands[0]
		if !strings.Contains(key, "#") {
			if key, err = parkedKey(ctx, box, key); err != nil {
				return err
			}
		}
		retrier := inbox.Retrier{Store: box, Clock: time.Now}
		outcome, reason, err := retrier.Retry(ctx, key, *force)
		if err != nil {
			return err
		}
		return t.one(row{{"event", key}, {"outcome", outcome}, {"reason", reason}})
	}
}

// parkedKey finds the one parked event of an event id.
func parkedKey(ctx context.Context, box store.Inbox, id string) (string, error) {
	var keys []string
	for event, err := range box.Events(ctx, true) {
		if err == nil && strings.HasPrefix(event.Key, id+"#") {
			keys = append(keys, event.Key)
		} else if err != nil {
			return "", err
		}
	}
	switch len(keys) {
	case 0:
		return "", fmt.Errorf("event %s: %w", id, inbox.ErrNotParked)
	case 1:
		return keys[0], nil
	}
	slices.Sort(keys)
	return "", fmt.Errorf("event %s is parked more than once: name one of %s", id, strings.Join(keys, ", "))
}

package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// place is a record that the story leaves behind.
type place struct{ table, pk, sk string }

func (t *teller) places() []place {
	return []place{
		{stateTable, "TOKEN#sandbox#" + t.credentials.Fingerprint(), "TOKEN"},
		{stateTable, t.event.pk(t.order.G2AOrderID), "EVENT"},
		{ordersTable, "G2A#" + t.order.G2AOrderID, "STATUS"},
		{ordersTable, "ORDER#" + t.orderRef, "ORDER"},
	}
}

// readRecords checks what the webhooks have left: the event once, and the order's
// status moved once.
func (t *teller) readRecords(ctx context.Context) (string, error) {
	event, err := t.record(ctx, stateTable, t.event.pk(t.order.G2AOrderID), "EVENT")
	if err != nil {
		return "", err
	}
	status, err := t.record(ctx, ordersTable, "G2A#"+t.order.G2AOrderID, "STATUS")
	if err != nil {
		return "", err
	}
	for _, check := range []struct{ what, want, found string }{
		{"the event's status", "done", text(event["status"])},
		{"the event's outcome", "processed", text(event["outcome"])},
		{"the order's status", "completed", text(status["status"])},
		{"events applied to the order", "1", text(status["applied_events"])},
		{"the order the status belongs to", t.orderRef, text(status["order_ref"])},
	} {
		if check.want != check.found {
			return "", mismatch(check.what, check.want, check.found)
		}
	}
	return "event done, order completed, events applied: 1, joined with the order", nil
}

// hidden are the attributes whose value is not printed.
var hidden = map[string]bool{"access_token": true, "product_key": true, "key_raw": true}

// printRecords prints the records as DynamoDB has them.
func (t *teller) printRecords(ctx context.Context, out io.Writer) error {
	for _, p := range t.places() {
		item, err := t.record(ctx, p.table, p.pk, p.sk)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s  %s  %s\n", p.table, p.pk, p.sk)
		for _, name := range slices.Sorted(maps.Keys(item)) {
			if name != "pk" && name != "sk" {
				fmt.Fprintf(out, "    %-20s %s\n", name, printable(name, item[name]))
			}
		}
	}
	return nil
}

func printable(name string, value types.AttributeValue) string {
	if hidden[name] {
		return fmt.Sprintf("[redacted] (%d characters)", len(text(value)))
	}
	return text(value)
}

// searchLogs looks for every secret of the story in every log.
func (t *teller) searchLogs(context.Context) (string, error) {
	secrets := map[string]string{
		"the API hash": t.credentials.Hash.Reveal(), "the API key": t.credentials.Key.Reveal(),
		"the access token": t.token.Reveal(),
	}
	for i, key := range t.keys {
		secrets[fmt.Sprintf("product key %d", i+1)] = key.Reveal()
	}
	for i, signature := range t.signatures {
		secrets[fmt.Sprintf("signature %d", i+1)] = signature
	}
	var files, lines int
	err := filepath.WalkDir(t.stack.Logs, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		lines += bytes.Count(content, []byte("\n"))
		for name, secret := range secrets {
			if secret == "" {
				return fmt.Errorf("%s is not known to the story", name)
			}
			if strings.Contains(string(content), secret) {
				return fmt.Errorf("%s stands in %s", name, path)
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("searching the logs: %w", err)
	}
	if lines == 0 {
		return "", errors.New("the logs are empty")
	}
	return fmt.Sprintf("%d secrets in %d lines of %d logs: none", len(secrets), lines, files), nil
}

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/httpapi"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
)

// webhook is a body as G2A sends it.
type webhook struct {
	EventID string         `json:"event_id"`
	OrderID string         `json:"order_id"`
	Type    g2a.EventType  `json:"type"`
	Payload webhookPayload `json:"payload"`
}

type webhookPayload struct {
	Status g2a.EventStatus `json:"status"`
}

// signedEvent writes the event of a webhook that is signed now, and so is taken for
// the next five minutes. The file holds a signature, not the hash.
func signedEvent(ctx context.Context, s settings, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("event", flag.ContinueOnError)
	flags.SetOutput(out)
	kind := flags.String("type", string(g2a.EventOrderCompleted), "type of the event")
	status := flags.String("status", "", "status of the order; default: the one that goes with the type")
	order := flags.String("order", "80201019921771", "id of the order at G2A")
	id := flags.String("event", "", "id of the event; default: a new one")
	file := flags.String("o", filepath.Join("events", "webhook-signed.json"), "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *id == "" {
		*id = "evt_" + rand.Text()
	}
	if *status == "" {
		*status = string(usualStatus(g2a.EventType(*kind)))
	}
	hash, err := s.hash(ctx)
	if err != nil {
		return err
	}
	event, err := sign(webhook{*id, *order, g2a.EventType(*kind), webhookPayload{g2a.EventStatus(*status)}}, hash, time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(*file, event, 0o600); err != nil {
		return fmt.Errorf("writing the event: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: %s %s of order %s, to be used within %s\n", *file, *id, *kind, *order, g2a.MaxSkew)
	return err
}

// usualStatus is the status that G2A sends with a type.
func usualStatus(kind g2a.EventType) g2a.EventStatus {
	switch kind {
	case g2a.EventOrderCompleted:
		return g2a.StatusCompleted
	case g2a.EventOrderFailed:
		return g2a.StatusFailed
	case g2a.EventOrderCancelled:
		return g2a.StatusCancelled
	default:
		return g2a.StatusProcessing
	}
}

// hash gives the given API hash, or the running cloud's.
func (s settings) hash(ctx context.Context) (g2a.Secret, error) {
	if s.hashGiven {
		return s.credentials.Hash, nil
	}
	stack, err := template.Load("template.yaml", nil)
	if err != nil {
		return g2a.Secret{}, err
	}
	if len(stack.Secrets) != 1 {
		return g2a.Secret{}, fmt.Errorf("template.yaml has %d secrets: which one holds the hash? Set G2A_API_HASH", len(stack.Secrets))
	}
	client := secretsmanager.New(secretsmanager.Options{
		Region:           template.Region,
		BaseEndpoint:     aws.String("http://" + s.secrets()),
		Credentials:      credentials.NewStaticCredentialsProvider(lambda.AccessKeyID, lambda.SecretAccessKey, lambda.SessionToken),
		RetryMaxAttempts: 1,
	})
	current, err := secrets.New(client, stack.Secrets[0].Name, time.Now).Credentials(ctx)
	if err != nil {
		return g2a.Secret{}, notUp(s.secrets(), "reading the hash", err)
	}
	return current.Hash, nil
}

// sign creates the request that G2A would send now, and the event for it. One that could
// be applied to no order is an error.
func sign(body webhook, hash g2a.Secret, now time.Time) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing the webhook's body: %w", err)
	}
	timestamp, nonce := strconv.FormatInt(now.UnixMilli(), 10), rand.Text()
	request, err := http.NewRequest(http.MethodPost, "https://local.execute-api.eu-central-1.amazonaws.com/webhooks/g2a", bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("making the webhook: %w", err)
	}
	request.RemoteAddr = "127.0.0.1:443"
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(g2a.HeaderTimestamp, timestamp)
	request.Header.Set(g2a.HeaderNonce, nonce)
	request.Header.Set(g2a.HeaderSignature, g2a.SignWebhook(hash, raw, timestamp, nonce).Reveal())
	switch read, err := g2a.VerifyWebhook(raw, request.Header, []g2a.Secret{hash}, now); {
	case err != nil:
		return nil, err
	case read.Defect != "":
		return nil, errors.New(read.Defect)
	}
	event, err := json.MarshalIndent(httpapi.NewEvent(request, raw, now), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the event: %w", err)
	}
	return append(event, '\n'), nil
}

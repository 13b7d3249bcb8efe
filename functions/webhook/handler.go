package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

const (
	// maxBody is the longest webhook, in bytes. G2A's have some hundred.
	maxBody = 256 << 10
	// answerReserve is left of the function's time for the answer itself, so that a
	// store that hangs ends in an answer and not in a function that is killed.
	answerReserve = time.Second
)

// hashSource returns the API hashes that webhooks may be signed with, the current one
// first.
type hashSource interface {
	// Hashes may be minutes old.
	Hashes(ctx context.Context) ([]g2a.Secret, error)
	// RefreshedHashes is Hashes, refreshed unless that was asked for a moment ago.
	RefreshedHashes(ctx context.Context) ([]g2a.Secret, error)
}

// receiver is what is called of an *inbox.Inbox.
type receiver interface {
	Receive(ctx context.Context, event g2a.Event, body []byte) (inbox.Receipt, error)
}

// endpoint answers POST /webhooks/g2a.
type endpoint struct {
	hashes  hashSource
	inbox   receiver
	clock   func() time.Time
	log     *slog.Logger
	metrics telemetry.Metrics
}

// newHandler routes the two requests that wake the function.
func newHandler(webhooks endpoint) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/g2a", webhooks)
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		answer{http.StatusOK, map[string]string{"status": "alive"}}.write(w)
	})
	return mux
}

// ServeHTTP implements http.Handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if deadline, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerReserve))
		defer cancel()
	}
	receipt, event, err := e.take(ctx, w, r)
	if err != nil {
		e.refuse(ctx, event, err).write(w)
		return
	}
	e.report(ctx, receipt, event)
	answer{http.StatusOK, map[string]string{"result": string(receipt.Outcome)}}.write(w)
}

// report logs and counts what became of a webhook. What the sender can vary is for the log
// alone: a metric has few values.
func (e endpoint) report(ctx context.Context, receipt inbox.Receipt, event g2a.Event) {
	attributes := append(about(event), "result", string(receipt.Outcome))
	switch receipt.Outcome {
	case inbox.Parked:
		attributes = append(attributes, "cause", string(receipt.Cause), "reason", receipt.Reason)
		e.metrics.Count("WebhookParked", telemetry.Dimension{Name: "cause", Value: string(receipt.Cause)})
	case inbox.Acknowledged:
		e.metrics.Count("WebhookAcknowledged", telemetry.Dimension{Name: "kind", Value: kindOf(event.Type)})
	}
	e.log.InfoContext(ctx, "webhook", attributes...)
	e.metrics.Count("WebhookResult", telemetry.Dimension{Name: "result", Value: string(receipt.Outcome)})
}

// kindOf is what an event that is of no order is about, in one of a few words.
func kindOf(eventType g2a.EventType) string {
	switch kind, _, _ := strings.Cut(string(eventType), "."); kind {
	case "ping", "product", "offer":
		return kind
	}
	return "other"
}

// take reads a webhook, verifies it and gives it to the inbox. With an error, the
// event is the zero one unless it is verified.
func (e endpoint) take(ctx context.Context, w http.ResponseWriter, r *http.Request) (inbox.Receipt, g2a.Event, error) {
	body, err := readBody(w, r)
	if err != nil {
		return inbox.Receipt{}, g2a.Event{}, err
	}
	event, err := e.verify(ctx, r.Header, body)
	if err != nil {
		return inbox.Receipt{}, g2a.Event{}, err
	}
	receipt, err := e.inbox.Receive(ctx, event, body)
	return receipt, event, err
}

var (
	errMediaType = errors.New("Content-Type is not application/json")
	errTooLong   = errors.New("body is longer than 256 KiB")
)

// readBody reads the raw bytes, which are what is signed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !isJSON(r.Header.Values("Content-Type")) {
		return nil, errMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, errTooLong
	}
	return body, nil
}

var (
	quoted        = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	jsonMediaType = regexp.MustCompile(`^application/([a-z0-9!#$&^_.+-]+\+)?json$`)
)

// isJSON reports whether each media type is JSON, and there is one. A proxy may repeat the
// header, in lines or in one list (which the gateway's adapter cuts at every comma), and
// nothing depends on its parameters: malformed ones are no reason to refuse what G2A has
// signed.
func isJSON(contentTypes []string) bool {
	list, found := quoted.ReplaceAllString(strings.Join(contentTypes, ","), ""), false
	for entry := range strings.SplitSeq(list, ",") {
		mediaType, _, _ := strings.Cut(entry, ";")
		switch {
		case jsonMediaType.MatchString(strings.ToLower(strings.TrimSpace(mediaType))):
			found = true
		case strings.TrimSpace(entry) != "":
			return false
		}
	}
	return found
}

// verify checks the signature against the current hash, and where it is another one
// against fresh hashes: the credentials may have been rotated a moment ago, and a
// previous hash that has leaked may have been revoked a moment ago.
func (e endpoint) verify(ctx context.Context, header http.Header, body []byte) (g2a.Event, error) {
	hashes, err := e.hashes.Hashes(ctx)
	if err != nil {
		return g2a.Event{}, fmt.Errorf("reading the API hashes: %w", err)
	}
	event, err := g2a.VerifyWebhook(body, header, hashes[:min(1, len(hashes))], e.clock())
	if !errors.Is(err, g2a.ErrSignatureWrong) {
		return event, err
	}
	fresh, err := e.hashes.RefreshedHashes(ctx)
	if err != nil {
		return g2a.Event{}, fmt.Errorf("refreshing the API hashes: %w", err)
	}
	return g2a.VerifyWebhook(body, header, fresh, e.clock())
}

// refusals are the answers to webhooks that are at fault themselves. The reason
// stands in the metric and is one of these few: what a sender can vary, such as the
// field that is malformed, is for the log alone.
var refusals = []struct {
	err    error
	status int
	reason string
}{
	{errMediaType, http.StatusUnsupportedMediaType, "content_type"},
	{errTooLong, http.StatusRequestEntityTooLarge, "body_too_long"},
	{g2a.ErrEventMalformed, http.StatusBadRequest, "event_malformed"},
	{g2a.ErrSignatureAbsent, http.StatusUnauthorized, "signature_absent"},
	{g2a.ErrSignatureMalformed, http.StatusUnauthorized, "signature_malformed"},
	{g2a.ErrSignatureWrong, http.StatusUnauthorized, "signature_wrong"},
	{g2a.ErrTimestampAbsent, http.StatusUnauthorized, "timestamp_absent"},
	{g2a.ErrTimestampMalformed, http.StatusUnauthorized, "timestamp_malformed"},
	{g2a.ErrTimestampStale, http.StatusUnauthorized, "timestamp_stale"},
	{g2a.ErrTimestampAhead, http.StatusUnauthorized, "timestamp_ahead"},
	{g2a.ErrNonceAbsent, http.StatusUnauthorized, "nonce_absent"},
	{g2a.ErrNonceMalformed, http.StatusUnauthorized, "nonce_malformed"},
	{inbox.ErrNonceReused, http.StatusUnauthorized, "nonce_reused"},
}

// refuse gives the answer to a webhook that was not taken. An error that is not the
// webhook's own is one of the store or the secret: G2A is to send it again.
func (e endpoint) refuse(ctx context.Context, event g2a.Event, err error) answer {
	attributes := append(about(event), "error", err.Error())
	for _, refusal := range refusals {
		if !errors.Is(err, refusal.err) {
			continue
		}
		e.log.WarnContext(ctx, "webhook refused", append(attributes, "status", refusal.status, "reason", refusal.reason)...)
		e.metrics.Count("WebhookRejected", telemetry.Dimension{Name: "reason", Value: refusal.reason})
		if refusal.status == http.StatusUnauthorized {
			return failure(refusal.status, "unauthorized") // and nothing that a forger could learn from
		}
		return failure(refusal.status, err.Error())
	}
	e.log.ErrorContext(ctx, "webhook not taken", attributes...)
	e.metrics.Count("WebhookUnavailable", telemetry.Dimension{})
	return failure(http.StatusServiceUnavailable, "try again later")
}

// about is what the log says of a webhook: of its event only once it is verified.
func about(event g2a.Event) []any {
	if event.ID == "" {
		return nil
	}
	return []any{
		"event_id", event.ID, "g2a_order_id", event.OrderID, "type", string(event.Type), "order_status", string(event.Status),
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
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
	// retryAfter is when G2A may try again, in seconds, after a 503.
	retryAfter = "5"
)

// hashSource gives the API hashes that webhooks may be signed with.
type hashSource interface {
	Hashes(ctx context.Context) ([]g2a.Secret, error)
	// RefreshedHashes is Hashes, read anew if that has not just been done.
	RefreshedHashes(ctx context.Context) ([]g2a.Secret, error)
}

// receiver is what is called of an *inbox.Inbox.
type receiver interface {
	Receive(ctx context.Context, event g2a.Event, body []byte) (inbox.Outcome, error)
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

// answer is a status and what becomes the JSON body.
type answer struct {
	status int
	body   any
}

// The bodies of errors: a sender whose signature is bad is told nothing else, so
// that a forger learns nothing.
func refusal(status int, text string) answer {
	return answer{status, map[string]string{"error": text}}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // the gateway has gone: nobody to tell
}

// ServeHTTP implements http.Handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if deadline, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerReserve))
		defer cancel()
	}
	body, refused := readBody(w, r)
	if refused != nil {
		e.reject(ctx, refused.status, "not a webhook")
		refused.write(w)
		return
	}
	e.take(ctx, r.Header, body).write(w)
}

// readBody reads the raw bytes, which are what is signed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		refused := refusal(http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return nil, &refused
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refused := refusal(http.StatusRequestEntityTooLarge, "body is longer than 256 KiB")
		return nil, &refused
	}
	return body, nil
}

// take verifies a webhook and gives it to the inbox.
func (e endpoint) take(ctx context.Context, header http.Header, body []byte) answer {
	event, err := e.verify(ctx, header, body)
	switch {
	case errors.Is(err, errHashes):
		e.log.ErrorContext(ctx, "webhook not verified", "error", err.Error())
		e.metrics.Count("WebhookUnavailable", telemetry.Dimension{})
		return refusal(http.StatusServiceUnavailable, "try again later")
	case errors.Is(err, g2a.ErrEventMalformed):
		e.reject(ctx, http.StatusBadRequest, err.Error())
		return refusal(http.StatusBadRequest, err.Error())
	case err != nil:
		return e.unauthorized(ctx, err)
	}
	outcome, err := e.inbox.Receive(ctx, event, body)
	switch {
	case errors.Is(err, inbox.ErrNonceReused):
		return e.unauthorized(ctx, err)
	case err != nil:
		e.log.ErrorContext(ctx, "webhook not stored", append(about(ctx, event), "error", err.Error())...)
		e.metrics.Count("WebhookUnavailable", telemetry.Dimension{})
		return refusal(http.StatusServiceUnavailable, "try again later")
	}
	e.log.InfoContext(ctx, "webhook", append(about(ctx, event), "result", string(outcome))...)
	e.metrics.Count("WebhookResult", telemetry.Dimension{Name: "result", Value: string(outcome)})
	return answer{http.StatusOK, map[string]string{"result": string(outcome)}}
}

// errHashes is around the errors of a hashSource.
var errHashes = errors.New("reading the API hashes")

// verify checks the signature against the hashes that are known, and once more
// against fresh ones: the credentials may have been rotated a moment ago.
func (e endpoint) verify(ctx context.Context, header http.Header, body []byte) (g2a.Event, error) {
	hashes, err := e.hashes.Hashes(ctx)
	if err != nil {
		return g2a.Event{}, errors.Join(errHashes, err)
	}
	event, err := g2a.VerifyWebhook(body, header, hashes, e.clock())
	if !errors.Is(err, g2a.ErrSignatureWrong) {
		return event, err
	}
	if hashes, err = e.hashes.RefreshedHashes(ctx); err != nil {
		return g2a.Event{}, errors.Join(errHashes, err)
	}
	return g2a.VerifyWebhook(body, header, hashes, e.clock())
}

func (e endpoint) unauthorized(ctx context.Context, why error) answer {
	e.reject(ctx, http.StatusUnauthorized, why.Error())
	return refusal(http.StatusUnauthorized, "unauthorized")
}

func (e endpoint) reject(ctx context.Context, status int, why string) {
	e.log.WarnContext(ctx, "webhook refused", "status", status, "reason", why, "correlation_id", g2a.CorrelationID(ctx))
	e.metrics.Count("WebhookRejected", telemetry.Dimension{Name: "reason", Value: why})
}

// about is what the log says of an event that is verified.
func about(ctx context.Context, event g2a.Event) []any {
	return []any{
		"event_id", event.ID, "g2a_order_id", event.OrderID, "type", string(event.Type), "order_status", string(event.Status),
		"correlation_id", g2a.CorrelationID(ctx),
	}
}

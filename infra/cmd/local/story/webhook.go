package story

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// sentEvent is the event that was delivered.
type sentEvent struct {
	id   string
	kind g2a.EventType
}

func (e sentEvent) pk(orderID string) string {
	return "EVENT#" + e.id + "#" + orderID + "#" + string(e.kind)
}

// deliverWebhooks has G2A deliver one event three times.
func (t *teller) deliverWebhooks(ctx context.Context) (string, error) {
	const copies = 3
	done, err := t.books.deliver(ctx, g2atest.Webhook{
		OrderID: t.order.G2AOrderID, Type: g2a.EventOrderCompleted, Status: g2a.StatusCompleted, Copies: copies,
	})
	if err != nil {
		return "", err
	}
	t.event = sentEvent{id: done.EventID, kind: g2a.EventOrderCompleted}
	var results []string
	for _, delivery := range done.Deliveries {
		var body struct {
			Result string `json:"result"`
		}
		if err := json.Unmarshal(delivery.Body, &body); err != nil {
			return "", fmt.Errorf("reading the answer to a webhook: %w", err)
		}
		results = append(results, fmt.Sprintf("%d %s", delivery.Status, body.Result))
	}
	const want = "200 processed, 200 duplicate, 200 duplicate"
	if found := strings.Join(results, ", "); found != want {
		return "", mismatch("three deliveries", want, found)
	}
	return fmt.Sprintf("%s delivered %d times: %s", t.event.id, copies, want), nil
}

// deliverTampered changes a webhook after it was signed.
func (t *teller) deliverTampered(ctx context.Context) (string, error) {
	signed := t.sign(g2a.StatusCancelled, time.Now())
	signed.body = bytes.Replace(signed.body, []byte("cancelled"), []byte("completed"), 1)
	return t.deliverRefused(ctx, signed, "one word changed after signing")
}

// deliverStale delivers a webhook that is signed well and too old.
func (t *teller) deliverStale(ctx context.Context) (string, error) {
	age := g2a.MaxSkew + time.Minute
	return t.deliverRefused(ctx, t.sign(g2a.StatusCancelled, time.Now().Add(-age)), fmt.Sprintf("signed well, %d minutes ago", age/time.Minute))
}

// signedWebhook is a webhook as it goes over the wire.
type signedWebhook struct {
	body                        []byte
	timestamp, nonce, signature string
}

func (t *teller) sign(status g2a.EventStatus, at time.Time) signedWebhook {
	w := signedWebhook{
		body: fmt.Appendf(nil, `{"event_id":"evt_%s","order_id":%q,"type":"order.status_changed","payload":{"status":%q}}`,
			rand.Text(), t.order.G2AOrderID, status),
		timestamp: strconv.FormatInt(at.UnixMilli(), 10),
		nonce:     rand.Text(),
	}
	w.signature = g2a.SignWebhook(t.credentials.Hash, w.body, w.timestamp, w.nonce).Reveal()
	t.signatures = append(t.signatures, w.signature)
	return w
}

// deliverRefused delivers a webhook that must not be taken.
func (t *teller) deliverRefused(ctx context.Context, w signedWebhook, how string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.stack.Gateway+"/webhooks/g2a", bytes.NewReader(w.body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(g2a.HeaderTimestamp, w.timestamp)
	request.Header.Set(g2a.HeaderNonce, w.nonce)
	request.Header.Set(g2a.HeaderSignature, w.signature)
	status, body, err := send(request)
	if err != nil {
		return "", err
	}
	if status != http.StatusUnauthorized {
		return "", mismatch("the webhook's answer", http.StatusUnauthorized, fmt.Sprintf("%d %s", status, body))
	}
	nonce, err := t.record(ctx, stateTable, "NONCE#"+w.nonce, "NONCE")
	if err != nil {
		return "", err
	}
	if nonce != nil {
		return "", fmt.Errorf("its nonce was stored")
	}
	return how + ": 401, nothing stored", nil
}

// askHealth asks as an outside monitor does.
func (t *teller) askHealth(ctx context.Context) (string, error) {
	for _, ask := range []struct {
		path string
		want int
	}{{"/health", http.StatusOK}, {"/health/live", http.StatusOK}, {"/no/such/path", http.StatusNotFound}} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.stack.Gateway+ask.path, http.NoBody)
		if err != nil {
			return "", err
		}
		status, body, err := send(request)
		if err != nil {
			return "", err
		}
		if status != ask.want {
			return "", mismatch("GET "+ask.path, ask.want, fmt.Sprintf("%d %s", status, body))
		}
	}
	return "GET /health 200, GET /health/live 200, any other path 404", nil
}

func send(request *http.Request) (status int, body []byte, err error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("calling the gateway: %w", err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, bytes.TrimSpace(body), err
}

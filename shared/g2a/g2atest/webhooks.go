package g2atest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

const (
	maxCopies      = 1000
	maxWebhookBody = 64 << 10 // bytes of a receiver's answer that are kept
)

// ErrNoReceiver is a webhook that nobody can get: Options.WebhookURL is empty.
var ErrNoReceiver = errors.New("the simulator was started without a webhook URL")

// Webhook is an event to deliver. Nothing of it need be known to the simulator, so
// that a receiver can be tried with orders, types and statuses that nobody knows.
type Webhook struct {
	OrderID string          `json:"order_id"`
	Type    g2a.EventType   `json:"type"`
	Status  g2a.EventStatus `json:"status"`
	EventID string          `json:"event_id"` // "" is a new one
	Copies  int             `json:"copies"`   // deliveries of the one event; zero is one
}

// Deliveries is what became of a webhook.
type Deliveries struct {
	EventID    string     `json:"event_id"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is the receiver's answer.
type Delivery struct {
	Status int             `json:"status"` // HTTP status; 0: there was no answer
	Body   json.RawMessage `json:"body"`   // as it came, or as a JSON string where it is not JSON
	Error  string          `json:"error,omitempty"`
}

func (w Webhook) check() error {
	switch {
	case w.OrderID == "":
		return errors.New("order_id: is missing")
	case w.Type == "":
		return errors.New("type: is missing")
	case w.Status == "":
		return errors.New("status: is missing")
	case w.Copies < 1 || w.Copies > maxCopies:
		return fmt.Errorf("copies: is not from 1 to %d", maxCopies)
	}
	return nil
}

// Deliver signs a webhook as G2A does and posts it to Options.WebhookURL, Copies
// times one after the other. All copies are the same event, byte for byte; each
// delivery has a nonce, a timestamp and so a signature of its own, as a sender that
// tries again has. The error says what is wrong with the webhook, or is
// ErrNoReceiver; a delivery that fails is no error but says so itself.
func (s *Simulator) Deliver(ctx context.Context, w Webhook) (Deliveries, error) {
	if s.options.WebhookURL == "" {
		return Deliveries{}, ErrNoReceiver
	}
	if w.Copies == 0 {
		w.Copies = 1
	}
	if err := w.check(); err != nil {
		return Deliveries{}, err
	}
	if w.EventID == "" {
		w.EventID = "evt_" + s.newNonce()
	}
	body, err := w.body()
	if err != nil {
		return Deliveries{}, fmt.Errorf("writing the event: %w", err)
	}
	done := Deliveries{EventID: w.EventID, Deliveries: make([]Delivery, w.Copies)}
	for i := range done.Deliveries {
		done.Deliveries[i] = s.deliver(ctx, body)
		s.options.Log.InfoContext(ctx, "g2a simulator delivered a webhook",
			"event_id", w.EventID, "order_id", w.OrderID, "copy", i+1, "status", done.Deliveries[i].Status)
	}
	return done, nil
}

// body is the event as G2A writes it.
func (w Webhook) body() ([]byte, error) {
	type payload struct {
		Status g2a.EventStatus `json:"status"`
	}
	return json.Marshal(struct {
		EventID string        `json:"event_id"`
		OrderID string        `json:"order_id"`
		Type    g2a.EventType `json:"type"`
		Payload payload       `json:"payload"`
	}{w.EventID, w.OrderID, w.Type, payload{w.Status}})
}

func (s *Simulator) newNonce() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.randomHex(2)
}

func (s *Simulator) deliver(ctx context.Context, body []byte) Delivery {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return undelivered(err)
	}
	timestamp, nonce := strconv.FormatInt(s.options.Clock().UnixMilli(), 10), s.newNonce()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(g2a.HeaderTimestamp, timestamp)
	request.Header.Set(g2a.HeaderNonce, nonce)
	request.Header.Set(g2a.HeaderSignature, g2a.SignWebhook(s.signingHash(), body, timestamp, nonce).Reveal())
	response, err := s.options.Webhooks.Do(request)
	if err != nil {
		return undelivered(err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(io.LimitReader(response.Body, maxWebhookBody))
	delivery := Delivery{Status: response.StatusCode, Body: asJSON(received)}
	if err != nil {
		delivery.Error = "the answer was cut short"
	}
	return delivery
}

func (s *Simulator) signingHash() g2a.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted[0].Hash
}

// undelivered is a delivery that got no answer.
func undelivered(err error) Delivery {
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err // without the URL in front
	}
	return Delivery{Body: asJSON(nil), Error: err.Error()}
}

func asJSON(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	text, _ := json.Marshal(string(body)) // a string can always be written
	return text
}

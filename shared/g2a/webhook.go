package g2a

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Headers of a webhook.
const (
	HeaderSignature = "X-G2A-Signature"
	HeaderTimestamp = "X-G2A-Timestamp" // unix milliseconds, 13 digits
	HeaderNonce     = "X-G2A-Nonce"     // 16 to 128 of A-Za-z0-9_-
)

// MaxSkew is how far a webhook's timestamp may be off, either way. It bounds the
// time for which nonces must be remembered, and leaves room for clocks and for a
// delivery that waits in a queue.
const MaxSkew = 5 * time.Minute

// EventType is the type of a webhook's event.
type EventType string

// The types G2A sends.
const (
	EventStatusChanged  EventType = "order.status_changed"
	EventOrderCompleted EventType = "order.completed"
	EventOrderFailed    EventType = "order.failed"
	EventOrderCancelled EventType = "order.cancelled"
)

// EventStatus is an order's status as webhooks state it.
type EventStatus string

// The statuses G2A sends.
const (
	StatusPending    EventStatus = "pending"
	StatusProcessing EventStatus = "processing"
	StatusCompleted  EventStatus = "completed"
	StatusFailed     EventStatus = "failed"
	StatusCancelled  EventStatus = "cancelled"
)

// Event is a verified webhook. Type and Status may be ones that G2A has not
// documented.
type Event struct {
	ID             string
	OrderID        string
	Type           EventType
	Status         EventStatus
	PreviousStatus EventStatus // "" where G2A does not say
	Nonce          string
	SentAt         time.Time
}

// Why a webhook is not taken, for errors.Is. The first group says nothing to the
// sender but 401: a forger learns nothing. The second is of webhooks that are
// signed, and yet not what G2A documents.
var (
	ErrSignatureAbsent    = errors.New("signature absent or more than one")
	ErrSignatureMalformed = errors.New("signature is not 64 hexadecimal digits")
	ErrSignatureWrong     = errors.New("signature is wrong")
	ErrTimestampAbsent    = errors.New("timestamp absent or more than one")
	ErrTimestampMalformed = errors.New("timestamp is not 13 digits")
	ErrTimestampStale     = errors.New("timestamp is too far in the past")
	ErrTimestampAhead     = errors.New("timestamp is too far in the future")
	ErrNonceAbsent        = errors.New("nonce absent or more than one")
	ErrNonceMalformed     = errors.New("nonce is not 16 to 128 of A-Za-z0-9_-")

	// ErrEventMalformed is a signed body that is not a well-formed event; the error
	// around it names the field.
	ErrEventMalformed = errors.New("event is malformed")
)

var (
	timestampPattern = regexp.MustCompile(`^[0-9]{13}$`)
	noncePattern     = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
	eventIDPattern   = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
)

// SignWebhook computes a webhook's signature, in lower-case hexadecimal: the
// HMAC-SHA256, keyed with the API hash, of the body, the timestamp, the nonce and
// the API hash, with nothing in between.
func SignWebhook(hash Secret, body []byte, timestamp, nonce string) Secret {
	return NewSecret(hex.EncodeToString(webhookMAC(hash, body, timestamp, nonce)))
}

func webhookMAC(hash Secret, body []byte, timestamp, nonce string) []byte {
	mac := hmac.New(sha256.New, []byte(hash.Reveal()))
	mac.Write(body)
	_, _ = io.WriteString(mac, timestamp) // a hash's Write never fails
	_, _ = io.WriteString(mac, nonce)
	_, _ = io.WriteString(mac, hash.Reveal())
	return mac.Sum(nil)
}

// VerifyWebhook checks a webhook against the API hashes that are valid now (more
// than one while the credentials are rotated) and reads its event. The errors are
// those of the block above. Whether the nonce and the event are new is for the
// caller, who remembers them.
//
// The signature is computed and compared whatever else is wrong, and nothing of the
// body is read before it is right: the time that a refusal takes does not reveal
// its reason to the sender.
func VerifyWebhook(body []byte, header http.Header, hashes []Secret, now time.Time) (Event, error) {
	h, err := readWebhookHeader(header, now)
	signed := signedByOne(hashes, h.signature[:], body, h.timestamp, h.nonce)
	switch {
	case err != nil:
		return Event{}, err
	case !signed:
		return Event{}, ErrSignatureWrong
	}
	event, err := ParseEvent(body)
	if err != nil {
		return Event{}, err
	}
	event.Nonce, event.SentAt = h.nonce, h.sentAt
	return event, nil
}

// webhookHeader is what the headers of a webhook say.
type webhookHeader struct {
	signature        [sha256.Size]byte
	timestamp, nonce string
	sentAt           time.Time
}

// readWebhookHeader reads all headers, even after a mistake, and returns the first one.
func readWebhookHeader(header http.Header, now time.Time) (h webhookHeader, mistake error) {
	signature, err := only(header, HeaderSignature, ErrSignatureAbsent)
	note := func(err error) {
		if mistake == nil {
			mistake = err
		}
	}
	note(err)
	h.timestamp, err = only(header, HeaderTimestamp, ErrTimestampAbsent)
	note(err)
	h.nonce, err = only(header, HeaderNonce, ErrNonceAbsent)
	note(err)
	given, err := hex.DecodeString(signature)
	if err != nil || len(given) != sha256.Size {
		note(ErrSignatureMalformed)
	}
	copy(h.signature[:], given)
	h.sentAt, err = readTimestamp(h.timestamp, now)
	note(err)
	if !noncePattern.MatchString(h.nonce) {
		note(ErrNonceMalformed)
	}
	return h, mistake
}

// only returns the one value of a header. With two, sender and receiver might mean
// different ones.
func only(header http.Header, name string, missing error) (string, error) {
	values := header.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", missing
	}
	return values[0], nil
}

func readTimestamp(timestamp string, now time.Time) (time.Time, error) {
	if !timestampPattern.MatchString(timestamp) {
		return time.Time{}, ErrTimestampMalformed
	}
	milliseconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return time.Time{}, ErrTimestampMalformed
	}
	sentAt := time.UnixMilli(milliseconds)
	switch age := now.Sub(sentAt); {
	case age > MaxSkew:
		return time.Time{}, ErrTimestampStale
	case age < -MaxSkew:
		return time.Time{}, ErrTimestampAhead
	}
	return sentAt, nil
}

// signedByOne tries every hash, in a time that does not reveal which one matched.
func signedByOne(hashes []Secret, given, body []byte, timestamp, nonce string) bool {
	signed := false
	for _, hash := range hashes {
		if hash.IsZero() {
			continue // an absent hash would be a key that everybody knows
		}
		if hmac.Equal(given, webhookMAC(hash, body, timestamp, nonce)) {
			signed = true
		}
	}
	return signed
}

// ParseEvent reads the body of a webhook that was verified before, and nothing of its
// headers. It goes by the exact names of the fields: encoding/json would take
// "Order_ID" for "order_id", and the last of two. The error is ErrEventMalformed.
func ParseEvent(body []byte) (Event, error) {
	fields, err := readObject(body)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEventMalformed, err)
	}
	payload, err := readObject(fields["payload"])
	if err != nil {
		return Event{}, fmt.Errorf("%w: payload: %w", ErrEventMalformed, err)
	}
	r := eventReader{}
	event := Event{
		ID:      r.text(fields, "event_id"),
		OrderID: r.text(fields, "order_id"),
		Type:    EventType(r.text(fields, "type")),
		Status:  EventStatus(r.text(payload, "status")),
	}
	if was := payload["previous_status"]; !absent(was) && string(was) != `""` {
		event.PreviousStatus = EventStatus(r.text(payload, "previous_status"))
	}
	if r.err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEventMalformed, r.err)
	}
	return event, nil
}

// eventReader reads strings and keeps the first mistake.
type eventReader struct{ err error }

// text reads a required string that is fit for an id: all strings of an event become
// parts of keys or log lines.
func (r *eventReader) text(fields map[string]json.RawMessage, name string) string {
	var value string
	fault := &FieldError{Field: name}
	switch raw := fields[name]; {
	case absent(raw):
		fault.Problem = "is missing"
	case json.Unmarshal(raw, &value) != nil:
		fault.Problem = "is not a text"
	case !eventIDPattern.MatchString(value):
		fault.Problem = "is not 1 to 128 of A-Za-z0-9._:-"
	default:
		return value
	}
	if r.err == nil {
		r.err = fault
	}
	return ""
}

// readObject returns an object's fields. An object with two fields of one name, at
// any depth, is refused: two readers could read it differently.
func readObject(raw []byte) (map[string]json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, errors.New("is missing")
	}
	if err := refuseDuplicates(raw); err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); trimmed[0] != '{' {
		return nil, errors.New("is not an object")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, errors.New("is not JSON")
	}
	return fields, nil
}

// refuseDuplicates walks through the JSON once.
func refuseDuplicates(raw []byte) error {
	if !json.Valid(raw) {
		return errors.New("is not JSON")
	}
	type level struct {
		names map[string]bool // nil in a list
		value bool            // in an object, a value comes next
	}
	var levels []level
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a number need not fit into a float64
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("is not JSON")
		}
		top := len(levels) - 1
		if name, isText := token.(string); isText && top >= 0 && levels[top].names != nil && !levels[top].value {
			if levels[top].names[name] {
				return errors.New("has two fields of one name")
			}
			levels[top].names[name], levels[top].value = true, true
			continue
		}
		if top >= 0 {
			levels[top].value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:top]
		}
	}
}

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
	"strings"
	"time"
	"unicode/utf8"
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

// Event is a verified webhook. Its strings are safe in keys and log lines: what is not 1
// to 128 of A-Za-z0-9._:- is escaped, or hashed.
type Event struct {
	ID      string
	OrderID string      // "" when the event names no order
	Type    EventType   // possibly one that G2A has not documented, or ""
	Status  EventStatus // likewise
	// Defect names the first of the fields above that is missing or not of its documented
	// form, "" when there is none. An event with a defect can be applied to no order.
	Defect string
	Nonce  string
	SentAt time.Time
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

	// ErrEventMalformed is a signed body that is not one JSON object without duplicates,
	// or has no event_id; the error around it says which.
	ErrEventMalformed = errors.New("event is malformed")
)

var (
	timestampPattern = regexp.MustCompile(`^[0-9]{13}$`)
	noncePattern     = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
	keySafePattern   = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
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
// "Order_ID" for "order_id", and the last of two. A field that nothing reads may hold
// anything, and one that is read and cannot be understood is the event's Defect: what G2A
// has signed is kept rather than refused. The error is ErrEventMalformed.
func ParseEvent(body []byte) (Event, error) {
	fields, err := readObject(body)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrEventMalformed, err)
	}
	if blank(fields["event_id"]) {
		return Event{}, fmt.Errorf("%w: %w", ErrEventMalformed, &FieldError{Field: "event_id", Problem: "is missing"})
	}
	r := eventReader{}
	event := Event{
		ID:      r.id(fields, "event_id"),
		OrderID: r.orderID(fields),
		Type:    EventType(r.text(fields, "type", "is not a string")),
		Status:  EventStatus(r.text(r.object(fields, "payload"), "status", "is not a string")),
	}
	event.Defect = r.defect
	return event, nil
}

// eventReader reads the fields of an event and keeps the first defect.
type eventReader struct{ defect string }

func (r *eventReader) note(field, problem string) {
	if r.defect == "" {
		r.defect = (&FieldError{Field: field, Problem: problem}).Error()
	}
}

// text reads a string; problem is that of any other value.
func (r *eventReader) text(fields map[string]json.RawMessage, name, problem string) string {
	raw := fields[name]
	var value string
	switch {
	case blank(raw):
		r.note(name, "is missing")
		return ""
	case json.Unmarshal(raw, &value) != nil:
		r.note(name, problem)
		return hashed(raw) // never the same as a string, so that it cannot pass for one
	case strings.ContainsRune(value, utf8.RuneError):
		value = string(raw) // the decoder's stand-in makes different strings the same
	}
	return keySafe(value)
}

// id reads a string, or an integer digit by digit.
func (r *eventReader) id(fields map[string]json.RawMessage, name string) string {
	if raw := fields[name]; digitsPattern.Match(raw) {
		return keySafe(string(raw))
	}
	return r.text(fields, name, "is neither a string nor an integer")
}

// orderID reads the id of an order. One that is not key-safe is a defect: an order is
// found by its id as G2A's API returns it, and by nothing that is made of it.
func (r *eventReader) orderID(fields map[string]json.RawMessage) string {
	id := r.id(fields, "order_id")
	if id != "" && !keySafePattern.MatchString(id) {
		r.note("order_id", "is not 1 to 128 of A-Za-z0-9._:-")
	}
	return id
}

func (r *eventReader) object(fields map[string]json.RawMessage, name string) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	switch raw := fields[name]; {
	case absent(raw):
		r.note(name, "is missing")
	case json.Unmarshal(raw, &object) != nil:
		r.note(name, "is not an object")
	}
	return object
}

// keySafe returns a value that can be a part of a key or of a log line. One that cannot is
// escaped as in a URL, and hashed where that is too long; no two values become the same.
func keySafe(value string) string {
	if value == "" || keySafePattern.MatchString(value) {
		return value
	}
	const maxLength = 128
	var escaped strings.Builder
	for _, b := range []byte(value) {
		if keySafePattern.Match([]byte{b}) {
			escaped.WriteByte(b)
		} else {
			fmt.Fprintf(&escaped, "%%%02X", b)
		}
		if escaped.Len() > maxLength {
			return hashed([]byte(`"` + value))
		}
	}
	return escaped.String()
}

// hashed stands for a string that is too long, written with the quote that it begins with,
// or for the JSON of another value. Nothing else begins with a tilde.
func hashed(value []byte) string {
	sum := sha256.Sum256(value)
	return "~" + hex.EncodeToString(sum[:])
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

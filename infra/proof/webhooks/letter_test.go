//go:build proof

package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// event is one of G2A's, as the test draws it.
type event struct {
	id     string
	order  string
	kind   g2a.EventType
	status g2a.EventStatus
	body   []byte
}

func (e *event) key() string { return e.id + "#" + e.order + "#" + string(e.kind) }

func (e *event) sha256() string {
	sum := sha256.Sum256(e.body)
	return hex.EncodeToString(sum[:])
}

// newEvent draws an event: of any status, and now and then of one that nobody knows.
func newEvent(r *rand.Rand, n, orders int) *event {
	statuses := []g2a.EventStatus{
		"pending", "pending", "pending", "pending", "pending", "processing", "processing", "processing", "processing",
		"completed", "completed", "failed", "cancelled", "refunded",
	}
	e := &event{
		id: fmt.Sprintf("evt_%d", n), order: strconv.Itoa(80201000000000 + r.IntN(orders)),
		kind: g2a.EventStatusChanged, status: statuses[r.IntN(len(statuses))],
	}
	if own, has := map[g2a.EventStatus]g2a.EventType{
		"completed": g2a.EventOrderCompleted, "failed": g2a.EventOrderFailed, "cancelled": g2a.EventOrderCancelled,
	}[e.status]; has && r.IntN(2) == 0 {
		e.kind = own
	}
	e.body = fmt.Appendf(nil, `{"event_id":%q,"order_id":%q,"type":%q,"payload":{"status":%q}}`, e.id, e.order, e.kind, e.status)
	return e
}

// letter is a webhook as it goes over the wire.
type letter struct {
	body   []byte
	header http.Header
}

// skew is how far a timestamp may be off in a letter that is good: so much that a
// machine that is slow makes none of them stale.
const skew = 2 * time.Minute

// write signs a letter as G2A does. Its nonce begins as a timestamp does, so that one
// can be cut out of it.
func write(r *rand.Rand, hash g2a.Secret, body []byte) letter {
	at := time.Now().Add(time.Duration(r.Int64N(int64(2*skew))) - skew)
	return sign(hash, body, at, fmt.Sprintf("%d%016x%08x", time.Now().UnixMilli(), r.Uint64(), r.Uint32()))
}

func sign(hash g2a.Secret, body []byte, at time.Time, nonce string) letter {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	return letter{body: body, header: http.Header{
		"Content-Type":                        {"application/json"},
		"X-G2a-Timestamp":                     {timestamp},
		"X-G2a-Nonce":                         {nonce},
		"X-G2a-Signature":                     {g2a.SignWebhook(hash, body, timestamp, nonce).Reveal()},
		http.CanonicalHeaderKey("User-Agent"): {"G2A/1.0"},
	}}
}

func (l letter) get(name string) string { return l.header.Get(name) }

// with is the letter with other values of a header; none takes it away.
func (l letter) with(name string, values ...string) letter {
	header := l.header.Clone()
	header[http.CanonicalHeaderKey(name)] = values
	if len(values) == 0 {
		header.Del(name)
	}
	return letter{l.body, header}
}

func (l letter) withBody(body []byte) letter { return letter{body, l.header} }

// mutation makes a letter that must not be taken of one that would be. hash is one
// that signs well now.
type mutation struct {
	name string
	make func(r *rand.Rand, l letter, hash g2a.Secret) letter
	// signed is for those that are signed well: the store may be asked for their nonce.
	signed bool
}

// mutations are of every part of a letter, and of what is between the parts.
var mutations = []mutation{
	{name: "body: a bit", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter { return l.withBody(flipped(r, l.body)) }},
	{name: "body: another status", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		for _, status := range []string{"pending", "processing", "completed", "failed", "cancelled", "refunded"} {
			other := map[bool]string{true: "failed", false: "completed"}[status == "completed"]
			if changed := bytes.Replace(l.body, []byte(`"status":"`+status), []byte(`"status":"`+other), 1); !bytes.Equal(changed, l.body) {
				return l.withBody(changed)
			}
		}
		return l.withBody(append(bytes.Clone(l.body), ' '))
	}},
	{name: "body: another order", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.withBody(bytes.Replace(l.body, []byte(`"order_id":"8`), []byte(`"order_id":"9`), 1))
	}},
	{name: "body: another event", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.withBody(bytes.Replace(l.body, []byte(`evt_`), []byte(`evt-`), 1))
	}},
	{name: "body: a field more", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.withBody(append([]byte(`{"order_id":"1",`), l.body[1:]...))
	}},
	{name: "body: white space", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.withBody(append(bytes.Clone(l.body), '\n'))
	}},
	{name: "body: cut short", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter { return l.withBody(l.body[:r.IntN(len(l.body))]) }},
	{name: "timestamp: a digit", make: digit("X-G2A-Timestamp", 13)},
	{name: "timestamp: a millisecond", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		at, _ := strconv.ParseInt(l.get("X-G2A-Timestamp"), 10, 64) // we wrote it
		return l.with("X-G2A-Timestamp", strconv.FormatInt(at+1, 10))
	}},
	{name: "timestamp: cut short", make: cut("X-G2A-Timestamp")},
	{name: "timestamp: twice", make: twice("X-G2A-Timestamp")},
	{name: "timestamp: absent", make: absent("X-G2A-Timestamp")},
	{name: "nonce: a digit", make: digit("X-G2A-Nonce", 13)},
	{name: "nonce: longer", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.with("X-G2A-Nonce", l.get("X-G2A-Nonce")+"0")
	}},
	{name: "nonce: cut short", make: cut("X-G2A-Nonce")},
	{name: "nonce: twice", make: twice("X-G2A-Nonce")},
	{name: "nonce: absent", make: absent("X-G2A-Nonce")},
	{name: "signature: a digit", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter {
		const digits = "0123456789abcdef"
		was, at := []byte(l.get("X-G2A-Signature")), r.IntN(64)
		was[at] = digits[(strings.IndexByte(digits, was[at])+1+r.IntN(15))%16]
		return l.with("X-G2A-Signature", string(was))
	}},
	{name: "signature: cut short", make: cut("X-G2A-Signature")},
	{name: "signature: longer", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.with("X-G2A-Signature", l.get("X-G2A-Signature")+"00")
	}},
	{name: "signature: twice", make: twice("X-G2A-Signature")},
	{name: "signature: a wrong and the right one", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return l.with("X-G2A-Signature", strings.Repeat("0", 64), l.get("X-G2A-Signature"))
	}},
	{name: "signature: absent", make: absent("X-G2A-Signature")},
	{name: "signature: of another hash", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter {
		return write(r, g2a.NewSecret("a-hash-that-somebody-guessed"), l.body)
	}},
	{name: "signature: of no hash", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter {
		return write(r, g2a.Secret{}, l.body)
	}},
	{name: "stale", make: func(r *rand.Rand, l letter, hash g2a.Secret) letter {
		return sign(hash, l.body, time.Now().Add(-g2a.MaxSkew-time.Duration(1+r.Int64N(int64(time.Hour)))), l.get("X-G2A-Nonce"))
	}},
	{name: "ahead", make: func(r *rand.Rand, l letter, hash g2a.Secret) letter {
		// As far ahead as it takes to be still ahead when it arrives late.
		return sign(hash, l.body, time.Now().Add(g2a.MaxSkew+time.Hour+time.Duration(r.Int64N(int64(time.Hour)))), l.get("X-G2A-Nonce"))
	}},
	// These keep the bytes that are signed, and so the signature is right: only where
	// the parts end is another place.
	{name: "shift: the timestamp into the body, of the nonce a timestamp", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		return shifted(l, 13)
	}},
	{name: "shift: some digits", make: func(r *rand.Rand, l letter, _ g2a.Secret) letter { return shifted(l, 1+r.IntN(12)) }},
	{name: "shift: the body's end into the timestamp", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		end := len(l.body) - 1
		return l.withBody(l.body[:end]).with("X-G2A-Timestamp", string(l.body[end:])+l.get("X-G2A-Timestamp"))
	}},
	{name: "shift: the nonce into the timestamp", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter {
		nonce := l.get("X-G2A-Nonce")
		return l.with("X-G2A-Timestamp", l.get("X-G2A-Timestamp")+nonce[:1]).with("X-G2A-Nonce", nonce[1:])
	}},
	{name: "media type", make: func(_ *rand.Rand, l letter, _ g2a.Secret) letter { return l.with("Content-Type", "text/plain") }},
	{name: "too long", make: func(r *rand.Rand, l letter, hash g2a.Secret) letter {
		return write(r, hash, append(bytes.Clone(l.body), bytes.Repeat([]byte(" "), 256<<10)...))
	}},
	// A nonce that was taken with one event, signed well with another.
	{name: reusedNonce, signed: true, make: func(r *rand.Rand, l letter, hash g2a.Secret) letter {
		other := bytes.Replace(l.body, []byte(`evt_`), fmt.Appendf(nil, `forged_%d_`, r.Uint64()), 1)
		return sign(hash, other, time.Now(), l.get("X-G2A-Nonce"))
	}},
}

const reusedNonce = "nonce: of another event"

func flipped(r *rand.Rand, body []byte) []byte {
	body = bytes.Clone(body)
	body[r.IntN(len(body))] ^= 1 << r.IntN(8)
	return body
}

// digit changes one of the first digits of a header.
func digit(name string, digits int) func(*rand.Rand, letter, g2a.Secret) letter {
	return func(r *rand.Rand, l letter, _ g2a.Secret) letter {
		value, at := []byte(l.get(name)), r.IntN(digits)
		value[at] = '0' + (value[at]-'0'+1+byte(r.IntN(9)))%10
		return l.with(name, string(value))
	}
}

func cut(name string) func(*rand.Rand, letter, g2a.Secret) letter {
	return func(r *rand.Rand, l letter, _ g2a.Secret) letter {
		value := l.get(name)
		return l.with(name, value[:r.IntN(len(value))])
	}
}

func twice(name string) func(*rand.Rand, letter, g2a.Secret) letter {
	return func(_ *rand.Rand, l letter, _ g2a.Secret) letter { return l.with(name, l.get(name), l.get(name)) }
}

func absent(name string) func(*rand.Rand, letter, g2a.Secret) letter {
	return func(_ *rand.Rand, l letter, _ g2a.Secret) letter { return l.with(name) }
}

// shifted moves the timestamp by some digits to the right.
func shifted(l letter, digits int) letter {
	timestamp, nonce := l.get("X-G2A-Timestamp"), l.get("X-G2A-Nonce")
	return l.withBody(append(bytes.Clone(l.body), timestamp[:digits]...)).
		with("X-G2A-Timestamp", timestamp[digits:]+nonce[:digits]).with("X-G2A-Nonce", nonce[digits:])
}

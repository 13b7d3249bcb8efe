//go:build proof

package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// event is one of G2A's, as the test draws it. Its strings are as they stand in keys, and
// the JSON is what stands in a body.
type event struct {
	form   string
	id     string
	order  string
	kind   g2a.EventType
	status g2a.EventStatus
	rank   int // 0: it can be applied to no order

	idJSON, orderJSON, kindJSON, payloadJSON string // "" is absent
	note                                     []byte // a field that nothing reads, in JSON

	mu   sync.Mutex
	sent map[string][]byte // the bodies, by their hash
}

// The forms of events.
const (
	plain          = "as documented"
	numericIDs     = "ids as numbers"
	oddID          = "an id of odd characters"
	unknownType    = "an unknown type"
	typeMismatch   = "type against status"
	defective      = "a field missing or odd"
	notUTF8        = "a body that is not UTF-8"
	ofNoOrder      = "of no order"
	contradictions = "one of two contradictions"
)

func (e *event) key() string { return e.id + "#" + e.order + "#" + string(e.kind) }

// content is the event with what it says.
func (e *event) content() string { return e.key() + "#" + string(e.status) }

// acknowledged reports whether nothing is kept of the event.
func (e *event) acknowledged() bool { return e.form == ofNoOrder }

func hexSHA256(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// drawEvents draws about so many events, of all forms.
func drawEvents(r *rand.Rand, number, orders int) (events []*event) {
	noisy := 0
	for len(events) < number {
		n := len(events)
		e := newEvent(r, n, orders)
		events = append(events, e)
		switch chance := r.IntN(100); {
		case chance < 6:
			e.form, e.idJSON = numericIDs, strconv.Itoa(9000000000000000000+n)+strconv.Itoa(n)
			e.id, e.orderJSON = e.idJSON, e.order
		case chance < 12:
			e.form, e.id, e.idJSON = oddID, fmt.Sprintf("evt%%20%%2F%%23%%C3%%A9_%d", n), fmt.Sprintf(`"evt /#é_%d"`, n)
		case chance < 17:
			e.form, e.rank = unknownType, 0
			e.setKind("order.refunded")
		case chance < 22:
			e.form = typeMismatch
			e.setKind(g2a.EventOrderCompleted)
			e.setStatus("failed")
			e.rank = 0
		case chance < 28:
			e.form, e.rank = defective, 0
			e.damage(r)
		case chance < 34:
			e.form, e.note = notUTF8, garbage(r, noisy%8 == 0)
			noisy++
			e.setKind(g2a.EventStatusChanged)
			e.setStatus("refunded")
		case chance < 38:
			e.form, e.rank, e.order, e.orderJSON = ofNoOrder, 0, "", ""
			e.setKind([]g2a.EventType{"ping", "product.updated", "offer.sold", "account.closed"}[r.IntN(4)])
		case chance < 44:
			e.form = contradictions
			e.setKind(g2a.EventStatusChanged)
			other := newEvent(r, n, orders)
			other.form, other.order, other.orderJSON = contradictions, e.order, e.orderJSON
			other.setKind(e.kind)
			for other.status == e.status {
				other.setStatus(statuses[r.IntN(len(statuses))])
			}
			events = append(events, other)
		}
	}
	return events
}

var statuses = []g2a.EventStatus{
	"pending", "pending", "pending", "pending", "pending", "processing", "processing", "processing", "processing",
	"completed", "completed", "failed", "cancelled", "refunded",
}

// newEvent draws an event: of any status, and now and then of one that nobody knows.
func newEvent(r *rand.Rand, n, orders int) *event {
	e := &event{form: plain, id: fmt.Sprintf("evt_%d", n), order: strconv.Itoa(80201000000000 + r.IntN(orders)), sent: map[string][]byte{}}
	e.idJSON, e.orderJSON = strconv.Quote(e.id), strconv.Quote(e.order)
	e.setStatus(statuses[r.IntN(len(statuses))])
	e.setKind(g2a.EventStatusChanged)
	if own, has := map[g2a.EventStatus]g2a.EventType{
		"completed": g2a.EventOrderCompleted, "failed": g2a.EventOrderFailed, "cancelled": g2a.EventOrderCancelled,
	}[e.status]; has && r.IntN(2) == 0 {
		e.setKind(own)
	}
	return e
}

func (e *event) setKind(kind g2a.EventType) { e.kind, e.kindJSON = kind, strconv.Quote(string(kind)) }

func (e *event) setStatus(status g2a.EventStatus) {
	e.status, e.rank, e.payloadJSON = status, ranks[status], `{"status":`+strconv.Quote(string(status))+`}`
}

// damage makes one of the fields one that cannot be understood.
func (e *event) damage(r *rand.Rand) {
	hashed := func(json string) string { return "~" + hexSHA256([]byte(json)) }
	switch r.IntN(6) {
	case 0:
		e.status, e.payloadJSON = "", `null`
	case 1:
		e.status, e.payloadJSON = "", `{"status":null}`
	case 2:
		e.status, e.payloadJSON = g2a.EventStatus(hashed(`3`)), `{"status":3}`
	case 3:
		e.orderJSON = `["` + e.order + `"]`
		e.order = hashed(e.orderJSON)
	case 4:
		e.kind, e.kindJSON = "", ""
	default:
		e.order, e.orderJSON = "", "" // and a type that says that there is one
	}
}

// garbage is a string in JSON that is not UTF-8, short or nearly as long as may be.
func garbage(r *rand.Rand, long bool) []byte {
	length := 1 + r.IntN(100)
	if long {
		length = 250 << 10
	}
	noise := make([]byte, length)
	for i := range noise {
		noise[i] = 0x80 + byte(r.IntN(0x80))
	}
	return append(append([]byte{'"'}, noise...), '"')
}

// canonical is the body as documented.
func (e *event) canonical() []byte {
	return fmt.Appendf(nil, `{"event_id":%s,"order_id":%s,"type":%s,"payload":%s}`, e.idJSON, e.orderJSON, e.kindJSON, e.payloadJSON)
}

// body is the event in bytes that G2A may write it in: its content is the same in all.
func (e *event) body(r *rand.Rand) []byte {
	if e.form == plain && r.IntN(2) == 0 {
		return e.remember(e.canonical())
	}
	payload := e.payloadJSON
	if inner, is := strings.CutPrefix(payload, "{"); is {
		odd := []string{`"pending"`, `"awaiting payment"`, `3`, `null`, `{}`, `true`}
		payload = `{"previous_status":` + odd[r.IntN(len(odd))] + `,` + inner
	}
	space := []string{"", " ", "\n\t"}[r.IntN(3)]
	var members []string
	for name, json := range map[string]string{
		"event_id": e.idJSON, "order_id": e.orderJSON, "type": e.kindJSON, "payload": payload, "note": string(e.note),
	} {
		if json != "" {
			members = append(members, strconv.Quote(name)+":"+space+json)
		}
	}
	slices.Sort(members)
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return e.remember([]byte("{" + space + strings.Join(members, ","+space) + "}"))
}

// remember remembers a body that is sent.
func (e *event) remember(body []byte) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent[hexSHA256(body)] = body
	return body
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
	l := sign(hash, body, at, fmt.Sprintf("%d%016x%08x", time.Now().UnixMilli(), r.Uint64(), r.Uint32()))
	return l.with("Content-Type", mediaTypes[r.IntN(len(mediaTypes))]...)
}

// mediaTypes are the ways in which a good letter says that it is JSON.
var mediaTypes = [][]string{
	{"application/json"}, {"application/json; charset=utf-8"}, {"Application/JSON"}, {"application/json; charset"},
	{"application/json, application/json"}, {"application/json", "application/json"}, {"application/json;"}, {"application/vnd.g2a+json"},
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
	// signed is for those that are signed well, with the nonce of a letter that was taken:
	// the store is asked for it.
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
	// A nonce that was taken with one event, signed well with another, or with another
	// status of its own.
	{name: "nonce: of another event", signed: true, make: func(r *rand.Rand, l letter, hash g2a.Secret) letter {
		other := bytes.Replace(l.body, []byte(`evt_`), fmt.Appendf(nil, `forged_%d_`, r.Uint64()), 1)
		return sign(hash, other, time.Now(), l.get("X-G2A-Nonce"))
	}},
	{name: "nonce: of another status", signed: true, make: func(_ *rand.Rand, l letter, hash g2a.Secret) letter {
		other := statusPattern.ReplaceAllFunc(l.body, func(status []byte) []byte {
			if bytes.Contains(status, []byte("processing")) {
				return []byte(`"status":"pending"`)
			}
			return []byte(`"status":"processing"`)
		})
		return sign(hash, other, time.Now(), l.get("X-G2A-Nonce"))
	}},
}

var statusPattern = regexp.MustCompile(`"status":"[a-z]+"`)

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

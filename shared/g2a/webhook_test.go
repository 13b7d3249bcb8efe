package g2a_test

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// The vector that is public with G2A's rules for webhooks.
const (
	vectorHash      = "test-hash-0123456789"
	vectorTimestamp = "1764000000000"
	vectorNonce     = "nonce-0000000000000001"
	vectorBody      = `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`
	vectorSignature = "cf7e47aeb0b9e169b2d6602cba2cd6384e904bd655ed8f2ad92e6a631ba3ceb0"
)

var vectorNow = time.UnixMilli(1764000000000)

func headers(signature, timestamp, nonce string) http.Header {
	header := http.Header{}
	header.Set("X-G2A-Signature", signature)
	header.Set("X-G2A-Timestamp", timestamp)
	header.Set("X-G2A-Nonce", nonce)
	return header
}

// signedHeaders are those of a webhook that G2A has sent.
func signedHeaders(body, timestamp, nonce string) http.Header {
	return headers(g2a.SignWebhook(g2a.NewSecret(vectorHash), []byte(body), timestamp, nonce).Reveal(), timestamp, nonce)
}

func TestSignWebhook(t *testing.T) {
	if got := g2a.SignWebhook(g2a.NewSecret(vectorHash), []byte(vectorBody), vectorTimestamp, vectorNonce).Reveal(); got != vectorSignature {
		t.Errorf("signature is %s, want %s", got, vectorSignature)
	}
}

func TestVerifyWebhook(t *testing.T) {
	change := func(edit func(http.Header)) http.Header {
		header := signedHeaders(vectorBody, vectorTimestamp, vectorNonce)
		edit(header)
		return header
	}
	shifted := func(shift time.Duration) http.Header {
		return signedHeaders(vectorBody, strconv.FormatInt(vectorNow.Add(shift).UnixMilli(), 10), vectorNonce)
	}
	good := []string{vectorHash}
	tests := []struct {
		name   string
		header http.Header
		body   string
		hashes []string
		want   error
	}{
		{"the vector", headers(vectorSignature, vectorTimestamp, vectorNonce), vectorBody, good, nil},
		{"signature in capitals", headers(strings.ToUpper(vectorSignature), vectorTimestamp, vectorNonce), vectorBody, good, nil},
		{"signed with the previous hash", change(func(http.Header) {}), vectorBody, []string{"new-hash", vectorHash}, nil},
		{"signed with the current hash of two", change(func(http.Header) {}), vectorBody, []string{vectorHash, "old-hash"}, nil},
		{"five minutes old", shifted(-5 * time.Minute), vectorBody, good, nil},
		{"five minutes ahead", shifted(5 * time.Minute), vectorBody, good, nil},
		{"shortest nonce", signedHeaders(vectorBody, vectorTimestamp, strings.Repeat("n", 16)), vectorBody, good, nil},
		{"longest nonce", signedHeaders(vectorBody, vectorTimestamp, strings.Repeat("_", 128)), vectorBody, good, nil},

		{"no header at all", http.Header{}, vectorBody, good, g2a.ErrSignatureAbsent},
		{"nil header", nil, vectorBody, good, g2a.ErrSignatureAbsent},
		{"no signature", change(func(h http.Header) { h.Del("X-G2A-Signature") }), vectorBody, good, g2a.ErrSignatureAbsent},
		{"empty signature", headers("", vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureAbsent},
		{"two signatures", change(func(h http.Header) { h.Add("X-G2A-Signature", vectorSignature) }), vectorBody, good, g2a.ErrSignatureAbsent},
		{"two signatures in one", change(func(h http.Header) { h.Set("X-G2A-Signature", vectorSignature+","+vectorSignature) }), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature not hexadecimal", headers(strings.Repeat("g", 64), vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature too short", headers(vectorSignature[:62], vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature too long", headers(vectorSignature+"00", vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature of half a byte", headers(vectorSignature[:63], vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature with a prefix", headers("sha256="+vectorSignature, vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature with a space", headers(vectorSignature+" ", vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"huge signature", headers(strings.Repeat("0", 1<<20), vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureMalformed},
		{"signature of another hash", change(func(http.Header) {}), vectorBody, []string{"other-hash"}, g2a.ErrSignatureWrong},
		{"signature of one bit more", headers("d"+vectorSignature[1:], vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureWrong},
		{"signature of zeros", headers(strings.Repeat("0", 64), vectorTimestamp, vectorNonce), vectorBody, good, g2a.ErrSignatureWrong},
		{"another body", change(func(http.Header) {}), strings.Replace(vectorBody, "42", "43", 1), good, g2a.ErrSignatureWrong},
		{"a line break after the body", change(func(http.Header) {}), vectorBody + "\n", good, g2a.ErrSignatureWrong},
		{"no body", change(func(http.Header) {}), "", good, g2a.ErrSignatureWrong},
		{"another timestamp", change(func(h http.Header) { h.Set("X-G2A-Timestamp", "1764000000001") }), vectorBody, good, g2a.ErrSignatureWrong},
		{"another nonce", change(func(h http.Header) { h.Set("X-G2A-Nonce", vectorNonce+"x") }), vectorBody, good, g2a.ErrSignatureWrong},
		{"no hashes", change(func(http.Header) {}), vectorBody, nil, g2a.ErrSignatureWrong},
		{"an empty hash, and signed with it", headers(g2a.SignWebhook(g2a.Secret{}, []byte(vectorBody), vectorTimestamp, vectorNonce).Reveal(), vectorTimestamp, vectorNonce),
			vectorBody, []string{""}, g2a.ErrSignatureWrong},
		// A digit moved from the timestamp into the body, and one from the nonce into
		// the timestamp: the same bytes are signed.
		{"bytes moved over the borders", headers(
			g2a.SignWebhook(g2a.NewSecret(vectorHash), []byte(vectorBody), vectorTimestamp, "0nonce-0000000000000001").Reveal(), "7640000000000", vectorNonce),
			vectorBody + "1", good, g2a.ErrTimestampAhead},

		{"no timestamp", change(func(h http.Header) { h.Del("X-G2A-Timestamp") }), vectorBody, good, g2a.ErrTimestampAbsent},
		{"two timestamps", change(func(h http.Header) { h.Add("X-G2A-Timestamp", vectorTimestamp) }), vectorBody, good, g2a.ErrTimestampAbsent},
		{"timestamp in seconds", signedHeaders(vectorBody, "1764000000", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"timestamp of 14 digits", signedHeaders(vectorBody, "01764000000000", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"timestamp with a sign", signedHeaders(vectorBody, "+764000000000", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"timestamp with a letter", signedHeaders(vectorBody, "176400000000x", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"timestamp with a line break", signedHeaders(vectorBody, vectorTimestamp+"\n", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"timestamp of other digits", signedHeaders(vectorBody, "١٧٦٤٠٠٠٠٠٠٠٠٠", vectorNonce), vectorBody, good, g2a.ErrTimestampMalformed},
		{"too old by a millisecond", shifted(-5*time.Minute - time.Millisecond), vectorBody, good, g2a.ErrTimestampStale},
		{"too far ahead by a millisecond", shifted(5*time.Minute + time.Millisecond), vectorBody, good, g2a.ErrTimestampAhead},
		{"the beginning of time", signedHeaders(vectorBody, "0000000000000", vectorNonce), vectorBody, good, g2a.ErrTimestampStale},
		{"the end of time", signedHeaders(vectorBody, "9999999999999", vectorNonce), vectorBody, good, g2a.ErrTimestampAhead},

		{"no nonce", change(func(h http.Header) { h.Del("X-G2A-Nonce") }), vectorBody, good, g2a.ErrNonceAbsent},
		{"two nonces", change(func(h http.Header) { h.Add("X-G2A-Nonce", "nonce-0000000000000002") }), vectorBody, good, g2a.ErrNonceAbsent},
		{"nonce too short", signedHeaders(vectorBody, vectorTimestamp, strings.Repeat("n", 15)), vectorBody, good, g2a.ErrNonceMalformed},
		{"nonce too long", signedHeaders(vectorBody, vectorTimestamp, strings.Repeat("n", 129)), vectorBody, good, g2a.ErrNonceMalformed},
		{"nonce with a hash sign", signedHeaders(vectorBody, vectorTimestamp, vectorNonce+"#"), vectorBody, good, g2a.ErrNonceMalformed},
		{"nonce with a line break", signedHeaders(vectorBody, vectorTimestamp, vectorNonce+"\n"), vectorBody, good, g2a.ErrNonceMalformed},
		{"nonce not ASCII", signedHeaders(vectorBody, vectorTimestamp, strings.Repeat("é", 16)), vectorBody, good, g2a.ErrNonceMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var hashes []g2a.Secret
			for _, hash := range test.hashes {
				hashes = append(hashes, g2a.NewSecret(hash))
			}
			event, err := g2a.VerifyWebhook([]byte(test.body), test.header, hashes, vectorNow)
			if !errors.Is(err, test.want) || errors.Is(err, g2a.ErrEventMalformed) {
				t.Fatalf("error is %v, want %v", err, test.want)
			}
			if test.want != nil {
				if event != (g2a.Event{}) {
					t.Errorf("an event beside the error: %+v", event)
				}
				return
			}
			if event.ID != "evt_1" || event.OrderID != "42" || event.Type != g2a.EventOrderCompleted || event.Status != g2a.StatusCompleted ||
				event.Defect != "" || event.Nonce != test.header.Get("X-G2A-Nonce") ||
				strconv.FormatInt(event.SentAt.UnixMilli(), 10) != test.header.Get("X-G2A-Timestamp") {
				t.Errorf("event is %+v", event)
			}
		})
	}
}

// signedEvent reads a body that is signed well.
func signedEvent(body string) (g2a.Event, error) {
	return g2a.VerifyWebhook([]byte(body), signedHeaders(body, vectorTimestamp, vectorNonce), []g2a.Secret{g2a.NewSecret(vectorHash)}, vectorNow)
}

// What is signed and names itself is an event, whatever else is in it.
func TestEvent(t *testing.T) {
	const rest = `"order_id":"42","type":"order.status_changed","payload":{"status":"completed"}}`
	const whole = `{"event_id":"evt_1",` + rest
	in := func(old, new string) string {
		t.Helper()
		if !strings.Contains(whole, old) {
			t.Fatalf("%s is not in the event", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	id := func(json string) string { return in(`"evt_1"`, json) }
	order := func(json string) string { return in(`"42"`, json) }
	kind := func(json string) string { return in(`"order.status_changed"`, json) }
	payload := func(json string) string { return in(`{"status":"completed"}`, json) }
	status := func(json string) string { return in(`"completed"`, json) }
	good := g2a.Event{ID: "evt_1", OrderID: "42", Type: "order.status_changed", Status: "completed"}
	with := func(edit func(e *g2a.Event)) g2a.Event {
		e := good
		edit(&e)
		return e
	}
	withID := func(id string) g2a.Event { return with(func(e *g2a.Event) { e.ID = id }) }
	withOrder := func(id string) g2a.Event { return with(func(e *g2a.Event) { e.OrderID = id }) }
	withStatus := func(status g2a.EventStatus) g2a.Event { return with(func(e *g2a.Event) { e.Status = status }) }
	defect := func(e g2a.Event, defect string) g2a.Event { e.Defect = defect; return e }
	tests := []struct {
		name, body string
		want       g2a.Event
	}{
		{"documented", payload(`{"status":"completed","previous_status":"processing"}`), good},
		{"extra fields", in(`{"event_id"`, `{"a":[{"b":1},{"b":2}],"n":1e999,"x":null,"event_id"`), good},
		{"case variants beside the fields", in(`{"event_id"`, `{"Event_ID":"evil","ORDER_ID":"43","event_id"`), good},
		{"white space around", " \r\n\t" + whole + " \n", good},
		{"escaped", in(`"event_id":"evt_1"`, `"event\u005fid":"evt\u005f1"`), good},

		{"previous status of other words", payload(`{"status":"completed","previous_status":"awaiting payment"}`), good},
		{"previous status a number", payload(`{"status":"completed","previous_status":3}`), good},
		{"previous status true", payload(`{"status":"completed","previous_status":true}`), good},
		{"previous status an object", payload(`{"status":"completed","previous_status":{}}`), good},
		{"previous status null", payload(`{"status":"completed","previous_status":null}`), good},

		{"event_id a number", id(`1`), withID("1")},
		{"event_id a long number", id(`123456789012345678901234567890`), withID("123456789012345678901234567890")},
		{"event_id of 129 digits", id(strings.Repeat("7", 129)), withID("~")},
		{"event_id with a hash sign", id(`"evt#1"`), withID("evt%231")},
		{"event_id with an escape of ours", id(`"evt%231"`), withID("evt%25231")},
		{"event_id with our sign for a hash", id(`"~evt"`), withID("%7Eevt")},
		{"event_id with a line break and an accent", id(`"\né"`), withID("%0A%C3%A9")},
		{"event_id as long as may be", id(`"` + strings.Repeat("e", 128) + `"`), withID(strings.Repeat("e", 128))},
		{"event_id too long", id(`"` + strings.Repeat("e", 129) + `"`), withID("~")},
		{"event_id too long, escaped", id(`"` + strings.Repeat("#", 43) + `"`), withID("~")},
		{"event_id of one byte that is not UTF-8", id("\"evt\xe9\""), withID("%22evt%E9%22")},
		{"event_id of another", id("\"evt\xe8\""), withID("%22evt%E8%22")},
		{"event_id of half a surrogate pair", id(`"\ud800"`), withID("%22%5Cud800%22")},
		{"event_id with an exponent", id(`1e3`), defect(withID("~"), "field event_id is neither a string nor an integer")},
		{"event_id an object", id(`{"v":1}`), defect(withID("~"), "field event_id is neither a string nor an integer")},

		{"order_id a number", order(`42`), good},
		{"order_id a long number", order(`123456789012`), withOrder("123456789012")},
		{"order_id of 40 digits", order(strings.Repeat("4", 40)), withOrder(strings.Repeat("4", 40))},
		{"order_id with an exponent", order(`42e0`), defect(withOrder("~"), "field order_id is neither a string nor an integer")},
		{"order_id negative", order(`-42`), defect(withOrder("~"), "field order_id is neither a string nor an integer")},
		{"order_id with a fraction", order(`42.0`), defect(withOrder("~"), "field order_id is neither a string nor an integer")},
		{"order_id in a list", order(`["42"]`), defect(withOrder("~"), "field order_id is neither a string nor an integer")},
		{"order_id with a separator", order(`"42#43"`), defect(withOrder("42%2343"), "field order_id is not 1 to 128 of A-Za-z0-9._:-")},
		{"order_id with a space", order(`"42 "`), defect(withOrder("42%20"), "field order_id is not 1 to 128 of A-Za-z0-9._:-")},
		{"order_id too long", order(`"` + strings.Repeat("4", 129) + `"`), defect(withOrder("~"), "field order_id is not 1 to 128 of A-Za-z0-9._:-")},
		{"order_id null", order(`null`), defect(withOrder(""), "field order_id is missing")},
		{"order_id empty", order(`""`), defect(withOrder(""), "field order_id is missing")},
		{"order_id false", order(`false`), defect(withOrder(""), "field order_id is missing")},
		{"no order_id", in(`"order_id":"42",`, ""), defect(withOrder(""), "field order_id is missing")},

		{"unknown type", kind(`"order.refunded"`), with(func(e *g2a.Event) { e.Type = "order.refunded" })},
		{"type with a space", kind(`"order on hold"`), with(func(e *g2a.Event) { e.Type = "order%20on%20hold" })},
		{"type a number", kind(`3`), defect(with(func(e *g2a.Event) { e.Type = "~" }), "field type is not a string")},
		{"no type", in(`"type":"order.status_changed",`, ""), defect(with(func(e *g2a.Event) { e.Type = "" }), "field type is missing")},

		{"unknown status", status(`"refunded"`), withStatus("refunded")},
		{"status with a space", status(`"on hold"`), withStatus("on%20hold")},
		{"status too long", status(`"` + strings.Repeat("s", 200_000) + `"`), withStatus("~")},
		{"status null", status(`null`), defect(withStatus(""), "field status is missing")},
		{"status a number", status(`3`), defect(withStatus("~"), "field status is not a string")},
		{"status true", status(`true`), defect(withStatus("~"), "field status is not a string")},
		{"status a list", status(`["completed"]`), defect(withStatus("~"), "field status is not a string")},
		{"no status", payload(`{}`), defect(withStatus(""), "field status is missing")},
		{"payload null", payload(`null`), defect(withStatus(""), "field payload is missing")},
		{"payload a string", payload(`"{}"`), defect(withStatus(""), "field payload is not an object")},
		{"payload a list", payload(`[]`), defect(withStatus(""), "field payload is not an object")},
		{"no payload", in(`,"payload":{"status":"completed"}`, ""), defect(withStatus(""), "field payload is missing")},

		{"a ping", `{"type":"ping","event_id":"e1"}`, g2a.Event{ID: "e1", Type: "ping", Defect: "field order_id is missing"}},
		{"nothing but an id", `{"event_id":"e1"}`, g2a.Event{ID: "e1", Defect: "field order_id is missing"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := signedEvent(test.body)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Nonce, test.want.SentAt = vectorNonce, vectorNow
			shortened := got
			shortened.ID, shortened.OrderID = shortHash(got.ID), shortHash(got.OrderID)
			shortened.Type, shortened.Status = g2a.EventType(shortHash(string(got.Type))), g2a.EventStatus(shortHash(string(got.Status)))
			if shortened != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// shortHash writes a hash as a tilde alone.
func shortHash(value string) string {
	if hash, found := strings.CutPrefix(value, "~"); found && len(hash) == 64 {
		return "~"
	}
	return value
}

// No two values of an id become the same, but for a number and its digits in a string.
func TestEventIDsStayApart(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{
		`"a"`, `"a "`, `"a%20"`, `"a%2520"`, `"A"`, `"~a"`, `"é"`, "\"\xe9\"", "\"\xe8\"", `"\ud800"`, `"\ud801"`, `"\\ud800"`,
		`"` + strings.Repeat("e", 129) + `"`, `"` + strings.Repeat("e", 130) + `"`, `"` + strings.Repeat("#", 43) + `"`, strings.Repeat("1", 129),
		`1e3`, `"1e3"`, `1000`, `-1`, `"-1"`, `1.0`, `1`, `true`, `"true"`, `{}`, `"{}"`, `[]`, `[1]`,
		`{"a":"` + strings.Repeat("e", 129) + `"}`, `"{\"a\":\"` + strings.Repeat("e", 129) + `\"}"`,
	} {
		event, err := signedEvent(`{"event_id":` + id + `}`)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if other, found := seen[event.ID]; found {
			t.Errorf("%s and %s are both %s", other, id, event.ID)
		}
		seen[event.ID] = id
	}
}

// TestMalformedEvent: what is signed and cannot be told apart from other events is
// refused.
func TestMalformedEvent(t *testing.T) {
	const rest = `"order_id":"42","type":"order.status_changed","payload":{"status":"completed"}}`
	tests := []struct{ name, body, want string }{
		{"no bytes", "", "is missing"},
		{"white space", " \n", "is not JSON"},
		{"not JSON", "<xml/>", "is not JSON"},
		{"cut short", `{"event_id":"evt_1"`, "is not JSON"},
		{"binary", "\x00\xff", "is not JSON"},
		{"trailing data", `{"event_id":"evt_1",` + rest + `{}`, "is not JSON"},
		{"a trailing digit", `{"event_id":"evt_1",` + rest + `1`, "is not JSON"},
		{"a byte order mark", "\ufeff{\"event_id\":\"evt_1\"," + rest, "is not JSON"},
		{"a number with a leading zero", `{"event_id":007,` + rest, "is not JSON"},
		{"too deep", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "is not JSON"},
		{"a list", `[]`, "is not an object"},
		{"null", `null`, "is not an object"},
		{"a string", `"evt"`, "is not an object"},
		{"no event_id", `{` + rest, "field event_id is missing"},
		{"event_id null", `{"event_id":null,` + rest, "field event_id is missing"},
		{"event_id empty", `{"event_id":"",` + rest, "field event_id is missing"},
		{"event_id only in capitals", `{"EVENT_ID":"evt_1",` + rest, "field event_id is missing"},
		{"a field twice", `{"event_id":"evt_1","event_id":"evt_2",` + rest, "two fields of one name"},
		{"a field twice, once escaped", `{"event_id":"evt_1","event\u005fid":"evt_2",` + rest, "two fields of one name"},
		{"a field twice in the payload", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed","status":"failed"}}`, "two fields of one name"},
		{"an extra field twice", `{"event_id":"evt_1","x":1,"x":2,` + rest, "two fields of one name"},
		{"a field twice, deep in an extra one", `{"event_id":"evt_1","x":[{"a":{"b":1,"b":1}}],` + rest, "two fields of one name"},
		{"a field twice with a list between", `{"event_id":"evt_1","x":[[],{}],"y":{"z":{}},"x":1,` + rest, "two fields of one name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := signedEvent(test.body)
			if !errors.Is(err, g2a.ErrEventMalformed) || !strings.Contains(err.Error(), test.want) || got != (g2a.Event{}) {
				t.Errorf("error is %v, want ErrEventMalformed with %q; event %+v", err, test.want, got)
			}
		})
	}
}

// keySafe is what every string of an event is.
var keySafe = regexp.MustCompile(`^([A-Za-z0-9._:%-]{1,128}|~[0-9a-f]{64}|)$`)

func FuzzVerifyWebhook(f *testing.F) {
	f.Add([]byte(vectorBody), vectorSignature, vectorTimestamp, vectorNonce)
	f.Add([]byte(`{"a":1,"a":2}`), "", "1", "")
	f.Add([]byte(`{"payload":{"status":[[{}]]}}`), strings.Repeat("0", 64), "9999999999999", strings.Repeat("n", 16))
	f.Add([]byte("{\"event_id\":[1],\"order_id\":1e3,\"type\":\"\xff~%#\",\"payload\":[]}"), "", vectorTimestamp, vectorNonce)
	f.Add([]byte("[1e999,\"\\ud800\"]\xff"), "zz", "-", "\x00")
	f.Fuzz(func(t *testing.T, body []byte, signature, timestamp, nonce string) {
		hash := g2a.NewSecret(vectorHash)
		right := g2a.SignWebhook(hash, body, timestamp, nonce).Reveal()
		check := func(signature string) {
			event, err := g2a.VerifyWebhook(body, headers(signature, timestamp, nonce), []g2a.Secret{hash}, vectorNow)
			signed := strings.EqualFold(signature, right)
			switch {
			case err == nil && !signed, errors.Is(err, g2a.ErrEventMalformed) && !signed:
				t.Errorf("taken for signed: %q", signature)
			case errors.Is(err, g2a.ErrSignatureWrong) && signed:
				t.Error("a right signature is refused")
			case err != nil && event != (g2a.Event{}):
				t.Errorf("an event beside the error %v: %+v", err, event)
			case err != nil && (strings.Contains(err.Error(), vectorHash) || strings.Contains(err.Error(), right) || len(err.Error()) > 200):
				t.Errorf("the error tells too much: %v", err)
			case err == nil && (event.ID == "" || len(event.Nonce) < 16):
				t.Errorf("an event without a field: %+v", event)
			case err == nil && (event.OrderID == "" || event.Type == "" || event.Status == "") && event.Defect == "":
				t.Errorf("a field is missing, and that is no defect: %+v", event)
			case err == nil && len(event.Defect) > 100:
				t.Errorf("a long defect: %q", event.Defect)
			}
			for _, value := range []string{event.ID, event.OrderID, string(event.Type), string(event.Status)} {
				if !keySafe.MatchString(value) {
					t.Errorf("%q is not safe in a key", value)
				}
			}
		}
		check(signature)
		check(right)
	})
}

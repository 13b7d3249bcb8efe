package g2a_test

import (
	"errors"
	"net/http"
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
				event.PreviousStatus != "" || event.Nonce != test.header.Get("X-G2A-Nonce") ||
				strconv.FormatInt(event.SentAt.UnixMilli(), 10) != test.header.Get("X-G2A-Timestamp") {
				t.Errorf("event is %+v", event)
			}
		})
	}
}

func TestEvent(t *testing.T) {
	const rest = `"order_id":"42","type":"order.status_changed","payload":{"status":"completed"}}`
	event := func(status, was g2a.EventStatus) g2a.Event {
		return g2a.Event{ID: "evt_1", OrderID: "42", Type: g2a.EventStatusChanged, Status: status, PreviousStatus: was}
	}
	tests := []struct {
		name string
		body string
		want g2a.Event // zero: malformed
		text string    // in the error
	}{
		{"documented", `{"event_id":"evt_1","order_id":"42","type":"order.status_changed","payload":{"status":"completed","previous_status":"processing"}}`,
			event("completed", "processing"), ""},
		{"extra fields", `{"event_id":"evt_1","a":[{"b":1},{"b":2}],"n":1e999,"x":null,` + rest, event("completed", ""), ""},
		{"case variants beside the fields", `{"event_id":"evt_1","Event_ID":"evil","ORDER_ID":"43",` + rest, event("completed", ""), ""},
		{"white space around", " \r\n\t{\"event_id\":\"evt_1\"," + rest + " \n", event("completed", ""), ""},
		{"previous status null", `{"event_id":"evt_1","order_id":"42","type":"order.status_changed","payload":{"status":"completed","previous_status":null}}`, event("completed", ""), ""},
		{"previous status empty", `{"event_id":"evt_1","order_id":"42","type":"order.status_changed","payload":{"status":"completed","previous_status":""}}`, event("completed", ""), ""},
		{"unknown status", `{"event_id":"evt_1","order_id":"42","type":"order.status_changed","payload":{"status":"refunded"}}`, event("refunded", ""), ""},
		{"escaped", `{"event\u005fid":"evt\u005f1",` + rest, event("completed", ""), ""},

		{"no bytes", "", g2a.Event{}, "is missing"},
		{"white space", " \n", g2a.Event{}, "is not JSON"},
		{"not JSON", "<xml/>", g2a.Event{}, "is not JSON"},
		{"cut short", `{"event_id":"evt_1"`, g2a.Event{}, "is not JSON"},
		{"binary", "\x00\xff", g2a.Event{}, "is not JSON"},
		{"trailing data", `{"event_id":"evt_1",` + rest + `{}`, g2a.Event{}, "is not JSON"},
		{"a trailing digit", `{"event_id":"evt_1",` + rest + `1`, g2a.Event{}, "is not JSON"},
		{"a byte order mark", "\ufeff{\"event_id\":\"evt_1\"," + rest, g2a.Event{}, "is not JSON"},
		{"too deep", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), g2a.Event{}, "is not JSON"},
		{"a list", `[]`, g2a.Event{}, "is not an object"},
		{"null", `null`, g2a.Event{}, "is not an object"},
		{"a text", `"evt"`, g2a.Event{}, "is not an object"},
		{"no event_id", `{` + rest, g2a.Event{}, "field event_id is missing"},
		{"event_id null", `{"event_id":null,` + rest, g2a.Event{}, "field event_id is missing"},
		{"event_id a number", `{"event_id":1,` + rest, g2a.Event{}, "field event_id is not a text"},
		{"event_id empty", `{"event_id":"",` + rest, g2a.Event{}, "field event_id is not 1 to 128"},
		{"event_id too long", `{"event_id":"` + strings.Repeat("e", 129) + `",` + rest, g2a.Event{}, "field event_id is not 1 to 128"},
		{"event_id with a hash sign", `{"event_id":"evt#1",` + rest, g2a.Event{}, "field event_id is not 1 to 128"},
		{"event_id with a line break", `{"event_id":"evt\n",` + rest, g2a.Event{}, "field event_id is not 1 to 128"},
		{"event_id only in capitals", `{"EVENT_ID":"evt_1",` + rest, g2a.Event{}, "field event_id is missing"},
		{"order_id a number", `{"event_id":"evt_1","order_id":42,"type":"order.completed","payload":{"status":"completed"}}`, g2a.Event{}, "field order_id is not a text"},
		{"no type", `{"event_id":"evt_1","order_id":"42","payload":{"status":"completed"}}`, g2a.Event{}, "field type is missing"},
		{"no payload", `{"event_id":"evt_1","order_id":"42","type":"order.completed"}`, g2a.Event{}, "payload: is missing"},
		{"payload null", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":null}`, g2a.Event{}, "payload: is not an object"},
		{"payload a text", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":"{}"}`, g2a.Event{}, "payload: is not an object"},
		{"no status", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{}}`, g2a.Event{}, "field status is missing"},
		{"previous status a number", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed","previous_status":1}}`, g2a.Event{}, "field previous_status is not a text"},
		{"a field twice", `{"event_id":"evt_1","event_id":"evt_2",` + rest, g2a.Event{}, "two fields of one name"},
		{"a field twice, once escaped", `{"event_id":"evt_1","event\u005fid":"evt_2",` + rest, g2a.Event{}, "two fields of one name"},
		{"a field twice in the payload", `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed","status":"failed"}}`, g2a.Event{}, "two fields of one name"},
		{"an extra field twice", `{"event_id":"evt_1","x":1,"x":2,` + rest, g2a.Event{}, "two fields of one name"},
		{"a field twice, deep in an extra one", `{"event_id":"evt_1","x":[{"a":{"b":1,"b":1}}],` + rest, g2a.Event{}, "two fields of one name"},
		{"a field twice with a list between", `{"event_id":"evt_1","x":[[],{}],"y":{"z":{}},"x":1,` + rest, g2a.Event{}, "two fields of one name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := g2a.VerifyWebhook([]byte(test.body), signedHeaders(test.body, vectorTimestamp, vectorNonce), []g2a.Secret{g2a.NewSecret(vectorHash)}, vectorNow)
			if test.want == (g2a.Event{}) {
				if !errors.Is(err, g2a.ErrEventMalformed) || !strings.Contains(err.Error(), test.text) || got != (g2a.Event{}) {
					t.Errorf("error is %v, want ErrEventMalformed with %q; event %+v", err, test.text, got)
				}
				return
			}
			test.want.Nonce, test.want.SentAt = vectorNonce, vectorNow
			if err != nil || got != test.want {
				t.Errorf("got  %+v, error %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func FuzzVerifyWebhook(f *testing.F) {
	f.Add([]byte(vectorBody), vectorSignature, vectorTimestamp, vectorNonce)
	f.Add([]byte(`{"a":1,"a":2}`), "", "1", "")
	f.Add([]byte(`{"payload":{"status":[[{}]]}}`), strings.Repeat("0", 64), "9999999999999", strings.Repeat("n", 16))
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
			case err == nil && (event.ID == "" || event.OrderID == "" || event.Type == "" || event.Status == "" || len(event.Nonce) < 16):
				t.Errorf("an event without a field: %+v", event)
			}
		}
		check(signature)
		check(right)
	})
}

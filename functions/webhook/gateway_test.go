package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/inbox"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// jsonHeaders are those of every answer of the endpoint, less Retry-After.
var jsonHeaders = map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}

// unauthorized is the one answer to all whose signature, timestamp or nonce is bad.
var unauthorized = events.APIGatewayV2HTTPResponse{StatusCode: 401, Headers: jsonHeaders, Body: `{"error":"unauthorized"}`, Cookies: []string{}}

// body makes an event's.
func body(id, order, kind, status string) string {
	return `{"event_id":"` + id + `","order_id":"` + order + `","type":"` + kind + `","payload":{"status":"` + status + `"}}`
}

func changed(id, status string) string { return body(id, "42", "order.status_changed", status) }

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name       string
		deliveries []delivery // each with a nonce of its own where it has none
		results    []string
		order      g2a.EventStatus // of order 42 in the end
	}{
		{"new", []delivery{{}}, []string{"processed"}, "completed"},
		{"the very same bytes again", []delivery{{nonce: nonce}, {nonce: nonce}}, []string{"processed", "duplicate"}, "completed"},
		{"same event, new nonce", []delivery{{}, {}}, []string{"processed", "duplicate"}, "completed"},
		{"forward", []delivery{{body: changed("1", "pending")}, {body: changed("2", "processing")}, {body: changed("3", "completed")}}, []string{"processed", "processed", "processed"}, "completed"},
		{"late", []delivery{{body: changed("2", "processing")}, {body: changed("1", "pending")}}, []string{"processed", "superseded"}, "processing"},
		{"equal", []delivery{{body: changed("1", "processing")}, {body: changed("2", "processing")}}, []string{"processed", "superseded"}, "processing"},
		{"final, and late", []delivery{{}, {body: changed("2", "processing")}}, []string{"processed", "superseded"}, "completed"},
		{"final twice", []delivery{{}, {body: changed("2", "completed")}}, []string{"processed", "superseded"}, "completed"},
		{"late again", []delivery{{}, {body: changed("2", "pending")}, {body: changed("2", "pending")}}, []string{"processed", "superseded", "duplicate"}, "completed"},
		{"completed after failed", []delivery{{body: changed("1", "failed")}, {}}, []string{"processed", "parked"}, "failed"},
		{"cancelled after completed", []delivery{{}, {body: body("2", "42", "order.cancelled", "cancelled")}}, []string{"processed", "parked"}, "completed"},
		{"parked again", []delivery{{body: changed("1", "failed")}, {}, {}}, []string{"processed", "parked", "duplicate"}, "failed"},
		{"unknown status", []delivery{{body: changed("1", "refunded")}}, []string{"parked"}, ""},
		{"status with a space", []delivery{{body: changed("1", "on hold")}}, []string{"parked"}, ""},
		{"unknown type", []delivery{{body: body("1", "42", "order.refunded", "completed")}}, []string{"parked"}, ""},
		{"type against status", []delivery{{body: body("1", "42", "order.completed", "failed")}}, []string{"parked"}, ""},
		{"same event, other status", []delivery{{body: changed("1", "processing")}, {body: changed("1", "completed")}}, []string{"processed", "parked"}, "processing"},
		{"same event, other status, again", []delivery{{body: changed("1", "processing")}, {body: changed("1", "completed")}, {body: changed("1", "completed")}}, []string{"processed", "parked", "duplicate"}, "processing"},
		{"same event, other bytes", []delivery{{}, {body: `{"type":"order.completed", "order_id":42, "payload":{"previous_status":"pending","status":"completed"}, "event_id":"evt_1"}`}}, []string{"processed", "duplicate"}, "completed"},
		{"another order", []delivery{{body: body("1", "41", "order.failed", "failed")}, {}}, []string{"processed", "processed"}, "completed"},
		{"fields that are not known", []delivery{{body: `{"v":2,` + strings.TrimPrefix(completed, "{")}}, []string{"processed"}, "completed"},
		{"oldest timestamp", []delivery{{timestamp: "1763999700000"}}, []string{"processed"}, "completed"},
		{"newest timestamp", []delivery{{timestamp: "1764000300000"}}, []string{"processed"}, "completed"},
		{"in base64", []delivery{{base64: true}}, []string{"processed"}, "completed"},
		{"raw bytes in base64", []delivery{{base64: true, body: `{"name":"caf` + "\xe9" + `",` + strings.TrimPrefix(completed, "{")}}, []string{"processed"}, "completed"},
		{"raw bytes with space", []delivery{{body: "\r\n " + completed + "\n"}}, []string{"processed"}, "completed"},
		{"previous status of other words", []delivery{{body: with(`"previous_status":"awaiting payment"`)}}, []string{"processed"}, "completed"},
		{"previous status a number", []delivery{{body: with(`"previous_status":3`)}}, []string{"processed"}, "completed"},
		{"order_id a number", []delivery{{body: `{"event_id":17,"order_id":42,"type":"order.completed","payload":{"status":"completed"}}`}}, []string{"processed"}, "completed"},
		{"event_id of other characters", []delivery{{body: body("evt 1/#é", "42", "order.completed", "completed")}}, []string{"processed"}, "completed"},
		{"event_id very long", []delivery{{body: body(strings.Repeat("e", 1000), "42", "order.completed", "completed")}}, []string{"processed"}, "completed"},
		{"order_id with a separator", []delivery{{body: body("1", "42#43", "order.completed", "completed")}}, []string{"parked"}, ""},
		{"order_id in a list", []delivery{{body: `{"event_id":"1","order_id":["42"],"type":"order.completed","payload":{"status":"completed"}}`}}, []string{"parked"}, ""},
		{"order event without order_id", []delivery{{body: `{"event_id":"1","orderId":"42","type":"order.completed","payload":{"status":"completed"}}`}}, []string{"parked"}, ""},
		{"no type", []delivery{{body: body("1", "42", "", "completed")}}, []string{"parked"}, ""},
		{"status null", []delivery{{body: strings.Replace(completed, `"completed"}}`, `null}}`, 1)}}, []string{"parked"}, ""},
		{"payload null", []delivery{{body: `{"event_id":"1","order_id":"42","type":"order.completed","payload":null}`}}, []string{"parked"}, ""},
		{"no payload", []delivery{{body: `{"event_id":"1","order_id":"42","type":"order.completed"}`}}, []string{"parked"}, ""},
		{"no status", []delivery{{body: `{"event_id":"1","order_id":"42","type":"order.completed","payload":{}}`}}, []string{"parked"}, ""},
		{"a parked body of no UTF-8", []delivery{{base64: true, body: `{"name":"caf` + "\xe9" + `",` + strings.TrimPrefix(changed("1", "refunded"), "{")}}, []string{"parked"}, ""},
		{"as long as may be", []delivery{{body: padded(256 << 10)}}, []string{"processed"}, "completed"},
		{"as long as may be, in base64", []delivery{{body: padded(256 << 10), base64: true}}, []string{"processed"}, "completed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			for i, d := range tt.deliveries {
				if d.nonce == "" {
					d.nonce = nonce[:len(nonce)-1] + string(rune('a'+i))
				}
				got := f.deliver(t, d)
				want := events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: jsonHeaders, Body: `{"result":"` + tt.results[i] + `"}`, Cookies: []string{}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("delivery %d: got %+v\nwant %+v", i+1, got, want)
				}
				if counted, want := f.counted(t), (map[string]any{"WebhookResult": 1.0, "result": tt.results[i]}); !reflect.DeepEqual(counted, want) {
					t.Errorf("delivery %d: counted %v, want %v", i+1, counted, want)
				}
				line := f.lastLine(t)
				if line["level"] != "INFO" || line["result"] != tt.results[i] || line["event_id"] == nil || line["g2a_order_id"] == nil {
					t.Errorf("delivery %d: logged %v", i+1, line)
				}
				if (line["reason"] != nil) != (tt.results[i] == "parked") || len(fmt.Sprint(line)) > 2000 {
					t.Errorf("delivery %d: logged %v", i+1, line)
				}
				if tt.results[i] == "parked" {
					f.checkParked(t, d.complete().body)
				}
			}
			if got := f.store.orders["42"].Event.Status; got != tt.order {
				t.Errorf("order 42 is %q, want %q", got, tt.order)
			}
			if f.hashes.askedForFresh != 0 {
				t.Error("hashes are read anew for a good signature")
			}
		})
	}
}

// checkParked finds the one event that waits for a person.
func (f *fixture) checkParked(t *testing.T, body string) {
	t.Helper()
	for _, d := range f.store.events {
		if d.Outcome == inbox.Parked && string(d.Body) == body && d.LastError != "" {
			return
		}
	}
	t.Errorf("no event is parked: %v", f.store.events)
}

// with is completed with one member more in its payload.
func with(member string) string {
	return strings.Replace(completed, `{"status"`, `{`+member+`,"status"`, 1)
}

// TestCauses: each cause of a parked event is counted by its own, and their number is
// bounded.
func TestCauses(t *testing.T) {
	tests := map[string][]string{ // bodies, the last of which is parked
		"contradiction":  {changed("1", "processing"), changed("1", "completed")},
		"second_final":   {changed("1", "failed"), changed("2", "completed")},
		"unknown_status": {changed("1", "on hold")},
		"unknown_type":   {body("1", "42", "order.refunded", "completed")},
		"type_mismatch":  {body("1", "42", "order.completed", "failed")},
		"defective":      {`{"event_id":"1","order_id":"42","type":"order.completed"}`},
	}
	for cause, bodies := range tests {
		t.Run(cause, func(t *testing.T) {
			f := newFixture()
			for i, body := range bodies {
				f.deliver(t, delivery{body: body, nonce: nonce + string(rune('a'+i))})
			}
			var counted []map[string]any
			for _, line := range objects(t, f.metrics.String()) {
				if line["WebhookParked"] != nil {
					delete(line, "_aws")
					counted = append(counted, line)
				}
			}
			if want := []map[string]any{{"WebhookParked": 1.0, "cause": cause}}; !reflect.DeepEqual(counted, want) {
				t.Errorf("counted %v, want %v", counted, want)
			}
			if line := f.lastLine(t); line["cause"] != cause {
				t.Errorf("logged %v, want the cause %s", line, cause)
			}
		})
	}
}

// TestAcknowledged: what is signed and is of no order is counted by what it is about, and
// touches no store.
func TestAcknowledged(t *testing.T) {
	tests := []struct{ name, body, kind string }{
		{"ping", `{"type":"ping","event_id":"e1"}`, "ping"},
		{"product", `{"type":"product.updated","event_id":"e1","payload":{"product_id":"7"}}`, "product"},
		{"offer", `{"type":"offer.sold","event_id":"e1","order_id":null}`, "offer"},
		{"unknown", `{"type":"account.closed","event_id":"e1","order_id":""}`, "other"},
		{"one that only begins so", `{"type":"pingback","event_id":"e1"}`, "other"},
		{"no type", `{"event_id":"e1"}`, "other"},
		{"type a number", `{"type":7,"event_id":"e1"}`, "other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			got := f.deliver(t, delivery{body: tt.body})
			want := events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: jsonHeaders, Body: `{"result":"acknowledged"}`, Cookies: []string{}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			if f.store.touched != 0 {
				t.Error("the store is touched")
			}
			lines := objects(t, f.metrics.String())
			if len(lines) != 2 || lines[0]["WebhookAcknowledged"] != 1.0 || lines[0]["kind"] != tt.kind || lines[1]["result"] != "acknowledged" {
				t.Errorf("counted %v, want the kind %s", lines, tt.kind)
			}
			if line := f.lastLine(t); line["level"] != "INFO" || line["result"] != "acknowledged" || line["event_id"] != "e1" {
				t.Errorf("logged %v", line)
			}
		})
	}
}

func TestContentType(t *testing.T) {
	tests := []struct {
		contentType string
		taken       bool
	}{
		{"application/json", true},
		{"Application/JSON", true},
		{" application/json ", true},
		{"application/json; charset=utf-8", true},
		{"application/json;charset=\"UTF-8\";v=1", true},
		{"application/json; profile=\"a,b;c\\\"d\"", true},
		{"application/json;", true},
		{"application/json; charset", true},
		{"application/json; charset=\"utf-8", true},
		{"application/json; charset=utf-8; charset=utf-8", true},
		{"application/json, application/json", true},
		{"application/json,application/json; charset=utf-8", true},
		{"application/json,", true},
		{"application/vnd.g2a+json", true},
		{"application/vnd.g2a.v1+JSON; charset=utf-8", true},
		{"application/problem+json, application/json", true},

		{"", false},
		{",", false},
		{";", false},
		{"; application/json", false},
		{"text/plain", false},
		{"text/json", false},
		{"application/jsonp", false},
		{"application/x-json", false},
		{"application/+json", false},
		{"application/json+xml", false},
		{"application/jsonapplication/json", false},
		{"application /json", false},
		{"application/json charset=utf-8", false},
		{"application/json, text/plain", false},
		{"text/plain, application/json", false},
		{"application/x-www-form-urlencoded", false},
		{"multipart/form-data; boundary=\"application/json\"", false},
		{"\"application/json\"", false},
	}
	for _, tt := range tests {
		t.Run(tt.contentType, func(t *testing.T) {
			f := newFixture()
			got := f.deliver(t, delivery{headers: map[string]string{"content-type": tt.contentType}})
			switch {
			case tt.taken && got.Body != `{"result":"processed"}`:
				t.Errorf("got %+v, want it processed", got)
			case !tt.taken && got.StatusCode != 415:
				t.Errorf("got %+v, want 415", got)
			}
			if !tt.taken {
				f.checkRefused(t, 415, "content_type")
			}
		})
	}
}

// padded is completed, made longer by spaces.
func padded(length int) string { return completed + strings.Repeat(" ", length-len(completed)) }

// TestVector: the signature that was worked out elsewhere.
func TestVector(t *testing.T) {
	f := newFixture()
	if got := f.deliver(t, delivery{signature: signature}); got.Body != `{"result":"processed"}` {
		t.Errorf("got %+v", got)
	}
}

func TestHeadersInAnyCase(t *testing.T) {
	for _, spell := range []func(string) string{strings.ToUpper, strings.ToLower, http.CanonicalHeaderKey} {
		headers := map[string]string{
			"x-g2a-signature": "", "x-g2a-timestamp": "", "x-g2a-nonce": "", "content-type": "",
		}
		maps.Copy(headers, map[string]string{
			spell("X-g2a-signature"): signature, spell("X-g2a-timestamp"): timestamp, spell("X-g2a-nonce"): nonce, spell("content-type"): "application/json",
		})
		t.Run(spell("x-g2a-nonce"), func(t *testing.T) {
			if got := newFixture().deliver(t, delivery{headers: headers}); got.Body != `{"result":"processed"}` {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestUnauthorized(t *testing.T) {
	header := func(name, value string) delivery { return delivery{headers: map[string]string{name: value}} }
	tests := []struct {
		name     string
		delivery delivery
		reason   string
	}{
		{"no signature", header("x-g2a-signature", ""), "signature_absent"},
		{"two signatures", header("x-g2a-signature", signature+","+signature), "signature_absent"},
		{"two signatures, one empty", header("x-g2a-signature", signature+","), "signature_absent"},
		{"signature in two spellings", header("X-G2A-Signature", signature), "signature_absent"},
		{"signature not hexadecimal", delivery{signature: strings.Repeat("g", 64)}, "signature_malformed"},
		{"signature too short", delivery{signature: signature[:62]}, "signature_malformed"},
		{"signature too long", delivery{signature: signature + "00"}, "signature_malformed"},
		{"signature with a digit too few", delivery{signature: signature[:63]}, "signature_malformed"},
		{"signature with a name", delivery{signature: "sha256=" + signature}, "signature_malformed"},
		{"signature wrong in a bit", delivery{signature: signature[:63] + "1"}, "signature_wrong"},
		{"signature of another hash", delivery{signedBy: oldHash}, "signature_wrong"},
		{"signature of another body", delivery{body: changed("1", "failed"), signature: signature}, "signature_wrong"},
		{"signature of a body without the newline", delivery{body: completed + "\n", signature: signature}, "signature_wrong"},
		{"signature of another body, in base64", delivery{body: changed("1", "failed"), signature: signature, base64: true}, "signature_wrong"},
		{"signature of another timestamp", delivery{timestamp: "1764000000001", signature: signature}, "signature_wrong"},
		{"signature of another nonce", delivery{nonce: nonce + "2", signature: signature}, "signature_wrong"},
		{"body that is no event, not signed", delivery{body: "not JSON", signature: signature}, "signature_wrong"},
		{"no timestamp", header("x-g2a-timestamp", ""), "timestamp_absent"},
		{"two timestamps", header("x-g2a-timestamp", timestamp+", "+timestamp), "timestamp_absent"},
		{"timestamp in seconds", delivery{timestamp: "1764000000"}, "timestamp_malformed"},
		{"timestamp of 14 digits", delivery{timestamp: "17640000000000"}, "timestamp_malformed"},
		{"timestamp with a sign", delivery{timestamp: "+764000000000"}, "timestamp_malformed"},
		{"timestamp in words", delivery{timestamp: "yesterday-1pm"}, "timestamp_malformed"},
		{"timestamp too old", delivery{timestamp: "1763999699999"}, "timestamp_stale"},
		{"timestamp too new", delivery{timestamp: "1764000300001"}, "timestamp_ahead"},
		{"no nonce", header("x-g2a-nonce", ""), "nonce_absent"},
		{"two nonces", header("x-g2a-nonce", nonce+","+nonce), "nonce_absent"},
		{"nonce too short", delivery{nonce: "123456789012345"}, "nonce_malformed"},
		{"nonce too long", delivery{nonce: strings.Repeat("n", 129)}, "nonce_malformed"},
		{"nonce of other characters", delivery{nonce: "nonce 0000000000#"}, "nonce_malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			if got := f.deliver(t, tt.delivery); !reflect.DeepEqual(got, unauthorized) {
				t.Errorf("got %+v\nwant %+v", got, unauthorized)
			}
			f.checkRefused(t, 401, tt.reason)
		})
	}
}

// checkRefused checks that nothing was written, and what was told.
func (f *fixture) checkRefused(t *testing.T, status float64, reason string) {
	t.Helper()
	if f.store.touched != 0 {
		t.Error("the store is touched before the signature is valid")
	}
	if counted, want := f.counted(t), (map[string]any{"WebhookRejected": 1.0, "reason": reason}); !reflect.DeepEqual(counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
	if line := f.lastLine(t); line["level"] != "WARN" || line["status"] != status || line["reason"] != reason || line["error"] == "" || line["event_id"] != nil {
		t.Errorf("logged %v", line)
	}
}

// TestNonceReused: a nonce with another event is a replay, and told like a forgery.
func TestNonceReused(t *testing.T) {
	f := newFixture()
	f.deliver(t, delivery{})
	got := f.deliver(t, delivery{body: body("evt_2", "42", "order.failed", "failed")})
	if !reflect.DeepEqual(got, unauthorized) {
		t.Errorf("got %+v\nwant %+v", got, unauthorized)
	}
	if len(f.store.events) != 1 || f.store.orders["42"].Event.Status != "completed" {
		t.Errorf("stored %v", f.store.events)
	}
	if counted := f.counted(t); counted["reason"] != "nonce_reused" {
		t.Errorf("counted %v", counted)
	}
	if line := f.lastLine(t); line["event_id"] != "evt_2" || line["status"] != 401.0 {
		t.Errorf("logged %v", line)
	}
}

func TestRefused(t *testing.T) {
	type headers = map[string]string
	long := strings.Repeat("secret-field-", 100)
	tests := []struct {
		name     string
		delivery delivery
		status   int
		answer   string
		reason   string
	}{
		{"not JSON", delivery{body: "status=completed"}, 400, "event is malformed: is not JSON", "event_malformed"},
		{"text after the JSON", delivery{body: completed + "x"}, 400, "event is malformed: is not JSON", "event_malformed"},
		{"list", delivery{body: "[" + completed + "]"}, 400, "event is malformed: is not an object", "event_malformed"},
		{"null", delivery{body: "null"}, 400, "event is malformed: is not an object", "event_malformed"},
		{"two fields of one name", delivery{body: `{"order_id":"41",` + completed[1:]}, 400, "event is malformed: has two fields of one name", "event_malformed"},
		{"two fields of one long name", delivery{body: `{"` + long + `":1,"` + long + `":1}`}, 400, "event is malformed: has two fields of one name", "event_malformed"},
		{"no event_id", delivery{body: `{"order_id":"42","type":"order.completed","payload":{"status":"completed"}}`}, 400, "event is malformed: field event_id is missing", "event_malformed"},
		{"one byte too long", delivery{body: padded(256<<10 + 1)}, 413, "body is longer than 256 KiB", "body_too_long"},
		{"one byte too long, in base64", delivery{body: padded(256<<10 + 1), base64: true}, 413, "body is longer than 256 KiB", "body_too_long"},
		{"much too long, not signed", delivery{body: padded(5 << 20), signature: signature}, 413, "body is longer than 256 KiB", "body_too_long"},
		{"no media type", delivery{headers: headers{"content-type": ""}}, 415, "Content-Type is not application/json", "content_type"},
		{"text", delivery{headers: headers{"content-type": "text/plain"}}, 415, "Content-Type is not application/json", "content_type"},
		{"form", delivery{headers: headers{"content-type": "application/x-www-form-urlencoded"}}, 415, "Content-Type is not application/json", "content_type"},
		{"almost", delivery{headers: headers{"content-type": "application/jsonp"}}, 415, "Content-Type is not application/json", "content_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			got := f.deliver(t, tt.delivery)
			want := events.APIGatewayV2HTTPResponse{StatusCode: tt.status, Headers: jsonHeaders, Body: `{"error":"` + tt.answer + `"}`, Cookies: []string{}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			f.checkRefused(t, float64(tt.status), tt.reason)
			if line := f.lastLine(t); line["error"] != tt.answer {
				t.Errorf("the log says %q, want %q", line["error"], tt.answer)
			}
		})
	}
}

func TestUnavailable(t *testing.T) {
	failing := func(context.Context) error { return store.ErrUnavailable }
	hanging := func(ctx context.Context) error { <-ctx.Done(); return errors.Join(store.ErrUnavailable, ctx.Err()) }
	tests := []struct {
		name   string
		wrong  bool // the signature
		broken func(f *fixture)
	}{
		{"store fails", false, func(f *fixture) { f.store.before = failing }},
		{"store hangs", false, func(f *fixture) { f.store.before = hanging }},
		{"secret cannot be read", false, func(f *fixture) { f.hashes.err = errors.New("no secret") }},
		{"secret cannot be read anew", true, func(f *fixture) { f.hashes.freshErr = errors.New("no secret") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture()
				tt.broken(f)
				d := delivery{}
				if tt.wrong {
					d.signedBy = oldHash
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				got := f.send(ctx, t, d.event(t))
				if ctx.Err() != nil {
					t.Error("the answer comes after the function's time")
				}
				headers := maps.Clone(jsonHeaders)
				headers["Retry-After"] = "5"
				want := events.APIGatewayV2HTTPResponse{StatusCode: 503, Headers: headers, Body: `{"error":"try again later"}`, Cookies: []string{}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v\nwant %+v", got, want)
				}
				if len(f.store.nonces)+len(f.store.events)+len(f.store.orders) != 0 {
					t.Error("something is written")
				}
				f.checkTold(t)
				if counted, want := f.counted(t), (map[string]any{"WebhookUnavailable": 1.0}); !reflect.DeepEqual(counted, want) {
					t.Errorf("counted %v, want %v", counted, want)
				}
				if line := f.lastLine(t); line["level"] != "ERROR" || line["error"] == "" {
					t.Errorf("logged %v", line)
				}
			})
		})
	}
}

func TestRotation(t *testing.T) {
	tests := []struct {
		name         string
		known, fresh []g2a.Secret
		delivery     delivery
		want         int
		readAnew     int
	}{
		{"signed with the current one", []g2a.Secret{newHash, oldHash}, nil, delivery{signedBy: newHash}, 200, 0},
		{"signed with the previous one", []g2a.Secret{newHash, oldHash}, nil, delivery{signedBy: oldHash}, 200, 1},
		{"signed with a previous one that was revoked a moment ago", []g2a.Secret{newHash, oldHash}, []g2a.Secret{newHash}, delivery{signedBy: oldHash}, 401, 1},
		{"rotated a moment ago", []g2a.Secret{oldHash}, []g2a.Secret{newHash, oldHash}, delivery{signedBy: newHash}, 200, 1},
		{"signed with one that is gone", []g2a.Secret{newHash, oldHash}, []g2a.Secret{newHash, oldHash}, delivery{signedBy: hash}, 401, 1},
		{"not signed at all", []g2a.Secret{oldHash}, []g2a.Secret{newHash}, delivery{headers: map[string]string{"x-g2a-signature": ""}}, 401, 0},
		{"signed, but stale", []g2a.Secret{oldHash}, []g2a.Secret{newHash}, delivery{signedBy: newHash, timestamp: "1763999699999"}, 401, 0},
		{"signed, but no event", []g2a.Secret{oldHash}, []g2a.Secret{newHash}, delivery{signedBy: newHash, body: "[]"}, 400, 1},
		{"signed with no hash", []g2a.Secret{{}}, nil, delivery{signature: g2a.SignWebhook(g2a.Secret{}, []byte(completed), timestamp, nonce).Reveal()}, 401, 1},
		{"no hashes", nil, nil, delivery{}, 401, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			f.hashes.known, f.hashes.fresh = tt.known, tt.fresh
			if got := f.deliver(t, tt.delivery); got.StatusCode != tt.want {
				t.Errorf("got %+v, want %d", got, tt.want)
			}
			if f.hashes.askedForFresh != tt.readAnew {
				t.Errorf("hashes are read anew %d times, want %d", f.hashes.askedForFresh, tt.readAnew)
			}
			if (f.store.touched > 0) != (tt.want == 200) {
				t.Errorf("the store is touched %d times", f.store.touched)
			}
		})
	}
}

// TestOtherRequests wake the function only where a gateway is configured for another one.
func TestOtherRequests(t *testing.T) {
	tests := []struct{ name, method, path string }{
		{"another path", "GET", "/"},
		{"health", "GET", "/health"},
		{"path below the webhook's", "POST", "/webhooks/g2a/x"},
		{"path in capitals", "POST", "/Webhooks/G2A"},
		{"another method", "GET", "/webhooks/g2a"},
		{"another method on health", "POST", "/health/live"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			got := f.send(t.Context(), t, event(t, tt.method, tt.path, map[string]string{"host": "x", "content-type": "application/json"}, completed, false))
			if got.StatusCode != 404 || got.Body != `{"message":"Not Found"}` {
				t.Errorf("got %+v, want 404", got)
			}
			if f.hashes.asked+f.hashes.askedForFresh+f.store.touched != 0 {
				t.Error("the secret or the store is touched")
			}
			if counted, want := f.counted(t), (map[string]any{"RouteUnknown": 1.0}); !reflect.DeepEqual(counted, want) {
				t.Errorf("counted %v, want %v", counted, want)
			}
			if line := f.lastLine(t); line["level"] != "WARN" || line["path"] != tt.path {
				t.Errorf("logged %v", line)
			}
		})
	}
}

// TestPathPrefix: a named stage and a domain's mapping stand before the path, and the
// signed webhook is taken all the same.
func TestPathPrefix(t *testing.T) {
	for _, prefix := range []string{"", "/prod", "/shop/v1"} {
		t.Run(prefix, func(t *testing.T) {
			f := newFixture()
			webhook := bytes.Replace(delivery{}.event(t), []byte(`"rawPath":"/`), []byte(`"rawPath":"`+prefix+`/`), 1)
			if got := f.send(t.Context(), t, webhook); got.Body != `{"result":"processed"}` {
				t.Errorf("got %+v", got)
			}
			alive := bytes.Replace(event(t, "GET", "/health/live", nil, "", false), []byte(`"rawPath":"/`), []byte(`"rawPath":"`+prefix+`/`), 1)
			if got := f.send(t.Context(), t, alive); got.StatusCode != 200 || got.Body != `{"status":"alive"}` {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// FuzzGateway gives the function any payload: it never panics, answers or fails with
// a name, and touches the store for nothing but a signed webhook.
func FuzzGateway(f *testing.F) {
	for _, d := range []delivery{
		{}, {base64: true}, {signature: signature[:63] + "1"}, {body: "[]"}, {body: changed("1", "refunded")},
		{headers: map[string]string{"x-g2a-nonce": nonce + "," + nonce}},
		{headers: map[string]string{"X-G2A-Signature": signature}},
		{headers: map[string]string{"content-type": "text/plain"}},
		{timestamp: "1763999699999"}, {timestamp: "1764000300001"}, {nonce: "123456789012345"},
	} {
		f.Add(d.event(f))
	}
	f.Add(event(f, "GET", "/health/live", nil, "", false))
	f.Add([]byte(`{"requestContext":{"http":{"method":"POST"}},"rawPath":"/%zz"}`))
	f.Add([]byte(`null`))
	statuses := map[int]bool{200: true, 400: true, 401: true, 404: true, 413: true, 415: true}
	f.Fuzz(func(t *testing.T, payload []byte) {
		fixture := newFixture()
		output, err := fixture.gateway.Invoke(t.Context(), payload)
		if fixture.store.touched > 0 && !signed(payload) {
			t.Errorf("the store is touched by %q", payload)
		}
		if err != nil {
			if failure, named := err.(messages.InvokeResponse_Error); !named || failure.Type != "InvalidEvent" { // as aws-lambda-go looks at it
				t.Errorf("error %#v", err)
			}
			return
		}
		var response events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(output, &response); err != nil || !statuses[response.StatusCode] {
			t.Errorf("answer %s", output)
		}
	})
}

// signed reports whether a payload holds a webhook that hash has signed within five
// minutes, with a nonce that is one, by the shortest way to see it.
func signed(payload []byte) bool {
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(payload, &event) != nil {
		return false
	}
	headers := map[string]string{}
	for name, value := range event.Headers {
		headers[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(event.Body)
	}
	right := g2a.SignWebhook(hash, body, headers["x-g2a-timestamp"], headers["x-g2a-nonce"]).Reveal()
	sent, err := strconv.ParseInt(headers["x-g2a-timestamp"], 10, 64)
	if err != nil || now.Sub(time.UnixMilli(sent)).Abs() > 5*time.Minute || len(headers["x-g2a-nonce"]) < 16 {
		return false
	}
	return strings.EqualFold(right, headers["x-g2a-signature"])
}

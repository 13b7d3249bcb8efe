package g2a_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// kinds are all that errors.Is tells apart.
var kinds = []error{
	g2a.ErrThrottled, g2a.ErrUnavailable, g2a.ErrMalformedAnswer, g2a.ErrCredentialsRejected, g2a.ErrInvalidRequest, g2a.ErrNotFound, g2a.ErrExists,
	g2a.ErrKeyAlreadyDownloaded, g2a.ErrPaymentNotReady, g2a.ErrPaymentRequired, g2a.ErrInsufficientFunds, g2a.ErrTooLateToPay, g2a.ErrPaymentLimit,
}

func body(code string) string {
	return `{"status":"ERROR","message":"G2A says ` + code + `","code":"` + code + `"}`
}

// once makes one attempt of a call that is not repeated.
func once(t *testing.T, status int, body string) *g2a.Error {
	t.Helper()
	cfg := testConfig()
	cfg.RetryMax = 0
	client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: &script{replies: []reply{answer(status, body)}}})
	_, err := client.PayOrder(t.Context(), "42")
	var e *g2a.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want an *Error", err)
	}
	return e
}

func TestErrorKinds(t *testing.T) {
	const page = "<html>Just a moment...</html>"
	uncoded := `{"status":"ERROR","message":"no"}`
	tests := []struct {
		name   string
		status int
		body   string
		kind   error
		code   string
	}{
		{"AUTH01", 403, body("AUTH01"), g2a.ErrCredentialsRejected, "AUTH01"},
		{"AUTH01 in the older specification", 400, body("AUTH01"), g2a.ErrCredentialsRejected, "AUTH01"},
		{"AUTH02", 401, body("AUTH02"), g2a.ErrCredentialsRejected, "AUTH02"},
		{"AUTH03", 401, body("AUTH03"), g2a.ErrCredentialsRejected, "AUTH03"},
		{"AUTH04", 401, body("AUTH04"), g2a.ErrCredentialsRejected, "AUTH04"},
		{"BR01", 400, body("BR01"), g2a.ErrInvalidRequest, "BR01"},
		{"BR02", 400, body("BR02"), g2a.ErrInvalidRequest, "BR02"},
		{"BR03", 429, body("BR03"), g2a.ErrThrottled, "BR03"},
		{"ORD02", 404, body("ORD02"), g2a.ErrNotFound, "ORD02"},
		{"ORD004", 400, body("ORD004"), g2a.ErrKeyAlreadyDownloaded, "ORD004"},
		{"ORD04", 404, body("ORD04"), g2a.ErrKeyAlreadyDownloaded, "ORD04"},
		{"ORD01", 400, body("ORD01"), g2a.ErrInvalidRequest, "ORD01"},
		{"ORD03", 403, body("ORD03"), g2a.ErrPaymentNotReady, "ORD03"},
		{"ORD05", 402, body("ORD05"), g2a.ErrPaymentRequired, "ORD05"},
		{"ORD112", 403, body("ORD112"), g2a.ErrInsufficientFunds, "ORD112"},
		{"ORD114", 403, body("ORD114"), g2a.ErrTooLateToPay, "ORD114"},
		{"ORD121", 403, body("ORD121"), g2a.ErrPaymentLimit, "ORD121"},
		{"ORD122", 502, body("ORD122"), g2a.ErrUnavailable, "ORD122"},
		{"ORD122 as a refusal", 400, body("ORD122"), g2a.ErrUnavailable, "ORD122"},

		{"a known code without a status", 403, `{"code":"ORD112"}`, g2a.ErrInsufficientFunds, "ORD112"},
		{"a known code after a BOM", 403, "\xef\xbb\xbf" + body("ORD112"), g2a.ErrInsufficientFunds, "ORD112"},
		{"an unknown code", 403, body("ORD999"), g2a.ErrInvalidRequest, "ORD999"},
		{"an unknown code with 404", 404, body("ORD999"), g2a.ErrInvalidRequest, "ORD999"},
		{"a code that is an integer", 404, `{"status":"ERROR","code":404}`, g2a.ErrInvalidRequest, "404"},
		{"a refusal's code with 5xx is not believed", 500, body("ORD112"), g2a.ErrUnavailable, "ORD112"},
		{"BR03 with 5xx is not believed", 503, body("BR03"), g2a.ErrUnavailable, "BR03"},
		{"400 without a code", 400, uncoded, g2a.ErrInvalidRequest, ""},
		{"401 without a code", 401, uncoded, g2a.ErrCredentialsRejected, ""},
		{"402 without a code", 402, uncoded, g2a.ErrPaymentRequired, ""},
		{"403 without a code", 403, uncoded, g2a.ErrInvalidRequest, ""},
		{"404 without a code", 404, uncoded, g2a.ErrNotFound, ""},
		{"404 with an empty code", 404, `{"status":"ERROR","code":""}`, g2a.ErrNotFound, ""},
		{"429 without a code", 429, uncoded, g2a.ErrThrottled, ""},
		{"500 without a code", 500, uncoded, g2a.ErrUnavailable, ""},

		{"the Import API's form", 401, `{"errors":[{"code":"AUTH02","message":"no"}]}`, g2a.ErrCredentialsRejected, "AUTH02"},
		{"the first of the Import API's errors", 400, `{"errors":[{"code":"BR02","message":"no"},{"code":"ORD112"}]}`, g2a.ErrInvalidRequest, "BR02"},
		{"the Import API's form with an unknown code", 409, `{"errors":[{"code":"OF17","message":"no"}]}`, g2a.ErrInvalidRequest, "OF17"},
		{"OAuth2's unknown client", 400, `{"error":"invalid_client"}`, g2a.ErrCredentialsRejected, "invalid_client"},
		{"OAuth2's unauthorized client", 400, `{"error":"unauthorized_client","error_description":"no"}`, g2a.ErrCredentialsRejected, "unauthorized_client"},
		{"OAuth2's other errors", 400, `{"error":"invalid_scope"}`, g2a.ErrInvalidRequest, "invalid_scope"},
		{"G2A's code before OAuth2's", 403, `{"code":"ORD112","error":"invalid_client"}`, g2a.ErrInsufficientFunds, "ORD112"},

		{"401 with a page", 401, page, g2a.ErrUnavailable, ""},
		{"403 with a page", 403, page, g2a.ErrUnavailable, ""},
		{"404 with a page", 404, page, g2a.ErrUnavailable, ""},
		{"405 with a page", 405, page, g2a.ErrUnavailable, ""},
		{"408 with a page", 408, page, g2a.ErrUnavailable, ""},
		{"429 with a page", 429, page, g2a.ErrUnavailable, ""},
		{"504 with a page", 504, page, g2a.ErrUnavailable, ""},
		{"400 with nothing", 400, "", g2a.ErrUnavailable, ""},
		{"401 with nothing", 401, "", g2a.ErrUnavailable, ""},
		{"404 with nothing", 404, "", g2a.ErrUnavailable, ""},
		{"500 with nothing", 500, "", g2a.ErrUnavailable, ""},
		{"a gateway's message", 403, `{"message":"Forbidden"}`, g2a.ErrUnavailable, ""},
		{"a gateway's status", 404, `{"status":404,"message":"Not Found"}`, g2a.ErrUnavailable, ""},
		{"a gateway's error", 403, `{"error":"Forbidden"}`, g2a.ErrUnavailable, ""},
		{"a gateway's errors", 403, `{"success":false,"errors":[{"code":1020,"message":"Access denied"}]}`, g2a.ErrUnavailable, ""},
		{"errors without a code", 403, `{"errors":[{"message":"Forbidden"}]}`, g2a.ErrUnavailable, ""},
		{"errors that are none", 403, `{"errors":[]}`, g2a.ErrUnavailable, ""},
		{"an unknown code without a status", 403, `{"code":"E1"}`, g2a.ErrUnavailable, ""},
		{"a status in small letters", 403, `{"status":"error","code":"E1"}`, g2a.ErrUnavailable, ""},
		{"an error that is an object", 400, `{"error":{"code":"ORD112"}}`, g2a.ErrUnavailable, ""},
		{"cut short in the code", 400, `{"status":"ERROR","code":"ORD0`, g2a.ErrUnavailable, ""},
		{"a code twice", 403, `{"status":"ERROR","code":"ORD112","code":"ORD114"}`, g2a.ErrUnavailable, ""},
		{"a code that is a list", 400, `{"status":"ERROR","code":["ORD112"]}`, g2a.ErrUnavailable, ""},
		{"a list", 400, `["ORD112"]`, g2a.ErrUnavailable, ""},
		{"null", 400, `null`, g2a.ErrUnavailable, ""},
		{"huge", 503, strings.Repeat("x", 9<<20), g2a.ErrUnavailable, ""},
		{"huge and JSON", 403, `{"code":"ORD112","padding":"` + strings.Repeat("x", 9<<20) + `"}`, g2a.ErrUnavailable, ""},
		{"a code and huge space after it", 403, body("ORD112") + strings.Repeat(" ", 9<<20), g2a.ErrUnavailable, ""},
		{"a redirect", 302, "", g2a.ErrUnavailable, ""},
		{"a redirect with a code", 302, body("ORD112"), g2a.ErrUnavailable, ""},
		{"304", 304, "", g2a.ErrUnavailable, ""},

		{"success that is not JSON", 200, "<html>", g2a.ErrMalformedAnswer, ""},
		{"success that says it is none", 200, `{"status":false}`, g2a.ErrMalformedAnswer, ""},
		{"success with a code", 200, body("ORD112"), g2a.ErrMalformedAnswer, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := once(t, test.status, test.body)
			for _, kind := range kinds {
				if errors.Is(e, kind) != (kind == test.kind) {
					t.Errorf("error %v: errors.Is(%v) is %v", e, kind, errors.Is(e, kind))
				}
			}
			if e.Status != test.status || e.Code != test.code {
				t.Errorf("status %d and code %q, want %d and %q", e.Status, e.Code, test.status, test.code)
			}
			if e.Method != http.MethodPut || e.Route != "/order/pay/{id}" || e.CorrelationID == "" {
				t.Errorf("method %q, route %q, correlation id %q", e.Method, e.Route, e.CorrelationID)
			}
			if text := e.Error(); len(text) > 500 || strings.ContainsAny(text, "\r\n") {
				t.Errorf("not one short line: %q", text)
			}
		})
	}
}

// TestVerdictCutShort: what came of the body may be a whole verdict, and half of another.
func TestVerdictCutShort(t *testing.T) {
	err := pay.make(t.Context(), newClient(&script{replies: []reply{cutShort(403, body("ORD112"))}}))
	if !errors.Is(err, g2a.ErrUnavailable) || g2a.OutcomeOf(err) != g2a.OutcomeUnknown {
		t.Errorf("error is %v, %v; want ErrUnavailable with an unknown outcome", err, g2a.OutcomeOf(err))
	}
}

func TestErrorText(t *testing.T) {
	rejected := func(message string) string { return `{"status":"ERROR","message":"` + message + `"}` }
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"code and message", 403, body("ORD112"), `PUT /order/pay/{id}: not enough funds (HTTP 403, ORD112, "G2A says ORD112")`},
		{"nothing but a status", 503, "", `PUT /order/pay/{id}: G2A is not available (HTTP 503)`},
		{"a page", 503, "<html>AAAA-BBBB</html>", `PUT /order/pay/{id}: G2A is not available (HTTP 503, the answer is not G2A's)`},
		{"a page in place of a refusal", 403, "<html>AAAA-BBBB</html>", `PUT /order/pay/{id}: G2A is not available (HTTP 403, the answer is not G2A's)`},
		{"nothing in place of a refusal", 404, "", `PUT /order/pay/{id}: G2A is not available (HTTP 404, the answer is not G2A's)`},
		{"a success cut short", 200, `{"key":"AAAA-BB`, `PUT /order/pay/{id}: G2A's answer is malformed (HTTP 200, not the JSON expected)`},
		{"a field of the wrong type", 200, `{"status":"AAAA-BBBB"}`, `PUT /order/pay/{id}: G2A's answer is malformed (HTTP 200, field status is not true)`},
		{"the status of the answer, also when it is not 200", 202, `{}`, `PUT /order/pay/{id}: G2A's answer is malformed (HTTP 202, field status is not true)`},
		{"the hash in the message", 401, rejected("hash " + testHash + " unknown"),
			`PUT /order/pay/{id}: G2A rejects the credentials (HTTP 401, "hash [redacted] unknown")`},
		{"the key in the message, escaped", 401, rejected(`\u006bey-0123456789-key`),
			`PUT /order/pay/{id}: G2A rejects the credentials (HTTP 401, "[redacted]")`},
		{"the key in the code", 401, `{"status":"ERROR","code":"` + testKey + `"}`, `PUT /order/pay/{id}: G2A rejects the request (HTTP 401, [redacted])`},
		{"the key at the end of a long message", 401, rejected(strings.Repeat("x", 190) + testKey),
			`PUT /order/pay/{id}: G2A rejects the credentials (HTTP 401, "` + strings.Repeat("x", 190) + `[redacted]")`},
		{"OAuth2's words", 401, `{"error":"invalid_client","error_description":"hash ` + testHash + ` unknown"}`,
			`PUT /order/pay/{id}: G2A rejects the credentials (HTTP 401, invalid_client, "hash [redacted] unknown")`},
		{"the Import API's words", 401, `{"errors":[{"code":"AUTH02","message":"hash ` + testHash + ` unknown"}]}`,
			`PUT /order/pay/{id}: G2A rejects the credentials (HTTP 401, AUTH02, "hash [redacted] unknown")`},
		{"a long message", 400, rejected(strings.Repeat("é", 300)),
			`PUT /order/pay/{id}: G2A rejects the request (HTTP 400, "` + strings.Repeat("é", 200) + `…")`},
		{"a message of two lines", 400, rejected(`a\r\nlevel=ERROR\u001b[31m\u2028b`), `PUT /order/pay/{id}: G2A rejects the request (HTTP 400, "a  level=ERROR [31m b")`},
		{"a message that is not UTF-8", 400, rejected("a\xffb"), `PUT /order/pay/{id}: G2A rejects the request (HTTP 400, "a�b")`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := once(t, test.status, test.body).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTemporary(t *testing.T) {
	temporary := []error{g2a.ErrThrottled, g2a.ErrUnavailable, g2a.ErrPaymentNotReady}
	for _, kind := range kinds {
		t.Run(kind.Error(), func(t *testing.T) {
			if got := (&g2a.Error{Kind: kind}).Temporary(); got != slices.Contains(temporary, kind) {
				t.Errorf("Temporary is %v", got)
			}
		})
	}
}

func FuzzErrorBody(f *testing.F) {
	f.Add(403, body("ORD112"))
	f.Add(401, `{"message":"hash `+testHash+`","code":"`+testKey+`"}`)
	f.Add(503, "<html>"+testKey+"</html>")
	f.Add(400, `{"code":`)
	f.Add(302, "")
	f.Add(200, "[]")
	f.Add(500, "\xff\xfe\x00")
	f.Add(401, `{"errors":[{"code":"AUTH02","message":"hash `+testHash+`"}]}`)
	f.Add(400, `{"error":"invalid_client","error_description":"`+testKey+`"}`)
	f.Fuzz(func(t *testing.T, status int, text string) {
		if status < 100 || status > 999 {
			t.Skip("no HTTP status")
		}
		cfg := testConfig()
		cfg.RetryMax = 0
		client := g2a.New(cfg, g2a.Options{Credentials: testCredentials, Transport: &script{replies: []reply{answer(status, text)}}})
		_, err := client.OrderDetails(t.Context(), "42")
		if err == nil {
			return
		}
		known := 0
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				known++
			}
		}
		if known != 1 {
			t.Errorf("%v is of %d kinds", err, known)
		}
		assertDiscreet(t, err)
	})
}

// assertDiscreet fails when an error is not one line, or tells the credentials.
func assertDiscreet(t *testing.T, err error) {
	t.Helper()
	for _, unwanted := range []string{"\n", "\r", testHash, testKey} {
		if strings.Contains(err.Error(), unwanted) {
			t.Errorf("the error holds %q: %q", unwanted, err.Error())
		}
	}
}

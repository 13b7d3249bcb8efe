package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// TestEvent compares one whole event, as JSON, with what API Gateway documents.
func TestEvent(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://shop.example:3000/webhooks/g2a?b=2&a=1&a=x%20y", nil)
	r.RemoteAddr = "203.0.113.7:4321"
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"G2A/1"}, "X-Two": {"one", "two"},
		"Cookie": {"a=1; b=2", "c=3"}, "X-Forwarded-For": {"198.51.100.1"}, "Connection": {"close"},
	}
	event := NewEvent(r, []byte(`{"é":1}`), time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.FixedZone("", 3600)))
	if len(event.RequestContext.RequestID) != 16 || event.RequestContext.RequestID == NewEvent(r, nil, time.Now()).RequestContext.RequestID {
		t.Errorf("request id %q", event.RequestContext.RequestID)
	}
	event.RequestContext.RequestID = "ID"
	got, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
		"version": "2.0", "routeKey": "POST /webhooks/g2a", "rawPath": "/webhooks/g2a", "rawQueryString": "b=2&a=1&a=x%20y",
		"cookies": ["a=1", "b=2", "c=3"],
		"headers": {"content-type": "application/json", "content-length": "8", "user-agent": "G2A/1", "x-two": "one,two", "host": "shop.example:3000",
			"x-forwarded-for": "198.51.100.1, 203.0.113.7", "x-forwarded-port": "3000", "x-forwarded-proto": "http"},
		"queryStringParameters": {"a": "1,x y", "b": "2"},
		"requestContext": {"routeKey": "POST /webhooks/g2a", "accountId": "", "stage": "$default", "requestId": "ID", "apiId": "local",
			"domainName": "shop.example", "domainPrefix": "local", "time": "04/Mar/2026:04:06:07 +0000", "timeEpoch": 1772597167008,
			"http": {"method": "POST", "path": "/webhooks/g2a", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "G2A/1"},
			"authentication": {"clientCert": {"clientCertPem": "", "issuerDN": "", "serialNumber": "", "subjectDN": "", "validity": {"notAfter": "", "notBefore": ""}}}},
		"body": "{\"é\":1}", "isBase64Encoded": false}`
	var gotValue, wantValue any
	if err := json.Unmarshal(got, &gotValue); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wantValue); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotValue, wantValue) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEventOfAPlainGet(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/health", nil)
	r.RemoteAddr = "127.0.0.1:1"
	event := NewEvent(r, nil, time.Now())
	want := events.APIGatewayV2HTTPRequest{
		Headers: map[string]string{"host": "example.com", "x-forwarded-for": "127.0.0.1", "x-forwarded-port": "80", "x-forwarded-proto": "http"},
	}
	if !reflect.DeepEqual(event.Headers, want.Headers) || event.Cookies != nil || len(event.QueryStringParameters) != 0 || event.Body != "" || event.IsBase64Encoded {
		t.Errorf("got %+v", event)
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body, want string
		encoded                       bool
	}{
		{"JSON", "application/json", `{"a":1}`, `{"a":1}`, false},
		{"JSON with a charset", "application/json; charset=utf-8", `{}`, `{}`, false},
		{"JSON in capitals", "Application/JSON", `{}`, `{}`, false},
		{"JSON that is not UTF-8", "application/json", "\xff", "/w==", true},
		{"a kind of JSON", "application/problem+json", `{}`, `{}`, false},
		{"XML", "application/xml", "<a/>", "<a/>", false},
		{"a kind of XML", "image/svg+xml", "<a/>", "<a/>", false},
		{"JavaScript", "application/javascript", "a", "a", false},
		{"text", "text/plain", "a", "a", false},
		{"a form", "application/x-www-form-urlencoded", "a=1", "YT0x", true},
		{"bytes", "application/octet-stream", "a", "YQ==", true},
		{"no type", "", "a", "YQ==", true},
		{"a type that is none", "application/", "a", "YQ==", true},
		{"empty", "", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, encoded := encodeBody(c.contentType, []byte(c.body)); got != c.want || encoded != c.encoded {
				t.Errorf("got %q, %v; want %q, %v", got, encoded, c.want, c.encoded)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		wantStatus    int
		wantHeader    http.Header
		wantBody      string
	}{
		{"structured", `{"statusCode":201,"headers":{"Content-Type":"text/html","x-own":"1"},"body":"<p>"}`, 201, http.Header{"Content-Type": {"text/html"}, "X-Own": {"1"}}, "<p>"},
		{"without a content type", `{"statusCode":200,"body":"a"}`, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, "a"},
		{"without a body", `{"statusCode":204}`, 204, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, ""},
		{"headers that are no texts", `{"statusCode":200,"headers":{"a":1000000,"b":true}}`, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "A": {"1000000"}, "B": {"true"}}, ""},
		{"headers of the gateway", `{"statusCode":200,"headers":{"content-length":"99","Connection":"close"},"body":"a"}`, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, "a"},
		{"headers of format 1.0", `{"statusCode":200,"multiValueHeaders":{"a":["1"]}}`, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, ""},
		{"cookies", `{"statusCode":200,"cookies":["a=1","b=2; Secure"]}`, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Set-Cookie": {"a=1", "b=2; Secure"}}, ""},
		{"base64", `{"statusCode":200,"headers":{"content-type":"image/png"},"body":"/w==","isBase64Encoded":true}`, 200, http.Header{"Content-Type": {"image/png"}}, "\xff"},
		{"JSON without a statusCode", ` {"a": 1} `, 200, http.Header{"Content-Type": {"application/json"}}, `{"a": 1}`},
		{"a text", `"hello \u00e9"`, 200, http.Header{"Content-Type": {"application/json"}}, "hello é"},
		{"null", `null`, 200, http.Header{"Content-Type": {"application/json"}}, "null"},
		{"not JSON", `oops`, 500, nil, ""},
		{"nothing", ``, 500, nil, ""},
		{"a statusCode that is a text", `{"statusCode":"many"}`, 500, nil, ""},
		{"a statusCode that is none", `{"statusCode":42}`, 500, nil, ""},
		{"a body that is no text", `{"statusCode":200,"body":{"a":1}}`, 500, nil, ""},
		{"a body that is not base64", `{"statusCode":200,"body":"?","isBase64Encoded":true}`, 500, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAnswer([]byte(c.payload))
			if c.wantStatus == http.StatusInternalServerError {
				if err == nil {
					t.Errorf("got %+v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			recorder := httptest.NewRecorder()
			got.write(recorder)
			if recorder.Code != c.wantStatus || !reflect.DeepEqual(recorder.Header(), c.wantHeader) || strings.TrimSpace(recorder.Body.String()) != c.wantBody {
				t.Errorf("got %d %v %q", recorder.Code, recorder.Header(), recorder.Body)
			}
		})
	}
}

package httpapi

import (
	"crypto/rand"
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// What an HTTP API is called when it has no name of its own.
const (
	apiID = "local"
	stage = "$default"
)

// NewEvent makes the event, in payload format 2.0, that a request comes to a
// function as. The account and the request's id are left to the caller.
func NewEvent(r *http.Request, body []byte, now time.Time) events.APIGatewayV2HTTPRequest {
	text, encoded := encodeBody(r.Header.Get("Content-Type"), body)
	host, _, _ := strings.Cut(r.Host, ":")
	sourceIP, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		sourceIP = r.RemoteAddr
	}
	routeKey := r.Method + " " + r.URL.Path
	return events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              routeKey,
		RawPath:               r.URL.Path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies(r.Header),
		Headers:               headers(r, len(body), sourceIP),
		QueryStringParameters: queryParameters(r.URL.RawQuery),
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:     routeKey,
			Stage:        stage,
			APIID:        apiID,
			RequestID:    newRequestID(),
			DomainName:   host,
			DomainPrefix: apiID,
			Time:         now.UTC().Format("02/Jan/2006:15:04:05 +0000"),
			TimeEpoch:    now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      r.URL.Path,
				Protocol:  r.Proto,
				SourceIP:  sourceIP,
				UserAgent: r.UserAgent(),
			},
		},
		Body:            text,
		IsBase64Encoded: encoded,
	}
}

// headers gives the headers with lower-case names, several of one name joined by
// commas, and those that the gateway adds. Cookies go by themselves.
func headers(r *http.Request, length int, sourceIP string) map[string]string {
	joined := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		joined[strings.ToLower(name)] = strings.Join(values, ",")
	}
	delete(joined, "cookie")
	delete(joined, "connection")
	if length > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut {
		joined["content-length"] = strconv.Itoa(length)
	}
	if before := joined["x-forwarded-for"]; before != "" {
		joined["x-forwarded-for"] = before + ", " + sourceIP
	} else {
		joined["x-forwarded-for"] = sourceIP
	}
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "80"
	}
	joined["x-forwarded-port"], joined["x-forwarded-proto"] = port, "http"
	return joined
}

func cookies(header http.Header) []string {
	var all []string
	for _, line := range header.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				all = append(all, cookie)
			}
		}
	}
	return all
}

// queryParameters gives the decoded parameters, several of one name joined by
// commas.
func queryParameters(raw string) map[string]string {
	values, _ := url.ParseQuery(raw) // what can be read; the raw query goes along
	joined := make(map[string]string, len(values))
	for name, all := range values {
		joined[name] = strings.Join(all, ",")
	}
	return joined
}

// encodeBody gives the body as it stands in the event: as it is when its type is a
// text's and it is valid UTF-8, else in base64.
func encodeBody(contentType string, body []byte) (text string, encoded bool) {
	if len(body) == 0 {
		return "", false
	}
	if isText(contentType) && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func isText(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

// newRequestID makes an id of the form that API Gateway's have.
func newRequestID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails: see its documentation
	return base64.StdEncoding.EncodeToString(b[:])
}

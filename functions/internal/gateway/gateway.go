package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// maxLogged bounds what a log line repeats of an event, in bytes.
const maxLogged = 200

// Handler is a lambda.Handler that has an http.Handler answer the events of an HTTP API,
// payload format 2.0.
type Handler struct {
	adapter *httpadapter.HandlerAdapterV2
	routes  []string
	log     *slog.Logger
	metrics telemetry.Metrics
}

// New returns a Handler for the routes of the function, by their keys in the HTTP API,
// such as "GET /health". A request reaches handler with the path of its route.
func New(handler http.Handler, log *slog.Logger, metrics telemetry.Metrics, routes ...string) Handler {
	return Handler{adapter: httpadapter.NewV2(handler), routes: routes, log: log, metrics: metrics}
}

// IsRequest reports whether a payload is the event of an HTTP request, of whatever kind
// of gateway, and not of a schedule.
func IsRequest(payload []byte) bool {
	var event struct {
		RequestContext json.RawMessage `json:"requestContext"`
	}
	return json.Unmarshal(payload, &event) == nil && event.RequestContext != nil
}

// Invoke implements lambda.Handler.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	event, err := readEvent(payload)
	if err != nil {
		return nil, h.fail(ctx, function.InvalidEvent, err)
	}
	path, found := h.route(event)
	event.RawPath = path
	if err := checkRequest(event); err != nil {
		return nil, h.fail(ctx, function.InvalidEvent, err)
	}
	if !found {
		return h.refuse(ctx, event)
	}
	answer, err := h.adapter.ProxyWithContext(ctx, event)
	if err != nil {
		return nil, h.fail(ctx, function.InternalError, err)
	}
	return json.Marshal(answer)
}

// route returns the path of the route that an event came by, or else the event's own. The
// gateway names the route in the event: the event's path has a prefix on a named stage and
// behind a domain's mapping. For $default, and for a route that the function does not know,
// the path decides.
func (h Handler) route(event events.APIGatewayV2HTTPRequest) (path string, found bool) {
	requested := method(event)
	for _, key := range []string{event.RouteKey, requested + " " + event.RawPath} {
		if of, path, _ := strings.Cut(key, " "); of == requested && slices.Contains(h.routes, key) {
			return path, true
		}
	}
	return event.RawPath, false
}

// refuse answers a request of no route. The gateway sends one only where it is configured
// for another function than this one: webhooks may be lost, so it must be noticed.
func (h Handler) refuse(ctx context.Context, event events.APIGatewayV2HTTPRequest) ([]byte, error) {
	h.log.WarnContext(ctx, "no route for the request", "method", method(event),
		"route_key", shortened(event.RouteKey), "path", shortened(event.RawPath))
	h.metrics.Count("RouteUnknown", telemetry.Dimension{})
	return json.Marshal(events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusNotFound,
		Headers:    map[string]string{"Content-Type": "application/json"},
		Body:       `{"message":"Not Found"}`, // as the gateway's own
	})
}

func (h Handler) fail(ctx context.Context, name string, err error) error {
	h.log.ErrorContext(ctx, "no request", "error_name", name, "error", err.Error())
	return function.FailAs(name, err)
}

// readEvent reads an event. Its RawPath is never empty.
func readEvent(payload []byte) (events.APIGatewayV2HTTPRequest, error) {
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(payload, &event) != nil || event.RequestContext.HTTP.Method == "" {
		return event, errors.New("the event is not an HTTP API's request, payload format 2.0")
	}
	if event.RawPath == "" {
		event.RawPath = event.RequestContext.HTTP.Path
	}
	if !strings.HasPrefix(event.RawPath, "/") {
		event.RawPath = "/" + event.RawPath
	}
	return event, nil
}

// checkRequest finds what the adapter would stumble over, which prints the event's words,
// and not as JSON. API Gateway sends no such event.
func checkRequest(event events.APIGatewayV2HTTPRequest) error {
	if event.IsBase64Encoded {
		if _, err := base64.StdEncoding.DecodeString(event.Body); err != nil {
			return errors.New("the event's body is not base64")
		}
	}
	if _, err := http.NewRequest(method(event), requestURL(event), http.NoBody); err != nil {
		return errors.New("the event's method, domain, path and query make no HTTP request")
	}
	return nil
}

func method(event events.APIGatewayV2HTTPRequest) string {
	return strings.ToUpper(event.RequestContext.HTTP.Method)
}

// requestURL returns the URL that the adapter puts together.
func requestURL(event events.APIGatewayV2HTTPRequest) string {
	query := event.RawQueryString
	if query == "" {
		values := url.Values{}
		for name, value := range event.QueryStringParameters {
			values.Add(name, value)
		}
		query = values.Encode()
	}
	return "https://" + event.RequestContext.DomainName + event.RawPath + "?" + query
}

func shortened(text string) string { return text[:min(len(text), maxLogged)] }

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
)

// gateway is the function's lambda.Handler: an HTTP API's event, payload format 2.0,
// for an http.Handler.
type gateway struct {
	adapter *httpadapter.HandlerAdapterV2
	log     *slog.Logger
}

func newGateway(handler http.Handler, log *slog.Logger) gateway {
	return gateway{httpadapter.NewV2(handler), log}
}

// Invoke implements lambda.Handler.
func (g gateway) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx = function.Correlate(ctx)
	event, err := readEvent(payload)
	if err != nil {
		return nil, g.fail(ctx, err)
	}
	answer, err := g.adapter.ProxyWithContext(ctx, event)
	if err != nil {
		return nil, g.fail(ctx, err)
	}
	return json.Marshal(answer)
}

func (g gateway) fail(ctx context.Context, err error) error {
	g.log.ErrorContext(ctx, "no request", "error_name", function.InvalidEvent, "error", err.Error())
	return function.FailAs(function.InvalidEvent, err)
}

// readEvent finds what the adapter would stumble over: it writes the event's words
// to the log then, and as lines that are no JSON. API Gateway never sends such events.
func readEvent(payload []byte) (events.APIGatewayV2HTTPRequest, error) {
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(payload, &event) != nil || event.RequestContext.HTTP.Method == "" {
		return event, errors.New("the event is not an HTTP API's request, payload format 2.0")
	}
	if event.IsBase64Encoded {
		if _, err := base64.StdEncoding.DecodeString(event.Body); err != nil {
			return event, errors.New("the event's body is not base64")
		}
	}
	if _, err := http.NewRequest(strings.ToUpper(event.RequestContext.HTTP.Method), requestURL(event), http.NoBody); err != nil {
		return event, errors.New("the event's method, domain, path and query make no HTTP request")
	}
	return event, nil
}

// requestURL is the URL that the adapter makes of an event.
func requestURL(event events.APIGatewayV2HTTPRequest) string {
	path := event.RawPath
	if path == "" {
		path = event.RequestContext.HTTP.Path
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	query := event.RawQueryString
	if query == "" {
		values := url.Values{}
		for name, value := range event.QueryStringParameters {
			values.Add(name, value)
		}
		query = values.Encode()
	}
	return "https://" + event.RequestContext.DomainName + path + "?" + query
}

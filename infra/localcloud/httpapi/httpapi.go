package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
)

// API Gateway's limits.
const (
	maxBody            = 10 << 20         // bytes
	maxEvent           = 6 << 20          // bytes; Lambda's
	integrationTimeout = 30 * time.Second // and the longest there can be
)

// Route is one method and path, and the function that answers it.
type Route struct {
	Method   string
	Path     string
	Function string
	Timeout  time.Duration // how long the function is waited for; zero is 30 seconds
}

// key is a route as API Gateway writes it.
func (r Route) key() string { return r.Method + " " + r.Path }

// Invoker calls functions. *lambda.Service is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, in lambda.Invocation) (lambda.Result, error)
}

// API is an HTTP API.
type API struct {
	// Prefix stands before the path of every request, as a named stage ("/prod") or the
	// mapping of a custom domain does. It is in the event's paths, and not in its route key.
	// "" is none.
	Prefix string

	routes  map[string]Route
	invoker Invoker
	account string
}

// New makes the HTTP API of the routes.
func New(routes []Route, invoker Invoker, accountID string) *API {
	a := &API{routes: map[string]Route{}, invoker: invoker, account: accountID}
	for _, r := range routes {
		if r.Timeout == 0 {
			r.Timeout = integrationTimeout
		}
		a.routes[r.key()] = r
	}
	return a
}

// ServeHTTP answers with the function of the route. For any other method and path
// no function is called.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := newRequestID()
	w.Header().Set("Apigw-Requestid", requestID)
	path, below := strings.CutPrefix(r.URL.Path, a.Prefix)
	route, found := a.routes[r.Method+" "+path]
	if !below || !found {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		tooLarge := new(http.MaxBytesError)
		if errors.As(err, &tooLarge) {
			refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
			return
		}
		refuse(w, http.StatusBadRequest, "Bad Request") // cut short
		return
	}
	event := NewEvent(r, body, time.Now())
	event.RouteKey, event.RequestContext.RouteKey = route.key(), route.key()
	event.RequestContext.RequestID, event.RequestContext.AccountID = requestID, a.account
	payload, err := json.Marshal(event)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if len(payload) > maxEvent {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	a.call(w, r, route, lambda.Invocation{Payload: payload, TraceID: r.Header.Get("X-Amzn-Trace-Id")})
}

// call invokes the route's function and answers with what it says.
func (a *API) call(w http.ResponseWriter, r *http.Request, route Route, in lambda.Invocation) {
	ctx, cancel := context.WithTimeout(r.Context(), route.Timeout)
	defer cancel()
	result, err := a.invoker.Invoke(ctx, route.Function, in)
	switch {
	case errors.Is(err, lambda.ErrThrottled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, lambda.ErrClosed):
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	case err != nil, result.FunctionError != "":
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	answer, err := readAnswer(result.Payload)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	answer.write(w)
}

// refuse is an answer of the gateway's own.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client has gone: nobody to tell
}

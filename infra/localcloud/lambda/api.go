package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAsyncPayload is the longest event of an asynchronous invocation, in bytes.
const maxAsyncPayload = 1 << 20

// API is Lambda's Invoke API, as the SDKs and the aws CLI call it. The tail of a
// log is not sent along: all instances of a function share one.
type API struct {
	service *Service
	mux     *http.ServeMux
}

// API makes the Invoke API of the service.
func (s *Service) API() *API {
	a := &API{service: s, mux: http.NewServeMux()}
	a.mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", a.invoke)
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, apiError{http.StatusNotFound, "UnknownOperationException", "User", "only POST /2015-03-31/functions/{name}/invocations is served here"})
	})
	return a
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// apiError is an error of the API itself, not of a function.
type apiError struct {
	status  int
	code    string
	origin  string // User or Server
	message string
}

func (e apiError) Error() string { return e.code + ": " + e.message }

func answerError(w http.ResponseWriter, e apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", e.code)
	w.Header().Set("X-Amzn-Requestid", newRequestID())
	w.WriteHeader(e.status)
	body := map[string]string{"Type": e.origin, "Message": e.message}
	if e.code == "TooManyRequestsException" {
		body["Reason"] = "ConcurrentInvocationLimitExceeded"
	}
	_ = json.NewEncoder(w).Encode(body) // the client has gone: nobody to tell
}

func (a *API) invoke(w http.ResponseWriter, r *http.Request) {
	if err := a.serve(w, r); err != nil {
		var known apiError
		if !errors.As(err, &known) {
			known = a.classify(err, r.PathValue("name"))
		}
		answerError(w, known)
	}
}

// serve answers an invocation, or gives the error to answer with.
func (a *API) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if qualifier := r.URL.Query().Get("Qualifier"); qualifier != "" {
		name += ":" + qualifier
	}
	kind := r.Header.Get("X-Amz-Invocation-Type")
	in, err := readInvocation(r, kind)
	if err != nil {
		return err
	}
	header := w.Header()
	switch kind {
	case "", "RequestResponse":
		result, err := a.service.Invoke(r.Context(), name, in)
		if err != nil {
			return err
		}
		header.Set("Content-Type", "application/json")
		header.Set("X-Amzn-Requestid", result.RequestID)
		header.Set("X-Amzn-Trace-Id", result.TraceID)
		header.Set("X-Amz-Executed-Version", latest)
		if result.FunctionError != "" {
			header.Set("X-Amz-Function-Error", result.FunctionError)
		}
		_, _ = w.Write(result.Payload) // the client has gone: nobody to tell
	case "Event":
		if err := a.service.InvokeAsync(name, in); err != nil {
			return err
		}
		header.Set("X-Amzn-Requestid", newRequestID())
		w.WriteHeader(http.StatusAccepted)
	case "DryRun":
		if _, err := a.service.pool(name); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		return apiError{http.StatusBadRequest, "InvalidParameterValueException", "User", fmt.Sprintf("%.40q is not an invocation type", kind)}
	}
	return nil
}

// readInvocation reads the request.
func readInvocation(r *http.Request, kind string) (Invocation, error) {
	limit := maxPayload
	if kind == "Event" {
		limit = maxAsyncPayload
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil {
		return Invocation{}, apiError{http.StatusBadRequest, "InvalidRequestContentException", "User", "Could not read the request body: " + err.Error()}
	}
	if len(payload) > limit {
		message := fmt.Sprintf("the payload is too large for the %s invocation type (limit %d bytes)", kind, limit)
		return Invocation{}, apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "User", message}
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return Invocation{}, apiError{http.StatusBadRequest, "InvalidRequestContentException", "User", "Could not parse request body into json"}
	}
	in := Invocation{Payload: payload, TraceID: r.Header.Get("X-Amzn-Trace-Id")}
	if encoded := r.Header.Get("X-Amz-Client-Context"); encoded != "" {
		context, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !json.Valid(context) {
			return Invocation{}, apiError{http.StatusBadRequest, "InvalidRequestContentException", "User", "Client context must be a valid Base64-encoded JSON object."}
		}
		in.ClientContext = string(context)
	}
	return in, nil
}

// classify gives the error that Lambda answers with.
func (a *API) classify(err error, name string) apiError {
	switch {
	case errors.Is(err, ErrNotFound):
		return apiError{http.StatusNotFound, "ResourceNotFoundException", "User", "Function not found: " + a.service.arn(name)}
	case errors.Is(err, ErrThrottled):
		return apiError{http.StatusTooManyRequests, "TooManyRequestsException", "User", "Rate Exceeded."}
	default:
		return apiError{http.StatusInternalServerError, "ServiceException", "Server", err.Error()}
	}
}

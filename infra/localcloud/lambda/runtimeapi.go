package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxPayload is the longest event of a synchronous invocation and the longest
// answer, in bytes.
const maxPayload = 6 << 20

// invocation is an Invocation under way.
type invocation struct {
	Invocation
	id      string
	traceID string
	outcome chan Result // holds what the instance answered

	done   chan struct{} // closed when result or err is set
	result Result
	err    error
}

func newInvocation(in Invocation) *invocation {
	if len(in.Payload) == 0 {
		in.Payload = []byte("{}")
	}
	return &invocation{
		Invocation: in,
		id:         newRequestID(),
		traceID:    completeTraceID(in.TraceID, time.Now()),
		outcome:    make(chan Result, 1),
		done:       make(chan struct{}),
	}
}

// runtimeAPI is the API an instance lives on, version 2018-06-01.
func (i *instance) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", i.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", i.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", i.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", i.initFailure)
	return mux
}

// next waits for an invocation and hands it out.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	i.ready.Store(true)
	var inv *invocation
	select {
	case inv = <-i.work:
	case <-r.Context().Done():
		return
	}
	i.current.Store(inv)
	f := i.pool.function
	header := w.Header()
	header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(f.Timeout).UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", i.pool.service.arn(f.Name))
	header.Set("Lambda-Runtime-Trace-Id", inv.traceID)
	if inv.ClientContext != "" {
		header.Set("Lambda-Runtime-Client-Context", inv.ClientContext)
	}
	header.Set("Content-Type", "application/json")
	_, _ = w.Write(inv.Payload) // a process that is gone is seen by its exit
}

// response takes a function's answer.
func (i *instance) response(w http.ResponseWriter, r *http.Request) {
	i.take(w, r, func(body []byte) Result { return Result{Payload: body} })
}

// failure takes a function's error.
func (i *instance) failure(w http.ResponseWriter, r *http.Request) {
	i.take(w, r, unhandled)
}

// take reads what an instance says of its invocation.
func (i *instance) take(w http.ResponseWriter, r *http.Request, result func([]byte) Result) {
	inv := i.current.Load()
	if inv == nil || inv.id != r.PathValue("id") {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return // cut short: the process is ending, and its exit will be the answer
	}
	tooLarge := len(body) > maxPayload
	if !i.current.CompareAndSwap(inv, nil) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	if tooLarge {
		message := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload)
		inv.outcome <- failed("Function.ResponseSizeTooLarge", message)
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
		return
	}
	inv.outcome <- result(body)
	accept(w)
}

// initFailure takes the error of an instance that cannot start.
func (i *instance) initFailure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil || i.ready.Load() {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "The init phase is over")
		return
	}
	select {
	case i.initError <- body:
	default: // reported already
	}
	accept(w)
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorPayload(kind, message))
}

// errorPayload is the form of every error of a function.
func errorPayload(kind, message string) []byte {
	payload, _ := json.Marshal(struct { // two texts: cannot fail
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	return payload
}

func unhandled(payload []byte) Result {
	return Result{Payload: payload, FunctionError: "Unhandled"}
}

func failed(kind, message string) Result { return unhandled(errorPayload(kind, message)) }

func timedOut(id string, after time.Duration) Result {
	return failed("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, after.Seconds()))
}

func exited(id string, err error) Result {
	message := fmt.Sprintf("RequestId: %s Error: Runtime exited without providing a reason", id)
	if err != nil {
		message = fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %v", id, err)
	}
	return failed("Runtime.ExitError", message)
}

package g2atest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// routeControl registers the control routes. Each is the method of the same
// purpose behind HTTP; they are not counted, and meet no faults.
func (s *Simulator) routeControl() {
	for pattern, do := range map[string]func(*http.Request) answer{
		"POST /_sim/webhook": s.controlWebhook,
		"POST /_sim/faults":  s.controlFault,
		"GET /_sim/stats":    func(*http.Request) answer { return ok(s.Stats()) },
		"GET /_sim/orders": func(*http.Request) answer {
			return ok(struct {
				Orders []OrderRecord `json:"orders"`
			}{s.Orders()})
		},
		"POST /_sim/reset": func(*http.Request) answer { s.Reset(); return ok(done{"reset"}) },
		"/_sim/": func(r *http.Request) answer {
			return refuse(http.StatusNotFound, fmt.Errorf("there is no control route %s %s", r.Method, r.URL.Path))
		},
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			reply := do(r)
			s.options.Log.InfoContext(r.Context(), "g2a simulator answered", "method", r.Method, "route", pattern, "status", reply.status)
			reply.write(w)
		})
	}
}

// done is the answer of a control route that has nothing to tell.
type done struct {
	Status string `json:"status"`
}

func (s *Simulator) controlWebhook(r *http.Request) answer {
	var w Webhook
	if err := readControl(r, &w); err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	deliveries, err := s.Deliver(r.Context(), w)
	switch {
	case errors.Is(err, ErrNoReceiver):
		return refuse(http.StatusConflict, err)
	case err != nil:
		return refuse(http.StatusBadRequest, err)
	}
	return ok(deliveries)
}

func (s *Simulator) controlFault(r *http.Request) answer {
	var f Fault
	if err := readControl(r, &f); err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if err := s.AddFault(f); err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	return ok(done{"queued"})
}

// readControl reads one JSON object that has no fields but those of into.
func readControl(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return errors.New("the request was cut short")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the request is not understood: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if decoder.More() {
		return errors.New("the request is more than one JSON object")
	}
	if altered(body, into) {
		return errors.New("the request is not Unicode: it has invalid UTF-8 or half of a surrogate pair")
	}
	return nil
}

// altered reports whether a request was not read as it was written: encoding/json puts
// U+FFFD in place of what is not Unicode, and a fault's body is to be sent as it is.
func altered(body []byte, read any) bool {
	const replacement = "\uFFFD"
	again, _ := json.Marshal(read) // of this package's own types, which can be written
	return bytes.Contains(again, []byte(replacement)) &&
		!bytes.Contains(body, []byte(replacement)) && !bytes.Contains(bytes.ToLower(body), []byte(`\ufffd`))
}

func refuse(status int, err error) answer {
	return answer{status: status, body: errorBody{Status: "ERROR", Message: err.Error()}}
}

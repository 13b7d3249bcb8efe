package g2atest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// answer is what a call comes to.
type answer struct {
	status     int
	body       any      // becomes JSON; nil is an empty one
	raw        *rawBody // in place of the body, when not nil
	retryAfter string   // header Retry-After, when not empty
	order      *order   // the call's; nil is none
}

// rawBody is a body as it is sent, with the headers that describe it. Empty ones are
// not sent.
type rawBody struct {
	content         []byte
	contentType     string
	contentEncoding string
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// write sends the answer.
func (a answer) write(w http.ResponseWriter) {
	body := a.begin(w)
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client has gone: nobody to tell
}

// writeHalf sends the answer, with the length of the whole, up to its middle.
func (a answer) writeHalf(w http.ResponseWriter) {
	body := a.begin(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
}

// pieces are what a slow body comes in.
const pieces = 8

// writeSlowly sends the answer's header at once, and its body in pieces, evenly over
// a time and the last one at its end; or no more of it as soon as the client gives up.
func (a answer) writeSlowly(ctx context.Context, w http.ResponseWriter, over time.Duration) {
	body := a.begin(w)
	w.WriteHeader(a.status)
	for i := range pieces {
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		wait(ctx, over*time.Duration(i+1)/pieces-over*time.Duration(i)/pieces)
		if ctx.Err() != nil {
			return
		}
		_, _ = w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
	}
}

// begin sets the headers and returns the body.
func (a answer) begin(w http.ResponseWriter) []byte {
	body := a.content()
	for name, value := range map[string]string{
		"Retry-After": a.retryAfter, "Content-Type": body.contentType, "Content-Encoding": body.contentEncoding,
	} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	return body.content
}

func (a answer) content() rawBody {
	switch {
	case a.raw != nil:
		return *a.raw
	case a.body == nil:
		return rawBody{}
	}
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false) // names hold ampersands, G2A sends them as they are
	_ = encoder.Encode(a.body)   // of this package's own types, which can be written
	return rawBody{content: written.Bytes(), contentType: "application/json; charset=utf-8"}
}

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
	body       any    // becomes JSON; nil is an empty one
	page       string // HTML, in place of the body, when not empty
	retryAfter string // header Retry-After, when not empty
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

// begin sets the headers and gives the body.
func (a answer) begin(w http.ResponseWriter) []byte {
	body, mediaType := a.content()
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if mediaType != "" {
		w.Header().Set("Content-Type", mediaType)
	}
	return body
}

// content gives the body and its type, "" where there is none.
func (a answer) content() (body []byte, mediaType string) {
	switch {
	case a.page != "":
		return []byte(a.page), "text/html; charset=utf-8"
	case a.body == nil:
		return nil, ""
	}
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false) // names hold ampersands, G2A sends them as they are
	_ = encoder.Encode(a.body)   // of this package's own types, which can be written
	return written.Bytes(), "application/json; charset=utf-8"
}

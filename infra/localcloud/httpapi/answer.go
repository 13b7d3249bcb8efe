package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// answer is what a function's payload says to the client.
type answer struct {
	status  int
	header  http.Header
	cookies []string
	body    []byte
}

// readAnswer reads a function's payload. Without a statusCode the whole payload is
// the body of a 200, as payload format 2.0 has it.
func readAnswer(payload []byte) (answer, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields["statusCode"] == nil {
		return inferAnswer(payload)
	}
	var structured struct {
		StatusCode int                        `json:"statusCode"`
		Headers    map[string]json.RawMessage `json:"headers"`
		Cookies    []string                   `json:"cookies"`
		Body       string                     `json:"body"`
		Base64     bool                       `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &structured); err != nil {
		return answer{}, fmt.Errorf("the function's answer is malformed: %w", err)
	}
	if structured.StatusCode < 200 || structured.StatusCode > 599 {
		return answer{}, fmt.Errorf("the function's statusCode %d is none", structured.StatusCode)
	}
	a := answer{status: structured.StatusCode, header: http.Header{}, cookies: structured.Cookies, body: []byte(structured.Body)}
	if structured.Base64 {
		decoded, err := base64.StdEncoding.DecodeString(structured.Body)
		if err != nil {
			return answer{}, fmt.Errorf("the function's body is not base64: %w", err)
		}
		a.body = decoded
	}
	a.header.Set("Content-Type", "text/plain; charset=utf-8")
	for name, value := range structured.Headers {
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding", "connection": // the gateway's own business
		default:
			a.header.Set(name, string(plain(value)))
		}
	}
	return a, nil
}

// inferAnswer makes an answer of a payload that is none. A text is its own body.
func inferAnswer(payload []byte) (answer, error) {
	if !json.Valid(payload) {
		return answer{}, errors.New("the function's answer is not JSON")
	}
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: plain(payload)}, nil
}

// plain gives a JSON text without its quotes, and any other value as it is written.
func plain(value json.RawMessage) []byte {
	value = bytes.TrimSpace(value)
	var text string
	if value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return []byte(text)
	}
	return value
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	for _, cookie := range a.cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client has gone: nobody to tell
}

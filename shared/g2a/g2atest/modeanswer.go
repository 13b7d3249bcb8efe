package g2atest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// anyOfAnswer reports whether a fault has a field that only mode answer has.
func (f Fault) anyOfAnswer() bool {
	return f.Body != "" || f.BodyBase64 != "" || f.ContentType != "" || f.ContentEncoding != ""
}

// checkAnswer checks the fields that only mode answer has.
func (f Fault) checkAnswer() error {
	_, err := base64.StdEncoding.DecodeString(f.BodyBase64)
	switch {
	case f.Body != "" && f.BodyBase64 != "":
		return errors.New("body and body_base64: only one of them can be sent")
	case !utf8.ValidString(f.Body):
		return errors.New("body: is not UTF-8, which body_base64 is for")
	case err != nil:
		return errors.New("body_base64: is not base64")
	case (f.Body != "" || f.BodyBase64 != "") && (f.Status == http.StatusNoContent || f.Status == http.StatusNotModified):
		return errors.New("status: 204 and 304 have no body")
	case !printable(f.ContentType):
		return errors.New("content_type: has a control character")
	case !printable(f.ContentEncoding):
		return errors.New("content_encoding: has a control character")
	}
	return nil
}

// printable reports whether a header can have this value.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// inPlaceOf is what mode answer sends instead of the real answer.
func (f Fault) inPlaceOf(real answer) answer {
	body := f.Body
	if f.BodyBase64 != "" {
		decoded, _ := base64.StdEncoding.DecodeString(f.BodyBase64) // was checked
		body = string(decoded)
	}
	contentType := f.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	return answer{status: f.Status, raw: &rawBody{
		content:         []byte(strings.NewReplacer(placeholders(real)...).Replace(body)),
		contentType:     contentType,
		contentEncoding: f.ContentEncoding,
	}}
}

// placeholders are pairs of a placeholder and what it stands for. Those of the order
// are left out of a call that has none, and so stay in the body for a test to see.
func placeholders(real answer) []string {
	body := bytes.TrimSuffix(real.content().content, []byte("\n"))
	pairs := []string{
		"{{answer}}", string(body),
		"{{answer_gzip}}", compress(body, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"{{answer_deflate}}", compress(body, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }),
	}
	if o := real.order; o != nil {
		keys, _ := json.Marshal(codes(o.keys)) // strings can always be written
		pairs = append(pairs, "{{key}}", o.keys[0].text(), "{{keys}}", string(keys), "{{order_id}}", o.id, "{{price}}", number(o.price).String())
	}
	return pairs
}

func compress(body []byte, writer func(io.Writer) io.WriteCloser) string {
	var compressed bytes.Buffer
	w := writer(&compressed)
	_, _ = w.Write(body) // neither fails in memory
	_ = w.Close()
	return compressed.String()
}

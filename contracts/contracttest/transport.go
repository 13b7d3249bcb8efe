package contracttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Transport checks each request and its answer on their way through next, and
// reports what is not as in the contract. Neither is changed or held back. A request
// without an answer, or with one that was cut short, has no answer to check. report
// may be called from several goroutines at once.
func (a *API) Transport(next http.RoundTripper, report func(error)) http.RoundTripper {
	return checked{api: a, next: next, report: report, requests: true}
}

// Answers is Transport for requests that may be wrong on purpose: it checks the
// answers alone.
func (a *API) Answers(next http.RoundTripper, report func(error)) http.RoundTripper {
	return checked{api: a, next: next, report: report}
}

type checked struct {
	api      *API
	next     http.RoundTripper
	report   func(error)
	requests bool
}

// RoundTrip implements http.RoundTripper.
func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.requests {
		sent, body, err := readRequest(r)
		if err != nil {
			return nil, err
		}
		if err := c.api.CheckRequest(r, body); err != nil {
			c.report(err)
		}
		r = sent
	}
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	body, err := readAnswer(response)
	if err != nil {
		return response, nil // the client meets the error where it reads the body
	}
	if err := c.api.CheckAnswer(r, response.StatusCode, response.Header, body); err != nil {
		c.report(err)
	}
	return response, nil
}

// readRequest reads a request's body and gives a request to send in its stead. A
// body that could not be had twice still cannot: net/http then does not send the
// request again by itself.
func readRequest(r *http.Request) (*http.Request, []byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, nil, fmt.Errorf("reading the request: %w", err)
	}
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	return sent, body, nil
}

// readAnswer reads an answer's body and puts it back, with the error that it ended
// with.
func readAnswer(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(response.Body)
	var rest io.Reader = bytes.NewReader(body)
	if err != nil {
		rest = io.MultiReader(rest, failing{err})
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{rest, response.Body}
	return body, err
}

// failing is a reader that does nothing but fail.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

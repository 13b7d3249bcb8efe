package g2a

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

const (
	maxBody     = 8 << 20 // bytes of an answer; a page of 20 products has some 100 KiB
	backoffBase = 200 * time.Millisecond
	backoffCap  = 5 * time.Second
	minAttempt  = 500 * time.Millisecond // a retry with less time than this is not begun

	// An API that failed breakerFailures times in a row is left alone for
	// breakerDelay; then one call tries it.
	breakerFailures = 5
	breakerDelay    = 10 * time.Second
)

// An Observer is told of every call, for logs, metrics and traces.
type Observer interface {
	// StartCall is called before the first attempt. The context it gives is the
	// attempts'; the function it gives is called with the finished call.
	StartCall(ctx context.Context, method, route string) (context.Context, func(Call))
}

// Call is a finished call. It holds no credential, no id and no query.
type Call struct {
	Method        string
	Route         string // the path's template
	Status        int    // HTTP status of the last attempt, 0 where there was no answer
	Attempts      int
	Latency       time.Duration // of all attempts, with the waits between them
	CorrelationID string
	Err           error
}

// Options are what a Client needs besides its Config. Only Credentials are required.
type Options struct {
	Credentials CredentialSource
	// Tokens gives the access tokens of the Import API; nil is FetchToken, with the
	// token remembered in memory. What is a DroppingSource is told of the tokens that
	// G2A rejects.
	Tokens TokenSource
	// MinRating is the least rating of a seller whose offer CreateOrder may take; 0 is
	// any.
	MinRating int
	// RateLimit is how many requests a second each of the two APIs is sent at most,
	// evenly spread; 0 is no limit. A call waits for its turn as long as an attempt can
	// still follow before its deadline, and is ErrThrottled otherwise.
	RateLimit int
	// Transport sends the requests; nil is a transport of the client's own.
	Transport http.RoundTripper
	// Observer is told of the calls; nil is none.
	Observer Observer
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Client calls G2A. It is safe for concurrent use; one per process keeps its
// connections alive.
type Client struct {
	cfg      Config
	options  Options
	http     *http.Client
	breakers map[api]circuitbreaker.CircuitBreaker[*answer]
	limiters map[api]ratelimiter.RateLimiter[*answer] // nil is no limit
}

// api is one of G2A's two APIs, which fail apart from each other.
type api int

const (
	exportAPI api = iota
	importAPI
)

// New makes a client.
func New(cfg Config, options Options) *Client {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Observer == nil {
		options.Observer = noObserver{}
	}
	if options.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 10
		transport.TLSHandshakeTimeout = 5 * time.Second
		options.Transport = transport
	}
	client := &Client{
		cfg:     cfg,
		options: options,
		http: &http.Client{
			Transport: options.Transport,
			Timeout:   cfg.Timeout,
			// A redirect would carry the credentials away; the answer itself is then
			// the error.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		breakers: map[api]circuitbreaker.CircuitBreaker[*answer]{exportAPI: newBreaker(), importAPI: newBreaker()},
	}
	if options.RateLimit > 0 {
		client.limiters = map[api]ratelimiter.RateLimiter[*answer]{exportAPI: newLimiter(options.RateLimit), importAPI: newLimiter(options.RateLimit)}
	}
	if options.Tokens == nil {
		client.options.Tokens = RememberTokens(tokenFunc(client.FetchToken), options.Clock)
	}
	return client
}

type noObserver struct{}

func (noObserver) StartCall(ctx context.Context, _, _ string) (context.Context, func(Call)) {
	return ctx, func(Call) {}
}

// request is one call as G2A documents it.
type request struct {
	api    api
	method string
	route  string // template, for people
	url    string
	header map[string]string
	body   []byte // nil is none
	form   bool   // body is a form, not JSON
	// once marks a call that charges, reveals or makes something: it is repeated
	// only where G2A says that it was not done.
	once bool
	// secrets must not appear in an error's text.
	secrets []Secret
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes the call, with retries, and reads a success's JSON into out, where
// check tells what is not as documented. Every failure is an *Error.
func (c *Client) do(ctx context.Context, r request, out any, check func() *FieldError) (err error) {
	ctx, id := correlated(ctx)
	started := c.options.Clock()
	call := Call{Method: r.method, Route: r.route, CorrelationID: id}
	ctx, finish := c.options.Observer.StartCall(ctx, r.method, r.route)
	defer func() {
		call.Latency = c.options.Clock().Sub(started)
		call.Err = err
		finish(call)
	}()

	if over := ctx.Err(); over != nil { // not every transport would look
		return &Error{Method: r.method, Route: r.route, CorrelationID: id, Kind: ErrUnavailable, Cause: over}
	}
	// The last attempt's own result counts, also where the time ran out just after
	// it or the circuit opened: a key that was given out must not be thrown away,
	// nor a call that G2A has refused become one whose outcome is not known.
	var last *answer
	var failed error
	_, refused := failsafe.With[*answer](c.retries(ctx, r.once), c.breakers[r.api]).WithContext(ctx).
		Get(func() (*answer, error) {
			if failed = c.takeTurn(ctx, r, id); failed != nil {
				return nil, failed
			}
			call.Attempts++
			call.Status = 0
			last, failed = c.attempt(ctx, r, id)
			if last != nil {
				call.Status = last.status
			}
			return last, failed
		})
	switch {
	case failed != nil:
		return failed
	case call.Attempts == 0:
		return &Error{Method: r.method, Route: r.route, CorrelationID: id, Kind: ErrUnavailable, Cause: refused}
	}
	fault := decode(last.body, out)
	if fault == nil {
		if field := check(); field != nil {
			fault = field
		}
	}
	if fault != nil {
		return &Error{Method: r.method, Route: r.route, Status: last.status, CorrelationID: id, Kind: ErrMalformedAnswer, Cause: fault}
	}
	return nil
}

// errNoTurn is a rate limit that lets no attempt begin before the deadline.
var errNoTurn = errors.New("the client's own rate limit leaves no time before the deadline")

// takeTurn waits until the rate limit lets the next request go. A wait that no
// attempt could follow is not begun. Every failure is an *Error: the request was
// certainly not sent.
func (c *Client) takeTurn(ctx context.Context, r request, id string) error {
	limiter, limited := c.limiters[r.api]
	if !limited {
		return nil
	}
	err := limiter.AcquirePermitWithMaxWait(ctx, max(0, timeLeft(ctx)-minAttempt))
	if err == nil {
		return nil
	}
	failed := &Error{Method: r.method, Route: r.route, CorrelationID: id, Kind: ErrThrottled, Cause: errNoTurn}
	if !errors.Is(err, ratelimiter.ErrExceeded) {
		failed.Cause = fmt.Errorf("waiting for the client's own rate limit: %w", err)
	}
	return failed
}

// attempt sends the request once. Every failure is an *Error.
func (c *Client) attempt(ctx context.Context, r request, id string) (*answer, error) {
	failed := &Error{Method: r.method, Route: r.route, CorrelationID: id, Kind: ErrUnavailable}
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		failed.Kind, failed.Cause = ErrInvalidRequest, errors.New("the request cannot be written")
		return nil, failed
	}
	if r.once && r.method == http.MethodGet {
		// net/http itself repeats a GET when a connection breaks that was used before.
		// A body that cannot be had a second time keeps it from that; it is empty, and
		// none is sent.
		httpRequest.Body, httpRequest.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	for name, value := range r.header {
		httpRequest.Header.Set(name, value)
	}
	httpRequest.Header.Set("Accept", "application/json")
	httpRequest.Header.Set("User-Agent", "g2a-lambda")
	httpRequest.Header.Set(HeaderCorrelationID, id)
	switch {
	case r.form:
		httpRequest.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case r.body != nil:
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(httpRequest)
	if err != nil {
		failed.Cause = transportFault(err)
		return nil, failed
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	a := &answer{status: response.StatusCode, header: response.Header, body: body}
	switch {
	case a.status < 200 || a.status > 299:
		failed.classify(a, c.options.Clock(), r.secrets)
		return a, failed
	case len(body) > maxBody:
		failed.Status, failed.Kind = a.status, ErrMalformedAnswer
		failed.Cause = fmt.Errorf("longer than %d bytes", maxBody)
		return a, failed
	case err != nil:
		failed.Status, failed.Cause = a.status, fmt.Errorf("the answer was cut short: %w", transportFault(err))
		return a, failed
	}
	return a, nil
}

// retries says what is tried again and when: exponential backoff with full
// jitter, G2A's Retry-After where it is longer, and nothing that cannot finish
// before the context's deadline.
func (c *Client) retries(ctx context.Context, once bool) retrypolicy.RetryPolicy[*answer] {
	retriable := func(err error) bool {
		if errors.Is(err, ErrThrottled) {
			return true
		}
		return !once && errors.Is(err, ErrUnavailable)
	}
	return retrypolicy.NewBuilder[*answer]().
		HandleIf(func(_ *answer, err error) bool { return retriable(err) }).
		AbortIf(func(_ *answer, err error) bool {
			return retriable(err) && (ctx.Err() != nil || errors.Is(err, errNoTurn) ||
				askedToWait(err)+minAttempt > timeLeft(ctx) || askedToWait(err) > c.cfg.Timeout)
		}).
		WithMaxRetries(c.cfg.RetryMax).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[*answer]) time.Duration {
			asked := askedToWait(exec.LastError())
			return min(asked+fullJitter(exec.Retries()), max(asked, timeLeft(ctx)-minAttempt))
		}).
		ReturnLastFailure().
		Build()
}

// timeLeft gives the time until the context's deadline, which is on the real clock.
func timeLeft(ctx context.Context) time.Duration {
	deadline, limited := ctx.Deadline()
	if !limited {
		return math.MaxInt64
	}
	return time.Until(deadline)
}

// fullJitter picks the wait before retry number n+1, evenly from nothing to the
// exponential backoff.
func fullJitter(n int) time.Duration {
	ceiling := min(backoffCap, backoffBase<<min(n, 10))
	return time.Duration(mathrand.Int64N(int64(ceiling)))
}

// askedToWait gives G2A's Retry-After.
func askedToWait(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

func newBreaker() circuitbreaker.CircuitBreaker[*answer] {
	return circuitbreaker.NewBuilder[*answer]().
		HandleIf(func(_ *answer, err error) bool {
			return errors.Is(err, ErrUnavailable) && !errors.Is(err, context.Canceled)
		}).
		WithFailureThreshold(breakerFailures).
		WithSuccessThreshold(1). // without it, as many calls as the threshold try at once
		WithDelay(breakerDelay).
		Build()
}

// newLimiter spreads the requests of a second evenly.
func newLimiter(perSecond int) ratelimiter.RateLimiter[*answer] {
	return ratelimiter.NewSmoothWithMaxRate[*answer](max(1, time.Second/time.Duration(perSecond)))
}

// transportFault keeps of an error of the transport what says why, without the
// URL that net/http puts in front, and without anything of the answer.
func transportFault(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if strings.Contains(text, "malformed") || strings.Contains(text, "transport connection broken") && strings.Contains(text, `"`) {
		return errors.New("the answer is not HTTP") // net/http quotes what it read
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", err)
	}
	return err
}

// decode reads JSON. Its errors tell what is wrong without repeating any of it: it
// may hold a key.
func decode(body []byte, out any) error {
	err := json.Unmarshal(body, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return &FieldError{Field: wrongType.Field, Problem: "is of the wrong type"}
	default:
		return errors.New("not the JSON expected")
	}
}

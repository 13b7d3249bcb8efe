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
	minAttempt  = 500 * time.Millisecond // don't start a retry with less time left than this

	// An API that failed breakerFailures times in a row is left alone for
	// breakerDelay; then one call tries it.
	breakerFailures = 5
	breakerDelay    = 10 * time.Second
)

// An Observer sees every call, for logs, metrics and traces.
type Observer interface {
	// StartCall is called before the first attempt. It returns the attempts' context, and
	// a function that is called with the finished call.
	StartCall(ctx context.Context, method, route string) (context.Context, func(Call))
}

// Call is a finished call. It holds no credential, no id and no query.
type Call struct {
	Method        string
	Route         string        // the path's template
	OfToken       bool          // it asks for an access token
	Status        int           // HTTP status of the last attempt, 0 without an answer
	Attempts      int           // requests that were handed to the transport
	Latency       time.Duration // of all attempts, with the waits between them
	CorrelationID string
	Err           error
}

// Options are what a Client needs besides its Config. Only Credentials are required.
type Options struct {
	Credentials CredentialSource
	// Tokens returns the access tokens; nil is FetchToken, with the token remembered in
	// memory. A DroppingSource also hears which tokens G2A rejects.
	Tokens TokenSource
	// RateLimit is the most requests a second that each of G2A's APIs is sent, evenly
	// spread; 0 is no limit. A call waits for its turn as long as an attempt can still
	// follow before its deadline, and is ErrThrottled otherwise.
	RateLimit int
	// Transport sends the requests; nil is a transport of the client's own.
	//
	// The calls that must reach G2A once (package documentation, "Calls") do not share
	// its connections. For an *http.Transport the client clones it, and the clone speaks
	// HTTP/1.1 alone, over a fresh connection for each call, so that net/http repeats
	// nothing; protocols registered with it are not kept, and a DialTLS of its own must
	// not negotiate HTTP/2. Any other RoundTripper gets these calls with a body that can
	// be read once, which keeps net/http below it from repeating them. What the client
	// cannot prevent, it must not do: send a request more than once, follow redirects,
	// decompress answers that were not asked to be compressed, or answer from a cache.
	// Where it reports to net/http/httptrace, a failure before the request was written is
	// known to be NotDone.
	Transport http.RoundTripper
	// Observer is called for every call; nil is none.
	Observer Observer
	// Clock returns the time; nil is time.Now.
	Clock func() time.Time
}

// Client calls G2A. It is safe for concurrent use; one per process keeps its
// connections alive.
type Client struct {
	cfg      Config
	options  Options
	reads    sender
	onces    sender // calls that must reach G2A once
	breakers [apis]circuitbreaker.CircuitBreaker[*answer]
	limiters [apis]ratelimiter.RateLimiter[*answer] // nil is no limit
}

// api is one of G2A's APIs, which fail separately.
type api int

const (
	exportAPI   api = iota // the Export API v1
	exportV2API            // the Export API v2
	importAPI              // the Import API
	tokenAPI               // the token endpoint, which the last two need
	apis                   // how many there are
)

// New creates a client.
func New(cfg Config, options Options) *Client {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Observer == nil {
		options.Observer = noObserver{}
	}
	if options.Transport == nil {
		options.Transport = ownTransport()
	}
	client := &Client{
		cfg:     cfg,
		options: options,
		reads:   newSender(options.Transport, false, cfg.Timeout),
		onces:   newOnceSender(options.Transport, cfg.Timeout),
	}
	for of := range apis {
		client.breakers[of] = newBreaker()
		if options.RateLimit > 0 {
			client.limiters[of] = newLimiter(options.RateLimit)
		}
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

// effect is what a call does at G2A.
type effect int

const (
	reads   effect = iota // nothing: it may be repeated at will
	changes               // creates or changes something
	charges               // charges the account
	reveals               // reveals a key, which works once
)

// once marks a call that must reach G2A once: it is repeated only when G2A states that it
// was not carried out.
func (e effect) once() bool { return e != reads }

// request is one call as G2A documents it.
type request struct {
	api    api
	method string
	route  string // template, for people
	url    string
	header map[string]string
	body   []byte // nil is none
	form   bool   // body is a form, not JSON
	effect effect
	// secrets must not appear in an error's message.
	secrets []Secret
}

// newRequest returns a request of an API that has a base URL. The ids replace the names in
// the route's braces, in their order.
func (c *Client) newRequest(of api, method, route string, ids ...string) (request, *FieldError) {
	r := request{api: of, method: method, route: route}
	base := [...]string{exportAPI: c.cfg.ExportURL, exportV2API: c.cfg.ExportV2URL, importAPI: c.cfg.ImportURL}[of]
	path, rest := "", route
	for _, id := range ids {
		before, after, _ := strings.Cut(rest, "{")
		name, after, _ := strings.Cut(after, "}")
		if fault := checkID(id); fault != nil {
			fault.Field = name
			return r, fault
		}
		path, rest = path+before+url.PathEscape(id), after
	}
	r.url = base + path + rest
	return r, nil
}

// answer is what was received of an answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    error // why body is not all of it
}

// do makes the call, with retries, and reads the answer of a success. Every failure is
// an *Error.
func (c *Client) do(ctx context.Context, r request, read func(*answer) error) (err error) {
	ctx, id := correlated(ctx)
	started := c.options.Clock()
	call := Call{Method: r.method, Route: r.route, OfToken: r.api == tokenAPI, CorrelationID: id}
	ctx, finish := c.options.Observer.StartCall(ctx, r.method, r.route)
	defer func() {
		call.Latency = c.options.Clock().Sub(started)
		call.Err = err
		finish(call)
	}()

	if cause := c.tooLate(ctx, r); cause != nil {
		return refused(r, id, ErrUnavailable, cause)
	}
	// The last attempt's own result counts, even if the time ran out just after it or
	// the circuit opened: a key that was given out must not be thrown away, and a call
	// that G2A has refused must not become one whose outcome is unknown.
	var failed error
	_, broken := failsafe.With[*answer](c.retries(ctx, r), c.breakers[r.api]).WithContext(ctx).
		Get(func() (*answer, error) {
			if noTurn := c.takeTurn(ctx, r, id); noTurn != nil {
				failed = noTurn
				return nil, failed
			}
			if call.Attempts > 0 && c.tooLate(ctx, r) != nil {
				return nil, failed // what the attempt before has met
			}
			call.Attempts++
			var got *answer
			got, failed = c.attempt(ctx, r, id, read)
			call.Status = got.status
			return got, failed
		})
	if failed == nil && call.Attempts == 0 {
		return refused(r, id, ErrUnavailable, broken)
	}
	return failed
}

// errNoTime is a call that must reach G2A once, with too little time before the deadline
// to learn what became of it.
var errNoTime = errors.New("not enough time before the deadline for a whole attempt")

// tooLate reports why no attempt may begin now.
func (c *Client) tooLate(ctx context.Context, r request) error {
	if over := ctx.Err(); over != nil { // not every transport would look
		return over
	}
	if r.effect.once() && timeLeft(ctx) < c.cfg.Timeout {
		return errNoTime
	}
	return nil
}

// leastTime is how much time must be left to begin an attempt after the first.
func (c *Client) leastTime(r request) time.Duration {
	if r.effect.once() {
		return c.cfg.Timeout
	}
	return minAttempt
}

// errNoTurn is a rate limit that lets no attempt begin before the deadline.
var errNoTurn = errors.New("the client's own rate limit leaves no time before the deadline")

// takeTurn waits until the rate limit lets the next request go, unless no attempt could
// follow the wait.
func (c *Client) takeTurn(ctx context.Context, r request, id string) error {
	limiter := c.limiters[r.api]
	if limiter == nil {
		return nil
	}
	err := limiter.AcquirePermitWithMaxWait(ctx, max(0, timeLeft(ctx)-c.leastTime(r)))
	switch {
	case errors.Is(err, ratelimiter.ErrExceeded), err == nil && errors.Is(c.tooLate(ctx, r), errNoTime):
		return refused(r, id, ErrThrottled, errNoTurn)
	case err != nil:
		return refused(r, id, ErrThrottled, fmt.Errorf("waiting for the client's own rate limit: %w", err))
	}
	return nil
}

// attempt sends the request once, and reads the answer of a success. Every failure is an
// *Error; the answer is never nil.
func (c *Client) attempt(ctx context.Context, r request, id string, read func(*answer) error) (*answer, error) {
	httpRequest, err := newHTTPRequest(ctx, r, id)
	if err != nil {
		return &answer{}, refused(r, id, ErrInvalidRequest, err)
	}
	failed := failure(r, id, ErrUnavailable)
	through := c.reads
	if r.effect.once() {
		through = c.onces
	}
	response, unsent, err := through.send(httpRequest)
	if err != nil {
		if failed.Cause = transportFault(err); unsent {
			failed.Outcome = NotDone
		}
		return &answer{}, failed
	}
	defer response.Body.Close()
	a := receive(response)
	if a.status < 200 || a.status > 299 {
		failed.classify(a, r, c.options.Clock())
		return a, failed
	}
	failed.Status = a.status
	if fault := read(a); fault != nil {
		if failed.Cause = fault; !errors.Is(fault, errNotG2A) && !errors.Is(fault, errCutShort) {
			failed.Kind = ErrMalformedAnswer
		}
		return a, failed
	}
	return a, nil
}

// newHTTPRequest returns the request as it is sent. Its errors do not repeat the URL.
func newHTTPRequest(ctx context.Context, r request, id string) (*http.Request, error) {
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, errors.New("the request cannot be written")
	}
	for name, value := range r.header {
		httpRequest.Header.Set(name, value)
	}
	httpRequest.Header.Set("Accept", "application/json")
	httpRequest.Header.Set("User-Agent", "g2a-lambda")
	httpRequest.Header.Set(HeaderCorrelationID, id)
	if r.effect.once() {
		httpRequest.Header.Set("Accept-Encoding", "identity") // what arrives is what G2A wrote
	}
	switch {
	case r.form:
		httpRequest.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case r.body != nil:
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	return httpRequest, nil
}

var (
	errCutShort = errors.New("the answer was cut short")
	errTooLong  = fmt.Errorf("longer than %d bytes", maxBody)
)

// receive reads an answer up to the longest there may be.
func receive(response *http.Response) *answer {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	a := &answer{status: response.StatusCode, header: response.Header, body: body}
	switch {
	case len(body) > maxBody:
		a.body, a.cut = body[:maxBody], errTooLong
	case err != nil:
		a.cut = fmt.Errorf("%w: %w", errCutShort, transportFault(err))
	}
	return a
}

// retries decides what is tried again and when: exponential backoff with full jitter,
// G2A's Retry-After if it is longer, and nothing that cannot finish before the context's
// deadline.
func (c *Client) retries(ctx context.Context, r request) retrypolicy.RetryPolicy[*answer] {
	least := c.leastTime(r)
	retriable := func(err error) bool {
		if errors.Is(err, ErrThrottled) {
			return true
		}
		return !r.effect.once() && errors.Is(err, ErrUnavailable)
	}
	return retrypolicy.NewBuilder[*answer]().
		HandleIf(func(_ *answer, err error) bool { return retriable(err) }).
		AbortIf(func(_ *answer, err error) bool {
			return retriable(err) && (ctx.Err() != nil || errors.Is(err, errNoTurn) ||
				askedToWait(err)+least > timeLeft(ctx) || askedToWait(err) > c.cfg.Timeout)
		}).
		WithMaxRetries(c.cfg.RetryMax).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[*answer]) time.Duration {
			asked := askedToWait(exec.LastError())
			return min(asked+fullJitter(exec.Retries()), max(asked, timeLeft(ctx)-least))
		}).
		ReturnLastFailure().
		Build()
}

// timeLeft returns the time until the context's deadline, which is on the real clock.
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

// askedToWait returns the Retry-After of an answer.
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

// transportFault returns the reason in a transport's error, without the URL that net/http
// puts in front, and without anything of the answer.
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

// decoded returns a reader of answers that reads JSON into out and checks it.
func decoded(out any, check func() *FieldError) func(*answer) error {
	return func(a *answer) error {
		if a.cut != nil {
			return a.cut
		}
		if err := decode(withoutBOM(a.body), out); err != nil {
			return err
		}
		if fault := check(); fault != nil {
			return fault
		}
		return nil
	}
}

// decode reads JSON. Its errors say what is wrong without repeating any of it: it may
// hold a key.
func decode(body []byte, out any) error {
	err := json.Unmarshal(body, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return &FieldError{Field: wrongType.Field, Problem: "has the wrong type"}
	default:
		return errors.New("not the JSON expected")
	}
}

// withoutBOM returns a body without the mark that some servers put before UTF-8.
func withoutBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

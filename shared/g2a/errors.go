package g2a

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What can go wrong with a call, for errors.Is; every *Error is exactly one of them.
// The codes are those of G2A's Developers API documentation.
var (
	// ErrThrottled: BR03, HTTP 429, or no turn within Options.RateLimit. The call was
	// not carried out; later it may be.
	ErrThrottled = errors.New("G2A has had too many requests")
	// ErrUnavailable: 5xx, ORD122, no answer, an answer that is not G2A's, an open
	// circuit breaker, or too little time to begin. The outcome says whether the call
	// may have been carried out.
	ErrUnavailable = errors.New("G2A is not available")
	// ErrMalformedAnswer: an answer of success that is not what G2A documents. The call
	// may have been carried out.
	ErrMalformedAnswer = errors.New("G2A's answer is malformed")
	// ErrCredentialsRejected: AUTH01 to AUTH04, HTTP 401, OAuth2's invalid_client and
	// unauthorized_client. The credentials, or the access token, are not valid.
	ErrCredentialsRejected = errors.New("G2A rejects the credentials")
	// ErrInvalidRequest: BR01, BR02, and any other 4xx of G2A's: asking again is
	// pointless. Also a request that cannot be valid and is not sent; a *FieldError then
	// names the field.
	ErrInvalidRequest = errors.New("G2A rejects the request")
	// ErrNotFound: ORD02, HTTP 404 and 410.
	ErrNotFound = errors.New("not found at G2A")
	// ErrExists: HTTP 409. What the call would create is there already ([Error].ExistingID),
	// or its Idempotency-Key belongs to another request or to one that is still at work.
	ErrExists = errors.New("it exists at G2A already")
	// ErrKeyAlreadyDownloaded: ORD004, or ORD04 by the word of one client.
	ErrKeyAlreadyDownloaded = errors.New("the key was downloaded before")
	// ErrPaymentNotReady: ORD03, HTTP 425. Ask again later.
	ErrPaymentNotReady = errors.New("the payment is not ready yet")
	// ErrPaymentRequired: ORD05, HTTP 402. The payment is missing or in progress; the
	// details decide.
	ErrPaymentRequired = errors.New("the payment is required or in progress")
	// ErrInsufficientFunds: ORD112.
	ErrInsufficientFunds = errors.New("not enough funds")
	// ErrTooLateToPay: ORD114. The order can no longer be paid.
	ErrTooLateToPay = errors.New("too late to pay the order")
	// ErrPaymentLimit: ORD121.
	ErrPaymentLimit = errors.New("the G2A PAY limit is reached")
)

// Error is a call that failed. Unwrap returns what errors.Is compares: one of the
// errors above, and the cause if there is one.
type Error struct {
	Method        string
	Route         string // the path's template: no ids, no query
	Status        int    // HTTP status, 0 without an answer
	Code          string // G2A's or OAuth2's, "" if there is none
	Message       string // G2A's words, shortened and free of the call's credentials
	CorrelationID string
	TraceID       string        // G2A's own id of the call, "" if it states none
	ExistingID    string        // of what exists already, with ErrExists; "" if G2A states none
	RetryAfter    time.Duration // how long the answer asks to wait, 0 if it does not
	Outcome       Outcome       // of this request alone; OutcomeOf reports the call's
	Kind          error
	Cause         error
}

// Temporary reports whether the same call may succeed later without any change, after
// RetryAfter at the earliest: it is ErrThrottled, ErrUnavailable or ErrPaymentNotReady.
// Whether it is safe to make the call again is for its outcome to say.
func (e *Error) Temporary() bool {
	return e.Kind == ErrThrottled || e.Kind == ErrUnavailable || e.Kind == ErrPaymentNotReady
}

// Error reports what was called and what happened, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %v", e.Method, e.Route, e.Kind)
	var details []string
	if e.Status != 0 {
		details = append(details, "HTTP "+strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		details = append(details, e.Code)
	}
	if e.Message != "" {
		details = append(details, strconv.Quote(e.Message))
	}
	if e.TraceID != "" {
		details = append(details, "trace "+e.TraceID)
	}
	if e.Cause != nil {
		details = append(details, e.Cause.Error())
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, ", "))
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// failure returns an error of a call, for its sender to complete.
func failure(r request, id string, kind error) *Error {
	return &Error{Method: r.method, Route: r.route, CorrelationID: id, Kind: kind}
}

// refused returns the error of a request that was certainly not sent.
func refused(r request, id string, kind, cause error) *Error {
	e := failure(r, id, kind)
	e.Outcome, e.Cause = NotDone, cause
	return e
}

// invalid returns the error of a request that cannot be valid.
func invalid(ctx context.Context, r request, fault *FieldError) error {
	_, id := correlated(ctx)
	return refused(r, id, ErrInvalidRequest, fmt.Errorf("not sent: %w", fault))
}

// printable makes a foreign string fit for a log line: one line, not long, and without
// the call's secrets.
func printable(text string, limit int, secrets []Secret) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?"))
	for _, secret := range secrets { // after the cleaning, which might put one together
		if !secret.IsZero() {
			text = strings.ReplaceAll(text, secret.Reveal(), redacted)
		}
	}
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return strings.TrimSpace(text)
}

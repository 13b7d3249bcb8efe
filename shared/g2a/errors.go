package g2a

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What can go wrong with a call, for errors.Is; every *Error is exactly one of them.
// The codes are those of G2A's Developers API documentation.
var (
	// ErrThrottled: HTTP 429, BR03, or no turn within Options.RateLimit. The call was
	// not done; later it may be.
	ErrThrottled = errors.New("G2A has had too many requests")
	// ErrUnavailable: 5xx, ORD122, no answer, or a circuit breaker that is open.
	// Whether the call was done is not known.
	ErrUnavailable = errors.New("G2A is not available")
	// ErrMalformedAnswer: an answer of success that is not what G2A documents.
	// Whether the call was done is not known.
	ErrMalformedAnswer = errors.New("G2A's answer is malformed")
	// ErrCredentialsRejected: AUTH01 to AUTH04, HTTP 401, OAuth2's invalid_client and
	// unauthorized_client. The credentials, or the access token, are not good.
	ErrCredentialsRejected = errors.New("G2A rejects the credentials")
	// ErrInvalidRequest: BR01, BR02, and any other 4xx: asking again cannot help. Also a
	// request that cannot be good and is not sent; a *FieldError names what is wrong.
	ErrInvalidRequest = errors.New("G2A rejects the request")
	// ErrNotFound: ORD02, HTTP 404.
	ErrNotFound = errors.New("not found at G2A")
	// ErrKeyAlreadyDownloaded: ORD004.
	ErrKeyAlreadyDownloaded = errors.New("the key was downloaded before")
	// ErrPaymentNotReady: ORD03. Ask again later.
	ErrPaymentNotReady = errors.New("the payment is not ready yet")
	// ErrPaymentRequired: ORD05, HTTP 402. The payment is missing or in progress; the
	// details decide.
	ErrPaymentRequired = errors.New("the payment is required or in progress")
	// ErrInsufficientFunds: ORD112.
	ErrInsufficientFunds = errors.New("not enough funds")
	// ErrTooLateToPay: ORD114. The order cannot be paid any more.
	ErrTooLateToPay = errors.New("too late to pay the order")
	// ErrPaymentLimit: ORD121.
	ErrPaymentLimit = errors.New("the G2A PAY limit is reached")
)

// kinds maps G2A's codes to errors.
var kinds = map[string]error{
	"AUTH01": ErrCredentialsRejected,
	"AUTH02": ErrCredentialsRejected,
	"AUTH03": ErrCredentialsRejected,
	"AUTH04": ErrCredentialsRejected,
	"BR01":   ErrInvalidRequest,
	"BR02":   ErrInvalidRequest,
	"BR03":   ErrThrottled,
	"ORD02":  ErrNotFound,
	"ORD004": ErrKeyAlreadyDownloaded,
	"ORD03":  ErrPaymentNotReady,
	"ORD05":  ErrPaymentRequired,
	"ORD112": ErrInsufficientFunds,
	"ORD114": ErrTooLateToPay,
	"ORD121": ErrPaymentLimit,
	"ORD122": ErrUnavailable,

	// Of the OAuth2 token endpoint: RFC 6749, section 5.2.
	"invalid_client":      ErrCredentialsRejected,
	"unauthorized_client": ErrCredentialsRejected,
}

// Error is a call that failed. Unwrap gives what errors.Is compares: one of the
// errors above, and the cause below it where there is one.
type Error struct {
	Method        string
	Route         string // the path's template: no ids, no query
	Status        int    // HTTP status, 0 where there was no answer
	Code          string // G2A's code, or OAuth2's, "" where there was none
	Message       string // G2A's words, shortened and free of the call's credentials
	CorrelationID string
	RetryAfter    time.Duration // how long G2A asks to wait, 0 where it does not say
	Outcome       Outcome
	Kind          error
	Cause         error
}

// Temporary reports whether the same call may succeed later by itself, after
// RetryAfter where G2A says so: it is ErrThrottled, ErrUnavailable or
// ErrPaymentNotReady. That it may is not that it should: after an ErrUnavailable a call
// that charges, reveals or makes something may have been done already.
func (e *Error) Temporary() bool {
	return e.Kind == ErrThrottled || e.Kind == ErrUnavailable || e.Kind == ErrPaymentNotReady
}

// Error tells what was called and what happened, in one line.
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
	if e.Cause != nil {
		details = append(details, e.Cause.Error())
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, ", "))
	}
	return b.String()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// unsent is the error of a request that cannot be good.
func unsent(ctx context.Context, r request, fault *FieldError) error {
	_, id := correlated(ctx)
	return &Error{
		Method: r.method, Route: r.route, CorrelationID: id, Kind: ErrInvalidRequest, Cause: fmt.Errorf("not sent: %w", fault),
	}
}

// classify fills the error from an answer that is not a success. The body may be
// G2A's error object, HTML, empty or cut short: what can be read of it is used.
func (e *Error) classify(answer *answer, now time.Time, secrets []Secret) {
	var body struct {
		Message string `json:"message"`
		Code    string `json:"code"`
	}
	var grant struct { // OAuth2's error
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(answer.body, &body) == nil {
		if body.Code == "" && body.Message == "" && json.Unmarshal(answer.body, &grant) == nil {
			body.Code, body.Message = grant.Code, grant.Description
		}
		e.Code, e.Message = printable(body.Code, 40, secrets), printable(body.Message, 200, secrets)
	} else if len(answer.body) > 0 {
		// None of it is repeated: a call that was cut short may hold a key.
		e.Cause = errors.New("the error is not in JSON")
	}
	e.Status = answer.status
	e.RetryAfter = retryAfter(answer.header, now)
	e.Kind = kindOf(answer.status, e.Code)
}

func kindOf(status int, code string) error {
	if kind, known := kinds[code]; known && (kind == ErrUnavailable) == (status >= 500) {
		return kind
	}
	switch {
	case status == http.StatusTooManyRequests:
		return ErrThrottled
	case status >= 500:
		return ErrUnavailable
	case status == http.StatusUnauthorized:
		return ErrCredentialsRejected
	case status == http.StatusPaymentRequired:
		return ErrPaymentRequired
	case status == http.StatusNotFound:
		return ErrNotFound
	case status >= 400:
		return ErrInvalidRequest
	default: // a redirect, or a status of success that no call has
		return ErrMalformedAnswer
	}
}

// retryAfter reads the Retry-After header in both its forms, seconds and a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	// A number out of range is read as the greatest in it, some 136 years.
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// printable makes foreign text fit for a log line: one line, not long, and none
// of the call's secrets in it.
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

package g2a

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errNotG2A is the cause of an answer that G2A did not send: a firewall, a gateway or a
// proxy did, and knows nothing of the call.
var errNotG2A = errors.New("the answer is not G2A's")

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
	"ORD04":  ErrKeyAlreadyDownloaded, // as one public client has it, with HTTP 404
	"ORD01":  ErrInvalidRequest,       // an invalid order id, as the same client has it
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

// grantErrors are all codes of RFC 6749, section 5.2. Another word in their place is a
// gateway's.
var grantErrors = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

// verdict is what G2A states when it does not carry out a call.
type verdict struct {
	code, message string
	traceID       string
	existingID    string
	byStatus      bool // an unknown code means what the HTTP status does
}

// forms are those that each API has for its verdicts.
var forms = [apis][]func(map[string]json.RawMessage) (verdict, bool){
	exportAPI:   {exportVerdict, importVerdict, grantVerdict},
	exportV2API: {exportVerdict, envelopeVerdict, importVerdict, grantVerdict},
	importAPI:   {exportVerdict, existingVerdict, importVerdict, grantVerdict},
	tokenAPI:    {exportVerdict, envelopeVerdict, importVerdict, grantVerdict},
}

// readVerdict reads an error body in one of the forms that an API of G2A's has. Any other
// body is not G2A's.
func readVerdict(body []byte, of api) (verdict, bool) {
	members, err := readObject(withoutBOM(body))
	if err != nil {
		return verdict{}, false
	}
	for _, read := range forms[of] {
		if v, is := read(members); is {
			// The codes of these APIs are not public: there the HTTP status decides.
			v.byStatus = v.byStatus || of == exportV2API || of == importAPI
			return v, true
		}
	}
	return verdict{}, false
}

// existingOrder returns the id of the order that the Export API v2's 409 may hold, beside
// the error or in its place: as data, in the error, or by itself. No form is documented.
func existingOrder(body []byte) string {
	members, err := readObject(withoutBOM(body))
	if err != nil {
		return ""
	}
	data, _ := readObject(members["data"])
	inner, _ := readObject(members["error"])
	within, _ := readObject(inner["data"])
	if absent(members["totalPrice"]) {
		members = nil // an id alone may be of the answer, or a gateway's
	}
	for _, order := range []map[string]json.RawMessage{data, within, members} {
		if id, fault := readID("id", order["id"]); fault == nil {
			return id
		}
	}
	return ""
}

// exportVerdict reads {"status":"ERROR","message":"...","code":"..."}. A code that G2A
// documents stands for the status, and one that cannot be read makes it another form.
func exportVerdict(members map[string]json.RawMessage) (verdict, bool) {
	v := verdict{message: stringOf(members["message"])}
	if raw := members["code"]; !absent(raw) && string(raw) != `""` {
		code, fault := readID("code", raw)
		if fault != nil {
			return verdict{}, false
		}
		v.code = code
	}
	_, known := kinds[v.code]
	return v, known || stringOf(members["status"]) == "ERROR"
}

// envelopeVerdict reads the Export API v2's {"error":{"code":"...","message":"...",
// "status":404,"errors":[{"field":"...","message":"..."}]},"traceId":"..."}, any part of
// which may be absent.
func envelopeVerdict(members map[string]json.RawMessage) (verdict, bool) {
	inner, err := readObject(members["error"])
	if err != nil {
		return verdict{}, false
	}
	v := verdict{byStatus: true, traceID: stringOf(members["traceId"])}
	v.code, _ = readID("code", inner["code"])
	parts := []string{stringOf(inner["message"])}
	var fields []map[string]json.RawMessage
	_ = json.Unmarshal(inner["errors"], &fields) // for people: what cannot be read is left out
	for _, field := range fields {
		parts = append(parts, joined(": ", stringOf(field["field"]), stringOf(field["message"])))
	}
	v.message = joined("; ", parts...)
	return v, v.code != "" || v.message != "" || v.traceID != "" || !absent(inner["status"])
}

// joined joins the parts that are not empty.
func joined(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), separator)
}

// existingVerdict reads the Import API's {"data":{"offerId":"..."}}: what a creation would
// create is there already.
func existingVerdict(members map[string]json.RawMessage) (verdict, bool) {
	inner, err := readObject(members["data"])
	if err != nil {
		return verdict{}, false
	}
	id, fault := readID("offerId", inner["offerId"])
	return verdict{existingID: id}, fault == nil
}

// importVerdict reads {"errors":[{"code":"...","message":"..."}]}, of which the first
// counts.
func importVerdict(members map[string]json.RawMessage) (verdict, bool) {
	var all []map[string]json.RawMessage
	if json.Unmarshal(members["errors"], &all) != nil || len(all) == 0 {
		return verdict{}, false
	}
	v := verdict{code: stringOf(all[0]["code"]), message: stringOf(all[0]["message"])}
	return v, v.code != ""
}

// grantVerdict reads OAuth2's {"error":"...","error_description":"..."}.
func grantVerdict(members map[string]json.RawMessage) (verdict, bool) {
	v := verdict{code: stringOf(members["error"]), message: stringOf(members["error_description"])}
	return v, slices.Contains(grantErrors, v.code)
}

// stringOf returns a JSON string's value, or "".
func stringOf(raw json.RawMessage) string {
	var value string
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

// classify fills the error from an answer that is not a success.
func (e *Error) classify(a *answer, r request, now time.Time) {
	e.Status = a.status
	e.RetryAfter = retryAfter(a.header, now)
	v, isG2A := readVerdict(a.body, r.api)
	if r.api == exportV2API && r.effect == charges && a.status == http.StatusConflict {
		v.existingID = existingOrder(a.body)
		isG2A = isG2A || v.existingID != ""
	}
	if a.cut != nil || a.status < 400 {
		isG2A = false // G2A redirects nowhere
	}
	if !isG2A {
		e.Kind = ErrUnavailable
		if a.status < 500 || len(a.body) > 0 {
			e.Cause = errNotG2A // without any of it: it may hold a key
		}
		return
	}
	e.Outcome, e.Kind = judge(a.status, v, r.effect)
	e.Code, e.Message = printable(v.code, 40, r.secrets), printable(v.message, 200, r.secrets)
	e.TraceID, e.ExistingID = printable(v.traceID, 80, r.secrets), v.existingID
	if _, known := kinds[v.code]; r.effect == reveals {
		if e.Message, e.TraceID = "", ""; !known {
			e.Code = ""
		}
	}
}

// judge returns what became of a call that G2A has refused, and the error's kind.
func judge(status int, v verdict, does effect) (outcome Outcome, kind error) {
	kind, known := kinds[v.code]
	switch {
	case status >= 500:
		return OutcomeUnknown, ErrUnavailable // a refusal's code is not believed here
	case !known && v.code != "" && !v.byStatus:
		return OutcomeUnknown, ErrInvalidRequest
	case !known:
		kind = kindOf(status)
	}
	switch kind {
	case ErrThrottled, ErrCredentialsRejected, ErrNotFound, ErrInsufficientFunds, ErrTooLateToPay, ErrPaymentLimit:
		return NotDone, kind
	case ErrExists:
		if v.existingID != "" && does != charges { // an order by this key may be this very call's
			return NotDone, kind
		}
	case ErrInvalidRequest:
		if known || v.byStatus && refusesRequest(status) {
			return NotDone, kind
		}
	case ErrPaymentRequired, ErrPaymentNotReady:
		if does != charges { // to a payment they may say that it is in progress
			return NotDone, kind
		}
	case ErrKeyAlreadyDownloaded:
		if does == charges || does == reveals { // the order was paid, and the key given out
			return Done, kind
		}
	}
	return OutcomeUnknown, kind
}

// refusesRequest reports whether a status without a known code says that the request
// itself was refused, before anything was done.
func refusesRequest(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden || status == http.StatusUnprocessableEntity
}

// kindOf returns the kind of a refusal without a known code.
func kindOf(status int) error {
	switch status {
	case http.StatusTooManyRequests:
		return ErrThrottled
	case http.StatusUnauthorized:
		return ErrCredentialsRejected
	case http.StatusPaymentRequired:
		return ErrPaymentRequired
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	case http.StatusConflict:
		return ErrExists
	case http.StatusTooEarly:
		return ErrPaymentNotReady
	}
	return ErrInvalidRequest
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

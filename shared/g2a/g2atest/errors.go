package g2atest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// G2A's error codes, from its Developers API documentation.
const (
	codeNoAuthorization  = "AUTH01"
	codeUnknownMerchant  = "AUTH02"
	codeAddressForbidden = "AUTH03"
	codeNoPrivilege      = "AUTH04"
	codeInvalidJSON      = "BR01"
	codeInvalidData      = "BR02"
	codeTooManyRequests  = "BR03"
	codeOrderNotFound    = "ORD02"
	codeKeyDownloaded    = "ORD004"
	codePaymentNotReady  = "ORD03"
	codePaymentRequired  = "ORD05"
	codeNoFunds          = "ORD112"
	codeTooLateToPay     = "ORD114"
	codePayLimit         = "ORD121"
	codeBadGateway       = "ORD122"
)

// statusOf is the HTTP status each code comes with.
var statusOf = map[string]int{
	codeNoAuthorization:  http.StatusForbidden,
	codeUnknownMerchant:  http.StatusUnauthorized,
	codeAddressForbidden: http.StatusUnauthorized,
	codeNoPrivilege:      http.StatusUnauthorized,
	codeInvalidJSON:      http.StatusBadRequest,
	codeInvalidData:      http.StatusBadRequest,
	codeTooManyRequests:  http.StatusTooManyRequests,
	codeOrderNotFound:    http.StatusNotFound,
	codeKeyDownloaded:    http.StatusBadRequest,
	codePaymentNotReady:  http.StatusForbidden,
	codePaymentRequired:  http.StatusPaymentRequired,
	codeNoFunds:          http.StatusForbidden,
	codeTooLateToPay:     http.StatusForbidden,
	codePayLimit:         http.StatusForbidden,
	codeBadGateway:       http.StatusBadGateway,
}

// errorBody is G2A's error. Code is left out where its documentation has none.
type errorBody struct {
	Status  string `json:"status"` // always "ERROR"
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`

	fields []fieldError // of the Export API v2's envelope alone
}

// fail is the answer for one of G2A's codes.
func fail(code, format string, args ...any) answer {
	return answer{status: statusOf[code], body: errorBody{Status: "ERROR", Message: fmt.Sprintf(format, args...), Code: code}}
}

// notFound is the answer for an offer or a job that is not there, for which G2A's
// documentation has no code.
func notFound(what string) answer {
	return answer{status: http.StatusNotFound, body: errorBody{Status: "ERROR", Message: what + " not found"}}
}

// importErrors is the Import API's form of an error.
type importErrors struct {
	Errors []importError `json:"errors"`
}

type importError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// codeOfNone stands where the Import API's form must have a code and G2A's is not known.
const codeOfNone = "ERROR"

// inFormOf puts an error into the form that the route's API has for errors.
func inFormOf(route string, a answer) answer {
	body, isError := a.body.(errorBody)
	if isError && strings.Contains(route, " /v3/") {
		a.body = importErrors{Errors: []importError{{Code: cmp.Or(body.Code, codeOfNone), Message: body.Message}}}
	}
	return a
}

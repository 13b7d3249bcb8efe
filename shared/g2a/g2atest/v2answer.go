package g2atest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// The codes of the Export API v2 are not public; these are plausible.
const (
	codeV2Invalid      = "VALIDATION_ERROR"
	codeV2Unauthorized = "UNAUTHORIZED"
	codeV2NoFunds      = "INSUFFICIENT_FUNDS"
	codeV2NotFound     = "NOT_FOUND"
	codeV2Reused       = "IDEMPOTENCY_KEY_REUSED"
	codeV2Pending      = "PAYMENT_PENDING"
	codeV2Gone         = "KEYS_EXPIRED"
)

// envelope is the error of the Export API v2.
type envelope struct {
	Error   envelopeError `json:"error"`
	TraceID string        `json:"traceId"`
}

type envelopeError struct {
	Code    string       `json:"code"`
	Message string       `json:"message"`
	Status  int          `json:"status"`
	Errors  []fieldError `json:"errors"`
}

type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// v2Data is every answer of the Export API v2 that is no error.
type v2Data struct {
	Data any     `json:"data"`
	Meta *v2Meta `json:"meta,omitempty"`
}

// failV2 is an error of the Export API v2. The envelope is put around it by enveloped.
func failV2(status int, code, format string, args ...any) answer {
	return answer{status: status, body: errorBody{Status: "ERROR", Message: fmt.Sprintf(format, args...), Code: code}}
}

// invalidV2 is the error of a field or parameter that is not good.
func invalidV2(name, format string, args ...any) *answer {
	problem := fmt.Sprintf(format, args...)
	a := answer{status: http.StatusBadRequest, body: errorBody{
		Message: "Request is not valid", Code: codeV2Invalid, fields: []fieldError{{Field: name, Message: problem}},
	}}
	return &a
}

// enveloped has an error in the form of the Export API v2.
func (a answer) enveloped(traceID string) answer {
	if plain, isError := a.body.(errorBody); isError {
		a.body = envelope{TraceID: traceID, Error: envelopeError{
			Code: plain.Code, Message: plain.Message, Status: a.status, Errors: append([]fieldError{}, plain.fields...),
		}}
	}
	return a
}

// withBearer guards an operation of the Export API v2, and has its errors in the envelope.
func withBearer(do operation) operation {
	return func(s *Simulator, c *call) answer {
		token, found := strings.CutPrefix(c.header.Get("Authorization"), "Bearer ")
		reply := failV2(http.StatusUnauthorized, codeV2Unauthorized, "Access token is missing or expired")
		if found && s.issued(token, c.now) {
			reply = do(s, c)
		}
		return reply.enveloped(s.newTraceID())
	}
}

func (s *Simulator) newTraceID() string { return s.randomHex(2) }

// money is an amount as the Export API v2 writes it.
func (s *Simulator) money(amount decimal.Decimal) any {
	digits := number(amount)
	if s.options.V2.MoneyAsNumber {
		return digits
	}
	return digits.String()
}

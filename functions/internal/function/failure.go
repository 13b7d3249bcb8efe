package function

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// The names that errors have for Step Functions and everyone else who invokes a
// function. They are part of its interface.
const (
	OrderBusy        = "OrderBusy"        // another caller is at work on the order: try again
	G2AThrottled     = "G2AThrottled"     // try again
	G2AUnavailable   = "G2AUnavailable"   // try again
	StoreUnavailable = "StoreUnavailable" // DynamoDB or Secrets Manager: try again

	InvalidEvent        = "InvalidEvent"        // the payload is not of the function's form
	InvalidOrder        = "InvalidOrder"        // no order can be made of the input
	OrderConflict       = "OrderConflict"       // the order_ref belongs to another request, or cannot be cancelled
	CredentialsRejected = "CredentialsRejected" // G2A does not accept the credentials

	InternalError = "InternalError" // a defect, or a record that is damaged
)

// Fail makes of an error the one that the caller of the function sees: its Type is
// the name, its Message one line that says what happened. Its Error method is Go
// syntax, and not for the log.
func Fail(err error) messages.InvokeResponse_Error {
	return FailAs(nameOf(err), err)
}

// FailAs is Fail with a name that is known.
func FailAs(name string, err error) messages.InvokeResponse_Error {
	return messages.InvokeResponse_Error{Type: name, Message: oneLine(err)}
}

// CountRejection counts a failure that is CredentialsRejected: one metric for all
// functions, since one alarm is about one secret.
func CountRejection(metrics telemetry.Metrics, failure messages.InvokeResponse_Error) {
	if failure.Type == CredentialsRejected {
		metrics.Count("CredentialsRejected", telemetry.Dimension{})
	}
}

// nameOf returns the name of an error. What G2A's verdicts mean for an order is decided
// before: a call that failed is one to try again, unless the credentials are wrong.
func nameOf(err error) string {
	var invalid *purchase.InvalidOrder
	if errors.As(err, &invalid) {
		return InvalidOrder
	}
	// An error can be of several kinds, as when storing fails after a call has: the
	// first that fits names it.
	for _, kind := range []struct {
		err  error
		name string
	}{
		{purchase.ErrConflict, OrderConflict},
		{purchase.ErrNotCancellable, OrderConflict},
		{purchase.ErrBusy, OrderBusy},
		{store.ErrUnavailable, StoreUnavailable},
		{secrets.ErrUnavailable, StoreUnavailable},
		{g2a.ErrCredentialsRejected, CredentialsRejected},
		{g2a.ErrThrottled, G2AThrottled},
		{context.DeadlineExceeded, G2AUnavailable},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	var call *g2a.Error
	if errors.As(err, &call) {
		return G2AUnavailable
	}
	return InternalError
}

// oneLine writes joined errors, which stand on a line each, on one.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

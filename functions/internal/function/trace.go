package function

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// traced has a client of an AWS service put a span around each operation, with all its
// attempts: "DynamoDB GetItem". A nil tracer leaves the client as it is.
func traced(tracer telemetry.Tracer, service string) []func(*middleware.Stack) error {
	if tracer == nil {
		return nil
	}
	return []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		name := service + " " + stack.ID() // the operation
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Trace",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				ctx, end := tracer.Start(ctx, telemetry.AWS, name)
				out, metadata, err := next.HandleInitialize(ctx, in)
				end(outcome(err))
				return out, metadata, err
			}), middleware.Before)
	}}
}

// outcome returns what a trace may know of an operation: the status and, of an error, its
// code. The services' messages stay out of it, for they may quote keys and values of
// items.
func outcome(err error) (status int, reduced error) {
	if err == nil {
		return http.StatusOK, nil
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	var refusal smithy.APIError
	var line *net.OpError
	switch {
	case errors.As(err, &refusal):
		if (retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}).IsErrorThrottle(err) == aws.TrueTernary {
			status = http.StatusTooManyRequests // DynamoDB says it with a 400
		}
		return status, errors.New(refusal.ErrorCode())
	case errors.Is(err, context.Canceled):
		return status, context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return status, context.DeadlineExceeded
	case errors.As(err, &line):
		return status, line // addresses, nothing of what was sent
	default:
		return status, errors.New("not sent, or an answer that cannot be read")
	}
}

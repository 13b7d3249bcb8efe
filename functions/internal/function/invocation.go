package function

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// traceHeader is the key under which aws-lambda-go keeps the invocation's X-Ray
// header: "Root=1-...;Parent=...;Sampled=1".
const traceHeader = "x-amzn-trace-id"

// rootPattern is what X-Ray's roots look like. Another one comes from outside.
var rootPattern = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)

// Correlate gives an invocation its correlation id: the root of its trace, which all
// invocations of one workflow's execution share, or else Lambda's id of the
// invocation. A log line, a call at G2A and a trace are found by the same id.
func Correlate(ctx context.Context) context.Context {
	header, _ := ctx.Value(traceHeader).(string)
	for part := range strings.SplitSeq(header, ";") {
		if root, found := strings.CutPrefix(strings.TrimSpace(part), "Root="); found && rootPattern.MatchString(root) {
			return g2a.WithCorrelationID(ctx, root)
		}
	}
	if lambda, found := lambdacontext.FromContext(ctx); found {
		return g2a.WithCorrelationID(ctx, lambda.AwsRequestID)
	}
	return ctx
}

// CheckEvent reports why the payload is not a JSON object: an InvalidEvent.
func CheckEvent(payload []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(payload, &object); err != nil || object == nil {
		return errors.New("the event is not a JSON object")
	}
	return nil
}

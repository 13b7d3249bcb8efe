package function

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// traceHeader is the key under which aws-lambda-go keeps the invocation's X-Ray
// header: "Root=1-...;Parent=...;Sampled=1".
const traceHeader = "x-amzn-trace-id"

// Correlate gives an invocation its correlation id: the root of its trace, which all
// invocations of one workflow's execution share. A log line, a call at G2A and a
// trace are found by the same id.
func Correlate(ctx context.Context) context.Context {
	header, _ := ctx.Value(traceHeader).(string)
	for part := range strings.SplitSeq(header, ";") {
		if root, found := strings.CutPrefix(strings.TrimSpace(part), "Root="); found {
			return g2a.WithCorrelationID(ctx, root)
		}
	}
	return ctx // each call at G2A then makes its own
}

// CheckEvent gives an InvalidEvent when the payload is no JSON object.
func CheckEvent(payload []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(payload, &object); err != nil || object == nil {
		return FailAs(InvalidEvent, errors.New("the event is not a JSON object"))
	}
	return nil
}

package xray

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
)

// traceHeader is the key under which aws-lambda-go keeps the invocation's X-Ray header:
// "Root=1-...;Parent=...;Sampled=1".
const traceHeader = "x-amzn-trace-id"

// sampled returns the trace of the invocation and the segment that Lambda has made for
// it. Not found means there is nothing to send: Lambda does not sample this invocation, or
// there is no trace.
func sampled(ctx context.Context) (root, segment string, found bool) {
	header, _ := ctx.Value(traceHeader).(string)
	for part := range strings.SplitSeq(header, ";") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key {
		case "Root":
			root = value
		case "Parent":
			segment = value
		case "Sampled":
			found = value == "1"
		}
	}
	return root, segment, found && root != "" && segment != ""
}

// allowed replaces what X-Ray does not take in a name.
var allowed = strings.NewReplacer("{", ":", "}", "")

// blame returns how X-Ray shows a call that failed with this HTTP status, 0 for none: as
// an error, which is the caller's, or a fault, which is the service's.
func blame(status int) (isError, isFault, isThrottle bool) {
	isError = status >= 400 && status < 500
	return isError, !isError, status == http.StatusTooManyRequests
}

// warn logs that spans are lost. Nothing else depends on them.
func warn(log *slog.Logger, cause string) { log.Warn("X-Ray", "error", cause) }

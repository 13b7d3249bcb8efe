package g2a

import (
	"context"
	"crypto/rand"
	"regexp"
)

// HeaderCorrelationID carries the correlation id of a call to G2A.
const HeaderCorrelationID = "X-Correlation-ID"

type correlationKey struct{}

// WithCorrelationID sets the correlation id of the calls made with the context.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID returns the context's correlation id, or "".
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

// correlationPattern is what may stand in the header. Another id is replaced, so
// that no call fails for it.
var correlationPattern = regexp.MustCompile(`^[!-~]{1,256}$`)

// correlated returns a context that has a correlation id, and the id.
func correlated(ctx context.Context) (context.Context, string) {
	id := CorrelationID(ctx)
	if correlationPattern.MatchString(id) {
		return ctx, id
	}
	id = rand.Text()
	return WithCorrelationID(ctx, id), id
}

package g2a

import "context"

// HeaderCorrelationID carries the correlation id of a call to G2A.
const HeaderCorrelationID = "X-Correlation-ID"

type correlationKey struct{}

// WithCorrelationID gives the calls made with the context this correlation id.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID gives the context's correlation id, or "".
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

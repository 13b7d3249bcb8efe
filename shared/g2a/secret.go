package g2a

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every way of printing a Secret says.
const redacted = "[redacted]"

// Secret is a credential, a token, a signature or a product key. Every way of
// printing it (fmt, log/slog, encoding/json and text) says "[redacted]"; only
// Reveal returns the value. The zero Secret is the absent one.
//
// The value stands behind a pointer, so that a Secret in an unexported field,
// where fmt cannot call its methods, prints as an address.
type Secret struct {
	value *string
}

// NewSecret wraps value. An empty value is the zero Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value itself: for the wire, a MAC or the store, never for
// something that is printed.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is absent.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares two secrets in a time that does not depend on where they
// differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Format implements fmt.Formatter, which covers every verb, %#v and %d included.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted)
}

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and so covers JSON, XML and
// JSON object keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String implements fmt.Stringer, for those who call it directly.
func (s Secret) String() string { return redacted }

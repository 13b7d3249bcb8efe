package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	smithyrand "github.com/aws/smithy-go/rand"
)

func newRequestID() string {
	id, _ := smithyrand.NewUUID(rand.Reader).GetUUID() // fails when rand.Reader does: never
	return id
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails: see its documentation
	return hex.EncodeToString(b)
}

// completeTraceID keeps what an X-Amzn-Trace-Id header says and fills in what it
// does not, so that a function always finds a root, a parent and the decision.
func completeTraceID(header string, now time.Time) string {
	parts := map[string]string{
		"Root":    fmt.Sprintf("1-%08x-%s", now.Unix(), randomHex(12)),
		"Parent":  randomHex(8),
		"Sampled": "1",
	}
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, known := parts[name]; known && value != "" {
			parts[name] = value
		}
	}
	return "Root=" + parts["Root"] + ";Parent=" + parts["Parent"] + ";Sampled=" + parts["Sampled"]
}

package function_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLogOfFailures runs a function on a Runtime API: everything aws-lambda-go
// writes about an error and a panic is a JSON line.
func TestLogOfFailures(t *testing.T) {
	var mu sync.Mutex
	var reported []string
	invocations := 0
	runtime := http.NewServeMux()
	runtime.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		invocations++
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("request-%d", invocations))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
		_, _ = io.WriteString(w, `{}`)
	})
	runtime.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, string(body))
		w.WriteHeader(http.StatusAccepted)
	})
	server := httptest.NewServer(runtime)
	defer server.Close()

	lines, exitCode := runAsFunction(t, "fails, then panics", "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))

	if want := `{"errorMessage":"one; the store is not available","errorType":"StoreUnavailable"}`; len(reported) != 2 || reported[0] != want {
		t.Errorf("reported to the Runtime API: %q, want first %s and then the panic", reported, want)
	}
	if exitCode == 0 {
		t.Error("the function has survived its panic")
	}
	for _, want := range []string{"StoreUnavailable", "out of", "panic"} {
		if !anyMessage(lines, want) {
			t.Errorf("no line at level ERROR tells of %q: %v", want, lines)
		}
	}
}

func anyMessage(lines []map[string]any, text string) bool {
	for _, line := range lines {
		if message, _ := line["message"].(string); line["level"] == "ERROR" && strings.Contains(message, text) {
			return true
		}
	}
	return false
}

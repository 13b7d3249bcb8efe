package function_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLogOfFailures runs a function on a Runtime API: an error and a panic are one JSON
// line each, with the correlation id of their invocation.
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
		w.Header().Set("Lambda-Runtime-Trace-Id", "Root="+[]string{firstRoot, secondRoot}[min(invocations, 2)-1])
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

	if told := `{"errorMessage":"one; the store is not available","errorType":"StoreUnavailable"}`; len(reported) != 2 || reported[0] != told {
		t.Errorf("reported to the Runtime API: %q, want first %s and then the panic", reported, told)
	}
	if exitCode == 0 {
		t.Error("the function has survived its panic")
	}
	var failures []string
	for _, line := range lines {
		if line["version"] != "unknown" { // of a test binary
			t.Errorf("a line without the version: %v", line)
		}
		if line["level"] == "ERROR" {
			failures = append(failures, fmt.Sprintf("%v %v", line["message"], line["correlation_id"]))
		}
	}
	// Each one once, though aws-lambda-go logs both again; what else is written to package
	// log is kept.
	want := []string{
		"it failed " + firstRoot, "a library's own words <nil>", "the function panicked " + secondRoot,
		"calling the handler function resulted in a panic, the process should exit <nil>", // its last words
	}
	if !slices.Equal(failures, want) {
		t.Errorf("logged %q, want %q", failures, want)
	}
}

// TestBrokenFunctionsAreCounted: the template makes a metric of the lines of a function that
// cannot start and of one that panics, in the words that the tests here want logged.
func TestBrokenFunctionsAreCounted(t *testing.T) {
	template, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const filter = `'{ $.message = "the function cannot start" || $.message = "the function panicked" }'`
	if found := strings.Count(string(template), filter); found != 4 {
		t.Errorf("%d functions have the filter %s, want 4", found, filter)
	}
}

const (
	firstRoot  = "1-5759e988-bd862e3fe1be46a994272791"
	secondRoot = "1-5759e988-bd862e3fe1be46a994272792"
)

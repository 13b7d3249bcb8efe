package function_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	stdlog "log"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

// asFunction is set where the test binary runs as a function, and says as which.
const asFunction = "TEST_AS_FUNCTION"

func TestMain(m *testing.M) {
	log := function.NewLogger(os.Stdout)
	switch os.Getenv(asFunction) {
	case "":
		os.Exit(m.Run())
	case "reads its environment":
		function.MustReadEnvironment(log)
		log.Info("started")
	case "fails, then panics":
		function.Start(log, &failing{log: log})
	}
}

// failing is a handler that fails, logs it, and then panics.
type failing struct {
	log    *slog.Logger
	failed bool
}

func (f *failing) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	if f.failed {
		panic("out of\norder")
	}
	f.failed = true
	failure := function.Fail(errors.Join(errors.New("one"), store.ErrUnavailable))
	f.log.ErrorContext(function.Correlate(ctx), "it failed", "error_name", failure.Type)
	stdlog.Print("a library's own words")
	return nil, failure
}

// runAsFunction runs the test binary as a function and gives what it wrote, each
// line of it a JSON object, and its exit code.
func runAsFunction(t *testing.T, as string, environment ...string) (lines []map[string]any, exitCode int) {
	t.Helper()
	var output bytes.Buffer
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append([]string{asFunction + "=" + as, "GOCOVERDIR=" + t.TempDir()}, environment...) // -cover would warn without it
	child.Stdout, child.Stderr = &output, &output
	var exit *exec.ExitError
	if err := child.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running as a function: %v", err)
	}
	for scanner := bufio.NewScanner(&output); scanner.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("a line that is not a JSON object: %q", scanner.Text())
		}
		lines = append(lines, line)
	}
	return lines, child.ProcessState.ExitCode()
}

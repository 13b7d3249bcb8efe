package moto

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/servertest"
)

// Python gives the Python with moto and statelint, from the project's folder. Where it
// was not fetched the test is skipped; with CI=true it fails.
func Python(t testing.TB, project string) string {
	t.Helper()
	python := filepath.Join(project, ".local", "moto", "bin", "python")
	if _, err := os.Stat(python); err == nil {
		return python
	}
	missing := "moto was not fetched, run `make moto`"
	if _, err := exec.LookPath("python3"); err != nil {
		missing = "python3 is missing"
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skipf("NOT RUN on moto and statelint: %s", missing)
	return ""
}

// Start starts moto's server, with these variables besides what any program needs, and
// waits until ready finds it so. It ends with the test's process.
func Start(python string, ready func(ctx context.Context, url string) error, variables ...string) (url string, err error) {
	return servertest.Start(servertest.Program{
		Command: func(port int) []string {
			return []string{python, "-m", "moto.server", "-H", "127.0.0.1", "-p", strconv.Itoa(port)}
		},
		// Nothing else of this environment: neither somebody's AWS profile nor a proxy.
		Environment: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, variables...),
		Ready:       ready,
	})
}

// Package functions_test holds the recipe of the functions' binaries to what it promises.
package functions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBuild builds one function twice, from copies of the source in two folders outside
// git: the bytes are the same. The binary logs the version it was built as.
func TestBuild(t *testing.T) {
	const version = "v1.4.0-2-g5d41402"
	first := build(t, filepath.Join(t.TempDir(), "a"), "VERSION="+version)
	second := build(t, filepath.Join(t.TempDir(), "another", "folder"), "VERSION="+version)
	if !bytes.Equal(read(t, first), read(t, second)) {
		t.Errorf("%s and %s differ", first, second)
	}
	if got := loggedVersion(t, first); got != version {
		t.Errorf("the binary logs version %q, want %q", got, version)
	}
	if got := loggedVersion(t, build(t, filepath.Join(t.TempDir(), "c"))); got != "unknown" {
		t.Errorf("a binary built outside git logs version %q", got)
	}
}

// build copies the source to a folder, and builds a function there for this machine by the
// recipe of all.
func build(t *testing.T, folder string, settings ...string) (binary string) {
	t.Helper()
	for _, name := range []string{"functions", "shared"} {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Makefile", "go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(folder, name), read(t, filepath.Join("..", name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recipe := exec.CommandContext(t.Context(), "make", append([]string{"build", "FUNCTIONS=token"}, settings...)...)
	recipe.Dir = folder
	// Not those of a make that runs this test, and no repository above the folder.
	recipe.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "MAKE") })
	recipe.Env = append(recipe.Env, "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder))
	if said, err := recipe.CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, said)
	}
	return filepath.Join(folder, "build", "token", "bootstrap")
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name) // #nosec G304 -- the test's own
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// loggedVersion runs a binary without its environment, of which it says so in one line.
func loggedVersion(t *testing.T, binary string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary) // #nosec G204 -- built above
	run.Env = []string{}
	said, err := run.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("it has not failed: %v, %s", err, said)
	}
	var line struct{ Message, Version string }
	if err := json.Unmarshal(said, &line); err != nil || line.Message != "the function cannot start" {
		t.Fatalf("%v: it logged %q", err, said)
	}
	return line.Version
}

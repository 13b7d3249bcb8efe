package localcloudtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Root makes a folder of the test's own with the template and the binaries of the
// project, whose folder it is told: the root of a cloud. It has the binaries built first,
// once in a process, so that tests never run on binaries of older code.
func Root(t testing.TB, project string) string {
	t.Helper()
	building.Do(func() { notBuilt = build(project) })
	if notBuilt != nil {
		t.Fatalf("building the functions: %v", notBuilt)
	}
	root := t.TempDir()
	for _, name := range []string{"template.yaml", "build"} {
		target, err := filepath.Abs(filepath.Join(project, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var (
	building sync.Once
	notBuilt error
)

// build runs make build, one test's process at a time. Go leaves a binary alone that is
// up to date, so that the processes of other packages keep theirs.
func build(project string) error {
	folder := filepath.Join(project, "build")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	lock, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // released by Close
		return fmt.Errorf("locking %s: %w", folder, err)
	}
	said, err := exec.Command("make", "--no-print-directory", "-C", project, "build").CombinedOutput()
	if err != nil {
		return fmt.Errorf("make build: %w\n%s", err, said)
	}
	return nil
}

// TraceRoot makes the root of a trace of X-Ray, by which an invocation is found.
func TraceRoot() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails: see its documentation
	return fmt.Sprintf("1-%08x-%s", time.Now().Unix(), hex.EncodeToString(id[:]))
}

// Texts gives an item's texts and numbers.
func Texts(item map[string]types.AttributeValue) map[string]string {
	texts := map[string]string{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			texts[name] = v.Value
		case *types.AttributeValueMemberN:
			texts[name] = v.Value
		}
	}
	return texts
}

// Number reads a variable that sets how much a test does, or what it repeats.
func Number(t testing.TB, variable string, otherwise uint64) uint64 {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s: %q is not a whole number of at least 1", variable, value)
	}
	return n
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// DynamoDBLocal gives the URL of a DynamoDB Local that all tests of the process
// share: use tables by names of your own. It ends with the process, however that
// ends. Without Java, or where it was not fetched, the test is skipped; with
// CI=true it fails.
func DynamoDBLocal(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint, err := started()
	var missing *missingError
	switch {
	case errors.As(err, &missing) && os.Getenv("CI") != "true":
		t.Skipf("NOT RUN on DynamoDB Local: %v", err)
	case err != nil:
		t.Fatalf("DynamoDB Local: %v", err)
	}
	return endpoint
}

// missingError tells what this machine lacks.
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what }

var started = sync.OnceValues(func() (string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return "", &missingError{"java is missing"}
	}
	lib, err := engineFolder()
	if err != nil {
		return "", err
	}
	// Another process may take the free port before Java does: then once more.
	for try := 1; ; try++ {
		endpoint, err := start(java, lib)
		if err == nil || try == 3 {
			return endpoint, err
		}
	}
})

// engineFolder finds what `make dynamodb-local` fetches, from the module's root.
func engineFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; !exists(filepath.Join(dir, "go.mod")); dir = filepath.Dir(dir) {
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the test's folder")
		}
	}
	lib := filepath.Join(dir, ".local", "dynamodb-local", "lib")
	if !exists(lib) {
		return "", &missingError{"it was not fetched, run `make dynamodb-local`"}
	}
	return lib, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keeper runs a program until its own standard input ends, which is when the
// process that started it is gone, killed or not.
const keeper = `
"$@" </dev/null &
engine=$!
exec 3<&0
{ cat <&3 >/dev/null; kill -9 $engine; } 2>/dev/null &
wait $engine`

// readyWithin bounds the start of a JVM on a machine that is busy with other tests.
const readyWithin = 90 * time.Second

// start starts the engine on a free port and waits until it answers.
func start(java, lib string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	said, err := os.CreateTemp("", "dynamodb-local-*.log")
	if err != nil {
		return "", err
	}
	defer said.Close()
	defer os.Remove(said.Name())
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper",
		java, "-Xmx512m", "-cp", filepath.Join(lib, "*"), "software.amazon.dynamodb.services.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = said, said
	input, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting it: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	endpoint := "http://127.0.0.1:" + strconv.Itoa(port)
	if err := waitReady(endpoint, ended); err != nil {
		_ = input.Close()
		words, _ := os.ReadFile(said.Name())
		return "", fmt.Errorf("%w; it said: %s", err, words)
	}
	return endpoint, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitReady waits until the engine lists its tables.
func waitReady(endpoint string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	db := client(endpoint, http.DefaultTransport)
	for {
		_, err := db.ListTables(ctx, &dynamodb.ListTablesInput{})
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("it ended: %w", errors.Join(end, io.ErrUnexpectedEOF))
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", readyWithin, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

package storetest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/servertest"
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
	return servertest.Start(servertest.Program{
		Command: func(port int) []string {
			return []string{
				java, "-Xmx512m", "-cp", filepath.Join(lib, "*"), "software.amazon.dynamodb.services.local.main.ServerRunner",
				"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port),
			}
		},
		Ready: func(ctx context.Context, url string) error {
			_, err := client(url, http.DefaultTransport).ListTables(ctx, &dynamodb.ListTablesInput{})
			return err
		},
	})
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

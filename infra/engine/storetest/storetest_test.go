package storetest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/engine/storetest"
	"github.com/g2a-lambda/g2a-lambda/shared/store"
)

func TestRun(t *testing.T) {
	storetest.Run(t, func(t *testing.T, e *storetest.Engine) {
		for _, table := range []string{e.StateTable, e.OrdersTable} {
			if err := store.Ping(context.Background(), e.DB, table); err != nil {
				t.Error(err)
			}
		}
	})
}

// The engine must not outlive its test process, even one that had no time to tidy.
func TestDynamoDBLocalEndsWithItsProcess(t *testing.T) {
	if os.Getenv("STORETEST_CHILD") != "" {
		fmt.Println("engine", storetest.DynamoDBLocal(t))
		select {} // until killed
	}
	storetest.DynamoDBLocal(t) // skips or fails where there is no engine
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), "STORETEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	var endpoint string
	lines := bufio.NewScanner(out)
	for endpoint == "" && lines.Scan() {
		if after, found := strings.CutPrefix(lines.Text(), "engine http://"); found {
			endpoint = after
		}
	}
	if endpoint == "" {
		t.Fatal("the child named no engine")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	for until := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", endpoint)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(until) {
			t.Fatalf("the engine at %s still answers", endpoint)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDynamoDBLocalMissing(t *testing.T) {
	for name, c := range map[string]struct{ ci, want string }{
		"by hand": {"", "--- SKIP"},
		"in CI":   {"true", "--- FAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestRun$", "-test.v")
			child.Env = append(os.Environ(), "PATH=", "CI="+c.ci)
			out, _ := child.CombinedOutput() // the exit code is in what it says
			for _, want := range []string{c.want + ": TestRun/DynamoDB_Local", "java is missing", "--- PASS: TestRun/minidyn"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("want %q in\n%s", want, out)
				}
			}
		})
	}
}

//go:build proof

package tokens

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/localcloudtest"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/secretsmanager"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	proof "github.com/g2a-lambda/g2a-lambda/infra/proof/stack"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

var renewed = g2a.Credentials{Hash: g2a.NewSecret("renewed-hash-of-the-token-test"), Key: g2a.NewSecret("renewed-key-of-the-token-test")}

const getSecretValue = "secretsmanager.GetSecretValue"

// vault is a Secrets Manager with a line to it.
type vault struct {
	endpoint string
	line     *line
}

func newVault(t *testing.T) vault {
	tap := proof.NewTap(secretsmanager.New(template.Region, template.AccountID, time.Now))
	listening := httptest.NewServer(tap)
	t.Cleanup(listening.Close)
	return vault{listening.URL, newLine(tap)}
}

// reads is how many reads there were since the last call of it.
func (v vault) reads() int { return v.line.taken()[getSecretValue] }

// keptFor is how long a value is kept: HANGTEST_SECONDS, 2 unless it is set. With the
// 300 of the product, the functions' binaries are the product's, and tests take minutes;
// with any other number WebhookFunction is built with that one in its place.
func keptFor(t *testing.T) time.Duration {
	return time.Duration(localcloudtest.Number(t, "HANGTEST_SECONDS", 2)) * time.Second
}

// keeping makes an option for a cloud whose WebhookFunction keeps values for a time.
func keeping(t *testing.T, kept time.Duration, v vault) func(*localcloud.Options) {
	const product = 5 * time.Minute
	return func(o *localcloud.Options) {
		o.SecretsEndpoint, o.Concurrency = v.endpoint, 1
		if kept == product {
			return
		}
		built := filepath.Join(o.Root, "build")
		must(t, os.Remove(built)) // the link
		must(t, os.Mkdir(built, 0o750))
		for _, function := range []string{"order", "token", "health"} {
			target, err := filepath.Abs(filepath.Join(proof.Repository, "build", function))
			must(t, err)
			must(t, os.Symlink(target, filepath.Join(built, function)))
		}
		buildWebhook(t, filepath.Join(built, "webhook", "bootstrap"), "= 5 * time.Minute\n", fmt.Sprintf("= %d * time.Second\n", kept/time.Second))
	}
}

// buildWebhook builds WebhookFunction, with one change of how secrets are read.
func buildWebhook(t *testing.T, binary, replace, by string) {
	t.Helper()
	source, err := filepath.Abs(filepath.Join(proof.Repository, "shared", "secrets", "read.go"))
	must(t, err)
	text, err := os.ReadFile(source)
	must(t, err)
	if strings.Count(string(text), replace) != 1 {
		t.Fatalf("%s has not one %q", source, replace)
	}
	changed, overlay := filepath.Join(t.TempDir(), "read.go"), filepath.Join(t.TempDir(), "overlay.json")
	must(t, os.WriteFile(changed, []byte(strings.Replace(string(text), replace, by, 1)), 0o600))
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	must(t, err)
	must(t, os.WriteFile(overlay, replaced, 0o600))
	build := exec.Command("go", "build", "-overlay", overlay, "-trimpath", "-tags", "lambda.norpc", "-o", binary, "./functions/webhook")
	build.Dir, build.Env = proof.Repository, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building WebhookFunction: %v\n%s", err, said)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// delivery is one webhook's answer, and how long it took.
type delivery struct {
	status int
	result string
	took   time.Duration
}

// deliver has one new event delivered, signed with a hash.
func (s *stack) deliver(signer g2a.Credentials) delivery {
	s.t.Helper()
	s.webhooks++
	s.Simulator.SetCredentials(signer, original, renewed)
	began := time.Now()
	sent, err := s.Simulator.Deliver(context.WithoutCancel(s.t.Context()), g2atest.Webhook{
		OrderID: fmt.Sprint(9000000 + s.webhooks), Type: g2a.EventOrderCompleted, Status: g2a.StatusCompleted,
	})
	must(s.t, err)
	d := sent.Deliveries[0]
	return delivery{d.Status, string(d.Body), time.Since(began)}
}

// accepted wants a webhook accepted.
func (s *stack) accepted(when string, signer g2a.Credentials) delivery {
	s.t.Helper()
	d := s.deliver(signer)
	if d.status != http.StatusOK || d.result != `{"result":"processed"}` {
		s.t.Errorf("%s: a webhook is answered %d %s after %s, want it processed", when, d.status, d.result, d.took)
	}
	return d
}

// refused wants a webhook answered with a status.
func (s *stack) refused(when string, signer g2a.Credentials, status int) delivery {
	s.t.Helper()
	d := s.deliver(signer)
	if d.status != status {
		s.t.Errorf("%s: a webhook is answered %d %s after %s, want %d", when, d.status, d.result, d.took, status)
	}
	return d
}

// signal sends a signal to WebhookFunction's one process, which runs the binary by a
// path that only this cloud has.
func (s *stack) signal(signal syscall.Signal) {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(s.t, err)
	var pids []int
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(line), filepath.Join(s.Root, "build", "webhook", "bootstrap")+"\x00") {
			continue // it has ended, or is another one's
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/cmdline", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) != 1 {
		s.t.Fatalf("WebhookFunction has the processes %v, want one", pids)
	}
	must(s.t, syscall.Kill(pids[0], signal))
}

func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only on Linux are the function's processes found, through /proc")
	}
}

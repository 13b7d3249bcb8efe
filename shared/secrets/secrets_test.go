package secrets_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
)

var _ g2a.RefreshingSource = (*secrets.Credentials)(nil)

const (
	v0 = `{"api_key":"key-v0","api_hash":"hash-v0"}`
	v1 = `{"api_key":"key-v1","api_hash":"hash-v1"}`
	v2 = `{"api_key":"key-v2","api_hash":"hash-v2"}`
)

// manager is a Secrets Manager with one secret, "g2a". A value of "" is a version
// that is not there, "binary" one without a text.
type manager struct {
	mu     sync.Mutex
	values map[string]string // by stage
	err    error
	asked  []string
}

func (m *manager) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	for range 100 { // as a call over the network lets others run
		runtime.Gosched()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, *in.VersionStage)
	value := m.values[*in.VersionStage]
	switch {
	case *in.SecretId != "g2a":
		return nil, errors.New("another secret was asked for")
	case m.err != nil:
		return nil, m.err
	case value == "":
		return nil, &types.ResourceNotFoundException{}
	case value == "binary":
		return &secretsmanager.GetSecretValueOutput{SecretBinary: []byte("hunter2")}, nil
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

func (m *manager) set(current, previous string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = map[string]string{"AWSCURRENT": current, "AWSPREVIOUS": previous}
}

// fixture is a secret and a clock that the test turns.
type fixture struct {
	*manager
	now         time.Time
	credentials *secrets.Credentials
}

func newFixture(current, previous string) *fixture {
	f := &fixture{manager: &manager{}, now: time.Unix(1764000000, 0)}
	f.set(current, previous)
	f.credentials = secrets.New(f.manager, "g2a", func() time.Time { return f.now })
	return f
}

func texts(hashes []g2a.Secret) string {
	var all []string
	for _, hash := range hashes {
		all = append(all, hash.Reveal())
	}
	return strings.Join(all, " ")
}

// expectHashes asks for the hashes and counts what that reads.
func (f *fixture) expectHashes(t *testing.T, what string, ask func(context.Context) ([]g2a.Secret, error), want string, reads int) {
	t.Helper()
	before := len(f.asked)
	hashes, err := ask(t.Context())
	if err != nil || texts(hashes) != want {
		t.Errorf("%s: hashes are %q, error %v; want %q", what, texts(hashes), err, want)
	}
	if got := len(f.asked) - before; got != reads {
		t.Errorf("%s: %d reads, want %d", what, got, reads)
	}
}

func TestHashes(t *testing.T) {
	tests := []struct {
		name              string
		current, previous string
		want              string
	}{
		{"never rotated", v1, "", "hash-v1"},
		{"rotated", v1, v0, "hash-v1 hash-v0"},
		{"previous is not JSON", v1, "changeme", "hash-v1"},
		{"previous has no hash", v1, `{"api_key":"key-v0"}`, "hash-v1"},
		{"previous has no text", v1, "binary", "hash-v1"},
		{"previous holds an empty hash", v1, `{"api_key":"key-v0","api_hash":""}`, "hash-v1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(test.current, test.previous)
			f.expectHashes(t, "first", f.credentials.Hashes, test.want, 2)
			f.expectHashes(t, "again", f.credentials.Hashes, test.want, 0)
		})
	}
}

func TestCredentials(t *testing.T) {
	f := newFixture(v1, v0)
	for range 2 {
		c, err := f.credentials.Credentials(t.Context())
		if err != nil || c.Hash.Reveal() != "hash-v1" || c.Key.Reveal() != "key-v1" {
			t.Errorf("error %v, or other credentials", err)
		}
	}
	if got := strings.Join(f.asked, " "); got != "AWSCURRENT" {
		t.Errorf("read %q, want the current version once", got)
	}
}

func TestUnusable(t *testing.T) {
	tests := []struct {
		name    string
		current string
		err     error
		want    string
	}{
		{"not there", "", nil, "reading secret g2a (AWSCURRENT): the credentials cannot be read: ResourceNotFoundException"},
		{"Secrets Manager fails", v1, errors.New("throttled"), "reading secret g2a (AWSCURRENT): the credentials cannot be read: throttled"},
		{"no text", "binary", nil, "secret g2a (AWSCURRENT): the credentials cannot be read: is not a text"},
		{"not JSON", "hunter2", nil, `secret g2a (AWSCURRENT): the credentials cannot be read: is not a JSON object`},
		{"a list", `["hunter2"]`, nil, `secret g2a (AWSCURRENT): the credentials cannot be read: is not a JSON object`},
		{"a field of the wrong type", `{"api_key":{"hunter2":1},"api_hash":"h"}`, nil, `secret g2a (AWSCURRENT): the credentials cannot be read: is not a JSON object`},
		{"no hash", `{"api_key":"hunter2"}`, nil, "secret g2a (AWSCURRENT): the credentials cannot be read: the API hash is missing"},
		{"no key", `{"api_hash":"hunter2"}`, nil, "secret g2a (AWSCURRENT): the credentials cannot be read: the API key is missing"},
		{"a line break in the key", `{"api_hash":"h","api_key":"hunter2\n"}`, nil, "secret g2a (AWSCURRENT): the credentials cannot be read: the API key holds a character"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(test.current, v0)
			f.err = test.err
			_, credentialsErr := f.credentials.Credentials(t.Context())
			_, hashesErr := f.credentials.Hashes(t.Context())
			_, refreshedErr := f.credentials.RefreshedHashes(t.Context())
			for _, err := range []error{credentialsErr, hashesErr, refreshedErr} {
				if !errors.Is(err, secrets.ErrUnavailable) || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("error is %v, want %q", err, test.want)
				}
				if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error tells the value, or is not one line: %v", err)
				}
			}
			f.err = nil
			f.set(v1, v0)
			f.expectHashes(t, "as soon as it is mended", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		})
	}
}

// TestHashesNeedBothReads: with the previous version not read, and not known to be
// absent, a good signature could be refused.
func TestHashesNeedBothReads(t *testing.T) {
	f := newFixture(v1, v0)
	if _, err := f.credentials.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.err = errors.New("throttled")
	if _, err := f.credentials.Hashes(t.Context()); !errors.Is(err, secrets.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
}

func TestRotation(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.set(v2, v1)
	f.now = f.now.Add(5*time.Minute - 1)
	f.expectHashes(t, "before five minutes", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.now = f.now.Add(1)
	f.expectHashes(t, "after five minutes", f.credentials.Hashes, "hash-v2 hash-v1", 2)
}

func TestRefresh(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.set(v2, v1)
	f.expectHashes(t, "rotated a moment after", f.credentials.RefreshedHashes, "hash-v2 hash-v1", 2)
	f.set(v0, v2)
	for range 100 {
		f.expectHashes(t, "forged webhooks", f.credentials.RefreshedHashes, "hash-v2 hash-v1", 0)
	}
	f.now = f.now.Add(10*time.Second - 1)
	f.expectHashes(t, "before ten seconds", f.credentials.RefreshedHashes, "hash-v2 hash-v1", 0)
	f.now = f.now.Add(1)
	f.expectHashes(t, "after ten seconds", f.credentials.RefreshedHashes, "hash-v0 hash-v2", 2)
}

func TestRefreshedCredentials(t *testing.T) {
	f := newFixture(v1, v0)
	if _, err := f.credentials.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.set(v2, v1)
	for _, step := range []struct {
		name  string
		after time.Duration
		want  string
		asked int
	}{
		{"rotated a moment after", 0, "key-v2", 2},
		{"again", 9 * time.Second, "key-v2", 2},
		{"after ten seconds", time.Second, "key-v2", 3},
	} {
		f.now = f.now.Add(step.after)
		c, err := f.credentials.RefreshedCredentials(t.Context())
		if err != nil || c.Key.Reveal() != step.want || len(f.asked) != step.asked {
			t.Errorf("%s: key %q, error %v, %d reads; want %q and %d", step.name, c.Key.Reveal(), err, len(f.asked), step.want, step.asked)
		}
	}
}

// TestRotationMovesBoth: a new current version, seen by a call, makes the previous
// one out of date, too young as it may be.
func TestRotationMovesBoth(t *testing.T) {
	f := newFixture(v1, v0)
	if _, err := f.credentials.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(4 * time.Minute)
	f.expectHashes(t, "before", f.credentials.Hashes, "hash-v1 hash-v0", 1)
	f.set(v2, v1)
	f.now = f.now.Add(time.Minute)
	f.expectHashes(t, "after", f.credentials.Hashes, "hash-v2 hash-v1", 2)
}

func TestOldValueIsUsedOn(t *testing.T) {
	f := newFixture(v1, v0)
	var log strings.Builder
	f.credentials.Log = slog.New(slog.NewTextHandler(&log, nil))
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.err = errors.New("throttled")
	f.now = f.now.Add(5 * time.Minute)
	f.expectHashes(t, "while it fails", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	if !strings.Contains(log.String(), "throttled") || strings.Contains(log.String(), "hash-v") {
		t.Errorf("log is %q, want the cause and no credentials", log.String())
	}
	f.expectHashes(t, "tried just now", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.expectHashes(t, "tried just now, forged webhook", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 0)
	f.err = nil
	f.set(v2, v1)
	f.now = f.now.Add(10*time.Second - 1)
	f.expectHashes(t, "still tried just now", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.now = f.now.Add(1)
	f.expectHashes(t, "tried anew after ten seconds", f.credentials.Hashes, "hash-v2 hash-v1", 2)
}

func TestManyCallersReadOnce(t *testing.T) {
	f := newFixture(v1, v0)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := f.credentials.Credentials(t.Context()); err != nil {
				t.Error(err)
			}
			if hashes, err := f.credentials.RefreshedHashes(t.Context()); err != nil || len(hashes) != 2 {
				t.Errorf("%d hashes, error %v", len(hashes), err)
			}
		})
	}
	wg.Wait()
	if len(f.asked) != 3 {
		t.Errorf("%d reads, want one of each version, and one out of turn", len(f.asked))
	}
}

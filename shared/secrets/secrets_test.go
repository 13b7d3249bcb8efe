package secrets_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// start is when a fixture's clock starts.
var start = time.Unix(1764000000, 0)

// stored is a version in Secrets Manager. A value of "" is a version that is not
// there, "binary" one without a string.
type stored struct {
	value   string
	id      string    // "" is not answered
	created time.Time // zero is not answered
}

// manager is a Secrets Manager with one secret, "g2a".
type manager struct {
	mu     sync.Mutex
	stages map[string]stored
	asked  []string
	// during, where there is one, is called in each read and may fail it.
	during func(ctx context.Context, stage string) error
}

func (m *manager) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	for range 100 { // as a call over the network lets others run
		runtime.Gosched()
	}
	m.mu.Lock()
	m.asked = append(m.asked, *in.VersionStage)
	v, during := m.stages[*in.VersionStage], m.during
	m.mu.Unlock()
	if during != nil {
		if err := during(ctx, *in.VersionStage); err != nil {
			return nil, err
		}
	}
	out := &secretsmanager.GetSecretValueOutput{SecretString: &v.value}
	if v.id != "" {
		out.VersionId = &v.id
	}
	if !v.created.IsZero() {
		out.CreatedDate = &v.created
	}
	switch {
	case *in.SecretId != "g2a":
		return nil, errors.New("another secret was asked for")
	case v.value == "":
		return nil, &types.ResourceNotFoundException{}
	case v.value == "binary":
		out.SecretString, out.SecretBinary = nil, []byte("hunter2")
	}
	return out, nil
}

func (m *manager) set(current, previous string) {
	m.store(stored{value: current}, stored{value: previous})
}

func (m *manager) store(current, previous stored) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages = map[string]stored{"AWSCURRENT": current, "AWSPREVIOUS": previous}
}

func (m *manager) meet(during func(ctx context.Context, stage string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.during = during
}

// reads is how many there were so far.
func (m *manager) reads() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
}

// fails makes reads of these stages fail; none is all.
func fails(stages ...string) func(context.Context, string) error {
	return func(_ context.Context, stage string) error {
		if len(stages) == 0 || strings.Contains(strings.Join(stages, " "), stage) {
			return errors.New("throttled")
		}
		return nil
	}
}

// fixture is a secret and a clock that the test turns.
type fixture struct {
	*manager
	ahead       atomic.Int64 // nanoseconds, of start
	log         strings.Builder
	credentials *secrets.Credentials
}

func newFixture(current, previous string) *fixture {
	f := &fixture{manager: &manager{}}
	f.set(current, previous)
	f.credentials = secrets.New(f.manager, "g2a", f.now)
	f.credentials.PreviousFor = 24 * time.Hour
	f.credentials.Log = slog.New(slog.NewTextHandler(&f.log, nil))
	return f
}

func (f *fixture) now() time.Time { return start.Add(time.Duration(f.ahead.Load())) }

func (f *fixture) wait(d time.Duration) { f.ahead.Add(int64(d)) }

func reveal(hashes []g2a.Secret) string {
	var all []string
	for _, hash := range hashes {
		all = append(all, hash.Reveal())
	}
	return strings.Join(all, " ")
}

// expectHashes asks for the hashes and counts what that reads.
func (f *fixture) expectHashes(t *testing.T, what string, ask func(context.Context) ([]g2a.Secret, error), want string, reads int) {
	t.Helper()
	before := f.reads()
	hashes, err := ask(t.Context())
	if err != nil || reveal(hashes) != want {
		t.Errorf("%s: hashes are %q, error %v; want %q", what, reveal(hashes), err, want)
	}
	if got := f.reads() - before; got != reads {
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
		{"previous has no string", v1, "binary", "hash-v1"},
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
	f.meet(func(context.Context, string) error { f.wait(900 * time.Millisecond); return nil })
	for _, step := range []struct {
		name  string
		after time.Duration
		asked string
	}{
		{"first", 0, "AWSCURRENT"},
		{"again", 0, "AWSCURRENT"},
		{"before five minutes", 5*time.Minute - 1, "AWSCURRENT"},
		{"five minutes after the end of the first read", 1, "AWSCURRENT AWSCURRENT"},
	} {
		f.wait(step.after)
		c, err := f.credentials.Credentials(t.Context())
		if err != nil || c.Hash.Reveal() != "hash-v1" || c.Key.Reveal() != "key-v1" {
			t.Errorf("%s: error %v, or other credentials", step.name, err)
		}
		if got := strings.Join(f.asked, " "); got != step.asked {
			t.Errorf("%s: read %q, want %q", step.name, got, step.asked)
		}
	}
}

func TestUnusable(t *testing.T) {
	const unreadable = "secret g2a (AWSCURRENT): the credentials cannot be read: "
	tests := []struct {
		name    string
		current string
		during  func(context.Context, string) error
		want    string
	}{
		{"not there", "", nil, "reading " + unreadable + "ResourceNotFoundException"},
		{"Secrets Manager fails", v1, fails(), "reading " + unreadable + "throttled"},
		{"no string", "binary", nil, unreadable + "is not a string"},
		{"not JSON", "hunter2", nil, unreadable + "is not a JSON object"},
		{"a list", `["hunter2"]`, nil, unreadable + "is not a JSON object"},
		{"a field of the wrong type", `{"api_key":{"hunter2":1},"api_hash":"h"}`, nil, unreadable + "is not a JSON object"},
		{"null", "null", nil, unreadable + "the API hash is missing"},
		{"a field that is null", `{"api_hash":"h","api_key":null}`, nil, unreadable + "the API key is missing"},
		{"no hash", `{"api_key":"hunter2"}`, nil, unreadable + "the API hash is missing"},
		{"no key", `{"api_hash":"hunter2"}`, nil, unreadable + "the API key is missing"},
		{"a key of white space", `{"api_hash":"hunter2","api_key":" \n"}`, nil, unreadable + "the API key is missing"},
		{"a line break in the key", `{"api_hash":"h","api_key":"hunter\n2"}`, nil, unreadable + "the API key holds a character"},
		{"a byte order mark and nothing", "\ufeff", nil, unreadable + "is not a JSON object"},
		{"two byte order marks", "\ufeff\ufeff" + v1, nil, unreadable + "is not a JSON object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(test.current, v0)
			f.meet(test.during)
			_, credentialsErr := f.credentials.Credentials(t.Context())
			_, hashesErr := f.credentials.Hashes(t.Context())
			_, refreshedErr := f.credentials.RefreshedHashes(t.Context())
			for _, err := range []error{credentialsErr, hashesErr, refreshedErr} {
				if !errors.Is(err, secrets.ErrUnavailable) || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("error is %v, want %q", err, test.want)
				}
				if said := err.Error() + f.log.String(); strings.Contains(said, "hunter") || strings.Contains(err.Error(), "\n") {
					t.Errorf("the value is repeated, or the error is not one line: %s", said)
				}
			}
			if f.reads() != 1 {
				t.Errorf("%d reads, want one for all within a second", f.reads())
			}
			f.meet(nil)
			f.set(v1, v0)
			f.wait(time.Second)
			f.expectHashes(t, "a second after it is mended", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		})
	}
}

// TestPreviousUnreadable: it must not cost the current one; and where it is needed,
// not knowing it is no reason to refuse a signature.
func TestPreviousUnreadable(t *testing.T) {
	f := newFixture(v1, v0)
	f.store(stored{value: v1, created: start.Add(-23 * time.Hour)}, stored{value: v0})
	f.meet(fails("AWSPREVIOUS"))
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1", 2)
	f.wait(time.Second)
	f.expectHashes(t, "a second later", f.credentials.Hashes, "hash-v1", 1)
	if _, err := f.credentials.RefreshedHashes(t.Context()); !errors.Is(err, secrets.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	if !strings.Contains(f.log.String(), "throttled") {
		t.Errorf("log is %q, want the cause", f.log.String())
	}
	f.wait(time.Hour)
	if hashes, err := f.credentials.RefreshedHashes(t.Context()); err != nil || reveal(hashes) != "hash-v1" {
		t.Errorf("hashes are %q, error %v, want none but the current one: the other's time is over", reveal(hashes), err)
	}
}

func TestRotation(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1 hash-v0", 2)
	f.set(v2, v1)
	f.wait(5*time.Minute - 1)
	f.expectHashes(t, "before five minutes", f.credentials.Hashes, "hash-v1 hash-v0", 0)
	f.wait(1)
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
	f.wait(10*time.Second - 1)
	f.expectHashes(t, "before ten seconds", f.credentials.RefreshedHashes, "hash-v2 hash-v1", 0)
	f.wait(1)
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
		f.wait(step.after)
		c, err := f.credentials.RefreshedCredentials(t.Context())
		if err != nil || c.Key.Reveal() != step.want || f.reads() != step.asked {
			t.Errorf("%s: key %q, error %v, %d reads; want %q and %d", step.name, c.Key.Reveal(), err, f.reads(), step.want, step.asked)
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
	f.wait(4 * time.Minute)
	f.expectHashes(t, "before", f.credentials.Hashes, "hash-v1 hash-v0", 1)
	f.set(v2, v1)
	f.wait(time.Minute)
	f.expectHashes(t, "after", f.credentials.Hashes, "hash-v2 hash-v1", 2)
}

// TestRotationWithoutPrevious: what was current is the previous one, without a word of
// Secrets Manager, until Secrets Manager has its say.
func TestRotationWithoutPrevious(t *testing.T) {
	for _, test := range []struct {
		name     string
		previous string
		want     string
	}{
		{"it is the previous one", v1, "hash-v2 hash-v1"},
		{"another one is", v0, "hash-v2 hash-v0"},
		{"it was revoked", "", "hash-v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(v1, "")
			f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1", 2)
			f.set(v2, test.previous)
			f.meet(fails("AWSPREVIOUS"))
			f.expectHashes(t, "rotated", f.credentials.RefreshedHashes, "hash-v2 hash-v1", 2)
			f.expectHashes(t, "again", f.credentials.Hashes, "hash-v2 hash-v1", 0)
			f.wait(10 * time.Second)
			f.expectHashes(t, "it fails again", f.credentials.Hashes, "hash-v2 hash-v1", 1)
			f.meet(nil)
			f.wait(10 * time.Second)
			f.expectHashes(t, "it is read", f.credentials.Hashes, test.want, 1)
		})
	}
}

// TestRevocation: a previous version that loses its label is refused ten seconds later
// at the latest, by an instance that knows of the rotation.
func TestRevocation(t *testing.T) {
	f := newFixture(v1, v0)
	f.expectHashes(t, "the old hash is used", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 2)
	f.set(v1, "")
	f.wait(10*time.Second - 1)
	f.expectHashes(t, "before ten seconds", f.credentials.RefreshedHashes, "hash-v1 hash-v0", 0)
	f.wait(1)
	f.expectHashes(t, "after ten seconds", f.credentials.RefreshedHashes, "hash-v1", 2)
}

func TestPreviousIsAcceptedForATime(t *testing.T) {
	at := func(before time.Duration) time.Time { return start.Add(-before) }
	const day = 24 * time.Hour
	tests := []struct {
		name              string
		previousFor       time.Duration
		current, previous time.Time     // when they were put
		last              time.Duration // how long the old hash is accepted from now on; 0: it is not
	}{
		{"put now", day, at(0), at(1000 * day), day},
		{"put some time ago", day, at(20 * time.Hour), at(1000 * day), 4 * time.Hour},
		{"put a day ago", day, at(day), at(1000 * day), 0},
		{"put a year ago", day, at(365 * day), at(1000 * day), 0},
		{"another limit", 168 * time.Hour, at(day), at(1000 * day), 6 * day},
		{"a limit of zero", 0, at(0), at(1000 * day), 0},
		{"no dates: first seen now", day, time.Time{}, time.Time{}, day},
		{"moved back to an old version", day, at(365 * day), at(time.Hour), 23 * time.Hour},
		{"an old version without a date", day, at(20 * time.Hour), time.Time{}, 4 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture("", "")
			f.store(stored{value: v1, created: test.current}, stored{value: v0, created: test.previous})
			f.credentials.PreviousFor = test.previousFor
			expect := func(when, want string) {
				t.Helper()
				for _, ask := range []func(context.Context) ([]g2a.Secret, error){f.credentials.Hashes, f.credentials.RefreshedHashes} {
					if hashes, err := ask(t.Context()); err != nil || reveal(hashes) != want {
						t.Errorf("%s: hashes are %q, error %v; want %q", when, reveal(hashes), err, want)
					}
				}
			}
			if test.last > 0 {
				expect("at first", "hash-v1 hash-v0")
				f.wait(test.last - 1)
				expect("to the last moment", "hash-v1 hash-v0")
				f.wait(1)
			}
			expect("then", "hash-v1")
			if test.previousFor == 0 && strings.Contains(strings.Join(f.asked, " "), "AWSPREVIOUS") {
				t.Error("a version is read that is never accepted")
			}
		})
	}
}

// TestKeptPreviousIsAcceptedForATime, counted from when the new value was put, or
// first seen where Secrets Manager does not say.
func TestKeptPreviousIsAcceptedForATime(t *testing.T) {
	for _, test := range []struct {
		name string
		put  time.Time // the new one
		last time.Duration
	}{
		{"put an hour before it is seen", start.Add(23 * time.Hour), 23 * time.Hour},
		{"no date", time.Time{}, 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(v1, "")
			f.expectHashes(t, "at first", f.credentials.Hashes, "hash-v1", 2)
			f.wait(24 * time.Hour)
			f.store(stored{value: v2, created: test.put}, stored{})
			f.meet(fails("AWSPREVIOUS"))
			f.expectHashes(t, "rotated", f.credentials.Hashes, "hash-v2 hash-v1", 2)
			f.meet(fails())
			f.wait(test.last - 1)
			f.expectHashes(t, "to the last moment", f.credentials.Hashes, "hash-v2 hash-v1", 1)
			f.wait(1)
			f.expectHashes(t, "then", f.credentials.Hashes, "hash-v2", 0)
		})
	}
}

// TestFirstSeenIsNotSeenAnew: a value without a date does not become younger when it is
// read again.
func TestFirstSeenIsNotSeenAnew(t *testing.T) {
	f := newFixture(v1, v0)
	for range 24 {
		f.expectHashes(t, "each hour", f.credentials.Hashes, "hash-v1 hash-v0", 2)
		f.wait(time.Hour)
	}
	f.expectHashes(t, "after a day", f.credentials.Hashes, "hash-v1", 2)
}

//go:build proof

package tokens

import (
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
)

// revoke is the command of docs/operations.md for a hash that has leaked: it takes
// AWSPREVIOUS off its version.
func (s *stack) revoke() {
	s.t.Helper()
	listed, err := s.SecretsManager().ListSecretVersionIds(s.t.Context(), &awssecrets.ListSecretVersionIdsInput{SecretId: aws.String("G2ASecret")})
	must(s.t, err)
	for _, version := range listed.Versions {
		if !slices.Contains(version.VersionStages, "AWSPREVIOUS") {
			continue
		}
		_, err := s.SecretsManager().UpdateSecretVersionStage(s.t.Context(), &awssecrets.UpdateSecretVersionStageInput{
			SecretId: aws.String("G2ASecret"), VersionStage: aws.String("AWSPREVIOUS"), RemoveFromVersionId: version.VersionId,
		})
		must(s.t, err)
		return
	}
	s.t.Fatal("no version is AWSPREVIOUS")
}

// TestLeakedHash: an instance that knows of the rotation refuses the leaked hash at its
// next use, where its last refresh is ten seconds ago, and otherwise when it is.
func TestLeakedHash(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		start func(*testing.T) (endpoint string)
		idle  time.Duration // from the last refresh to the command
	}{
		{"ten seconds after a refresh", func(*testing.T) string { return "" }, 10 * time.Second},
		{"right after a refresh, in moto", startMoto, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			endpoint := test.start(t)
			s := newStack(t, func(o *localcloud.Options) { o.SecretsEndpoint, o.Concurrency = endpoint, 1 })
			s.accepted("before", original)
			s.setSecret(renewed)
			s.accepted("after the rotation", renewed) // it knows of it now
			s.accepted("after the rotation, signed with the old hash", original)
			time.Sleep(test.idle)

			s.revoke()
			began, accepted := time.Now(), 0
			for s.deliver(original).status == http.StatusOK {
				if accepted++; time.Since(began) > time.Minute {
					t.Fatal("the leaked hash is accepted for a minute")
				}
				time.Sleep(pace)
			}
			if test.idle > 0 && accepted > 0 {
				t.Errorf("the leaked hash is accepted %d times, want it refused at its next use", accepted)
			}
			t.Logf("refused %s after the command, accepted until then: %d webhooks", round(time.Since(began)), accepted)
			s.accepted("after the revocation", renewed)
			s.refused("after the revocation, signed with the leaked hash", original, http.StatusUnauthorized)
		})
	}
}

// TestLeakedHashAndReplacedInstances: an instance that has not read the secret since the
// rotation holds the leaked hash as the current one. Where it is replaced, nobody waits
// for that to end.
func TestLeakedHashAndReplacedInstances(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	s := newStack(t, func(o *localcloud.Options) { o.Concurrency = 1 })
	s.accepted("before", original)
	s.setSecret(renewed)
	s.revoke()
	t.Logf("an instance that has not read the secret since the rotation answers %d", s.deliver(original).status)
	s.signal(syscall.SIGKILL)
	leaked := s.deliver(original)
	for began := time.Now(); leaked.status == http.StatusInternalServerError && time.Since(began) < time.Minute; leaked = s.deliver(original) {
		time.Sleep(pace) // the process takes a moment to be gone
	}
	if leaked.status != http.StatusUnauthorized {
		t.Errorf("after the replacement: the first webhook signed with the leaked hash is answered %d %s, want 401", leaked.status, leaked.result)
	}
	s.accepted("after the replacement", renewed)
}

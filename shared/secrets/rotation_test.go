package secrets_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	localsecrets "github.com/g2a-lambda/g2a-lambda/infra/localcloud/secretsmanager"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
)

// account is the local cloud's Secrets Manager with one secret, and the SDK's client of
// it.
type account struct {
	*testing.T
	client *secretsmanager.Client
	now    time.Time
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{T: t, now: start}
	server := localsecrets.New("eu-central-1", "123456789012", func() time.Time { return a.now })
	server.Create("g2a", "", g2a.NewSecret(v1))
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	a.client = secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: &listening.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	return a
}

// GetSecretValue has all the time it takes: the machine may be busy.
func (a *account) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return a.client.GetSecretValue(context.WithoutCancel(ctx), in, options...)
}

// instance is one of a function, with nothing in hand.
func (a *account) instance() *secrets.Credentials {
	c := secrets.New(a, "g2a", func() time.Time { return a.now })
	c.PreviousFor = 24 * time.Hour
	return c
}

func (a *account) put(value string) {
	a.Helper()
	if _, err := a.client.PutSecretValue(a.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("g2a"), SecretString: &value}); err != nil {
		a.Fatal(err)
	}
}

// revoke is what docs/operations.md has a person do about a hash that has leaked.
func (a *account) revoke() {
	a.Helper()
	listed, err := a.client.ListSecretVersionIds(a.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("g2a")})
	if err != nil {
		a.Fatal(err)
	}
	for _, v := range listed.Versions {
		if v.VersionStages[0] != "AWSPREVIOUS" {
			continue
		}
		_, err := a.client.UpdateSecretVersionStage(a.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: aws.String("g2a"), VersionStage: aws.String("AWSPREVIOUS"), RemoveFromVersionId: v.VersionId,
		})
		if err != nil {
			a.Fatal(err)
		}
	}
}

func (a *account) expect(what string, ask func(context.Context) ([]g2a.Secret, error), want string) {
	a.Helper()
	if hashes, err := ask(a.Context()); err != nil || reveal(hashes) != want {
		a.Errorf("%s: hashes are %q, error %v; want %q", what, reveal(hashes), err, want)
	}
}

func TestRotationInSecretsManager(t *testing.T) {
	a := newAccount(t)
	warm := a.instance()
	a.expect("before", warm.Hashes, "hash-v1")
	a.now = a.now.Add(24 * time.Hour)
	a.put(v2)
	a.expect("with a signature that is not known", warm.RefreshedHashes, "hash-v2 hash-v1")
	a.now = a.now.Add(24*time.Hour - time.Second)
	a.expect("to the end of the day", warm.Hashes, "hash-v2 hash-v1")
	a.expect("to the end of the day, cold", a.instance().Hashes, "hash-v2 hash-v1")
	a.now = a.now.Add(time.Second)
	a.expect("then", warm.Hashes, "hash-v2")
	a.expect("then, cold", a.instance().Hashes, "hash-v2")
}

func TestLeakedHash(t *testing.T) {
	a := newAccount(t)
	knows, unaware := a.instance(), a.instance()
	a.expect("before", knows.Hashes, "hash-v1")
	a.expect("before", unaware.Hashes, "hash-v1")
	a.put(v2)
	a.expect("it knows of the rotation", knows.RefreshedHashes, "hash-v2 hash-v1")
	a.now = a.now.Add(10 * time.Second)
	a.revoke()
	a.expect("at the leaked hash's next use", knows.RefreshedHashes, "hash-v2")
	a.expect("cold", a.instance().RefreshedHashes, "hash-v2")
	a.expect("unaware of the rotation", unaware.Hashes, "hash-v1")
	a.now = a.now.Add(5*time.Minute - 10*time.Second)
	a.expect("five minutes after the rotation", unaware.Hashes, "hash-v2")
}

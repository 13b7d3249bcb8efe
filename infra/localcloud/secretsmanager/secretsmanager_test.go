package secretsmanager

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

var start = time.Unix(1764000000, 250e6)

// newClient serves a Secrets Manager with one secret and gives the real client.
func newClient(t *testing.T) (*secretsmanager.Client, string) {
	t.Helper()
	server := New("eu-central-1", "123456789012", func() time.Time { return start })
	server.Create("MySecret", "a description", g2a.NewSecret("first value"))
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	return secretsmanager.New(secretsmanager.Options{
		Region:           "eu-central-1",
		BaseEndpoint:     &listening.URL,
		Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
		RetryMaxAttempts: 1,
	}), listening.URL
}

func get(t *testing.T, client *secretsmanager.Client, in secretsmanager.GetSecretValueInput) *secretsmanager.GetSecretValueOutput {
	t.Helper()
	if in.SecretId == nil {
		in.SecretId = aws.String("MySecret")
	}
	out, err := client.GetSecretValue(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, client *secretsmanager.Client, value string, stages ...string) string {
	t.Helper()
	out, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("MySecret"), SecretString: &value, VersionStages: stages})
	if err != nil {
		t.Fatal(err)
	}
	return *out.VersionId
}

func TestSecretIsFoundBy(t *testing.T) {
	client, _ := newClient(t)
	arn := *get(t, client, secretsmanager.GetSecretValueInput{}).ARN
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:MySecret-") {
		t.Errorf("ARN %s", arn)
	}
	for name, id := range map[string]string{"name": "MySecret", "ARN": arn, "ARN without its suffix": arn[:len(arn)-7]} {
		t.Run(name, func(t *testing.T) {
			out := get(t, client, secretsmanager.GetSecretValueInput{SecretId: &id})
			if *out.SecretString != "first value" || *out.Name != "MySecret" || !out.CreatedDate.Equal(start) || !reflect.DeepEqual(out.VersionStages, []string{"AWSCURRENT"}) {
				t.Errorf("got %s, created %s, stages %s", *out.Name, out.CreatedDate, out.VersionStages)
			}
		})
	}
}

// TestRotation follows the labels through three versions.
func TestRotation(t *testing.T) {
	client, _ := newClient(t)
	first := *get(t, client, secretsmanager.GetSecretValueInput{}).VersionId
	var missing *types.ResourceNotFoundException
	_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("MySecret"), VersionStage: aws.String("AWSPREVIOUS")})
	if !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), "staging label: AWSPREVIOUS") {
		t.Errorf("before any rotation: got %v", err)
	}
	second := put(t, client, "second value")
	third := put(t, client, "third value")
	waiting := put(t, client, "value in waiting", "AWSPENDING")
	for _, c := range []struct {
		name      string
		id, stage *string
		want      string
	}{
		{"by default", nil, nil, "third value"},
		{"current", nil, aws.String("AWSCURRENT"), "third value"},
		{"previous", nil, aws.String("AWSPREVIOUS"), "second value"},
		{"another label", nil, aws.String("AWSPENDING"), "value in waiting"},
		{"by id", &second, nil, "second value"},
		{"by id, without labels", &first, nil, "first value"},
		{"by id and label", &third, aws.String("AWSCURRENT"), "third value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := *get(t, client, secretsmanager.GetSecretValueInput{VersionId: c.id, VersionStage: c.stage}).SecretString; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	want := map[string][]string{second: {"AWSPREVIOUS"}, third: {"AWSCURRENT"}, waiting: {"AWSPENDING"}}
	described, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("MySecret")})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(described.VersionIdsToStages, want) || *described.Description != "a description" || !described.LastChangedDate.Equal(start) {
		t.Errorf("described as %v, want %v", described.VersionIdsToStages, want)
	}
	list, err := client.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.SecretList) != 1 || *list.SecretList[0].Name != "MySecret" || !reflect.DeepEqual(list.SecretList[0].SecretVersionsToStages, want) {
		t.Errorf("listed as %+v", list.SecretList)
	}
}

// labels returns which of the named versions have which labels, as ListSecretVersionIds
// answers.
func labels(t *testing.T, client *secretsmanager.Client, names map[string]string) map[string][]string {
	t.Helper()
	out, err := client.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("MySecret")})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, v := range out.Versions {
		if !v.CreatedDate.Equal(start) {
			t.Errorf("version created %s, want %s", v.CreatedDate, start)
		}
		found[names[*v.VersionId]] = v.VersionStages
	}
	return found
}

func TestUpdateVersionStage(t *testing.T) {
	const refused = "InvalidParameterException"
	for _, c := range []struct {
		name            string
		stage, from, to string // versions are v1, which is the previous one, and v2
		err             string
		want            map[string][]string
	}{
		{"the previous one is revoked", "AWSPREVIOUS", "v1", "", "", map[string][]string{"v2": {"AWSCURRENT"}}},
		{"back to the previous one", "AWSCURRENT", "v2", "v1", "", map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPREVIOUS"}}},
		{"a label of one's own", "mine", "", "v1", "", map[string][]string{"v1": {"AWSPREVIOUS", "mine"}, "v2": {"AWSCURRENT"}}},
		{"a label where it is", "AWSPREVIOUS", "", "v1", "", map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}}},
		{"no version named to take it from", "AWSPREVIOUS", "", "v2", refused, nil},
		{"taken from one that does not have it", "AWSPREVIOUS", "v2", "", refused, nil},
		{"the current one without a successor", "AWSCURRENT", "v2", "", refused, nil},
		{"a label that is nowhere", "mine", "v1", "", refused, nil},
		{"no version at all", "AWSPREVIOUS", "", "", refused, nil},
		{"no label", "", "v2", "v1", refused, nil},
		{"to no such version", "AWSCURRENT", "v2", "v3", "ResourceNotFoundException", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := newClient(t)
			ids := map[string]string{"v1": *get(t, client, secretsmanager.GetSecretValueInput{}).VersionId, "v3": strings.Repeat("x", 32)}
			ids["v2"] = put(t, client, "second value")
			names := map[string]string{ids["v1"]: "v1", ids["v2"]: "v2"}
			before := labels(t, client, names)
			in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("MySecret"), VersionStage: &c.stage}
			if c.from != "" {
				in.RemoveFromVersionId = aws.String(ids[c.from])
			}
			if c.to != "" {
				in.MoveToVersionId = aws.String(ids[c.to])
			}
			_, err := client.UpdateSecretVersionStage(t.Context(), in)
			if c.err != "" {
				var got smithy.APIError
				if !errors.As(err, &got) || got.ErrorCode() != c.err {
					t.Errorf("got %v, want %s", err, c.err)
				}
				c.want = before
			} else if err != nil {
				t.Fatal(err)
			}
			if got := labels(t, client, names); !reflect.DeepEqual(got, c.want) {
				t.Errorf("labels %v, want %v", got, c.want)
			}
		})
	}
}

func TestCreate(t *testing.T) {
	client, _ := newClient(t)
	in := &secretsmanager.CreateSecretInput{Name: aws.String("Another"), Description: aws.String("its own"), SecretString: aws.String("a value")}
	created, err := client.CreateSecret(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := get(t, client, secretsmanager.GetSecretValueInput{SecretId: created.ARN})
	if *got.SecretString != "a value" || *got.Name != "Another" || *got.VersionId != *created.VersionId {
		t.Errorf("got %s, version %s, want version %s", *got.Name, *got.VersionId, *created.VersionId)
	}
	var exists *types.ResourceExistsException
	if _, err := client.CreateSecret(t.Context(), in); !errors.As(err, &exists) {
		t.Errorf("got %v, want %T", err, exists)
	}
}

func TestPutIsIdempotent(t *testing.T) {
	client, _ := newClient(t)
	token := "11111111-2222-4333-8444-555555555555"
	in := &secretsmanager.PutSecretValueInput{SecretId: aws.String("MySecret"), SecretString: aws.String("second value"), ClientRequestToken: &token}
	for range 2 {
		if out, err := client.PutSecretValue(t.Context(), in); err != nil || *out.VersionId != token {
			t.Fatalf("got %+v, %v", out, err)
		}
	}
	if got := *get(t, client, secretsmanager.GetSecretValueInput{VersionStage: aws.String("AWSPREVIOUS")}).SecretString; got != "first value" {
		t.Errorf("putting the same twice made %q the previous one", got)
	}
	in.SecretString = aws.String("another value")
	var exists *types.ResourceExistsException
	if _, err := client.PutSecretValue(t.Context(), in); !errors.As(err, &exists) {
		t.Errorf("got %v, want %T", err, exists)
	}
}

func TestErrors(t *testing.T) {
	client, _ := newClient(t)
	id := *get(t, client, secretsmanager.GetSecretValueInput{}).VersionId
	nobody, mine := aws.String("Nobody"), aws.String("MySecret")
	for _, c := range []struct {
		name string
		call func() error
		want string
	}{
		{"get of no secret", func() error {
			_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: nobody})
			return err
		}, "ResourceNotFoundException"},
		{"put of no secret", func() error {
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: nobody, SecretString: mine})
			return err
		}, "ResourceNotFoundException"},
		{"description of no secret", func() error {
			_, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: nobody})
			return err
		}, "ResourceNotFoundException"},
		{"no such version", func() error {
			_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: mine, VersionId: aws.String(strings.Repeat("x", 32))})
			return err
		}, "ResourceNotFoundException"},
		{"a label of another version", func() error {
			_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: mine, VersionId: &id, VersionStage: aws.String("AWSPREVIOUS")})
			return err
		}, "InvalidRequestException"},
		{"no value", func() error {
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: mine})
			return err
		}, "InvalidParameterException"},
		{"a binary value", func() error {
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: mine, SecretBinary: []byte("a")})
			return err
		}, "InvalidParameterException"},
		{"a value that is too long", func() error {
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: mine, SecretString: aws.String(strings.Repeat("x", maxValue+1))})
			return err
		}, "InvalidParameterException"},
		{"an operation that is not known", func() error {
			_, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: mine})
			return err
		}, "UnknownOperationException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got smithy.APIError
			if err := c.call(); !errors.As(err, &got) || got.ErrorCode() != c.want || got.ErrorMessage() == "" {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestMalformedRequestIsNotRepeated: it may hold a secret.
func TestMalformedRequestIsNotRepeated(t *testing.T) {
	_, url := newClient(t)
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"SecretId":"MySecret","SecretString":{"api_hash":"do-not-tell"}}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "secretsmanager.PutSecretValue")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "SerializationException") || strings.Contains(string(body), "tell") {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

package story

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// trusting is a client that trusts the simulator's certificate.
func trusting(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}
}

// newMarket is a client of G2A, as the shop has one to browse with.
func (t *teller) newMarket(client *http.Client) (*g2a.Client, error) {
	at, err := url.Parse(t.stack.G2A)
	if err != nil {
		return nil, fmt.Errorf("G2A's URL: %w", err)
	}
	variables := map[string]string{"G2A_API_URL": t.stack.G2A, "G2A_ALLOWED_HOSTS": at.Host}
	config, err := g2a.ParseConfig(func(name string) (string, bool) { value, found := variables[name]; return value, found })
	if err != nil {
		return nil, err
	}
	return g2a.New(config, g2a.Options{Credentials: t.credentials, Transport: client.Transport}), nil
}

func (t *teller) readCredentials(ctx context.Context) (g2a.Credentials, error) {
	answer, err := t.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secret)})
	if err != nil {
		return g2a.Credentials{}, fmt.Errorf("reading the secret: %w", err)
	}
	var value struct {
		Key  string `json:"api_key"`
		Hash string `json:"api_hash"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(answer.SecretString)), &value); err != nil {
		return g2a.Credentials{}, errors.New("the secret is not a JSON object")
	}
	return g2a.Credentials{Hash: g2a.NewSecret(value.Hash), Key: g2a.NewSecret(value.Key)}, nil
}

// invoke calls a function and reads its answer into out.
func (t *teller) invoke(ctx context.Context, function string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the payload for %s: %w", function, err)
	}
	answer, err := t.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoking %s: %w", function, err)
	}
	if answer.FunctionError != nil {
		return fmt.Errorf("%s failed: %s", function, answer.Payload)
	}
	if err := json.Unmarshal(answer.Payload, out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", function, err)
	}
	return nil
}

// record reads an item, or nil when there is none.
func (t *teller) record(ctx context.Context, table, pk, sk string) (map[string]types.AttributeValue, error) {
	answer, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}},
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s from %s: %w", pk, table, err)
	}
	return answer.Item, nil
}

// text gives an attribute's value, "" when it is absent.
func text(value types.AttributeValue) string {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint(v.Value)
	}
	return ""
}

// books are what the simulator has written down: not our word, but G2A's.
type books struct {
	client *http.Client
	url    string
}

func (b books) stats(ctx context.Context) (g2atest.Stats, error) {
	var stats g2atest.Stats
	return stats, b.call(ctx, http.MethodGet, "/_sim/stats", nil, &stats)
}

func (b books) deliver(ctx context.Context, webhook g2atest.Webhook) (g2atest.Deliveries, error) {
	var done g2atest.Deliveries
	return done, b.call(ctx, http.MethodPost, "/_sim/webhook", webhook, &done)
}

func (b books) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, b.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: HTTP %d: %s", method, path, response.StatusCode, bytes.TrimSpace(answer))
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

package localcloud

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/secretsmanager"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// startSecrets starts a Secrets Manager, unless there is one already, and makes the
// template's secrets in it.
func (c *Cloud) startSecrets(ctx context.Context) error {
	if c.options.SecretsEndpoint != "" {
		c.addresses.Secrets = strings.TrimSuffix(c.options.SecretsEndpoint, "/")
		client := c.SecretsManager()
		for _, s := range c.stack.Secrets {
			_, err := client.CreateSecret(ctx, &awssecrets.CreateSecretInput{
				Name: &s.Name, Description: &s.Description, SecretString: aws.String(secretValue(c.options.Credentials).Reveal()),
			})
			if err != nil {
				return fmt.Errorf("secret %s at %s: %w", s.Name, c.addresses.Secrets, err)
			}
		}
		return nil
	}
	server := secretsmanager.New(template.Region, template.AccountID, time.Now)
	for _, s := range c.stack.Secrets {
		server.Create(s.Name, s.Description, secretValue(c.options.Credentials))
		c.options.Log.Printf("secret      %s", s.Name)
	}
	c.serve(c.addresses.Secrets, server, (*http.Server).Serve)
	return nil
}

// SecretsManager makes a client of the cloud's Secrets Manager, with the functions' own
// credentials.
func (c *Cloud) SecretsManager() *awssecrets.Client {
	return awssecrets.New(awssecrets.Options{
		Region:           template.Region,
		BaseEndpoint:     &c.addresses.Secrets,
		Credentials:      credentials.NewStaticCredentialsProvider(lambda.AccessKeyID, lambda.SecretAccessKey, lambda.SessionToken),
		RetryMaxAttempts: 1,
	})
}

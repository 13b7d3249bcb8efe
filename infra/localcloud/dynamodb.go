package localcloud

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/dynamodb"
)

// startDynamoDB starts an engine, unless there is one already, and makes the
// template's tables in it.
func (c *Cloud) startDynamoDB(ctx context.Context) error {
	engine := "in memory"
	if c.options.DynamoDBEndpoint != "" {
		c.addresses.DynamoDB = strings.TrimSuffix(c.options.DynamoDBEndpoint, "/")
		engine = "DYNAMODB_ENDPOINT"
		if err := answers(ctx, http.DefaultClient, c.addresses.DynamoDB); err != nil {
			return fmt.Errorf("DYNAMODB_ENDPOINT: %w", err)
		}
	} else {
		c.serve(c.addresses.DynamoDB, dynamodb.Embedded(), (*http.Server).Serve)
	}
	db := c.DynamoDB()
	for _, t := range c.stack.Tables {
		if err := dynamodb.CreateTable(ctx, db, t); err != nil {
			return fmt.Errorf("table %s at %s: %w", t.Name, c.addresses.DynamoDB, err)
		}
		c.options.Log.Printf("table       %s at %s (%s)", t.Name, c.addresses.DynamoDB, engine)
	}
	return nil
}

// DynamoDB makes a client of the cloud's DynamoDB, with the functions' own
// credentials.
func (c *Cloud) DynamoDB() *awsdynamodb.Client { return dynamodb.NewClient(c.addresses.DynamoDB) }

package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	minidyn "github.com/truora/minidyn/server"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// tableTimeout is how long an engine may take to answer or to make a table.
const tableTimeout = 10 * time.Second

// Embedded makes an engine in memory. It has no streams and no time to live.
func Embedded() http.Handler { return withChecksums(minidyn.NewServer()) }

// withChecksums adds to each answer the header in which DynamoDB sends its CRC-32.
// Without it the AWS SDK for Go warns of every answer.
func withChecksums(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		engine.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		if _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); answer.Code == http.StatusOK && (operation == "Scan" || operation == "Query") {
			body = withItems(body)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body) // the client has gone: nothing we can do about it
	})
}

// withItems adds the empty list that DynamoDB sends where nothing was found; minidyn
// leaves it out, and boto3 fails on that.
func withItems(body []byte) []byte {
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil || answer["Items"] != nil {
		return body
	}
	answer["Items"] = json.RawMessage("[]")
	whole, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return whole
}

// NewClient makes a client of the engine at a URL, with the functions' own credentials.
func NewClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:           template.Region,
		BaseEndpoint:     &endpoint,
		Credentials:      functionsCredentials(),
		RetryMaxAttempts: 1,
	})
}

func functionsCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(lambda.AccessKeyID, lambda.SecretAccessKey, lambda.SessionToken)
}

// CreateTable makes a table, or takes the one that is there if its keys are the
// same. Time to live and recovery are left out: no function depends on them. The engine
// in memory has no streams, and leaves that out itself.
func CreateTable(ctx context.Context, db *dynamodb.Client, t template.Table) error {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	in := &dynamodb.CreateTableInput{TableName: &t.Name, BillingMode: types.BillingModePayPerRequest, StreamSpecification: streamSpecification(t)}
	for _, a := range t.Attributes {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.Name), AttributeType: types.ScalarAttributeType(a.Type),
		})
	}
	for _, k := range t.Keys {
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String(k.Attribute), KeyType: types.KeyType(k.Type)})
	}
	_, err := db.CreateTable(ctx, in)
	exists := new(types.ResourceInUseException)
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	found, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.Name})
	if err != nil {
		return err
	}
	if !slices.Equal(keysOf(found.Table.KeySchema), keysOf(in.KeySchema)) {
		return fmt.Errorf("there is one with other keys: %v, not %v", keysOf(found.Table.KeySchema), keysOf(in.KeySchema))
	}
	return nil
}

func keysOf(schema []types.KeySchemaElement) []string {
	var keys []string
	for _, k := range schema {
		keys = append(keys, aws.ToString(k.AttributeName)+" "+string(k.KeyType))
	}
	return keys
}

func streamSpecification(t template.Table) *types.StreamSpecification {
	if t.Stream == "" {
		return nil
	}
	return &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewType(t.Stream)}
}

package function_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// spanKey is the context's key of the span that its work is within.
type spanKey struct{}

// spans records each as "outer > namespace name: status error".
type spans struct {
	ended  []string
	errors []error
}

// Start implements telemetry.Tracer.
func (s *spans) Start(ctx context.Context, namespace telemetry.Namespace, name string) (context.Context, func(int, error)) {
	if outer, within := ctx.Value(spanKey{}).(string); within {
		name = outer + " > " + name
	}
	return context.WithValue(ctx, spanKey{}, name), func(status int, err error) {
		s.ended, s.errors = append(s.ended, fmt.Sprintf("%s %s: %d %v", namespace, name, status, err)), append(s.errors, err)
	}
}

// TestTracedCalls: a call of AWS is one span with all its attempts, which has the error's
// code and nothing that the service or the caller says.
func TestTracedCalls(t *testing.T) {
	const key = "AAAAA-BBBBB-CCCCC" // in each answer, and in each request
	refusal := func(code string) string {
		return fmt.Sprintf(`{"__type":"com.amazonaws#%s","message":"the value %s","Message":"the value %[2]s","Item":{"key":{"S":%[2]q}}}`, code, key)
	}
	getItem := func(ctx context.Context, e function.Environment) error {
		_, err := e.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{TableName: &e.OrdersTable, Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: key},
		}}, func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
		return err
	}
	tests := []struct {
		name   string
		status int // 0: no answer
		body   string
		call   func(context.Context, function.Environment) error
		want   string
	}{
		{"DynamoDB", 200, `{"Item":{"key":{"S":"` + key + `"}}}`, getItem, "aws DynamoDB GetItem: 200 <nil>"},
		{"Secrets Manager", 200, `{"SecretString":"` + key + `"}`, func(ctx context.Context, e function.Environment) error {
			_, err := e.SecretsManager().GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.SecretID})
			return err
		}, "aws Secrets Manager GetSecretValue: 200 <nil>"},
		{"within another", 200, `{}`, func(ctx context.Context, e function.Environment) error {
			ctx, end := e.Tracer.Start(ctx, telemetry.Remote, "G2A POST /order")
			defer end(200, nil)
			return getItem(ctx, e)
		}, "aws G2A POST /order > DynamoDB GetItem: 200 <nil>"},
		{"a condition fails", 400, refusal("ConditionalCheckFailedException"), getItem, "aws DynamoDB GetItem: 400 ConditionalCheckFailedException"},
		{"invalid", 400, refusal("ValidationException"), getItem, "aws DynamoDB GetItem: 400 ValidationException"},
		{"throttled", 400, refusal("ThrottlingException"), getItem, "aws DynamoDB GetItem: 429 ThrottlingException"},
		{"down", 500, refusal("InternalServerError"), getItem, "aws DynamoDB GetItem: 500 InternalServerError"},
		{"not of the service", 200, `"` + key, getItem, "aws DynamoDB GetItem: 200 not sent, or an answer that cannot be read"},
		{"not sent", 200, `{}`, func(ctx context.Context, e function.Environment) error {
			_, err := e.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{Key: map[string]types.AttributeValue{key: nil}})
			return err
		}, "aws DynamoDB GetItem: 0 not sent, or an answer that cannot be read"},
		{"cancelled", 200, `{}`, func(ctx context.Context, e function.Environment) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return getItem(ctx, e)
		}, "aws DynamoDB GetItem: 0 context canceled"},
		{"too late", 200, `{}`, func(ctx context.Context, e function.Environment) error {
			ctx, cancel := context.WithTimeout(ctx, 0)
			defer cancel()
			return getItem(ctx, e)
		}, "aws DynamoDB GetItem: 0 context deadline exceeded"},
		{"nobody there", 0, "", getItem, "aws DynamoDB GetItem: 0 dial tcp ADDRESS: connect: connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer service.Close()
			if tt.status == 0 {
				service.Close()
			}
			e, err := function.ReadEnvironment(lookup(with(map[string]string{
				"AWS_ENDPOINT_URL_DYNAMODB": service.URL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": service.URL,
			})))
			if err != nil {
				t.Fatal(err)
			}
			seen := &spans{}
			e.Tracer = seen
			untold := tt.call(t.Context(), e)
			if len(seen.ended) == 0 {
				t.Fatalf("no span, error %v", untold)
			}
			want := strings.ReplaceAll(tt.want, "ADDRESS", strings.TrimPrefix(service.URL, "http://"))
			if got := seen.ended[0]; got != want {
				t.Errorf("span  %s\nwant  %s\nerror %v", got, want, untold)
			}
			if (seen.errors[0] == nil) != (untold == nil) {
				t.Errorf("the call's error is %v", untold)
			}
			for err := seen.errors[0]; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), key) {
					t.Errorf("a span with the key: %#v", err)
				}
			}
		})
	}
}

// TestTracedAttempts: attempts are not spans of their own, and a client without a tracer
// works.
func TestTracedAttempts(t *testing.T) {
	for _, tracer := range []*spans{{}, nil} {
		attempts := 0
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if attempts++; attempts == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, `{}`)
		}))
		defer service.Close()
		e, err := function.ReadEnvironment(lookup(with(map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": service.URL})))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if tracer != nil {
			e.Tracer, want = tracer, []string{"aws DynamoDB PutItem: 200 <nil>"}
		} else {
			tracer = &spans{}
		}
		_, err = e.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &e.OrdersTable, Item: map[string]types.AttributeValue{}}, func(o *dynamodb.Options) {
			o.Retryer = retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond)
		})
		if err != nil || attempts != 2 || !slices.Equal(tracer.ended, want) {
			t.Errorf("%d attempts in the spans %q, want %q; error %v", attempts, tracer.ended, want, err)
		}
	}
}

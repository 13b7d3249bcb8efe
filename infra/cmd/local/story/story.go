package story

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// The stack's logical ids, as template.yaml has them.
const (
	orderFunction = "OrderFunction"
	tokenFunction = "TokenRefreshFunction"
	secret        = "G2ASecret"
	stateTable    = "StateTable"
	ordersTable   = "OrdersTable"
)

// Stack is where the story takes place. URLs are without a trailing slash.
type Stack struct {
	Gateway        string // HTTP API
	Lambda         string // Invoke API
	DynamoDB       string
	SecretsManager string
	G2A            string         // simulator, https
	Roots          *x509.CertPool // trust the simulator's certificate
	Logs           string         // folder of the functions' logs
	ExportAPI      g2a.ExportAPI  // that the stack buys through
}

// step is one sentence of the story. It returns its proof.
type step struct {
	name string
	do   func(ctx context.Context) (proof string, err error)
}

// teller goes through the steps, and keeps what later ones need of earlier ones.
type teller struct {
	stack       Stack
	lambda      *lambda.Client
	db          *dynamodb.Client
	secrets     *secretsmanager.Client
	market      *g2a.Client // as a shop that browses
	books       books
	credentials g2a.Credentials

	product    g2a.Product
	orderRef   string
	order      orderOutput
	token      g2a.Secret
	keys       []g2a.Secret
	event      sentEvent
	signatures []string
}

// Tell runs the story and prints it. The error says which step was not as it should
// be, and how.
func Tell(ctx context.Context, stack Stack, out io.Writer) error {
	started := time.Now()
	t, err := newTeller(ctx, stack)
	if err != nil {
		return err
	}
	steps := []step{
		{"token", t.fetchToken},
		{"products", t.findProduct},
		{"price", t.refusePrice},
		{"order", t.placeOrder},
		{"order again", t.placeOrderAgain},
		{"key", t.readKey},
		{"two keys", t.placeTwo},
		{"webhook", t.deliverWebhooks},
		{"tampered", t.deliverTampered},
		{"stale", t.deliverStale},
		{"health", t.askHealth},
		{"records", t.readRecords},
		{"secrets", t.searchLogs},
	}
	for i, s := range steps {
		began := time.Now()
		proof, err := s.do(ctx)
		took := time.Since(began).Milliseconds()
		if err != nil {
			fmt.Fprintf(out, "%2d  %-12s %6d ms  NOT AS IT SHOULD BE\n", i+1, s.name, took)
			return fmt.Errorf("step %d, %s: %w", i+1, s.name, err)
		}
		fmt.Fprintf(out, "%2d  %-12s %6d ms  %s\n", i+1, s.name, took, proof)
	}
	if err := t.printRecords(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll %d steps are as they should be, in %.1f s.\n", len(steps), time.Since(started).Seconds())
	return nil
}

func newTeller(ctx context.Context, stack Stack) (*teller, error) {
	client := trusting(stack.Roots)
	config := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	t := &teller{
		stack:   stack,
		lambda:  lambda.NewFromConfig(config, func(o *lambda.Options) { o.BaseEndpoint = &stack.Lambda; o.RetryMaxAttempts = 1 }),
		db:      dynamodb.NewFromConfig(config, func(o *dynamodb.Options) { o.BaseEndpoint = &stack.DynamoDB }),
		secrets: secretsmanager.NewFromConfig(config, func(o *secretsmanager.Options) { o.BaseEndpoint = &stack.SecretsManager }),
		books:   books{client: client, url: stack.G2A},
	}
	var err error
	if t.credentials, err = t.readCredentials(ctx); err != nil {
		return nil, err
	}
	if t.market, err = t.newMarket(client); err != nil {
		return nil, err
	}
	return t, nil
}

// mismatch says what was wanted and what was found.
func mismatch(what string, want, found any) error {
	return fmt.Errorf("%s: want %v, found %v", what, want, found)
}

package function

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
	"github.com/g2a-lambda/g2a-lambda/shared/telemetry"
)

// Time-outs of one attempt of a call to AWS. The SDK makes three attempts, and its
// services answer in milliseconds: who waits longer waits in vain.
const (
	awsDialTimeout = time.Second
	awsTimeout     = 5 * time.Second
)

// Environment is what the functions read from their variables. ReadEnvironment
// makes a valid one.
type Environment struct {
	G2A      g2a.Config
	SecretID string // name or ARN of the secret with the credentials
	// PreviousHashFor is how long after a rotation the previous API hash is accepted;
	// zero: not at all.
	PreviousHashFor time.Duration
	StateTable      string
	OrdersTable     string
	XRayDaemon      string // host:port that takes traces
	// Tracer traces the calls of the AWS clients that are made after it is set; nil: it
	// does not.
	Tracer telemetry.Tracer

	region                                   string
	credentials                              aws.CredentialsProvider
	dynamoDBEndpoint, secretsManagerEndpoint *string // nil: AWS's own
}

// ReadEnvironment reads the variables that lookup gives: those of g2a.ParseConfig, and
//
//	G2A_SECRET_ID   the secret with the credentials
//	G2A_PREVIOUS_HASH_HOURS
//	                how long after a rotation the previous API hash is accepted: 0 to
//	                168, default 24; 0 is not at all
//	STATE_TABLE     the table of tokens, nonces and events
//	ORDERS_TABLE    the table of orders
//	AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//	                as Lambda sets them
//	AWS_XRAY_DAEMON_ADDRESS
//	                as Lambda sets it; not set: where the daemon listens by default
//	AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_SECRETS_MANAGER
//	                as in the AWS SDKs; not set: AWS's own endpoints
//
// Every mistake is reported, each with the name of its variable. The SDK's own
// loading of its configuration is left out: it costs a cold start twice the time
// that all the rest takes, to look for files and services a function does not have.
func ReadEnvironment(lookup func(name string) (string, bool)) (Environment, error) {
	r := reader{lookup: lookup}
	config, err := g2a.ParseConfig(lookup)
	if err != nil {
		r.mistakes = append(r.mistakes, err)
	}
	e := Environment{
		G2A:             config,
		SecretID:        r.required("G2A_SECRET_ID"),
		PreviousHashFor: time.Duration(r.integer("G2A_PREVIOUS_HASH_HOURS", 24, 0, 168)) * time.Hour,
		StateTable:      r.required("STATE_TABLE"),
		OrdersTable:     r.required("ORDERS_TABLE"),
		XRayDaemon:      cmp.Or(r.value("AWS_XRAY_DAEMON_ADDRESS"), "127.0.0.1:2000"),
		region:          r.required("AWS_REGION"),
		credentials: credentials.NewStaticCredentialsProvider(
			r.required("AWS_ACCESS_KEY_ID"), r.required("AWS_SECRET_ACCESS_KEY"), r.value("AWS_SESSION_TOKEN")),
		dynamoDBEndpoint:       r.endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
		secretsManagerEndpoint: r.endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
	}
	if err := errors.Join(r.mistakes...); err != nil {
		return Environment{}, err
	}
	return e, nil
}

type reader struct {
	lookup   func(string) (string, bool)
	mistakes []error
}

func (r *reader) value(name string) string {
	value, _ := r.lookup(name)
	return value
}

func (r *reader) required(name string) string {
	value := r.value(name)
	if value == "" {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: is missing", name))
	}
	return value
}

// integer returns the variable's value, and fallback where it is empty.
func (r *reader) integer(name string, fallback, lowest, highest int) int {
	value := r.value(name)
	if value == "" {
		return fallback
	}
	number, err := strconv.Atoi(value)
	if err != nil || number < lowest || number > highest {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: %.40q is not an integer from %d to %d", name, value, lowest, highest))
	}
	return number
}

func (r *reader) endpoint(name string) *string {
	value := r.value(name)
	if value == "" {
		return nil
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: is not an http or https URL", name))
	}
	return &value
}

// MustReadEnvironment is ReadEnvironment for a main function: what is wrong is one
// line of the log, and the process ends.
func MustReadEnvironment(log *slog.Logger) Environment {
	environment, err := ReadEnvironment(os.LookupEnv)
	if err != nil {
		log.Error("the function cannot start", "error", oneLine(err))
		os.Exit(1)
	}
	return environment
}

// Metrics writes metrics to w, in a namespace of their environment: a sandbox and a
// live stack may share an account.
func (e Environment) Metrics(w io.Writer) telemetry.Metrics {
	return telemetry.Metrics{Namespace: "G2A/" + string(e.G2A.Env), Version: Version(), Writer: w, Clock: time.Now}
}

// DynamoDB makes a client.
func (e Environment) DynamoDB() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: e.region, Credentials: e.credentials, BaseEndpoint: e.dynamoDBEndpoint, HTTPClient: newHTTPClient(),
		APIOptions: traced(e.Tracer, dynamodb.ServiceID),
	})
}

// SecretsManager makes a client.
func (e Environment) SecretsManager() *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: e.region, Credentials: e.credentials, BaseEndpoint: e.secretsManagerEndpoint, HTTPClient: newHTTPClient(),
		APIOptions: traced(e.Tracer, secretsmanager.ServiceID),
	})
}

// Credentials returns the source of G2A's credentials, the secret. What it cannot read
// it reports to log.
func (e Environment) Credentials(log *slog.Logger) *secrets.Credentials {
	credentials := secrets.New(e.SecretsManager(), e.SecretID, time.Now)
	credentials.Log, credentials.PreviousFor = log, e.PreviousHashFor
	return credentials
}

func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithTimeout(awsTimeout).
		WithDialerOptions(func(dialer *net.Dialer) { dialer.Timeout = awsDialTimeout })
}

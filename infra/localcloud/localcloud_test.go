package localcloud

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda/lambdatest"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
	"github.com/g2a-lambda/g2a-lambda/shared/secrets"
)

// rootOfOwnProcess is the variable that makes the test binary a cloud on its own,
// with the root it names, to be killed.
const rootOfOwnProcess = "CLOUD_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(rootOfOwnProcess); root != "" {
		c, err := Start(context.Background(), testOptions(root))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(c.Addresses().HTTP)
		select {}
	}
	lambdatest.Main(m)
}

var testCredentials = g2a.Credentials{Hash: g2a.NewSecret("test-hash"), Key: g2a.NewSecret("test-key")}

func testOptions(root string) Options {
	return Options{Root: root, Credentials: testCredentials, Concurrency: 2}
}

// newRoot makes a folder with the project's template and a test function in the
// place of each binary.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "template.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"webhook", "order", "token", "health"} {
		lambdatest.Bootstrap(t, filepath.Join(root, "build", name))
	}
	return root
}

func mustStart(t *testing.T, options Options) *Cloud {
	t.Helper()
	c, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func ask(t *testing.T, client *http.Client, method, url, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(read))
}

func (c *Cloud) trusting() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.Roots()}, DisableKeepAlives: true}}
}

func TestRoutesReachTheirFunctions(t *testing.T) {
	c := mustStart(t, testOptions(newRoot(t)))
	for _, r := range []struct{ method, path, wantFunction string }{
		{"POST", "/webhooks/g2a", "WebhookFunction"},
		{"GET", "/health/live", "WebhookFunction"},
		{"GET", "/health", "HealthFunction"},
		{"GET", "/webhooks/g2a", ""},
		{"GET", "/", ""},
	} {
		t.Run(r.method+r.path, func(t *testing.T) {
			status, answer := ask(t, http.DefaultClient, r.method, c.Addresses().HTTP+r.path, `{"do":"environment"}`)
			if r.wantFunction == "" {
				if status != 404 || answer != `{"message":"Not Found"}` {
					t.Errorf("got %d %s", status, answer)
				}
				return
			}
			if status != 200 || !strings.Contains(answer, `"AWS_LAMBDA_FUNCTION_NAME=`+r.wantFunction+`"`) {
				t.Errorf("got %d %s, want one of %s", status, answer, r.wantFunction)
			}
		})
	}
}

// TestFunctionsFindTheServices asks a function what it was given, and has it call
// G2A's simulator, whose certificate it must trust.
func TestFunctionsFindTheServices(t *testing.T) {
	root := newRoot(t)
	c := mustStart(t, testOptions(root))
	a := c.Addresses()
	environment := mustInvoke(t, c, lambdatest.Event{Do: "environment"}).Environment
	for _, want := range []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + a.DynamoDB,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + a.Secrets,
		"G2A_API_URL=" + a.G2A,
		"G2A_ALLOWED_HOSTS=" + strings.TrimPrefix(a.G2A, "https://"),
		"SSL_CERT_FILE=" + filepath.Join(root, ".local", "ca.pem"),
		"STATE_TABLE=StateTable",
		"G2A_SECRET_ID=G2ASecret",
	} {
		if !slices.Contains(environment, want) {
			t.Errorf("%s is not in %v", want, environment)
		}
	}
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only on Linux does Go take the authorities from SSL_CERT_FILE")
	}
	if got := mustInvoke(t, c, lambdatest.Event{Do: "get", URL: a.G2A + "/_sim/stats"}).Got; !strings.Contains(got, "tokens_issued") {
		t.Errorf("the simulator answered %s", got)
	}
}

func mustInvoke(t *testing.T, c *Cloud, event lambdatest.Event) lambdatest.Answer {
	t.Helper()
	result, err := c.Invoke(t.Context(), "OrderFunction", event.JSON())
	if err != nil {
		t.Fatal(err)
	}
	var answer lambdatest.Answer
	if err := json.Unmarshal(result.Payload, &answer); err != nil || result.FunctionError != "" {
		t.Fatalf("%s: %v", result.Payload, err)
	}
	return answer
}

func TestSecretHoldsTheCredentials(t *testing.T) {
	c := mustStart(t, testOptions(newRoot(t)))
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(c.Addresses().Secrets), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	got, err := secrets.New(client, "G2ASecret", time.Now).Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Hash.Equal(testCredentials.Hash) || !got.Key.Equal(testCredentials.Key) {
		t.Error("the secret holds other credentials")
	}
}

// TestSimulatorDeliversWebhooks through the HTTP API to the function.
func TestSimulatorDeliversWebhooks(t *testing.T) {
	c := mustStart(t, testOptions(newRoot(t)))
	status, answer := ask(t, c.trusting(), "POST", c.Addresses().G2A+"/_sim/webhook", `{"order_id":"42","type":"order.completed","status":"completed","copies":2}`)
	if status != 200 || strings.Count(answer, "200") != 2 {
		t.Errorf("got %d %s", status, answer)
	}
}

func TestOwnCatalogue(t *testing.T) {
	options := testOptions(newRoot(t))
	options.Catalogue = []byte(`{"total":0,"page":1,"docs":[]}`)
	c := mustStart(t, options)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Addresses().G2A+"/v1/products", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", testCredentials.Hash.Reveal()+", "+testCredentials.Key.Reveal())
	response, err := c.trusting().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), `"total":0`) {
		t.Errorf("got %s, %v", body, err)
	}
}

// TestOwnG2A puts another G2A in the simulator's place, made of what it would be.
func TestOwnG2A(t *testing.T) {
	options := testOptions(newRoot(t))
	options.G2A = func(simulator g2atest.Options) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "webhooks go to "+simulator.WebhookURL)
		}), nil
	}
	c := mustStart(t, options)
	if status, answer := ask(t, c.trusting(), "GET", c.Addresses().G2A, ""); status != 200 || answer != "webhooks go to "+c.Addresses().HTTP+"/webhooks/g2a" {
		t.Errorf("got %d %s", status, answer)
	}
}

func TestGivenDynamoDB(t *testing.T) {
	// The engine of one cloud is the given one of others.
	engine := mustStart(t, testOptions(newRoot(t)))
	options := testOptions(newRoot(t))
	options.DynamoDBEndpoint = engine.Addresses().DynamoDB + "/"
	engineURL, err := url.Parse(engine.Addresses().DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	options.Ports.DynamoDB, _ = strconv.Atoi(engineURL.Port()) // taken, as it should be
	c := mustStart(t, options)
	if c.Addresses().DynamoDB != engine.Addresses().DynamoDB {
		t.Errorf("uses %s, want %s", c.Addresses().DynamoDB, engine.Addresses().DynamoDB)
	}
	for _, table := range []string{"StateTable", "OrdersTable"} {
		if _, err := c.DynamoDB().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table}); err != nil {
			t.Error(err)
		}
	}
	if _, err := engine.DynamoDB().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("StateTable")}); err != nil {
		t.Fatal(err)
	}
	_, err = engine.DynamoDB().CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String("StateTable"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), options)
	want := "table StateTable at " + engine.Addresses().DynamoDB + ": there is one with other keys: [id HASH], not [pk HASH sk RANGE]"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestStartFails: the error says what is in the way, and nothing is left running.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	deaf := "http://" + closed.Addr().String()
	closed.Close()
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"HTTP port taken", func(o *Options) { o.Ports.HTTP = port }, fmt.Sprintf("port %d (LOCAL_HTTP_PORT) is taken", port)},
		{"Lambda port taken", func(o *Options) { o.Ports.Lambda = port }, fmt.Sprintf("port %d (LOCAL_LAMBDA_PORT) is taken", port)},
		{"DynamoDB port taken", func(o *Options) { o.Ports.DynamoDB = port }, fmt.Sprintf("port %d (LOCAL_DYNAMODB_PORT) is taken", port)},
		{"secrets port taken", func(o *Options) { o.Ports.Secrets = port }, fmt.Sprintf("port %d (LOCAL_SECRETS_PORT) is taken", port)},
		{"G2A port taken", func(o *Options) { o.Ports.G2A = port }, fmt.Sprintf("port %d (LOCAL_G2A_PORT) is taken", port)},
		{"binaries missing and a port taken", func(o *Options) {
			o.Ports.HTTP = port
			_ = os.RemoveAll(filepath.Join(o.Root, "build", "order"))
			_ = os.RemoveAll(filepath.Join(o.Root, "build", "token"))
		}, fmt.Sprintf("build/order/bootstrap is missing: make build\nbuild/token/bootstrap is missing: make build\nport %d (LOCAL_HTTP_PORT) is taken", port)},
		{"no template", func(o *Options) { _ = os.Remove(filepath.Join(o.Root, "template.yaml")) }, "reading the template: "},
		{"unknown parameter", func(o *Options) { o.Parameters = map[string]string{"Nothing": "1"} }, "template.yaml:6: there is no parameter Nothing"},
		{"catalogue", func(o *Options) { o.Catalogue = []byte("{") }, "LOCAL_G2A_CATALOGUE: g2a simulator: the catalogue is not a page of G2A's products: it is not JSON"},
		{"no DynamoDB", func(o *Options) { o.DynamoDBEndpoint = deaf }, "DYNAMODB_ENDPOINT: nothing answers at " + deaf + ": dial tcp "},
		{"another server than DynamoDB", func(o *Options) { o.DynamoDBEndpoint = "http://" + notDynamoDB(t) }, "table StateTable at http://"},
		{"logs that cannot be written", func(o *Options) { _ = os.WriteFile(filepath.Join(o.Root, ".local"), nil, 0o600) }, "making the folder of the certificate: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := testOptions(newRoot(t))
			var said bytes.Buffer
			options.Log = log.New(&said, "", 0)
			c.change(&options)
			_, err := Start(t.Context(), options)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			for _, started := range regexp.MustCompile(`127\.0\.0\.1:[0-9]+`).FindAllString(said.String(), -1) {
				if options.DynamoDBEndpoint != "" {
					break // that one is not ours
				}
				if _, err := net.Dial("tcp", started); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("%s still listens: %v", started, err)
				}
			}
		})
	}
}

// notDynamoDB gives the address of a server that knows no tables.
func notDynamoDB(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func TestStartIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, testOptions(newRoot(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	c, gate := mustStart(t, testOptions(newRoot(t))), lambdatest.NewGate(t)
	idle := mustInvoke(t, c, lambdatest.Event{})
	ended := make(chan string)
	go func() {
		result, err := c.Invoke(context.Background(), "OrderFunction", gate.Event().JSON())
		ended <- fmt.Sprint(string(result.Payload), err)
	}()
	<-gate.Arrived
	c.Close()
	c.Close()
	<-gate.Gone
	if how := <-ended; !strings.Contains(how, "Runtime.ExitError") {
		t.Errorf("the invocation under way ended with %s", how)
	}
	if err := syscall.Kill(idle.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", idle.PID, err)
	}
	a := c.Addresses()
	for _, address := range []string{a.HTTP, a.Lambda, a.DynamoDB, a.Secrets, a.G2A} {
		_, hostPort, _ := strings.Cut(address, "://")
		if _, err := net.Dial("tcp", hostPort); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s still listens: %v", address, err)
		}
	}
}

// TestFunctionsDieWithTheCloud kills a cloud that has no chance to tidy up.
func TestFunctionsDieWithTheCloud(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT RUN: only on Linux does the kernel kill children with their parent")
	}
	gate := lambdatest.NewGate(t)
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), rootOfOwnProcess+"="+newRoot(t))
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || !strings.HasPrefix(address, "http://") {
		t.Fatalf("it said %q, %v", address, err)
	}
	go func() {
		response, err := http.Post(strings.TrimSpace(address)+"/webhooks/g2a", "application/json", bytes.NewReader(gate.Event().JSON()))
		if err == nil {
			response.Body.Close()
		}
	}()
	<-gate.Arrived
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // it was killed
	<-gate.Gone
}

package localcloud

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/httpapi"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// Options set up a Cloud.
type Options struct {
	// Root is the folder that holds template.yaml and the binaries, at
	// build/<package>/bootstrap, and that gets .local with the logs.
	Root string
	// Parameters override the template's defaults.
	Parameters map[string]string
	// Ports are where the services listen, on 127.0.0.1; zero is any free one.
	Ports Ports
	// DynamoDBEndpoint is the URL of an engine to use; "" starts one in memory.
	DynamoDBEndpoint string
	// SecretsEndpoint is the URL of a Secrets Manager to use, without these secrets; ""
	// starts one in memory.
	SecretsEndpoint string
	// Credentials are G2A's, on both sides.
	Credentials g2a.Credentials
	// Catalogue is a page of products in G2A's format; nil is the simulator's own.
	Catalogue []byte
	// G2A makes what the functions call as G2A, with the options that the cloud has for
	// the simulator; nil makes the simulator itself.
	G2A func(g2atest.Options) (http.Handler, error)
	// Concurrency is how many instances a function may have, at least one.
	Concurrency int
	// Schedules has the functions called on their schedules.
	Schedules bool
	// Streams carries what happens in the tables through the template's pipes and rules
	// to the functions, where the engine has streams: DynamoDB Local has.
	Streams bool
	// Log gets a line for each thing that comes up and for each instance that dies;
	// nil is no log.
	Log *log.Logger
}

// Ports of the services. The names are the variables that errors tell to change.
type Ports struct {
	HTTP     int // LOCAL_HTTP_PORT
	Lambda   int // LOCAL_LAMBDA_PORT
	DynamoDB int // LOCAL_DYNAMODB_PORT
	Secrets  int // LOCAL_SECRETS_PORT
	G2A      int // LOCAL_G2A_PORT
}

// Addresses are the URLs of the services, without a trailing slash.
type Addresses struct {
	HTTP     string
	Lambda   string
	DynamoDB string
	Secrets  string
	G2A      string
}

// Cloud is a running stack.
type Cloud struct {
	options   Options
	stack     *template.Stack
	addresses Addresses
	roots     *x509.CertPool
	functions *lambda.Service

	listeners map[string]net.Listener // by address
	closers   []func()                // in the order of the start
	closing   sync.Once
}

// Start brings the whole stack up. When it cannot, it leaves nothing running, and
// the error holds all that is in the way, one a line.
func Start(ctx context.Context, options Options) (*Cloud, error) {
	if options.Log == nil {
		options.Log = log.New(io.Discard, "", 0)
	}
	if options.G2A == nil {
		options.G2A = func(o g2atest.Options) (http.Handler, error) { return g2atest.New(o) }
	}
	c := &Cloud{options: options, listeners: map[string]net.Listener{}}
	if err := c.start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cloud) start(ctx context.Context) error {
	stack, err := template.Load(filepath.Join(c.options.Root, "template.yaml"), c.options.Parameters)
	if err != nil {
		return err
	}
	c.stack = stack
	if err := errors.Join(c.checkBinaries(), c.listen()); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{c.startDynamoDB, c.startSecrets, c.startG2A, c.startFunctions, c.startHTTP, c.startSchedules, c.startStreams, c.allAnswer, c.writeEnvironment} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("starting the local cloud: %w", err)
		}
	}
	return nil
}

// Addresses tells where everything is.
func (c *Cloud) Addresses() Addresses { return c.addresses }

// Stack is what the template describes.
func (c *Cloud) Stack() *template.Stack { return c.stack }

// Roots is the certificate authority that G2A's simulator is to be trusted by.
func (c *Cloud) Roots() *x509.CertPool { return c.roots }

// Functions is the Lambda.
func (c *Cloud) Functions() *lambda.Service { return c.functions }

// Invoke calls a function by logical id, name or ARN and waits for its answer: see
// lambda.Service.
func (c *Cloud) Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error) {
	return c.functions.Invoke(ctx, function, lambda.Invocation{Payload: payload})
}

// Close stops everything that Start started and waits until it is gone. It may be
// called more than once, by several at a time.
func (c *Cloud) Close() {
	c.closing.Do(func() {
		for _, stop := range slices.Backward(c.closers) {
			stop()
		}
		for _, listener := range c.listeners {
			_ = listener.Close() // of a server, or never served
		}
	})
}

// binary is where a function's bootstrap is, under the root.
func binary(f template.Function) string { return filepath.Join("build", f.Package(), "bootstrap") }

func (c *Cloud) checkBinaries() error {
	var missing []error
	for _, f := range c.stack.Functions {
		if info, err := os.Stat(filepath.Join(c.options.Root, binary(f))); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, fmt.Errorf("%s is missing: make build", binary(f)))
		}
	}
	return errors.Join(missing...)
}

// listen opens all ports before anything else happens, so that a port that is taken
// is known at once.
func (c *Cloud) listen() error {
	type port struct {
		variable string
		port     int
		address  *string
		scheme   string
	}
	ports := []port{
		{"LOCAL_HTTP_PORT", c.options.Ports.HTTP, &c.addresses.HTTP, "http://"},
		{"LOCAL_LAMBDA_PORT", c.options.Ports.Lambda, &c.addresses.Lambda, "http://"},
		{"LOCAL_SECRETS_PORT", c.options.Ports.Secrets, &c.addresses.Secrets, "http://"},
		{"LOCAL_G2A_PORT", c.options.Ports.G2A, &c.addresses.G2A, "https://"},
		{"LOCAL_DYNAMODB_PORT", c.options.Ports.DynamoDB, &c.addresses.DynamoDB, "http://"},
	}
	ports = slices.DeleteFunc(ports, func(p port) bool {
		return p.address == &c.addresses.DynamoDB && c.options.DynamoDBEndpoint != "" ||
			p.address == &c.addresses.Secrets && c.options.SecretsEndpoint != ""
	})
	var taken []error
	for _, p := range ports {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err != nil {
			taken = append(taken, portError(p.variable, p.port, err))
			continue
		}
		*p.address = p.scheme + listener.Addr().String()
		c.listeners[*p.address] = listener
	}
	return errors.Join(taken...)
}

func portError(variable string, port int, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d (%s) is taken", port, variable)
	}
	return fmt.Errorf("port %d (%s): %w", port, variable, err)
}

// serve has a handler answer at an address of c.addresses until Close.
func (c *Cloud) serve(address string, handler http.Handler, serve func(*http.Server, net.Listener) error) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: c.options.Log}
	var done sync.WaitGroup
	done.Go(func() {
		if err := serve(server, c.listeners[address]); !errors.Is(err, http.ErrServerClosed) {
			c.options.Log.Printf("serving %s: %v", address, err)
		}
	})
	c.closers = append(c.closers, func() {
		_ = server.Close() // the listener and all connections
		done.Wait()
	})
}

func (c *Cloud) startHTTP(context.Context) error {
	var routes []httpapi.Route
	for _, f := range c.stack.Functions {
		for _, r := range f.Routes {
			routes = append(routes, httpapi.Route{Method: r.Method, Path: r.Path, Function: f.LogicalID, Timeout: r.Timeout})
			c.options.Log.Printf("route       %s %s%s -> %s", r.Method, c.addresses.HTTP, r.Path, f.LogicalID)
		}
	}
	c.serve(c.addresses.HTTP, httpapi.New(routes, c.functions, template.AccountID), (*http.Server).Serve)
	return nil
}

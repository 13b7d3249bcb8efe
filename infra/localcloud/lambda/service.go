package lambda

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Function is a function's configuration.
type Function struct {
	LogicalID   string
	Name        string // what it is invoked by, besides its logical id and ARN
	Alias       string // of the one version there is; "" is none
	Bootstrap   string // the path of the binary
	Handler     string
	Timeout     time.Duration
	MemoryMB    int
	JSONLogs    bool
	LogGroup    string            // "" is /aws/lambda/<Name>
	Environment map[string]string // its own variables, which win over Lambda's
}

// Options set up a Service. All are required.
type Options struct {
	Functions   []Function
	Region      string
	AccountID   string
	Concurrency int    // instances of one function
	XRayDaemon  string // host:port that takes segments
	LogDir      string // where <LogicalID>.log gets what the function prints
	// Log gets a line when an instance ends in any other way than by Close.
	Log *log.Logger
}

// Service is a Lambda with a fixed set of functions. It is safe for concurrent use.
type Service struct {
	options     Options
	initTimeout time.Duration
	pools       map[string]*pool // by logical id and by name

	starts  chan func()    // run by the one goroutine that starts processes
	running sync.WaitGroup // instances and asynchronous invocations

	mu        sync.Mutex
	closed    bool
	instances map[*instance]struct{}
}

// Invocation is one call of a function.
type Invocation struct {
	Payload       []byte // JSON
	TraceID       string // an X-Amzn-Trace-Id header; "" makes a new one
	ClientContext string // JSON; "" is none
}

// Result is what a function answered.
type Result struct {
	RequestID string
	TraceID   string
	Payload   []byte
	// FunctionError is "Unhandled" when the payload is the function's error or tells
	// of its death, else "".
	FunctionError string
}

// Why a function is not invoked at all, for errors.Is.
var (
	ErrNotFound  = errors.New("function not found")
	ErrThrottled = errors.New("all instances of the function are busy")
	ErrClosed    = errors.New("the local Lambda is closed")
)

// New makes a Service with an empty log for each function. No process is started
// before it is needed.
func New(options Options) (*Service, error) {
	s := &Service{
		options:     options,
		initTimeout: initTimeout,
		pools:       map[string]*pool{},
		starts:      make(chan func()),
		instances:   map[*instance]struct{}{},
	}
	if err := os.MkdirAll(options.LogDir, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the logs: %w", err)
	}
	for _, f := range options.Functions {
		output, err := os.OpenFile(filepath.Join(options.LogDir, f.LogicalID+".log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			s.closeLogs()
			return nil, fmt.Errorf("opening the log of %s: %w", f.LogicalID, err)
		}
		p := &pool{service: s, function: f, output: output, slots: make(chan struct{}, options.Concurrency)}
		s.pools[f.LogicalID], s.pools[f.Name] = p, p
	}
	go s.startProcesses()
	return s, nil
}

// Invoke calls a function, by logical id, name or ARN, and waits for its answer.
// When ctx ends the wait ends; the function goes on, as on AWS. A function that
// failed or died is a Result, not an error. The errors are ErrNotFound,
// ErrThrottled, ErrClosed and ctx's.
func (s *Service) Invoke(ctx context.Context, function string, in Invocation) (Result, error) {
	p, err := s.pool(function)
	if err != nil {
		return Result{}, err
	}
	if !p.tryAcquire() {
		return Result{}, fmt.Errorf("%s: %w", p.function.LogicalID, ErrThrottled)
	}
	if !s.enter() {
		p.release()
		return Result{}, ErrClosed
	}
	inv := newInvocation(in)
	go func() {
		defer s.running.Done()
		p.run(inv)
	}()
	select {
	case <-inv.done:
		return inv.result, inv.err
	case <-ctx.Done():
		return Result{}, fmt.Errorf("waiting for %s: %w", p.function.LogicalID, ctx.Err())
	}
}

// InvokeAsync calls a function without waiting for its answer. With all instances
// busy the call waits its turn. A function's failure is a line in the log.
func (s *Service) InvokeAsync(function string, in Invocation) error {
	p, err := s.pool(function)
	if err != nil {
		return err
	}
	if !s.enter() {
		return ErrClosed
	}
	inv := newInvocation(in)
	go func() {
		defer s.running.Done()
		p.acquire()
		p.run(inv)
		if inv.err == nil && inv.result.FunctionError != "" {
			s.options.Log.Printf("%s: an asynchronous invocation failed: %s", p.function.LogicalID, inv.result.Payload)
		}
	}()
	return nil
}

// Kill ends the instances that are at work on an invocation of a trace, as SIGKILL
// does, and waits until they are gone: their invocations answer as those of a process
// that died. root is the trace's, as in "Root=1-...". It reports whether there was one.
func (s *Service) Kill(root string) bool {
	var serving []*instance
	s.mu.Lock()
	for i := range s.instances {
		if inv := i.current.Load(); inv != nil && strings.HasPrefix(inv.traceID, "Root="+root+";") {
			serving = append(serving, i)
		}
	}
	s.mu.Unlock()
	killed := false
	for _, i := range serving {
		select {
		case <-i.exited: // gone already, and not yet tidied up after
		default:
			i.end("was killed during an invocation, as was asked for")
			killed = true
		}
	}
	return killed
}

// enter counts a goroutine in; false when the service is closed.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// pool finds a function by logical id, name, or any form of its ARN.
func (s *Service) pool(function string) (*pool, error) {
	name := function
	if _, after, isARN := strings.Cut(function, ":function:"); isARN {
		name = after
	}
	name, qualifier, _ := strings.Cut(name, ":")
	p, found := s.pools[name]
	if !found || (qualifier != "" && qualifier != latest && qualifier != p.function.Alias) {
		return nil, fmt.Errorf("%s: %w", function, ErrNotFound)
	}
	return p, nil
}

// latest is the one version there is.
const latest = "$LATEST"

func (s *Service) arn(name string) string {
	return "arn:aws:lambda:" + s.options.Region + ":" + s.options.AccountID + ":function:" + name
}

// Close kills all instances and waits until they are gone. Invocations that were
// under way end as if their instance had died.
func (s *Service) Close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	for i := range s.instances {
		i.kill()
	}
	s.mu.Unlock()
	s.running.Wait()
	if !already {
		close(s.starts)
		s.closeLogs()
	}
}

func (s *Service) closeLogs() {
	for _, p := range s.pools {
		_ = p.output.Close() // nothing of ours is buffered; a pool with two names closes twice
	}
}

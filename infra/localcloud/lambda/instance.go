package lambda

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// instance is one process of a function, with a Runtime API of its own.
type instance struct {
	pool    *pool
	command *exec.Cmd
	server  *http.Server

	work      chan *invocation           // what GET next takes
	current   atomic.Pointer[invocation] // taken and not answered
	ready     atomic.Bool                // has asked for work once
	initError chan []byte                // holds what POST init/error brought

	reason    atomic.Pointer[string] // why we killed it, when we did
	exited    chan struct{}          // closed when the process is gone
	exitError error                  // of Wait; to be read after exited
}

// start makes a new instance of a function. It is part of the service from then on:
// Close ends it.
func (s *Service) start(p *pool) (*instance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("%s: opening a Runtime API: %w", p.function.LogicalID, err)
	}
	i := &instance{
		pool:      p,
		work:      make(chan *invocation),
		initError: make(chan []byte, 1),
		exited:    make(chan struct{}),
	}
	i.server = &http.Server{Handler: i.runtimeAPI(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: s.options.Log}
	i.command = &exec.Cmd{
		Path:        p.function.Bootstrap,
		Args:        []string{p.function.Bootstrap},
		Dir:         filepath.Dir(p.function.Bootstrap),
		Env:         s.environment(p.function, listener.Addr().String()),
		Stdout:      p.output,
		Stderr:      p.output,
		SysProcAttr: processAttributes(),
	}
	if err := s.launch(i); err != nil {
		_ = listener.Close()
		return nil, err
	}
	go func() { _ = i.server.Serve(listener) }() // ends with Close, after the process
	return i, nil
}

// launch starts the process, unless the service is closed.
func (s *Service) launch(i *instance) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	started := make(chan error)
	s.starts <- func() { started <- i.command.Start() }
	if err := <-started; err != nil {
		return fmt.Errorf("%s: starting an instance: %w", i.pool.function.LogicalID, err)
	}
	s.instances[i] = struct{}{}
	s.running.Add(1)
	go i.wait()
	return nil
}

// startProcesses starts all processes from one thread that lives as long as the
// service: Linux kills a child when the thread that started it ends.
func (s *Service) startProcesses() {
	runtime.LockOSThread()
	for start := range s.starts {
		start()
	}
}

// wait waits for the end of the process and tidies up after it.
func (i *instance) wait() {
	s := i.pool.service
	defer s.running.Done()
	i.exitError = i.command.Wait()
	i.killGroup() // what it started and left behind
	close(i.exited)
	_ = i.server.Close()
	i.pool.forget(i)
	s.mu.Lock()
	delete(s.instances, i)
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.options.Log.Print(i.obituary())
	}
}

// end kills the instance and waits until it is gone.
func (i *instance) end(reason string) {
	i.reason.Store(&reason)
	i.kill()
	<-i.exited
}

// kill ends the process and all that it started, at once. Once it is gone its id
// may be another one's.
func (i *instance) kill() {
	select {
	case <-i.exited:
		return
	default:
	}
	i.killGroup()
	_ = i.command.Process.Kill() // the same again where there are no process groups
}

func (i *instance) killGroup() {
	_ = syscall.Kill(-i.command.Process.Pid, syscall.SIGKILL) // the group may be gone
}

// obituary says how the instance ended, in one line, with the function's last words.
func (i *instance) obituary() string {
	line := i.pool.function.LogicalID + ": an instance "
	switch reason := i.reason.Load(); {
	case reason != nil:
		line += *reason
	case !i.ready.Load():
		line += "died at its start: " + exitReason(i.exitError)
	case i.current.Load() != nil:
		line += "died during an invocation: " + exitReason(i.exitError)
	default:
		line += "ended between invocations: " + exitReason(i.exitError)
	}
	if words := lastLine(i.pool.output.Name()); words != "" {
		line += "; its log ends with: " + words
	}
	return line
}

func exitReason(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// forget takes an instance that is gone out of the idle ones.
func (p *pool) forget(gone *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, i := range p.idle {
		if i == gone {
			p.idle = append(p.idle[:n], p.idle[n+1:]...)
			return
		}
	}
}

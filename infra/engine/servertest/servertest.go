package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// readyWithin bounds a start on a machine that is busy with other tests.
const readyWithin = 90 * time.Second

// keeper runs a program until its own standard input ends, which is when the
// process that started it is gone, killed or not.
const keeper = `
"$@" </dev/null &
server=$!
exec 3<&0
{ cat <&3 >/dev/null; kill -9 $server; } 2>/dev/null &
wait $server`

// Program is how to start a server.
type Program struct {
	// Command is the program with its arguments, told which port of 127.0.0.1 is its.
	Command func(port int) []string
	// Environment are its variables, "name=value"; nil is this process's.
	Environment []string
	// Ready asks the server once whether it is ready, and makes it so.
	Ready func(ctx context.Context, url string) error
}

// Start starts the server on a free port and waits until it is ready. The error holds
// what the server said.
func Start(p Program) (url string, err error) {
	// Another process may take the free port before the server does: then once more.
	for try := 1; ; try++ {
		url, err := p.start()
		if err == nil || try == 3 {
			return url, err
		}
	}
}

func (p Program) start() (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	said, err := os.CreateTemp("", "server-*.log")
	if err != nil {
		return "", err
	}
	defer said.Close()
	defer os.Remove(said.Name())
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "keeper"}, p.Command(port)...)...) // #nosec G204 -- a test's own program
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Environment, said, said
	input, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting it: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	if err := p.wait(url, ended); err != nil {
		_ = input.Close()
		words, _ := os.ReadFile(said.Name())
		return "", fmt.Errorf("%w; it said: %s", err, words)
	}
	return url, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// wait asks again and again, until the server is ready, has ended, or the time is up.
func (p Program) wait(url string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	for {
		err := p.Ready(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("it ended: %w", errors.Join(end, io.ErrUnexpectedEOF))
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", readyWithin, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

package servertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// The test binary serves, when it is told so, on the port it is told.
func TestMain(m *testing.M) {
	if address := os.Getenv("SERVE_ON"); address != "" {
		fmt.Println(http.ListenAndServe(address, http.NotFoundHandler()))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestStart(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	url, err := Start(Program{
		Command: func(port int) []string {
			return []string{"/usr/bin/env", fmt.Sprintf("SERVE_ON=127.0.0.1:%d", port), program}
		},
		Ready: answers,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := answers(t.Context(), url); err != nil {
		t.Error(err)
	}
}

// A server that ends before it is ready is tried three times, and its words are told.
func TestEndsAtOnce(t *testing.T) {
	starts := 0
	_, err := Start(Program{
		Command: func(int) []string { starts++; return []string{"/bin/sh", "-c", "echo no such engine; exit 3"} },
		Ready:   func(context.Context, string) error { return errors.New("nothing there") },
	})
	if err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "no such engine") {
		t.Errorf("got %v, want that it ended, with its words", err)
	}
	if starts != 3 {
		t.Errorf("%d starts, want 3", starts)
	}
}

// The environment is the program's alone.
func TestEnvironment(t *testing.T) {
	_, err := Start(Program{
		Command:     func(int) []string { return []string{"/bin/sh", "-c", "echo ONLY=$ONLY HOME=$HOME; exit 1"} },
		Environment: []string{"ONLY=this"},
		Ready:       func(context.Context, string) error { return errors.New("nothing there") },
	})
	if err == nil || !strings.Contains(err.Error(), "ONLY=this HOME=\n") {
		t.Errorf("got %v, want only the one variable", err)
	}
}

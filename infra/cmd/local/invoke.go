package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// invoke calls a function of the running cloud with the event of a file and prints
// its answer. A function's error is an error.
func invoke(ctx context.Context, address, function, file string, out io.Writer) error {
	event, err := os.ReadFile(file) // #nosec G304 -- the file the developer names
	if err != nil {
		return fmt.Errorf("reading the event: %w", err)
	}
	target := "http://" + address + "/2015-03-31/functions/" + url.PathEscape(function) + "/invocations"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(event))
	if err != nil {
		return fmt.Errorf("calling %s: %w", function, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return notUp(address, "calling "+function, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", function, err)
	}
	answer = bytes.TrimSpace(answer)
	switch {
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", function, response.Header.Get("X-Amzn-ErrorType"), answer)
	case response.Header.Get("X-Amz-Function-Error") != "":
		return fmt.Errorf("%s failed: %s", function, answer)
	}
	_, err = fmt.Fprintf(out, "%s\n", answer)
	return err
}

// notUp explains an error of a call of the running cloud.
func notUp(address, doing string, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers on %s: is `make up` running?", address)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

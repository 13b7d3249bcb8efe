package localcloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// answerTimeout is how long a service may take to answer for the first time.
const answerTimeout = 10 * time.Second

// allAnswer asks every service once. None of the requests wakes a function.
func (c *Cloud) allAnswer(ctx context.Context) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, address := range []string{
		c.addresses.HTTP, c.addresses.Lambda, c.addresses.DynamoDB, c.addresses.Secrets,
		c.addresses.G2A + "/_sim/stats", // a control route: those are not counted
	} {
		if err := answers(ctx, client, address); err != nil {
			return err
		}
	}
	return nil
}

// answers reports whether a server answers at an address, whatever it says.
func answers(ctx context.Context, client *http.Client, address string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("asking %s: %w", address, err)
	}
	response, err := client.Do(request)
	if err != nil {
		if wrapped := new(url.Error); errors.As(err, &wrapped) {
			err = wrapped.Err // without the address, which stands before it
		}
		return fmt.Errorf("nothing answers at %s: %w", address, err)
	}
	_ = response.Body.Close()
	return nil
}

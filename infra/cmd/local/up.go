package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"slices"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
)

// up starts the cloud, says so, and stays until ctx ends.
func up(ctx context.Context, s settings, out io.Writer) error {
	options, err := s.options()
	if err != nil {
		return err
	}
	options.Schedules, options.Streams = true, true
	options.Log = log.New(out, "", 0)
	if s.deprecated {
		options.Log.Print("G2A_API_SECRET is deprecated: name it G2A_API_HASH")
	}
	running, err := localcloud.Start(ctx, options)
	if ctx.Err() != nil && err != nil {
		return nil // stopped while starting: as asked
	}
	if err != nil {
		return err
	}
	defer running.Close()
	notLocal := running.Stack().NotLocal
	for _, kind := range slices.Sorted(maps.Keys(notLocal)) {
		options.Log.Printf("not here    %s (%d)", kind, notLocal[kind])
	}
	a := running.Addresses()
	_, _ = fmt.Fprintf(out, "ready http=%s lambda=%s dynamodb=%s secrets=%s g2a=%s\n", a.HTTP, a.Lambda, a.DynamoDB, a.Secrets, a.G2A)
	<-ctx.Done()
	return nil
}

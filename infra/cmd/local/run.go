package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"path/filepath"

	"github.com/g2a-lambda/g2a-lambda/infra/cmd/local/story"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// run starts the cloud, takes one order all the way through it, printing each step,
// and stops everything.
func run(ctx context.Context, s settings, out io.Writer) error {
	options, err := s.options()
	if err != nil {
		return err
	}
	options.Log = log.New(out, "", 0)
	running, err := localcloud.Start(ctx, options)
	if err != nil {
		return err
	}
	defer running.Close()
	a := running.Addresses()
	_, _ = fmt.Fprintln(out)
	return story.Tell(ctx, story.Stack{
		Gateway:        a.HTTP,
		Lambda:         a.Lambda,
		DynamoDB:       a.DynamoDB,
		SecretsManager: a.Secrets,
		G2A:            a.G2A,
		Roots:          running.Roots(),
		Logs:           filepath.Join(options.Root, ".local", "logs"),
		ExportAPI:      g2a.ExportAPI(cmp.Or(s.exportAPI, string(g2a.ExportV1))),
	}, out)
}

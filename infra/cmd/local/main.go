package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: local run
       local up
       local invoke FUNCTION EVENTFILE
       local event [-type T] [-status S] [-order ID] [-event ID] [-o FILE]`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:], os.LookupEnv, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(os.Stderr, usage)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// execute carries a command out. The environment is read here and nowhere else.
func execute(ctx context.Context, args []string, lookup func(string) (string, bool), out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	settings, err := readSettings(lookup)
	if err != nil {
		return err
	}
	switch command, args := args[0], args[1:]; command {
	case "run":
		return run(ctx, settings, out)
	case "up":
		return up(ctx, settings, out)
	case "invoke":
		if len(args) != 2 {
			return errors.New(usage)
		}
		return invoke(ctx, settings.lambda(), args[0], args[1], out)
	case "event":
		return signedEvent(ctx, settings, args, out)
	default:
		return fmt.Errorf("there is no command %q\n%s", command, usage)
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t := tool{
		access:   access{lookup: os.LookupEnv, loadAWS: config.LoadDefaultConfig},
		in:       os.Stdin,
		out:      os.Stdout,
		progress: progressOn(os.Stderr),
	}
	if err := t.run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "g2actl:", oneLine(err))
		os.Exit(1)
	}
}

// tool is one call of the program.
type tool struct {
	access   access
	in       io.Reader
	out      io.Writer
	progress io.Writer // of long listings
	json     bool
}

// command is one that can be called by its words.
type command struct {
	words    string // "order list"
	operands string // "REF"; as many as it takes
	about    string
	setUp    func(flags *flag.FlagSet) action // declares the command's flags
}

// action does what its command says.
type action func(ctx context.Context, t *tool, operands []string) error

// without is for a command that has no flags.
func without(do action) func(*flag.FlagSet) action {
	return func(*flag.FlagSet) action { return do }
}

// run finds the command that the words name, and does it.
func (t *tool) run(ctx context.Context, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		_, err := io.WriteString(t.out, usage())
		return err
	}
	c, rest, found := find(args)
	if !found {
		return fmt.Errorf("there is no command %q: see g2actl help", strings.Join(args[:min(2, len(args))], " "))
	}
	flags := flag.NewFlagSet(c.words, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // or it would print mistakes, which are told once, at the end
	flags.BoolVar(&t.json, "json", false, "print JSON, one object a line")
	flags.Func("api", "G2A's purchasing `API`, v1 or v2, in the place of G2A_EXPORT_API", t.access.setAPI)
	do := c.setUp(flags)
	operands, err := parse(flags, rest)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(t.out, "g2actl %s\n  %s\n", c.synopsis(), c.about)
		flags.SetOutput(t.out)
		flags.PrintDefaults()
		return nil
	}
	if err != nil {
		return err
	}
	if wanted := len(strings.Fields(c.operands)); len(operands) != wanted {
		return fmt.Errorf("usage: g2actl %s", c.synopsis())
	}
	return do(ctx, t, operands)
}

func (c command) synopsis() string { return strings.TrimSpace(c.words + " " + c.operands) }

// find takes the command with the most words that args begin with.
func find(args []string) (c command, rest []string, found bool) {
	most := 0
	for _, candidate := range commands() {
		words := strings.Fields(candidate.words)
		if n := len(words); n > most && len(args) >= n && slices.Equal(args[:n], words) {
			c, rest, found, most = candidate, args[n:], true, n
		}
	}
	return c, rest, found
}

// parse reads flags and operands in any order.
func parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) > 0 {
			operands, args = append(operands, args[0]), args[1:]
		}
	}
	return operands, nil
}

func usage() string {
	var text strings.Builder
	text.WriteString("usage: g2actl COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&text, "  %-28s %s\n", c.synopsis(), c.about)
	}
	text.WriteString("\nEvery command has --json, --api for G2A's purchasing API, and --help, which tells its flags.\n")
	return text.String()
}

// oneLine writes joined errors, which stand on a line each, on one.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Command tcda-lab is for trying and testing tcda: the whole system on servers
// of its own, a simulated coordinator that plays into any Kafka, and a check
// that nothing of what was sent is lost or doubled. Nothing of it is linked
// into tcda.
//
//	demo.go       the demo's course             stage.go     its servers and its service
//	watch.go      what is stored at a moment    screen.go    shown on a terminal, or in lines
//	summary.go    what happened in the end
//	emit.go       send to any Kafka             ledger.go    hold the database against what was sent
//	bench.go      measure the built service     server.go    servers in processes of their own, for bench
//	seed.go       fill a database, to read it
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitFailed = 1 // the command failed, or found what it looks for
	exitUsage  = 2 // the command line or the settings cannot be used
)

// commandLine is what can be typed. Each command has a file of its own.
type commandLine struct {
	Demo   demoCmd   `cmd:"" help:"Run the whole system on servers of its own, play a simulated coordinator, and show what happens."`
	Emit   emitCmd   `cmd:"" help:"Send events to any Kafka: the simulated coordinator, a recording, or generated load."`
	Ledger ledgerCmd `cmd:"" help:"Work with the ledger that emit writes."`
	Bench  benchCmd  `cmd:"" help:"Measure the service against what its database can do at best."`
	Seed   seedCmd   `cmd:"" help:"Fill a database with very many executions, to read them."`
	Kafka  kafkaCmd  `cmd:"" hidden:"" help:"Serve the embedded Kafka; the first line of standard output is its address."`
	Redis  redisCmd  `cmd:"" hidden:"" help:"Serve the embedded Redis likewise."`
}

// console is where a command reads and writes, and its environment.
type console struct {
	in        io.Reader
	out, err  io.Writer
	lookupEnv func(string) (string, bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv})
	stop()
	os.Exit(code)
}

// run is the program without the process around it; it returns the exit code.
func run(ctx context.Context, args []string, term console) int {
	var (
		line  commandLine
		asked = false // for help: kong writes it and goes on parsing
	)
	parser, err := kong.New(&line,
		kong.Name("tcda-lab"),
		kong.Description("Try and test the Test Coordinator Data Adapter."),
		kong.UsageOnError(),
		kong.Writers(term.out, term.err),
		kong.Exit(func(int) { asked = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(term),
	)
	if err != nil {
		fmt.Fprintf(term.err, "tcda-lab: describe the command line: %v\n", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	switch {
	case asked:
		return 0
	case err != nil:
		fmt.Fprintf(term.err, "tcda-lab: %v\nRun tcda-lab --help for usage.\n", err)
		return exitUsage
	}
	err = command.Run()
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(term.err, "tcda-lab: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(term.err, "tcda-lab: %v\n", err)
	return exitFailed
}

// usageError is a wrong combination of flags.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// errReported makes the program fail without a word: the command has said it all.
var errReported = errors.New("reported")

// Command tcda is the test coordinator's data adapter: the service and the
// commands that operate it. It reads the command line and the settings, and
// prints; what is done is done by package service, which serve runs, and by the
// packages that the other commands call.
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

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/screen"
)

// Exit codes.
const (
	exitFailed = 1 // the command failed, or found what it looks for
	exitUsage  = 2 // the command line or the settings cannot be used
	exitSchema = 3 // the database has the schema of another version

	exitUnknown = 4 // the service does not know what is named
)

// commandLine is what can be typed. Each command has a file of its own.
type commandLine struct {
	Settings settings `embed:""`

	Serve   serveCmd   `cmd:"" help:"Take events from Kafka into PostgreSQL and Redis, and serve the API, until it is stopped."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this program's schema, and keep schema.sql and the migrations the same."`
	Verify  verifyCmd  `cmd:"" help:"Fold everything again from the stored events and print what differs; exit 1 if anything does."`

	Scenarios scenariosCmd `cmd:"" help:"Publish, compare and find scenarios, and see whether they are ready to run."`
	Templates templatesCmd `cmd:"" help:"Publish templates, and make scenarios of them."`

	Executions executionsCmd `cmd:"" help:"Ask for runs, watch them, and look at everything that is known of them."`
	Reports    reportsCmd    `cmd:"" help:"Read what became of runs, export it, and compare."`
	Schedules  schedulesCmd  `cmd:"" help:"Work with schedules, and with what is due."`
	Evidence   evidenceCmd   `cmd:"" help:"Prove what a run was: write it into one file, and verify such a file without a server."`
	Analytics  analyticsCmd  `cmd:"" help:"Look at what many runs come to: pass rates, percentiles, recovery, flakiness, coverage."`
	Locks      locksCmd      `cmd:"" help:"Take, give back and look at execution locks."`
	Ops        opsCmd        `cmd:"" help:"Operate the service: the kill switch, the audit log."`

	Quarantine quarantineCmd `cmd:"" help:"Look at records that could not be accepted, bring them back or give them up."`
	Partitions partitionsCmd `cmd:"" help:"Look at the partitions of the input topics, and move them."`
	Retention  retentionCmd  `cmd:"" help:"See what old runs lose by the policies, remove it, and keep what must be kept."`
	Outbox     outboxCmd     `cmd:"" help:"Look at events that the broker refuses, try them again or give them up."`

	Export exportCmd `cmd:"" help:"Write analytics views into files: Parquet, CSV or JSON lines; resumable, in bounded memory."`
	Import importCmd `cmd:"" help:"Bring runs in that other tools have recorded."`

	Contract contractCmd `cmd:"" help:"For those who write a coordinator: hold its events against the contract."`

	Access     accessCmd     `cmd:"" help:"Say who may call the API: make tokens, check the access file."`
	Config     configCmd     `cmd:"" help:"Check and print the settings."`
	Completion completionCmd `cmd:"" help:"Complete commands and flags in a shell."`
	Version    versionCmd    `cmd:"" help:"Print which program this is."`
}

// settings are the configuration without its methods: kong would call Validate
// before every command, and version needs no settings.
type settings config.Config

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	size     screen.Size // nil where out is no terminal
	colours  bool        // out is a terminal that may show colours
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	paceCollector(ctx, os.LookupEnv)
	code := run(ctx, os.Args[1:], os.LookupEnv, console{in: os.Stdin, out: os.Stdout, err: os.Stderr, size: screen.Of(os.Stdout)})
	stop()
	os.Exit(code)
}

// run is the program without the process around it; it returns the exit code.
func run(ctx context.Context, args []string, lookupEnv func(string) (string, bool), term console) int {
	noColour, _ := lookupEnv("NO_COLOR") // no-color.org
	term.colours = term.size != nil && noColour == ""
	var (
		line   commandLine
		cfg    = (*config.Config)(&line.Settings)
		asked  = false // for help: kong writes it and goes on parsing
		option = append(append(cfg.Sources(lookupEnv), config.ClientSources(lookupEnv)...),
			kong.Name("tcda"),
			kong.Description("Test Coordinator Data Adapter: chaos tests, from their events on Kafka into PostgreSQL, once in effect, and as an API."),
			kong.UsageOnError(),
			kong.Help(printHelp),
			kong.Writers(term.out, term.err),
			kong.Exit(func(int) { asked = true }),
			kong.BindTo(ctx, (*context.Context)(nil)),
			kong.Bind(cfg, term),
		)
	)
	parser, err := kong.New(&line, option...)
	if err != nil {
		fmt.Fprintf(term.err, "tcda: describe the command line: %v\n", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	switch {
	case asked:
		return 0
	case err != nil:
		fmt.Fprintf(term.err, "tcda: %v\nRun tcda --help for usage.\n", err)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintf(term.err, "tcda: %v\n", err)
		}
		return exitCode(err)
	}
	return 0
}

// printHelp leaves the settings of the service out where they do not concern the
// command, and where it only lists commands. The whole program's lists the groups of
// commands, and not what is in them.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	at := ctx.Selected()
	if at == nil {
		options.NoExpandSubcommands = true
		ctx.Model.Detail = "The settings: tcda serve --help, or tcda config print for their values."
	}
	if at == nil || len(at.Children) > 0 || callsAPI(at) {
		for _, f := range ctx.Model.Flags {
			f.Hidden = f.Hidden || f.Name != "help"
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var coded *exitError
	var settings config.Problems
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &settings):
		return exitUsage
	}
	return exitFailed
}

// errReported makes the program fail without a word: the command has said it all.
var errReported = errors.New("reported")

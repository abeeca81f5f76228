// Command soak lets the service work while everything around it fails, and has
// a checker judge what it has made of it; see package soak.
//
//	go run ./internal/soak/cmd/soak --duration=5m --records=1000000 --kafka=apache
//
// It exits with 0 when nothing was lost, doubled or wrong, 1 when something was,
// and 2 when the soak could not be done.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

type flags struct {
	Duration time.Duration `default:"5m" help:"How long faults strike, at least."`
	Records  int64         `default:"1000000" help:"How many records are sent, at least."`
	Faults   int           `default:"-1" help:"How many faults strike, at least; 0.7 a second if negative."`
	Seed     uint64        `help:"Decides load and faults; by the clock if 0."`
	Kafka    string        `default:"apache" enum:"apache,kfake" help:"apache (needs Java) or kfake (in this process)."`
	Rate     float64       `help:"Records a second at most; as the service follows if 0."`
	Only     []string      `help:"Kinds of faults to strike, comma-separated; all if empty."`
	JSON     bool          `name:"json" help:"End with one line of JSON on standard output."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, progress io.Writer) int {
	var f flags
	parser, err := kong.New(&f, kong.Name("soak"), kong.Description("Lets tcda work while everything around it fails, and judges what it has made of it."))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		fmt.Fprintln(progress, "soak:", err)
		return 2
	}
	passed, err := f.soak(ctx, out, progress)
	switch {
	case err != nil:
		fmt.Fprintln(progress, "soak:", err)
		return 2
	case !passed:
		return 1
	}
	return 0
}

func (f *flags) soak(ctx context.Context, out, progress io.Writer) (passed bool, err error) {
	if f.Seed == 0 {
		f.Seed = uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	}
	if f.Faults < 0 {
		f.Faults = int(f.Duration.Seconds() * 0.7)
	}
	dir, err := testenv.ProcessDir("programs")
	if err != nil {
		return false, err
	}
	program := filepath.Join(dir, "tcda")
	if said, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/tcda").CombinedOutput(); err != nil {
		return false, fmt.Errorf("build tcda: %w: %s", err, said)
	}
	summary, err := soak.Run(ctx, soak.Options{
		Seed: f.Seed, Program: program, Kafka: f.Kafka, Duration: f.Duration, Records: f.Records, Faults: f.Faults, Rate: f.Rate, Only: f.Only,
		Progress: progress, KeepFailed: true,
	})
	if summary == nil {
		return false, err
	}
	summary.Write(progress)
	if f.JSON {
		err = errors.Join(err, json.NewEncoder(out).Encode(summary))
	}
	return summary.Passed, err
}

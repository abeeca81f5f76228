package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

type demoCmd struct {
	Once     bool     `help:"End when everything is ingested and verified, instead of serving on."`
	JSON     bool     `name:"json" help:"Print the result as one JSON object, the last line of standard output; progress goes to standard error."`
	DataDir  string   `placeholder:"PATH" help:"Folder for the data of PostgreSQL and Kafka. A further demo on it goes on from there. Without it: in the user's data folder."`
	Listen   string   `name:"http-listen" default:"127.0.0.1:0" placeholder:"ADDRESS" help:"Where health and metrics are served; port 0 is any."`
	Rate     *float64 `placeholder:"R" help:"Records a second that the coordinator sends; 0 is as fast as it goes. Without it: slow enough to be watched on a terminal, else as fast as it goes."`
	Updates  int      `default:"26000" help:"How often the 36-hour run reports."`
	Seed     uint64   `default:"1" help:"What is left to chance follows from it."`
	LogLevel string   `default:"info" enum:"trace,debug,info,warn,error" help:"Least severe level of the service's log: trace, debug, info, warn or error."`
}

// Help is what --help says beyond the flags.
func (*demoCmd) Help() string {
	return `PostgreSQL runs from this machine's programs, or is downloaded once; Kafka and
Redis run in this process. All of them listen on loopback only.

Exit codes: 0 if produced = applied + duplicates + quarantined, every run ended
as the coordinator expected, and verification found nothing; else 1.`
}

// Run plays the demo.
func (c *demoCmd) Run(ctx context.Context, term console) (err error) {
	if c.DataDir == "" {
		if c.DataDir, err = devstack.DefaultDataDir(); err != nil {
			return err
		}
	}
	out := term.out
	if c.JSON {
		out = term.err
	}
	view, live := newDisplay(out)
	log, closeLog, err := c.openLog(term, live)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()

	fmt.Fprintf(view, "Starting PostgreSQL, Kafka and Redis on loopback, with their data in %s\n", c.DataDir)
	s, err := openStage(ctx, stageOptions{dataDir: c.DataDir, listen: c.Listen, log: log, progress: view})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	rate := 0.0
	switch {
	case c.Rate != nil:
		rate = *c.Rate
	case live:
		rate = watchableRate
	}
	end, err := c.play(ctx, s, view, rate)
	view.done()
	if err != nil {
		return err
	}
	end.write(out, live)
	if err := c.sayWhere(s, end, out, live); err != nil {
		return err
	}
	if c.JSON {
		if err := end.writeJSON(term.out); err != nil {
			return err
		}
	}
	if !c.Once {
		select {
		case <-ctx.Done():
		case err := <-s.ended:
			s.ended = nil
			return fmt.Errorf("serve: %w", err)
		}
		fmt.Fprintln(out, "\nStopping.")
	}
	if !end.holds() {
		return errReported
	}
	return nil
}

// sayWhere says where everything is kept or served.
func (c *demoCmd) sayWhere(s *stage, end *outcome, out io.Writer, live bool) error {
	if c.Once {
		fmt.Fprintf(out, "\n Everything is kept in %s; run the demo again to go on from there.\n", c.DataDir)
		return nil
	}
	log := "standard error"
	if live {
		log = logFile(c.DataDir)
	}
	environment, err := s.writeEnvironment(c.DataDir)
	if err != nil {
		return err
	}
	s.writePlaces(out, c.DataDir, log, environment)
	end.writeReports(out)
	fmt.Fprintf(out, "\n Serving until Ctrl-C.\n")
	return nil
}

// openLog is the service's log: on standard error, or in a file while a picture
// is on the terminal.
func (c *demoCmd) openLog(term console, live bool) (zerolog.Logger, func() error, error) {
	var (
		out   = term.err
		done  = func() error { return nil }
		shape = telemetry.LogFormat("auto")
	)
	if live {
		if err := os.MkdirAll(c.DataDir, 0o711); err != nil { //nolint:gosec // PostgreSQL runs as another user in it, see devstack
			return zerolog.Nop(), done, fmt.Errorf("make the data directory: %w", err)
		}
		file, err := os.OpenFile(logFile(c.DataDir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return zerolog.Nop(), done, fmt.Errorf("open the log: %w", err)
		}
		out, done = file, file.Close
	}
	log, err := telemetry.NewLogger(out, c.LogLevel, shape)
	return log, done, err
}

// play sends what the simulated coordinator says, shows how it is ingested, and
// verifies it in the end.
func (c *demoCmd) play(ctx context.Context, s *stage, view display, rate float64) (*outcome, error) {
	sim, err := coordsim.New(coordsim.Options{Seed: c.Seed, Instance: newInstance(), Start: time.Now(), LongUpdates: c.Updates})
	if err != nil {
		return nil, err
	}
	producer, err := coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: s.stack.KafkaBrokers,
		Topics:  coordsim.Topics{Executions: s.cfg.Kafka.TopicExecutions, Scenarios: s.cfg.Kafka.TopicScenarios},
	})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	before, err := s.sums(ctx)
	if err != nil {
		return nil, err
	}

	working, stop := context.WithCancel(ctx)
	defer stop()
	w := &watch{stage: s, sim: sim, view: view, began: time.Now(), before: before, sending: make(chan error, 1)}
	go func() {
		w.sending <- producer.Send(working, sim.Records(), rate, func(*coordsim.Record, coordsim.Address) error {
			w.sent.Add(1)
			return nil
		})
	}()
	sums, err := w.untilIngested(ctx)
	took := time.Since(w.began)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(view, "Everything is ingested; the reports of the runs follow")
	links, err := s.awaitReports(ctx, sim, view)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(view, "Verifying")
	end, err := s.conclude(ctx, sim, sums, sums.ingested()-before.ingested(), took)
	if err != nil {
		return nil, err
	}
	end.Reports = links
	return end, nil
}

// conclude verifies and sums up.
func (s *stage) conclude(ctx context.Context, sim *coordsim.Simulation, sums sums, ingested int64, took time.Duration) (*outcome, error) {
	report, err := verify.Run(ctx, s.store, s.live, verify.Options{LiveGrace: settleTime})
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	byStatus, err := s.store.RunsByStatus(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := s.runs(ctx)
	if err != nil {
		return nil, err
	}
	reasons, err := s.reasons(ctx)
	if err != nil {
		return nil, err
	}
	plays := match(sim.Plays(), runs)
	return &outcome{
		result: judge(sums, byStatus, plays, report, ingested, took),
		plays:  plays, reasons: reasons, verification: report, took: took,
	}, nil
}

// watch looks at what becomes of the records that are being sent.
type watch struct {
	*stage
	sim     *coordsim.Simulation
	view    display
	began   time.Time
	before  sums // of former demos
	sent    atomic.Int64
	sending chan error // how sending ended
}

const (
	// watchableRate lets a demo last about ten seconds.
	watchableRate = 2800
	// lookEvery is short enough to look alive, and long enough to cost little.
	lookEvery = 200 * time.Millisecond
	// stallLimit is how long nothing may be ingested with records waiting.
	stallLimit = time.Minute
)

// untilIngested shows pictures until everything is sent and ingested.
func (w *watch) untilIngested(ctx context.Context) (sums, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	allSent := false
	moved, ingested := time.Now(), int64(-1)
	for {
		select {
		case <-ctx.Done():
			return sums{}, errors.New("stopped before everything was ingested")
		case err := <-w.ended:
			w.ended = nil
			return sums{}, fmt.Errorf("serve: %w", err)
		case err := <-w.sending:
			if err != nil {
				return sums{}, err
			}
			allSent = true
			continue
		case <-tick.C:
		}
		now, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			return sums{}, err
		case len(now.Stopped) > 0:
			return sums{}, fmt.Errorf("ingest has stopped: %s", strings.Join(now.Stopped, "; "))
		case allSent && now.Lag == 0:
			return now, nil
		}
		if now.ingested() != ingested {
			moved, ingested = time.Now(), now.ingested()
		} else if time.Since(moved) > stallLimit {
			return sums{}, fmt.Errorf("nothing was ingested for %s, with %d records waiting", stallLimit, now.Lag)
		}
	}
}

// look takes a picture and shows it.
func (w *watch) look(ctx context.Context) (sums, error) {
	now, err := w.sums(ctx)
	if err != nil {
		return sums{}, err
	}
	runs, err := w.runs(ctx)
	if err != nil {
		return sums{}, err
	}
	elapsed := time.Since(w.began)
	expect := w.sim.Expect()
	w.view.show(picture{
		sums: now.since(w.before), plays: match(w.sim.Plays(), runs), sent: w.sent.Load(), of: expect.Records(),
		rate: float64(now.ingested()-w.before.ingested()) / elapsed.Seconds(), clock: fmt.Sprintf("%4.1fs", elapsed.Seconds()),
	})
	return now, nil
}

// newInstance is a name that no other simulation has.
func newInstance() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

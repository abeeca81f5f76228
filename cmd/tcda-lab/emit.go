package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

type emitCmd struct {
	Scenarios bool   `xor:"what" required:"" help:"Send what the simulated coordinator of the demo says."`
	File      string `xor:"what" required:"" placeholder:"PATH" help:"Send recorded events: JSON lines of structured CloudEvents, as they are unless --mode or --encoding is given; - is standard input."`
	Load      int    `xor:"what" required:"" placeholder:"N" help:"Send so many records of generated load."`

	Brokers      []string `placeholder:"HOST:PORT" help:"Bootstrap brokers; without them those of the environment."`
	CreateTopics bool     `help:"Make the input topics if they do not exist."`
	Rate         float64  `placeholder:"R" help:"Records a second at most; 0 is as fast as it goes."`

	Mode     string `default:"" enum:",mixed,binary,structured" placeholder:"MODE" help:"CloudEvents mode: binary, structured, or mixed (the default)."`
	Encoding string `default:"" enum:",mixed,json,protobuf" placeholder:"ENCODING" help:"Encoding of the data: json, protobuf, or mixed (the default)."`

	Mix      map[string]int `mapsep:"," placeholder:"NAME=WEIGHT" help:"What load consists of; short event names, duplicate and malformed."`
	Parallel int            `default:"50" help:"Runs of load at the same time."`
	Length   int            `default:"100" help:"Events of a run of load."`
	Updates  int            `default:"26000" help:"How often the 36-hour run of --scenarios reports."`

	Instance string `placeholder:"NAME" help:"Name of this sender, part of all event ids: unique over restarts, since sending other events under the same ids is a conflict. Random if not given."`
	Seed     uint64 `default:"1" help:"What is left to chance follows from it."`
	Ledger   string `placeholder:"PATH" help:"Write every acknowledged record to this file, as JSON lines; a file that exists is continued."`
}

// Help is what --help says beyond the flags.
func (*emitCmd) Help() string {
	return `Topics, TLS and SASL are read from the environment, as tcda does:
` + config.EnvPrefix + `KAFKA_BROKERS, _KAFKA_TLS, _KAFKA_SASL_MECHANISM ...

The last line of standard output says what was acknowledged. Exit code 1 says
that not everything was; what the ledger holds was.`
}

// Run sends the records.
func (c *emitCmd) Run(ctx context.Context, term console) (err error) {
	c.Instance = cmp.Or(c.Instance, newInstance())
	records, closeRecords, err := c.records(term.in)
	if err != nil {
		return err
	}
	defer closeRecords()
	cfg, err := config.Load(term.lookupEnv)
	if err != nil {
		return err
	}
	if len(c.Brokers) > 0 {
		cfg.Kafka.Brokers = c.Brokers
	}
	if err := cfg.Validate(); err != nil {
		return &usageError{err}
	}
	to, err := service.Kafka(cfg)
	if err != nil {
		return err
	}
	if err := c.prepareTopics(ctx, to); err != nil {
		return err
	}
	producer, err := coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: to.Brokers, TLS: to.TLS, SASL: to.SASL,
		Topics: coordsim.Topics{Executions: cfg.Kafka.TopicExecutions, Scenarios: cfg.Kafka.TopicScenarios},
	})
	if err != nil {
		return err
	}
	defer producer.Close()
	tally := &tally{began: time.Now(), counts: map[coordsim.Kind]int64{}}
	if c.Ledger != "" {
		if tally.ledger, err = coordsim.OpenLedger(c.Ledger); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tally.ledger.Close()) }()
	}
	stop := tally.tell(term.err)
	err = producer.Send(ctx, records, c.Rate, tally.acknowledged)
	stop()
	fmt.Fprintln(term.out, tally.line())
	return err
}

// records are those asked for.
func (c *emitCmd) records(stdin io.Reader) (iter.Seq2[coordsim.Record, error], func(), error) {
	nothing := func() {}
	switch {
	case c.Scenarios:
		sim, err := coordsim.New(coordsim.Options{Seed: c.Seed, Instance: c.Instance, Start: time.Now(), LongUpdates: c.Updates, Forms: c.forms()})
		if err != nil {
			return nil, nil, &usageError{err}
		}
		return sim.Records(), nothing, nil
	case c.Load != 0:
		load := coordsim.Load{
			Seed: c.Seed, Instance: c.Instance, Start: time.Now(), Records: c.Load, Parallel: c.Parallel, Length: c.Length, Mix: c.Mix, Forms: c.forms(),
		}
		if err := load.Validate(); err != nil {
			return nil, nil, &usageError{err}
		}
		return load.Generate(), nothing, nil
	}
	from, closeFile := stdin, nothing
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return nil, nil, fmt.Errorf("open recording: %w", err)
		}
		from, closeFile = file, func() { _ = file.Close() }
	}
	if c.Mode == "" && c.Encoding == "" {
		return coordsim.Recording(from), closeFile, nil
	}
	return coordsim.RecordingAs(from, c.forms()), closeFile, nil
}

// forms are those that the flags allow.
func (c *emitCmd) forms() []coordsim.Form {
	var allowed []coordsim.Form
	for _, f := range coordsim.Forms() {
		if c.Mode == "binary" && f.Mode != event.Binary || c.Mode == "structured" && f.Mode != event.Structured ||
			c.Encoding == "json" && f.Encoding != event.JSON || c.Encoding == "protobuf" && f.Encoding != event.Protobuf {
			continue
		}
		allowed = append(allowed, f)
	}
	return allowed
}

// prepareTopics finds out before anything is sent that Kafka can be reached and
// has the topics.
func (c *emitCmd) prepareTopics(ctx context.Context, to kafkalog.Config) error {
	client, err := kafkalog.Open(to)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	if err := client.Preflight(ctx); err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	for _, name := range to.Topics {
		if c.CreateTopics {
			err = client.EnsureTopics(ctx, kafkalog.TopicSpec{Name: name})
		} else {
			_, err = client.Topic(ctx, name)
		}
		if errors.Is(err, kafkalog.ErrUnknownTopic) {
			return fmt.Errorf("find topic %s: %w (--create-topics makes it)", name, err)
		}
		if err != nil {
			return fmt.Errorf("prepare topic %s: %w", name, err)
		}
	}
	return nil
}

// tally counts what was acknowledged.
type tally struct {
	began  time.Time
	ledger *coordsim.Ledger // nil: none

	mu     sync.Mutex
	counts map[coordsim.Kind]int64
}

func (t *tally) acknowledged(r *coordsim.Record, at coordsim.Address) error {
	t.mu.Lock()
	t.counts[r.Kind]++
	t.mu.Unlock()
	if t.ledger == nil {
		return nil
	}
	return t.ledger.Add(r, at)
}

func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all int64
	for _, n := range t.counts {
		all += n
	}
	took := time.Since(t.began)
	line := fmt.Sprintf("%s records acknowledged in %s (%s a second)", count(all), took.Round(10*time.Millisecond), count(int64(float64(all)/took.Seconds())))
	separator := ": "
	for _, part := range []struct {
		kind coordsim.Kind
		name string
	}{{coordsim.Event, "events"}, {coordsim.Duplicate, "duplicates"}, {coordsim.Malformed, "malformed"}, {coordsim.Unjudged, "recorded"}} {
		if n := t.counts[part.kind]; n > 0 {
			line += fmt.Sprintf("%s%s %s", separator, count(n), part.name)
			separator = ", "
		}
	}
	return line
}

// tell writes a line now and then until it is stopped.
func (t *tally) tell(w io.Writer) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(lineEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				fmt.Fprintln(w, t.line())
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Config bounds the engine. Zero values stand for the defaults named beside
// them.
type Config struct {
	Instance string // unique among the running instances; names the owner of partitions and the source of own events

	Read     kafkalog.ReadConfig
	Group    kafkalog.GroupConfig
	Limits   scenario.Limits // of definitions; scenario.DefaultLimits
	Prefetch int             // batches decoded ahead of the one being committed: 2
	InFlight int64           // bytes of records, of all partitions, that are decoded and not committed: 8 MiB; decoded they take some five times as much

	Gather          time.Duration // from the fetch of a small batch of several records to the next of its partition, at least: none
	ApplyBudget     time.Duration // for the batch in hand when a partition is taken away: 20 s
	ReleaseBudget   time.Duration // for the word of a clean stop, on top of it; both together below the session timeout: 3 s
	StallLimit      time.Duration // without progress for so long a partition is given up: 2 min
	OffsetInterval  time.Duration // S7: 2 s
	AdvanceInterval time.Duration // how often an advance over no records is committed: 1 s
	ReconcileEvery  time.Duration // S9: 10 s
	SettledHorizon  time.Duration // how far back a full sweep shows ended runs, as long as Redis keeps them: 24 h
	StopPoll        time.Duration // how often a stopped or quiet partition looks whether it was moved: 2 s
	RetryMin        time.Duration // first pause after an infrastructure error: 100 ms
	RetryMax        time.Duration // longest: 30 s

	PartitionGrain  string        // "month" or "day": "month"
	PartitionsAhead int           // how many partitions are made beyond the present one: 3
	RollEvery       time.Duration // how often: 1 h
	PlanEvery       time.Duration // how often schedules are looked at: 1 s
}

func (c Config) withDefaults() Config {
	if c.Limits == (scenario.Limits{}) {
		c.Limits = scenario.DefaultLimits()
	}
	c.Prefetch = cmp.Or(c.Prefetch, 2)
	c.InFlight = cmp.Or(c.InFlight, 8<<20)
	c.ApplyBudget = cmp.Or(c.ApplyBudget, 20*time.Second)
	c.ReleaseBudget = cmp.Or(c.ReleaseBudget, 3*time.Second)
	c.StallLimit = cmp.Or(c.StallLimit, 2*time.Minute)
	c.OffsetInterval = cmp.Or(c.OffsetInterval, 2*time.Second)
	c.AdvanceInterval = cmp.Or(c.AdvanceInterval, time.Second)
	c.ReconcileEvery = cmp.Or(c.ReconcileEvery, 10*time.Second)
	c.SettledHorizon = cmp.Or(c.SettledHorizon, 24*time.Hour)
	c.StopPoll = cmp.Or(c.StopPoll, 2*time.Second)
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 30*time.Second)
	c.PartitionGrain = cmp.Or(c.PartitionGrain, "month")
	c.PartitionsAhead = cmp.Or(c.PartitionsAhead, 3)
	c.RollEvery = cmp.Or(c.RollEvery, time.Hour)
	c.PlanEvery = cmp.Or(c.PlanEvery, time.Second)
	c.Read.BatchRecords = cmp.Or(c.Read.BatchRecords, 3000)
	return c
}

// Decoder is what event.Decoder does. Tests have one that panics.
type Decoder interface {
	Decode(record kafkarecord.Record, now time.Time) (event.Decoded, *fact.Rejection)
}

// Parts are what the engine works with.
type Parts struct {
	Kafka   *kafkalog.Client
	Store   *pgstore.Store
	Redis   *redisstore.Store // nil: without Redis
	Decoder Decoder
	Metrics *telemetry.Metrics
	Tracing *telemetry.Tracing // nil: no traces
	Log     zerolog.Logger
	Now     func() time.Time // nil: the system's clock

	// Probe is called before each step and after it; nil: not at all. Tests
	// let the process die there.
	Probe func(Moment)
}

// Moment is where in its work the engine is.
type Moment struct {
	Step  telemetry.Step
	After bool // false: the step is about to begin
}

// Engine takes the input topics into the store.
type Engine struct {
	cfg Config
	Parts

	publisher *publisher          // nil without Redis
	turn      chan struct{}       // held by who makes an attempt
	decoders  chan struct{}       // held by who decodes
	inFlight  *semaphore.Weighted // bytes; held by batches from before they are decoded until they are committed

	reached  sync.Map                // partitionName -> pgstore.Position: how far this process has come itself
	wentBack atomic.Int64            // how often PostgreSQL was behind that, or behind what Redis holds: restored from a backup
	met      atomic.Pointer[meeting] // of this process with PostgreSQL and Redis; nil: not yet
}

// New makes an engine; Ingest starts it.
func New(cfg Config, p Parts) (*Engine, error) {
	if cfg.Instance == "" {
		return nil, errors.New("engine needs the name of its instance")
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Tracing == nil {
		p.Tracing = telemetry.NoTracing()
	}
	e := &Engine{cfg: cfg.withDefaults(), Parts: p, turn: make(chan struct{}, 1), decoders: newDecoders()}
	e.inFlight = semaphore.NewWeighted(e.cfg.InFlight)
	if p.Redis != nil {
		e.publisher = newPublisher(e)
	}
	return e, nil
}

// Source is the source of this instance's own events.
func (e *Engine) Source() string { return event.DefaultLimits().ReservedSources + e.cfg.Instance }

// Ingest joins the consumer group and takes records into the store until ctx
// ends; it then finishes the batches in hand, shows them in Redis, and returns
// nil. It returns an error only for a configuration that cannot work.
func (e *Engine) Ingest(ctx context.Context) error {
	group, err := kafkalog.NewGroup(e.Kafka, e.cfg.Group)
	if err != nil {
		return fmt.Errorf("prepare consumer group: %w", err)
	}
	// Redis hears of the last batches too: its loop ends after the workers.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var beside sync.WaitGroup
	if e.publisher != nil {
		beside.Go(func() { e.publisher.run(background) })
	}
	beside.Go(func() { e.every(background, e.cfg.ReconcileEvery, func() { e.watchQuarantine(background) }) })
	err = group.Run(ctx, func(ctx context.Context, a kafkalog.Assignment) error {
		return newWorker(e, a).run(ctx)
	})
	stop()
	beside.Wait()
	return err
}

// step runs one step of the engine: probed, and timed.
func (e *Engine) step(s telemetry.Step, work func() error) error {
	if e.Probe != nil {
		e.Probe(Moment{Step: s})
	}
	begun := time.Now()
	err := work()
	e.Metrics.Step(s, time.Since(begun))
	if e.Probe != nil {
		e.Probe(Moment{Step: s, After: true})
	}
	return err
}

// every calls work at once, and then again each interval until ctx ends.
func (e *Engine) every(ctx context.Context, interval time.Duration, work func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		work()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

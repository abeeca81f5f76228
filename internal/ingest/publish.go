package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// maxHints is how many hints wait for Redis at most. More are left out: they
// are an optimisation.
const maxHints = 50_000

// publisher shows committed states in Redis, behind the workers' backs: S5 and
// S6. Only the newest state of an execution waits, so that a slow Redis makes
// it coalesce, never grow. What it loses is found by S9.
type publisher struct {
	*Engine

	mu     sync.Mutex
	states map[execution.ID]execution.Live
	hints  []redisstore.Hint
	wake   chan struct{}
}

func newPublisher(e *Engine) *publisher {
	return &publisher{Engine: e, states: map[execution.ID]execution.Live{}, wake: make(chan struct{}, 1)}
}

// committed takes what a committed batch changed. It never blocks.
func (p *publisher) committed(states []execution.Live, hints []redisstore.Hint) {
	p.mu.Lock()
	for _, s := range states {
		if held, ok := p.states[s.ExecutionID]; !ok || newer(s, held) {
			p.states[s.ExecutionID] = s
		}
	}
	if len(p.hints)+len(hints) <= maxHints {
		p.hints = append(p.hints, hints...)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

// newer tells whether a is a later picture of an execution than b.
func newer(a, b execution.Live) bool {
	return a.Run > b.Run || a.Run == b.Run && a.Version > b.Version
}

// run writes to Redis until ctx ends, and then what is left.
func (p *publisher) run(ctx context.Context) {
	timeline := time.NewTicker(p.cfg.ReconcileEvery)
	defer timeline.Stop()
	for {
		select {
		case <-ctx.Done():
			p.flush(context.WithoutCancel(ctx)) // every call is bounded by its budget
			return
		case <-timeline.C:
			p.timeline.Store(0) // read again with the next states: there may have been a failover
		case <-p.wake:
			p.flush(ctx)
		}
	}
}

func (p *publisher) flush(ctx context.Context) {
	p.mu.Lock()
	states, hints := p.states, p.hints
	p.states, p.hints = map[execution.ID]execution.Live{}, nil
	p.mu.Unlock()
	if len(states) > 0 {
		newest := make([]execution.Live, 0, len(states))
		for _, s := range states {
			newest = append(newest, s)
		}
		err := p.step(telemetry.StepState, func() error {
			timeline, err := p.knownTimeline(ctx)
			if err != nil {
				return err
			}
			_, err = p.Redis.ApplyStates(ctx, newest, timeline)
			return err
		})
		if err != nil {
			p.Log.Debug().Err(err).Int("states", len(newest)).Msg("live states not written; reconciliation will")
		}
	}
	if len(hints) > 0 {
		err := p.step(telemetry.StepMark, func() error { return p.Redis.MarkKnown(ctx, hints) })
		if err != nil {
			p.Log.Debug().Err(err).Msg("idempotency hints not written")
		}
	}
	p.Metrics.RedisUp(p.Redis.Up())
}

// knownTimeline is the timeline that the states were committed on, as far as
// is known: a version must say so.
func (e *Engine) knownTimeline(ctx context.Context) (uint32, error) {
	if t := e.timeline.Load(); t != 0 {
		return t, nil
	}
	cluster, err := e.Store.Cluster(ctx)
	if err != nil {
		return 0, err
	}
	if cluster.Timeline == 0 {
		return 0, errStandby
	}
	e.timeline.Store(cluster.Timeline)
	return cluster.Timeline, nil
}

// errStandby says that the database is a standby, whose rows may be old.
var errStandby = errors.New("connected to a standby")

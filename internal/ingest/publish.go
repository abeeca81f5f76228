package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// maxHints is how many hints wait for Redis at most. More are left out: they
// are an optimisation.
const maxHints = 50_000

const (
	// publisherRest: after a write the publisher rests for so many times as long,
	// and states of the same executions coalesce meanwhile. So Redis costs a
	// twentieth of a processor at most, unless so many runs are live that a write
	// takes longer than 13 ms: the longest rest bounds how late a state is shown.
	publisherRest = 19
	longestRest   = 250 * time.Millisecond
)

// publisher shows committed states in Redis, behind the workers' backs: S5 and
// S6. Only the newest state of an execution waits, so that a slow Redis makes
// it coalesce, never grow. States that it loses are found by S9; lost hints are
// not missed.
type publisher struct {
	*Engine

	mu       sync.Mutex
	timeline uint32 // that all of states were committed on
	states   map[execution.ID]execution.Live
	hints    []redisstore.Hint
	wake     chan struct{}
}

func newPublisher(e *Engine) *publisher {
	return &publisher{Engine: e, states: map[execution.ID]execution.Live{}, wake: make(chan struct{}, 1)}
}

// committed takes what a batch changed that was committed on a timeline of
// PostgreSQL. It never blocks.
func (p *publisher) committed(timeline uint32, states []execution.Live, hints []redisstore.Hint) {
	p.mu.Lock()
	if timeline > p.timeline {
		// A failover may have lost what still waits, and its row versions come
		// again: shown as of the new timeline it would hide the rows that stand.
		p.timeline = timeline
		clear(p.states)
	}
	for _, s := range states {
		if held, ok := p.states[s.ExecutionID]; timeline == p.timeline && (!ok || newer(s, held)) {
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

// forget drops the states that wait: the database that they are of has lost them.
func (p *publisher) forget() {
	p.mu.Lock()
	clear(p.states)
	p.mu.Unlock()
}

// newer tells whether a is a later picture of an execution than b.
func newer(a, b execution.Live) bool {
	return a.Run > b.Run || a.Run == b.Run && a.Version > b.Version
}

// run writes to Redis until ctx ends, and then what is left. A write under way
// at the end is not cut off: what it carries has been taken out already, and
// every call is bounded by its budget.
func (p *publisher) run(ctx context.Context) {
	lasting := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			p.flush(lasting)
			return
		case <-p.wake:
		}
		begun := time.Now()
		p.flush(lasting)
		rest := time.NewTimer(min(publisherRest*time.Since(begun), longestRest))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

func (p *publisher) flush(ctx context.Context) {
	p.mu.Lock()
	timeline, states, hints := p.timeline, p.states, p.hints
	p.states, p.hints = map[execution.ID]execution.Live{}, nil
	p.mu.Unlock()
	if len(states) > 0 {
		newest := make([]execution.Live, 0, len(states))
		for _, s := range states {
			newest = append(newest, s)
		}
		err := p.step(telemetry.StepState, func() error {
			_, err := p.Redis.ApplyStates(ctx, newest, timeline)
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

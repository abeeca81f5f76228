// Package liveness looks after runs that nobody looks after any more.
//
// A run that has not ended, and of which nothing was heard for longer than its
// limit, is interrupted: by an event of our own, which any later real event
// overrides. The limit is the timeout of the run's definition, or else a
// setting. Silence is what this loop has heard itself: it counts from when the
// loop first saw the run with so many events, and anew whenever nothing could be
// heard, because ingest was stopped or behind. What this service itself says of a
// run is no sign of its life.
//
// A run that has ended with faults that still act on their targets has orphaned
// them: an alarm is raised, and the coordinator is asked, once for each end, to
// take them back (fault.clear_requested.v1).
//
// The loop runs once among all instances, and decides nothing that package
// command does not decide again in its transaction.
package liveness

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Config says how patient the loop is.
type Config struct {
	Every   time.Duration // between two passes
	Silence time.Duration // of a run whose definition has no timeout
	Grace   time.Duration // from the end of a run until its faults count as orphaned: they may be on their way
}

// Parts are what the loop works with.
type Parts struct {
	Store    *pgstore.Store
	Commands *command.Commands
	Limits   scenario.Limits // of definitions
	Metrics  *telemetry.Metrics
	Log      zerolog.Logger
	Now      func() time.Time // nil: the system's clock

	// Deaf says why nothing can be heard just now; nil: all that was said is. A nil
	// Deaf means that everything is heard.
	Deaf func(context.Context) error
}

// Loop looks after runs. Make it with New, then Run.
type Loop struct {
	cfg Config
	Parts
	heard map[pgstore.RunKey]heard // of the runs that have not ended
	asked map[pgstore.RunKey]state // of those that have: as they were when there was nothing more to ask for
}

// heard is how much others had said of a run, and since when that is all.
type heard struct {
	events int64
	since  time.Time
}

// state tells a run that was changed from one that was not.
type state struct {
	version int64
	at      time.Time
}

// New makes the loop.
func New(cfg Config, p Parts) *Loop {
	if p.Now == nil {
		p.Now = time.Now
	}
	return &Loop{cfg: cfg, Parts: p}
}

// Run makes a pass now and then, until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	tick := time.NewTicker(l.cfg.Every)
	defer tick.Stop()
	for {
		if _, err := l.Store.Lead(ctx, "liveness", l.Pass); err != nil && ctx.Err() == nil {
			l.Log.Warn().Err(err).Msg("silent runs and orphaned faults were not looked for; trying again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const page = 500

// Pass looks once at all runs that may have been left alone. Passes go one after
// the other.
func (l *Loop) Pass(ctx context.Context) error {
	if l.Deaf != nil {
		if err := l.Deaf(ctx); err != nil {
			l.Log.Info().Err(err).Msg("silence says nothing just now: not all that was said has been heard")
			clear(l.heard)
			return nil
		}
	}
	return errors.Join(l.interruptSilent(ctx), l.lookForOrphans(ctx))
}

func (l *Loop) interruptSilent(ctx context.Context) error {
	now, limits, before := l.Now(), map[version]time.Duration{}, l.heard
	l.heard = make(map[pgstore.RunKey]heard, len(before)) // those that have ended are forgotten
	for after := (pgstore.RunKey{}); ; {
		signs, err := l.Store.LiveSignsAfter(ctx, after, page)
		if err != nil {
			return err
		}
		for _, s := range signs {
			after = s.RunKey
			last, known := before[s.RunKey]
			if !known || last.events != s.Events {
				last = heard{events: s.Events, since: now}
			}
			l.heard[s.RunKey] = last
			limit, err := l.limit(ctx, limits, version{s.ScenarioID, s.ScenarioVersion})
			if err != nil {
				return err
			}
			silent := now.Sub(last.since)
			if silent <= limit {
				continue
			}
			said, err := l.Commands.InterruptSilent(ctx, s.RunKey, s.Events)
			if err := l.only(s.RunKey, err); err != nil {
				return err
			}
			if said {
				l.Log.Warn().Str("execution_id", string(s.ID)).Int32("run", int32(s.Number)).Dur("silent", silent).Dur("limit", limit).
					Msg("run interrupted: nothing was heard of it for too long")
			}
		}
		if len(signs) < page {
			return nil
		}
	}
}

// only logs an error that is about this one run, and gives one that is not: the
// others must not wait for a run that cannot be helped.
func (l *Loop) only(k pgstore.RunKey, err error) error {
	var rejected *command.Rejected
	switch {
	case err == nil, errors.Is(err, pgstore.ErrNotFound): // retention has removed it meanwhile
		return nil
	case errors.As(err, &rejected), pgstore.ClassOf(err) != pgstore.Infrastructure:
		l.Log.Error().Err(err).Str("execution_id", string(k.ID)).Int32("run", int32(k.Number)).Msg("nothing can be said of this run; going on with the others")
		return nil
	}
	return err
}

// version names a version of a scenario as a coordinator does.
type version struct{ scenario, version string }

// limit is how long a run of that version may be silent; looked up once a pass.
func (l *Loop) limit(ctx context.Context, known map[version]time.Duration, v version) (time.Duration, error) {
	if limit, ok := known[v]; ok {
		return limit, nil
	}
	limit := l.cfg.Silence
	if v.scenario != "" {
		stored, err := l.Store.ScenarioVersion(ctx, scenario.ID(v.scenario), v.version)
		if err != nil && !errors.Is(err, pgstore.ErrNotFound) {
			return 0, err
		}
		if stored != nil {
			if d, _ := scenario.ParseDefinition(stored.Text, l.Limits); d != nil && d.Spec.Timeout > 0 {
				limit = d.Spec.Timeout
			}
		}
	}
	known[v] = limit
	return limit, nil
}

// lookForOrphans has the coordinator asked for the faults of ended runs. A run of
// which there was nothing more to ask is left alone until it is changed, for its
// faults may act for ever: who begins anew, or leads now, looks at each once.
func (l *Loop) lookForOrphans(ctx context.Context) error {
	orphaned, ended, asked := 0, l.Now().Add(-l.cfg.Grace), make(map[pgstore.RunKey]state, len(l.asked))
	for after := (pgstore.RunKey{}); ; {
		runs, err := l.Store.OrphaningRunsAfter(ctx, after, page)
		if err != nil {
			return err
		}
		for i := range runs {
			r := &runs[i]
			after = r.RunKey
			if r.EndedAt.After(ended) && !r.EndedAt.After(l.Now()) { // a producer's clock may be fast
				continue
			}
			orphaned += r.Faults
			now := state{r.Version, r.UpdatedAt}
			if before, ok := l.asked[r.RunKey]; !ok || before != now {
				nothing, err := l.askToClear(ctx, r)
				if err := l.only(r.RunKey, err); err != nil {
					return err
				}
				if !nothing {
					continue
				}
			}
			asked[r.RunKey] = now
		}
		if len(runs) < page {
			l.asked = asked // those that were revived or cleared are forgotten
			l.Metrics.OrphanedFaults(orphaned)
			return nil
		}
	}
}

// askToClear asks for the faults of one run that were not asked for, and tells
// whether there were none.
func (l *Loop) askToClear(ctx context.Context, r *pgstore.OrphaningRun) (none bool, err error) {
	asked, err := l.Commands.AskToClear(ctx, r.RunKey)
	if err != nil {
		return false, err
	}
	for _, f := range asked {
		l.Log.Error().Str("execution_id", string(r.ID)).Int32("run", int32(r.Number)).Str("status", string(r.Status)).
			Str("fault_id", f.FaultID).Str("fault_type", f.FaultType).Str("target_service", f.TargetService).
			Msg("orphaned fault: its run has ended and it still acts on its target; the coordinator is asked to clear it")
	}
	return len(asked) == 0, nil
}

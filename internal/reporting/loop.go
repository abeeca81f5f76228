package reporting

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Config bounds the loop. Zero values stand for the defaults named beside them.
type Config struct {
	Workers  int           // reports that are built at once: 1
	Poll     time.Duration // between two looks at an empty queue: 1 s
	Lease    time.Duration // how long a claim lasts unless it is renewed: 20 s
	RetryMin time.Duration // first pause of a run whose report could not be built: 1 s
	RetryMax time.Duration // longest: 10 min
}

// Parts are what the loop works with.
type Parts struct {
	Reports *Reports
	Metrics *telemetry.Metrics
	Publish func() // called when there is something to publish; nil: nobody waits for it
	Log     zerolog.Logger
}

// Loop builds the reports of runs that have settled. Make it with New, then Run.
// Several instances may work at once.
type Loop struct {
	cfg Config
	Parts
	nudged chan struct{}
}

// New makes a loop.
func New(cfg Config, p Parts) *Loop {
	cfg.Workers = max(cfg.Workers, 1)
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	cfg.Lease = cmp.Or(cfg.Lease, 20*time.Second)
	cfg.RetryMin = cmp.Or(cfg.RetryMin, time.Second)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, 10*time.Minute)
	p.Log = p.Log.With().Str("component", "reports").Logger()
	return &Loop{cfg: cfg, Parts: p, nudged: make(chan struct{}, cfg.Workers)}
}

// Nudge says that runs were enqueued: they need not wait for the next look. It may
// be called from any goroutine, and waits for nothing.
func (l *Loop) Nudge() {
	select {
	case l.nudged <- struct{}{}:
	default: // they have been told
	}
}

// Run builds reports until ctx ends, and gives up what is under way then: another
// instance, or the next start, begins again when the lease has ended.
func (l *Loop) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range l.cfg.Workers {
		workers.Go(func() { l.work(ctx) })
	}
	workers.Go(func() { l.watch(ctx) })
	workers.Wait()
}

// work takes one run after the other.
func (l *Loop) work(ctx context.Context) {
	for ctx.Err() == nil {
		claimed, err := l.Reports.Store.ClaimReport(ctx, l.cfg.Lease)
		if err == nil {
			l.take(ctx, claimed)
			continue
		}
		if !errors.Is(err, pgstore.ErrNotFound) && ctx.Err() == nil {
			l.Log.Warn().Err(err).Msg("no run claimed whose report is to be built; tried again later")
		}
		timer := time.NewTimer(l.cfg.Poll/2 + rand.N(l.cfg.Poll/2+1))
		select {
		case <-ctx.Done():
		case <-l.nudged:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take makes the report of a claimed run, or has the run wait. It renews the lease
// meanwhile.
func (l *Loop) take(ctx context.Context, q pgstore.QueuedReport) {
	working, done := context.WithCancel(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { l.renew(working, q) })
	begun := time.Now()
	frozen, err := l.report(ctx, q)
	done()
	renewal.Wait()
	log := l.Log.With().Str("execution_id", string(q.ID)).Int32("run", int32(q.Number)).Logger()
	switch {
	case err == nil:
		l.Metrics.ReportBuilt(time.Since(begun), frozen.New)
		log.Debug().Int32("revision", frozen.Revision).Bool("new", frozen.New).Stringer("sha256", frozen.SHA256).Msg("report built")
	case ctx.Err() != nil: // whoever claims it next begins again
	default:
		pause := l.pause(q.Attempts)
		log.Error().Err(err).Int("attempt", q.Attempts).Stringer("again_in", pause).Msg("report cannot be built")
		l.Metrics.ReportFailed()
		if err := l.Reports.Store.PutOffReport(ctx, q, pause, err.Error()); err != nil {
			log.Warn().Err(err).Msg("not noted; tried again when the lease has ended")
		}
	}
}

// report builds and freezes, and takes the run off the queue. Where nothing can be
// frozen any more, that is the end of it, too.
func (l *Loop) report(ctx context.Context, q pgstore.QueuedReport) (frozen Frozen, err error) {
	built, err := l.Reports.Build(ctx, q.RunKey)
	var pruned *PrunedError
	version := q.Version
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		built = nil // the run was removed
	case errors.As(err, &pruned):
		l.Log.Warn().Err(err).Msg("a run that changed keeps the report that it has")
		built = nil
	case err != nil:
		return frozen, err
	default:
		version = max(version, built.Run.Version)
	}
	err = l.Reports.Store.Batch(ctx, l.Reports.now(), func(tx *pgstore.Tx) error {
		if built != nil {
			frozen, err = l.Reports.Freeze(ctx, tx, built, Settled)
			// One that goes on again settles again.
			if err != nil && !errors.Is(err, ErrNotEnded) && !errors.Is(err, pgstore.ErrNotFound) {
				return err
			}
		}
		return tx.DoneReport(ctx, q.RunKey, version)
	})
	if err == nil && frozen.New && l.Publish != nil {
		l.Publish()
	}
	return frozen, err
}

// renew puts the end of the lease off while the work lasts.
func (l *Loop) renew(ctx context.Context, q pgstore.QueuedReport) {
	tick := time.NewTicker(l.cfg.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := l.Reports.Store.PutOffReport(ctx, q, l.cfg.Lease, ""); err != nil && ctx.Err() == nil {
				l.Log.Debug().Err(err).Msg("lease of a report not renewed; another instance may build it, too")
			}
		}
	}
}

// pause is how long a run waits after so many tries in vain.
func (l *Loop) pause(attempts int) time.Duration {
	d := l.cfg.RetryMin
	for range min(attempts-1, 30) {
		d = min(2*d, l.cfg.RetryMax)
	}
	return d/2 + rand.N(d/2+1)
}

// watch tells the metrics what waits.
func (l *Loop) watch(ctx context.Context) {
	tick := time.NewTicker(10 * l.cfg.Poll)
	defer tick.Stop()
	for {
		queue, err := l.Reports.Store.ReportQueue(ctx)
		if err == nil {
			l.Metrics.ReportQueue(queue.Waiting, queue.Failing, queue.Age)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Reports) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

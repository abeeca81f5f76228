package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// sweepPage is how many runs are read from PostgreSQL at a time.
const sweepPage = 1000

// reconciler is S9: it makes Redis right again, whatever was lost of S5.
type reconciler struct {
	*Engine
	cluster pgstore.Cluster
	redisID string    // of the running Redis, where it can be seen
	passes  int64     // their number in Redis after our last one
	done    time.Time // when the last pass that succeeded began; zero: sweep
	rebuilt int64     // how often all was removed and built anew because PostgreSQL had gone back
}

// meeting is what PostgreSQL and Redis said when this process met them, before it wrote
// anything: what it writes may bring a database that was restored from a backup beyond
// where it was before.
type meeting struct {
	postgres redisstore.Epoch // position 0: of a standby, which is no meeting
	answered bool             // Redis did: whether it is ahead is known
}

// meetLimit bounds how long a start waits for what Redis says.
const meetLimit = time.Second

// Meet looks whether Redis has states of a later time than PostgreSQL, which was restored
// from a backup then. A process should do so before it writes anything; claims and passes
// do what is left of it.
func (e *Engine) Meet(ctx context.Context) error {
	if e.Redis == nil {
		return nil
	}
	met := e.met.Load()
	if met != nil && met.answered {
		return nil
	}
	// Redis is asked first: whoever writes a sentinel has asked PostgreSQL before, so
	// that no other process's can be ahead. Where it did not answer at once one may be,
	// and the live state is built anew without need.
	asking, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	sentinel, unanswered := e.Redis.Sentinel(asking)
	now := &meeting{answered: unanswered == nil}
	if met != nil {
		now.postgres = met.postgres
	} else {
		epoch, err := e.epoch(ctx)
		if err != nil {
			return err
		}
		now.postgres = epoch
	}
	if now.postgres.Position != 0 && e.met.CompareAndSwap(met, now) && now.answered && sentinel.Of(now.postgres) == redisstore.SentinelAhead {
		e.wentBack.Add(1)
	}
	return nil
}

// epoch is where PostgreSQL is now.
func (e *Engine) epoch(ctx context.Context) (redisstore.Epoch, error) {
	cluster, err := e.Store.Cluster(ctx)
	if err != nil {
		return redisstore.Epoch{}, err
	}
	position, err := e.Store.History(ctx)
	return redisstore.Epoch{System: cluster.SystemIdentifier, Timeline: cluster.Timeline, Position: int64(position)}, err
}

// Reconcile runs S9 now and then until ctx ends; one instance at a time does. It
// should end after Ingest, so that nothing is written after its last word. Without
// Redis there is nothing to do.
func (e *Engine) Reconcile(ctx context.Context) {
	if e.Redis == nil {
		return
	}
	r := &reconciler{Engine: e}
	e.every(ctx, e.cfg.ReconcileEvery, func() {
		if err := errors.Join(e.Meet(ctx), r.readCluster(ctx)); err != nil {
			e.warnUnlessEnded(ctx, err, "database cluster not identified")
			return
		}
		_, err := e.Store.Lead(ctx, "reconcile", func(ctx context.Context) error {
			return e.step(telemetry.StepReconcile, func() error { return r.pass(ctx) })
		})
		e.Metrics.RedisUp(e.Redis.Up())
		e.warnUnlessEnded(ctx, err, "live state not reconciled; tried again later")
	})
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	if err := r.leave(leaving); err != nil {
		e.Log.Warn().Err(err).Msg("not noted how far PostgreSQL has come: the next process will not notice a backup that was taken after the last pass and is put back")
	}
}

// leaveLimit bounds that, at the end of a stop.
const leaveLimit = time.Second

// leave notes for the next process how far PostgreSQL has come: restored from a
// backup that was taken since the last pass, it would seem to have gone on.
func (r *reconciler) leave(ctx context.Context) error {
	met := r.met.Load()
	if met == nil || !met.answered {
		return nil // what stands there tells the next one more
	}
	_, err := r.Store.Lead(ctx, "reconcile", func(ctx context.Context) error { // while another leads it is for that one to note
		epoch, err := r.epoch(ctx)
		if err != nil {
			return err
		}
		held, err := r.Redis.Sentinel(ctx)
		if err != nil {
			return err
		}
		state := held.Of(epoch)
		switch {
		case state == redisstore.SentinelNewer: // for an operator to decide
			return nil
		case r.wentBack.Load() > r.rebuilt: // no pass has acted on it, and the position may hide it
			return r.Redis.Disown(ctx)
		case state == redisstore.SentinelSame:
			return r.Redis.RenewSentinel(ctx, epoch)
		}
		return nil // for a pass
	})
	return err
}

func (e *Engine) warnUnlessEnded(ctx context.Context, err error, message string) {
	if err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg(message)
	}
}

// readCluster notices another cluster or timeline: the states that Redis has
// may then be of rows that were lost.
func (r *reconciler) readCluster(ctx context.Context) error {
	now, err := r.Store.Cluster(ctx)
	if err != nil {
		return err
	}
	if now.Timeline == 0 {
		return errStandby
	}
	if r.cluster != (pgstore.Cluster{}) && r.cluster != now {
		r.Metrics.TimelineChanged()
		said := "PostgreSQL failed over: live state is built anew"
		if now.SystemIdentifier == r.cluster.SystemIdentifier && now.Timeline < r.cluster.Timeline {
			said = "PostgreSQL is on an earlier timeline than before: a server that was replaced, or one restored from a backup"
		}
		r.Log.Error().Str("was", r.cluster.String()).Str("is", now.String()).Msg(said)
		r.done = time.Time{}
	}
	r.cluster = now
	return nil
}

// pass makes Redis right: a full sweep when its content is not known to be
// ours and whole, else what changed since the last pass.
func (r *reconciler) pass(ctx context.Context) error {
	// A sentinel of our own, of later than the meeting, would look as if it were ahead.
	if met := r.met.Load(); met == nil || !met.answered {
		return errNotMet
	}
	held, err := r.Redis.Sentinel(ctx)
	if err != nil {
		return err
	}
	position, err := r.Store.History(ctx)
	if err != nil {
		return err
	}
	if position == 0 { // it would look as if all had been lost
		return errStandby
	}
	epoch := redisstore.Epoch{System: r.cluster.SystemIdentifier, Timeline: r.cluster.Timeline, Position: int64(position)}
	state := held.Of(epoch)
	if state == redisstore.SentinelAhead {
		r.wentBack.CompareAndSwap(r.rebuilt, r.rebuilt+1)
	}
	wentBack := r.wentBack.Load()
	// The position of a busy cluster hides it, and so does a removal that failed half-way.
	if wentBack > r.rebuilt && (state == redisstore.SentinelSame || state == redisstore.SentinelMissing) {
		state = redisstore.SentinelAhead
	}
	if id, err := r.Redis.RunID(ctx); err == nil && id != r.redisID {
		if r.redisID != "" {
			r.done = time.Time{} // it was restarted, perhaps from an old file
		}
		r.redisID = id
	}
	passes, err := r.Redis.Passes(ctx)
	if err != nil {
		return err
	}
	begun, err := r.Store.Time(ctx) // the clock that dates changes
	if err != nil {
		return err
	}
	if begun.Before(r.done) {
		r.done = time.Time{} // it went back: what changes now is dated before the last pass
	}
	switch state {
	case redisstore.SentinelNewer: // for an operator to decide
		r.Log.Error().Str("postgres", r.cluster.String()).Str("redis", "redis-cli "+r.Redis.ForgetCommand()).
			Msg("live state is of a later timeline than this PostgreSQL, and is left as it is: where a failover has replaced this server, stop tcda and point postgres-url at the present primary; " +
				"where it was restored to an earlier time on purpose, have the live state built anew with the command under redis")
		return nil
	case redisstore.SentinelForeign, redisstore.SentinelAhead:
		// Remembered, for whoever looks next, until all else is removed: another look may
		// not find it.
		if err := r.Redis.Disown(ctx); err != nil {
			return err
		}
		n, err := r.Redis.DeleteOwnKeys(ctx)
		if err != nil {
			return err
		}
		r.Log.Warn().Int("keys", n).Str("was", string(state)).Msg("live state was of another database cluster, or of a later time of this one, which was restored: removed")
		r.done = time.Time{}
		passes = 0 // removed with the rest
	case redisstore.SentinelMissing, redisstore.SentinelOlder:
		r.done = time.Time{}
	case redisstore.SentinelSame:
		// Content as old as our last pass, or newer, lacks only what changed since.
		if passes < r.passes {
			r.Log.Warn().Msg("Redis went back to an older content: live state is built anew")
			r.done = time.Time{}
		}
	}
	full := r.done.IsZero()
	since := r.done.Add(-2 * r.cfg.ApplyBudget)
	if full {
		since = begun.Add(-r.cfg.SettledHorizon)
	}
	live, err := r.sweepLive(ctx)
	if err != nil {
		return err
	}
	settled, err := r.sweepSettled(ctx, since)
	if err != nil {
		return err
	}
	confirm := r.Redis.RenewSentinel
	if full {
		confirm = r.Redis.SetSentinel
	}
	if err := confirm(ctx, epoch); err != nil {
		return err
	}
	if full {
		r.Log.Info().Int("live", live).Int("settled", settled).Msg("live state swept")
	}
	// A Redis that went back in the middle has only a part of this pass, and must not count it.
	counted, err := r.Redis.Passes(ctx)
	if err != nil {
		return err
	}
	if counted < passes {
		r.Log.Warn().Msg("Redis went back to an older content during a pass: live state is built anew")
		r.done = time.Time{}
		return nil
	}
	passes = max(passes, r.passes) + 1
	if err := r.Redis.SetPasses(ctx, passes); err != nil {
		return err
	}
	r.passes, r.done, r.rebuilt = passes, begun, wentBack
	return nil
}

// sweepLive writes the latest runs that have not ended, and removes from the
// active set what is none of them.
func (r *reconciler) sweepLive(ctx context.Context) (int, error) {
	// Listed first: what becomes active meanwhile is not removed.
	members, err := r.Redis.ActiveMembers(ctx)
	if err != nil {
		return 0, err
	}
	var ids []execution.ID
	for after := (pgstore.RunKey{}); ; {
		runs, err := r.Store.LiveRunsAfter(ctx, after, sweepPage)
		if err != nil {
			return 0, err
		}
		if err := r.show(ctx, runs); err != nil {
			return 0, err
		}
		for i := range runs {
			ids = append(ids, runs[i].ID)
			after = pgstore.RunKey{ID: runs[i].ID, Number: runs[i].Number}
		}
		if len(runs) < sweepPage {
			break
		}
	}
	_, err = r.Redis.PruneActive(ctx, members, ids)
	return len(ids), err
}

// sweepSettled writes the latest runs that changed at or after their end since
// then.
func (r *reconciler) sweepSettled(ctx context.Context, since time.Time) (int, error) {
	n := 0
	for c := (pgstore.SettledCursor{Since: since}); ; {
		runs, next, err := r.Store.SettledRunsAfter(ctx, c, sweepPage)
		if err != nil {
			return 0, err
		}
		if err := r.show(ctx, runs); err != nil {
			return 0, err
		}
		n += len(runs)
		if len(runs) < sweepPage {
			return n, nil
		}
		c = next
	}
}

func (r *reconciler) show(ctx context.Context, runs []execution.Run) error {
	if len(runs) == 0 {
		return nil
	}
	states := make([]execution.Live, len(runs))
	for i := range runs {
		states[i] = runs[i].Live()
	}
	_, err := r.Redis.ApplyStates(ctx, states, r.cluster.Timeline)
	return err
}

// errNotMet says that Redis has not answered since the start.
var errNotMet = errors.New("not known yet what Redis held at the start")

// errStandby says that the database is a standby, whose rows may be old.
var errStandby = errors.New("connected to a standby")

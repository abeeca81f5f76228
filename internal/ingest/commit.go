package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// repeatingFor is for how many batches events are looked up before they are
// inserted, after one was found stored.
const repeatingFor = 100

// bugTries is how often a batch is tried against what looks like a bug before
// the partition stops: racing writers and a partition made late look like one.
const bugTries = 3

// slowTries is how often a batch may take longer than the server allows a
// transaction, before it is tried in halves: the first time may be bad luck.
const slowTries = 2

// errTooSlow says that a batch is too much for one transaction.
var errTooSlow = errors.New("the batch takes longer than a transaction may")

// commitBatch is S4: it brings the batch into PostgreSQL, whatever it takes,
// or returns why this worker may not. After ctx has ended it finishes within
// the apply budget.
func (w *worker) commitBatch(ctx context.Context, b *batch) error {
	ctx, cancel := outlast(ctx, w.cfg.ApplyBudget)
	defer cancel()
	return w.commitParts(ctx, b)
}

// commitParts commits the batch as a whole, or else in halves, and those
// likewise: when it takes too long, and when the quarantine has no room for all
// of it, so that the partition gets as far as there is.
func (w *worker) commitParts(ctx context.Context, b *batch) error {
	err := w.commitWhole(ctx, b)
	if !errors.Is(err, errTooSlow) && !isFull(err) {
		return err
	}
	w.log.Warn().Err(err).Int64("position", b.position).Int("records", len(b.items)).Msg("the batch is too much for one transaction; trying its halves")
	for _, half := range b.halves() {
		w.touch() // less to do at once, or half of it done
		if err := w.commitParts(ctx, half); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) commitWhole(ctx context.Context, b *batch) (err error) {
	traced, span := w.Tracing.StartBatch(ctx, w.claim.Topic, int(w.claim.Number), b.traceParents())
	defer func() { span.End(err) }()
	var out *outcome
	err = w.step(telemetry.StepCommit, func() (err error) {
		out, err = w.commitUntilDone(traced, b)
		return err
	})
	if err != nil {
		return err
	}
	w.offsetAt.Store(b.next)
	w.repeating = max(0, w.repeating-1)
	w.recent.committed(out.latest())
	w.reached.Store(w.name(), pgstore.Position{Epoch: w.claim.Epoch, Next: b.next})
	w.report(b, out)
	if w.publisher != nil {
		w.publisher.committed(out.timeline, out.live(), out.known)
	}
	return nil
}

// outlast is a context that outlives ctx by a budget: the transaction in hand is
// finished when the partition is taken away.
func outlast(ctx context.Context, budget time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(budget)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-lasting.Done():
		}
	})
	return lasting, func() {
		stop()
		cancel(nil)
	}
}

// commitUntilDone tries until the batch is committed, or it is certain that
// this worker must not.
func (w *worker) commitUntilDone(ctx context.Context, b *batch) (*outcome, error) {
	pause := w.newPause()
	for bugs, slow := 0, 0; ; {
		out, err := w.tryCommit(ctx, b)
		var bad *recordError
		switch {
		case err == nil:
			return out, nil
		case errors.Is(err, pgstore.ErrFenced):
			return nil, err
		case errors.Is(err, pgstore.ErrInDoubt):
			switch committed, settleErr := w.settleDoubt(ctx, b); {
			case settleErr != nil:
				return nil, settleErr
			case committed && errors.Is(err, pgstore.ErrRowsDropped):
				return nil, w.stopDropped(ctx, b, err)
			case committed:
				return out, nil
			}
		case errors.Is(err, pgstore.ErrRowsDropped):
			return nil, w.stopDropped(ctx, b, err)
		case errors.As(err, &bad):
			b.items[bad.index].rejection = bad.rejection
			continue
		case pgstore.WasStoredAlready(err) && !b.repeats:
			b.repeats, w.repeating = true, repeatingFor
			continue
		case isFull(err):
			if len(b.items) > 1 {
				return nil, err
			}
			return nil, w.stopFull(ctx, err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		switch pgstore.ClassOf(err) {
		case pgstore.Data:
			err := w.isolate(ctx, b, err)
			if pgstore.TookTooLong(err) && len(b.items) > 1 {
				return nil, errTooSlow
			}
			if err != nil {
				return nil, err
			}
			continue
		case pgstore.Bug:
			if bugs++; bugs >= bugTries {
				return nil, w.stop(ctx, "the database does not fit this program: "+err.Error())
			}
		case pgstore.Infrastructure:
			if !pgstore.TookTooLong(err) {
				slow = 0
			} else if slow++; slow >= slowTries && len(b.items) > 1 {
				return nil, errTooSlow
			}
		}
		level := zerolog.WarnLevel
		state, unlisted := pgstore.UnlistedState(err)
		if unlisted {
			level = zerolog.ErrorLevel // nobody has said that trying again may help
		}
		w.log.WithLevel(level).Err(err).Str("sqlstate", state).Bool("unlisted", unlisted).Int64("position", b.position).Msg("batch not committed; trying again")
		if err := pause.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// stopDropped stops a partition whose rows were committed in part.
func (w *worker) stopDropped(ctx context.Context, b *batch, cause error) error {
	return w.stop(ctx, fmt.Sprintf("%v, and has committed the rest: a trigger does so, and must go; 'tcda verify' names the runs of the records from offset %d on that lack rows", cause, b.position))
}

// tryCommit applies the batch once, in one transaction. On ErrInDoubt the
// outcome is that of the transaction, if it was committed.
func (w *worker) tryCommit(ctx context.Context, b *batch) (*outcome, error) {
	var out *outcome
	var last *pgstore.Tx
	err := w.Store.Batch(ctx, w.Now(), func(tx *pgstore.Tx) (err error) {
		last = tx
		out, err = w.apply(ctx, tx, b, everything)
		return err
	})
	if out != nil {
		out.timeline = last.Timeline()
	}
	return out, err
}

// settleDoubt finds out on a new connection what became of a COMMIT.
func (w *worker) settleDoubt(ctx context.Context, b *batch) (committed bool, err error) {
	w.log.Warn().Int64("position", b.position).Msg("connection lost while a commit was under way; asking for its outcome")
	pause := w.newPause()
	for {
		at, err := w.Store.Position(ctx, w.claim.Topic, w.claim.Number)
		switch {
		case err != nil:
			if err := pause.wait(ctx); err != nil {
				return false, err
			}
		case at.Epoch != w.claim.Epoch:
			return false, pgstore.ErrFenced
		case at.Next == b.next && b.next != b.position:
			return true, nil
		case at.Next == b.position:
			return false, nil
		default:
			return false, pgstore.ErrFenced
		}
	}
}

// recordError says that one record of the batch cannot be applied, for a
// reason that is not the database's.
type recordError struct {
	index     int
	rejection *fact.Rejection
}

func (e *recordError) Error() string {
	return fmt.Sprintf("record %d of the batch: %v", e.index, e.rejection)
}

// isolate finds the records that the database refuses, and gives each its
// rejection. When they are too many it is the schema that is wrong, and the
// partition stops with nothing quarantined.
func (w *worker) isolate(ctx context.Context, b *batch, cause error) error {
	w.log.Warn().Err(cause).Msg("the database refuses values of the batch; looking for the records")
	b.repeats = true // parts of it are tried: what is stored must be no surprise
	refused := map[int]error{}
	err := w.bisect(ctx, b, 0, len(b.items), refused)
	var bad *recordError
	if errors.As(err, &bad) {
		b.items[bad.index].rejection = bad.rejection // the batch is another one now: try it again
		return nil
	}
	if err != nil {
		return err
	}
	if len(refused) == 0 {
		// Each part is accepted, the whole is not: nothing that quarantining a
		// record could mend.
		return w.stop(ctx, "the database refuses a batch whose records it accepts one by one: "+cause.Error())
	}
	if tooMany(len(refused), len(b.items)) || w.refused.with(len(b.items), len(refused)).tooMany() {
		return w.stop(ctx, fmt.Sprintf("the database refuses %d of %d records, which looks like a wrong migration: %v", len(refused), len(b.items), cause))
	}
	for i, why := range refused {
		b.items[i].rejection = fact.Reject(fact.ReasonDatabase, pgstore.ConstraintOf(why), "", why.Error())
	}
	return nil
}

// bisect tries parts of the batch in transactions that are rolled back, until
// it knows each record of [lo, hi) that is refused by itself.
func (w *worker) bisect(ctx context.Context, b *batch, lo, hi int, refused map[int]error) error {
	if lo >= hi {
		return nil
	}
	w.touch() // each part is smaller than the one before
	only := func(i int) bool { return i >= lo && i < hi }
	err := w.Store.Trial(ctx, w.Now(), func(tx *pgstore.Tx) error {
		_, err := w.apply(ctx, tx, b, only)
		return err
	})
	switch {
	case err == nil:
		return nil
	case pgstore.ClassOf(err) != pgstore.Data || errors.Is(err, pgstore.ErrFenced):
		return err
	case hi-lo == 1:
		refused[lo] = err
		return nil
	}
	mid := lo + (hi-lo)/2
	if err := w.bisect(ctx, b, lo, mid, refused); err != nil {
		return err
	}
	return w.bisect(ctx, b, mid, hi, refused)
}

// tooMany tells whether so many refused records of n look like a wrong
// migration: more than a tenth, at least five.
func tooMany(refused, n int) bool { return refused >= 5 && refused*10 > n }

// window remembers what the database refused among the latest records, so
// that a wrong migration is seen also when records come one by one.
type window struct{ records, refused int }

const windowRecords = 200

// with is the window after a further batch.
func (v window) with(records, refused int) window {
	v.records += records
	v.refused += refused
	if v.records > windowRecords {
		v.records, v.refused = v.records/2, v.refused/2
	}
	return v
}

func (v window) tooMany() bool { return tooMany(v.refused, v.records) }

// report shows what became of a batch.
func (w *worker) report(b *batch, out *outcome) {
	topic := w.claim.Topic
	w.refused = w.refused.with(len(b.items), out.refused())
	w.Metrics.Batch(len(b.items))
	w.Metrics.Applied(topic, out.applied)
	w.Metrics.Duplicates(telemetry.FoundByBatch, out.inBatch)
	w.Metrics.Duplicates(telemetry.FoundByStore, out.stored)
	w.Metrics.Duplicates(telemetry.FoundByHint, out.hinted)
	w.Metrics.Duplicates(telemetry.FoundByRetention, out.pruned)
	w.Metrics.KeyMismatches(out.keyMismatches)
	w.showLag(b.logEnd, b.next)
	w.reportPoison(out)
	for _, s := range out.superseded() {
		w.log.Info().Str("execution_id", string(s.ID)).Int32("run", int32(s.Number)).Msg("run interrupted: superseded by a new run of its id")
	}
	w.log.Debug().Int64("position", b.position).Int64("next", b.next).Int("applied", out.applied).
		Int("duplicates", out.duplicates()).Int("pruned", out.pruned).Int("quarantined", len(out.poison)).Msg("batch committed")
}

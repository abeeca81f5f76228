package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

var (
	// errFenced ends a tenure: another worker owns the partition, or an
	// operator has moved it. Who still has the assignment claims again.
	errFenced = pgstore.ErrFenced
	// errStopped ends a tenure: nobody may ingest the partition until an
	// operator has acted.
	errStopped = errors.New("partition is stopped")
	// errStalled gives the assignment back: no progress for too long.
	errStalled = errors.New("partition makes no progress")
)

// worker works on one assigned partition, for one generation of the group.
type worker struct {
	*Engine
	assignment kafkalog.Assignment
	log        zerolog.Logger

	claim    pgstore.Partition // as claimed: read by fetching and committing at once, so it does not change
	topicID  kafkalog.TopicID  // of the topic that the claim was compared with
	progress atomic.Int64      // unix nanoseconds of the last sign of progress
	waiting  atomic.Int32      // batches decoded and not yet committed
	unasked  int               // batches for which Redis was not asked since it did not know one; used by fetching alone
	refused  window            // what the database refused lately
	told     told              // of quarantined records
	recent   recentRuns        // of this tenure

	// repeating is for how many batches to come events are likely to be stored
	// already: who repeats one mostly repeats more.
	repeating int

	offsetAt atomic.Int64 // S7: position to commit to Kafka
}

func newWorker(e *Engine, a kafkalog.Assignment) *worker {
	return &worker{
		Engine: e, assignment: a, unasked: hintPause,
		log: e.Log.With().Str("topic", a.Topic).Int32("partition", a.Partition).Logger(),
	}
}

// run works until ctx ends. Only a stall makes it return earlier, with an
// error: the group then rebalances, and perhaps another instance can do better.
func (w *worker) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.touch()
	var side errgroup.Group
	side.Go(func() error { w.watchProgress(ctx, cancel); return nil })
	side.Go(func() error { w.commitOffsets(ctx); return nil })
	defer func() {
		cancel(nil)
		_ = side.Wait() // they return no errors
		w.sumUp(w.Now().Add(sumsEvery))
		w.Metrics.Forget(w.assignment.Topic, int(w.assignment.Partition))
	}()

	pause := w.newPause()
	for ctx.Err() == nil {
		before, begun := w.progress.Load(), time.Now()
		err := w.tenure(ctx)
		// Two workers that each believe to own the partition would fence each other
		// batch by batch. So a claim that was soon lost again is no reason to come
		// back sooner, whatever was done under it: their tenures grow longer.
		soonLost := errors.Is(err, errFenced) && time.Since(begun) < 2*pause.next
		if w.progress.Load() != before && !soonLost {
			pause.reset()
		}
		switch {
		case errors.Is(err, errFenced): // also after the end of ctx: of who slept, the group ends as well
			w.Metrics.Fenced()
			w.log.Warn().Msg("fenced: another worker owned the partition or an operator moved it")
			_ = pause.wait(ctx) // the loop looks at ctx
		case ctx.Err() != nil:
		case errors.Is(err, errStopped):
			w.awaitOperator(ctx)
		case err != nil:
			w.log.Error().Err(err).Msg("work on the partition was interrupted; trying again")
			_ = pause.wait(ctx)
		}
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("%s/%d: %w", w.assignment.Topic, w.assignment.Partition, errStalled)
	}
	return nil
}

// tenure is one claim of the partition and the work under it.
func (w *worker) tenure(ctx context.Context) error {
	w.claim, w.recent = pgstore.Partition{}, recentRuns{}
	err := w.step(telemetry.StepClaim, func() error { return w.claimPartition(ctx) })
	if err == nil {
		err = w.ingest(ctx)
	}
	if w.claim.Epoch == 0 {
		return err
	}
	if !errors.Is(err, errFenced) {
		err = w.giveBack(ctx, err)
	}
	if errors.Is(err, errFenced) {
		w.outlive(ctx)
	}
	return err
}

// giveBack releases the partition after a tenure that ended with err: whatever that
// was, this process is alive, and the next claim must not count as after a death.
// Who slept through his session and whose group ends before he has written again
// learns only here that he was overtaken.
func (w *worker) giveBack(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.ReleaseBudget)
	defer cancel()
	switch released := w.Store.Release(ctx, w.claim, w.Now()); {
	case errors.Is(released, errFenced):
		return released
	case released != nil:
		w.log.Warn().Err(released).Msg("partition could not be released; the next claim counts an unclean stop")
	}
	return err
}

// outlive tells whoever has overtaken this worker that it did not die: overtaken
// again and again, a record that harms nobody would be left out as a deadly one.
// Each of those who believe to own the partition says so before it claims again,
// so that no more deaths stand there by mistake than there are others.
func (w *worker) outlive(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.ReleaseBudget)
	defer cancel()
	position := w.claim.Next
	if at, ok := w.reached.Load(w.name()); ok && at.(pgstore.Position).Epoch == w.claim.Epoch {
		position = at.(pgstore.Position).Next
	}
	if err := w.Store.Outlived(ctx, w.claim, position); err != nil {
		w.log.Warn().Err(err).Msg("the next claim counts a death that was none")
	}
}

// ingest runs S1 to S3 ahead of S4, batch by batch, until ctx ends.
func (w *worker) ingest(ctx context.Context) error {
	aheadCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan *batch, w.cfg.Prefetch-1)
	w.waiting.Store(0)
	var ahead errgroup.Group
	ahead.Go(func() error {
		defer close(batches)
		return w.fetchAhead(aheadCtx, batches)
	})
	err := w.commitAll(ctx, batches)
	cancel()
	for b := range batches { // decoded, never applied: fetched again by whoever comes next
		b.release()
	}
	if aheadErr := ahead.Wait(); err == nil {
		err = w.stopFor(ctx, aheadErr)
	}
	return err
}

func (w *worker) commitAll(ctx context.Context, batches <-chan *batch) error {
	for b := range batches {
		if ctx.Err() != nil {
			b.release()
			return context.Cause(ctx)
		}
		err := w.commitBatch(ctx, b)
		b.release()
		w.waiting.Add(-1)
		if err != nil {
			return err
		}
		close(b.committed)
		w.touch()
	}
	return nil
}

// touch notes a sign of progress.
func (w *worker) touch() { w.progress.Store(time.Now().UnixNano()) }

// watchProgress gives the assignment back when nothing has moved for too long:
// kafka-go sends heartbeats for a worker that hangs.
func (w *worker) watchProgress(ctx context.Context, giveUp context.CancelCauseFunc) {
	tick := time.NewTicker(w.cfg.StallLimit / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if since := time.Since(time.Unix(0, w.progress.Load())); since > w.cfg.StallLimit {
				w.log.Error().Dur("since", since).Msg("no progress: giving the partition back")
				giveUp(errStalled)
				return
			}
		}
	}
}

// commitOffsets is S7: Kafka's committed offset follows, for tools that show
// lag. Failures mean nothing.
func (w *worker) commitOffsets(ctx context.Context) {
	tick := time.NewTicker(w.cfg.OffsetInterval)
	defer tick.Stop()
	committed := w.assignment.Committed
	commit := func() {
		at := w.offsetAt.Load()
		if at == committed || at == 0 {
			return
		}
		err := w.step(telemetry.StepOffset, func() error { return w.assignment.Commit(at) })
		if err != nil {
			w.log.Debug().Err(err).Msg("offset not committed to Kafka")
			return
		}
		committed = at
	}
	for {
		select {
		case <-ctx.Done():
			commit()
			return
		case <-tick.C:
			commit()
		}
	}
}

// awaitOperator waits until an operator has acted on a stopped partition.
func (w *worker) awaitOperator(ctx context.Context) {
	w.Metrics.Stopped(w.assignment.Topic, int(w.assignment.Partition), true)
	tick := time.NewTicker(w.cfg.StopPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.touch() // waiting is what it should do
			at, err := w.Store.Position(ctx, w.assignment.Topic, w.assignment.Partition)
			if err == nil && !at.Stopped {
				w.Metrics.Stopped(w.assignment.Topic, int(w.assignment.Partition), false)
				w.refused = window{} // what was refused before the cause was mended proves nothing now
				w.log.Info().Msg("an operator has acted: the partition goes on")
				return
			}
		}
	}
}

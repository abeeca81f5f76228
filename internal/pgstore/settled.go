package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// SettledRun is a run that has ended, and when it was changed last.
type SettledRun struct {
	execution.Run
	ChangedAt time.Time // UTC, to the microsecond, by PostgreSQL's clock
}

// Cursor is its place among the runs by the time of their last change.
func (r *SettledRun) Cursor() SettledCursor {
	return SettledCursor{Since: r.ChangedAt, After: RunKey{r.ID, r.Number}}
}

// SettledRunsUpTo is a page of the runs that changed at or after their end, behind
// a place and up to a moment, in the order of those changes. A run with a later
// change is not among them.
func (s *Store) SettledRunsUpTo(ctx context.Context, c SettledCursor, upTo time.Time, page int) ([]SettledRun, error) {
	rows, err := s.q.SettledRunsUpTo(ctx, dbsqlc.SettledRunsUpToParams{UpTo: upTo, Since: c.Since, AfterID: string(c.After.ID), AfterRun: int32(c.After.Number), Page: int32(page)})
	runs, err := runsFromRows("list settled runs", rows, err)
	out := make([]SettledRun, len(runs))
	for i := range runs {
		out[i] = SettledRun{runs[i], timeOf(rows[i].SettledChangeAt)}
	}
	return out, err
}

// settledLoop is the loop that walks the runs that have settled.
const settledLoop = "settled"

// ErrCursorMoved says that a loop goes on elsewhere.
var ErrCursorMoved = errors.New("another instance has moved the cursor")

// SettledCursor is how far settled runs have been announced, or ErrNotFound when
// that never began.
func (s *Store) SettledCursor(ctx context.Context) (SettledCursor, error) {
	c, err := s.q.LoopCursor(ctx, settledLoop)
	if err != nil {
		return SettledCursor{}, interpret("read cursor of settled runs", err)
	}
	return SettledCursor{Since: c.ChangedAt.UTC(), After: RunKey{execution.ID(c.ExecutionID), execution.RunNumber(c.Run)}}, nil
}

// BeginSettled says that runs are announced from a moment on, unless another
// instance has said so.
func (tx *Tx) BeginSettled(ctx context.Context, since time.Time) error {
	tx.pipe.doing("begin cursor of settled runs")
	return tx.queued.BeginLoopCursor(ctx, settledLoop, since, tx.now)
}

// AdvanceSettled says how far settled runs are announced with this transaction, by
// an instance that read how far they were. ErrCursorMoved says that another has
// announced some since, maybe later versions of the same runs.
func (tx *Tx) AdvanceSettled(ctx context.Context, from, to SettledCursor) error {
	n, err := tx.q.MoveLoopCursor(ctx, dbsqlc.MoveLoopCursorParams{
		ChangedAt: to.Since, ExecutionID: string(to.After.ID), Run: int32(to.After.Number), Now: tx.now, Loop: settledLoop,
		FromChangedAt: from.Since, FromExecutionID: string(from.After.ID), FromRun: int32(from.After.Number),
	})
	if err == nil && n == 0 {
		return ErrCursorMoved
	}
	return interpret("advance cursor of settled runs", err)
}

// RunningTransactions brackets the transactions of the cluster that have written
// something and not ended, by their numbers.
type RunningTransactions struct {
	Oldest int64     // all below have ended
	Next   int64     // all that begin from now on are above
	At     time.Time // of before Next was taken, by PostgreSQL's clock
}

// RunningTransactions asks which transactions run.
func (s *Store) RunningTransactions(ctx context.Context) (RunningTransactions, error) {
	r, err := s.q.RunningTransactions(ctx)
	return RunningTransactions{r.Oldest, r.Next, r.At.UTC()}, interpret("ask for running transactions", err)
}

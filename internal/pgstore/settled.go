package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// SettledRun is a run that has ended, and when it was changed last.
type SettledRun struct {
	execution.Run
	ChangedAt time.Time // UTC, to the microsecond, by the clock of the instance that wrote it
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

// LoopCursor is how far a loop has come, or ErrNotFound when it never began.
func (s *Store) LoopCursor(ctx context.Context, loop string) (SettledCursor, error) {
	c, err := s.q.LoopCursor(ctx, loop)
	if err != nil {
		return SettledCursor{}, interpret("read cursor of "+loop, err)
	}
	return SettledCursor{Since: c.ChangedAt.UTC(), After: RunKey{execution.ID(c.ExecutionID), execution.RunNumber(c.Run)}}, nil
}

// AdvanceLoopCursor says how far a loop has come; never back.
func (tx *Tx) AdvanceLoopCursor(ctx context.Context, loop string, c SettledCursor) error {
	tx.pipe.doing("advance cursor of " + loop)
	return tx.queued.AdvanceLoopCursor(ctx, dbsqlc.AdvanceLoopCursorParams{Loop: loop, ChangedAt: c.Since, ExecutionID: string(c.After.ID), Run: int32(c.After.Number), Now: tx.now})
}

// RunningTransactions brackets the transactions of the cluster that have written
// something and not ended, by their numbers.
type RunningTransactions struct {
	Oldest int64 // all below have ended
	Next   int64 // all that begin from now on are not below
}

// RunningTransactions asks which transactions run.
func (s *Store) RunningTransactions(ctx context.Context) (RunningTransactions, error) {
	r, err := s.q.RunningTransactions(ctx)
	return RunningTransactions{r.Oldest, r.Next}, interpret("ask for running transactions", err)
}

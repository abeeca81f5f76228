package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// EnqueueReports notes runs that have settled: their reports are to be built. In
// the transaction that announces them, so that each settled version of a run is
// looked at.
func (tx *Tx) EnqueueReports(ctx context.Context, runs []SettledRun) error {
	if len(runs) == 0 {
		return nil
	}
	var p dbsqlc.EnqueueReportsParams
	for i := range runs {
		r := &runs[i]
		p.Ids, p.Runs = append(p.Ids, string(r.ID)), append(p.Runs, int32(r.Number))
		p.Versions, p.ChangedAts = append(p.Versions, r.Version), append(p.ChangedAts, r.ChangedAt)
	}
	tx.pipe.doing("enqueue reports")
	return tx.queued.EnqueueReports(ctx, p)
}

// QueuedReport is a run whose report is to be built, as it was claimed.
type QueuedReport struct {
	RunKey
	Version  int64 // of the run as it was announced
	Attempts int   // claims so far, this one included
}

// ClaimReport gives the run that is due first to the caller, for as long as the
// lease; ErrNotFound when none is due.
func (s *Store) ClaimReport(ctx context.Context, lease time.Duration) (QueuedReport, error) {
	row, err := s.q.ClaimReport(ctx, lease.Seconds())
	if err != nil {
		return QueuedReport{}, interpret("claim report", err)
	}
	return QueuedReport{RunKey: RunKey{execution.ID(row.ExecutionID), execution.RunNumber(row.Run)}, Version: row.Version, Attempts: int(row.Attempts)}, nil
}

// PutOffReport has a claimed run wait for so long: while the caller works at it, or
// because that failed for a reason, which is noted. What was announced since does
// not wait.
func (s *Store) PutOffReport(ctx context.Context, q QueuedReport, wait time.Duration, reason string) error {
	_, err := s.q.PutOffReport(ctx, dbsqlc.PutOffReportParams{Seconds: wait.Seconds(), LastError: reason, ExecutionID: string(q.ID), Run: int32(q.Number), Version: q.Version})
	return interpret("put report off", err)
}

// DoneReport takes a run off the queue, unless a later version of it was announced
// meanwhile.
func (tx *Tx) DoneReport(ctx context.Context, k RunKey, version int64) error {
	tx.pipe.doing("take run off the queue of reports")
	return tx.queued.DoneReport(ctx, string(k.ID), int32(k.Number), version)
}

// ReportQueue is what waits for its report.
type ReportQueue struct {
	Waiting int64         // runs, up to 10,000 of them
	Failing int64         // of these, whose last try failed
	Age     time.Duration // of the one that waits for longest
}

// ReportQueue counts the runs that wait for their reports.
func (s *Store) ReportQueue(ctx context.Context) (ReportQueue, error) {
	row, err := s.q.ReportQueueState(ctx)
	return ReportQueue{row.Waiting, row.Failing, max(0, time.Duration(row.AgeSeconds*float64(time.Second)))}, interpret("count what waits for reports", err)
}

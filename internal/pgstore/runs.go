package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// RunKey names one run.
type RunKey struct {
	ID     execution.ID
	Number execution.RunNumber
}

// runFromRow is the one mapper of a run's row to the domain.
func runFromRow(r *dbsqlc.Execution) (execution.Run, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return execution.Run{}, fmt.Errorf("read run %s/%d: %w", r.ExecutionID, r.Run, err)
	}
	end, err := orderOf(r.EndOrder)
	if err != nil {
		return execution.Run{}, fmt.Errorf("read run %s/%d: %w", r.ExecutionID, r.Run, err)
	}
	run := execution.Run{
		ID: execution.ID(r.ExecutionID), Number: execution.RunNumber(r.Run), RunID: valueOf(r.RunID),
		Bucket: r.Bucket.UTC(), CreatedAt: r.CreatedAt.UTC(), Version: r.Version,
		Status: execution.Status(r.Status), ReportedOutcome: execution.Status(r.ReportedOutcome),
		ScenarioID: r.ScenarioID, ScenarioVersion: r.ScenarioVersion, Environment: r.Environment,
		CoordinatorID: r.CoordinatorID, StartSource: r.StartSource,
		Trigger: execution.Trigger{Type: r.TriggerType, Actor: r.TriggerActor, URI: r.TriggerURI},
		GroupID: r.GroupID, Attempt: r.Attempt, DryRun: r.DryRun,
		RequestedAt: timeOf(r.RequestedAt), StartedAt: timeOf(r.StartedAt), EndedAt: timeOf(r.EndedAt), Deadline: timeOf(r.Deadline),
		LastEventAt: timeOf(r.LastEventAt), LastHeartbeatAt: timeOf(r.LastHeartbeatAt),
		Progress: r.Progress, Message: r.Message, CurrentPhase: r.CurrentPhase, PauseReason: r.PauseReason,
		ExitCode: r.ExitCode, ErrorMessage: r.ErrorMessage,
		Lifecycle: execution.Status(r.Lifecycle), EndOrder: end,
		Counts: execution.Counts{
			Events: r.Events, OwnEvents: r.OwnEvents, LogLines: r.LogLines, Snapshots: r.Snapshots,
			Phases: r.PhasesTotal, Steps: r.StepsTotal, StepsFailed: r.StepsFailed, Faults: r.FaultsTotal, FaultsActive: r.FaultsActive,
			ValidationsPassed: r.ValidationsPassed, ValidationsFailed: r.ValidationsFailed,
			ValidationsSkipped: r.ValidationsSkipped, ValidationsError: r.ValidationsError,
		},
		CancelRequestedAt: timeOf(r.CancelRequestedAt), Pinned: r.Pinned,
		Marks: marks,
	}
	if r.InterruptEvents != nil {
		run.Interruption = &execution.Interruption{
			Cause: execution.InterruptCause(r.InterruptCause), RealEvents: *r.InterruptEvents,
			At: timeOf(r.InterruptedAt), SupersededBy: execution.RunNumber(valueOf(r.SupersededBy)),
		}
	}
	return run, nil
}

// runParams is the one mapper of a run to its row, which is written now and, where
// the run has ended, was changed at a time.
func runParams(r *execution.Run, now, changed time.Time) dbsqlc.InsertRunsParams {
	p := dbsqlc.InsertRunsParams{
		ExecutionID: string(r.ID), Run: int32(r.Number), RunID: nullable(r.RunID),
		Bucket: r.Bucket, CreatedAt: r.CreatedAt, Version: r.Version, UpdatedAt: now,
		Status: string(r.Status), ReportedOutcome: string(r.ReportedOutcome),
		ScenarioID: r.ScenarioID, ScenarioVersion: r.ScenarioVersion, Environment: r.Environment,
		CoordinatorID: r.CoordinatorID, StartSource: r.StartSource,
		TriggerType: r.Trigger.Type, TriggerActor: r.Trigger.Actor, TriggerURI: r.Trigger.URI,
		GroupID: r.GroupID, Attempt: r.Attempt, DryRun: r.DryRun,
		RequestedAt: nullTime(r.RequestedAt), StartedAt: nullTime(r.StartedAt), EndedAt: nullTime(r.EndedAt), Deadline: nullTime(r.Deadline),
		LastEventAt: nullTime(r.LastEventAt), LastHeartbeatAt: nullTime(r.LastHeartbeatAt),
		Progress: r.Progress, Message: r.Message, CurrentPhase: r.CurrentPhase, PauseReason: r.PauseReason,
		ExitCode: r.ExitCode, ErrorMessage: r.ErrorMessage, Lifecycle: string(r.Lifecycle),
		Events: r.Counts.Events, OwnEvents: r.Counts.OwnEvents, LogLines: r.Counts.LogLines, Snapshots: r.Counts.Snapshots,
		PhasesTotal: r.Counts.Phases, StepsTotal: r.Counts.Steps, StepsFailed: r.Counts.StepsFailed,
		FaultsTotal: r.Counts.Faults, FaultsActive: r.Counts.FaultsActive,
		ValidationsPassed: r.Counts.ValidationsPassed, ValidationsFailed: r.Counts.ValidationsFailed,
		ValidationsSkipped: r.Counts.ValidationsSkipped, ValidationsError: r.Counts.ValidationsError,
		CancelRequestedAt: nullTime(r.CancelRequestedAt), Pinned: r.Pinned,
		EndOrder: orderBytes(r.EndOrder), Marks: r.Marks.Bytes(),
	}
	if i := r.Interruption; i != nil {
		p.InterruptCause, p.InterruptEvents = string(i.Cause), &i.RealEvents
		p.InterruptedAt, p.SupersededBy = nullTime(i.At), nullable(int32(i.SupersededBy))
	}
	if r.Status.Terminal() {
		p.SettledChangeAt = &changed
	}
	return p
}

// addProgressRow is the mapper for runs of which execution.State.OnlyProgressed
// says that they have only progressed.
func addProgressRow(a *dbsqlc.SaveProgressParams, r *execution.Run) {
	c := &r.Counts
	a.Ids, a.Runs, a.Versions = append(a.Ids, string(r.ID)), append(a.Runs, int32(r.Number)), append(a.Versions, r.Version)
	a.LastEvents, a.LastHeartbeats = append(a.LastEvents, r.LastEventAt), append(a.LastHeartbeats, r.LastHeartbeatAt)
	a.Progress, a.Messages, a.CurrentPhases = append(a.Progress, orNaN(r.Progress)), append(a.Messages, r.Message), append(a.CurrentPhases, r.CurrentPhase)
	a.Events, a.LogLines, a.Snapshots = append(a.Events, c.Events), append(a.LogLines, c.LogLines), append(a.Snapshots, c.Snapshots)
	a.PhasesTotal, a.StepsTotal, a.StepsFailed = append(a.PhasesTotal, c.Phases), append(a.StepsTotal, c.Steps), append(a.StepsFailed, c.StepsFailed)
	a.FaultsTotal, a.FaultsActive = append(a.FaultsTotal, c.Faults), append(a.FaultsActive, c.FaultsActive)
	a.ValidationsPassed, a.ValidationsFailed = append(a.ValidationsPassed, c.ValidationsPassed), append(a.ValidationsFailed, c.ValidationsFailed)
	a.ValidationsSkipped, a.ValidationsError = append(a.ValidationsSkipped, c.ValidationsSkipped), append(a.ValidationsError, c.ValidationsError)
	a.Marks = append(a.Marks, r.Marks.Bytes())
}

func runsFromRows(op string, rows []dbsqlc.Execution, err error) ([]execution.Run, error) {
	if err != nil {
		return nil, interpret(op, err)
	}
	runs := make([]execution.Run, len(rows))
	for i := range rows {
		if runs[i], err = runFromRow(&rows[i]); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// KnownID is what is stored of one execution id.
type KnownID struct {
	LatestRun execution.RunNumber // 0: none yet
	Buckets   []time.Time
	Latest    *execution.Run // nil: none yet, or removed by retention, or not asked for
	Pruned    bool           // retention has removed a run of it, or the events of one: see Tx.Remains
}

// LockExecutions is S4b: it makes and locks the row of each id, in byte order,
// and gives what is known, with the latest run of each. ids must be sorted and
// distinct. Parts of runs that LoadParts will probably be asked for come along, in
// the same round trip: the locks keep them as they are.
func (tx *Tx) LockExecutions(ctx context.Context, ids []string, likely []Touch) (map[execution.ID]KnownID, error) {
	tx.pipe.doing("insert execution ids")
	if err := tx.queued.InsertExecutionIDs(ctx, tx.now, ids); err != nil {
		return nil, err
	}
	tx.pipe.doing("lock execution ids")
	locked := tx.queued.LockExecutionIDs(ctx, [][]string{ids})
	tx.pipe.doing("load latest runs")
	latest := tx.queued.LatestRuns(ctx, [][]string{ids})
	tx.pipe.doing("read the time of changes")
	changed := tx.queued.ChangeTime(ctx, []string{settledLoop})
	readParts := tx.seekParts(ctx, likely)
	var known map[execution.ID]KnownID
	var failed error
	locked.Query(func(_ int, rows []dbsqlc.ExecutionID, err error) {
		known, failed = knownIDs(rows), interpret("lock execution ids", err)
	})
	if failed != nil {
		return nil, failed
	}
	latest.Query(func(_ int, rows []dbsqlc.Execution, err error) {
		var runs []execution.Run
		runs, failed = runsFromRows("load latest runs", rows, err)
		for i := range runs {
			k := known[runs[i].ID]
			k.Latest = &runs[i]
			known[runs[i].ID] = k
		}
	})
	if failed != nil {
		return nil, failed
	}
	changed.QueryRow(func(_ int, at time.Time, err error) {
		tx.changed, failed = at.UTC(), interpret("read the time of changes", err)
	})
	if failed != nil {
		return nil, failed
	}
	return known, readParts()
}

// FindExecutions is LockExecutions without the locks, without making rows, and
// without the runs: for a batch that changes nothing.
func (tx *Tx) FindExecutions(ctx context.Context, ids []string) (map[execution.ID]KnownID, error) {
	rows, err := tx.q.ExecutionIDs(ctx, ids)
	if err != nil {
		return nil, interpret("find execution ids", err)
	}
	return knownIDs(rows), nil
}

func knownIDs(rows []dbsqlc.ExecutionID) map[execution.ID]KnownID {
	known := make(map[execution.ID]KnownID, len(rows))
	for _, r := range rows {
		known[execution.ID(r.ExecutionID)] = KnownID{LatestRun: execution.RunNumber(r.LatestRun), Buckets: r.Buckets, Pruned: r.Pruned}
	}
	return known
}

// RunsByRunID are the runs that the producers' runids name: pairs of an id and
// a runid, in two slices.
func (tx *Tx) RunsByRunID(ctx context.Context, ids, runIDs []string) ([]execution.Run, error) {
	rows, err := tx.q.RunsByRunID(ctx, ids, runIDs)
	return runsFromRows("load runs by runid", rows, err)
}

// Run is one run, or ErrNotFound.
func (s *Store) Run(ctx context.Context, k RunKey) (execution.Run, error) {
	row, err := s.q.RunByNumber(ctx, string(k.ID), int32(k.Number))
	if err != nil {
		return execution.Run{}, interpret("read run", err)
	}
	return runFromRow(&row)
}

// Run is Store.Run within the transaction.
func (tx *Tx) Run(ctx context.Context, k RunKey) (execution.Run, error) {
	row, err := tx.q.RunByNumber(ctx, string(k.ID), int32(k.Number))
	if err != nil {
		return execution.Run{}, interpret("read run", err)
	}
	return runFromRow(&row)
}

// LatestRuns are the latest runs of those ids that have one, in no order, and the
// timeline of PostgreSQL that all of them are of. Where it is asked of a standby,
// whose rows may be old, that is an error of the infrastructure.
func (s *Store) LatestRuns(ctx context.Context, ids []execution.ID) ([]execution.Run, uint32, error) {
	const op = "read latest runs"
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	rows, err := s.q.RunsWatched(ctx, texts)
	if err != nil || len(rows) == 0 {
		return nil, 0, interpret(op, err)
	}
	timeline, err := parseTimeline(rows[0].TimelineHex)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", op, err)
	}
	if timeline == 0 {
		return nil, 0, &Error{Op: op, Class: Infrastructure, Err: errStandby}
	}
	runs := make([]execution.Run, len(rows))
	for i := range rows {
		if runs[i], err = runFromRow(&rows[i].Execution); err != nil {
			return nil, 0, err
		}
	}
	return runs, timeline, nil
}

var errStandby = errors.New("connected to a standby")

// RunsAfter is a page of all runs in the order of their keys.
func (s *Store) RunsAfter(ctx context.Context, after RunKey, page int) ([]execution.Run, error) {
	rows, err := s.q.RunsPage(ctx, string(after.ID), int32(after.Number), int32(page))
	return runsFromRows("list runs", rows, err)
}

// LiveRunsAfter is a page of the runs that have not ended and are the latest of
// their ids.
func (s *Store) LiveRunsAfter(ctx context.Context, after RunKey, page int) ([]execution.Run, error) {
	rows, err := s.q.LiveRuns(ctx, string(after.ID), int32(after.Number), int32(page))
	return runsFromRows("list live runs", rows, err)
}

// SettledCursor is a place in the list of ended runs by the time of their last
// change.
type SettledCursor struct {
	Since time.Time
	After RunKey
}

// SettledRunsAfter is a page of the runs that changed at or after their end and
// are the latest of their ids, and the cursor for the next page.
func (s *Store) SettledRunsAfter(ctx context.Context, c SettledCursor, page int) ([]execution.Run, SettledCursor, error) {
	rows, err := s.q.SettledRuns(ctx, dbsqlc.SettledRunsParams{Since: c.Since, AfterID: string(c.After.ID), AfterRun: int32(c.After.Number), Page: int32(page)})
	runs, err := runsFromRows("list settled runs", rows, err)
	if len(rows) > 0 {
		last := &rows[len(rows)-1]
		c = SettledCursor{Since: timeOf(last.SettledChangeAt), After: RunKey{execution.ID(last.ExecutionID), execution.RunNumber(last.Run)}}
	}
	return runs, c, err
}

// RunsByStatus counts all runs; it reads the whole table.
func (s *Store) RunsByStatus(ctx context.Context) (map[execution.Status]int64, error) {
	rows, err := s.q.RunsByStatus(ctx)
	if err != nil {
		return nil, interpret("count runs", err)
	}
	counts := make(map[execution.Status]int64, len(rows))
	for _, r := range rows {
		counts[execution.Status(r.Status)] = r.Runs
	}
	return counts, nil
}

package pgstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// Runs are pruned in two steps. PruneRuns writes their tombstones, under the locks
// that ingest takes: from its commit on no event is applied to what has gone, and
// a run's row goes with it. Its other rows are dead then, and are removed without
// a lock that anybody else waits for long: ReplacePartition, RemovePending. Whoever
// dies between the two leaves kinds that are pending, for the next pass.

// pruneTimeout is how long a statement that prunes may take: a run may have
// millions of rows.
const pruneTimeout = "1h"

// reportPatience is for how long after its last change a run waits for its report
// before anything of it goes. After that nobody seems to build reports.
const reportPatience = 7 * 24 * time.Hour

// prunedTable is a table that has rows of a kind of data.
type prunedTable struct {
	name   string
	delete func(*dbsqlc.Queries, context.Context, []string, []int32, []time.Time) (int64, error)
}

// prunedTables are the tables of each kind. All are partitioned by the run's bucket.
var prunedTables = map[retention.Kinds][]prunedTable{
	retention.Logs:      {{"execution_logs", (*dbsqlc.Queries).DeleteExecutionLogsOfRuns}},
	retention.Snapshots: {{"system_snapshots", (*dbsqlc.Queries).DeleteSystemSnapshotsOfRuns}},
	retention.Events: {
		{"execution_events", (*dbsqlc.Queries).DeleteExecutionEventsOfRuns},
		{"execution_annotations", (*dbsqlc.Queries).DeleteExecutionAnnotationsOfRuns},
	},
	retention.Results: {
		{"execution_phases", (*dbsqlc.Queries).DeleteExecutionPhasesOfRuns},
		{"execution_steps", (*dbsqlc.Queries).DeleteExecutionStepsOfRuns},
		{"fault_injections", (*dbsqlc.Queries).DeleteFaultInjectionsOfRuns},
		{"validation_results", (*dbsqlc.Queries).DeleteValidationResultsOfRuns},
	},
	retention.Reports: {{"reports", (*dbsqlc.Queries).DeleteReportsOfRuns}},
}

// TablesOf names the tables of a kind of data.
func TablesOf(kind retention.Kinds) []string {
	names := make([]string, 0, len(prunedTables[kind]))
	for _, t := range prunedTables[kind] {
		names = append(names, t.name)
	}
	return names
}

// ErrHoldsChanged says that a hold was placed since it was decided what goes.
var ErrHoldsChanged = errors.New("a hold was placed meanwhile")

// PruneRequest asks to prune some runs: few, for their ids are locked together.
type PruneRequest struct {
	Due   []retention.Due
	Holds []retention.Hold // that were known when it was decided
	Now   time.Time
	Begun func() // called, once a try, when the roller is not waited for any more; nil: nobody asks
}

// PruneRuns prunes those of the runs that are still as they were when it was
// decided, in one transaction, and returns them. What figures are made from goes of
// an attempt only together with that of all others of its group, and the latest run of
// an id not before the others. Their rows are left for ReplacePartition and RemovePending. The error is ErrHoldsChanged where it must be
// decided anew.
func (s *Store) PruneRuns(ctx context.Context, r PruneRequest) (pruned []retention.Due, err error) {
	err = s.Batch(ctx, r.Now, func(tx *Tx) error {
		pruned, err = tx.pruneRuns(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return pruned, nil
}

func (tx *Tx) pruneRuns(ctx context.Context, r PruneRequest) ([]retention.Due, error) {
	if err := tx.beginPruning(ctx, r); err != nil {
		return nil, err
	}
	asked := keysOf(r.Due)
	// In the order of S4b, and until the end: ingest applies nothing to these runs.
	if _, err := tx.q.LockIDsToPrune(ctx, sortedSet(slices.Clone(asked.ids))); err != nil {
		return nil, interpret("lock execution ids", err)
	}
	rows, err := tx.q.DueRuns(ctx, dbsqlc.DueRunsParams{Ids: asked.ids, Runs: asked.runs, Versions: asked.versions, ReportedBefore: r.Now.Add(-reportPatience)})
	if err != nil {
		return nil, interpret("look at runs again", err)
	}
	unchanged := make(map[RunKey]dbsqlc.DueRunsRow, len(rows))
	for _, row := range rows {
		unchanged[RunKey{execution.ID(row.ExecutionID), execution.RunNumber(row.Run)}] = row
	}
	due, err := tx.stillDue(ctx, r.Due, unchanged)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	if err := tx.keepRollups(ctx, due, unchanged); err != nil {
		return nil, err
	}
	return due, tx.mark(ctx, due)
}

// beginPruning checks that no hold was placed since those that are known, and keeps
// one from being placed until the transaction ends. The roller, which may be at work
// for long, is waited for before anybody has to wait for this: who places a hold, or
// ingest for ids.
func (tx *Tx) beginPruning(ctx context.Context, r PruneRequest) error {
	if slices.ContainsFunc(r.Due, countsInRollups) {
		if err := tx.LockRollups(ctx); err != nil {
			return err
		}
	}
	if err := tx.q.AllowLonger(ctx, pruneTimeout); err != nil { // it waits for the lock, too
		return interpret("lock rollups, or allow for a long transaction", err)
	}
	if r.Begun != nil {
		r.Begun()
	}
	if err := tx.q.ShareHolds(ctx); err != nil {
		return interpret("lock holds", err)
	}
	holds, err := holdsFromRows(tx.q.OpenHolds(ctx))
	if err != nil {
		return err
	}
	for _, h := range holds {
		if !slices.ContainsFunc(r.Holds, func(k retention.Hold) bool { return k.ID == h.ID }) {
			return ErrHoldsChanged
		}
	}
	return nil
}

// countsInRollups tells whether rollups are made from what goes of a run.
func countsInRollups(d retention.Due) bool { return d.Go&retention.Figures != 0 }

// stillDue leaves out what may not go any more: runs that have changed since it was
// decided, and those that may not go because of what stays. These may be the reason why
// others stay.
func (tx *Tx) stillDue(ctx context.Context, decided []retention.Due, unchanged map[RunKey]dbsqlc.DueRunsRow) ([]retention.Due, error) {
	due := slices.DeleteFunc(slices.Clone(decided), func(d retention.Due) bool {
		_, ok := unchanged[keyOf(&d)]
		return !ok
	})
	groups, ids := []string{}, []string{}
	for i := range due {
		if id := unchanged[keyOf(&due[i])].GroupID; id != "" && countsInRollups(due[i]) {
			groups = append(groups, id)
		}
		if due[i].Go.Has(retention.Run) && due[i].Number > 1 {
			ids = append(ids, string(due[i].ExecutionID))
		}
	}
	var attempts []dbsqlc.AttemptsOfGroupsRow
	var runs []dbsqlc.StoredRunsRow
	var err error
	if len(groups) > 0 {
		if attempts, err = tx.q.AttemptsOfGroups(ctx, sortedSet(groups)); err != nil {
			return nil, interpret("look at the attempts of groups", err)
		}
	}
	if len(ids) > 0 {
		if runs, err = tx.q.StoredRuns(ctx, sortedSet(ids)); err != nil {
			return nil, interpret("look at the other runs of ids", err)
		}
	}
	for before := -1; before != len(due); {
		before = len(due)
		due = latestLast(wholeGroups(due, unchanged, attempts), runs)
	}
	return due, nil
}

// wholeGroups leaves out the attempts of groups of which another one keeps something
// that figures are made from and these lose: one that has changed since it was decided,
// or that nobody knew then. An attempt that comes later counts as a thing of its own.
func wholeGroups(due []retention.Due, rows map[RunKey]dbsqlc.DueRunsRow, attempts []dbsqlc.AttemptsOfGroupsRow) []retention.Due {
	type group struct{ scenario, id string }
	groupOf := func(d *retention.Due) group {
		row := rows[keyOf(d)]
		return group{row.ScenarioID, row.GroupID}
	}
	lose, goes := map[group]retention.Kinds{}, map[RunKey]retention.Kinds{}
	for i := range due {
		if g := groupOf(&due[i]); g.id != "" && countsInRollups(due[i]) {
			lose[g] |= due[i].Go & retention.Figures
			goes[keyOf(&due[i])] = due[i].Go
		}
	}
	torn := map[group]bool{}
	for _, a := range attempts {
		g := group{a.ScenarioID, a.GroupID}
		gone := goneOf(a.Kinds, a.SettledChangeAt, a.PrunedAt) | goes[RunKey{execution.ID(a.ExecutionID), execution.RunNumber(a.Run)}]
		if !gone.Has(lose[g]) {
			torn[g] = true
		}
	}
	return slices.DeleteFunc(due, func(d retention.Due) bool { return countsInRollups(d) && torn[groupOf(&d)] })
}

// latestLast leaves out the latest run of an id, of the runs that are stored, if it would
// go with its row while another one stays.
func latestLast(due []retention.Due, stored []dbsqlc.StoredRunsRow) []retention.Due {
	whole := map[RunKey]bool{}
	for i := range due {
		whole[keyOf(&due[i])] = due[i].Go.Has(retention.Run)
	}
	latest, stays := map[execution.ID]execution.RunNumber{}, map[execution.ID]bool{}
	for _, row := range stored {
		k := RunKey{execution.ID(row.ExecutionID), execution.RunNumber(row.Run)}
		latest[k.ID] = max(latest[k.ID], k.Number)
		stays[k.ID] = stays[k.ID] || !whole[k]
	}
	return slices.DeleteFunc(due, func(d retention.Due) bool {
		return d.Go.Has(retention.Run) && stays[d.ExecutionID] && d.Number == latest[d.ExecutionID]
	})
}

func keyOf(d *retention.Due) RunKey { return RunKey{d.ExecutionID, d.Number} }

func sortedSet(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// mark writes the tombstones, and removes the rows of runs that go whole.
func (tx *Tx) mark(ctx context.Context, due []retention.Due) error {
	withEvents := keysOf(slices.DeleteFunc(slices.Clone(due), func(d retention.Due) bool { return !d.Go.Has(retention.Events) }))
	whole := keysOf(slices.DeleteFunc(slices.Clone(due), func(d retention.Due) bool { return !d.Go.Has(retention.Run) }))
	if err := tx.q.CountPrunedEvents(ctx, withEvents.ids, withEvents.runs, withEvents.buckets); err != nil {
		return interpret("count pruned events", err)
	}
	marks := dbsqlc.MarkRunsParams{Now: tx.now}
	for _, d := range due {
		marks.Ids, marks.Runs, marks.Kinds = append(marks.Ids, string(d.ExecutionID)), append(marks.Runs, int32(d.Number)), append(marks.Kinds, d.Go.String())
		marks.StoredRows, marks.Policies = append(marks.StoredRows, d.Rows()), append(marks.Policies, d.Policy)
	}
	if err := tx.q.MarkRuns(ctx, marks); err != nil {
		return interpret("write tombstones", err)
	}
	if len(whole.ids) > 0 {
		if _, err := tx.q.DeleteRuns(ctx, whole.ids, whole.runs); err != nil {
			return interpret("remove runs", err)
		}
		if err := tx.q.DeleteRequestsOfRuns(ctx, whole.ids, whole.runs); err != nil {
			return interpret("remove requests", err)
		}
	}
	if touched := slices.Concat(withEvents.ids, whole.ids); len(touched) > 0 {
		return interpret("note pruned ids", tx.q.NotePrunedIDs(ctx, tx.now, sortedSet(touched)))
	}
	return nil
}

// prunedKeys are keys of runs as queries take them.
type prunedKeys struct {
	ids      []string
	runs     []int32
	versions []int64
	buckets  []time.Time
}

func keysOf(due []retention.Due) (k prunedKeys) {
	for _, d := range due {
		k.ids, k.runs = append(k.ids, string(d.ExecutionID)), append(k.runs, int32(d.Number))
		k.versions, k.buckets = append(k.versions, d.Version), append(k.buckets, d.Bucket)
	}
	return k
}

// Pending is a kind of data of the runs of a month of which rows may still lie in
// the tables although they are pruned.
type Pending struct {
	retention.MonthKind

	Runs int64
	Rows int64 // about
}

// PendingRows are the kinds and months in which such rows may lie, the oldest first.
func (s *Store) PendingRows(ctx context.Context) ([]Pending, error) {
	rows, err := s.q.PendingMonths(ctx)
	if err != nil {
		return nil, interpret("look for rows to remove", err)
	}
	all := make([]Pending, len(rows))
	for i, r := range rows {
		all[i] = Pending{MonthKind: retention.MonthKind{Month: r.Month.UTC(), Kind: retention.ParseKinds([]string{r.Kind})}, Runs: r.Runs, Rows: r.StoredRows}
	}
	return all, nil
}

// KeptRows is how many rows of a kind the runs of some buckets have that are not
// pruned, as the runs count them.
func (s *Store) KeptRows(ctx context.Context, first, until time.Time, kind retention.Kinds) (int64, error) {
	k, err := s.q.KeptRows(ctx, first, until, kind.String())
	rows := retention.Rows{Logs: k.Logs, Snapshots: k.Snapshots, Events: k.Events, Results: k.Results, Reports: k.Runs}
	return rows.Of(kind), interpret("count the rows that stay", err)
}

// Replaced is what became of a partition.
type Replaced struct {
	Kept  int64 // rows that were copied
	Freed int64 // bytes that are the operating system's again
}

// ReplacePartition drops a partition but for the rows of runs that keep the kind,
// which are copied to one that takes its place, and notes it in the audit log. A lock
// that is not had within a second is an error of which WaitedForLock tells; nothing
// has changed then.
func (s *Store) ReplacePartition(ctx context.Context, p BucketPartition, kind retention.Kinds, actor string, now time.Time) (done Replaced, err error) {
	err = s.Batch(ctx, now, func(tx *Tx) error {
		if err := tx.q.AllowLonger(ctx, pruneTimeout); err != nil {
			return interpret("allow for a long transaction", err)
		}
		row, err := tx.q.ReplacePartition(ctx, p.Table, p.Name, kind.String())
		if err != nil {
			return interpret("replace partition "+p.Name, err)
		}
		done = Replaced(row)
		return tx.Audit(ctx, AuditEntry{
			Actor: actor, Action: ActionDropPartition, Subject: p.Name,
			Details: detailsOf(map[string]any{"kind": kind.String(), "rows_kept": done.Kept, "bytes_freed": done.Freed}),
		})
	})
	return done, err
}

// RemovePending deletes the rows of a kind of some pruned runs of a month: of so many
// runs as have about most rows, at least one. It returns how many runs those were; 0:
// none is left.
func (s *Store) RemovePending(ctx context.Context, p retention.MonthKind, most int64, now time.Time) (runs int, err error) {
	err = s.Batch(ctx, now, func(tx *Tx) error {
		runs, err = tx.removePending(ctx, p, most)
		return err
	})
	return runs, err
}

// pendingPage is of how many runs rows are removed in one transaction at most.
const pendingPage = 500

func (tx *Tx) removePending(ctx context.Context, p retention.MonthKind, most int64) (int, error) {
	if err := tx.q.AllowLonger(ctx, pruneTimeout); err != nil {
		return 0, interpret("allow for a long transaction", err)
	}
	rows, err := tx.q.PendingRuns(ctx, dbsqlc.PendingRunsParams{Kind: p.Kind.String(), First: p.Month, Until: p.Month.AddDate(0, 1, 0), Page: pendingPage})
	if err != nil {
		return 0, interpret("look for rows to remove", err)
	}
	var k prunedKeys
	sum := int64(0)
	for _, r := range rows {
		if sum += r.StoredRows; len(k.ids) > 0 && sum > most {
			break
		}
		k.ids, k.runs, k.buckets = append(k.ids, r.ExecutionID), append(k.runs, r.Run), append(k.buckets, r.Bucket)
	}
	if len(k.ids) == 0 {
		return 0, nil
	}
	for _, t := range prunedTables[p.Kind] {
		if _, err := t.delete(tx.q, ctx, k.ids, k.runs, k.buckets); err != nil {
			return 0, interpret("remove rows of "+t.name, err)
		}
	}
	return len(k.ids), interpret("note what was removed", tx.q.SettlePending(ctx, p.Kind.String(), k.ids, k.runs))
}

// SettlePending notes that no rows of some kinds are left of a bucket's pruned runs:
// all partitions that could hold some have been replaced.
func (s *Store) SettlePending(ctx context.Context, bucket time.Time, kinds retention.Kinds, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		if err := tx.q.AllowLonger(ctx, pruneTimeout); err != nil {
			return interpret("allow for a long transaction", err)
		}
		return interpret("note what was removed", tx.q.SettlePendingBucket(ctx, kinds.Names(), bucket))
	})
}

// AuditPass notes in the audit log what a pass of retention has pruned.
func (s *Store) AuditPass(ctx context.Context, actor string, details any, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		return tx.Audit(ctx, AuditEntry{Actor: actor, Action: ActionPruneRuns, Subject: "runs", Details: detailsOf(details)})
	})
}

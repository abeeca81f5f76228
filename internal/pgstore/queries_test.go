package pgstore_test

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// call is one use of a generated method, named as it is.
type call struct {
	method string
	run    func(ctx context.Context, q *dbsqlc.Queries) error
	finds  bool // on the seeded database it returns rows
}

// rowsOf adapts a method that returns rows, and counts them.
func rowsOf[R any](found *int, rows []R, err error) error {
	*found += len(rows)
	return err
}

func oneOf[R any](found *int, _ R, err error) error {
	if err == nil {
		*found++
	}
	return err
}

// batchOf adapts a pipelined method that returns rows, and counts them.
func batchOf[R any](found *int, query func(func(int, []R, error))) (failed error) {
	query(func(_ int, rows []R, err error) { failed = rowsOf(found, rows, err) })
	return failed
}

// allOf adapts a pipelined method.
func allOf(exec func(func(int, error))) error {
	var first error
	exec(func(_ int, err error) {
		if first == nil {
			first = err
		}
	})
	return first
}

// wrote adapts a method that copies rows, and holds it to their number.
func wrote(want int64) func(int64, error) error {
	return func(n int64, err error) error {
		if err == nil && n != want {
			return fmt.Errorf("%d rows written, want %d", n, want)
		}
		return err
	}
}

// reading calls every other method; found counts the rows.
func reading(found *int) []call {
	ids, runs, buckets := []string{"exec-1"}, []int32{1}, []time.Time{bucket}
	two, twice := []string{"exec-1", "exec-1"}, []int32{1, 1}
	rows := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, true}
	}
	writes := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, false}
	}
	affected := func(_ int64, err error) error { return err }
	return append(listing(found), []call{
		rows("ClaimPartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			p, err := q.ClaimPartition(ctx, dbsqlc.ClaimPartitionParams{Topic: "t", TopicID: pgtype.UUID{Bytes: [16]byte{1}, Valid: true}, Owner: "o", LogStart: 5, Now: now, CarefulRecords: 10})
			return oneOf(found, p, err)
		}),
		rows("AdvancePartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			at, err := q.PartitionPosition(ctx, "t", 0)
			if err != nil {
				return err
			}
			q.AdvancePartition(ctx, []dbsqlc.AdvancePartitionParams{{NextOffset: at.NextOffset + 1, Now: now, Topic: "t", Epoch: at.Epoch, Position: at.NextOffset}}).
				QueryRow(func(_ int, timeline string, failed error) { err = oneOf(found, timeline, failed) })
			return err
		}),
		writes("CountRecords", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.CountRecords(ctx, dbsqlc.CountRecordsParams{Applied: 1, Duplicates: 1, Quarantined: 1, Topic: "t"})
		}),
		writes("BeginAttempt", func(ctx context.Context, q *dbsqlc.Queries) error { return affected(q.BeginAttempt(ctx, "t", 0, 1)) }),
		writes("EndAttempt", func(ctx context.Context, q *dbsqlc.Queries) error { return affected(q.EndAttempt(ctx, "t", 0, 1)) }),
		writes("DecodedAttempt", func(ctx context.Context, q *dbsqlc.Queries) error { return affected(q.DecodedAttempt(ctx, "t", 0, 1)) }),
		writes("StopPartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.StopPartition(ctx, dbsqlc.StopPartitionParams{Reason: "r", Now: now, Topic: "t", Epoch: 1}))
		}),
		writes("MovePartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.MovePartition(ctx, dbsqlc.MovePartitionParams{Generation: 2, NextOffset: 1, Now: now, Topic: "t"})
		}),
		writes("ReleasePartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.ReleasePartition(ctx, dbsqlc.ReleasePartitionParams{Now: now, Topic: "t", Epoch: 2}))
		}),
		writes("TakeBackDeath", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.TakeBackDeath(ctx, dbsqlc.TakeBackDeathParams{Topic: "t", Epoch: 1, Position: 1})
		}),
		rows("PartitionPosition", func(ctx context.Context, q *dbsqlc.Queries) error {
			p, err := q.PartitionPosition(ctx, "t", 0)
			return oneOf(found, p, err)
		}),
		rows("LockPartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			p, err := q.LockPartition(ctx, "t", 0)
			return oneOf(found, p, err)
		}),
		rows("Partitions", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.Partitions(ctx)
			return rowsOf(found, r, err)
		}),
		writes("RecordGap", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.RecordGap(ctx, dbsqlc.RecordGapParams{Topic: "t", Generation: 1, FromOffset: 1, ToOffset: 2, Cause: "retention", DetectedAt: now}))
		}),
		rows("OpenGaps", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OpenGaps(ctx, "t", 0)
			return rowsOf(found, r, err)
		}),
		writes("AcceptGaps", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.AcceptGaps(ctx, dbsqlc.AcceptGapsParams{Now: now, AcceptedBy: "me", ToOffset: 3, Topic: "t"}))
		}),
		rows("AllGaps", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AllGaps(ctx)
			return rowsOf(found, r, err)
		}),
		rows("QuarantinedPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.QuarantinedPage(ctx, dbsqlc.QuarantinedPageParams{BeforeID: math.MaxInt64, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("QuarantinedRecord", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.QuarantinedRecord(ctx, 1)
			return oneOf(found, r, err)
		}),
		rows("LockQuarantineUsage", func(ctx context.Context, q *dbsqlc.Queries) error {
			u, err := q.LockQuarantineUsage(ctx)
			return oneOf(found, u, err)
		}),
		rows("QuarantineUsage", func(ctx context.Context, q *dbsqlc.Queries) error {
			u, err := q.QuarantineUsage(ctx)
			return oneOf(found, u, err)
		}),
		rows("OpenQuarantined", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OpenQuarantined(ctx, math.MaxInt64, "json", 10)
			return rowsOf(found, r, err)
		}),
		writes("LendForGood", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LendForGood(ctx, []int64{2}) }),
		rows("ClaimOutbox", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ClaimOutbox(ctx, "commands", 10, []byte{})
			return rowsOf(found, r, err)
		}),
		rows("OutboxRecords", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OutboxRecords(ctx, []int64{1, 2, 3, 4, 5, 6})
			return rowsOf(found, r, err)
		}),
		writes("MarkPublished", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.MarkPublished(ctx, dbsqlc.MarkPublishedParams{Now: now, Topic: "t", Ids: []int64{1, 2}, Partitions: []int32{0, 1}, Offsets: []int64{5, 6}})
		}),
		writes("CountAttempts", func(ctx context.Context, q *dbsqlc.Queries) error { return q.CountAttempts(ctx, []int64{3}) }),
		writes("ParkOutbox", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.ParkOutbox(ctx, now, []int64{3}, []string{"too large"})
		}),
		writes("HoldBack", func(ctx context.Context, q *dbsqlc.Queries) error { return q.HoldBack(ctx, 10, []int64{3}) }),
		writes("LetFollow", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LetFollow(ctx, 3) }),
		rows("ParkedOutbox", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ParkedOutbox(ctx, 0, 10)
			return rowsOf(found, r, err)
		}),
		rows("CountParked", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.CountParked(ctx)
			return rowsOf(found, r, err)
		}),
		writes("ReleaseParked", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.ReleaseParked(ctx, dbsqlc.ReleaseParkedParams{Now: now, ResolvedBy: "me", Resolution: "why", ID: 3}))
		}),
		writes("DiscardParked", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.DiscardParked(ctx, dbsqlc.DiscardParkedParams{Now: now, ResolvedBy: "me", Resolution: "why", ID: 4}))
		}),
		rows("OldestPending", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OldestPending(ctx, "commands")
			return oneOf(found, r, err)
		}),
		writes("RemoveFinished", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.RemoveFinished(ctx, now.Add(-time.Hour), 10))
		}),
		rows("LoopCursor", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LoopCursor(ctx, "l")
			return oneOf(found, r, err)
		}),
		writes("MoveLoopCursor", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.MoveLoopCursor(ctx, dbsqlc.MoveLoopCursorParams{Loop: "l", ChangedAt: now.Add(time.Second), ExecutionID: "exec-1", Run: 1, Now: now, FromChangedAt: now}))
		}),
		rows("ChangeTime", func(ctx context.Context, q *dbsqlc.Queries) error {
			var r time.Time
			var err error
			q.ChangeTime(ctx, []string{"l"}).QueryRow(func(_ int, at time.Time, e error) { r, err = at, e })
			return oneOf(found, r, err)
		}),
		writes("TakeTime", func(ctx context.Context, q *dbsqlc.Queries) error { return q.TakeTime(ctx) }),
		rows("RunningTransactions", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunningTransactions(ctx)
			return oneOf(found, r, err)
		}),
		writes("DiscardQuarantined", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.DiscardQuarantined(ctx, dbsqlc.DiscardQuarantinedParams{Now: now, ResolvedBy: "me", Resolution: "why", Reason: "crash", Most: 10}))
		}),
		writes("ResolveQuarantined", func(ctx context.Context, q *dbsqlc.Queries) error {
			return affected(q.ResolveQuarantined(ctx, dbsqlc.ResolveQuarantinedParams{Status: "discarded", Now: now, ResolvedBy: "me", Resolution: "why", ID: 1}))
		}),
		rows("QuarantinedCount", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.QuarantinedCount(ctx)
			return rowsOf(found, r, err)
		}),
		rows("LockExecutionIDs", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.LockExecutionIDs(ctx, [][]string{ids}).Query)
		}),
		rows("ExecutionIDs", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ExecutionIDs(ctx, ids)
			return rowsOf(found, r, err)
		}),
		rows("LatestRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.LatestRuns(ctx, [][]string{ids}).Query)
		}),
		rows("RunsByRunID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsByRunID(ctx, ids, []string{"r"})
			return rowsOf(found, r, err)
		}),
		rows("RunByNumber", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunByNumber(ctx, "exec-1", 1)
			return oneOf(found, r, err)
		}),
		rows("RunsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsPage(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}),
		rows("LiveRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LiveRuns(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}),
		rows("SettledRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SettledRuns(ctx, dbsqlc.SettledRunsParams{Since: now.Add(-time.Hour), Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("SettledRunsUpTo", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SettledRunsUpTo(ctx, dbsqlc.SettledRunsUpToParams{UpTo: now, Since: now.Add(-time.Hour), Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RunsByStatus", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsByStatus(ctx)
			return rowsOf(found, r, err)
		}),
		rows("Details", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.Details(ctx, "exec-1", 1)
			return oneOf(found, r, err)
		}),
		rows("KnownEvents", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.KnownEvents(ctx, ids, [][]byte{key}, buckets)
			return rowsOf(found, r, err)
		}),
		rows("EventsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.EventsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("PhasesTouched", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.PhasesTouched(ctx, []dbsqlc.PhasesTouchedParams{{Ids: two, Runs: twice, Phases: []string{"p", "bare"}, Buckets: buckets}}).Query)
		}),
		rows("PhasesOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PhasesOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("StepsTouched", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.StepsTouched(ctx, []dbsqlc.StepsTouchedParams{{Ids: two, Runs: twice, StepIds: []string{"s", "bare"}, Attempts: twice, Buckets: buckets}}).Query)
		}),
		rows("StepsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.StepsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("FaultsTouched", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.FaultsTouched(ctx, []dbsqlc.FaultsTouchedParams{{Ids: two, Runs: twice, FaultIds: []string{"f", "bare"}, Buckets: buckets}}).Query)
		}),
		rows("FaultsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.FaultsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("ValidationsTouched", func(ctx context.Context, q *dbsqlc.Queries) error {
			return batchOf(found, q.ValidationsTouched(ctx, []dbsqlc.ValidationsTouchedParams{{Ids: ids, Runs: runs, ValidationIds: []string{"v"}, Buckets: buckets}}).Query)
		}),
		rows("ValidationsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ValidationsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("SnapshotsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SnapshotsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("LogLinesByEvent", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LogLinesByEvent(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}),
		rows("LogArrivals", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LogArrivals(ctx, dbsqlc.LogArrivalsParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Since: now.Add(-time.Hour), Until: 100, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("LogsOfArrivals", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LogsOfArrivals(ctx, dbsqlc.LogsOfArrivalsParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, FirstAt: now.Add(-time.Hour), LastAt: now.Add(time.Hour), Until: 100})
			return rowsOf(found, r, err)
		}),
		rows("LastLogs", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LastLogs(ctx, dbsqlc.LastLogsParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Until: 100, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("LoggedRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LoggedRun(ctx, "exec-1", 1)
			return oneOf(found, r, err)
		}),
		rows("RunsWatched", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsWatched(ctx, ids)
			return rowsOf(found, r, err)
		}),
		rows("KnownDefinitionEvents", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.KnownDefinitionEvents(ctx, [][]byte{key})
			return rowsOf(found, r, err)
		}),
		rows("TemplatesByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplatesByID(ctx, []string{"t"})
			return rowsOf(found, r, err)
		}),
		rows("TemplateVersionsByHash", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateVersionsByHash(ctx, []string{"t"}, [][]byte{key})
			return rowsOf(found, r, err)
		}),
		rows("TemplateText", func(ctx context.Context, q *dbsqlc.Queries) error {
			for _, version := range []string{"", "1", fmt.Sprintf("%X", key)} {
				text, err := q.TemplateText(ctx, "t", version)
				if err := oneOf(found, text, err); err != nil {
					return err
				}
			}
			return nil
		}),
		rows("TemplateVersionsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateVersionsOf(ctx, "t")
			return rowsOf(found, r, err)
		}),
		rows("ScenariosByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenariosByID(ctx, []string{"s", "bare"})
			return rowsOf(found, r, err)
		}),
		rows("ScenarioVersionsByHash", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersionsByHash(ctx, []string{"s"}, [][]byte{key})
			return rowsOf(found, r, err)
		}),
		rows("ScenarioVersionsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersionsOf(ctx, "s")
			return rowsOf(found, r, err)
		}),
		rows("DependencyEdges", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DependencyEdges(ctx)
			return rowsOf(found, r, err)
		}),
		rows("DependenciesOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DependenciesOf(ctx, []string{"s"})
			return rowsOf(found, r, err)
		}),
		rows("SchedulesByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SchedulesByID(ctx, []string{"n", "bare"})
			return rowsOf(found, r, err)
		}),
		rows("SchedulesPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SchedulesPage(ctx, "", 10)
			return rowsOf(found, r, err)
		}),
		rows("SchedulesOfScenario", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SchedulesOfScenario(ctx, "s", "", 10)
			return rowsOf(found, r, err)
		}),
		rows("RunKeys", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunKeys(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}),
		rows("StoredCopies", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.StoredCopies(ctx, ids, [][]byte{key})
			return rowsOf(found, r, err)
		}),
		rows("QuarantinedAt", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.QuarantinedAt(ctx, "t", 0, []int64{1, 2})
			return rowsOf(found, r, err)
		}),
		rows("DefinitionAggregates", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DefinitionAggregates(ctx, "", "", 10)
			return rowsOf(found, r, err)
		}),
		rows("DefinitionEventsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DefinitionEventsOf(ctx, "scenario", "s")
			return rowsOf(found, r, err)
		}),
		rows("ExecutionIDMismatches", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ExecutionIDMismatches(ctx, 10) // exec-2 has a run and no row of its id
			return rowsOf(found, r, err)
		}),
		rows("OrphanedRows", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OrphanedRows(ctx, 10) // a snapshot of a run that is not there
			return rowsOf(found, r, err)
		}),
		rows("PartitionSums", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PartitionSums(ctx)
			return rowsOf(found, r, err)
		}),
		rows("QuarantineSum", func(ctx context.Context, q *dbsqlc.Queries) error {
			u, err := q.QuarantineSum(ctx)
			return oneOf(found, u, err)
		}),
		rows("AlteredRecords", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AlteredRecords(ctx, 10) // the sha-256 of the seed is none
			return rowsOf(found, r, err)
		}),
		rows("EnsurePartitions", func(ctx context.Context, q *dbsqlc.Queries) error {
			n, err := q.EnsurePartitions(ctx, dbsqlc.EnsurePartitionsParams{
				TableName: "execution_logs", First: now.AddDate(5, 0, 0), Last: now.AddDate(5, 1, 0), Grain: "month",
			})
			return oneOf(found, n, err)
		}),
		rows("PartitionedTables", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PartitionedTables(ctx)
			return rowsOf(found, r, err)
		}),
		rows("StrayRows", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.StrayRows(ctx)
			return rowsOf(found, r, err)
		}),
		rows("ClusterIdentity", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ClusterIdentity(ctx)
			return oneOf(found, r, err)
		}),
		rows("WALPosition", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.WALPosition(ctx)
			return oneOf(found, r, err)
		}),
		rows("TryLeadership", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TryLeadership(ctx, "test")
			return oneOf(found, r, err)
		}),
		writes("EndLeadership", func(ctx context.Context, q *dbsqlc.Queries) error { return q.EndLeadership(ctx) }),
		rows("EndStalledSessions", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.EndStalledSessions(ctx, time.Hour.Seconds())
			return oneOf(found, r, err)
		}),
		rows("AnalyticsViews", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AnalyticsViews(ctx)
			return rowsOf(found, r, err)
		}),
		rows("AnalyticsViewColumns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AnalyticsViewColumns(ctx, "analytics_executions")
			return rowsOf(found, r, err)
		}),
		writes("LockDefinitions", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockDefinitions(ctx) }),
	}...)
}

package pgstore_test

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// retentionCalls calls the methods that only retention needs.
func retentionCalls(found *int) []call {
	rows := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, true}
	}
	writes := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, false}
	}
	ids, runs, buckets := []string{"exec-1"}, []int32{1}, []time.Time{bucket}
	nobody := []string{"nobody"}
	deletes := func(method string, run func(*dbsqlc.Queries, context.Context, []string, []int32, []time.Time) (int64, error)) call {
		return writes(method, func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := run(q, ctx, nobody, runs, buckets)
			return err
		})
	}
	month := bucket.AddDate(0, 0, 1-bucket.Day())
	return []call{
		writes("LockHolds", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockHolds(ctx) }),
		writes("ShareHolds", func(ctx context.Context, q *dbsqlc.Queries) error { return q.ShareHolds(ctx) }),
		rows("InsertHold", func(ctx context.Context, q *dbsqlc.Queries) error {
			id, err := q.InsertHold(ctx, dbsqlc.InsertHoldParams{
				ExecutionID: "exec-1", Run: number(1), ScenarioID: "s", LabelName: "a", LabelValue: "b", BornFrom: pgtype.Date{Time: bucket, Valid: true}, Reason: "r", PlacedBy: "me", PlacedAt: now,
			})
			return oneOf(found, id, err)
		}),
		rows("OpenHolds", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OpenHolds(ctx)
			return rowsOf(found, r, err)
		}),
		writes("LiftHold", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.LiftHold(ctx, dbsqlc.LiftHoldParams{LiftedBy: "me", LiftedAt: now, LiftReason: "r", ID: 1})
			return err
		}),
		rows("AllHolds", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AllHolds(ctx)
			return rowsOf(found, r, err)
		}),
		writes("AllowLonger", func(ctx context.Context, q *dbsqlc.Queries) error { return q.AllowLonger(ctx, "1h") }),
		rows("RetentionRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RetentionRuns(ctx, dbsqlc.RetentionRunsParams{WithLabels: true, Before: now.AddDate(1, 0, 0), Page: 10})
			return rowsOf(found, r, err)
		}),
		writes("RequiredScenarios", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.RequiredScenarios(ctx)
			return err
		}),
		rows("LockIDsToPrune", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LockIDsToPrune(ctx, ids)
			return rowsOf(found, r, err)
		}),
		writes("DueRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.DueRuns(ctx, dbsqlc.DueRunsParams{Ids: ids, Runs: runs, Versions: []int64{1}, ReportedBefore: now})
			return err
		}),
		writes("AttemptsOfGroups", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.AttemptsOfGroups(ctx, []string{"g"})
			return err
		}),
		rows("StoredRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.StoredRuns(ctx, ids)
			return rowsOf(found, r, err)
		}),
		writes("CountPrunedEvents", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.CountPrunedEvents(ctx, ids, runs, buckets)
		}),
		writes("MarkRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.MarkRuns(ctx, dbsqlc.MarkRunsParams{Now: now, Ids: ids, Runs: runs, Kinds: []string{"logs,events"}, StoredRows: []int64{3}, Policies: []string{"p"}})
		}),
		writes("NotePrunedIDs", func(ctx context.Context, q *dbsqlc.Queries) error { return q.NotePrunedIDs(ctx, now, ids) }),
		rows("PrunedRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PrunedRun(ctx, "exec-1", 1)
			return oneOf(found, r, err)
		}),
		rows("LatestPrunedRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestPrunedRuns(ctx, ids)
			return rowsOf(found, r, err)
		}),
		rows("PrunedRunsOfEvents", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PrunedRunsOfEvents(ctx, ids, []string{"r"}, []time.Time{now})
			return rowsOf(found, r, err)
		}),
		rows("PrunedKinds", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PrunedKinds(ctx)
			return rowsOf(found, r, err)
		}),
		rows("PendingMonths", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PendingMonths(ctx)
			return rowsOf(found, r, err)
		}),
		rows("PendingRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PendingRuns(ctx, dbsqlc.PendingRunsParams{Kind: "logs", First: month, Until: month.AddDate(0, 1, 0), Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("KeptRows", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.KeptRows(ctx, month, month.AddDate(0, 1, 0), "logs")
			return oneOf(found, r, err)
		}),
		writes("MissingRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.MissingRuns(ctx, 10)
			return err
		}),
		writes("SettlePending", func(ctx context.Context, q *dbsqlc.Queries) error { return q.SettlePending(ctx, "logs", nobody, runs) }),
		writes("SettlePendingBucket", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SettlePendingBucket(ctx, []string{"logs"}, month.AddDate(-1, 0, 0))
		}),
		writes("DeleteRequestsOfRuns", func(ctx context.Context, q *dbsqlc.Queries) error { return q.DeleteRequestsOfRuns(ctx, ids, runs) }),
		writes("DeleteRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.DeleteRuns(ctx, nobody, runs)
			return err
		}),
		writes("DeleteAuditBefore", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.DeleteAuditBefore(ctx, now.AddDate(-1, 0, 0), 10)
			return err
		}),
		writes("BucketPartitions", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.BucketPartitions(ctx)
			return err
		}),
		writes("ReplacePartition", func(ctx context.Context, q *dbsqlc.Queries) error {
			if _, err := q.EnsurePartitions(ctx, dbsqlc.EnsurePartitionsParams{TableName: "execution_logs", First: month.AddDate(-9, 0, 0), Last: month.AddDate(-9, 0, 0), Grain: "month"}); err != nil {
				return err
			}
			r, err := q.ReplacePartition(ctx, "execution_logs", "execution_logs_y"+month.AddDate(-9, 0, 0).Format("2006")+"m"+month.Format("01"), "logs")
			if err == nil && (r.Kept != 0 || r.Freed <= 0) {
				err = errors.New("an empty partition was not dropped")
			}
			if errors.Is(err, pgx.ErrNoRows) {
				return errors.New("no answer")
			}
			return err
		}),
		deletes("DeleteExecutionEventsOfRuns", (*dbsqlc.Queries).DeleteExecutionEventsOfRuns),
		deletes("DeleteExecutionAnnotationsOfRuns", (*dbsqlc.Queries).DeleteExecutionAnnotationsOfRuns),
		deletes("DeleteReportsOfRuns", (*dbsqlc.Queries).DeleteReportsOfRuns),
		deletes("DeleteExecutionLogsOfRuns", (*dbsqlc.Queries).DeleteExecutionLogsOfRuns),
		deletes("DeleteSystemSnapshotsOfRuns", (*dbsqlc.Queries).DeleteSystemSnapshotsOfRuns),
		deletes("DeleteExecutionPhasesOfRuns", (*dbsqlc.Queries).DeleteExecutionPhasesOfRuns),
		deletes("DeleteExecutionStepsOfRuns", (*dbsqlc.Queries).DeleteExecutionStepsOfRuns),
		deletes("DeleteFaultInjectionsOfRuns", (*dbsqlc.Queries).DeleteFaultInjectionsOfRuns),
		deletes("DeleteValidationResultsOfRuns", (*dbsqlc.Queries).DeleteValidationResultsOfRuns),
	}
}

package pgstore_test

import (
	"context"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// listing calls every method that reads a page for people; found counts the rows.
func listing(found *int) []call {
	later := now.Add(time.Hour)
	rows := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, true}
	}
	return []call{
		rows("RunsByCreation", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsByCreation(ctx, dbsqlc.RunsByCreationParams{Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RunsOfID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsOfID(ctx, "exec-1", math.MaxInt32, 10)
			return rowsOf(found, r, err)
		}),
		rows("RunsOfGroup", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsOfGroup(ctx, dbsqlc.RunsOfGroupParams{GroupID: "g", Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RunsOfScenario", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsOfScenario(ctx, dbsqlc.RunsOfScenarioParams{Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RunsOfStatuses", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsOfStatuses(ctx, dbsqlc.RunsOfStatusesParams{Statuses: []string{"passed", "failed"}, Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("PinnedRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PinnedRuns(ctx, dbsqlc.PinnedRunsParams{Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("RunWithDetails", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunWithDetails(ctx, "exec-1", 1)
			return oneOf(found, r, err)
		}),
		rows("RunsOfCorrelation", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunsOfCorrelation(ctx, 10, "c", 10)
			return rowsOf(found, r, err)
		}),
		rows("TimelineAfter", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TimelineAfter(ctx, dbsqlc.TimelineAfterParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, After: []byte{}, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("TimelineBefore", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TimelineBefore(ctx, dbsqlc.TimelineBeforeParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Before: []byte{0xff}, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("LogsAfter", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LogsAfter(ctx, dbsqlc.LogsAfterParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Until: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("LogsBefore", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LogsBefore(ctx, dbsqlc.LogsBeforeParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, BeforeTime: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("PhasesPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PhasesPage(ctx, dbsqlc.PhasesPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, After: []byte{}, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("StepsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.StepsPage(ctx, dbsqlc.StepsPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("FaultsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.FaultsPage(ctx, dbsqlc.FaultsPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ActiveFaults", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ActiveFaults(ctx, dbsqlc.ActiveFaultsParams{Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ValidationsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ValidationsPage(ctx, dbsqlc.ValidationsPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("SnapshotsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SnapshotsPage(ctx, dbsqlc.SnapshotsPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("SnapshotOfEvent", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SnapshotOfEvent(ctx, dbsqlc.SnapshotOfEventParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, SnapshotID: "n", Arrival: 1})
			*found = len(r.State)
			return err
		}),
		rows("SnapshotByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SnapshotByID(ctx, dbsqlc.SnapshotByIDParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, SnapshotID: "n"})
			return oneOf(found, r, err)
		}),
		rows("AnnotationsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AnnotationsPage(ctx, dbsqlc.AnnotationsPageParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, After: []byte{}, Page: 10})
			return rowsOf(found, r, err)
		}),
	}
}

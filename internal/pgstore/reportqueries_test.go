package pgstore_test

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// reportCalls calls the methods that concern reports.
func reportCalls(found *int) []call {
	rows := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, true}
	}
	writes := func(method string, run func(context.Context, *dbsqlc.Queries) error) call {
		return call{method, run, false}
	}
	later, revision := now.Add(time.Hour), int32(0)
	return []call{
		writes("LockReports", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockReports(ctx, "exec-1", 1) }),
		rows("KeepRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			b, err := q.KeepRun(ctx, "exec-1", 1)
			return oneOf(found, b, err)
		}),
		writes("InsertReport", func(ctx context.Context, q *dbsqlc.Queries) error {
			revision++
			return q.InsertReport(ctx, dbsqlc.InsertReportParams{
				Bucket: bucket, ExecutionID: "exec-1", Run: 1, Revision: revision, SHA256: key, Builder: "1", Body: []byte("{}"), SizeBytes: 2, RunVersion: 1, Chain: key,
				DefinitionSHA256: key, Compared: [][]byte{key}, Status: "passed", ReportedOutcome: "passed", Headline: "h", ScenarioID: "s", Environment: "e", GroupID: "g",
				Attempt: 1, StartedAt: &now, EndedAt: &now, ValidationsPassed: 1, ResilienceScore: &half, CreatedAt: now,
			})
		}),
		rows("ReportOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportOf(ctx, "exec-1", 1, 0)
			return oneOf(found, r, err)
		}),
		rows("ReportBody", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportBody(ctx, dbsqlc.ReportBodyParams{ExecutionID: "exec-1", Run: 1, Revision: 1, Bucket: bucket})
			return oneOf(found, r, err)
		}),
		rows("ReportBodyBySHA256", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportBodyBySHA256(ctx, key)
			return oneOf(found, r, err)
		}),
		rows("PreviousReports", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.PreviousReports(ctx, dbsqlc.PreviousReportsParams{ScenarioID: "s", Environment: "e", Before: later, GroupID: "other", Most: 5})
			return rowsOf(found, r, err)
		}),
		rows("EarlierAttempts", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.EarlierAttempts(ctx, dbsqlc.EarlierAttemptsParams{GroupID: "g", ScenarioID: "s", Attempt: 2, ExecutionID: "exec-2", Run: 1, Most: 5})
			return rowsOf(found, r, err)
		}),
		rows("ReportKeys", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportKeys(ctx, dbsqlc.ReportKeysParams{Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ReportsByCreation", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportsByCreation(ctx, dbsqlc.ReportsByCreationParams{Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ReportsOfScenario", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportsOfScenario(ctx, dbsqlc.ReportsOfScenarioParams{ScenarioID: "s", Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ReportsOfStatus", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportsOfStatus(ctx, dbsqlc.ReportsOfStatusParams{Status: "passed", Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ReportsOfGroup", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportsOfGroup(ctx, dbsqlc.ReportsOfGroupParams{GroupID: "g", Before: later, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("ReportsOfID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportsOfID(ctx, dbsqlc.ReportsOfIDParams{ExecutionID: "exec-1", BeforeRun: 9, Page: 10})
			return rowsOf(found, r, err)
		}),
		rows("LastAttempts", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LastAttempts(ctx, []string{"g"}, []string{"s"})
			return rowsOf(found, r, err)
		}),
		writes("EnqueueReports", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.EnqueueReports(ctx, dbsqlc.EnqueueReportsParams{Ids: []string{"exec-1"}, Runs: []int32{1}, Versions: []int64{1}, ChangedAts: []time.Time{now}})
		}),
		rows("ClaimReport", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ClaimReport(ctx, -1)
			return oneOf(found, r, err)
		}),
		writes("PutOffReport", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.PutOffReport(ctx, dbsqlc.PutOffReportParams{Seconds: 1, LastError: "e", ExecutionID: "exec-1", Run: 1, Version: 1})
			return err
		}),
		rows("ReportQueueState", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportQueueState(ctx)
			return oneOf(found, r, err)
		}),
		writes("DoneReport", func(ctx context.Context, q *dbsqlc.Queries) error { return q.DoneReport(ctx, "exec-1", 1, 1) }),
		writes("SnapshotOfEvent", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.SnapshotOfEvent(ctx, dbsqlc.SnapshotOfEventParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, SnapshotID: "n", Arrival: 1})
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}),
		rows("ReportLines", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ReportLines(ctx, dbsqlc.ReportLinesParams{ExecutionID: "exec-1", Run: 1, Bucket: bucket, Page: 10})
			return rowsOf(found, r, err)
		}),
		writes("TemplatePublicationAt", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.TemplatePublicationAt(ctx, "t", later)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}),
		writes("RevisionGone", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.RevisionGone(ctx, "nobody", 1)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}),
		writes("NoteRevision", func(ctx context.Context, q *dbsqlc.Queries) error { return q.NoteRevision(ctx, 1, "nobody", 1) }),
		writes("PublicationAt", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.PublicationAt(ctx, "s", later)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}),
		writes("PublicationOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.PublicationOf(ctx, "s", "hash")
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}),
	}
}

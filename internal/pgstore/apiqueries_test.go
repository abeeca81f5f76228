package pgstore_test

import (
	"context"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// apiCalls calls the methods that only the API needs.
func apiCalls(found *int) []call {
	return []call{
		{"BeginRequest", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.BeginRequest(ctx, dbsqlc.BeginRequestParams{RequestID: "r", Procedure: "p", Parameters: key, Caller: "me", ReceivedAt: now})
			return err
		}, false},
		{"AnswerRequest", func(ctx context.Context, q *dbsqlc.Queries) error { return q.AnswerRequest(ctx, []byte{1}, "r") }, false},
		{"FindRequest", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.FindRequest(ctx, "r")
			return oneOf(found, r, err)
		}, true},
		{"ForgetRequests", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.ForgetRequests(ctx, now.Add(-time.Hour), 10)
			return err
		}, false},
		{"LockRequests", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockRequests(ctx) }, false},
		{"SetKillSwitch", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SetKillSwitch(ctx, dbsqlc.SetKillSwitchParams{Engaged: true, Reason: "r", ChangedBy: "me", ChangedAt: now})
		}, false},
		{"KillSwitch", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.KillSwitch(ctx)
			return oneOf(found, r, err)
		}, true},
		{"ScenarioByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioByID(ctx, "s")
			return oneOf(found, r, err)
		}, true},
		{"ScenarioVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersion(ctx, "s", "1")
			return oneOf(found, r, err)
		}, true},
		{"ScenarioVersionsPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioVersionsPage(ctx, "s", math.MaxInt32, 10)
			return rowsOf(found, r, err)
		}, true},
		{"ScenariosPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenariosPage(ctx, "", 10)
			return rowsOf(found, r, err)
		}, true},
		{"ScenarioStatuses", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioStatuses(ctx, []string{"s"})
			return rowsOf(found, r, err)
		}, true},
		{"DependenciesAbout", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DependenciesAbout(ctx, "s")
			return rowsOf(found, r, err)
		}, true},
		{"TemplateByID", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateByID(ctx, "t")
			return oneOf(found, r, err)
		}, true},
		{"TemplateVersion", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplateVersion(ctx, "t", "1")
			return oneOf(found, r, err)
		}, true},
		{"TemplatesPage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TemplatesPage(ctx, "", 10)
			return rowsOf(found, r, err)
		}, true},
		{"LatestEndedRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestEndedRuns(ctx, []string{""}, []string{"passed"})
			return rowsOf(found, r, err)
		}, true},
		{"LatestEndedRunsIn", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LatestEndedRunsIn(ctx, []string{""}, []string{"passed"}, []string{""})
			return rowsOf(found, r, err)
		}, true},
		{"ActiveRunsOf", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ActiveRunsOf(ctx, []string{""})
			return rowsOf(found, r, err)
		}, true},
		{"LiveSigns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.LiveSigns(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}, true},
		{"OrphaningRuns", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.OrphaningRuns(ctx, "", 0, 10)
			return rowsOf(found, r, err)
		}, false},
		{"ActiveFaultsOfRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ActiveFaultsOfRun(ctx, "exec-1", 1, bucket)
			return rowsOf(found, r, err)
		}, false},
	}
}

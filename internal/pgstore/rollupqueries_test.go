package pgstore_test

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// apiCalls calls the methods that only the API and the roller need.
func apiCalls(found *int) []call { return slices.Concat(apiOnlyCalls(found), rollupCalls(found)) }

// countedRun is one that figures count; the other runs of the seed are not.
func countedRun() dbsqlc.SaveRunParams {
	r := fullRun()
	r.ExecutionID, r.ScenarioID, r.Environment, r.DryRun, r.Status = "exec-4", "counted", "lab", nil, "failed"
	r.ValidationsFailed = 1
	return r
}

// rollupCalls calls the methods of rollups and analytics, after a run that counts.
func rollupCalls(found *int) []call {
	scenarios, days, groups := []string{"counted"}, []time.Time{bucket}, []string{"g"}
	keyed := func(method string, run func(*dbsqlc.Queries, context.Context, []string, []time.Time) error) call {
		return call{method, func(ctx context.Context, q *dbsqlc.Queries) error { return run(q, ctx, scenarios, days) }, false}
	}
	scenario := text("counted")
	return []call{
		{"SaveRun", func(ctx context.Context, q *dbsqlc.Queries) error {
			return allOf(q.SaveRun(ctx, []dbsqlc.SaveRunParams{countedRun()}).Exec)
		}, false},
		{"InsertFaults", func(ctx context.Context, q *dbsqlc.Queries) error {
			f := faults[0]
			f.ExecutionID = "exec-4"
			return wrote(1)(q.InsertFaults(ctx, []dbsqlc.InsertFaultsParams{f}))
		}, false},
		{"InsertValidations", func(ctx context.Context, q *dbsqlc.Queries) error {
			v := validations[0]
			v.ExecutionID = "exec-4"
			return wrote(1)(q.InsertValidations(ctx, []dbsqlc.InsertValidationsParams{v}))
		}, false},
		{"AppendDirty", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.AppendDirty(ctx, dbsqlc.AppendDirtyParams{Now: now, ScenarioIds: scenarios, Days: days, GroupIds: groups})
		}, false},
		{"ScenarioIsDirty", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioIsDirty(ctx, "counted")
			return oneOf(found, r, err)
		}, true},
		{"DirtyState", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DirtyState(ctx)
			return oneOf(found, r, err)
		}, true},
		{"LockRollups", func(ctx context.Context, q *dbsqlc.Queries) error { return q.LockRollups(ctx) }, false},
		{"MarkAllDirty", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.MarkAllDirty(ctx, now, "", bucket)
			return err
		}, false},
		{"TakeDirty", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.TakeDirty(ctx, 10, 10)
			return rowsOf(found, r, err)
		}, true},
		{"GroupDays", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.GroupDays(ctx, scenarios, groups)
			return rowsOf(found, r, err)
		}, true},
		{"SaveGroupDays", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.SaveGroupDays(ctx, scenarios, groups, days)
		}, false},
		keyed("DeleteRollupRuns", (*dbsqlc.Queries).DeleteRollupRuns),
		keyed("DeleteRollupAssertions", (*dbsqlc.Queries).DeleteRollupAssertions),
		keyed("DeleteRollupFaults", (*dbsqlc.Queries).DeleteRollupFaults),
		keyed("InsertRollupRuns", (*dbsqlc.Queries).InsertRollupRuns),
		keyed("InsertRollupAssertions", (*dbsqlc.Queries).InsertRollupAssertions),
		keyed("InsertRollupFaults", (*dbsqlc.Queries).InsertRollupFaults),
		keyed("NoteEnvironments", (*dbsqlc.Queries).NoteEnvironments),
		{"DeleteSummaries", func(ctx context.Context, q *dbsqlc.Queries) error { return q.DeleteSummaries(ctx, scenarios) }, false},
		{"DifferentSummaries", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DifferentSummaries(ctx, "counted", bucket)
			return rowsOf(found, r, err)
		}, true},
		{"InsertSummaries", func(ctx context.Context, q *dbsqlc.Queries) error { return q.InsertSummaries(ctx, scenarios, bucket) }, false},
		{"SummariesBehind", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.SummariesBehind(ctx, bucket.AddDate(0, 0, 1), 10)
			return rowsOf(found, r, err)
		}, true},
		{"RollupScenarios", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RollupScenarios(ctx)
			return rowsOf(found, r, err)
		}, true},
		{"RollupDays", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RollupDays(ctx, "counted")
			return rowsOf(found, r, err)
		}, true},
		{"DifferentRollups", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.DifferentRollups(ctx, 10, "counted", days)
			return err
		}, false},
		{"MisplacedGroups", func(ctx context.Context, q *dbsqlc.Queries) error {
			_, err := q.MisplacedGroups(ctx, "counted", 10)
			return err
		}, false},
		{"ScenarioSummaries", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenarioSummaries(ctx, 90, "", 10)
			return rowsOf(found, r, err)
		}, true},
		{"RunFigures", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.RunFigures(ctx, dbsqlc.RunFiguresParams{First: true, Page: 10, By: "day", ScenarioID: "counted", FirstDay: bucket, LastDay: bucket, Environment: text("lab"), ScenarioVersion: text("")})
			return rowsOf(found, r, err)
		}, true},
		{"DurationPercentiles", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.DurationPercentiles(ctx, dbsqlc.DurationPercentilesParams{Shares: []float64{half}, ScenarioID: "counted", FirstDay: bucket, LastDay: bucket})
			return rowsOf(found, r, err)
		}, true},
		{"ExactPercentiles", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ExactPercentiles(ctx, dbsqlc.ExactPercentilesParams{Shares: []float64{half}, ScenarioID: "counted", FirstDay: bucket, LastDay: bucket, LabelKey: "team", LabelValue: text("x")})
			return rowsOf(found, r, err)
		}, true},
		{"AssertionFigures", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.AssertionFigures(ctx, dbsqlc.AssertionFiguresParams{ScenarioID: scenario, FirstDay: bucket, LastDay: bucket, First: true, Page: 10})
			return rowsOf(found, r, err)
		}, true},
		{"FaultFigures", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.FaultFigures(ctx, dbsqlc.FaultFiguresParams{ScenarioID: scenario, FirstDay: bucket, LastDay: bucket, First: true, Page: 10})
			return rowsOf(found, r, err)
		}, true},
		{"Coverage", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.Coverage(ctx, dbsqlc.CoverageParams{First: true, Page: 10})
			return rowsOf(found, r, err)
		}, true},
		{"ScenariosThatRan", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.ScenariosThatRan(ctx, "", text("lab"), 10)
			return rowsOf(found, r, err)
		}, true},
		{"Flakiness", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.Flakiness(ctx, scenarios, nil)
			return rowsOf(found, r, err)
		}, true},
		{"Failures", func(ctx context.Context, q *dbsqlc.Queries) error {
			r, err := q.Failures(ctx, scenarios, text("lab"))
			return rowsOf(found, r, err)
		}, true},
		{"RemoveGroups", func(ctx context.Context, q *dbsqlc.Queries) error { return q.RemoveGroups(ctx, scenarios, groups) }, false},
		{"KeepRollups", func(ctx context.Context, q *dbsqlc.Queries) error {
			return q.KeepRollups(ctx, dbsqlc.KeepRollupsParams{ScenarioIds: scenarios, Days: days, Ids: []string{"e"}, Runs: []int32{1}})
		}, false},
	}
}

package rollup_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// quiet is a database where nobody rolls up but the test.
type quiet struct {
	*apitest.World
	now time.Time
}

// noon is when the tests' runs are counted from, long before the real day.
var noon = time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)

func newQuiet(t testing.TB) *quiet {
	t.Helper()
	return &quiet{apitest.Serve(t), noon}
}

// run says of one run of scenario "s" that it began so many days before noon, and
// ended so.
func (q *quiet) run(id string, daysAgo int, group string, attempt int32, outcome string) {
	q.Helper()
	start := noon.AddDate(0, 0, -daysAgo)
	at := func(after time.Duration) func(*event.Outgoing) {
		return func(o *event.Outgoing) { o.Time = start.Add(after) }
	}
	r := &contract.ExecutionRequested{ExecutionId: id, ScenarioId: "s", GroupId: group}
	if attempt > 0 {
		r.Attempt = &attempt
	}
	q.Say(r, at(-time.Second))
	q.Say(&contract.ExecutionStarted{ExecutionId: id}, at(0))
	q.Say(&contract.ExecutionFinished{ExecutionId: id, Outcome: outcome}, at(time.Minute))
}

// drain rolls up, and tells of how many keys.
func (q *quiet) drain() int {
	q.Helper()
	keys, err := rollup.New(rollup.Config{}, rollup.Parts{Store: q.Store, Now: func() time.Time { return q.now }}).Drain(q.Context(), nil)
	if err != nil {
		q.Fatal(err)
	}
	return keys
}

// rows are lines of a query.
func (q *quiet) rows(sql string) []string {
	q.Helper()
	return query(q.Context(), q, q.DB.Pool(q), pgx.RowTo[string], sql)
}

func (q *quiet) wants(what string, want []string, sql string) {
	q.Helper()
	if got := q.rows(sql); !slices.Equal(got, want) {
		q.Errorf("%s: %q, want %q", what, got, want)
	}
}

const days = `SELECT format('%s: %s units of %s runs, %s passed, %s after retries', day, units, runs, passed, passed_after_retries) FROM test_coordination.analytics_daily_runs ORDER BY day`

// The attempts of a group are one unit, on the day of the last, in whatever order
// and however long after each other they are heard of.
func TestAttemptsAreOneUnitOnTheDayOfTheLast(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	q.run("a", 5, "g", 1, "failed")
	q.run("other", 5, "", 0, "passed")
	q.drain()
	q.wants("one attempt", []string{"2026-03-10: 2 units of 2 runs, 1 passed, 0 after retries"}, days)
	q.run("c", 1, "g", 3, "passed")
	if keys := q.drain(); keys != 2 {
		t.Errorf("%d keys made anew, want the day of the former last attempt and that of the present one", keys)
	}
	q.wants("a later attempt", []string{"2026-03-10: 1 units of 1 runs, 1 passed, 0 after retries", "2026-03-14: 1 units of 2 runs, 1 passed, 1 after retries"}, days)
	q.run("b", 3, "g", 2, "error") // heard of late
	q.drain()
	q.wants("an attempt between", []string{"2026-03-10: 1 units of 1 runs, 1 passed, 0 after retries", "2026-03-14: 1 units of 3 runs, 1 passed, 1 after retries"}, days)
	q.clean()
}

// clean holds that rollups are what runs say, and that all was looked at.
func (q *quiet) clean() {
	q.Helper()
	report := q.verify()
	for _, d := range report.Differences {
		if strings.HasPrefix(d.Subject, "rollup") || strings.HasPrefix(d.Subject, "scenario_summaries") {
			q.Error(d)
		}
	}
	if report.Rollups == 0 {
		q.Error("no rollup was looked at")
	}
}

func (q *quiet) verify() verify.Report {
	q.Helper()
	report, err := verify.Run(q.Context(), q.Store, nil, verify.Options{})
	if err != nil {
		q.Fatal(err)
	}
	return report
}

// Only runs that count, or did, cost a note: not those that go on, nor dry ones.
func TestRunsThatDoNotCountLeaveNoNote(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	dry := true
	q.Say(&contract.ExecutionStarted{ExecutionId: "live", ScenarioId: "s"})
	q.Say(&contract.ExecutionHeartbeat{ExecutionId: "live", Message: "half way"})
	q.Say(&contract.ExecutionRequested{ExecutionId: "dry", ScenarioId: "s", DryRun: &dry})
	q.Say(&contract.ExecutionFinished{ExecutionId: "dry", Outcome: "passed"})
	const notes = `SELECT scenario_id || ' ' || group_id FROM test_coordination.rollup_dirty ORDER BY id`
	q.wants("notes", nil, notes)
	q.Say(&contract.ExecutionFinished{ExecutionId: "live", Outcome: "passed"})
	q.wants("notes of an end", []string{"s "}, notes)
	q.Say(&contract.ExecutionValidationRecorded{ExecutionId: "live", ValidationId: "v", AssertionType: "alert", Status: "failed"})
	q.wants("notes of a late validation", []string{"s ", "s "}, notes)
	if keys := q.drain(); keys != 1 {
		t.Errorf("%d keys made anew for two notes of one", keys)
	}
}

// Runs that are gone, or whose results are, stay in the figures, each once: also of what
// was said just before, when all is made anew, and together with who comes late.
func TestPrunedRunsStayInTheFigures(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	heard := func(hoursAgo int) {
		q.Now = func() time.Time { return noon.Add(-time.Duration(hoursAgo) * time.Hour) }
	}
	rest := func() {
		q.rows(`UPDATE test_coordination.executions SET settled_change_at = '2026-03-15' RETURNING ''`) // by PostgreSQL's clock it is just now
		q.now = q.now.AddDate(0, 0, 7)
	}
	prune := func(data retention.Kinds, want ...string) {
		t.Helper()
		rules := retention.Rules{Policies: []retention.Policy{{Name: "all but the newest", Keep: retention.Keep{Count: 1}, Data: data}}}
		rest()
		if _, err := pruning.New(pruning.Config{Rules: rules, Actor: "test", Pace: -1}, pruning.Parts{Store: q.Store, Now: func() time.Time { return q.now }}).Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		q.wants("runs that are whole", want, `SELECT e.execution_id FROM test_coordination.executions AS e WHERE NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id) ORDER BY 1`)
	}
	figures := func(what, ofOld, assertions string) {
		t.Helper()
		q.drain()
		want := []string{"2026-03-06: " + ofOld, "2026-03-14: 1 units of 1 runs, 1 passed, 0 after retries"}
		q.wants(what, want, days)
		const validations = `SELECT format('%s: %s passed, %s failed', day, passed, failed) FROM test_coordination.analytics_daily_assertions`
		q.wants(what, []string{"2026-03-06: " + assertions}, validations)
		q.do(func(ctx context.Context, tx *pgstore.Tx) error {
			_, err := tx.MarkAllDirty(ctx, "", time.Time{})
			return err
		})
		q.drain()
		q.wants(what+", made anew", want, days)
		q.clean()
	}
	says := func(id, status string) {
		q.Say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v", AssertionType: "alert", Status: status})
	}
	heard(2)
	q.run("old", 9, "", 0, "passed")
	heard(0)
	q.run("new", 1, "", 0, "passed")
	q.drain()
	says("old", "passed") // of which the rollups do not know yet
	prune(retention.Events|retention.Results, "new")
	figures("without results", "1 units of 1 runs, 1 passed, 0 after retries", "1 passed, 0 failed")
	prune(retention.Run, "new")
	figures("without the run", "1 units of 1 runs, 1 passed, 0 after retries", "1 passed, 0 failed")

	heard(1)
	q.run("late", 9, "", 0, "failed")
	says("late", "passed")
	figures("with one that comes late", "2 units of 2 runs, 1 passed, 0 after retries", "2 passed, 0 failed")
	if report := q.verify(); !slices.Contains(report.NotVerifiable, "what runs that were pruned contribute to the rollups of 1 days of scenarios") {
		t.Errorf("not verifiable: %q", report.NotVerifiable)
	}
	prune(retention.Run, "new")
	figures("without that, too", "2 units of 2 runs, 1 passed, 0 after retries", "2 passed, 0 failed")
}

func (q *quiet) do(work func(context.Context, *pgstore.Tx) error) {
	q.Helper()
	if err := q.Store.Batch(q.Context(), q.now, func(tx *pgstore.Tx) error { return work(q.Context(), tx) }); err != nil {
		q.Fatal(err)
	}
}

// A rebuild mends whatever was spoilt, and until it is done verify says what it
// cannot look at.
func TestARebuildMendsRollups(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	for i := range 3 {
		q.run(fmt.Sprint("run-", i), i, "", 0, "passed")
	}
	q.drain()
	q.clean()
	q.rows(`UPDATE test_coordination.rollup_runs SET passed = passed + 1 WHERE day = '2026-03-14' RETURNING scenario_id`)
	q.rows(`DELETE FROM test_coordination.rollup_runs WHERE day = '2026-03-13' RETURNING scenario_id`)
	q.rows(`INSERT INTO test_coordination.rollup_runs SELECT scenario_id, '2020-01-01', ordinal, environment, scenario_version, label_key, label_value, runs, units, passed, failed, error, cancelled, timeout, interrupted,
		retries, passed_after_retries, duration_count, duration_us_sum, duration_us_min, duration_us_max, duration_buckets, duration_counts, score_count, score_sum FROM test_coordination.rollup_runs WHERE day = '2026-03-15' RETURNING scenario_id`)
	if report := q.verify(); report.Clean() {
		t.Error("verify does not see spoilt rollups")
	}
	q.do(func(ctx context.Context, tx *pgstore.Tx) error {
		_, err := tx.MarkAllDirty(ctx, "s", time.Time{})
		return err
	})
	if report := q.verify(); !slices.ContainsFunc(report.NotVerifiable, func(s string) bool { return strings.HasPrefix(s, "rollups of 1 scenarios") }) {
		t.Errorf("not verifiable: %q", report.NotVerifiable)
	}
	q.drain()
	q.clean()
}

// Windows move on with the day, also when no run changes.
func TestSummariesMoveOnWithTheDay(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	q.run("a", 6, "", 0, "passed")
	q.run("b", 2, "", 0, "failed")
	const week = `SELECT format('%s: %s units, pass rate %s', as_of, units, pass_rate) FROM test_coordination.analytics_scenario_summaries WHERE window_days = 7`
	q.drain()
	q.wants("a week", []string{"2026-03-15: 2 units, pass rate 0.5"}, week)
	q.now = noon.AddDate(0, 0, 1)
	q.drain()
	q.wants("the day after", []string{"2026-03-16: 1 units, pass rate 0"}, week)
	q.now = noon.AddDate(0, 0, 7)
	q.drain()
	q.wants("a week after", nil, week)
	q.clean()
}

// Two rollers at once, of which one must have lost the lead, and writers beside
// them: when all is quiet the rollups are right.
func TestRollersAtOnce(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	done, ended := make(chan error, 2), make(chan struct{})
	for range 2 {
		go func() {
			r := rollup.New(rollup.Config{Keys: 1}, rollup.Parts{Store: q.Store, Now: func() time.Time { return noon }})
			for {
				if _, err := r.Drain(t.Context(), nil); err != nil {
					done <- err
					return
				}
				select {
				case <-ended:
					done <- nil
					return
				default:
				}
			}
		}()
	}
	for i := range 20 {
		q.run(fmt.Sprint("run-", i), i%4, fmt.Sprint("g", i%6), int32(i%3), "passed")
	}
	close(ended)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	q.drain()
	q.clean()
}

package rollup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// figures are those of all days.
const figures = `SELECT 'runs ' || r::text FROM test_coordination.analytics_daily_runs AS r
	UNION ALL SELECT 'assertions ' || r::text FROM test_coordination.analytics_daily_assertions AS r
	UNION ALL SELECT 'faults ' || r::text FROM test_coordination.analytics_daily_faults AS r ORDER BY 1`

// attempts has many runs of few scenarios heard of, in two months: attempts of groups
// whose days, and months, lie apart, and others. Some have not ended.
func (q *quiet) attempts(rng *rand.Rand, runs int) {
	q.Helper()
	heard := make([]time.Time, runs)
	for i := range heard {
		heard[i] = noon.Add(-time.Duration(rng.IntN(45*24*60)) * time.Minute)
	}
	slices.SortFunc(heard, time.Time.Compare)
	for i, at := range heard {
		q.Now = func() time.Time { return at }
		q.attempt(rng, fmt.Sprint("exec-", rng.IntN(runs)), fmt.Sprint("run-", i), at.Add(-time.Duration(1+rng.IntN(100))*time.Hour), rng.IntN(12))
	}
}

// attempt has one of them heard of, which began then; of a group below 8.
func (q *quiet) attempt(rng *rand.Rand, id, runID string, start time.Time, group int) {
	q.Helper()
	ofRun := func(after time.Duration) func(*event.Outgoing) {
		return func(o *event.Outgoing) { o.Time, o.RunID = start.Add(after), runID }
	}
	r := &contract.ExecutionRequested{ExecutionId: id, ScenarioId: fmt.Sprint("s", rng.IntN(2)), Environment: fmt.Sprint("e", rng.IntN(2))}
	if group < 8 {
		r.GroupId = fmt.Sprint("g", group)
		if attempt := int32(rng.IntN(4)); attempt > 0 {
			r.Attempt = &attempt
		}
	}
	if rng.IntN(10) == 0 {
		dry := true
		r.DryRun = &dry
	}
	q.Say(r, ofRun(-time.Second))
	q.Say(&contract.ExecutionStarted{ExecutionId: id}, ofRun(0))
	q.Say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "f", FaultType: "kill", TargetService: "risk"}, ofRun(time.Second))
	q.Say(&contract.ExecutionFaultRecovered{ExecutionId: id, FaultId: "f"}, ofRun(time.Duration(2+rng.IntN(20))*time.Second))
	q.Say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v", FaultId: "f", AssertionType: "alert", Status: []string{"passed", "failed"}[rng.IntN(2)]}, ofRun(time.Duration(2+rng.IntN(20))*time.Second))
	if rng.IntN(20) > 0 {
		q.Say(&contract.ExecutionFinished{ExecutionId: id, Outcome: []string{"passed", "failed", "error"}[rng.IntN(3)]}, ofRun(time.Duration(30+rng.IntN(90))*time.Second))
	}
}

// disturb pins a run, or has one of those that are whole change, without a figure.
func (q *quiet) disturb(rng *rand.Rand) {
	q.Helper()
	const whole = `FROM test_coordination.executions AS e WHERE e.ended_at IS NOT NULL AND e.run = (SELECT max(l.run) FROM test_coordination.executions AS l WHERE l.execution_id = e.execution_id)
		AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id)`
	if rng.IntN(4) == 0 {
		q.rows(`UPDATE test_coordination.executions SET pinned = NOT pinned WHERE execution_id = 'exec-` + fmt.Sprint(rng.IntN(70)) + `' RETURNING execution_id`)
		return
	}
	all := q.rows(`SELECT e.execution_id || ' ' || e.run_id ` + whole + ` ORDER BY 1`)
	if len(all) == 0 {
		return
	}
	var id, run string
	if _, err := fmt.Sscan(all[rng.IntN(len(all))], &id, &run); err != nil {
		q.Fatal(err)
	}
	q.Say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{{Message: "late"}}}, func(o *event.Outgoing) { o.RunID = run })
}

// Whatever retention takes of attempts of groups that lie on several days and in two
// months, and of other runs, while some are pinned, held and change, and further ones of
// these days come late: the figures of all days are those of a twin without retention,
// also when they are made anew, and verify finds nothing.
func TestRetentionLeavesTheFigures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a history, no secret
			q, twin := newQuiet(t), newQuiet(t)
			both := func(say func(*quiet, *rand.Rand)) {
				told := rng.Uint64()
				for _, of := range []*quiet{q, twin} {
					say(of, rand.New(rand.NewPCG(told, 1))) //nolint:gosec // a history, no secret
				}
			}
			both(func(of *quiet, rng *rand.Rand) { of.attempts(rng, 70) })
			for range 6 {
				q.rows(`UPDATE test_coordination.executions SET pinned = true WHERE execution_id = 'exec-` + fmt.Sprint(rng.IntN(70)) + `' RETURNING execution_id`)
			}
			hold := retention.Hold{ExecutionID: execution.ID(fmt.Sprint("exec-", rng.IntN(70))), Reason: "case", PlacedBy: "me"}
			if _, err := q.Store.PlaceHold(t.Context(), hold, noon); err != nil {
				t.Fatal(err)
			}
			gone, changed := int64(0), int64(0)
			for pass := range 5 {
				both(func(of *quiet, rng *rand.Rand) {
					for n := range 4 {
						at := noon.Add(-time.Duration(1+rng.IntN(40*24)) * time.Hour)
						of.Now = func() time.Time { return at }
						id := fmt.Sprintf("late-%d-%d", pass, n)
						of.attempt(rng, id, id, at.Add(-time.Hour), 8)
					}
				})
				if pass%2 == 0 {
					q.drain() // else retention meets what the rollups do not know yet
				}
				q.rows(`UPDATE test_coordination.executions SET settled_change_at = created_at + interval '1 day' WHERE ended_at IS NOT NULL RETURNING execution_id`) // by PostgreSQL's clock it is just now
				q.now = noon.AddDate(0, 0, 10*(pass+1))
				q.Now = func() time.Time { return q.now }
				keep := func() retention.Keep { return retention.Keep{Age: time.Duration(30+rng.IntN(30)) * 24 * time.Hour} }
				rules := retention.Rules{Quiet: time.Hour, Policies: []retention.Policy{
					{Name: "results", Keep: keep(), Data: retention.Events | retention.Results},
					{Name: "runs", Match: retention.Match{Scenarios: []string{"s0"}}, Keep: keep(), Data: retention.Run},
					{Name: "count", Keep: retention.Keep{Count: 8 + rng.IntN(10)}, Data: retention.Run},
				}}
				done, err := pruning.New(pruning.Config{Rules: rules, Actor: "test", Pace: -1, PageRuns: 8}, pruning.Parts{
					Store: q.Store, Now: q.Now, Probe: func(step string) error {
						for n := rng.IntN(4); step == "mark" && n > 0; n-- {
							q.disturb(rng)
						}
						return nil
					},
				}).Once(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, tally := range done.Pruned {
					gone += tally.Runs
				}
				changed += done.Changed
				twin.drain()
				for _, how := range []string{"noted", "all"} {
					q.drain()
					if diff := cmp.Diff(twin.rows(figures), q.rows(figures)); diff != "" {
						t.Fatalf("pass %d, %s made anew: figures differ from those without retention (-without +with):\n%s", pass, how, diff)
					}
					q.clean()
					q.do(func(ctx context.Context, tx *pgstore.Tx) error {
						_, err := tx.MarkAllDirty(ctx, "", time.Time{})
						return err
					})
				}
				q.drain()
			}
			if gone == 0 || changed == 0 {
				t.Errorf("%d kinds of runs are gone, %d runs were left because they had changed: want some of both", gone, changed)
			}
			q.rows(`UPDATE test_coordination.executions SET pinned = false WHERE pinned RETURNING execution_id`) // no event has said so
		})
	}
}

// A group stays whole of which an attempt changes after it was decided what goes, or
// comes; the next pass decides anew.
func TestAGroupOfWhichAnAttemptChangesStays(t *testing.T) {
	t.Parallel()
	late := func(q *quiet) {
		q.Say(&contract.ExecutionLogAppended{ExecutionId: "a", Lines: []*contract.LogLine{{Message: "late"}}})
	}
	for name, c := range map[string]struct {
		meanwhile func(*quiet)
		left      []string // that are left
		group     int64    // of these: attempts of which another had changed
	}{
		"nothing happens":   {func(*quiet) {}, nil, 0},
		"the first changes": {late, []string{"a", "b", "c"}, 3},
		"one is pinned": {func(q *quiet) {
			q.rows(`UPDATE test_coordination.executions SET pinned = true WHERE execution_id = 'b' RETURNING ''`)
		}, []string{"a", "b", "c"}, 3},
		"another one comes":    {func(q *quiet) { q.run("d", 0, "g", 4, "passed") }, []string{"a", "b", "c", "d"}, 3},
		"one of another comes": {func(q *quiet) { q.run("d", 0, "h", 4, "passed") }, []string{"d"}, 0},
		"one comes that is dry": {func(q *quiet) {
			dry := true
			q.Say(&contract.ExecutionRequested{ExecutionId: "d", ScenarioId: "s", GroupId: "g", DryRun: &dry})
		}, []string{"a", "b", "c", "d"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQuiet(t)
			for i, id := range []string{"a", "b", "c"} {
				at := noon.AddDate(0, 0, -40+20*i)
				q.Now = func() time.Time { return at.Add(time.Hour) }
				q.run(id, 40-20*i, "g", int32(i+1), []string{"failed", "error", "passed"}[i])
				q.rows(`UPDATE test_coordination.executions SET settled_change_at = created_at RETURNING ''`)
			}
			q.Now = func() time.Time { return noon }
			q.drain()
			q.now = noon.AddDate(0, 0, 60)
			asked := 0
			done, err := pruning.New(pruning.Config{Rules: retention.Rules{Policies: retention.ForDays("old", retention.Run, 1)}, Actor: "test", Pace: -1, PageRuns: 1}, pruning.Parts{
				Store: q.Store, Now: func() time.Time { return q.now }, Probe: func(step string) error {
					if step == "mark" {
						asked++
						c.meanwhile(q)
					}
					return nil
				},
			}).Once(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if done.Changed != c.group || asked != 1 {
				t.Errorf("%d runs are left because they had changed, and %d pages were marked; want %d and 1", done.Changed, asked, c.group)
			}
			q.drain()
			q.wants("runs", c.left, `SELECT execution_id FROM test_coordination.executions ORDER BY 1`)
			q.wants("tombstones", nil, `SELECT execution_id FROM test_coordination.pruned_runs WHERE `+fmt.Sprint(len(c.left) > 1))
			q.rows(`UPDATE test_coordination.executions SET pinned = false RETURNING ''`)
		})
	}
}

// An attempt that comes when others of its group have lost their results counts as a unit
// of its own, on its own day, whatever its number; what was kept of them is the unit that
// they were.
func TestAnAttemptThatComesAfterOthersHaveGone(t *testing.T) {
	t.Parallel()
	for name, attempt := range map[string]int32{"a further one": 3, "one between": 1, "without a number": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQuiet(t)
			heard := noon.AddDate(0, 0, -8)
			q.Now = func() time.Time { return heard }
			q.run("a", 9, "g", 1, "failed")
			q.run("b", 8, "g", 2, "passed")
			q.drain()
			policies := func(data retention.Kinds) []retention.Policy {
				return []retention.Policy{{Name: "old", Keep: retention.Keep{Age: 3 * 24 * time.Hour}, Data: data}}
			}
			prune := func(data retention.Kinds) {
				q.rows(`UPDATE test_coordination.executions SET settled_change_at = created_at RETURNING ''`) // by PostgreSQL's clock it is just now
				if _, err := pruning.New(pruning.Config{Rules: retention.Rules{Policies: policies(data)}, Actor: "test", Pace: -1}, pruning.Parts{Store: q.Store, Now: func() time.Time { return q.now }}).Once(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			prune(retention.Events | retention.Results)
			was := "2026-03-07: 1 units of 2 runs, 1 passed, 1 after retries"
			q.drain()
			q.wants("what they were", []string{was}, days)
			heard = noon
			q.run("c", 1, "g", attempt, "passed")
			q.run("d", 0, "g", attempt, "failed") // later, so the last of the two
			for _, gone := range []retention.Kinds{0, retention.Run} {
				q.now = q.now.AddDate(0, 0, 10)
				if gone != 0 {
					prune(gone)
					q.wants("runs", nil, `SELECT execution_id FROM test_coordination.executions`)
				}
				q.drain()
				q.wants("with those that came", []string{was, "2026-03-15: 1 units of 2 runs, 0 passed, 0 after retries"}, days)
				q.clean()
			}
		})
	}
}

// What attempts contribute that go is kept also if a later one, of which nobody knew when
// it was decided, is stored by then.
func TestALaterAttemptDoesNotHideThoseThatGo(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	for i, id := range []string{"a", "b", "c"} {
		q.run(id, 9-i, "g", int32(i+1), "passed")
	}
	q.rows(`SELECT test_coordination.keep_rollups(ARRAY['s', 's'], ARRAY['2026-03-06', '2026-03-07']::date[], ARRAY['a', 'b'], ARRAY[1, 1])::text`)
	q.wants("kept", []string{"2026-03-07: 1 units of 2 runs"}, `SELECT format('%s: %s units of %s runs', day, units, runs) FROM test_coordination.pruned_rollup_runs`)
}

// The latest run of an id keeps its row while that of an older one stays, also when this
// is so only since it was decided what goes; and what stays for its sake, too.
func TestTheLatestRunStaysWithAnOlderOne(t *testing.T) {
	t.Parallel()
	type run struct {
		id, run, group string
		daysAgo        int
	}
	first, second := run{"x", "1", "", 40}, run{"x", "2", "", 20}
	pinFirst := `UPDATE test_coordination.executions SET pinned = true WHERE execution_id = 'x' AND run = 1 RETURNING ''`
	for name, c := range map[string]struct {
		runs      []run
		pageRuns  int
		meanwhile string
		left      []string
	}{
		"nothing happens":        {[]run{first, second}, 1, `SELECT ''`, nil},
		"in one page":            {[]run{first, second}, 10, pinFirst, []string{"x 1", "x 2"}},
		"in two pages":           {[]run{first, second}, 1, pinFirst, []string{"x 1", "x 2"}},
		"not those between":      {[]run{first, second, {"x", "3", "", 10}}, 10, pinFirst, []string{"x 1", "x 3"}},
		"a younger one stays":    {[]run{first, second, {"x", "3", "", 0}}, 10, pinFirst, []string{"x 1", "x 3"}},
		"with all of its group":  {[]run{first, {"x", "2", "g", 20}, {"y", "1", "g", 10}, {"z", "1", "", 10}}, 1, pinFirst, []string{"x 1", "x 2", "y 1"}},
		"the other of its group": {[]run{{"x", "1", "g", 40}, second, {"y", "1", "g", 30}}, 10, `UPDATE test_coordination.executions SET pinned = true WHERE execution_id = 'y' RETURNING ''`, []string{"x 1", "x 2", "y 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQuiet(t)
			for _, r := range c.runs {
				at := noon.AddDate(0, 0, -r.daysAgo)
				q.Now = func() time.Time { return at.Add(time.Hour) }
				ofRun := func(o *event.Outgoing) { o.Time, o.RunID = at, r.run }
				q.Say(&contract.ExecutionRequested{ExecutionId: r.id, ScenarioId: "s", GroupId: r.group}, ofRun)
				q.Say(&contract.ExecutionFinished{ExecutionId: r.id, Outcome: "passed"}, ofRun)
			}
			q.rows(`UPDATE test_coordination.executions SET settled_change_at = created_at RETURNING ''`) // by PostgreSQL's clock it is just now
			q.drain()
			done := false
			_, err := pruning.New(pruning.Config{Rules: retention.Rules{Policies: retention.ForDays("old", retention.Run, 5)}, Actor: "test", Pace: -1, PageRuns: c.pageRuns}, pruning.Parts{
				Store: q.Store, Now: func() time.Time { return noon }, Probe: func(step string) error {
					if step == "mark" && !done {
						done = true
						q.rows(c.meanwhile)
					}
					return nil
				},
			}).Once(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			q.wants("runs", c.left, `SELECT execution_id || ' ' || run_id FROM test_coordination.executions ORDER BY 1`)
			q.rows(`UPDATE test_coordination.executions SET pinned = false WHERE pinned RETURNING ''`) // no event has said so
		})
	}
}

// While retention waits for the roller nobody waits for retention, and it has not
// begun: a hold that is placed meanwhile is in time.
func TestWhoWaitsForTheRollerIsInNobodysWay(t *testing.T) {
	t.Parallel()
	q := newQuiet(t)
	q.run("a", 1, "", 0, "passed")
	run, err := q.Store.Run(t.Context(), pgstore.RunKey{ID: "a", Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	due := retention.Due{ExecutionID: run.ID, Number: run.Number, Version: run.Version, Bucket: run.Bucket, Go: retention.Everything, Policy: "all"}
	pruned, begun := make(chan error, 1), make(chan struct{}, 1)
	waits := func() bool {
		return len(q.rows(`SELECT '' FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)) == 1
	}
	q.do(func(ctx context.Context, tx *pgstore.Tx) error {
		if err := tx.LockRollups(ctx); err != nil {
			return err
		}
		if _, err := tx.TakeDirty(ctx, 0, 0); err != nil { // none, but the lock is taken
			return err
		}
		go func() {
			_, err := q.Store.PruneRuns(ctx, pgstore.PruneRequest{Due: []retention.Due{due}, Now: noon, Begun: func() { begun <- struct{}{} }})
			pruned <- err
		}()
		testenv.Eventually(t, "retention waits", waits)
		if len(begun) > 0 {
			t.Error("it has begun before it had the lock")
		}
		_, err := q.Store.PlaceHold(ctx, retention.Hold{ExecutionID: "a", Reason: "case", PlacedBy: "me"}, noon)
		return err
	})
	if err := <-pruned; !errors.Is(err, pgstore.ErrHoldsChanged) {
		t.Errorf("retention says %v, want that a hold was placed", err)
	}
	if len(begun) != 1 {
		t.Error("nobody was told that it has begun")
	}
}

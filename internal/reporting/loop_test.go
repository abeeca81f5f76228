package reporting_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A run that has settled has a report, which says what the run was, and an event
// tells of it. Nobody can change it.
func TestASettledRunHasAReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.perform(play{id: "exec-1"})
	w.settle("exec-1")
	w.start()
	w.done()
	r := w.newest("exec-1")
	if r.Verdict.Status != execution.StatusPassed || r.Provisional || r.Metrics.LogLines != 3 || r.Logs.Levels["error"] != 1 || len(r.Faults) != 1 || len(r.Snapshots) != 1 || r.Inputs.Events != 13 {
		t.Errorf("report says %+v", r)
	}
	if len(r.Impact) != 1 || len(r.Impact[0].Metrics) != 1 || r.Impact[0].Metrics[0].Max != 30 {
		t.Errorf("snapshots are not read whole: %+v", r.Impact)
	}
	if len(r.Logs.Notable) == 0 || r.Logs.Notable[0].Service == "" && r.Logs.Notable[0].Message != "earlier" {
		t.Errorf("lines: %+v", r.Logs.Notable)
	}
	w.told("exec-1")
	_, err := w.DB.Pool(t).Exec(t.Context(), "UPDATE test_coordination.reports SET headline = 'all is well'")
	if err == nil || !strings.Contains(err.Error(), "a row of reports_") || !strings.Contains(err.Error(), "is never changed") {
		t.Errorf("a report can be changed: %v", err)
	}
}

// What becomes known later makes another revision; the former stays as it was. What
// says nothing of the run makes none.
func TestALateEventMakesARevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	w.start()
	w.done()
	first := w.revisions("exec-1")
	w.say(p, "late", 20*time.Second, &contract.ExecutionValidationRecorded{ExecutionId: "exec-1", ValidationId: "v-2", AssertionType: "health", Status: "failed"})
	w.settle("exec-1")
	w.done()
	second := w.revisions("exec-1")
	if len(second) != 2 || second[0] != first[0] || w.newest("exec-1").Verdict.Status != execution.StatusFailed {
		t.Fatalf("%d revisions after a late validation, want 2, and the first as it was", len(second))
	}
	w.told("exec-1")

	w.ask(func(ctx context.Context, tx *command.Tx) error {
		_, err := tx.PinExecution(ctx, "exec-1", 1, true, "evidence")
		return err
	})
	w.settle("exec-1")
	w.done()
	if got := w.revisions("exec-1"); len(got) != 2 {
		t.Errorf("a pin makes revision %d", len(got))
	}
	w.ask(func(ctx context.Context, tx *command.Tx) error {
		_, err := tx.AnnotateExecution(ctx, "exec-1", 1, "seen by ada")
		return err
	})
	w.settle("exec-1")
	w.done()
	if got := w.revisions("exec-1"); len(got) != 3 || !strings.Contains(got[2], "seen by ada") {
		t.Errorf("%d revisions after a note, want 3", len(got))
	}
	w.told("exec-1")
}

func commandsOf(t testing.TB, w *world) *command.Commands {
	t.Helper()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return command.New(command.Parts{Store: w.Store, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/test"})
}

// ask carries out a request of somebody.
func (w *world) ask(work func(context.Context, *command.Tx) error) {
	w.Helper()
	request := command.Request{ID: "request-" + rand.Text(), Procedure: "test", Caller: "ada"}
	_, err := commandsOf(w, w).Once(w.Context(), request, func(ctx context.Context, tx *command.Tx) ([]byte, error) { return nil, work(ctx, tx) })
	if err != nil {
		w.Fatal(err)
	}
}

// A run that was interrupted, and speaks again, keeps its report until it has ended.
func TestARevivedRunGetsItsRevisionWhenItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p, 0, 1, 2, 3)
	if interrupted, err := commandsOf(t, w).InterruptSilent(t.Context(), runOf("exec-1"), 4); err != nil || !interrupted {
		t.Fatalf("interrupted %t, %v", interrupted, err)
	}
	w.settle("exec-1")
	w.start()
	w.done()
	if r := w.newest("exec-1"); r.Verdict.Status != execution.StatusInterrupted {
		t.Fatalf("report says %s", r.Verdict.Status)
	}
	w.perform(p, 4)
	w.settle("exec-1") // announced just before it spoke
	w.done()
	if got := w.revisions("exec-1"); len(got) != 1 {
		t.Errorf("a run that goes on has %d revisions", len(got))
	}
	w.perform(p, 5, 6, 7, 8, 9, 10, 11, 12)
	w.settle("exec-1")
	w.done()
	if r := w.newest("exec-1"); r.Verdict.Status != execution.StatusPassed || len(w.revisions("exec-1")) != 2 {
		t.Errorf("report says %s, in %d revisions", r.Verdict.Status, len(w.revisions("exec-1")))
	}
	w.told("exec-1")
}

// However many instances work, each run gets one report, and one event tells of it.
func TestInstancesShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for i := range 12 {
		ids = append(ids, fmt.Sprint("exec-", i))
		w.perform(play{id: ids[i], start: begun.Add(time.Duration(i) * time.Hour)}, 0, 1, 5, 12)
	}
	w.start()
	w.start()
	w.settle(ids...)
	w.done()
	for _, id := range ids {
		if got := w.revisions(id); len(got) != 1 {
			t.Errorf("%s has %d reports", id, len(got))
		}
		w.told(id)
	}
}

// A builder that dies in the middle has its claim taken over when its lease ends,
// and one that is only slow, and lost its lease, freezes nothing twice, and nothing
// that is older.
func TestAnotherBuilderTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	claimed, err := w.Store.ClaimReport(t.Context(), time.Hour)
	if err != nil || claimed.ID != "exec-1" || claimed.Attempts != 1 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	if _, err := w.Store.ClaimReport(t.Context(), time.Hour); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("a claimed run is given again: %v", err)
	}
	if err := w.Store.PutOffReport(t.Context(), claimed, 0, ""); err != nil {
		t.Fatal(err)
	}
	claimed, err = w.Store.ClaimReport(t.Context(), 50*time.Millisecond) // a lease that ends by itself
	if err != nil || claimed.ID != "exec-1" || claimed.Attempts != 2 {
		t.Fatalf("claimed again: %+v, %v", claimed, err)
	}
	slow, err := w.reports.Build(t.Context(), claimed.RunKey)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	w.done()
	w.say(p, "late", 20*time.Second, &contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "late"})
	w.settle("exec-1")
	w.done()
	for _, why := range []reporting.Why{reporting.Settled, reporting.Asked} {
		err = w.Store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
			frozen, err := w.reports.Freeze(t.Context(), tx, slow, why)
			if err == nil && (frozen.New || frozen.Revision != 2) {
				t.Errorf("the slow one froze %+v", frozen)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := w.revisions("exec-1"); len(got) != 2 {
		t.Errorf("%d revisions, want 2", len(got))
	}
	w.told("exec-1")
}

// What is announced while its builder works is looked at again.
func TestWhatIsAnnouncedMeanwhileIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	claimed, err := w.Store.ClaimReport(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.say(p, "late", 20*time.Second, &contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "late"})
	w.settle("exec-1")
	err = w.Store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		return tx.DoneReport(t.Context(), claimed.RunKey, claimed.Version)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.PutOffReport(t.Context(), claimed, time.Hour, "failed"); err != nil {
		t.Fatal(err)
	}
	again, err := w.Store.ClaimReport(t.Context(), time.Hour)
	if err != nil || again.Version <= claimed.Version {
		t.Errorf("claimed %+v, %v; before %+v", again, err, claimed)
	}
}

// A run whose report cannot be built waits with the reason, and is in nobody's way;
// when it can be built, it is.
func TestAFailureHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.perform(play{id: "broken"})
	w.perform(play{id: "whole", start: begun.Add(time.Hour)})
	sql := w.DB.Pool(t)
	if _, err := sql.Exec(t.Context(), `UPDATE test_coordination.execution_events SET data = data - 'line_count' || '{"was": 3}' WHERE execution_id = 'broken' AND data ? 'line_count'`); err != nil {
		t.Fatal(err)
	}
	w.settle("broken", "whole")
	w.start(func(c *reporting.Config) { c.Workers = 1 })
	testenv.Eventually(t, "the broken one was tried twice", func() bool {
		var attempts int
		var reason string
		if err := sql.QueryRow(t.Context(), "SELECT attempts, last_error FROM test_coordination.report_queue WHERE execution_id = 'broken'").Scan(&attempts, &reason); err != nil {
			t.Fatal(err)
		}
		return attempts > 1 && strings.Contains(reason, "number of log lines")
	})
	testenv.Eventually(t, "the other has its report", func() bool { return len(w.revisions("whole")) == 1 })
	if queue, err := w.Store.ReportQueue(t.Context()); err != nil || queue.Waiting != 1 || queue.Failing != 1 || queue.Age <= 0 {
		t.Errorf("queue: %+v, %v", queue, err)
	}
	if _, err := sql.Exec(t.Context(), `UPDATE test_coordination.execution_events SET data = data - 'was' || '{"line_count": 3}' WHERE execution_id = 'broken' AND data ? 'was'`); err != nil {
		t.Fatal(err)
	}
	w.done()
	w.told("broken")
}

// The same events give the same report, in whatever order they arrived.
func TestAnyOrderOfArrivalGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	var want string
	for seed := range uint64(4) {
		w := newWorld(t)
		p := play{id: "exec-1"}
		order := mathrand.New(mathrand.NewPCG(seed, 7)).Perm(len(p.events())) //nolint:gosec // an order
		if seed == 0 {
			order = nil
		}
		w.perform(p, order...)
		w.settle("exec-1")
		w.start()
		w.done()
		got := w.revisions("exec-1")
		if len(got) != 1 {
			t.Fatalf("%d revisions", len(got))
		}
		if want == "" {
			want = got[0]
		}
		if got[0] != want {
			t.Errorf("in the order %v:\n%s\nwant\n%s", order, got[0], want)
		}
	}
}

// A report names the reports of earlier runs, and of earlier attempts of its group,
// as they were then: their revisions make none of it, unless somebody asks.
func TestComparedReportsAreNamedByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	before := play{id: "before"}
	first := play{id: "try-1", start: begun.Add(time.Hour), group: "nightly", attempt: 1, outcome: "failed"}
	second := play{id: "try-2", start: begun.Add(2 * time.Hour), group: "nightly", attempt: 2}
	for _, p := range []play{before, first, second} {
		w.perform(p)
		w.settle(p.id)
		w.done()
	}
	r := w.newest("try-2")
	if len(r.Attempts) != 1 || r.Attempts[0].ExecutionID != "try-1" || r.Attempts[0].SHA256 != w.newest("try-1").SHA256 {
		t.Errorf("attempts %+v", r.Attempts)
	}
	if len(r.Previous) != 1 || r.Previous[0].ExecutionID != "before" || r.Previous[0].SHA256 != w.newest("before").SHA256 {
		t.Errorf("previous %+v", r.Previous)
	}
	if got := w.newest("try-1"); len(got.Attempts) != 0 || len(got.Previous) != 1 {
		t.Errorf("the first attempt speaks of %+v, %+v", got.Attempts, got.Previous)
	}
	w.say(before, "late", 20*time.Second, &contract.ExecutionValidationRecorded{ExecutionId: "before", ValidationId: "v-9", AssertionType: "health", Status: "failed"})
	w.settle("before")
	w.done()
	if len(w.revisions("before")) != 2 {
		t.Fatal("the earlier run has no new revision")
	}
	// Its row has another version now, and its report nothing to say.
	w.ask(func(ctx context.Context, tx *command.Tx) error {
		_, err := tx.PinExecution(ctx, "try-2", 1, true, "")
		return err
	})
	w.settle("try-2")
	w.done()
	if got := w.revisions("try-2"); len(got) != 1 {
		t.Errorf("a revision of another report makes revision %d", len(got))
	}
	built, err := w.reports.Build(t.Context(), runOf("try-2"))
	if err != nil {
		t.Fatal(err)
	}
	err = w.Store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		frozen, err := w.reports.Freeze(t.Context(), tx, built, reporting.Asked)
		if err == nil && (!frozen.New || frozen.Revision != 2) {
			t.Errorf("who asks gets %+v", frozen)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.newest("try-2").Previous; len(got) != 1 || got[0].SHA256 != w.newest("before").SHA256 {
		t.Errorf("previous %+v", got)
	}
}

// The definition is that of the version that the coordinator named, or of the one
// that was current when the run was asked for.
func TestTheDefinitionIsThatOfTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := func(version string) string {
		return "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata:\n  name: depeg\n  version: \"" + version + "\"\nspec:\n  duration: 1m\n  phases:\n  - name: injection\n    duration: 1m\n"
	}
	publish := func(at time.Duration, version, kind string) {
		w.Say(&contract.ScenarioPublished{ScenarioId: "depeg", Definition: text(version), ScenarioType: kind, ServicesUnderTest: []string{"exchange"}}, func(o *event.Outgoing) {
			o.Time = begun.Add(at)
		})
	}
	publish(-time.Hour, "1", "network_latency")
	publish(time.Hour, "2", "network_partition")
	w.perform(play{id: "early"})
	w.perform(play{id: "late", start: begun.Add(2 * time.Hour)})
	w.perform(play{id: "too-early", start: begun.Add(-2 * time.Hour)})
	w.perform(play{id: "named", start: begun.Add(-3 * time.Hour)})
	w.say(play{id: "named", start: begun.Add(-3 * time.Hour)}, "again", 30*time.Second, &contract.ExecutionRequested{ExecutionId: "named", ScenarioId: "depeg", ScenarioVersion: "2"})
	for id, want := range map[string]struct {
		version int32
		kind    string
	}{"early": {1, "network_latency"}, "late": {2, "network_partition"}, "too-early": {0, ""}, "named": {2, "network_partition"}} {
		built, err := w.reports.Build(t.Context(), runOf(id))
		if err != nil {
			t.Fatal(err)
		}
		if d := built.Report.Definition; d.Version != want.version || d.Type != want.kind || d.Known != (want.version > 0) {
			t.Errorf("%s: definition %+v, want %+v", id, d, want)
		}
	}
}

// A run of which something was removed keeps the report that it has.
func TestAPoorerReportIsNotFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	w.start()
	w.done()
	sql := w.DB.Pool(t)
	for _, removed := range []struct{ what, query string }{
		{"log lines", "DELETE FROM test_coordination.execution_logs WHERE line = 1"},
		{"snapshots", "DELETE FROM test_coordination.system_snapshots WHERE snapshot_id = 'before'"},
		{"events", "DELETE FROM test_coordination.execution_events WHERE type LIKE '%heartbeat%'"},
	} {
		tx, err := sql.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "CREATE TABLE test_coordination.kept AS SELECT * FROM test_coordination."+map[string]string{"log lines": "execution_logs", "snapshots": "system_snapshots", "events": "execution_events"}[removed.what]); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), removed.query); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = w.reports.Build(t.Context(), runOf("exec-1"))
		var pruned *reporting.PrunedError
		if !errors.As(err, &pruned) || pruned.What != removed.what {
			t.Errorf("%s were removed: %v", removed.what, err)
		}
		if _, err := sql.Exec(t.Context(), "UPDATE test_coordination.executions SET version = version + 1"); err != nil {
			t.Fatal(err)
		}
		w.settle("exec-1")
		w.done()
		if got := w.revisions("exec-1"); len(got) != 1 {
			t.Errorf("%s were removed, and revision %d frozen", removed.what, len(got))
		}
		for _, q := range []string{
			"DELETE FROM test_coordination." + map[string]string{"log lines": "execution_logs", "snapshots": "system_snapshots", "events": "execution_events"}[removed.what],
			"INSERT INTO test_coordination." + map[string]string{"log lines": "execution_logs", "snapshots": "system_snapshots", "events": "execution_events"}[removed.what] + " SELECT * FROM test_coordination.kept",
			"DROP TABLE test_coordination.kept",
		} {
			if _, err := sql.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := sql.Exec(t.Context(), "UPDATE test_coordination.executions SET version = version - 3"); err != nil {
		t.Fatal(err)
	}
}

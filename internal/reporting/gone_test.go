package reporting_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// prune has retention decide that some kinds of data of a run go.
func (w *world) prune(id string, kinds retention.Kinds, policy string, at time.Time) {
	w.Helper()
	run, err := w.Store.Run(w.Context(), runOf(id))
	if err != nil {
		w.Fatal(err)
	}
	due := retention.Due{ExecutionID: run.ID, Number: run.Number, Version: run.Version, Bucket: run.Bucket, Go: kinds, Policy: policy}
	pruned, err := w.Store.PruneRuns(w.Context(), pgstore.PruneRequest{Due: []retention.Due{due}, Now: at})
	if err != nil || len(pruned) != 1 {
		w.Fatalf("%d runs pruned, error %v", len(pruned), err)
	}
}

// remove removes the rows of kinds that were pruned.
func (w *world) remove(id string, kinds retention.Kinds) {
	w.Helper()
	run, err := w.Store.Run(w.Context(), runOf(id))
	if err != nil {
		w.Fatal(err)
	}
	for _, kind := range kinds.Each() {
		if n, err := w.Store.RemovePending(w.Context(), retention.MonthKind{Month: retention.MonthOf(run.Bucket), Kind: kind}, 1000, time.Now()); err != nil || n != 1 {
			w.Fatalf("%s of %d runs removed, error %v", kind, n, err)
		}
	}
}

// rebuilt holds the newest report of a run to what is stored.
func (w *world) rebuilt(id, when string) {
	w.Helper()
	all := w.revisions(id)
	again, err := reporting.Rebuild(w.Context(), w.Store, w.newest(id))
	if err != nil {
		w.Fatalf("%s: %v", when, err)
	}
	if string(again.Body) != all[len(all)-1] {
		w.Errorf("%s another report is built:\n%s", when, again.Body)
	}
}

// freeze freezes the report of a run as for somebody who asks for it.
func (w *world) freeze(id string) (frozen reporting.Frozen) {
	w.Helper()
	built, err := w.reports.Build(w.Context(), runOf(id))
	if err != nil {
		w.Fatal(err)
	}
	err = w.Store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) (err error) {
		frozen, err = w.reports.Freeze(w.Context(), tx, built, reporting.Asked)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return frozen
}

// A run of which retention has removed something keeps its report, until it has
// something new to say: the next one is made from the rest, and says so. When rows
// are removed, and of what comes late, makes no difference.
func TestARevisionSaysWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	w.start()
	w.done()
	whole := w.revisions("exec-1")[0]
	began := time.Now().Truncate(time.Microsecond)
	w.prune("exec-1", retention.Logs, "short", began)
	w.settle("exec-1")
	w.done()
	if frozen := w.freeze("exec-1"); frozen.New || frozen.Revision != 1 {
		t.Errorf("pruning alone makes revision %d", frozen.Revision)
	}
	frozen, err := report.Decode([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reporting.Rebuild(t.Context(), w.Store, frozen); !errors.Is(err, reporting.ErrMoreGone) {
		t.Errorf("the whole report is built of less: %v", err)
	}

	w.say(p, "late", 20*time.Second, &contract.ExecutionValidationRecorded{ExecutionId: "exec-1", ValidationId: "v-2", AssertionType: "health", Status: "failed"})
	w.say(p, "line", 21*time.Second, &contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "too late", Level: "error"}}})
	w.settle("exec-1")
	w.done()
	r := w.newest("exec-1")
	want := report.Gone{Kinds: []string{"logs"}, Policy: "short", At: began.UTC(), Revision: 1, SHA256: frozen.SHA256}
	if g := r.Inputs.Gone; g == nil || !slices.Equal(g.Kinds, want.Kinds) || g.Policy != want.Policy || !g.At.Equal(want.At) || g.Revision != want.Revision || g.SHA256 != want.SHA256 {
		t.Fatalf("gone: %+v, want %+v", g, want)
	}
	if r.Verdict.Status != execution.StatusFailed || r.Logs.Lines != 0 || r.Metrics.LogLines != 4 || len(r.Snapshots) != 1 || len(w.revisions("exec-1")) != 2 {
		t.Errorf("report of the rest: %s, %d of %d lines, %d differences of snapshots", r.Verdict.Status, r.Logs.Lines, r.Metrics.LogLines, len(r.Snapshots))
	}
	w.told("exec-1")
	w.rebuilt("exec-1", "while the rows are still there")
	w.remove("exec-1", retention.Logs)
	w.rebuilt("exec-1", "when the rows are removed")
	w.prune("exec-1", retention.Logs, "shorter", began.Add(time.Hour)) // what came late
	w.rebuilt("exec-1", "after another pass")
	if frozen := w.freeze("exec-1"); frozen.New || frozen.Revision != 2 {
		t.Errorf("another pass makes revision %d", frozen.Revision)
	}

	w.prune("exec-1", retention.Snapshots, "old", began.Add(2*time.Hour))
	if _, err := reporting.Rebuild(t.Context(), w.Store, r); !errors.Is(err, reporting.ErrMoreGone) {
		t.Errorf("a report with snapshots is built without: %v", err)
	}
	w.say(p, "later", 22*time.Second, &contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "still here"})
	w.settle("exec-1")
	w.done()
	r = w.newest("exec-1")
	if g := r.Inputs.Gone; g == nil || !slices.Equal(g.Kinds, []string{"logs", "snapshots"}) || g.Policy != "old" || g.Revision != 1 || len(r.Snapshots) != 0 || r.Metrics.Snapshots != 2 {
		t.Errorf("gone: %+v, %d differences of %d snapshots", g, len(r.Snapshots), r.Metrics.Snapshots)
	}
	w.rebuilt("exec-1", "without snapshots")
	w.remove("exec-1", retention.Snapshots)
	w.rebuilt("exec-1", "when snapshots are removed")

	w.prune("exec-1", retention.Events, "old", began.Add(3*time.Hour))
	w.remove("exec-1", retention.Events)
	var pruned *reporting.PrunedError
	if _, err := reporting.Rebuild(t.Context(), w.Store, r); !errors.As(err, &pruned) {
		t.Errorf("a report is built without events: %v", err)
	}
	w.settle("exec-1")
	w.done()
	if got := w.revisions("exec-1"); len(got) != 3 || got[0] != whole {
		t.Errorf("%d revisions, want 3, the first as it was", len(got))
	}
}

// What a run never had is not gone; a run that was never reported on says what is
// gone, and of no other revision.
func TestOnlyWhatThereWasIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.perform(play{id: "exec-1"}, 0, 1, 12)
	w.perform(play{id: "exec-2"})
	for _, id := range []string{"exec-1", "exec-2"} {
		w.prune(id, retention.Logs|retention.Snapshots|retention.Results, "old", time.Now())
	}
	if g := w.freeze("exec-1"); !g.New || w.newest("exec-1").Inputs.Gone != nil {
		t.Errorf("a run without lines has lost some: %+v", w.newest("exec-1").Inputs.Gone)
	}
	frozen := w.freeze("exec-2")
	if g := w.newest("exec-2").Inputs.Gone; !frozen.New || g == nil || !slices.Equal(g.Kinds, []string{"logs", "snapshots"}) || g.Revision != 0 || g.SHA256 != "" {
		t.Errorf("gone: %+v", g)
	}
	w.rebuilt("exec-1", "without lines")
	w.rebuilt("exec-2", "without a whole report")

	// Later runs are compared with it as with any other.
	w.perform(play{id: "exec-3", start: begun.Add(time.Hour)})
	if w.freeze("exec-3"); len(w.newest("exec-3").Previous) != 2 {
		t.Errorf("compared with %+v", w.newest("exec-3").Previous)
	}
	w.rebuilt("exec-3", "beside runs that are not whole")
	w.prune("exec-2", retention.Everything&^retention.Reports, "old", time.Now())
	w.rebuilt("exec-3", "when the other run is gone")
}

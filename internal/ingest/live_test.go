package ingest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// patientWorld is one whose states are not lost to a busy machine.
func patientWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.live = w.patientLive()
	return w
}

func ofRun(id string) func(*event.Outgoing) {
	return func(o *event.Outgoing) { o.RunID = id }
}

// twoRuns are of one execution id: the first dies without a word, and by the
// contract stays open; the second passes.
func (w *world) twoRuns() []kafkarecord.Record {
	w.Helper()
	return []kafkarecord.Record{
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, ofRun("a")),
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, ofRun("b")),
		w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}, ofRun("b")),
	}
}

// expire does what the TTL of an ended execution does.
func (w *world) expire() {
	w.Helper()
	if n, err := w.redis.Client(w).Del(w.Context(), "test:{exec:exec-1}:state", "test:{exec:exec-1}:stream").Result(); err != nil || n != 2 {
		w.Fatalf("%d keys expired, error %v", n, err)
	}
}

func (w *world) flush() {
	w.Helper()
	if err := w.redis.Client(w).FlushAll(w.Context()).Err(); err != nil {
		w.Fatal(err)
	}
}

// settleLongAgo dates the ends before the settled horizon.
func (w *world) settleLongAgo() {
	w.Helper()
	w.exec("UPDATE test_coordination.executions SET settled_change_at = settled_change_at - interval '2 days' WHERE settled_change_at IS NOT NULL")
}

// reconcile runs an engine for a full sweep and a pass after it.
func (w *world) reconcile() {
	w.Helper()
	var passes atomic.Int32
	enough := make(chan struct{})
	stop := w.start("a", func(s *settings) {
		s.config.ReconcileEvery = 10 * time.Millisecond
		s.parts.Probe = func(m ingest.Moment) {
			if m.Step == telemetry.StepReconcile && m.After && passes.Add(1) == 2 {
				close(enough)
			}
		}
	})
	select {
	case <-enough:
	case <-time.After(time.Minute):
		w.Error("no pass of reconciliation in a minute")
	}
	stop()
}

// ingestOnly ingests everything that is in the topic, and shows it, without
// reconciliation.
func (w *world) ingestOnly() {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	e := w.newEngine("a")
	ended := make(chan error, 1)
	go func() { ended <- e.Ingest(ctx) }()
	w.drain()
	cancel()
	if err := <-ended; err != nil {
		w.Errorf("ingest: %v", err)
	}
}

// wantShown compares what Redis shows of the execution, run 0 for nothing, and
// the active set as it lies there.
func (w *world) wantShown(run execution.RunNumber, status execution.Status, active ...execution.ID) {
	w.Helper()
	live, _, _, err := w.live.State(w.Context(), "exec-1")
	if err != nil {
		w.Fatal(err)
	}
	if live.Run != run || live.Status != status {
		w.Errorf("Redis shows run %d, %q; want run %d, %q", live.Run, live.Status, run, status)
	}
	members, err := w.live.ActiveMembers(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if diff := cmp.Diff(active, members); diff != "" {
		w.Errorf("active set (-want +got):\n%s", diff)
	}
	report, err := verify.Run(w.Context(), w.store, w.live, verify.Options{})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range report.Differences {
		w.Errorf("verification: %s", d)
	}
}

// Where the state of the latest run has expired, nothing keeps an older run
// away but that nobody writes it.
func TestReconciliationShowsNoRunButTheLatest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after  func(*world)
		run    execution.RunNumber
		status execution.Status
	}{
		"while the latest is shown":                       {(*world).settleLongAgo, 2, execution.StatusPassed},
		"after the latest expired":                        {func(w *world) { w.settleLongAgo(); w.expire() }, 0, ""},
		"after a flush":                                   {(*world).flush, 2, execution.StatusPassed},
		"after a flush, the latest having ended long ago": {func(w *world) { w.settleLongAgo(); w.flush() }, 0, ""},
		"after the latest expired, and a word to the older": {func(w *world) {
			w.settleLongAgo()
			w.expire()
			w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "failed"}, ofRun("a")))
			w.ingestOnly()
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := patientWorld(t)
			w.produce(w.twoRuns()...)
			w.run()
			c.after(w)
			w.reconcile()
			w.wantShown(c.run, c.status)
		})
	}
}

// The same holds for what a batch changes: it need not hold an event of the
// latest run.
func TestALateWordToAnOlderRunShowsNothing(t *testing.T) {
	t.Parallel()
	for name, word := range map[string]contractMessage{
		"that leaves it open": &contract.ExecutionHeartbeat{ExecutionId: "exec-1"},
		"that ends it":        &contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := patientWorld(t)
			w.produce(w.twoRuns()...)
			w.ingestOnly()
			w.wantShown(2, execution.StatusPassed)
			w.produce(w.say(word, ofRun("a")))
			w.ingestOnly()
			w.wantShown(2, execution.StatusPassed)
			w.expire()
			w.produce(w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "late"}}}, ofRun("a")))
			w.ingestOnly()
			w.wantShown(0, "")
			w.produce(w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "late"}}}, ofRun("b")))
			w.ingestOnly()
			w.wantShown(2, execution.StatusPassed)
		})
	}
}

// An execution is active as long as its latest run is, whatever ends before.
func TestTheEndOfAnOlderRunLeavesTheExecutionActive(t *testing.T) {
	t.Parallel()
	w := patientWorld(t)
	w.produce(
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, ofRun("a")),
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, ofRun("b")),
	)
	w.ingestOnly()
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "failed"}, ofRun("a")))
	w.ingestOnly()
	w.wantShown(2, execution.StatusRunning, "exec-1")
	w.reconcile()
	w.wantShown(2, execution.StatusRunning, "exec-1")
}

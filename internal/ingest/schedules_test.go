package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// dueBy are the occurrences of a schedule, as what made them due.
func (w *world) dueBy(id scenario.ScheduleID) []string {
	w.Helper()
	occurrences, err := w.store.Occurrences(w.Context(), pgstore.OccurrenceFilter{ScheduleID: id, Page: 100})
	if err != nil {
		w.Fatal(err)
	}
	var causes []string
	for _, o := range occurrences {
		cause := string(o.Kind)
		if o.Trigger.Run.ExecutionID != "" {
			cause = o.Trigger.Run.String()
		}
		causes = append(causes, cause+" "+string(o.Status))
	}
	slices.Sort(causes)
	return causes
}

// A run that passes, and an event, make schedules due in the transaction that
// accepts them: also when everything is read from the beginning of the log again.
func TestEventsMakeSchedulesDueOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock = time.Now().Add(-10 * time.Minute) // what is older would be missed
	schedule := func(id, kind string, change func(*contract.ScheduleSet)) *contract.ScheduleSet {
		m := &contract.ScheduleSet{ScheduleId: id, ScenarioId: "b", Kind: kind}
		change(m)
		return m
	}
	w.produce(
		w.say(schedule("after", "after_scenario", func(m *contract.ScheduleSet) { m.AfterScenarioId = "a" })),
		w.say(schedule("recovered", "event", func(m *contract.ScheduleSet) { m.EventType = "test-coordination.execution.fault_recovered.v1" })),
		w.say(schedule("published", "event", func(m *contract.ScheduleSet) { m.EventType = "test-coordination.scenario.published.v1" })),
	)
	w.run()
	run := func(id, of, outcome string) {
		w.produce(
			w.say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: of}),
			w.say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "f", FaultType: "latency", TargetService: "x"}),
			w.say(&contract.ExecutionFaultRecovered{ExecutionId: id, FaultId: "f"}),
			w.say(&contract.ExecutionFinished{ExecutionId: id, Outcome: outcome}),
		)
	}
	run("passed", "a", "passed")
	run("failed", "a", "failed")
	run("other", "c", "passed")
	run("passed", "a", "passed") // a new run of the id
	w.produce(w.say(&contract.ScenarioPublished{ScenarioId: "a", Definition: "{}"}))
	// A run of which the scenario is known last.
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "late", Outcome: "passed"}), w.say(&contract.ExecutionStarted{ExecutionId: "late", ScenarioId: "a"}, at(w.clock.Add(-time.Minute))))
	w.run()
	want := map[scenario.ScheduleID][]string{
		"after":     {"late/1 due", "passed/1 due", "passed/2 due"},
		"recovered": {"event due", "event due", "event due", "event due"},
		"published": {"event due"},
	}
	check := func(when string) {
		t.Helper()
		for id, causes := range want {
			if diff := cmp.Diff(causes, w.dueBy(id)); diff != "" {
				t.Errorf("%s, schedule %s (-want +got):\n%s", when, id, diff)
			}
		}
	}
	check("ingested")

	// A word to a run that has passed long ago is no second end of it.
	w.produce(w.say(&contract.ExecutionLogAppended{ExecutionId: "passed", Lines: []*contract.LogLine{{Message: "m"}}}))
	w.run()
	check("after a late word")
}

func TestTheServicePlansWhatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.produce(w.say(&contract.ScheduleSet{
		ScheduleId: "once", ScenarioId: "b", Kind: "once", RunAt: timestamppb.New(time.Now().Add(-time.Second)), StartingDeadline: durationpb.New(10 * time.Minute),
	}))
	w.run()
	e := w.newEngine("planner", func(s *settings) {
		s.config.PlanEvery = 10 * time.Millisecond
		s.parts.Now = func() time.Time { return time.Now().Add(time.Hour) } // it plans by PostgreSQL's clock, and misses nothing
	})
	ctx, cancel := context.WithCancel(t.Context())
	var planning sync.WaitGroup
	planning.Go(func() { e.PlanSchedules(ctx) })
	defer planning.Wait()
	defer cancel()
	testenv.Eventually(t, "the schedule is planned", func() bool { return fmt.Sprint(w.dueBy("once")) == "[once due]" })
}

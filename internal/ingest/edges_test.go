package ingest_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Names at the limit of the contract, of random text, which no index holds:
// more of them than the database may refuse before the partition stops.
func TestLongNamesOfPhasesAreStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := make([]string, 6)
	for i := range names {
		var b strings.Builder
		for b.Len() < 64<<10 {
			b.WriteString(rand.Text())
		}
		names[i] = b.String()[:64<<10]
		w.produce(w.say(&contract.ExecutionPhaseStarted{ExecutionId: "exec-1", Phase: names[i]}))
	}
	w.run()
	for _, name := range names { // found again, and merged into
		w.produce(w.say(&contract.ExecutionPhaseFinished{ExecutionId: "exec-1", Phase: name, Status: "passed"}))
	}
	w.run()
	w.wantSums(12, 0, 0)
	w.wantReasons()
	w.verify()
}

// The database keeps microseconds and would refuse what is then zero, without a
// word about the field.
func TestDurationsBelowAMicrosecondAreRefusedByTheirField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	age := func(d time.Duration) *contract.ScenarioDependenciesDeclared {
		return &contract.ScenarioDependenciesDeclared{ScenarioId: "a", Dependencies: []*contract.Dependency{{DependsOn: "b", Kind: "requires_run", MaxAge: durationpb.New(d)}}}
	}
	deadline := func(d time.Duration) *contract.ScheduleSet {
		return &contract.ScheduleSet{ScheduleId: "s", ScenarioId: "a", Kind: "once", RunAt: timestamppb.New(w.clock), StartingDeadline: durationpb.New(d)}
	}
	w.produce(w.say(age(100*time.Nanosecond)), w.say(deadline(999*time.Nanosecond)), w.say(age(time.Microsecond)), w.say(deadline(1999*time.Nanosecond)))
	w.run()
	w.wantSums(2, 0, 2)
	w.wantReasons(fact.ReasonSchema, fact.ReasonSchema)
	var got []string
	for _, r := range w.quarantined() {
		got = append(got, r.Field+" "+r.Detail)
	}
	want := []string{`data.dependencies[0].max_age "100ns": must be at least 1µs`, `data.starting_deadline "999ns": must be at least 1µs`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("field, value and rule (-want +got):\n%s", diff)
	}
	w.verify()
}

package execution_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

const anID execution.ID = "exec-market-crash-001"

// withMarks compares marks slot by slot too: two folds may not only look the
// same, they must go on the same.
var withMarks = cmp.Options{cmp.AllowUnexported(fact.Marks{}, memory{}), cmpopts.EquateEmpty()}

func fold(events ...*execution.Event) *execution.State {
	s := execution.NewState(anID, 1, "")
	for _, e := range events {
		s.Apply(e)
	}
	return s
}

func TestFoldIsTheSameInAnyOrderOfArrival(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := executiontest.Events(t, anID, 25)
		arrival := rapid.Permutation(events).Draw(t, "arrival")
		if diff := cmp.Diff(fold(events...), fold(arrival...), withMarks); diff != "" {
			t.Fatalf("(-as drawn +as arrived):\n%s", diff)
		}
	})
}

// The engine folds batch by batch and keeps only rows in between.
func TestFoldGoesOnFromStoredRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := executiontest.Events(rt, anID, 25)
		atOnce, inBatches := newMemory(anID, 1), newMemory(anID, 1)
		atOnce.save(t, fold(events...))

		rest := rapid.Permutation(events).Draw(rt, "arrival")
		for len(rest) > 0 {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			s := inBatches.load(rest[:n])
			for _, e := range rest[:n] {
				s.Apply(e)
			}
			inBatches.save(t, s)
			rest = rest[n:]
		}
		if diff := cmp.Diff(atOnce, inBatches, withMarks); diff != "" {
			rt.Fatalf("(-at once +in batches):\n%s", diff)
		}
	})
}

func TestFoldAgreesWithTheWholeListRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := executiontest.Events(t, anID, 25)
		if diff := cmp.Diff(readWhole(anID, 1, events), fold(events...), noMarks); diff != "" {
			t.Fatalf("(-read +folded):\n%s", diff)
		}
	})
}

// What an event does not touch must not change, or it would not be stored.
func TestTouchesNamesTheOnePartThatApplyChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := executiontest.Events(t, anID, 10)
		for _, e := range events {
			s := fold(e)
			part, id, attempt := execution.Touches(e.Payload)
			want := map[execution.Part]int{part: 1}
			got := map[execution.Part]int{
				execution.PartPhase: len(s.Phases), execution.PartStep: len(s.Steps),
				execution.PartFault: len(s.Faults), execution.PartValidation: len(s.Validations),
			}
			for p, n := range got {
				if n != want[p] {
					t.Fatalf("%s: %d parts of kind %d, want %d", e.Type, n, p, want[p])
				}
			}
			named := part == execution.PartNone ||
				s.Phases[id] != nil || s.Steps[execution.StepKey{StepID: id, Attempt: attempt}] != nil ||
				s.Faults[id] != nil || s.Validations[id] != nil
			if !named {
				t.Fatalf("%s: Touches names %q attempt %d, Apply changed another", e.Type, id, attempt)
			}
		}
	})
}

func TestDetailsTellWhetherThereIsAnythingToStore(t *testing.T) {
	t.Parallel()
	value := json.RawMessage(`{}`)
	for name, test := range map[string]struct {
		payload execution.Payload
		want    bool
	}{
		"parameters":               {&execution.Requested{Parameters: value}, true},
		"labels, though none":      {&execution.Requested{Labels: map[string]string{}}, true},
		"configuration":            {&execution.Started{ConfigurationSnapshot: value}, true},
		"system state":             {&execution.Heartbeat{SystemState: value}, true},
		"the absence of a summary": {&execution.Finished{Outcome: execution.StatusPassed}, true},
		"a request that says none": {&execution.Requested{}, false},
		"a bare sign of life":      {&execution.Heartbeat{}, false},
		"a phase":                  {&execution.PhaseStarted{Phase: "p"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fold(event(0, test.payload))
			if got := s.Details.AnySet(); got != test.want {
				t.Errorf("AnySet = %v, want %v", got, test.want)
			}
		})
	}
}

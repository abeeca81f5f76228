package fact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Both lists are spelled out here as the contract states them: other programs
// rely on every word.
const (
	contractReasons = `empty tombstone not_object json encoding utf8 nul duplicate_key depth token_limit too_large
		number range time time_range id schema unsupported unsupported_type mode_conflict header_limit
		subject_mismatch id_conflict definition parameters cycle limit source_not_allowed panic crash database`

	contractTypes = `template.published scenario.published scenario.status_changed scenario.dependencies_declared
		schedule.set schedule.removed execution.requested execution.started execution.heartbeat execution.paused
		execution.resumed execution.phase_started execution.phase_finished execution.step_started
		execution.step_finished execution.fault_injected execution.fault_cleared execution.fault_recovered
		execution.validation_recorded execution.snapshot_captured execution.log_appended execution.finished`
)

func TestReasonsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var got []string
	for _, r := range fact.Reasons() {
		got = append(got, string(r))
	}
	if diff := cmp.Diff(strings.Fields(contractReasons), got); diff != "" {
		t.Error(diff)
	}
}

func TestTypesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var got []string
	for _, typ := range fact.Types() {
		short := typ.Short()
		if want := "test-coordination." + short + ".v1"; string(typ) != want {
			t.Errorf("type %q, want %q", typ, want)
		}
		if typ.OfExecution() != strings.HasPrefix(short, "execution.") {
			t.Errorf("%s: OfExecution = %v", typ, typ.OfExecution())
		}
		got = append(got, short)
	}
	if diff := cmp.Diff(strings.Fields(contractTypes), got); diff != "" {
		t.Error(diff)
	}
}

func TestInterruptedIsOfAnExecutionButNotAcceptedFromOthers(t *testing.T) {
	t.Parallel()
	if !fact.TypeInterrupted.OfExecution() || fact.TypeInterrupted.Short() != "execution.interrupted" {
		t.Errorf("%s: OfExecution %v, Short %s", fact.TypeInterrupted, fact.TypeInterrupted.OfExecution(), fact.TypeInterrupted.Short())
	}
	for _, typ := range fact.Types() {
		if typ == fact.TypeInterrupted {
			t.Error("interrupted is among the types that are accepted from Kafka")
		}
	}
}

func TestShortOfAForeignType(t *testing.T) {
	t.Parallel()
	for in, want := range map[fact.Type]string{
		"":                         "",
		"com.example.thing":        "com.example.thing",
		"test-coordination.x.y.v2": "x.y",
		".v1":                      ".v1",
	} {
		if got := in.Short(); got != want {
			t.Errorf("Short(%q) = %q, want %q", in, got, want)
		}
	}
}

package event_test

import (
	"slices"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Reasons that need more than one record: they are given, and tested, where
// definitions, other events and tables are known.
var reasonsOfOthers = []fact.Reason{
	fact.ReasonIDConflict, fact.ReasonDefinition, fact.ReasonParameters, fact.ReasonCycle,
	fact.ReasonPanic, fact.ReasonCrash, fact.ReasonDatabase,
}

func TestEveryReasonIsTested(t *testing.T) {
	t.Parallel()
	tested := map[fact.Reason]int{}
	for _, c := range eventtest.Rejects(t) {
		tested[c.Reason]++
	}
	for _, reason := range fact.Reasons() {
		if elsewhere := slices.Contains(reasonsOfOthers, reason); elsewhere != (tested[reason] == 0) {
			t.Errorf("reason %s: %d tests here, expected elsewhere: %v", reason, tested[reason], elsewhere)
		}
	}
}

func TestRejectsRecords(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.RecordRejects())
}

func TestRejectsJSON(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.JSONRejects())
}

func TestRejectsValues(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.ValueRejects())
}

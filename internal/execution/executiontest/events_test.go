package executiontest_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Properties are worth what their generator draws: a type that is missing here
// is a type that no property holds for.
func TestEventsAreOfAllTypesAndUnique(t *testing.T) {
	t.Parallel()
	drawn := map[fact.Type]bool{}
	rapid.Check(t, func(t *rapid.T) {
		keys := map[fact.Key]bool{}
		var others, claimed int64
		for _, e := range executiontest.Events(t, "exec-1", 30) {
			drawn[e.Type] = true
			if keys[e.Key] || e.Key != fact.NewKey(e.Source, e.ID, "exec-1") {
				t.Fatalf("identity of %s/%s is wrong or repeated", e.Source, e.ID)
			}
			keys[e.Key] = true
			if p, own := e.Payload.(*execution.Interrupted); own {
				claimed = max(claimed, p.RealEvents)
			} else {
				others++
			}
		}
		if claimed > others {
			t.Fatalf("an interruption saw %d of %d events", claimed, others)
		}
	})
	for _, typ := range append(fact.Types(), fact.TypeInterrupted) {
		if typ.OfExecution() && !drawn[typ] {
			t.Errorf("%s is never drawn", typ)
		}
	}
}

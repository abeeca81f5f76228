package ingest_test

import (
	"crypto/rand"
	"strings"
	"testing"

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

package ingest

import (
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// recentRuns are the latest runs, not ended, of the executions that a worker has
// committed something of: the next events of an execution are mostly of the same
// run. What they would be merged into is then loaded together with the lock, a
// round trip earlier. It is a guess: what is found under the lock decides.
type recentRuns map[execution.ID]accept.RunPlace

// maxRecent is how many runs are remembered from batch to batch at most.
const maxRecent = 10_000

// committed notes the latest runs of a batch.
func (r recentRuns) committed(latest map[execution.ID]*execution.State) {
	for id, s := range latest {
		known, ok := r[id]
		switch {
		case s.Run.Status.Terminal():
			delete(r, id)
		case !ok || known.Number != s.Run.Number || known.RunID != s.Run.RunID:
			r[execution.ID(strings.Clone(string(id)))] = accept.PlaceOf(&s.Run).Clone()
		}
	}
	if len(r) > maxRecent {
		clear(r)
	}
}

// touches are the parts that events will probably be merged into.
func (r recentRuns) touches(events []*execution.Event) []pgstore.Touch {
	return accept.Touches(events, func(e *execution.Event) (accept.RunPlace, bool) {
		run, ok := r[e.ExecutionID()]
		return run, ok && (e.RunID == "" || e.RunID == run.RunID)
	})
}

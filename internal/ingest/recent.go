package ingest

import (
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// recentRuns are the latest runs, not ended, of the executions that a worker has
// committed something of: the next events of an execution are mostly of the same
// run. What they would be merged into is then loaded together with the lock, a
// round trip earlier. It is a guess: what is found under the lock decides.
type recentRuns map[execution.ID]recentRun

// recentRun is where the parts of a run lie.
type recentRun struct {
	number execution.RunNumber
	runID  string
	bucket time.Time
}

// maxRecent is how many runs are remembered from batch to batch at most.
const maxRecent = 10_000

// committed notes the latest runs of a batch.
func (r recentRuns) committed(latest map[execution.ID]*execution.State) {
	for id, s := range latest {
		known, ok := r[id]
		switch {
		case s.Run.Status.Terminal():
			delete(r, id)
		case !ok || known.number != s.Run.Number || known.runID != s.Run.RunID:
			// Copies: what came with a record would keep all of it.
			r[execution.ID(strings.Clone(string(id)))] = recentRun{s.Run.Number, strings.Clone(s.Run.RunID), s.Run.Bucket}
		}
	}
	if len(r) > maxRecent {
		clear(r)
	}
}

// touches are the parts that events will probably be merged into.
func (r recentRuns) touches(events []incoming[*execution.Event]) []pgstore.Touch {
	return touchesOf(events, func(e *execution.Event) (recentRun, bool) {
		run, ok := r[e.ExecutionID()]
		return run, ok && (e.RunID == "" || e.RunID == run.runID)
	})
}

// touchesOf are the parts that events would be merged into, each once, in the runs
// that runOf knows for them.
func touchesOf(events []incoming[*execution.Event], runOf func(*execution.Event) (recentRun, bool)) []pgstore.Touch {
	var touches []pgstore.Touch
	asked := map[pgstore.PartKey]bool{}
	for _, p := range events {
		part, id, attempt := execution.Touches(p.event.Payload)
		if part == execution.PartNone {
			continue
		}
		run, ok := runOf(p.event)
		if !ok {
			continue
		}
		k := pgstore.PartKey{Run: pgstore.RunKey{ID: p.event.ExecutionID(), Number: run.number}, Part: part, ID: id, Attempt: attempt}
		if !asked[k] {
			asked[k] = true
			touches = append(touches, pgstore.Touch{PartKey: k, Bucket: run.bucket})
		}
	}
	return touches
}

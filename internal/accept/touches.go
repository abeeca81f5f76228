package accept

import (
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// RunPlace is where the parts of a run lie.
type RunPlace struct {
	Number execution.RunNumber
	RunID  string
	Bucket time.Time
}

// PlaceOf is where the parts of a run lie.
func PlaceOf(r *execution.Run) RunPlace { return RunPlace{r.Number, r.RunID, r.Bucket} }

// Clone shares no memory with p: what came with a record would keep all of it.
func (p RunPlace) Clone() RunPlace { return RunPlace{p.Number, strings.Clone(p.RunID), p.Bucket} }

// Touches are the parts that events would be merged into, each once, in the runs
// that runOf knows for them.
func Touches(events []*execution.Event, runOf func(*execution.Event) (RunPlace, bool)) []pgstore.Touch {
	var touches []pgstore.Touch
	asked := map[pgstore.PartKey]bool{}
	for _, e := range events {
		part, id, attempt := execution.Touches(e.Payload)
		if part == execution.PartNone {
			continue
		}
		run, ok := runOf(e)
		if !ok {
			continue
		}
		k := pgstore.PartKey{Run: pgstore.RunKey{ID: e.ExecutionID(), Number: run.Number}, Part: part, ID: id, Attempt: attempt}
		if !asked[k] {
			asked[k] = true
			touches = append(touches, pgstore.Touch{PartKey: k, Bucket: run.Bucket})
		}
	}
	return touches
}

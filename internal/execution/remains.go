package execution

import (
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Tombstone is what is left of a run whose events retention has removed.
type Tombstone struct {
	Number      RunNumber
	RunID       string
	Status      Status // terminal
	EndedAt     time.Time
	LastStartAt time.Time // latest time of a requested or started event of it; zero: it had none
}

// Run is the tombstone as a run that events can be placed by.
func (t *Tombstone) Run(id ID) *Run {
	r := &Run{ID: id, Number: t.Number, RunID: t.RunID, Status: t.Status, EndedAt: t.EndedAt, LastEventAt: t.EndedAt}
	r.Marks.Last(runInterruption, fact.Order{Sequence: fact.NoSequence, Time: t.EndedAt}) // where end looks
	return r
}

// Remains is what is known of the pruned runs of an execution id, as far as it
// concerns one event whose identity is not stored.
type Remains struct {
	Named  bool // its runid is that of a pruned run
	Within bool // it is dated among the events of a pruned run
}

// Covers tells whether an event belongs to a run whose events are gone. Nobody
// can say whether it was one of these, or comes late and was never seen: it
// counts as a duplicate, and changes nothing. known is the run that its runid
// has been seen with, 0 when it carries none or that of no stored run; latest
// is the tombstone of the run with the highest number of the id, nil when the
// events of that are there.
//
// With a runid: of a pruned run, or of another one. Without: a requested or
// started that is dated after the end of the latest run, which is gone, and
// after every start that was seen of it, begins a new one, by rule (a) of Place.
// Any other is of a pruned run when it is dated among the events of one, or
// when the latest run is gone, which it would join.
func (m Remains) Covers(latest *Tombstone, known RunNumber, e *Event) bool {
	switch {
	case m.Named:
		return true
	case known != 0, e.RunID != "" && !e.Suspect:
		return false
	case latest != nil && !e.Suspect && begins(e) && later(e.Time, latest.EndedAt) && later(e.Time, latest.LastStartAt):
		return false
	}
	return m.Within || latest != nil
}

// begins tells whether an event is of those that can open a run.
func begins(e *Event) bool {
	switch e.Payload.(type) {
	case *Requested, *Started:
		return true
	}
	return false
}

// later compares as precisely as rows keep times.
func later(a, b time.Time) bool { return a.Truncate(time.Microsecond).After(b) }

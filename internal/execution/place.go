package execution

import "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"

// Placement is the decision which run an event belongs to. It is made once,
// when the event is accepted, and stored with it.
type Placement struct {
	Run   RunNumber
	Opens bool // no such run yet

	// Guessed tells that the producer gave no runid and the event could belong
	// to another run as well.
	Guessed bool

	// Supersedes is the unfinished run that this start replaces, 0 when none:
	// it has died without a word and becomes interrupted.
	Supersedes RunNumber
}

// Place decides which run an event belongs to. latest is the run with the
// highest number of the event's execution id, nil when there is none; byRunID
// is the run that the event's runid has been seen with, 0 when the event
// carries none or a new one.
//
// With a runid: same id, same run; new id, new run, and the one before stays as
// it is. Without, the latest run, except that the next one is opened by
//
//	(a) a requested or started dated after the end of the latest run, or
//	(b) a started dated after the start of the latest run that cannot come from
//	    where that run was started: see byAnother.
//
// An event dated in the far future opens no run, unless there is none that it
// could join.
func Place(latest *Run, byRunID RunNumber, e *Event) Placement {
	switch {
	case latest == nil:
		return Placement{Run: 1, Opens: true}
	case byRunID != 0:
		return Placement{Run: byRunID}
	case e.RunID != "" && !e.Suspect:
		return Placement{Run: latest.Number + 1, Opens: true}
	case e.Suspect || !opens(latest, e):
		return Placement{Run: latest.Number, Guessed: ambiguous(latest, e)}
	}
	p := Placement{Run: latest.Number + 1, Opens: true}
	if !latest.Status.Terminal() {
		p.Supersedes = latest.Number
	}
	return p
}

// opens tells whether an event without a runid begins a new run.
func opens(latest *Run, e *Event) bool {
	switch p := e.Payload.(type) {
	case *Requested:
		return endedBefore(latest, e)
	case *Started:
		return endedBefore(latest, e) || // rule (a)
			latest.HasStarted() && e.Time.After(latest.start()) && byAnother(latest, e, p) // rule (b)
	}
	return false
}

func endedBefore(latest *Run, e *Event) bool {
	return latest.Status.Terminal() && e.Time.After(latest.end())
}

// byAnother tells whether a start cannot come from where the run was started:
// from elsewhere, or from a producer that has begun to count again. As in the
// order key, a start without a sequence counts as numbered above all others.
func byAnother(latest *Run, e *Event, p *Started) bool {
	return e.Source != latest.StartSource ||
		p.CoordinatorID != "" && latest.CoordinatorID != "" && p.CoordinatorID != latest.CoordinatorID ||
		e.Sequence != fact.NoSequence && e.Sequence <= latest.StartOrder().Sequence
}

// ambiguous tells whether an event that joins the latest run without naming it
// could belong to another.
func ambiguous(latest *Run, e *Event) bool {
	return e.RunID != "" || // dated in the far future, and of a run not seen before
		latest.RunID != "" ||
		latest.Number > 1 ||
		endedBefore(latest, e) ||
		latest.HasStarted() && beginsAgain(latest, e)
}

// beginsAgain tells whether an event that joins a started run looks like the
// beginning of one.
func beginsAgain(latest *Run, e *Event) bool {
	switch p := e.Payload.(type) {
	case *Requested:
		return e.Time.After(latest.start())
	case *Started: // unless it goes on with the sequence
		return e.Sequence == fact.NoSequence || byAnother(latest, e, p)
	}
	return false
}

package scenario

import (
	"slices"
	"time"
)

// Rival is another occurrence of a schedule that an execution will or may come of,
// or has come of and has not ended.
type Rival struct {
	ID    OccurrenceID
	DueAt time.Time
	State RivalState
	Run   RunRef // zero as long as its coordinator has not said what it started
}

// RivalState says how far a rival has come.
type RivalState int

// The states of a rival.
const (
	RivalStarting RivalState = iota // it is claimed, or nothing has been heard yet of the run that came of it
	RivalRunning                    // its run is active, and can be cancelled
	RivalDue                        // nobody has claimed it yet; only the policy replace asks for such
)

// Admission is what the concurrency policy says about an occurrence that is
// about to be claimed: exactly one of Granted, Wait and Skipped.
type Admission struct {
	Granted bool
	Cancel  []RunRef // of one that is granted: the runs that it replaces, to be cancelled

	// Wait leaves the occurrence due: it replaces one that is being started just
	// now, and there is no run yet that could be cancelled.
	Wait bool

	Skipped OccurrenceReason
	Detail  string
}

// Admit applies the concurrency policy to an occurrence. It wants the occurrences
// of a schedule in due order: of several the policy forbid admits the earliest.
// The policy replace admits the latest, and must know of it: it is a rival that
// is due.
func (s *Schedule) Admit(o *Occurrence, rivals []Rival) Admission {
	switch s.ConcurrencyPolicy {
	case ConcurrencyForbid:
		if len(rivals) > 0 {
			return Admission{Skipped: ReasonRunning, Detail: rivals[0].String()}
		}
	case ConcurrencyReplace:
		return replacing(o, rivals)
	case ConcurrencyAllow, "":
	}
	return Admission{Granted: true}
}

func replacing(o *Occurrence, rivals []Rival) Admission {
	var cancel []RunRef
	wait := false
	for _, r := range rivals {
		switch {
		case r.State == RivalDue && (o.Status == OccurrenceClaimed || !r.DueAt.After(o.DueAt)):
			// Whoever held the claim may have started a run, and only who claims it
			// again finds out: until then nothing can take its place.
		case r.DueAt.After(o.DueAt):
			return Admission{Skipped: ReasonReplaced, Detail: r.String()}
		case r.State == RivalStarting:
			wait = true
		case !slices.Contains(cancel, r.Run): // one run may have come of several
			cancel = append(cancel, r.Run)
		}
	}
	if wait {
		return Admission{Wait: true}
	}
	return Admission{Granted: true, Cancel: cancel}
}

// String is the rival as people read it.
func (r Rival) String() string {
	switch {
	case r.State == RivalDue:
		return string(r.ID) + " is due"
	case r.Run == RunRef{}:
		return string(r.ID) + " is claimed"
	case r.State == RivalStarting:
		return string(r.ID) + " is starting as " + r.Run.String()
	}
	return string(r.ID) + " runs as " + r.Run.String()
}

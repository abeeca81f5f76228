package scenario

import (
	"slices"
	"time"
)

// MostPlanned bounds how many occurrences one look at a schedule makes.
const MostPlanned = 1000

// LongPast is how late a moment may be heard of by a schedule that has no
// starting deadline. Events may be read from the beginning of their log again:
// what they made due years ago must not start now.
const LongPast = time.Hour

// Remembered is how long after it was settled an occurrence is remembered at
// least. What happened longer ago, and is heard of now, makes none, whatever the
// starting deadline: whether it made one before nobody knows any more.
const Remembered = 30 * 24 * time.Hour

// Plan is what is to be made of a schedule at a moment.
type Plan struct {
	Occurrences []Occurrence // in due order
	Next        time.Time    // when to look again; zero: never, as long as the schedule stays as it is
}

// Plan makes the occurrences that have come due after one moment and until
// another. Called again for moments that were planned before it makes the same
// occurrences, with the same ids.
//
// Of more than MostPlanned only the latest are made, after one that stands for
// all before them and is missed: nobody wants a thousand late runs, and nobody
// would read more rows that say so. A moment of kind once that was past already
// when it was first heard of (RunAt not after the first moment) is made too, but
// missed if it is LongPast and the schedule has no starting deadline.
//
// A schedule that is disabled or removed makes none, and what falls into that
// time is not made later.
func (s *ScheduleState) Plan(after, until time.Time) Plan {
	if s.Removed || s.disabled() {
		return Plan{}
	}
	var p Plan
	switch s.Kind {
	case ScheduleOnce:
		if s.RunAt.After(until) {
			return Plan{Next: s.RunAt.UTC()}
		}
		p.Occurrences = []Occurrence{s.occurrence(s.RunAt, until, !s.RunAt.After(after))}
	case ScheduleCron:
		due, more := s.latest(after, until, MostPlanned)
		if more {
			p.Occurrences = append(p.Occurrences, s.summary(s.Next(after, 1)[0], due[0]))
		}
		for _, t := range due {
			p.Occurrences = append(p.Occurrences, s.occurrence(t, until, false))
		}
		if next := s.Next(until, 1); len(next) > 0 {
			p.Next = next[0]
		}
	case ScheduleAfterScenario, ScheduleEvent: // due by Trigger
	}
	return p
}

// Trigger is the occurrence that something that happened makes at a schedule, as
// it is seen at a moment; false when it makes none. What happened before the
// schedule was first set does not concern it, nor does what happened longer ago
// than occurrences are Remembered.
func (s *ScheduleState) Trigger(t Trigger, seen time.Time) (Occurrence, bool) {
	if s.Removed || s.disabled() || !s.waitsFor(t) || !s.within(t.At) || t.At.Before(s.CreatedAt) || seen.Sub(t.At) > Remembered {
		return Occurrence{}, false
	}
	o := s.occurrence(t.At, seen, true)
	o.ID, o.Trigger = t.id(), t
	return o, true
}

func (s *Schedule) waitsFor(t Trigger) bool {
	switch t.Kind {
	case ScheduleAfterScenario:
		return s.Kind == t.Kind && string(s.AfterScenarioID) == t.Source
	case ScheduleEvent:
		return s.Kind == t.Kind && s.EventType == t.Source
	case ScheduleOnce, ScheduleCron:
	}
	return false
}

func (s *Schedule) disabled() bool { return s.Enabled != nil && !*s.Enabled }

// occurrence is one that has come due, as it is at a later moment; heard tells
// that it was past when it was first heard of.
func (s *ScheduleState) occurrence(due, now time.Time, heard bool) Occurrence {
	o := Occurrence{
		ScheduleID: s.ScheduleID, ID: timed(due), Kind: s.Kind, DueAt: due.UTC(), StartBy: s.StartBy(due), Status: OccurrenceDue,
	}
	switch {
	case o.late(now):
		o.Status, o.Reason = OccurrenceMissed, ReasonTooLate
	case heard && s.StartingDeadline == nil && now.Sub(due) > LongPast:
		o.Status, o.Reason = OccurrenceMissed, ReasonHeardOfLate
	}
	return o
}

func (s *ScheduleState) summary(first, until time.Time) Occurrence {
	return Occurrence{
		ScheduleID: s.ScheduleID, ID: timed(first), Kind: s.Kind, DueAt: first, DueUntil: until, StartBy: s.StartBy(first),
		Status: OccurrenceMissed, Reason: ReasonTooMany,
	}
}

// StartBy is the last moment at which an occurrence may be started: its starting
// deadline after it came due, and not after not_after. Zero: at any time.
func (s *Schedule) StartBy(due time.Time) time.Time {
	by := s.NotAfter
	if s.StartingDeadline != nil {
		if t := due.Add(*s.StartingDeadline); by.IsZero() || t.Before(by) {
			by = t
		}
	}
	return by.UTC()
}

func (o *Occurrence) late(now time.Time) bool { return !o.StartBy.IsZero() && now.After(o.StartBy) }

// Settle holds an occurrence that nobody has started against the schedule as it
// is now. It gives it the present StartBy, and the status and reason of one that
// must not be started any more; false when it still is due. What came due under
// an earlier setting of the schedule stands if it would be due under this one.
func (s *ScheduleState) Settle(o *Occurrence, now time.Time) bool {
	o.StartBy = s.StartBy(o.DueAt)
	switch {
	case s.Removed:
		o.Status, o.Reason = OccurrenceSkipped, ReasonRemoved
	case s.disabled():
		o.Status, o.Reason = OccurrenceSkipped, ReasonDisabled
	case !s.holds(o):
		o.Status, o.Reason = OccurrenceSkipped, ReasonChanged
	case o.late(now):
		o.Status, o.Reason = OccurrenceMissed, ReasonTooLate
	default:
		return false
	}
	return true
}

// holds tells whether the schedule is due when the occurrence is.
func (s *Schedule) holds(o *Occurrence) bool {
	if s.Kind != o.Kind {
		return false
	}
	switch s.Kind {
	case ScheduleOnce:
		return s.RunAt.Equal(o.DueAt)
	case ScheduleCron:
		next := s.Next(o.DueAt.Add(-time.Nanosecond), 1)
		return len(next) > 0 && next[0].Equal(o.DueAt)
	case ScheduleAfterScenario, ScheduleEvent:
		return s.waitsFor(o.Trigger) && s.within(o.DueAt)
	}
	return false
}

// latest are the last times, at most so many, at which a cron schedule is due
// after one moment and until another; more tells that there are earlier ones.
// It looks back from the end over ever longer stretches, so that a long sleep
// costs no more than what comes of it.
func (s *Schedule) latest(after, until time.Time, most int) (due []time.Time, more bool) {
	for stretch := time.Hour; ; stretch *= 4 {
		from := until.Add(-stretch)
		whole := !from.After(after)
		if whole {
			from = after
		}
		due = s.dueIn(from, until)
		if len(due) > most {
			return slices.Clone(due[len(due)-most:]), true
		}
		if whole {
			return due, false
		}
	}
}

func (s *Schedule) dueIn(after, until time.Time) []time.Time {
	var due []time.Time
	for {
		next := s.Next(after, 64)
		for _, t := range next {
			if t.After(until) {
				return due
			}
			due = append(due, t)
		}
		if len(next) < 64 {
			return due
		}
		after = next[len(next)-1]
	}
}

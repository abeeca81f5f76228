package scenario

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// OccurrenceID names an occurrence among those of its schedule. It says what
// made it due, so that the same cause never makes a second one: the moment, the
// run that ended, or the event.
type OccurrenceID string

// Occurrence is one time that a schedule is due.
type Occurrence struct {
	ScheduleID ScheduleID
	ID         OccurrenceID
	Kind       ScheduleKind // of the schedule when it came due
	DueAt      time.Time

	// DueUntil makes this one row for many: all occurrences from DueAt on that came
	// before DueUntil. They are missed, each for the same reason.
	DueUntil time.Time

	Trigger Trigger   // zero for kinds once and cron
	StartBy time.Time // it is missed if nobody has claimed it by then; zero: never

	Status OccurrenceStatus
	Reason OccurrenceReason // why it was missed or skipped; else empty
	Detail string           // the reason's particulars, or what its coordinator said about the outcome
}

// OccurrenceStatus says what became of an occurrence.
type OccurrenceStatus string

// The statuses of an occurrence; the last three are final.
const (
	OccurrenceDue       OccurrenceStatus = "due"       // to be claimed
	OccurrenceClaimed   OccurrenceStatus = "claimed"   // by a coordinator, for as long as its lease
	OccurrenceCompleted OccurrenceStatus = "completed" // its coordinator has said what came of it
	OccurrenceMissed    OccurrenceStatus = "missed"    // it could not be started in time
	OccurrenceSkipped   OccurrenceStatus = "skipped"   // it was not to be started
)

// OccurrenceReason says why an occurrence was missed or skipped.
type OccurrenceReason string

// The reasons. The first three are those of missed occurrences.
const (
	ReasonTooLate     OccurrenceReason = "too_late"     // its starting deadline, or not_after, has passed
	ReasonHeardOfLate OccurrenceReason = "heard_late"   // it was long past when it was first heard of, and has no starting deadline
	ReasonTooMany     OccurrenceReason = "too_many"     // nobody planned for so long that only the latest were made
	ReasonRemoved     OccurrenceReason = "removed"      // the schedule was removed
	ReasonDisabled    OccurrenceReason = "disabled"     // the schedule was disabled
	ReasonChanged     OccurrenceReason = "changed"      // the schedule was set anew, and is not due then any more
	ReasonRunning     OccurrenceReason = "still_active" // policy forbid: an earlier occurrence was claimed, or its run had not ended
	ReasonReplaced    OccurrenceReason = "replaced"     // policy replace: a later occurrence took its place
)

// OccurrenceOutcome is what its coordinator says about an occurrence it claimed.
type OccurrenceOutcome string

// The outcomes of a completed occurrence.
const (
	OutcomeStarted    OccurrenceOutcome = "started"     // an execution came of it
	OutcomeNotStarted OccurrenceOutcome = "not_started" // none did, and the detail says why
)

// String is the run as people read it. A Run of 0 is not known, and the latest of
// its execution id stands for it.
func (r RunRef) String() string {
	if r.Run == 0 {
		return r.ExecutionID
	}
	return fmt.Sprintf("%s/%d", r.ExecutionID, r.Run)
}

// Trigger is something that happened and may make schedules due: a run that
// passed, or an accepted event.
type Trigger struct {
	Kind     ScheduleKind // ScheduleAfterScenario or ScheduleEvent
	Source   string       // the scenario whose run passed, or the event's type
	At       time.Time    // when the run ended, or the event's time
	Run      RunRef       // the run that passed; zero for an event
	EventKey fact.Key     // zero for a run
}

// RunPassed is the end of a run that schedules of kind after_scenario follow. They
// follow only one that passed: what comes after a scenario builds on the state
// that it left behind, and after any other end nobody knows that state, or somebody
// wanted it to stop. Who wants to follow any end has the kind event, and the type
// test-coordination.execution.finished.v1.
func RunPassed(of ID, run RunRef, ended time.Time) Trigger {
	return Trigger{Kind: ScheduleAfterScenario, Source: string(of), At: ended, Run: run}
}

// id is the occurrence that the trigger makes: the same each time.
func (t Trigger) id() OccurrenceID {
	if t.Kind == ScheduleEvent {
		return OccurrenceID("event:" + hex.EncodeToString(t.EventKey[:]))
	}
	// Ids are of the producer's choosing and up to 200 bytes long.
	named := binary.BigEndian.AppendUint32([]byte(t.Run.ExecutionID), uint32(t.Run.Run))
	sum := sha256.Sum256(named)
	return OccurrenceID("run:" + hex.EncodeToString(sum[:]))
}

// timed is the id of an occurrence that is due at a moment.
func timed(due time.Time) OccurrenceID {
	return OccurrenceID("at:" + due.UTC().Format(time.RFC3339Nano))
}

// ClaimLostError says that whoever speaks for an occurrence has not the latest
// claim on it: the lease ended, and another coordinator or a rule has taken it.
type ClaimLostError struct {
	ScheduleID   ScheduleID
	OccurrenceID OccurrenceID
	Token        int64 // of who speaks
	Latest       int64
	Status       OccurrenceStatus // what became of the occurrence
}

// Error is one line.
func (e *ClaimLostError) Error() string {
	return fmt.Sprintf("claim %d on occurrence %s of schedule %s is lost: the latest is %d and the occurrence is %s",
		e.Token, e.OccurrenceID, e.ScheduleID, e.Latest, e.Status)
}

// CompletedOtherwiseError says that a claim was completed before, with another
// outcome. The first one stands.
type CompletedOtherwiseError struct {
	ScheduleID   ScheduleID
	OccurrenceID OccurrenceID
	Outcome      OccurrenceOutcome // that stands
	Run          RunRef
}

// Error is one line.
func (e *CompletedOtherwiseError) Error() string {
	return fmt.Sprintf("occurrence %s of schedule %s was completed before, as %s %s", e.OccurrenceID, e.ScheduleID, e.Outcome, e.Run)
}

package execution

import (
	"encoding/json"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Run is the folded state of one run, in small fields. Times are zero, texts
// empty and pointers nil until an event says.
type Run struct {
	ID     ID
	Number RunNumber
	RunID  string // the producer's runid; empty when it gives none

	// Kept for the store: when and where the run was first heard of, and how
	// often its row has changed.
	Bucket    time.Time // date, UTC
	CreatedAt time.Time
	Version   int64

	Status          Status
	ReportedOutcome Status // the coordinator's word on the end; empty before

	ScenarioID      string
	ScenarioVersion string
	Environment     string
	CoordinatorID   string
	StartSource     string // source of the first started event
	Trigger         Trigger
	GroupID         string
	Attempt         *int32
	DryRun          *bool

	RequestedAt     time.Time
	StartedAt       time.Time
	EndedAt         time.Time // of the deciding finished event, or of the interruption while that holds
	Deadline        time.Time
	LastEventAt     time.Time // latest time of a real event; times in the far future do not count
	LastHeartbeatAt time.Time

	Progress     *float64 // 0..1
	Message      string
	CurrentPhase string
	PauseReason  string
	ExitCode     *int32
	ErrorMessage string

	Lifecycle Status     // pending, running or paused: the status as long as nothing has ended the run
	EndOrder  fact.Order // of the event that decided the end; zero before

	CancelRequestedAt time.Time // when its cancel was first asked for
	Pinned            bool      // kept from being pruned

	Interruption *Interruption // the one with the most real events seen; nil when none

	Counts Counts
	Marks  fact.Marks
}

// Interruption is this service's word that a run is over. It holds only while
// the run has exactly RealEvents real events.
type Interruption struct {
	Cause        InterruptCause
	RealEvents   int64
	At           time.Time
	SupersededBy RunNumber // 0 when no run took its place
}

// Counts are exact numbers of what a run has.
type Counts struct {
	Events    int64 // accepted events of others
	OwnEvents int64 // accepted events of this service
	LogLines  int64
	Snapshots int32

	Phases      int32
	Steps       int32
	StepsFailed int32 // failed or error

	Faults       int32
	FaultsActive int32 // injected or in progress, not cleared

	ValidationsPassed  int32
	ValidationsFailed  int32
	ValidationsSkipped int32
	ValidationsError   int32
}

// Slots of Run.Marks. They are stored: append only, never reuse.
const (
	runScenarioID = iota
	runScenarioVersion
	runEnvironment
	runCoordinator
	runTrigger
	runGroup
	runAttempt
	runDryRun
	runDeadline
	runRequested
	runStarted
	runProgress
	runMessage
	runPhase
	runLifecycle
	runEnd
	runLabels
	runParameters
	runConfiguration
	runSystemState
	runInterruption
	runCancelRequested
	runPinned
)

// Details is the big JSON of a run that a fold has set. What it has not set is
// unknown here, not absent: the store keeps the old value.
type Details struct {
	Labels                Detail
	Parameters            Detail
	ConfigurationSnapshot Detail
	SystemState           Detail
	Summary               Detail
}

// Detail is one big value of a run.
type Detail struct {
	Set   bool // false: not touched by this fold
	Value json.RawMessage
}

func (d *Detail) set(v json.RawMessage) { *d = Detail{Set: true, Value: v} }

// AnySet tells whether there is anything to store.
func (d *Details) AnySet() bool {
	return d.Labels.Set || d.Parameters.Set || d.ConfigurationSnapshot.Set || d.SystemState.Set || d.Summary.Set
}

// Arrival is the number of the latest accepted event of the run, from 1.
func (r *Run) Arrival() int64 { return r.Counts.Events + r.Counts.OwnEvents }

// HasStarted tells whether a started event was accepted.
func (r *Run) HasStarted() bool { return !r.Marks.Of(runStarted).IsZero() }

// StartOrder is the order of the first started event; zero when none came.
func (r *Run) StartOrder() fact.Order { return r.Marks.Of(runStarted) }

// PinOrder is the order of the last word on whether the run is pinned; zero when
// there was none.
func (r *Run) PinOrder() fact.Order { return r.Marks.Of(runPinned) }

// start is when the run started, as far as that is credible.
func (r *Run) start() time.Time { return r.credible(r.StartOrder().Time) }

// end is when a terminal run ended, as far as that is credible. Times come
// from orders, which keep nanoseconds; rows keep microseconds.
func (r *Run) end() time.Time {
	if r.EndOrder.IsZero() {
		return r.Marks.Of(runInterruption).Time
	}
	return r.credible(r.EndOrder.Time)
}

// credible is the time of one of the run's events, or the latest credible one
// where that event was dated in the far future: compared with it, all runs of
// the coming years would be earlier and none would open. What rows keep of the
// times decides, so that a run just folded and one loaded give the same answer.
func (r *Run) credible(at time.Time) time.Time {
	last := r.LastEventAt.Truncate(time.Microsecond)
	if at.Truncate(time.Microsecond).After(last) {
		return last
	}
	return at
}

// Live is the small picture of the run that followers watch.
func (r *Run) Live() Live {
	return Live{
		ExecutionID: r.ID, Run: r.Number, RunID: r.RunID, Version: r.Version,
		Status: r.Status, ScenarioID: r.ScenarioID, Environment: r.Environment, Coordinator: r.CoordinatorID,
		Progress: r.Progress, Message: r.Message, CurrentPhase: r.CurrentPhase,
		RequestedAt: r.RequestedAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt, LastEventAt: r.LastEventAt, Deadline: r.Deadline,
		Events: r.Counts.Events, LogLines: r.Counts.LogLines,
		ValidationsPassed: r.Counts.ValidationsPassed, ValidationsFailed: r.Counts.ValidationsFailed,
		FaultsActive: r.Counts.FaultsActive,
	}
}

// settle derives what follows from the merged fields.
func (r *Run) settle() {
	r.EndedAt = time.Time{}
	switch i := r.Interruption; {
	case r.ReportedOutcome != "":
		r.Status, r.EndedAt = r.ReportedOutcome, r.EndOrder.Time
		if r.Status == StatusPassed && r.Counts.ValidationsFailed > 0 {
			r.Status = StatusFailed
		}
	case i != nil && i.RealEvents == r.Counts.Events:
		r.Status, r.EndedAt = StatusInterrupted, i.At
	default:
		r.Status = r.Lifecycle
	}
}

package execution

import (
	"encoding/json"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// ID is an execution id, chosen by the coordinator. Ids are reused: a run is
// (ID, RunNumber).
type ID string

// RunNumber counts the runs of one execution id, from 1.
type RunNumber int32

// Event is one accepted event of an execution: the envelope and one payload.
type Event struct {
	fact.Header
	Payload Payload
}

// ExecutionID is the execution the event is about.
func (e *Event) ExecutionID() ID { return ID(e.Subject) }

// Payload is what an event states: one of the types below.
type Payload interface{ payload() }

// Texts are empty, JSON is nil, times are zero and pointers are nil when the
// event does not say: such a field leaves the folded value as it is.
type (
	// Requested asks for a run.
	Requested struct {
		ScenarioID            string
		ScenarioVersion       string // sha256 (hex) or version number; empty: the version current at that time
		Environment           string
		Parameters            json.RawMessage // object
		Trigger               Trigger
		Labels                map[string]string
		ConfigurationSnapshot json.RawMessage // any JSON
		Attempt               *int32
		GroupID               string
		DryRun                *bool
	}

	// Started says that the coordinator has begun the run.
	Started struct {
		ScenarioID            string
		ScenarioVersion       string
		Environment           string
		CoordinatorID         string
		ConfigurationSnapshot json.RawMessage
		Deadline              time.Time
	}

	// Heartbeat is a sign of life with the picture of the moment.
	Heartbeat struct {
		Progress     *float64 // 0..1
		Message      string
		CurrentPhase string
		SystemState  json.RawMessage // object
	}

	// Paused says that the run waits.
	Paused struct{ Reason string }

	// Resumed says that the run goes on.
	Resumed struct{ Reason string }

	// PhaseStarted opens a phase.
	PhaseStarted struct {
		Phase       string
		Ordinal     *int32
		Description string
	}

	// PhaseFinished closes a phase.
	PhaseFinished struct {
		Phase  string
		Status PartStatus
		Error  string
	}

	// StepStarted opens a step.
	StepStarted struct {
		Step
	}

	// StepFinished closes a step; it may be the only word of it.
	StepFinished struct {
		Step
		Status    PartStatus
		StartedAt time.Time
		Duration  *time.Duration
		Error     string
	}

	// Step is what both step events say.
	Step struct {
		StepID     string
		Kind       StepKind
		Phase      string
		Service    string
		Action     string
		Parameters json.RawMessage // object
		Attempt    int32           // from 1; 0 when not said
	}

	// FaultInjected says that a chaos action was applied to its target, or that this failed.
	FaultInjected struct {
		FaultID       string
		FaultType     string
		TargetService string
		Parameters    json.RawMessage // object
		Phase         string
		StepID        string
		BlastRadius   string
		Status        FaultStatus // injected when not said
		Error         string
	}

	// FaultCleared says that the chaos action was taken back, or (with Error) that this failed.
	FaultCleared struct {
		FaultID string
		Error   string
	}

	// FaultRecovered says that the target is well again.
	FaultRecovered struct {
		FaultID      string
		RecoveryTime *time.Duration
	}

	// ValidationRecorded is the result of one assertion.
	ValidationRecorded struct {
		ValidationID  string
		AssertionType string
		Status        ValidationStatus
		Phase         string
		StepID        string
		FaultID       string
		Service       string
		Expected      string
		Actual        string
		Operator      string
		Threshold     *float64
		Unit          string
		Within        *time.Duration
		ObservedAfter *time.Duration
		Message       string
		Evidence      json.RawMessage // any JSON
		SteadyState   string          // before, during, after or empty
		CorrelationID string
	}

	// SnapshotCaptured is the state of the system, or of one service, at a moment.
	SnapshotCaptured struct {
		SnapshotID string
		Kind       SnapshotKind
		Service    string
		Phase      string
		State      json.RawMessage // any JSON
		Metrics    json.RawMessage // object of numbers
		Health     string
	}

	// LogAppended carries log lines of a run.
	LogAppended struct {
		Lines []LogLine
		Count int // number of lines; set also where the lines themselves were not loaded
	}

	// LogLine is one line of a LogAppended.
	LogLine struct {
		Message    string
		Time       time.Time // the event's time when not said
		Level      string    // lower case; empty when not said
		Service    string
		Phase      string
		StepID     string
		Attributes json.RawMessage // object
	}

	// Finished is the coordinator's word on how the run ended.
	Finished struct {
		Outcome      Status // passed, failed, error, cancelled or timeout
		ExitCode     *int32
		ErrorMessage string
		Summary      json.RawMessage // any JSON
	}

	// Interrupted is this service's own word: the run has shown no sign of
	// life, or was superseded. It holds only while the run has exactly
	// RealEvents accepted events of others.
	Interrupted struct {
		Cause        InterruptCause
		RealEvents   int64
		SupersededBy RunNumber // the run that took its place; 0 otherwise
	}

	// CancelRequested is this service's own word: somebody asks the coordinator
	// to end the run. It ends when the coordinator says so.
	CancelRequested struct {
		Reason string
		Actor  string
	}

	// ClearRequested is this service's own word: a fault is active and its run
	// has ended; somebody must take it back.
	ClearRequested struct {
		FaultID string
		Reason  string
	}

	// Annotated is a note that somebody has added.
	Annotated struct {
		Text   string
		Author string
	}

	// Pinned keeps the run from being pruned, or lets it go.
	Pinned struct {
		Pinned bool
		Reason string
		Actor  string
	}

	// Trigger is who or what asked for a run.
	Trigger struct {
		Type  string
		Actor string
		URI   string
	}
)

func (*Requested) payload()          {}
func (*Started) payload()            {}
func (*Heartbeat) payload()          {}
func (*Paused) payload()             {}
func (*Resumed) payload()            {}
func (*PhaseStarted) payload()       {}
func (*PhaseFinished) payload()      {}
func (*StepStarted) payload()        {}
func (*StepFinished) payload()       {}
func (*FaultInjected) payload()      {}
func (*FaultCleared) payload()       {}
func (*FaultRecovered) payload()     {}
func (*ValidationRecorded) payload() {}
func (*SnapshotCaptured) payload()   {}
func (*LogAppended) payload()        {}
func (*Finished) payload()           {}
func (*Interrupted) payload()        {}
func (*CancelRequested) payload()    {}
func (*ClearRequested) payload()     {}
func (*Annotated) payload()          {}
func (*Pinned) payload()             {}

package execution

// Status is the status of a run: exactly these words in events, API, tables
// and pages.
type Status string

// The statuses. The last six are terminal.
const (
	StatusPending     Status = "pending"
	StatusRunning     Status = "running"
	StatusPaused      Status = "paused"
	StatusPassed      Status = "passed"
	StatusFailed      Status = "failed"
	StatusError       Status = "error"
	StatusCancelled   Status = "cancelled"
	StatusTimeout     Status = "timeout"
	StatusInterrupted Status = "interrupted" // ours: no sign of life, or superseded; a later real event overrides it
)

// Statuses is the closed list.
func Statuses() []Status {
	return []Status{
		StatusPending, StatusRunning, StatusPaused, StatusPassed, StatusFailed,
		StatusError, StatusCancelled, StatusTimeout, StatusInterrupted,
	}
}

// Terminal tells whether nothing but a later real event, after an
// interruption, leaves this status.
func (s Status) Terminal() bool {
	switch s {
	case StatusPassed, StatusFailed, StatusError, StatusCancelled, StatusTimeout, StatusInterrupted:
		return true
	case StatusPending, StatusRunning, StatusPaused:
		return false
	}
	return false
}

// PartStatus is the status of a phase or a step.
type PartStatus string

// The statuses of phases and steps. All but the first two are terminal.
const (
	PartPending PartStatus = "pending"
	PartRunning PartStatus = "running"
	PartPassed  PartStatus = "passed"
	PartFailed  PartStatus = "failed"
	PartSkipped PartStatus = "skipped"
	PartError   PartStatus = "error"
)

// StepKind says what a step does.
type StepKind string

// The kinds of steps.
const (
	StepAction         StepKind = "action"
	StepParallelAction StepKind = "parallel_action"
	StepAssertion      StepKind = "assertion"
	StepWait           StepKind = "wait"
	StepRollback       StepKind = "rollback"
)

// FaultStatus is the status of one fault injection.
type FaultStatus string

// The statuses of a fault injection.
const (
	FaultPending    FaultStatus = "pending"
	FaultInjectedOK FaultStatus = "injected"
	FaultInProgress FaultStatus = "in_progress"
	FaultClearedOK  FaultStatus = "cleared"
	FaultHealed     FaultStatus = "recovered"
	FaultFailed     FaultStatus = "failed"
)

// ValidationStatus is the result of one assertion.
type ValidationStatus string

// The results of an assertion.
const (
	ValidationPassed  ValidationStatus = "passed"
	ValidationFailed  ValidationStatus = "failed"
	ValidationSkipped ValidationStatus = "skipped"
	ValidationError   ValidationStatus = "error"
)

// SnapshotKind says at which moment of a run a snapshot was taken.
type SnapshotKind string

// The kinds of snapshots.
const (
	SnapshotBaseline      SnapshotKind = "baseline"
	SnapshotPeriodic      SnapshotKind = "periodic"
	SnapshotPreInjection  SnapshotKind = "pre_injection"
	SnapshotPostInjection SnapshotKind = "post_injection"
	SnapshotRecovery      SnapshotKind = "recovery"
	SnapshotManual        SnapshotKind = "manual"
)

// InterruptCause says why this service calls a run interrupted.
type InterruptCause string

// The causes of an interruption.
const (
	CauseSuperseded InterruptCause = "superseded"      // a new run of the same execution id began
	CauseNoSign     InterruptCause = "no_sign_of_life" // nothing was heard of it for too long
)

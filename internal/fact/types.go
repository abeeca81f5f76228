package fact

import "strings"

// Type is an event type with prefix and version, such as
// "test-coordination.execution.started.v1".
type Type string

// TypePrefix begins every type of this service's contract.
const TypePrefix = "test-coordination."

// The types of contract version 1.
const (
	TypeTemplatePublished     Type = TypePrefix + "template.published.v1"
	TypeScenarioPublished     Type = TypePrefix + "scenario.published.v1"
	TypeScenarioStatusChanged Type = TypePrefix + "scenario.status_changed.v1"
	TypeDependenciesDeclared  Type = TypePrefix + "scenario.dependencies_declared.v1"
	TypeScheduleSet           Type = TypePrefix + "schedule.set.v1"
	TypeScheduleRemoved       Type = TypePrefix + "schedule.removed.v1"

	TypeRequested          Type = TypePrefix + "execution.requested.v1"
	TypeStarted            Type = TypePrefix + "execution.started.v1"
	TypeHeartbeat          Type = TypePrefix + "execution.heartbeat.v1"
	TypePaused             Type = TypePrefix + "execution.paused.v1"
	TypeResumed            Type = TypePrefix + "execution.resumed.v1"
	TypePhaseStarted       Type = TypePrefix + "execution.phase_started.v1"
	TypePhaseFinished      Type = TypePrefix + "execution.phase_finished.v1"
	TypeStepStarted        Type = TypePrefix + "execution.step_started.v1"
	TypeStepFinished       Type = TypePrefix + "execution.step_finished.v1"
	TypeFaultInjected      Type = TypePrefix + "execution.fault_injected.v1"
	TypeFaultCleared       Type = TypePrefix + "execution.fault_cleared.v1"
	TypeFaultRecovered     Type = TypePrefix + "execution.fault_recovered.v1"
	TypeValidationRecorded Type = TypePrefix + "execution.validation_recorded.v1"
	TypeSnapshotCaptured   Type = TypePrefix + "execution.snapshot_captured.v1"
	TypeLogAppended        Type = TypePrefix + "execution.log_appended.v1"
	TypeFinished           Type = TypePrefix + "execution.finished.v1"

	// TypeInterrupted is this service's own: a run without a sign of life, or
	// superseded by a new run of its id. It is never accepted from Kafka.
	TypeInterrupted Type = TypePrefix + "execution.interrupted.v1"

	// Further types of this service's own; they are never accepted from Kafka
	// either.
	TypeCancelRequested     Type = TypePrefix + "execution.cancel_requested.v1"
	TypeFaultClearRequested Type = TypePrefix + "fault.clear_requested.v1"
	TypeAnnotated           Type = TypePrefix + "execution.annotated.v1"
	TypePinned              Type = TypePrefix + "execution.pinned.v1"

	// These only leave the service, for other programs. They are neither stored nor
	// accepted from Kafka.
	TypeSettled         Type = TypePrefix + "execution.settled.v1"
	TypeReportPublished Type = TypePrefix + "report.published.v1"
)

// OutboundTypes are the types of this service's own that are published for other
// programs; accepted requests are, too.
func OutboundTypes() []Type {
	return []Type{TypeSettled, TypeReportPublished, TypeCancelRequested, TypeFaultClearRequested}
}

// OwnTypes are the types of statements that only this service makes, each about
// a run.
func OwnTypes() []Type {
	return []Type{TypeInterrupted, TypeCancelRequested, TypeFaultClearRequested, TypeAnnotated, TypePinned}
}

// Types are the types accepted from Kafka, in the order of the contract.
func Types() []Type {
	return []Type{
		TypeTemplatePublished, TypeScenarioPublished, TypeScenarioStatusChanged, TypeDependenciesDeclared,
		TypeScheduleSet, TypeScheduleRemoved,
		TypeRequested, TypeStarted, TypeHeartbeat, TypePaused, TypeResumed, TypePhaseStarted, TypePhaseFinished,
		TypeStepStarted, TypeStepFinished, TypeFaultInjected, TypeFaultCleared, TypeFaultRecovered,
		TypeValidationRecorded, TypeSnapshotCaptured, TypeLogAppended, TypeFinished,
	}
}

// Short is the type without prefix and version: "execution.started".
func (t Type) Short() string {
	s := strings.TrimPrefix(string(t), TypePrefix)
	if i := strings.LastIndex(s, ".v"); i > 0 {
		s = s[:i]
	}
	return s
}

// OfExecution tells whether events of this type belong to a run.
func (t Type) OfExecution() bool {
	return strings.HasPrefix(string(t), TypePrefix+"execution.") || t == TypeFaultClearRequested || t == TypeReportPublished
}

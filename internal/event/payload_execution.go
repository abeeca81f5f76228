package event

import (
	"reflect"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

func requested(m *contract.ExecutionRequested) execution.Payload {
	labels := m.GetLabels()
	if len(labels) == 0 {
		labels = nil // an empty map says nothing, and is not in the data that is stored
	}
	return &execution.Requested{
		ScenarioID:      m.GetScenarioId(),
		ScenarioVersion: m.GetScenarioVersion(),
		Environment:     m.GetEnvironment(),
		Parameters:      rawObject(m.GetParameters()),
		Trigger: execution.Trigger{
			Type:  m.GetTrigger().GetType(),
			Actor: m.GetTrigger().GetActor(),
			URI:   m.GetTrigger().GetUri(),
		},
		Labels:                labels,
		ConfigurationSnapshot: rawValue(m.GetConfigurationSnapshot()),
		Attempt:               m.Attempt,
		GroupID:               m.GetGroupId(),
		DryRun:                m.DryRun,
	}
}

func started(m *contract.ExecutionStarted) execution.Payload {
	return &execution.Started{
		ScenarioID:            m.GetScenarioId(),
		ScenarioVersion:       m.GetScenarioVersion(),
		Environment:           m.GetEnvironment(),
		CoordinatorID:         m.GetCoordinatorId(),
		ConfigurationSnapshot: rawValue(m.GetConfigurationSnapshot()),
		Deadline:              goTime(m.GetDeadline()),
	}
}

func heartbeat(m *contract.ExecutionHeartbeat) execution.Payload {
	return &execution.Heartbeat{
		Progress:     m.Progress,
		Message:      m.GetMessage(),
		CurrentPhase: m.GetCurrentPhase(),
		SystemState:  rawObject(m.GetSystemState()),
	}
}

func paused(m *contract.ExecutionPaused) execution.Payload {
	return &execution.Paused{Reason: m.GetReason()}
}

func resumed(m *contract.ExecutionResumed) execution.Payload {
	return &execution.Resumed{Reason: m.GetReason()}
}

func phaseStarted(m *contract.ExecutionPhaseStarted) execution.Payload {
	return &execution.PhaseStarted{Phase: m.GetPhase(), Ordinal: m.Ordinal, Description: m.GetDescription()}
}

func phaseFinished(m *contract.ExecutionPhaseFinished) execution.Payload {
	return &execution.PhaseFinished{
		Phase:  m.GetPhase(),
		Status: execution.PartStatus(m.GetStatus()),
		Error:  m.GetError(),
	}
}

func stepStarted(m *contract.ExecutionStepStarted) execution.Payload {
	return &execution.StepStarted{Step: execution.Step{
		StepID:     m.GetStepId(),
		Kind:       execution.StepKind(m.GetKind()),
		Phase:      m.GetPhase(),
		Service:    m.GetService(),
		Action:     m.GetAction(),
		Parameters: rawObject(m.GetParameters()),
		Attempt:    m.GetAttempt(),
	}}
}

func stepFinished(m *contract.ExecutionStepFinished) execution.Payload {
	return &execution.StepFinished{
		Step: execution.Step{
			StepID:     m.GetStepId(),
			Kind:       execution.StepKind(m.GetKind()),
			Phase:      m.GetPhase(),
			Service:    m.GetService(),
			Action:     m.GetAction(),
			Parameters: rawObject(m.GetParameters()),
			Attempt:    m.GetAttempt(),
		},
		Status:    execution.PartStatus(m.GetStatus()),
		StartedAt: goTime(m.GetStartedAt()),
		Duration:  goDuration(m.GetDuration()),
		Error:     m.GetError(),
	}
}

func faultInjected(m *contract.ExecutionFaultInjected) execution.Payload {
	status := execution.FaultStatus(m.GetStatus())
	if status == "" {
		status = execution.FaultInjectedOK
	}
	return &execution.FaultInjected{
		FaultID:       m.GetFaultId(),
		FaultType:     m.GetFaultType(),
		TargetService: m.GetTargetService(),
		Parameters:    rawObject(m.GetParameters()),
		Phase:         m.GetPhase(),
		StepID:        m.GetStepId(),
		BlastRadius:   m.GetBlastRadius(),
		Status:        status,
		Error:         m.GetError(),
	}
}

func faultCleared(m *contract.ExecutionFaultCleared) execution.Payload {
	return &execution.FaultCleared{FaultID: m.GetFaultId(), Error: m.GetError()}
}

func faultRecovered(m *contract.ExecutionFaultRecovered) execution.Payload {
	return &execution.FaultRecovered{FaultID: m.GetFaultId(), RecoveryTime: goDuration(m.GetRecoveryTime())}
}

func validationRecorded(m *contract.ExecutionValidationRecorded) execution.Payload {
	return &execution.ValidationRecorded{
		ValidationID:  m.GetValidationId(),
		AssertionType: m.GetAssertionType(),
		Status:        execution.ValidationStatus(m.GetStatus()),
		Phase:         m.GetPhase(),
		StepID:        m.GetStepId(),
		FaultID:       m.GetFaultId(),
		Service:       m.GetService(),
		Expected:      m.GetExpected(),
		Actual:        m.GetActual(),
		Operator:      m.GetOperator(),
		Threshold:     m.Threshold,
		Unit:          m.GetUnit(),
		Within:        goDuration(m.GetWithin()),
		ObservedAfter: goDuration(m.GetObservedAfter()),
		Message:       m.GetMessage(),
		Evidence:      rawValue(m.GetEvidence()),
		SteadyState:   m.GetSteadyState(),
		CorrelationID: m.GetCorrelationId(),
	}
}

func snapshotCaptured(m *contract.ExecutionSnapshotCaptured) execution.Payload {
	p := &execution.SnapshotCaptured{
		SnapshotID: m.GetSnapshotId(),
		Kind:       execution.SnapshotKind(m.GetKind()),
		Service:    m.GetService(),
		Phase:      m.GetPhase(),
		State:      rawValue(m.GetState()),
		Health:     m.GetHealth(),
	}
	if len(m.GetMetrics()) > 0 {
		p.Metrics = appendMap(nil, &fieldPlan{shape: shapeDouble}, reflect.ValueOf(m.GetMetrics()))
	}
	return p
}

func logAppended(m *contract.ExecutionLogAppended) execution.Payload {
	p := &execution.LogAppended{Count: len(m.GetLines())}
	if p.Count > 0 {
		p.Lines = make([]execution.LogLine, 0, p.Count)
	}
	for _, line := range m.GetLines() {
		p.Lines = append(p.Lines, execution.LogLine{
			Message:    line.GetMessage(),
			Time:       goTime(line.GetTime()),
			Level:      line.GetLevel(),
			Service:    line.GetService(),
			Phase:      line.GetPhase(),
			StepID:     line.GetStepId(),
			Attributes: rawObject(line.GetAttributes()),
		})
	}
	return p
}

func finished(m *contract.ExecutionFinished) execution.Payload {
	return &execution.Finished{
		Outcome:      execution.Status(m.GetOutcome()),
		ExitCode:     m.ExitCode,
		ErrorMessage: m.GetErrorMessage(),
		Summary:      rawValue(m.GetSummary()),
	}
}

func interrupted(m *contract.ExecutionInterrupted) execution.Payload {
	return &execution.Interrupted{
		Cause:        execution.InterruptCause(m.GetCause()),
		RealEvents:   m.GetRealEvents(),
		SupersededBy: execution.RunNumber(m.GetSupersededBy()),
	}
}

func cancelRequested(m *contract.ExecutionCancelRequested) execution.Payload {
	return &execution.CancelRequested{Reason: m.GetReason(), Actor: m.GetActor()}
}

func clearRequested(m *contract.FaultClearRequested) execution.Payload {
	return &execution.ClearRequested{FaultID: m.GetFaultId(), Reason: m.GetReason()}
}

func annotated(m *contract.ExecutionAnnotated) execution.Payload {
	return &execution.Annotated{Text: m.GetText(), Author: m.GetAuthor()}
}

func pinned(m *contract.ExecutionPinned) execution.Payload {
	return &execution.Pinned{Pinned: m.GetPinned(), Reason: m.GetReason(), Actor: m.GetActor()}
}

// goTime is the zero time when there is none.
func goTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func goDuration(d *durationpb.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	duration := d.AsDuration()
	return &duration
}

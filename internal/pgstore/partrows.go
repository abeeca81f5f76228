package pgstore

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// The mappers of the rows of a run's parts to the domain, one each.

func phaseFromRow(r *dbsqlc.ExecutionPhase) (*execution.Phase, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read phase %s of %s/%d: %w", r.Phase, r.ExecutionID, r.Run, err)
	}
	return &execution.Phase{
		Name: r.Phase, Ordinal: r.Ordinal, Description: r.Description, Status: execution.PartStatus(r.Status),
		StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt), Error: r.Error, Marks: marks,
	}, nil
}

func stepFromRow(r *dbsqlc.ExecutionStep) (*execution.StepResult, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read step %s of %s/%d: %w", r.StepID, r.ExecutionID, r.Run, err)
	}
	return &execution.StepResult{
		StepKey: execution.StepKey{StepID: r.StepID, Attempt: r.Attempt}, Kind: execution.StepKind(r.Kind), Phase: r.Phase, Service: r.Service,
		Action: r.Action, Parameters: r.Parameters, Status: execution.PartStatus(r.Status), StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt),
		Duration: durationOf(r.DurationSeconds), Error: r.Error, Marks: marks,
	}, nil
}

func faultFromRow(r *dbsqlc.FaultInjection) (*execution.Fault, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read fault %s of %s/%d: %w", r.FaultID, r.ExecutionID, r.Run, err)
	}
	return &execution.Fault{
		FaultID: r.FaultID, FaultType: r.FaultType, TargetService: r.TargetService, Parameters: r.Parameters,
		Phase: r.Phase, StepID: r.StepID, BlastRadius: r.BlastRadius,
		Injection: execution.FaultStatus(valueOf(r.Injection)), Status: execution.FaultStatus(r.Status),
		RequestedAt: timeOf(r.RequestedAt), InjectedAt: timeOf(r.InjectedAt), ClearedAt: timeOf(r.ClearedAt), RecoveredAt: timeOf(r.RecoveredAt),
		RecoveryTime: durationOf(r.RecoverySeconds), Error: r.Error, ClearError: r.ClearError, Marks: marks,
	}, nil
}

func validationFromRow(r *dbsqlc.ValidationResult) (*execution.Validation, error) {
	order, err := orderOf(r.OrderKey)
	if err != nil {
		return nil, fmt.Errorf("read validation %s of %s/%d: %w", r.ValidationID, r.ExecutionID, r.Run, err)
	}
	return &execution.Validation{
		ValidationRecorded: execution.ValidationRecorded{
			ValidationID: r.ValidationID, AssertionType: r.AssertionType, Status: execution.ValidationStatus(r.Status),
			Phase: r.Phase, StepID: r.StepID, FaultID: r.FaultID, Service: r.Service, Expected: r.Expected, Actual: r.Actual,
			Operator: r.Operator, Threshold: r.Threshold, Unit: r.Unit, Within: durationOf(r.WithinSeconds),
			ObservedAfter: durationOf(r.ObservedAfterSeconds), Message: r.Message, Evidence: r.Evidence,
			SteadyState: r.SteadyState, CorrelationID: r.CorrelationID,
		},
		RecordedAt: r.RecordedAt.UTC(), Order: order, Stored: true,
	}, nil
}

func detailsFromRow(r *dbsqlc.ExecutionDetail) execution.Details {
	detail := func(value []byte) execution.Detail { return execution.Detail{Set: value != nil, Value: value} }
	return execution.Details{
		Labels: detail(r.Labels), Parameters: detail(r.Parameters), ConfigurationSnapshot: detail(r.ConfigurationSnapshot),
		SystemState: detail(r.SystemState), Summary: detail(r.Summary),
	}
}

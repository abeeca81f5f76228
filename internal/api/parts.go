package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// ofRun reads entries of one run.
func ofRun[R, C any](run *execution.Run, read func(context.Context, *execution.Run, C, int) ([]R, error)) func(context.Context, C, int) ([]R, error) {
	return func(ctx context.Context, after C, most int) ([]R, error) { return read(ctx, run, after, most) }
}

func (s *executions) ListPhases(ctx context.Context, r *connect.Request[contract.ListPhasesRequest]) (*connect.Response[contract.ListPhasesResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	// A name may be longer than a token: its hash, by which it is found, stands for
	// it.
	l := listing[*execution.Phase, []byte, *contract.Phase]{
		run: run, read: ofRun(run, s.Store.Phases), bite: bigBite,
		place: func(p **execution.Phase) []byte {
			hash := sha256.Sum256([]byte((*p).Name))
			return hash[:]
		},
		message: func(p **execution.Phase) *contract.Phase { return phaseMessage(*p) },
	}
	phases, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(phases, func(a, b *contract.Phase) int {
		return cmp.Or(cmp.Compare(a.GetOrdinal(), b.GetOrdinal()), a.GetStartedAt().AsTime().Compare(b.GetStartedAt().AsTime()), cmp.Compare(a.GetPhase(), b.GetPhase()))
	})
	return connect.NewResponse(&contract.ListPhasesResponse{Phases: phases, NextPageToken: next}), nil
}

func phaseMessage(p *execution.Phase) *contract.Phase {
	m := &contract.Phase{
		Phase: p.Name, Description: p.Description, Status: string(p.Status), StartedAt: moment(p.StartedAt), FinishedAt: moment(p.FinishedAt), Error: p.Error,
	}
	if p.Ordinal != nil {
		m.Ordinal = *p.Ordinal
	}
	return m
}

func (s *executions) ListSteps(ctx context.Context, r *connect.Request[contract.ListStepsRequest]) (*connect.Response[contract.ListStepsResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	l := listing[*execution.StepResult, execution.StepKey, *contract.Step]{
		run: run, read: ofRun(run, s.Store.Steps), bite: bigBite,
		place:   func(t **execution.StepResult) execution.StepKey { return (*t).StepKey },
		message: func(t **execution.StepResult) *contract.Step { return stepMessage(*t) },
	}
	steps, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListStepsResponse{Steps: steps, NextPageToken: next}), nil
}

func stepMessage(t *execution.StepResult) *contract.Step {
	return &contract.Step{
		StepId: t.StepID, Attempt: t.Attempt, Kind: string(t.Kind), Phase: t.Phase, Service: t.Service, Action: t.Action, Parameters: object(t.Parameters),
		Status: string(t.Status), StartedAt: moment(t.StartedAt), FinishedAt: moment(t.FinishedAt), Duration: length(t.Duration), Error: t.Error,
	}
}

func (s *executions) ListFaults(ctx context.Context, r *connect.Request[contract.ListFaultsRequest]) (*connect.Response[contract.ListFaultsResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	l := listing[*execution.Fault, string, *contract.Fault]{
		run: run, read: ofRun(run, s.Store.Faults), bite: bigBite,
		place:   func(f **execution.Fault) string { return (*f).FaultID },
		message: func(f **execution.Fault) *contract.Fault { return faultMessage(*f) },
	}
	faults, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListFaultsResponse{Faults: faults, NextPageToken: next}), nil
}

func faultMessage(f *execution.Fault) *contract.Fault {
	return &contract.Fault{
		FaultId: f.FaultID, FaultType: f.FaultType, TargetService: f.TargetService, Parameters: object(f.Parameters), Phase: f.Phase, StepId: f.StepID,
		BlastRadius: f.BlastRadius, Status: string(f.Status), RequestedAt: moment(f.RequestedAt), InjectedAt: moment(f.InjectedAt), ClearedAt: moment(f.ClearedAt),
		RecoveredAt: moment(f.RecoveredAt), RecoveryTime: length(f.RecoveryTime), Error: f.Error, ClearError: f.ClearError, Active: f.Active(),
	}
}

func (s *executions) ListActiveFaults(ctx context.Context, r *connect.Request[contract.ListActiveFaultsRequest]) (*connect.Response[contract.ListActiveFaultsResponse], error) {
	l := listing[pgstore.ActiveFault, pgstore.FaultKey, *contract.ActiveFault]{
		read: s.Store.ActiveFaults, bite: bigBite, look: mostLooked,
		place: func(f *pgstore.ActiveFault) pgstore.FaultKey {
			return pgstore.FaultKey{RunKey: f.RunKey, FaultID: f.Fault.FaultID}
		},
		message: func(f *pgstore.ActiveFault) *contract.ActiveFault {
			return &contract.ActiveFault{
				ExecutionId: string(f.ID), Run: int32(f.Number), ExecutionStatus: string(f.RunStatus), ScenarioId: f.Scenario, Environment: f.Environment,
				Fault: faultMessage(&f.Fault),
			}
		},
	}
	if r.Msg.GetOrphaned() {
		l.matches = func(f *pgstore.ActiveFault) bool { return f.RunStatus.Terminal() }
	}
	faults, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListActiveFaultsResponse{Faults: faults, NextPageToken: next}), nil
}

func (s *executions) ListValidations(ctx context.Context, r *connect.Request[contract.ListValidationsRequest]) (*connect.Response[contract.ListValidationsResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	l := listing[*execution.Validation, string, *contract.Validation]{
		run: run, read: ofRun(run, s.Store.Validations), bite: bigBite,
		place:   func(v **execution.Validation) string { return (*v).ValidationID },
		message: func(v **execution.Validation) *contract.Validation { return validationMessage(*v) },
	}
	validations, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListValidationsResponse{Validations: validations, NextPageToken: next}), nil
}

func validationMessage(v *execution.Validation) *contract.Validation {
	return &contract.Validation{
		ValidationId: v.ValidationID, AssertionType: v.AssertionType, Status: string(v.Status), RecordedAt: moment(v.RecordedAt), Phase: v.Phase, StepId: v.StepID,
		FaultId: v.FaultID, Service: v.Service, Expected: v.Expected, Actual: v.Actual, Operator: v.Operator, Threshold: v.Threshold, Unit: v.Unit,
		Within: length(v.Within), ObservedAfter: length(v.ObservedAfter), Message: v.Message, Evidence: value(v.Evidence), SteadyState: v.SteadyState,
		CorrelationId: v.CorrelationID,
	}
}

func (s *executions) ListAnnotations(ctx context.Context, r *connect.Request[contract.ListAnnotationsRequest]) (*connect.Response[contract.ListAnnotationsResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	l := listing[pgstore.Annotation, fact.Order, *contract.Annotation]{
		run: run, read: ofRun(run, s.Store.Annotations), bite: bigBite,
		place: func(a *pgstore.Annotation) fact.Order { return a.Order },
		message: func(a *pgstore.Annotation) *contract.Annotation {
			return &contract.Annotation{Run: int32(run.Number), Author: a.Author, Time: moment(a.At), Text: a.Text}
		},
	}
	notes, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListAnnotationsResponse{Annotations: notes, NextPageToken: next}), nil
}

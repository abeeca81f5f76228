package api

import (
	"context"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

// executions is the ExecutionService: what it writes is here, what it reads in
// executionreads.go, its streams in watch.go and followlogs.go.
type executions struct {
	testcoordinationv1connect.UnimplementedExecutionServiceHandler
	Parts
	followed *watch.Hub
}

func (s *executions) RequestExecution(ctx context.Context, r *connect.Request[contract.RequestExecutionRequest]) (*connect.Response[contract.RequestExecutionResponse], error) {
	return once(ctx, s.Commands, r, "execution", func(ctx context.Context, tx *command.Tx, m *contract.RequestExecutionRequest) (*contract.RequestExecutionResponse, error) {
		run, ready, err := tx.RequestExecution(ctx, m.GetExecution(), m.GetLock())
		if err != nil {
			return nil, err
		}
		return &contract.RequestExecutionResponse{Execution: executionMessage(run), Findings: findingMessages(ready.Findings)}, nil
	})
}

func (s *executions) CancelExecution(ctx context.Context, r *connect.Request[contract.CancelExecutionRequest]) (*connect.Response[contract.CancelExecutionResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.CancelExecutionRequest) (*contract.CancelExecutionResponse, error) {
		run, err := tx.CancelExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(m.GetRun()), m.GetReason(), m.GetLock())
		if err != nil {
			return nil, err
		}
		return &contract.CancelExecutionResponse{Execution: executionMessage(run)}, nil
	})
}

func (s *executions) AnnotateExecution(ctx context.Context, r *connect.Request[contract.AnnotateExecutionRequest]) (*connect.Response[contract.AnnotateExecutionResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.AnnotateExecutionRequest) (*contract.AnnotateExecutionResponse, error) {
		run, err := tx.AnnotateExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(m.GetRun()), m.GetText())
		if err != nil {
			return nil, err
		}
		return &contract.AnnotateExecutionResponse{Annotation: &contract.Annotation{Run: int32(run.Number), Author: tx.Caller, Time: moment(tx.Now()), Text: m.GetText()}}, nil
	})
}

func (s *executions) PinExecution(ctx context.Context, r *connect.Request[contract.PinExecutionRequest]) (*connect.Response[contract.PinExecutionResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.PinExecutionRequest) (*contract.PinExecutionResponse, error) {
		run, err := tx.PinExecution(ctx, execution.ID(m.GetExecutionId()), execution.RunNumber(m.GetRun()), m.GetPinned(), m.GetReason())
		if err != nil {
			return nil, err
		}
		return &contract.PinExecutionResponse{Execution: executionMessage(run)}, nil
	})
}

// executionMessage is a run as callers see it.
func executionMessage(r *execution.Run) *contract.Execution {
	c := &r.Counts
	m := &contract.Execution{
		ExecutionId: string(r.ID), Run: int32(r.Number), RunId: r.RunID, Version: r.Version,
		Status: string(r.Status), ReportedOutcome: string(r.ReportedOutcome),
		ScenarioId: r.ScenarioID, ScenarioVersion: r.ScenarioVersion, Environment: r.Environment, CoordinatorId: r.CoordinatorID,
		GroupId: r.GroupID, RequestedAt: moment(r.RequestedAt), StartedAt: moment(r.StartedAt), EndedAt: moment(r.EndedAt),
		Deadline: moment(r.Deadline), LastEventAt: moment(r.LastEventAt), CreatedAt: moment(r.CreatedAt),
		Progress: r.Progress, Message: r.Message, CurrentPhase: r.CurrentPhase, ExitCode: r.ExitCode, ErrorMessage: r.ErrorMessage,
		CancelRequestedAt: moment(r.CancelRequestedAt), Pinned: r.Pinned,
		Counts: &contract.ExecutionCounts{
			Events: c.Events, LogLines: c.LogLines, Snapshots: c.Snapshots, Phases: c.Phases, Steps: c.Steps, StepsFailed: c.StepsFailed,
			Faults: c.Faults, FaultsActive: c.FaultsActive, ValidationsPassed: c.ValidationsPassed, ValidationsFailed: c.ValidationsFailed,
			ValidationsSkipped: c.ValidationsSkipped, ValidationsError: c.ValidationsError,
		},
	}
	if r.Trigger != (execution.Trigger{}) {
		m.Trigger = &contract.Trigger{Type: r.Trigger.Type, Actor: r.Trigger.Actor, Uri: r.Trigger.URI}
	}
	if r.Attempt != nil {
		m.Attempt = *r.Attempt
	}
	if r.DryRun != nil {
		m.DryRun = *r.DryRun
	}
	if i := r.Interruption; i != nil && r.Status == execution.StatusInterrupted {
		m.InterruptCause, m.SupersededBy = string(i.Cause), int32(i.SupersededBy)
	}
	return m
}

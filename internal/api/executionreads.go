package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// namesRun is a request that names a run; number 0 is the latest.
type namesRun interface {
	GetExecutionId() string
	GetRun() int32
}

func runKey(r namesRun) pgstore.RunKey {
	return pgstore.RunKey{ID: execution.ID(r.GetExecutionId()), Number: execution.RunNumber(r.GetRun())}
}

// run is the run that a request names; it must be there.
func (s *executions) run(ctx context.Context, r namesRun) (*execution.Run, error) {
	k := runKey(r)
	if list, ok := r.(paged); ok && k.Number == 0 {
		number, err := runOfToken(list)
		if err != nil {
			return nil, err
		}
		k.Number = execution.RunNumber(number)
	}
	run, err := s.Store.FindRun(ctx, k)
	if err != nil {
		return nil, orNoRun(err, r)
	}
	return &run, nil
}

func orNoRun(err error, r namesRun) error {
	switch {
	case !errors.Is(err, pgstore.ErrNotFound):
		return err
	case r.GetRun() == 0:
		f := notFound("execution", r.GetExecutionId())
		f.field, f.rule = "execution_id", "one that is known"
		return f
	}
	return &failure{
		code: connect.CodeNotFound, reason: "execution_not_found", message: fmt.Sprintf("execution %s has no run %d", r.GetExecutionId(), r.GetRun()),
		field: "run", rule: "a run that is known, or 0 for the latest",
	}
}

func (s *executions) GetExecution(ctx context.Context, r *connect.Request[contract.GetExecutionRequest]) (*connect.Response[contract.GetExecutionResponse], error) {
	run, details, err := s.Store.RunWithDetails(ctx, runKey(r.Msg))
	if err != nil {
		return nil, orNoRun(err, r.Msg)
	}
	if run.Version < r.Msg.GetMinVersion() {
		return nil, &failure{
			code: connect.CodeFailedPrecondition, reason: "version_not_reached",
			message: fmt.Sprintf("run %d of %s has version %d, not yet %d: ask again", run.Number, run.ID, run.Version, r.Msg.GetMinVersion()),
			field:   "min_version", rule: "a version that has been committed",
			metadata: map[string]string{"version": strconv.FormatInt(run.Version, 10)},
		}
	}
	answer := &contract.GetExecutionResponse{Execution: executionMessage(&run), Details: &contract.ExecutionDetails{
		Parameters: object(details.Parameters.Value), ConfigurationSnapshot: value(details.ConfigurationSnapshot.Value),
		SystemState: object(details.SystemState.Value), Summary: value(details.Summary.Value),
	}}
	if details.Labels.Set {
		if err := json.Unmarshal(details.Labels.Value, &answer.Details.Labels); err != nil {
			return nil, fmt.Errorf("read labels of %s/%d: %w", run.ID, run.Number, err)
		}
	}
	if answer.Removed, err = s.removed(ctx, &run); err != nil {
		return nil, err
	}
	return connect.NewResponse(answer), nil
}

// removed is what retention has removed of a run; nil for nothing.
func (s *executions) removed(ctx context.Context, run *execution.Run) (*contract.RemovedData, error) {
	removed, err := s.Store.Removed(ctx, pgstore.RunKey{ID: run.ID, Number: run.Number})
	kinds := removed.Kinds &^ retention.Run // which has gone since it was read
	if err != nil || kinds == 0 {
		return nil, err
	}
	return &contract.RemovedData{Kinds: kinds.Names(), Policy: removed.Policy, RemovedAt: moment(removed.At)}, nil
}

func (s *executions) ListExecutions(ctx context.Context, r *connect.Request[contract.ListExecutionsRequest]) (*connect.Response[contract.ListExecutionsResponse], error) {
	f := runFilter(r.Msg)
	l := listing[execution.Run, pgstore.RunPlace, *contract.Execution]{
		read: func(ctx context.Context, at pgstore.RunPlace, most int) ([]execution.Run, error) {
			return s.Store.RunsOnTheWay(ctx, f, at, most)
		},
		place: pgstore.PlaceOfRun, message: executionMessage, bite: largestPage, look: mostLooked,
	}
	if !f.ByIndex() {
		l.matches = f.Matches
	}
	runs, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListExecutionsResponse{Executions: runs, NextPageToken: next}), nil
}

func runFilter(r *contract.ListExecutionsRequest) *pgstore.RunFilter {
	f := &pgstore.RunFilter{
		ID: execution.ID(r.GetExecutionId()), Group: r.GetGroupId(), Scenario: r.GetScenarioId(), Pinned: r.GetPinned(), Environment: r.GetEnvironment(),
	}
	for _, status := range r.GetStatuses() {
		f.Statuses = append(f.Statuses, execution.Status(status))
	}
	if r.GetCreatedFrom() != nil {
		f.From = atLeast(r.GetCreatedFrom())
	}
	if r.GetCreatedUntil() != nil {
		f.Until = atLeast(r.GetCreatedUntil())
	}
	return f
}

func (s *executions) ListActiveExecutions(ctx context.Context, r *connect.Request[contract.ListActiveExecutionsRequest]) (*connect.Response[contract.ListActiveExecutionsResponse], error) {
	l := listing[execution.Run, pgstore.RunKey, *contract.Execution]{
		read: s.Store.LiveRunsAfter, message: executionMessage, bite: largestPage,
		place: func(r *execution.Run) pgstore.RunKey { return pgstore.RunKey{ID: r.ID, Number: r.Number} },
	}
	runs, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListActiveExecutionsResponse{Executions: runs, NextPageToken: next}), nil
}

// mostFound is how many runs are told of a correlation id.
const mostFound = 100

func (s *executions) FindByCorrelation(ctx context.Context, r *connect.Request[contract.FindByCorrelationRequest]) (*connect.Response[contract.FindByCorrelationResponse], error) {
	runs, err := s.Store.RunsOfCorrelation(ctx, r.Msg.GetCorrelationId(), mostFound+1)
	if err != nil {
		return nil, err
	}
	answer := &contract.FindByCorrelationResponse{Truncated: len(runs) > mostFound}
	for i := range runs[:min(len(runs), mostFound)] {
		answer.Executions = append(answer.Executions, executionMessage(&runs[i]))
	}
	return connect.NewResponse(answer), nil
}

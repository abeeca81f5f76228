package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

// defaultInterval is that of followers who name none.
const defaultInterval = 200 * time.Millisecond

func (s *executions) WatchExecutions(ctx context.Context, r *connect.Request[contract.WatchExecutionsRequest], to *connect.ServerStream[contract.WatchExecutionsResponse]) error {
	ids := make([]execution.ID, len(r.Msg.GetExecutionIds()))
	for i, id := range r.Msg.GetExecutionIds() {
		ids[i] = execution.ID(id)
	}
	interval := defaultInterval
	if r.Msg.GetInterval() != nil {
		interval = r.Msg.GetInterval().AsDuration()
	}
	told, err := watch.ParseToken(r.Msg.GetResumeToken(), ids)
	if err != nil {
		return invalid("resume_token", "a resume_token of a stream of the same executions")
	}
	followed, err := s.followed.Watch(ctx, ids, interval, told)
	if err != nil {
		return followFailure(err)
	}
	defer followed.Close()
	stream, err := lasting(ctx, s.Parts, to)
	if err != nil {
		return err
	}
	defer stream.close()
	sign := func() *contract.WatchExecutionsResponse {
		return &contract.WatchExecutionsResponse{ResumeToken: told.Token(ids)}
	}
	for {
		news, err := followed.News(told)
		if err != nil {
			return followFailure(err)
		}
		for i := range news {
			told[news[i].Live.ExecutionID] = news[i].Version
			if err := stream.send(&contract.WatchExecutionsResponse{State: stateMessage(&news[i].Live), ResumeToken: told.Token(ids)}); err != nil {
				return err
			}
		}
		if followed.Ended(told) {
			return nil
		}
		if len(news) > 0 {
			if err := stream.pause(ctx, interval, sign); err != nil { // what changes meanwhile is one change
				return err
			}
		}
		due, err := stream.wait(ctx, followed.Changed(), 0)
		if err != nil {
			return err
		}
		if due {
			if time.Since(followed.AsOf()) > signOfLife {
				return errBlind
			}
			if err := stream.send(sign()); err != nil {
				return err
			}
		}
	}
}

// followFailure is what a follower is told of an error.
func followFailure(err error) error {
	var unknown *watch.Unknown
	switch {
	case errors.As(err, &unknown):
		ids := make([]string, len(unknown.IDs))
		for i, id := range unknown.IDs {
			ids[i] = string(id)
		}
		return notFound("execution", strings.Join(ids, ", "))
	case errors.Is(err, watch.ErrLost):
		return errStateLost
	}
	return err
}

// stateMessage is a state as followers see it.
func stateMessage(l *execution.Live) *contract.ExecutionState {
	return &contract.ExecutionState{
		ExecutionId: string(l.ExecutionID), Run: int32(l.Run), RunId: l.RunID, Version: l.Version, Status: string(l.Status),
		ScenarioId: l.ScenarioID, Environment: l.Environment, CoordinatorId: l.Coordinator,
		Progress: l.Progress, Message: l.Message, CurrentPhase: l.CurrentPhase,
		RequestedAt: moment(l.RequestedAt), StartedAt: moment(l.StartedAt), EndedAt: moment(l.EndedAt),
		LastEventAt: moment(l.LastEventAt), Deadline: moment(l.Deadline),
		Events: l.Events, LogLines: l.LogLines,
		ValidationsPassed: l.ValidationsPassed, ValidationsFailed: l.ValidationsFailed, FaultsActive: l.FaultsActive,
	}
}

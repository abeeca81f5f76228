package api

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

func (s *executions) ExplainExecution(ctx context.Context, r *connect.Request[contract.ExplainExecutionRequest]) (*connect.Response[contract.ExplainExecutionResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	stored, err := s.Store.EventsOfRun(ctx, run)
	if err != nil {
		return nil, err
	}
	events := make([]execution.RecordedEvent, len(stored))
	byKey := make(map[fact.Key]*pgstore.StoredEvent, len(stored))
	for i := range stored {
		e := &stored[i]
		payload, err := event.RestoreExecution(e.Type, e.Data)
		if err != nil {
			return nil, fmt.Errorf("read event %s of %s/%d: %w", e.ID, run.ID, run.Number, err)
		}
		events[i] = execution.RecordedEvent{Event: &execution.Event{Header: e.Header, Payload: payload}, RecordedAt: e.RecordedAt}
		byKey[e.Key] = e
	}
	asOf := time.Time{}
	if r.Msg.GetAsOf() != nil {
		asOf = r.Msg.GetAsOf().AsTime()
	}
	x := execution.Explain(events, asOf)
	// Flags are of the end that was known then.
	then := &execution.Run{EndOrder: x.EndOrder, ReportedOutcome: x.ReportedOutcome}
	messages := func(events []execution.RecordedEvent) (all []*contract.TimelineEvent) {
		for _, e := range events {
			m := timelineMessage(then, byKey[e.Key])
			m.Data = nil
			all = append(all, m)
		}
		return all
	}
	answer := &contract.ExplainExecutionResponse{
		Status: string(x.Status), ReportedOutcome: string(x.ReportedOutcome), Considered: int32(x.Considered), LeftOut: int32(x.LeftOut),
		Late: messages(x.Late), LateCount: int32(x.LateCount), Conflicting: messages(x.Conflicting), ConflictingCount: int32(x.ConflictingCount),
	}
	for _, d := range x.Decisions {
		answer.Decisions = append(answer.Decisions, &contract.Decision{Topic: string(d.Topic), Value: d.Value, Events: messages(d.Events), Reason: d.Reason})
	}
	return connect.NewResponse(answer), nil
}

package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func (s *schedules) ClaimDueOccurrences(ctx context.Context, r *connect.Request[contract.ClaimDueOccurrencesRequest]) (*connect.Response[contract.ClaimDueOccurrencesResponse], error) {
	if err := s.Commands.PlanSchedules(ctx); err != nil {
		return nil, err
	}
	answer, err := once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.ClaimDueOccurrencesRequest) (*contract.ClaimDueOccurrencesResponse, error) {
		claimed, err := tx.ClaimDue(ctx, pgstore.ClaimDue{Claimer: m.GetClaimer(), Most: orDefault(int(m.GetLimit()), 1), Lease: m.GetLease().AsDuration()})
		if err != nil {
			return nil, err
		}
		answer := &contract.ClaimDueOccurrencesResponse{}
		for i := range claimed {
			answer.Claimed = append(answer.Claimed, claimedMessage(&claimed[i]))
		}
		return answer, nil
	})
	if errors.Is(err, command.ErrNothingDue) {
		return connect.NewResponse(&contract.ClaimDueOccurrencesResponse{}), nil
	}
	return answer, err
}

func (s *schedules) RenewClaim(ctx context.Context, r *connect.Request[contract.RenewClaimRequest]) (*connect.Response[contract.RenewClaimResponse], error) {
	renewed, err := s.Commands.RenewClaim(ctx, claimKey(r.Msg), r.Msg.GetLease().AsDuration())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.RenewClaimResponse{LeaseExpiresAt: moment(renewed.LeaseExpiresAt)}), nil
}

func (s *schedules) CompleteClaim(ctx context.Context, r *connect.Request[contract.CompleteClaimRequest]) (*connect.Response[contract.CompleteClaimResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.CompleteClaimRequest) (*contract.CompleteClaimResponse, error) {
		completed, err := tx.CompleteClaim(ctx, claimKey(m), pgstore.Completion{
			Outcome: scenario.OccurrenceOutcome(m.GetOutcome()), Run: scenario.RunRef{ExecutionID: m.GetExecutionId(), Run: m.GetRun()}, Detail: m.GetDetail(),
		}, m.GetLock())
		if err != nil {
			return nil, err
		}
		return &contract.CompleteClaimResponse{Occurrence: occurrenceMessage(&completed)}, nil
	})
}

// claiming is a request that speaks for a claim.
type claiming interface {
	GetScheduleId() string
	GetOccurrenceId() string
	GetToken() int64
}

func claimKey(m claiming) pgstore.ClaimKey {
	return pgstore.ClaimKey{ScheduleID: scenario.ScheduleID(m.GetScheduleId()), OccurrenceID: scenario.OccurrenceID(m.GetOccurrenceId()), Token: m.GetToken()}
}

// place is where a page of occurrences begins.
type place struct {
	DueAt time.Time             `json:"d"`
	ID    scenario.OccurrenceID `json:"o"`
}

func (s *schedules) ListOccurrences(ctx context.Context, r *connect.Request[contract.ListOccurrencesRequest]) (*connect.Response[contract.ListOccurrencesResponse], error) {
	before, err := cursorOf[place](r.Msg)
	if err != nil {
		return nil, err
	}
	id := scenario.ScheduleID(r.Msg.GetScheduleId())
	found, err := s.Store.Occurrences(ctx, pgstore.OccurrenceFilter{ScheduleID: id, Before: before.DueAt, BeforeID: before.ID, Page: pageSize(r.Msg)})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && before.ID == "" {
		if _, err := s.Store.Schedule(ctx, id); err != nil { // a removed one keeps its occurrences
			return nil, orNotFound(err, "schedule", string(id))
		}
	}
	answer := &contract.ListOccurrencesResponse{NextPageToken: nextToken(r.Msg, found, func(o *pgstore.Occurrence) place { return place{o.DueAt, o.ID} })}
	for i := range found {
		answer.Occurrences = append(answer.Occurrences, occurrenceMessage(&found[i]))
	}
	return connect.NewResponse(answer), nil
}

func claimedMessage(c *pgstore.ClaimedOccurrence) *contract.ClaimedOccurrence {
	m := &contract.ClaimedOccurrence{
		Occurrence: occurrenceMessage(&c.Occurrence), ScenarioId: string(c.Schedule.ScenarioID), Parameters: object(c.Schedule.Parameters),
	}
	for _, run := range c.Cancel {
		m.Replaces = append(m.Replaces, occurrenceRun(run))
	}
	return m
}

func occurrenceMessage(o *pgstore.Occurrence) *contract.Occurrence {
	return &contract.Occurrence{
		ScheduleId: string(o.ScheduleID), OccurrenceId: string(o.ID), Kind: string(o.Kind), DueAt: moment(o.DueAt), DueUntil: moment(o.DueUntil),
		Status: string(o.Status), Reason: string(o.Reason), Detail: o.Detail, StartBy: moment(o.StartBy),
		TriggerRun: occurrenceRun(o.Trigger.Run), TriggerSource: o.Trigger.Source,
		ClaimedBy: o.ClaimedBy, ClaimedAt: moment(o.ClaimedAt), LeaseExpiresAt: moment(o.LeaseExpiresAt), Token: o.Token,
		Outcome: string(o.Outcome), Run: occurrenceRun(o.Run), SettledAt: moment(o.SettledAt),
	}
}

// occurrenceRun is none where there is no run.
func occurrenceRun(r scenario.RunRef) *contract.OccurrenceRun {
	if r.ExecutionID == "" {
		return nil
	}
	return &contract.OccurrenceRun{ExecutionId: r.ExecutionID, Run: r.Run}
}

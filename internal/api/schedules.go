package api

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// schedules is the ScheduleService, but for occurrences, which are in
// occurrences.go.
type schedules struct{ Parts }

func (s *schedules) SetSchedule(ctx context.Context, r *connect.Request[contract.SetScheduleRequest]) (*connect.Response[contract.SetScheduleResponse], error) {
	return once(ctx, s.Commands, r, "schedule", func(ctx context.Context, tx *command.Tx, m *contract.SetScheduleRequest) (*contract.SetScheduleResponse, error) {
		set, err := tx.SetSchedule(ctx, m.GetSchedule())
		if err != nil {
			return nil, err
		}
		return &contract.SetScheduleResponse{Schedule: scheduleMessage(set, tx.Now())}, nil
	})
}

func (s *schedules) RemoveSchedule(ctx context.Context, r *connect.Request[contract.RemoveScheduleRequest]) (*connect.Response[contract.RemoveScheduleResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.RemoveScheduleRequest) (*contract.RemoveScheduleResponse, error) {
		removed, err := tx.RemoveSchedule(ctx, &contract.ScheduleRemoved{ScheduleId: m.GetScheduleId()})
		if err != nil {
			return nil, err
		}
		return &contract.RemoveScheduleResponse{Schedule: scheduleMessage(removed, tx.Now())}, nil
	})
}

func (s *schedules) GetSchedule(ctx context.Context, r *connect.Request[contract.GetScheduleRequest]) (*connect.Response[contract.GetScheduleResponse], error) {
	found, err := s.schedule(ctx, r.Msg.GetScheduleId())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetScheduleResponse{Schedule: scheduleMessage(found, s.Now())}), nil
}

// schedule is a schedule that is there, and not removed.
func (s *schedules) schedule(ctx context.Context, id string) (*scenario.ScheduleState, error) {
	found, err := s.Store.Schedule(ctx, scenario.ScheduleID(id))
	if err != nil {
		return nil, orNotFound(err, "schedule", id)
	}
	if found.Removed {
		return nil, notFound("schedule", id)
	}
	return found, nil
}

func (s *schedules) ListSchedules(ctx context.Context, r *connect.Request[contract.ListSchedulesRequest]) (*connect.Response[contract.ListSchedulesResponse], error) {
	now := s.Now()
	l := listing[*scenario.ScheduleState, scenario.ScheduleID, *contract.Schedule]{
		read: func(ctx context.Context, after scenario.ScheduleID, most int) ([]*scenario.ScheduleState, error) {
			return s.Store.Schedules(ctx, pgstore.ScheduleFilter{ScenarioID: scenario.ID(r.Msg.GetScenarioId()), After: after, Page: most})
		},
		place:   func(f **scenario.ScheduleState) scenario.ScheduleID { return (*f).ScheduleID },
		message: func(f **scenario.ScheduleState) *contract.Schedule { return scheduleMessage(*f, now) },
		bite:    bigBite,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListSchedulesResponse{Schedules: found, NextPageToken: next}), nil
}

// countByDefault is how many times a preview shows where the caller does not say.
const countByDefault = 10

func (s *schedules) PreviewSchedule(ctx context.Context, r *connect.Request[contract.PreviewScheduleRequest]) (*connect.Response[contract.PreviewScheduleResponse], error) {
	var shown scenario.Schedule
	if thought := r.Msg.GetSchedule(); thought != nil {
		checked, err := s.Commands.CheckSchedule(thought)
		if err != nil {
			return nil, inRequest(err, "schedule")
		}
		shown = checked
	} else {
		found, err := s.schedule(ctx, r.Msg.GetScheduleId())
		if err != nil {
			return nil, err
		}
		shown = found.Schedule
	}
	after := s.Now()
	if r.Msg.GetAfter() != nil {
		after = r.Msg.GetAfter().AsTime()
	}
	upcoming, skipped := shown.Preview(after, orDefault(int(r.Msg.GetCount()), countByDefault))
	answer := &contract.PreviewScheduleResponse{}
	for _, u := range upcoming {
		answer.Upcoming = append(answer.Upcoming, &contract.UpcomingOccurrence{DueAt: moment(u.At), LocalTime: u.At.Format(time.RFC3339), Twice: u.Twice})
	}
	for _, t := range skipped {
		answer.SkippedLocalTimes = append(answer.SkippedLocalTimes, t.Format("2006-01-02T15:04:05"))
	}
	return connect.NewResponse(answer), nil
}

func scheduleMessage(s *scenario.ScheduleState, now time.Time) *contract.Schedule {
	m := &contract.Schedule{
		Setting: &contract.ScheduleSet{
			ScheduleId: string(s.ScheduleID), ScenarioId: string(s.ScenarioID), Kind: string(s.Kind), Cron: s.Cron, TimeZone: s.TimeZone, RunAt: moment(s.RunAt),
			AfterScenarioId: string(s.AfterScenarioID), EventType: s.EventType, Enabled: s.Enabled, ConcurrencyPolicy: string(s.ConcurrencyPolicy),
			StartingDeadline: length(s.StartingDeadline), NotBefore: moment(s.NotBefore), NotAfter: moment(s.NotAfter), Parameters: object(s.Parameters),
		},
		CreatedAt: moment(s.CreatedAt), UpdatedAt: moment(s.UpdatedAt),
	}
	if next := s.Next(now, 1); len(next) > 0 && !s.Removed {
		m.NextDueAt = moment(next[0])
	}
	return m
}

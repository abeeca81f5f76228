package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Schedule is a schedule as it is stored, or ErrNotFound. A removed one is a
// tombstone.
func (s *Store) Schedule(ctx context.Context, id scenario.ScheduleID) (*scenario.ScheduleState, error) {
	rows, err := s.q.SchedulesByID(ctx, []string{string(id)})
	if err != nil {
		return nil, interpret("read schedule", err)
	}
	if len(rows) == 0 {
		return nil, ErrNotFound
	}
	return scheduleFromRow(&rows[0])
}

// ScheduleFilter selects schedules; zero values select all.
type ScheduleFilter struct {
	ScenarioID scenario.ID
	After      scenario.ScheduleID // only ids above
	Page       int                 // how many at most
}

// Schedules is a page of the schedules that are not removed, by id.
func (s *Store) Schedules(ctx context.Context, f ScheduleFilter) ([]*scenario.ScheduleState, error) {
	var rows []dbsqlc.Schedule
	var err error
	if f.ScenarioID == "" {
		rows, err = s.q.SchedulesPage(ctx, string(f.After), int32(f.Page))
	} else {
		rows, err = s.q.SchedulesOfScenario(ctx, string(f.ScenarioID), string(f.After), int32(f.Page))
	}
	if err != nil {
		return nil, interpret("list schedules", err)
	}
	out := make([]*scenario.ScheduleState, len(rows))
	for i := range rows {
		if out[i], err = scheduleFromRow(&rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// OccurrenceFilter selects occurrences of a schedule.
type OccurrenceFilter struct {
	ScheduleID scenario.ScheduleID
	Before     time.Time             // only those due earlier, or then with an id below; zero: from the latest
	BeforeID   scenario.OccurrenceID // of the last one that was read
	Page       int                   // how many at most
}

// latestDue is later than any time that an occurrence is due at.
var latestDue = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// Occurrences is a page of the occurrences of a schedule that have come due,
// the latest first.
func (s *Store) Occurrences(ctx context.Context, f OccurrenceFilter) ([]Occurrence, error) {
	if f.Before.IsZero() {
		f.Before, f.BeforeID = latestDue, ""
	}
	rows, err := s.q.OccurrencesPage(ctx, dbsqlc.OccurrencesPageParams{
		ScheduleID: string(f.ScheduleID), Before: f.Before, BeforeOccurrence: string(f.BeforeID), Page: int32(f.Page),
	})
	if err != nil {
		return nil, interpret("list occurrences", err)
	}
	return occurrencesFromRows(rows), nil
}

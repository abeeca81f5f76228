package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const (
	plansAtOnce   = 20    // in one transaction: each may make scenario.MostPlanned occurrences
	mostReplanned = 5_000 // due occurrences that are looked at when schedules were changed; the others are when they are claimed
	mostLate      = 1_000 // occurrences that one transaction settles as missed
)

// Planned counts what PlanDue has done.
type Planned struct {
	Schedules int // that were looked at
	Late      int // occurrences that nobody claimed in time
}

// PlanDue makes the occurrences that have come due until now, by PostgreSQL's
// clock, in as many transactions as that takes, and settles those that are too
// late by now. Any number of callers may do so at once: what one has in hand the
// others leave out.
func (s *Store) PlanDue(ctx context.Context) (Planned, error) {
	now, err := s.Time(ctx)
	if err != nil {
		return Planned{}, err
	}
	return s.planUntil(ctx, now)
}

func (s *Store) planUntil(ctx context.Context, now time.Time) (Planned, error) {
	var sum Planned
	for more := true; more; {
		var done Planned
		if err := s.Batch(ctx, now, func(tx *Tx) (err error) {
			done, err = tx.planDue(ctx, now)
			return err
		}); err != nil {
			return sum, err
		}
		sum.Schedules += done.Schedules
		sum.Late += done.Late
		more = done.Schedules == plansAtOnce || done.Late == mostLate
	}
	return sum, nil
}

func (tx *Tx) planDue(ctx context.Context, now time.Time) (Planned, error) {
	late, err := tx.q.SettleLate(ctx, now, mostLate)
	if err != nil {
		return Planned{}, interpret("settle late occurrences", err)
	}
	plans, err := tx.q.LockDuePlans(ctx, now, plansAtOnce)
	if err != nil {
		return Planned{}, interpret("lock plans of schedules", err)
	}
	done := Planned{Schedules: len(plans), Late: int(late)}
	if len(plans) == 0 {
		return done, nil
	}
	ids := make([]string, len(plans))
	for i := range plans {
		ids[i] = plans[i].ScheduleID
	}
	schedules, err := tx.schedulesByID(ctx, ids)
	if err != nil {
		return Planned{}, err
	}
	if err := tx.replan(ctx, now, plans, schedules); err != nil {
		return Planned{}, err
	}
	var made []scenario.Occurrence
	saved := dbsqlc.SavePlansParams{Now: now}
	for _, p := range plans {
		saved.Ids = append(saved.Ids, p.ScheduleID)
		s := schedules[scenario.ScheduleID(p.ScheduleID)]
		plan := s.state.Plan(p.PlannedUntil, now)
		made = append(made, plan.Occurrences...)
		saved.Versions, saved.NextDue = append(saved.Versions, s.version), append(saved.NextDue, plan.Next)
	}
	return done, tx.insertOccurrences(ctx, now, made, func() error { return tx.queued.SavePlans(ctx, saved) })
}

func (tx *Tx) insertOccurrences(ctx context.Context, now time.Time, made []scenario.Occurrence, then func() error) error {
	if len(made) > 0 {
		tx.pipe.doing("insert occurrences of schedules")
		if err := tx.queued.InsertOccurrences(ctx, newOccurrences(now, made)); err != nil {
			return err
		}
	}
	tx.pipe.doing("save plans of schedules")
	return then()
}

// replan holds what is due under a former setting of schedules against the
// present one.
func (tx *Tx) replan(ctx context.Context, now time.Time, plans []dbsqlc.SchedulePlan, schedules map[scenario.ScheduleID]versionedSchedule) error {
	var changed []string
	for _, p := range plans {
		if p.ScheduleVersion == 0 {
			changed = append(changed, p.ScheduleID)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	rows, err := tx.q.LockDueOf(ctx, changed, mostReplanned)
	if err != nil {
		return interpret("lock due occurrences", err)
	}
	var settled settlements
	var moved occurrenceKeys
	var startBy []time.Time
	for i := range rows {
		o := occurrenceFromRow(&rows[i])
		former := o.StartBy
		switch s := schedules[o.ScheduleID]; {
		case s.state.Settle(&o.Occurrence, now):
			settled.add(&o.Occurrence)
		case !o.StartBy.Equal(former):
			moved.add(&o.Occurrence)
			startBy = append(startBy, o.StartBy)
		}
	}
	if err := tx.settleOccurrences(ctx, now, &settled); err != nil || len(startBy) == 0 {
		return err
	}
	tx.pipe.doing("move starting deadlines")
	return tx.queued.MoveStartBy(ctx, moved.schedules, moved.occurrences, startBy)
}

func (tx *Tx) settleOccurrences(ctx context.Context, now time.Time, s *settlements) error {
	if len(s.statuses) == 0 {
		return nil
	}
	tx.pipe.doing("settle occurrences")
	return tx.queued.SettleOccurrences(ctx, dbsqlc.SettleOccurrencesParams{
		Now: now, ScheduleIds: s.keys.schedules, OccurrenceIds: s.keys.occurrences, Statuses: s.statuses, Reasons: s.reasons, Details: s.details,
	})
}

// versionedSchedule is a schedule with the version of its row.
type versionedSchedule struct {
	state   *scenario.ScheduleState
	version int64
}

// schedulesByID reads schedules as they are at this moment.
func (tx *Tx) schedulesByID(ctx context.Context, ids []string) (map[scenario.ScheduleID]versionedSchedule, error) {
	rows, err := tx.q.SchedulesByID(ctx, ids)
	if err != nil {
		return nil, interpret("load schedules", err)
	}
	schedules := make(map[scenario.ScheduleID]versionedSchedule, len(rows))
	for i := range rows {
		s, err := scheduleFromRow(&rows[i])
		if err != nil {
			return nil, err
		}
		schedules[s.ScheduleID] = versionedSchedule{s, rows[i].Version}
	}
	return schedules, nil
}

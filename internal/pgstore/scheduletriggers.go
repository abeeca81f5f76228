package pgstore

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Schedules of kinds after_scenario and event come due in the transaction that
// accepts the event: no cursor can lag behind, and no crash can lose or double
// one. Whoever saves events (SaveExecutions, SaveDefinitions) triggers them.

// watched is what schedules wait for; mostly nothing.
type watched struct {
	asked      bool
	eventTypes map[fact.Type]bool
	scenarios  map[scenario.ID]bool // a run of which has to pass
}

// WatchTriggers asks ahead what schedules wait for, which Save would ask anyway:
// the answer comes with that of the next statement that somebody waits for. A
// schedule that is set after this moment does not see the transaction's events,
// as if they had come before it.
func (tx *Tx) WatchTriggers(ctx context.Context) {
	tx.watched.asked = true
	tx.pipe.doing("ask what schedules wait for")
	asked := tx.queued.WatchedTriggers(ctx, []string{""})
	tx.pipe.taking(func() error { return tx.watch(asked) })
}

// watch takes the answer.
func (tx *Tx) watch(asked *dbsqlc.WatchedTriggersBatchResults) (failed error) {
	asked.Query(func(_ int, rows []dbsqlc.WatchedTriggersRow, err error) {
		failed = interpret("ask what schedules wait for", err)
		for _, r := range rows {
			if r.Kind == string(scenario.ScheduleEvent) {
				put(&tx.watched.eventTypes, fact.Type(r.Source), true)
			} else {
				put(&tx.watched.scenarios, scenario.ID(r.Source), true)
			}
		}
	})
	return failed
}

func (tx *Tx) whatIsWatched(ctx context.Context) (*watched, error) {
	if !tx.watched.asked {
		tx.watched.asked = true
		return &tx.watched, tx.watch(tx.q.WatchedTriggers(ctx, []string{""}))
	}
	return &tx.watched, nil
}

// triggerByRuns makes the occurrences that come of accepted events of runs.
func (tx *Tx) triggerByRuns(ctx context.Context, events []PlacedEvent, states []*execution.State) error {
	w, err := tx.whatIsWatched(ctx)
	if err != nil {
		return err
	}
	var triggers []scenario.Trigger
	if len(w.eventTypes) > 0 {
		for i := range events {
			if h := &events[i].Header; w.eventTypes[h.Type] {
				triggers = append(triggers, triggerOf(h))
			}
		}
	}
	if len(w.scenarios) > 0 {
		for _, s := range states {
			if r := &s.Run; r.Status == execution.StatusPassed && w.scenarios[scenario.ID(r.ScenarioID)] {
				triggers = append(triggers, scenario.RunPassed(scenario.ID(r.ScenarioID), scenario.RunRef{ExecutionID: string(r.ID), Run: int32(r.Number)}, r.EndedAt))
			}
		}
	}
	return tx.TriggerSchedules(ctx, triggers)
}

// triggerByDefinitions makes the occurrences that come of accepted events about
// scenarios, templates and schedules.
func (tx *Tx) triggerByDefinitions(ctx context.Context, events []AcceptedDefinition) error {
	w, err := tx.whatIsWatched(ctx)
	if err != nil || len(w.eventTypes) == 0 {
		return err
	}
	var triggers []scenario.Trigger
	for i := range events {
		if h := &events[i].Header; w.eventTypes[h.Type] {
			triggers = append(triggers, triggerOf(h))
		}
	}
	return tx.TriggerSchedules(ctx, triggers)
}

func triggerOf(h *fact.Header) scenario.Trigger {
	return scenario.Trigger{Kind: scenario.ScheduleEvent, Source: string(h.Type), At: h.Time, EventKey: h.Key}
}

// TriggerSchedules makes the occurrences that come of what has happened. The
// same trigger again makes no second one.
func (tx *Tx) TriggerSchedules(ctx context.Context, triggers []scenario.Trigger) error {
	if len(triggers) == 0 {
		return nil
	}
	var eventTypes, scenarios []string
	for _, t := range triggers {
		if t.Kind == scenario.ScheduleEvent {
			eventTypes = append(eventTypes, t.Source)
		} else {
			scenarios = append(scenarios, t.Source)
		}
	}
	rows, err := tx.q.SchedulesWaiting(ctx, texts(eventTypes), texts(scenarios))
	if err != nil {
		return interpret("load schedules that wait", err)
	}
	if len(rows) == 0 {
		return nil
	}
	now, err := tx.serverTime(ctx)
	if err != nil {
		return err
	}
	var made []scenario.Occurrence
	for i := range rows {
		s, err := scheduleFromRow(&rows[i])
		if err != nil {
			return err
		}
		for _, t := range triggers {
			if o, ok := s.Trigger(t, now); ok {
				made = append(made, o)
			}
		}
	}
	if len(made) == 0 {
		return nil
	}
	tx.pipe.doing("insert occurrences of schedules")
	return tx.queued.InsertOccurrences(ctx, newOccurrences(now, made))
}

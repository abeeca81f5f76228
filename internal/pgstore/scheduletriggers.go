package pgstore

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Watched is what schedules wait for, at the beginning of a transaction.
type Watched struct {
	EventTypes map[string]bool
	Scenarios  map[scenario.ID]bool // a run of which has to pass
}

// WatchTriggers asks what schedules wait for. Nobody waits for the answer: it
// comes with the next one that somebody does wait for. A schedule that is set
// after this moment does not see the transaction's events, as if they had come
// before it.
func (tx *Tx) WatchTriggers(ctx context.Context) {
	tx.pipe.doing("ask what schedules wait for")
	asked := tx.queued.WatchedTriggers(ctx, []string{""})
	tx.pipe.taking(func() (failed error) {
		asked.Query(func(_ int, rows []dbsqlc.WatchedTriggersRow, err error) {
			failed = interpret("ask what schedules wait for", err)
			for _, r := range rows {
				if r.Kind == string(scenario.ScheduleEvent) {
					put(&tx.watched.EventTypes, r.Source, true)
				} else {
					put(&tx.watched.Scenarios, scenario.ID(r.Source), true)
				}
			}
		})
		return failed
	})
}

// Watched is the answer to WatchTriggers, as soon as a later statement has been
// waited for; empty before.
func (tx *Tx) Watched() Watched { return tx.watched }

// TriggerSchedules makes the occurrences that come of what has happened, of the
// kinds that Watched names. The same trigger again makes no second one.
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
	var made []scenario.Occurrence
	for i := range rows {
		s, err := scheduleFromRow(&rows[i])
		if err != nil {
			return err
		}
		for _, t := range triggers {
			if o, ok := s.Trigger(t, tx.now); ok {
				made = append(made, o)
			}
		}
	}
	if len(made) == 0 {
		return nil
	}
	tx.pipe.doing("insert occurrences of schedules")
	return tx.queued.InsertOccurrences(ctx, newOccurrences(tx.now, made))
}

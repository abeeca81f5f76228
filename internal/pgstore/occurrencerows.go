package pgstore

import (
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Occurrence is an occurrence as it is stored, with the claims on it.
type Occurrence struct {
	scenario.Occurrence

	// Of the latest claim; zero when it was never claimed.
	Token          int64
	ClaimedBy      string
	ClaimedAt      time.Time
	LeaseExpiresAt time.Time // zero unless it is claimed now

	// What came of it; zero unless it is completed.
	Outcome scenario.OccurrenceOutcome
	Run     scenario.RunRef

	CreatedAt time.Time
	SettledAt time.Time // zero while it is due or claimed
}

// occurrenceFromRow is the one mapper of an occurrence's row to the domain.
func occurrenceFromRow(r *dbsqlc.ScheduleOccurrence) Occurrence {
	o := Occurrence{
		Occurrence: scenario.Occurrence{
			ScheduleID: scenario.ScheduleID(r.ScheduleID), ID: scenario.OccurrenceID(r.OccurrenceID), Kind: scenario.ScheduleKind(r.Kind),
			DueAt: r.DueAt.UTC(), DueUntil: timeOf(r.DueUntil), StartBy: timeOf(r.StartBy),
			Status: scenario.OccurrenceStatus(r.Status), Reason: scenario.OccurrenceReason(r.Reason), Detail: r.Detail,
		},
		Token: r.ClaimToken, ClaimedBy: r.ClaimedBy, ClaimedAt: timeOf(r.ClaimedAt), LeaseExpiresAt: timeOf(r.LeaseExpiresAt),
		Outcome: scenario.OccurrenceOutcome(r.Outcome), Run: scenario.RunRef{ExecutionID: r.ExecutionID, Run: valueOf(r.Run)},
		CreatedAt: r.CreatedAt.UTC(), SettledAt: timeOf(r.SettledAt),
	}
	if r.TriggerSource != "" {
		o.Trigger = scenario.Trigger{
			Kind: o.Kind, Source: r.TriggerSource, At: o.DueAt,
			Run: scenario.RunRef{ExecutionID: r.TriggerExecutionID, Run: valueOf(r.TriggerRun)},
		}
		if r.TriggerEventKey != nil {
			o.Trigger.EventKey = fact.Key(r.TriggerEventKey)
		}
	}
	return o
}

func occurrencesFromRows(rows []dbsqlc.ScheduleOccurrence) []Occurrence {
	out := make([]Occurrence, len(rows))
	for i := range rows {
		out[i] = occurrenceFromRow(&rows[i])
	}
	return out
}

// newOccurrences are the columns of occurrences that are to be inserted.
func newOccurrences(now time.Time, occurrences []scenario.Occurrence) dbsqlc.InsertOccurrencesParams {
	p := dbsqlc.InsertOccurrencesParams{Now: now}
	for i := range occurrences {
		o := &occurrences[i]
		var eventKey []byte
		if o.Trigger.Kind == scenario.ScheduleEvent {
			eventKey = o.Trigger.EventKey[:]
		}
		p.ScheduleIds = append(p.ScheduleIds, string(o.ScheduleID))
		p.OccurrenceIds = append(p.OccurrenceIds, string(o.ID))
		p.Kinds = append(p.Kinds, string(o.Kind))
		p.Due = append(p.Due, o.DueAt)
		p.DueUntil = append(p.DueUntil, o.DueUntil)
		p.TriggerSources = append(p.TriggerSources, o.Trigger.Source)
		p.TriggerExecutionIds = append(p.TriggerExecutionIds, o.Trigger.Run.ExecutionID)
		p.TriggerRuns = append(p.TriggerRuns, o.Trigger.Run.Run)
		p.TriggerEventKeys = append(p.TriggerEventKeys, eventKey)
		p.StartBy = append(p.StartBy, o.StartBy)
		p.Statuses = append(p.Statuses, string(o.Status))
		p.Reasons = append(p.Reasons, string(o.Reason))
	}
	return p
}

// occurrenceKeys are the columns of the keys of occurrences.
type occurrenceKeys struct{ schedules, occurrences []string }

func (k *occurrenceKeys) add(o *scenario.Occurrence) {
	k.schedules, k.occurrences = append(k.schedules, string(o.ScheduleID)), append(k.occurrences, string(o.ID))
}

// settlements are occurrences that are settled without a claim, as columns.
type settlements struct {
	keys                       occurrenceKeys
	statuses, reasons, details []string
}

func (s *settlements) add(o *scenario.Occurrence) {
	s.keys.add(o)
	s.statuses, s.reasons, s.details = append(s.statuses, string(o.Status)), append(s.reasons, string(o.Reason)), append(s.details, o.Detail)
}

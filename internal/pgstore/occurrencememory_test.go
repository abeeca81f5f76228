package pgstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const day = 24 * time.Hour

// past is what happened at a moment: schedules of all kinds came due.
type past struct {
	*planner
	at       time.Time
	triggers []scenario.Trigger
}

// schedules are those of all kinds, due at the moment, with a starting deadline or
// without.
func (h *past) schedules(deadline *time.Duration) []scenario.Schedule {
	yearly := fmt.Sprintf("%d %d %d %d *", h.at.Minute(), h.at.Hour(), h.at.Day(), h.at.Month())
	return []scenario.Schedule{
		{ScheduleID: "once", Kind: scenario.ScheduleOnce, RunAt: h.at, StartingDeadline: deadline},
		{ScheduleID: "cron", Kind: scenario.ScheduleCron, Cron: yearly, StartingDeadline: deadline},
		{ScheduleID: "after", Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b", StartingDeadline: deadline},
		{ScheduleID: "event", Kind: scenario.ScheduleEvent, EventType: "deployed", StartingDeadline: deadline},
	}
}

func newPast(t testing.TB, at time.Time) *past {
	h := &past{planner: newPlanner(t), at: at, triggers: []scenario.Trigger{
		{Kind: scenario.ScheduleEvent, Source: "deployed", At: at, EventKey: fact.NewKey("s", "1", "x")},
		scenario.RunPassed("b", scenario.RunRef{ExecutionID: "e", Run: 3}, at),
	}}
	for _, s := range h.schedules(nil) {
		h.set(at.Add(-time.Hour), s)
	}
	h.plan(at)
	h.trigger(at)
	return h
}

func (h *past) trigger(at time.Time) {
	h.t.Helper()
	must(h.t, h.BatchAt(h.t.Context(), at, func(tx *pgstore.Tx) error { return tx.TriggerSchedules(h.t.Context(), h.triggers) }))
}

// forget removes what is not to be remembered, two at a time, and tells how many.
func (h *past) forget(memory time.Duration) (sum int64) {
	h.t.Helper()
	for {
		n, err := h.ForgetOccurrences(h.t.Context(), memory, 2)
		must(h.t, err)
		if sum += n; n < 2 {
			return sum
		}
	}
}

// remembered are the schedules whose occurrences are, with their statuses.
func (h *past) remembered() map[scenario.ScheduleID]string {
	h.t.Helper()
	all := map[scenario.ScheduleID]string{}
	for _, s := range h.schedules(nil) {
		found, err := h.Occurrences(h.t.Context(), pgstore.OccurrenceFilter{ScheduleID: s.ScheduleID, Page: 10})
		must(h.t, err)
		for _, o := range found {
			all[s.ScheduleID] += string(o.Status)
		}
	}
	return all
}

// What was settled long ago is forgotten, and nothing makes it again: neither the
// same events, nor a setting by which it could still be started.
func TestAForgottenOccurrenceIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Minute)
	h := newPast(t, now.Add(-100*day))
	claimed := h.claim(h.at, pgstore.ClaimDue{})
	if len(claimed) != 4 {
		t.Fatalf("claimed %s", dueTimes(claimed))
	}
	for i, o := range claimed {
		number := int32(i + 1)
		h.run("f", number, "passed")
		h.started(h.at, o, scenario.RunRef{ExecutionID: "f", Run: number})
	}
	once := map[scenario.ScheduleID]string{"once": "completed"} // the schedule may be set to its time again
	if n := h.forget(90 * day); n != 3 {
		t.Errorf("%d were forgotten, want 3", n)
	}
	if diff := cmp.Diff(once, h.remembered()); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	for _, o := range claimed {
		_, err := h.complete(now, keyOf(o.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeStarted, Run: scenario.RunRef{ExecutionID: "f"}})
		if o.ScheduleID != "once" && !errors.Is(err, pgstore.ErrNotFound) {
			t.Errorf("%s, completed after it was forgotten: %v", o.ScheduleID, err)
		}
	}

	year := 365 * day
	off := func(s scenario.Schedule) scenario.Schedule {
		s.Enabled = pointer(false)
		return s
	}
	for name, again := range map[string]func(s scenario.Schedule){
		"planned again":       func(scenario.Schedule) {},
		"set with a deadline": func(s scenario.Schedule) { h.set(now, s) },
		"set without one": func(s scenario.Schedule) {
			s.StartingDeadline = nil
			h.set(now, s)
		},
		"disabled and enabled": func(s scenario.Schedule) {
			h.set(now, off(s))
			h.plan(now)
			h.set(now, s)
		},
		"removed and set": func(s scenario.Schedule) {
			foldAt(t, h.Store, now, h.say(string(s.ScheduleID), &scenario.ScheduleRemoved{ScheduleID: s.ScheduleID}))
			h.plan(now)
			h.set(now, s)
		},
	} {
		for _, s := range h.schedules(&year) {
			again(s)
		}
		h.trigger(now)
		h.plan(now)
		if got := h.claim(now, pgstore.ClaimDue{}); got != nil {
			t.Errorf("%s: claimed %s of %s", name, dueTimes(got), got[0].ScheduleID)
		}
		if diff := cmp.Diff(once, h.remembered()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is due or claimed, and that whose run may be active, is never forgotten,
// and what was settled lately is not either, whatever is asked for.
func TestWhatIsStillWantedIsRemembered(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Minute)
	h := newPast(t, now.Add(-100*day))
	var due pgstore.ClaimedOccurrence
	for _, o := range h.claim(h.at, pgstore.ClaimDue{Lease: 200 * day}) {
		switch o.ScheduleID {
		case "cron":
			due = o
		case "after":
			h.run("f", 1, "running")
			h.started(h.at, o, scenario.RunRef{ExecutionID: "f", Run: 1})
		case "event":
			_, err := h.complete(now.Add(-29*day), keyOf(o.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted})
			must(t, err)
		}
	}
	if n := h.forget(0); n != 0 {
		t.Errorf("%d were forgotten: remembered are %v", n, h.remembered())
	}
	// Its run is seen ended when a later one of the schedule is completed.
	h.run("f", 1, "passed")
	h.triggers = h.triggers[1:]
	h.triggers[0].Run.Run, h.triggers[0].At = 4, now
	h.trigger(now)
	next := h.claim(now, pgstore.ClaimDue{})
	_, err := h.complete(now, keyOf(next[0].Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted})
	must(t, err)
	_, err = h.complete(h.at, keyOf(due.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted})
	must(t, err)
	if n := h.forget(0); n != 2 {
		t.Errorf("%d were forgotten, want those of cron and after: remembered are %v", n, h.remembered())
	}
}

package pgstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// planner is a store with schedules, and somebody who sets them.
type planner struct {
	*pgstore.Store
	db *testenv.DB
	author
	t testing.TB
}

func newPlanner(t testing.TB) *planner {
	t.Helper()
	db := testenv.Postgres(t)
	return &planner{Store: openStore(t, db), db: db, t: t}
}

// set sets a schedule at a moment.
func (p *planner) set(at time.Time, s scenario.Schedule) {
	p.t.Helper()
	if s.ScheduleID == "" {
		s.ScheduleID = "s"
	}
	s.ScenarioID = "x"
	foldAt(p.t, p.Store, at, p.say(string(s.ScheduleID), &scenario.ScheduleSet{Schedule: s}))
}

func (p *planner) remove(at time.Time) {
	p.t.Helper()
	foldAt(p.t, p.Store, at, p.say("s", &scenario.ScheduleRemoved{ScheduleID: "s"}))
}

func (p *planner) plan(at time.Time) pgstore.Planned {
	p.t.Helper()
	done, err := p.PlanDueAt(p.t.Context(), at)
	must(p.t, err)
	return done
}

func (p *planner) claim(at time.Time, ask pgstore.ClaimDue) (claimed []pgstore.ClaimedOccurrence) {
	p.t.Helper()
	if ask.Claimer == "" {
		ask.Claimer = "c"
	}
	if ask.Most == 0 {
		ask.Most = 10
	}
	if ask.Lease == 0 {
		ask.Lease = time.Hour
	}
	must(p.t, p.BatchAt(p.t.Context(), at, func(tx *pgstore.Tx) error {
		claims, err := tx.ClaimDue(p.t.Context(), ask)
		claimed = claims.Claimed
		return err
	}))
	return claimed
}

func (p *planner) complete(at time.Time, k pgstore.ClaimKey, c pgstore.Completion) (o pgstore.Occurrence, err error) {
	p.t.Helper()
	err = p.BatchAt(p.t.Context(), at, func(tx *pgstore.Tx) (err error) {
		o, err = tx.CompleteClaim(p.t.Context(), k, c)
		return err
	})
	return o, err
}

// started completes a claim with a run.
func (p *planner) started(at time.Time, o pgstore.ClaimedOccurrence, run scenario.RunRef) {
	p.t.Helper()
	_, err := p.complete(at, keyOf(o.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeStarted, Run: run})
	must(p.t, err)
}

func keyOf(o pgstore.Occurrence) pgstore.ClaimKey {
	return pgstore.ClaimKey{ScheduleID: o.ScheduleID, OccurrenceID: o.ID, Token: o.Token}
}

// list is what there is of a schedule, the earliest first, one a line.
func (p *planner) list() []string {
	p.t.Helper()
	stored, err := p.Occurrences(p.t.Context(), pgstore.OccurrenceFilter{ScheduleID: "s", Page: 5000})
	must(p.t, err)
	var lines []string
	for _, o := range stored {
		line := o.DueAt.Format("15:04") + " " + string(o.Status)
		for _, s := range []string{string(o.Reason), string(o.Outcome)} {
			if s != "" {
				line += " " + s
			}
		}
		lines = append([]string{line}, lines...)
	}
	return lines
}

func (p *planner) wantList(when string, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.list()); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// dueTimes are the times at which occurrences are due.
func dueTimes(claimed []pgstore.ClaimedOccurrence) string {
	var times []string
	for _, o := range claimed {
		times = append(times, o.DueAt.Format("15:04"))
	}
	return strings.Join(times, " ")
}

// clock is a time of one day.
func clock(hour, minute int) time.Time { return time.Date(2026, 4, 1, hour, minute, 0, 0, time.UTC) }

// hourly is due at each full hour.
func hourly(policy scenario.ConcurrencyPolicy) scenario.Schedule {
	return scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 * * * *", ConcurrencyPolicy: policy}
}

func TestAScheduleIsPlannedAsItComesDue(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	if done := p.plan(clock(12, 59)); done.Schedules != 1 {
		t.Errorf("%d schedules were looked at after they were set, want 1", done.Schedules)
	}
	p.wantList("before the first is due")
	if done := p.plan(clock(12, 59)); done.Schedules != 0 {
		t.Errorf("%d schedules were looked at in vain", done.Schedules)
	}
	p.plan(clock(13, 0))
	p.plan(clock(13, 0))
	p.wantList("at the first", "13:00 due")
	p.plan(clock(15, 30))
	p.wantList("two later", "13:00 due", "14:00 due", "15:00 due")

	stored, err := p.Schedule(t.Context(), "s")
	must(t, err)
	if stored.Cron != "0 * * * *" || stored.Removed {
		t.Errorf("schedule %+v", stored)
	}
	if _, err := p.Schedule(t.Context(), "other"); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("another schedule: %v", err)
	}
}

func TestALateOccurrenceIsMissed(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	s := hourly("")
	s.StartingDeadline = pointer(10 * time.Minute)
	p.set(clock(12, 30), s)
	p.plan(clock(13, 5))
	p.wantList("in time", "13:00 due")
	if done := p.plan(clock(13, 10)); done.Late != 0 {
		t.Errorf("%d are late at the last moment", done.Late)
	}
	if done := p.plan(clock(13, 11)); done.Late != 1 {
		t.Errorf("%d are late, want 1", done.Late)
	}
	p.wantList("after the deadline", "13:00 missed too_late")
	p.plan(clock(14, 5))
	if claimed := p.claim(clock(14, 11), pgstore.ClaimDue{}); len(claimed) != 0 {
		t.Errorf("claimed after the deadline: %s", dueTimes(claimed))
	}
	p.wantList("claimed too late", "13:00 missed too_late", "14:00 missed too_late")
}

func TestAScheduleThatIsSetAnewIsPlannedAnew(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		change func(p *planner)
		want   []string
		later  []string // the same at 16:30
	}{
		"other parameters": {
			func(p *planner) {
				s := hourly("")
				s.Parameters = object
				p.set(clock(14, 30), s)
			},
			[]string{"13:00 claimed", "14:00 due"},
			[]string{"13:00 claimed", "14:00 due", "15:00 due", "16:00 due"},
		},
		"other times": {
			func(p *planner) {
				p.set(clock(14, 30), scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "15 * * * *"})
			},
			[]string{"13:00 claimed", "14:00 skipped changed"},
			[]string{"13:00 claimed", "14:00 skipped changed", "15:15 due", "16:15 due"},
		},
		"a deadline that has passed": {
			func(p *planner) {
				s := hourly("")
				s.StartingDeadline = pointer(time.Minute)
				p.set(clock(14, 30), s)
			},
			[]string{"13:00 claimed", "14:00 missed too_late"},
			[]string{"13:00 claimed", "14:00 missed too_late", "15:00 missed too_late", "16:00 missed too_late"},
		},
		"a deadline that will pass": {
			func(p *planner) {
				s := hourly("")
				s.StartingDeadline = pointer(time.Hour)
				p.set(clock(14, 30), s)
			},
			[]string{"13:00 claimed", "14:00 due"},
			[]string{"13:00 claimed", "14:00 missed too_late", "15:00 missed too_late", "16:00 due"},
		},
		"disabled": {
			func(p *planner) {
				s := hourly("")
				s.Enabled = &no
				p.set(clock(14, 30), s)
			},
			[]string{"13:00 claimed", "14:00 skipped disabled"},
			[]string{"13:00 claimed", "14:00 skipped disabled"},
		},
		"disabled and enabled": {
			func(p *planner) {
				s := hourly("")
				s.Enabled = &no
				p.set(clock(14, 30), s)
				p.plan(clock(14, 31))
				p.set(clock(15, 30), hourly(""))
			},
			[]string{"13:00 claimed", "14:00 skipped disabled"},
			[]string{"13:00 claimed", "14:00 skipped disabled", "16:00 due"},
		},
		"removed": {func(p *planner) { p.remove(clock(14, 30)) }, []string{"13:00 claimed", "14:00 skipped removed"}, []string{"13:00 claimed", "14:00 skipped removed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(12, 30), hourly(""))
			p.plan(clock(14, 0))
			if got := dueTimes(p.claim(clock(14, 1), pgstore.ClaimDue{Most: 1})); got != "13:00" {
				t.Fatalf("claimed %s", got)
			}
			c.change(p)
			p.plan(clock(14, 31))
			p.wantList("after the change", c.want...)
			p.plan(clock(16, 30))
			p.wantList("later", c.later...)
		})
	}
}

// A change must not lose what came due before it and nobody had made yet.
func TestAChangeKeepsWhatWasDueAndNotPlanned(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	p.plan(clock(12, 31))
	s := hourly("")
	s.Parameters = object
	p.set(clock(13, 1), s)
	p.set(clock(13, 2), s)
	p.plan(clock(13, 3))
	p.wantList("after two changes", "13:00 due")
}

func TestOnceIsDueOnce(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	once := func(at time.Time) scenario.Schedule {
		return scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at}
	}
	p.set(clock(12, 30), once(clock(12, 20)))
	p.plan(clock(12, 31))
	p.wantList("a little late", "12:20 due")
	p.started(clock(12, 32), p.claim(clock(12, 32), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e", Run: 1})
	p.set(clock(12, 33), once(clock(12, 20)))
	p.plan(clock(12, 34))
	p.wantList("set again", "12:20 completed started")
	p.set(clock(12, 40), once(clock(13, 0)))
	p.plan(clock(13, 1))
	p.wantList("set to another time", "12:20 completed started", "13:00 due")
}

func TestATriggerMakesOneOccurrence(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "deployed"})
	p.set(clock(12, 30), scenario.Schedule{ScheduleID: "after", Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"})
	p.set(clock(12, 30), scenario.Schedule{ScheduleID: "gone", Kind: scenario.ScheduleEvent, EventType: "gone"})
	foldAt(t, p.Store, clock(12, 31), p.say("gone", &scenario.ScheduleRemoved{ScheduleID: "gone"}))
	event := scenario.Trigger{Kind: scenario.ScheduleEvent, Source: "deployed", At: clock(13, 0), EventKey: fact.NewKey("s", "1", "x")}
	run := scenario.Trigger{Kind: scenario.ScheduleAfterScenario, Source: "b", At: clock(13, 1), Run: scenario.RunRef{ExecutionID: "e", Run: 3}}
	other := scenario.Trigger{Kind: scenario.ScheduleEvent, Source: "other", At: clock(13, 0), EventKey: fact.NewKey("s", "2", "x")}
	for range 2 {
		must(t, p.BatchAt(t.Context(), clock(13, 2), func(tx *pgstore.Tx) error {
			return tx.TriggerSchedules(t.Context(), []scenario.Trigger{event, run, other})
		}))
	}
	claimed := p.claim(clock(13, 3), pgstore.ClaimDue{})
	var got []scenario.Trigger
	for _, o := range claimed {
		got = append(got, o.Trigger)
	}
	if diff := cmp.Diff([]scenario.Trigger{event, run}, got); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	if n := countRows(t, p.db, "schedule_occurrences"); n != 2 {
		t.Errorf("%d occurrences, want 2", n)
	}
}

func TestOccurrencesAndSchedulesAreListedByPage(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(2, 30), hourly(""))
	p.plan(clock(9, 30)) // seven
	var pages []string
	f := pgstore.OccurrenceFilter{ScheduleID: "s", Page: 3}
	for {
		page, err := p.Occurrences(t.Context(), f)
		must(t, err)
		if len(page) == 0 {
			break
		}
		var times []string
		for _, o := range page {
			times = append(times, o.DueAt.Format("15"))
		}
		pages = append(pages, strings.Join(times, " "))
		last := page[len(page)-1]
		f.Before, f.BeforeID = last.DueAt, last.ID
	}
	if diff := cmp.Diff([]string{"09 08 07", "06 05 04", "03"}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}

	for _, id := range []scenario.ScheduleID{"a", "b", "c"} {
		s := hourly("")
		s.ScheduleID = id
		p.set(clock(10, 0), s)
	}
	p.remove(clock(11, 0))
	ids := func(f pgstore.ScheduleFilter) (ids string) {
		page, err := p.Schedules(t.Context(), f)
		must(t, err)
		for _, s := range page {
			ids += string(s.ScheduleID)
		}
		return ids
	}
	for _, of := range []scenario.ID{"", "x"} {
		if got := ids(pgstore.ScheduleFilter{ScenarioID: of, Page: 2}) + " " + ids(pgstore.ScheduleFilter{ScenarioID: of, After: "b", Page: 2}); got != "ab c" {
			t.Errorf("schedules of %q: %s", of, got)
		}
	}
	if got := ids(pgstore.ScheduleFilter{ScenarioID: "y", Page: 2}); got != "" {
		t.Errorf("schedules of another scenario: %s", got)
	}
}

package pgstore_test

import (
	"errors"
	"fmt"
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
	done, err := p.PlanDue(p.t.Context(), at)
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
	must(p.t, p.Batch(p.t.Context(), at, func(tx *pgstore.Tx) error {
		claims, err := tx.ClaimDue(p.t.Context(), ask)
		claimed = claims.Claimed
		return err
	}))
	return claimed
}

func (p *planner) complete(at time.Time, k pgstore.ClaimKey, c pgstore.Completion) (o pgstore.Occurrence, err error) {
	p.t.Helper()
	err = p.Batch(p.t.Context(), at, func(tx *pgstore.Tx) (err error) {
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

func TestManyCoordinatorsClaimInDueOrder(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for _, id := range []string{"a", "s", "z"} {
		s := hourly("")
		s.ScheduleID = scenario.ScheduleID(id)
		s.Parameters = object
		p.set(clock(12, 30), s)
	}
	p.plan(clock(14, 30))
	first, second := p.claim(clock(14, 30), pgstore.ClaimDue{Claimer: "one", Most: 4}), p.claim(clock(14, 30), pgstore.ClaimDue{Claimer: "two", Most: 4})
	if got := dueTimes(first) + ", " + dueTimes(second); got != "13:00 13:00 13:00 14:00, 14:00 14:00" {
		t.Errorf("claimed %s", got)
	}
	o := second[1]
	if o.ScheduleID != "z" || o.Token != 1 || o.ClaimedBy != "two" || o.Status != scenario.OccurrenceClaimed || string(o.Schedule.Parameters) != string(object) || o.Schedule.ScenarioID != "x" {
		t.Errorf("claimed %+v", o)
	}
	if lease := o.LeaseExpiresAt.Sub(o.ClaimedAt); lease < time.Hour || lease > time.Hour+time.Second {
		t.Errorf("the lease is %v, want an hour", lease)
	}
	if third := p.claim(clock(14, 30), pgstore.ClaimDue{}); third != nil {
		t.Errorf("claimed again: %s", dueTimes(third))
	}
}

func TestAnExpiredClaimIsClaimedAgainWithAHigherToken(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	p.plan(clock(13, 0))
	dead := p.claim(clock(13, 0), pgstore.ClaimDue{Claimer: "dead", Lease: time.Microsecond})[0]
	var next pgstore.ClaimedOccurrence
	testenv.Eventually(t, "the lease has expired", func() bool {
		claimed := p.claim(clock(13, 1), pgstore.ClaimDue{Claimer: "next", Lease: time.Hour})
		if len(claimed) > 0 {
			next = claimed[0]
		}
		return len(claimed) > 0
	})
	if dead.Token != 1 || next.Token != 2 || next.ID != dead.ID || next.ClaimedBy != "next" {
		t.Errorf("tokens %d and %d, claimed by %s", dead.Token, next.Token, next.ClaimedBy)
	}
	done := pgstore.Completion{Outcome: scenario.OutcomeStarted, Run: scenario.RunRef{ExecutionID: "e", Run: 1}}
	var lost *scenario.ClaimLostError
	if _, err := p.complete(clock(13, 2), keyOf(dead.Occurrence), done); !errors.As(err, &lost) || lost.Latest != 2 || lost.Status != scenario.OccurrenceClaimed {
		t.Errorf("completed with the old token: %v", err)
	}
	renew := func(k pgstore.ClaimKey) (o pgstore.Occurrence, err error) {
		err = p.Batch(t.Context(), clock(13, 2), func(tx *pgstore.Tx) (err error) {
			o, err = tx.RenewClaim(t.Context(), k, 2*time.Hour)
			return err
		})
		return o, err
	}
	if _, err := renew(keyOf(dead.Occurrence)); !errors.As(err, &lost) {
		t.Errorf("renewed with the old token: %v", err)
	}
	if o, err := renew(keyOf(next.Occurrence)); err != nil || !o.LeaseExpiresAt.After(next.LeaseExpiresAt.Add(30*time.Minute)) {
		t.Errorf("renewed until %v, was %v: %v", o.LeaseExpiresAt, next.LeaseExpiresAt, err)
	}
	if _, err := renew(pgstore.ClaimKey{ScheduleID: "s", OccurrenceID: "at:other", Token: 1}); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("renewed what is not there: %v", err)
	}
	o, err := p.complete(clock(13, 3), keyOf(next.Occurrence), done)
	must(t, err)
	if o.Status != scenario.OccurrenceCompleted || o.Run != done.Run || !o.SettledAt.Equal(clock(13, 3)) {
		t.Errorf("completed as %+v", o)
	}
	// The same again is the same; anything else is refused.
	again, err := p.complete(clock(13, 4), keyOf(next.Occurrence), done)
	if diff := cmp.Diff(o, again); err != nil || diff != "" {
		t.Errorf("completed again: %v (-first +second)\n%s", err, diff)
	}
	var otherwise *scenario.CompletedOtherwiseError
	if _, err := p.complete(clock(13, 4), keyOf(next.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted}); !errors.As(err, &otherwise) || otherwise.Run != done.Run {
		t.Errorf("completed otherwise: %v", err)
	}
	if _, err := renew(keyOf(next.Occurrence)); !errors.As(err, &lost) || lost.Status != scenario.OccurrenceCompleted {
		t.Errorf("renewed after its end: %v", err)
	}
	if _, err := p.complete(clock(13, 4), keyOf(dead.Occurrence), done); !errors.As(err, &lost) {
		t.Errorf("completed with the old token after its end: %v", err)
	}
}

// Its holder may be slow. As long as nobody else has it, that harms nobody.
func TestAnExpiredClaimStandsUntilAnotherTakesIt(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	p.plan(clock(13, 0))
	slow := p.claim(clock(13, 0), pgstore.ClaimDue{Lease: time.Microsecond})[0]
	testenv.Eventually(t, "the lease has expired", func() bool {
		var expired bool
		must(t, p.db.Pool(t).QueryRow(t.Context(), "SELECT lease_expires_at < clock_timestamp() FROM test_coordination.schedule_occurrences").Scan(&expired))
		return expired
	})
	p.started(clock(13, 1), slow, scenario.RunRef{ExecutionID: "e"})
	p.wantList("completed late", "13:00 completed started")
}

// What nobody came back for, and must not be started any more, is settled, and
// its claim is over.
func TestAnExpiredClaimOfARemovedScheduleIsOver(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	p.plan(clock(13, 0))
	dead := p.claim(clock(13, 0), pgstore.ClaimDue{Lease: time.Microsecond})[0]
	p.remove(clock(13, 1))
	testenv.Eventually(t, "the lease has expired", func() bool {
		if claimed := p.claim(clock(13, 1), pgstore.ClaimDue{}); len(claimed) > 0 {
			t.Fatal("claimed although its schedule was removed")
		}
		return p.list()[0] == "13:00 skipped removed"
	})
	var lost *scenario.ClaimLostError
	if _, err := p.complete(clock(13, 2), keyOf(dead.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted}); !errors.As(err, &lost) || lost.Latest != 2 {
		t.Errorf("completed: %v", err)
	}
}

// run stores a run in a status.
func (p *planner) run(id string, number int32, status string) {
	p.t.Helper()
	pool := p.db.Pool(p.t)
	_, err := pool.Exec(p.t.Context(), "INSERT INTO test_coordination.execution_ids (execution_id, latest_run, first_seen_at) VALUES ($1, $2, now()) ON CONFLICT (execution_id) DO UPDATE SET latest_run = excluded.latest_run", id, number)
	must(p.t, err)
	_, err = pool.Exec(p.t.Context(), `INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at)
		VALUES ($1, $2, now(), 1, $3, 'running', '', now(), now()) ON CONFLICT (execution_id, run) DO UPDATE SET status = excluded.status`, id, number, status)
	must(p.t, err)
}

func TestForbidSkipsWhileAnEarlierOneIsActive(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyForbid))
	p.plan(clock(14, 0))
	first := p.claim(clock(14, 0), pgstore.ClaimDue{})
	if got := dueTimes(first); got != "13:00" {
		t.Fatalf("claimed %s at once, want one", got)
	}
	p.wantList("two at once", "13:00 claimed", "14:00 skipped still_active")
	p.plan(clock(15, 0))
	p.claim(clock(15, 0), pgstore.ClaimDue{})
	p.wantList("while it is claimed", "13:00 claimed", "14:00 skipped still_active", "15:00 skipped still_active")

	p.started(clock(15, 10), first[0], scenario.RunRef{ExecutionID: "e", Run: 2})
	p.plan(clock(15, 10))
	s := hourly(scenario.ConcurrencyForbid)
	s.Cron = "15 * * * *"
	p.set(clock(15, 11), s)
	p.plan(clock(15, 15))
	p.claim(clock(15, 15), pgstore.ClaimDue{}) // nothing was heard of its run yet
	p.run("e", 1, "passed")
	p.run("e", 2, "running")
	p.plan(clock(16, 15))
	if claimed := p.claim(clock(16, 15), pgstore.ClaimDue{}); claimed != nil {
		t.Errorf("claimed %s while the run is active", dueTimes(claimed))
	}
	p.run("e", 2, "failed")
	p.plan(clock(17, 15))
	next := p.claim(clock(17, 15), pgstore.ClaimDue{})
	p.wantList("after its end", "13:00 completed started", "14:00 skipped still_active", "15:00 skipped still_active", "15:15 skipped still_active", "16:15 skipped still_active", "17:15 claimed")

	// Of a run that nobody ever hears of nobody waits for ever.
	p.started(clock(17, 16), next[0], scenario.RunRef{ExecutionID: "unheard"})
	p.plan(clock(18, 15))
	if got := dueTimes(p.claim(clock(18, 15), pgstore.ClaimDue{})); got != "18:15" {
		t.Errorf("claimed %q after a run that was never heard of", got)
	}
	var active int
	must(t, p.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.schedule_occurrences WHERE run_active").Scan(&active))
	if active != 0 {
		t.Errorf("%d runs count as active that have ended", active)
	}
}

func TestReplaceHasTheRunningOneCancelled(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(14, 0))
	first := p.claim(clock(14, 0), pgstore.ClaimDue{})
	if got := dueTimes(first); got != "14:00" || first[0].Cancel != nil {
		t.Fatalf("claimed %s, cancelling %v; want the latest", got, first[0].Cancel)
	}
	p.wantList("two at once", "13:00 skipped replaced", "14:00 claimed")
	p.plan(clock(15, 0))
	if claimed := p.claim(clock(15, 0), pgstore.ClaimDue{}); claimed != nil {
		t.Errorf("claimed %s before the run to be cancelled is known", dueTimes(claimed))
	}
	p.wantList("while it is claimed", "13:00 skipped replaced", "14:00 claimed", "15:00 due")
	p.run("e", 1, "running")
	p.started(clock(15, 1), first[0], scenario.RunRef{ExecutionID: "e", Run: 1})
	second := p.claim(clock(15, 2), pgstore.ClaimDue{})
	if diff := cmp.Diff([]scenario.RunRef{{ExecutionID: "e", Run: 1}}, second[0].Cancel); dueTimes(second) != "15:00" || diff != "" {
		t.Errorf("claimed %s, to be cancelled (-want +got):\n%s", dueTimes(second), diff)
	}
	p.run("e", 1, "cancelled")
	p.started(clock(15, 3), second[0], scenario.RunRef{ExecutionID: "f", Run: 1})
	p.run("f", 1, "passed")
	p.plan(clock(16, 0))
	if third := p.claim(clock(16, 0), pgstore.ClaimDue{}); dueTimes(third) != "16:00" || third[0].Cancel != nil {
		t.Errorf("claimed %s, cancelling %v, after the run had ended", dueTimes(third), third[0].Cancel)
	}
}

// One that has to wait must not keep others from being claimed.
func TestWhatWaitsIsPassedOver(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(13, 0))
	p.claim(clock(13, 0), pgstore.ClaimDue{})
	other := scenario.Schedule{ScheduleID: "z", Kind: scenario.ScheduleOnce, RunAt: clock(14, 10)}
	p.set(clock(13, 30), other)
	p.plan(clock(14, 10))
	if got := dueTimes(p.claim(clock(14, 10), pgstore.ClaimDue{Most: 1})); got != "14:10" {
		t.Errorf("claimed %q, want the one behind", got)
	}
}

// Two claimers that have different occurrences of one schedule in hand must not
// both be granted one.
func TestForbidHoldsAmongClaimersAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	for round := range 10 {
		s := hourly(scenario.ConcurrencyForbid)
		s.ScheduleID = scenario.ScheduleID(fmt.Sprint("s", round))
		p.set(clock(1, 30), s)
		p.plan(clock(11, 0)) // ten of them
		counts := make(chan int, 4)
		for i := range cap(counts) {
			go func() {
				n := 0
				if err := p.Batch(t.Context(), clock(11, 0), func(tx *pgstore.Tx) error {
					claims, err := tx.ClaimDue(t.Context(), pgstore.ClaimDue{Claimer: fmt.Sprint(i), Most: 3, Lease: time.Hour})
					n = len(claims.Claimed)
					return err
				}); err != nil {
					t.Error(err)
				}
				counts <- n
			}()
		}
		sum := 0
		for range cap(counts) {
			sum += <-counts
		}
		if sum != 1 {
			t.Fatalf("round %d: %d occurrences were granted at once, want 1", round, sum)
		}
	}
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
		must(t, p.Batch(t.Context(), clock(13, 2), func(tx *pgstore.Tx) error {
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

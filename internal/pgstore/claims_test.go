package pgstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

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
		err = p.BatchAt(t.Context(), clock(13, 2), func(tx *pgstore.Tx) (err error) {
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

// However many expired claims are over, one behind them is found.
func TestExpiredClaimsThatAreOverHideNone(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	behind := hourly("")
	behind.ScheduleID = "behind"
	p.set(clock(16, 30), behind)
	p.plan(clock(17, 0))
	if dead := p.claim(clock(17, 0), pgstore.ClaimDue{}); len(dead) != 6 {
		t.Fatalf("claimed %s", dueTimes(dead))
	}
	p.remove(clock(18, 0))
	_, err := p.db.Pool(t).Exec(t.Context(), `UPDATE test_coordination.schedule_occurrences
		SET lease_expires_at = clock_timestamp() - CASE schedule_id WHEN 'behind' THEN interval '1 minute' ELSE interval '2 minutes' END`)
	must(t, err)
	if claimed := p.claim(clock(18, 1), pgstore.ClaimDue{Most: 1}); len(claimed) != 1 || claimed[0].ScheduleID != "behind" || claimed[0].Token != 2 {
		t.Errorf("claimed %s", dueTimes(claimed))
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

// A run of which nothing was heard yet cannot be cancelled: who replaced it would
// run beside it.
func TestReplaceWaitsUntilTheRunIsHeardOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		heard func(p *planner)
		at    time.Time
		want  []scenario.RunRef
	}{
		"heard":       {func(p *planner) { p.run("e", 2, "running") }, clock(14, 1), []scenario.RunRef{{ExecutionID: "e", Run: 2}}},
		"ended":       {func(p *planner) { p.run("e", 2, "passed") }, clock(14, 1), nil},
		"never heard": {func(*planner) {}, clock(14, 6), nil},
	} {
		for _, number := range []int32{0, 2} {
			t.Run(fmt.Sprint(name, ", run ", number), func(t *testing.T) {
				t.Parallel()
				p := newPlanner(t)
				p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
				p.plan(clock(13, 0))
				p.started(clock(13, 55), p.claim(clock(13, 55), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e", Run: number})
				p.plan(clock(14, 0))
				if early := p.claim(clock(14, 0), pgstore.ClaimDue{}); early != nil {
					t.Errorf("claimed %s, cancelling %v, of which nothing was heard", dueTimes(early), early[0].Cancel)
				}
				p.wantList("before", "13:00 completed started", "14:00 due")
				c.heard(p)
				next := p.claim(c.at, pgstore.ClaimDue{})
				if got := dueTimes(next); got != "14:00" {
					t.Fatalf("claimed %q", got)
				}
				if diff := cmp.Diff(c.want, next[0].Cancel); diff != "" {
					t.Errorf("to be cancelled (-want +got):\n%s", diff)
				}
			})
		}
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
				if err := p.BatchAt(t.Context(), clock(11, 0), func(tx *pgstore.Tx) error {
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

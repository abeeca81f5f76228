package pgstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Who sets schedules, who plans them, and who claims and completes lock rows of
// the same two tables. None may run into a deadlock: nobody is there to try again.
func TestSettersPlannersAndClaimersNeverDeadlock(t *testing.T) {
	t.Parallel()
	const schedules, rounds = 6, 60
	p := newPlanner(t)
	policies := []scenario.ConcurrencyPolicy{"", scenario.ConcurrencyForbid, scenario.ConcurrencyReplace}
	setting := func(i, round int) scenario.Schedule {
		return scenario.Schedule{
			ScheduleID: scenario.ScheduleID(fmt.Sprint("s", i)), ScenarioID: "x", Kind: scenario.ScheduleCron,
			Cron: fmt.Sprintf("*/%d * * * *", 1+round%3), ConcurrencyPolicy: policies[i%3],
		}
	}
	at := func(round int) time.Time { return clock(1, 0).Add(time.Duration(round) * time.Minute) }
	var all sync.WaitGroup
	var set atomic.Int64 // rounds of the setter: the others play as long as it does
	play := func(name string, turn func(round int) error) {
		all.Go(func() {
			for round := 0; round < rounds; round = int(set.Load()) {
				if err := turn(round); err != nil {
					t.Errorf("%s, round %d: %v", name, round, err)
					return
				}
			}
		})
	}
	a := &author{}
	play("set", func(round int) error { // several in one transaction, in another order each time
		var events []*scenario.Event
		for i := range schedules {
			s := setting((i*5+round)%schedules, round)
			events = append(events, a.say(string(s.ScheduleID), &scenario.ScheduleSet{Schedule: s}))
		}
		set.Add(1)
		return p.BatchAt(t.Context(), at(round), func(tx *pgstore.Tx) error { return saveDefinitions(t, tx, events) })
	})
	for range 2 {
		play("plan", func(round int) error {
			_, err := p.PlanDueAt(t.Context(), at(round+10)) // by a clock that is ahead: there is always something due
			return err
		})
	}
	for c := range 3 {
		play("claim", func(round int) error {
			var claims pgstore.Claims
			if err := p.BatchAt(t.Context(), at(round+10), func(tx *pgstore.Tx) (err error) {
				claims, err = tx.ClaimDue(t.Context(), pgstore.ClaimDue{Claimer: fmt.Sprint(c), Most: 4, Lease: time.Hour})
				return err
			}); err != nil {
				return err
			}
			for _, o := range claims.Claimed {
				if err := p.BatchAt(t.Context(), at(round+10), func(tx *pgstore.Tx) error {
					_, err := tx.CompleteClaim(t.Context(), keyOf(o.Occurrence), pgstore.Completion{Outcome: scenario.OutcomeNotStarted})
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	all.Wait()
	var completed int
	must(t, p.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.schedule_occurrences WHERE status = 'completed'").Scan(&completed))
	if completed == 0 {
		t.Error("nothing was completed: nobody was in anybody's way")
	}
}

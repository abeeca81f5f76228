package pgstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// The first event of a run may come after the word that it was started. Until then
// the latest run of its execution is another: one that it replaces, or that has ended.
func TestARunWithoutANumberIsNoFormerOne(t *testing.T) {
	t.Parallel()
	t.Run("that it replaces", func(t *testing.T) {
		t.Parallel()
		p := newPlanner(t)
		p.set(clock(0, 30), hourly(scenario.ConcurrencyReplace))
		p.plan(clock(1, 0))
		p.started(clock(1, 1), p.claim(clock(1, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e", Run: 1})
		p.run("e", 1, "running")
		p.plan(clock(2, 0))
		p.started(clock(2, 55), p.claim(clock(2, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e"})
		p.plan(clock(3, 0))
		if early := p.claim(clock(3, 0), pgstore.ClaimDue{}); early != nil {
			t.Errorf("claimed %s, cancelling %v, while nothing was heard of run 2", dueTimes(early), early[0].Cancel)
		}
		p.run("e", 1, "cancelled")
		p.run("e", 2, "running")
		if next := p.claim(clock(3, 1), pgstore.ClaimDue{}); len(next) != 1 || len(next[0].Cancel) != 1 || next[0].Cancel[0].Run != 2 {
			t.Errorf("it does not replace run 2: %+v", next)
		}
	})
	t.Run("that has ended", func(t *testing.T) {
		t.Parallel()
		p := newPlanner(t)
		p.set(clock(0, 30), hourly(scenario.ConcurrencyForbid))
		p.plan(clock(1, 0))
		p.started(clock(1, 0), p.claim(clock(1, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e"})
		p.run("e", 1, "passed")
		p.born(-time.Minute)
		p.plan(clock(2, 0))
		p.started(clock(2, 0), p.claim(clock(2, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e"})
		p.run("e", 2, "running")
		p.plan(clock(3, 0))
		if next := p.claim(clock(3, 0), pgstore.ClaimDue{}); len(next) != 0 {
			t.Errorf("claimed %s beside run 2: %v", dueTimes(next), p.list())
		}
	})
	t.Run("that has ended just now", func(t *testing.T) {
		t.Parallel()
		p := newPlanner(t)
		p.set(clock(0, 30), hourly(scenario.ConcurrencyForbid))
		p.plan(clock(1, 0))
		p.started(clock(1, 0), p.claim(clock(1, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e", Run: 1})
		p.run("e", 1, "passed")
		p.plan(clock(2, 0))
		p.started(clock(2, 55), p.claim(clock(2, 0), pgstore.ClaimDue{})[0], scenario.RunRef{ExecutionID: "e"})
		p.plan(clock(3, 0))
		if next := p.claim(clock(3, 0), pgstore.ClaimDue{}); len(next) != 0 {
			t.Errorf("claimed %s beside run 2, of which nothing was heard: %v", dueTimes(next), p.list())
		}
	})
	// The clock by which a run was born may be slow: one that is active counts.
	t.Run("whose birth is dated early", func(t *testing.T) {
		t.Parallel()
		p := newPlanner(t)
		p.set(clock(0, 30), hourly(scenario.ConcurrencyForbid))
		p.plan(clock(1, 0))
		claimed := p.claim(clock(1, 0), pgstore.ClaimDue{})
		p.run("e", 1, "running")
		p.born(-time.Hour)
		p.started(clock(1, 0), claimed[0], scenario.RunRef{ExecutionID: "e"})
		p.plan(clock(3, 0))
		if next := p.claim(clock(3, 0), pgstore.ClaimDue{}); len(next) != 0 {
			t.Errorf("claimed %s beside run 1: %v", dueTimes(next), p.list())
		}
	})
}

// born moves the births of all runs.
func (p *planner) born(by time.Duration) {
	p.t.Helper()
	_, err := p.db.Pool(p.t).Exec(p.t.Context(), "UPDATE test_coordination.executions SET created_at = created_at + $1::interval", by)
	must(p.t, err)
}

// A run that has ended when its claim is completed without its number keeps nobody
// waiting: by whomever the occurrence was claimed first, and if the clock by which the
// run was born is a little slow.
func TestARunThatHasEndedBeforeItsClaimIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lease time.Duration
		born  time.Duration
	}{
		"claimed once":                   {time.Hour, 0},
		"claimed once, and a slow clock": {time.Hour, -time.Second},
		"claimed again":                  {time.Microsecond, -time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(0, 30), hourly(scenario.ConcurrencyForbid))
			p.plan(clock(1, 0))
			claimed := p.claim(clock(1, 0), pgstore.ClaimDue{Claimer: "first", Lease: c.lease})
			p.run("e", 1, "passed")
			p.born(c.born)
			if c.lease < time.Second {
				_, err := p.db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.schedule_occurrences SET first_claimed_at = first_claimed_at - interval '2 minutes'")
				must(t, err)
				claimed = p.claim(clock(1, 55), pgstore.ClaimDue{Claimer: "second"})
			}
			p.started(clock(1, 56), claimed[0], scenario.RunRef{ExecutionID: "e"})
			p.plan(clock(2, 0))
			if next := p.claim(clock(2, 0), pgstore.ClaimDue{}); len(next) != 1 {
				t.Errorf("claimed %q, want the next one: %v", dueTimes(next), p.list())
			}
		})
	}
}

// Where nobody says its number, a run is the latest of its execution: so it cannot
// be told from those before it, which must not count as active as long as there
// is any.
func TestRunsWithoutANumberCountAsActiveOnce(t *testing.T) {
	t.Parallel()
	for _, policy := range []scenario.ConcurrencyPolicy{scenario.ConcurrencyAllow, scenario.ConcurrencyForbid} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(0, 30), hourly(policy))
			const runs = 5
			for h := 1; h <= runs; h++ {
				p.plan(clock(h, 0))
				claimed := p.claim(clock(h, 0), pgstore.ClaimDue{})
				if got := dueTimes(claimed); got != clock(h, 0).Format("15:04") {
					t.Fatalf("claimed %q at %d:00: %v", got, h, p.list())
				}
				p.run("e", int32(h), "running")
				p.started(clock(h, 1), claimed[0], scenario.RunRef{ExecutionID: "e"})
				if n := countRows(t, p.db, "schedule_occurrences WHERE run_active"); n != 1 {
					t.Errorf("%d count as active while run %d is", n, h)
				}
				p.run("e", int32(h), "passed")
			}
			// A run whose number is known is another one, unless it is the latest.
			p.run("e", runs+1, "running")
			p.plan(clock(runs+2, 0))
			p.set(clock(runs+2, 0), hourly(""))
			claimed := p.claim(clock(runs+2, 0), pgstore.ClaimDue{})
			p.started(clock(runs+2, 1), claimed[0], scenario.RunRef{ExecutionID: "e", Run: runs})
			p.started(clock(runs+2, 2), claimed[1], scenario.RunRef{ExecutionID: "e", Run: runs + 1})
			var active string
			query := "SELECT string_agg(COALESCE(run, 0)::text, ' ') FROM test_coordination.schedule_occurrences WHERE run_active"
			must(t, p.db.Pool(t).QueryRow(t.Context(), query).Scan(&active))
			if active != "6" {
				t.Errorf("active are %q, want run 6 alone, under its number", active)
			}
		})
	}
}

// Two occurrences may have led to one run, and one of them did not know its number.
func TestReplaceCancelsARunOnce(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(""))
	p.plan(clock(14, 0))
	p.run("e", 2, "running")
	for i, o := range p.claim(clock(14, 0), pgstore.ClaimDue{}) {
		p.started(clock(14, 1), o, scenario.RunRef{ExecutionID: "e", Run: int32(2 * i)})
	}
	p.set(clock(14, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(15, 0))
	next := p.claim(clock(15, 0), pgstore.ClaimDue{})
	if diff := cmp.Diff([]scenario.RunRef{{ExecutionID: "e", Run: 2}}, next[0].Cancel); dueTimes(next) != "15:00" || diff != "" {
		t.Errorf("claimed %s, to be cancelled (-want +got):\n%s", dueTimes(next), diff)
	}
}

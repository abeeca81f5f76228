package pgstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Of what a schedule of policy replace has missed only the latest is started,
// however few a claimer asks for and whatever else is due.
func TestReplaceStartsOnlyTheLatest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other time.Time // when another schedule is due
		most  int
		want  string
	}{
		"one of many":           {clock(18, 0), 1, "17:00"},
		"another between":       {clock(14, 30), 10, "14:30 17:00"},
		"another between first": {clock(14, 30), 1, "14:30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
			p.set(clock(12, 30), scenario.Schedule{ScheduleID: "other", Kind: scenario.ScheduleOnce, RunAt: c.other})
			p.plan(clock(17, 30))
			if got := dueTimes(p.claim(clock(17, 30), pgstore.ClaimDue{Most: c.most})); got != c.want {
				t.Errorf("claimed %s, want %s", got, c.want)
			}
			p.claim(clock(17, 30), pgstore.ClaimDue{})
			p.wantList("all", "13:00 skipped replaced", "14:00 skipped replaced", "15:00 skipped replaced", "16:00 skipped replaced", "17:00 claimed")
		})
	}
}

// What another claimer has in hand is due all the same, and replaces what came
// before it.
func TestReplaceKnowsOfTheLatestThatAnotherHasInHand(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(14, 0))
	other, err := p.db.Pool(t).Begin(t.Context())
	must(t, err)
	defer func() { _ = other.Rollback(t.Context()) }()
	_, err = other.Exec(t.Context(), "SELECT FROM test_coordination.schedule_occurrences WHERE due_at = $1 FOR UPDATE", clock(14, 0))
	must(t, err)
	if early := p.claim(clock(14, 0), pgstore.ClaimDue{}); early != nil {
		t.Errorf("claimed %s, which is replaced", dueTimes(early))
	}
	p.wantList("while another has it", "13:00 skipped replaced", "14:00 due")
	must(t, other.Rollback(t.Context()))
	if got := dueTimes(p.claim(clock(14, 0), pgstore.ClaimDue{})); got != "14:00" {
		t.Errorf("claimed %q afterwards", got)
	}
}

// What must not be started itself replaces nothing.
func TestReplaceIsNotByWhatIsNotDueAnyMore(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(15, 0))
	s := hourly(scenario.ConcurrencyReplace)
	s.Cron = "0 13,14 * * *"
	p.set(clock(15, 0), s)
	if got := dueTimes(p.claim(clock(15, 1), pgstore.ClaimDue{})); got != "14:00" {
		t.Errorf("claimed %q", got)
	}
	p.wantList("before anybody planned anew", "13:00 skipped replaced", "14:00 claimed", "15:00 skipped changed")
}

// Whoever held the claim may have started its run. The next holder finds that out
// before the run can be replaced.
func TestAnExpiredClaimIsNotReplacedByWhatIsDue(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.set(clock(12, 30), hourly(scenario.ConcurrencyReplace))
	p.plan(clock(13, 0))
	p.claim(clock(13, 0), pgstore.ClaimDue{Claimer: "dead", Lease: time.Microsecond})
	p.plan(clock(14, 0))
	var next []pgstore.ClaimedOccurrence
	testenv.Eventually(t, "the lease has expired", func() bool {
		next = p.claim(clock(14, 0), pgstore.ClaimDue{})
		return next != nil
	})
	if got := dueTimes(next); got != "13:00" {
		t.Errorf("claimed %s", got)
	}
	p.wantList("claimed again", "13:00 claimed", "14:00 due")
}

// Claims that a former policy allowed beside each other may expire together: one
// of them goes on.
func TestOneOfManyExpiredClaimsGoesOn(t *testing.T) {
	t.Parallel()
	for policy, want := range map[scenario.ConcurrencyPolicy][]string{
		scenario.ConcurrencyForbid:  {"13:00 skipped still_active", "14:00 claimed"},
		scenario.ConcurrencyReplace: {"13:00 skipped replaced", "14:00 claimed"},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(12, 30), hourly(""))
			p.plan(clock(14, 0))
			if dead := p.claim(clock(14, 0), pgstore.ClaimDue{Lease: time.Microsecond}); len(dead) != 2 {
				t.Fatalf("%d claimed, want 2", len(dead))
			}
			p.set(clock(14, 1), hourly(policy))
			testenv.Eventually(t, "the leases have expired", func() bool {
				var both bool
				must(t, p.db.Pool(t).QueryRow(t.Context(), "SELECT max(lease_expires_at) < clock_timestamp() FROM test_coordination.schedule_occurrences").Scan(&both))
				return both
			})
			if got := dueTimes(p.claim(clock(14, 2), pgstore.ClaimDue{})); got != "14:00" {
				t.Errorf("claimed %q", got)
			}
			if diff := cmp.Diff(want, p.list()); diff != "" {
				t.Errorf("occurrences (-want +got):\n%s", diff)
			}
		})
	}
}

package pgstore_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Whoever planned by a clock that is fast, such as one before a failover, has made
// occurrences early. They wait for their time, and replace nothing until then.
func TestWhatWasMadeEarlyIsNotClaimedBeforeItIsDue(t *testing.T) {
	t.Parallel()
	for _, policy := range []scenario.ConcurrencyPolicy{scenario.ConcurrencyAllow, scenario.ConcurrencyForbid, scenario.ConcurrencyReplace} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.set(clock(12, 30), hourly(policy))
			p.plan(clock(14, 5))
			if early := p.claim(clock(12, 59), pgstore.ClaimDue{}); early != nil {
				t.Errorf("claimed at 12:59 what is due at %s", dueTimes(early))
			}
			if got := dueTimes(p.claim(clock(13, 0), pgstore.ClaimDue{})); got != "13:00" {
				t.Errorf("claimed %q at 13:00", got)
			}
			p.wantList("at 13:00", "13:00 claimed", "14:00 due")
		})
	}
}

// What happened just now has not been heard of late, whatever the clock says of
// the instance that accepts it.
func TestATriggerIsSeenByPostgreSQLsClock(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]time.Duration{"fast": 2 * time.Hour, "slow": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			now := time.Now()
			p.set(now, scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "deployed"})
			must(t, p.Batch(t.Context(), now.Add(wrong), func(tx *pgstore.Tx) error {
				return tx.TriggerSchedules(t.Context(), []scenario.Trigger{
					{Kind: scenario.ScheduleEvent, Source: "deployed", At: now, EventKey: fact.NewKey("s", "1", "x")},
				})
			}))
			if got := len(p.claim(time.Now(), pgstore.ClaimDue{})); got != 1 {
				t.Errorf("%d claimed of what was triggered: %v", got, p.list())
			}
		})
	}
}

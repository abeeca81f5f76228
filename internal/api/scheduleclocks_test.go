package api_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Schedules go by PostgreSQL's clock: an instance whose own is wrong misses
// nothing, starts nothing early, and makes nothing of what was before a schedule.
func TestAnInstanceWithAWrongClockKeepsTheTimeOfSchedules(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(p *api.Parts) {
				p.Commands.Now = func() time.Time { return time.Now().Add(wrong) }
			})
			begun := time.Now()
			due := once("due")
			due.StartingDeadline = durationpb.New(10 * time.Minute)
			w.schedule(due)
			w.schedule(&contract.ScheduleSet{ScheduleId: "to-come", Kind: "once", RunAt: timestamppb.New(begun.Add(30 * time.Minute))})
			w.schedule(&contract.ScheduleSet{ScheduleId: "each-minute", Kind: "cron", Cron: "* * * * *"})
			got := map[string]*contract.Occurrence{}
			for _, c := range w.claimDue(100, time.Minute).GetClaimed() {
				o := c.GetOccurrence()
				got[o.GetScheduleId()] = o
				if id := o.GetScheduleId(); id != "due" && o.GetDueAt().AsTime().Before(begun) { // a minute may have begun meanwhile
					t.Errorf("%s was claimed, due at %v, before it was set", id, o.GetDueAt().AsTime())
				}
			}
			if got["due"] == nil || got["to-come"] != nil {
				t.Fatalf("claimed %v", got)
			}
			settled := call(w, w.schedules.CompleteClaim, w.completion(got["due"])).GetOccurrence().GetSettledAt().AsTime()
			if off := settled.Sub(begun); off < -time.Minute || off > 10*time.Minute {
				t.Errorf("it was completed at %v, begun at %v", settled, begun)
			}
			var soon bool
			query := "SELECT next_due_at <= clock_timestamp() + interval '1 minute' FROM test_coordination.schedule_plans WHERE schedule_id = 'each-minute'"
			if err := w.db.Pool(t).QueryRow(t.Context(), query).Scan(&soon); err != nil || !soon {
				t.Errorf("the next minute is planned in time: %t, %v", soon, err)
			}
		})
	}
}

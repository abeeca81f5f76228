package redisstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

func liveAt(id execution.ID, lastEvent time.Time) execution.Live {
	return execution.Live{ExecutionID: id, Run: 1, Version: 1, Status: execution.StatusRunning, LastEventAt: lastEvent}
}

func TestActiveSetFollowsTheStates(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		old, young, silent, ending := liveAt("exec-old", noon), liveAt("exec-young", noon.Add(time.Hour)),
			liveAt("exec-silent", time.Time{}), liveAt("exec-ending", noon.Add(time.Minute))
		apply(t, store, old, young, silent, ending)
		ending.Version, ending.Status = 2, execution.StatusFailed
		apply(t, store, ending)

		want := []redisstore.ActiveExecution{
			{ExecutionID: "exec-young", LastSign: noon.Add(time.Hour)},
			{ExecutionID: "exec-old", LastSign: noon},
			{ExecutionID: "exec-silent"},
		}
		got, err := store.Active(t.Context(), 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("active: %v (-want +got):\n%s", err, diff)
		}
		if got, err := store.Active(t.Context(), 1); err != nil || len(got) != 1 || got[0] != want[0] {
			t.Errorf("the one active last = %v, %v, want %v", got, err, want[0])
		}
		if got, err := store.Active(t.Context(), 0); err != nil || len(got) != 0 {
			t.Errorf("the none active last = %v, %v", got, err)
		}
		if score := srv.ZScore(t.Context(), "test:active-executions", "exec-old").Val(); score != float64(noon.Unix()) {
			t.Errorf("score = %v, want unix seconds %d", score, noon.Unix())
		}
	})
}

// A writer that is late puts an ended execution back into the set, which lies
// in another slot than the state.
func TestEndedExecutionInTheSetIsNotListed(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store := m.t, m.store
		apply(t, store, passed(2))
		apply(t, store, running(1))
		if got, err := store.Active(t.Context(), 10); err != nil || len(got) != 0 {
			t.Errorf("active = %v, %v, want none", got, err)
		}
	})
}

func TestPruneRemovesWhatIsNotLive(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	apply(t, store, liveAt("exec-live", noon), liveAt("exec-dead", noon))
	members, err := store.ActiveMembers(t.Context())
	if diff := cmp.Diff([]execution.ID{"exec-dead", "exec-live"}, members); diff != "" || err != nil {
		t.Errorf("members: %v (-want +got):\n%s", err, diff)
	}
	// Begins after the members were listed and after PostgreSQL was asked.
	apply(t, store, liveAt("exec-new", noon))
	removed, err := store.PruneActive(t.Context(), members, []execution.ID{"exec-live"})
	if err != nil || removed != 1 {
		t.Errorf("removed = %d, %v, want 1", removed, err)
	}
	left, err := store.ActiveMembers(t.Context())
	if diff := cmp.Diff([]execution.ID{"exec-live", "exec-new"}, left); diff != "" || err != nil {
		t.Errorf("members left: %v (-want +got):\n%s", err, diff)
	}
}

package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

func TestRecentRuns(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	state := func(number execution.RunNumber, runID string, status execution.Status) *execution.State {
		return &execution.State{Run: execution.Run{Number: number, RunID: runID, Status: status, Bucket: day}}
	}
	recent := recentRuns{}
	recent.committed(map[execution.ID]*execution.State{
		"exec-1": state(1, "run-a", execution.StatusRunning),
		"exec-2": state(1, "", execution.StatusRunning),
		"exec-3": state(1, "run-a", execution.StatusRunning),
	})
	recent.committed(map[execution.ID]*execution.State{
		"exec-1": state(2, "run-b", execution.StatusRunning), // superseded the former
		"exec-3": state(1, "run-a", execution.StatusPassed),
		"exec-4": state(1, "run-a", execution.StatusCancelled),
	})
	var events []*execution.Event
	say := func(id, runID string, payload execution.Payload) {
		events = append(events, &execution.Event{Header: fact.Header{Subject: id, RunID: runID}, Payload: payload})
	}
	fault := &execution.FaultCleared{FaultID: "fault"}
	say("exec-1", "run-b", fault)
	say("exec-1", "run-b", &execution.FaultRecovered{FaultID: "fault"}) // the same part again
	say("exec-1", "", &execution.PhaseStarted{Phase: "phase"})          // names no run: the latest
	say("exec-1", "run-a", fault)                                       // not the latest
	say("exec-1", "run-b", &execution.Heartbeat{})                      // touches nothing
	say("exec-2", "", fault)
	say("exec-2", "run-a", fault) // as far as is known a run of its own
	say("exec-3", "run-a", fault) // has ended
	say("exec-4", "run-a", fault) // ended with what opened it
	say("exec-5", "run-a", fault) // never heard of
	touch := func(id execution.ID, number execution.RunNumber, part execution.Part, name string) pgstore.Touch {
		return pgstore.Touch{PartKey: pgstore.PartKey{Run: pgstore.RunKey{ID: id, Number: number}, Part: part, ID: name}, Bucket: day}
	}
	want := []pgstore.Touch{
		touch("exec-1", 2, execution.PartFault, "fault"),
		touch("exec-1", 2, execution.PartPhase, "phase"),
		touch("exec-2", 1, execution.PartFault, "fault"),
	}
	if diff := cmp.Diff(want, recent.touches(events)); diff != "" {
		t.Errorf("touches (-want +got):\n%s", diff)
	}
}

func TestRecentRunsAreBounded(t *testing.T) {
	t.Parallel()
	recent := recentRuns{}
	batch := func(from, to int) {
		latest := map[execution.ID]*execution.State{}
		for i := from; i < to; i++ {
			latest[execution.ID(fmt.Sprintf("exec-%d", i))] = &execution.State{Run: execution.Run{Number: 1, Status: execution.StatusRunning}}
		}
		recent.committed(latest)
	}
	batch(0, maxRecent)
	batch(0, maxRecent/2) // known already
	if len(recent) != maxRecent {
		t.Errorf("%d runs are remembered, want %d", len(recent), maxRecent)
	}
	batch(maxRecent, maxRecent+1)
	if len(recent) != 0 {
		t.Errorf("%d runs are remembered, want all forgotten", len(recent))
	}
}

package execution_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// runs keeps all runs of one execution id, as the engine does: identity first,
// then which run, then the fold.
type runs struct {
	states  []*execution.State
	placed  map[fact.Key]execution.Placement
	events  map[execution.RunNumber][]*execution.Event // with the service's own
	byRunID map[string]execution.RunNumber
}

func newRuns() *runs {
	return &runs{
		placed:  map[fact.Key]execution.Placement{},
		events:  map[execution.RunNumber][]*execution.Event{},
		byRunID: map[string]execution.RunNumber{},
	}
}

func (r *runs) latest() *execution.Run {
	if len(r.states) == 0 {
		return nil
	}
	return &r.states[len(r.states)-1].Run
}

// accept is false for a duplicate.
func (r *runs) accept(t *rapid.T, e *execution.Event) bool {
	if _, known := r.placed[e.Key]; known {
		return false
	}
	p := execution.Place(r.latest(), r.byRunID[e.RunID], e)
	r.placed[e.Key] = p
	if p.Opens {
		if next := execution.RunNumber(len(r.states) + 1); p.Run != next {
			t.Fatalf("%s opens run %d, want %d", e.ID, p.Run, next)
		}
		r.states = append(r.states, execution.NewState(anID, p.Run, e.RunID))
		if e.RunID != "" {
			r.byRunID[e.RunID] = p.Run
		}
	}
	if p.Supersedes != 0 {
		old := &r.states[p.Supersedes-1].Run
		if old.Status.Terminal() {
			t.Fatalf("%s supersedes run %d, which is %s", e.ID, p.Supersedes, old.Status)
		}
		own := executiontest.New(anID, executiontest.OwnSource, "superseded by "+e.ID, e.Time, &execution.Interrupted{
			Cause: execution.CauseSuperseded, RealEvents: old.Counts.Events, SupersededBy: p.Run,
		})
		own.Type = fact.TypeInterrupted
		r.apply(p.Supersedes, own)
		if old.Status != execution.StatusInterrupted {
			t.Fatalf("superseded run %d is %s", p.Supersedes, old.Status)
		}
	}
	if p.Run < 1 || int(p.Run) > len(r.states) {
		t.Fatalf("%s belongs to run %d of %d", e.ID, p.Run, len(r.states))
	}
	r.apply(p.Run, e)
	return true
}

func (r *runs) apply(n execution.RunNumber, e *execution.Event) {
	r.states[n-1].Apply(e)
	r.events[n] = append(r.events[n], e)
}

// A story is what really happened: the events of each run, in its order. Runs
// crash, overlap, and come from several coordinators.
type story [][]*execution.Event

// tell draws a story. Each run lasts at most an hour; a run begins after the
// one before it, and where overlap is false after its last event.
func tell(t *rapid.T, runIDs, overlap bool) story {
	var s story
	begins := executiontest.Base
	for n := range rapid.IntRange(1, 4).Draw(t, "runs") {
		source := rapid.SampledFrom([]string{coordinatorA, coordinatorB}).Draw(t, "source")
		payloads := []execution.Payload{started("")}
		for range rapid.IntRange(0, 4).Draw(t, "middle") {
			payloads = append(payloads, rapid.SampledFrom([]execution.Payload{
				&execution.Heartbeat{Message: "on"}, &execution.Paused{}, &execution.Resumed{}, &execution.LogAppended{Count: 3},
				&execution.PhaseStarted{Phase: "baseline"},
			}).Draw(t, "payload"))
		}
		if rapid.Bool().Draw(t, "finishes") {
			payloads = append(payloads, passed())
		}
		at := begins
		var run []*execution.Event
		for i, p := range payloads {
			e := executiontest.New(anID, source, fmt.Sprintf("run %d event %d", n+1, i+1), at, p)
			e.Sequence = fact.Sequence(i + 1)
			if runIDs {
				e.RunID = fmt.Sprintf("r%d", n+1)
			}
			run = append(run, e)
			at = at.Add(rapid.SampledFrom([]time.Duration{1, time.Microsecond, time.Minute}).Draw(t, "pause"))
		}
		s = append(s, run)
		begins = at
		if overlap {
			begins = run[0].Time.Add(1)
		}
	}
	return s
}

func TestRunIDsKeepRunsApartInAnyOrderOfArrival(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t, true, true)
		r := newRuns()
		for _, e := range rapid.Permutation(slices.Concat(s...)).Draw(t, "arrival") {
			r.accept(t, e)
		}
		if len(r.states) != len(s) {
			t.Fatalf("%d runs, want %d", len(r.states), len(s))
		}
		for n, run := range s {
			number := r.placed[run[0].Key].Run
			for _, e := range run {
				if want := (execution.Placement{Run: number, Opens: r.placed[e.Key].Opens}); r.placed[e.Key] != want {
					t.Fatalf("%s placed as %+v, want %+v", e.ID, r.placed[e.Key], want)
				}
			}
			if got := &r.states[number-1].Run; got.RunID != fmt.Sprintf("r%d", n+1) || got.Status != outcome(run) {
				t.Fatalf("run %d (%s) is %s, want %s", number, got.RunID, got.Status, outcome(run))
			}
		}
	})
}

// outcome is what a run on its own comes to.
func outcome(run []*execution.Event) execution.Status { return fold(run...).Run.Status }

// A partition keeps the order of a coordinator's events, and a restarted
// producer counts again from 1: no runid is needed to tell the runs apart.
func TestCrashedRunsAreToldApartWithoutRunIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t, false, false)
		r := newRuns()
		for _, e := range slices.Concat(s...) {
			r.accept(t, e)
		}
		for n, run := range s {
			number := execution.RunNumber(n + 1)
			for i, e := range run {
				p := r.placed[e.Key]
				if p.Run != number || p.Opens != (i == 0) || p.Guessed != (n > 0 && i > 0) {
					t.Fatalf("%s placed as %+v, want run %d", e.ID, p, number)
				}
			}
			want := outcome(run)
			if n < len(s)-1 && !want.Terminal() {
				want = execution.StatusInterrupted
			}
			got := &r.states[n].Run
			if got.Status != want {
				t.Fatalf("run %d is %s, want %s", number, got.Status, want)
			}
			if i := got.Interruption; (i != nil) != (want == execution.StatusInterrupted) || i != nil && i.SupersededBy != number+1 {
				t.Fatalf("run %d: interruption %+v, want one: %v", number, i, want == execution.StatusInterrupted)
			}
		}
		if len(r.states) != len(s) {
			t.Fatalf("%d runs, want %d", len(r.states), len(s))
		}
	})
}

// Without runids two runs at once cannot be told apart, but whatever went to
// the later run by guess says so.
func TestOverlappingRunsWithoutRunIDsAreFlagged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t, false, true)
		truth := map[fact.Key]execution.RunNumber{}
		for n, run := range s {
			for _, e := range run {
				truth[e.Key] = execution.RunNumber(n + 1)
			}
		}
		arrival := slices.Concat(s...)
		slices.SortStableFunc(arrival, func(a, b *execution.Event) int { return a.Time.Compare(b.Time) })
		r := newRuns()
		for _, e := range arrival {
			r.accept(t, e)
			p := r.placed[e.Key]
			if _, start := e.Payload.(*execution.Started); start && (!p.Opens || p.Run != truth[e.Key]) {
				t.Fatalf("%s placed as %+v, want a run of its own", e.ID, p)
			}
			if p.Run != truth[e.Key] && !p.Guessed {
				t.Fatalf("%s of run %d silently went to run %d", e.ID, truth[e.Key], p.Run)
			}
		}
	})
}

// Whatever arrives, in whatever order and however often.
func TestRunsOfArbitraryEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := slices.DeleteFunc(executiontest.Events(t, anID, 30), func(e *execution.Event) bool {
			return e.Type == fact.TypeInterrupted // made by the service, when it supersedes
		})
		for _, e := range events {
			e.RunID = rapid.SampledFrom([]string{"", "", "r1", "r2"}).Draw(t, "runid")
		}
		arrival := rapid.Permutation(slices.Concat(events, events)).Draw(t, "arrival") // each of them twice
		r := newRuns()
		for _, e := range arrival {
			before, had := r.placed[e.Key], len(r.states)
			if fresh := r.accept(t, e); !fresh && r.placed[e.Key] != before {
				t.Fatalf("the repetition of %s was placed as %+v, at first %+v", e.ID, r.placed[e.Key], before)
			}
			if e.Suspect && had > 0 && len(r.states) > had {
				t.Fatalf("%s, dated in the far future, opened run %d", e.ID, len(r.states))
			}
		}
		checkRuns(t, r, events)
	})
}

func checkRuns(t *rapid.T, r *runs, events []*execution.Event) {
	t.Helper()
	var total int64
	opened := map[execution.RunNumber]int{}
	for _, p := range r.placed {
		if p.Opens {
			opened[p.Run]++
		}
	}
	for i, s := range r.states {
		n := execution.RunNumber(i + 1)
		if s.Run.Number != n || opened[n] != 1 {
			t.Fatalf("run %d has number %d and was opened %d times", n, s.Run.Number, opened[n])
		}
		total += s.Run.Counts.Events
		again := execution.NewState(anID, n, s.Run.RunID)
		for _, e := range rapid.Permutation(r.events[n]).Draw(t, "refold") {
			again.Apply(e)
		}
		if diff := cmp.Diff(s, again, withMarks); diff != "" {
			t.Fatalf("run %d folded again (-at first +again):\n%s", n, diff)
		}
		if superseded, revived := supersession(r.events[n]); superseded && !revived && s.Run.Status != execution.StatusInterrupted {
			t.Fatalf("superseded run %d is %s", n, s.Run.Status)
		} else if revived && s.Run.Status == execution.StatusInterrupted {
			t.Fatalf("run %d is interrupted although events came after", n)
		}
	}
	if total != int64(len(events)) {
		t.Fatalf("%d events in runs, %d accepted", total, len(events))
	}
}

// supersession tells, of a run's events as they arrived, whether the run was
// superseded and whether another event came after the last time it was.
func supersession(arrived []*execution.Event) (superseded, revived bool) {
	for _, e := range arrived {
		own := e.Type == fact.TypeInterrupted
		revived = superseded && !own
		superseded = superseded || own
	}
	return superseded, revived
}

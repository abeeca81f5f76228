package execution_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// ten is 10:00:00.000000400: half a microsecond that rows do not keep.
var ten = executiontest.Base.Add(400)

const coordinatorA, coordinatorB = "/coordinator/a", "/coordinator/b"

// event is one of coordinator A, at a time after ten.
func event(after time.Duration, p execution.Payload, change ...func(*execution.Event)) *execution.Event {
	at := ten.Add(after)
	e := executiontest.New(anID, coordinatorA, fmt.Sprintf("%T-%s", p, after), at, p)
	for _, c := range change {
		c(e)
	}
	e.Key = fact.NewKey(e.Source, e.ID, e.Subject)
	return e
}

func from(source string) func(*execution.Event) {
	return func(e *execution.Event) { e.Source = source }
}

func withRunID(id string) func(*execution.Event) { return func(e *execution.Event) { e.RunID = id } }

func seq(n fact.Sequence) func(*execution.Event) { return func(e *execution.Event) { e.Sequence = n } }

func tenYearsAhead(e *execution.Event) { e.Suspect, e.Time = true, e.Time.AddDate(10, 0, 0) }

func started(coordinator string) *execution.Started {
	return &execution.Started{CoordinatorID: coordinator}
}

func passed() *execution.Finished { return &execution.Finished{Outcome: execution.StatusPassed} }

func interrupted(realEvents int64) *execution.Interrupted {
	return &execution.Interrupted{Cause: execution.CauseNoSign, RealEvents: realEvents}
}

type placeTest struct {
	latest  []*execution.Event // of the latest run; none: there is no run
	number  execution.RunNumber
	runID   string
	byRunID execution.RunNumber
	event   *execution.Event
	want    execution.Placement
}

// Each row is decided twice: on the run as it was folded, and on the run as it
// comes back from its row, without the nanoseconds.
func (test placeTest) run(t *testing.T) {
	t.Parallel()
	if test.latest == nil {
		if diff := cmp.Diff(test.want, execution.Place(nil, test.byRunID, test.event)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return
	}
	folded := execution.NewState(anID, max(test.number, 1), test.runID)
	for _, e := range test.latest {
		folded.Apply(e)
	}
	stored := storedRun(t, folded.Run)
	for name, latest := range map[string]*execution.Run{"folded": &folded.Run, "stored": &stored} {
		if diff := cmp.Diff(test.want, execution.Place(latest, test.byRunID, test.event)); diff != "" {
			t.Errorf("on the run as %s (-want +got):\n%s", name, diff)
		}
	}
}

var (
	joins        = execution.Placement{Run: 1}
	joinsGuessed = execution.Placement{Run: 1, Guessed: true}
	opens        = execution.Placement{Run: 2, Opens: true}
	supersedes   = execution.Placement{Run: 2, Opens: true, Supersedes: 1}
)

func TestPlaceFirstRun(t *testing.T) {
	t.Parallel()
	first := execution.Placement{Run: 1, Opens: true}
	for name, e := range map[string]*execution.Event{
		"requested":                   event(0, &execution.Requested{}),
		"started":                     event(0, started("")),
		"a child makes a placeholder": event(0, &execution.LogAppended{Count: 1}),
		"with a runid":                event(0, started(""), withRunID("r1")),
		"dated in the far future":     event(0, started(""), tenYearsAhead),
	} {
		t.Run(name, placeTest{event: e, want: first}.run)
	}
}

func TestPlaceByRunID(t *testing.T) {
	t.Parallel()
	running := []*execution.Event{event(0, started(""))}
	ended := []*execution.Event{event(0, started("")), event(time.Hour, passed())}
	for name, test := range map[string]placeTest{
		"known: its run, though not the latest": {
			latest: running, number: 3, runID: "r3", byRunID: 2,
			event: event(time.Minute, &execution.Heartbeat{}, withRunID("r2")), want: execution.Placement{Run: 2},
		},
		"known: even a start that the rules would give a run of its own": {
			latest: ended, runID: "r1", byRunID: 1,
			event: event(2*time.Hour, started(""), withRunID("r1"), from(coordinatorB)), want: joins,
		},
		"known, dated in the far future": {
			latest: running, runID: "r1", byRunID: 1,
			event: event(0, started(""), withRunID("r1"), tenYearsAhead), want: joins,
		},
		"new: another run, and the unfinished one goes on beside it": {
			latest: running, runID: "r1",
			event: event(time.Minute, started(""), withRunID("r2"), from(coordinatorB)), want: opens,
		},
		"new: whatever the type": {
			latest: running, runID: "r1",
			event: event(time.Minute, &execution.LogAppended{Count: 1}, withRunID("r2")), want: opens,
		},
		"new: whatever the time": {
			latest: ended, runID: "r1",
			event: event(-time.Hour, started(""), withRunID("r2")), want: opens,
		},
		"new, dated in the far future: opens no run": {
			latest: running, runID: "r1",
			event: event(0, started(""), withRunID("r2"), tenYearsAhead), want: joinsGuessed,
		},
		"new, dated in the far future, where the latest run has none": {
			latest: running, event: event(0, &execution.Heartbeat{}, withRunID("r2"), tenYearsAhead), want: joinsGuessed,
		},
		"none, where the latest run has one": {
			latest: running, runID: "r1",
			event: event(time.Minute, &execution.Heartbeat{}), want: joinsGuessed,
		},
	} {
		t.Run(name, test.run)
	}
}

func TestPlaceAfterTheEnd(t *testing.T) {
	t.Parallel()
	ended := []*execution.Event{event(0, started("c1"), seq(1)), event(time.Hour, passed(), seq(9))}
	for name, test := range map[string]placeTest{
		"requested later": {latest: ended, event: event(2*time.Hour, &execution.Requested{}), want: opens},
		"started later":   {latest: ended, event: event(2*time.Hour, started("c1")), want: opens},
		"started a nanosecond later, within the microsecond that rows keep": {
			latest: ended, event: event(time.Hour+1, started("c1")), want: opens,
		},
		"started at the end, later than the end that rows keep": {
			latest: ended, event: event(time.Hour, started("c1"), seq(10)), want: joins,
		},
		"requested a nanosecond before the end, later than the end that rows keep": {
			latest: ended, event: event(time.Hour-1, &execution.Requested{}, seq(2)), want: joinsGuessed,
		},
		"a heartbeat later opens none": {latest: ended, event: event(2*time.Hour, &execution.Heartbeat{}), want: joinsGuessed},
		"a heartbeat from before the end": {
			latest: ended, event: event(time.Minute, &execution.Heartbeat{}), want: joins,
		},
		"a start dated in the far future opens none": {
			latest: ended, event: event(0, started("c1"), tenYearsAhead), want: joinsGuessed,
		},
		"of several ends the one that decides counts": {
			latest: append(ended[:2:2], event(3*time.Hour, &execution.Finished{Outcome: execution.StatusError}, seq(10))),
			event:  event(2*time.Hour, started("c1")), want: opens,
		},
		"the start that belongs to the end comes after it": {
			latest: ended[1:], event: event(0, started("c1"), seq(1)), want: joins,
		},
		"started within the run by its own coordinator, going on with the sequence": {
			latest: ended, event: event(time.Minute, started("c1"), seq(5)), want: joins,
		},
		// Two runs may overlap by their clocks; that the first has reported its
		// end makes the start of the second no less of a start.
		"started within the run by another source": {
			latest: ended, event: event(time.Minute, started("c1"), from(coordinatorB)), want: opens,
		},
		"started within the run by another coordinator": {
			latest: ended, event: event(time.Minute, started("c2"), seq(5)), want: opens,
		},
		"started within the run with the sequence begun again": {
			latest: ended, event: event(time.Minute, started("c1"), seq(1)), want: opens,
		},
	} {
		t.Run(name, test.run)
	}
}

func TestPlaceAfterAnInterruption(t *testing.T) {
	t.Parallel()
	// No sign of life was noticed at 11:00.
	silent := []*execution.Event{event(0, started("c1"), seq(1)), event(time.Hour, interrupted(1), from(executiontest.OwnSource))}
	revived := append(silent[:2:2], event(2*time.Hour, &execution.Heartbeat{}, seq(2)))
	for name, test := range map[string]placeTest{
		"started later":   {latest: silent, event: event(2*time.Hour, started("c1")), want: opens},
		"requested later": {latest: silent, event: event(2*time.Hour, &execution.Requested{}), want: opens},
		"started a nanosecond later": {
			latest: silent, event: event(time.Hour+1, started("c1")), want: opens,
		},
		"started at that moment by the same": {
			latest: silent, event: event(time.Hour, started("c1"), seq(2)), want: joins,
		},
		// A reader that lags notices the silence later than the new run began.
		"started before it was noticed, by another coordinator": {
			latest: silent, event: event(time.Minute, started("c2")), want: opens,
		},
		"started before it was noticed, with the sequence begun again": {
			latest: silent, event: event(time.Minute, started("c1"), seq(1)), want: opens,
		},
		"a sign of life after all": {latest: silent, event: event(time.Minute, &execution.Heartbeat{}), want: joins},
		"once revived, it is a running run": {
			latest: revived, event: event(3*time.Hour, started("c1"), seq(3)), want: joins,
		},
		"once revived, it can be superseded": {
			latest: revived, event: event(3*time.Hour, started("c1"), seq(1)), want: supersedes,
		},
	} {
		t.Run(name, test.run)
	}
}

func TestPlaceBesideAnUnfinishedRun(t *testing.T) {
	t.Parallel()
	running := []*execution.Event{event(0, started("c1"), seq(5)), event(time.Minute, &execution.Heartbeat{}, seq(6))}
	unnumbered := []*execution.Event{event(0, started("c1"))}
	for name, test := range map[string]placeTest{
		"started later by another source": {
			latest: running, event: event(time.Hour, started("c1"), from(coordinatorB), seq(9)), want: supersedes,
		},
		"started later by another coordinator": {
			latest: running, event: event(time.Hour, started("c2"), seq(9)), want: supersedes,
		},
		"started later with a lower sequence": {
			latest: running, event: event(time.Hour, started("c1"), seq(4)), want: supersedes,
		},
		"started later with the same sequence": {
			latest: running, event: event(time.Hour, started("c1"), seq(5)), want: supersedes,
		},
		"started a nanosecond later": {
			latest: running, event: event(1, started("c2"), seq(9)), want: supersedes,
		},
		"started again, going on with the sequence": {
			latest: running, event: event(time.Hour, started("c1"), seq(7)), want: joins,
		},
		"started again by a coordinator that does not name itself": {
			latest: running, event: event(time.Hour, started(""), seq(7)), want: joins,
		},
		"started again without a sequence: could be either": {
			latest: running, event: event(time.Hour, started("c1")), want: joinsGuessed,
		},
		"started again, neither numbered: could be either": {
			latest: unnumbered, event: event(time.Hour, started("c1")), want: joinsGuessed,
		},
		// The order key counts an event without a sequence as 2^53, above all.
		"started again with a sequence, where the first had none": {
			latest: unnumbered, event: event(time.Hour, started("c1"), seq(7)), want: supersedes,
		},
		"started at the same time by another source": {
			latest: running, event: event(0, started("c2"), from(coordinatorB)), want: joinsGuessed,
		},
		"started earlier by another source": {
			latest: running, event: event(-1, started("c2"), from(coordinatorB)), want: joinsGuessed,
		},
		"requested later: asks, and supersedes nothing": {
			latest: running, event: event(time.Hour, &execution.Requested{}, seq(1)), want: joinsGuessed,
		},
		"started earlier by the same, going on with the sequence": {
			latest: running, event: event(-time.Hour, started("c1"), seq(7)), want: joins,
		},
		"requested before the start": {
			latest: running, event: event(-time.Hour, &execution.Requested{}), want: joins,
		},
		"a heartbeat of another source": {
			latest: running, event: event(time.Hour, &execution.Heartbeat{}, from(coordinatorB)), want: joins,
		},
		"a start dated in the far future": {
			latest: running, event: event(0, started("c2"), from(coordinatorB), tenYearsAhead), want: joinsGuessed,
		},
		"a placeholder gets its start": {
			latest: []*execution.Event{event(0, &execution.LogAppended{Count: 1}, from(coordinatorB))},
			event:  event(time.Hour, started("c1")), want: joins,
		},
		"a request gets its start": {
			latest: []*execution.Event{event(0, &execution.Requested{}, from("/ci"), seq(9))},
			event:  event(time.Hour, started("c1"), seq(1)), want: joins,
		},
		"any event in a later run could be of an earlier one": {
			latest: running, number: 2, event: event(time.Hour, &execution.Heartbeat{}),
			want: execution.Placement{Run: 2, Guessed: true},
		},
		"a paused run can be superseded": {
			latest: append(running[:2:2], event(time.Minute, &execution.Paused{}, seq(7))),
			event:  event(time.Hour, started("c2")), want: supersedes,
		},
	} {
		t.Run(name, test.run)
	}
}

// One event dated ten years ahead must not swallow the runs of ten years.
func TestPlaceAfterTimesInTheFarFuture(t *testing.T) {
	t.Parallel()
	endedAhead := []*execution.Event{event(0, started("c1")), event(time.Hour, passed(), tenYearsAhead)}
	begunAhead := []*execution.Event{event(0, started("c1"), seq(1), tenYearsAhead), event(time.Minute, &execution.Heartbeat{}, seq(2))}
	for name, test := range map[string]placeTest{
		"started after a run that ended ahead": {latest: endedAhead, event: event(2*time.Hour, started("c1")), want: opens},
		"requested after a run that ended ahead": {
			latest: endedAhead, event: event(2*time.Hour, &execution.Requested{}), want: opens,
		},
		"started before anything credible of that run": {
			latest: endedAhead, event: event(-time.Microsecond, started("c1")), want: joinsGuessed,
		},
		"started after a run of which nothing is credible": {
			latest: []*execution.Event{event(0, passed(), tenYearsAhead)}, event: event(0, started("c1")), want: opens,
		},
		"started by another beside a run that began ahead": {
			latest: begunAhead, event: event(time.Hour, started("c2")), want: supersedes,
		},
		"started by another before a run's first credible time": {
			latest: begunAhead, event: event(0, started("c2")), want: joinsGuessed,
		},
	} {
		t.Run(name, test.run)
	}
}

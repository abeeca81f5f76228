package execution_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// noMarks compares what is shown: marks are how the fold remembers.
var noMarks = cmp.Options{cmpopts.IgnoreTypes(fact.Marks{}), cmpopts.EquateEmpty()}

// bothWays folds the events as given and against it, and wants one result.
func bothWays[V any](t *testing.T, want V, of func(*execution.State) V, events ...*execution.Event) {
	t.Helper()
	forth, back := fold(), fold()
	for i := range events {
		forth.Apply(events[i])
		back.Apply(events[len(events)-1-i])
	}
	if diff := cmp.Diff(want, of(forth), noMarks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, of(back), noMarks); diff != "" {
		t.Errorf("against the order (-want +got):\n%s", diff)
	}
}

func TestPhase(t *testing.T) {
	t.Parallel()
	start := event(0, &execution.PhaseStarted{Phase: "injection", Ordinal: new(int32), Description: "depeg"})
	again := event(time.Minute, &execution.PhaseStarted{Phase: "injection", Description: "depeg again"})
	end := event(time.Hour, &execution.PhaseFinished{Phase: "injection", Status: execution.PartFailed, Error: "no alert"})
	second := event(2*time.Hour, &execution.PhaseFinished{Phase: "injection", Status: execution.PartPassed})
	for name, test := range map[string]struct {
		events []*execution.Event
		want   execution.Phase
	}{
		"started": {
			[]*execution.Event{start},
			execution.Phase{Ordinal: new(int32), Description: "depeg", Status: execution.PartRunning, StartedAt: ten},
		},
		"started twice: the first start, the last words": {
			[]*execution.Event{start, again},
			execution.Phase{Ordinal: new(int32), Description: "depeg again", Status: execution.PartRunning, StartedAt: ten},
		},
		"finished, the first counts": {
			[]*execution.Event{start, end, second},
			execution.Phase{
				Ordinal: new(int32), Description: "depeg", Status: execution.PartFailed, Error: "no alert",
				StartedAt: ten, FinishedAt: end.Time,
			},
		},
		"only its end is known": {
			[]*execution.Event{second},
			execution.Phase{Status: execution.PartPassed, FinishedAt: second.Time},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Name = "injection"
			bothWays(t, test.want, func(s *execution.State) execution.Phase { return *s.Phases["injection"] }, test.events...)
		})
	}
}

func TestStep(t *testing.T) {
	t.Parallel()
	second := time.Second
	said := execution.Step{StepID: "s1", Kind: execution.StepAction, Phase: "injection", Service: "risk", Action: "kill"}
	start := event(time.Minute, &execution.StepStarted{Step: said})
	end := event(time.Hour, &execution.StepFinished{
		Step:   execution.Step{StepID: "s1", Kind: execution.StepRollback, Action: "restart", Parameters: json.RawMessage(`{}`)},
		Status: execution.PartError, Duration: &second, Error: "refused", StartedAt: ten,
	})
	secondEnd := event(2*time.Hour, &execution.StepFinished{Step: said, Status: execution.PartPassed})
	for name, test := range map[string]struct {
		events []*execution.Event
		want   execution.StepResult
		failed int32
	}{
		"started": {
			[]*execution.Event{start},
			execution.StepResult{
				Kind: execution.StepAction, Phase: "injection", Service: "risk", Action: "kill",
				Status: execution.PartRunning, StartedAt: start.Time,
			},
			0,
		},
		"finished: each word from the last that said it, the start from the event that is one": {
			[]*execution.Event{start, end},
			execution.StepResult{
				Kind: execution.StepRollback, Phase: "injection", Service: "risk", Action: "restart", Parameters: json.RawMessage(`{}`),
				Status: execution.PartError, StartedAt: start.Time, FinishedAt: end.Time, Duration: &second, Error: "refused",
			},
			1,
		},
		"only its end is known": {
			[]*execution.Event{end},
			execution.StepResult{
				Kind: execution.StepRollback, Action: "restart", Parameters: json.RawMessage(`{}`),
				Status: execution.PartError, StartedAt: ten, FinishedAt: end.Time, Duration: &second, Error: "refused",
			},
			1,
		},
		"of two ends the first counts": {
			[]*execution.Event{end, secondEnd},
			execution.StepResult{
				Kind: execution.StepAction, Phase: "injection", Service: "risk", Action: "kill", Parameters: json.RawMessage(`{}`),
				Status: execution.PartError, StartedAt: ten, FinishedAt: end.Time, Duration: &second, Error: "refused",
			},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := execution.StepKey{StepID: "s1", Attempt: 1}
			test.want.StepKey = key
			bothWays(t, test.want, func(s *execution.State) execution.StepResult { return *s.Steps[key] }, test.events...)
			bothWays(t, test.failed, func(s *execution.State) int32 { return s.Run.Counts.StepsFailed }, test.events...)
		})
	}
}

func TestStepAttemptsAreStepsOfTheirOwn(t *testing.T) {
	t.Parallel()
	attempt := func(n int32) *execution.Event {
		return event(time.Duration(n), &execution.StepStarted{Step: execution.Step{StepID: "s1", Attempt: n}})
	}
	bothWays(t, 2, func(s *execution.State) int32 { return s.Run.Counts.Steps }, attempt(0), attempt(1), attempt(2))
}

func TestFaultStatus(t *testing.T) {
	t.Parallel()
	inject := func(after time.Duration, status execution.FaultStatus, problem string) *execution.Event {
		return event(after, &execution.FaultInjected{FaultID: "f1", Status: status, Error: problem})
	}
	cleared := func(after time.Duration, problem string) *execution.Event {
		return event(after, &execution.FaultCleared{FaultID: "f1", Error: problem})
	}
	recovered := event(time.Hour, &execution.FaultRecovered{FaultID: "f1"})
	for name, test := range map[string]struct {
		events []*execution.Event
		want   execution.FaultStatus
		active int32
	}{
		"asked for":             {[]*execution.Event{inject(0, execution.FaultPending, "")}, execution.FaultPending, 0},
		"injected, not said so": {[]*execution.Event{inject(0, "", "")}, execution.FaultInjectedOK, 1},
		"an error, no status: injected all the same": {[]*execution.Event{inject(0, "", "1 of 3 pods")}, execution.FaultInjectedOK, 1},
		"in progress":                 {[]*execution.Event{inject(0, "", ""), inject(1, execution.FaultInProgress, "")}, execution.FaultInProgress, 1},
		"cleared":                     {[]*execution.Event{inject(0, "", ""), cleared(1, "")}, execution.FaultClearedOK, 0},
		"not cleared: still there":    {[]*execution.Event{inject(0, "", ""), cleared(1, "refused")}, execution.FaultInjectedOK, 1},
		"cleared at the second go":    {[]*execution.Event{inject(0, "", ""), cleared(1, "refused"), cleared(2, "")}, execution.FaultClearedOK, 0},
		"recovered":                   {[]*execution.Event{inject(0, "", ""), cleared(1, ""), recovered}, execution.FaultHealed, 0},
		"recovered by itself":         {[]*execution.Event{inject(0, "", ""), recovered}, execution.FaultHealed, 0},
		"failed, and cleaned up":      {[]*execution.Event{inject(0, execution.FaultFailed, "refused"), cleared(1, ""), recovered}, execution.FaultFailed, 0},
		"injected at the second go":   {[]*execution.Event{inject(0, execution.FaultFailed, "refused"), inject(1, "", "")}, execution.FaultInjectedOK, 1},
		"cleared, its injection lost": {[]*execution.Event{cleared(1, "")}, execution.FaultClearedOK, 0},
		"only a failed clearing":      {[]*execution.Event{cleared(1, "refused")}, execution.FaultPending, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, test.want, func(s *execution.State) execution.FaultStatus { return s.Faults["f1"].Status }, test.events...)
			bothWays(t, test.active, func(s *execution.State) int32 { return s.Run.Counts.FaultsActive }, test.events...)
			bothWays(t, 1, func(s *execution.State) int32 { return s.Run.Counts.Faults }, test.events...)
		})
	}
}

func TestFaultTimes(t *testing.T) {
	t.Parallel()
	second := time.Second
	bothWays(t, execution.Fault{
		FaultID: "f1", FaultType: "latency", TargetService: "settlement", Phase: "injection",
		Injection: execution.FaultInjectedOK, Status: execution.FaultHealed,
		RequestedAt: ten, InjectedAt: ten.Add(1), ClearedAt: ten.Add(4), RecoveredAt: ten.Add(5),
		RecoveryTime: &second, ClearError: "refused",
	}, func(s *execution.State) execution.Fault { return *s.Faults["f1"] },
		event(0, &execution.FaultInjected{FaultID: "f1", FaultType: "delay", Phase: "injection", Status: execution.FaultPending, Error: "queued"}),
		event(1, &execution.FaultInjected{FaultID: "f1", FaultType: "latency", TargetService: "settlement"}),
		event(2, &execution.FaultInjected{FaultID: "f1", FaultType: "latency", TargetService: "settlement"}),
		event(3, &execution.FaultCleared{FaultID: "f1", Error: "refused"}),
		event(4, &execution.FaultCleared{FaultID: "f1"}),
		event(5, &execution.FaultRecovered{FaultID: "f1", RecoveryTime: &second}),
		event(6, &execution.FaultRecovered{FaultID: "f1"}),
	)
}

func TestValidationIsTheWholeOfItsLastRecord(t *testing.T) {
	t.Parallel()
	threshold := 0.5
	first := event(0, &execution.ValidationRecorded{
		ValidationID: "v1", Status: execution.ValidationFailed, Message: "too slow", Threshold: &threshold,
	})
	last := event(time.Minute, &execution.ValidationRecorded{ValidationID: "v1", Status: execution.ValidationPassed})
	bothWays(t, execution.Validation{
		ValidationRecorded: execution.ValidationRecorded{ValidationID: "v1", Status: execution.ValidationPassed},
		RecordedAt:         last.Time, Order: last.Order(),
	}, func(s *execution.State) execution.Validation { return *s.Validations["v1"] }, first, last)
}

func TestCounts(t *testing.T) {
	t.Parallel()
	bothWays(t, execution.Counts{
		Events: 10, OwnEvents: 1, LogLines: 1003, Snapshots: 2,
		ValidationsPassed: 1, ValidationsFailed: 1, ValidationsSkipped: 1, ValidationsError: 1,
	}, func(s *execution.State) execution.Counts { return s.Run.Counts },
		event(0, started("c1")),
		event(1, &execution.LogAppended{Count: 1000}),
		event(2, &execution.LogAppended{Count: 3}),
		event(3, &execution.SnapshotCaptured{SnapshotID: "n1"}),
		event(4, &execution.SnapshotCaptured{SnapshotID: "n1"}), // kept beside the other
		event(5, validation("v1", execution.ValidationFailed)),
		event(6, validation("v1", execution.ValidationPassed)), // in its place
		event(7, validation("v2", execution.ValidationFailed)),
		event(8, validation("v3", execution.ValidationSkipped)),
		event(9, validation("v4", execution.ValidationError)),
		event(10, interrupted(10), from(executiontest.OwnSource)),
	)
}

func TestArrivalNumbersAllEvents(t *testing.T) {
	t.Parallel()
	s := fold(event(0, started("c1")), event(1, interrupted(1), from(executiontest.OwnSource)), event(2, &execution.Heartbeat{}))
	if got := s.Run.Arrival(); got != 3 {
		t.Errorf("Arrival = %d, want 3", got)
	}
}

func TestLiveIsThePictureOfTheRun(t *testing.T) {
	t.Parallel()
	half := 0.5
	s := fold(
		event(-time.Minute, &execution.Requested{ScenarioID: "depeg", Environment: "staging"}),
		event(0, &execution.Started{CoordinatorID: "c1", Deadline: ten.Add(time.Hour)}),
		event(1, &execution.Heartbeat{Progress: &half, Message: "half", CurrentPhase: "injection"}),
		event(2, &execution.FaultInjected{FaultID: "f1"}),
		event(3, validation("v1", execution.ValidationFailed)),
		event(4, validation("v2", execution.ValidationPassed)),
		event(5, &execution.LogAppended{Count: 7}),
		event(6, passed()),
	)
	s.Run.RunID, s.Run.Version = "r1", 9
	want := execution.Live{
		ExecutionID: anID, Run: 1, RunID: "r1", Version: 9, Status: execution.StatusFailed,
		ScenarioID: "depeg", Environment: "staging", Coordinator: "c1", Progress: &half, Message: "half", CurrentPhase: "injection",
		RequestedAt: ten.Add(-time.Minute), StartedAt: ten, EndedAt: ten.Add(6), LastEventAt: ten.Add(6), Deadline: ten.Add(time.Hour),
		Events: 8, LogLines: 7, ValidationsPassed: 1, ValidationsFailed: 1, FaultsActive: 1,
	}
	if diff := cmp.Diff(want, s.Run.Live()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

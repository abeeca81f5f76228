package coordsim

import (
	"fmt"
	"regexp"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// Definitions of storms have no timeout: it says how long a run may be silent, and
// runs of storms die without a word. When that is noticed is for the service's
// setting alone.
var (
	stormTemplate = withoutTimeout(examples.ExchangeDisruption)
	stormScenario = withoutTimeout(examples.MarketDisruption)
)

func withoutTimeout(definition string) string {
	return regexp.MustCompile(`(?m)^  timeout: .*\n`).ReplaceAllString(definition, "")
}

// any is one of the words.
func (g *stormGenerator) any(words ...string) string { return words[g.random.IntN(len(words))] }

// now is when what is said happens.
func (g *stormGenerator) now() time.Time { return g.Start.Add(time.Duration(g.events) * g.Step) }

// took is a duration to the microsecond.
func (g *stormGenerator) took() *durationpb.Duration {
	return durationpb.New(time.Duration(g.random.IntN(90_000_000)) * time.Microsecond)
}

// tell is what a run says next.
func (g *stormGenerator) tell(run *stormRun) proto.Message {
	id, scenarioID := run.id, fmt.Sprint("scenario-", g.random.IntN(40))
	switch left := run.length - run.said; {
	case run.said == 0 && g.in(300):
		return &contract.ExecutionRequested{
			ExecutionId: id, ScenarioId: scenarioID, ScenarioVersion: g.any("", "3", "12"), Environment: g.any("staging", "load", ""), GroupId: g.any("", "release-42"),
			Trigger: &contract.Trigger{Type: g.any("ci", "schedule"), Actor: "ada"}, Labels: map[string]string{"team": g.any("chaos", "risk")},
			Parameters: object(`{"factor": 2.5, "services": ["a", null, true]}`), Attempt: new(int32(1 + g.random.IntN(3))), DryRun: new(g.in(500)),
		}
	case run.said <= 1 && g.in(900):
		return &contract.ExecutionStarted{
			ExecutionId: id, ScenarioId: scenarioID, Environment: g.any("staging", "load"), CoordinatorId: g.any(run.coordinator, run.coordinator, ""),
			ConfigurationSnapshot: value(`{"retries": 3, "services": {"risk-monitor": "1.8.2"}}`), Deadline: timestamppb.New(g.now().Add(time.Hour)),
		}
	case left <= 3 && !run.dies && (left == 3 || g.in(200)):
		// Twice, with another outcome, where it is said again.
		return &contract.ExecutionFinished{
			ExecutionId: id, Outcome: g.any("passed", "passed", "completed", "success", "failed", "failure", "error", "stopped", "cancelled", "timeout"),
			ExitCode: new(int32(g.random.IntN(3))), ErrorMessage: g.any("", "exchange-simulator: connection refused"), Summary: value(`{"told_by": "storm"}`),
		}
	}
	return g.middle(run)
}

// middle is anything that a run may say at any time.
func (g *stormGenerator) middle(run *stormRun) proto.Message {
	id := run.id
	switch chance := g.random.IntN(100); {
	case chance < 58:
		m := &contract.ExecutionHeartbeat{ExecutionId: id, Message: fmt.Sprint("step ", run.said), CurrentPhase: g.any("", run.phase, "load")}
		if g.in(800) {
			m.Progress = new(float64(run.said) / float64(run.length))
		}
		if g.in(80) {
			m.SystemState = object(fmt.Sprintf(`{"orders_per_second": %d, "risk_monitor": "healthy"}`, 900+g.random.IntN(200)))
		}
		return m
	case chance < 60:
		return &contract.ExecutionPaused{ExecutionId: id, Reason: g.any("waits for a person", "waits for the market")}
	case chance < 62:
		return &contract.ExecutionResumed{ExecutionId: id, Reason: "goes on"}
	case chance < 69:
		return g.phase(run)
	case chance < 79:
		return g.step(id)
	case chance < 85:
		return g.fault(id)
	case chance < 90:
		return g.validation(id)
	case chance < 92:
		return &contract.ExecutionSnapshotCaptured{
			ExecutionId: id, SnapshotId: fmt.Sprint("snapshot-", g.random.IntN(4)), Kind: g.any("baseline", "periodic", "recovery"), Service: g.any("", "risk-monitor"), Health: "healthy",
			State: value(`{"venues": ["a", "b"], "limits": {"drawdown": 0.2}}`), Metrics: map[string]float64{"latency_ms": 50 * g.random.Float64(), "orders": 12},
		}
	}
	lines := make([]*contract.LogLine, 1+g.random.IntN(6))
	for i := range lines {
		lines[i] = &contract.LogLine{Message: fmt.Sprintf("line %d of event %d", i, g.events), Level: g.any("info", "INFO", "Warn", ""), Service: "trading-engine"}
		if g.in(300) {
			lines[i].Time, lines[i].Attributes = timestamppb.New(g.now().Add(time.Millisecond)), object(`{"correlated": true}`)
		}
	}
	return &contract.ExecutionLogAppended{ExecutionId: id, Lines: lines}
}

func (g *stormGenerator) phase(run *stormRun) proto.Message {
	run.phase = g.any("baseline", "injection", "recovery")
	if g.in(500) {
		m := &contract.ExecutionPhaseStarted{ExecutionId: run.id, Phase: run.phase, Description: g.any("", "depeg", "calm")}
		if g.in(700) {
			m.Ordinal = new(int32(g.random.IntN(5)))
		}
		return m
	}
	return &contract.ExecutionPhaseFinished{ExecutionId: run.id, Phase: run.phase, Status: g.any("passed", "passed", "failed", "skipped", "error"), Error: g.any("", "timed out")}
}

func (g *stormGenerator) step(id string) proto.Message {
	step, kind, attempt := fmt.Sprint("step-", g.random.IntN(6)), g.any("action", "assertion", "wait"), int32(g.random.IntN(3))
	if g.in(400) {
		return &contract.ExecutionStepStarted{
			ExecutionId: id, StepId: step, Kind: kind, Phase: g.any("", "injection"), Service: g.any("", "exchange-simulator"), Action: g.any("ping", "delay"),
			Parameters: object(`{"ms": 250}`), Attempt: attempt,
		}
	}
	m := &contract.ExecutionStepFinished{
		ExecutionId: id, StepId: step, Kind: kind, Service: g.any("", "risk-monitor"), Status: g.any("passed", "passed", "failed", "error", "skipped"), Duration: g.took(),
		Error: g.any("", "refused"), Attempt: attempt,
	}
	if g.in(500) {
		m.StartedAt = timestamppb.New(g.now().Add(-time.Second))
	}
	return m
}

func (g *stormGenerator) fault(id string) proto.Message {
	fault := fmt.Sprint("fault-", g.random.IntN(4))
	switch g.random.IntN(4) {
	case 0:
		return &contract.ExecutionFaultCleared{ExecutionId: id, FaultId: fault, Error: g.any("", "", "", "stuck")}
	case 1:
		return &contract.ExecutionFaultRecovered{ExecutionId: id, FaultId: fault, RecoveryTime: g.took()}
	}
	return &contract.ExecutionFaultInjected{
		ExecutionId: id, FaultId: fault, FaultType: g.any("latency", "partition"), TargetService: g.any("exchange-simulator", "risk-monitor"), Parameters: object(`{"ms": 250}`),
		Phase: g.any("", "injection"), BlastRadius: g.any("", "one venue"), Status: g.any("", "", "pending", "injected", "in_progress", "failed"), Error: g.any("", "slow"),
	}
}

func (g *stormGenerator) validation(id string) proto.Message {
	m := &contract.ExecutionValidationRecorded{
		ExecutionId: id, ValidationId: fmt.Sprint("validation-", g.random.IntN(8)), AssertionType: "metric_below", Service: "risk-monitor", Expected: "50", Actual: "31",
		Status: g.any("passed", "passed", "passed", "passed", "passed", "failed", "skipped", "error"), SteadyState: g.any("", "before", "during", "after"), Within: g.took(),
		Evidence: value(`{"samples": [1, 2, 3]}`), Message: g.any("", "late"), CorrelationId: g.any("", "corr/1"),
	}
	if g.in(500) {
		m.Threshold, m.Operator, m.ObservedAfter = new(0.5), "<=", g.took()
	}
	return m
}

// definition is anything about templates, scenarios and schedules. Dependencies
// lead from higher to lower numbers, or to the scenario itself, which is refused.
func (g *stormGenerator) definition() proto.Message {
	number := g.random.IntN(40)
	id := fmt.Sprint("scenario-", number)
	switch g.random.IntN(10) {
	case 0:
		return &contract.TemplatePublished{
			TemplateId: fmt.Sprint("template-", g.random.IntN(5)), Definition: stormTemplate + fmt.Sprintf("# %d\n", g.random.IntN(4)), Author: g.any("ada", "grace"),
		}
	case 1:
		return &contract.ScenarioStatusChanged{ScenarioId: id, Status: g.any("draft", "active", "archived", "deprecated")}
	case 2:
		m := &contract.ScenarioDependenciesDeclared{ScenarioId: id}
		for on := range number {
			if g.in(60) {
				m.Dependencies = append(m.Dependencies, &contract.Dependency{DependsOn: fmt.Sprint("scenario-", on), Kind: g.any("requires_success", "requires_run"), MaxAge: durationpb.New(time.Hour)})
			}
		}
		if g.in(100) {
			m.Dependencies = append(m.Dependencies, &contract.Dependency{DependsOn: id, Kind: "requires_run"})
		}
		return m
	case 3, 4:
		return &contract.ScheduleSet{
			ScheduleId: fmt.Sprint("schedule-", g.random.IntN(20)), ScenarioId: id, Kind: "cron", Cron: g.any("30 2 * * *", "0 3 * * 1-5"), TimeZone: "Europe/Zurich",
			Enabled: new(g.in(700)), ConcurrencyPolicy: g.any("", "forbid", "replace"), StartingDeadline: durationpb.New(time.Hour), Parameters: object(`{"depth": 2}`),
		}
	case 5:
		return &contract.ScheduleRemoved{ScheduleId: fmt.Sprint("schedule-", g.random.IntN(20))}
	case 6:
		return &contract.ScenarioPublished{
			ScenarioId: id, Definition: examples.ExchangeOutage, ScenarioType: "combined", Author: "grace",
			Template: &contract.TemplateUse{TemplateId: fmt.Sprint("template-", g.random.IntN(5)), Parameters: object(`{"exchange": "kraken-simulator", "duration": "45m"}`)},
		}
	}
	return &contract.ScenarioPublished{
		ScenarioId: id, Definition: g.any(examples.LegacyLatency, examples.RestartRiskMonitor, stormScenario, "steps: none\n"), ScenarioType: "combined", Category: "market",
		Tags: []string{"storm", g.any("a", "b")}, Author: g.any("ada", "grace"), ChangeNote: g.any("", "first"), ServicesUnderTest: []string{"risk-monitor"},
	}
}

// spoilt is a record that can never be accepted.
func (g *stormGenerator) spoilt() (Record, error) {
	all := spoils()
	spoil := all[g.random.IntN(len(all))]
	g.events++
	r, err := event.Encode(event.Outgoing{
		Source: "/coordinator/spoilt", ID: fmt.Sprintf("%s-%09d", g.Instance, g.events), Time: g.now(),
		Message: &contract.ExecutionHeartbeat{ExecutionId: fmt.Sprintf("spoilt-%s-%d", g.Instance, g.random.IntN(100)), Message: "spoilt"},
	}, event.Binary, event.JSON)
	if err != nil {
		return Record{}, err
	}
	spoil.change(&r)
	return g.elsewhere(Record{Record: r, Topic: Executions, Kind: Malformed, Reason: spoil.reason}), nil
}

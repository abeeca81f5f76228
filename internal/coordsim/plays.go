package coordsim

import (
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// play is a play before it is written.
type play struct {
	name, about string
	write       func(*script) error
}

// plays are all of a simulation.
func plays() []play {
	return []play{
		{"definitions", "templates, scenarios, dependencies and schedules", writeDefinitions},
		{"passes", "phases, steps, faults, validations, snapshots, logs", writePassing},
		{"validation fails", "the coordinator says passed, a validation does not", writeFailingValidation},
		{"error", "the coordinator itself breaks off", writeError},
		{"cancelled", "stopped by a person, reported with an alias", writeCancelled},
		{"timeout", "ends by its time limit", writeTimeout},
		{"crashed, superseded", "dies without a word; another coordinator starts again", writeCrashed},
		{"id used again", "three runs of one id, told apart without a runid", writeReusedID},
		{"paused, resumed", "waits for a person in the middle", writePaused},
		{"out of order", "every event at any time, the end before the start", writeOutOfOrder},
		{"two outcomes", "a second end does not overrule the first", writeTwoOutcomes},
		{"definition later", "events before their run, the run before its scenario", writeDefinitionLater},
		{"unfinished", "one requested, one running, one paused", writeUnfinished},
		{"36 hours", "a status every five seconds, in fast time", writeLong},
		{"malformed", "records that can never be accepted", writeMalformed},
	}
}

// parse reads one of the examples.
func parse(text string) (*scenario.Definition, error) {
	d, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
	if len(problems) > 0 {
		return nil, fmt.Errorf("parse definition: %w", problems)
	}
	return d, nil
}

func writePassing(s *script) error {
	d, err := parse(examples.MarketDisruption)
	if err != nil {
		return err
	}
	s.during(0, 0.5)
	s.order = neighbour
	r := s.newRun("exec-market-disruption-001", time.Hour)
	r.tick = 15 * time.Second
	r.request(marketDisruption)
	r.start(marketDisruption)
	r.perform(d, performance{})
	r.finish("passed", execution.StatusPassed)
	return nil
}

func writeFailingValidation(s *script) error {
	d, err := parse(examples.MarketDisruption)
	if err != nil {
		return err
	}
	s.during(0.05, 0.6)
	s.order = neighbour
	r := s.newRun("exec-market-disruption-002", time.Hour)
	r.tick = 30 * time.Second
	r.request(marketDisruption)
	r.start(marketDisruption)
	r.perform(d, performance{fails: "alert_raised"})
	r.finish("completed", execution.StatusFailed) // an alias of passed; the validation turns it
	return nil
}

func writeError(s *script) error {
	d, err := parse(examples.MarketDisruption)
	if err != nil {
		return err
	}
	s.during(0.1, 0.4)
	r := s.newRun("exec-exchange-outage-001", time.Hour)
	r.tick = time.Minute
	r.start(exchangeOutage)
	r.perform(d, performance{stopAfter: "injection"})
	r.log("error", "coordinator", "exchange-simulator: connection refused")
	r.finish("error", execution.StatusError)
	return nil
}

func writeCancelled(s *script) error {
	d, err := parse(examples.RestartRiskMonitor)
	if err != nil {
		return err
	}
	s.during(0.15, 0.45)
	r := s.newRun("chaos-exchange-latency-001", 15*time.Minute)
	r.tick = 10 * time.Second
	r.request(exchangeLatency)
	r.start(exchangeLatency)
	r.perform(d, performance{})
	r.log("warn", "coordinator", "cancelled by ada")
	r.finish("stopped", execution.StatusCancelled) // an alias
	return nil
}

func writeTimeout(s *script) error {
	s.during(0.2, 0.7)
	r := s.newRun("exec-restart-risk-monitor-001", 20*time.Minute)
	r.tick = 5 * time.Second
	r.start(restartRiskMonitor)
	r.message = "waiting for the risk monitor"
	r.pass(10 * time.Minute)
	r.validation("healthy", "service_healthy", "risk-monitor", "skipped", "healthy", "")
	r.finish("timeout", execution.StatusTimeout)
	return nil
}

// writeCrashed has no runids: that the second start is a new run follows from
// who says it. The execution id is the simulation's own, since a run without a
// runid would otherwise have to lie after those of former simulations.
func writeCrashed(s *script) error {
	d, err := parse(examples.RestartRiskMonitor)
	if err != nil {
		return err
	}
	s.during(0.1, 0.65)
	id := "chaos-restart-" + s.Instance
	died := s.anonymousRun(id, 1, time.Hour)
	died.tick = 20 * time.Second
	died.request(restartRiskMonitor)
	died.start(restartRiskMonitor)
	died.pass(4 * time.Minute)
	died.expect.Status = execution.StatusInterrupted

	again := s.anonymousRun(id, 2, 30*time.Minute)
	again.source, again.tick = "/coordinator/b", 20*time.Second
	again.start(restartRiskMonitor)
	again.perform(d, performance{})
	again.finish("success", execution.StatusPassed) // an alias
	return nil
}

func writeReusedID(s *script) error {
	s.during(0.1, 0.8)
	id := "chaos-latency-" + s.Instance
	outcomes := []execution.Status{execution.StatusPassed, execution.StatusFailed, execution.StatusPassed}
	for i, outcome := range outcomes {
		r := s.anonymousRun(id, execution.RunNumber(i+1), time.Duration(3-i)*time.Hour)
		r.tick = 30 * time.Second
		r.request(exchangeLatency)
		r.start(exchangeLatency)
		r.pass(10 * time.Minute)
		r.finish(string(outcome), outcome)
	}
	return nil
}

func writePaused(s *script) error {
	s.during(0.25, 0.75)
	r := s.newRun("exec-exchange-outage-002", time.Hour)
	r.tick = 30 * time.Second
	r.start(exchangeOutage)
	r.pass(10 * time.Minute)
	r.pause("waits for the exchange team")
	r.pass(20 * time.Minute)
	r.resume("released by grace")
	r.pass(10 * time.Minute)
	r.finish("passed", execution.StatusPassed)
	return nil
}

func writeOutOfOrder(s *script) error {
	d, err := parse(examples.MarketDisruption)
	if err != nil {
		return err
	}
	s.during(0.2, 0.9)
	s.order = shuffled
	r := s.newRun("exec-market-disruption-003", time.Hour)
	r.tick = time.Minute
	r.request(marketDisruption)
	r.start(marketDisruption)
	r.perform(d, performance{})
	r.finish("passed", execution.StatusPassed)
	return nil
}

func writeTwoOutcomes(s *script) error {
	s.during(0.3, 0.6)
	r := s.newRun("exec-restart-risk-monitor-002", 20*time.Minute)
	r.tick = 30 * time.Second
	r.start(restartRiskMonitor)
	r.pass(5 * time.Minute)
	r.finish("cancelled", execution.StatusCancelled)
	r.pass(time.Minute)                         // late signs of life change nothing either
	r.finish("passed", execution.StatusPassed)  // what it claims,
	r.expect.Status = execution.StatusCancelled // and what it comes to
	return nil
}

func writeDefinitionLater(s *script) error {
	s.during(0.4, 0.95)
	scenarioID := "settlement-delay-" + s.Instance
	r := s.newRun("exec-settlement-delay-001", 10*time.Minute)
	r.tick = 15 * time.Second
	r.phase = "injection"
	r.say(&contract.ExecutionPhaseStarted{ExecutionId: r.id, Phase: r.phase, Ordinal: new(int32(1))})
	r.log("info", "custodian-simulator", "delay_settlement on custodian-simulator")
	r.pass(3 * time.Minute)
	r.request(scenarioID)
	r.start(scenarioID)
	r.pass(time.Minute)
	r.finish("passed", execution.StatusPassed)
	s.publishScenario(s.Start, scenarioID, examples.StablecoinDepeg)
	return nil
}

func writeUnfinished(s *script) error {
	s.during(0.5, 1)
	requested := s.newRun("exec-stablecoin-depeg-002", time.Minute)
	requested.request(stablecoinDepeg)

	running := s.newRun("exec-market-disruption-004", 20*time.Minute)
	running.tick = 10 * time.Second
	running.request(marketDisruption)
	running.start(marketDisruption)
	running.pass(15 * time.Minute)

	paused := s.newRun("exec-exchange-outage-003", 20*time.Minute)
	paused.tick = 10 * time.Second
	paused.start(exchangeOutage)
	paused.pass(5 * time.Minute)
	paused.pause("waits for the morning")
	return nil
}

func writeLong(s *script) error {
	d, err := parse(examples.StablecoinDepeg)
	if err != nil {
		return err
	}
	s.repeats = 0.01
	s.order = neighbour
	r := s.newRun("exec-stablecoin-depeg-001", d.Spec.Duration+10*time.Minute)
	r.tick = d.Spec.Duration / time.Duration(s.LongUpdates)
	r.request(stablecoinDepeg)
	r.start(stablecoinDepeg)
	r.perform(d, performance{})
	r.finish("passed", execution.StatusPassed)
	return nil
}

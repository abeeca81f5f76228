package reporttest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// Base is when the first of the runs began: between microseconds, as clocks are.
var Base = time.Date(2026, 4, 1, 2, 30, 0, 123_456_789, time.UTC)

func marketDisruption() *report.DefinitionSource {
	return &report.DefinitionSource{
		ScenarioID: "market-disruption", Number: 3, Text: examples.MarketDisruption, Author: "ada", Type: "combined",
		Services: []string{"risk-monitor", "trading-engine"}, ExpectedOutcomes: []string{"the risk monitor alerts in time"},
	}
}

func calm(latency float64) map[string]float64 {
	return map[string]float64{"order_latency_p99_ms": latency, "error_rate": 0.01, "open_orders": 120}
}

// crash is a market crash up to the recovery; what is validated then differs.
func (s *script) crash() {
	s.requested("market-disruption", `{"shock_percent": -18, "desk": "spot"}`)
	s.at(time.Second).started(time.Hour)
	s.at(2*time.Second).phase("baseline", 1, "Normal trading, to have something to compare with.")
	s.at(time.Minute).snapshot("snap-base-engine", "baseline", "trading-engine", "healthy", calm(40))
	s.snapshot("snap-base-risk", "baseline", "risk-monitor", "healthy", map[string]float64{"alerts_per_min": 1})
	s.at(90*time.Second).validation("v-steady-before", "metric_below", "passed", steady("before"), below50(), saying("p99 < 50 ms", "40 ms", ""))
	s.heartbeat(0.2, "baseline", "settling")
	s.at(10*time.Minute).phaseEnd("baseline", "passed", "")
	s.phase("injection", 2, "The shock, and late market data on top of it.")
	s.at(10*time.Minute+time.Second).snapshot("snap-pre", "pre_injection", "trading-engine", "healthy", calm(41))
	s.step("shock", "action", "injection", "market-data-simulator", "inject_price_shock", "passed", "", 3*time.Second)
	s.at(10*time.Minute+5*time.Second).inject("f-shock", "price_shock", "market-data-simulator", "injection", `{"percent": -18, "symbols": ["BTC-USD", "ETH-USD"]}`)
	s.at(13*time.Minute).inject("f-latency", "network_latency", "trading-engine", "injection", `{"latency": "750ms", "weight": 5}`)
	s.at(13*time.Minute+20*time.Second).snapshot("snap-post", "post_injection", "trading-engine", "degraded", calm(812))
	s.at(10*time.Minute+47*time.Second).validation("v-alert", "alert_raised", "passed", ofFault("f-shock", 90*time.Second), saying("an alert within 90s", "after 42s", "drawdown_limit, critical"))
	s.at(13*time.Minute+30*time.Second).validation("v-breaker", "circuitBreaker.triggered", "passed", ofFault("f-latency", 20*time.Second), saying("open", "open", "orders are held"))
	s.log(
		s.line("info", "trading-engine", "holding new orders", `{"circuit_breaker": "order-gateway"}`),
		s.line("warning", "risk-monitor", "drawdown 18.3 % beyond limit", `{"event": "alert_raised", "limit": 15}`),
		s.line("error", "trading-engine", "order 1234 timed out after 750 ms", ``),
	)
	s.validation("v-steady-during", "metric_below", "failed", steady("during"), below50(), saying("p99 < 50 ms", "812 ms", "late market data"))
	s.at(25 * time.Minute).clear("f-latency")
	s.at(25*time.Minute+12*time.Second).recovered("f-latency", 12*time.Second)
	s.at(26 * time.Minute).clear("f-shock")
	s.at(27 * time.Minute).say(&contract.ExecutionFaultRecovered{ExecutionId: s.id(), FaultId: "f-shock"})
	s.at(30*time.Minute).phaseEnd("injection", "passed", "")
	s.phase("recovery", 3, "Back to normal.")
}

func marketCrash() *Run {
	s := tell("market-crash-passed", "a market crash that the system recovers from", "exec-market-disruption-001", 1, Base)
	s.crash()
	// Of the steady state that failed during the faults the last word is what stands.
	s.at(31*time.Minute).validation("v-steady-during", "metric_below", "skipped", steady("during"), saying("p99 < 50 ms", "", "not asked while orders are held"))
	s.at(35*time.Minute).snapshot("snap-recovery", "recovery", "trading-engine", "healthy", calm(43))
	s.snapshot("snap-end-risk", "recovery", "risk-monitor", "healthy", map[string]float64{"alerts_per_min": 1.1})
	s.at(36*time.Minute).validation("v-steady-after", "metric_below", "passed", steady("after"), below50(), saying("p99 < 50 ms", "43 ms", ""))
	s.at(40*time.Minute).phaseEnd("recovery", "passed", "")
	s.at(40*time.Minute+time.Second).finished("passed", 0, "", `{"score": 0.97, "notes": ["as expected"]}`)
	s.at(2 * time.Hour).own(&contract.ExecutionAnnotated{ExecutionId: s.id(), Run: 1, Author: "grace", Text: "Compared with last month: fine."})
	s.run.Definition = marketDisruption()
	return s.done()
}

func unsteadyAfter() *Run {
	s := tell("steady-state-failed", "a market crash after which the system is not well", "exec-market-disruption-001", 2, Base.Add(24*time.Hour))
	s.crash()
	s.at(35*time.Minute).snapshot("snap-recovery", "recovery", "trading-engine", "degraded", calm(260))
	s.snapshot("snap-end-risk", "recovery", "risk-monitor", "overloaded", map[string]float64{"alerts_per_min": 9})
	s.at(36*time.Minute).validation("v-steady-after", "metric_below", "failed", steady("after"), below50(), saying("p99 < 50 ms", "260 ms", "the order book never drained"))
	s.log(s.line("critical", "trading-engine", "order book replay is behind by 9 minutes", ``))
	s.at(40*time.Minute).phaseEnd("recovery", "failed", "steady state not reached")
	s.finished("failed", 1, "steady state not reached after the faults", `{"failed": ["v-steady-after"]}`)
	s.run.Definition = marketDisruption()
	return s.done()
}

func overruled() *Run {
	s := tell("overruled-by-validation", "the coordinator says passed, a validation says no, and much comes too late", "exec-exchange-outage-007", 1, Base.Add(30*time.Hour))
	s.say(&contract.ExecutionRequested{ExecutionId: s.id(), ScenarioId: "exchange-outage", Environment: "staging", Trigger: &contract.Trigger{Type: "manual", Actor: "ada"}, Parameters: object(`{"duration": "30m"}`)})
	s.at(time.Second).started(2 * time.Hour)
	s.at(time.Minute).inject("f-outage", "exchange_outage", "kraken-simulator", "disruption", `{"mode": "disconnect"}`)
	s.at(2*time.Minute).validation("v-failover", "failover", "passed", ofFault("f-outage", 30*time.Second), saying("away from kraken", "after 60s", ""))
	s.at(31 * time.Minute).clear("f-outage")
	s.at(33*time.Minute).recovered("f-outage", 2*time.Minute)
	s.at(40*time.Minute).finished("passed", 0, "", ``)
	s.at(41*time.Minute).validation("v-no-lost-orders", "no_lost_orders", "failed", saying("0", "3", "orders 17, 18 and 21 are in no venue"), steady("after"))
	s.at(42*time.Minute).finished("error", 2, "report upload failed", ``)
	s.at(43*time.Minute).heartbeat(1, "aftermath", "still here")
	s.run.Definition = &report.DefinitionSource{
		ScenarioID: "exchange-outage", Number: 1, Text: examples.ExchangeOutage, Author: "grace", Type: "combined",
		TemplateID: "exchange-disruption", TemplateVersion: "1", TemplateParameters: []byte(`{"exchange": "kraken-simulator", "duration": "45m"}`),
		TemplateText: examples.ExchangeDisruption,
	}
	return s.done()
}

func stablecoinTimeout() *Run {
	s := tell("stablecoin-depeg-timeout", "36 hours with a beat and a snapshot now and then, until the deadline", "exec-stablecoin-depeg-001", 1, Base.Add(3*24*time.Hour))
	s.requested("stablecoin-depeg", ``)
	s.at(time.Second).started(36 * time.Hour)
	s.phase("baseline", 1, "")
	s.at(time.Hour).snapshot("snap-0", "baseline", "", "healthy", map[string]float64{"peg": 1, "withdrawals_per_min": 10})
	s.at(2*time.Hour).phaseEnd("baseline", "passed", "")
	s.phase("depeg", 2, "The price slips in steps.")
	for i := range 4 {
		s.at(time.Duration(4+4*i)*time.Hour).inject(fmt.Sprintf("f-slip-%d", i+1), "price_slip", "market-data-simulator", "depeg", fmt.Sprintf(`{"price": %g}`, 0.98-0.02*float64(i)))
	}
	s.at(9*time.Hour).validation("v-alert", "alert-raised", "passed", ofFault("f-slip-1", 4*time.Hour), saying("within 4h", "after 5h", "peg_lost"))
	for hour := range 36 {
		at := time.Duration(hour)*time.Hour + 30*time.Minute
		slipped := math.Min(math.Max(float64(hour-3)/4, 0), 4)
		s.at(at).heartbeat(float64(hour)/36, "depeg", fmt.Sprintf("hour %d", hour))
		s.snapshot(fmt.Sprintf("snap-%d", hour+1), "periodic", "", "watched", map[string]float64{"peg": 1 - 0.02*slipped, "withdrawals_per_min": 10 + 35*slipped})
	}
	s.at(36*time.Hour).finished("timeout", 124, "deadline exceeded in phase depeg", ``)
	s.run.Definition = &report.DefinitionSource{ScenarioID: "stablecoin-depeg", Number: 2, Text: examples.StablecoinDepeg, Type: "combined"}
	return s.done()
}

func cancelledWithFault() *Run {
	s := tell("cancelled-fault-left", "cancelled while a fault was active, which nobody took back", "exec-market-disruption-002", 1, Base.Add(5*24*time.Hour))
	s.requested("market-disruption", ``)
	s.at(time.Second).started(time.Hour)
	s.phase("injection", 1, "")
	s.at(time.Minute).inject("f-partition", "network_partition", "exchange-simulator", "injection", `{"from": "trading-engine"}`)
	s.at(2*time.Minute).snapshot("snap-1", "manual", "order-router", "healthy", calm(20))
	s.at(3*time.Minute).snapshot("snap-2", "manual", "order-router", "degraded", calm(95))
	s.at(4 * time.Minute).own(&contract.ExecutionCancelRequested{ExecutionId: s.id(), Run: 1, RunId: s.run.RunID, Reason: "wrong environment", Actor: "ada"})
	s.at(5 * time.Minute).say(&contract.ExecutionFaultCleared{ExecutionId: s.id(), FaultId: "f-partition", Error: "exchange-simulator does not answer"})
	s.at(6*time.Minute).finished("cancelled", 130, "cancelled by ada", ``)
	s.at(7 * time.Minute).own(&contract.FaultClearRequested{ExecutionId: s.id(), Run: 1, RunId: s.run.RunID, FaultId: "f-partition", Reason: "the run has ended"})
	s.run.Definition = marketDisruption()
	return s.done()
}

func interrupted() *Run {
	s := tell("interrupted", "the coordinator died without a word", "exec-restart-risk-monitor-001", 4, Base.Add(6*24*time.Hour))
	s.requested("restart-risk-monitor", ``)
	s.at(time.Second).started(time.Hour)
	s.phase("restart", 1, "")
	s.at(time.Minute).inject("f-restart", "service_restart", "risk-monitor", "restart", ``)
	s.at(2*time.Minute).heartbeat(0.4, "restart", "waiting for the risk monitor")
	s.at(17 * time.Minute).own(&contract.ExecutionInterrupted{ExecutionId: s.id(), Cause: "no_sign_of_life", RealEvents: s.others})
	s.run.Definition = &report.DefinitionSource{ScenarioID: "restart-risk-monitor", Number: 1, Text: examples.RestartRiskMonitor}
	return s.done()
}

func errorWithRollback() *Run {
	s := tell("error-with-rollback", "steps fail, are tried again and rolled back", "exec-exchange-outage-008", 1, Base.Add(7*24*time.Hour))
	s.requested("exchange-outage", ``)
	s.at(time.Second).started(time.Hour)
	s.at(2 * time.Second).log(s.line("error", "exchange-simulator", "admin API refused the token", `{}`))
	s.phase("disruption", 1, "")
	s.at(time.Minute).step("degrade", "action", "disruption", "kraken-simulator", "degrade", "error", "dial tcp: connection refused", 2*time.Second)
	s.at(2 * time.Minute).say(&contract.ExecutionStepFinished{
		ExecutionId: s.id(), StepId: "degrade", Kind: "action", Phase: "disruption", Service: "kraken-simulator", Action: "degrade",
		Status: "failed", Error: "403: token expired", Attempt: 2,
	})
	s.say(&contract.ExecutionFaultInjected{ExecutionId: s.id(), FaultId: "f-degrade", FaultType: "degrade", TargetService: "kraken-simulator", StepId: "degrade", Status: "failed", Error: "403: token expired"})
	s.validation("v-routed", "orders_routed", "error", saying("> 20 %", "", "no data for kraken-simulator"))
	s.at(3*time.Minute).phaseEnd("disruption", "error", "no step succeeded")
	s.phase("rollback", 2, "")
	s.step("rollback-1", "rollback", "rollback", "kraken-simulator", "clear_faults", "passed", "", time.Second)
	s.at(4*time.Minute).phaseEnd("rollback", "passed", "")
	s.finished("error", 2, "disruption could not be injected", `{"rollback": "passed"}`)
	s.run.Definition = &report.DefinitionSource{
		ScenarioID: "exchange-outage", Number: 2, Text: examples.ExchangeOutage, Publication: strings.Repeat("5e", 32), TemplateID: "exchange-disruption", TemplateVersion: "1",
		TemplateText: examples.ExchangeDisruption, TemplateSHA256: scenario.HashContent(examples.ExchangeDisruption).String(),
	}
	return s.done()
}

// attempt is one of a group of three.
func attempt(n int32, outcome string) *Run {
	s := tell(fmt.Sprintf("attempt-%d", n), "an attempt of a group", "exec-market-disruption-nightly", 1, Base.Add(8*24*time.Hour+time.Duration(n)*time.Hour))
	s.say(&contract.ExecutionRequested{
		ExecutionId: s.id(), ScenarioId: "market-disruption", Environment: "staging", GroupId: "nightly-2026-04-09", Attempt: &n,
		Trigger: &contract.Trigger{Type: "retry", Actor: "nightly"},
	})
	s.at(time.Second).started(time.Hour)
	s.at(time.Minute).validation("v-steady-before", "metric_below", "passed", steady("before"))
	s.at(2*time.Minute).inject("f-shock", "price_shock", "market-data-simulator", "injection", ``)
	status := "passed"
	if outcome != "passed" {
		status = "failed"
	}
	s.at(2*time.Minute+time.Duration(n)*time.Second).validation("v-alert", "alert_raised", status, ofFault("f-shock", 90*time.Second))
	s.at(3 * time.Minute).clear("f-shock")
	s.at(4*time.Minute).recovered("f-shock", time.Duration(60+30*n)*time.Second)
	s.at(5*time.Minute).validation("v-steady-after", "metric_below", "passed", steady("after"))
	s.at(6*time.Minute).finished(outcome, 0, "", ``)
	s.run.Number = execution.RunNumber(n)
	s.run.Definition = marketDisruption()
	return s.done()
}

func thirdAttempt(previous []*Run) *Run {
	r := attempt(3, "passed")
	r.Name, r.About = "third-attempt-passed", "passes after two attempts that did not, and is compared with earlier runs"
	r.Attempts = []*Run{attempt(1, "failed"), attempt(2, "error")}
	r.Previous = previous
	return r
}

func stillRunning() *Run {
	s := tell("still-running", "has not ended: the report is provisional", "exec-market-disruption-003", 1, Base.Add(9*24*time.Hour))
	s.crash()
	s.at(31 * time.Minute).say(&contract.ExecutionPaused{ExecutionId: s.id(), Reason: "waiting for approval"})
	s.run.Definition = marketDisruption()
	return s.done()
}

func opaque() *Run {
	s := tell("opaque-definition", "of a definition that is kept and not understood, without a single validation", "chaos-exchange-latency-1f3a9c2e", 1, Base.Add(10*24*time.Hour))
	s.requested("chaos-exchange-latency", `{"latency_ms": 500, "note": "free", "nested": {"b": 1, "a": [1, 2]}}`)
	s.at(time.Second).started(time.Hour)
	s.at(2*time.Second).inject("f-1", "latency", "exchange-simulator", "", ``)
	s.at(2 * time.Minute).clear("f-1")
	s.at(3*time.Minute).finished("passed", 0, "", `"done"`)
	s.run.Definition = &report.DefinitionSource{ScenarioID: "chaos-exchange-latency", Number: 1, Text: examples.LegacyLatency}
	return s.done()
}

package render_test

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

var t0 = time.Date(2026, 11, 20, 14, 3, 0, 0, time.UTC)

func at(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }

// sample is a report with something in each of its parts, for tests that are
// about the formats and not about what builders make.
func sample() *report.Report {
	r := &report.Report{Schema: report.Schema, Builder: report.BuilderVersion}
	r.Run = report.Run{
		ExecutionID: "exec-stablecoin-depeg-001", Number: 3, RunID: "0197-depeg", ScenarioID: "stablecoin-depeg", ScenarioVersion: "4",
		Environment: "staging-eu", CoordinatorID: "coordinator-2", GroupID: "nightly-1120", Attempt: 2,
		Trigger:     &report.Trigger{Type: "schedule", Actor: "nightly-chaos", URI: "https://ci.example.org/job/81"},
		Labels:      map[string]string{"team": "settlement", "tier": "1"},
		RequestedAt: new(at(-4)), StartedAt: new(at(0)), EndedAt: new(at(1290)), Duration: new(1290.0), ExitCode: new(int32(1)),
		ErrorMessage: "2 validations failed", Summary: json.RawMessage(`{"alerts": 2}`),
	}
	r.Verdict = report.Verdict{
		Status: execution.StatusFailed, Reported: execution.StatusPassed,
		Headline: "Failed after 21 min 30 s: the coordinator reported passed, 7 of 10 validations held and 2 of 3 faults recovered.",
		Decisions: []report.Decision{{
			Topic: execution.TopicStatus, Value: "failed", Reason: "the coordinator reported passed, and 2 validations failed",
			Events: []report.EventRef{{Source: "//coordinator-2", ID: "ev-881", Type: "com.example.testcoordination.execution.finished.v1", Time: at(1290)}},
		}},
	}
	r.Definition = report.Definition{
		Known: true, Name: "Stablecoin depegs while settlement is slow", Description: "USDX loses 4 % over 15 minutes while the settlement service answers late.",
		Version: 4, SHA256: "3f0c", Author: "risk-team", Type: "combined", Services: []string{"settlement", "risk-monitor", "gateway"},
		ExpectedOutcomes: []string{"The risk monitor alerts within 4 minutes"}, SuccessCriteria: []string{"settled within 30 s"},
		Parameters: []report.Parameter{{Name: "depeg_percent", Value: "4", From: "run"}, {Name: "latency", Value: "800ms", From: "default"}},
	}
	r.Phases = []report.Phase{
		{Name: "baseline", Status: execution.PartPassed, StartedAt: new(at(0)), FinishedAt: new(at(240)), Duration: new(240.0)},
		{Name: "depeg", Status: execution.PartFailed, StartedAt: new(at(240)), FinishedAt: new(at(900)), Duration: new(660.0), Error: "risk monitor was late"},
		{Name: "recovery", Status: execution.PartPassed, StartedAt: new(at(900)), FinishedAt: new(at(1290)), Duration: new(390.0)},
	}
	r.Steps = []report.Step{
		{ID: "slow-settlement", Attempt: 1, Kind: execution.StepAction, Phase: "depeg", Service: "settlement", Action: "inject_latency", Status: execution.PartPassed, StartedAt: new(at(250)), FinishedAt: new(at(252)), Duration: new(2.1)},
		{ID: "wait-for-alert", Attempt: 1, Kind: execution.StepAssertion, Phase: "depeg", Service: "risk-monitor", Action: "wait_for_alert", Status: execution.PartFailed, StartedAt: new(at(260)), FinishedAt: new(at(620)), Duration: new(360.0), Error: "no alert within 240 s"},
		{ID: "undo", Attempt: 2, Kind: execution.StepRollback, Phase: "recovery", Status: execution.PartPassed, StartedAt: new(at(910)), FinishedAt: new(at(915)), Duration: new(5.0)},
	}
	r.Faults = []report.Fault{
		{ID: "f-latency", Type: "network_latency", Target: "settlement", Phase: "depeg", Parameters: json.RawMessage(`{"delay":"800ms","jitter":"50ms"}`), BlastRadius: "1 of 3 replicas", Status: execution.FaultHealed, InjectedAt: new(at(252)), ClearedAt: new(at(760)), RecoveredAt: new(at(842)), Active: new(508.0), Recovery: new(82.0), Detection: new(14.2), DetectedBy: "v-latency"},
		{ID: "f-depeg", Type: "price_depeg", Target: "market-data", Phase: "depeg", Parameters: json.RawMessage(`{"percent":4}`), Status: execution.FaultHealed, InjectedAt: new(at(270)), ClearedAt: new(at(900)), RecoveredAt: new(at(910)), Active: new(630.0), Recovery: new(10.0), Detection: new(350.0), DetectedBy: "v-alert"},
		{ID: "f-kill", Type: "service_restart", Target: "gateway", Phase: "recovery", Status: execution.FaultFailed, RequestedAt: new(at(950)), Error: "permission denied: pods/delete"},
	}
	v := func(id, kind string, s execution.ValidationStatus, t float64, service, want, got, steady, fault string) report.Validation {
		return report.Validation{ID: id, AssertionType: kind, Status: s, At: at(t), Phase: "depeg", Service: service, Expected: want, Actual: got, SteadyState: steady, FaultID: fault}
	}
	r.Validations = []report.Validation{
		v("v-steady-1", "http_success_rate", "passed", 200, "gateway", "> 99 %", "99.98 %", "before", ""),
		v("v-steady-2", "queue_depth", "passed", 205, "settlement", "< 100", "12", "before", ""),
		v("v-latency", "latency_p99", "passed", 266, "settlement", "< 2 s", "1.31 s", "", "f-latency"),
		v("v-steady-3", "http_success_rate", "failed", 420, "gateway", "> 99 %", "96.2 %", "during", ""),
		v("v-queue", "queue_depth", "passed", 424, "settlement", "< 5000", "3120", "during", ""),
		v("v-alert", "alert_raised", "failed", 620, "risk-monitor", "alert within 4 min", "no alert after 5 min 50 s", "", "f-depeg"),
		v("v-hedge", "position_hedged", "error", 640, "hedger", "delta < 0.1", "", "", "f-depeg"),
		v("v-breaker", "circuit_breaker_open", "passed", 500, "gateway", "open", "open", "", "f-latency"),
		v("v-steady-4", "http_success_rate", "passed", 1200, "gateway", "> 99 %", "99.9 %", "after", ""),
		v("v-steady-5", "queue_depth", "passed", 1210, "settlement", "< 100", "40", "after", ""),
		v("v-optional", "report_sent", "skipped", 1280, "mailer", "", "", "", ""),
	}
	r.Validations[5].Message = "the rule peg_deviation was not evaluated: market data was stale"
	r.Validations[5].Evidence = json.RawMessage(`{"rule":"peg_deviation","last_evaluated":"2026-11-20T14:02:58Z"}`)
	r.Validations[5].Within = new(240.0)
	r.Validations[2].ObservedAfter = new(14.2)
	r.SteadyState = report.SteadyState{Before: report.Tally{Passed: 2}, During: report.Tally{Passed: 1, Failed: 1}, After: report.Tally{Passed: 2}, Held: true, Returned: true}
	r.Metrics = report.Metrics{
		Events: 412, LogLines: 12904, Phases: 3, PhasesFailed: 1, Steps: 3, StepsFailed: 1, Faults: 3, FaultsRecovered: 2, FaultsFailed: 1, Snapshots: 86,
		Validations: report.Tally{Passed: 7, Failed: 2, Error: 1, Skipped: 1}, Alerts: 1, CircuitBreakers: 1, Late: 1,
		MeanRecovery: new(46.0), MaxRecovery: new(82.0), MeanDetection: new(182.1), MaxDetection: new(350.0), Resilience: new(63.9),
	}
	points := func(f func(x float64) float64) (all []report.Point) {
		for i := range 43 {
			x := float64(i) * 30
			all = append(all, report.Point{At: at(x), Value: math.Round(f(x)*100) / 100})
		}
		return all
	}
	bump := func(base, top float64) func(float64) float64 {
		return func(x float64) float64 {
			if x < 250 {
				return base + base*0.05*math.Sin(x/40)
			}
			return base + (top-base)*math.Exp(-(x-560)/210*(x-560)/210) + base*0.04*math.Sin(x/30)
		}
	}
	metric := func(name string, base, top float64) report.MetricImpact {
		m := report.MetricImpact{Name: name, Baseline: new(base), Points: points(bump(base, top)), Min: base, Max: top}
		for _, p := range m.Points {
			if m.Peak == nil || math.Abs(p.Value-base) > math.Abs(*m.Peak-base) {
				m.Peak = new(p.Value)
			}
		}
		m.Last = m.Points[len(m.Points)-1].Value
		m.PeakChange, m.Residual = new((*m.Peak-base)/base), new((m.Last-base)/base)
		return m
	}
	r.Impact = []report.ServiceImpact{
		{Service: "settlement", Target: true, Health: []report.HealthAt{{At: at(0), Health: "healthy"}, {At: at(300), Health: "degraded"}, {At: at(880), Health: "healthy"}}, Metrics: []report.MetricImpact{metric("latency_p99_ms", 210, 1310), metric("queue_depth", 12, 3120), metric("cpu_percent", 31, 44)}},
		{Service: "gateway", Health: []report.HealthAt{}, Metrics: []report.MetricImpact{metric("success_percent", 99.98, 96.2), {Name: "restarts", Min: 0, Max: 0, Points: []report.Point{}}}},
	}
	r.Snapshots = []report.SnapshotDifference{{
		Service: "settlement", From: report.SnapshotRef{ID: "s-1", Kind: execution.SnapshotBaseline, At: at(10), Health: "healthy"}, To: report.SnapshotRef{ID: "s-80", Kind: execution.SnapshotRecovery, At: at(1250), Health: "healthy"},
		Added: 1, Changed: 2, Changes: []report.ValueChange{{Kind: execution.ChangeChanged, Path: "/config/replicas", Before: "3", After: "2", Relative: new(-0.333)}, {Kind: execution.ChangeAdded, Path: "/flags/degraded", After: "true"}},
	}}
	r.Alerts = []report.Signal{{At: at(505), Name: "SettlementLatencyHigh", Service: "settlement", Detail: "p99 above 1 s for 2 min", From: "validation", Ref: "v-latency"}}
	r.CircuitBreakers = []report.Signal{{At: at(500), Name: "gateway→settlement", Service: "gateway", Detail: "open", From: "validation", Ref: "v-breaker"}}
	r.Unexpected = []report.Finding{{Rule: "alert_too_late", At: new(at(620)), Text: "Nothing alerted on f-depeg within the 4 minutes that were asked for.", Refs: []string{"fault f-depeg", "validation v-alert"}}, {Rule: "fault_failed", Text: "The fault f-kill could not be injected.", Refs: []string{"fault f-kill"}}}
	r.Recommendations = []report.Recommendation{
		{Rule: "late_detection", Priority: "high", Text: "Alert on stale market data: price_depeg on market-data was seen after 5 min 50 s only.", Because: []string{"f-depeg was injected at 14:07:30Z.", "v-alert failed at 14:13:20Z."}},
		{Rule: "injection_failed", Priority: "medium", Text: "Give the coordinator the right to delete pods, or take f-kill out of the scenario.", Because: []string{"f-kill failed: permission denied."}},
	}
	r.Logs = report.Logs{Lines: 12904, Levels: map[string]int64{"error": 14, "warning": 220, "info": 12670}, Notable: []report.LogLine{
		{At: at(431), Level: "error", Service: "settlement", Phase: "depeg", Message: "settlement batch 8812 timed out after 30s: context deadline exceeded"},
		{At: at(624), Level: "warning", Service: "risk-monitor", Message: "market data stale for 348s, rule peg_deviation skipped"},
	}, Omitted: 12}
	r.Timeline = report.Timeline{Entries: []report.Entry{
		{At: at(0), Type: "execution_started", Text: "started"},
		{At: at(252), Type: "fault_injected", Text: "network_latency on settlement", Ref: "f-latency", Status: "injected"},
		{At: at(1290), Type: "execution_finished", Text: "passed, as the coordinator says", Status: "passed"},
		{At: at(1298), Type: "log_appended", Text: "a snapshot that came after the end", Late: true},
	}, Omitted: 3}
	r.Annotations = []report.Annotation{{At: at(4000), Author: "mara", Text: "Known: ticket SET-118."}}
	r.Attempts = []report.Brief{{ExecutionID: "exec-stablecoin-depeg-001", Run: 2, Attempt: 1, SHA256: "aa11", Status: execution.StatusFailed, StartedAt: new(at(-3600)), EndedAt: new(at(-2300)), Duration: new(1300.0), Validations: report.Tally{Passed: 6, Failed: 3}, FailedValidations: []string{"v-alert", "v-queue"}, Resilience: new(51.0)}}
	for i := range 6 {
		status := []execution.Status{"passed", "passed", "failed", "error", "passed", "timeout"}[i]
		r.Previous = append(r.Previous, report.Change{
			Brief:          report.Brief{ExecutionID: "exec-stablecoin-depeg-001", Run: execution.RunNumber(i + 10), SHA256: fmt.Sprintf("bb%d", i), Status: status, StartedAt: new(at(float64(-86400 * (i + 1)))), Duration: new(1200 + 70*float64(i)), Recovery: new(40.0), Resilience: new(95 - 9*float64(i)), FailedValidations: []string{}},
			DurationChange: new(90.0 - 70*float64(i)), ResilienceChange: new(-31.0), NewFailures: []string{"v-alert"}, FixedFailures: []string{}, SameDefinition: i < 4,
		})
	}
	r.Inputs = report.Inputs{Events: 430, Chain: "c0ffee", DefinitionSHA256: "3f0c", Publication: "9e1b", TemplateID: "exchange-disruption", TemplateSHA256: "77aa", Compared: []string{"aa11"}}
	return r
}

package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// well is a report by whose facts no rule applies: a run that passed, with one fault
// that was seen in time and is over, validated before, during and after.
func well() *report.Report {
	at := func(s int) *time.Time { return new(executiontest.Base.Add(time.Duration(s) * time.Second)) }
	return &report.Report{
		Run:        report.Run{ExecutionID: anID, Number: 1, StartedAt: at(0), EndedAt: at(100), Duration: new(100.0)},
		Verdict:    report.Verdict{Status: execution.StatusPassed, Reported: execution.StatusPassed, Decisions: []report.Decision{{Topic: execution.TopicStatus}}},
		Definition: report.Definition{Known: true, SHA256: "d1", Version: 1},
		Metrics: report.Metrics{
			Validations: report.Tally{Passed: 3}, Faults: 1, FaultsRecovered: 1, Snapshots: 2,
			MeanRecovery: new(10.0), MeanDetection: new(5.0), Resilience: new(100.0),
		},
		SteadyState: report.SteadyState{Before: report.Tally{Passed: 1}, After: report.Tally{Passed: 1}, Held: true},
		Phases:      []report.Phase{{Name: "p", Status: execution.PartPassed}},
		Steps:       []report.Step{{ID: "s", Attempt: 1, Status: execution.PartPassed}},
		Faults: []report.Fault{{
			ID: "f", Type: "latency", Target: "engine", Status: execution.FaultHealed, InjectedAt: at(20), ClearedAt: at(40), RecoveredAt: at(50),
			Detection: new(5.0), DetectedBy: "v", Recovery: new(10.0),
		}},
		Validations: []report.Validation{
			{ID: "b", Status: execution.ValidationPassed, At: *at(10), SteadyState: "before"},
			{ID: "v", Status: execution.ValidationPassed, At: *at(25), FaultID: "f", Within: new(30.0)},
			{ID: "a", Status: execution.ValidationPassed, At: *at(60), SteadyState: "after"},
		},
		Impact: []report.ServiceImpact{
			{Service: "engine", Target: true, HealthBefore: "healthy", HealthLast: "healthy", Metrics: []report.MetricImpact{{Name: "m", Baseline: new(10.0), Peak: new(90.0), PeakChange: new(8.0), Residual: new(0.2)}}},
			{Service: "other", HealthBefore: "healthy", HealthLast: "healthy", Health: []report.HealthAt{{At: *at(5), Health: "healthy"}}, Metrics: []report.MetricImpact{{Name: "m", Baseline: new(10.0), Peak: new(12.0), PeakChange: new(0.2), Residual: new(-0.2)}}},
			{Service: "", HealthBefore: "healthy", HealthLast: "healthy", Health: []report.HealthAt{{At: *at(30), Health: "degraded"}}, Metrics: []report.MetricImpact{{Name: "m", Baseline: new(10.0), PeakChange: new(5.0)}}},
		},
		Logs: report.Logs{Notable: []report.LogLine{{At: *at(1), Level: "warn", Message: "m"}, {At: *at(20), Level: "error", Message: "m"}}},
		Previous: []report.Change{
			{Brief: report.Brief{Status: execution.StatusPassed, Definition: "d1", Recovery: new(9.5), Detection: new(4.2), Resilience: new(100.0)}, SameDefinition: true},
			{Brief: report.Brief{Status: execution.StatusFailed, Definition: "d0", Recovery: new(0.1), Detection: new(0.1), FailedValidations: []string{"a"}}},
		},
		Attempts: []report.Brief{{Status: execution.StatusPassed}},
	}
}

// A ruleCase changes a report by whose facts the rule does not apply into one by
// which it does, and then into one by which it just does not.
type ruleCase struct {
	applies func(r *report.Report)
	not     func(r *report.Report) // on top of applies; nil: the first change is the whole condition
	says    string
}

var unexpectedCases = map[string]ruleCase{
	"steady_state_missing_before": {
		func(r *report.Report) { r.Validations[0].Status = execution.ValidationError },
		func(r *report.Report) { r.Validations[0].SteadyState = "during" }, "The steady state did not hold before the faults: b () error.",
	},
	"early_errors": {
		func(r *report.Report) { r.Logs.Notable[0].Level = "error" },
		func(r *report.Report) { r.Logs.Notable[0].At = *r.Faults[0].InjectedAt }, "A line of level error came before the first fault: m",
	},
	"validation_error": {
		func(r *report.Report) {
			r.Validations[1].Status, r.Validations[1].Message = execution.ValidationError, "no data"
		},
		func(r *report.Report) { r.Validations[1].Status = execution.ValidationFailed }, "Validation v () came to no answer: no data.",
	},
	"step_failed": {
		func(r *report.Report) { r.Steps[0].Status, r.Steps[0].Error = execution.PartError, "refused" },
		func(r *report.Report) { r.Steps[0].Status = execution.PartSkipped }, "Step s, attempt 1, ended with error: refused.",
	},
	"phase_failed": {
		func(r *report.Report) { r.Phases[0].Status = execution.PartFailed },
		func(r *report.Report) { r.Phases[0].Status = execution.PartSkipped }, "Phase p ended with failed.",
	},
	"phase_unfinished": {
		func(r *report.Report) { r.Phases[0].Status = execution.PartRunning },
		func(r *report.Report) { r.Provisional = true }, "Phase p never finished.",
	},
	"fault_failed": {
		func(r *report.Report) { r.Faults[0].Status, r.Faults[0].Error = execution.FaultFailed, "403" },
		func(r *report.Report) { r.Faults[0].Status = execution.FaultHealed }, "Fault f (latency of engine) could not be injected: 403.",
	},
	"fault_not_cleared": {
		func(r *report.Report) { r.Faults[0].Status = execution.FaultInProgress },
		func(r *report.Report) { r.Provisional = true }, "Fault f (latency of engine) was never cleared: it may be in the system still.",
	},
	"fault_clear_error": {
		func(r *report.Report) { r.Faults[0].ClearError = "no route" },
		func(r *report.Report) { r.Faults[0].ClearError = "" }, "Clearing fault f failed: no route.",
	},
	"fault_not_recovered": {
		func(r *report.Report) { r.Faults[0].Status = execution.FaultClearedOK },
		func(r *report.Report) { r.Provisional = true }, "engine was never reported well again after fault f was cleared.",
	},
	"bystander_moved": {
		func(r *report.Report) {
			r.Impact[1].Metrics[0].PeakChange, r.Impact[1].Metrics[0].Peak = new(-0.21), new(7.9)
		},
		func(r *report.Report) { r.Faults[0].InjectedAt = nil }, "m of other, which is no target of a fault, moved by -21 % from its baseline: from 10 to 7.9.",
	},
	"bystander_health": {
		func(r *report.Report) {
			r.Impact[1].Health = append(r.Impact[1].Health, report.HealthAt{At: r.Faults[0].InjectedAt.Add(time.Second), Health: "down"})
		},
		func(r *report.Report) { r.Impact[1].Health[1].At = executiontest.Base }, "The health of other, which is no target of a fault, went from healthy to down.",
	},
	"not_back_to_baseline": {
		func(r *report.Report) {
			r.Impact[0].Metrics[0].Residual, r.Impact[0].Metrics[0].Last = new(0.201), 12.01
		},
		func(r *report.Report) { r.Provisional = true }, "m of engine did not come back: 12.01 at last, 20.1 % from its baseline of 10.",
	},
	"health_degraded": {
		func(r *report.Report) { r.Impact[2].HealthLast = "degraded" },
		func(r *report.Report) { r.Impact[2].HealthLast = "OK" }, "The health of the whole system was healthy before the faults and degraded at last.",
	},
	"verdict_overruled": {
		func(r *report.Report) { r.Verdict.Status, r.Metrics.Validations.Failed = execution.StatusFailed, 1 },
		func(r *report.Report) { r.Verdict.Reported = execution.StatusFailed }, "The coordinator reported passed, but 1 validation failed.",
	},
	"conflicting_outcome": {
		func(r *report.Report) { r.Metrics.Conflicting = 2 }, func(r *report.Report) { r.Metrics.Conflicting = 0 },
		"2 events say another outcome than passed, too late to count.",
	},
	"late_events": {
		func(r *report.Report) { r.Metrics.Late = 1 }, func(r *report.Report) { r.Metrics.Late = 0 }, "1 event is ordered after the end of the run.",
	},
	"suspect_time": {
		func(r *report.Report) { r.Metrics.Suspect = 1 }, func(r *report.Report) { r.Metrics.Suspect = 0 }, "1 event was dated in the far future",
	},
	"interrupted": {
		func(r *report.Report) {
			r.Verdict.Decisions = append(r.Verdict.Decisions, report.Decision{Topic: execution.TopicInterrupted, Reason: "it does not hold: an end was reported"})
		},
		func(r *report.Report) { r.Verdict.Decisions[1].Topic = execution.TopicEnded }, "The run was called interrupted; it does not hold: an end was reported.",
	},
}

var recommendCases = map[string]ruleCase{
	"clear_fault":       {func(r *report.Report) { r.Faults[0].Status = execution.FaultInjectedOK }, func(r *report.Report) { r.Provisional = true }, "Fault f (latency of engine) was never cleared"},
	"mend_steady_state": {func(r *report.Report) { r.Validations[0].Status = execution.ValidationFailed }, func(r *report.Report) { r.Validations[0].Status = execution.ValidationSkipped }, "The steady state did not hold before"},
	"restore_service":   {func(r *report.Report) { r.SteadyState.After.Failed = 1 }, func(r *report.Report) { r.Provisional = true }, "1 of 2 validations of the steady state after the faults did not hold."},
	"validate_something": {
		func(r *report.Report) { r.Metrics.Validations = report.Tally{Skipped: 5} }, func(r *report.Report) { r.Metrics.Validations.Error = 1 }, "No validation passed, failed or was in error.",
	},
	"check_coordinator": {
		func(r *report.Report) {
			r.Verdict.Status, r.Verdict.Decisions[0].Topic, r.Verdict.Decisions[0].Reason = execution.StatusInterrupted, execution.TopicInterrupted, "it holds"
		},
		func(r *report.Report) { r.Verdict.Status = execution.StatusPassed }, "it holds",
	},
	"mend_step":       {func(r *report.Report) { r.Steps[0].Status = execution.PartFailed }, func(r *report.Report) { r.Steps[0].Status = execution.PartRunning }, "Step s, attempt 1, ended with failed."},
	"mend_validation": {func(r *report.Report) { r.Validations[2].Status = execution.ValidationError }, func(r *report.Report) { r.Validations[2].Status = execution.ValidationSkipped }, "Validation a () came to no answer."},
	"raise_timeout":   {func(r *report.Report) { r.Verdict.Status = execution.StatusTimeout }, func(r *report.Report) { r.Metrics.Validations.Failed = 1 }, "The run ended with timeout, and no validation failed."},
	"detect_sooner":   {func(r *report.Report) { r.Faults[0].Detection = new(30.5) }, func(r *report.Report) { r.Faults[0].Detection = new(30.0) }, "Fault f was seen by validation v after 30.5s, and within 30s was asked for."},
	"link_validation": {func(r *report.Report) { r.Validations[1].FaultID = "" }, func(r *report.Report) { r.Faults[0].InjectedAt = nil }, "No validation names fault f (latency of engine)."},
	"validate_after":  {func(r *report.Report) { r.SteadyState.After = report.Tally{} }, func(r *report.Report) { r.Faults[0].InjectedAt = nil }, "1 fault injected, and no validation of the steady state after."},
	"validate_before": {func(r *report.Report) { r.SteadyState.Before = report.Tally{} }, func(r *report.Report) { r.SteadyState.Before.Skipped = 1 }, "1 fault injected, and no validation of the steady state before."},
	"recovers_slower": {func(r *report.Report) { r.Metrics.MeanRecovery = new(11.5) }, func(r *report.Report) { r.Metrics.MeanRecovery = new(11.39) }, "Mean recovery took 11.5s; the median of 1 previous passed run is 9.5s."},
	"detects_slower":  {func(r *report.Report) { r.Metrics.MeanDetection = new(5.3) }, func(r *report.Report) { r.Previous[0].Status = execution.StatusFailed }, "Mean detection took 5.3s; the median of 1 previous passed run is 4.2s."},
	"less_resilient":  {func(r *report.Report) { r.Metrics.Resilience = new(89.9) }, func(r *report.Report) { r.Metrics.Resilience = new(90.0) }, "The resilience score is 89.9; it was 100 in the previous run."},
	"flaky_validation": {
		func(r *report.Report) { // passed now, failed then, passed before that
			r.Previous[1].SameDefinition, r.Previous[0].FailedValidations, r.Previous[1].FailedValidations = true, []string{"v"}, nil
		},
		func(r *report.Report) { r.Previous[1].FailedValidations = []string{"v"} }, "Validation v failed in 1 of 3 runs of the same definition, by turns.",
	},
	"passed_after_retries": {func(r *report.Report) { r.Attempts[0].Status = execution.StatusError }, func(r *report.Report) { r.Verdict.Status = execution.StatusFailed }, "Attempt 1 of the group ended with error."},
	"declare_blast_radius": {func(r *report.Report) { r.Impact[1].Metrics[0].PeakChange = new(0.3) }, func(r *report.Report) { r.Impact[1].Target = true }, "m of other, which is no target of a fault, moved by 30 %"},
	"take_baseline":        {func(r *report.Report) { r.Metrics.Snapshots = 0 }, func(r *report.Report) { r.Faults[0].InjectedAt = nil }, "The run has no snapshot."},
	"definition_differs":   {func(r *report.Report) { r.Previous[0].SameDefinition, r.Previous[0].Definition = false, "d2" }, func(r *report.Report) { r.Previous[0].Definition = "" }, "This run is of version 1 (d1), the previous one of version 0 (d2)."},
	"set_clocks":           {func(r *report.Report) { r.Metrics.Suspect = 3 }, func(r *report.Report) { r.Metrics.Suspect = 0 }, "3 events were dated in the far future"},
}

// texts are what the rule says of a report.
func texts(r *report.Report, rule string) (said []string) {
	r.Unexpected = report.Unexpected(r)
	for _, f := range r.Unexpected {
		if f.Rule == rule {
			said = append(said, f.Text)
		}
	}
	for _, c := range report.Recommend(r) {
		if c.Rule == rule {
			said = append(said, c.Because...)
		}
	}
	return said
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, table := range []struct {
		rules []report.Rule
		cases map[string]ruleCase
	}{{report.UnexpectedRules(), unexpectedCases}, {report.RecommendRules(), recommendCases}} {
		if len(table.rules) != len(table.cases) {
			t.Errorf("%d rules, %d are tested", len(table.rules), len(table.cases))
		}
		for _, rule := range table.rules {
			t.Run(rule.Name, func(t *testing.T) {
				t.Parallel()
				c, ok := table.cases[rule.Name]
				if !ok || rule.When == "" {
					t.Fatal("a rule without a test, or that does not say when it applies")
				}
				if said := texts(well(), rule.Name); said != nil {
					t.Errorf("of a run that went well: %q", said)
				}
				r := well()
				c.applies(r)
				if said := texts(r, rule.Name); len(said) == 0 || !strings.Contains(said[0], c.says) {
					t.Errorf("says %q, want %q", said, c.says)
				}
				c.not(r)
				if said := texts(r, rule.Name); said != nil {
					t.Errorf("says %q though it does not apply", said)
				}
			})
		}
	}
}

func TestNothingIsUnexpectedWhereAllIsWell(t *testing.T) {
	t.Parallel()
	r := well()
	r.Unexpected = report.Unexpected(r)
	if len(r.Unexpected) > 0 || len(report.Recommend(r)) > 0 {
		t.Errorf("unexpected %+v, recommended %+v", r.Unexpected, report.Recommend(r))
	}
}

func TestFindingsOfARuleAreBounded(t *testing.T) {
	t.Parallel()
	r := well()
	for len(r.Steps) < 33 {
		r.Steps = append(r.Steps, report.Step{ID: "x", Status: execution.PartFailed})
	}
	r.Unexpected = report.Unexpected(r)
	if n := len(r.Unexpected); n != 21 || r.Unexpected[20].Text != "12 findings more of this rule." {
		t.Errorf("%d findings, the last one %+v", n, r.Unexpected[n-1])
	}
	if because := report.Recommend(r)[0].Because; len(because) != 11 || because[10] != "11 facts more." {
		t.Errorf("%d facts: %q", len(because), because)
	}
}

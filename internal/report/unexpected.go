package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// The bounds of the rules.
const (
	mostMoved    = 0.20 // of a metric from its baseline, in relation to it
	mostFindings = 20   // of one rule; one more says how many were left out
)

// Rule names a rule of this package and says when it applies.
type Rule struct{ Name, When string }

type unexpectedRule struct {
	Rule
	find func(r *Report, found *findings)
}

// unexpectedRules are in the order in which findings are listed.
var unexpectedRules = []unexpectedRule{
	{Rule{"steady_state_missing_before", "a validation of the steady state before the faults failed or was in error: the run proves nothing about them"}, brokenBefore},
	{Rule{"early_errors", "a notable line of a level error or above is dated before the first injection"}, earlyErrors},
	{Rule{"validation_error", "a validation came to no answer"}, validationsInError},
	{Rule{"step_failed", "a step failed or was in error"}, failedSteps},
	{Rule{"phase_failed", "a phase failed or was in error"}, failedPhases},
	{Rule{"phase_unfinished", "the run has ended and a phase has not"}, unfinishedPhases},
	{Rule{"fault_failed", "a fault could not be injected"}, failedFaults},
	{Rule{"fault_not_cleared", "the run has ended and a fault is active"}, unclearedFaults},
	{Rule{"fault_clear_error", "an attempt to clear a fault failed"}, faultsClearedWithError},
	{Rule{"fault_not_recovered", "the run has ended, a fault was cleared, and its target was not reported well again"}, unrecoveredFaults},
	{Rule{"bystander_moved", "a metric of a service that is no target of a fault moved more than 20 % from its baseline"}, movedBystanders},
	{Rule{"bystander_health", "the health of a service that is no target of a fault changed after its baseline"}, sickBystanders},
	{Rule{"not_back_to_baseline", "the last value of a metric is more than 20 % from its baseline after a fault, and the run has ended"}, notBack},
	{Rule{"health_degraded", "the run has ended and the last known health of a service is not that of before the faults, nor a good word such as healthy"}, stillDegraded},
	{Rule{"verdict_overruled", "the coordinator reported passed and a validation failed"}, overruled},
	{Rule{"conflicting_outcome", "another outcome was reported after the one that counts"}, conflicts},
	{Rule{"late_events", "events of others are ordered after the end of the run"}, lateEvents},
	{Rule{"suspect_time", "events were dated in the far future when they came"}, suspectTimes},
	{Rule{"interrupted", "the run was called interrupted, whether or not that still holds"}, interruptions},
}

// UnexpectedRules lists the rules of Unexpected.
func UnexpectedRules() []Rule {
	rules := make([]Rule, len(unexpectedRules))
	for i, u := range unexpectedRules {
		rules[i] = u.Rule
	}
	return rules
}

// Unexpected is what should not have been, by the rules of UnexpectedRules and in
// their order, at most 20 findings and a count of the rest for each. It reads nothing
// but the report.
func Unexpected(r *Report) []Finding {
	all := []Finding{}
	for _, rule := range unexpectedRules {
		found := findings{rule: rule.Name}
		rule.find(r, &found)
		all = append(all, found.listed()...)
	}
	return all
}

// findings of one rule.
type findings struct {
	rule string
	all  []Finding
	more int
}

func (f *findings) add(at *time.Time, refs []string, format string, args ...any) {
	if len(f.all) >= mostFindings {
		f.more++
		return
	}
	f.all = append(f.all, Finding{Rule: f.rule, At: at, Text: fmt.Sprintf(format, args...), Refs: refs})
}

func (f *findings) listed() []Finding {
	if f.more > 0 {
		return append(f.all, Finding{Rule: f.rule, Text: counted(f.more, "finding") + " more of this rule.", Refs: []string{}})
	}
	return f.all
}

// ended tells whether nothing more is to come of the run.
func (r *Report) ended() bool { return !r.Provisional }

// firstInjection is when the first fault came into the system.
func (r *Report) firstInjection() *time.Time {
	var first *time.Time
	for i := range r.Faults {
		if at := r.Faults[i].InjectedAt; at != nil && (first == nil || at.Before(*first)) {
			first = at
		}
	}
	return first
}

func brokenBefore(r *Report, found *findings) {
	for i := range r.Validations {
		v := &r.Validations[i]
		if v.SteadyState != "before" || v.Status != execution.ValidationFailed && v.Status != execution.ValidationError {
			continue
		}
		found.add(&v.At, []string{refOf("validation", v.ID)},
			"The steady state did not hold before the faults: %s (%s) %s. The run proves nothing about the faults.", quoted(v.ID), quoted(v.AssertionType), v.Status)
	}
}

func earlyErrors(r *Report, found *findings) {
	first := r.firstInjection()
	if first == nil {
		return
	}
	for i := range r.Logs.Notable {
		l := &r.Logs.Notable[i]
		if severities[l.Level] >= severities["error"] && l.At.Before(*first) {
			found.add(&l.At, refsOf(refOfStep(l.StepID)), "A line of level %s came before the first fault: %s", l.Level, quoted(l.Message))
		}
	}
}

// refsOf are those that are not empty.
func refsOf(refs ...string) []string {
	return slices.DeleteFunc(append([]string{}, refs...), func(ref string) bool { return ref == "" })
}

func validationsInError(r *Report, found *findings) {
	for i := range r.Validations {
		if v := &r.Validations[i]; v.Status == execution.ValidationError {
			found.add(&v.At, []string{refOf("validation", v.ID)}, "Validation %s (%s) came to no answer%s.", quoted(v.ID), quoted(v.AssertionType), because(v.Message))
		}
	}
}

func because(detail string) string {
	if detail = quoted(detail); detail == "" {
		return ""
	}
	return ": " + detail
}

func failedSteps(r *Report, found *findings) {
	for i := range r.Steps {
		if s := &r.Steps[i]; unsuccessful(s.Status) {
			found.add(s.FinishedAt, []string{refOf("step", s.ID)}, "Step %s, attempt %d, ended with %s%s.", quoted(s.ID), s.Attempt, s.Status, because(s.Error))
		}
	}
}

func failedPhases(r *Report, found *findings) {
	for i := range r.Phases {
		if p := &r.Phases[i]; unsuccessful(p.Status) {
			found.add(p.FinishedAt, []string{refOf("phase", p.Name)}, "Phase %s ended with %s%s.", quoted(p.Name), p.Status, because(p.Error))
		}
	}
}

func unfinishedPhases(r *Report, found *findings) {
	for i := range r.Phases {
		p := &r.Phases[i]
		if r.ended() && (p.Status == execution.PartPending || p.Status == execution.PartRunning) {
			found.add(p.StartedAt, []string{refOf("phase", p.Name)}, "Phase %s never finished.", quoted(p.Name))
		}
	}
}

func failedFaults(r *Report, found *findings) {
	for i := range r.Faults {
		if f := &r.Faults[i]; f.Status == execution.FaultFailed {
			found.add(f.RequestedAt, []string{refOf("fault", f.ID)}, "Fault %s (%s of %s) could not be injected%s.", f.ID, quoted(f.Type), quoted(f.Target), because(f.Error))
		}
	}
}

func unclearedFaults(r *Report, found *findings) {
	for i := range r.Faults {
		if f := &r.Faults[i]; r.ended() && f.active() {
			found.add(f.InjectedAt, []string{refOf("fault", f.ID)}, "Fault %s (%s of %s) was never cleared: it may be in the system still.", f.ID, quoted(f.Type), quoted(f.Target))
		}
	}
}

func faultsClearedWithError(r *Report, found *findings) {
	for i := range r.Faults {
		if f := &r.Faults[i]; f.ClearError != "" {
			found.add(f.ClearedAt, []string{refOf("fault", f.ID)}, "Clearing fault %s failed%s.", f.ID, because(f.ClearError))
		}
	}
}

func unrecoveredFaults(r *Report, found *findings) {
	for i := range r.Faults {
		if f := &r.Faults[i]; r.ended() && f.Status == execution.FaultClearedOK {
			found.add(f.ClearedAt, []string{refOf("fault", f.ID)}, "%s was never reported well again after fault %s was cleared.", quoted(f.Target), f.ID)
		}
	}
}

// bystanders are named services that no injected fault had for a target. The whole
// system, which is in snapshots without a service, is none: it holds the targets.
func bystanders(r *Report) []*ServiceImpact {
	var all []*ServiceImpact
	if r.firstInjection() == nil {
		return nil
	}
	for i := range r.Impact {
		if s := &r.Impact[i]; !s.Target && s.Service != "" {
			all = append(all, s)
		}
	}
	return all
}

func movedBystanders(r *Report, found *findings) {
	for _, s := range bystanders(r) {
		for i := range s.Metrics {
			m := &s.Metrics[i]
			if m.Peak != nil && m.Baseline != nil && away(m.PeakChange, mostMoved) {
				found.add(nil, []string{refOfService(s.Service)}, "%s of %s, which is no target of a fault, moved by %s from its baseline: from %s to %s.",
					quoted(m.Name), quoted(s.Service), percent(*m.PeakChange), number(*m.Baseline), number(*m.Peak))
			}
		}
	}
}

func sickBystanders(r *Report, found *findings) {
	first := r.firstInjection()
	for _, s := range bystanders(r) {
		for _, h := range s.Health {
			if h.At.Before(*first) || h.Health == s.HealthBefore {
				continue
			}
			found.add(&h.At, []string{refOfService(s.Service)}, "The health of %s, which is no target of a fault, went from %s to %s.", quoted(s.Service), quoted(s.HealthBefore), quoted(h.Health))
			break
		}
	}
}

func notBack(r *Report, found *findings) {
	if !r.ended() || r.firstInjection() == nil {
		return
	}
	for i := range r.Impact {
		s := &r.Impact[i]
		for j := range s.Metrics {
			if m := &s.Metrics[j]; m.Baseline != nil && away(m.Residual, mostMoved) {
				found.add(nil, []string{refOfService(s.Service)}, "%s of %s did not come back: %s at last, %s from its baseline of %s.",
					quoted(m.Name), serviceName(quoted(s.Service)), number(m.Last), percent(*m.Residual), number(*m.Baseline))
			}
		}
	}
}

// wellWords are what snapshots say of services that are well.
var wellWords = map[string]bool{
	"healthy": true, "ok": true, "up": true, "green": true, "good": true, "normal": true, "serving": true, "ready": true, "running": true, "available": true,
}

func stillDegraded(r *Report, found *findings) {
	if !r.ended() || r.firstInjection() == nil {
		return
	}
	for i := range r.Impact {
		if s := &r.Impact[i]; s.HealthBefore != "" && s.HealthLast != s.HealthBefore && !wellWords[strings.ToLower(s.HealthLast)] {
			found.add(nil, []string{refOfService(s.Service)}, "The health of %s was %s before the faults and %s at last.", serviceName(quoted(s.Service)), quoted(s.HealthBefore), quoted(s.HealthLast))
		}
	}
}

func overruled(r *Report, found *findings) {
	if r.Verdict.Reported != execution.StatusPassed || r.Verdict.Status != execution.StatusFailed {
		return
	}
	refs := []string{}
	for i := range r.Validations {
		if v := &r.Validations[i]; v.Status == execution.ValidationFailed && len(refs) < mostFindings {
			refs = append(refs, refOf("validation", v.ID))
		}
	}
	found.add(r.Run.EndedAt, refs, "The coordinator reported passed, but %s failed.", counted(r.Metrics.Validations.Failed, "validation"))
}

func conflicts(r *Report, found *findings) {
	if n := r.Metrics.Conflicting; n > 0 {
		found.add(nil, []string{}, "%s another outcome than %s, too late to count.", countedDid(n, "event", "says", "say"), r.Verdict.Reported)
	}
}

func lateEvents(r *Report, found *findings) {
	if n := r.Metrics.Late; n > 0 {
		found.add(r.Run.EndedAt, []string{}, "%s ordered after the end of the run.", countedDid(n, "event", "is", "are"))
	}
}

func suspectTimes(r *Report, found *findings) {
	if n := r.Metrics.Suspect; n > 0 {
		found.add(nil, []string{}, "%s dated in the far future when recorded: their times cannot be trusted.", countedDid(n, "event", "was", "were"))
	}
}

func countedDid(n int, of, one, many string) string {
	if n == 1 {
		return counted(n, of) + " " + one
	}
	return counted(n, of) + " " + many
}

func interruptions(r *Report, found *findings) {
	for _, d := range r.Verdict.Decisions {
		if d.Topic != execution.TopicInterrupted {
			continue
		}
		var at *time.Time
		if len(d.Events) > 0 {
			at = &d.Events[0].Time
		}
		found.add(at, []string{}, "The run was called interrupted; %s.", d.Reason)
	}
}

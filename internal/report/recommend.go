package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// The priorities of recommendations.
const (
	PriorityHigh   = "high"
	PriorityMedium = "medium"
	PriorityLow    = "low"
)

// The bounds of the rules that compare with previous runs.
const (
	mostSlower     = 0.20 // slower than the median of previous runs, in relation to it
	leastSlower    = 1.0  // seconds; below, it is noise
	mostResilience = 10.0 // points of the score that may be lost
	flips          = 2    // from failed to not failed or back, for a flaky validation
	mostBecause    = 10   // facts that are given for one recommendation
)

type recommendRule struct {
	Rule
	priority string
	// say gives the text and the facts that it follows from; without a fact the rule
	// does not apply.
	say func(r *Report) (text string, because []string)
}

// recommendRules are in the order of their priority.
var recommendRules = []recommendRule{
	{Rule{"clear_fault", "a fault is active though the run has ended"}, PriorityHigh, clearFault},
	{Rule{"mend_steady_state", "the steady state did not hold before the faults"}, PriorityHigh, mendSteadyState},
	{Rule{"restore_service", "the steady state did not hold after the faults, or a metric or health is not back"}, PriorityHigh, restoreService},
	{Rule{"validate_something", "the run has ended and nothing was validated"}, PriorityHigh, validateSomething},
	{Rule{"check_coordinator", "the run is interrupted"}, PriorityHigh, checkCoordinator},
	{Rule{"mend_step", "a step failed, or a fault could not be injected"}, PriorityMedium, mendStep},
	{Rule{"mend_validation", "a validation came to no answer"}, PriorityMedium, mendValidation},
	{Rule{"raise_timeout", "the run ended with timeout and no validation failed"}, PriorityMedium, raiseTimeout},
	{Rule{"detect_sooner", "the validation that saw a fault came later than its within"}, PriorityMedium, detectSooner},
	{Rule{"link_validation", "a fault was injected and no validation names it"}, PriorityMedium, linkValidation},
	{Rule{"validate_after", "faults were injected and no validation is of the steady state after them"}, PriorityMedium, validateAfter},
	{Rule{"recovers_slower", "mean recovery is more than 20 % and 1 s slower than the median of previous passed runs"}, PriorityMedium, recoversSlower},
	{Rule{"detects_slower", "mean detection is more than 20 % and 1 s slower than the median of previous passed runs"}, PriorityMedium, detectsSlower},
	{Rule{"less_resilient", "the resilience score is more than 10 points below that of the previous run"}, PriorityMedium, lessResilient},
	{Rule{"flaky_validation", "with the same definition a validation went from failed to not failed, or back, at least twice over the previous ended runs and this one"}, PriorityMedium, flakyValidation},
	{Rule{"passed_after_retries", "the run passed and an earlier attempt of its group did not"}, PriorityMedium, passedAfterRetries},
	{Rule{"declare_blast_radius", "a service that is no target of a fault was affected"}, PriorityMedium, declareBlastRadius},
	{Rule{"validate_before", "faults were injected and no validation is of the steady state before them"}, PriorityLow, validateBefore},
	{Rule{"take_baseline", "faults were injected and no snapshot is there to compare with"}, PriorityLow, takeBaseline},
	{Rule{"definition_differs", "the definition is not that of the previous run"}, PriorityLow, definitionDiffers},
	{Rule{"set_clocks", "events were dated in the far future"}, PriorityLow, setClocks},
}

// RecommendRules lists the rules of Recommend.
func RecommendRules() []Rule {
	rules := make([]Rule, len(recommendRules))
	for i, u := range recommendRules {
		rules[i] = u.Rule
	}
	return rules
}

// Recommend is what follows from a report by the rules of RecommendRules, in their
// order: the most urgent first. It reads the facts of the report and Unexpected.
func Recommend(r *Report) []Recommendation {
	all := []Recommendation{}
	for _, rule := range recommendRules {
		text, because := rule.say(r)
		if len(because) == 0 {
			continue
		}
		if more := len(because) - mostBecause; more > 0 {
			because = append(because[:mostBecause:mostBecause], counted(more, "fact")+" more.")
		}
		all = append(all, Recommendation{Rule: rule.Name, Priority: rule.priority, Text: text, Because: because})
	}
	return all
}

// found are the texts of what was unexpected by these rules.
func (r *Report) found(rules ...string) []string {
	var texts []string
	for _, f := range r.Unexpected {
		if slices.Contains(rules, f.Rule) {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

func (r *Report) injected() []*Fault {
	var all []*Fault
	for i := range r.Faults {
		if r.Faults[i].InjectedAt != nil {
			all = append(all, &r.Faults[i])
		}
	}
	return all
}

func clearFault(r *Report) (string, []string) {
	return "Clear the faults now, by hand if need be: tcda cannot know whether they are in the system still.", r.found("fault_not_cleared")
}

func mendSteadyState(r *Report) (string, []string) {
	return "Bring the system into its steady state before the scenario is run again.", r.found("steady_state_missing_before")
}

func restoreService(r *Report) (string, []string) {
	facts := r.found("not_back_to_baseline", "health_degraded")
	if s := r.SteadyState.After; r.ended() && s.broken() > 0 {
		facts = append([]string{fmt.Sprintf("%d of %s of the steady state after the faults did not hold.", s.broken(), counted(s.decided(), "validation"))}, facts...)
	}
	return "Find out why the system is not back where it was, and restore it before other runs.", facts
}

func validateSomething(r *Report) (string, []string) {
	if !r.ended() || r.Metrics.Validations.decided() > 0 {
		return "", nil
	}
	return "Add assertions to the scenario: without any it can prove nothing.", []string{"No validation passed, failed or was in error."}
}

func checkCoordinator(r *Report) (string, []string) {
	if r.Verdict.Status != execution.StatusInterrupted {
		return "", nil
	}
	return "Look at the coordinator: it stopped reporting before the end of the run.", r.found("interrupted")
}

func mendStep(r *Report) (string, []string) {
	return "Mend the steps and injections that did not work, or let the scenario expect it.", r.found("step_failed", "fault_failed")
}

func mendValidation(r *Report) (string, []string) {
	return "Mend the validations that came to no answer: they prove neither success nor failure.", r.found("validation_error")
}

func raiseTimeout(r *Report) (string, []string) {
	if r.Verdict.Status != execution.StatusTimeout || r.Metrics.Validations.Failed > 0 {
		return "", nil
	}
	facts := []string{"The run ended with timeout, and no validation failed."}
	if r.Run.Duration != nil {
		facts = append(facts, "It took "+spell(*r.Run.Duration)+".")
	}
	return "Find the phase that took so long, or raise the timeout of the scenario.", facts
}

func detectSooner(r *Report) (string, []string) {
	within := map[string]*float64{}
	for i := range r.Validations {
		within[r.Validations[i].ID] = r.Validations[i].Within
	}
	var facts []string
	for _, f := range r.injected() {
		if limit := within[f.DetectedBy]; f.Detection != nil && limit != nil && *f.Detection > *limit {
			facts = append(facts, fmt.Sprintf("Fault %s was seen by validation %s after %s, and within %s was asked for.", f.ID, quoted(f.DetectedBy), spell(*f.Detection), spell(*limit)))
		}
	}
	return "Let the system see such faults sooner: its alerts came later than asked for.", facts
}

func linkValidation(r *Report) (string, []string) {
	named := map[string]bool{}
	for i := range r.Validations {
		named[r.Validations[i].FaultID] = true
	}
	var facts []string
	for _, f := range r.injected() {
		if !named[f.ID] {
			facts = append(facts, fmt.Sprintf("No validation names fault %s (%s of %s).", f.ID, quoted(f.Type), quoted(f.Target)))
		}
	}
	return "Give validations the fault_id of the fault that they are about: else nobody knows whether and how soon it was seen.", facts
}

func validateAfter(r *Report) (string, []string) {
	if len(r.injected()) == 0 || !r.ended() || r.SteadyState.After.Total() > 0 {
		return "", nil
	}
	return "Validate the steady state after the faults, too (steady_state: after).", []string{counted(len(r.injected()), "fault") + " injected, and no validation of the steady state after."}
}

func validateBefore(r *Report) (string, []string) {
	if len(r.injected()) == 0 || r.SteadyState.Before.Total() > 0 {
		return "", nil
	}
	return "Validate the steady state before the faults, too (steady_state: before).", []string{counted(len(r.injected()), "fault") + " injected, and no validation of the steady state before."}
}

// median is the middle one, or the mean of the two in the middle.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// slower compares a figure with that of previous passed runs.
func slower(r *Report, what string, now *float64, then func(*Brief) *float64) []string {
	var before []float64
	for i := range r.Previous {
		if b := &r.Previous[i].Brief; b.Status == execution.StatusPassed && then(b) != nil {
			before = append(before, *then(b))
		}
	}
	if now == nil || len(before) == 0 {
		return nil
	}
	m := median(before)
	if *now-m <= leastSlower || *now-m <= mostSlower*m {
		return nil
	}
	return []string{fmt.Sprintf("Mean %s took %s; the median of %s is %s.", what, spell(*now), counted(len(before), "previous passed run"), spell(m))}
}

func recoversSlower(r *Report) (string, []string) {
	return "Find out why the system recovers slower than it did.", slower(r, "recovery", r.Metrics.MeanRecovery, func(b *Brief) *float64 { return b.Recovery })
}

func detectsSlower(r *Report) (string, []string) {
	return "Find out why faults are seen later than they were.", slower(r, "detection", r.Metrics.MeanDetection, func(b *Brief) *float64 { return b.Detection })
}

func lessResilient(r *Report) (string, []string) {
	if len(r.Previous) == 0 || r.Metrics.Resilience == nil || r.Previous[0].Resilience == nil {
		return "", nil
	}
	now, then := *r.Metrics.Resilience, *r.Previous[0].Resilience
	if then-now <= mostResilience {
		return "", nil
	}
	return "Look at what fails now and did not: the system has become less resilient.",
		[]string{fmt.Sprintf("The resilience score is %s; it was %s in the previous run.", number(now), number(then))}
}

// flakyValidation looks at the ended runs of the same definition, the newest first,
// and this one before them.
func flakyValidation(r *Report) (string, []string) {
	failed := [][]string{r.failedValidations()}
	for i := range r.Previous {
		if r.Previous[i].SameDefinition {
			failed = append(failed, r.Previous[i].FailedValidations)
		}
	}
	var facts []string
	if !r.ended() || len(failed) <= flips {
		return "", nil
	}
	for i := range r.Validations {
		id := r.Validations[i].ID
		turns, times := 0, 0
		for j := range failed {
			now := slices.Contains(failed[j], id)
			times += one(now)
			turns += one(j > 0 && now != slices.Contains(failed[j-1], id))
		}
		if turns >= flips {
			facts = append(facts, fmt.Sprintf("Validation %s failed in %d of %s of the same definition, by turns.", quoted(id), times, counted(len(failed), "run")))
		}
	}
	return "Make these validations reliable: they fail by turns though the definition is the same.", facts
}

func passedAfterRetries(r *Report) (string, []string) {
	var facts []string
	if r.Verdict.Status != execution.StatusPassed {
		return "", nil
	}
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Status != execution.StatusPassed {
			facts = append(facts, "Attempt "+strconv.Itoa(i+1)+" of the group ended with "+string(a.Status)+".")
		}
	}
	return "Do not take this for a pass: find out why earlier attempts did not.", facts
}

func declareBlastRadius(r *Report) (string, []string) {
	return "Narrow the faults, or declare these services as part of their blast radius.", r.found("bystander_moved", "bystander_health")
}

func takeBaseline(r *Report) (string, []string) {
	if len(r.injected()) == 0 || r.Metrics.Snapshots > 0 {
		return "", nil
	}
	return "Take snapshots before and after the faults: without them nothing is known of their impact.", []string{"The run has no snapshot."}
}

func definitionDiffers(r *Report) (string, []string) {
	if len(r.Previous) == 0 || !r.Definition.Known {
		return "", nil
	}
	p := &r.Previous[0]
	if p.Definition == "" || p.SameDefinition {
		return "", nil
	}
	return "Compare with previous runs with care: another definition was run.",
		[]string{fmt.Sprintf("This run is of version %d (%.12s), the previous one of version %d (%.12s).", r.Definition.Version, r.Definition.SHA256, p.Version, p.Definition)}
}

func setClocks(r *Report) (string, []string) {
	return "Set the clocks of the producers: times of such events cannot be trusted.", r.found("suspect_time")
}

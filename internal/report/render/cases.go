package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// outcome is what CI makes of a status.
type outcome int

const (
	unfinished outcome = iota // has not come to an end
	passed
	failed
	broken // could not tell, or broke
	skipped
)

// testCase is a part of a run as CI shows it: the run itself, a validation, a step
// or a fault.
type testCase struct {
	ID       string // within its kind of part
	Name     string
	Kind     string // type of assertion, kind of step, type of fault
	Service  string
	Phase    string
	Fault    string
	Outcome  outcome
	Status   string // the contract's word
	Message  string // one line: why it did not pass
	Detail   string
	Start    *time.Time
	Stop     *time.Time
	Duration *float64
	Earlier  []earlier // attempts of the group before this one that tell of it
}

// earlier is what an earlier attempt of the group said of a case.
type earlier struct {
	Attempt int32
	Outcome outcome
	Brief   *report.Brief
}

type suite struct {
	Name  string
	Cases []testCase
}

// suites are the parts of a run. The first one is the run itself, so that one that
// ended in error is not green for its want of failed validations.
func suites(r *report.Report) []suite {
	all := []suite{{"run", []testCase{runCase(r)}}, {"validations", nil}, {"steps", nil}, {"faults", nil}}
	for i := range r.Validations {
		all[1].Cases = append(all[1].Cases, validationCase(r, &r.Validations[i]))
	}
	for i := range r.Steps {
		all[2].Cases = append(all[2].Cases, stepCase(&r.Steps[i]))
	}
	for i := range r.Faults {
		all[3].Cases = append(all[3].Cases, faultCase(r, &r.Faults[i]))
	}
	return all
}

func runCase(r *report.Report) testCase {
	c := testCase{
		ID: "verdict", Name: "verdict of the run", Kind: "run", Outcome: runOutcome(r.Verdict.Status), Status: string(r.Verdict.Status),
		Message: or(r.Verdict.Headline, string(r.Verdict.Status)), Start: r.Run.StartedAt, Stop: r.Run.EndedAt, Duration: r.Run.Duration,
	}
	var why []string
	for _, d := range r.Verdict.Decisions {
		why = append(why, fmt.Sprintf("%s is %s: %s", d.Topic, d.Value, d.Reason))
	}
	c.Detail = parts("\n", strings.Join(why, "\n"), r.Run.ErrorMessage)
	for i := range r.Attempts {
		c.Earlier = append(c.Earlier, earlier{attemptOf(&r.Attempts[i], i), runOutcome(r.Attempts[i].Status), &r.Attempts[i]})
	}
	return c
}

func attemptOf(b *report.Brief, place int) int32 {
	if b.Attempt > 0 {
		return b.Attempt
	}
	return int32(place) + 1 //nolint:gosec // attempts of a group are few
}

func runOutcome(s execution.Status) outcome {
	switch s {
	case execution.StatusPassed:
		return passed
	case execution.StatusFailed:
		return failed
	case execution.StatusError, execution.StatusTimeout, execution.StatusInterrupted:
		return broken
	case execution.StatusCancelled:
		return skipped
	case execution.StatusPending, execution.StatusRunning, execution.StatusPaused:
		return unfinished
	}
	return unfinished
}

func validationCase(r *report.Report, v *report.Validation) testCase {
	c := testCase{
		ID: v.ID, Name: parts(" · ", v.ID, v.AssertionType), Kind: v.AssertionType, Service: v.Service, Phase: v.Phase, Fault: v.FaultID,
		Status: string(v.Status), Stop: &v.At, Duration: v.ObservedAfter,
	}
	switch v.Status {
	case execution.ValidationPassed:
		c.Outcome = passed
	case execution.ValidationFailed:
		c.Outcome = failed
	case execution.ValidationSkipped:
		c.Outcome = skipped
	case execution.ValidationError:
		c.Outcome = broken
	}
	want := asked(v)
	switch {
	case want != "" && v.Actual != "":
		c.Message = fmt.Sprintf("expected %s, got %s", want, v.Actual)
	case want != "":
		c.Message = "expected " + want
	case v.Actual != "":
		c.Message = "got " + v.Actual
	}
	c.Message = or(c.Message, v.Message, c.Status)
	c.Detail = facts(
		"message", v.Message, "expected", want, "actual", v.Actual, "service", v.Service, "phase", v.Phase, "step", v.StepID,
		"fault", v.FaultID, "steady state", v.SteadyState, "recorded at", exact(v.At), "correlation id", v.CorrelationID,
		"evidence", string(v.Evidence))
	for i := range r.Attempts {
		a := &r.Attempts[i]
		for _, id := range a.FailedValidations {
			if id == v.ID {
				c.Earlier = append(c.Earlier, earlier{attemptOf(a, i), failed, a})
				break
			}
		}
	}
	return c
}

func stepCase(s *report.Step) testCase {
	c := testCase{
		ID: s.ID, Name: parts(" · ", s.ID, s.Action), Kind: string(s.Kind), Service: s.Service, Phase: s.Phase,
		Status: string(s.Status), Start: s.StartedAt, Stop: s.FinishedAt, Duration: s.Duration, Message: or(s.Error, string(s.Status)),
	}
	if s.Attempt > 1 {
		c.ID = fmt.Sprintf("%s#%d", s.ID, s.Attempt)
		c.Name += fmt.Sprintf(" (attempt %d)", s.Attempt)
	}
	switch s.Status {
	case execution.PartPassed:
		c.Outcome = passed
	case execution.PartFailed:
		c.Outcome = failed
	case execution.PartError:
		c.Outcome = broken
	case execution.PartSkipped:
		c.Outcome = skipped
	case execution.PartPending, execution.PartRunning:
		c.Outcome = unfinished
	}
	c.Detail = facts("error", s.Error, "kind", string(s.Kind), "service", s.Service, "phase", s.Phase,
		"started", exactOr(s.StartedAt), "finished", exactOr(s.FinishedAt), "parameters", string(s.Parameters))
	return c
}

// faultCase is a fault as a case. One that was neither cleared nor seen to recover
// is unfinished, which CI shows as skipped: whether it should have been is for the
// run's validations to say.
func faultCase(r *report.Report, f *report.Fault) testCase {
	c := testCase{
		ID: f.ID, Name: parts(" · ", f.ID, parts(" on ", f.Type, f.Target)), Kind: f.Type, Service: f.Target, Phase: f.Phase, Fault: f.ID,
		Status: string(f.Status), Start: f.InjectedAt, Stop: f.RecoveredAt, Duration: f.Active, Message: or(f.Error, f.ClearError),
	}
	switch f.Status {
	case execution.FaultFailed:
		c.Outcome = broken
	case execution.FaultClearedOK, execution.FaultHealed:
		c.Outcome = passed
	case execution.FaultPending, execution.FaultInjectedOK, execution.FaultInProgress:
		c.Outcome = unfinished
	}
	if c.Message == "" {
		c.Message = string(f.Status)
		if c.Outcome == unfinished && !r.Provisional {
			c.Message += " when the run ended"
		}
	}
	recovery, detection := "", ""
	if f.Recovery != nil {
		recovery = seconds(f.Recovery)
	}
	if f.Detection != nil {
		detection = parts(" by ", seconds(f.Detection), f.DetectedBy)
	}
	c.Detail = facts("error", f.Error, "clear error", f.ClearError, "target", f.Target, "blast radius", f.BlastRadius,
		"requested", exactOr(f.RequestedAt), "injected", exactOr(f.InjectedAt), "cleared", exactOr(f.ClearedAt),
		"recovered", exactOr(f.RecoveredAt), "recovery", recovery, "detection", detection, "parameters", string(f.Parameters))
	return c
}

// facts are lines of names and values, without those that are empty.
func facts(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", pairs[i], pairs[i+1])
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// property is a name and a value that tell which run this is.
type property struct{ Name, Value string }

// origin tells which report a file was made from, in names that CI keeps.
func origin(r *report.Report) []property {
	all := []property{
		{"tcda.report.sha256", r.SHA256},
		{"tcda.report.schema", r.Schema},
		{"tcda.report.builder", r.Builder},
		{"tcda.report.provisional", strconv.FormatBool(r.Provisional)},
		{"tcda.execution_id", string(r.Run.ExecutionID)},
		{"tcda.run", fmt.Sprint(r.Run.Number)},
		{"tcda.run_id", r.Run.RunID},
		{"tcda.status", string(r.Verdict.Status)},
		{"tcda.scenario_id", r.Run.ScenarioID},
		{"tcda.scenario_version", or(versionText(r), r.Run.ScenarioVersion)},
		{"tcda.definition.sha256", r.Definition.SHA256},
		{"tcda.template.sha256", r.Inputs.TemplateSHA256},
		{"tcda.environment", r.Run.Environment},
		{"tcda.coordinator_id", r.Run.CoordinatorID},
		{"tcda.group_id", r.Run.GroupID},
		{"tcda.inputs.chain", r.Inputs.Chain},
		{"tcda.gone", goneText(r)},
	}
	kept := all[:0]
	for _, p := range all {
		if p.Value != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func versionText(r *report.Report) string {
	if r.Definition.Version == 0 {
		return ""
	}
	return strconv.Itoa(int(r.Definition.Version))
}

package render

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// journalVersion is the version of chaostoolkit-lib whose journals these are like.
const journalVersion = "1.44.0"

type (
	journal struct {
		Version      string             `json:"chaoslib-version"`
		Platform     string             `json:"platform"`
		Node         string             `json:"node"`
		Experiment   journalExperiment  `json:"experiment"`
		Start        string             `json:"start"`
		Status       *string            `json:"status"` // null while the run goes on, as the tool has it
		Deviated     bool               `json:"deviated"`
		SteadyStates journalSteady      `json:"steady_states"`
		Run          []journalRun       `json:"run"`
		Rollbacks    []journalRun       `json:"rollbacks"`
		End          string             `json:"end"`
		Duration     float64            `json:"duration"`
		Extensions   []journalExtension `json:"extensions"`
	}
	journalExperiment struct {
		Title       string             `json:"title"`
		Description string             `json:"description"`
		Tags        []string           `json:"tags"`
		Hypothesis  *journalHypothesis `json:"steady-state-hypothesis,omitempty"`
		Method      []journalActivity  `json:"method"`
		Rollbacks   []journalActivity  `json:"rollbacks"`
		Extensions  []journalExtension `json:"extensions"`
	}
	journalExtension map[string]any
	// journalHypothesis says what the steady state is.
	journalHypothesis struct {
		Title  string            `json:"title"`
		Probes []journalActivity `json:"probes"`
	}
	journalSteady struct {
		Before *journalState  `json:"before"`
		After  *journalState  `json:"after"`
		During []journalState `json:"during"`
	}
	journalState struct {
		Met    bool         `json:"steady_state_met"`
		Probes []journalRun `json:"probes"`
	}
	journalActivity struct {
		Type      string          `json:"type"`
		Name      string          `json:"name"`
		Provider  journalProvider `json:"provider"`
		Tolerance any             `json:"tolerance,omitempty"`
	}
	// journalProvider is what would be called. Nothing can be: the coordinator did
	// it, so the address is a name and whoever runs the experiment again is told so.
	journalProvider struct {
		Type      string         `json:"type"`
		URL       string         `json:"url"`
		Arguments map[string]any `json:"arguments,omitempty"`
	}
	journalRun struct {
		Activity  journalActivity `json:"activity"`
		Output    any             `json:"output"`
		Start     string          `json:"start"`
		Status    *string         `json:"status"` // null: not finished; the tool leaves it out, which its own reporting chokes on
		Exception []string        `json:"exception,omitempty"`
		End       string          `json:"end"`
		Duration  float64         `json:"duration"`
		Tolerance *bool           `json:"tolerance_met,omitempty"`
	}
)

func writeJournal(w io.Writer, r *report.Report) error {
	start, end := window(r)
	if r.Run.EndedAt != nil {
		end = *r.Run.EndedAt
	}
	own := journalExtension{"name": "test-coordination"}
	for _, p := range origin(r) {
		own[p.Name] = p.Value
	}
	own["tcda.report.provisional"] = r.Provisional
	own["tcda.headline"] = r.Verdict.Headline
	title := name(r)
	if r.Provisional {
		title = "PROVISIONAL: " + title
	}
	j := journal{
		Version: journalVersion, Platform: "test-coordination", Node: or(r.Run.CoordinatorID, "unknown"),
		Start: journalTime(start), End: journalTime(end), Duration: end.Sub(start).Seconds(),
		Run: []journalRun{}, Rollbacks: []journalRun{}, SteadyStates: journalSteady{During: []journalState{}},
		Extensions: []journalExtension{own},
		Experiment: journalExperiment{
			Title: title, Description: or(r.Definition.Description, r.Verdict.Headline, title),
			Tags: append([]string{}, compact(r.Run.ScenarioID, r.Run.Environment, r.Definition.Type)...), Method: []journalActivity{}, Rollbacks: []journalActivity{},
			Extensions: []journalExtension{own},
		},
	}
	if r.Run.Duration != nil {
		j.Duration = *r.Run.Duration
	}
	j.Status, j.Deviated = journalStatus(r.Verdict.Status)
	j.steady(r)
	j.method(r, start)
	return writeIndented(w, j)
}

// journalStatus is how the tool would have called the end. It knows no time-out:
// it calls that interrupted.
func journalStatus(s execution.Status) (status *string, deviated bool) {
	word := ""
	switch s {
	case execution.StatusPassed:
		word = "completed"
	case execution.StatusFailed:
		word, deviated = "completed", true
	case execution.StatusError:
		word = "aborted"
	case execution.StatusCancelled, execution.StatusTimeout, execution.StatusInterrupted:
		word = "interrupted"
	case execution.StatusPending, execution.StatusRunning, execution.StatusPaused:
		return nil, false
	}
	return &word, deviated
}

// steady fills in the hypothesis: the validations of the steady state.
func (j *journal) steady(r *report.Report) {
	h := &journalHypothesis{Title: "The steady state of " + j.Experiment.Title + " holds", Probes: []journalActivity{}}
	declared := map[string]bool{}
	states := map[string]*journalState{}
	for i := range r.Validations {
		v := &r.Validations[i]
		if v.SteadyState == "" {
			continue
		}
		run := probeRun(v)
		if !declared[run.Activity.Name] {
			declared[run.Activity.Name] = true
			h.Probes = append(h.Probes, run.Activity)
		}
		s := states[v.SteadyState]
		if s == nil {
			s = &journalState{Met: true, Probes: []journalRun{}}
			states[v.SteadyState] = s
		}
		s.Met = s.Met && *run.Tolerance
		s.Probes = append(s.Probes, run)
	}
	if len(h.Probes) == 0 {
		return
	}
	j.Experiment.Hypothesis = h
	j.SteadyStates.Before, j.SteadyStates.After = states["before"], states["after"]
	if s := states["during"]; s != nil {
		j.SteadyStates.During = append(j.SteadyStates.During, *s)
	}
}

// method fills in what was done, in the order in which it began: faults, steps, and
// validations that are not of the steady state.
func (j *journal) method(r *report.Report, begin time.Time) {
	type begun struct {
		at       time.Time
		run      journalRun
		rollback bool
	}
	var all []begun
	for i := range r.Faults {
		f := &r.Faults[i]
		c := faultCase(r, f)
		at := firstOf(begin, f.InjectedAt, f.RequestedAt)
		run := activityRun(&c, "action", "fault", at, firstOf(at, f.ClearedAt, f.RecoveredAt))
		run.Activity.Provider.Arguments = map[string]any{"fault_type": f.Type, "target": f.Target, "parameters": jsonOr(f.Parameters)}
		run.Output = facts("status", string(f.Status), "recovery", seconds(f.Recovery), "detection", seconds(f.Detection))
		all = append(all, begun{at, run, false})
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		c := stepCase(s)
		kind := "action"
		if s.Kind == execution.StepAssertion {
			kind = "probe"
		}
		at := firstOf(begin, s.StartedAt)
		run := activityRun(&c, kind, "step", at, firstOf(at, s.FinishedAt))
		run.Activity.Provider.Arguments = map[string]any{"action": s.Action, "service": s.Service, "parameters": jsonOr(s.Parameters)}
		all = append(all, begun{at, run, s.Kind == execution.StepRollback})
	}
	for i := range r.Validations {
		if v := &r.Validations[i]; v.SteadyState == "" {
			all = append(all, begun{v.At, probeRun(v), false})
		}
	}
	slices.SortStableFunc(all, func(a, b begun) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, b := range all {
		if b.rollback {
			j.Experiment.Rollbacks = append(j.Experiment.Rollbacks, b.run.Activity)
			j.Rollbacks = append(j.Rollbacks, b.run)
			continue
		}
		j.Experiment.Method = append(j.Experiment.Method, b.run.Activity)
		j.Run = append(j.Run, b.run)
	}
}

func activityRun(c *testCase, kind, part string, start, end time.Time) journalRun {
	run := journalRun{
		Activity: journalActivity{
			Type: kind, Name: or(c.Name, "(unnamed)"), Provider: journalProvider{Type: "http", URL: "urn:test-coordination:" + part},
		},
		Start: journalTime(start), End: journalTime(end), Duration: end.Sub(start).Seconds(),
	}
	if c.Duration != nil {
		run.Duration = *c.Duration
	}
	switch c.Outcome {
	case passed, skipped:
		run.Status = new("succeeded")
	case failed, broken:
		run.Status, run.Exception = new("failed"), []string{c.Message}
	case unfinished:
	}
	return run
}

// probeRun is a validation as a probe. A probe that works and finds something else
// than it was to find has succeeded: its tolerance was not met.
func probeRun(v *report.Validation) journalRun {
	c := validationCase(&report.Report{}, v)
	begin := v.At
	if v.ObservedAfter != nil {
		begin = v.At.Add(-time.Duration(min(max(*v.ObservedAfter, 0), 1e8) * float64(time.Second)))
	}
	run := activityRun(&c, "probe", "validation", begin, v.At)
	met := v.Status == execution.ValidationPassed || v.Status == execution.ValidationSkipped
	run.Tolerance = &met
	if v.Status != execution.ValidationError {
		run.Status, run.Exception = new("succeeded"), nil
	}
	run.Activity.Tolerance = true
	if want := asked(v); want != "" {
		run.Activity.Tolerance = want
	}
	run.Activity.Provider.Arguments = map[string]any{"validation_id": v.ID, "service": v.Service}
	run.Output = or(v.Actual, v.Message, string(v.Status))
	return run
}

func firstOf(otherwise time.Time, times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil {
			return *t
		}
	}
	return otherwise
}

func journalTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// jsonOr is a JSON value, or its text where it is none.
func jsonOr(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	if json.Valid(raw) {
		return raw
	}
	return string(raw)
}

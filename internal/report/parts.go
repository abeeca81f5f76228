package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// phasesOf are the phases in the order of ordinal, start and name. A phase without
// an ordinal comes after those with one; what never started comes last.
func phasesOf(s *execution.State) []Phase {
	phases := make([]Phase, 0, len(s.Phases))
	for _, p := range s.Phases {
		phase := Phase{
			Name: p.Name, Ordinal: p.Ordinal, Description: cutText(p.Description), Status: p.Status,
			StartedAt: momentOrNil(p.StartedAt), FinishedAt: momentOrNil(p.FinishedAt), Error: cutText(p.Error),
		}
		phase.Duration = between(phase.StartedAt, phase.FinishedAt)
		phases = append(phases, phase)
	}
	slices.SortFunc(phases, func(a, b Phase) int {
		return cmp.Or(
			compareOrNil(a.Ordinal, b.Ordinal, cmp.Compare[int32]),
			compareOrNil(a.StartedAt, b.StartedAt, time.Time.Compare),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return phases
}

// compareOrNil orders by value, what has none last.
func compareOrNil[V any](a, b *V, compare func(V, V) int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return compare(*a, *b)
}

// stepsOf are the attempts at steps in the order of start, id and attempt.
func stepsOf(s *execution.State) []Step {
	steps := make([]Step, 0, len(s.Steps))
	for _, t := range s.Steps {
		step := Step{
			ID: t.StepID, Attempt: t.Attempt, Kind: t.Kind, Phase: cutText(t.Phase), Service: cutText(t.Service), Action: cutText(t.Action),
			Status: t.Status, StartedAt: momentOrNil(t.StartedAt), FinishedAt: momentOrNil(t.FinishedAt),
			Duration: secondsOrNil(t.Duration), Error: cutText(t.Error),
		}
		step.Parameters, step.ParametersBytes = parametersOf(t.Parameters)
		if step.Duration == nil {
			step.Duration = between(step.StartedAt, step.FinishedAt)
		}
		steps = append(steps, step)
	}
	slices.SortFunc(steps, func(a, b Step) int {
		return cmp.Or(
			compareOrNil(a.StartedAt, b.StartedAt, time.Time.Compare),
			cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Attempt, b.Attempt),
		)
	})
	return steps
}

// validationsOf are the results in the order of time and id.
func validationsOf(s *execution.State, free freeParts) []Validation {
	validations := make([]Validation, 0, len(s.Validations))
	for v := range maps.Values(s.Validations) {
		evidence := v.Evidence
		leftOut := free.evidence[v.ValidationID]
		validations = append(validations, Validation{
			ID: v.ValidationID, AssertionType: cutText(v.AssertionType), Status: v.Status, At: moment(v.RecordedAt),
			Phase: cutText(v.Phase), StepID: v.StepID, FaultID: v.FaultID, Service: cutText(v.Service),
			Expected: cutText(v.Expected), Actual: cutText(v.Actual), Operator: cutText(v.Operator),
			Threshold: v.Threshold, Unit: cutText(v.Unit), Within: secondsOrNil(v.Within), ObservedAfter: secondsOrNil(v.ObservedAfter),
			Message: cutText(v.Message), SteadyState: v.SteadyState, CorrelationID: cutText(v.CorrelationID),
			Evidence: evidence, EvidenceBytes: leftOut,
		})
	}
	slices.SortFunc(validations, func(a, b Validation) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return validations
}

// faultsOf are the faults in the order of injection and id; what was never injected
// comes last.
func faultsOf(s *execution.State, free freeParts, validations []Validation) []Fault {
	ended := momentOrNil(s.Run.EndedAt)
	faults := make([]Fault, 0, len(s.Faults))
	for _, f := range s.Faults {
		fault := Fault{
			ID: f.FaultID, Type: cutText(f.FaultType), Target: cutText(f.TargetService), Phase: cutText(f.Phase), StepID: f.StepID,
			Weight: free.weights[f.FaultID], BlastRadius: cutText(f.BlastRadius), Status: f.Status,
			RequestedAt: momentOrNil(f.RequestedAt), InjectedAt: momentOrNil(f.InjectedAt),
			ClearedAt: momentOrNil(f.ClearedAt), RecoveredAt: momentOrNil(f.RecoveredAt),
			Error: cutText(f.Error), ClearError: cutText(f.ClearError),
		}
		fault.Parameters, fault.ParametersBytes = parametersOf(f.Parameters)
		if fault.Weight == 0 {
			fault.Weight = defaultWeight
		}
		fault.Recovery = recoveryTime(&fault, f.RecoveryTime)
		fault.Detection, fault.DetectedBy = DetectionLatency(&fault, validations)
		for _, until := range []*time.Time{fault.ClearedAt, fault.RecoveredAt, ended} {
			if until != nil {
				fault.Active = between(fault.InjectedAt, until)
				break
			}
		}
		faults = append(faults, fault)
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(compareOrNil(a.InjectedAt, b.InjectedAt, time.Time.Compare), cmp.Compare(a.ID, b.ID))
	})
	return faults
}

// metrics are the figures of the run.
func (b *Builder) metrics(r *Report, signals signalTotals) Metrics {
	counts := b.state.Run.Counts
	m := Metrics{
		Events: counts.Events, LogLines: counts.LogLines, Snapshots: int(counts.Snapshots),
		Late: b.ofOthers.late, Conflicting: b.ofOthers.conflicting, Suspect: b.suspect,
		Alerts: signals.alerts, CircuitBreakers: signals.breakers,
		Phases: len(r.Phases), Steps: len(r.Steps), Faults: len(r.Faults),
		Validations: tallyOf(r.Validations),
		Resilience:  Resilience(r.Faults, r.Validations),
	}
	for _, p := range r.Phases {
		m.PhasesFailed += one(unsuccessful(p.Status))
	}
	for _, s := range r.Steps {
		m.StepsFailed += one(unsuccessful(s.Status))
	}
	var recovery, detection meanAndMax
	for i := range r.Faults {
		f := &r.Faults[i]
		m.FaultsRecovered += one(f.Status == execution.FaultHealed)
		m.FaultsFailed += one(f.Status == execution.FaultFailed)
		m.FaultsActive += one(f.active())
		recovery.add(f.Recovery)
		detection.add(f.Detection)
	}
	m.MeanRecovery, m.MaxRecovery = recovery.of()
	m.MeanDetection, m.MaxDetection = detection.of()
	return m
}

func unsuccessful(s execution.PartStatus) bool {
	return s == execution.PartFailed || s == execution.PartError
}

// active tells whether the fault is in the system still.
func (f *Fault) active() bool {
	return f.Status == execution.FaultInjectedOK || f.Status == execution.FaultInProgress
}

package execution_test

import (
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

func readPhases(sorted []*execution.Event) map[string]*execution.Phase {
	starts := by(sorted, func(p *execution.PhaseStarted) string { return p.Phase })
	ends := by(sorted, func(p *execution.PhaseFinished) string { return p.Phase })
	phases := map[string]*execution.Phase{}
	for name, of := range starts {
		p := &execution.Phase{Name: name, Status: execution.PartRunning, StartedAt: of[0].Time}
		for _, e := range of {
			p.Ordinal = or(e.word.Ordinal, p.Ordinal)
			p.Description = or(e.word.Description, p.Description)
		}
		phases[name] = p
	}
	for name, of := range ends {
		p := phases[name]
		if p == nil {
			p = &execution.Phase{Name: name}
			phases[name] = p
		}
		p.Status, p.Error, p.FinishedAt = of[0].word.Status, of[0].word.Error, of[0].Time
	}
	return phases
}

func readSteps(sorted []*execution.Event) map[execution.StepKey]*execution.StepResult {
	steps := map[execution.StepKey]*execution.StepResult{}
	describe := func(said *execution.Step) *execution.StepResult {
		key := execution.StepKey{StepID: said.StepID, Attempt: or(said.Attempt, 1)}
		p := steps[key]
		if p == nil {
			p = &execution.StepResult{StepKey: key, Status: execution.PartRunning}
			steps[key] = p
		}
		p.Kind, p.Phase = said.Kind, or(said.Phase, p.Phase)
		p.Service, p.Action = or(said.Service, p.Service), or(said.Action, p.Action)
		if said.Parameters != nil {
			p.Parameters = said.Parameters
		}
		return p
	}
	for _, e := range sorted {
		switch p := e.Payload.(type) {
		case *execution.StepStarted:
			step := describe(&p.Step)
			step.StartedAt = or(step.StartedAt, e.Time)
		case *execution.StepFinished:
			describe(&p.Step)
		}
	}
	for key, of := range by(sorted, func(p *execution.StepFinished) execution.StepKey { return p.Key() }) {
		step, first := steps[key], of[0]
		step.Status, step.FinishedAt = first.word.Status, first.Time
		step.Duration, step.Error = first.word.Duration, first.word.Error
		step.StartedAt = or(step.StartedAt, first.word.StartedAt)
	}
	return steps
}

func readFaults(sorted []*execution.Event) map[string]*execution.Fault {
	faults := map[string]*execution.Fault{}
	of := func(id string) *execution.Fault {
		if faults[id] == nil {
			faults[id] = &execution.Fault{FaultID: id, Status: execution.FaultPending}
		}
		return faults[id]
	}
	for _, e := range sorted {
		switch p := e.Payload.(type) {
		case *execution.FaultInjected:
			f := of(p.FaultID)
			f.FaultType, f.TargetService = p.FaultType, p.TargetService
			f.Phase, f.StepID, f.BlastRadius = or(p.Phase, f.Phase), or(p.StepID, f.StepID), or(p.BlastRadius, f.BlastRadius)
			if p.Parameters != nil {
				f.Parameters = p.Parameters
			}
			f.RequestedAt = or(f.RequestedAt, e.Time)
			f.Injection, f.Error = injection(p), p.Error
			if f.Injection != execution.FaultPending && f.Injection != execution.FaultFailed {
				f.InjectedAt = or(f.InjectedAt, e.Time)
			}
		case *execution.FaultCleared:
			if f := of(p.FaultID); p.Error != "" {
				f.ClearError = p.Error
			} else {
				f.ClearedAt = or(f.ClearedAt, e.Time)
			}
		case *execution.FaultRecovered:
			if f := of(p.FaultID); f.RecoveredAt.IsZero() {
				f.RecoveredAt, f.RecoveryTime = e.Time, p.RecoveryTime
			}
		}
	}
	for _, f := range faults {
		f.Status = or(f.Injection, f.Status)
		if f.Injection == execution.FaultFailed {
			continue
		}
		if !f.ClearedAt.IsZero() {
			f.Status = execution.FaultClearedOK
		}
		if !f.RecoveredAt.IsZero() {
			f.Status = execution.FaultHealed
		}
	}
	return faults
}

func injection(p *execution.FaultInjected) execution.FaultStatus {
	return or(p.Status, execution.FaultInjectedOK)
}

func readValidations(sorted []*execution.Event) map[string]*execution.Validation {
	validations := map[string]*execution.Validation{}
	for _, e := range only[*execution.ValidationRecorded](sorted) {
		validations[e.word.ValidationID] = &execution.Validation{
			ValidationRecorded: *e.word, RecordedAt: e.Time, Order: e.Order(),
		}
	}
	return validations
}

package chaostoolkit

import (
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Outcome is what the contract calls the end that the journal tells, and why
// where it did not pass:
//
//	the journal says                                       the run is
//	deviated (whatever the status: the tool, too, calls
//	  it deviated then)                                    failed
//	interrupted: a person, a signal or a control ended it  cancelled
//	aborted: the tool itself, or an extension, broke       error
//	failed: a probe was not within its tolerance, and
//	  the tool was asked to fail fast                      failed
//	failed: a probe of the steady state broke              error
//	completed, but not steady before: the tool did not
//	  begin the method, and calls that neither deviated
//	  nor failed                                           failed
//	completed                                              passed
//
// A run that completed without deviating passes even where an action failed:
// the experiment asks whether the steady state holds, the step says that the
// action failed. Where a look during the method found the state unsteady and the
// tool was not asked to fail fast, the tool's word is passed; the run's status
// is failed all the same, by the contract's rule that a failed validation turns
// passed into failed.
func (j *Journal) Outcome() (outcome execution.Status, why string) {
	switch {
	case j.Deviated:
		return execution.StatusFailed, "the steady state has deviated"
	case j.Status == Interrupted:
		return execution.StatusCancelled, "the experiment was interrupted"
	case j.Status == Aborted:
		return execution.StatusError, "the experiment was aborted by an unexpected error"
	case j.Status == Failed && j.missed():
		return execution.StatusFailed, "the steady state was not met"
	case j.Status == Failed:
		return execution.StatusError, "a probe of the steady state failed"
	case j.SteadyStates.Before.unmet():
		return execution.StatusFailed, "the steady state was not met before the method, which was not begun"
	}
	return execution.StatusPassed, ""
}

func (s *SteadyState) unmet() bool { return s != nil && s.Met != nil && !*s.Met }

// missed tells whether a probe that worked was not within its tolerance.
func (j *Journal) missed() bool {
	states := append([]SteadyState(nil), j.SteadyStates.During...)
	for _, s := range []*SteadyState{j.SteadyStates.Before, j.SteadyStates.After} {
		if s != nil {
			states = append(states, *s)
		}
	}
	for _, s := range states {
		for i := range s.Probes {
			if s.Probes[i].validation() == execution.ValidationFailed {
				return true
			}
		}
	}
	return false
}

// step is the status of an activity as a step. One without a status was under
// way when the run was interrupted.
func (r *Run) step() execution.PartStatus {
	switch r.Status {
	case ActivitySucceeded:
		return execution.PartPassed
	case ActivityFailed:
		return execution.PartFailed
	}
	return execution.PartError
}

// validation is what a probe of the hypothesis says: a probe that broke could
// not tell.
func (r *Run) validation() execution.ValidationStatus {
	switch {
	case r.Status != ActivitySucceeded:
		return execution.ValidationError
	case r.ToleranceMet == nil:
		return execution.ValidationSkipped
	case *r.ToleranceMet:
		return execution.ValidationPassed
	}
	return execution.ValidationFailed
}

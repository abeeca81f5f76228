package execution

import (
	"encoding/json"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Phase is one part of a run.
type Phase struct {
	Name        string
	Ordinal     *int32
	Description string
	Status      PartStatus
	StartedAt   time.Time
	FinishedAt  time.Time
	Error       string
	Marks       fact.Marks
}

// Slots of Phase.Marks. They are stored: append only, never reuse.
const (
	phaseOrdinal = iota
	phaseDescription
	phaseStarted
	phaseEnd
)

func (p *Phase) start(o fact.Order, at time.Time, e *PhaseStarted) {
	if e.Ordinal != nil && p.Marks.Last(phaseOrdinal, o) {
		p.Ordinal = e.Ordinal
	}
	if e.Description != "" && p.Marks.Last(phaseDescription, o) {
		p.Description = e.Description
	}
	if p.Marks.First(phaseStarted, o) {
		p.StartedAt = at
	}
	if p.Marks.Of(phaseEnd).IsZero() {
		p.Status = PartRunning
	}
}

func (p *Phase) finish(o fact.Order, at time.Time, e *PhaseFinished) {
	if p.Marks.First(phaseEnd, o) {
		p.Status, p.Error, p.FinishedAt = e.Status, e.Error, at
	}
}

// StepKey names one attempt at one step.
type StepKey struct {
	StepID  string
	Attempt int32 // from 1
}

// Key is the attempt that the event is about: the first, when it does not say.
func (s *Step) Key() StepKey { return StepKey{s.StepID, max(s.Attempt, 1)} }

// StepResult is one attempt at one step of a run.
type StepResult struct {
	StepKey
	Kind       StepKind
	Phase      string
	Service    string
	Action     string
	Parameters json.RawMessage
	Status     PartStatus
	StartedAt  time.Time
	FinishedAt time.Time
	Duration   *time.Duration // as the coordinator measured it
	Error      string
	Marks      fact.Marks
}

// Slots of StepResult.Marks. They are stored: append only, never reuse.
const (
	stepKind = iota
	stepPhase
	stepService
	stepAction
	stepParameters
	stepStarted
	stepEnd
)

func (s *StepResult) describe(o fact.Order, e *Step) {
	if s.Marks.Last(stepKind, o) {
		s.Kind = e.Kind
	}
	if e.Phase != "" && s.Marks.Last(stepPhase, o) {
		s.Phase = e.Phase
	}
	if e.Service != "" && s.Marks.Last(stepService, o) {
		s.Service = e.Service
	}
	if e.Action != "" && s.Marks.Last(stepAction, o) {
		s.Action = e.Action
	}
	if e.Parameters != nil && s.Marks.Last(stepParameters, o) {
		s.Parameters = e.Parameters
	}
}

func (s *StepResult) start(o fact.Order, at time.Time, e *StepStarted) {
	s.describe(o, &e.Step)
	if s.Marks.First(stepStarted, o) {
		s.StartedAt = at
	}
	if s.Marks.Of(stepEnd).IsZero() {
		s.Status = PartRunning
	}
}

func (s *StepResult) finish(o fact.Order, at time.Time, e *StepFinished) {
	s.describe(o, &e.Step)
	if !s.Marks.First(stepEnd, o) {
		return
	}
	s.Status, s.FinishedAt, s.Duration, s.Error = e.Status, at, e.Duration, e.Error
	if s.Marks.Of(stepStarted).IsZero() { // a started event knows better
		s.StartedAt = e.StartedAt
	}
}

func (s *StepResult) failed() bool { return s.Status == PartFailed || s.Status == PartError }

// Fault is one chaos action on one target.
type Fault struct {
	FaultID       string
	FaultType     string
	TargetService string
	Parameters    json.RawMessage
	Phase         string
	StepID        string
	BlastRadius   string
	Injection     FaultStatus // what the latest injection event said; empty when none came
	Status        FaultStatus
	RequestedAt   time.Time
	InjectedAt    time.Time
	ClearedAt     time.Time
	RecoveredAt   time.Time
	RecoveryTime  *time.Duration // as the coordinator measured it
	Error         string         // of the injection
	ClearError    string         // of the latest attempt to clear it that failed
	Marks         fact.Marks
}

// Slots of Fault.Marks. They are stored: append only, never reuse.
const (
	faultType = iota
	faultTarget
	faultParameters
	faultPhase
	faultStep
	faultRadius
	faultInjection
	faultRequested
	faultInjected
	faultCleared
	faultClearError
	faultRecovered
	faultClearRequested
)

// ClearRequestedAt is when the service last asked the coordinator to take the
// fault back; zero when it never did.
func (f *Fault) ClearRequestedAt() time.Time { return f.Marks.Of(faultClearRequested).Time }

func (f *Fault) inject(o fact.Order, at time.Time, e *FaultInjected) {
	if f.Marks.Last(faultType, o) {
		f.FaultType = e.FaultType
	}
	if f.Marks.Last(faultTarget, o) {
		f.TargetService = e.TargetService
	}
	if e.Parameters != nil && f.Marks.Last(faultParameters, o) {
		f.Parameters = e.Parameters
	}
	if e.Phase != "" && f.Marks.Last(faultPhase, o) {
		f.Phase = e.Phase
	}
	if e.StepID != "" && f.Marks.Last(faultStep, o) {
		f.StepID = e.StepID
	}
	if e.BlastRadius != "" && f.Marks.Last(faultRadius, o) {
		f.BlastRadius = e.BlastRadius
	}
	word := e.Status
	if word == "" {
		word = FaultInjectedOK
	}
	if f.Marks.Last(faultInjection, o) {
		f.Injection, f.Error = word, e.Error
	}
	if f.Marks.First(faultRequested, o) {
		f.RequestedAt = at
	}
	if word != FaultPending && word != FaultFailed && f.Marks.First(faultInjected, o) {
		f.InjectedAt = at
	}
	f.settle()
}

func (f *Fault) clear(o fact.Order, at time.Time, e *FaultCleared) {
	if e.Error != "" {
		if f.Marks.Last(faultClearError, o) {
			f.ClearError = e.Error
		}
	} else if f.Marks.First(faultCleared, o) {
		f.ClearedAt = at
	}
	f.settle()
}

func (f *Fault) recover(o fact.Order, at time.Time, e *FaultRecovered) {
	if f.Marks.First(faultRecovered, o) {
		f.RecoveredAt, f.RecoveryTime = at, e.RecoveryTime
	}
	f.settle()
}

// settle derives the status. An injection that failed stays failed, whatever
// is cleaned up after it.
func (f *Fault) settle() {
	switch {
	case f.Injection == FaultFailed:
		f.Status = FaultFailed
	case !f.Marks.Of(faultRecovered).IsZero():
		f.Status = FaultHealed
	case !f.Marks.Of(faultCleared).IsZero():
		f.Status = FaultClearedOK
	case f.Injection != "":
		f.Status = f.Injection
	default:
		f.Status = FaultPending
	}
}

// Active tells whether the fault is in the system now.
func (f *Fault) Active() bool { return f.Status == FaultInjectedOK || f.Status == FaultInProgress }

// Validation is the result of one assertion: the whole of the last event, in
// order, that recorded it.
type Validation struct {
	ValidationRecorded
	RecordedAt time.Time
	Order      fact.Order

	// Stored tells that this is what was loaded: nothing to save. The store may
	// then have left out all but id, status and order.
	Stored bool
}

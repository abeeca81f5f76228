package execution

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// State is a run and those of its parts that a fold needs or has changed.
// Apply changes it; a part that Apply touches must have been loaded first, if
// it exists (see Touches).
type State struct {
	Run         Run
	Details     Details
	Phases      map[string]*Phase
	Steps       map[StepKey]*StepResult
	Faults      map[string]*Fault
	Validations map[string]*Validation

	Stored *Run // as it was loaded, for OnlyProgressed; nil for a new one
}

// NewState is a run that nothing has been said about yet.
func NewState(id ID, number RunNumber, runID string) *State {
	return &State{Run: Run{ID: id, Number: number, RunID: runID, Status: StatusPending, Lifecycle: StatusPending}}
}

// LoadedState is a stored run, before a fold.
func LoadedState(r Run) *State { return &State{Run: r, Stored: &r} }

// OnlyProgressed tells whether events have changed nothing of a loaded run but
// what most events of a run change: its counts, the latest times, progress,
// message and phase. So many runs change like this that they are saved apart.
func (s *State) OnlyProgressed() bool {
	if s.Stored == nil {
		return false
	}
	was, is := *s.Stored, &s.Run
	if was.Counts.OwnEvents != is.Counts.OwnEvents {
		return false
	}
	was.Version, was.Counts, was.Marks = is.Version, is.Counts, is.Marks
	was.LastEventAt, was.LastHeartbeatAt = is.LastEventAt, is.LastHeartbeatAt
	was.Progress, was.Message, was.CurrentPhase = is.Progress, is.Message, is.CurrentPhase
	return reflect.DeepEqual(&was, is)
}

// Part names the kind of part that an event touches.
type Part int

// The parts of a run that have rows of their own and are merged.
const (
	PartNone Part = iota
	PartPhase
	PartStep
	PartFault
	PartValidation
)

// Touches names the one part that Apply of this payload would merge into:
// attempt is 0 for all but steps.
func Touches(p Payload) (part Part, id string, attempt int32) {
	switch p := p.(type) {
	case *PhaseStarted:
		return PartPhase, p.Phase, 0
	case *PhaseFinished:
		return PartPhase, p.Phase, 0
	case *StepStarted:
		k := p.Key()
		return PartStep, k.StepID, k.Attempt
	case *StepFinished:
		k := p.Key()
		return PartStep, k.StepID, k.Attempt
	case *FaultInjected:
		return PartFault, p.FaultID, 0
	case *FaultCleared:
		return PartFault, p.FaultID, 0
	case *FaultRecovered:
		return PartFault, p.FaultID, 0
	case *ClearRequested:
		return PartFault, p.FaultID, 0
	case *ValidationRecorded:
		return PartValidation, p.ValidationID, 0
	}
	return PartNone, "", 0
}

// Apply folds one event into the state. The caller has checked its identity:
// an event is applied once.
func (s *State) Apply(e *Event) {
	o := e.Order()
	r := &s.Run
	if s.applyOwn(o, e) {
		r.Counts.OwnEvents++
		r.settle()
		return
	}
	r.Counts.Events++
	if !e.Suspect && e.Time.After(r.LastEventAt) {
		r.LastEventAt = e.Time
	}
	switch p := e.Payload.(type) {
	case *Requested:
		s.request(o, e.Time, p)
	case *Started:
		s.start(o, e, p)
	case *Heartbeat:
		s.heartbeat(o, e, p)
	case *Paused:
		if r.Marks.Last(runLifecycle, o) {
			r.Lifecycle, r.PauseReason = StatusPaused, p.Reason
		}
	case *Resumed:
		if r.Marks.Last(runLifecycle, o) {
			r.Lifecycle, r.PauseReason = StatusRunning, ""
		}
	case *Finished:
		if r.Marks.First(runEnd, o) {
			r.ReportedOutcome, r.EndOrder = p.Outcome, o
			r.ExitCode, r.ErrorMessage = p.ExitCode, p.ErrorMessage
			s.Details.Summary.set(p.Summary)
		}
	case *PhaseStarted:
		if r.Marks.Last(runPhase, o) {
			r.CurrentPhase = p.Phase
		}
		s.phase(p.Phase).start(o, e.Time, p)
	case *PhaseFinished:
		s.phase(p.Phase).finish(o, e.Time, p)
	case *StepStarted:
		s.step(p.Key(), func(t *StepResult) { t.start(o, e.Time, p) })
	case *StepFinished:
		s.step(p.Key(), func(t *StepResult) { t.finish(o, e.Time, p) })
	case *FaultInjected:
		s.fault(p.FaultID, func(f *Fault) { f.inject(o, e.Time, p) })
	case *FaultCleared:
		s.fault(p.FaultID, func(f *Fault) { f.clear(o, e.Time, p) })
	case *FaultRecovered:
		s.fault(p.FaultID, func(f *Fault) { f.recover(o, e.Time, p) })
	case *ValidationRecorded:
		s.validate(o, e.Time, p)
	case *SnapshotCaptured:
		r.Counts.Snapshots++
	case *LogAppended:
		r.Counts.LogLines += int64(p.Count)
	}
	r.settle()
}

// applyOwn folds what this service itself has said; false: it is a word of
// somebody else.
func (s *State) applyOwn(o fact.Order, e *Event) bool {
	r := &s.Run
	switch p := e.Payload.(type) {
	case *Interrupted:
		s.interrupt(o, e.Time, p)
	case *CancelRequested:
		if r.Marks.First(runCancelRequested, o) {
			r.CancelRequestedAt = e.Time
		}
	case *Pinned:
		if r.Marks.Last(runPinned, o) {
			r.Pinned = p.Pinned
		}
	case *ClearRequested:
		s.fault(p.FaultID, func(f *Fault) { f.Marks.Last(faultClearRequested, o) })
	case *Annotated: // in the timeline, and a row of its own
	default:
		return false
	}
	return true
}

func (s *State) request(o fact.Order, at time.Time, p *Requested) {
	r := &s.Run
	s.identify(o, p.ScenarioID, p.ScenarioVersion, p.Environment, p.ConfigurationSnapshot)
	if r.Marks.First(runRequested, o) {
		r.RequestedAt = at
	}
	if p.Trigger != (Trigger{}) && r.Marks.Last(runTrigger, o) {
		r.Trigger = p.Trigger
	}
	if p.GroupID != "" && r.Marks.Last(runGroup, o) {
		r.GroupID = p.GroupID
	}
	if p.Attempt != nil && r.Marks.Last(runAttempt, o) {
		r.Attempt = p.Attempt
	}
	if p.DryRun != nil && r.Marks.Last(runDryRun, o) {
		r.DryRun = p.DryRun
	}
	if p.Parameters != nil && r.Marks.Last(runParameters, o) {
		s.Details.Parameters.set(p.Parameters)
	}
	if p.Labels != nil && r.Marks.Last(runLabels, o) {
		s.Details.Labels.set(labelsJSON(p.Labels))
	}
}

// labelsJSON cannot fail: a map of strings always has a JSON form.
func labelsJSON(labels map[string]string) json.RawMessage {
	b, _ := json.Marshal(labels)
	return b
}

func (s *State) start(o fact.Order, e *Event, p *Started) {
	r := &s.Run
	s.identify(o, p.ScenarioID, p.ScenarioVersion, p.Environment, p.ConfigurationSnapshot)
	if r.Marks.First(runStarted, o) {
		r.StartedAt, r.StartSource = e.Time, e.Source
	}
	if r.Marks.Last(runLifecycle, o) {
		r.Lifecycle, r.PauseReason = StatusRunning, ""
	}
	if p.CoordinatorID != "" && r.Marks.Last(runCoordinator, o) {
		r.CoordinatorID = p.CoordinatorID
	}
	if !p.Deadline.IsZero() && r.Marks.Last(runDeadline, o) {
		r.Deadline = p.Deadline
	}
}

// identify merges what requested and started both may say.
func (s *State) identify(o fact.Order, scenarioID, version, environment string, configuration json.RawMessage) {
	r := &s.Run
	if scenarioID != "" && r.Marks.Last(runScenarioID, o) {
		r.ScenarioID = scenarioID
	}
	if version != "" && r.Marks.Last(runScenarioVersion, o) {
		r.ScenarioVersion = version
	}
	if environment != "" && r.Marks.Last(runEnvironment, o) {
		r.Environment = environment
	}
	if configuration != nil && r.Marks.Last(runConfiguration, o) {
		s.Details.ConfigurationSnapshot.set(configuration)
	}
}

func (s *State) heartbeat(o fact.Order, e *Event, p *Heartbeat) {
	r := &s.Run
	if !e.Suspect && e.Time.After(r.LastHeartbeatAt) {
		r.LastHeartbeatAt = e.Time
	}
	if p.Progress != nil && r.Marks.Last(runProgress, o) {
		r.Progress = p.Progress
	}
	if p.Message != "" && r.Marks.Last(runMessage, o) {
		r.Message = p.Message
	}
	if p.CurrentPhase != "" && r.Marks.Last(runPhase, o) {
		r.CurrentPhase = p.CurrentPhase
	}
	if p.SystemState != nil && r.Marks.Last(runSystemState, o) {
		s.Details.SystemState.set(p.SystemState)
	}
}

func (s *State) interrupt(o fact.Order, at time.Time, p *Interrupted) {
	r := &s.Run
	switch held := r.Interruption; {
	case held != nil && p.RealEvents < held.RealEvents:
		return
	case held == nil || p.RealEvents > held.RealEvents:
		r.Marks.Reset(runInterruption)
	}
	if r.Marks.First(runInterruption, o) {
		r.Interruption = &Interruption{Cause: p.Cause, RealEvents: p.RealEvents, At: at, SupersededBy: p.SupersededBy}
	}
}

func (s *State) phase(name string) *Phase {
	p := s.Phases[name]
	if p == nil {
		p = &Phase{Name: name, Status: PartPending}
		if s.Phases == nil {
			s.Phases = map[string]*Phase{}
		}
		s.Phases[name] = p
		s.Run.Counts.Phases++
	}
	return p
}

func (s *State) step(k StepKey, change func(*StepResult)) {
	c := &s.Run.Counts
	t := s.Steps[k]
	if t == nil {
		t = &StepResult{StepKey: k, Status: PartPending}
		if s.Steps == nil {
			s.Steps = map[StepKey]*StepResult{}
		}
		s.Steps[k] = t
		c.Steps++
	}
	c.StepsFailed -= one(t.failed())
	change(t)
	c.StepsFailed += one(t.failed())
}

func (s *State) fault(id string, change func(*Fault)) {
	c := &s.Run.Counts
	f := s.Faults[id]
	if f == nil {
		f = &Fault{FaultID: id, Status: FaultPending}
		if s.Faults == nil {
			s.Faults = map[string]*Fault{}
		}
		s.Faults[id] = f
		c.Faults++
	}
	c.FaultsActive -= one(f.Active())
	change(f)
	c.FaultsActive += one(f.Active())
}

func (s *State) validate(o fact.Order, at time.Time, p *ValidationRecorded) {
	v := s.Validations[p.ValidationID]
	if v == nil {
		v = &Validation{}
		if s.Validations == nil {
			s.Validations = map[string]*Validation{}
		}
		s.Validations[p.ValidationID] = v
	} else {
		if !o.After(v.Order) {
			return
		}
		*s.Run.Counts.validations(v.Status)--
	}
	*v = Validation{ValidationRecorded: *p, RecordedAt: at, Order: o}
	*s.Run.Counts.validations(v.Status)++
}

func (c *Counts) validations(s ValidationStatus) *int32 {
	switch s {
	case ValidationPassed:
		return &c.ValidationsPassed
	case ValidationFailed:
		return &c.ValidationsFailed
	case ValidationSkipped:
		return &c.ValidationsSkipped
	case ValidationError:
	}
	return &c.ValidationsError
}

func one(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

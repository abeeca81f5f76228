package execution_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// readWhole is the state of a run by another way than the fold: all its events
// at once, sorted, each field looked up where the contract says it is.
func readWhole(id execution.ID, number execution.RunNumber, events []*execution.Event) *execution.State {
	events = slices.SortedFunc(slices.Values(events), func(a, b *execution.Event) int { return a.Order().Compare(b.Order()) })
	s := &execution.State{
		Run:         execution.Run{ID: id, Number: number},
		Phases:      readPhases(events),
		Steps:       readSteps(events),
		Faults:      readFaults(events),
		Validations: readValidations(events),
	}
	readRun(&s.Run, events)
	readDetails(&s.Details, events)
	count(s, events)
	readEnd(&s.Run, events)
	return s
}

// A said is an event with a payload of type P.
type said[P any] struct {
	*execution.Event
	word P
}

func only[P execution.Payload](sorted []*execution.Event) (of []said[P]) {
	for _, e := range sorted {
		if p, ok := e.Payload.(P); ok {
			of = append(of, said[P]{e, p})
		}
	}
	return of
}

// by groups the events with payload P by what they are about.
func by[P execution.Payload, K comparable](sorted []*execution.Event, about func(P) K) map[K][]said[P] {
	groups := map[K][]said[P]{}
	for _, e := range only[P](sorted) {
		groups[about(e.word)] = append(groups[about(e.word)], e)
	}
	return groups
}

// latest is the last value in order that is not the zero one.
func latest[V comparable](sorted []*execution.Event, say func(execution.Payload) V) V {
	var none V
	for _, e := range slices.Backward(sorted) {
		if v := say(e.Payload); v != none {
			return v
		}
	}
	return none
}

func readRun(r *execution.Run, sorted []*execution.Event) {
	r.ScenarioID = latest(sorted, func(p execution.Payload) string {
		switch p := p.(type) {
		case *execution.Requested:
			return p.ScenarioID
		case *execution.Started:
			return p.ScenarioID
		}
		return ""
	})
	r.ScenarioVersion = latest(sorted, func(p execution.Payload) string {
		switch p := p.(type) {
		case *execution.Requested:
			return p.ScenarioVersion
		case *execution.Started:
			return p.ScenarioVersion
		}
		return ""
	})
	r.Environment = latest(sorted, func(p execution.Payload) string {
		switch p := p.(type) {
		case *execution.Requested:
			return p.Environment
		case *execution.Started:
			return p.Environment
		}
		return ""
	})
	r.CurrentPhase = latest(sorted, func(p execution.Payload) string {
		switch p := p.(type) {
		case *execution.Heartbeat:
			return p.CurrentPhase
		case *execution.PhaseStarted:
			return p.Phase
		}
		return ""
	})
	if requests := only[*execution.Requested](sorted); len(requests) > 0 {
		r.RequestedAt = requests[0].Time
	}
	for _, e := range only[*execution.Requested](sorted) {
		r.Trigger = or(e.word.Trigger, r.Trigger)
		r.GroupID = or(e.word.GroupID, r.GroupID)
		r.Attempt = or(e.word.Attempt, r.Attempt)
		r.DryRun = or(e.word.DryRun, r.DryRun)
	}
	if starts := only[*execution.Started](sorted); len(starts) > 0 {
		r.StartedAt, r.StartSource = starts[0].Time, starts[0].Source
	}
	for _, e := range only[*execution.Started](sorted) {
		r.CoordinatorID = or(e.word.CoordinatorID, r.CoordinatorID)
		r.Deadline = or(e.word.Deadline, r.Deadline)
	}
	for _, e := range only[*execution.Heartbeat](sorted) {
		r.Progress = or(e.word.Progress, r.Progress)
		r.Message = or(e.word.Message, r.Message)
		if !e.Suspect {
			r.LastHeartbeatAt = later(r.LastHeartbeatAt, e.Time)
		}
	}
	for _, e := range others(sorted) {
		if !e.Suspect {
			r.LastEventAt = later(r.LastEventAt, e.Time)
		}
	}
	r.Lifecycle = execution.StatusPending
	for _, e := range sorted {
		switch p := e.Payload.(type) {
		case *execution.Started, *execution.Resumed:
			r.Lifecycle, r.PauseReason = execution.StatusRunning, ""
		case *execution.Paused:
			r.Lifecycle, r.PauseReason = execution.StatusPaused, p.Reason
		}
	}
}

func others(sorted []*execution.Event) []*execution.Event {
	return slices.DeleteFunc(slices.Clone(sorted), func(e *execution.Event) bool { return e.Type == fact.TypeInterrupted })
}

func or[V comparable](said, before V) V {
	var none V
	if said == none {
		return before
	}
	return said
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// readEnd decides the status; it needs the counters.
func readEnd(r *execution.Run, sorted []*execution.Event) {
	for _, e := range only[*execution.Interrupted](sorted) {
		if i := r.Interruption; i == nil || e.word.RealEvents > i.RealEvents {
			r.Interruption = &execution.Interruption{
				Cause: e.word.Cause, RealEvents: e.word.RealEvents, At: e.Time, SupersededBy: e.word.SupersededBy,
			}
		}
	}
	ends := only[*execution.Finished](sorted)
	if len(ends) == 0 {
		r.Status = r.Lifecycle
		if i := r.Interruption; i != nil && i.RealEvents == int64(len(others(sorted))) {
			r.Status, r.EndedAt = execution.StatusInterrupted, i.At
		}
		return
	}
	first := ends[0]
	r.ReportedOutcome, r.ExitCode, r.ErrorMessage = first.word.Outcome, first.word.ExitCode, first.word.ErrorMessage
	r.EndOrder, r.EndedAt = first.Order(), first.Time
	r.Status = first.word.Outcome
	if r.Status == execution.StatusPassed && r.Counts.ValidationsFailed > 0 {
		r.Status = execution.StatusFailed
	}
}

func readDetails(d *execution.Details, sorted []*execution.Event) {
	keep := func(into *execution.Detail, v json.RawMessage) {
		if v != nil {
			*into = execution.Detail{Set: true, Value: v}
		}
	}
	for _, e := range sorted {
		switch p := e.Payload.(type) {
		case *execution.Requested:
			keep(&d.Parameters, p.Parameters)
			keep(&d.ConfigurationSnapshot, p.ConfigurationSnapshot)
			if p.Labels != nil {
				text, _ := json.Marshal(p.Labels)
				keep(&d.Labels, text)
			}
		case *execution.Started:
			keep(&d.ConfigurationSnapshot, p.ConfigurationSnapshot)
		case *execution.Heartbeat:
			keep(&d.SystemState, p.SystemState)
		}
	}
	if ends := only[*execution.Finished](sorted); len(ends) > 0 {
		d.Summary = execution.Detail{Set: true, Value: ends[0].word.Summary}
	}
}

func count(s *execution.State, sorted []*execution.Event) {
	c := &s.Run.Counts
	c.OwnEvents = int64(len(only[*execution.Interrupted](sorted)))
	c.Events = int64(len(sorted)) - c.OwnEvents
	c.Snapshots = int32(len(only[*execution.SnapshotCaptured](sorted)))
	for _, e := range only[*execution.LogAppended](sorted) {
		c.LogLines += int64(e.word.Count)
	}
	c.Phases, c.Steps, c.Faults = int32(len(s.Phases)), int32(len(s.Steps)), int32(len(s.Faults))
	for _, p := range s.Steps {
		if p.Status == execution.PartFailed || p.Status == execution.PartError {
			c.StepsFailed++
		}
	}
	for _, f := range s.Faults {
		if f.Status == execution.FaultInjectedOK || f.Status == execution.FaultInProgress {
			c.FaultsActive++
		}
	}
	for _, v := range s.Validations {
		switch v.Status {
		case execution.ValidationPassed:
			c.ValidationsPassed++
		case execution.ValidationFailed:
			c.ValidationsFailed++
		case execution.ValidationSkipped:
			c.ValidationsSkipped++
		case execution.ValidationError:
			c.ValidationsError++
		}
	}
}

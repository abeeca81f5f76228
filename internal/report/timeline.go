package report

import (
	"cmp"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The timeline keeps the first entries and the last ones: how a run began and how it
// ended matters more than what is between.
const (
	firstEntries = 1500
	lastEntries  = 500
)

// happenings are the events of the timeline, in their order.
type happenings struct {
	first []Entry
	last  []Entry // a ring; the next one goes to n % lastEntries
	n     int     // beyond the first
}

// add takes an event: all but heartbeats, log lines and periodic snapshots.
func (h *happenings) add(e *execution.Event, late, conflicting bool) {
	entry, ok := entryOf(e)
	if !ok {
		return
	}
	entry.Late, entry.Conflict, entry.Suspect = late, conflicting, e.Suspect
	switch {
	case len(h.first) < firstEntries:
		h.first = append(h.first, entry)
		return
	case len(h.last) < lastEntries:
		h.last = append(h.last, entry)
	default:
		h.last[h.n%lastEntries] = entry
	}
	h.n++
}

func (h *happenings) timeline() Timeline {
	t := Timeline{Entries: append([]Entry{}, h.first...)}
	if len(h.last) < lastEntries {
		t.Entries = append(t.Entries, h.last...)
		return t
	}
	at := h.n % lastEntries
	t.Entries = append(append(t.Entries, h.last[at:]...), h.last[:at]...)
	t.Omitted = h.n - lastEntries
	return t
}

// entryOf is one event in a line; false for those that the timeline leaves out.
func entryOf(e *execution.Event) (Entry, bool) {
	entry := Entry{At: moment(e.Time), Type: eventWord(e.Type)}
	var text string
	switch p := e.Payload.(type) {
	case *execution.Requested:
		text = "run requested"
		if p.Trigger.Actor != "" {
			text += " by " + quoted(p.Trigger.Actor)
		}
		if p.Trigger.Type != "" {
			text += " (" + quoted(p.Trigger.Type) + ")"
		}
	case *execution.Started:
		text = "run started"
		if p.CoordinatorID != "" {
			text += " by " + quoted(p.CoordinatorID)
		}
	case *execution.Paused:
		text = withDetail("run paused", p.Reason)
	case *execution.Resumed:
		text = withDetail("run resumed", p.Reason)
	case *execution.PhaseStarted:
		entry.Ref = refOf("phase", p.Phase)
		text = withDetail(entry.Ref+" started", p.Description)
	case *execution.PhaseFinished:
		entry.Ref, entry.Status = refOf("phase", p.Phase), string(p.Status)
		text = withDetail(entry.Ref+" "+string(p.Status), p.Error)
	case *execution.StepStarted:
		entry.Ref = refOf("step", p.StepID)
		text = withDetail(entry.Ref+" started", doing(&p.Step))
	case *execution.StepFinished:
		entry.Ref, entry.Status = refOf("step", p.StepID), string(p.Status)
		text = withDetail(entry.Ref+" "+string(p.Status), cmp.Or(p.Error, doing(&p.Step)))
	case *execution.FaultInjected:
		entry.Ref, entry.Status = refOf("fault", p.FaultID), string(cmp.Or(p.Status, execution.FaultInjectedOK))
		text = withDetail(entry.Ref+" "+entry.Status+": "+quoted(p.FaultType)+" of "+quoted(p.TargetService), p.Error)
	case *execution.FaultCleared:
		entry.Ref = refOf("fault", p.FaultID)
		text = entry.Ref + " cleared"
		if p.Error != "" {
			text = withDetail(entry.Ref+" could not be cleared", p.Error)
		}
	case *execution.FaultRecovered:
		entry.Ref = refOf("fault", p.FaultID)
		text = entry.Ref + " recovered"
		if p.RecoveryTime != nil {
			text += " in " + spell(seconds(*p.RecoveryTime))
		}
	case *execution.ValidationRecorded:
		entry.Ref, entry.Status = refOf("validation", p.ValidationID), string(p.Status)
		text = withDetail(entry.Ref+" "+string(p.Status)+": "+quoted(p.AssertionType), observed(p))
	case *execution.SnapshotCaptured:
		if p.Kind == execution.SnapshotPeriodic {
			return entry, false
		}
		entry.Ref = refOf("snapshot", p.SnapshotID)
		text = entry.Ref + " (" + string(p.Kind) + ") of " + serviceName(quoted(p.Service))
		text = withDetail(text, p.Health)
	case *execution.Finished:
		entry.Status = string(p.Outcome)
		text = withDetail("the coordinator reported "+string(p.Outcome), p.ErrorMessage)
	case *execution.Interrupted:
		entry.Status = string(execution.StatusInterrupted)
		text = "the run was called interrupted: it showed no sign of life"
		if p.Cause == execution.CauseSuperseded {
			text = "the run was called interrupted: another run of the execution began"
		}
	case *execution.CancelRequested:
		text = withDetail("somebody asked for the run to be cancelled", cmp.Or(p.Reason, p.Actor))
	case *execution.ClearRequested:
		entry.Ref = refOf("fault", p.FaultID)
		text = withDetail("the coordinator was asked to clear "+entry.Ref, p.Reason)
	case *execution.Annotated:
		text = withDetail("note", p.Text)
	default: // heartbeats and log lines
		return entry, false
	}
	entry.Text = oneLine(text, mostEntry)
	return entry, true
}

// eventWord is a type without prefix and version, as one word: fault_injected.
func eventWord(t fact.Type) string {
	return strings.ReplaceAll(strings.TrimPrefix(t.Short(), "execution."), ".", "_")
}

// refOf names a part of the run. Ids are short, names of phases may be anything.
func refOf(kind, id string) string { return kind + " " + oneLine(id, mostEntry) }

func refOfStep(id string) string {
	if id == "" {
		return ""
	}
	return refOf("step", id)
}

func refOfService(name string) string {
	if name == "" {
		return "system"
	}
	return refOf("service", name)
}

func doing(s *execution.Step) string {
	switch {
	case s.Action == "":
		return string(s.Kind)
	case s.Service == "":
		return quoted(s.Action)
	}
	return quoted(s.Action) + " on " + quoted(s.Service)
}

func observed(p *execution.ValidationRecorded) string {
	if p.Expected == "" && p.Actual == "" {
		return quoted(p.Message)
	}
	return "expected " + quoted(p.Expected) + ", actual " + quoted(p.Actual)
}

// serviceName is a service for people; that of a snapshot may be none.
func serviceName(service string) string {
	if service == "" {
		return "the whole system"
	}
	return service
}

// Package executiontest draws events of executions for property tests.
//
// What it draws is legal but unkind: few values, so that events contradict each
// other; times that are equal or differ by nanoseconds; sequences that are
// missing, repeated or given by some events only. It knows the payloads of
// package execution and nothing of how they are folded, encoded or stored.
package executiontest

import (
	"encoding/json"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Base is the time around which events are drawn.
var Base = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// OwnSource is the source of the service's own events.
const OwnSource = "/tcda/test"

// Events draws up to most events of one run of an execution, in no order: all
// types, times in the far future, and the service's own interruptions, which
// carry at most the number of the other events. Identities are unique.
func Events(t *rapid.T, id execution.ID, most int) []*execution.Event {
	own := rapid.IntRange(0, 3).Draw(t, "interruptions")
	others := rapid.IntRange(0, most-own).Draw(t, "events")
	sequenced := rapid.SampledFrom([]string{"none", "some", "all"}).Draw(t, "sequenced")
	events := make([]*execution.Event, 0, own+others)
	for i := range others {
		events = append(events, event(t, id, i, sequenced))
	}
	for i := range own {
		p := &execution.Interrupted{
			Cause: rapid.SampledFrom([]execution.InterruptCause{execution.CauseNoSign, execution.CauseSuperseded}).Draw(t, "cause"),
			// Mostly of all events: an interruption that holds.
			RealEvents:   rapid.OneOf(rapid.Just(int64(others)), rapid.Int64Range(0, int64(others))).Draw(t, "realEvents"),
			SupersededBy: execution.RunNumber(rapid.Int32Range(0, 3).Draw(t, "supersededBy")),
		}
		e := New(id, OwnSource, fmt.Sprintf("own-%d", i), aTime(t), p)
		e.Type = fact.TypeInterrupted
		events = append(events, e)
	}
	return events
}

// New is an event with the identity and the time given, and nothing else in
// its envelope.
func New(id execution.ID, source, eventID string, at time.Time, p execution.Payload) *execution.Event {
	return &execution.Event{
		Header: fact.Header{
			Key:    fact.NewKey(source, eventID, string(id)),
			Source: source, ID: eventID, Subject: string(id), Time: at,
		},
		Payload: p,
	}
}

func event(t *rapid.T, id execution.ID, n int, sequenced string) *execution.Event {
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	source := rapid.SampledFrom([]string{"/coordinator/a", "/coordinator/b"}).Draw(t, "source")
	e := New(id, source, fmt.Sprintf("e-%d", n), aTime(t), kind.payload(t))
	e.Type = kind.typ
	if sequenced == "all" || sequenced == "some" && rapid.Bool().Draw(t, "withSequence") {
		e.Sequence = fact.Sequence(rapid.Int64Range(1, 12).Draw(t, "sequence"))
	}
	if rapid.IntRange(0, 9).Draw(t, "suspect") == 9 {
		e.Suspect, e.Time = true, e.Time.AddDate(10, 0, 0)
	}
	return e
}

func aTime(t *rapid.T) time.Time {
	return Base.Add(rapid.SampledFrom([]time.Duration{
		0, 1, 999, time.Microsecond, time.Microsecond + 1, time.Millisecond,
		time.Second, time.Second + 500, time.Minute, time.Hour, 36 * time.Hour,
	}).Draw(t, "after"))
}

// kinds is how to draw the payload of each type that others may send.
var kinds = []struct {
	typ     fact.Type
	payload func(*rapid.T) execution.Payload
}{
	{fact.TypeRequested, func(t *rapid.T) execution.Payload {
		return &execution.Requested{
			ScenarioID: word(t), ScenarioVersion: word(t), Environment: word(t), Parameters: object(t),
			Trigger: execution.Trigger{Type: word(t), Actor: word(t)}, Labels: labels(t),
			ConfigurationSnapshot: object(t), Attempt: maybe(t, int32(1), 2), GroupID: word(t), DryRun: maybe(t, true, false),
		}
	}},
	{fact.TypeStarted, func(t *rapid.T) execution.Payload {
		p := &execution.Started{
			ScenarioID: word(t), ScenarioVersion: word(t), Environment: word(t), CoordinatorID: word(t),
			ConfigurationSnapshot: object(t),
		}
		if rapid.Bool().Draw(t, "withDeadline") {
			p.Deadline = aTime(t)
		}
		return p
	}},
	{fact.TypeHeartbeat, func(t *rapid.T) execution.Payload {
		return &execution.Heartbeat{Progress: maybe(t, 0, 0.5, 1), Message: word(t), CurrentPhase: word(t), SystemState: object(t)}
	}},
	{fact.TypePaused, func(t *rapid.T) execution.Payload { return &execution.Paused{Reason: word(t)} }},
	{fact.TypeResumed, func(t *rapid.T) execution.Payload { return &execution.Resumed{Reason: word(t)} }},
	{fact.TypePhaseStarted, func(t *rapid.T) execution.Payload {
		return &execution.PhaseStarted{Phase: name(t), Ordinal: maybe(t, int32(0), 1), Description: word(t)}
	}},
	{fact.TypePhaseFinished, func(t *rapid.T) execution.Payload {
		return &execution.PhaseFinished{Phase: name(t), Status: partEnd(t), Error: word(t)}
	}},
	{fact.TypeStepStarted, func(t *rapid.T) execution.Payload { return &execution.StepStarted{Step: step(t)} }},
	{fact.TypeStepFinished, func(t *rapid.T) execution.Payload {
		p := &execution.StepFinished{Step: step(t), Status: partEnd(t), Duration: maybe(t, time.Second, 2*time.Second), Error: word(t)}
		if rapid.Bool().Draw(t, "withStart") {
			p.StartedAt = aTime(t)
		}
		return p
	}},
	{fact.TypeFaultInjected, func(t *rapid.T) execution.Payload {
		return &execution.FaultInjected{
			FaultID: name(t), FaultType: name(t), TargetService: name(t), Parameters: object(t),
			Phase: word(t), StepID: word(t), BlastRadius: word(t), Error: word(t),
			Status: rapid.SampledFrom([]execution.FaultStatus{
				"", execution.FaultPending, execution.FaultInjectedOK, execution.FaultInProgress,
				execution.FaultClearedOK, execution.FaultHealed, execution.FaultFailed,
			}).Draw(t, "faultStatus"),
		}
	}},
	{fact.TypeFaultCleared, func(t *rapid.T) execution.Payload {
		return &execution.FaultCleared{FaultID: name(t), Error: word(t)}
	}},
	{fact.TypeFaultRecovered, func(t *rapid.T) execution.Payload {
		return &execution.FaultRecovered{FaultID: name(t), RecoveryTime: maybe(t, time.Second, time.Minute)}
	}},
	{fact.TypeValidationRecorded, func(t *rapid.T) execution.Payload {
		return &execution.ValidationRecorded{
			ValidationID: name(t), AssertionType: name(t), Phase: word(t), Actual: word(t),
			Threshold: maybe(t, 0.5, 1.5), Evidence: object(t),
			Status: rapid.SampledFrom([]execution.ValidationStatus{
				execution.ValidationPassed, execution.ValidationFailed, execution.ValidationSkipped, execution.ValidationError,
			}).Draw(t, "result"),
		}
	}},
	{fact.TypeSnapshotCaptured, func(t *rapid.T) execution.Payload {
		return &execution.SnapshotCaptured{SnapshotID: name(t), Kind: execution.SnapshotPeriodic, Service: word(t)}
	}},
	{fact.TypeLogAppended, func(t *rapid.T) execution.Payload {
		return &execution.LogAppended{Count: rapid.IntRange(1, 1000).Draw(t, "lines")}
	}},
	{fact.TypeFinished, func(t *rapid.T) execution.Payload {
		return &execution.Finished{
			Outcome: rapid.SampledFrom([]execution.Status{
				execution.StatusPassed, execution.StatusPassed, execution.StatusFailed,
				execution.StatusError, execution.StatusCancelled, execution.StatusTimeout,
			}).Draw(t, "outcome"),
			ExitCode: maybe(t, int32(0), 1), ErrorMessage: word(t), Summary: object(t),
		}
	}},
}

func step(t *rapid.T) execution.Step {
	return execution.Step{
		StepID: name(t), Phase: word(t), Service: word(t), Action: word(t), Parameters: object(t),
		Kind:    rapid.SampledFrom([]execution.StepKind{execution.StepAction, execution.StepWait}).Draw(t, "stepKind"),
		Attempt: rapid.Int32Range(0, 2).Draw(t, "attempt"),
	}
}

func partEnd(t *rapid.T) execution.PartStatus {
	return rapid.SampledFrom([]execution.PartStatus{
		execution.PartPassed, execution.PartFailed, execution.PartSkipped, execution.PartError,
	}).Draw(t, "partStatus")
}

// word is a text that may be left unsaid, name one that may not.
func word(t *rapid.T) string { return rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "word") }
func name(t *rapid.T) string { return rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "name") }

func object(t *rapid.T) json.RawMessage {
	return rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{}`), json.RawMessage(`{"a":1}`)}).Draw(t, "json")
}

func labels(t *rapid.T) map[string]string {
	return rapid.SampledFrom([]map[string]string{nil, {}, {"team": "risk", "ci": "yes"}}).Draw(t, "labels")
}

func maybe[V any](t *rapid.T, values ...V) *V {
	if i := rapid.IntRange(-1, len(values)-1).Draw(t, "maybe"); i >= 0 {
		return &values[i]
	}
	return nil
}

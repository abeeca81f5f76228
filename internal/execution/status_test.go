package execution_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
)

func TestStatusesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	words := strings.Fields("pending running paused passed failed error cancelled timeout interrupted")
	var got []string
	for i, s := range execution.Statuses() {
		got = append(got, string(s))
		if last6 := i >= 3; s.Terminal() != last6 {
			t.Errorf("%s: Terminal = %v", s, s.Terminal())
		}
	}
	if diff := cmp.Diff(words, got); diff != "" {
		t.Error(diff)
	}
	if execution.Status("unheard of").Terminal() {
		t.Error("an unknown status is terminal")
	}
}

func finished(outcome execution.Status) *execution.Finished {
	return &execution.Finished{Outcome: outcome}
}

func validation(id string, result execution.ValidationStatus) *execution.ValidationRecorded {
	return &execution.ValidationRecorded{ValidationID: id, AssertionType: "alert", Status: result}
}

// Each row's events are given in their order and folded in it and against it.
func TestStatus(t *testing.T) {
	t.Parallel()
	type events = []*execution.Event
	own := from(executiontest.OwnSource)
	start := event(0, started("c1"))
	pause := event(1*time.Minute, &execution.Paused{Reason: "market closed"})
	resume := event(2*time.Minute, &execution.Resumed{})
	beat := event(3*time.Minute, &execution.Heartbeat{})
	end := event(time.Hour, passed())
	for name, test := range map[string]struct {
		events events
		want   execution.Status
	}{
		"nothing":                          {nil, execution.StatusPending},
		"requested":                        {events{event(0, &execution.Requested{})}, execution.StatusPending},
		"a child without its run":          {events{event(0, &execution.LogAppended{Count: 1})}, execution.StatusPending},
		"a sign of life without its start": {events{beat}, execution.StatusPending},
		"started":                          {events{start}, execution.StatusRunning},
		"requested after the start":        {events{start, event(time.Second, &execution.Requested{})}, execution.StatusRunning},
		"paused":                           {events{start, pause}, execution.StatusPaused},
		"paused before any start":          {events{pause}, execution.StatusPaused},
		"resumed":                          {events{start, pause, resume}, execution.StatusRunning},
		"started again while paused":       {events{start, pause, event(2*time.Minute, started("c1"))}, execution.StatusRunning},
		"a sign of life while paused":      {events{start, pause, beat}, execution.StatusPaused},
		"sequence decides, not time": {
			events{event(time.Hour, started("c1"), seq(1)), event(0, &execution.Paused{}, seq(2))}, execution.StatusPaused,
		},
		"no sequence comes last": {
			events{event(time.Hour, &execution.Paused{}, seq(2)), event(0, started("c1"))}, execution.StatusRunning,
		},

		"passed":                   {events{start, end}, execution.StatusPassed},
		"failed":                   {events{start, event(time.Hour, finished(execution.StatusFailed))}, execution.StatusFailed},
		"error":                    {events{start, event(time.Hour, finished(execution.StatusError))}, execution.StatusError},
		"cancelled":                {events{start, event(time.Hour, finished(execution.StatusCancelled))}, execution.StatusCancelled},
		"timeout":                  {events{start, event(time.Hour, finished(execution.StatusTimeout))}, execution.StatusTimeout},
		"ended without a start":    {events{end}, execution.StatusPassed},
		"ended before the start":   {events{event(-time.Hour, passed()), start}, execution.StatusPassed},
		"ended while paused":       {events{start, pause, end}, execution.StatusPassed},
		"resumed after the end":    {events{start, end, event(2*time.Hour, &execution.Resumed{})}, execution.StatusPassed},
		"the earlier of two ends":  {events{end, event(2*time.Hour, finished(execution.StatusError))}, execution.StatusPassed},
		"the earlier, by sequence": {events{event(2*time.Hour, finished(execution.StatusError), seq(1)), end}, execution.StatusError},

		"a failed validation":         {events{validated(time.Minute, execution.ValidationFailed), end}, execution.StatusFailed},
		"a failed validation, late":   {events{end, validated(2*time.Hour, execution.ValidationFailed)}, execution.StatusFailed},
		"a failed validation, no end": {events{start, validated(time.Minute, execution.ValidationFailed)}, execution.StatusRunning},
		"a failed one, then it held":  {events{validated(1, execution.ValidationFailed), validated(2, execution.ValidationPassed), end}, execution.StatusPassed},
		"an errored validation":       {events{validated(1, execution.ValidationError), end}, execution.StatusPassed},
		"a skipped validation":        {events{validated(1, execution.ValidationSkipped), end}, execution.StatusPassed},
		"failed and cancelled":        {events{validated(1, execution.ValidationFailed), event(1, finished(execution.StatusCancelled))}, execution.StatusCancelled},
		"a failed step is not a failed run": {
			events{event(1, &execution.StepFinished{Step: execution.Step{StepID: "s"}, Status: execution.PartFailed}), end},
			execution.StatusPassed,
		},

		"interrupted":                          {events{start, event(time.Hour, interrupted(1), own)}, execution.StatusInterrupted},
		"interrupted before any start":         {events{event(0, &execution.Requested{}), event(1, interrupted(1), own)}, execution.StatusInterrupted},
		"interrupted while paused":             {events{start, pause, event(time.Hour, interrupted(2), own)}, execution.StatusInterrupted},
		"revived by a sign of life":            {events{start, beat, event(time.Hour, interrupted(1), own)}, execution.StatusRunning},
		"revived by a log line":                {events{start, event(time.Hour, interrupted(1), own), event(2*time.Hour, &execution.LogAppended{Count: 1})}, execution.StatusRunning},
		"revived to paused":                    {events{start, pause, event(time.Hour, interrupted(1), own)}, execution.StatusPaused},
		"revived and interrupted again":        {events{start, event(1, interrupted(1), own), beat, event(time.Hour, interrupted(2), own)}, execution.StatusInterrupted},
		"interrupted twice at one number":      {events{start, event(1, interrupted(1), own), event(2, interrupted(1), own)}, execution.StatusInterrupted},
		"interrupted, its events not all here": {events{start, event(time.Hour, interrupted(2), own)}, execution.StatusRunning},
		"an end beats an interruption":         {events{event(0, interrupted(1), own), end}, execution.StatusPassed},
		"an interruption after an end":         {events{end, event(2*time.Hour, interrupted(1), own)}, execution.StatusPassed},
		"a far future time is no obstacle":     {events{event(0, started("c1"), seq(1), tenYearsAhead), event(1, passed(), seq(2))}, execution.StatusPassed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forth, back := fold(), fold()
			for i := range test.events {
				forth.Apply(test.events[i])
				back.Apply(test.events[len(test.events)-1-i])
			}
			if forth.Run.Status != test.want || back.Run.Status != test.want {
				t.Errorf("status = %s, against the order %s, want %s", forth.Run.Status, back.Run.Status, test.want)
			}
		})
	}
}

func validated(after time.Duration, result execution.ValidationStatus) *execution.Event {
	return event(after, validation("v1", result))
}

func TestReportedOutcomeOutlivesAFailedValidation(t *testing.T) {
	t.Parallel()
	r := fold(event(time.Hour, passed()), validated(time.Minute, execution.ValidationFailed)).Run
	if r.ReportedOutcome != execution.StatusPassed || r.Status != execution.StatusFailed {
		t.Errorf("reported %s, status %s", r.ReportedOutcome, r.Status)
	}
}

// What belongs to the end comes from the event that decided it, all of it.
func TestTheDecidingEndGivesAllOfTheEnd(t *testing.T) {
	t.Parallel()
	code := int32(3)
	deciding := event(time.Minute, &execution.Finished{Outcome: execution.StatusError, ExitCode: &code})
	other := event(time.Hour, &execution.Finished{Outcome: execution.StatusFailed, ErrorMessage: "too late", Summary: []byte(`{}`)})
	s := fold(other, deciding)
	r := s.Run
	if r.EndedAt != deciding.Time || r.EndOrder != deciding.Order() || r.ExitCode == nil || *r.ExitCode != 3 || r.ErrorMessage != "" {
		t.Errorf("ended %s, order %+v, exit code %v, error %q", r.EndedAt, r.EndOrder, r.ExitCode, r.ErrorMessage)
	}
	if !s.Details.Summary.Set || s.Details.Summary.Value != nil {
		t.Errorf("summary %+v: the other's was not taken back", s.Details.Summary)
	}
}

func TestEndedAtFollowsTheStatus(t *testing.T) {
	t.Parallel()
	s := fold(event(0, started("c1")))
	silence := event(time.Hour, interrupted(1), from(executiontest.OwnSource))
	s.Apply(silence)
	if s.Run.EndedAt != silence.Time {
		t.Errorf("interrupted at %s, want %s", s.Run.EndedAt, silence.Time)
	}
	s.Apply(event(2*time.Hour, &execution.Heartbeat{}))
	if !s.Run.EndedAt.IsZero() {
		t.Errorf("a revived run ended at %s", s.Run.EndedAt)
	}
	end := event(3*time.Hour, passed())
	s.Apply(end)
	if s.Run.EndedAt != end.Time {
		t.Errorf("ended at %s, want %s", s.Run.EndedAt, end.Time)
	}
}

func TestTimesInTheFarFutureAreNoSignsOfLife(t *testing.T) {
	t.Parallel()
	beat := event(time.Minute, &execution.Heartbeat{})
	r := fold(beat, event(0, &execution.Heartbeat{}, tenYearsAhead)).Run
	if r.LastEventAt != beat.Time || r.LastHeartbeatAt != beat.Time {
		t.Errorf("last event %s, last heartbeat %s, want %s", r.LastEventAt, r.LastHeartbeatAt, beat.Time)
	}
	if r.Counts.Events != 2 {
		t.Errorf("%d events counted, want both", r.Counts.Events)
	}
}

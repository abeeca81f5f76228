package execution_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

func TestOnlyProgressIsToldFromOtherChanges(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	n := 0
	event := func(p execution.Payload) *execution.Event {
		n++
		h := fact.Header{Source: "/a", ID: string(rune('a' + n)), Subject: "exec-1", Time: at.Add(time.Duration(n) * time.Second)}
		h.Key = fact.NewKey(h.Source, h.ID, h.Subject)
		return &execution.Event{Header: h, Payload: p}
	}
	half, one := 0.5, int32(1)
	started := func() *execution.State {
		s := execution.NewState("exec-1", 1, "")
		s.Apply(event(&execution.Started{Environment: "staging"}))
		return execution.LoadedState(s.Run)
	}
	for _, test := range []struct {
		name    string
		payload execution.Payload
		want    bool
	}{
		{"heartbeat", &execution.Heartbeat{Progress: &half, Message: "on", CurrentPhase: "injection"}, true},
		{"log", &execution.LogAppended{Count: 3}, true},
		{"step", &execution.StepFinished{Step: execution.Step{StepID: "s"}, Status: execution.PartFailed}, true},
		{"phase", &execution.PhaseStarted{Phase: "p"}, true},
		{"fault", &execution.FaultInjected{FaultID: "f", Status: execution.FaultInjectedOK}, true},
		{"validation", &execution.ValidationRecorded{ValidationID: "v", Status: execution.ValidationFailed}, true},
		{"snapshot", &execution.SnapshotCaptured{}, true},
		{"paused", &execution.Paused{Reason: "night"}, false},
		{"end", &execution.Finished{Outcome: execution.StatusPassed}, false},
		{"request", &execution.Requested{Attempt: &one}, false},
		{"another start", &execution.Started{CoordinatorID: "b"}, false},
		{"interruption", &execution.Interrupted{Cause: execution.CauseNoSign, RealEvents: 1}, false},
	} {
		s := started()
		s.Apply(event(test.payload))
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := s.OnlyProgressed(); got != test.want {
				t.Errorf("OnlyProgressed is %v, want %v", got, test.want)
			}
		})
	}
	if execution.NewState("exec-1", 1, "").OnlyProgressed() {
		t.Error("a new run has only progressed")
	}
}

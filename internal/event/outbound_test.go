package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Each outbound event is written, and none of them comes in again.
func TestOutboundEventsAreNeverInput(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for typ, m := range map[fact.Type]proto.Message{
		fact.TypeSettled: &contract.ExecutionSettled{ExecutionId: executionID, Run: 1, Version: 2, Status: "passed", Counts: &contract.SettledCounts{}},
		fact.TypeReportPublished: &contract.ReportPublished{
			ExecutionId: executionID, Run: 1, Revision: 1, Sha256: strings.Repeat("ab", 32), SizeBytes: 1, Path: "/reports/x/1", Status: "passed", Validations: &contract.ReportedValidations{},
		},
		fact.TypeCancelRequested:     &contract.ExecutionCancelRequested{ExecutionId: executionID, Run: 1, RunId: "r", Reason: "enough", Actor: "Ada"},
		fact.TypeFaultClearRequested: &contract.FaultClearRequested{ExecutionId: executionID, Run: 1, FaultId: "fault-1", FaultType: "network_latency", TargetService: "exchange", Reason: "enough"},
	} {
		at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
		out, err := event.NewOutbound(event.Outgoing{Source: "/other/than/tcda", ID: "e-1", Time: at, Message: m})
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		if out.Type != typ || out.ID != "e-1" || out.Subject != executionID || !out.Time.Equal(at) || string(out.Record.Key) != executionID || !json.Valid(out.Record.Value) {
			t.Errorf("%s is written as %+v", typ, out)
		}
		for _, form := range forms {
			record, err := event.Encode(event.Outgoing{Source: "/other/than/tcda", ID: "e-1", Time: at, Message: m}, form.mode, form.encoding)
			if err != nil {
				t.Fatal(err)
			}
			if _, rejection := d.Decode(record, at); rejection == nil || rejection.Reason != fact.ReasonUnsupportedType {
				t.Errorf("%s, %s: rejection is %v", typ, form, rejection)
			}
		}
	}
}

// An accepted request is an outbound event too, and one that comes in.
func TestARequestGoesBothWays(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	out, err := event.NewOutbound(event.Outgoing{Source: "/coordinator/a", ID: "e-1", Time: at, RunID: "run-a", Message: &contract.ExecutionRequested{ExecutionId: executionID, ScenarioId: "market-crash"}})
	if err != nil {
		t.Fatal(err)
	}
	decoded := mustDecode(t, newDecoder(t), out.Record)
	if h := decoded.Header(); h.Type != fact.TypeRequested || h.RunID != "run-a" || h.ID != "e-1" || decoded.KeyMismatch {
		t.Errorf("decoded %+v", h)
	}
}

// What breaks a rule of the contract is not written.
func TestNewOutboundJudges(t *testing.T) {
	t.Parallel()
	good := func() *contract.ExecutionCancelRequested {
		return &contract.ExecutionCancelRequested{ExecutionId: executionID, Run: 1}
	}
	for says, o := range map[string]event.Outgoing{
		"no message":   {ID: "e-1"},
		"execution_id": {ID: "e-1", Message: &contract.ExecutionCancelRequested{Run: 1}},
		"data.run":     {ID: "e-1", Message: &contract.ExecutionCancelRequested{ExecutionId: executionID}},
		`id is ""`:     {Message: good()},
		`id is "a b"`:  {ID: "a b", Message: good()},
		"subject is":   {ID: "e-1", Subject: "a b", Message: good()},
		"not the data": {ID: "e-1", Message: &contract.SettledCounts{}},
	} {
		o.Source, o.Time = "/tcda/a", time.Now()
		if _, err := event.NewOutbound(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one that says %q", err, says)
		}
	}
}

// A settled event says what the run is, with an id that every instance would give
// it, and no other version has.
func TestNewSettled(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	run := execution.Run{
		ID: executionID, Number: 3, RunID: "run-a", Version: 1 << 40, Status: execution.StatusInterrupted,
		ScenarioID: "market-crash", ScenarioVersion: "7", Environment: "staging",
		RequestedAt: at.Add(-3 * time.Hour), StartedAt: at.Add(-2 * time.Hour), EndedAt: at.Add(-time.Hour),
		Interruption: &execution.Interruption{Cause: execution.CauseSuperseded, RealEvents: 9, At: at, SupersededBy: 4},
		Counts: execution.Counts{
			Events: 9, OwnEvents: 1, LogLines: 2, Snapshots: 3, Phases: 4, Steps: 5, StepsFailed: 6, Faults: 7, FaultsActive: 8,
			ValidationsPassed: 10, ValidationsFailed: 11, ValidationsSkipped: 12, ValidationsError: 13,
		},
	}
	out, err := event.NewSettled("/tcda/a", &run, at)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"execution_id":"` + executionID + `","run":3,"version":1099511627776,"run_id":"run-a","status":"interrupted","interrupt_cause":"superseded",` +
		`"scenario_id":"market-crash","scenario_version":"7","environment":"staging","requested_at":"2026-04-01T09:00:00Z","started_at":"2026-04-01T10:00:00Z","ended_at":"2026-04-01T11:00:00Z",` +
		`"counts":{"events":9,"log_lines":2,"snapshots":3,"phases":4,"steps":5,"steps_failed":6,"faults":7,"faults_active":8,` +
		`"validations_passed":10,"validations_failed":11,"validations_skipped":12,"validations_error":13}}`
	if diff := cmp.Diff(want, string(out.Record.Value)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if out.Type != fact.TypeSettled || !out.Time.Equal(at) {
		t.Errorf("event is %+v", out)
	}

	// A run that was interrupted once, and spoke again, was not interrupted.
	revived := run
	revived.Status, revived.ReportedOutcome, revived.Version = execution.StatusFailed, execution.StatusPassed, run.Version+1
	other, err := event.NewSettled("/tcda/a", &revived, at)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(other.Record.Value); strings.Contains(text, "interrupt_cause") || !strings.Contains(text, `"status":"failed","reported_outcome":"passed"`) {
		t.Errorf("data: %s", text)
	}
	if other.ID == out.ID {
		t.Error("two versions have one id")
	}
	if again, err := event.NewSettled("/tcda/b", &run, at.Add(time.Second)); err != nil || again.ID != out.ID {
		t.Errorf("another instance gives %s, %v; want %s", again.ID, err, out.ID)
	}
}

// Parts cannot run into each other.
func TestOutboundIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, id := range []string{
		event.OutboundID("settled", "a", "b"), event.OutboundID("settled", "ab"), event.OutboundID("settled", "a", "b", ""),
		event.OutboundID("settled", "", "ab"), event.OutboundID("other", "a", "b"),
	} {
		if seen[id] || len(id) > 60 {
			t.Errorf("%s is given twice, or too long", id)
		}
		seen[id] = true
	}
	// Readers know repeats by it, those of a former program too.
	if id, want := event.OutboundID("settled", "a", "b"), "settled:3c9d591045bc8876f9d0399bbfb05c6a"; id != want {
		t.Errorf("a repeat has the id %s, had %s", id, want)
	}
}

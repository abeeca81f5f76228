package checker_test

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

const (
	commandsTopic = "commands"
	newDefinition = "steps: some"
)

var newHash = hex.EncodeToString(sha(newDefinition))

// The events of the history in which the API is called: what the service states,
// and what the coordinator says of the run.
var (
	republished = said{id: "request:r1", subject: "calm", typ: "scenario.published", at: second(20), sequence: 1, source: "/tcda/a", caller: caller, data: `{"scenario_id":"calm"}`}
	asked       = said{id: "request:r2", subject: "exec-d", typ: "execution.requested", at: second(21), sequence: 1, source: "/tcda/a", caller: caller, data: `{"execution_id":"exec-d","scenario_id":"calm","scenario_version":"` + newHash + `"}`}
	begun       = said{id: "x1", subject: "exec-d", typ: "execution.started", at: second(22), sequence: 2, runID: "request:r2", data: `{"execution_id":"exec-d"}`}
	injected    = said{id: "x2", subject: "exec-d", typ: "execution.fault_injected", at: second(23), sequence: 3, runID: "request:r2", data: `{"execution_id":"exec-d","fault_id":"f","fault_type":"latency","target_service":"risk"}`}
	cancelled   = said{id: "request:r3", subject: "exec-d", typ: "execution.cancel_requested", at: second(24), sequence: 3, source: "/tcda/b", caller: caller, data: `{"execution_id":"exec-d","run":1,"run_id":"request:r2","reason":"enough","actor":"anonymous"}`}
	pinned      = said{id: "request:r4", subject: "exec-d", typ: "execution.pinned", at: second(25), sequence: 3, source: "/tcda/a", caller: caller, data: `{"execution_id":"exec-d","run":1,"pinned":true,"actor":"anonymous"}`}
	annotated   = said{id: "request:r5", subject: "exec-d", typ: "execution.annotated", at: second(26), sequence: 3, source: "/tcda/a", caller: caller, data: `{"execution_id":"exec-d","run":1,"text":"odd","author":"anonymous"}`}
	ended       = said{id: "x3", subject: "exec-d", typ: "execution.finished", at: second(27), sequence: 4, runID: "request:r2", data: `{"execution_id":"exec-d","outcome":"cancelled"}`}
	clears      = said{id: "clear:1", subject: "exec-d", typ: "fault.clear_requested", at: second(28), sequence: 4, source: "/tcda/b", caller: "/tcda/b", data: `{"execution_id":"exec-d","run":1,"run_id":"request:r2","fault_id":"f","fault_type":"latency","target_service":"risk"}`}
	letGo       = said{id: "request:r6", subject: "exec-d", typ: "execution.pinned", at: second(29), sequence: 4, source: "/tcda/b", caller: caller, data: `{"execution_id":"exec-d","run":1,"actor":"anonymous"}`}
)

// called is the faultless history in which, besides, the API is called: a scenario
// is published, a run of it asked for, cancelled, pinned, annotated and let go, a
// request refused, and one never answered.
func called() *history {
	h := faultless()
	h.cleared = true
	h.commands = &history{ends: map[checker.Partition]int64{}, ledger: map[checker.Partition][]checker.Ack{}}
	arrival := int64(0)
	a := func(s said, kafka bool, flags ...string) {
		arrival++
		if !kafka {
			h.accepted(nil, s, 1, arrival, s.data, flags...)
			return
		}
		at := h.send(executionsTopic, 2, s, false)
		h.accepted(&at, s, 1, arrival, s.data)
	}
	a(asked, false)
	a(begun, true)
	a(injected, true)
	a(cancelled, false)
	a(pinned, false)
	a(annotated, false)
	a(ended, true)
	a(clears, false, "late")
	a(letGo, false, "late")
	h.add("ingest_partitions", partitionRow(executionsTopic, 2, 3, 3, 0, 0))
	h.add("execution_ids", checker.Row{"execution_id": "exec-d", "latest_run": int64(1)})
	h.add("executions", runRow("exec-d", 1, checker.Row{
		"run_id": "request:r2", "status": "cancelled", "reported_outcome": "cancelled", "scenario_id": "calm", "scenario_version": newHash, "start_source": "/coordinator/a",
		"requested_at": second(21), "started_at": second(22), "ended_at": second(27), "last_event_at": second(27), "events": int64(4), "own_events": int64(5),
		"faults_total": int64(1), "faults_active": int64(1), "end_order": ended.order(), "cancel_requested_at": second(24), "version": int64(9), "created_at": second(21),
	}))
	h.add("fault_injections", checker.Row{
		"execution_id": "exec-d", "run": int64(1), "fault_id": "f", "fault_type": "latency", "target_service": "risk", "parameters": nil, "phase": "", "step_id": "", "blast_radius": "",
		"status": "injected", "requested_at": second(23), "injected_at": second(23), "cleared_at": nil, "recovered_at": nil, "recovery_seconds": nil, "error": "", "clear_error": "", "injection": "injected",
	})
	h.add("execution_annotations", checker.Row{"execution_id": "exec-d", "run": int64(1), "order_key": annotated.order(), "annotated_at": second(26), "author": caller, "text": "odd"})
	h.states["exec-d"] = state("00000001-0000000001-0000000000000000009", 1, map[string]string{
		"run_id": "request:r2", "status": "cancelled", "scenario_id": "calm", "requested_at": "2026-04-01T12:00:21Z", "started_at": "2026-04-01T12:00:22Z",
		"ended_at": "2026-04-01T12:00:27Z", "last_event_at": "2026-04-01T12:00:27Z", "events": "4", "faults_active": "1",
	})
	h.republish()
	h.call()
	for _, s := range []said{asked, cancelled, clears} {
		h.publish(s)
	}
	h.commands.records = append(h.commands.records, h.commands.records[0])
	h.commands.records[3].Offset = 3 // the first again
	return h
}

// republish is what the service makes of the request to publish.
func (h *history) republish() {
	h.add("definition_events", checker.Row{
		"event_key": republished.key(), "aggregate": "scenario", "subject": "calm", "order_key": republished.order(), "type": prefix + "scenario.published.v1",
		"source": "/tcda/a", "event_id": "request:r1", "event_time": second(20), "sequence": int64(1), "trace_parent": "", "correlation_id": "",
		"extensions": json.RawMessage(`{"caller":"anonymous"}`), "unknown_fields": nil, "topic": nil, "partition": nil, "kafka_offset": nil, "recorded_at": second(20),
		"data": json.RawMessage(`{"scenario_id":"calm","content_hash":"` + newHash + `"}`),
	})
	// What carries no sequence comes after what does.
	h.rows["scenarios"][0]["versions"], h.rows["scenarios"][0]["created_at"] = int64(2), second(20)
	h.rows["scenarios"][0]["updated_at"] = second(0)
	h.add("scenario_versions", checker.Row{
		"scenario_id": "calm", "number": int64(2), "content_hash": sha(newDefinition), "definition": newDefinition, "author": "", "change_note": "", "published_at": second(20),
	})
}

// call adds what the callers know.
func (h *history) call() {
	answer := func(version int64, status string, events int64, change func(*contract.Execution)) *contract.Execution {
		m := &contract.Execution{
			ExecutionId: "exec-d", Run: 1, RunId: "request:r2", Version: version, Status: status, CreatedAt: timestamppb.New(second(21)), ScenarioId: "calm", ScenarioVersion: newHash,
			RequestedAt: timestamppb.New(second(21)), LastEventAt: timestamppb.New(second(20 + int(events))), Counts: &contract.ExecutionCounts{Events: events},
		}
		if events > 1 {
			m.StartedAt, m.CancelRequestedAt = timestamppb.New(second(22)), timestamppb.New(second(24))
			m.Counts.Faults, m.Counts.FaultsActive = 1, 1
		}
		change(m)
		return m
	}
	h.answered("r1", second(20), &contract.PublishScenarioRequest{RequestId: "r1", Scenario: &contract.ScenarioPublished{ScenarioId: "calm", Definition: newDefinition}},
		&contract.PublishScenarioResponse{NewVersion: true, Version: &contract.DefinitionVersion{Number: 2, Hash: newHash}})
	h.answered("r2", second(21), &contract.RequestExecutionRequest{RequestId: "r2", Execution: &contract.ExecutionRequested{ExecutionId: "exec-d", ScenarioId: "calm"}},
		&contract.RequestExecutionResponse{Execution: answer(1, "pending", 1, func(*contract.Execution) {})})
	h.answered("r3", second(24), &contract.CancelExecutionRequest{RequestId: "r3", ExecutionId: "exec-d", Reason: "enough"},
		&contract.CancelExecutionResponse{Execution: answer(4, "running", 3, func(*contract.Execution) {})})
	h.answered("r4", second(25), &contract.PinExecutionRequest{RequestId: "r4", ExecutionId: "exec-d", Run: 1, Pinned: true},
		&contract.PinExecutionResponse{Execution: answer(5, "running", 3, func(m *contract.Execution) { m.Pinned = true })})
	h.answered("r5", second(26), &contract.AnnotateExecutionRequest{RequestId: "r5", ExecutionId: "exec-d", Text: "odd"},
		&contract.AnnotateExecutionResponse{Annotation: &contract.Annotation{Run: 1, Author: caller, Text: "odd", Time: timestamppb.New(second(26))}})
	h.answered("r6", second(29), &contract.PinExecutionRequest{RequestId: "r6", ExecutionId: "exec-d"},
		&contract.PinExecutionResponse{Execution: answer(9, "cancelled", 4, func(m *contract.Execution) {
			m.ReportedOutcome, m.LastEventAt, m.EndedAt = "cancelled", timestamppb.New(second(27)), timestamppb.New(second(27))
		})})
	h.calls = append(h.calls,
		checker.Call{ID: "r7", Sent: second(28), Message: &contract.CancelExecutionRequest{RequestId: "r7", ExecutionId: "exec-d"}, Refusal: "execution_ended"},
		checker.Call{ID: "r8", Sent: second(28), Message: &contract.AnnotateExecutionRequest{RequestId: "r8", ExecutionId: "exec-d", Text: "anybody there?"}, Doubtful: true})
}

// answered is a call that was sent at a time and answered soon, and the row of its
// request.
func (h *history) answered(id string, at time.Time, request, answer proto.Message) {
	h.calls = append(h.calls, checker.Call{ID: id, Message: request, Answer: answer, Sent: at, Answered: at.Add(100 * time.Millisecond)})
	service, procedure := "ExecutionService", strings.TrimSuffix(string(request.ProtoReflect().Descriptor().Name()), "Request")
	if procedure == "PublishScenario" {
		service = "ScenarioService"
	}
	raw, _ := proto.Marshal(answer) // never fails
	h.add("api_requests", checker.Row{"request_id": id, "procedure": "/testcoordination.v1." + service + "/" + procedure, "caller": caller, "answer": raw})
}

// rememberAnswer lets the row of a request say what its caller was told, if it was.
func (h *history) rememberAnswer(t *testing.T, id string) {
	t.Helper()
	for _, call := range h.calls {
		if call.ID == id && call.Answer != nil {
			raw, _ := proto.Marshal(call.Answer) // never fails
			h.find(t, "api_requests", "request_id", id)["answer"] = raw
		}
	}
}

// publish puts an event on the topic of commands, and its row into the outbox.
func (h *history) publish(s said) {
	out := s
	out.sequence, out.runID = 0, "request:r2"
	at := h.commands.send(commandsTopic, 0, out, false)
	h.add("outbox", checker.Row{
		"id": int64(len(h.rows["outbox"]) + 1), "topic_role": "commands", "event_id": hex.EncodeToString(s.key()), "type": prefix + s.typ + ".v1", "subject": s.subject,
		"status": "published", "published_topic": at.Topic, "published_partition": int64(at.Partition), "published_offset": at.Offset,
	})
}

// change changes a record on the topic of commands.
func (h *history) change(n int, change func(*checker.Record)) {
	r := &h.commands.records[n]
	r.Headers = slices.Clone(r.Headers) // the repetition has the same
	change(r)
}

func TestHistoryWithCallsIsGreen(t *testing.T) {
	t.Parallel()
	r := called().check(t)
	if !r.Green() {
		var text strings.Builder
		r.Write(&text)
		t.Fatal(text.String())
	}
	if r.Calls != 6 || r.Commands != 4 || r.OwnEvents != 8 || r.Applied != 12 || r.Runs != 4 {
		t.Errorf("judged something else: %d calls, %d commands, %d own events, %d applied, %d runs", r.Calls, r.Commands, r.OwnEvents, r.Applied, r.Runs)
	}
}

// What was never answered may have been carried out, and have been published in
// vain; but not twice.
func TestWhatIsInDoubtMayBeThere(t *testing.T) {
	t.Parallel()
	h := called()
	last := said{id: "request:r8", subject: "exec-d", typ: "execution.annotated", at: second(30), sequence: 4, source: "/tcda/a", caller: caller, data: `{"execution_id":"exec-d","run":1,"text":"anybody there?","author":"anonymous"}`}
	h.accepted(nil, last, 1, 10, last.data, "late")
	h.find(t, "executions", "execution_id", "exec-d")["own_events"] = int64(6)
	h.add("execution_annotations", checker.Row{"execution_id": "exec-d", "run": int64(1), "order_key": last.order(), "annotated_at": second(30), "author": caller, "text": "anybody there?"})
	raw, _ := proto.Marshal(&contract.AnnotateExecutionResponse{}) // never fails
	h.add("api_requests", checker.Row{"request_id": "r8", "procedure": "/testcoordination.v1.ExecutionService/AnnotateExecution", "caller": caller, "answer": raw})
	if r := h.check(t); !r.Green() {
		t.Errorf("not green: %v", r.Examples)
	}
	again := last
	again.source = "/tcda/b"
	h.accepted(nil, again, 1, 11, last.data, "late")
	if r := h.check(t); r.Doubled == 0 {
		t.Errorf("carried out twice, and not doubled: %v", r.Examples)
	}
}

// A request that was refused may have been carried out, too, by a try of which
// nobody knows; without one it may not.
func TestWhatIsRefusedIsNotThere(t *testing.T) {
	t.Parallel()
	for doubtful, green := range map[bool]bool{true: true, false: false} {
		h := called()
		h.calls[6].Doubtful = doubtful
		at := h.commands.send(commandsTopic, 0, said{
			id: "request:r7", subject: "exec-d", typ: "execution.cancel_requested", at: second(30), source: "/tcda/a", data: `{"execution_id":"exec-d","run":1,"actor":"anonymous"}`,
		}, false)
		h.commands.records[len(h.commands.records)-1].Offset = at.Offset + 1
		if r := h.check(t); r.Green() != green {
			t.Errorf("a command of a refused request, in doubt %t: green %t: %v", doubtful, r.Green(), r.Examples)
		}
	}
}

// As TestEachFaultIsSeen, of what callers ask for.
func TestEachFaultOfACallIsSeen(t *testing.T) {
	t.Parallel()
	event := func(t *testing.T, h *history, id string) checker.Row {
		t.Helper()
		return h.find(t, "execution_events", "event_id", id)
	}
	for name, c := range map[string]struct {
		breaks       func(*testing.T, *history)
		class        checker.Class
		where, field string
	}{
		"an answered write is lost": {func(t *testing.T, h *history) {
			h.remove(t, "execution_events", "event_id", "request:r5")
			h.remove(t, "analytics_timeline", "event_id", "request:r5")
			h.remove(t, "execution_annotations", "text", "odd")
			h.remove(t, "api_requests", "request_id", "r5")
		}, checker.Lost, "request r5", "event request:r5"},
		"an answered publication is lost": {func(t *testing.T, h *history) {
			h.remove(t, "definition_events", "event_id", "request:r1")
		}, checker.Lost, "request r1", "event request:r1"},
		"an answered request for a run is lost": {func(t *testing.T, h *history) {
			h.remove(t, "execution_events", "event_id", "request:r2")
		}, checker.Lost, "request r2", "event request:r2"},
		"a request is carried out twice": {func(_ *testing.T, h *history) {
			again := pinned
			again.source, again.at = "/tcda/b", second(30)
			h.accepted(nil, again, 1, 10, again.data, "late")
		}, checker.Doubled, "request r4", "event request:r4"},
		"a publication is carried out twice": {func(t *testing.T, h *history) {
			h.add("definition_events", h.find(t, "definition_events", "event_id", "request:r1"))
		}, checker.Doubled, "scenario calm", "request:r1"},
		"somebody says what nobody has asked for": {func(_ *testing.T, h *history) {
			other := letGo
			other.id, other.at = "request:x", second(30)
			h.accepted(nil, other, 1, 10, other.data, "late")
		}, checker.Wrong, "exec-d run 1", "event request:x"},
		"what was refused is carried out": {func(_ *testing.T, h *history) {
			other := cancelled
			other.id, other.at = "request:r7", second(24)
			h.accepted(nil, other, 1, 10, other.data)
		}, checker.Wrong, "request r7", "event request:r7"},
		"a run is cancelled after its end": {func(t *testing.T, h *history) {
			event(t, h, "x3")["arrival"], event(t, h, "request:r3")["arrival"] = int64(4), int64(7)
		}, checker.Wrong, "event request:r3", "run 1 ended"},
		"a run is asked for while another is under way": {func(t *testing.T, h *history) {
			event(t, h, "request:r2")["run"], event(t, h, "x1")["arrival"] = int64(2), int64(1)
			for i := range h.records {
				h.records[i].Headers = slices.DeleteFunc(h.records[i].Headers, func(h checker.Header) bool { return h.Name == "ce_runid" })
			}
		}, checker.Wrong, "event request:r2", "run 1 ended"},
		"a request for a run joins another": {func(t *testing.T, h *history) {
			event(t, h, "request:r2")["arrival"], event(t, h, "x1")["arrival"] = int64(2), int64(1)
		}, checker.Wrong, "event request:r2", "a run of its own"},
		"another thing is stored than was asked for": {func(t *testing.T, h *history) {
			event(t, h, "request:r3")["data"] = json.RawMessage(`{"execution_id":"exec-d","run":1,"run_id":"request:r2","reason":"tired","actor":"anonymous"}`)
		}, checker.Wrong, "exec-d run 1", "event request:r3"},
		"it is stored of another run": {func(t *testing.T, h *history) {
			event(t, h, "request:r4")["data"] = json.RawMessage(`{"execution_id":"exec-d","run":2,"pinned":true,"actor":"anonymous"}`)
		}, checker.Wrong, "exec-d run 1", "data.run of an own event"},
		"it is stored with another runid": {func(t *testing.T, h *history) {
			event(t, h, "request:r3")["data"] = json.RawMessage(`{"execution_id":"exec-d","run":1,"reason":"enough","actor":"anonymous"}`)
		}, checker.Wrong, "exec-d run 1", "data.run_id of an own event"},
		"the version is none of the scenario": {func(t *testing.T, h *history) {
			event(t, h, "request:r2")["data"] = json.RawMessage(`{"execution_id":"exec-d","scenario_id":"calm","scenario_version":"` + hex.EncodeToString(sha("x")) + `"}`)
		}, checker.Wrong, "exec-d run 1", "event request:r2"},
		"the caller is another": {func(t *testing.T, h *history) {
			event(t, h, "request:r4")["extensions"] = json.RawMessage(`{"caller":"ada"}`)
		}, checker.Wrong, "exec-d run 1", "execution_events.extensions"},
		"the key is that of another event": {func(t *testing.T, h *history) {
			event(t, h, "request:r4")["event_key"] = sha("x")
		}, checker.Wrong, "exec-d run 1", "execution_events.event_key"},
		"a pin comes before the one that was accepted before": {func(t *testing.T, h *history) {
			row := event(t, h, "request:r6")
			early := letGo
			early.at = second(24)
			row["event_time"], row["order_key"], row["sequence"] = early.at, early.order(), int64(4)
			row = event(t, h, "request:r4")
			late := pinned
			late.sequence = 5
			row["order_key"], row["sequence"] = late.order(), int64(5)
		}, checker.Wrong, "event request:r6", "execution_events.order_key"},
		"a pin does not hold": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-d")["pinned"] = true
		}, checker.Wrong, "exec-d run 1", "executions.pinned"},
		"a cancel is not shown": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-d")["cancel_requested_at"] = nil
		}, checker.Wrong, "exec-d run 1", "executions.cancel_requested_at"},
		"own events count as those of others": {func(t *testing.T, h *history) {
			row := h.find(t, "executions", "execution_id", "exec-d")
			row["events"], row["own_events"] = int64(9), int64(0)
		}, checker.Wrong, "exec-d run 1", "executions.own_events"},
		"a note has no row": {func(t *testing.T, h *history) {
			h.remove(t, "execution_annotations", "text", "odd")
		}, checker.Lost, "exec-d run 1", "execution_annotations"},
		"a note says something else": {func(t *testing.T, h *history) {
			h.find(t, "execution_annotations", "text", "odd")["text"] = "even"
		}, checker.Wrong, "exec-d run 1", "execution_annotations.text"},
		"an answer tells of more than there was": {func(_ *testing.T, h *history) {
			h.calls[2].Answer.(*contract.CancelExecutionResponse).Execution.Counts.Events = 4
		}, checker.Wrong, "request r3", "the answer"},
		"an answer tells of another version": {func(_ *testing.T, h *history) {
			h.calls[0].Answer.(*contract.PublishScenarioResponse).Version.Number = 1
		}, checker.Wrong, "request r1", "the answer"},
		"an answer tells of a version before the one before": {func(_ *testing.T, h *history) {
			h.calls[3].Answer.(*contract.PinExecutionResponse).Execution.Version = 4
		}, checker.Wrong, "request r4", "the version in the answer"},
		"an answer tells of a version that there never was": {func(_ *testing.T, h *history) {
			h.calls[5].Answer.(*contract.PinExecutionResponse).Execution.Version = 10
		}, checker.Wrong, "request r6", "the version in the answer"},
		"an answer tells of another birth of the run": {func(_ *testing.T, h *history) {
			h.calls[5].Answer.(*contract.PinExecutionResponse).Execution.CreatedAt = timestamppb.New(second(22))
		}, checker.Wrong, "request r6", "the answer"},
		"an answer about a note gives another time": {func(_ *testing.T, h *history) {
			h.calls[4].Answer.(*contract.AnnotateExecutionResponse).Annotation.Time = timestamppb.New(second(27))
		}, checker.Wrong, "request r5", "the time in the answer"},
		"a statement is written before it was asked for": {func(t *testing.T, h *history) {
			event(t, h, "request:r4")["recorded_at"] = second(24)
		}, checker.Wrong, "exec-d run 1", "recorded_at of event request:r4"},
		"a statement is written after the answer": {func(t *testing.T, h *history) {
			event(t, h, "request:r4")["recorded_at"] = second(26)
		}, checker.Wrong, "exec-d run 1", "recorded_at of event request:r4"},
		"a publication is written after the answer": {func(t *testing.T, h *history) {
			h.find(t, "definition_events", "event_id", "request:r1")["recorded_at"] = second(21)
		}, checker.Wrong, "scenario calm", "recorded_at of event request:r1"},
		"a statement is dated otherwise than when it was written": {func(t *testing.T, h *history) {
			row := event(t, h, "request:r5")
			early := annotated
			early.at = second(25)
			row["event_time"], row["order_key"] = early.at, early.order()
		}, checker.Wrong, "event request:r5", "execution_events.event_time"},
		"a run that somebody knew of is asked for": {func(_ *testing.T, h *history) {
			h.calls[3].Sent, h.calls[3].Answered = second(19), second(20)
		}, checker.Wrong, "exec-d run 1", "the run of event request:r2"},
		"the first to publish a content is told that it is not new": {func(_ *testing.T, h *history) {
			h.calls[0].Answer.(*contract.PublishScenarioResponse).NewVersion = false
		}, checker.Wrong, "request r1", "no new version"},
		"a request is not remembered": {func(t *testing.T, h *history) {
			h.remove(t, "api_requests", "request_id", "r4")
		}, checker.Lost, "request r4", "api_requests"},
		"another answer is remembered": {func(t *testing.T, h *history) {
			h.find(t, "api_requests", "request_id", "r4")["answer"] = []byte(nil)
		}, checker.Wrong, "request r4", "api_requests.answer"},
		"a refused request is remembered": {func(_ *testing.T, h *history) {
			h.add("api_requests", checker.Row{"request_id": "r7"})
		}, checker.Wrong, "request r7", "api_requests"},
		"a request is remembered, and its event is not there": {func(_ *testing.T, h *history) {
			h.add("api_requests", checker.Row{"request_id": "r8", "procedure": "", "caller": caller})
		}, checker.Lost, "request r8", "event request:r8"},
		"a fault is asked for twice": {func(_ *testing.T, h *history) {
			again := clears
			again.id, again.at = "clear:2", second(30)
			h.accepted(nil, again, 1, 10, again.data, "late")
		}, checker.Doubled, "event clear:2", "fault.clear_requested"},
		"a fault is asked for that does not act": {func(t *testing.T, h *history) {
			event(t, h, "clear:1")["data"] = json.RawMessage(`{"execution_id":"exec-d","run":1,"run_id":"request:r2","fault_id":"g"}`)
		}, checker.Wrong, "event clear:1", "fault.clear_requested"},
		"a fault is asked for before the end": {func(t *testing.T, h *history) {
			event(t, h, "x3")["arrival"], event(t, h, "clear:1")["arrival"] = int64(8), int64(7)
		}, checker.Wrong, "event clear:1", "ended"},
		"nobody asks for a fault": {func(t *testing.T, h *history) {
			h.remove(t, "execution_events", "event_id", "clear:1")
		}, checker.Lost, "exec-d run 1", "fault.clear_requested of f"},
		"a command is not published": {func(_ *testing.T, h *history) {
			h.commands.records = h.commands.records[:1]
		}, checker.Lost, "exec-d run 1", "command request:r3"},
		"a command is published that is not stored": {func(_ *testing.T, h *history) {
			h.change(1, func(r *checker.Record) { r.Headers[0].Value = []byte("request:x") })
		}, checker.Wrong, commandsTopic + "/0@1", "command, id"},
		"a command says something else": {func(_ *testing.T, h *history) {
			h.change(1, func(r *checker.Record) { r.Value = []byte(strings.Replace(string(r.Value), "enough", "tired", 1)) })
		}, checker.Wrong, commandsTopic + "/0@1", "command, data"},
		"a repeated command says something else": {func(_ *testing.T, h *history) {
			h.change(3, func(r *checker.Record) { r.Value = []byte(`{"execution_id":"exec-d","scenario_id":"calm"}`) })
		}, checker.Wrong, commandsTopic + "/0@3", "command, data"},
		"a command has another key": {func(_ *testing.T, h *history) {
			h.change(1, func(r *checker.Record) { r.Key = nil })
		}, checker.Wrong, commandsTopic + "/0@1", "command, key"},
		"a command has no runid": {func(_ *testing.T, h *history) {
			h.change(0, func(r *checker.Record) {
				r.Headers = slices.DeleteFunc(r.Headers, func(h checker.Header) bool { return h.Name == "ce_runid" })
			})
		}, checker.Wrong, commandsTopic + "/0@0", "command, runid"},
		"a command comes before the one before": {func(_ *testing.T, h *history) {
			r := h.commands.records
			r[1], r[2] = r[2], r[1]
			r[1].Offset, r[2].Offset = 1, 2
			h.rows["outbox"][1]["published_offset"], h.rows["outbox"][2]["published_offset"] = int64(2), int64(1)
		}, checker.Wrong, "exec-d run 1", "command clear:1"},
		"the outbox is in another order": {func(_ *testing.T, h *history) {
			h.rows["outbox"][0]["id"], h.rows["outbox"][1]["id"] = int64(2), int64(1)
		}, checker.Wrong, "exec-d run 1", "outbox.id of request:r2"},
		"a command waits in the outbox": {func(_ *testing.T, h *history) {
			h.rows["outbox"][2]["status"] = "pending"
		}, checker.Lost, "outbox 3", "outbox.status"},
		"a command is nowhere in the outbox": {func(_ *testing.T, h *history) {
			h.rows["outbox"] = h.rows["outbox"][:2]
		}, checker.Lost, "exec-d run 1", "outbox, event clear:1"},
		"a command lies elsewhere than the outbox says": {func(_ *testing.T, h *history) {
			h.rows["outbox"][2]["published_offset"] = int64(1)
		}, checker.Wrong, "outbox 3", "outbox.published_offset"},
		"the outbox has an event that is not stored": {func(_ *testing.T, h *history) {
			h.rows["outbox"][2]["event_id"] = hex.EncodeToString(sha("x"))
		}, checker.Wrong, "outbox 3", "outbox.event_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := called()
			c.breaks(t, h)
			h.finds(t, c.class, c.where, c.field)
		})
	}
}

package checker_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// The events of the history by hand.
var (
	started   = said{id: "e1", subject: "exec-a", typ: "execution.started", at: second(1), sequence: 1, data: `{"execution_id":"exec-a","coordinator_id":"c1"}`}
	beat      = said{id: "e2", subject: "exec-a", typ: "execution.heartbeat", at: second(2), sequence: 2, data: `{"execution_id":"exec-a","progress":0.5,"message":"half"}`}
	failing   = said{id: "e3", subject: "exec-a", typ: "execution.validation_recorded", at: second(3), sequence: 3, data: `{"execution_id":"exec-a","validation_id":"v","assertion_type":"alert","status":"failed"}`}
	logged    = said{id: "e4", subject: "exec-a", typ: "execution.log_appended", at: second(4), sequence: 4, data: `{"execution_id":"exec-a","lines":[{"message":"one","level":"INFO"}]}`}
	finished  = said{id: "e5", subject: "exec-a", typ: "execution.finished", at: second(5), sequence: 5, data: `{"execution_id":"exec-a","outcome":"success"}`}
	afterEnd  = said{id: "e6", subject: "exec-a", typ: "execution.heartbeat", at: second(6), sequence: 6, data: `{"execution_id":"exec-a"}`}
	second2   = said{id: "e7", subject: "exec-b", typ: "execution.started", at: second(1), sequence: 1, data: `{"execution_id":"exec-b"}`}
	again     = said{id: "e8", subject: "exec-b", typ: "execution.started", at: second(9), sequence: 1, data: `{"execution_id":"exec-b"}`, source: "/coordinator/b"}
	superIs   = said{id: "interrupted:1:1:superseded", subject: "exec-b", typ: "execution.interrupted", at: second(9), source: "/tcda/a"}
	published = said{id: "d1", subject: "calm", typ: "scenario.published", at: second(0), data: `{"scenario_id":"calm","definition":"steps: none"}`}
)

const hashOfDefinition = "steps: none"

// faultless is a history with one run that ends, one that is superseded by
// another, a duplicate, a conflict, a spoilt record and a scenario.
func faultless() *history {
	h := &history{
		ends: map[checker.Partition]int64{}, rows: map[string][]checker.Row{}, states: map[string]map[string]string{}, ledger: map[checker.Partition][]checker.Ack{}, timeline: 1,
	}
	a := func(s said, run, arrival int64, stored string, flags ...string) checker.Address {
		at := h.send(executionsTopic, 0, s, arrival%2 == 0)
		h.accepted(&at, s, run, arrival, stored, flags...)
		return at
	}
	a(started, 1, 1, started.data)
	a(beat, 1, 2, beat.data)
	h.send(executionsTopic, 1, beat, false) // a duplicate, in another partition
	a(failing, 1, 3, failing.data)
	a(logged, 1, 4, `{"execution_id":"exec-a","line_count":1}`)
	a(finished, 1, 5, `{"execution_id":"exec-a","outcome":"passed"}`)
	a(afterEnd, 1, 6, afterEnd.data, "late", "guessed")
	conflict := beat
	conflict.data = `{"execution_id":"exec-a","message":"tampered with"}`
	h.quarantine(h.send(executionsTopic, 0, conflict, false), "id_conflict")
	h.quarantine(h.put(executionsTopic, 0, checker.Record{Key: []byte("k"), Value: []byte{}}), "empty")
	a(second2, 1, 1, second2.data)
	h.accepted(nil, superIs, 1, 2, `{"execution_id":"exec-b","cause":"superseded","real_events":"1","superseded_by":2}`)
	a(again, 2, 1, again.data)

	h.add("executions", runRow("exec-a", 1, checker.Row{
		"status": "failed", "reported_outcome": "passed", "coordinator_id": "c1", "start_source": "/coordinator/a", "started_at": second(1), "ended_at": second(5),
		"last_event_at": second(6), "last_heartbeat_at": second(6), "progress": 0.5, "message": "half", "events": int64(6), "log_lines": int64(1),
		"validations_failed": int64(1), "end_order": finished.order(), "version": int64(3),
	}))
	h.add("executions", runRow("exec-b", 1, checker.Row{
		"status": "interrupted", "start_source": "/coordinator/a", "started_at": second(1), "ended_at": second(9), "last_event_at": second(1), "events": int64(1),
		"own_events": int64(1), "interrupt_cause": "superseded", "interrupt_events": int64(1), "interrupted_at": second(9), "superseded_by": int64(2),
	}))
	h.add("executions", runRow("exec-b", 2, checker.Row{
		"status": "running", "start_source": "/coordinator/b", "started_at": second(9), "last_event_at": second(9), "events": int64(1),
	}))
	h.add("execution_ids", checker.Row{"execution_id": "exec-a", "latest_run": int64(1)})
	h.add("execution_ids", checker.Row{"execution_id": "exec-b", "latest_run": int64(2)})
	h.add("validation_results", checker.Row{
		"execution_id": "exec-a", "run": int64(1), "validation_id": "v", "order_key": failing.order(), "assertion_type": "alert", "status": "failed", "recorded_at": second(3),
		"phase": "", "step_id": "", "fault_id": "", "service": "", "expected": "", "actual": "", "operator": "", "threshold": nil, "unit": "", "within_seconds": nil,
		"observed_after_seconds": nil, "message": "", "evidence": nil, "steady_state": "", "correlation_id": "",
	})
	h.add("execution_logs", checker.Row{
		"execution_id": "exec-a", "run": int64(1), "logged_at": second(4), "arrival": int64(4), "line": int64(0), "level": "info", "service": "", "phase": "", "step_id": "",
		"message": "one", "attributes": nil,
	})
	h.defineScenario()
	h.add("ingest_partitions", partitionRow(executionsTopic, 0, 10, 8, 0, 2))
	h.add("ingest_partitions", partitionRow(executionsTopic, 1, 1, 0, 1, 0))
	h.add("ingest_partitions", partitionRow(scenariosTopic, 0, 1, 1, 0, 0))
	h.states["exec-a"] = state("00000001-0000000001-0000000000000000003", 1, map[string]string{
		"status": "failed", "coordinator_id": "c1", "progress": "0.5", "message": "half", "started_at": "2026-04-01T12:00:01Z", "ended_at": "2026-04-01T12:00:05Z",
		"last_event_at": "2026-04-01T12:00:06Z", "events": "6", "log_lines": "1", "validations_failed": "1",
	})
	h.states["exec-b"] = state("00000001-0000000002-0000000000000000001", 2, map[string]string{
		"status": "running", "started_at": "2026-04-01T12:00:09Z", "last_event_at": "2026-04-01T12:00:09Z", "events": "1",
	})
	h.active = []string{"exec-b"}
	return h
}

func (h *history) quarantine(at checker.Address, reason string) {
	r := h.records[len(h.records)-1]
	h.add("quarantined_records", checker.Row{
		"topic": at.Topic, "partition": int64(at.Partition), "kafka_offset": at.Offset, "reason": reason, "record_key": r.Key, "record_value": r.Value,
		"record_headers": keptHeaders(r.Headers), "value_length": int64(len(r.Value)), "value_sha256": sha(string(r.Value)), "complete": true,
	})
}

func keptHeaders(headers []checker.Header) json.RawMessage {
	kept := make([][2][]byte, len(headers)) // bytes are in base64
	for i, h := range headers {
		kept[i] = [2][]byte{[]byte(h.Name), h.Value}
	}
	raw, _ := json.Marshal(kept) // never fails
	return raw
}

func (h *history) defineScenario() {
	at := h.send(scenariosTopic, 0, published, false)
	h.add("definition_events", checker.Row{
		"event_key": published.key(), "aggregate": "scenario", "subject": "calm", "order_key": published.order(), "type": prefix + "scenario.published.v1",
		"source": "/coordinator/a", "event_id": "d1", "event_time": second(0), "sequence": nil, "trace_parent": "", "correlation_id": "", "extensions": nil,
		"unknown_fields": nil, "topic": at.Topic, "partition": int64(0), "kafka_offset": at.Offset, "data": json.RawMessage(`{"scenario_id":"calm"}`),
		"recorded_at": second(0),
	})
	hash := sha(hashOfDefinition)
	h.add("scenarios", checker.Row{
		"scenario_id": "calm", "versions": int64(1), "status": "active", "current_hash": hash, "scenario_type": "", "category": "", "services_under_test": []string{},
		"expected_outcomes": []string{}, "tags": []string{}, "author": "", "change_note": "", "template_id": "", "template_version": "", "template_parameters": nil,
		"published_at": second(0), "dependencies_order": nil, "created_at": second(0), "updated_at": second(0),
	})
	h.add("scenario_versions", checker.Row{
		"scenario_id": "calm", "number": int64(1), "content_hash": hash, "definition": hashOfDefinition, "author": "", "change_note": "", "published_at": second(0),
	})
}

func partitionRow(topic string, number, next, applied, duplicates, quarantined int64) checker.Row {
	return checker.Row{
		"topic": topic, "partition": number, "next_offset": next, "stopped_reason": "", "applied": applied, "duplicates": duplicates, "quarantined": quarantined,
	}
}

func TestFaultlessHistoryIsGreen(t *testing.T) {
	t.Parallel()
	for name, passRecords := range map[string]int{"in one pass": 0, "in two": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := faultless().check(t, func(h *checker.History) { h.PassRecords = passRecords })
			if !r.Green() {
				var said strings.Builder
				r.Write(&said)
				t.Fatal(said.String())
			}
			if r.Records != 12 || r.Applied != 9 || r.Duplicates != 1 || r.Quarantined != 2 || r.OwnEvents != 1 || r.Runs != 3 || r.Definitions != 1 || r.LiveStates != 2 {
				t.Errorf("judged something else: %+v", r.Examples)
			}
		})
	}
}

// Of a record that is quarantined in part, its beginnings are held to it.
func TestBeginningsAreEnoughOfWhatIsKeptInPart(t *testing.T) {
	t.Parallel()
	large := checker.Record{Key: []byte("k"), Value: []byte(strings.Repeat("x", 1<<20)), Headers: []checker.Header{{Name: "a", Value: nil}, {Name: "b", Value: []byte("c")}}}
	for name, c := range map[string]struct {
		value []byte
		green bool
	}{
		"the first KiB":  {large.Value[:1<<10], true},
		"all of it":      {large.Value, true},
		"less":           {large.Value[:1<<10-1], false},
		"something else": {[]byte(strings.Repeat("y", 1<<10)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := faultless()
			h.quarantine(h.put(executionsTopic, 0, large), "too_large")
			row := h.find(t, "quarantined_records", "reason", "too_large")
			row["complete"], row["record_value"], row["record_headers"] = false, c.value, keptHeaders(large.Headers[:1])
			h.find(t, "ingest_partitions", "topic", executionsTopic)["next_offset"] = int64(11)
			h.find(t, "ingest_partitions", "topic", executionsTopic)["quarantined"] = int64(3)
			if r := h.check(t); r.Green() != c.green || !c.green && r.Examples[0].Field != "quarantined_records.record_value" {
				t.Errorf("green %t: %v", r.Green(), r.Examples)
			}
		})
	}
}

// Who has seen nothing has proven nothing.
func TestEmptyHistoryIsRed(t *testing.T) {
	t.Parallel()
	empty := &history{ends: map[checker.Partition]int64{}, rows: map[string][]checker.Row{}}
	if r := empty.check(t); r.Green() || !r.Empty() {
		t.Error("an empty history is green")
	}
	unsent := faultless()
	unsent.ledger = nil
	if r := unsent.check(t); r.Green() {
		t.Error("a history that nobody has sent is green")
	}
}

// Each line breaks one thing; the checker must say what, where and in which way.
func TestEachFaultIsSeen(t *testing.T) {
	t.Parallel()
	const a0 = executionsTopic + "/0@"
	for name, c := range map[string]struct {
		breaks       func(*testing.T, *history)
		class        checker.Class
		where, field string
	}{
		"an event has no row": {func(t *testing.T, h *history) {
			h.remove(t, "execution_events", "event_id", "e2")
		}, checker.Lost, a0 + "1", "event e2"},
		"a spoilt record is nowhere": {func(t *testing.T, h *history) {
			h.remove(t, "quarantined_records", "reason", "empty")
		}, checker.Lost, a0 + "7", "quarantined_records"},
		"a conflict is taken for a duplicate": {func(t *testing.T, h *history) {
			h.remove(t, "quarantined_records", "reason", "id_conflict")
		}, checker.Lost, a0 + "6", "event e2"},
		"a duplicate is quarantined": {func(_ *testing.T, h *history) {
			h.add("quarantined_records", checker.Row{"topic": executionsTopic, "partition": int64(1), "kafka_offset": int64(0), "reason": "id_conflict"})
		}, checker.Wrong, executionsTopic + "/1@0", "event e2"},
		"a spoilt record has another reason": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "empty")["reason"] = "json"
		}, checker.Wrong, a0 + "7", "reason"},
		"the bytes of a spoilt record differ": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "empty")["record_value"] = []byte("x")
		}, checker.Wrong, a0 + "7", "record_value"},
		"the bytes of a conflict differ": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "id_conflict")["record_value"] = []byte("x")
		}, checker.Wrong, a0 + "6", "record_value"},
		"the key of a conflict differs": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "id_conflict")["record_key"] = []byte("x")
		}, checker.Wrong, a0 + "6", "record_key"},
		"a header of a conflict is missing": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "id_conflict")["record_headers"] = keptHeaders(h.records[7].Headers[1:])
		}, checker.Wrong, a0 + "6", "record_headers"},
		"the length of a conflict differs": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "id_conflict")["value_length"] = int64(1)
		}, checker.Wrong, a0 + "6", "value_length"},
		"the sum of a spoilt record differs": {func(t *testing.T, h *history) {
			h.find(t, "quarantined_records", "reason", "empty")["value_sha256"] = sha("x")
		}, checker.Wrong, a0 + "7", "value_sha256"},
		"a beginning that is none": {func(t *testing.T, h *history) {
			row := h.find(t, "quarantined_records", "reason", "id_conflict")
			row["complete"], row["record_value"] = false, []byte("{")
		}, checker.Wrong, a0 + "6", "record_value"},
		"something is quarantined that is not in Kafka": {func(_ *testing.T, h *history) {
			h.add("quarantined_records", checker.Row{"topic": executionsTopic, "partition": int64(0), "kafka_offset": int64(99), "reason": "json"})
		}, checker.Wrong, a0 + "99", "quarantined_records"},
		"a duplicate is applied": {func(_ *testing.T, h *history) {
			at := checker.Address{Topic: executionsTopic, Partition: 1}
			h.accepted(&at, beat, 1, 7, beat.data)
		}, checker.Doubled, executionsTopic + "/1@0", "event e2"},
		"a record is applied twice": {func(t *testing.T, h *history) {
			h.add("execution_events", h.find(t, "execution_events", "event_id", "e2"))
		}, checker.Doubled, "exec-a run 1", "two"},
		"an aborted record is applied": {func(_ *testing.T, h *history) {
			at := checker.Address{Topic: executionsTopic, Partition: 0, Offset: 50}
			h.accepted(&at, said{id: "e9", subject: "exec-a", typ: "execution.heartbeat", at: second(4), data: "{}"}, 1, 7, "{}")
		}, checker.Wrong, a0 + "50", "e9"},
		"an own event without a cause": {func(_ *testing.T, h *history) {
			own := superIs
			own.id, own.subject = "interrupted:1:6:superseded", "exec-a"
			h.accepted(nil, own, 1, 7, `{"cause":"superseded","real_events":"6","superseded_by":2}`)
		}, checker.Wrong, "exec-a", "own events"},
		"an event from elsewhere without a record": {func(_ *testing.T, h *history) {
			other := superIs
			other.id, other.subject, other.source = "x", "exec-a", "/coordinator/a"
			h.accepted(nil, other, 1, 7, `{}`)
		}, checker.Wrong, "exec-a run 1", "execution_events"},
		"an interruption counts otherwise": {func(t *testing.T, h *history) {
			h.find(t, "execution_events", "event_id", superIs.id)["data"] = json.RawMessage(`{"cause":"superseded","real_events":"2","superseded_by":2}`)
		}, checker.Wrong, "event e8", "interruption"},
		"a new run is taken for the old one": {func(t *testing.T, h *history) {
			row := h.find(t, "execution_events", "event_id", "e8")
			row["run"], row["arrival"] = int64(1), int64(2)
			h.remove(t, "execution_events", "event_id", superIs.id)
		}, checker.Wrong, "event e8", "run"},
		"a guess is not flagged": {func(t *testing.T, h *history) {
			h.find(t, "execution_events", "event_id", "e6")["run_guessed"] = false
		}, checker.Wrong, "event e6", "run_guessed"},
		"a late event is not flagged": {func(t *testing.T, h *history) {
			h.find(t, "analytics_timeline", "event_id", "e6")["late"] = false
		}, checker.Wrong, "exec-a run 1", "late"},
		"the timeline shows an event in the place of another": {func(t *testing.T, h *history) {
			row := h.find(t, "analytics_timeline", "event_id", "e6")
			row["event_id"], row["order_key"], row["late"] = "e5", finished.order(), false
		}, checker.Doubled, "exec-a run 1, event e5", "analytics_timeline"},
		"the timeline lacks an event": {func(t *testing.T, h *history) {
			h.remove(t, "analytics_timeline", "event_id", "e6")
		}, checker.Wrong, "exec-a run 1", "analytics_timeline"},
		"the data of an event differs": {func(t *testing.T, h *history) {
			h.find(t, "execution_events", "event_id", "e2")["data"] = json.RawMessage(`{"execution_id":"exec-a","progress":0.4,"message":"half"}`)
		}, checker.Wrong, a0 + "1", "data"},
		"the sequence of an event differs": {func(t *testing.T, h *history) {
			h.find(t, "execution_events", "event_id", "e2")["sequence"] = int64(9)
		}, checker.Wrong, a0 + "1", "sequence"},
		"a failed validation does not fail the run": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-a")["status"] = "passed"
		}, checker.Wrong, "exec-a run 1", "executions.status"},
		"a counter is one too high": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-a")["events"] = int64(7)
		}, checker.Wrong, "exec-a run 1", "executions.events"},
		"a time differs by a microsecond": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-a")["ended_at"] = second(5).Add(1000)
		}, checker.Wrong, "exec-a run 1", "executions.ended_at"},
		"a run has no row": {func(t *testing.T, h *history) {
			h.remove(t, "executions", "execution_id", "exec-a")
		}, checker.Lost, "exec-a run 1", "executions"},
		"a run has no event": {func(_ *testing.T, h *history) {
			h.add("executions", runRow("exec-c", 1, nil))
		}, checker.Wrong, "exec-c run 1", "executions"},
		"a validation is missing": {func(t *testing.T, h *history) {
			h.remove(t, "validation_results", "validation_id", "v")
		}, checker.Lost, "exec-a run 1", "validation_results v"},
		"a validation differs": {func(t *testing.T, h *history) {
			h.find(t, "validation_results", "validation_id", "v")["status"] = "passed"
		}, checker.Wrong, "exec-a run 1", "validation_results.status"},
		"a log line is there twice": {func(t *testing.T, h *history) {
			h.add("execution_logs", h.find(t, "execution_logs", "message", "one"))
		}, checker.Doubled, "exec-a run 1", "execution_logs"},
		"a step that nobody told of": {func(_ *testing.T, h *history) {
			h.add("execution_steps", checker.Row{"execution_id": "exec-a", "run": int64(1), "step_id": "s", "attempt": int64(1)})
		}, checker.Wrong, "exec-a run 1", "execution_steps"},
		"a column that nobody judges": {func(t *testing.T, h *history) {
			h.find(t, "executions", "execution_id", "exec-a")["mood"] = "fine"
		}, checker.Wrong, "exec-a run 1", "executions.mood"},
		"another run is the latest": {func(t *testing.T, h *history) {
			h.find(t, "execution_ids", "execution_id", "exec-b")["latest_run"] = int64(1)
		}, checker.Wrong, "exec-b", "latest_run"},
		"a partition counts a record twice": {func(t *testing.T, h *history) {
			h.find(t, "ingest_partitions", "partition", int64(1))["duplicates"] = int64(2)
		}, checker.Doubled, executionsTopic + "/1", "duplicates"},
		"a partition counts too few": {func(_ *testing.T, h *history) {
			h.rows["ingest_partitions"][0]["applied"] = int64(7)
		}, checker.Lost, executionsTopic + "/0", "applied"},
		"a partition was not read to its end": {func(_ *testing.T, h *history) {
			h.rows["ingest_partitions"][0]["next_offset"] = int64(9)
		}, checker.Lost, executionsTopic + "/0", "next_offset"},
		"a partition has stopped": {func(_ *testing.T, h *history) {
			h.rows["ingest_partitions"][0]["stopped_reason"] = "a hole"
		}, checker.Wrong, executionsTopic + "/0", "stopped_reason"},
		"Kafka has lost what it acknowledged": {func(_ *testing.T, h *history) {
			p := checker.Partition{Topic: executionsTopic, Number: 1}
			h.ledger[p] = append(h.ledger[p], checker.Ack{Offset: 1})
		}, checker.Lost, executionsTopic + "/1@1", "record"},
		"Kafka holds another record than it acknowledged": {func(_ *testing.T, h *history) {
			h.ledger[checker.Partition{Topic: executionsTopic}][0].Sum++
		}, checker.Wrong, a0 + "0", "record"},
		"a state in Redis is missing": {func(_ *testing.T, h *history) {
			delete(h.states, "exec-b")
		}, checker.Wrong, "exec-b", "state in Redis"},
		"a state in Redis is old": {func(_ *testing.T, h *history) {
			h.states["exec-a"]["version"] = "00000001-0000000001-0000000000000000002"
		}, checker.Wrong, "exec-a", "version"},
		"a state in Redis differs": {func(_ *testing.T, h *history) {
			h.states["exec-a"]["status"] = "running"
		}, checker.Wrong, "exec-a", "status"},
		"a live run is not in the active set": {func(_ *testing.T, h *history) {
			h.active = nil
		}, checker.Wrong, "exec-b", "active set"},
		"an ended run is in the active set": {func(_ *testing.T, h *history) {
			h.active = append(h.active, "exec-a")
		}, checker.Wrong, "exec-a", "active set"},
		"a scenario's event has no row": {func(t *testing.T, h *history) {
			h.remove(t, "definition_events", "event_id", "d1")
		}, checker.Lost, scenariosTopic + "/0@0", "event d1"},
		"a scenario has no row": {func(t *testing.T, h *history) {
			h.remove(t, "scenarios", "scenario_id", "calm")
		}, checker.Lost, "calm", "scenarios"},
		"a scenario differs": {func(t *testing.T, h *history) {
			h.find(t, "scenarios", "scenario_id", "calm")["status"] = "draft"
		}, checker.Wrong, "calm", "scenarios.status"},
		"the text of a version differs": {func(t *testing.T, h *history) {
			h.find(t, "scenario_versions", "scenario_id", "calm")["definition"] = "steps: some"
		}, checker.Wrong, "calm", "scenario_versions.definition"},
		"versions are not numbered from one": {func(t *testing.T, h *history) {
			h.find(t, "scenario_versions", "scenario_id", "calm")["number"] = int64(2)
		}, checker.Wrong, "calm", "scenario_versions.number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := faultless()
			c.breaks(t, h)
			h.finds(t, c.class, c.where, c.field)
		})
	}
}

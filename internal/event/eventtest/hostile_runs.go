package eventtest

import (
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Each has an id of its own, and the time given; "" is noon.
func (h *hostiles) step(typ fact.Type, members, id, time string, changes ...string) kafkarecord.Record {
	if time == "" {
		time = "12:00:00"
	}
	return h.event(typ, members, append([]string{"ce_id=" + h.id() + "." + id, "ce_time=2026-04-01T" + time + "Z"}, changes...)...)
}

// identities are events whose identity is known.
func (h *hostiles) identities() {
	h.begin("the same event again")
	again := h.beat(`"message":"a"`)
	h.after(again)
	h.duplicate("the same record", again)

	first := h.beat(`"message":"a"`)
	h.after(first)
	h.duplicate("in structured mode, by escapes", replaced(h.whole(`"data":{"message":"\u0061","execution_id":"`+h.id()+`"}`), "evt-1", h.id()))

	first = h.beat(`"progress":0.5`)
	h.after(first)
	other := h.beat(`"progress":"5.0E-1"`, "ce_time=2026-04-01T14:00:00+02:00", "ce_x=y", "ce_runid=another")
	other.Key = nil
	h.duplicate("with another key, zone, extension and run", other)

	h.after(h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":"x"}`))
	h.duplicate("a definition", h.data(fact.TypeScenarioPublished, `{"scenarioId":"`+h.id()+`","definition":"\u0078"}`))

	h.begin("the same id, other data")
	h.after(h.beat(`"message":"a"`))
	h.refused(fact.ReasonIDConflict, "another message", h.beat(`"message":"b"`))
	h.after(h.beat(`"message":"a"`))
	h.refused(fact.ReasonIDConflict, "another time", h.beat(`"message":"a"`, "ce_time=2026-04-01T12:00:00.000000001Z"))
	h.after(h.beat(`"message":"a"`))
	h.refused(fact.ReasonIDConflict, "a sequence", h.beat(`"message":"a"`, "ce_sequence=1"))
	h.after(h.beat(""))
	h.refused(fact.ReasonIDConflict, "another type", h.event(fact.TypePaused, ""))
	h.after(h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":"x"}`))
	h.refused(fact.ReasonIDConflict, "another definition", h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":"y"}`))
}

// runs are events out of order, and of runs that never ended.
func (h *hostiles) runs() {
	h.begin("out of order")
	h.after(h.step(fact.TypeFinished, `"outcome":"passed"`, "1", "12:00:02"))
	h.flagged("late", "finished before started, by sequence", h.step(fact.TypeHeartbeat, "", "2", "12:00:03"))
	h.after(h.step(fact.TypeFinished, `"outcome":"passed"`, "1", "12:00:02"))
	h.accepted("finished, then started", h.step(fact.TypeStarted, "", "2", "12:00:01"))
	h.after(h.step(fact.TypeFinished, `"outcome":"passed"`, "1", "12:00:01"))
	h.flagged("conflicting_outcome", "a second end with another outcome", h.step(fact.TypeFinished, `"outcome":"failed"`, "2", "12:00:02"))
	h.after(h.step(fact.TypeFinished, `"outcome":"error"`, "1", "12:00:02"))
	h.accepted("an earlier end with another outcome", h.step(fact.TypeFinished, `"outcome":"timeout"`, "2", "12:00:01"))
	h.accepted("the end of a run that never began", h.step(fact.TypeFinished, `"outcome":"cancelled"`, "1", ""))

	h.begin("one id, several runs")
	h.after(h.step(fact.TypeStarted, "", "1", "12:00:00"), h.step(fact.TypeFinished, `"outcome":"passed"`, "2", "12:00:01"))
	h.accepted("a start after the end", h.step(fact.TypeStarted, "", "3", "12:00:02"))
	h.after(h.step(fact.TypeStarted, "", "1", "12:00:00", "ce_sequence=5"))
	h.accepted("a start while the former run never ended", h.step(fact.TypeStarted, "", "2", "12:00:02", "ce_source=/coordinator/b"))
	h.after(h.step(fact.TypeStarted, "", "1", "12:00:00", "ce_runid=a"), h.step(fact.TypeStarted, "", "2", "12:00:01", "ce_runid=b"))
	h.accepted("back to the first run, by its runid", h.step(fact.TypeHeartbeat, "", "3", "12:00:02", "ce_runid=a"))
	suspect := h.step(fact.TypeStarted, "", "2", "", "ce_time=2099-01-01T00:00:00Z")
	h.after(h.step(fact.TypeStarted, "", "1", "12:00:00"), suspect)
	h.duplicate("a start ten years ahead, redelivered", suspect)
	h.accepted("a runid as long as may be, of odd letters", h.step(fact.TypeStarted, "", "1", "", "ce_runid="+strings.Repeat("\u202e", 85)))

	h.begin("before what it belongs to")
	h.accepted("a phase before its run", h.event(fact.TypePhaseFinished, `"phase":"p","status":"failed"`))
	h.accepted("a step of no phase", h.event(fact.TypeStepFinished, `"step_id":"s","kind":"rollback","status":"error"`))
	h.accepted("a fault that recovers before it is injected", h.event(fact.TypeFaultRecovered, `"fault_id":"f","recovery_time":"1s"`))
	h.accepted("a validation of a fault that is not known", h.event(fact.TypeValidationRecorded, `"validation_id":"v","fault_id":"f","step_id":"s","assertion_type":"a","status":"failed"`))
	h.accepted("lines before their run", h.event(fact.TypeLogAppended, `"lines":[{"message":"a","time":"2001-01-01T00:00:00Z"}]`))
	h.accepted("a snapshot before its run", h.event(fact.TypeSnapshotCaptured, `"snapshot_id":"s","kind":"recovery"`))
	h.accepted("a run before its scenario", h.event(fact.TypeStarted, `"scenario_id":"nobody-published","scenario_version":"999999999"`))
	h.accepted("the status of a scenario before its definition", h.data(fact.TypeScenarioStatusChanged, `{"scenario_id":"`+h.id()+`","status":"active"}`))
	h.accepted("the end of a schedule that never was", h.data(fact.TypeScheduleRemoved, `{"schedule_id":"`+h.id()+`"}`))
	h.accepted("a scenario of a template to come", h.data(fact.TypeScenarioPublished,
		`{"scenario_id":"`+h.id()+`","definition":"x","template":{"template_id":"nobody","version":"7","parameters":{"a":1}}}`))
}

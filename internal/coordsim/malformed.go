package coordsim

import (
	"bytes"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// spoil makes a good record, in binary JSON unless said otherwise, one that can
// never be accepted.
type spoil struct {
	reason fact.Reason
	change func(*kafkarecord.Record)
}

func data(text string) func(*kafkarecord.Record) {
	return func(r *kafkarecord.Record) { r.Value = []byte(strings.ReplaceAll(text, "ID", string(r.Key))) }
}

func header(name, value string) func(*kafkarecord.Record) {
	return func(r *kafkarecord.Record) {
		for i := range r.Headers {
			if r.Headers[i].Key == name {
				r.Headers[i].Value = []byte(value)
			}
		}
	}
}

// spoils are those that one heartbeat can show.
func spoils() []spoil {
	return []spoil{
		{fact.ReasonEmpty, func(r *kafkarecord.Record) { r.Value = []byte{} }},
		{fact.ReasonTombstone, func(r *kafkarecord.Record) { r.Value = nil }},
		{fact.ReasonNotObject, data(`[]`)},
		{fact.ReasonJSON, data(`{"execution_id": "ID", "progr`)},
		{fact.ReasonEncoding, header("content-type", "application/protobuf")},
		{fact.ReasonUTF8, data("{\"execution_id\": \"ID\", \"message\": \"\xff\xfe\"}")},
		{fact.ReasonNUL, data(`{"execution_id": "ID", "message": "a\u0000b"}`)},
		{fact.ReasonDuplicateKey, data(`{"execution_id": "ID", "message": "a", "message": "b"}`)},
		{fact.ReasonDepth, data(`{"execution_id": "ID", "system_state": {"a": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`)},
		{fact.ReasonNumber, data(`{"execution_id": "ID", "system_state": {"n": 1e131072}}`)},
		{fact.ReasonRange, data(`{"execution_id": "ID", "progress": 1.5}`)},
		{fact.ReasonTime, header("ce_time", "2026-02-30T12:00:00Z")},
		{fact.ReasonTimeRange, header("ce_time", "1999-12-31T23:59:59Z")},
		{fact.ReasonID, func(r *kafkarecord.Record) {
			r.Value = bytes.ReplaceAll(r.Value, r.Key, []byte("' OR 1=1;--"))
			header("ce_subject", "' OR 1=1;--")(r)
		}},
		{fact.ReasonSchema, data(`{"message": "whose?"}`)},
		{fact.ReasonUnsupported, header("ce_specversion", "2.0")},
		{fact.ReasonUnsupportedType, header("ce_type", "test-coordination.execution.teleported.v1")},
		{fact.ReasonSubjectMismatch, data(`{"execution_id": "ID-other"}`)},
	}
}

// writeMalformed sends bad records amid the good ones of one run.
func writeMalformed(s *script) error {
	s.during(0.05, 0.95)
	s.repeats = 0
	r := s.newRun("exec-malformed-001", 0)
	r.start(marketDisruption)
	for _, spoil := range spoils() {
		spoilt, err := event.Encode(event.Outgoing{
			Source: r.source, ID: s.eventID(), Time: r.clock, RunID: r.expect.RunID, Message: &contract.ExecutionHeartbeat{ExecutionId: r.id, Message: "spoilt"},
		}, event.Binary, event.JSON)
		if err != nil {
			return err
		}
		spoil.change(&spoilt)
		s.saySpoilt(Executions, spoil.reason, spoilt)
		r.heartbeat() // the next record of the partition is applied all the same
	}
	if err := s.conflictWithLast(); err != nil {
		return err
	}
	r.finish("passed", execution.StatusPassed)
	return s.spoilDefinitions()
}

// conflictWithLast says something else under the id of the last event.
func (s *script) conflictWithLast() error {
	other := s.said[len(s.said)-1].out
	heartbeat := proto.CloneOf(other.Message.(*contract.ExecutionHeartbeat))
	heartbeat.Message = "tampered with"
	other.Message = heartbeat
	conflict, err := event.Encode(other, event.Structured, event.JSON)
	if err != nil {
		return err
	}
	s.saySpoilt(Executions, fact.ReasonIDConflict, conflict)
	return nil
}

// spoilDefinitions sends definitions that break the rules of their language.
func (s *script) spoilDefinitions() error {
	for _, spoilt := range []struct {
		reason  fact.Reason
		message proto.Message
	}{
		{fact.ReasonDefinition, &contract.ScenarioPublished{
			ScenarioId: "nameless", Definition: "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {}\nspec: {phases: [{name: a, actions: [{action: restart}]}]}\n",
		}},
		{fact.ReasonCycle, &contract.ScenarioDependenciesDeclared{
			ScenarioId: marketDisruption, Dependencies: []*contract.Dependency{{DependsOn: marketDisruption, Kind: "requires_success"}},
		}},
	} {
		r, err := event.Encode(event.Outgoing{Source: "/coordinator/a", ID: s.eventID(), Time: s.Start, Message: spoilt.message}, event.Binary, event.Protobuf)
		if err != nil {
			return err
		}
		s.saySpoilt(Scenarios, spoilt.reason, r)
	}
	return nil
}

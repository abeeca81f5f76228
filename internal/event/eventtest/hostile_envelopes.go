package eventtest

import (
	"encoding/base64"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// envelopes are flaws of attributes, headers and modes.
func (h *hostiles) envelopes() {
	h.begin("ids")
	h.refused(fact.ReasonID, "id of 9,000 characters", h.beat("", "ce_id="+strings.Repeat("zq7", 3000)))
	h.refused(fact.ReasonID, "subject of 9,000 characters", h.beat("", "ce_subject="+strings.Repeat("zq7", 3000)))
	h.refused(fact.ReasonID, "id that begins with a dash", h.beat("", "ce_id=-a"))
	h.refused(fact.ReasonID, "id percent-encoded", h.beat("", "ce_id=a%2Fb"))
	h.refused(fact.ReasonID, "id of a space", h.beat("", "ce_id= "))
	h.refused(fact.ReasonSubjectMismatch, "subject in another case", h.beat("", "ce_subject="+strings.ToUpper(h.id())))
	h.refused(fact.ReasonTooLarge, "runid of 60,000 bytes", h.beat("", "ce_runid="+strings.Repeat("r", 60_000)))
	h.accepted("id and subject of 200 characters", about(strings.Repeat("z", 200), fact.TypeHeartbeat, `{"execution_id":"`+strings.Repeat("z", 200)+`"}`))
	h.accepted("phase of 64 KiB", h.event(fact.TypePhaseStarted, `"phase":"`+strings.Repeat("p", 64<<10)+`"`))
	h.accepted("texts of 64 KiB in all columns", h.event(fact.TypeFaultInjected,
		`"fault_id":"f","fault_type":"`+strings.Repeat("t", 64<<10)+`","target_service":"`+strings.Repeat("s", 64<<10)+`","phase":"`+strings.Repeat("p", 64<<10)+`"`))

	h.begin("types and versions")
	for _, typ := range []string{
		"test-coordination.execution.exploded.v1", "test-coordination.execution.heartbeat.v2", "test-coordination.execution.heartbeat", "TEST-COORDINATION.EXECUTION.HEARTBEAT.V1",
		"test-coordination.execution.heartbeat.v1 ", "com.github.push", "*", strings.Repeat("t", 60_000), string(fact.TypeInterrupted),
	} {
		h.refused(fact.ReasonUnsupportedType, "type "+typ[:min(len(typ), 60)], h.beat("", "ce_type="+typ))
	}
	for _, version := range []string{"2.0", "0.3", "1", "1.0.0", " 1.0", "１.0"} {
		h.refused(fact.ReasonUnsupported, "specversion "+version, h.beat("", "ce_specversion="+version))
	}

	h.begin("links")
	h.accepted("dataschema at an internal address", h.beat("", "ce_dataschema=http://169.254.169.254/latest/meta-data/"))
	h.accepted("links of all sorts", h.event(fact.TypeRequested, `"scenario_id":"s","trigger":{"type":"t","actor":"file:///etc/passwd","uri":"gopher://localhost:6379/_FLUSHALL"}`,
		"ce_source=http://localhost:6379/", "ce_dataschema=file:///etc/passwd"))
	h.accepted("a definition that includes", h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":"!include http://169.254.169.254/ \n<!ENTITY x SYSTEM \"file:///etc/passwd\">"}`))

	h.begin("headers")
	h.refused(fact.ReasonDuplicateKey, "an attribute twice, with one value", WithHeaders(h.beat(""), kafkarecord.Header{Key: "ce_id", Value: []byte(h.id())}))
	h.refused(fact.ReasonDuplicateKey, "an extension twice in headers", WithHeaders(h.beat(""), kafkarecord.Header{Key: "ce_x"}, kafkarecord.Header{Key: "ce_x"}))
	h.refused(fact.ReasonDuplicateKey, "the content type twice", WithHeaders(h.beat("", "content-type=application/json"), kafkarecord.Header{Key: "content-type", Value: []byte("application/protobuf")}))
	h.accepted("names in another case are other names", WithHeaders(h.beat(""),
		kafkarecord.Header{Key: "CE_ID", Value: []byte("x")}, kafkarecord.Header{Key: "ce_ID", Value: []byte("y")}, kafkarecord.Header{Key: "Content-Type", Value: []byte("text/xml")}))
	h.accepted("an attribute without a name, and names like members", WithHeaders(h.beat(""),
		kafkarecord.Header{Key: "ce_"}, kafkarecord.Header{Key: "ce_data", Value: []byte("{}")}, kafkarecord.Header{Key: "ce_data_base64", Value: []byte("@")}, kafkarecord.Header{Key: `ce_"}\`, Value: []byte(`"}`)}))
	h.accepted("line breaks and percent signs", WithHeaders(h.beat(""), kafkarecord.Header{Key: "ce_x\r\ny", Value: []byte("a\r\nce_id: b%0d%0a%00")}))
	h.accepted("an odd traceparent, twice", WithHeaders(h.beat("", "ce_traceparent=\r\n"), kafkarecord.Header{Key: "traceparent", Value: []byte("00-0")}))
	h.refused(fact.ReasonSchema, "required, but empty", WithHeaders(h.beat("", "ce_time"), kafkarecord.Header{Key: "ce_time", Value: []byte{}}))
	h.refused(fact.ReasonSchema, "required, but without a value", WithHeaders(h.beat("", "ce_source"), kafkarecord.Header{Key: "ce_source"}))

	h.begin("content types")
	for _, contentType := range []string{
		"text/xml", "application/json; charset=utf-16", "application/json; charset=utf-8; charset=utf-16", "application/json, application/protobuf", "json", ";", "application/", "\r\n",
		"application/cloudevents-batch+json", "application/cloudevents+protobuf", "application/cloudevents+json; charset=latin1", "application/avro", "application/json;a*0=1;a*1=2;a*0=3",
	} {
		h.refused(fact.ReasonUnsupported, "content type "+contentType, h.beat("", "content-type="+contentType))
	}
	h.accepted("with parameters, in capitals", h.beat("", `content-type=APPLICATION/JSON ;charset="UTF-8"; boundary=x; q=0`))
	h.accepted("a long one", h.beat("", "content-type=application/json"+strings.Repeat(" ", 30_000)+";a=b"))
	h.refused(fact.ReasonUnsupported, "10,000 parameters without a value", h.beat("", "content-type=application/json"+strings.Repeat(";a", 10_000)))

	h.begin("modes")
	h.refused(fact.ReasonModeConflict, "headers and body disagree", WithHeaders(h.whole(`"data":{"execution_id":"`+h.id()+`"}`), kafkarecord.Header{Key: "ce_id", Value: []byte("other")}))
	h.refused(fact.ReasonModeConflict, "the body's extension is another", WithHeaders(h.whole(`"x":1,"data":{"execution_id":"`+h.id()+`"}`), kafkarecord.Header{Key: "ce_x", Value: []byte("1")}))
	h.refused(fact.ReasonModeConflict, "an event in an event", h.beat(`"specversion":"1.0"`))
	h.refused(fact.ReasonSchema, "an event as the data of an event", h.whole(`"data":{"specversion":"1.0","data":{"execution_id":"`+h.id()+`"}}`))
	h.refused(fact.ReasonSourceNotAllowed, "the service's own source", h.beat("", "ce_source=/tcda/a"))
	h.refused(fact.ReasonSourceNotAllowed, "the service's own source, structured", replaced(h.whole(`"data":{}`), "/coordinator/a", "/tcda/"))
	h.accepted("headers and body agree", WithHeaders(h.whole(`"x":"1","data":{"execution_id":"`+h.id()+`"}`), kafkarecord.Header{Key: "ce_x", Value: []byte("1")}))
}

func replaced(r kafkarecord.Record, before, after string) kafkarecord.Record {
	r.Value = []byte(strings.ReplaceAll(string(r.Value), before, after))
	return r
}

// encodings are flaws of data in protobuf, and of one encoding called another.
func (h *hostiles) encodings() {
	marshal := func(m proto.Message) []byte {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			panic(err) // the messages are written below
		}
		return data
	}
	wire := func(raw ...byte) kafkarecord.Record {
		data := marshal(&contract.ExecutionHeartbeat{ExecutionId: h.id()})
		return h.data(fact.TypeHeartbeat, string(data)+string(raw), "content-type=application/protobuf")
	}
	state := func(v *structpb.Value) kafkarecord.Record {
		return h.data(fact.TypeHeartbeat, string(marshal(&contract.ExecutionHeartbeat{
			ExecutionId: h.id(), SystemState: &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}},
		})), "content-type=application/protobuf")
	}
	field := func(number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}

	// member is one of system_state, by the name a and the bytes of its value.
	member := func(value string) string { return string(field(1, string(field(1, "a"))+string(field(2, value)))) }
	of := func(members ...string) []byte { return field(5, strings.Join(members, "")) }

	h.begin("one encoding called another")
	called := wire()
	called.Headers = h.beat("", "content-type=application/json").Headers
	h.refused(fact.ReasonEncoding, "protobuf called JSON", called)
	h.refused(fact.ReasonEncoding, "JSON called protobuf", h.beat("", "content-type=application/protobuf"))
	h.refused(fact.ReasonEncoding, "JSON behind spaces called protobuf", replaced(h.beat("", "content-type=application/x-protobuf"), "{", " \n{"))
	h.refused(fact.ReasonEncoding, "base64 that is none", h.whole(`"datacontenttype":"application/protobuf","data_base64":"\u00e9"`))
	h.refused(fact.ReasonEncoding, "base64 for URLs", h.whole(`"datacontenttype":"application/protobuf","data_base64":"_-8="`))
	h.refused(fact.ReasonJSON, "base64 of cut JSON", h.whole(`"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`{"execution_id"`))+`"`))
	h.refused(fact.ReasonUTF8, "base64 of raw bytes", h.whole(`"data_base64":"`+base64.StdEncoding.EncodeToString([]byte("{\"\xff\":1}"))+`"`))
	h.refused(fact.ReasonNUL, "base64 of NUL", h.whole(`"data_base64":"AAAA"`))
	h.refused(fact.ReasonUTF8, "gzip called JSON", replaced(h.beat(""), "{", "\x1f\x8b\x08"))
	h.refused(fact.ReasonSchema, "nothing in base64", h.whole(`"data_base64":null`))

	h.begin("protobuf")
	h.refused(fact.ReasonEncoding, "a length beyond the end", wire(0x1a, 0xff, 0xff, 0xff, 0x7f))
	h.refused(fact.ReasonEncoding, "a length beyond int64", wire(0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))
	h.refused(fact.ReasonEncoding, "a varint of eleven bytes", wire(0x1a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01))
	h.refused(fact.ReasonEncoding, "field number 0", wire(0x02, 0x00))
	h.refused(fact.ReasonEncoding, "a group that never ends", wire(0xa3, 0x06))
	h.refused(fact.ReasonEncoding, "a group that never began", wire(0xa4, 0x06))
	h.refused(fact.ReasonEncoding, "20,000 groups in one another", wire([]byte(strings.Repeat("\xa3\x06", 20_000)+strings.Repeat("\xa4\x06", 20_000))...))
	h.refused(fact.ReasonEncoding, "wire type 7", wire(0x1f))
	h.refused(fact.ReasonUTF8, "broken UTF-8 in a message", wire(field(3, "\xff\xfe")...))
	h.refused(fact.ReasonUTF8, "broken UTF-8 in a free name", wire(field(5, string(field(1, string(field(1, "\xff")))))...))
	h.refused(fact.ReasonNUL, "NUL in a free text", state(structpb.NewStringValue("\x00")))
	h.refused(fact.ReasonNumber, "NaN", state(structpb.NewNumberValue(math.NaN())))
	h.refused(fact.ReasonNumber, "infinite progress", wire(protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), math.Float64bits(math.Inf(1)))...))
	h.refused(fact.ReasonTokenLimit, "500,000 empty values", wire(of(member(string(field(6, strings.Repeat("\x0a\x00", 500_000)))))...))
	h.refused(fact.ReasonSubjectMismatch, "the id twice, the last one counts", wire(field(1, "other")...))
	h.accepted("a varint longer than it must be", wire(0x9a, 0x80, 0x00, 0x81, 0x00, 'x'))
	h.accepted("an unknown group, enum, Any and 1,000 unknown fields", wire([]byte("\xa3\x06\x08\x01\xa4\x06"+strings.Repeat(string(field(2000, "type.googleapis.com/x")), 1000))...))
	h.accepted("a field of another wire type", wire(0x18, 0x01))
	h.accepted("unknown fields at two places of one value", state(&structpb.Value{Kind: &structpb.Value_ListValue{ListValue: unknownList()}}))
	h.accepted("null by an unknown number", wire(of(member("\x08\x2a"))...))
	h.accepted("a value of two kinds, the last one counts", wire(of(member(string(field(3, "text"))+"\x20\x01"))...))
	h.accepted("a free name twice, the last one counts", wire(of(member("\x20\x01"), member("\x20\x00"))...))
}

// unknownList is a list with a field that version 1 does not name.
func unknownList() *structpb.ListValue {
	list := &structpb.ListValue{Values: []*structpb.Value{structpb.NewBoolValue(true)}}
	list.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 100, protowire.BytesType), "list"))
	return list
}

package eventtest

import (
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// AttributeRejects are flaws of the envelope in binary mode.
func AttributeRejects() []Reject {
	data := HeartbeatWith("")
	return []Reject{
		{"no specversion", Binary(data, "ce_specversion"), fact.ReasonSchema, "ce_specversion"},
		{"specversion 2.0", Binary(data, "ce_specversion=2.0"), fact.ReasonUnsupported, "ce_specversion"},
		{"specversion 0.3", Binary(data, "ce_specversion=0.3"), fact.ReasonUnsupported, "ce_specversion"},
		{"no type", Binary(data, "ce_type"), fact.ReasonSchema, "ce_type"},
		{"unknown type", Binary(data, "ce_type=test-coordination.execution.exploded.v1"), fact.ReasonUnsupportedType, "ce_type"},
		{"type of a later version", Binary(data, "ce_type=test-coordination.execution.heartbeat.v2"), fact.ReasonUnsupportedType, "ce_type"},
		{"type in capitals", Binary(data, "ce_type=Test-Coordination.execution.heartbeat.v1"), fact.ReasonUnsupportedType, "ce_type"},
		{"the service's own type", Binary(data, "ce_type="+string(fact.TypeInterrupted)), fact.ReasonUnsupportedType, "ce_type"},
		{"what became of a run, as only the service says", Binary(data, "ce_type="+string(fact.TypeSettled)), fact.ReasonUnsupportedType, "ce_type"},
		{"a request to cancel, as only the service makes", Binary(data, "ce_type="+string(fact.TypeCancelRequested)), fact.ReasonUnsupportedType, "ce_type"},
		{"a request to clear a fault, as only the service makes", Binary(data, "ce_type="+string(fact.TypeFaultClearRequested)), fact.ReasonUnsupportedType, "ce_type"},

		{"no source", Binary(data, "ce_source"), fact.ReasonSchema, "ce_source"},
		{"source of 256 bytes", Binary(data, "ce_source=/"+strings.Repeat("a", 255)), fact.ReasonTooLarge, "ce_source"},
		{"source with a space", Binary(data, "ce_source=/coordinator a"), fact.ReasonSchema, "ce_source"},
		{"the service's own source", Binary(data, "ce_source=/tcda/a"), fact.ReasonSourceNotAllowed, "ce_source"},

		{"no id", Binary(data, "ce_id"), fact.ReasonSchema, "ce_id"},
		{"id of 9,000 characters", Binary(data, "ce_id="+strings.Repeat("z", 9000)), fact.ReasonID, "ce_id"},
		{"id of 201 characters", Binary(data, "ce_id="+strings.Repeat("z", 201)), fact.ReasonID, "ce_id"},
		{"id as SQL", Binary(data, "ce_id=' OR 1=1;--"), fact.ReasonID, "ce_id"},
		{"id of raw bytes", Binary(data, "ce_id=\xff\xfe"), fact.ReasonUTF8, "ce_id"},
		{"id with NUL", Binary(data, "ce_id=a\x00b"), fact.ReasonNUL, "ce_id"},
		{"id with a letter that looks like another", Binary(data, "ce_id=ехес"), fact.ReasonID, "ce_id"},
		{"no subject", Binary(data, "ce_subject"), fact.ReasonSchema, "ce_subject"},
		{"subject as HTML", Binary(data, "ce_subject=<script>"), fact.ReasonID, "ce_subject"},
		{"another subject than in the data", Binary(data, "ce_subject=exec-2"), fact.ReasonSubjectMismatch, "data.execution_id"},

		{"no time", Binary(data, "ce_time"), fact.ReasonSchema, "ce_time"},
		{"30 February", Binary(data, "ce_time=2026-02-30T12:00:00Z"), fact.ReasonTime, "ce_time"},
		{"second 60", Binary(data, "ce_time=2026-06-30T23:59:60Z"), fact.ReasonTime, "ce_time"},
		{"a day without time", Binary(data, "ce_time=2026-06-30"), fact.ReasonTime, "ce_time"},
		{"one digit of an hour", Binary(data, "ce_time=2026-06-30T1:00:00Z"), fact.ReasonTime, "ce_time"},
		{"comma in the second", Binary(data, "ce_time=2026-06-30T01:00:00,5Z"), fact.ReasonTime, "ce_time"},
		{"ten digits of a second", Binary(data, "ce_time=2026-06-30T01:00:00.1234567891Z"), fact.ReasonTime, "ce_time"},
		{"point without digits", Binary(data, "ce_time=2026-06-30T01:00:00.Z"), fact.ReasonTime, "ce_time"},
		{"offset of 24 hours", Binary(data, "ce_time=2026-06-30T01:00:00+24:00"), fact.ReasonTime, "ce_time"},
		{"seconds since 1970", Binary(data, "ce_time=1775044800"), fact.ReasonTime, "ce_time"},
		{"year 10000", Binary(data, "ce_time=10000-01-01T00:00:00Z"), fact.ReasonTime, "ce_time"},
		{"year 10000 by its zone", Binary(data, "ce_time=9999-12-31T23:59:59-01:00"), fact.ReasonTimeRange, "ce_time"},
		{"year 1", Binary(data, "ce_time=0001-01-01T00:00:00Z"), fact.ReasonTimeRange, "ce_time"},
		{"just before 2000", Binary(data, "ce_time=1999-12-31T23:59:59.999999999Z"), fact.ReasonTimeRange, "ce_time"},

		{"sequence beyond int8", Binary(data, "ce_sequence=9223372036854775808"), fact.ReasonRange, "ce_sequence"},
		{"sequence beyond 2^53-1", Binary(data, "ce_sequence=9007199254740993"), fact.ReasonRange, "ce_sequence"},
		{"sequence -1", Binary(data, "ce_sequence=-1"), fact.ReasonRange, "ce_sequence"},
		{"sequence 0", Binary(data, "ce_sequence=0"), fact.ReasonRange, "ce_sequence"},
		{"sequence x", Binary(data, "ce_sequence=x"), fact.ReasonSchema, "ce_sequence"},
		{"sequence 1.5", Binary(data, "ce_sequence=1.5"), fact.ReasonSchema, "ce_sequence"},
		{"sequence with a space", Binary(data, "ce_sequence= 1"), fact.ReasonSchema, "ce_sequence"},
		{"runid of 256 bytes", Binary(data, "ce_runid="+strings.Repeat("r", 256)), fact.ReasonTooLarge, "ce_runid"},
		{"correlationid of 256 bytes", Binary(data, "ce_correlationid="+strings.Repeat("r", 256)), fact.ReasonTooLarge, "ce_correlationid"},

		{
			"id given twice",
			WithHeaders(Binary(data), kafkarecord.Header{Key: "ce_id", Value: []byte("evt-2")}),
			fact.ReasonDuplicateKey, "ce_id",
		},
		{"NUL in an extension", Binary(data, "ce_tenant=a\x00"), fact.ReasonNUL, "ce_tenant"},
	}
}

// ContentTypeAndModeRejects are flaws of content types, and of what both headers
// and body claim.
func ContentTypeAndModeRejects(t testing.TB) []Reject {
	t.Helper()
	data := HeartbeatWith("")
	protobuf := Protobuf(t, &contract.ExecutionHeartbeat{ExecutionId: ExecutionID, Message: "alive", Progress: proto.Float64(0.25)}).Value
	ofStructured := kafkarecord.Header{Key: "ce_id", Value: []byte("evt-1")}
	return []Reject{
		{"XML", Binary("<x/>", "content-type=text/xml"), fact.ReasonUnsupported, "content-type"},
		{"JSON in UTF-16", Binary(data, "content-type=application/json; charset=utf-16"), fact.ReasonUnsupported, "content-type"},
		{"no content type at all", Binary(data, "content-type=;;"), fact.ReasonUnsupported, "content-type"},
		{"a batch", Binary("[]", "content-type=application/cloudevents-batch+json"), fact.ReasonUnsupported, "content-type"},
		{"XML inside", Structured(`"datacontenttype":"text/xml","data":"<x/>"`), fact.ReasonUnsupported, "datacontenttype"},
		{"content type json, bytes protobuf", Binary(string(protobuf), "content-type=application/json"), fact.ReasonEncoding, "data"},
		{"no content type, bytes protobuf", Binary(string(protobuf)), fact.ReasonEncoding, "data"},
		{"content type protobuf, bytes json", Binary(data, "content-type=application/protobuf"), fact.ReasonEncoding, "data"},
		{"content type protobuf, bytes random", Binary("\x0f\xff\xff", "content-type=application/protobuf"), fact.ReasonEncoding, "data"},
		{
			"base64 of protobuf called json",
			Structured(`"data_base64":"` + base64.StdEncoding.EncodeToString(protobuf) + `"`), fact.ReasonEncoding, "data",
		},
		{"data called protobuf", Structured(`"datacontenttype":"application/protobuf","data":` + data), fact.ReasonEncoding, "data"},
		{"broken base64", Structured(`"datacontenttype":"application/protobuf","data_base64":"@@@"`), fact.ReasonEncoding, "data_base64"},
		{"data twice", Structured(`"data_base64":"e30=","data":` + data), fact.ReasonSchema, "data_base64"},
		{"no data", Structured(`"tenant":"a"`), fact.ReasonSchema, "data"},
		{"data is null", Structured(`"data":null`), fact.ReasonSchema, "data"},
		{"data is a text of JSON", Structured(`"data":"{}"`), fact.ReasonNotObject, "data"},

		{"protobuf without envelope", kafkarecord.Record{
			Value:   protobuf,
			Headers: []kafkarecord.Header{{Key: "content-type", Value: []byte("application/protobuf")}},
		}, fact.ReasonSchema, "ce_specversion"},
		{"an object without envelope", kafkarecord.Record{Value: []byte(data)}, fact.ReasonSchema, "specversion"},
		{"duplicate attribute", Structured(`"id":"evt-2","data":` + data), fact.ReasonDuplicateKey, "id"},
		{"duplicate in the data", Structured(`"data":` + HeartbeatWith(`"message":"a","message":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"attribute is null", Structured(`"id":null,"data":`+data, "id"), fact.ReasonSchema, "id"},
		{"attribute is a number", Structured(`"id":7,"data":`+data, "id"), fact.ReasonSchema, "id"},
		{"sequence is a fraction", Structured(`"sequence":1.5,"data":` + data), fact.ReasonSchema, "sequence"},
		{"sequence number beyond", Structured(`"sequence":9007199254740992,"data":` + data), fact.ReasonRange, "sequence"},
		{"number of an extension", Structured(`"n":1e131072,"data":` + data), fact.ReasonNumber, "n"},
		{"two documents", WithValue(Structured(`"data":`+data), "{}"), fact.ReasonJSON, ""},
		{"NUL in an attribute", Structured(`"runid":"\u0000","data":` + data), fact.ReasonNUL, "runid"},
		{"20,000 extension members", Structured(`"x":[` + strings.Repeat("0,", 20_000) + `0],"data":` + data), fact.ReasonTokenLimit, "x[9985]"},
		{"depth of an extension", Structured(`"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"data":` + data), fact.ReasonDepth, "x" + strings.Repeat("[0]", 31)},

		{
			"structured, headers name another id",
			WithHeaders(Structured(`"data":`+data), kafkarecord.Header{Key: "ce_id", Value: []byte("evt-2")}),
			fact.ReasonModeConflict, "id",
		},
		{
			"structured, headers have more",
			WithHeaders(Structured(`"data":`+data), ofStructured, kafkarecord.Header{Key: "ce_tenant", Value: []byte("t")}),
			fact.ReasonModeConflict, "tenant",
		},
		{"binary, body is another event", Binary(string(Structured(`"data":`+data).Value), "ce_id=evt-2"), fact.ReasonModeConflict, "id"},
		{"binary, body is half an event", Binary(`{"specversion":"1.0"}`), fact.ReasonModeConflict, "id"},
		{"called structured, body is only data", Binary(data, "content-type=application/cloudevents+json"), fact.ReasonModeConflict, "specversion"},
	}
}

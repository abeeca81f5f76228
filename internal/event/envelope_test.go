package event_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

func TestRejectsAttributes(t *testing.T) {
	t.Parallel()
	runRejects(t, attributeRejects())
}

// attributeRejects are flaws of the envelope in binary mode.
func attributeRejects() []rejectCase {
	data := heartbeatWith("")
	return []rejectCase{
		{"no specversion", binary(data, "ce_specversion"), fact.ReasonSchema, "ce_specversion"},
		{"specversion 2.0", binary(data, "ce_specversion=2.0"), fact.ReasonUnsupported, "ce_specversion"},
		{"specversion 0.3", binary(data, "ce_specversion=0.3"), fact.ReasonUnsupported, "ce_specversion"},
		{"no type", binary(data, "ce_type"), fact.ReasonSchema, "ce_type"},
		{"unknown type", binary(data, "ce_type=test-coordination.execution.exploded.v1"), fact.ReasonUnsupportedType, "ce_type"},
		{"type of a later version", binary(data, "ce_type=test-coordination.execution.heartbeat.v2"), fact.ReasonUnsupportedType, "ce_type"},
		{"type in capitals", binary(data, "ce_type=Test-Coordination.execution.heartbeat.v1"), fact.ReasonUnsupportedType, "ce_type"},
		{"the service's own type", binary(data, "ce_type="+string(fact.TypeInterrupted)), fact.ReasonUnsupportedType, "ce_type"},

		{"no source", binary(data, "ce_source"), fact.ReasonSchema, "ce_source"},
		{"source of 256 bytes", binary(data, "ce_source=/"+strings.Repeat("a", 255)), fact.ReasonTooLarge, "ce_source"},
		{"source with a space", binary(data, "ce_source=/coordinator a"), fact.ReasonSchema, "ce_source"},
		{"the service's own source", binary(data, "ce_source=/tcda/a"), fact.ReasonSourceNotAllowed, "ce_source"},

		{"no id", binary(data, "ce_id"), fact.ReasonSchema, "ce_id"},
		{"id of 9,000 characters", binary(data, "ce_id="+strings.Repeat("z", 9000)), fact.ReasonID, "ce_id"},
		{"id of 201 characters", binary(data, "ce_id="+strings.Repeat("z", 201)), fact.ReasonID, "ce_id"},
		{"id as SQL", binary(data, "ce_id=' OR 1=1;--"), fact.ReasonID, "ce_id"},
		{"id of raw bytes", binary(data, "ce_id=\xff\xfe"), fact.ReasonUTF8, "ce_id"},
		{"id with NUL", binary(data, "ce_id=a\x00b"), fact.ReasonNUL, "ce_id"},
		{"id with a letter that looks like another", binary(data, "ce_id=ехес"), fact.ReasonID, "ce_id"},
		{"no subject", binary(data, "ce_subject"), fact.ReasonSchema, "ce_subject"},
		{"subject as HTML", binary(data, "ce_subject=<script>"), fact.ReasonID, "ce_subject"},
		{"another subject than in the data", binary(data, "ce_subject=exec-2"), fact.ReasonSubjectMismatch, "data.execution_id"},

		{"no time", binary(data, "ce_time"), fact.ReasonSchema, "ce_time"},
		{"30 February", binary(data, "ce_time=2026-02-30T12:00:00Z"), fact.ReasonTime, "ce_time"},
		{"second 60", binary(data, "ce_time=2026-06-30T23:59:60Z"), fact.ReasonTime, "ce_time"},
		{"a day without time", binary(data, "ce_time=2026-06-30"), fact.ReasonTime, "ce_time"},
		{"one digit of an hour", binary(data, "ce_time=2026-06-30T1:00:00Z"), fact.ReasonTime, "ce_time"},
		{"comma in the second", binary(data, "ce_time=2026-06-30T01:00:00,5Z"), fact.ReasonTime, "ce_time"},
		{"ten digits of a second", binary(data, "ce_time=2026-06-30T01:00:00.1234567891Z"), fact.ReasonTime, "ce_time"},
		{"point without digits", binary(data, "ce_time=2026-06-30T01:00:00.Z"), fact.ReasonTime, "ce_time"},
		{"offset of 24 hours", binary(data, "ce_time=2026-06-30T01:00:00+24:00"), fact.ReasonTime, "ce_time"},
		{"seconds since 1970", binary(data, "ce_time=1775044800"), fact.ReasonTime, "ce_time"},
		{"year 10000", binary(data, "ce_time=10000-01-01T00:00:00Z"), fact.ReasonTime, "ce_time"},
		{"year 10000 by its zone", binary(data, "ce_time=9999-12-31T23:59:59-01:00"), fact.ReasonTimeRange, "ce_time"},
		{"year 1", binary(data, "ce_time=0001-01-01T00:00:00Z"), fact.ReasonTimeRange, "ce_time"},
		{"just before 2000", binary(data, "ce_time=1999-12-31T23:59:59.999999999Z"), fact.ReasonTimeRange, "ce_time"},

		{"sequence beyond int8", binary(data, "ce_sequence=9223372036854775808"), fact.ReasonRange, "ce_sequence"},
		{"sequence beyond 2^53-1", binary(data, "ce_sequence=9007199254740993"), fact.ReasonRange, "ce_sequence"},
		{"sequence -1", binary(data, "ce_sequence=-1"), fact.ReasonRange, "ce_sequence"},
		{"sequence 0", binary(data, "ce_sequence=0"), fact.ReasonRange, "ce_sequence"},
		{"sequence x", binary(data, "ce_sequence=x"), fact.ReasonSchema, "ce_sequence"},
		{"sequence 1.5", binary(data, "ce_sequence=1.5"), fact.ReasonSchema, "ce_sequence"},
		{"sequence with a space", binary(data, "ce_sequence= 1"), fact.ReasonSchema, "ce_sequence"},
		{"runid of 256 bytes", binary(data, "ce_runid="+strings.Repeat("r", 256)), fact.ReasonTooLarge, "ce_runid"},
		{"correlationid of 256 bytes", binary(data, "ce_correlationid="+strings.Repeat("r", 256)), fact.ReasonTooLarge, "ce_correlationid"},

		{
			"id given twice",
			withHeaders(binary(data), kafkarecord.Header{Key: "ce_id", Value: []byte("evt-2")}),
			fact.ReasonDuplicateKey, "ce_id",
		},
		{"NUL in an extension", binary(data, "ce_tenant=a\x00"), fact.ReasonNUL, "ce_tenant"},
	}
}

func TestRejectsContentTypesAndModes(t *testing.T) {
	t.Parallel()
	runRejects(t, contentTypeAndModeRejects(t))
}

func contentTypeAndModeRejects(t testing.TB) []rejectCase {
	t.Helper()
	data := heartbeatWith("")
	protobuf := encode(t, outgoing(t, fact.TypeHeartbeat), event.Binary, event.Protobuf).Value
	ofStructured := kafkarecord.Header{Key: "ce_id", Value: []byte("evt-1")}
	return []rejectCase{
		{"XML", binary("<x/>", "content-type=text/xml"), fact.ReasonUnsupported, "content-type"},
		{"JSON in UTF-16", binary(data, "content-type=application/json; charset=utf-16"), fact.ReasonUnsupported, "content-type"},
		{"no content type at all", binary(data, "content-type=;;"), fact.ReasonUnsupported, "content-type"},
		{"a batch", binary("[]", "content-type=application/cloudevents-batch+json"), fact.ReasonUnsupported, "content-type"},
		{"XML inside", structured(`"datacontenttype":"text/xml","data":"<x/>"`), fact.ReasonUnsupported, "datacontenttype"},
		{"content type json, bytes protobuf", binary(string(protobuf), "content-type=application/json"), fact.ReasonEncoding, "data"},
		{"no content type, bytes protobuf", binary(string(protobuf)), fact.ReasonEncoding, "data"},
		{"content type protobuf, bytes json", binary(data, "content-type=application/protobuf"), fact.ReasonEncoding, "data"},
		{"content type protobuf, bytes random", binary("\x0f\xff\xff", "content-type=application/protobuf"), fact.ReasonEncoding, "data"},
		{
			"base64 of protobuf called json",
			structured(`"data_base64":"` + base64.StdEncoding.EncodeToString(protobuf) + `"`), fact.ReasonEncoding, "data",
		},
		{"data called protobuf", structured(`"datacontenttype":"application/protobuf","data":` + data), fact.ReasonEncoding, "data"},
		{"broken base64", structured(`"datacontenttype":"application/protobuf","data_base64":"@@@"`), fact.ReasonEncoding, "data_base64"},
		{"data twice", structured(`"data_base64":"e30=","data":` + data), fact.ReasonSchema, "data_base64"},
		{"no data", structured(`"tenant":"a"`), fact.ReasonSchema, "data"},
		{"data is null", structured(`"data":null`), fact.ReasonSchema, "data"},
		{"data is a text of JSON", structured(`"data":"{}"`), fact.ReasonNotObject, "data"},

		{"protobuf without envelope", kafkarecord.Record{
			Value:   protobuf,
			Headers: []kafkarecord.Header{{Key: "content-type", Value: []byte("application/protobuf")}},
		}, fact.ReasonSchema, "ce_specversion"},
		{"an object without envelope", kafkarecord.Record{Value: []byte(data)}, fact.ReasonSchema, "specversion"},
		{"duplicate attribute", structured(`"id":"evt-2","data":` + data), fact.ReasonDuplicateKey, "id"},
		{"duplicate in the data", structured(`"data":` + heartbeatWith(`"message":"a","message":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"attribute is null", structured(`"id":null,"data":`+data, "id"), fact.ReasonSchema, "id"},
		{"attribute is a number", structured(`"id":7,"data":`+data, "id"), fact.ReasonSchema, "id"},
		{"sequence is a fraction", structured(`"sequence":1.5,"data":` + data), fact.ReasonSchema, "sequence"},
		{"sequence number beyond", structured(`"sequence":9007199254740992,"data":` + data), fact.ReasonRange, "sequence"},
		{"number of an extension", structured(`"n":1e131072,"data":` + data), fact.ReasonNumber, "n"},
		{"two documents", withValue(structured(`"data":`+data), "{}"), fact.ReasonJSON, ""},
		{"NUL in an attribute", structured(`"runid":"\u0000","data":` + data), fact.ReasonNUL, "runid"},
		{"20,000 extension members", structured(`"x":[` + strings.Repeat("0,", 20_000) + `0],"data":` + data), fact.ReasonTokenLimit, "x[9985]"},
		{"depth of an extension", structured(`"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"data":` + data), fact.ReasonDepth, "x" + strings.Repeat("[0]", 31)},

		{
			"structured, headers name another id",
			withHeaders(structured(`"data":`+data), kafkarecord.Header{Key: "ce_id", Value: []byte("evt-2")}),
			fact.ReasonModeConflict, "id",
		},
		{
			"structured, headers have more",
			withHeaders(structured(`"data":`+data), ofStructured, kafkarecord.Header{Key: "ce_tenant", Value: []byte("t")}),
			fact.ReasonModeConflict, "tenant",
		},
		{"binary, body is another event", binary(string(structured(`"data":`+data).Value), "ce_id=evt-2"), fact.ReasonModeConflict, "id"},
		{"binary, body is half an event", binary(`{"specversion":"1.0"}`), fact.ReasonModeConflict, "id"},
		{"called structured, body is only data", binary(data, "content-type=application/cloudevents+json"), fact.ReasonModeConflict, "specversion"},
	}
}

func withValue(record kafkarecord.Record, more string) kafkarecord.Record {
	record.Value = append(record.Value[:len(record.Value):len(record.Value)], more...)
	return record
}

func TestAllowedSources(t *testing.T) {
	t.Parallel()
	limits := event.DefaultLimits()
	limits.AllowedSources = []string{"/coordinator/a", "urn:lab:*"}
	d, err := event.NewDecoder(limits)
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]fact.Reason{
		"/coordinator/a":  "",
		"/coordinator/ab": fact.ReasonSourceNotAllowed,
		"urn:lab:7":       "",
		"urn:prod:7":      fact.ReasonSourceNotAllowed,
	} {
		var got fact.Reason
		if _, rejection := d.Decode(binary(heartbeatWith(""), "ce_source="+source), sampleNow); rejection != nil {
			got = rejection.Reason
		}
		if got != want {
			t.Errorf("source %s: reason %q, want %q", source, got, want)
		}
	}
}

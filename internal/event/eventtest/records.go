package eventtest

import (
	"bytes"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Records by hand: an accepted heartbeat, changed in one place.

// ExecutionID is the subject of those records.
const ExecutionID = "exec-market-crash-001"

// HeartbeatHeaders are the headers of the heartbeat.
var HeartbeatHeaders = []kafkarecord.Header{
	{Key: "ce_specversion", Value: []byte("1.0")},
	{Key: "ce_type", Value: []byte(fact.TypeHeartbeat)},
	{Key: "ce_source", Value: []byte("/coordinator/a")},
	{Key: "ce_id", Value: []byte("evt-1")},
	{Key: "ce_subject", Value: []byte(ExecutionID)},
	{Key: "ce_time", Value: []byte("2026-04-01T12:00:00Z")},
}

// Binary is a record in binary mode with that data; a change of the form
// "name=value" sets, adds or (without value) removes a header.
func Binary(data string, changes ...string) kafkarecord.Record {
	record := kafkarecord.Record{Key: []byte(ExecutionID), Value: []byte(data)}
	headers := append([]kafkarecord.Header(nil), HeartbeatHeaders...)
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		kept := headers[:0:0]
		for _, h := range headers {
			if h.Key != name {
				kept = append(kept, h)
			}
		}
		headers = kept
		if value != "" {
			headers = append(headers, kafkarecord.Header{Key: name, Value: []byte(value)})
		}
	}
	record.Headers = headers
	return record
}

// HeartbeatWith is the data of a heartbeat with further members.
func HeartbeatWith(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"execution_id":"` + ExecutionID + `"` + members + `}`
}

// DataOf is a record of another type than heartbeat.
func DataOf(typ fact.Type, subject, data string) kafkarecord.Record {
	return Binary(data, "ce_type="+string(typ), "ce_subject="+subject)
}

// Structured is a record in structured mode: the members of the envelope, then
// those given, which may repeat and so replace none.
func Structured(members string, leaveOut ...string) kafkarecord.Record {
	var b bytes.Buffer
	b.WriteString("{")
	for _, attribute := range [][2]string{
		{"specversion", "1.0"},
		{"type", string(fact.TypeHeartbeat)},
		{"source", "/coordinator/a"},
		{"id", "evt-1"},
		{"subject", ExecutionID},
		{"time", "2026-04-01T12:00:00Z"},
	} {
		if len(leaveOut) == 0 || !strings.Contains(" "+strings.Join(leaveOut, " ")+" ", " "+attribute[0]+" ") {
			b.WriteString(`"` + attribute[0] + `":"` + attribute[1] + `",`)
		}
	}
	b.WriteString(members + "}")
	return kafkarecord.Record{
		Key:     []byte(ExecutionID),
		Value:   b.Bytes(),
		Headers: []kafkarecord.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
	}
}

// WithHeaders is the record with further headers.
func WithHeaders(record kafkarecord.Record, headers ...kafkarecord.Header) kafkarecord.Record {
	record.Headers = append(append([]kafkarecord.Header(nil), record.Headers...), headers...)
	return record
}

// WithValue is the record with more bytes behind its value.
func WithValue(record kafkarecord.Record, more string) kafkarecord.Record {
	record.Value = append(record.Value[:len(record.Value):len(record.Value)], more...)
	return record
}

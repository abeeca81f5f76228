package event_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Records by hand: an accepted heartbeat, changed in one place.

var heartbeatHeaders = []kafkarecord.Header{
	{Key: "ce_specversion", Value: []byte("1.0")},
	{Key: "ce_type", Value: []byte(fact.TypeHeartbeat)},
	{Key: "ce_source", Value: []byte("/coordinator/a")},
	{Key: "ce_id", Value: []byte("evt-1")},
	{Key: "ce_subject", Value: []byte(executionID)},
	{Key: "ce_time", Value: []byte("2026-04-01T12:00:00Z")},
}

// binary is a record in binary mode with that data; a change of the form
// "name=value" sets, adds or (without value) removes a header.
func binary(data string, changes ...string) kafkarecord.Record {
	record := kafkarecord.Record{Key: []byte(executionID), Value: []byte(data)}
	headers := append([]kafkarecord.Header(nil), heartbeatHeaders...)
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

// heartbeatWith is the data of a heartbeat with further members.
func heartbeatWith(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"execution_id":"` + executionID + `"` + members + `}`
}

// dataOf is a record of another type than heartbeat.
func dataOf(typ fact.Type, subject, data string) kafkarecord.Record {
	return binary(data, "ce_type="+string(typ), "ce_subject="+subject)
}

// structured is a record in structured mode: the members of the envelope, then
// those given, which may repeat and so replace none.
func structured(members string, leaveOut ...string) kafkarecord.Record {
	var b bytes.Buffer
	b.WriteString("{")
	for _, attribute := range [][2]string{
		{"specversion", "1.0"},
		{"type", string(fact.TypeHeartbeat)},
		{"source", "/coordinator/a"},
		{"id", "evt-1"},
		{"subject", executionID},
		{"time", "2026-04-01T12:00:00Z"},
	} {
		if len(leaveOut) == 0 || !strings.Contains(" "+strings.Join(leaveOut, " ")+" ", " "+attribute[0]+" ") {
			b.WriteString(`"` + attribute[0] + `":"` + attribute[1] + `",`)
		}
	}
	b.WriteString(members + "}")
	return kafkarecord.Record{
		Key:     []byte(executionID),
		Value:   b.Bytes(),
		Headers: []kafkarecord.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
	}
}

func withHeaders(record kafkarecord.Record, headers ...kafkarecord.Header) kafkarecord.Record {
	record.Headers = append(append([]kafkarecord.Header(nil), record.Headers...), headers...)
	return record
}

// rejectCase is one hostile record and what must be said of it.
type rejectCase struct {
	name   string
	record kafkarecord.Record
	reason fact.Reason
	field  string
}

func runRejects(t *testing.T, cases []rejectCase) {
	t.Helper()
	d := newDecoder(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			decoded, rejection := d.Decode(c.record, sampleNow)
			if rejection == nil {
				t.Fatalf("accepted as %+v, want %s", decoded, c.reason)
			}
			if rejection.Reason != c.reason || rejection.Field != c.field {
				t.Errorf("rejected as %q at %q, want %q at %q: %v", rejection.Reason, rejection.Field, c.reason, c.field, rejection)
			}
			if rejection.Rule == "" {
				t.Errorf("the rejection names no rule: %v", rejection)
			}
			if len([]rune(rejection.Value)) > 81 {
				t.Errorf("the value is not cut: %d characters", len([]rune(rejection.Value)))
			}
			if decoded != (event.Decoded{}) {
				t.Errorf("a rejected record gave an event too: %+v", decoded)
			}
		})
	}
}

package quarantine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/quarantine"
)

// TestMarkBreaksNoLimit requeues records that are just within the limits, which
// must not be refused for the mark that they get.
func TestMarkBreaksNoLimit(t *testing.T) {
	t.Parallel()
	limits := event.DefaultLimits()
	decoder, err := event.NewDecoder(limits)
	if err != nil {
		t.Fatal(err)
	}
	requeuer := quarantine.Requeuer{Limits: quarantine.Limits{Headers: limits.Headers, HeaderBytes: limits.HeaderBytes}}
	from := pgstore.QuarantinedRecord{ID: 1 << 60, Topic: strings.Repeat("t", 249), Partition: 1 << 30, Offset: 1 << 60}
	attributes := []kafkarecord.Header{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_type", Value: []byte(fact.TypeHeartbeat)},
		{Key: "ce_source", Value: []byte("/coordinator/a")},
		{Key: "ce_id", Value: []byte("evt-1")},
		{Key: "ce_subject", Value: []byte("exec-1")},
		{Key: "ce_time", Value: []byte("2026-04-01T12:00:00Z")},
	}
	attributeBytes := 0
	for _, h := range attributes {
		attributeBytes += len(h.Key) + len(h.Value)
	}
	many := make([]kafkarecord.Header, limits.Headers-len(attributes))
	for i := range many {
		many[i].Key = fmt.Sprintf("x-%d", i)
	}
	former := kafkarecord.Header{Key: quarantine.MarkHeader, Value: []byte("a/0@1#1")}
	for name, test := range map[string]struct {
		more   []kafkarecord.Header
		marked bool
	}{
		"value at the limit":   {nil, true},
		"one header below":     {many[1:], true},
		"as many as allowed":   {many, false},
		"as large as allowed":  {[]kafkarecord.Header{{Key: "x", Value: make([]byte, limits.HeaderBytes-attributeBytes-1)}}, false},
		"marked once, no room": {append([]kafkarecord.Header{former}, many[1:]...), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := kafkarecord.Record{Key: []byte("exec-1"), Value: []byte(`{"execution_id":"exec-1"}`)}
			record.Value = append(record.Value, strings.Repeat(" ", limits.Record-len(record.Key)-len(record.Value))...)
			record.Headers = append(append(record.Headers, attributes...), test.more...)
			got := quarantine.Marked(&requeuer, &from, record)
			marks := 0
			for _, h := range got.Headers {
				if h.Key == quarantine.MarkHeader && string(h.Value) != string(former.Value) {
					marks++
				}
			}
			if (marks == 1) != test.marked || marks > 1 {
				t.Errorf("%d marks, want one: %v", marks, test.marked)
			}
			if _, rejection := decoder.Decode(got, time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)); rejection != nil {
				t.Errorf("refused: %v", rejection)
			}
		})
	}
}

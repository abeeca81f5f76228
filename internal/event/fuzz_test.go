package event_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// FuzzData gives any bytes as the data of any type, in either encoding.
func FuzzData(f *testing.F) {
	for i, typ := range fact.Types() {
		for _, form := range forms[:2] {
			f.Add(encode(f, outgoing(f, typ), form.mode, form.encoding).Value, i, form.encoding == event.Protobuf)
		}
	}
	types := fact.Types()
	for _, c := range slices.Concat(eventtest.JSONRejects(), eventtest.ValueRejects()) {
		if len(c.Record.Value) > 10_000 {
			continue // too long to be changed to any effect
		}
		typ := fact.TypeHeartbeat
		for _, h := range c.Record.Headers {
			if h.Key == "ce_type" {
				typ = fact.Type(h.Value)
			}
		}
		f.Add(c.Record.Value, slices.Index(types, typ), false)
	}
	for _, line := range eventtest.Hostiles(f) {
		if len(line.Record.Value) > 10_000 || line.Class == "refused by itself" {
			continue
		}
		typ, protobuf := fact.TypeHeartbeat, false
		for _, h := range line.Record.Headers {
			switch h.Key {
			case "ce_type":
				typ = fact.Type(h.Value)
			case "content-type":
				protobuf = string(h.Value) == "application/protobuf"
			}
		}
		f.Add(line.Record.Value, slices.Index(types, typ), protobuf)
	}
	d := newDecoder(f)
	f.Fuzz(func(t *testing.T, data []byte, index int, protobuf bool) {
		typ := types[uint(index)%uint(len(types))]
		contentType := "application/json"
		if protobuf {
			contentType = "application/protobuf"
		}
		// The subject is in the data; any that is an id will do.
		subject := subjectOf(typ, data, protobuf)
		record := binary(string(data), "ce_type="+string(typ), "ce_subject="+subject, "content-type="+contentType)
		decoded, rejection := d.Decode(record, sampleNow)
		checkAnswer(t, decoded, rejection)
		if rejection == nil {
			checkStable(t, d, decoded, messageOf(t, typ, data, protobuf))
		}
	})
}

// FuzzStructured gives any bytes as a whole event.
func FuzzStructured(f *testing.F) {
	for _, typ := range fact.Types() {
		for _, form := range forms[2:] {
			f.Add(encode(f, outgoing(f, typ), form.mode, form.encoding).Value, "evt-1")
		}
	}
	for _, c := range eventtest.ContentTypeAndModeRejects(f) {
		if len(c.Record.Value) <= 10_000 {
			f.Add(c.Record.Value, "evt-1")
		}
	}
	for _, line := range eventtest.Hostiles(f) {
		if len(line.Record.Value) <= 10_000 && len(line.Record.Headers) < 2 {
			f.Add(line.Record.Value, "")
		}
	}
	d := newDecoder(f)
	f.Fuzz(func(t *testing.T, value []byte, id string) {
		record := kafkarecord.Record{Key: []byte(executionID), Value: value}
		if id != "" {
			record.Headers = []kafkarecord.Header{
				{Key: "content-type", Value: []byte("application/cloudevents+json")},
				{Key: "ce_id", Value: []byte(id)},
			}
		}
		decoded, rejection := d.Decode(record, sampleNow)
		checkAnswer(t, decoded, rejection)
	})
}

// checkAnswer: every record is an event, or has a reason of the closed list
// whose texts can be stored.
func checkAnswer(t *testing.T, decoded event.Decoded, rejection *fact.Rejection) {
	t.Helper()
	if rejection == nil {
		if (decoded.Execution == nil) == (decoded.Scenario == nil) {
			t.Fatal("not exactly one event")
		}
		return
	}
	if !slices.Contains(fact.Reasons(), rejection.Reason) {
		t.Fatalf("reason %q is not in the list", rejection.Reason)
	}
	for _, text := range []string{rejection.Value, rejection.Rule, rejection.Field} {
		if !utf8.ValidString(text) || slices.Contains([]byte(text), 0) {
			t.Fatalf("%q cannot be stored", text)
		}
	}
}

// checkStable: the event written anew, in any form, is the same event; and its
// stored data gives back its payload.
func checkStable(t *testing.T, d *event.Decoder, want event.Decoded, m proto.Message) {
	t.Helper()
	header := want.Header()
	for _, form := range forms {
		record := encode(t, event.Outgoing{Source: header.Source, ID: header.ID, Subject: header.Subject, Time: header.Time, Message: m}, form.mode, form.encoding)
		got, rejection := d.Decode(record, sampleNow)
		if rejection != nil {
			t.Fatalf("accepted, but not when written as %s: %v", form, rejection)
		}
		if got.Header().Digest != header.Digest || got.Header().Key != header.Key {
			t.Fatalf("another event when written as %s", form)
		}
		if diff := cmp.Diff(string(header.Data), string(got.Header().Data)); diff != "" {
			t.Fatalf("data differs when written as %s:\n%s", form, diff)
		}
		if diff := cmp.Diff(payload(want), payload(got)); diff != "" {
			t.Fatalf("payload differs when written as %s:\n%s", form, diff)
		}
	}
	leaveOut(payload(want))
	restored, err := restore(header.Type, header.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(payload(want), restored); diff != "" {
		t.Fatalf("restored payload (-want +got):\n%s", diff)
	}
}

func messageOf(t *testing.T, typ fact.Type, data []byte, protobuf bool) proto.Message {
	t.Helper()
	if !protobuf {
		return message(t, typ, string(data))
	}
	m := message(t, typ, "{}")
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// subjectOf is the id in the data, or some other when none can be read.
func subjectOf(typ fact.Type, data []byte, protobuf bool) string {
	m, err := event.NewMessage(typ, []byte("{}"))
	if err == nil && protobuf {
		err = proto.Unmarshal(data, m)
	} else if err == nil {
		m, err = event.NewMessage(typ, data)
	}
	if err != nil {
		return executionID
	}
	if id := m.ProtoReflect().Get(m.ProtoReflect().Descriptor().Fields().ByNumber(1)).String(); id != "" {
		return id
	}
	return executionID
}

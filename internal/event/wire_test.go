package event_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

func TestRejectsProtobuf(t *testing.T) {
	t.Parallel()
	runRejects(t, eventtest.ProtobufRejects(t))
}

// TestProtobufCalledJSONIsMeasured has a message of half a million lines, in
// two bytes each: it is made neither in the course of reading it nor of telling
// what it is in place of JSON.
func TestProtobufCalledJSONIsMeasured(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	d := newDecoder(t)
	data := eventtest.ProtobufLines(500_000)
	for _, contentType := range []string{"application/json", "application/protobuf"} {
		record := binary(data, "ce_type="+string(fact.TypeLogAppended), "content-type="+contentType)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, rejection := d.Decode(record, sampleNow)
		runtime.ReadMemStats(&after)
		if rejection == nil {
			t.Fatalf("%s: accepted", contentType)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
			t.Errorf("%s: allocated %d bytes to say %v", contentType, allocated, rejection)
		}
	}
}

// What a later version adds, at any depth, is kept and changes nothing else.
func TestUnknownProtobufFieldsAreKept(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	unknown := protowire.AppendString(protowire.AppendTag(nil, 100, protowire.BytesType), "new")
	line := &contract.LogLine{Message: "x", Attributes: &structpb.Struct{}}
	lines := &contract.ExecutionLogAppended{ExecutionId: executionID, Lines: []*contract.LogLine{line}}
	want := mustDecode(t, d, protobuf(t, lines))
	if want.Header().Unknown != nil {
		t.Errorf("unknown fields %s of a message that has none", want.Header().Unknown)
	}

	lines.ProtoReflect().SetUnknown(unknown)
	line.ProtoReflect().SetUnknown(unknown)
	line.Attributes.ProtoReflect().SetUnknown(unknown)
	got := mustDecode(t, d, protobuf(t, lines))
	const kept = `{"lines[0].attributes.protobuf":"ogYDbmV3","lines[0].protobuf":"ogYDbmV3","protobuf":"ogYDbmV3"}`
	if string(got.Header().Unknown) != kept {
		t.Errorf("unknown fields are %s, want %s", got.Header().Unknown, kept)
	}
	got.Header().Unknown = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unknown fields changed the event:\n%s", diff)
	}
}

// A value and the list that it is lie at one place, and each may have fields that
// nobody knows.
func TestUnknownProtobufFieldsAtOnePlaceAreAllKept(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	list := &structpb.ListValue{}
	value := structpb.NewListValue(list)
	object := &structpb.Struct{Fields: map[string]*structpb.Value{"a": value}}
	for i, m := range []proto.Message{value, list, object} {
		m.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 100, protowire.BytesType), fmt.Sprint("m", i)))
	}
	beat := &contract.ExecutionHeartbeat{ExecutionId: executionID, SystemState: object}
	const kept = `{"system_state.a.protobuf":"ogYCbTA=","system_state.a.protobuf#2":"ogYCbTE=","system_state.protobuf":"ogYCbTI="}`
	if got := mustDecode(t, d, protobuf(t, beat)).Header().Unknown; string(got) != kept {
		t.Errorf("unknown fields are %s, want %s", got, kept)
	}
}

// The same in both encodings, where protobuf has more than one way to say it.
func TestProtobufIsNormalisedLikeJSON(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	noKind := &structpb.Value{}
	for name, c := range map[string]struct {
		message proto.Message
		json    string
	}{
		"null says nothing": {
			&contract.ExecutionFinished{ExecutionId: executionID, Outcome: "completed", Summary: structpb.NewNullValue()},
			heartbeatWith(`"outcome":"passed"`),
		},
		"no kind says nothing": {
			&contract.ExecutionFinished{ExecutionId: executionID, Outcome: "passed", Summary: noKind},
			heartbeatWith(`"outcome":"passed","summary":null`),
		},
		"no kind inside is null": {
			&contract.ExecutionFinished{ExecutionId: executionID, Outcome: "passed", Summary: structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{noKind}})},
			heartbeatWith(`"outcome":"passed","summary":[null]`),
		},
		"minus zero is zero": {
			&contract.ExecutionHeartbeat{ExecutionId: executionID, Progress: proto.Float64(math.Copysign(0, -1))},
			heartbeatWith(`"progress":-0.0`),
		},
		"a large integer": {
			&contract.ExecutionFinished{ExecutionId: executionID, Outcome: "passed", Summary: structpb.NewNumberValue(1e20)},
			heartbeatWith(`"outcome":"passed","summary":1e20`),
		},
	} {
		typ, err := event.TypeOf(c.message)
		if err != nil {
			t.Fatal(err)
		}
		want := mustDecode(t, d, dataOf(typ, executionID, c.json))
		if diff := cmp.Diff(want, mustDecode(t, d, protobuf(t, c.message))); diff != "" {
			t.Errorf("%s (-json +protobuf):\n%s", name, diff)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	i := event.Interruption{
		Source: "/tcda/a", ExecutionID: executionID, Run: 3, RunID: "r", Time: sampleTime,
		Statement: execution.Interrupted{Cause: execution.CauseSuperseded, RealEvents: 17, SupersededBy: 4},
	}
	one := event.NewInterrupted(i)
	two := event.NewInterrupted(i)
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("the same finding, made twice, differs:\n%s", diff)
	}
	if one.ID != "interrupted:3:17:superseded" || one.Type != fact.TypeInterrupted || one.ExecutionID() != executionID || one.RunID != "r" {
		t.Errorf("unexpected envelope: %+v", one.Header)
	}
	const data = `{"execution_id":"exec-market-crash-001","cause":"superseded","real_events":17,"superseded_by":4}`
	if string(one.Data) != data {
		t.Errorf("data is %s, want %s", one.Data, data)
	}
	restored, err := event.RestoreExecution(one.Type, one.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(execution.Payload(&i.Statement), restored); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	i.Statement.RealEvents++
	other := event.NewInterrupted(i)
	if other.Key == one.Key || other.Digest == one.Digest {
		t.Error("another finding has the same key or digest")
	}
}

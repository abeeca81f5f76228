package event_test

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// protobuf is a record whose data is m in protobuf, with raw bytes behind it.
func protobuf(t testing.TB, m proto.Message, raw ...byte) kafkarecord.Record {
	t.Helper()
	typ, err := event.TypeOf(m)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return binary(string(data)+string(raw), "ce_type="+string(typ), "content-type=application/protobuf")
}

func TestRejectsProtobuf(t *testing.T) {
	t.Parallel()
	runRejects(t, protobufRejects(t))
}

// protobufRejects are flaws of data in protobuf.
func protobufRejects(t testing.TB) []rejectCase {
	t.Helper()
	heartbeat := func(state *structpb.Value) *contract.ExecutionHeartbeat {
		return &contract.ExecutionHeartbeat{
			ExecutionId: executionID,
			SystemState: &structpb.Struct{Fields: map[string]*structpb.Value{"a": state}},
		}
	}
	list := func(n int) *structpb.Value {
		v := structpb.NewNullValue()
		for range n {
			v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
		}
		return v
	}
	flags, objects := &structpb.ListValue{}, &structpb.ListValue{}
	for range 10_000 {
		flags.Values = append(flags.Values, structpb.NewBoolValue(true))
	}
	for range 5_000 {
		objects.Values = append(objects.Values, structpb.NewStructValue(&structpb.Struct{}))
	}
	step := func(change func(*contract.ExecutionStepFinished)) *contract.ExecutionStepFinished {
		m := &contract.ExecutionStepFinished{ExecutionId: executionID, StepId: "s", Kind: "wait", Status: "passed"}
		change(m)
		return m
	}
	lines := &contract.ExecutionLogAppended{ExecutionId: executionID}
	for range 1001 {
		lines.Lines = append(lines.Lines, &contract.LogLine{Message: "x"})
	}
	return []rejectCase{
		{"broken UTF-8", protobuf(t, heartbeat(nil), 0x1a, 2, 0xff, 0xfe), fact.ReasonUTF8, "data"},
		{"cut off", protobuf(t, heartbeat(nil), 0x1a, 200), fact.ReasonEncoding, "data"},
		{"NUL in a text", protobuf(t, &contract.ExecutionHeartbeat{ExecutionId: executionID, Message: "\x00"}), fact.ReasonNUL, "data.message"},
		{"NUL in a free name", protobuf(t, &contract.ExecutionRequested{
			ExecutionId: executionID, ScenarioId: "s", Labels: map[string]string{"a\x00": ""},
		}), fact.ReasonNUL, `data.labels["a\x00"]`},
		{"33 levels", protobuf(t, heartbeat(list(31))), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"4,000 levels", protobuf(t, heartbeat(list(4000))), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"10,000 flags", protobuf(t, heartbeat(structpb.NewListValue(flags))), fact.ReasonTokenLimit, "data"},
		{"5,000 objects", protobuf(t, heartbeat(structpb.NewListValue(objects))), fact.ReasonTokenLimit, "data.system_state.a[4995]"},
		{"text of 64 KiB and one byte", protobuf(t, heartbeat(structpb.NewStringValue(strings.Repeat("x", 64<<10+1)))), fact.ReasonTooLarge, "data.system_state.a"},
		{
			"half a million empty lines",
			binary(protobufLines(500_000), "ce_type="+string(fact.TypeLogAppended), "content-type=application/protobuf"),
			fact.ReasonLimit, "data.lines",
		},
		{"300,000 empty members", protobuf(t, heartbeat(nil), manyMembers()...), fact.ReasonTokenLimit, "data"},
		{"1,001 lines", protobuf(t, lines), fact.ReasonLimit, "data.lines"},

		{"NaN in free JSON", protobuf(t, heartbeat(structpb.NewNumberValue(math.NaN()))), fact.ReasonNumber, "data.system_state.a"},
		{"infinite double", protobuf(t, &contract.ExecutionHeartbeat{ExecutionId: executionID, Progress: proto.Float64(math.Inf(1))}), fact.ReasonNumber, "data.progress"},
		{"infinite metric", protobuf(t, &contract.ExecutionSnapshotCaptured{
			ExecutionId: executionID, SnapshotId: "s", Kind: "manual", Metrics: map[string]float64{"m": math.Inf(-1)},
		}), fact.ReasonNumber, "data.metrics.m"},
		{"time with too many nanoseconds", protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{Seconds: 1775044800, Nanos: 1_000_000_000}
		})), fact.ReasonTime, "data.started_at"},
		{"time at the end of int64", protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{Seconds: math.MaxInt64}
		})), fact.ReasonTimeRange, "data.started_at"},
		{"time in 1970", protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{}
		})), fact.ReasonTimeRange, "data.started_at"},
		{"duration beyond time.Duration", protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.Duration = &durationpb.Duration{Seconds: 300_000_000_000}
		})), fact.ReasonRange, "data.duration"},
		{"duration of two signs", protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.Duration = &durationpb.Duration{Seconds: 1, Nanos: -1}
		})), fact.ReasonRange, "data.duration"},
		{"attempt below zero", protobuf(t, step(func(m *contract.ExecutionStepFinished) { m.Attempt = -1 })), fact.ReasonRange, "data.attempt"},
		{"no outcome", protobuf(t, &contract.ExecutionFinished{ExecutionId: executionID}), fact.ReasonSchema, "data.outcome"},
		{"another id", protobuf(t, &contract.ExecutionPaused{ExecutionId: "exec-2"}), fact.ReasonSubjectMismatch, "data.execution_id"},
	}
}

// TestProtobufCalledJSONIsMeasured has a message of half a million lines, in
// two bytes each: it is made neither in the course of reading it nor of telling
// what it is in place of JSON.
func TestProtobufCalledJSONIsMeasured(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	d := newDecoder(t)
	data := protobufLines(500_000)
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

// protobufLines is a log of n empty lines, in protobuf.
func protobufLines(n int) string { return "\x0a\x01a" + strings.Repeat("\x12\x00", n) }

// manyMembers is a field system_state with 300,000 empty entries.
func manyMembers() []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), bytes.Repeat([]byte{0x0a, 0}, 300_000))
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
	one, err := event.NewInterrupted(i)
	if err != nil {
		t.Fatal(err)
	}
	two, err := event.NewInterrupted(i)
	if err != nil {
		t.Fatal(err)
	}
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
	other, err := event.NewInterrupted(i)
	if err != nil {
		t.Fatal(err)
	}
	if other.Key == one.Key || other.Digest == one.Digest {
		t.Error("another finding has the same key or digest")
	}
}

package eventtest

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Protobuf is a record whose data is m in protobuf, with raw bytes behind it.
func Protobuf(t testing.TB, m proto.Message, raw ...byte) kafkarecord.Record {
	t.Helper()
	typ, err := event.TypeOf(m)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return Binary(string(data)+string(raw), "ce_type="+string(typ), "content-type=application/protobuf")
}

// ProtobufRejects are flaws of data in protobuf.
func ProtobufRejects(t testing.TB) []Reject {
	t.Helper()
	heartbeat := func(state *structpb.Value) *contract.ExecutionHeartbeat {
		return &contract.ExecutionHeartbeat{
			ExecutionId: ExecutionID,
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
		m := &contract.ExecutionStepFinished{ExecutionId: ExecutionID, StepId: "s", Kind: "wait", Status: "passed"}
		change(m)
		return m
	}
	lines := &contract.ExecutionLogAppended{ExecutionId: ExecutionID}
	for range 1001 {
		lines.Lines = append(lines.Lines, &contract.LogLine{Message: "x"})
	}
	return []Reject{
		{"broken UTF-8", Protobuf(t, heartbeat(nil), 0x1a, 2, 0xff, 0xfe), fact.ReasonUTF8, "data"},
		{"cut off", Protobuf(t, heartbeat(nil), 0x1a, 200), fact.ReasonEncoding, "data"},
		{"NUL in a text", Protobuf(t, &contract.ExecutionHeartbeat{ExecutionId: ExecutionID, Message: "\x00"}), fact.ReasonNUL, "data.message"},
		{"NUL in a free name", Protobuf(t, &contract.ExecutionRequested{
			ExecutionId: ExecutionID, ScenarioId: "s", Labels: map[string]string{"a\x00": ""},
		}), fact.ReasonNUL, `data.labels["a\x00"]`},
		{"33 levels", Protobuf(t, heartbeat(list(31))), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"4,000 levels", Protobuf(t, heartbeat(list(4000))), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"10,000 flags", Protobuf(t, heartbeat(structpb.NewListValue(flags))), fact.ReasonTokenLimit, "data"},
		{"5,000 objects", Protobuf(t, heartbeat(structpb.NewListValue(objects))), fact.ReasonTokenLimit, "data.system_state.a[4995]"},
		{"text of 64 KiB and one byte", Protobuf(t, heartbeat(structpb.NewStringValue(strings.Repeat("x", 64<<10+1)))), fact.ReasonTooLarge, "data.system_state.a"},
		{
			"half a million empty lines",
			Binary(ProtobufLines(500_000), "ce_type="+string(fact.TypeLogAppended), "content-type=application/protobuf"),
			fact.ReasonLimit, "data.lines",
		},
		{"300,000 empty members", Protobuf(t, heartbeat(nil), manyMembers()...), fact.ReasonTokenLimit, "data"},
		{"1,001 lines", Protobuf(t, lines), fact.ReasonLimit, "data.lines"},

		{"NaN in free JSON", Protobuf(t, heartbeat(structpb.NewNumberValue(math.NaN()))), fact.ReasonNumber, "data.system_state.a"},
		{"infinite double", Protobuf(t, &contract.ExecutionHeartbeat{ExecutionId: ExecutionID, Progress: proto.Float64(math.Inf(1))}), fact.ReasonNumber, "data.progress"},
		{"infinite metric", Protobuf(t, &contract.ExecutionSnapshotCaptured{
			ExecutionId: ExecutionID, SnapshotId: "s", Kind: "manual", Metrics: map[string]float64{"m": math.Inf(-1)},
		}), fact.ReasonNumber, "data.metrics.m"},
		{"time with too many nanoseconds", Protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{Seconds: 1775044800, Nanos: 1_000_000_000}
		})), fact.ReasonTime, "data.started_at"},
		{"time at the end of int64", Protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{Seconds: math.MaxInt64}
		})), fact.ReasonTimeRange, "data.started_at"},
		{"time in 1970", Protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.StartedAt = &timestamppb.Timestamp{}
		})), fact.ReasonTimeRange, "data.started_at"},
		{"duration beyond time.Duration", Protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.Duration = &durationpb.Duration{Seconds: 300_000_000_000}
		})), fact.ReasonRange, "data.duration"},
		{"duration of two signs", Protobuf(t, step(func(m *contract.ExecutionStepFinished) {
			m.Duration = &durationpb.Duration{Seconds: 1, Nanos: -1}
		})), fact.ReasonRange, "data.duration"},
		{"attempt below zero", Protobuf(t, step(func(m *contract.ExecutionStepFinished) { m.Attempt = -1 })), fact.ReasonRange, "data.attempt"},
		{"no outcome", Protobuf(t, &contract.ExecutionFinished{ExecutionId: ExecutionID}), fact.ReasonSchema, "data.outcome"},
		{"another id", Protobuf(t, &contract.ExecutionPaused{ExecutionId: "exec-2"}), fact.ReasonSubjectMismatch, "data.execution_id"},
	}
}

// ProtobufLines is a log of n empty lines, in protobuf.
func ProtobufLines(n int) string { return "\x0a\x01a" + strings.Repeat("\x12\x00", n) }

// manyMembers is a field system_state with 300,000 empty entries.
func manyMembers() []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), bytes.Repeat([]byte{0x0a, 0}, 300_000))
}

package event

import (
	"encoding/binary"
	"math"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Deterministic protobuf: fields by number, entries of maps by key, nothing
// unknown. It is what the library writes today when it is asked to be
// deterministic; it promises those bytes for no other version, and digests are
// stored for ever.

// appendWire appends a message.
func appendWire(b []byte, plan *messagePlan, m reflect.Value) []byte {
	for _, field := range plan.fields {
		value := field.in(m)
		switch {
		case !isSet(value):
		case field.isList:
			for i := range value.Len() {
				b = appendWireField(b, field.number, field, value.Index(i))
			}
		case field.isMap:
			for _, name := range sortedKeys(value) {
				b = protowire.AppendTag(b, field.number, protowire.BytesType)
				entry := len(b)
				b = appendWireText(b, entryName, name.String())
				b = appendWireField(b, entryValue, field, value.MapIndex(name))
				b = prefixLength(b, entry)
			}
		default:
			b = appendWireField(b, field.number, field, value)
		}
	}
	return b
}

// appendWireField appends a single value with its tag.
func appendWireField(b []byte, number protowire.Number, field *fieldPlan, value reflect.Value) []byte {
	switch field.shape {
	case shapeString:
		return appendWireText(b, number, value.String())
	case shapeBool:
		return appendWireInteger(b, number, int64(protowire.EncodeBool(reflect.Indirect(value).Bool()))) //nolint:gosec // 0 or 1
	case shapeInt32, shapeInt64:
		return appendWireInteger(b, number, reflect.Indirect(value).Int())
	case shapeDouble:
		return appendWireDouble(b, number, reflect.Indirect(value).Float())
	default:
	}
	b = protowire.AppendTag(b, number, protowire.BytesType)
	begin := len(b)
	if field.shape == shapeMessage {
		return prefixLength(appendWire(b, field.nested, value.Elem()), begin)
	}
	switch of := value.Interface().(type) {
	case *timestamppb.Timestamp:
		b = appendWireMoment(b, of.GetSeconds(), of.GetNanos())
	case *durationpb.Duration:
		b = appendWireMoment(b, of.GetSeconds(), of.GetNanos())
	case *structpb.Struct:
		b = appendWireObject(b, of)
	case *structpb.Value:
		b = appendWireValue(b, of)
	}
	return prefixLength(b, begin)
}

// appendWireMoment appends what a time or a duration is made of.
func appendWireMoment(b []byte, seconds int64, nanos int32) []byte {
	if seconds != 0 {
		b = appendWireInteger(b, 1, seconds)
	}
	if nanos != 0 {
		b = appendWireInteger(b, 2, int64(nanos))
	}
	return b
}

// Field numbers of an entry of a map, and of google.protobuf.Struct, ListValue
// and Value.
const (
	entryName     = 1
	entryValue    = 2
	objectMembers = 1
	listElements  = 1
	ofNull        = 1
	ofNumber      = 2
	ofText        = 3
	ofBool        = 4
	ofObject      = 5
	ofList        = 6
)

func appendWireObject(b []byte, object *structpb.Struct) []byte {
	var room [16]string
	for _, name := range appendSortedNames(room[:0], object) {
		b = protowire.AppendTag(b, objectMembers, protowire.BytesType)
		entry := len(b)
		b = appendWireText(b, entryName, name)
		b = protowire.AppendTag(b, entryValue, protowire.BytesType)
		value := len(b)
		b = appendWireValue(b, object.GetFields()[name])
		b = prefixLength(b, value)
		b = prefixLength(b, entry)
	}
	return b
}

func appendWireValue(b []byte, value *structpb.Value) []byte {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_NullValue:
		return appendWireInteger(b, ofNull, 0)
	case *structpb.Value_NumberValue:
		return appendWireDouble(b, ofNumber, kind.NumberValue)
	case *structpb.Value_StringValue:
		return appendWireText(b, ofText, kind.StringValue)
	case *structpb.Value_BoolValue:
		return appendWireInteger(b, ofBool, int64(protowire.EncodeBool(kind.BoolValue))) //nolint:gosec // 0 or 1
	case *structpb.Value_StructValue:
		b = protowire.AppendTag(b, ofObject, protowire.BytesType)
		begin := len(b)
		return prefixLength(appendWireObject(b, kind.StructValue), begin)
	case *structpb.Value_ListValue:
		b = protowire.AppendTag(b, ofList, protowire.BytesType)
		begin := len(b)
		for _, element := range kind.ListValue.GetValues() {
			b = protowire.AppendTag(b, listElements, protowire.BytesType)
			begin := len(b)
			b = prefixLength(appendWireValue(b, element), begin)
		}
		return prefixLength(b, begin)
	default:
		return b
	}
}

func appendWireText(b []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func appendWireInteger(b []byte, number protowire.Number, n int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(n)) //nolint:gosec // as protobuf has it
}

func appendWireDouble(b []byte, number protowire.Number, f float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), math.Float64bits(f))
}

// prefixLength puts the length of what begins there before it.
func prefixLength(b []byte, begin int) []byte {
	size := len(b) - begin
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(size)) //nolint:gosec // never negative
	b = append(b, prefix[:n]...)
	copy(b[begin+n:], b[begin:begin+size])
	copy(b[begin:], prefix[:n])
	return b
}

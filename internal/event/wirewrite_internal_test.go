package event

import (
	"bytes"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"
)

// Digests are made of own bytes, which are those that the library writes now:
// any reader of the contract can make them with one.
func TestWireAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.typ.Short(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := k.message.New()
				fill(t, k.plan, m, 0)
				fillFree(t, m)
				want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
				if err != nil {
					t.Fatal(err)
				}
				if got := appendWire(nil, k.plan, structOf(m.Interface())); !bytes.Equal(got, want) {
					t.Fatalf("%v\n got %x\nwant %x", m.Interface(), got, want)
				}
			})
		})
	}
}

// fillFree puts any JSON into the fields that take it.
func fillFree(t *rapid.T, m protoreflect.Message) {
	m.Range(func(desc protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if desc.Kind() != protoreflect.MessageKind || desc.IsMap() {
			return true
		}
		if desc.IsList() {
			for i := range value.List().Len() {
				fillFree(t, value.List().Get(i).Message())
			}
			return true
		}
		switch value.Message().Interface().(type) {
		case *structpb.Struct:
			m.Set(desc, protoreflect.ValueOfMessage(freeObject(t, 3).ProtoReflect()))
		case *structpb.Value:
			m.Set(desc, protoreflect.ValueOfMessage(freeValue(t, 3).ProtoReflect()))
		default:
			fillFree(t, value.Message())
		}
		return true
	})
}

func freeObject(t *rapid.T, depth int) *structpb.Struct {
	object := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for range rapid.IntRange(0, 20).Draw(t, "members") {
		object.Fields[rapid.String().Draw(t, "name")] = freeValue(t, depth-1)
	}
	return object
}

func freeValue(t *rapid.T, depth int) *structpb.Value {
	most := 5
	if depth == 0 {
		most = 3
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return structpb.NewNullValue()
	case 1:
		return structpb.NewNumberValue(rapid.SampledFrom([]float64{0, 1, -1, 0.1, 1 << 53, math.MaxFloat64}).Draw(t, "number"))
	case 2:
		return structpb.NewStringValue(rapid.SampledFrom([]string{"", "a", "é\x00", string(bytes.Repeat([]byte("x"), 127)), string(bytes.Repeat([]byte("x"), 17_000))}).Draw(t, "text"))
	case 3:
		return structpb.NewBoolValue(rapid.Bool().Draw(t, "bool"))
	case 4:
		return structpb.NewStructValue(freeObject(t, depth))
	default:
		list := &structpb.ListValue{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list.Values = append(list.Values, freeValue(t, depth-1))
		}
		return structpb.NewListValue(list)
	}
}

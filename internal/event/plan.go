package event

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// messagePlan is a message's descriptor, prepared for reading and writing: made
// once at start, then only read.
//
// It reaches the fields of a message where they lie in the generated struct, by
// Go's reflection. Protoreflect's way to them took a sixth of all decoding.
type messagePlan struct {
	fields  []*fieldPlan          // by number
	byName  map[string]*fieldPlan // by proto name and by JSON name
	unclear bool                  // it has rules that plainlyMeets does not understand
}

type fieldPlan struct {
	desc       protoreflect.FieldDescriptor
	name       string // as in the .proto file
	number     protowire.Number
	index      int    // in the struct
	bit        uint64 // its place among the fields of the message
	isList     bool
	isMap      bool
	implicit   bool // its zero value and none are the same
	shape      shape
	nested     *messagePlan // for shapeMessage
	definition bool         // has the definition's limit of size
	maxItems   int          // for lists; 0: no limit
	rules      fieldRules
}

// shape is how a single value of the field looks in JSON.
type shape int

const (
	shapeString shape = iota
	shapeBool
	shapeInt32
	shapeInt64
	shapeDouble
	shapeTime
	shapeDuration
	shapeStruct
	shapeValue
	shapeMessage
)

// structOf is a message as a plan takes it. None of its lists has nil elements:
// readers make none.
func structOf(m proto.Message) reflect.Value { return reflect.ValueOf(m).Elem() }

// in is the field of a message. One that its message can tell from zero is a
// pointer there.
func (field *fieldPlan) in(m reflect.Value) reflect.Value { return m.Field(field.index) }

// isSet tells whether a field is given, as far as its message knows.
func isSet(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return value.Len() > 0
	default:
		return !value.IsZero()
	}
}

func newPlan(message protoreflect.MessageType) *messagePlan {
	desc, indices := message.Descriptor(), fieldIndices(message)
	fields := desc.Fields()
	plan := &messagePlan{byName: make(map[string]*fieldPlan, 2*fields.Len()), unclear: hasRules(desc)}
	for i := range fields.Len() {
		desc := fields.Get(i)
		field := &fieldPlan{
			desc:       desc,
			name:       string(desc.Name()),
			number:     desc.Number(),
			index:      indices[desc.Name()],
			bit:        1 << i,
			isList:     desc.IsList(),
			isMap:      desc.IsMap(),
			implicit:   !desc.HasPresence(),
			definition: desc.Name() == "definition",
			rules:      readRules(desc),
		}
		value := desc
		if desc.IsMap() {
			value = desc.MapValue()
		}
		field.shape = shapeOf(value)
		if desc.IsPacked() || field.shape == shapeString && desc.HasPresence() || field.shape == shapeDuration && desc.IsMap() {
			panic("no way to read and write " + string(desc.FullName())) // as shapeOf
		}
		if field.shape == shapeMessage {
			field.nested = newPlan(typeOf(value.Message()))
		}
		if rules, ok := proto.GetExtension(desc.Options(), validate.E_Field).(*validate.FieldRules); ok {
			field.maxItems = int(rules.GetRepeated().GetMaxItems())
		}
		plan.fields = append(plan.fields, field)
		plan.byName[field.name] = field
		plan.byName[desc.JSONName()] = field
	}
	slices.SortFunc(plan.fields, func(a, b *fieldPlan) int { return int(a.number - b.number) })
	return plan
}

// fieldIndices are the places of a message's fields in its struct, whose tags
// have their names. The fields of a oneof are not among them: no event has one.
func fieldIndices(message protoreflect.MessageType) map[protoreflect.Name]int {
	goStruct := structOf(message.New().Interface()).Type()
	indices := make(map[protoreflect.Name]int)
	for i := range goStruct.NumField() {
		for option := range strings.SplitSeq(goStruct.Field(i).Tag.Get("protobuf"), ",") {
			if name, ok := strings.CutPrefix(option, "name="); ok {
				indices[protoreflect.Name(name)] = i
			}
		}
	}
	if have, want := len(indices), message.Descriptor().Fields().Len(); have != want {
		panic(fmt.Sprintf("%d of %d fields found in the struct of %s", have, want, message.Descriptor().FullName()))
	}
	return indices
}

// typeOf is the generated type of a message within a message.
func typeOf(desc protoreflect.MessageDescriptor) protoreflect.MessageType {
	message, err := protoregistry.GlobalTypes.FindMessageByName(desc.FullName())
	if err != nil {
		panic(err) // it is compiled in with the message around it
	}
	return message
}

// shapeOf panics for a kind that no event of the contract has: the .proto
// files are compiled in, so this is found by the first test that runs.
func shapeOf(desc protoreflect.FieldDescriptor) shape {
	switch desc.Kind() {
	case protoreflect.StringKind:
		return shapeString
	case protoreflect.BoolKind:
		return shapeBool
	case protoreflect.Int32Kind:
		return shapeInt32
	case protoreflect.Int64Kind:
		return shapeInt64
	case protoreflect.DoubleKind:
		return shapeDouble
	case protoreflect.MessageKind:
		switch desc.Message().FullName() {
		case "google.protobuf.Timestamp":
			return shapeTime
		case "google.protobuf.Duration":
			return shapeDuration
		case "google.protobuf.Struct":
			return shapeStruct
		case "google.protobuf.Value":
			return shapeValue
		default:
			return shapeMessage
		}
	default:
		panic("no JSON shape for " + string(desc.FullName()))
	}
}

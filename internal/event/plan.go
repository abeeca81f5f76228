package event

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// messagePlan is a message's descriptor, prepared for reading and writing
// JSON: made once at start, then only read.
type messagePlan struct {
	fields  []*fieldPlan          // by number
	byName  map[string]*fieldPlan // by proto name and by JSON name
	unclear bool                  // it has rules that plainlyMeets does not understand
}

type fieldPlan struct {
	desc       protoreflect.FieldDescriptor
	name       string // as in the .proto file
	bit        uint64 // its place among the fields of the message
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

func newPlan(desc protoreflect.MessageDescriptor) *messagePlan {
	fields := desc.Fields()
	plan := &messagePlan{byName: make(map[string]*fieldPlan, 2*fields.Len()), unclear: hasRules(desc)}
	for i := range fields.Len() {
		desc := fields.Get(i)
		field := &fieldPlan{
			desc:       desc,
			name:       string(desc.Name()),
			bit:        1 << i,
			definition: desc.Name() == "definition",
			rules:      readRules(desc),
		}
		value := desc
		if desc.IsMap() {
			value = desc.MapValue()
		}
		field.shape = shapeOf(value)
		if field.shape == shapeMessage {
			field.nested = newPlan(value.Message())
		}
		if rules, ok := proto.GetExtension(desc.Options(), validate.E_Field).(*validate.FieldRules); ok {
			field.maxItems = int(rules.GetRepeated().GetMaxItems())
		}
		plan.fields = append(plan.fields, field)
		plan.byName[field.name] = field
		plan.byName[desc.JSONName()] = field
	}
	return plan
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

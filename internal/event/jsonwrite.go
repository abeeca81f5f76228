package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Canonical JSON: compact, fields in the order of their numbers under their
// proto names, names of free objects sorted, one way to write each number and
// string. protojson is not used, because it varies its output on purpose.

// appendMessage appends a message as an object, without the fields whose name
// is in omit; more is put in as the last member when it is not empty.
func appendMessage(b []byte, plan *messagePlan, m reflect.Value, omit []string, more string) []byte {
	b = append(b, '{')
	first := len(b)
	for _, field := range plan.fields {
		value := field.in(m)
		if !isSet(value) || slices.Contains(omit, field.name) {
			continue
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, field.name...)
		b = append(b, `":`...)
		switch {
		case field.isList:
			b = appendList(b, field, value)
		case field.isMap:
			b = appendMap(b, field, value)
		default:
			b = appendSingle(b, field, value)
		}
	}
	if more != "" {
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(b, more...)
	}
	return append(b, '}')
}

func appendList(b []byte, field *fieldPlan, list reflect.Value) []byte {
	b = append(b, '[')
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSingle(b, field, list.Index(i))
	}
	return append(b, ']')
}

func appendMap(b []byte, field *fieldPlan, entries reflect.Value) []byte {
	b = append(b, '{')
	for i, name := range sortedKeys(entries) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name.String()), ':')
		b = appendSingle(b, field, entries.MapIndex(name))
	}
	return append(b, '}')
}

// sortedKeys are the names of a map's entries.
func sortedKeys(entries reflect.Value) []reflect.Value {
	names := entries.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return names
}

func appendSingle(b []byte, field *fieldPlan, value reflect.Value) []byte {
	switch field.shape {
	case shapeString:
		return appendString(b, value.String())
	case shapeBool:
		return strconv.AppendBool(b, reflect.Indirect(value).Bool())
	case shapeInt32, shapeInt64:
		return strconv.AppendInt(b, reflect.Indirect(value).Int(), 10)
	case shapeDouble:
		return appendDouble(b, reflect.Indirect(value).Float())
	case shapeMessage:
		return appendMessage(b, field.nested, value.Elem(), nil, "")
	default:
	}
	switch of := value.Interface().(type) {
	case *timestamppb.Timestamp:
		return appendTime(b, of.AsTime())
	case *durationpb.Duration:
		return appendDuration(b, of)
	case *structpb.Struct:
		return appendObject(b, of)
	default:
		return appendValue(b, of.(*structpb.Value))
	}
}

func appendValue(b []byte, value *structpb.Value) []byte {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return appendString(b, kind.StringValue)
	case *structpb.Value_NumberValue:
		return appendDouble(b, kind.NumberValue)
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(b, kind.BoolValue)
	case *structpb.Value_StructValue:
		return appendObject(b, kind.StructValue)
	case *structpb.Value_ListValue:
		b = append(b, '[')
		for i, element := range kind.ListValue.GetValues() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, element)
		}
		return append(b, ']')
	default:
		return append(b, "null"...)
	}
}

func appendObject(b []byte, object *structpb.Struct) []byte {
	b = append(b, '{')
	var room [16]string
	for i, name := range appendSortedNames(room[:0], object) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendValue(b, object.GetFields()[name])
	}
	return append(b, '}')
}

// appendSortedNames appends the names of an object's members; most objects have
// room for them with their caller.
func appendSortedNames(names []string, object *structpb.Struct) []string {
	for name := range object.GetFields() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// appendString writes a text. It is valid UTF-8, or its broken bytes become
// U+FFFD, which is all that the ignored error says.
func appendString(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// objectOf is the members as one object, sorted by name; nil when there are none.
func objectOf(members []member) json.RawMessage {
	if len(members) == 0 {
		return nil
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.name), ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

// rawValue is any JSON of a message as the domain holds it; nil when absent.
func rawValue(value *structpb.Value) json.RawMessage {
	if value == nil {
		return nil
	}
	return written(func(b []byte) []byte { return appendValue(b, value) })
}

// rawObject is an object of a message as the domain holds it; nil when absent.
func rawObject(object *structpb.Struct) json.RawMessage {
	if object == nil {
		return nil
	}
	return written(func(b []byte) []byte { return appendObject(b, object) })
}

package event

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// wireReader reads protobuf and holds the message to the limits that
// jsonReader holds JSON to; depth and tokens are those of the same event
// written as JSON. What version 1 does not name is taken out and kept.
type wireReader struct {
	limits    *Limits
	left      int
	maxTokens int
	path      path
	unknown   []member
}

func newWireReader(maxTokens int, limits *Limits) *wireReader {
	return &wireReader{limits: limits, left: maxTokens, maxTokens: maxTokens, path: make(path, 0, 8)}
}

func (r *wireReader) readMessage(data []byte, plan *messagePlan, m proto.Message) *fact.Rejection {
	desc := m.ProtoReflect().Descriptor()
	if rejection := r.measure(data, plan, desc); rejection != nil {
		return rejection
	}
	if err := proto.Unmarshal(data, m); err != nil {
		// The library has no type for this error; both sentences are its own.
		if strings.Contains(err.Error(), "invalid UTF-8") {
			return fact.Reject(fact.ReasonUTF8, "data", "", "valid UTF-8: "+err.Error())
		}
		return fact.Reject(fact.ReasonEncoding, "data", string(data[:min(len(data), 512)]), "protobuf of "+string(desc.FullName())+", as the content type says")
	}
	return r.message(plan, structOf(m), 1)
}

func (r *wireReader) message(plan *messagePlan, m reflect.Value, depth int) *fact.Rejection {
	if rejection := r.enter(depth); rejection != nil {
		return rejection
	}
	r.keepUnknown(m.Addr().Interface().(proto.Message))
	for _, field := range plan.fields {
		value := field.in(m)
		if !isSet(value) {
			continue
		}
		if rejection := r.count(1); rejection != nil {
			return rejection
		}
		r.path.enter(field.name)
		if rejection := r.field(field, value, depth); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return nil
}

func (r *wireReader) field(field *fieldPlan, value reflect.Value, depth int) *fact.Rejection {
	switch {
	case field.isList:
		return r.list(field, value, depth+1)
	case field.isMap:
		return r.mapping(field, value, depth+1)
	case field.shape == shapeValue && isNull(value.Interface().(*structpb.Value)):
		r.keepUnknown(value.Interface().(*structpb.Value))
		value.SetZero() // null says nothing, as in JSON
		return r.count(1)
	case field.shape == shapeDouble:
		f, rejection := r.double(reflect.Indirect(value).Float())
		if rejection == nil {
			reflect.Indirect(value).SetFloat(f)
		}
		return rejection
	default:
		return r.single(field, value, depth)
	}
}

func (r *wireReader) list(field *fieldPlan, list reflect.Value, depth int) *fact.Rejection {
	if rejection := r.enter(depth); rejection != nil {
		return rejection
	}
	if field.maxItems > 0 && list.Len() > field.maxItems {
		return r.tooMany(field.maxItems)
	}
	for i := range list.Len() {
		r.path.element(i)
		if rejection := r.single(field, list.Index(i), depth); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return nil
}

// mapping walks the entries by name: of several faults always the same is
// reported.
func (r *wireReader) mapping(field *fieldPlan, entries reflect.Value, depth int) *fact.Rejection {
	if rejection := r.enter(depth); rejection != nil {
		return rejection
	}
	for _, name := range sortedKeys(entries) {
		r.path.enter(name.String())
		if rejection := r.text(name.String(), r.limits.String); rejection != nil {
			return rejection
		}
		value := entries.MapIndex(name)
		if field.shape == shapeDouble {
			f, rejection := r.double(value.Float())
			if rejection != nil {
				return rejection
			}
			entries.SetMapIndex(name, reflect.ValueOf(f))
		} else if rejection := r.single(field, value, depth); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return nil
}

func (r *wireReader) single(field *fieldPlan, value reflect.Value, depth int) *fact.Rejection {
	switch field.shape {
	case shapeString:
		size := r.limits.String
		if field.definition {
			size = r.limits.Definition
		}
		return r.text(value.String(), size)
	case shapeMessage:
		return r.message(field.nested, value.Elem(), depth+1)
	case shapeBool, shapeInt32, shapeInt64, shapeDouble:
		return r.count(1)
	default:
	}
	switch of := value.Interface().(type) {
	case *structpb.Struct:
		r.keepUnknown(of)
		return r.object(of, depth+1)
	case *structpb.Value:
		return r.value(of, depth)
	case *timestamppb.Timestamp:
		r.keepUnknown(of)
		if flaw := checkTimestamp(of, r.limits); flaw != nil {
			return r.reject(flaw.reason, fmt.Sprintf("%d s, %d ns", of.GetSeconds(), of.GetNanos()), flaw.rule)
		}
	case *durationpb.Duration:
		r.keepUnknown(of)
		if flaw := checkDuration(of); flaw != nil {
			return r.reject(flaw.reason, string(appendDuration(nil, of)), flaw.rule)
		}
	}
	return r.count(1)
}

// value walks any JSON. A value without a kind is null.
func (r *wireReader) value(value *structpb.Value, depth int) *fact.Rejection {
	r.keepUnknown(value)
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return r.text(kind.StringValue, r.limits.String)
	case *structpb.Value_NumberValue:
		f, rejection := r.double(kind.NumberValue)
		kind.NumberValue = f
		return rejection
	case *structpb.Value_BoolValue:
		return r.count(1)
	case *structpb.Value_StructValue:
		r.keepUnknown(kind.StructValue)
		return r.object(kind.StructValue, depth+1)
	case *structpb.Value_ListValue:
		if rejection := r.enter(depth + 1); rejection != nil {
			return rejection
		}
		r.keepUnknown(kind.ListValue)
		for i, element := range kind.ListValue.GetValues() {
			r.path.element(i)
			if rejection := r.value(element, depth+1); rejection != nil {
				return rejection
			}
			r.path.leave()
		}
		return nil
	default:
		value.Kind = &structpb.Value_NullValue{}
		return r.count(1)
	}
}

func (r *wireReader) object(object *structpb.Struct, depth int) *fact.Rejection {
	if rejection := r.enter(depth); rejection != nil {
		return rejection
	}
	var room [16]string
	for _, name := range appendSortedNames(room[:0], object) {
		r.path.enter(name)
		if rejection := r.text(name, r.limits.String); rejection != nil {
			return rejection
		}
		if rejection := r.value(object.GetFields()[name], depth); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return nil
}

func (r *wireReader) text(text string, size int) *fact.Rejection {
	if flaw := checkString(text, size); flaw != nil {
		return r.reject(flaw.reason, text, flaw.rule)
	}
	return r.count(1)
}

// double gives the number as it is kept: minus zero becomes zero, as in JSON.
func (r *wireReader) double(f float64) (float64, *fact.Rejection) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return f, r.reject(fact.ReasonNumber, strconv.FormatFloat(f, 'g', -1, 64), "a number is a finite 64-bit float")
	}
	return f + 0, r.count(1)
}

// enter begins an object or an array, and counts both of its ends.
func (r *wireReader) enter(depth int) *fact.Rejection {
	if depth > r.limits.Depth {
		return r.reject(fact.ReasonDepth, "", "at most "+strconv.Itoa(r.limits.Depth)+" levels of nesting")
	}
	return r.count(2)
}

func (r *wireReader) count(tokens int) *fact.Rejection {
	if r.left -= tokens; r.left < 0 {
		return r.tooManyTokens()
	}
	return nil
}

func (r *wireReader) tooMany(items int) *fact.Rejection {
	return r.reject(fact.ReasonLimit, "", "at most "+strconv.Itoa(items)+" elements")
}

func (r *wireReader) tooManyTokens() *fact.Rejection {
	return r.reject(fact.ReasonTokenLimit, "", "at most "+strconv.Itoa(r.maxTokens)+" JSON tokens")
}

// keepUnknown takes the bytes of unknown fields out of a message.
func (r *wireReader) keepUnknown(of proto.Message) {
	m := of.ProtoReflect()
	unknown := m.GetUnknown()
	if len(unknown) == 0 {
		return
	}
	r.path.enter("protobuf")
	name := r.path.String()
	if last := len(r.unknown) - 1; last >= 0 && r.unknown[last].name == name {
		name += "#2" // of the object or list that the value is: both lie at one place
	}
	r.unknown = append(r.unknown, member{
		name:  name,
		value: appendString(nil, base64.StdEncoding.EncodeToString(unknown)),
	})
	r.path.leave()
	m.SetUnknown(nil)
}

func (r *wireReader) reject(reason fact.Reason, value, rule string) *fact.Rejection {
	return fact.Reject(reason, within("data", r.path.String()), value, rule)
}

func isNull(value *structpb.Value) bool {
	switch value.GetKind().(type) {
	case nil, *structpb.Value_NullValue:
		return true
	default:
		return false
	}
}

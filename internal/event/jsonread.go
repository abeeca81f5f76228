package event

import (
	"reflect"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// readMessage reads the whole text, which must be one object, into m.
func (r *jsonReader) readMessage(plan *messagePlan, m reflect.Value) *fact.Rejection {
	if rejection := r.beginDocument(); rejection != nil {
		return rejection
	}
	if rejection := r.message(plan, m); rejection != nil {
		return rejection
	}
	return r.endDocument()
}

// message reads an object into a message.
func (r *jsonReader) message(plan *messagePlan, m reflect.Value) *fact.Rejection {
	if r.tokens.PeekKind() != '{' {
		return r.mismatch("an object")
	}
	if rejection := r.open(); rejection != nil {
		return rejection
	}
	var seen uint64
	for r.tokens.PeekKind() != '}' {
		raw, rejection := r.scalar()
		if rejection != nil {
			return rejection
		}
		field := plan.byName[string(raw[1:len(raw)-1])]
		if field == nil { // unknown, or known but written with escapes
			name, rejection := r.unquote(raw, r.limits.String)
			if rejection != nil {
				return rejection
			}
			if field = plan.byName[name]; field == nil {
				if rejection := r.keepUnknown(name); rejection != nil {
					return rejection
				}
				continue
			}
		}
		r.path.enter(field.name)
		if seen&field.bit != 0 {
			return r.reject(fact.ReasonDuplicateKey, field.name, "a field given once, as "+field.name+" or as "+field.desc.JSONName())
		}
		seen |= field.bit
		if rejection := r.field(field, field.in(m)); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return r.close()
}

// field reads the value of a field into its place.
func (r *jsonReader) field(field *fieldPlan, to reflect.Value) *fact.Rejection {
	switch {
	case r.tokens.PeekKind() == 'n': // null says nothing, as in proto JSON
		_, rejection := r.scalar()
		return rejection
	case field.isList:
		return r.list(field, to)
	case field.isMap:
		return r.mapping(field, to)
	default:
		return r.single(field, to)
	}
}

func (r *jsonReader) list(field *fieldPlan, list reflect.Value) *fact.Rejection {
	if r.tokens.PeekKind() != '[' {
		return r.mismatch("an array")
	}
	if rejection := r.open(); rejection != nil {
		return rejection
	}
	for i := 0; r.tokens.PeekKind() != ']'; i++ {
		if field.maxItems > 0 && i == field.maxItems {
			return r.reject(fact.ReasonLimit, "", "at most "+strconv.Itoa(field.maxItems)+" elements")
		}
		r.path.element(i)
		list.Grow(1)
		list.SetLen(i + 1)
		if rejection := r.single(field, list.Index(i)); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return r.close()
}

func (r *jsonReader) mapping(field *fieldPlan, entries reflect.Value) *fact.Rejection {
	if r.tokens.PeekKind() != '{' {
		return r.mismatch("an object")
	}
	if rejection := r.open(); rejection != nil {
		return rejection
	}
	entries.Set(reflect.MakeMap(entries.Type()))
	value := reflect.New(entries.Type().Elem()).Elem()
	for r.tokens.PeekKind() != '}' {
		name, rejection := r.name()
		if rejection != nil {
			return rejection
		}
		r.path.enter(name)
		if rejection := r.single(field, value); rejection != nil {
			return rejection
		}
		entries.SetMapIndex(reflect.ValueOf(name), value)
		r.path.leave()
	}
	return r.close()
}

// single reads one value into its place: the field itself, or an element.
func (r *jsonReader) single(field *fieldPlan, to reflect.Value) *fact.Rejection {
	switch field.shape {
	case shapeMessage:
		m := reflect.New(to.Type().Elem())
		to.Set(m)
		return r.message(field.nested, m.Elem())
	case shapeValue:
		value, rejection := r.value()
		to.Set(reflect.ValueOf(value))
		return rejection
	case shapeStruct:
		if r.tokens.PeekKind() != '{' {
			return r.mismatch("an object")
		}
		object, rejection := r.object()
		to.Set(reflect.ValueOf(object))
		return rejection
	default:
	}

	raw, rejection := r.scalar()
	if rejection != nil {
		return rejection
	}
	if field.shape == shapeBool {
		if kind := raw.Kind(); kind != 't' && kind != 'f' {
			return r.reject(fact.ReasonSchema, string(raw), "true or false")
		}
		target(to).SetBool(raw.Kind() == 't')
		return nil
	}
	number := field.shape == shapeDouble || field.shape == shapeInt32 || field.shape == shapeInt64
	if number && raw.Kind() == '0' {
		return r.number(field, string(raw), target(to))
	}
	if raw.Kind() != '"' {
		return r.reject(fact.ReasonSchema, string(raw), wanted(field.shape))
	}
	size := r.limits.String
	if field.definition {
		size = r.limits.Definition
	}
	text, rejection := r.unquote(raw, size)
	if rejection != nil {
		return rejection
	}
	switch field.shape {
	case shapeString:
		to.SetString(text)
	case shapeTime:
		t, flaw := parseTime(text, r.limits)
		if flaw != nil {
			return r.reject(flaw.reason, text, flaw.rule)
		}
		to.Set(reflect.ValueOf(timestamppb.New(t)))
	case shapeDuration:
		d, flaw := parseDuration(text)
		if flaw != nil {
			return r.reject(flaw.reason, text, flaw.rule)
		}
		to.Set(reflect.ValueOf(d))
	default:
		if !isNumber(text) {
			return r.reject(fact.ReasonSchema, text, wanted(field.shape))
		}
		return r.number(field, text, target(to))
	}
	return nil
}

// target is where a scalar is kept; what its message can tell from zero is
// behind a pointer.
func target(of reflect.Value) reflect.Value {
	if of.Kind() != reflect.Pointer {
		return of
	}
	if of.IsNil() {
		of.Set(reflect.New(of.Type().Elem()))
	}
	return of.Elem()
}

func (r *jsonReader) number(field *fieldPlan, text string, to reflect.Value) *fact.Rejection {
	var wrong *flaw
	switch field.shape {
	case shapeDouble:
		var f float64
		f, wrong = parseDouble(text, r.limits)
		to.SetFloat(f)
	case shapeInt32:
		var n int64
		n, wrong = parseInteger(text, 32, r.limits)
		to.SetInt(n)
	default:
		var n int64
		n, wrong = parseInteger(text, 64, r.limits)
		to.SetInt(n)
	}
	if wrong != nil {
		return r.reject(wrong.reason, text, wrong.rule)
	}
	return nil
}

func wanted(s shape) string {
	switch s {
	case shapeString:
		return "a string"
	case shapeTime:
		return "a time of RFC 3339, as a string"
	case shapeDuration:
		return durationRule
	case shapeInt32, shapeInt64:
		return "an integer"
	default:
		return "a number"
	}
}

// value reads any JSON.
func (r *jsonReader) value() (*structpb.Value, *fact.Rejection) {
	switch kind := r.tokens.PeekKind(); kind {
	case '{':
		object, rejection := r.object()
		return structpb.NewStructValue(object), rejection
	case '[':
		if rejection := r.open(); rejection != nil {
			return nil, rejection
		}
		list := &structpb.ListValue{}
		for i := 0; r.tokens.PeekKind() != ']'; i++ {
			r.path.element(i)
			value, rejection := r.value()
			if rejection != nil {
				return nil, rejection
			}
			list.Values = append(list.Values, value)
			r.path.leave()
		}
		return structpb.NewListValue(list), r.close()
	default:
	}
	raw, rejection := r.scalar()
	if rejection != nil {
		return nil, rejection
	}
	switch raw.Kind() {
	case '"':
		text, rejection := r.unquote(raw, r.limits.String)
		return structpb.NewStringValue(text), rejection
	case '0':
		f, flaw := parseDouble(string(raw), r.limits)
		if flaw != nil {
			return nil, r.reject(flaw.reason, string(raw), flaw.rule)
		}
		return structpb.NewNumberValue(f), nil
	case 't', 'f':
		return structpb.NewBoolValue(raw.Kind() == 't'), nil
	default:
		return structpb.NewNullValue(), nil
	}
}

func (r *jsonReader) object() (*structpb.Struct, *fact.Rejection) {
	if rejection := r.open(); rejection != nil {
		return nil, rejection
	}
	object := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for r.tokens.PeekKind() != '}' {
		name, rejection := r.name()
		if rejection != nil {
			return nil, rejection
		}
		r.path.enter(name)
		value, rejection := r.value()
		if rejection != nil {
			return nil, rejection
		}
		object.Fields[name] = value
		r.path.leave()
	}
	return object, r.close()
}

// keepUnknown reads the value of a member that version 1 does not name; it
// meets the same limits as the rest.
func (r *jsonReader) keepUnknown(name string) *fact.Rejection {
	r.path.enter(name)
	value, rejection := r.value()
	if rejection != nil {
		return rejection
	}
	r.unknown = append(r.unknown, member{name: r.path.String(), value: appendValue(nil, value)})
	r.path.leave()
	return nil
}

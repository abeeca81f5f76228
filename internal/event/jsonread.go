package event

import (
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// readMessage reads the whole text, which must be one object, into m.
func (r *jsonReader) readMessage(plan *messagePlan, m protoreflect.Message) *fact.Rejection {
	if rejection := r.beginDocument(); rejection != nil {
		return rejection
	}
	if rejection := r.message(plan, m); rejection != nil {
		return rejection
	}
	return r.endDocument()
}

// message reads an object into a message.
func (r *jsonReader) message(plan *messagePlan, m protoreflect.Message) *fact.Rejection {
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
		if rejection := r.field(field, m); rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return r.close()
}

func (r *jsonReader) field(field *fieldPlan, m protoreflect.Message) *fact.Rejection {
	switch {
	case r.tokens.PeekKind() == 'n': // null says nothing, as in proto JSON
		_, rejection := r.scalar()
		return rejection
	case field.desc.IsList():
		return r.list(field, m.Mutable(field.desc).List())
	case field.desc.IsMap():
		return r.mapping(field, m.Mutable(field.desc).Map())
	case field.shape == shapeMessage:
		return r.message(field.nested, m.Mutable(field.desc).Message())
	default:
		value, rejection := r.single(field)
		if rejection == nil {
			m.Set(field.desc, value)
		}
		return rejection
	}
}

func (r *jsonReader) list(field *fieldPlan, list protoreflect.List) *fact.Rejection {
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
		var rejection *fact.Rejection
		if field.shape == shapeMessage {
			rejection = r.message(field.nested, list.AppendMutable().Message())
		} else {
			var value protoreflect.Value
			if value, rejection = r.single(field); rejection == nil {
				list.Append(value)
			}
		}
		if rejection != nil {
			return rejection
		}
		r.path.leave()
	}
	return r.close()
}

func (r *jsonReader) mapping(field *fieldPlan, entries protoreflect.Map) *fact.Rejection {
	if r.tokens.PeekKind() != '{' {
		return r.mismatch("an object")
	}
	if rejection := r.open(); rejection != nil {
		return rejection
	}
	for r.tokens.PeekKind() != '}' {
		name, rejection := r.name()
		if rejection != nil {
			return rejection
		}
		r.path.enter(name)
		value, rejection := r.single(field)
		if rejection != nil {
			return rejection
		}
		entries.Set(protoreflect.ValueOfString(name).MapKey(), value)
		r.path.leave()
	}
	return r.close()
}

// single reads one value that is not a message of the contract.
func (r *jsonReader) single(field *fieldPlan) (protoreflect.Value, *fact.Rejection) {
	switch field.shape {
	case shapeValue:
		value, rejection := r.value()
		return protoreflect.ValueOfMessage(value.ProtoReflect()), rejection
	case shapeStruct:
		if r.tokens.PeekKind() != '{' {
			return protoreflect.Value{}, r.mismatch("an object")
		}
		object, rejection := r.object()
		return protoreflect.ValueOfMessage(object.ProtoReflect()), rejection
	default:
	}

	raw, rejection := r.scalar()
	if rejection != nil {
		return protoreflect.Value{}, rejection
	}
	if field.shape == shapeBool {
		if kind := raw.Kind(); kind != 't' && kind != 'f' {
			return protoreflect.Value{}, r.reject(fact.ReasonSchema, string(raw), "true or false")
		}
		return protoreflect.ValueOfBool(raw.Kind() == 't'), nil
	}
	number := field.shape == shapeDouble || field.shape == shapeInt32 || field.shape == shapeInt64
	if number && raw.Kind() == '0' {
		return r.number(field, string(raw))
	}
	if raw.Kind() != '"' {
		return protoreflect.Value{}, r.reject(fact.ReasonSchema, string(raw), wanted(field.shape))
	}
	size := r.limits.String
	if field.definition {
		size = r.limits.Definition
	}
	text, rejection := r.unquote(raw, size)
	if rejection != nil {
		return protoreflect.Value{}, rejection
	}
	switch field.shape {
	case shapeString:
		return protoreflect.ValueOfString(text), nil
	case shapeTime:
		t, flaw := parseTime(text, r.limits)
		if flaw != nil {
			return protoreflect.Value{}, r.reject(flaw.reason, text, flaw.rule)
		}
		return protoreflect.ValueOfMessage(timestamppb.New(t).ProtoReflect()), nil
	case shapeDuration:
		d, flaw := parseDuration(text)
		if flaw != nil {
			return protoreflect.Value{}, r.reject(flaw.reason, text, flaw.rule)
		}
		return protoreflect.ValueOfMessage(d.ProtoReflect()), nil
	default:
		if !isNumber(text) {
			return protoreflect.Value{}, r.reject(fact.ReasonSchema, text, wanted(field.shape))
		}
		return r.number(field, text)
	}
}

func (r *jsonReader) number(field *fieldPlan, text string) (protoreflect.Value, *fact.Rejection) {
	var value protoreflect.Value
	var wrong *flaw
	switch field.shape {
	case shapeDouble:
		var f float64
		f, wrong = parseDouble(text, r.limits)
		value = protoreflect.ValueOfFloat64(f)
	case shapeInt32:
		var n int64
		n, wrong = parseInteger(text, 32, r.limits)
		value = protoreflect.ValueOfInt32(int32(n))
	default:
		var n int64
		n, wrong = parseInteger(text, 64, r.limits)
		value = protoreflect.ValueOfInt64(n)
	}
	if wrong != nil {
		return value, r.reject(wrong.reason, text, wrong.rule)
	}
	return value, nil
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

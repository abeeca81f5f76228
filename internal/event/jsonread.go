package event

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// jsonReader reads one JSON value into a generated message, in one pass that
// also checks what a lenient reader lets through: names given twice (in either
// spelling), lone surrogates, NUL, depth, numbers, sizes.
type jsonReader struct {
	limits    *Limits
	text      []byte
	tokens    *jsontext.Decoder
	left      int // tokens that are still allowed
	maxTokens int
	root      string // what path begins at: "data", or empty for an envelope
	path      path
	unknown   []member
}

// member is one member of a JSON object whose value is canonical JSON.
type member struct {
	name  string
	value []byte
}

func newJSONReader(text []byte, root string, maxTokens int, limits *Limits) *jsonReader {
	return &jsonReader{
		limits:    limits,
		text:      text,
		tokens:    jsontext.NewDecoder(bytes.NewBuffer(text)),
		left:      maxTokens,
		maxTokens: maxTokens,
		root:      root,
		path:      make(path, 0, 8),
	}
}

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

// beginDocument looks at the bytes before the first token is read.
func (r *jsonReader) beginDocument() *fact.Rejection {
	if rejection := checkText(r.text, r.root); rejection != nil {
		return rejection
	}
	switch kind := r.tokens.PeekKind(); kind {
	case '{':
		return nil
	case jsontext.KindInvalid:
		_, err := r.tokens.ReadToken()
		return r.syntax(err)
	default:
		return fact.Reject(fact.ReasonNotObject, r.root, string(r.text[:min(len(r.text), 512)]), "a JSON object")
	}
}

func (r *jsonReader) endDocument() *fact.Rejection {
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return fact.Reject(fact.ReasonJSON, r.root, string(r.text[r.tokens.InputOffset():]), "one JSON document and nothing behind it")
	}
	return nil
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

func (r *jsonReader) name() (string, *fact.Rejection) {
	raw, rejection := r.scalar()
	if rejection != nil {
		return "", rejection
	}
	return r.unquote(raw, r.limits.String)
}

// scalar reads a name, a string, a number or a literal, as it is written.
func (r *jsonReader) scalar() (jsontext.Value, *fact.Rejection) {
	if rejection := r.count(); rejection != nil {
		return nil, rejection
	}
	raw, err := r.tokens.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	return raw, nil
}

func (r *jsonReader) open() *fact.Rejection {
	if rejection := r.count(); rejection != nil {
		return rejection
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	if r.tokens.StackDepth() > r.limits.Depth {
		return r.reject(fact.ReasonDepth, "", "at most "+strconv.Itoa(r.limits.Depth)+" levels of nesting")
	}
	return nil
}

func (r *jsonReader) close() *fact.Rejection {
	if rejection := r.count(); rejection != nil {
		return rejection
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return nil
}

func (r *jsonReader) count() *fact.Rejection {
	if r.left--; r.left < 0 {
		return r.reject(fact.ReasonTokenLimit, "", "at most "+strconv.Itoa(r.maxTokens)+" JSON tokens")
	}
	return nil
}

// unquote gives the text of a JSON string of at most size bytes.
func (r *jsonReader) unquote(raw jsontext.Value, size int) (string, *fact.Rejection) {
	text := string(raw[1 : len(raw)-1])
	if strings.IndexByte(text, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw)
		if err != nil {
			return "", r.syntax(err)
		}
		text = string(unquoted)
	}
	if rejection := checkString(text, size); rejection != nil {
		return "", r.reject(rejection.reason, text, rejection.rule)
	}
	return text, nil
}

// checkString holds a text that is valid UTF-8 to the rules of every text.
func checkString(text string, size int) *flaw {
	if len(text) > size {
		return &flaw{fact.ReasonTooLarge, "a text of at most " + strconv.Itoa(size) + " bytes"}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return &flaw{fact.ReasonNUL, "text without the character NUL"}
	}
	return nil
}

// mismatch rejects the next value, which is not of the wanted form.
func (r *jsonReader) mismatch(want string) *fact.Rejection {
	at := r.tokens.InputOffset()
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	value := strings.TrimLeft(string(r.text[at:r.tokens.InputOffset()]), " \t\r\n:,")
	return r.reject(fact.ReasonSchema, value, want)
}

func (r *jsonReader) reject(reason fact.Reason, value, rule string) *fact.Rejection {
	return fact.Reject(reason, within(r.root, r.path.String()), value, rule)
}

// within joins the name of the whole and a path in it.
func within(root, path string) string {
	switch {
	case root == "" || path == "":
		return root + path
	case path[0] == '[':
		return root + path
	default:
		return root + "." + path
	}
}

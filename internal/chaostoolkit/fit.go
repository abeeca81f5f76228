package chaostoolkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/types/known/structpb"
)

// What is kept of an activity's output and arguments. The contract allows 64 KiB
// a text, 32 levels, 10,000 tokens and 1 MiB a record; these leave room for the
// rest of the event, in which a value may stand twice.
const (
	textBytes   = 60 << 10
	valueBytes  = 200 << 10
	valueDepth  = 24
	valueTokens = 3000
	nameBytes   = 1 << 10 // of what stands in lists: titles, services, types
)

// text makes a text fit: valid UTF-8 without NUL, at most so many bytes. What is
// cut says so at its end.
func text(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= most {
		return s
	}
	note := fmt.Sprintf(" [cut: %d bytes in all]", len(s))
	s = s[:most-len(note)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + note
}

// shownAs is a JSON value as text: a text as it is, anything else as compact JSON.
func shownAs(v json.RawMessage) string {
	if !present(v) {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return text(s, textBytes)
	}
	return text(compact(v), textBytes)
}

func compact(v json.RawMessage) string {
	c := jsontext.Value(bytes.Clone(v))
	if err := c.Compact(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)); err != nil {
		return string(v)
	}
	return string(c)
}

// value is a JSON value as the contract takes it. One that is too large or too
// deep, or has a number that a double does not hold, is kept as its JSON text,
// cut; whole tells which.
func value(v json.RawMessage) (out *structpb.Value, whole bool) {
	if !present(v) {
		return structpb.NewNullValue(), true
	}
	if len(v) <= valueBytes {
		d := json.NewDecoder(bytes.NewReader(v))
		d.UseNumber()
		var tree any
		budget := valueTokens
		if d.Decode(&tree) == nil {
			if out, ok := fit(tree, valueDepth, &budget); ok {
				return out, true
			}
		}
	}
	return structpb.NewStringValue(text(compact(v), textBytes)), false
}

func fit(tree any, depth int, budget *int) (*structpb.Value, bool) {
	if *budget--; *budget < 0 || depth < 0 {
		return nil, false
	}
	switch v := tree.(type) {
	case nil:
		return structpb.NewNullValue(), true
	case bool:
		return structpb.NewBoolValue(v), true
	case json.Number:
		n, err := v.Float64()
		const most = 1<<53 - 1
		if err != nil || math.IsInf(n, 0) || (n == math.Trunc(n) && math.Abs(n) > most) {
			return nil, false
		}
		return structpb.NewNumberValue(n), true
	case string:
		s := text(v, textBytes)
		return structpb.NewStringValue(s), len(v) <= textBytes
	case []any:
		*budget--
		list := &structpb.ListValue{Values: make([]*structpb.Value, len(v))}
		for i := range v {
			var ok bool
			if list.Values[i], ok = fit(v[i], depth-1, budget); !ok {
				return nil, false
			}
		}
		return structpb.NewListValue(list), true
	case map[string]any:
		*budget--
		object := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(v))}
		for name, member := range v {
			*budget--
			name = text(name, nameBytes)
			if _, taken := object.Fields[name]; taken {
				return nil, false
			}
			var ok bool
			if object.Fields[name], ok = fit(member, depth-1, budget); !ok {
				return nil, false
			}
		}
		return structpb.NewStructValue(object), true
	}
	return nil, false
}

// member puts a value under a name; one that is kept as its JSON text stands
// under name + "_json".
func member(into *structpb.Struct, name string, v json.RawMessage) {
	fitted, whole := value(v)
	if !whole {
		name += "_json"
	}
	into.Fields[name] = fitted
}

// arguments are those of an activity as an object. Those of a process may be a
// text or an array: they stand under "arguments".
func arguments(p *Provider) *structpb.Struct {
	if !present(p.Arguments) {
		return nil
	}
	if fitted, whole := value(p.Arguments); whole && fitted.GetStructValue() != nil {
		return fitted.GetStructValue()
	}
	out := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	member(out, "arguments", p.Arguments)
	return out
}

package scenario

import (
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// ParameterType is the type of a template's parameter.
type ParameterType string

// The types of parameters.
const (
	TypeString   ParameterType = "string"
	TypeEnum     ParameterType = "enum"
	TypeInt      ParameterType = "int"
	TypeFloat    ParameterType = "float"
	TypeBool     ParameterType = "bool"
	TypeDuration ParameterType = "duration" // a Go duration such as 36h or 1h30m

	// typeAny is what a document that extends another can say about a name
	// that only its base declares.
	typeAny ParameterType = ""
)

// ParameterTypes is the closed list.
func ParameterTypes() []ParameterType {
	return []ParameterType{TypeString, TypeEnum, TypeInt, TypeFloat, TypeBool, TypeDuration}
}

func (t ParameterType) ordered() bool {
	return t == TypeInt || t == TypeFloat || t == TypeDuration
}

// Value is a typed value: of a parameter, of a variable, or of an expression
// over them. In a template that has not been instantiated the type of a value
// is known before the value is.
type Value struct {
	typ   ParameterType
	known bool
	text  string // as written, or as computed

	number   float64 // TypeInt and TypeFloat
	integer  int64   // TypeInt
	duration time.Duration
}

// Type is the value's type.
func (v Value) Type() ParameterType { return v.typ }

// String is the value as it was written.
func (v Value) String() string { return v.text }

// unknown is a value of which only the type is known.
func unknown(t ParameterType) Value { return Value{typ: t} }

func intValue(i int64) Value {
	return Value{typ: TypeInt, known: true, text: strconv.FormatInt(i, 10), integer: i, number: float64(i)}
}

func floatValue(f float64) Value {
	return Value{typ: TypeFloat, known: true, text: strconv.FormatFloat(f, 'g', -1, 64), number: f}
}

func durationValue(d time.Duration) Value {
	return Value{typ: TypeDuration, known: true, text: formatDuration(d), duration: d}
}

func textValue(s string) Value { return Value{typ: TypeString, known: true, text: s} }

// valueOf is the value of a vetted scalar. A text that reads as a duration is
// one.
func valueOf(n *yaml.Node) Value {
	switch n.Tag {
	case tagInt:
		i, _ := parseInt(n.Value)
		return intValue(i)
	case tagFloat:
		f, _ := parseFloat(n.Value)
		v := floatValue(f)
		v.text = n.Value
		return v
	case tagBool:
		return Value{typ: TypeBool, known: true, text: strconv.FormatBool(isTrue(n.Value))}
	}
	v := textValue(n.Value)
	if d, err := time.ParseDuration(n.Value); err == nil {
		v.typ, v.duration = TypeDuration, d
	}
	return v
}

// typedValue is the value of a vetted scalar as one of type t; false when it
// is not of that type. An integer is a float, too, and anything is a word of
// an enumeration.
func typedValue(t ParameterType, n *yaml.Node) (Value, bool) {
	v := valueOf(n)
	text := n.Tag == tagString || n.Tag == tagTimestamp
	switch {
	case t == TypeString:
		return textValue(n.Value), text
	case t == TypeEnum:
		v = textValue(n.Value)
		v.typ = TypeEnum
	case t == TypeFloat && v.typ == TypeInt:
		v.typ = TypeFloat
	}
	return v, v.typ == t
}

// less compares two values of one ordered type.
func (v Value) less(w Value) bool {
	switch v.typ {
	case TypeDuration:
		return v.duration < w.duration
	case TypeInt:
		return v.integer < w.integer
	default:
		return v.number < w.number
	}
}

// node is the scalar that stands for a known value in a document.
func (v Value) node(line, column int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tagString, Value: v.text, Line: line, Column: column}
	if v.typ == TypeBool {
		n.Tag = tagBool
	}
	if v.typ == TypeInt || v.typ == TypeFloat {
		n.Tag = tagFloat
		if _, ok := parseInt(v.text); ok { // a float such as 3 is written like an integer
			n.Tag = tagInt
		}
	}
	return n
}

// combine is v + w, or v - w: of two durations or of two numbers, where an
// integer with a float is a float. Otherwise it says what is wrong.
func combine(v Value, minus bool, w Value) (sum Value, wrong string) {
	if v.typ == typeAny || w.typ == typeAny {
		return unknown(typeAny), ""
	}
	numbers := (v.typ == TypeInt || v.typ == TypeFloat) && (w.typ == TypeInt || w.typ == TypeFloat)
	durations := v.typ == TypeDuration && w.typ == TypeDuration
	if !numbers && !durations {
		return Value{}, "+ and - take two durations or two numbers, not " + string(v.typ) + " and " + string(w.typ)
	}
	t := v.typ
	if numbers && w.typ == TypeFloat {
		t = TypeFloat
	}
	if !v.known || !w.known {
		return unknown(t), ""
	}
	switch t {
	case TypeInt:
		i, j := v.integer, w.integer
		if minus {
			j = -j
		}
		if sum := i + j; sum >= -maxInteger && sum <= maxInteger { // neither exceeds 2^53, so the sum fits
			return intValue(sum), ""
		}
		return Value{}, "the result leaves ±(2^53-1)"
	case TypeFloat:
		f, g := v.number, w.number
		if minus {
			g = -g
		}
		if sum := f + g; !math.IsInf(sum, 0) {
			return floatValue(sum), ""
		}
		return Value{}, "the result is not finite"
	default:
		d, e := v.duration, w.duration
		if minus {
			if e == math.MinInt64 {
				return Value{}, "the result is too long for a duration"
			}
			e = -e
		}
		if sum := d + e; (sum > d) == (e > 0) {
			return durationValue(sum), ""
		}
		return Value{}, "the result is too long for a duration"
	}
}

// formatDuration is d as people write it: 36h rather than 36h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

package event

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The rules of the .proto files are protovalidate's to judge. Asking it was a
// tenth of all work, for messages that nearly always meet them; so those that
// plainly do are told here, by the same rules, and only others are asked about.
// A rule that is not understood here makes a message one of the others.

// fieldRules is what the .proto file demands of a field, as far as it is
// understood.
type fieldRules struct {
	required   bool
	ignoreZero bool
	unclear    bool // there is a rule that is not understood
	value      func(reflect.Value) bool
	element    func(reflect.Value) bool // of a list's elements and a map's values
}

// plainlyMeets tells whether the message meets the rules beyond doubt. False
// means that protovalidate must say.
func (plan *messagePlan) plainlyMeets(m reflect.Value) bool {
	if plan.unclear {
		return false
	}
	for _, field := range plan.fields {
		if !field.plainlyMeets(field.in(m)) {
			return false
		}
	}
	return true
}

func (field *fieldPlan) plainlyMeets(value reflect.Value) bool {
	rules := &field.rules
	if rules.unclear {
		return false
	}
	if !isSet(value) {
		switch {
		case rules.required:
			return false
		case rules.ignoreZero, !field.implicit:
			return true
		}
	}
	if rules.value != nil && !rules.value(reflect.Indirect(value)) {
		return false
	}
	switch {
	case rules.element == nil && field.nested == nil:
		return true
	case field.isList:
		for i := range value.Len() {
			if !field.elementMeets(value.Index(i)) {
				return false
			}
		}
		return true
	case field.isMap:
		for entries := value.MapRange(); entries.Next(); {
			if !field.elementMeets(entries.Value()) {
				return false
			}
		}
		return true
	default:
		return field.nested.plainlyMeets(value.Elem())
	}
}

func (field *fieldPlan) elementMeets(value reflect.Value) bool {
	if element := field.rules.element; element != nil && !element(value) {
		return false
	}
	return field.nested == nil || field.nested.plainlyMeets(value.Elem())
}

// hasRules tells whether a message has rules of its own, beyond its fields'.
func hasRules(desc protoreflect.MessageDescriptor) bool {
	for i := range desc.Oneofs().Len() {
		if proto.HasExtension(desc.Oneofs().Get(i).Options(), validate.E_Oneof) {
			return true
		}
	}
	return proto.HasExtension(desc.Options(), validate.E_Message)
}

// readRules prepares the rules of a field. What is understood is taken out of
// them; whatever remains is not.
func readRules(desc protoreflect.FieldDescriptor) fieldRules {
	found, ok := proto.GetExtension(desc.Options(), validate.E_Field).(*validate.FieldRules)
	if !ok || found == nil {
		return fieldRules{}
	}
	left := proto.CloneOf(found)
	rules := fieldRules{required: left.GetRequired(), ignoreZero: left.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE}
	left.Required = nil
	if rules.ignoreZero {
		left.Ignore = nil
	}
	switch {
	case left.GetRepeated() != nil:
		repeated := left.GetRepeated()
		rules.value = itemsRule(repeated.MinItems, repeated.MaxItems)
		repeated.MinItems, repeated.MaxItems = nil, nil
		if items := repeated.GetItems(); items != nil {
			rules.element = valueRule(items)
			if isEmpty(items) {
				repeated.Items = nil
			}
		}
		if isEmpty(repeated) {
			left.Type = nil
		}
	case left.GetMap() != nil:
		if values := left.GetMap().GetValues(); values != nil {
			rules.element = valueRule(values)
			if isEmpty(values) {
				left.GetMap().Values = nil
			}
		}
		if isEmpty(left.GetMap()) {
			left.Type = nil
		}
	default:
		rules.value = valueRule(left)
	}
	rules.unclear = !isEmpty(left)
	return rules
}

func isEmpty(m proto.Message) bool { return proto.Size(m) == 0 }

func itemsRule(least, most *uint64) func(reflect.Value) bool {
	return func(v reflect.Value) bool {
		n := uint64(v.Len())
		return (least == nil || n >= *least) && (most == nil || n <= *most)
	}
}

// valueRule takes the rules of a single value out of left, if it understands
// all of them.
func valueRule(left *validate.FieldRules) func(reflect.Value) bool {
	var rule func(reflect.Value) bool
	var rest proto.Message
	switch of := left.GetType().(type) {
	case *validate.FieldRules_String_:
		rule, rest = stringRule(of.String_), of.String_
	case *validate.FieldRules_Int32:
		least, most := int64(math.MinInt32), int64(math.MaxInt32)
		if of.Int32.HasGte() {
			least = int64(of.Int32.GetGte())
		}
		if of.Int32.HasLte() {
			most = int64(of.Int32.GetLte())
		}
		if !of.Int32.HasGt() && !of.Int32.HasLt() { // which are not understood
			of.Int32.GreaterThan, of.Int32.LessThan = nil, nil
		}
		rule, rest = func(v reflect.Value) bool { return least <= v.Int() && v.Int() <= most }, of.Int32
	case *validate.FieldRules_Int64:
		least, most := int64(math.MinInt64), int64(math.MaxInt64)
		if of.Int64.HasGte() {
			least = of.Int64.GetGte()
		}
		if of.Int64.HasLte() {
			most = of.Int64.GetLte()
		}
		if !of.Int64.HasGt() && !of.Int64.HasLt() { // which are not understood
			of.Int64.GreaterThan, of.Int64.LessThan = nil, nil
		}
		rule, rest = func(v reflect.Value) bool { return least <= v.Int() && v.Int() <= most }, of.Int64
	case *validate.FieldRules_Double:
		least, most := math.Inf(-1), math.Inf(1)
		if of.Double.HasGte() {
			least = of.Double.GetGte()
		}
		if of.Double.HasLte() {
			most = of.Double.GetLte()
		}
		if !of.Double.HasGt() && !of.Double.HasLt() {
			of.Double.GreaterThan, of.Double.LessThan, of.Double.Finite = nil, nil, nil
		}
		rule, rest = func(v reflect.Value) bool {
			f := v.Float()
			return !math.IsInf(f, 0) && least <= f && f <= most // which no NaN is
		}, of.Double
	case *validate.FieldRules_Duration:
		rule, rest = durationRange(of.Duration), of.Duration
	}
	if rest != nil && isEmpty(rest) {
		left.Type = nil
	}
	return rule
}

func stringRule(rules *validate.StringRules) func(reflect.Value) bool {
	least, words := rules.GetMinLen(), rules.GetIn()
	matches := func(string) bool { return true }
	switch {
	case rules.GetPattern() == idPattern:
		matches = isID
	case rules.HasPattern():
		matches = regexp.MustCompile(rules.GetPattern()).MatchString
	}
	rules.MinLen, rules.In, rules.Pattern = nil, nil, nil
	return func(v reflect.Value) bool {
		text := v.String()
		return (least == 0 || uint64(utf8.RuneCountInString(text)) >= least) &&
			(len(words) == 0 || slices.Contains(words, text)) && matches(text)
	}
}

// durationRange compares as time.Duration: what does not fit into that is left
// to protovalidate.
func durationRange(rules *validate.DurationRules) func(reflect.Value) bool {
	least, most := time.Duration(math.MinInt64), time.Duration(math.MaxInt64)
	if rules.HasGte() {
		least = rules.GetGte().AsDuration()
	}
	if rules.HasLte() {
		most = rules.GetLte().AsDuration()
	}
	if !rules.HasGt() && !rules.HasLt() {
		rules.GreaterThan, rules.LessThan = nil, nil
	}
	return func(v reflect.Value) bool {
		d, ok := v.Addr().Interface().(*durationpb.Duration)
		if !ok || d.CheckValid() != nil || d.GetSeconds() >= math.MaxInt64/int64(time.Second) || d.GetSeconds() < 0 {
			return false
		}
		return least <= d.AsDuration() && d.AsDuration() <= most
	}
}

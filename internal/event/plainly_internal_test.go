package event

import (
	"math"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// What plainly meets the rules must meet them in protovalidate's eyes: the
// quick judge may doubt, and never be wrong.
func TestWhatPlainlyMeetsTheRulesMeetsThem(t *testing.T) {
	t.Parallel()
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		t.Run(k.typ.Short(), func(t *testing.T) {
			t.Parallel()
			plainly := 0
			rapid.Check(t, func(t *rapid.T) {
				m := k.message.New()
				fill(t, k.plan, m, 0)
				if !k.plan.plainlyMeets(structOf(m.Interface())) {
					return
				}
				plainly++
				if err := validator.Validate(m.Interface()); err != nil {
					t.Fatalf("plainly meets the rules: %v\nprotovalidate: %v", m.Interface(), err)
				}
			})
			if plainly == 0 {
				t.Error("no drawn message plainly meets the rules: nothing was compared")
			}
		})
	}
}

// Every rule of the contract is understood: a new one of another kind would
// send all messages of its type the long way.
func TestEveryRuleIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		var walk func(path string, plan *messagePlan)
		walk = func(path string, plan *messagePlan) {
			if plan.unclear {
				t.Errorf("%s: message %s has rules of its own, which plainlyMeets does not understand", k.typ, path)
			}
			for _, f := range plan.fields {
				if f.rules.unclear {
					t.Errorf("%s: field %s.%s has a rule that plainlyMeets does not understand", k.typ, path, f.name)
				}
				if f.nested != nil {
					walk(path+"."+f.name, f.nested)
				}
			}
		}
		walk("data", k.plan)
	}
}

// fill sets fields to values on both sides of their rules, mostly on this side.
func fill(t *rapid.T, plan *messagePlan, m protoreflect.Message, depth int) {
	for _, f := range plan.fields {
		if rapid.IntRange(0, 19).Draw(t, f.name+" is left out") == 0 {
			continue
		}
		switch {
		case f.desc.IsList():
			list := m.Mutable(f.desc).List()
			for range mostly(t, f, 1, 2, 0, 1001) {
				if f.nested == nil {
					list.Append(single(t, f))
				} else if depth < 2 {
					fill(t, f.nested, list.AppendMutable().Message(), depth+1)
				}
			}
		case f.desc.IsMap():
			for _, key := range []string{"b", "a", "c"} {
				m.Mutable(f.desc).Map().Set(protoreflect.ValueOfString(key).MapKey(), single(t, f))
			}
		case f.nested != nil:
			fill(t, f.nested, m.Mutable(f.desc).Message(), depth+1)
		default:
			m.Set(f.desc, single(t, f))
		}
	}
}

func single(t *rapid.T, f *fieldPlan) protoreflect.Value {
	switch f.shape {
	case shapeString:
		good := append(allowedWords(f), "exec-1", "3")
		return protoreflect.ValueOfString(mostly(t, f, rapid.SampledFrom(good[:max(1, len(good)-2)]).Draw(t, "word"), "a", "", "-", "1", "é", "passed", "active"))
	case shapeBool:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, f.name))
	case shapeInt32:
		return protoreflect.ValueOfInt32(mostly[int32](t, f, 1, 0, -1, math.MinInt32, math.MaxInt32))
	case shapeInt64:
		return protoreflect.ValueOfInt64(mostly[int64](t, f, 1, 0, -1, math.MinInt64, math.MaxInt64))
	case shapeDouble:
		return protoreflect.ValueOfFloat64(mostly(t, f, 0.5, 1, 0, -0.1, 1.5, math.NaN(), math.Inf(1), math.Inf(-1)))
	case shapeTime:
		return protoreflect.ValueOfMessage(timestamppb.Now().ProtoReflect())
	case shapeDuration:
		d := mostly(t, f, &durationpb.Duration{Seconds: 1}, []*durationpb.Duration{{}, {Seconds: 3155760000}, {Seconds: 3155760000, Nanos: 1}, {Seconds: -1}, {Nanos: -1}, {Seconds: math.MaxInt64}, {Seconds: 1, Nanos: -1}}...)
		return protoreflect.ValueOfMessage(proto.CloneOf(d).ProtoReflect())
	case shapeStruct:
		return protoreflect.ValueOfMessage((&structpb.Struct{}).ProtoReflect())
	case shapeValue:
		return protoreflect.ValueOfMessage(structpb.NewNumberValue(1).ProtoReflect())
	case shapeMessage:
	}
	panic("no value for " + f.name)
}

// mostly draws good, and now and then one of the others.
func mostly[V any](t *rapid.T, f *fieldPlan, good V, others ...V) V {
	if rapid.IntRange(0, 15).Draw(t, f.name+" is odd") > 0 {
		return good
	}
	return rapid.SampledFrom(others).Draw(t, f.name)
}

// allowedWords are those that the field's rule lists.
func allowedWords(f *fieldPlan) []string {
	rules, ok := proto.GetExtension(f.desc.Options(), validate.E_Field).(*validate.FieldRules)
	if !ok {
		return nil
	}
	return rules.GetString().GetIn()
}

package event_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The JSON here is own code, so protojson, which is not, must agree with it in
// both directions.
func TestJSONAgreesWithProtojson(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, typ := range fact.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			o := outgoing(t, typ)
			record := encode(t, o, event.Binary, event.JSON)
			want := mustDecode(t, d, record)

			read := o.Message.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(record.Value, read); err != nil {
				t.Fatalf("protojson cannot read %s: %v", record.Value, err)
			}
			if !proto.Equal(o.Message, read) {
				t.Errorf("protojson reads %v, want %v", read, o.Message)
			}

			for name, options := range map[string]protojson.MarshalOptions{
				"proto names":   {UseProtoNames: true},
				"camel case":    {},
				"with defaults": {EmitUnpopulated: true},
				"multiline":     {Multiline: true},
			} {
				data, err := options.Marshal(o.Message)
				if err != nil {
					t.Fatal(err)
				}
				record.Value = data
				if diff := cmp.Diff(want, mustDecode(t, d, record)); diff != "" {
					t.Errorf("protojson's %s is another event:\n%s", name, diff)
				}
			}
		})
	}
}

// The rules of the .proto files and the code hold the same things for ids:
// fields named *_id and depends_on, but correlation_id, which others choose.
func TestEveryIDFieldHasTheRuleOfIDs(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	isID := regexp.MustCompile(`(^|_)id$|^depends_on$`)
	for _, typ := range fact.Types() {
		m := message(t, typ, sampleData[typ])
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			if !isID.MatchString(string(field.Name())) || field.Name() == "correlation_id" {
				continue
			}
			for _, hostile := range []string{"a b", "-a", "ä", strings.Repeat("a", 201), "<script>"} {
				bad := proto.Clone(m)
				bad.ProtoReflect().Set(field, protoreflect.ValueOfString(hostile))
				o := outgoing(t, typ)
				o.Message = bad
				o.Subject = m.ProtoReflect().Get(fields.ByNumber(1)).String()
				_, rejection := d.Decode(encode(t, o, event.Binary, event.Protobuf), sampleNow)
				if rejection == nil || rejection.Reason != fact.ReasonID || rejection.Field != "data."+string(field.Name()) {
					t.Errorf("%s.%s = %q: %v, want reason id", typ.Short(), field.Name(), hostile, rejection)
				}
			}
		}
	}
}

func TestSamplesSetEveryField(t *testing.T) {
	t.Parallel()
	if len(sampleData) != len(fact.Types()) {
		t.Errorf("%d samples for %d types", len(sampleData), len(fact.Types()))
	}
	// A sample that leaves a field out would hide what is not decoded.
	togetherForbidden := map[protoreflect.Name]bool{"run_at": true, "after_scenario_id": true, "event_type": true}
	for typ, data := range sampleData {
		m := message(t, typ, data).ProtoReflect()
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			if field := fields.Get(i); !m.Has(field) && !togetherForbidden[field.Name()] {
				t.Errorf("the sample of %s lacks %s", typ.Short(), field.Name())
			}
		}
	}
}

package api_test

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// verb is a procedure, called by its description alone: a new one is tested by
// being there.
type verb struct {
	*world
	protoreflect.MethodDescriptor

	client *connect.Client[dynamicpb.Message, dynamicpb.Message]
}

// verbs are all procedures of the API.
func (w *world) verbs() []verb {
	w.Helper()
	var all []verb
	for _, p := range access.Procedures(protoregistry.GlobalFiles) {
		service, method, _ := strings.Cut(strings.TrimPrefix(p.Name, "/"), "/")
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
		if err != nil {
			w.Fatal(err)
		}
		m, ok := d.(protoreflect.MethodDescriptor)
		if !ok {
			w.Fatalf("%s is a %T", p.Name, d)
		}
		all = append(all, verb{w, m, connect.NewClient[dynamicpb.Message, dynamicpb.Message](w.Client, w.url+p.Name, connect.WithProtoJSON(), connect.WithSchema(m),
			connect.WithResponseInitializer(func(_ connect.Spec, answer any) error {
				empty, ok := answer.(*dynamicpb.Message)
				if !ok {
					return fmt.Errorf("an answer is a %T", answer)
				}
				*empty = *dynamicpb.NewMessage(m.Output())
				return nil
			}))})
	}
	if len(all) < 50 {
		w.Fatalf("only %d procedures are found", len(all))
	}
	return all
}

// call calls the procedure; of a stream it waits for the first answer.
func (v verb) call(m proto.Message) (proto.Message, error) {
	v.Helper()
	ask := dynamicpb.NewMessage(v.Input())
	proto.Merge(ask, m)
	if !v.IsStreamingServer() {
		answer, err := v.client.CallUnary(v.Context(), connect.NewRequest(ask))
		if err != nil {
			return nil, err
		}
		return answer.Msg, nil
	}
	ctx, cancel := context.WithCancel(v.Context())
	defer cancel()
	stream, err := v.client.CallServerStream(ctx, connect.NewRequest(ask))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	if !stream.Receive() {
		return nil, stream.Err()
	}
	return stream.Msg(), nil
}

// violation is a request that breaks the rule of one field, among others maybe.
type violation struct {
	field   string // as the answer names it
	request protoreflect.Message
}

// violations are requests of which each breaks one rule of a field, for each rule
// that stands in the proto file, also of the fields of our own messages within.
func violations(t testing.TB, d protoreflect.MessageDescriptor) []violation {
	t.Helper()
	var all []violation
	for i := range d.Oneofs().Len() {
		rules, err := protovalidate.ResolveOneofRules(d.Oneofs().Get(i))
		if err != nil {
			t.Fatal(err)
		}
		if rules.GetRequired() {
			all = append(all, violation{string(d.Oneofs().Get(i).Name()), dynamicpb.NewMessage(d)})
		}
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		rules, err := protovalidate.ResolveFieldRules(f)
		if err != nil {
			t.Fatal(err)
		}
		found := ofField(t, f, rules)
		if len(found) == 0 && rules != nil {
			t.Errorf("%s: nothing is known that breaks %v: say here what does", f.FullName(), rules)
		}
		all = append(all, found...)
	}
	return all
}

// ofField are the violations of one field.
func ofField(t testing.TB, f protoreflect.FieldDescriptor, rules *validate.FieldRules) []violation {
	t.Helper()
	var all []violation
	with := func(path string, set func(protoreflect.Message)) {
		m := dynamicpb.NewMessage(f.ContainingMessage())
		set(m)
		all = append(all, violation{path, m})
	}
	name := string(f.Name())
	if rules.GetRequired() {
		with(name, func(protoreflect.Message) {})
	}
	ours := f.Kind() == protoreflect.MessageKind && !f.IsMap() && f.Message().ParentFile().Package() == "testcoordination.v1"
	switch {
	case f.IsList():
		list := func(path string, elements ...protoreflect.Value) {
			with(path, func(m protoreflect.Message) {
				for _, e := range elements {
					m.Mutable(f).List().Append(e)
				}
			})
		}
		r := rules.GetRepeated()
		element := func(n int) protoreflect.Value {
			if f.Kind() == protoreflect.DoubleKind {
				return protoreflect.ValueOfFloat64(1)
			}
			if ours {
				return protoreflect.ValueOfMessage(dynamicpb.NewMessage(f.Message()))
			}
			return protoreflect.ValueOfString(fmt.Sprint("element-", n))
		}
		if r.GetMinItems() > 0 {
			list(name)
		}
		if r.HasMaxItems() {
			var many []protoreflect.Value
			for n := range r.GetMaxItems() + 1 {
				many = append(many, element(int(n))) //nolint:gosec // a few thousand
			}
			list(name, many...)
		}
		if r.GetUnique() {
			list(name, element(1), element(1))
		}
		for _, bad := range breaking(r.GetItems()) {
			list(name+"[0]", bad)
		}
		if ours {
			for _, within := range violations(t, f.Message()) {
				list(name+"[0]."+within.field, protoreflect.ValueOfMessage(within.request))
			}
		}
	case ours:
		for _, within := range violations(t, f.Message()) {
			with(name+"."+within.field, func(m protoreflect.Message) { m.Set(f, protoreflect.ValueOfMessage(within.request)) })
		}
	default:
		for _, bad := range breaking(rules) {
			with(name, func(m protoreflect.Message) { m.Set(f, bad) })
		}
	}
	return all
}

// breaking are values of which each breaks one of the rules.
func breaking(rules *validate.FieldRules) (bad []protoreflect.Value) {
	text := func(s string) { bad = append(bad, protoreflect.ValueOfString(s)) }
	if r := rules.GetString(); r != nil {
		if r.HasPattern() {
			pattern := regexp.MustCompile(r.GetPattern())
			for _, s := range []string{"?", "a\x00b", "-a", strings.Repeat("a", 201), "a\n"} {
				if !pattern.MatchString(s) {
					text(s)
				}
			}
		}
		if r.HasMaxBytes() {
			text(strings.Repeat("é", int(r.GetMaxBytes()/2)+1)) //nolint:gosec // fits a request
		}
		if r.GetMinLen() > 0 {
			text("")
		}
		if len(r.GetIn()) > 0 {
			text("nonsense")
		}
	}
	if r := rules.GetInt32(); r != nil {
		for _, n := range []int64{int64(r.GetGte()) - 1, int64(r.GetLte()) + 1} {
			if r.HasGte() && n < int64(r.GetGte()) || r.HasLte() && n > int64(r.GetLte()) {
				bad = append(bad, protoreflect.ValueOfInt32(int32(n))) //nolint:gosec // one beside an int32 that is in the rules
			}
		}
	}
	if r := rules.GetInt32(); len(r.GetIn()) > 0 {
		bad = append(bad, protoreflect.ValueOfInt32(math.MaxInt32))
	}
	if r := rules.GetInt64(); r != nil {
		if r.HasGte() {
			bad = append(bad, protoreflect.ValueOfInt64(r.GetGte()-1))
		}
		if r.HasGt() {
			bad = append(bad, protoreflect.ValueOfInt64(-1))
		}
	}
	if r := rules.GetDouble(); r != nil {
		if r.HasGte() {
			bad = append(bad, protoreflect.ValueOfFloat64(math.Nextafter(r.GetGte(), math.Inf(-1))))
		}
		if r.GetFinite() {
			bad = append(bad, protoreflect.ValueOfFloat64(math.Inf(1)), protoreflect.ValueOfFloat64(math.NaN()))
		}
	}
	if r := rules.GetDuration(); r != nil {
		for _, d := range []time.Duration{r.GetGte().AsDuration() - 1, r.GetLte().AsDuration() + 1} {
			bad = append(bad, protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()))
		}
	}
	if r := rules.GetTimestamp(); r != nil {
		// The last second of the last year is the last one that can be said.
		bad = append(bad, protoreflect.ValueOfMessage(timestamppb.New(r.GetGte().AsTime().Add(-1)).ProtoReflect()))
	}
	return bad
}

// Whatever rule of a field stands in the proto files: who breaks it is refused, and
// told which field it was.
func TestEveryRuleOfEveryFieldIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := 0
	for _, v := range w.verbs() {
		for _, bad := range violations(t, v.Input()) {
			_, err := v.call(bad.request.Interface())
			w.refusal(fmt.Sprintf("%s with %s amiss", v.Name(), bad.field), err, connect.CodeInvalidArgument, "invalid_argument", bad.field)
			broken++
		}
	}
	if broken < 300 {
		t.Errorf("only %d rules were broken", broken)
	}
}

// Tokens that were not given out by the verb are refused by all that take one.
func TestForeignTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("a", definition("100"))
	w.say(&contract.ExecutionStarted{ExecutionId: "a"})
	of := map[string]int{}
	for _, v := range w.verbs() {
		for _, name := range []protoreflect.Name{"page_token", "resume_token"} {
			token := v.Input().Fields().ByName(name)
			if token == nil {
				continue
			}
			of[string(name)]++
			for _, foreign := range []string{"nonsense", "AAAA", "eyJhIjoxfQ", strings.Repeat("A", 2048)} {
				m := dynamicpb.NewMessage(v.Input())
				for i := range v.Input().Fields().Len() {
					f := v.Input().Fields().Get(i)
					switch rules, err := protovalidate.ResolveFieldRules(f); {
					case err != nil:
						t.Fatal(err)
					case rules.GetRequired():
						m.Set(f, protoreflect.ValueOfString("a"))
					case rules.GetRepeated().GetMinItems() > 0:
						m.Mutable(f).List().Append(protoreflect.ValueOfString("a"))
					}
				}
				m.Set(token, protoreflect.ValueOfString(foreign))
				_, err := v.call(m)
				w.refusal(fmt.Sprintf("%s with %s %.10q", v.Name(), name, foreign), err, connect.CodeInvalidArgument, "invalid_argument", string(name))
			}
		}
	}
	if of["page_token"] < 15 || of["resume_token"] < 2 {
		t.Errorf("tokens are taken by %v", of)
	}
}

// A write that is repeated has the same answer and is not carried out a second
// time; one of the same id that wants something else is refused.
func TestEveryWriteIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	w.publish("needed", definition("100"))
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", ScenarioId: "slow"})
	w.say(&contract.ExecutionFinished{ExecutionId: "ended", Outcome: "passed"})
	call(w, w.scenarios.PublishTemplate, &contract.PublishTemplateRequest{RequestId: w.request(), Template: &contract.TemplatePublished{TemplateId: "slow", Definition: templateText}})
	w.schedule(once("claimed"))
	claimed := w.claimDue(1, time.Hour).GetClaimed()
	if len(claimed) != 1 {
		t.Fatalf("claimed %v", claimed)
	}
	w.schedule(once("due"))
	w.schedule(once("removed"))
	w.poison()

	type write struct{ ask, other proto.Message }
	template := func(service string) *contract.TemplateUse {
		return &contract.TemplateUse{TemplateId: "slow", Parameters: parameters(w, map[string]any{"service": service})}
	}
	complete := w.completion(claimed[0].GetOccurrence())
	complete.RequestId = ""
	fresh := once("new")
	fresh.ScenarioId = "slow"
	writes := map[protoreflect.Name]write{
		"PublishScenario": {
			&contract.PublishScenarioRequest{Scenario: &contract.ScenarioPublished{ScenarioId: "new", Definition: definition("1")}},
			&contract.PublishScenarioRequest{Scenario: &contract.ScenarioPublished{Definition: definition("2")}},
		},
		"ChangeScenarioStatus": {
			&contract.ChangeScenarioStatusRequest{Change: &contract.ScenarioStatusChanged{ScenarioId: "needed", Status: "deprecated"}},
			&contract.ChangeScenarioStatusRequest{Change: &contract.ScenarioStatusChanged{Status: "active"}},
		},
		"PublishTemplate": {
			&contract.PublishTemplateRequest{Template: &contract.TemplatePublished{TemplateId: "new", Definition: templateText}},
			&contract.PublishTemplateRequest{Template: &contract.TemplatePublished{TemplateId: "newer"}},
		},
		"InstantiateTemplate": {
			&contract.InstantiateTemplateRequest{Scenario: &contract.InstantiateTemplateScenario{ScenarioId: "made"}, Template: template("exchange")},
			&contract.InstantiateTemplateRequest{Template: template("custody")},
		},
		"DeclareDependencies": {
			&contract.DeclareDependenciesRequest{Declaration: &contract.ScenarioDependenciesDeclared{ScenarioId: "slow", Dependencies: []*contract.Dependency{{DependsOn: "needed", Kind: "conflicts_with"}}}},
			&contract.DeclareDependenciesRequest{Declaration: &contract.ScenarioDependenciesDeclared{Dependencies: []*contract.Dependency{{DependsOn: "made", Kind: "conflicts_with"}}}},
		},
		"SetSchedule": {
			&contract.SetScheduleRequest{Schedule: fresh},
			&contract.SetScheduleRequest{Schedule: &contract.ScheduleSet{ConcurrencyPolicy: "replace"}},
		},
		"RemoveSchedule":      {&contract.RemoveScheduleRequest{ScheduleId: "removed"}, &contract.RemoveScheduleRequest{ScheduleId: "due"}},
		"ClaimDueOccurrences": {&contract.ClaimDueOccurrencesRequest{Claimer: "a", Lease: durationpb.New(time.Hour)}, &contract.ClaimDueOccurrencesRequest{Limit: 2}},
		"CompleteClaim":       {complete, &contract.CompleteClaimRequest{Detail: "something else"}},
		"RequestExecution": {
			&contract.RequestExecutionRequest{Execution: &contract.ExecutionRequested{ExecutionId: "exec-2", ScenarioId: "slow"}},
			&contract.RequestExecutionRequest{Execution: &contract.ExecutionRequested{ExecutionId: "exec-3"}},
		},
		"CancelExecution":    {&contract.CancelExecutionRequest{ExecutionId: "exec-1", Reason: "enough"}, &contract.CancelExecutionRequest{Reason: "more than that"}},
		"AnnotateExecution":  {&contract.AnnotateExecutionRequest{ExecutionId: "exec-1", Text: "seen"}, &contract.AnnotateExecutionRequest{Text: "not seen"}},
		"PinExecution":       {&contract.PinExecutionRequest{ExecutionId: "exec-1", Pinned: true}, &contract.PinExecutionRequest{Reason: "evidence"}},
		"GenerateReport":     {&contract.GenerateReportRequest{ExecutionId: "ended"}, &contract.GenerateReportRequest{ExecutionId: "exec-1"}},
		"DiscardQuarantined": {&contract.DiscardQuarantinedRequest{Id: 1, Reason: "noise"}, &contract.DiscardQuarantinedRequest{Id: 2}},
		"SetKillSwitch":      {&contract.SetKillSwitchRequest{Engaged: true, Reason: "release day"}, &contract.SetKillSwitchRequest{Reason: "another day"}},
	}
	seen := 0
	for _, v := range w.verbs() {
		id := v.Input().Fields().ByName("request_id")
		if id == nil {
			continue
		}
		seen++
		write, known := writes[v.Name()]
		if !known {
			t.Errorf("%s takes a request id: say here what it is asked for", v.Name())
			continue
		}
		write.ask.ProtoReflect().Set(id, protoreflect.ValueOfString("once-"+string(v.Name())))
		answer, err := v.call(write.ask)
		if err != nil {
			t.Errorf("%s: %v", v.Name(), err)
			continue
		}
		before := w.written()
		again, err := v.call(write.ask)
		if diff := cmp.Diff(answer, again, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%s is repeated: error %v, answers (-first +second):\n%s", v.Name(), err, diff)
		}
		other := proto.Clone(write.ask)
		proto.Merge(other, write.other)
		_, err = v.call(other)
		w.refusal(string(v.Name())+" with the id of another request", err, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
		if diff := cmp.Diff(before, w.written()); diff != "" {
			t.Errorf("%s has written something again (-before +after):\n%s", v.Name(), diff)
		}
	}
	if seen != len(writes) {
		t.Errorf("%d procedures take a request id, want %d", seen, len(writes))
	}
}

// written is how much was written of what a write leaves.
func (w *world) written() map[string]int64 {
	w.Helper()
	counts := map[string]int64{}
	for _, table := range []string{"definition_events", "execution_events", "outbox", "audit_log", "api_requests", "schedule_occurrences", "scenario_versions", "execution_annotations", "reports"} {
		var n int64
		if err := w.db.Pool(w).QueryRow(w.Context(), "SELECT count(*) FROM test_coordination."+table).Scan(&n); err != nil {
			w.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

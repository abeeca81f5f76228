package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// definition is a scenario of the definition language, with something to tell
// versions apart.
func definition(latency string) string {
	return `apiVersion: chaos.trading/v1
kind: Scenario
metadata: {name: slow exchange}
spec:
  preconditions: [{type: service_healthy, service: exchange}]
  phases:
    - name: injection
      actions: [{service: exchange, action: delay, parameters: {latency_ms: ` + latency + `}}]
`
}

func (w *world) publish(id, text string) *contract.PublishScenarioResponse {
	w.Helper()
	return call(w, w.scenarios.PublishScenario, &contract.PublishScenarioRequest{
		RequestId: w.request(), Scenario: &contract.ScenarioPublished{ScenarioId: id, Definition: text, Author: "ada", Tags: []string{"nightly"}, ScenarioType: "network_latency"},
	})
}

func TestPublishScenario(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.publish("slow", definition("100"))
	second := w.publish("slow", definition("250"))
	again := w.publish("slow", definition("100"))
	for _, c := range []struct {
		got    *contract.PublishScenarioResponse
		number int32
		isNew  bool
	}{{first, 1, true}, {second, 2, true}, {again, 1, false}} {
		if c.got.GetVersion().GetNumber() != c.number || c.got.GetNewVersion() != c.isNew {
			t.Errorf("published version %d, new %t; want %d, %t", c.got.GetVersion().GetNumber(), c.got.GetNewVersion(), c.number, c.isNew)
		}
	}
	got := call(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "slow"})
	if got.GetScenario().GetCurrentVersion() != 1 || got.GetScenario().GetVersions() != 2 || got.GetVersion().GetDefinition() != definition("100") {
		t.Errorf("scenario is %v with version %v, want the first of two", got.GetScenario(), got.GetVersion())
	}
	for _, version := range []string{"2", second.GetVersion().GetHash()} {
		got := call(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "slow", Version: version})
		if got.GetVersion().GetDefinition() != definition("250") {
			t.Errorf("version %s is %q", version, got.GetVersion().GetDefinition())
		}
	}

	// A repeat gets the first answer, whatever came between.
	r := &contract.PublishScenarioRequest{RequestId: "again", Scenario: &contract.ScenarioPublished{ScenarioId: "slow", Definition: definition("400")}}
	before := call(w, w.scenarios.PublishScenario, r)
	w.publish("slow", definition("100"))
	if diff := cmp.Diff(before, call(w, w.scenarios.PublishScenario, r), protocmp.Transform()); diff != "" {
		t.Errorf("the repeat was answered otherwise (-first +repeat):\n%s", diff)
	}
	r.Scenario.Author = "bob"
	refused(w, w.scenarios.PublishScenario, r, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
	refused(w, w.scenarios.ChangeScenarioStatus, &contract.ChangeScenarioStatusRequest{RequestId: "again", Change: &contract.ScenarioStatusChanged{ScenarioId: "slow", Status: "archived"}},
		connect.CodeAlreadyExists, "request_id_conflict", "request_id")

	refused(w, w.scenarios.PublishScenario, &contract.PublishScenarioRequest{RequestId: "x y", Scenario: &contract.ScenarioPublished{ScenarioId: "a"}},
		connect.CodeInvalidArgument, "invalid_argument", "request_id", "scenario.definition")
	refused(w, w.scenarios.PublishScenario, &contract.PublishScenarioRequest{RequestId: "r", Scenario: &contract.ScenarioPublished{ScenarioId: "a", Definition: "apiVersion: chaos.trading/v1\nkind: Scenario\nspec: {phases: [{}]}\n"}},
		connect.CodeInvalidArgument, "definition", "scenario.definition")
	refused(w, w.scenarios.PublishScenario, &contract.PublishScenarioRequest{RequestId: "r", Scenario: &contract.ScenarioPublished{ScenarioId: "a", Definition: "x\x00y"}},
		connect.CodeInvalidArgument, "nul", "scenario.definition")
	refused(w, w.scenarios.PublishScenario, &contract.PublishScenarioRequest{RequestId: "r", Scenario: &contract.ScenarioPublished{ScenarioId: "a", Definition: strings.Repeat("x", 513<<10)}},
		connect.CodeInvalidArgument, "too_large", "scenario.definition")
	w.publish("r-works-after-errors", "free text")
}

// A coordinator that counts must not hide what is published here, and what it
// says next must not be hidden by us.
func TestPublicationsOfTheAPIAndOfCountingProducersTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := fact.Sequence(0)
	says := func(text string) {
		said++
		w.say(&contract.ScenarioPublished{ScenarioId: "slow", Definition: text}, func(o *event.Outgoing) { o.Sequence = said })
	}
	publishes := func(text string) { w.publish("slow", text) }
	for i, publish := range []func(string){publishes, says, publishes, publishes, says, says, publishes} {
		text := fmt.Sprint("text ", i)
		publish(text)
		now := call(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "slow"})
		if got := now.GetVersion().GetDefinition(); got != text {
			t.Errorf("after publication %d current is %q", i, got)
		}
	}
}

func TestScenarioVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, latency := range []string{"100", "200", "300"} {
		w.publish("slow", definition(latency))
	}
	r := &contract.ListScenarioVersionsRequest{ScenarioId: "slow", PageSize: 2}
	page := call(w, w.scenarios.ListScenarioVersions, r)
	r.PageToken = page.GetNextPageToken()
	rest := call(w, w.scenarios.ListScenarioVersions, r)
	var numbers []int32
	for _, v := range append(page.GetVersions(), rest.GetVersions()...) {
		numbers = append(numbers, v.GetNumber())
	}
	if diff := cmp.Diff([]int32{3, 2, 1}, numbers); diff != "" || rest.GetNextPageToken() != "" {
		t.Errorf("versions (-want +got), next %q:\n%s", rest.GetNextPageToken(), diff)
	}
	r.ScenarioId = "other"
	refused(w, w.scenarios.ListScenarioVersions, r, connect.CodeInvalidArgument, "invalid_argument", "page_token")
	refused(w, w.scenarios.ListScenarioVersions, &contract.ListScenarioVersionsRequest{ScenarioId: "none"}, connect.CodeNotFound, "scenario_not_found")

	d := call(w, w.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: "slow", From: "1"})
	want := []*contract.DefinitionChange{{Path: "spec.phases[injection].actions[0].parameters.latency_ms", Kind: "changed", From: "100", To: "300"}}
	if diff := cmp.Diff(want, d.GetChanges(), protocmp.Transform()); diff != "" || d.GetFrom().GetNumber() != 1 || d.GetTo().GetNumber() != 3 {
		t.Errorf("changes from %d to %d (-want +got):\n%s", d.GetFrom().GetNumber(), d.GetTo().GetNumber(), diff)
	}
	if d := call(w, w.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: "slow"}); d.GetFrom().GetNumber() != 2 {
		t.Errorf("compared with version %d, want the one before", d.GetFrom().GetNumber())
	}
	refused(w, w.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: "slow", To: "1"}, connect.CodeFailedPrecondition, "no_former_version", "from")
	refused(w, w.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: "slow", To: "7"}, connect.CodeNotFound, "version_not_found", "version")
	refused(w, w.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: "none"}, connect.CodeNotFound, "scenario_not_found")
	refused(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "slow", Version: "9"}, connect.CodeNotFound, "version_not_found", "version")
	refused(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "none"}, connect.CodeNotFound, "scenario_not_found")
}

func TestListScenarios(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		w.publish(id, "text of "+id)
	}
	change := &contract.ChangeScenarioStatusRequest{RequestId: w.request(), Change: &contract.ScenarioStatusChanged{ScenarioId: "c", Status: "archived"}}
	if got := call(w, w.scenarios.ChangeScenarioStatus, change); got.GetScenario().GetStatus() != "archived" {
		t.Errorf("status is %s", got.GetScenario().GetStatus())
	}
	refused(w, w.scenarios.ChangeScenarioStatus, &contract.ChangeScenarioStatusRequest{RequestId: w.request(), Change: &contract.ScenarioStatusChanged{ScenarioId: "none", Status: "active"}},
		connect.CodeNotFound, "scenario_not_found", "change.scenario_id")
	refused(w, w.scenarios.ChangeScenarioStatus, &contract.ChangeScenarioStatusRequest{RequestId: w.request(), Change: &contract.ScenarioStatusChanged{ScenarioId: "a", Status: "gone"}},
		connect.CodeInvalidArgument, "invalid_argument", "change.status")

	all := func(r *contract.ListScenariosRequest) (ids []string) {
		for {
			page := call(w, w.scenarios.ListScenarios, r)
			for _, s := range page.GetScenarios() {
				ids = append(ids, s.GetScenarioId())
			}
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				return ids
			}
		}
	}
	for _, c := range []struct {
		of   *contract.ListScenariosRequest
		want []string
	}{
		{&contract.ListScenariosRequest{}, []string{"a", "b", "c", "d", "e"}},
		{&contract.ListScenariosRequest{PageSize: 2}, []string{"a", "b", "c", "d", "e"}},
		{&contract.ListScenariosRequest{PageSize: 1, Status: "active"}, []string{"a", "b", "d", "e"}},
		{&contract.ListScenariosRequest{Status: "archived"}, []string{"c"}},
		{&contract.ListScenariosRequest{Tag: "nightly", PageSize: 5}, []string{"a", "b", "c", "d", "e"}},
		{&contract.ListScenariosRequest{Tag: "weekly"}, nil},
		{&contract.ListScenariosRequest{ScenarioType: "other"}, nil},
	} {
		if diff := cmp.Diff(c.want, all(c.of)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.of, diff)
		}
	}
	refused(w, w.scenarios.ListScenarios, &contract.ListScenariosRequest{PageSize: 501}, connect.CodeInvalidArgument, "invalid_argument", "page_size")
	refused(w, w.scenarios.ListScenarios, &contract.ListScenariosRequest{PageToken: "?"}, connect.CodeInvalidArgument, "invalid_argument", "page_token")
}

const templateText = `apiVersion: chaos.trading/v1
kind: Template
metadata: {name: slow anything}
parameters:
  - {name: service, type: string, required: true}
  - {name: latency, type: int, default: 100, min: 1, max: 5000}
spec:
  phases:
    - name: injection
      actions: [{service: "{{ .Parameters.service }}", action: delay, parameters: {latency_ms: "{{ .Parameters.latency }}"}}]
`

func parameters(w *world, of map[string]any) *structpb.Struct {
	w.Helper()
	s, err := structpb.NewStruct(of)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := call(w, w.scenarios.PublishTemplate, &contract.PublishTemplateRequest{RequestId: w.request(), Template: &contract.TemplatePublished{TemplateId: "slow", Definition: templateText}})
	if published.GetVersion().GetNumber() != 1 || !published.GetNewVersion() {
		t.Errorf("published %v", published)
	}
	got := call(w, w.scenarios.GetTemplate, &contract.GetTemplateRequest{TemplateId: "slow"})
	want := []*contract.TemplateParameter{
		{Name: "service", Type: "string", Required: true},
		{Name: "latency", Type: "int", Default: new("100"), Min: new("1"), Max: new("5000")},
	}
	if diff := cmp.Diff(want, got.GetParameters(), protocmp.Transform()); diff != "" || got.GetVersion().GetDefinition() != templateText {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if list := call(w, w.scenarios.ListTemplates, &contract.ListTemplatesRequest{}); len(list.GetTemplates()) != 1 || list.GetTemplates()[0].GetCurrentVersion() != 1 {
		t.Errorf("listed %v", list)
	}

	use := &contract.TemplateUse{TemplateId: "slow", Parameters: parameters(w, map[string]any{"service": "exchange", "latency": 250})}
	rendered := call(w, w.scenarios.RenderTemplate, &contract.RenderTemplateRequest{Template: use})
	made := call(w, w.scenarios.InstantiateTemplate, &contract.InstantiateTemplateRequest{RequestId: w.request(), Scenario: &contract.InstantiateTemplateScenario{ScenarioId: "slow-exchange"}, Template: use})
	if made.GetVersion().GetDefinition() != rendered.GetDefinition() || !strings.Contains(rendered.GetDefinition(), "250") || made.GetTemplateVersion() != 1 {
		t.Errorf("made\n%s\nrendered\n%s", made, rendered)
	}
	kept := call(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "slow-exchange"})
	use.Version = published.GetVersion().GetHash()
	if diff := cmp.Diff(use, kept.GetScenario().GetTemplate(), protocmp.Transform()); diff != "" {
		t.Errorf("the scenario keeps its template (-want +got):\n%s", diff)
	}

	with := func(of map[string]any) *contract.RenderTemplateRequest {
		return &contract.RenderTemplateRequest{Template: &contract.TemplateUse{TemplateId: "slow", Parameters: parameters(w, of)}}
	}
	for name, of := range map[string]map[string]any{
		"missing": {}, "of a wrong type": {"service": "x", "latency": "soon"}, "out of range": {"service": "x", "latency": 5001}, "unknown": {"service": "x", "color": "red"},
	} {
		t.Log(name)
		refused(w, w.scenarios.RenderTemplate, with(of), connect.CodeInvalidArgument, "parameters")
		refused(w, w.scenarios.InstantiateTemplate, &contract.InstantiateTemplateRequest{RequestId: w.request(), Scenario: &contract.InstantiateTemplateScenario{ScenarioId: "bad"}, Template: with(of).GetTemplate()},
			connect.CodeInvalidArgument, "parameters")
	}
	for _, none := range []*contract.TemplateUse{{TemplateId: "none"}, {TemplateId: "slow", Version: "2"}} {
		reason := "template_not_found"
		if none.GetVersion() != "" {
			reason = "version_not_found"
		}
		refused(w, w.scenarios.RenderTemplate, &contract.RenderTemplateRequest{Template: none}, connect.CodeNotFound, reason)
		refused(w, w.scenarios.InstantiateTemplate, &contract.InstantiateTemplateRequest{RequestId: w.request(), Scenario: &contract.InstantiateTemplateScenario{ScenarioId: "bad"}, Template: none},
			connect.CodeNotFound, "template_not_found")
	}
	refused(w, w.scenarios.GetTemplate, &contract.GetTemplateRequest{TemplateId: "none"}, connect.CodeNotFound, "template_not_found")
	refused(w, w.scenarios.PublishTemplate, &contract.PublishTemplateRequest{RequestId: w.request(), Template: &contract.TemplatePublished{TemplateId: "slow", Definition: definition("1")}},
		connect.CodeInvalidArgument, "definition", "template.definition.kind")
	refused(w, w.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: "bad"}, connect.CodeNotFound, "scenario_not_found")
}

func (w *world) declare(id string, dependencies ...*contract.Dependency) *contract.DeclareDependenciesRequest {
	return &contract.DeclareDependenciesRequest{RequestId: w.request(), Declaration: &contract.ScenarioDependenciesDeclared{ScenarioId: id, Dependencies: dependencies}}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c"} {
		w.publish(id, "text of "+id)
	}
	requires := func(id string) *contract.Dependency {
		return &contract.Dependency{DependsOn: id, Kind: "requires_success"}
	}
	call(w, w.scenarios.DeclareDependencies, w.declare("c", requires("b"), &contract.Dependency{DependsOn: "z", Kind: "conflicts_with"}))
	call(w, w.scenarios.DeclareDependencies, w.declare("b", requires("a")))
	refused(w, w.scenarios.DeclareDependencies, w.declare("a", requires("c")), connect.CodeFailedPrecondition, "cycle", "declaration.dependencies")
	refused(w, w.scenarios.DeclareDependencies, w.declare("a", requires("a")), connect.CodeFailedPrecondition, "cycle", "declaration.dependencies[0].depends_on")

	g := call(w, w.scenarios.GetDependencyGraph, &contract.GetDependencyGraphRequest{ScenarioId: "c"})
	var order []string
	for _, n := range g.GetNodes() {
		order = append(order, n.GetScenarioId()+" "+n.GetRole())
	}
	if diff := cmp.Diff([]string{"a required", "b required", "c self", "z excluded"}, order); diff != "" || len(g.GetEdges()) != 3 {
		t.Errorf("%d edges, order (-want +got):\n%s", len(g.GetEdges()), diff)
	}
	refused(w, w.scenarios.GetDependencyGraph, &contract.GetDependencyGraphRequest{ScenarioId: "none"}, connect.CodeNotFound, "scenario_not_found")

	ready := call(w, w.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: "c"})
	if ready.GetReady() {
		t.Errorf("c is ready, though b has never passed: %v", ready)
	}
	call(w, w.scenarios.DeclareDependencies, w.declare("c"))
	if ready := call(w, w.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: "c"}); !ready.GetReady() || ready.GetVersion() != 1 {
		t.Errorf("c is not ready, though it needs nothing: %v", ready)
	}
	if ready := call(w, w.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: "none"}); ready.GetReady() {
		t.Errorf("a scenario that nobody knows is ready: %v", ready)
	}
}

func TestValidateDefinition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for text, kind := range map[string]string{definition("1"): "scenario", templateText: "template", "anything": "opaque"} {
		got := call(w, w.scenarios.ValidateDefinition, &contract.ValidateDefinitionRequest{Definition: text})
		if !got.GetValid() || got.GetKind() != kind || len(got.GetHash()) != 64 {
			t.Errorf("%q: %v, want a valid %s", text, got, kind)
		}
	}
	got := call(w, w.scenarios.ValidateDefinition, &contract.ValidateDefinitionRequest{Definition: "apiVersion: chaos.trading/v1\nkind: Scenario\nspec:\n  phases:\n    - {name: a, colour: red}\n    - {}\n"})
	if got.GetValid() || len(got.GetProblems()) < 2 || got.GetProblems()[1].GetLine() != 5 {
		t.Errorf("problems %v, want those of two lines", got.GetProblems())
	}
}

// Everybody who repeats a request at once gets the one answer of the one time
// that it was carried out.
func TestRepeatsAtOnceAreCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const repeats = 8
	answers := make(chan int32, repeats)
	for range repeats {
		go func() {
			r := &contract.PublishScenarioRequest{RequestId: "once", Scenario: &contract.ScenarioPublished{ScenarioId: "slow", Definition: "text"}}
			answer, err := w.scenarios.PublishScenario(t.Context(), connect.NewRequest(r))
			if err != nil {
				t.Error(err)
				answers <- 0
				return
			}
			answers <- answer.Msg.GetVersion().GetNumber()
		}()
	}
	deadline := time.After(time.Minute)
	for range repeats {
		select {
		case n := <-answers:
			if n != 1 {
				t.Errorf("answered version %d, want 1", n)
			}
		case <-deadline:
			t.Fatal("no answer within a minute")
		}
	}
	var events int
	if err := w.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.definition_events").Scan(&events); err != nil || events != 1 {
		t.Errorf("%d events, error %v; want 1", events, err)
	}
}

package scenario_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	template := func(version string) *scenario.TemplateUse {
		return &scenario.TemplateUse{TemplateID: "t", Version: version}
	}
	for name, c := range map[string]struct {
		payload scenario.Payload
		reason  fact.Reason // empty: accepted
		field   string
	}{
		"template":              {&scenario.TemplatePublished{Definition: examples.ExchangeDisruption}, "", ""},
		"template is scenario":  {&scenario.TemplatePublished{Definition: examples.MarketDisruption}, fact.ReasonDefinition, "data.definition.kind"},
		"template is opaque":    {&scenario.TemplatePublished{Definition: examples.LegacyLatency}, fact.ReasonDefinition, "data.definition.kind"},
		"template with problem": {&scenario.TemplatePublished{Definition: templateHead + "spec: {phases: []}"}, fact.ReasonDefinition, "data.definition.spec.phases"},
		"template of itself": {
			&scenario.TemplatePublished{TemplateID: "me", Definition: "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: n, extends: me}\nspec: {}"},
			fact.ReasonDefinition, "data.definition.metadata.extends",
		},
		"scenario":             {&scenario.Published{Definition: examples.StablecoinDepeg}, "", ""},
		"opaque scenario":      {&scenario.Published{Definition: examples.LegacyLatency}, "", ""},
		"scenario is template": {&scenario.Published{Definition: examples.ExchangeDisruption}, fact.ReasonDefinition, "data.definition.kind"},
		"two problems":         {&scenario.Published{Definition: head + "spec: {phases: [], duration: x}"}, fact.ReasonDefinition, "data.definition"},
		"version by number":    {&scenario.Published{Definition: "x", Template: template("3")}, "", ""},
		"version by hash":      {&scenario.Published{Definition: "x", Template: template(strings.Repeat("0a", 32))}, "", ""},
		"version zero":         {&scenario.Published{Definition: "x", Template: template("0")}, fact.ReasonSchema, "data.template.version"},
		"version latest":       {&scenario.Published{Definition: "x", Template: template("latest")}, fact.ReasonSchema, "data.template.version"},
		"status":               {&scenario.StatusChanged{Status: scenario.StatusArchived}, "", ""},
		"unknown status":       {&scenario.StatusChanged{Status: "retired"}, fact.ReasonSchema, "data.status"},
		"self dependency":      {&scenario.DependenciesDeclared{ScenarioID: "a", Dependencies: requires("a")}, fact.ReasonCycle, "data.dependencies[0].depends_on"},
		"schedule":             {&scenario.ScheduleSet{Schedule: scenario.Schedule{ScenarioID: "a", Kind: scenario.ScheduleOnce, RunAt: time.Unix(1, 0)}}, "", ""},
		"cron of six fields":   {&scenario.ScheduleSet{Schedule: scenario.Schedule{ScenarioID: "a", Kind: scenario.ScheduleCron, Cron: "* * * * * *"}}, fact.ReasonSchema, "data.cron"},
		"schedule removed":     {&scenario.ScheduleRemoved{ScheduleID: "d"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRejection(t, event(1, c.payload).Check(scenario.DefaultLimits()), c.reason, c.field)
		})
	}
}

func TestAdmitChecksParametersAgainstTheTemplate(t *testing.T) {
	t.Parallel()
	c := fold(event(1, &scenario.TemplatePublished{TemplateID: "exchange-disruption", Definition: examples.ExchangeDisruption}))
	first := c.Templates["exchange-disruption"].Current
	c.Templates["exchange-disruption"].Versions[first].Number = 1
	loose := strings.Replace(examples.ExchangeDisruption, "max: 6h", "max: 12h", 1)
	c.Apply(event(2, &scenario.TemplatePublished{TemplateID: "exchange-disruption", Definition: loose}))
	c.Apply(event(3, &scenario.TemplatePublished{
		TemplateID: "heir", Definition: strings.Replace(examples.ExchangeOutage, "kind: Scenario", "kind: Template", 1),
	}))
	const good, long = `{"exchange": "x", "duration": "1h"}`, `{"exchange": "x", "duration": "10h"}`
	for name, tc := range map[string]struct {
		use    *scenario.TemplateUse
		reason fact.Reason
		field  string
	}{
		"no template":        {nil, "", ""},
		"right":              {&scenario.TemplateUse{TemplateID: "exchange-disruption", Parameters: json.RawMessage(good)}, "", ""},
		"the current one":    {&scenario.TemplateUse{TemplateID: "exchange-disruption", Parameters: json.RawMessage(long)}, "", ""},
		"by number":          {&scenario.TemplateUse{TemplateID: "exchange-disruption", Version: "1", Parameters: json.RawMessage(long)}, fact.ReasonParameters, "data.template.parameters.duration"},
		"by hash":            {&scenario.TemplateUse{TemplateID: "exchange-disruption", Version: first.String(), Parameters: json.RawMessage(long)}, fact.ReasonParameters, "data.template.parameters.duration"},
		"missing":            {&scenario.TemplateUse{TemplateID: "exchange-disruption"}, fact.ReasonParameters, "data.template.parameters"},
		"of the base":        {&scenario.TemplateUse{TemplateID: "heir", Parameters: json.RawMessage(good)}, "", ""},
		"wrong for the base": {&scenario.TemplateUse{TemplateID: "heir", Parameters: json.RawMessage(`{"exchange": "x", "duration": 5}`)}, fact.ReasonParameters, "data.template.parameters.duration"},
		"unknown template":   {&scenario.TemplateUse{TemplateID: "to-come"}, "", ""},
		"unknown version":    {&scenario.TemplateUse{TemplateID: "exchange-disruption", Version: "9"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRejection(t, admitted(t, c, tc.use), tc.reason, tc.field)
		})
	}
}

func TestTemplatesInACircle(t *testing.T) {
	t.Parallel()
	extending := func(base string) string {
		return "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: n, extends: " + base + "}\nspec: {}"
	}
	c := fold(
		event(1, &scenario.TemplatePublished{TemplateID: "a", Definition: extending("b")}),
		event(2, &scenario.TemplatePublished{TemplateID: "b", Definition: extending("a")}))
	checkRejection(t, admitted(t, c, &scenario.TemplateUse{TemplateID: "a"}), fact.ReasonDefinition, "data.template.metadata.extends")
}

// admitted publishes a scenario that was made with a template of the catalog.
func admitted(t *testing.T, c *scenario.Catalog, use *scenario.TemplateUse) *fact.Rejection {
	t.Helper()
	var template *scenario.Definition
	if use != nil {
		var rejection *fact.Rejection
		var err error
		template, rejection, err = scenario.ResolveTemplate(use.TemplateID, use.Version, func(id scenario.TemplateID, version string) (string, error) {
			if held := c.Templates[id]; held != nil {
				return held.Text(version), nil
			}
			return "", nil
		}, scenario.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if rejection != nil {
			return rejection
		}
	}
	return c.Admit(event(9, &scenario.Published{ScenarioID: "s", Definition: "x", Template: use}), &scenario.Graph{}, template, scenario.DefaultLimits())
}

// TestAdmittedDependenciesStayAcyclic lets declarations arrive in any order:
// whichever are admitted, those in effect never form a cycle, and the graph
// that was kept beside them is the one that they give.
func TestAdmittedDependenciesStayAcyclic(t *testing.T) {
	t.Parallel()
	ids := []scenario.ID{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		var c scenario.Catalog
		var g scenario.Graph
		order := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).Draw(t, "order")
		for _, n := range order {
			e := event(n, &scenario.DependenciesDeclared{
				ScenarioID:   rapid.SampledFrom(ids).Draw(t, "of"),
				Dependencies: requires(rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 2, rapid.ID).Draw(t, "on")...),
			})
			if e.Check(scenario.DefaultLimits()) == nil && c.Admit(e, &g, nil, scenario.DefaultLimits()) == nil {
				c.Apply(e)
			}
			var stored scenario.Graph
			for id, s := range c.Scenarios {
				stored.Replace(id, s.Dependencies.Dependencies)
			}
			if cycle := stored.FindCycle(); cycle != nil || stored.Len() != g.Len() {
				t.Fatalf("cycle %v, %d edges stored, %d in the graph", cycle, stored.Len(), g.Len())
			}
		}
	})
}

package scenario_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// FuzzParseDefinition holds the parser to what it promises of any text: it
// answers, a definition keeps text and hash, problems have messages, and what
// a template without needs instantiates to says the same as the template.
func FuzzParseDefinition(f *testing.F) {
	for _, seed := range []string{
		examples.MarketDisruption, examples.StablecoinDepeg, examples.ExchangeDisruption, examples.ExchangeOutage,
		examples.RestartRiskMonitor, examples.LegacyLatency, templateHead + onePhase, head + onePhase,
		head + "a: &a [x, x]\nb: &b [*a, *a]\nspec: {<<: *b}",
		head + "spec: {phases: [{name: !!binary cA==}]}",
		head + "spec: {variables: {a: 1, b: '{{ .Variables.a + 1h }}'}, phases: [{name: '{{ .Variables.b }}'}]}",
		templateHead + "spec: {duration: '{{ .Parameters.d + 10m }}', phases: [{name: '{{.Parameters.s}}{{'}]}",
		templateHead + "spec: {variables: {a: 1e3, b: 0x1F, c: 017, d: 1_0, e: 2020-01-01, f: ~, g: \"\\t\\u2028\"}, phases: [{name: \" a\\n\"}]}",
		`{"apiVersion":"chaos.trading/v1","kind":"Template","metadata":{"name":"\ud83d\ude00"},"spec":{"phases":[{"name":"a","actions":[{"service":"s","action":"a","parameters":{"x":[1.0,-0,1E5,null,true,""]}}]}]}}`,
		strings.Repeat("- ", 100), strings.Repeat("{a: ", 100), "? - a\n: b", "\ufeff%YAML 1.2\n---\napiVersion: chaos.trading/v1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		limits := scenario.DefaultLimits()
		d, problems := scenario.ParseDefinition(text, limits)
		if (d == nil) != (len(problems) > 0) {
			t.Fatalf("definition %v, problems %v", d, problems)
		}
		for _, p := range problems {
			if p.Message == "" || p.Line < 0 {
				t.Fatalf("problem %+v", p)
			}
		}
		if d == nil {
			return
		}
		if d.Text != text || d.Hash != scenario.HashContent(text) {
			t.Fatal("the text was changed")
		}
		for _, p := range d.Spec.Phases {
			for _, a := range p.Actions {
				if a.Parameters != nil && !json.Valid(a.Parameters) {
					t.Fatalf("parameters are not JSON: %s", a.Parameters)
				}
			}
		}
		if d.Kind != scenario.KindTemplate || d.Metadata.Extends != "" || len(d.Parameters) > 0 {
			return
		}
		instance, problems := d.Instantiate(nil, limits)
		if len(problems) > 0 {
			if problems[0].Message == "longer than 524288 bytes" {
				return // the text grew by its layout
			}
			t.Fatalf("instantiate: %v", problems)
		}
		if diff := cmp.Diff(d, instance, cmpopts.IgnoreFields(scenario.Definition{}, "Text", "Hash", "Kind"),
			cmpopts.IgnoreUnexported(scenario.Definition{})); diff != "" {
			t.Fatalf("instance of a template without parameters (-template +instance):\n%s", diff)
		}
	})
}

// FuzzCheckParameters holds the reader of parameters to giving an answer.
func FuzzCheckParameters(f *testing.F) {
	d, _ := scenario.ParseDefinition(templateHead+onePhase, scenario.DefaultLimits())
	for _, seed := range []string{`{}`, `{"i": 1, "s": "x", "d": "1h"}`, `[`, `{"i": [[[[]]]]}`, `{"a": {"a": 1, "a": 2}}`, `1e999`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		problems := d.CheckParameters(json.RawMessage(object))
		if len(problems) > 0 {
			return
		}
		if _, problems := d.Instantiate(json.RawMessage(object), scenario.DefaultLimits()); len(problems) > 0 {
			t.Fatalf("checked, but not instantiated: %v", problems)
		}
	})
}

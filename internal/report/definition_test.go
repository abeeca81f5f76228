package report_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const (
	ownTemplate = "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: T}\nparameters:\n" +
		"  - {name: a, type: int, default: 1}\n  - {name: b, type: int, default: 1}\n  - {name: c, type: string, default: one}\n  - {name: d, type: string}\n" +
		"spec: {phases: [{name: p}]}\n"
	ownScenario = "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {name: S, description: about, author: ada, extends: t}\n" +
		"spec:\n  variables: {a: 4, b: 4, c: four, v: 4h}\n  phases: [{name: p}]\n  success_criteria: [all well, {p99: 5}]\n"
)

func TestParametersAreResolved(t *testing.T) {
	t.Parallel()
	requested := event(0, &execution.Requested{Parameters: json.RawMessage(`{"a": 3, "x": {"k": [1e2]}, "big": 12345678901234567890}`)})
	built := build(t, report.Context{Definition: &report.DefinitionSource{
		Number: 7, Text: ownScenario, TemplateID: "t", TemplateVersion: "2", TemplateParameters: []byte(`{"a": 2, "b": 2}`), TemplateText: ownTemplate,
		Publication: "9e1b", TemplateSHA256: "77aa",
	}}, requested)
	want := report.Definition{
		Known: true, Name: "S", Description: "about", Version: 7, SHA256: scenario.HashContent(ownScenario).String(), Author: "ada",
		Services: []string{}, ExpectedOutcomes: []string{}, SuccessCriteria: []string{"all well", `{"p99":5}`}, TemplateID: "t", TemplateVersion: "2",
		Parameters: []report.Parameter{
			{Name: "a", Value: "3", From: "run"},
			{Name: "b", Value: "2", From: "template"},
			{Name: "big", Value: "12345678901234567890", From: "run"},
			{Name: "c", Value: "one", From: "default"},
			{Name: "v", Value: "4h", From: "variable"},
			{Name: "x", Value: `{"k":[100]}`, From: "run"},
		},
	}
	if diff := cmp.Diff(want, built.Definition); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if in := built.Inputs; in.DefinitionSHA256 != want.SHA256 || in.Publication != "9e1b" || in.TemplateID != "t" || in.TemplateSHA256 != "77aa" {
		t.Errorf("inputs: %+v", in)
	}
}

func TestOpaqueAndUnknownDefinitions(t *testing.T) {
	t.Parallel()
	requested := event(0, &execution.Requested{ScenarioVersion: "3", Parameters: json.RawMessage(`{"a": true}`)})
	ofRun := []report.Parameter{{Name: "a", Value: "true", From: "run"}}
	for name, text := range map[string]string{
		"free JSON": `{"name": "x", "steps": []}`, "no text": "", "neither JSON nor YAML": "\t{", "a document with mistakes": "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {}\n",
	} {
		d := build(t, report.Context{Definition: &report.DefinitionSource{Number: 1, Text: text, Author: "ada"}}, requested).Definition
		if !d.Known || !d.Opaque || d.Name != "" || d.SHA256 != scenario.HashContent(text).String() || d.Author != "ada" || !cmp.Equal(d.Parameters, ofRun) {
			t.Errorf("%s: %+v", name, d)
		}
	}
	r := build(t, report.Context{}, requested)
	if d := r.Definition; d.Known || d.Opaque || d.SHA256 != "" || !cmp.Equal(d.Parameters, ofRun) {
		t.Errorf("unknown: %+v", d)
	}
	if r.Inputs.DefinitionSHA256 != "" || r.Run.ScenarioVersion != "3" {
		t.Errorf("inputs %+v, run %+v", r.Inputs, r.Run)
	}
}

package report

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// DefinitionSource is the scenario version that was run, as it was published.
type DefinitionSource struct {
	ScenarioID         string
	Number             int32
	Text               string // byte for byte
	Publication        string // digest of the event that published it
	Author             string
	Type               string // scenario_type
	Services           []string
	ExpectedOutcomes   []string
	TemplateID         string
	TemplateVersion    string
	TemplateParameters []byte // JSON object; nil when there is none
	TemplateText       string // of that version, for its defaults; empty when it is not known
	TemplateSHA256     string // of that text as it was published
}

// resolveDefinition says what was run, and what its parameters were resolved to.
// Of a name that is given several times the first of these counts:
//
//	run       the parameters that the run was requested with
//	template  the parameters that the scenario gives its template
//	default   the defaults of the template
//	variable  the variables of the scenario
func resolveDefinition(src *DefinitionSource, ofRun json.RawMessage) Definition {
	resolved := map[string]Parameter{}
	offer := func(from, name, value string) {
		if _, known := resolved[name]; !known {
			resolved[name] = Parameter{Name: cutText(name), Value: cut(value, mostFree), From: from}
		}
	}
	offerAll(offer, "run", ofRun)
	d := Definition{Parameters: []Parameter{}}
	if src != nil {
		d.describe(src)
		offerAll(offer, "template", src.TemplateParameters)
		parsed := parse(src.Text)
		for _, text := range []*scenario.Definition{parsed, parse(src.TemplateText)} {
			offerDefaults(offer, text)
		}
		if parsed != nil {
			offerAll(offer, "variable", parsed.Spec.Variables)
		}
		d.read(parsed, src)
	}
	for _, name := range slices.Sorted(maps.Keys(resolved)) {
		d.Parameters = append(d.Parameters, resolved[name])
	}
	return d
}

// parse reads a document of the definition language; nil for anything else.
func parse(text string) *scenario.Definition {
	if text == "" {
		return nil
	}
	parsed, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
	if len(problems) > 0 || parsed.Kind == scenario.KindOpaque {
		return nil
	}
	return parsed
}

func offerAll(offer func(from, name, value string), from string, object json.RawMessage) {
	if len(object) == 0 {
		return
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(object, &values) != nil {
		return
	}
	for name, value := range values {
		offer(from, name, valueText(value))
	}
}

func offerDefaults(offer func(from, name, value string), template *scenario.Definition) {
	if template == nil {
		return
	}
	for _, p := range template.Parameters {
		if p.Default != nil {
			offer("default", p.Name, p.Default.String())
		}
	}
}

// valueText is a text as it is, and JSON of anything else.
func valueText(value json.RawMessage) string {
	n := normalise(value)
	var text string
	if json.Unmarshal(n, &text) == nil && len(n) > 0 && n[0] == '"' {
		return text
	}
	return string(n)
}

// describe takes what was said when the scenario was published.
func (d *Definition) describe(src *DefinitionSource) {
	d.Known = true
	d.Version, d.SHA256 = src.Number, scenario.HashContent(src.Text).String()
	d.Author, d.Type = cutText(src.Author), cutText(src.Type)
	d.Services, d.ExpectedOutcomes = cutAll(src.Services), cutAll(src.ExpectedOutcomes)
	d.TemplateID, d.TemplateVersion = src.TemplateID, src.TemplateVersion
}

// read takes what the document says; nil: it is opaque.
func (d *Definition) read(parsed *scenario.Definition, src *DefinitionSource) {
	if parsed == nil {
		d.Opaque = true
		return
	}
	d.Name, d.Description = cutText(parsed.Metadata.Name), cutText(parsed.Metadata.Description)
	if src.Author == "" {
		d.Author = cutText(parsed.Metadata.Author)
	}
	if d.TemplateID == "" {
		d.TemplateID = string(parsed.Metadata.Extends)
	}
	for _, criterion := range parsed.Spec.SuccessCriteria {
		d.SuccessCriteria = append(d.SuccessCriteria, cutText(valueText(criterion)))
	}
}

func cutAll(texts []string) []string {
	all := make([]string, 0, len(texts))
	for _, t := range texts {
		all = append(all, cutText(t))
	}
	return all
}

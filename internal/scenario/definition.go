package scenario

import (
	"encoding/json"
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"
)

// Kind says what a definition is.
type Kind string

// The kinds of definitions, as they are stored. The first two are documents of
// the definition language ("kind: Scenario", "kind: Template"); an opaque
// definition is any other text.
const (
	KindScenario Kind = "scenario"
	KindTemplate Kind = "template"
	KindOpaque   Kind = "opaque"
)

// Definition is what a version of a scenario or a template holds. Text and
// Hash are those of the text as it came, byte for byte; everything else is
// read from it, and empty when the definition is opaque.
type Definition struct {
	Text string
	Hash ContentHash
	Kind Kind

	Metadata   Metadata
	Parameters []Parameter // of a template
	Spec       Spec

	root *yaml.Node // vetted, placeholders in place
}

type (
	// Metadata describes a definition to people.
	Metadata struct {
		Name        string
		Description string
		Version     string // the author's word; versions are identified by Hash
		Author      string
		Tags        []string
		Extends     TemplateID // whose spec is the base of this one; empty when none
	}

	// Spec is what is to be done. Values that placeholders stand for are filled
	// in; where a template's parameters are needed for that, texts and JSON
	// hold the placeholder and durations are zero.
	Spec struct {
		Duration        time.Duration
		Timeout         time.Duration
		Variables       json.RawMessage // object; nil when none
		Preconditions   []Condition
		Postconditions  []Condition
		Phases          []Phase
		Rollback        *Rollback
		SuccessCriteria []json.RawMessage
		Reporting       Reporting
	}

	// Phase is a named part of a scenario.
	Phase struct {
		Name            string
		Duration        time.Duration
		Description     string
		Actions         []Action
		ParallelActions []Action
		Assertions      []Condition
	}

	// Action is something to do to a service.
	Action struct {
		Delay      time.Duration // of a parallel action, from the start of its phase
		Service    string
		Action     string
		Parameters json.RawMessage // object; nil when none
	}

	// Condition is something to hold before, during or after.
	Condition struct {
		Type       string
		Expect     json.RawMessage // any JSON; nil when not said
		Within     time.Duration   // of an assertion; zero when not said
		Service    string
		Parameters json.RawMessage // object; nil when none
	}

	// Rollback is what to do in the end.
	Rollback struct {
		OnFailure bool
		Actions   []Action
	}

	// Reporting says what a report of a run is to hold.
	Reporting struct {
		GenerateTimeline         bool
		IncludePerformanceImpact bool
		CorrelateWithAuditLogs   bool
	}
)

// ParseDefinition reads a definition. A document of the definition language is
// checked strictly, and all its problems are returned with their places; the
// definition is then nil. Any other text, even one that is neither YAML nor
// JSON, is opaque: it is kept and hashed, and nothing in it is looked at.
func ParseDefinition(text string, limits Limits) (*Definition, Problems) {
	if len(text) > limits.DefinitionBytes {
		return nil, Problems{{Message: fmt.Sprintf("longer than %d bytes", limits.DefinitionBytes)}}
	}
	root, problems := parseSource(text, limits)
	if len(problems) > 0 {
		return nil, problems
	}
	d := &Definition{Text: text, Hash: HashContent(text), Kind: KindOpaque}
	if root == nil {
		return d, nil
	}
	if problems := vet(root, limits); len(problems) > 0 {
		return nil, problems.sorted()
	}
	d.root = root
	if problems := d.read(limits); len(problems) > 0 {
		return nil, problems.sorted()
	}
	return d, nil
}

// read fills the definition from its tree.
func (d *Definition) read(limits Limits) Problems {
	var r reader
	kind := find(d.root, "kind")
	switch {
	case kind == nil:
		r.problems.report((*place)(nil).field("kind"), d.root, "required: Scenario or Template")
		return r.problems
	case kind.Value == "Scenario":
		d.Kind = KindScenario
	case kind.Value == "Template":
		d.Kind = KindTemplate
	default:
		r.problems.report((*place)(nil).field("kind"), kind, "want Scenario or Template")
		return r.problems
	}

	d.Parameters = r.declarations(find(d.root, "parameters"), d.Kind)
	parameters := make(map[string]Value, len(d.Parameters))
	for _, p := range d.Parameters {
		parameters[p.Name] = unknown(p.Type)
	}
	resolved, pending, problems := resolve(d.root, names{
		parameters: parameters,
		template:   d.Kind == KindTemplate,
		open:       find(find(d.root, "metadata"), "extends") != nil,
		budget:     limits.DefinitionBytes,
		guesses:    printed,
	})
	r.problems = append(r.problems, problems...)
	r.pending = pending
	r.document(resolved, d)
	return r.problems
}

// resolve replaces the placeholders in metadata and spec; the rest of a
// document has none.
func resolve(root *yaml.Node, ns names) (*yaml.Node, map[*yaml.Node]ParameterType, Problems) {
	r := resolver{names: ns, pending: make(map[*yaml.Node]ParameterType)}
	r.names.variables = make(map[string]Value)
	spec := (*place)(nil).field("spec")
	r.declareVariables(find(find(root, "spec"), "variables"), spec.field("variables"))

	resolved := *root
	resolved.Content = append([]*yaml.Node(nil), root.Content...)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i].Value; key == "metadata" || key == "spec" {
			resolved.Content[i+1] = r.node(root.Content[i+1], (*place)(nil).field(key))
		}
	}
	return &resolved, r.pending, r.problems
}

package scenario

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// Instantiate makes a scenario of a template: parameters is a JSON object with
// values for the template's parameters (nil for none), every placeholder is
// replaced by what it stands for, and the result is a document of its own, with
// its own text and hash. The same template and parameters give the same text.
//
// A template that extends another must be merged with its base first; see
// [Definition.Extend].
func (d *Definition) Instantiate(parameters json.RawMessage, limits Limits) (*Definition, Problems) {
	if d.Metadata.Extends != "" {
		return nil, Problems{{
			Path: "metadata.extends", Value: string(d.Metadata.Extends),
			Message: "merge with the base first",
		}}
	}
	values, problems := d.bind(parameters)
	if len(problems) > 0 {
		return nil, problems
	}
	resolved, _, problems := resolve(d.root, names{
		parameters: values, template: true, bound: true, budget: limits.DefinitionBytes, guesses: printed,
	})
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	return render(mapping(
		entry{"apiVersion", text(APIVersion)},
		entry{"kind", text("Scenario")},
		entry{"metadata", find(resolved, "metadata")},
		entry{"spec", find(resolved, "spec")},
	), limits)
}

// Extend merges a document with the template that its metadata.extends names.
// The base gives the spec, and this document overrides it: phase by phase by
// their names (a phase is replaced as a whole and keeps its place, a new one
// comes last), variable by variable, parameter by parameter, and otherwise
// field by field. The metadata are this document's own, except that the result
// extends what the base extends. Where parameters remain, it is a template.
func (d *Definition) Extend(base *Definition, limits Limits) (*Definition, Problems) {
	if d.Metadata.Extends == "" {
		return nil, Problems{{Message: "extends nothing"}}
	}
	if base.Kind != KindTemplate {
		return nil, Problems{{Path: "metadata.extends", Value: string(d.Metadata.Extends), Message: "want a Template"}}
	}
	metadata := mapping()
	for key, value := range fieldsOf(find(d.root, "metadata")) {
		if key != "extends" {
			put(metadata, key, value)
		}
	}
	if base.Metadata.Extends != "" {
		put(metadata, "extends", text(string(base.Metadata.Extends)))
	}

	kind := "Scenario"
	parameters := mergeNamed(find(base.root, "parameters"), find(d.root, "parameters"))
	if parameters != nil || d.Kind == KindTemplate {
		kind = "Template"
	}
	return render(mapping(
		entry{"apiVersion", text(APIVersion)},
		entry{"kind", text(kind)},
		entry{"metadata", metadata},
		entry{"parameters", parameters},
		entry{"spec", mergeSpec(find(base.root, "spec"), find(d.root, "spec"))},
	), limits)
}

func mergeSpec(base, over *yaml.Node) *yaml.Node {
	merged := mapping()
	for key, value := range fieldsOf(base) {
		put(merged, key, value)
	}
	for key, value := range fieldsOf(over) {
		switch key {
		case "phases":
			value = mergeNamed(find(base, key), value)
		case "variables":
			variables := mapping()
			for name, v := range fieldsOf(find(base, key)) {
				put(variables, name, v)
			}
			for name, v := range fieldsOf(value) {
				put(variables, name, v)
			}
			value = variables
		}
		put(merged, key, value)
	}
	return merged
}

// mergeNamed merges two lists of objects by their names; nil when both are
// missing.
func mergeNamed(base, over *yaml.Node) *yaml.Node {
	if base == nil {
		return over
	}
	merged := &yaml.Node{Kind: yaml.SequenceNode, Content: append([]*yaml.Node(nil), base.Content...)}
	at := make(map[string]int, len(base.Content))
	for i, item := range base.Content {
		at[find(item, "name").Value] = i
	}
	if over == nil {
		return merged
	}
	for _, item := range over.Content {
		if i, ok := at[find(item, "name").Value]; ok {
			merged.Content[i] = item
		} else {
			merged.Content = append(merged.Content, item)
		}
	}
	return merged
}

// render writes a tree as YAML and reads it back as a definition, so that what
// was computed is checked like anything that came from outside.
func render(root *yaml.Node, limits Limits) (*Definition, Problems) {
	out, err := yaml.Dump(plain(root))
	if err != nil {
		return nil, Problems{{Message: fmt.Sprintf("write as YAML: %v", err)}}
	}
	d, problems := ParseDefinition(string(out), limits)
	return d, withoutLines(problems)
}

// plain copies a tree without comments and styles: the result is laid out by
// the writer alone, and quoted where its text needs it.
func plain(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	for _, child := range n.Content {
		c.Content = append(c.Content, plain(child))
	}
	return c
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tagString, Value: s}
}

// entry is one key of a map and its value.
type entry struct {
	key   string
	value *yaml.Node
}

// mapping builds a map; entries without a value are left out.
func mapping(entries ...entry) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range entries {
		if e.value != nil {
			put(m, e.key, e.value)
		}
	}
	return m
}

// put sets a key of a map, in its place or as the last.
func put(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
	m.Content = append(m.Content, text(key), value)
}

// fieldsOf walks the keys and values of a map; a missing one has none.
func fieldsOf(m *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if m == nil {
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i].Value, m.Content[i+1]) {
				return
			}
		}
	}
}

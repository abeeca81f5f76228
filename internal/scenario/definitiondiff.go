package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"go.yaml.in/yaml/v4"
)

// DefinitionDiff is what differs between two versions of a definition.
type DefinitionDiff struct {
	Identical bool // byte for byte

	// Structured tells that both texts are maps, in YAML or in JSON, and were
	// compared as such: Changes holds what differs in content. When it is empty
	// and the texts are not identical, only layout or comments differ.
	Structured bool
	Changes    []DefinitionChange // in the order of the earlier text, at most 1,000
	More       int                // changes beyond those

	// Text is a unified diff of the lines, where Changes says nothing: the
	// texts have no structure in common, or differ in layout only. It is at
	// most 64 KiB; where it was cut, Truncated is set.
	Text      string
	Truncated bool
}

// DefinitionChange is one place whose value was added, removed or changed.
type DefinitionChange struct {
	Kind   ChangeKind
	Path   string // such as spec.phases[injection].actions[0].parameters.latency_ms; indexes are those of the later text, of removed items those of the earlier
	Before string // JSON, cut to about 240 bytes; empty when added
	After  string // likewise; empty when removed
}

// ChangeKind says what happened to a value.
type ChangeKind string

// The kinds of changes.
const (
	ChangeAdded     ChangeKind = "added"
	ChangeRemoved   ChangeKind = "removed"
	ChangeChanged   ChangeKind = "changed"
	ChangeReordered ChangeKind = "reordered" // a list of named items; Before and After are the names that both have
)

// String is the change in one line: "path: before -> after".
func (c DefinitionChange) String() string {
	switch c.Kind {
	case ChangeAdded:
		return fmt.Sprintf("%s: added %s", c.Path, c.After)
	case ChangeRemoved:
		return fmt.Sprintf("%s: removed %s", c.Path, c.Before)
	case ChangeReordered:
		return fmt.Sprintf("%s: reordered %s -> %s", c.Path, c.Before, c.After)
	case ChangeChanged:
	}
	return fmt.Sprintf("%s: %s -> %s", c.Path, c.Before, c.After)
}

// Bounds of a diff: two definitions of 512 KiB can differ in everything.
const (
	mostChanges   = 1000
	longestChange = 240      // bytes of a value
	longestDiff   = 64 << 10 // bytes of a unified diff
)

// DiffDefinitions compares two texts. Maps are compared key by key whatever
// their order, numbers by value; lists whose items all have a name of their own
// (phases, parameters) by these names, others item by item after what is equal
// at their beginnings and ends was left away.
//
// The cost is in proportion to the texts: the tree is bounded by limits, and
// the search for common lines is given up after some hundred differences, where
// the rest counts as replaced.
func DiffDefinitions(before, after string, limits Limits) DefinitionDiff {
	if before == after {
		return DefinitionDiff{Identical: true}
	}
	var d DefinitionDiff
	if a, b := mapOf(before, limits), mapOf(after, limits); a != nil && b != nil {
		t := treeDiff{diff: &d}
		t.compare(a, b, nil)
		d.Structured = true
	}
	if len(d.Changes) == 0 {
		d.Text, d.Truncated = diffLines(before, after)
	}
	return d
}

// mapOf is a text as a tree that says what it shows, nil when it is not one.
// Whether it is of the definition language does not matter.
func mapOf(text string, limits Limits) *yaml.Node {
	if len(text) > limits.DefinitionBytes {
		return nil
	}
	root, problems := readTree(text, limits)
	if len(problems) > 0 || root == nil || root.Kind != yaml.MappingNode || len(vet(root, limits)) > 0 {
		return nil
	}
	return root
}

func diffLines(before, after string) (text string, truncated bool) {
	text, err := udiff.ToUnified("before", "after", before, udiff.Lines(before, after), udiff.DefaultContextLines)
	if err != nil { // cannot be: the edits are those of the text
		return "", true
	}
	if len(text) <= longestDiff {
		return text, false
	}
	text = text[:longestDiff]
	if end := strings.LastIndexByte(text, '\n'); end > longestDiff/2 {
		text = text[:end+1] // a whole number of lines, unless one is very long
	}
	return strings.ToValidUTF8(text, ""), true
}

type treeDiff struct{ diff *DefinitionDiff }

// report spells a change out, unless there are too many already.
func (t *treeDiff) report(kind ChangeKind, p *place, before, after *yaml.Node) {
	if len(t.diff.Changes) == mostChanges {
		t.diff.More++
		return
	}
	c := DefinitionChange{Kind: kind, Path: p.String()}
	if before != nil {
		c.Before = shortJSON(toJSON(before))
	}
	if after != nil {
		c.After = shortJSON(toJSON(after))
	}
	t.diff.Changes = append(t.diff.Changes, c)
}

func shortJSON(value json.RawMessage) string {
	if len(value) <= longestChange {
		return string(value)
	}
	return strings.ToValidUTF8(string(value[:longestChange]), "") + "…"
}

func (t *treeDiff) compare(a, b *yaml.Node, p *place) {
	switch {
	case a.Kind == yaml.MappingNode && b.Kind == yaml.MappingNode:
		t.maps(a, b, p)
	case a.Kind == yaml.SequenceNode && b.Kind == yaml.SequenceNode:
		if from, to := itemsByName(a), itemsByName(b); from != nil && to != nil {
			t.named(a, b, from, to, p)
		} else {
			t.lists(a, b, p)
		}
	case !sameValue(a, b):
		t.report(ChangeChanged, p, a, b)
	}
}

func (t *treeDiff) maps(a, b *yaml.Node, p *place) {
	from, to := valuesByKey(a), valuesByKey(b)
	for key, value := range fieldsOf(a) {
		if other := to[key]; other != nil {
			t.compare(value, other, p.field(key))
		} else {
			t.report(ChangeRemoved, p.field(key), value, nil)
		}
	}
	for key, value := range fieldsOf(b) {
		if from[key] == nil {
			t.report(ChangeAdded, p.field(key), nil, value)
		}
	}
}

func (t *treeDiff) named(a, b *yaml.Node, from, to map[string]*yaml.Node, p *place) {
	common := func(list *yaml.Node, other map[string]*yaml.Node) *yaml.Node {
		names := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range list.Content {
			if name := find(item, "name"); other[name.Value] != nil {
				names.Content = append(names.Content, text(name.Value))
			}
		}
		return names
	}
	if before, after := common(a, to), common(b, from); !sameValue(before, after) {
		t.report(ChangeReordered, p, before, after)
	}
	for _, item := range a.Content {
		name := find(item, "name").Value
		if other := to[name]; other != nil {
			t.compare(item, other, p.named(name))
		} else {
			t.report(ChangeRemoved, p.named(name), item, nil)
		}
	}
	for _, item := range b.Content {
		if name := find(item, "name").Value; from[name] == nil {
			t.report(ChangeAdded, p.named(name), nil, item)
		}
	}
}

func (t *treeDiff) lists(a, b *yaml.Node, p *place) {
	from, to := a.Content, b.Content
	first := 0
	for len(from) > 0 && len(to) > 0 && sameValue(from[0], to[0]) {
		from, to, first = from[1:], to[1:], first+1
	}
	for len(from) > 0 && len(to) > 0 && sameValue(from[len(from)-1], to[len(to)-1]) {
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	both := min(len(from), len(to))
	for i := range both {
		t.compare(from[i], to[i], p.item(first+i))
	}
	for i, item := range from[both:] {
		t.report(ChangeRemoved, p.item(first+both+i), item, nil)
	}
	for i, item := range to[both:] {
		t.report(ChangeAdded, p.item(first+both+i), nil, item)
	}
}

// itemsByName are the items of a list that all have names of their own; nil
// when one has none, or two have the same.
func itemsByName(list *yaml.Node) map[string]*yaml.Node {
	items := make(map[string]*yaml.Node, len(list.Content))
	for _, item := range list.Content {
		name := find(item, "name")
		if name == nil || name.Kind != yaml.ScalarNode || name.Value == "" || items[name.Value] != nil {
			return nil
		}
		items[name.Value] = item
	}
	return items
}

func valuesByKey(m *yaml.Node) map[string]*yaml.Node {
	values := make(map[string]*yaml.Node, len(m.Content)/2)
	for key, value := range fieldsOf(m) {
		values[key] = value
	}
	return values
}

// sameValue tells whether two trees say the same: 1.0 is 1, and the order of
// keys is of no account.
func sameValue(a, b *yaml.Node) bool {
	switch {
	case a.Kind != b.Kind || len(a.Content) != len(b.Content):
		return false
	case a.Kind == yaml.SequenceNode:
		return slices.EqualFunc(a.Content, b.Content, sameValue)
	case a.Kind == yaml.MappingNode:
		others := valuesByKey(b)
		for key, value := range fieldsOf(a) {
			if other := others[key]; other == nil || !sameValue(value, other) {
				return false
			}
		}
		return true
	case a.Tag == b.Tag && a.Value == b.Value:
		return true
	}
	return string(toJSON(a)) == string(toJSON(b))
}

package scenario

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// place is the way from the root of a document to one of its nodes. It is
// spelled out only when there is a problem to report.
type place struct {
	parent *place
	key    string // in a mapping; empty in a sequence
	name   string // of an item that is found by its name; empty when it is by its index
	index  int
}

// plainKey is a key that needs no quotes in a place.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_<-]{1,80}$`)

func (p *place) field(key string) *place { return &place{parent: p, key: key} }
func (p *place) item(i int) *place       { return &place{parent: p, index: i} }
func (p *place) named(name string) *place {
	return &place{parent: p, name: name}
}

// String is the place as in "spec.phases[1].actions[0].service".
func (p *place) String() string {
	if p == nil {
		return ""
	}
	before := p.parent.String()
	switch {
	case plainKey.MatchString(p.name):
		return before + "[" + p.name + "]"
	case p.name != "":
		return fmt.Sprintf("%s[%q]", before, fact.Cut(p.name))
	case p.key == "":
		return fmt.Sprintf("%s[%d]", before, p.index)
	case !plainKey.MatchString(p.key):
		return fmt.Sprintf("%s[%q]", before, fact.Cut(p.key))
	case before == "":
		return p.key
	default:
		return before + "." + p.key
	}
}

// report adds a problem at a node.
func (ps *Problems) report(p *place, n *yaml.Node, format string, args ...any) {
	*ps = append(*ps, Problem{
		Path: p.String(), Line: n.Line, Column: n.Column,
		Value: n.Value, Message: fmt.Sprintf(format, args...),
	})
}

// vet holds the tree of a document against what the language takes from YAML:
// what JSON can say, and nothing that means something else than it shows. An
// alias stands for text that is elsewhere, and a handful of them for gigabytes;
// a tag can change what a value is; of two equal keys one would be dropped.
func vet(root *yaml.Node, limits Limits) Problems {
	v := vetter{left: limits.Nodes}
	v.node(root, nil)
	if v.left < 0 {
		v.problems = append(v.problems, Problem{
			Line: root.Line, Column: root.Column,
			Message: fmt.Sprintf("more than %d keys and values", limits.Nodes),
		})
	}
	return v.problems
}

type vetter struct {
	left     int // how many more nodes are allowed
	problems Problems
}

func (v *vetter) node(n *yaml.Node, p *place) {
	if v.left--; v.left < 0 {
		return
	}
	if n.Anchor != "" && n.Kind != yaml.AliasNode {
		v.problems.report(p, n, "anchors are not part of the definition language")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		v.problems.report(p, n, "tags are not part of the definition language")
	}
	switch n.Kind {
	case yaml.MappingNode:
		v.mapping(n, p)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			v.node(item, p.item(i))
		}
	case yaml.AliasNode:
		v.problems.report(p, n, "aliases are not part of the definition language")
	default:
		v.scalar(n, p)
	}
}

func (v *vetter) mapping(n *yaml.Node, p *place) {
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if v.left--; v.left < 0 {
			return
		}
		at := p.field(key.Value)
		switch {
		case key.Kind == yaml.MappingNode:
			v.problems.report(p, key, "a key must be text (a placeholder must be quoted)")
			continue
		case key.Kind != yaml.ScalarNode || key.Tag == tagNull || key.Value == "":
			v.problems.report(p, key, "a key must be text")
			continue
		case key.Tag == tagMerge:
			v.problems.report(at, key, "merge keys are not part of the definition language")
		case strings.Contains(key.Value, openPlaceholder):
			v.problems.report(at, key, "placeholders stand in values, not in keys")
		}
		if key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 {
			v.problems.report(at, key, "anchors and tags are not part of the definition language")
		}
		if strings.ContainsRune(key.Value, 0) {
			v.problems.report(at, key, "must not contain the character U+0000")
		}
		if before, ok := first[key.Value]; ok {
			v.problems.report(at, key, "duplicate key, first on line %d", before.Line)
		} else {
			first[key.Value] = key
		}
		v.node(value, at)
	}
}

// maxInteger is the largest integer that every JSON reader keeps exactly.
const maxInteger = 1<<53 - 1

func (v *vetter) scalar(n *yaml.Node, p *place) {
	switch n.Tag {
	case tagInt:
		if _, ok := parseInt(n.Value); !ok {
			v.problems.report(p, n, "integers lie within ±(2^53-1)")
		}
	case tagFloat:
		if _, ok := parseFloat(n.Value); !ok {
			v.problems.report(p, n, "numbers must be finite")
		}
	default:
		if strings.ContainsRune(n.Value, 0) {
			v.problems.report(p, n, "must not contain the character U+0000")
		}
	}
}

// parseInt reads an integer as YAML spells it: 1_000, 0x1F, 0o17.
func parseInt(s string) (int64, bool) {
	i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 0, 64)
	return i, err == nil && i >= -maxInteger && i <= maxInteger
}

// parseFloat reads a finite number.
func parseFloat(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// find is the value of a key of a mapping, nil when it is not there or null.
func find(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !isNull(n.Content[i+1]) {
			return n.Content[i+1]
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == tagNull }

// toJSON is a vetted tree as JSON, keys in the order of the text.
func toJSON(n *yaml.Node) json.RawMessage { return appendJSON(nil, n) }

func appendJSON(b []byte, n *yaml.Node) []byte {
	if n.Kind == yaml.MappingNode {
		b = append(b, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, n.Content[i].Value)
			b = append(b, ':')
			b = appendJSON(b, n.Content[i+1])
		}
		return append(b, '}')
	}
	if n.Kind == yaml.SequenceNode {
		b = append(b, '[')
		for i, item := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	}
	switch n.Tag {
	case tagNull:
		return append(b, "null"...)
	case tagBool:
		return strconv.AppendBool(b, isTrue(n.Value))
	case tagInt:
		if i, ok := parseInt(n.Value); ok {
			return strconv.AppendInt(b, i, 10)
		}
	case tagFloat:
		if f, ok := parseFloat(n.Value); ok {
			number, _ := json.Marshal(f) // finite, so that it cannot fail
			return append(b, number...)
		}
	}
	return appendText(b, n.Value)
}

func appendText(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string cannot fail
	return append(b, text...)
}

// isTrue reads a scalar with the tag of a boolean: YAML has true, True, TRUE.
func isTrue(s string) bool { return strings.EqualFold(s, "true") }

package scenario

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// reader fills Go values from a vetted tree and collects what does not fit.
// Each of its methods reads one shape of node.
type reader struct {
	pending  map[*yaml.Node]ParameterType // values of which only the type is known
	problems Problems
}

// field is one field that an object may have.
type field struct {
	name     string
	required bool
	read     func(n *yaml.Node, p *place)
}

// object reads a mapping. Fields that it does not know are problems: a
// misspelled field is a part of a test that silently does not run.
func (r *reader) object(n *yaml.Node, p *place, fields ...field) {
	if n.Kind != yaml.MappingNode {
		r.problems.report(p, n, "want a map")
		return
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
		if value := find(n, f.name); value != nil {
			f.read(value, p.field(f.name))
		} else if f.required {
			r.problems.report(p.field(f.name), &yaml.Node{Line: n.Line, Column: n.Column}, "required")
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			r.problems.report(p.field(key.Value), key, "unknown field%s", nearest(key.Value, known))
		}
	}
}

// list reads a sequence, item by item.
func (r *reader) list(n *yaml.Node, p *place, item func(n *yaml.Node, p *place)) {
	if n.Kind != yaml.SequenceNode {
		r.problems.report(p, n, "want a list")
		return
	}
	for i, child := range n.Content {
		if isNull(child) {
			r.problems.report(p.item(i), child, "empty item")
			continue
		}
		item(child, p.item(i))
	}
}

// scalar tells whether n is a single value, and if its type is all that is
// known, whether the type may stand where want is asked for.
func (r *reader) scalar(n *yaml.Node, p *place, want string, may ...ParameterType) (settled bool) {
	if n.Kind != yaml.ScalarNode {
		r.problems.report(p, n, "want %s", want)
		return false
	}
	t, waits := r.pending[n]
	if !waits {
		return true
	}
	if t != typeAny && len(may) > 0 && !slices.Contains(may, t) {
		r.problems.report(p, n, "want %s, this is of type %s", want, t)
	}
	return false
}

func (r *reader) text(to *string) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		r.scalar(n, p, "text")
		if n.Kind == yaml.ScalarNode {
			*to = n.Value
		}
	}
}

// word is a text that must not be empty.
func (r *reader) word(to *string) func(*yaml.Node, *place) {
	read := r.text(to)
	return func(n *yaml.Node, p *place) {
		read(n, p)
		if n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == "" {
			r.problems.report(p, n, "must not be empty")
		}
	}
}

func (r *reader) texts(to *[]string) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		r.list(n, p, func(n *yaml.Node, p *place) {
			var s string
			r.word(&s)(n, p)
			*to = append(*to, s)
		})
	}
}

func (r *reader) boolean(to *bool) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		if !r.scalar(n, p, "true or false", TypeBool) {
			return
		}
		if n.Tag != tagBool {
			r.problems.report(p, n, "want true or false")
			return
		}
		*to = isTrue(n.Value)
	}
}

const aDuration = "a duration such as 36h, 1h30m or 1.5s"

// duration reads a duration that is not negative and, unless zero is allowed,
// not zero either. A parameter of type string or enum may hold one.
func (r *reader) duration(to *time.Duration, zero bool) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		if !r.scalar(n, p, aDuration, TypeDuration, TypeString, TypeEnum) {
			return
		}
		d, err := time.ParseDuration(n.Value)
		switch {
		case err != nil:
			r.problems.report(p, n, "want %s", aDuration)
		case d < 0:
			r.problems.report(p, n, "must not be negative")
		case d == 0 && !zero:
			r.problems.report(p, n, "must be longer than zero")
		default:
			*to = d
		}
	}
}

// json reads anything.
func (r *reader) json(to *json.RawMessage) func(*yaml.Node, *place) {
	return func(n *yaml.Node, _ *place) { *to = toJSON(n) }
}

// jsonObject reads a map of anything.
func (r *reader) jsonObject(to *json.RawMessage) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		if n.Kind != yaml.MappingNode {
			r.problems.report(p, n, "want a map")
			return
		}
		*to = toJSON(n)
	}
}

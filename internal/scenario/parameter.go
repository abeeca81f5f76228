package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Parameter is what a template asks of those who use it.
type Parameter struct {
	Name     string
	Type     ParameterType
	Required bool
	Default  *Value   // nil when none
	Values   []string // of an enum
	Min, Max *Value   // inclusive; nil when unbounded
}

// declaration reads one parameter and holds its parts against each other.
func (r *reader) declaration(n *yaml.Node, p *place) Parameter {
	var d Parameter
	var fallback, low, high, words *yaml.Node
	keep := func(to **yaml.Node) func(*yaml.Node, *place) {
		return func(n *yaml.Node, _ *place) { *to = n }
	}
	r.object(n, p,
		field{"name", true, func(n *yaml.Node, p *place) {
			r.text(&d.Name)(n, p)
			if n.Kind == yaml.ScalarNode && !identifier.MatchString(n.Value) {
				r.problems.report(p, n, "the name of a parameter is made of letters, digits and _")
			}
		}},
		field{"type", true, r.parameterType(&d.Type)},
		field{"required", false, r.boolean(&d.Required)},
		field{"default", false, keep(&fallback)},
		field{"values", false, func(n *yaml.Node, p *place) {
			words = n
			r.texts(&d.Values)(n, p)
		}},
		field{"min", false, keep(&low)},
		field{"max", false, keep(&high)},
	)
	if d.Type == "" {
		return d // nothing can be said about the rest
	}
	switch {
	case d.Type == TypeEnum && len(d.Values) == 0:
		r.problems.report(p.field("values"), n, "required for an enum")
	case d.Type != TypeEnum && words != nil:
		r.problems.report(p.field("values"), words, "only for an enum")
	}
	d.Min = r.bound(low, p.field("min"), d.Type)
	d.Max = r.bound(high, p.field("max"), d.Type)
	if d.Min != nil && d.Max != nil && d.Max.less(*d.Min) {
		r.problems.report(p.field("max"), high, "less than min")
	}
	if fallback != nil {
		if v, wrong := d.accept(fallback); wrong != "" {
			r.problems.report(p.field("default"), fallback, "%s", wrong)
		} else {
			d.Default = &v
		}
	}
	return d
}

func (r *reader) parameterType(to *ParameterType) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		if t := ParameterType(n.Value); n.Kind == yaml.ScalarNode && slices.Contains(ParameterTypes(), t) {
			*to = t
			return
		}
		r.problems.report(p, n, "want one of %s", joined(ParameterTypes()))
	}
}

func (r *reader) bound(n *yaml.Node, p *place, t ParameterType) *Value {
	if n == nil {
		return nil
	}
	if !t.ordered() {
		r.problems.report(p, n, "only for int, float and duration")
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		if v, ok := typedValue(t, n); ok {
			return &v
		}
	}
	r.problems.report(p, n, "want a value of type %s", t)
	return nil
}

// accept is n as a value of this parameter. A non-empty wrong says why not.
func (d *Parameter) accept(n *yaml.Node) (v Value, wrong string) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return Value{}, "want a single value of type " + string(d.Type)
	}
	v, ok := typedValue(d.Type, n)
	switch {
	case !ok:
		return Value{}, "want a value of type " + string(d.Type)
	case strings.Contains(v.text, openPlaceholder):
		return Value{}, "must not contain a placeholder"
	case d.Type == TypeEnum && !slices.Contains(d.Values, v.text):
		return Value{}, "want one of " + fact.Cut(joined(d.Values))
	case d.Min != nil && v.less(*d.Min):
		return Value{}, "less than " + fact.Cut(d.Min.text)
	case d.Max != nil && d.Max.less(v):
		return Value{}, "more than " + fact.Cut(d.Max.text)
	}
	return v, ""
}

// CheckParameters holds a JSON object against the parameters of the template:
// unknown, missing, of the wrong type, out of range.
func (d *Definition) CheckParameters(object json.RawMessage) Problems {
	_, problems := d.bind(object)
	return problems
}

// bind gives each parameter its value: the given one, or the default. Of an
// optional parameter with neither, only the type is known.
func (d *Definition) bind(object json.RawMessage) (map[string]Value, Problems) {
	if d.Kind != KindTemplate {
		return nil, Problems{{Message: "only a Template has parameters"}}
	}
	given := &yaml.Node{Kind: yaml.MappingNode}
	if len(object) > 0 && string(object) != "null" {
		if !json.Valid(object) {
			return nil, Problems{{Message: "want a JSON object"}}
		}
		var problems Problems
		if given, problems = readJSON(string(object), parametersDepth); len(problems) > 0 {
			return nil, problems
		}
		if given.Kind != yaml.MappingNode {
			return nil, Problems{{Message: "want a JSON object"}}
		}
		if problems := vet(given, Limits{Nodes: len(object)}); len(problems) > 0 {
			return nil, withoutLines(problems)
		}
	}
	var problems Problems
	values := make(map[string]Value, len(d.Parameters))
	known := make([]string, len(d.Parameters))
	for i := range d.Parameters {
		p := &d.Parameters[i]
		known[i] = p.Name
		switch n := find(given, p.Name); {
		case n != nil:
			v, wrong := p.accept(n)
			if wrong != "" {
				problems.add(p.Name, n.Value, "%s", wrong)
			}
			values[p.Name] = v
		case p.Required:
			problems.add(p.Name, "", "required")
		case p.Default != nil:
			values[p.Name] = *p.Default
		default:
			values[p.Name] = unknown(p.Type)
		}
	}
	for i := 0; i+1 < len(given.Content); i += 2 {
		if name := given.Content[i].Value; !slices.Contains(known, name) {
			guess := ""
			if len(problems) < printed { // beyond, nobody reads it, and thousands may be wrong
				guess = nearest(name, known)
			}
			problems.add((*place)(nil).field(name).String(), "", "unknown parameter%s", guess)
		}
	}
	return values, problems
}

// parametersDepth bounds the nesting of an object of parameters. All that is
// nested in it is wrong anyway; it need only be read.
const parametersDepth = 32

// withoutLines leaves the places in a text that nobody sees as lines.
func withoutLines(ps Problems) Problems {
	for i := range ps {
		ps[i].Line, ps[i].Column = 0, 0
	}
	return ps
}

func joined[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s", string(w))
	}
	return b.String()
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

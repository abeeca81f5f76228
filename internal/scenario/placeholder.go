package scenario

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

const (
	openPlaceholder  = "{{"
	closePlaceholder = "}}"
)

// names are what placeholders may refer to.
type names struct {
	parameters map[string]Value
	variables  map[string]Value
	template   bool // parameters exist at all
	bound      bool // parameters have their values
	open       bool // the document extends another and may name what only its base declares

	// budget is how many more bytes of values may be put in place of their
	// names: variables made of variables double as fast as YAML's aliases do.
	budget int
}

// operand is one part of a placeholder: a reference, a duration or a number,
// or the sign between two of them.
var operand = regexp.MustCompile(`^(?:\.(Parameters|Variables)\.([A-Za-z_][A-Za-z0-9_]*)|([0-9][0-9A-Za-z.µ]*)|([+-]))`)

// evaluate computes what stands between the braces: operands with + or -
// between them, from left to right. A non-empty wrong says what is wrong.
func (ns *names) evaluate(expression string) (result Value, wrong string) {
	rest := strings.TrimSpace(expression)
	sign := ""
	for first := true; first || rest != ""; first = false {
		if !first {
			m := operand.FindStringSubmatch(rest)
			if m == nil || m[4] == "" {
				return Value{}, "want + or - before " + quoteStart(rest)
			}
			sign = m[4]
			rest = strings.TrimSpace(rest[len(m[0]):])
		}
		m := operand.FindStringSubmatch(rest)
		if m == nil || m[4] != "" {
			return Value{}, "want .Parameters.x, .Variables.x, a duration or a number before " + quoteStart(rest)
		}
		rest = strings.TrimSpace(rest[len(m[0]):])
		v, wrong := ns.operand(m[1], m[2], m[3])
		if wrong != "" {
			return Value{}, wrong
		}
		if first {
			result = v
			continue
		}
		if result, wrong = combine(result, sign == "-", v); wrong != "" {
			return Value{}, wrong
		}
	}
	return result, ""
}

func quoteStart(rest string) string {
	if rest == "" {
		return "the end"
	}
	if r := []rune(rest); len(r) > 20 {
		rest = string(r[:20]) + "…"
	}
	return strconv.Quote(rest)
}

func (ns *names) operand(set, name, literal string) (v Value, wrong string) {
	if literal != "" {
		if i, ok := parseInt(literal); ok {
			return intValue(i), ""
		}
		if f, ok := parseFloat(literal); ok {
			return floatValue(f), ""
		}
		if d, err := time.ParseDuration(literal); err == nil {
			return durationValue(d), ""
		}
		return Value{}, "neither a duration nor a number: " + literal
	}
	declared := ns.variables
	if set == "Parameters" {
		declared = ns.parameters
		if !ns.template && !ns.open {
			return Value{}, "a Scenario has no parameters: .Parameters." + name
		}
	}
	if v, ok := declared[name]; ok {
		if ns.bound && !v.known {
			return Value{}, "." + set + "." + name + " has neither a value nor a default"
		}
		if ns.budget -= len(v.text); ns.budget < 0 {
			return Value{}, "the placeholders of this document expand to too much text"
		}
		return v, ""
	}
	if ns.open {
		return unknown(typeAny), ""
	}
	return Value{}, "unknown name ." + set + "." + name + nearest(name, sortedKeys(declared))
}

// expand replaces the placeholders of a text. A text that is one placeholder
// has the type of its value; with anything around it, it is a string.
func (ns *names) expand(text string) (result Value, wrong string) {
	var b strings.Builder
	known := true
	for rest := text; ; {
		before, after, found := strings.Cut(rest, openPlaceholder)
		b.WriteString(before)
		if !found {
			break
		}
		expression, tail, closed := strings.Cut(after, closePlaceholder)
		if !closed {
			return Value{}, "placeholder without " + closePlaceholder
		}
		v, wrong := ns.evaluate(expression)
		if wrong != "" {
			return Value{}, wrong
		}
		if before == "" && tail == "" && len(rest) == len(text) {
			return v, ""
		}
		known = known && v.known
		b.WriteString(v.text)
		rest = tail
	}
	if !known {
		return unknown(TypeString), ""
	}
	return textValue(b.String()), ""
}

// resolver replaces the placeholders of a tree by what they stand for. Those
// of which only the type is known stay, and their types are kept in pending.
type resolver struct {
	names    names
	pending  map[*yaml.Node]ParameterType
	problems Problems
}

func (r *resolver) node(n *yaml.Node, p *place) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		replaced := *n
		replaced.Content = make([]*yaml.Node, len(n.Content))
		for i, child := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode:
				replaced.Content[i] = r.node(child, p.item(i))
			case i%2 == 0:
				replaced.Content[i] = child
			default:
				replaced.Content[i] = r.node(child, p.field(n.Content[i-1].Value))
			}
		}
		return &replaced
	}
	if _, settled := r.pending[n]; settled || !strings.Contains(n.Value, openPlaceholder) {
		return n
	}
	v, wrong := r.names.expand(n.Value)
	switch {
	case wrong != "":
		r.fail(p, n, wrong)
	case !v.known:
		r.pending[n] = v.typ
	default:
		return v.node(n.Line, n.Column)
	}
	return n
}

// fail reports a placeholder, and lets its value pass for anything: one problem
// for one value.
func (r *resolver) fail(p *place, n *yaml.Node, wrong string) {
	r.problems.report(p, n, "%s", wrong)
	r.pending[n] = typeAny
}

// declareVariables evaluates spec.variables in the order of the text: a
// variable may use the parameters and the variables above it.
func (r *resolver) declareVariables(variables *yaml.Node, p *place) {
	if variables == nil || variables.Kind != yaml.MappingNode {
		return // the reader of the shape reports what else it may be
	}
	for i := 0; i+1 < len(variables.Content); i += 2 {
		key, value := variables.Content[i], variables.Content[i+1]
		if !identifier.MatchString(key.Value) {
			r.problems.report(p.field(key.Value), key, "the name of a variable is made of letters, digits and _")
			continue
		}
		if value.Kind != yaml.ScalarNode || isNull(value) {
			continue // a list or a map may be declared, but not be used in a placeholder
		}
		v := valueOf(value)
		if strings.Contains(value.Value, openPlaceholder) {
			var wrong string
			if v, wrong = r.names.expand(value.Value); wrong != "" {
				r.fail(p.field(key.Value), value, wrong)
				v = unknown(typeAny)
			}
		}
		r.names.variables[key.Value] = v
	}
}

// identifier is what a parameter or a variable may be called.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

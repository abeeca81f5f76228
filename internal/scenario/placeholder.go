package scenario

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
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

	// guesses is how many more unknown names are compared with those declared:
	// a document can hold thousands of each.
	guesses int
}

// operand is what an expression begins with: a reference (set and name), or
// else a duration or a number (literal), and the spaces after it.
var operand = regexp.MustCompile(`^(?:\.(Parameters|Variables)\.([A-Za-z_][A-Za-z0-9_]*)|([0-9][0-9A-Za-z.µ]*))\s*`)

// evaluate computes what stands between the braces: operands with + or -
// between them, from left to right. A non-empty wrong says what is wrong.
func (ns *names) evaluate(expression string) (result Value, wrong string) {
	result, rest, wrong := ns.take(strings.TrimSpace(expression))
	for wrong == "" && rest != "" {
		minus := rest[0] == '-'
		if !minus && rest[0] != '+' {
			return Value{}, "want + or - before " + quoteStart(rest)
		}
		var next Value
		if next, rest, wrong = ns.take(strings.TrimSpace(rest[1:])); wrong == "" {
			result, wrong = combine(result, minus, next)
		}
	}
	return result, wrong
}

// take is the value of the operand that an expression begins with, and what
// follows it.
func (ns *names) take(expression string) (v Value, rest, wrong string) {
	m := operand.FindStringSubmatch(expression)
	if m == nil {
		return Value{}, "", "want .Parameters.x, .Variables.x, a duration or a number before " + quoteStart(expression)
	}
	rest = expression[len(m[0]):]
	if m[3] != "" {
		v, wrong = literalValue(m[3])
	} else {
		v, wrong = ns.reference(m[1], m[2])
	}
	return v, rest, wrong
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

func literalValue(literal string) (v Value, wrong string) {
	if i, ok := parseInt(literal); ok {
		return intValue(i), ""
	}
	if f, ok := parseFloat(literal); ok {
		return floatValue(f), ""
	}
	if d, err := time.ParseDuration(literal); err == nil {
		return durationValue(d), ""
	}
	return Value{}, "neither a duration nor a number: " + fact.Cut(literal)
}

func (ns *names) reference(set, name string) (v Value, wrong string) {
	declared := ns.variables
	if set == "Parameters" {
		declared = ns.parameters
		if !ns.template && !ns.open {
			return Value{}, "a Scenario has no parameters: .Parameters." + fact.Cut(name)
		}
	}
	if v, ok := declared[name]; ok {
		if ns.bound && !v.known {
			return Value{}, "." + set + "." + fact.Cut(name) + " has neither a value nor a default"
		}
		if ns.budget -= len(v.text); ns.budget < 0 {
			return Value{}, "the placeholders of this document expand to too much text"
		}
		return v, ""
	}
	if ns.open {
		return unknown(typeAny), ""
	}
	guess := ""
	if ns.guesses > 0 {
		ns.guesses--
		guess = nearest(name, sortedKeys(declared))
	}
	return Value{}, "unknown name ." + set + "." + fact.Cut(name) + guess
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
	if n.Kind != yaml.ScalarNode {
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

package execution

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// StateRules say how far the system may be from a baseline and still count as
// in its steady state. The zero value wants everything to be equal.
type StateRules struct {
	Rules   []StateRule // the first whose path matches decides; at most 100
	Default Tolerance   // of numbers that no rule matches; all other values must be equal
	Missing PathPolicy  // what the baseline has and the snapshot has not
	Extra   PathPolicy  // what only the snapshot has
}

// StateRule is what holds for some paths: exactly one of Ignore, MustEqual and
// a tolerance. A tolerance is for numbers; other values must be equal.
type StateRule struct {
	Path      string // as a diff prints it, with wildcards: state.services.*.latency_ms, metrics.**, state.queues[*].depth
	Tolerance Tolerance
	Ignore    bool // whatever the value is, missing or extra
	MustEqual bool // where the default tolerance would be too much
}

// Tolerance is how far a number may be from that of the baseline: by the
// larger of the two bounds. The zero value allows nothing.
type Tolerance struct {
	Absolute float64 // in the number's unit
	Relative float64 // of the baseline's magnitude: 0.1 is 10 %
}

// PathPolicy says what becomes of paths that only one side has.
type PathPolicy string

// The policies. An empty one is the first.
const (
	PathDeviates PathPolicy = "deviates"
	PathIgnored  PathPolicy = "ignored"
)

// RuleProblem is one thing that is wrong with StateRules.
type RuleProblem struct {
	Field   string // such as "rules[2].path"
	Value   string // cut; empty when there is none
	Message string
}

// StateVerdict is what came of a check.
type StateVerdict struct {
	Within      bool             // nothing deviates
	Compared    int              // scalars, empty objects and empty lists that were held against each other
	Ignored     int              // those that a rule or a policy left out
	Deviating   int              // also those that are not listed
	Deviations  []StateDeviation // by path: state before metrics, keys in their order
	Truncated   bool             // there are more deviations than are listed
	UnusedRules []string         // paths of rules that decided nothing: often a slip of the pen
}

// StateDeviation is one value that is not as it should be.
type StateDeviation struct {
	Kind      DeviationKind
	Path      string
	Baseline  string   // JSON, cut to about 240 bytes; empty when extra
	Actual    string   // likewise; empty when missing
	Deviation string   // of two numbers: actual - baseline, in decimal; empty otherwise
	Relative  *float64 // Deviation / |baseline|; nil when the baseline is zero, or not two numbers
	Allowed   string   // the largest deviation allowed, in decimal; empty where equality was asked for
	Rule      string   // path of the rule that decided; empty for the default or a policy
}

// DeviationKind says in what way a value deviates.
type DeviationKind string

// The kinds of deviations.
const (
	DeviationTooFar  DeviationKind = "too_far"   // a number beyond its tolerance
	DeviationUnequal DeviationKind = "not_equal" // equality was asked for, or the values are no numbers
	DeviationMissing DeviationKind = "missing"
	DeviationExtra   DeviationKind = "extra"
)

// StateCheck is rules that can be used.
type StateCheck struct {
	rules    []compiledRule
	fallback Tolerance // where no rule matches
	missing  PathPolicy
	extra    PathPolicy
}

type compiledRule struct {
	StateRule
	pattern pathPattern
}

// mostRules bounds the time of a check: each value is held against each rule.
const mostRules = 100

// NewStateCheck reads rules; all their problems come back at once.
func NewStateCheck(r StateRules) (*StateCheck, []RuleProblem) {
	c := &StateCheck{fallback: r.Default, missing: r.Missing, extra: r.Extra}
	var problems []RuleProblem
	add := func(field, value, message string) {
		problems = append(problems, RuleProblem{Field: field, Value: fact.Cut(value), Message: message})
	}
	bounds := func(field string, t Tolerance) {
		for i, bound := range []float64{t.Absolute, t.Relative} {
			if math.IsNaN(bound) || math.IsInf(bound, 0) || bound < 0 {
				name := []string{"absolute", "relative"}[i]
				add(field+"."+name, strconv.FormatFloat(bound, 'g', -1, 64), "want a finite number that is not negative")
			}
		}
	}
	if len(r.Rules) > mostRules {
		add("rules", "", fmt.Sprintf("%d rules, at most %d are allowed", len(r.Rules), mostRules))
		return nil, problems
	}
	bounds("default", r.Default)
	for i, policy := range []PathPolicy{r.Missing, r.Extra} {
		if policy != "" && policy != PathDeviates && policy != PathIgnored {
			add([]string{"missing", "extra"}[i], string(policy), "want deviates or ignored")
		}
	}
	for i, rule := range r.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		pattern, err := parsePattern(rule.Path)
		if err != nil {
			add(at+".path", rule.Path, err.Error())
		}
		bounds(at+".tolerance", rule.Tolerance)
		said := 0
		for _, one := range []bool{rule.Ignore, rule.MustEqual, rule.Tolerance != Tolerance{}} {
			if one {
				said++
			}
		}
		if said != 1 {
			add(at, rule.Path, "want one of ignore, must_equal and a tolerance")
		}
		c.rules = append(c.rules, compiledRule{rule, pattern})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// Check holds a snapshot against a baseline, value by value: numbers by their
// exact values, what is within objects and lists each by its own path. Of an
// object that is missing or extra, everything in it is. At most most
// deviations are listed. The error says which value is not JSON (snapshot 1 is
// the baseline).
func (c *StateCheck) Check(baseline, actual SnapshotContent, most int) (StateVerdict, error) {
	w := stateWalk{check: c, most: most, used: make([]bool, len(c.rules))}
	if err := baseline.against(actual, w.compare); err != nil {
		return StateVerdict{}, err
	}
	w.verdict.Within = w.verdict.Deviating == 0
	for i, used := range w.used {
		if !used {
			w.verdict.UnusedRules = append(w.verdict.UnusedRules, c.rules[i].Path)
		}
	}
	return w.verdict, nil
}

type stateWalk struct {
	check   *StateCheck
	verdict StateVerdict
	most    int
	used    []bool
}

func (w *stateWalk) compare(path []pathStep, a, b sideValue) {
	switch {
	case a.present && b.present:
		if holds(a.value) || holds(b.value) {
			if children(path, a.value, b.value, w.compare) {
				return
			}
		}
	case holds(a.value): // what is in it is missing
		children(path, a.value, emptyLike(a.value), w.compare)
		return
	case holds(b.value):
		children(path, emptyLike(b.value), b.value, w.compare)
		return
	}
	w.leaf(path, a, b)
}

// holds tells whether a value is an object or a list with something in it.
func holds(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func emptyLike(v any) any {
	if _, list := v.([]any); list {
		return []any{}
	}
	return map[string]any{}
}

func (w *stateWalk) leaf(path []pathStep, a, b sideValue) {
	c := w.check
	rule := StateRule{Tolerance: c.fallback}
	for i := range c.rules {
		if c.rules[i].pattern.matches(path) {
			rule, w.used[i] = c.rules[i].StateRule, true
			break
		}
	}
	d := StateDeviation{Kind: DeviationUnequal, Rule: rule.Path}
	switch {
	case rule.Ignore:
		w.verdict.Ignored++
		return
	case !a.present || !b.present:
		policy := c.missing
		if d.Kind = DeviationMissing; !a.present {
			d.Kind, policy = DeviationExtra, c.extra
		}
		if policy == PathIgnored {
			w.verdict.Ignored++
			return
		}
		d.Rule = ""
	default:
		w.verdict.Compared++
		if !deviates(&d, rule, a.value, b.value) {
			return
		}
	}
	w.verdict.Deviating++
	if len(w.verdict.Deviations) >= w.most {
		w.verdict.Truncated = true
		return
	}
	d.Path = pathText(path)
	if a.present {
		d.Baseline = shortJSON(a.value)
	}
	if b.present {
		d.Actual = shortJSON(b.value)
	}
	w.verdict.Deviations = append(w.verdict.Deviations, d)
}

// deviates compares two values, and describes the deviation if there is one.
func deviates(d *StateDeviation, rule StateRule, baseline, actual any) bool {
	x, y, ok := numbers(baseline, actual)
	if !ok {
		_, empty := baseline.(map[string]any)
		_, alike := actual.(map[string]any)
		switch {
		case isContainer(baseline) && isContainer(actual): // at most one holds anything, or both are of one kind and empty
			return empty != alike || holds(baseline) || holds(actual)
		case isContainer(baseline) || isContainer(actual):
			return true
		}
		return baseline != actual
	}
	delta := new(big.Rat).Sub(y, x)
	if delta.Sign() == 0 {
		return false
	}
	if !rule.MustEqual && rule.Tolerance != (Tolerance{}) {
		allowed := rule.Tolerance.of(x)
		if new(big.Rat).Abs(delta).Cmp(allowed) <= 0 {
			return false
		}
		d.Kind, d.Allowed = DeviationTooFar, decimal(allowed)
	}
	d.Deviation, d.Relative = decimal(delta), relativeTo(delta, x)
	return true
}

// of is the largest deviation allowed from a number.
func (t Tolerance) of(x *big.Rat) *big.Rat {
	absolute := asWritten(t.Absolute)
	relative := asWritten(t.Relative)
	relative.Mul(relative, new(big.Rat).Abs(x))
	if relative.Cmp(absolute) > 0 {
		return relative
	}
	return absolute
}

// asWritten is a bound as the person who wrote it means it: 0.3 is three
// tenths, not the float64 just below, or 0.7 would be too far from 1.
func asWritten(f float64) *big.Rat {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if r, ok := exactly(json.Number(strings.TrimPrefix(text, "+"))); ok {
		return r
	}
	return new(big.Rat) // cannot be: every finite float64 is within the bounds
}

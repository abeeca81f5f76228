package execution_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

func stateCheck(t rapid.TB, r execution.StateRules) *execution.StateCheck {
	t.Helper()
	c, problems := execution.NewStateCheck(r)
	if len(problems) > 0 {
		t.Fatalf("rules: %+v", problems)
	}
	return c
}

func verdict(t rapid.TB, r execution.StateRules, baseline, actual execution.SnapshotContent) execution.StateVerdict {
	t.Helper()
	v, err := stateCheck(t, r).Check(baseline, actual, 100)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// deviationLines are the deviations in short.
func deviationLines(v execution.StateVerdict) []string {
	var all []string
	for _, d := range v.Deviations {
		line := fmt.Sprintf("%s %s: %s -> %s", d.Kind, d.Path, d.Baseline, d.Actual)
		if d.Deviation != "" {
			line += " by " + d.Deviation
		}
		if d.Allowed != "" {
			line += ", allowed " + d.Allowed
		}
		all = append(all, line)
	}
	return all
}

func tolerate(path string, absolute, relative float64) execution.StateRule {
	return execution.StateRule{Path: path, Tolerance: execution.Tolerance{Absolute: absolute, Relative: relative}}
}

func ignore(path string) execution.StateRule { return execution.StateRule{Path: path, Ignore: true} }

func TestStateCheck(t *testing.T) {
	t.Parallel()
	type rules = execution.StateRules
	list := func(r ...execution.StateRule) rules { return rules{Rules: r} }
	for name, c := range map[string]struct {
		rules            rules
		baseline, actual string
		want             []string
	}{
		"equal":                   {rules{}, `{"a": 1, "b": ["x"], "c": {}}`, `{"a": 1.0, "b": ["x"], "c": {}}`, nil},
		"not equal":               {rules{}, `{"a": 1, "b": "x"}`, `{"a": 2, "b": "y"}`, []string{"not_equal state.a: 1 -> 2 by 1", `not_equal state.b: "x" -> "y"`}},
		"at the absolute bound":   {list(tolerate("state.a", 0.3, 0)), `{"a": 1}`, `{"a": 0.7}`, nil},
		"just beyond it":          {list(tolerate("state.a", 0.3, 0)), `{"a": 1}`, `{"a": 0.69999999999999999999}`, []string{"too_far state.a: 1 -> 0.69999999999999999999 by -0.30000000000000000001, allowed 0.3"}},
		"at the relative bound":   {list(tolerate("state.a", 0, 0.1)), `{"a": -50}`, `{"a": -55}`, nil},
		"beyond it":               {list(tolerate("state.a", 0, 0.1)), `{"a": -50}`, `{"a": -56}`, []string{"too_far state.a: -50 -> -56 by -6, allowed 5"}},
		"the larger bound counts": {list(tolerate("state.**", 3, 0.1)), `{"a": 10, "b": 100}`, `{"a": 13, "b": 110}`, nil},
		"relative to zero":        {list(tolerate("state.a", 0, 0.5)), `{"a": 0}`, `{"a": 0.1}`, []string{"too_far state.a: 0 -> 0.1 by 0.1, allowed 0"}},
		"the default":             {rules{Default: execution.Tolerance{Relative: 0.5}}, `{"a": 2, "b": 2}`, `{"a": 3, "b": 4}`, []string{"too_far state.b: 2 -> 4 by 2, allowed 1"}},
		"must equal, by default not": {
			rules{Default: execution.Tolerance{Absolute: 9}, Rules: []execution.StateRule{{Path: "state.a", MustEqual: true}}},
			`{"a": 1, "b": 1}`, `{"a": 2, "b": 2}`,
			[]string{"not_equal state.a: 1 -> 2 by 1"},
		},
		"the first rule decides":    {list(ignore("state.a"), tolerate("state.*", 1, 0)), `{"a": 1, "b": 1}`, `{"a": 9, "b": 9}`, []string{"too_far state.b: 1 -> 9 by 8, allowed 1"}},
		"a text has no tolerance":   {list(tolerate("state.a", 9, 9)), `{"a": "1"}`, `{"a": "2"}`, []string{`not_equal state.a: "1" -> "2"`}},
		"missing and extra":         {rules{}, `{"a": {"x": 1, "y": {}}}`, `{"b": [1]}`, []string{"missing state.a.x: 1 -> ", "missing state.a.y: {} -> ", "extra state.b[0]:  -> 1"}},
		"both ignored":              {rules{Missing: execution.PathIgnored, Extra: execution.PathIgnored}, `{"a": {"x": 1}}`, `{"b": [1]}`, nil},
		"ignored by rule, missing":  {list(ignore("state.**.pid")), `{"a": {"pid": 1, "up": true}}`, `{}`, []string{"missing state.a.up: true -> "}},
		"a shorter list":            {rules{}, `[1, 2]`, `[1]`, []string{"missing state[1]: 2 -> "}},
		"an empty one is filled":    {rules{}, `{"a": []}`, `{"a": [1]}`, []string{"extra state.a[0]:  -> 1"}},
		"an object for a list":      {rules{}, `{"a": []}`, `{"a": {}}`, []string{"not_equal state.a: [] -> {}"}},
		"a full one for a list":     {rules{}, `{"a": [1]}`, `{"a": {"b": 1}}`, []string{`not_equal state.a: [1] -> {"b":1}`}},
		"a scalar for an object":    {rules{}, `{"a": {"b": 1}}`, `{"a": 1}`, []string{`not_equal state.a: {"b":1} -> 1`}},
		"null for a scalar":         {rules{}, `{"a": 1}`, `{"a": null}`, []string{`not_equal state.a: 1 -> null`}},
		"no state":                  {rules{}, ``, ``, nil},
		"a deadly number":           {rules{Default: execution.Tolerance{Relative: 9}}, `1e999999999`, `1e999999998`, []string{"not_equal state: 1e999999999 -> 1e999999998"}},
		"any item":                  {list(tolerate("state.q[*].depth", 5, 0)), `{"q": [{"depth": 1}, {"depth": 1}]}`, `{"q": [{"depth": 6}, {"depth": 7}]}`, []string{"too_far state.q[1].depth: 1 -> 7 by 6, allowed 5"}},
		"one item":                  {list(ignore("state[1]")), `[1, 1]`, `[2, 2]`, []string{"not_equal state[0]: 1 -> 2 by 1"}},
		"part of a key":             {list(ignore("state.lat*_ms")), `{"latency_ms": 1, "lat_ms": 1, "late": 1}`, `{"latency_ms": 2, "lat_ms": 2, "late": 2}`, []string{"not_equal state.late: 1 -> 2 by 1"}},
		"a quoted key, no wildcard": {list(ignore(`state["a.*"]`)), `{"a.*": 1, "a.b": 1}`, `{"a.*": 2, "a.b": 2}`, []string{`not_equal state["a.b"]: 1 -> 2 by 1`}},
		"* is one step":             {list(ignore("state.*")), `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, []string{"not_equal state.a.b: 1 -> 2 by 1"}},
		"** is none, too":           {list(ignore("**.state.**")), `1`, `2`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := verdict(t, c.rules, state(c.baseline), state(c.actual))
			if diff := cmp.Diff(c.want, deviationLines(got)); diff != "" || got.Within != (len(c.want) == 0) || got.Deviating != len(c.want) {
				t.Errorf("within %v, %d deviate (-want +got):\n%s", got.Within, got.Deviating, diff)
			}
		})
	}
}

func TestStateCheckSaysAllAboutADeviation(t *testing.T) {
	t.Parallel()
	metrics := func(text string) execution.SnapshotContent {
		return execution.SnapshotContent{Metrics: json.RawMessage(text)}
	}
	rules := execution.StateRules{Rules: []execution.StateRule{ignore("metrics.seen"), tolerate("metrics.lat*", 5, 0.1), ignore("metrics.lateny")}}
	got := verdict(t, rules, metrics(`{"latency": 100, "orders": 5, "seen": 1}`), metrics(`{"latency": 125, "orders": 5, "seen": 2}`))
	ratio := 0.25
	want := execution.StateVerdict{
		Compared: 2, Ignored: 1, Deviating: 1, UnusedRules: []string{"metrics.lateny"},
		Deviations: []execution.StateDeviation{{
			Kind: "too_far", Path: "metrics.latency", Baseline: "100", Actual: "125", Deviation: "25", Relative: &ratio, Allowed: "10", Rule: "metrics.lat*",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func TestStateRulesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules execution.StateRules
		want  []string
	}{
		"nothing said":   {execution.StateRules{Rules: []execution.StateRule{{Path: "state"}}}, []string{"rules[0]: want one of ignore, must_equal and a tolerance"}},
		"two things":     {execution.StateRules{Rules: []execution.StateRule{{Path: "state", Ignore: true, MustEqual: true}}}, []string{"rules[0]: want one of ignore, must_equal and a tolerance"}},
		"negative":       {execution.StateRules{Rules: []execution.StateRule{tolerate("state", -1, 0)}}, []string{"rules[0].tolerance.absolute: want a finite number that is not negative"}},
		"not a number":   {execution.StateRules{Default: execution.Tolerance{Relative: math.NaN()}}, []string{"default.relative: want a finite number that is not negative"}},
		"unknown policy": {execution.StateRules{Missing: "perhaps"}, []string{"missing: want deviates or ignored"}},
		"too many":       {execution.StateRules{Rules: make([]execution.StateRule, 101)}, []string{"rules: 101 rules, at most 100 are allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check, problems := execution.NewStateCheck(c.rules)
			var got []string
			for _, p := range problems {
				got = append(got, p.Field+": "+p.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || check != nil {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	for path, want := range map[string]string{
		"":                         "empty key",
		".state":                   "empty key",
		"state.":                   "empty key",
		"state..a":                 "empty key",
		"state[":                   `want [index], [*] or ["key"]`,
		"state[x]":                 `want [index], [*] or ["key"]`,
		"state[-1]":                `want [index], [*] or ["key"]`,
		"state[9999999]":           `want [index], [*] or ["key"]`,
		`state["a]`:                `want ["key"]`,
		`state["a"`:                `want ["key"]`,
		`state["a"]b`:              "want . or [ after ]",
		"state.a]":                 `a key with ] or " must stand in ["..."]`,
		`state.a"b`:                `a key with ] or " must stand in ["..."]`,
		strings.Repeat("a.", 1000): "longer than 1000 bytes",
	} {
		_, problems := execution.NewStateCheck(execution.StateRules{Rules: []execution.StateRule{ignore(path)}})
		if len(problems) != 1 || problems[0].Message != want || problems[0].Field != "rules[0].path" {
			t.Errorf("%.20q: %+v, want %q", path, problems, want)
		}
	}
}

func TestStateCheckIsBounded(t *testing.T) {
	t.Parallel()
	one, two := strings.Repeat("1,", 4000), strings.Repeat("2,", 4000)
	rules := execution.StateRules{}
	for range 100 { // patterns that go back as often as they can
		rules.Rules = append(rules.Rules, execution.StateRule{Path: "**." + strings.Repeat("*a", 50) + "*b.**", MustEqual: true})
	}
	v, err := stateCheck(t, rules).Check(state("["+one+"1]"), state("["+two+"2]"), 10)
	if err != nil || !v.Truncated || v.Deviating != 4001 || len(v.Deviations) != 10 || len(v.UnusedRules) != 100 {
		t.Errorf("%d deviate, %d listed, truncated %v (%v)", v.Deviating, len(v.Deviations), v.Truncated, err)
	}
	if _, err := stateCheck(t, execution.StateRules{}).Check(state("{"), state("{}"), 10); err == nil {
		t.Error("what is not JSON was compared")
	}
}

// TestStateCheckProperties: without rules a snapshot is within exactly when the
// diff finds nothing; any path that a deviation names can be used as a rule,
// and ignoring all of them leaves nothing.
func TestStateCheckProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		baseline, actual := aState(t, "baseline"), aState(t, "actual")
		strict := verdict(t, execution.StateRules{}, baseline, actual)
		diff, err := execution.DiffSnapshots(baseline, actual, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if strict.Within != (len(diff.Changes) == 0) {
			t.Fatalf("%s and %s: deviations %v, changes %+v", baseline.State, actual.State, deviationLines(strict), diff.Changes)
		}
		var rules execution.StateRules
		for _, d := range strict.Deviations {
			rules.Rules = append(rules.Rules, ignore(d.Path))
		}
		loose := verdict(t, rules, baseline, actual)
		if !loose.Within || loose.Ignored != strict.Deviating || len(loose.UnusedRules) > 0 {
			t.Fatalf("with each deviation ignored: %+v", loose)
		}
	})
}

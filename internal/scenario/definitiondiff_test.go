package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

func diffOf(before, after string) scenario.DefinitionDiff {
	return scenario.DiffDefinitions(before, after, scenario.DefaultLimits())
}

func changeLines(d scenario.DefinitionDiff) []string {
	var all []string
	for _, c := range d.Changes {
		all = append(all, c.String())
	}
	return all
}

func TestDiffOfStructure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"a parameter of an action": {
			head + "spec: {phases: [{name: calm}, {name: injection, actions: [{service: s, action: a, parameters: {latency_ms: 100}}]}]}",
			head + "spec: {phases: [{name: calm}, {name: injection, actions: [{service: s, action: a, parameters: {latency_ms: 250}}]}]}",
			[]string{"spec.phases[injection].actions[0].parameters.latency_ms: 100 -> 250"},
		},
		"a new phase before the others": {
			head + "spec: {phases: [{name: a}, {name: b, duration: 1m}]}",
			head + "spec: {phases: [{name: warm up}, {name: a}, {name: b, duration: 2m}]}",
			[]string{`spec.phases[b].duration: "1m" -> "2m"`, `spec.phases["warm up"]: added {"name":"warm up"}`},
		},
		"phases in another order": {
			head + "spec: {phases: [{name: a}, {name: gone}, {name: b}]}", head + "spec: {phases: [{name: b}, {name: a}]}",
			[]string{`spec.phases: reordered ["a","b"] -> ["b","a"]`, `spec.phases[gone]: removed {"name":"gone"}`},
		},
		"a key added and one removed":  {"a: 1\nb: {c: 2}", "b: {d: 3}\na: 1", []string{"b.c: removed 2", "b.d: added 3"}},
		"an item put between":          {"a: [x, y, z]", "a: [x, new, y, z]", []string{`a[1]: added "new"`}},
		"items taken away":             {"a: [x, y, z]", "a: [z]", []string{`a[0]: removed "x"`, `a[1]: removed "y"`}},
		"two items of one name":        {"a: [{name: n, v: 1}, {name: n, v: 2}]", "a: [{name: n, v: 1}, {name: n, v: 3}]", []string{"a[1].v: 2 -> 3"}},
		"another kind of value":        {"a: [1]", "a: {b: 1}", []string{`a: [1] -> {"b":1}`}},
		"null is not nothing":          {"a: ~", "b: 1", []string{"a: removed null", "b: added 1"}},
		"a number and its text":        {"a: 1", `a: "1"`, []string{`a: 1 -> "1"`}},
		"YAML and JSON":                {"a: 1\nb: [x]", `{"b": ["y"], "a": 1.0}`, []string{`b[0]: "x" -> "y"`}},
		"opaque JSON in one line":      {`{"steps":[{"do":"x","for":30}]}`, `{"steps":[{"do":"x","for":60}]}`, []string{"steps[0].for: 30 -> 60"}},
		"a document that lost its way": {head + "spec: {phases: []}", head + "spec: {phases: [1]}", []string{"spec.phases[0]: added 1"}},
		"a hostile key":                {"\"a\\e[2J\": 1", "\"a\\e[2J\": 2", []string{`["a\x1b[2J"]: 1 -> 2`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diffOf(c.before, c.after)
			if diff := cmp.Diff(c.want, changeLines(got)); diff != "" || !got.Structured || got.Text != "" {
				t.Errorf("structured %v, text %q, changes (-want +got):\n%s", got.Structured, got.Text, diff)
			}
		})
	}
}

func TestDiffOfText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		structured    bool
		want          string
	}{
		"prose":        {"one\ntwo\nthree\n", "one\n2\nthree\n", false, "--- before\n+++ after\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"},
		"a comment":    {"a: 1\n", "a: 1 # why\n", true, "--- before\n+++ after\n@@ -1 +1 @@\n-a: 1\n+a: 1 # why\n"},
		"an alias":     {"a: &x 1\nb: *x\n", "a: 2\nb: 1\n", false, "--- before\n+++ after\n@@ -1,2 +1,2 @@\n-a: &x 1\n-b: *x\n+a: 2\n+b: 1\n"},
		"from nothing": {"", "x\n", false, "--- before\n+++ after\n@@ -0,0 +1 @@\n+x\n"},
		"not a map":    {"[1]\n", "[2]\n", false, "--- before\n+++ after\n@@ -1 +1 @@\n-[1]\n+[2]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diffOf(c.before, c.after)
			want := scenario.DefinitionDiff{Structured: c.structured, Text: c.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("diff (-want +got):\n%s", diff)
			}
		})
	}
	if got := diffOf(examples.LegacyLatency, examples.LegacyLatency); !got.Identical || got.Structured || got.Text != "" || len(got.Changes) > 0 {
		t.Errorf("the same text: %+v", got)
	}
}

func TestDiffIsBounded(t *testing.T) {
	t.Parallel()
	many := func(value string) string {
		var b strings.Builder
		for i := range 4000 {
			fmt.Fprintf(&b, "key_%d: %s\n", i, value)
		}
		return b.String()
	}
	if got := diffOf(many("1"), many("2")); len(got.Changes) != 1000 || got.More != 3000 {
		t.Errorf("%d changes and %d more, want 1000 and 3000", len(got.Changes), got.More)
	}
	long := diffOf("a: "+strings.Repeat("é", 100_000), "a: 1").Changes[0]
	if len(long.Before) > 250 || !strings.HasSuffix(long.Before, "é…") {
		t.Errorf("a long value: %d bytes, %q", len(long.Before), long.Before)
	}
	for name, unit := range map[string]string{"lines": "x\n", "one line": "é"} {
		got := diffOf(strings.Repeat(unit, 100_000), "y")
		if !got.Truncated || len(got.Text) > 64<<10 || len(got.Text) < 60<<10 {
			t.Errorf("%s: %d bytes, truncated %v", name, len(got.Text), got.Truncated)
		}
	}
}

func TestDefinitionsAreComparedAtABoundedCost(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	const most = 500 << 10
	alternating := func(a, b string) string { return strings.Repeat(a+"\n"+b+"\n", most/(len(a)+len(b)+2)) }
	pairs := map[string][2]string{
		"lines that are everywhere": {alternating("a", "b"), alternating("b", "c")},
		"no line in common":         {strings.Repeat("a\n", most/2), strings.Repeat("b\n", most/2)},
		"empty lines":               {strings.Repeat("\n", most), strings.Repeat("\n\r", most/2)},
	}
	for name, text := range costly() {
		pairs[name] = [2]string{text, strings.Replace(text, "a", "b", 1000) + " "}
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			used := allocated(func() { _ = diffOf(pair[0], pair[1]) })
			if used > 2*mostMemory {
				t.Errorf("%d MiB allocated to compare %d KiB with %d KiB", used>>20, len(pair[0])>>10, len(pair[1])>>10)
			}
		})
	}
}

// TestDiffProperties: no change means no difference, and the other way round;
// backwards it is the same with added and removed exchanged.
func TestDiffProperties(t *testing.T) {
	t.Parallel()
	value := rapid.SampledFrom([]string{"1", "1.0", `"1"`, "null", "[]", "[1, 2]", "{a: 1}", "{a: 2}", "[{name: x}, {name: y, v: 1}]", "[{name: y, v: 2}, {name: x}]"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string {
			var b strings.Builder
			b.WriteString("z: 0\n")
			for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(t, label) {
				fmt.Fprintf(&b, "%s: %s\n", key, value.Draw(t, "value"))
			}
			return b.String()
		}
		one, other := text("one"), text("other")
		there, back := diffOf(one, other), diffOf(other, one)
		kinds := func(d scenario.DefinitionDiff) map[scenario.ChangeKind]int {
			n := map[scenario.ChangeKind]int{}
			for _, c := range d.Changes {
				n[c.Kind]++
			}
			return n
		}
		forth, turned := kinds(there), kinds(back)
		turned[scenario.ChangeAdded], turned[scenario.ChangeRemoved] = turned[scenario.ChangeRemoved], turned[scenario.ChangeAdded]
		for _, n := range []map[scenario.ChangeKind]int{forth, turned} {
			for kind, count := range n {
				if count == 0 {
					delete(n, kind)
				}
			}
		}
		if diff := cmp.Diff(forth, turned); diff != "" {
			t.Fatalf("kinds of changes (-there +back, turned):\n%s\n%s\n%s", diff, one, other)
		}
		if there.Identical != (one == other) || there.Identical == there.Structured || (there.Text != "") != (!there.Identical && len(there.Changes) == 0) {
			t.Fatalf("%+v", there)
		}
	})
}

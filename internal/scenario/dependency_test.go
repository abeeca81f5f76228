package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func requires(ids ...scenario.ID) []scenario.Dependency {
	var all []scenario.Dependency
	for _, id := range ids {
		all = append(all, scenario.Dependency{DependsOn: id, Kind: scenario.RequiresRun})
	}
	return all
}

func TestFindCycleNamesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edges map[scenario.ID][]scenario.Dependency
		want  []scenario.ID
	}{
		"empty":    {nil, nil},
		"a chain":  {map[scenario.ID][]scenario.Dependency{"a": requires("b"), "b": requires("c")}, nil},
		"diamond":  {map[scenario.ID][]scenario.Dependency{"a": requires("b", "c"), "b": requires("d"), "c": requires("d")}, nil},
		"itself":   {map[scenario.ID][]scenario.Dependency{"a": requires("a")}, []scenario.ID{"a"}},
		"of five":  {map[scenario.ID][]scenario.Dependency{"d": requires("e"), "c": requires("d"), "e": requires("a", "z"), "b": requires("c"), "a": requires("b")}, []scenario.ID{"a", "b", "c", "d", "e"}},
		"off path": {map[scenario.ID][]scenario.Dependency{"a": requires("x"), "x": requires("m"), "m": requires("x")}, []scenario.ID{"m", "x"}},
		"exclusions may be mutual": {map[scenario.ID][]scenario.Dependency{
			"a": {{DependsOn: "b", Kind: scenario.ConflictsWith}},
			"b": {{DependsOn: "a", Kind: scenario.MustNotOverlap}},
		}, nil},
		"both kinds require": {map[scenario.ID][]scenario.Dependency{
			"a": {{DependsOn: "b", Kind: scenario.RequiresSuccess}},
			"b": {{DependsOn: "a", Kind: scenario.RequiresRun}},
		}, []scenario.ID{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var g scenario.Graph
			for id, dependencies := range c.edges {
				g.Replace(id, dependencies)
			}
			if diff := cmp.Diff(c.want, g.FindCycle()); diff != "" {
				t.Errorf("cycle (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFindCycleInALongChain would overflow a recursion's stack or, if a node
// were visited more than once, not end.
func TestFindCycleInALongChain(t *testing.T) {
	t.Parallel()
	const n = 50_000
	id := func(i int) scenario.ID { return scenario.ID(fmt.Sprintf("s-%06d", i)) }
	var g scenario.Graph
	for i := range n - 2 {
		g.Replace(id(i), requires(id(i+1), id(i+2)))
	}
	if cycle := g.FindCycle(); cycle != nil {
		t.Fatalf("found a cycle of %d in a graph without one", len(cycle))
	}
	g.Replace(id(n-1), requires(id(0)))
	if cycle := g.FindCycle(); len(cycle) < n/2 || cycle[0] != id(0) {
		t.Errorf("cycle of %d", len(cycle))
	}
}

// TestFindCycleAgainstTransitiveClosure compares with an oracle: a graph has a
// cycle if and only if some node reaches itself.
func TestFindCycleAgainstTransitiveClosure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "nodes")
		var g scenario.Graph
		reaches := make([][]bool, n)
		number := make(map[scenario.ID]int, n)
		for i := range n {
			number[scenario.ID(fmt.Sprint(i))] = i
			reaches[i] = make([]bool, n)
			var out []scenario.Dependency
			for j := range n {
				if rapid.IntRange(0, 4).Draw(t, "edge") > 0 {
					continue
				}
				kind := rapid.SampledFrom(scenario.DependencyKinds()).Draw(t, "kind")
				out = append(out, scenario.Dependency{DependsOn: scenario.ID(fmt.Sprint(j)), Kind: kind})
				reaches[i][j] = kind.Requires()
			}
			g.Replace(scenario.ID(fmt.Sprint(i)), out)
		}
		edge := make([][]bool, n)
		for i := range n {
			edge[i] = slices.Clone(reaches[i])
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reaches[i][j] = reaches[i][j] || reaches[i][k] && reaches[k][j]
				}
			}
		}
		cyclic := false
		for i := range n {
			cyclic = cyclic || reaches[i][i]
		}
		cycle := g.FindCycle()
		if (cycle != nil) != cyclic {
			t.Fatalf("cycle = %v, oracle says %v", cycle, cyclic)
		}
		for i, id := range cycle {
			next := cycle[(i+1)%len(cycle)]
			if !edge[number[id]][number[next]] {
				t.Fatalf("cycle %v has no edge %s -> %s", cycle, id, next)
			}
		}
	})
}

func TestDeclareKeepsTheGraphAcyclicAndBounded(t *testing.T) {
	t.Parallel()
	limits := scenario.DefaultLimits()
	limits.GraphEdges = 4
	var g scenario.Graph
	for _, id := range []scenario.ID{"a", "b", "c"} {
		if r := g.Declare(id, requires(id+"x"), limits); r != nil {
			t.Fatalf("declare: %v", r)
		}
	}
	if r := g.Declare("ax", requires("a"), limits); r == nil || r.Reason != fact.ReasonCycle || !strings.Contains(r.Rule, "a -> ax -> a") {
		t.Errorf("closing edge: %v", r)
	}
	if r := g.Declare("d", requires("e", "f"), limits); r == nil || r.Reason != fact.ReasonLimit {
		t.Errorf("fifth edge: %v", r)
	}
	if g.Len() != 3 || g.FindCycle() != nil {
		t.Errorf("refused declarations changed the graph: %d edges, cycle %v", g.Len(), g.FindCycle())
	}
	if r := g.Declare("a", nil, limits); r != nil || g.Len() != 2 {
		t.Errorf("empty list: %v, %d edges", r, g.Len())
	}
	if r := g.Declare("ax", requires("a"), limits); r != nil {
		t.Errorf("edge that closes nothing any more: %v", r)
	}
}

func TestALongCycleIsCutInItsMessage(t *testing.T) {
	t.Parallel()
	limits := scenario.DefaultLimits()
	var g scenario.Graph
	for i := range 100 {
		g.Replace(scenario.ID(fmt.Sprintf("s%02d", i)), requires(scenario.ID(fmt.Sprintf("s%02d", i+1))))
	}
	r := g.Declare("s99", requires("s00"), limits)
	if r == nil || !strings.HasSuffix(r.Rule, "s18 -> s19 -> (80 more) -> s00") {
		t.Errorf("rejection = %v", r)
	}
}

func TestValidateDependencies(t *testing.T) {
	t.Parallel()
	age := func(d time.Duration) *time.Duration { return &d }
	many := func(n int) (all []scenario.Dependency) {
		for i := range n {
			all = append(all, requires(scenario.ID(fmt.Sprint(i)))...)
		}
		return all
	}
	for name, c := range map[string]struct {
		list   []scenario.Dependency
		reason fact.Reason // empty: accepted
		field  string
	}{
		"none":            {nil, "", ""},
		"two kinds":       {[]scenario.Dependency{{DependsOn: "b", Kind: scenario.RequiresRun, MaxAge: age(time.Hour)}, {DependsOn: "b", Kind: scenario.MustNotOverlap}}, "", ""},
		"itself":          {append(requires("b"), requires("a")...), fact.ReasonCycle, "data.dependencies[1].depends_on"},
		"excludes itself": {[]scenario.Dependency{{DependsOn: "a", Kind: scenario.ConflictsWith}}, fact.ReasonCycle, "data.dependencies[0].depends_on"},
		"at the limit":    {many(1000), "", ""},
		"over the limit":  {many(1001), fact.ReasonLimit, "data.dependencies"},
		"10,000 edges":    {many(10_000), fact.ReasonLimit, "data.dependencies"},
		"twice":           {requires("b", "c", "b"), fact.ReasonSchema, "data.dependencies[2]"},
		"unknown kind":    {[]scenario.Dependency{{DependsOn: "b", Kind: "likes"}}, fact.ReasonSchema, "data.dependencies[0].kind"},
		"no id":           {requires(""), fact.ReasonSchema, "data.dependencies[0].depends_on"},
		"no age":          {[]scenario.Dependency{{DependsOn: "b", Kind: scenario.RequiresRun, MaxAge: age(0)}}, fact.ReasonSchema, "data.dependencies[0].max_age"},
		"short age":       {[]scenario.Dependency{{DependsOn: "b", Kind: scenario.RequiresRun, MaxAge: age(999)}}, fact.ReasonSchema, "data.dependencies[0].max_age"},
		"shortest age":    {[]scenario.Dependency{{DependsOn: "b", Kind: scenario.RequiresRun, MaxAge: age(time.Microsecond)}}, "", ""},
		"two problems":    {[]scenario.Dependency{{Kind: "likes"}}, fact.ReasonSchema, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRejection(t, scenario.ValidateDependencies("a", c.list, scenario.DefaultLimits()), c.reason, c.field)
		})
	}
}

// The database keeps microseconds: a shorter age would be refused there, by a
// reason that names no field.
func TestAnAgeThatCannotBeKeptIsNamed(t *testing.T) {
	t.Parallel()
	age := 100 * time.Nanosecond
	got := scenario.ValidateDependencies("a", []scenario.Dependency{{DependsOn: "b", Kind: scenario.RequiresRun, MaxAge: &age}}, scenario.DefaultLimits())
	want := fact.Reject(fact.ReasonSchema, "data.dependencies[0].max_age", "100ns", "must be at least 1µs")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejection (-want +got):\n%s", diff)
	}
}

// checkRejection compares reason and field; an empty reason wants none.
func checkRejection(t *testing.T, got *fact.Rejection, reason fact.Reason, field string) {
	t.Helper()
	switch {
	case reason == "" && got != nil:
		t.Errorf("rejected: %v", got)
	case reason != "" && got == nil:
		t.Errorf("accepted, want %s at %s", reason, field)
	case got != nil && (got.Reason != reason || got.Field != field):
		t.Errorf("rejected: %v, want %s at %s", got, reason, field)
	}
}

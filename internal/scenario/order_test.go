package scenario_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func graphOf(edges map[scenario.ID][]scenario.Dependency) *scenario.Graph {
	var g scenario.Graph
	for id, dependencies := range edges {
		g.Replace(id, dependencies)
	}
	return &g
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edges map[scenario.ID][]scenario.Dependency
		want  []scenario.ID
	}{
		"empty":               {nil, []scenario.ID{}},
		"a chain":             {map[scenario.ID][]scenario.Dependency{"a": requires("b"), "b": requires("c")}, []scenario.ID{"c", "b", "a"}},
		"a diamond":           {map[scenario.ID][]scenario.Dependency{"a": requires("c", "b"), "b": requires("d"), "c": requires("d")}, []scenario.ID{"d", "b", "c", "a"}},
		"apart, by id":        {map[scenario.ID][]scenario.Dependency{"z": requires("b"), "y": requires("a")}, []scenario.ID{"a", "b", "y", "z"}},
		"a cycle is left out": {map[scenario.ID][]scenario.Dependency{"a": requires("b"), "b": requires("a"), "c": requires("a"), "d": requires("e")}, []scenario.ID{"e", "d"}},
		"exclusions have no say": {map[scenario.ID][]scenario.Dependency{
			"a": {{DependsOn: "b", Kind: scenario.ConflictsWith}}, "b": {{DependsOn: "a", Kind: scenario.MustNotOverlap}},
		}, []scenario.ID{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, graphOf(c.edges).Order()); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

// Two equal names of one requirement (of both kinds) are one.
func TestOrderOfARequirementDeclaredTwice(t *testing.T) {
	t.Parallel()
	g := graphOf(map[scenario.ID][]scenario.Dependency{"a": {
		{DependsOn: "b", Kind: scenario.RequiresRun}, {DependsOn: "b", Kind: scenario.RequiresSuccess},
	}})
	if diff := cmp.Diff([]scenario.ID{"b", "a"}, g.Order()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOrderOfAWideAndLongGraph(t *testing.T) {
	t.Parallel()
	const n = 20_000
	id := func(i int) scenario.ID { return scenario.ID(fmt.Sprintf("s-%06d", i)) }
	var g scenario.Graph
	for i := range n - 2 {
		g.Replace(id(i), requires(id(i+1), id(i+2)))
	}
	order := g.Order()
	if len(order) != n || order[0] != id(n-2) || order[n-1] != id(0) {
		t.Errorf("%d scenarios, from %s to %s", len(order), order[0], order[len(order)-1])
	}
	if near := g.Around(id(n/2), 0); len(near.Nodes) != n || near.Truncated {
		t.Errorf("%d nodes around the middle, want %d; truncated %v", len(near.Nodes), n, near.Truncated)
	}
}

func TestAround(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	g := graphOf(map[scenario.ID][]scenario.Dependency{
		"m":       {{DependsOn: "low", Kind: scenario.RequiresSuccess, MaxAge: &hour}, {DependsOn: "foe", Kind: scenario.ConflictsWith}},
		"low":     requires("lowest"),
		"high":    requires("m"),
		"highest": requires("high", "other"),
		"enemy":   {{DependsOn: "m", Kind: scenario.MustNotOverlap}, {DependsOn: "far", Kind: scenario.MustNotOverlap}},
		"foe":     requires("unrelated"),
	})
	node := func(id scenario.ID, role scenario.Role, distance int) scenario.Node {
		return scenario.Node{ID: id, Role: role, Distance: distance}
	}
	near := []scenario.Edge{
		{From: "enemy", To: "m", Kind: scenario.MustNotOverlap},
		{From: "high", To: "m", Kind: scenario.RequiresRun},
		{From: "m", To: "foe", Kind: scenario.ConflictsWith},
		{From: "m", To: "low", Kind: scenario.RequiresSuccess, MaxAge: &hour},
	}
	for name, c := range map[string]struct {
		depth int
		want  scenario.Neighbourhood
	}{
		"one away": {1, scenario.Neighbourhood{
			Nodes: []scenario.Node{
				node("enemy", scenario.RoleExcluded, 1), node("foe", scenario.RoleExcluded, 1), node("low", scenario.RoleRequired, 1),
				node("m", scenario.RoleSelf, 0), node("high", scenario.RoleDependent, 1),
			},
			Edges:     near,
			Truncated: true,
		}},
		"all": {0, scenario.Neighbourhood{
			Nodes: []scenario.Node{
				node("enemy", scenario.RoleExcluded, 1), node("foe", scenario.RoleExcluded, 1), node("lowest", scenario.RoleRequired, 2), node("low", scenario.RoleRequired, 1),
				node("m", scenario.RoleSelf, 0), node("high", scenario.RoleDependent, 1), node("highest", scenario.RoleDependent, 2),
			},
			Edges: slices.Concat(near[:2], []scenario.Edge{{From: "highest", To: "high", Kind: scenario.RequiresRun}, {From: "low", To: "lowest", Kind: scenario.RequiresRun}}, near[2:]),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, g.Around("m", c.depth)); diff != "" {
				t.Errorf("around m (-want +got):\n%s", diff)
			}
		})
	}
	alone := scenario.Neighbourhood{Nodes: []scenario.Node{node("nobody", scenario.RoleSelf, 0)}}
	if diff := cmp.Diff(alone, g.Around("nobody", 3)); diff != "" {
		t.Errorf("around nobody (-want +got):\n%s", diff)
	}
	if exactly := g.Around("m", 2); exactly.Truncated || len(exactly.Nodes) != 7 {
		t.Errorf("two away: %d nodes, truncated %v; want all 7", len(exactly.Nodes), exactly.Truncated)
	}
}

// TestOrderProperties: the order holds every scenario of an acyclic graph once
// and behind what it requires, and depends on the graph alone.
func TestOrderProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := make([]scenario.ID, rapid.IntRange(1, 8).Draw(t, "scenarios"))
		for i := range ids {
			ids[i] = scenario.ID(fmt.Sprint(i))
		}
		var g scenario.Graph
		named := map[scenario.ID]bool{}
		edges := map[scenario.ID][]scenario.Dependency{}
		for range rapid.IntRange(0, 12).Draw(t, "declarations") {
			id := rapid.SampledFrom(ids).Draw(t, "of")
			list := requires(rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 3, rapid.ID).Draw(t, "on")...)
			if g.Declare(id, list, scenario.DefaultLimits()) == nil {
				edges[id] = list
			}
		}
		for id, list := range edges {
			for _, d := range list {
				named[id], named[d.DependsOn] = true, true
			}
		}
		order := g.Order()
		if diff := cmp.Diff(order, graphOf(edges).Order()); diff != "" {
			t.Fatalf("the same graph gave another order (-first +again):\n%s", diff)
		}
		at := map[scenario.ID]int{}
		for i, id := range order {
			if !named[id] {
				t.Fatalf("%s is in no dependency", id)
			}
			at[id] = i
		}
		if len(at) != len(named) || len(order) != len(named) {
			t.Fatalf("order %v of %d scenarios", order, len(named))
		}
		for id, list := range edges {
			for _, d := range list {
				if at[d.DependsOn] >= at[id] {
					t.Fatalf("%s comes before %s, which it requires: %v", id, d.DependsOn, order)
				}
			}
		}
	})
}

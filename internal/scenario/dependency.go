package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// DependencyKinds is the closed list.
func DependencyKinds() []DependencyKind {
	return []DependencyKind{RequiresSuccess, RequiresRun, ConflictsWith, MustNotOverlap}
}

// Requires tells whether the kind makes one scenario wait for another. Such
// dependencies must stay acyclic; the others are symmetric exclusions.
func (k DependencyKind) Requires() bool { return k == RequiresSuccess || k == RequiresRun }

// Graph is the dependencies of all scenarios.
//
// The zero value is an empty graph. It is not safe for concurrent use: changes
// of dependencies go one at a time, because two changes that each see none can
// close a cycle together.
type Graph struct {
	edges map[ID][]Dependency
	count int
}

// Replace states the whole list of a scenario's dependencies, unchecked: as it
// was read from storage, where it was checked before.
func (g *Graph) Replace(id ID, dependencies []Dependency) {
	if g.edges == nil {
		g.edges = make(map[ID][]Dependency)
	}
	g.count += len(dependencies) - len(g.edges[id])
	if len(dependencies) == 0 {
		delete(g.edges, id)
		return
	}
	g.edges[id] = dependencies
}

// Len is the number of dependencies in the graph.
func (g *Graph) Len() int { return g.count }

// Declare replaces the dependencies of a scenario, if the graph stays within
// its limit and acyclic; otherwise it leaves the graph as it was.
func (g *Graph) Declare(id ID, dependencies []Dependency, limits Limits) *fact.Rejection {
	before := g.edges[id]
	if after := g.count - len(before) + len(dependencies); after > limits.GraphEdges {
		return fact.Reject(fact.ReasonLimit, "data.dependencies", "",
			fmt.Sprintf("all scenarios together would have %d dependencies, at most %d are allowed", after, limits.GraphEdges))
	}
	g.Replace(id, dependencies)
	if cycle := g.findCycle([]ID{id}); cycle != nil { // the graph was acyclic, so a cycle goes through id
		g.Replace(id, before)
		return fact.Reject(fact.ReasonCycle, "data.dependencies", "", "closes a cycle: "+formatCycle(cycle))
	}
	return nil
}

// formatCycle is the cycle as "a -> b -> a", cut when it is very long.
func formatCycle(cycle []ID) string {
	const shown = 20
	var b strings.Builder
	for i, id := range cycle {
		if i == shown {
			fmt.Fprintf(&b, "(%d more) -> ", len(cycle)-shown)
			break
		}
		b.WriteString(string(id) + " -> ")
	}
	return b.String() + string(cycle[0])
}

// FindCycle is a cycle among the dependencies that require something, from its
// smallest id on, each scenario before the one that it requires; nil when there
// is none. The same graph always gives the same cycle. It takes time in
// proportion to the graph (times the logarithm for the order), and no stack.
func (g *Graph) FindCycle() []ID { return g.findCycle(sortedKeys(g.edges)) }

// findCycle looks at what can be reached from the roots.
func (g *Graph) findCycle(roots []ID) []ID {
	const (
		unseen = iota
		open   // on the path that is being followed
		done   // leads to no cycle
	)
	state := map[ID]int{}
	for _, root := range roots {
		if state[root] != unseen {
			continue
		}
		type stop struct {
			id   ID
			next []ID // still to be followed
		}
		path := []stop{{root, g.required(root)}}
		state[root] = open
		for len(path) > 0 {
			top := &path[len(path)-1]
			if len(top.next) == 0 {
				state[top.id] = done
				path = path[:len(path)-1]
				continue
			}
			id := top.next[0]
			top.next = top.next[1:]
			switch state[id] {
			case unseen:
				state[id] = open
				path = append(path, stop{id, g.required(id)})
			case open:
				from := slices.IndexFunc(path, func(s stop) bool { return s.id == id })
				cycle := make([]ID, 0, len(path)-from)
				for _, s := range path[from:] {
					cycle = append(cycle, s.id)
				}
				return fromSmallest(cycle)
			}
		}
	}
	return nil
}

// required is what a scenario requires, each once, in order.
func (g *Graph) required(id ID) []ID {
	var ids []ID
	for _, d := range g.edges[id] {
		if d.Kind.Requires() {
			ids = append(ids, d.DependsOn)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func fromSmallest(cycle []ID) []ID {
	at := slices.Index(cycle, slices.Min(cycle))
	return slices.Concat(cycle[at:], cycle[:at])
}

// ValidateDependencies holds one scenario's list against the rules that need no
// other scenario.
func ValidateDependencies(id ID, dependencies []Dependency, limits Limits) *fact.Rejection {
	if len(dependencies) > limits.Dependencies {
		return fact.Reject(fact.ReasonLimit, "data.dependencies", "",
			fmt.Sprintf("%d dependencies, at most %d are allowed", len(dependencies), limits.Dependencies))
	}
	type edge struct {
		to   ID
		kind DependencyKind
	}
	first := make(map[edge]int, len(dependencies))
	var problems Problems
	for i, d := range dependencies {
		at := fmt.Sprintf("dependencies[%d]", i)
		if d.DependsOn == id {
			return fact.Reject(fact.ReasonCycle, "data."+at+".depends_on", string(id), "a scenario cannot depend on itself")
		}
		if d.DependsOn == "" {
			problems.add(at+".depends_on", "", "required")
		}
		if !slices.Contains(DependencyKinds(), d.Kind) {
			problems.add(at+".kind", string(d.Kind), "want one of %s", joined(DependencyKinds()))
		}
		if d.MaxAge != nil && *d.MaxAge < leastDuration {
			problems.add(at+".max_age", d.MaxAge.String(), "must be at least %v", leastDuration)
		}
		e := edge{d.DependsOn, d.Kind}
		if before, ok := first[e]; ok {
			problems.add(at, string(d.DependsOn), "repeats dependencies[%d]", before)
		} else {
			first[e] = i
		}
	}
	return problems.Reject(fact.ReasonSchema, "data")
}

// sortDependencies is the list in the order in which it is stored.
func sortDependencies(dependencies []Dependency) []Dependency {
	sorted := slices.Clone(dependencies)
	slices.SortFunc(sorted, func(a, b Dependency) int {
		return cmp.Or(cmp.Compare(a.DependsOn, b.DependsOn), cmp.Compare(a.Kind, b.Kind))
	})
	return sorted
}

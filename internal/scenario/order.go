package scenario

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Order is all scenarios that the graph names, each after those that it
// requires; of several that could come next the one with the smallest id
// does, so that the same graph always gives the same order. Exclusions have no
// say. Scenarios on a cycle, and those that require one of them, can never run
// and are left out: a graph that was built by [Graph.Declare] has none, and
// [Graph.FindCycle] names it.
func (g *Graph) Order() []ID { return runOrder(g.ids(), g.required) }

// ids are all scenarios that declare something or are named by others.
func (g *Graph) ids() map[ID]bool {
	all := make(map[ID]bool, len(g.edges))
	for id, dependencies := range g.edges {
		all[id] = true
		for _, d := range dependencies {
			all[d.DependsOn] = true
		}
	}
	return all
}

// runOrder puts scenarios behind those that they require, as far as these are
// among them.
func runOrder(ids map[ID]bool, required func(ID) []ID) []ID {
	waits := make(map[ID]int, len(ids)) // for how many
	next := make(map[ID][]ID, len(ids)) // who waits
	for id := range ids {
		for _, on := range required(id) {
			if ids[on] {
				waits[id]++
				next[on] = append(next[on], id)
			}
		}
	}
	var free smallestFirst
	for id := range ids {
		if waits[id] == 0 {
			free = append(free, id)
		}
	}
	heap.Init(&free)
	order := make([]ID, 0, len(ids))
	for len(free) > 0 {
		id, _ := heap.Pop(&free).(ID)
		order = append(order, id)
		for _, after := range next[id] {
			if waits[after]--; waits[after] == 0 {
				heap.Push(&free, after)
			}
		}
	}
	return order
}

// smallestFirst is a heap.
type smallestFirst []ID //nolint:recvcheck // as package heap wants it

func (h smallestFirst) Len() int           { return len(h) }
func (h smallestFirst) Less(i, j int) bool { return h[i] < h[j] }
func (h smallestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is called by package heap.
func (h *smallestFirst) Push(x any) {
	id, _ := x.(ID)
	*h = append(*h, id)
}

// Pop is called by package heap.
func (h *smallestFirst) Pop() any {
	last := len(*h) - 1
	id := (*h)[last]
	*h = (*h)[:last]
	return id
}

// Role is what a scenario is to the one in the middle of a [Neighbourhood].
type Role string

// The roles.
const (
	RoleSelf      Role = "self"
	RoleRequired  Role = "required"  // directly or through others
	RoleDependent Role = "dependent" // requires it, directly or through others
	RoleExcluded  Role = "excluded"  // must not be active at the same time, and nothing else
)

// Neighbourhood is the part of a graph around one scenario.
type Neighbourhood struct {
	Nodes []Node // in the order in which they can run; see [Graph.Order]
	Edges []Edge // between the nodes; by From, then To, then Kind

	// Truncated tells that more lies beyond the depth.
	Truncated bool
}

// Node is a scenario of a neighbourhood.
type Node struct {
	ID       ID
	Role     Role
	Distance int // dependencies between it and the one in the middle, on the shortest way
}

// Edge is a dependency as it was declared: From depends on To.
type Edge struct {
	From, To ID
	Kind     DependencyKind
	MaxAge   *time.Duration // nil: any age
}

// Around is what a scenario requires and what requires it, directly or through
// others, at most depth dependencies away (0: however far), and the scenarios
// that it itself excludes or is excluded by. A scenario without dependencies is
// a node without edges.
func (g *Graph) Around(id ID, depth int) Neighbourhood {
	dependents := map[ID][]ID{}
	excluded := map[ID]bool{}
	for from, dependencies := range g.edges {
		for _, d := range dependencies {
			switch {
			case d.Kind.Requires():
				dependents[d.DependsOn] = append(dependents[d.DependsOn], from)
			case from == id:
				excluded[d.DependsOn] = true
			case d.DependsOn == id:
				excluded[from] = true
			}
		}
	}
	nodes := map[ID]Node{id: {ID: id, Role: RoleSelf}}
	down := walk(nodes, id, RoleRequired, depth, g.required)
	up := walk(nodes, id, RoleDependent, depth, func(id ID) []ID { return dependents[id] })
	for other := range excluded {
		if _, near := nodes[other]; !near {
			nodes[other] = Node{ID: other, Role: RoleExcluded, Distance: 1}
		}
	}

	within := make(map[ID]bool, len(nodes))
	for other := range nodes {
		within[other] = true
	}
	n := Neighbourhood{Truncated: down || up}
	for _, other := range runOrder(within, g.required) {
		n.Nodes = append(n.Nodes, nodes[other])
	}
	for _, from := range sortedKeys(nodes) {
		for _, d := range g.edges[from] {
			if within[d.DependsOn] {
				n.Edges = append(n.Edges, Edge{From: from, To: d.DependsOn, Kind: d.Kind, MaxAge: d.MaxAge})
			}
		}
	}
	slices.SortFunc(n.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind))
	})
	return n
}

// walk adds what can be reached from a scenario, level by level; it tells
// whether there was more beyond the depth.
func walk(nodes map[ID]Node, from ID, role Role, depth int, next func(ID) []ID) (more bool) {
	level := []ID{from}
	for distance := 1; len(level) > 0; distance++ {
		var reached []ID
		for _, id := range level {
			for _, other := range next(id) {
				if _, seen := nodes[other]; seen {
					continue
				}
				if depth > 0 && distance > depth {
					return true
				}
				nodes[other] = Node{ID: other, Role: role, Distance: distance}
				reached = append(reached, other)
			}
		}
		level = reached
	}
	return false
}

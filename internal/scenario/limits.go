package scenario

// Limits bound what one definition, one event and the whole dependency graph
// may hold.
type Limits struct {
	DefinitionBytes int // length of a definition's text
	Depth           int // nesting of a chaos.trading document
	Nodes           int // keys and values of a chaos.trading document
	Dependencies    int // dependencies of one scenario
	GraphEdges      int // dependencies of all scenarios together
}

// DefaultLimits are the limits where the configuration says nothing else.
func DefaultLimits() Limits {
	return Limits{
		DefinitionBytes: 512 << 10,
		Depth:           32,
		Nodes:           10_000,
		Dependencies:    1_000,
		GraphEdges:      10_000,
	}
}

package execution

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// SnapshotContent is what a snapshot says of the system.
type SnapshotContent struct {
	State   json.RawMessage // any JSON; nil when there is none
	Metrics json.RawMessage // object of numbers; nil when there is none
}

// SnapshotDiff is what differs between two snapshots.
type SnapshotDiff struct {
	Changes   []SnapshotChange // by path: state before metrics, keys in their order
	Added     int              // counts of all changes, also of those beyond the bound
	Removed   int
	Changed   int
	Truncated bool // there are more changes than are listed
}

// SnapshotChange is one place that differs. Where a whole object or list
// appeared or went, that is one change.
type SnapshotChange struct {
	Kind     ChangeKind
	Path     string   // such as state.services[2].latency_ms or metrics.orders
	Before   string   // JSON, cut to about 240 bytes; empty when added
	After    string   // likewise; empty when removed
	Delta    string   // of two numbers: after - before, in decimal and exact if it has at most 40 digits; empty otherwise
	Relative *float64 // Delta / |before|; nil when before is zero, or not two numbers
}

// ChangeKind says what happened to a value.
type ChangeKind string

// The kinds of changes.
const (
	ChangeAdded   ChangeKind = "added"
	ChangeRemoved ChangeKind = "removed"
	ChangeChanged ChangeKind = "changed"
)

// DiffSnapshots compares two snapshots: objects key by key, lists item by item
// by their indexes, numbers by their exact value (1.0 is 1, and an integer
// beyond 2^53 keeps its digits). At most most changes are listed. The error
// says which value is not JSON.
func DiffSnapshots(before, after SnapshotContent, most int) (SnapshotDiff, error) {
	w := snapshotWalk{most: most}
	err := before.against(after, w.compare)
	return w.diff, err
}

// against gives the two values of each part, if at least one has it, with its
// path.
func (s SnapshotContent) against(other SnapshotContent, visit func(path []pathStep, a, b sideValue)) error {
	for _, part := range []struct {
		name string
		a, b json.RawMessage
	}{{"state", s.State, other.State}, {"metrics", s.Metrics, other.Metrics}} {
		var sides [2]sideValue
		for i, raw := range []json.RawMessage{part.a, part.b} {
			value, present, err := decodeExact(raw)
			if err != nil {
				return fmt.Errorf("%s of snapshot %d: %w", part.name, i+1, err)
			}
			sides[i] = sideValue{value, present}
		}
		if sides[0].present || sides[1].present {
			visit([]pathStep{keyStep(part.name)}, sides[0], sides[1])
		}
	}
	return nil
}

// sideValue is a value of one of two snapshots, or its absence.
type sideValue struct {
	value   any
	present bool
}

// children walks what two objects or two lists hold, together; it tells whether
// they are alike enough for that. What one of them lacks is absent.
func children(path []pathStep, a, b any, visit func(path []pathStep, a, b sideValue)) bool {
	switch from := a.(type) {
	case map[string]any:
		to, ok := b.(map[string]any)
		if !ok {
			return false
		}
		keys := slices.AppendSeq(make([]string, 0, len(from)), maps.Keys(from))
		for key := range to {
			if _, both := from[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			x, first := from[key]
			y, second := to[key]
			visit(append(path, keyStep(key)), sideValue{x, first}, sideValue{y, second})
		}
		return true
	case []any:
		to, ok := b.([]any)
		if !ok {
			return false
		}
		for i := range max(len(from), len(to)) {
			var x, y sideValue
			if i < len(from) {
				x = sideValue{from[i], true}
			}
			if i < len(to) {
				y = sideValue{to[i], true}
			}
			visit(append(path, itemStep(i)), x, y)
		}
		return true
	}
	return false
}

type snapshotWalk struct {
	diff SnapshotDiff
	most int
}

func (w *snapshotWalk) compare(path []pathStep, a, b sideValue) {
	switch {
	case !a.present:
		w.diff.Added++
		w.list(path, SnapshotChange{Kind: ChangeAdded}, a, b)
	case !b.present:
		w.diff.Removed++
		w.list(path, SnapshotChange{Kind: ChangeRemoved}, a, b)
	case children(path, a.value, b.value, w.compare):
	case isContainer(a.value) || isContainer(b.value) || !sameScalar(a.value, b.value):
		w.diff.Changed++
		w.list(path, SnapshotChange{Kind: ChangeChanged}, a, b)
	}
}

// list spells a change out, unless there are too many already.
func (w *snapshotWalk) list(path []pathStep, c SnapshotChange, a, b sideValue) {
	if len(w.diff.Changes) >= w.most {
		w.diff.Truncated = true
		return
	}
	c.Path = pathText(path)
	if a.present {
		c.Before = shortJSON(a.value)
	}
	if b.present {
		c.After = shortJSON(b.value)
	}
	if x, y, ok := numbers(a.value, b.value); ok {
		delta := y.Sub(y, x)
		c.Delta, c.Relative = decimal(delta), relativeTo(delta, x)
	}
	w.diff.Changes = append(w.diff.Changes, c)
}

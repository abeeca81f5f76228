package recordbatch

import (
	"cmp"
	"slices"
)

// Aborted is an aborted transaction as the broker lists it with a response.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// transactions knows, while batches go by, which producers are inside of an
// aborted transaction: from its first offset until the abort marker.
type transactions struct {
	pending []Aborted // by first offset
	open    map[int64]struct{}
}

func (t *transactions) reset(aborted []Aborted) {
	// Redpanda lists the newest first: the order is made here.
	t.pending = append(t.pending[:0], aborted...)
	slices.SortFunc(t.pending, func(a, b Aborted) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	clear(t.open)
}

// advance opens the aborted transactions that begin up to the offset.
func (t *transactions) advance(offset int64) {
	for len(t.pending) > 0 && t.pending[0].FirstOffset <= offset {
		if t.open == nil {
			t.open = make(map[int64]struct{})
		}
		t.open[t.pending[0].ProducerID] = struct{}{}
		t.pending = t.pending[1:]
	}
}

func (t *transactions) contains(producer int64) bool {
	_, ok := t.open[producer]
	return ok
}

func (t *transactions) finish(producer int64) { delete(t.open, producer) }

// isAbortMarker reads the first record of a control batch: its key is a version
// and a type, of which 0 is abort and 1 commit.
func isAbortMarker(records []byte) bool {
	c := cursor{rest: records}
	c.varint() // length
	c.take(1)  // attributes
	c.varint() // timestamp delta
	c.varint() // offset delta
	key := cursor{rest: c.required()}
	key.int16() // version
	kind := key.int16()
	return !c.failed && !key.failed && kind == 0
}

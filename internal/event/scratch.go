package event

import (
	"bytes"
	"sync"
)

// scratch are buffers to write into before the size is known.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// mostScratch is the largest buffer that is kept.
const mostScratch = 64 << 10

// withScratch lends a buffer to write, which gives back what it has become and
// keeps nothing of it.
func withScratch(write func([]byte) []byte) {
	b := scratch.Get().(*[]byte)
	*b = write((*b)[:0])
	if cap(*b) <= mostScratch {
		scratch.Put(b)
	}
}

// written is what write appends, in memory of just its size: events wait in
// batches, and slack would wait with them.
func written(write func([]byte) []byte) []byte {
	var out []byte
	withScratch(func(b []byte) []byte {
		b = write(b)
		out = bytes.Clone(b)
		return b
	})
	return out
}

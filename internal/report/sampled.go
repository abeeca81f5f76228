package report

import (
	"cmp"
	"math"
	"slices"
)

// buckets is how many stretches of a series are kept: of each its least and its
// largest value, which with the first and the last one are at most 58 points. It is
// even, so that two neighbours can always become one.
const buckets = 28

// sampled keeps few of the points of a series, without knowing how long it will be:
// the first, the last, and the extremes of stretches of equal length. When there are
// too many stretches, each two become one. What it keeps depends on the points and
// their order alone, and the extremes of the whole are always among them.
type sampled struct {
	n           int
	length      int // points of a full stretch
	stretches   []stretch
	first, last numbered
}

type stretch struct {
	n        int
	min, max numbered
}

type numbered struct {
	Point
	n int // of the point, from 0
}

func (s *sampled) add(p Point) {
	next := numbered{p, s.n}
	if s.n == 0 {
		s.first, s.length = next, 1
	}
	s.last = next
	s.n++
	if full := len(s.stretches) == 0 || s.stretches[len(s.stretches)-1].n == s.length; full {
		if len(s.stretches) == buckets {
			s.halve()
		}
		s.stretches = append(s.stretches, stretch{n: 1, min: next, max: next})
		return
	}
	s.stretches[len(s.stretches)-1].add(stretch{n: 1, min: next, max: next})
}

// halve makes each two stretches, all of them full, one.
func (s *sampled) halve() {
	for i := range buckets / 2 {
		s.stretches[i] = s.stretches[2*i]
		s.stretches[i].add(s.stretches[2*i+1])
	}
	s.stretches = s.stretches[:buckets/2]
	s.length *= 2
}

// add takes what follows.
func (t *stretch) add(next stretch) {
	t.n += next.n
	if next.min.Value < t.min.Value {
		t.min = next.min
	}
	if next.max.Value > t.max.Value {
		t.max = next.max
	}
}

// points are those kept, by time.
func (s *sampled) points() []Point {
	if s.n == 0 {
		return []Point{}
	}
	kept := make([]numbered, 0, 2*len(s.stretches)+2)
	kept = append(kept, s.first, s.last)
	for _, t := range s.stretches {
		kept = append(kept, t.min, t.max)
	}
	slices.SortFunc(kept, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	kept = slices.CompactFunc(kept, func(a, b numbered) bool { return a.n == b.n })
	slices.SortStableFunc(kept, func(a, b numbered) int { return a.At.Compare(b.At) })
	points := make([]Point, len(kept))
	for i, k := range kept {
		points[i] = k.Point
	}
	return points
}

// away tells whether a change in relation to a baseline is more than most.
func away(change *float64, most float64) bool { return change != nil && math.Abs(*change) > most }

package pruning

import "time"

// A page holds locks until it is through, and others of the database wait for the
// processor: it is to take about pageTime, whatever the machine and its load.
const (
	pageTime     = 100 * time.Millisecond
	smallestPage = 1.0 / 64 // of a full one
)

// pager says how much of a full page the next one takes: half as much after one that took
// longer than pageTime, and more again after those that took less than half of it.
type pager struct {
	share float64
}

func newPager() *pager { return &pager{share: 0.25} }

// of is the size for a full page of so many.
func (s *pager) of(full int64) int64 { return max(1, int64(s.share*float64(full))) }

// took notes how long a page took.
func (s *pager) took(d time.Duration) {
	switch {
	case d > pageTime:
		s.share = max(smallestPage, s.share/2)
	case d < pageTime/2:
		s.share = min(1, s.share*1.5)
	}
}

// stopwatch measures what a step takes.
type stopwatch struct {
	clock func() time.Time
	began time.Time
}

// restart forgets what has passed: it was spent waiting for others.
func (w *stopwatch) restart() { w.began = w.clock() }

func (w *stopwatch) took() time.Duration { return w.clock().Sub(w.began) }

// times is so many times a duration.
func times(n float64, d time.Duration) time.Duration { return time.Duration(n * float64(d)) }

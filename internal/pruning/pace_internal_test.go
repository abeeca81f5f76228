package pruning

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPagesShrinkWhileTheyTakeLong(t *testing.T) {
	t.Parallel()
	size := newPager()
	if got := size.of(400); got != 100 {
		t.Fatalf("the first page is of %d runs of 400, want a quarter", got)
	}
	for range 3 {
		size.took(pageTime + time.Millisecond)
	}
	if got := size.of(6400); got != 200 {
		t.Errorf("after three slow pages one is of %d runs of 6400, want 200", got)
	}
	for range 100 {
		size.took(time.Hour)
	}
	if got, least := size.of(6400), size.of(1); got != 100 || least != 1 {
		t.Errorf("after many slow pages one is of %d runs of 6400, and of %d of 1, want 100 and 1", got, least)
	}
	size.took(pageTime * 3 / 4) // just right
	if got := size.of(6400); got != 100 {
		t.Errorf("after a page that took what it may one is of %d runs, want as many: 100", got)
	}
	for range 100 {
		size.took(time.Millisecond)
	}
	if got := size.of(6400); got != 6400 {
		t.Errorf("after many quick pages one is of %d runs, want a full one: 6400", got)
	}
}

// A pass rests for a multiple of what its steps do, not of what they wait for; nor is a
// page smaller for that.
func TestWaitingForOthersIsNoWork(t *testing.T) {
	t.Parallel()
	now, rested := time.Unix(0, 0), time.Duration(-1)
	p := New(Config{}, Parts{})
	p.clock = func() time.Time { return now }
	p.rest = func(_ context.Context, d time.Duration) error { rested = d; return nil }
	size := newPager()
	step := func(waits, works time.Duration) error {
		return p.paced(t.Context(), "mark", size, func(watch *stopwatch) error {
			now = now.Add(waits)
			watch.restart()
			now = now.Add(works)
			return nil
		})
	}
	if err := step(time.Hour, 20*time.Millisecond); err != nil || rested != DefaultPace*20*time.Millisecond || size.of(800) != 300 {
		t.Errorf("rested for %s, the next page is of %d of 800 runs, error %v; want 100ms, 300", rested, size.of(800), err)
	}
	if err := step(time.Hour, time.Second); err != nil || rested != DefaultPace*time.Second || size.of(800) != 150 {
		t.Errorf("rested for %s, the next page is of %d of 800 runs, error %v; want 5s, 150", rested, size.of(800), err)
	}
	rested = -1
	broken := errors.New("broken")
	if err := p.paced(t.Context(), "mark", size, func(*stopwatch) error { return broken }); !errors.Is(err, broken) || rested >= 0 {
		t.Errorf("rested for %s after %v", rested, err)
	}
}

package pruning

import (
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

package testenv

import (
	"testing"
	"time"
)

// Patience is how long anything may take that must happen, on a machine that is
// busy with other tests as well.
const Patience = 4 * time.Minute

// Eventually waits until holds is true, and fails the test when that takes
// longer than Patience. It is for what happens in another process, where no
// signal reaches the test; within a process a test waits on a channel.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	tick := newTick()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within %v: %s", Patience, what)
		}
	}
}

// newTick says when to look again.
func newTick() *time.Ticker { return time.NewTicker(5 * time.Millisecond) }

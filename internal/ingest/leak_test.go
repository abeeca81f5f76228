package ingest_test

import (
	"runtime"
	"strings"
	"testing"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The servers of tests, their clients and pools have goroutines that stay, so
// only those count that have a frame of the engine on their stack. Tests that
// run in parallel have some, so this one does not: it is over before they go on.
//
//nolint:paralleltest // see above
func TestAnEngineThatStoppedLeavesNoGoroutine(t *testing.T) {
	w := newWorld(t)
	stop := w.start("a", func(s *settings) { s.config.Read.BatchRecords = 1 })
	for range 20 {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	testenv.Eventually(t, "it is at work", func() bool { return w.partition(0).Next > 0 })
	if goroutinesOfEngine() == 0 {
		t.Fatal("an engine at work is not recognised")
	}
	stop() // in the middle, with batches fetched ahead
	testenv.Eventually(t, "no goroutine of the engine is left", func() bool { return goroutinesOfEngine() == 0 })
}

func goroutinesOfEngine() int {
	stacks := make([]byte, 4<<20)
	n := 0
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		// ingest_test is another package, whose name goes on after this one. Tests
		// of the package itself may wait for their turn.
		if strings.Contains(stack, "/internal/ingest.") && !strings.Contains(stack, "/internal/ingest.Test") {
			n++
		}
	}
	return n
}

package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapFor is what the service may take before the collector works harder:
	// with the program's own pages it stays below 200 MiB.
	heapFor = 140 << 20
	// heapPercent is how much may be allocated until the next collection, of what
	// is live, as long as heapFor has room. Most of a batch is garbage once it is
	// committed, and Go's usual 100 spends a tenth of the processor on it.
	heapPercent = 200
	paceEvery   = time.Second
)

// paceCollector lets the heap grow to three times what is live, but not beyond
// heapFor, unless twice as much is live: a limit near what is live would leave
// the processor to the collector. Who sets GOGC or GOMEMLIMIT decides instead.
func paceCollector(ctx context.Context, lookup func(string) (string, bool)) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := lookup(name); set {
			return
		}
	}
	debug.SetGCPercent(heapPercent)
	debug.SetMemoryLimit(heapFor)
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		tick := time.NewTicker(paceEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				metrics.Read(live)
				debug.SetMemoryLimit(heapLimit(int64(live[0].Value.Uint64())))
			}
		}
	}()
}

// heapLimit is the soft limit for so many live bytes.
func heapLimit(live int64) int64 { return max(heapFor, 2*live+heapFor/8) }

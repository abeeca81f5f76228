package redisstore_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// BenchmarkKnown reads the hints of one batch of 1,000 events, all of them
// marked: the case of a replay, in which hints have to earn their place.
func BenchmarkKnown(b *testing.B) {
	store := openBench(b, "")
	hints := make([]redisstore.Hint, 1000)
	for i := range hints {
		hints[i] = hint(strconv.Itoa(i))
	}
	if err := store.MarkKnown(b.Context(), hints); err != nil {
		b.Fatalf("mark known: %v", err)
	}
	for b.Loop() {
		if _, err := store.Known(b.Context(), hints); err != nil {
			b.Fatalf("known: %v", err)
		}
	}
}

// BenchmarkApplyStates writes the states of 100 executions.
func BenchmarkApplyStates(b *testing.B) {
	for name, user := range map[string]string{"scripts": "", "plain": "test-adapter:pw@"} {
		b.Run(name, func(b *testing.B) {
			store := openBench(b, user)
			states := make([]execution.Live, 100)
			row := int64(0)
			for b.Loop() {
				row++
				for i := range states {
					states[i] = running(row)
					states[i].ExecutionID = execution.ID(fmt.Sprintf("exec-%d", i))
				}
				if _, err := store.ApplyStates(b.Context(), states, 1); err != nil {
					b.Fatalf("apply states: %v", err)
				}
			}
		})
	}
}

func openBench(b *testing.B, user string) *redisstore.Store {
	b.Helper()
	srv := startServer(b, adapterACL)
	store, err := redisstore.Open(b.Context(), redisstore.Config{URL: "redis://" + user + srv.Addr()}, zerolog.Nop())
	if err != nil {
		b.Fatalf("open store: %v", err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

package redisstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// Several adapters write the same execution, each in an order of its own and
// some with, some without scripts. Whatever they do, the state ends at the
// newest version, and neither the stream nor a reader ever steps back.
func TestConcurrentWritersNeverTakeAnExecutionBack(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL)
	var writers []*redisstore.Store
	for i := range 4 {
		url := srv.URL()
		if i%2 == 1 {
			url = srv.adapterURL()
		}
		writers = append(writers, open(t, redisstore.Config{URL: url}))
	}
	var checks atomic.Int64
	versions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) execution.Live {
		live := running(rapid.Int64Range(1, 30).Draw(t, "row"))
		live.Run = execution.RunNumber(rapid.Int32Range(1, 3).Draw(t, "run"))
		if rapid.Bool().Draw(t, "ended") {
			live.Status = execution.StatusPassed
		}
		return live
	}), 1, 12)
	rapid.Check(t, func(rt *rapid.T) {
		execID := execution.ID(fmt.Sprintf("exec-%d", checks.Add(1)))
		var newest redisstore.Version
		plans := make([][]execution.Live, len(writers))
		for i := range plans {
			plans[i] = versions.Draw(rt, fmt.Sprintf("writer %d", i))
			for j := range plans[i] {
				plans[i][j].ExecutionID = execID
				newest = max(newest, redisstore.NewVersion(1, plans[i][j].Run, plans[i][j].Version))
			}
		}

		done := make(chan struct{})
		var reader, writing sync.WaitGroup
		reader.Go(func() {
			var seen redisstore.Version
			for {
				_, version, _, err := writers[0].State(t.Context(), execID)
				if err != nil {
					t.Errorf("read state: %v", err)
				}
				if version < seen {
					t.Errorf("a reader saw %s after %s", version, seen)
				}
				seen = version
				select {
				case <-done:
					return
				default:
				}
			}
		})
		for i, plan := range plans {
			writing.Go(func() {
				for _, live := range plan {
					if _, err := writers[i].ApplyStates(t.Context(), []execution.Live{live}, 1); err != nil {
						t.Errorf("apply states: %v", err)
					}
				}
			})
		}
		writing.Wait()
		close(done)
		reader.Wait()

		if _, version, ok, err := writers[0].State(t.Context(), execID); err != nil || !ok || version != newest {
			rt.Fatalf("state ends at %s, %t, %v, want %s", version, ok, err, newest)
		}
		entries, err := writers[0].ReadStream(t.Context(), execID, "", 1000)
		if err != nil || len(entries) == 0 {
			rt.Fatalf("stream has %d entries, %v", len(entries), err)
		}
		for i := 1; i < len(entries); i++ {
			if entries[i].Version <= entries[i-1].Version {
				rt.Fatalf("stream goes from %s to %s", entries[i-1].Version, entries[i].Version)
			}
		}
		if last := entries[len(entries)-1].Version; last != newest {
			rt.Fatalf("stream ends at %s, want %s", last, newest)
		}
	})
}

package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func now() time.Time { return time.Now().UTC() }

// Every event type in every form, and runs of all kinds with duplicates, late
// arrivals and malformed records, are sent while the service is killed again
// and again. In the end everything is there, once.
func TestKilledServiceLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	sim, err := coordsim.New(coordsim.Options{Seed: seed, Instance: "e2e", Start: now(), LongUpdates: 4000})
	if err != nil {
		t.Fatal(err)
	}
	var played []coordsim.Record
	for r, err := range sim.Records() {
		if err != nil {
			t.Fatal(err)
		}
		played = append(played, r)
	}
	golden := goldenRecords(t)
	total := int64(len(played) + len(golden))

	const kills = 5
	ledger, sent := newLedger(), make(chan error, 1)
	go func() { sent <- w.send(t.Context(), amid(golden, played), float64(total)/10, ledger.note) }()
	for kill := range kills {
		service := w.serve()
		from := w.ingested()
		left := total - from // a batch may take more than its share
		target := from + min(left, 100+random.Int64N(1+left/int64(kills-kill+1)))
		testenv.Eventually(t, "the service has come to where it shall die", func() bool { return w.ingested() >= target })
		pause(t, time.Duration(random.Int64N(int64(50*time.Millisecond))))
		service.kill()
		t.Logf("killed after %d records, at %d of %d", w.ingested()-from, w.ingested(), total)
	}
	service := w.serve()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.verify()
	service.interrupt()
	service.wantSuccess()

	if ledger.records != total {
		t.Errorf("%d records acknowledged, %d were to be sent", ledger.records, total)
	}
	w.settle(ledger)
	w.wantRuns(sim)
}

// wantRuns holds the runs against what the simulation says must come of them.
func (w *world) wantRuns(sim *coordsim.Simulation) {
	w.Helper()
	const all = 10_000
	runs, err := w.store.RunsAfter(w.Context(), pgstore.RunKey{}, all)
	if err != nil {
		w.Fatal(err)
	}
	expected := 0
	for _, play := range sim.Plays() {
		for _, want := range play.Runs {
			expected++
			if got := find(runs, want); got == nil {
				w.Errorf("%s: no run of %s (runid %q, number %d)", play.Name, want.Execution, want.RunID, want.Number)
			} else if got.Status != want.Status {
				w.Errorf("%s: run %d of %s is %s, want %s", play.Name, got.Number, got.ID, got.Status, want.Status)
			}
		}
	}
	const golden = 1 // all golden events are of one run
	if len(runs) != expected+golden {
		w.Errorf("%d runs, want %d", len(runs), expected+golden)
	}
}

func find(runs []execution.Run, want *coordsim.Expectation) *execution.Run {
	for i := range runs {
		if r := &runs[i]; r.ID == want.Execution && r.RunID == want.RunID && (want.Number == 0 || r.Number == want.Number) {
			return r
		}
	}
	return nil
}

// Dying is no record's fault where there is none: whoever dies often without
// work leaves nothing behind, and the next record is applied.
func TestServiceKilledWhileIdleBlamesNoRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const kills = 4
	for range kills {
		before := w.partitions()
		service := w.serve()
		testenv.Eventually(t, "the service has claimed all partitions", func() bool {
			claimed := 0
			for p, now := range w.partitions() {
				if now.Epoch > before[p].Epoch {
					claimed++
				}
			}
			return claimed == executionPartitions+scenarioPartitions
		})
		service.kill()
	}
	golden := goldenRecords(t)
	ledger := newLedger()
	service := w.serve()
	if err := w.send(t.Context(), amid(nil, golden), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.verify()
	service.interrupt()
	service.wantSuccess()
	w.settle(ledger)
}

package e2e_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A service is frozen in the middle of its transactions, for longer than the
// group and the database have patience. Another takes its partitions over and
// commits. Thawed, the first is sure that it owns them and commits what it has
// in hand: that must be refused. Both then share the partitions.
func TestFrozenServiceIsFencedWhenItWakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	load := coordsim.Load{Seed: uint64(time.Now().UnixNano()), Instance: "zombie", Start: now(), Records: endless}
	t.Logf("seed %d", load.Seed)
	ledger := newLedger()

	zombie := w.serveAs("zombie")
	stop := w.sendUntil(load.Generate(), 400, ledger)
	testenv.Eventually(t, "it is at work", func() bool { return w.ingested() >= 500 })
	w.freezeInTransactions(zombie)
	frozen := w.partitions()
	// What it has in hand is still in hand when it wakes.
	successor := w.serveAs("successor")
	testenv.Eventually(t, "the successor has committed on each partition of executions", func() bool {
		for p, at := range w.partitions() {
			if p.topic == w.topics.Executions && (at.Owner != "successor" || at.Next <= frozen[p].Next) {
				return false
			}
		}
		return true
	})
	zombie.thaw()
	testenv.Eventually(t, "what it had in hand is fenced", func() bool { return zombie.says("fenced: another worker owned the partition") })
	testenv.Eventually(t, "both have partitions", func() bool {
		owners := map[string]bool{}
		for _, at := range w.partitions() {
			owners[at.Owner] = true
		}
		return owners["zombie"] && owners["successor"]
	})
	stop()
	w.drain()
	w.verify()
	for _, p := range []*process{zombie, successor} {
		p.interrupt()
		p.wantSuccess()
	}
	w.settle(ledger)
}

// freezeInTransactions freezes a service that waits for locks in its
// transactions, which it then gets without knowing.
func (w *world) freezeInTransactions(p *process) {
	w.Helper()
	pool := w.db.Pool(w)
	tx, err := pool.Begin(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = tx.Rollback(w.Context()) }() // of what only has a lock
	if _, err := tx.Exec(w.Context(), "LOCK TABLE test_coordination.execution_ids IN EXCLUSIVE MODE"); err != nil {
		w.Fatal(err)
	}
	testenv.Eventually(w, "a batch on each partition of executions waits", func() bool {
		var waiting int
		const question = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tcda'
			AND wait_event_type = 'Lock'`
		if err := pool.QueryRow(w.Context(), question).Scan(&waiting); err != nil {
			w.Fatal(err)
		}
		return waiting == executionPartitions
	})
	p.freeze()
}

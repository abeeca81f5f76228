package ingest_test

import (
	"testing"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The former owner's last transaction holds the row that the claim wants. While
// the claim waits, records are written and that transaction takes them: the
// position lies beyond the end that the log had when the claim began.
func TestAClaimThatWaitedSeesTheLogAsItIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	beat := func() { w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"})) }
	beat()
	w.run()

	pool := w.db.Pool(t)
	former, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := former.Exec(t.Context(), "SELECT FROM test_coordination.ingest_partitions FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	stop := w.start("a")
	testenv.Eventually(t, "the claim waits", func() bool {
		var waits bool
		const question = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ClaimPartition%')"
		if err := pool.QueryRow(t.Context(), question).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		return waits
	})
	beat()
	if _, err := former.Exec(t.Context(), "UPDATE test_coordination.ingest_partitions SET next_offset = 2 WHERE partition = 0"); err != nil {
		t.Fatal(err)
	}
	if err := former.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	beat()
	testenv.Eventually(t, "the record after it is ingested, or the partition stopped", func() bool {
		at := w.partition(0)
		return at.Next == 3 || at.StoppedReason != ""
	})
	if reason := w.partition(0).StoppedReason; reason != "" {
		t.Errorf("the partition stopped: %s", reason)
	}
	stop()
}

// After deaths the engine takes records one at a time for a while, and then as
// always; the race detector watches what it shares between the two.
func TestBatchesFollowOneAnotherAfterAnUncleanStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.readAndDie(pgstore.ClaimRequest{Topic: topic, Owner: "dead", Now: time.Now()})
	}
	const n = 60
	for range n {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	w.run(func(s *settings) { s.config.Read.BatchRecords = 10 })
	w.wantSums(n, 0, 0)
	if at := w.partition(0); at.Attempts != 0 || at.CarefulUntil != 10 {
		t.Errorf("attempts %d, careful until %d; want 0, 10", at.Attempts, at.CarefulUntil)
	}
	w.verify()
}

// readAndDie is a worker that dies while it reads.
func (w *world) readAndDie(r pgstore.ClaimRequest) {
	w.Helper()
	p, err := w.store.Claim(w.Context(), r)
	if err == nil {
		err = w.store.BeginAttempt(w.Context(), p)
	}
	if err != nil {
		w.Fatal(err)
	}
}

func TestAfterAResetTheWorkerThatItFencedDoesNotCountAsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start("a")
	beat := func() { w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"})) }
	beat()
	w.drain()
	if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, By: "operator", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	beat()
	w.drain()
	stop()
	w.wantSums(2, 1, 0)
	if at := w.partition(0); at.CarefulUntil != 0 {
		t.Errorf("records are taken one at a time until offset %d", at.CarefulUntil)
	}
}

func TestAResetOfAQuietPartitionIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start("a")
	w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	w.drain()
	if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, By: "operator", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.drain()
	stop()
	w.wantSums(1, 1, 0)
}

package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// Both partitions carry every event, so two instances fold the same runs at the
// same time, in small transactions that wait for one another.
func TestTwoInstancesTakeTheSameEventsFromTwoPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	records, want := w.mixedLoad(rand.New(rand.NewPCG(11, 12)))
	w.produceTo(0, records...)
	shuffled := append([]kafkarecord.Record(nil), records...)
	for i := 0; i+1 < len(shuffled); i += 2 { // locks are wanted in another order
		shuffled[i], shuffled[i+1] = shuffled[i+1], shuffled[i]
	}
	w.produceTo(1, shuffled...)
	small := func(s *settings) { s.config.Read.BatchRecords = 7 }
	stopA, stopB := w.start("a", small), w.start("b", small)
	w.drain()
	stopA()
	stopB()
	w.wantSums(want.applied, 2*want.duplicates+want.applied, 2*want.quarantined)
	w.verify()
}

// Retention removes the rows of runs and keeps that of their id.
func TestNumbersOfRunsThatWereRemovedDoNotComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := func() kafkarecord.Record { return w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}) }
	finish := func() kafkarecord.Record {
		return w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	}
	w.produce(start(), finish(), start(), finish())
	w.run()
	w.exec("DELETE FROM test_coordination.execution_events")
	w.exec("DELETE FROM test_coordination.executions")
	w.exec("UPDATE test_coordination.execution_ids SET buckets = '{}', pruned_at = now()")

	w.produce(start(), finish(), start())
	w.run()
	for number, want := range map[execution.RunNumber]execution.Status{3: execution.StatusPassed, 4: execution.StatusRunning} {
		run, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: number})
		if err != nil {
			t.Fatalf("run %d: %v", number, err)
		}
		if run.Status != want {
			t.Errorf("run %d is %s, want %s", number, run.Status, want)
		}
	}
	if n := w.count("SELECT count(*) FROM executions"); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
	if n := w.count("SELECT count(*) FROM execution_ids WHERE pruned_at IS NOT NULL"); n != 0 {
		t.Error("an id with runs still counts as pruned")
	}
}

// A run keeps the day on which it was first heard of; its second run gets the
// next one, and the identity check looks into both.
func TestARunThatGoesOnAfterMidnightStaysTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	var clock atomic.Int64
	clock.Store(midnight.Add(-time.Minute).UnixNano())
	w.clock = midnight.Add(-2 * time.Minute)
	stop := w.start("a", func(s *settings) {
		s.parts.Now = func() time.Time { return time.Unix(0, clock.Load()) }
		s.config.PartitionGrain = "day"
	})
	var all []kafkarecord.Record
	for day := range 2 {
		clock.Store(midnight.Add(time.Duration(2*day-1) * time.Minute).UnixNano())
		now := []kafkarecord.Record{
			w.say(&contract.ExecutionHeartbeat{ExecutionId: "across"}),
			w.say(&contract.ExecutionPhaseStarted{ExecutionId: "across", Phase: fmt.Sprint("phase-", day)}),
			w.say(&contract.ExecutionStarted{ExecutionId: "twice"}),
			w.say(&contract.ExecutionFinished{ExecutionId: "twice", Outcome: "passed"}),
		}
		all = append(all, now...)
		w.produce(now...)
		w.drain()
	}
	w.produce(all...)
	w.drain()
	stop()
	w.wantSums(8, 8, 0)
	if n := w.count("SELECT count(DISTINCT bucket) FROM execution_events WHERE execution_id = 'across'"); n != 1 {
		t.Errorf("the run lies in %d buckets, want 1", n)
	}
	if n := w.count("SELECT cardinality(buckets) FROM execution_ids WHERE execution_id = 'twice'"); n != 2 {
		t.Errorf("the id with a run on each day has %d buckets, want 2", n)
	}
	w.verify()
}

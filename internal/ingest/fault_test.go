package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestTwoInstancesShareTheTopicAndOneTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	records, want := w.mixedLoad(rand.New(rand.NewPCG(7, 8)))
	half := len(records) / 2
	stopA := w.start("a")
	stopB := w.start("b")
	for i, r := range records[:half] {
		w.produceTo(int32(i%2), r)
	}
	w.drain()
	stopA()
	for i, r := range records[half:] {
		w.produceTo(int32(i%2), r)
	}
	w.drain()
	stopB()
	// Which of two equal events on different partitions is the duplicate is
	// open; how many there are is not.
	w.wantSums(want.applied, want.duplicates, want.quarantined)
	w.verify()
}

func TestAZombieIsFencedAndTheOwnerClaimsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start("a")
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	w.drain()
	// Another worker is sure to own the partition too.
	claimed, err := w.store.Claim(t.Context(), pgstore.ClaimRequest{Topic: topic, Owner: "other", CarefulRecords: 1, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}))
	w.drain()
	stop()
	err = w.store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		tx.Advance(t.Context(), claimed, claimed.Next, claimed.Next+1)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "fenced") {
		t.Errorf("the other worker's advance: %v, want it fenced", err)
	}
	w.wantSums(2, 0, 0)
	w.verify()
}

// Only a record that was there can have killed a process. Idle ones that die
// count for none, however many they are.
func TestDeathsWithNothingToReadBlameNoRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const dead = 5
	for range dead { // owners that never came back
		w.readAndDie(pgstore.ClaimRequest{Topic: topic, Owner: "dead", CarefulRecords: 10, Now: time.Now()})
	}
	stop := w.start("a")
	testenv.Eventually(t, "the partition is claimed and no death counts", func() bool {
		p := w.partition(0)
		return p.Epoch > dead && p.Attempts == 0
	})
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	w.drain()
	stop()
	w.wantSums(1, 0, 0)
	w.verify()
}

func TestOffsetsInKafkaAreOnlyAGauge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := kadm.NewClient(w.writer)
	for range 5 {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	stop := w.start("a")
	w.drain()
	testenv.Eventually(t, "Kafka's offset follows", func() bool {
		offsets, err := admin.FetchOffsets(t.Context(), "tcda")
		if err != nil {
			t.Fatal(err)
		}
		o, ok := offsets.Lookup(topic, 0)
		return ok && o.At == 5
	})
	stop()
	if _, err := admin.DeleteGroups(t.Context(), "tcda"); err != nil {
		t.Fatal(err)
	}
	w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	w.run()
	w.wantSums(6, 0, 0)
}

func TestRecordsDeletedBeforeTheyWereReadStopThePartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := kadm.NewClient(w.writer)
	beat := func() { w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"})) }
	beat()
	w.run()
	for range 9 {
		beat()
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 6})
	if _, err := admin.DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}

	stop := w.start("a")
	testenv.Eventually(t, "partition stopped", func() bool { return w.partition(0).StoppedReason != "" })
	gaps, err := w.store.Gaps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) != 1 || gaps[0].From != 1 || gaps[0].To != 6 || gaps[0].Cause != pgstore.GapRetention {
		t.Fatalf("gaps %+v, want offsets 1 to 6 lost to retention", gaps)
	}
	w.wantSums(1, 0, 0)
	if err := w.store.AcceptGap(t.Context(), topic, 0, 6, "operator", time.Now()); err != nil {
		t.Fatal(err)
	}
	w.drain()
	stop()
	w.wantSums(5, 0, 0)
}

func TestARecreatedTopicStopsThePartitionUntilItIsReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := kadm.NewClient(w.writer)
	w.produce(raw("not an event"), raw("nor this"))
	w.run()
	w.wantSums(0, 0, 2)
	if _, err := admin.DeleteTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	w.kafka.CreateTopic(t, topic, 2, nil)
	w.writer = w.newWriter() // the former one knows the former topic
	w.produce(raw("not an event either"))

	stop := w.start("a")
	testenv.Eventually(t, "partition stopped", func() bool { return w.partition(0).StoppedReason != "" })
	w.wantSums(0, 0, 2)
	meta, err := w.client.Topic(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, TopicID: pgstore.TopicID(meta.ID), By: "operator", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if moved.Generation != 2 {
		t.Errorf("generation %d after the reset, want 2", moved.Generation)
	}
	testenv.Eventually(t, "the new topic is ingested", func() bool { return w.partition(0).Next == 1 })
	stop()
	w.wantSums(0, 0, 3) // the same offset in another generation is another record
}

// A trigger that is not ours drops rows without an error, and the rest is
// committed: nobody would notice what lacks.
func TestATriggerThatDropsRowsStopsThePartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec("CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
	w.exec("CREATE TRIGGER drops BEFORE INSERT ON test_coordination.execution_logs FOR EACH ROW EXECUTE FUNCTION drops()")
	w.produce(w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "lost"}}}))
	stop := w.start("a")
	testenv.Eventually(t, "partition stopped", func() bool { return w.partition(0).StoppedReason != "" })
	stop()
	at := w.partition(0)
	if !strings.Contains(at.StoppedReason, "insert log lines: the database drops rows: 0 of 1 were written") || !strings.Contains(at.StoppedReason, "offset 0 on") || at.Next != 1 {
		t.Errorf("at %d it says %q", at.Next, at.StoppedReason)
	}
}

func TestAWrongMigrationStopsThePartitionAndQuarantinesNothing(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 1000} {
		t.Run(fmt.Sprintf("batches of %d", batch), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.exec("ALTER TABLE test_coordination.executions DROP CONSTRAINT executions_progress_check")
			w.exec("ALTER TABLE test_coordination.executions ADD CONSTRAINT executions_progress_check CHECK (progress > 7)")
			half := 0.5
			for n := range 30 {
				w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: fmt.Sprint("exec-", n), Progress: &half}))
			}
			stop := w.start("a", func(s *settings) { s.config.Read.BatchRecords = batch })
			testenv.Eventually(t, "partition stopped", func() bool { return w.partition(0).StoppedReason != "" })
			if _, _, quarantined := w.sums(); quarantined >= 5 {
				t.Errorf("%d records quarantined for a wrong migration", quarantined)
			}
			w.exec("ALTER TABLE test_coordination.executions DROP CONSTRAINT executions_progress_check")
			at := w.partition(0)
			if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, Next: at.Next, By: "operator", Now: time.Now()}); err != nil {
				t.Fatal(err)
			}
			w.drain()
			stop()
			applied, _, quarantined := w.sums()
			if applied+quarantined != 30 {
				t.Errorf("applied %d, quarantined %d of 30", applied, quarantined)
			}
		})
	}
}

func TestTerminatedConnectionsLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	records, want := w.mixedLoad(rand.New(rand.NewPCG(9, 10)))
	stop := w.start("a", func(s *settings) { s.config.Read.BatchRecords = 5 })
	for i, r := range records {
		w.produce(r)
		if i%20 == 0 {
			w.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		}
	}
	w.drain()
	stop()
	w.wantSums(want.applied, want.duplicates, want.quarantined)
	w.verify()
}

func TestAStalledPartitionIsGivenBackAndTakenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	stop := w.start("a", func(s *settings) { s.config.StallLimit = 500 * time.Millisecond })
	w.drain()
	epoch := w.partition(0).Epoch

	tx, err := w.db.Pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM test_coordination.execution_ids FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}))
	testenv.Eventually(t, "the partition is claimed anew", func() bool { return w.partition(0).Epoch > epoch })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.drain()
	stop()
	w.wantSums(2, 0, 0)
}

func TestIngestGoesOnWithoutRedisAndRedisIsMadeRightAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start("a")
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}))
	testenv.Eventually(t, "live state", func() bool { return w.liveStatus("exec-1") == execution.StatusRunning })

	if err := w.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	w.produce(w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}), w.say(&contract.ExecutionStarted{ExecutionId: "exec-2"}))
	w.drain()
	w.wantSums(3, 0, 0)
	if err := w.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "live state after the restart", func() bool {
		return w.liveStatus("exec-1") == execution.StatusPassed && w.liveStatus("exec-2") == execution.StatusRunning
	})

	if err := w.redis.Client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "live state after the flush", func() bool {
		return w.liveStatus("exec-1") == execution.StatusPassed && w.liveStatus("exec-2") == execution.StatusRunning
	})
	stop()
	w.verify()
}

func TestADeadRunIsSupersededAndALaterWordRevivesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := func(coordinator string) func(*event.Outgoing) {
		return func(o *event.Outgoing) { o.Source = "/coordinator/" + coordinator }
	}
	w.produce(
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", CoordinatorId: "c1"}, from("a")),
		w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}, from("a")),
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", CoordinatorId: "c2"}, from("b")),
		w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "failed"}, from("b")),
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", CoordinatorId: "c2"}, from("b")), // after the end: a new run
	)
	w.run()
	w.wantSums(5, 0, 0)
	for number, want := range map[execution.RunNumber]execution.Status{1: execution.StatusInterrupted, 2: execution.StatusFailed, 3: execution.StatusRunning} {
		run, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: number})
		if err != nil {
			t.Fatal(err)
		}
		if run.Status != want {
			t.Errorf("run %d is %s, want %s", number, run.Status, want)
		}
	}
	if n := w.count("SELECT count(*) FROM execution_events WHERE type = '" + string(fact.TypeInterrupted) + "' AND source = '/tcda/a' AND kafka_offset IS NULL AND run = 1"); n != 1 {
		t.Errorf("%d events of our own, want 1", n)
	}
	w.verify()
}

func TestAReplayIsRecognisedByHintsAndTheStore(t *testing.T) {
	t.Parallel()
	w := patientWorld(t)
	for range 20 {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	w.run()
	before := w.checksums()
	if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, By: "test", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.wantSums(20, 20, 0)
	if n := w.metric(`tcda_records_duplicate_total{found_by="hint"}`); n != 20 {
		t.Errorf("%v duplicates found by hint, want 20", n)
	}
	for table, sum := range w.checksums() {
		if before[table] != sum {
			t.Errorf("replay has changed table %s", table)
		}
	}
}

// A hint may lie: Redis says that an event is stored, which a failover has lost.
func TestAHintIsNeverProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}), w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	w.run()
	w.exec("TRUNCATE test_coordination.execution_events, test_coordination.executions, test_coordination.execution_details, test_coordination.execution_ids")
	if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, By: "test", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.run()
	if n := w.count("SELECT count(*) FROM execution_events"); n != 2 {
		t.Errorf("%d events stored, want 2", n)
	}
}

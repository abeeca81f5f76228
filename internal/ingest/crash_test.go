package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The variables by which a test tells its child process where to work and when
// to die.
const (
	crashStep    = "TCDA_TEST_CRASH_STEP" // such as S4, or deadlyRecord
	crashAfter   = "TCDA_TEST_CRASH_AFTER"
	crashBrokers = "TCDA_TEST_CRASH_BROKERS"
	crashDB      = "TCDA_TEST_CRASH_DATABASE"
	crashRedis   = "TCDA_TEST_CRASH_REDIS"

	// deadlyRecord stands for decoding a record with these words.
	deadlyRecord = "kill the reader"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashStep) != "" {
		fmt.Fprintln(os.Stderr, "child ended without dying:", runDoomed())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runDoomed runs an engine that kills its own process, without any clean-up,
// the third time it comes to the given moment, or the first time where it may
// not come there thrice.
func runDoomed() error {
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Patience)
	defer cancel()
	store, err := pgstore.Open(ctx, pgstore.Config{URL: os.Getenv(crashDB), MaxConns: 6})
	if err != nil {
		return err
	}
	live, err := redisstore.Open(ctx, redisstore.Config{URL: os.Getenv(crashRedis)}, testLog())
	if err != nil {
		return err
	}
	client, err := kafkalog.Open(kafkalog.Config{Brokers: strings.Split(os.Getenv(crashBrokers), ","), Topics: []string{topic}})
	if err != nil {
		return err
	}
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		return err
	}
	metrics, err := telemetry.NewMetrics(prometheus.NewRegistry(), telemetry.ThisBuild())
	if err != nil {
		return err
	}
	doom := ingest.Moment{Step: telemetry.Step(os.Getenv(crashStep)), After: os.Getenv(crashAfter) == "true"}
	var seen atomic.Int32
	at := int32(3)
	switch doom.Step {
	case telemetry.StepClaim, telemetry.StepState, telemetry.StepMark, telemetry.StepOffset: // once a tenure, and for several batches at once
		at = 1
	default:
	}
	config := engineConfig("doomed")
	config.Read.BatchRecords = 20 // several batches, so that some are done and some are not
	e, err := ingest.New(config, ingest.Parts{
		Kafka: client, Store: store, Redis: live, Decoder: deadly{decoder}, Metrics: metrics, Log: testLog(),
		Probe: func(m ingest.Moment) {
			if m == doom && seen.Add(1) == at {
				killThisProcess()
			}
		},
	})
	if err != nil {
		return err
	}
	var roles sync.WaitGroup
	roles.Go(func() { err = e.Ingest(ctx) })
	roles.Go(func() { e.Reconcile(ctx) })
	roles.Wait()
	return errors.Join(err, errors.New("time is up"))
}

// slowRecords hold a doomed reader up.
var slowRecords = []struct {
	words string
	takes time.Duration
}{{"kill the reader a little later", 150 * time.Millisecond}, {"hold the reader up", 500 * time.Millisecond}}

func killThisProcess() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal may take a moment; nothing more must happen
}

// deadly is a decoder that a certain record kills, with its process.
type deadly struct{ *event.Decoder }

func (d deadly) Decode(r kafkarecord.Record, now time.Time) (event.Decoded, *fact.Rejection) {
	for _, slow := range slowRecords {
		if strings.Contains(string(r.Value), slow.words) {
			<-time.After(slow.takes)
		}
	}
	if strings.Contains(string(r.Value), deadlyRecord) {
		killThisProcess()
	}
	return d.Decoder.Decode(r, now)
}

// die runs a child that dies at the moment, and sees that it did.
func (w *world) die(m ingest.Moment) {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashStep+"="+string(m.Step), fmt.Sprintf("%s=%t", crashAfter, m.After),
		crashBrokers+"="+strings.Join(w.kafka.Brokers, ","), crashDB+"="+w.db.URL, crashRedis+"="+w.redis.URL())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		w.Fatalf("child was to die at %+v: %v\n%s", m, err, out)
	}
}

func TestNothingIsLostOrDoubledWhenTheProcessDies(t *testing.T) {
	t.Parallel()
	steps := []telemetry.Step{
		telemetry.StepClaim, telemetry.StepFetch, telemetry.StepDecode, telemetry.StepHint, telemetry.StepCommit,
		telemetry.StepState, telemetry.StepMark, telemetry.StepOffset, telemetry.StepReconcile,
	}
	for _, step := range steps {
		for _, after := range []bool{false, true} {
			m := ingest.Moment{Step: step, After: after}
			t.Run(fmt.Sprintf("%s after %t", step, after), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				records, want := w.mixedLoad(rand.New(rand.NewPCG(1, 2)))
				w.produce(records...)
				w.die(m)
				w.run()
				w.wantSums(want.applied, want.duplicates, want.quarantined)
				w.verify()
			})
		}
	}
}

// expected is what a load comes to.
type expected struct{ applied, duplicates, quarantined int64 }

// mixedLoad is some runs with all that may happen to their records: out of
// order, twice, malformed.
func (w *world) mixedLoad(r *rand.Rand) ([]kafkarecord.Record, expected) {
	var good []kafkarecord.Record
	for n := range 5 {
		id := fmt.Sprintf("exec-%d", n)
		sequence := 0
		say := func(m contractMessage) {
			sequence++
			good = append(good, w.say(m, withSequence(sequence)))
		}
		say(&contract.ExecutionRequested{ExecutionId: id, ScenarioId: "depeg"})
		say(&contract.ExecutionStarted{ExecutionId: id, CoordinatorId: "c1"})
		for k := range 8 {
			say(&contract.ExecutionStepStarted{ExecutionId: id, StepId: fmt.Sprint("step-", k), Kind: "action"})
			say(&contract.ExecutionStepFinished{ExecutionId: id, StepId: fmt.Sprint("step-", k), Kind: "action", Status: "passed"})
			say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{{Message: "one"}, {Message: "two"}}})
			say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: fmt.Sprint("v-", k), AssertionType: "alert", Status: "passed"})
		}
		say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "f", FaultType: "latency", TargetService: "exchange"})
		say(&contract.ExecutionFaultCleared{ExecutionId: id, FaultId: "f"})
		say(&contract.ExecutionSnapshotCaptured{ExecutionId: id, SnapshotId: "s", Kind: "manual"})
		say(&contract.ExecutionFinished{ExecutionId: id, Outcome: "passed"})
	}
	want := expected{applied: int64(len(good))}
	records := good
	for range 40 {
		records = append(records, good[r.IntN(len(good))])
		want.duplicates++
	}
	for range 10 {
		records = append(records, kafkarecord.Record{Key: []byte("x"), Value: []byte(`{"not": "an event"`)})
		want.quarantined++
	}
	// Neighbours change places: enough to fold out of order without making a
	// first run's events arrive before all others of their id.
	for i := 0; i+1 < len(records); i += 1 + r.IntN(4) {
		records[i], records[i+1] = records[i+1], records[i]
	}
	return records, want
}

// The record is in the middle of others, and processes die of it however fast
// or slowly they commit those before it.
func TestADeadlyRecordIsLeftOutAndItsNeighboursAreApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	beat := func() kafkarecord.Record { return w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}) }
	w.produce(beat(), beat(), beat(), raw(deadlyRecord), beat(), beat())
	for range 5 { // twice of the whole batch, and three times of the record alone
		w.die(ingest.Moment{Step: deadlyRecord})
	}
	w.run()
	w.wantSums(5, 0, 1)
	w.wantReasons(fact.ReasonCrash)
	if left := w.quarantined(); len(left) == 1 && left[0].Offset != 3 {
		t.Errorf("offset %d was left out, want 3", left[0].Offset)
	}
	w.verify()
}

// Offsets that hold no records make a batch longer than it is: one batch ahead
// of S4, each new process would decode the first alive and forget the deaths.
func TestADeadlyRecordIsFoundBehindAGapOfOffsets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	beats := func(n int) {
		var records []kafkarecord.Record
		for range n {
			records = append(records, w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
		}
		w.produce(records...)
	}
	beats(10)
	w.produceAborted(200)
	beats(10)
	w.produce(raw(deadlyRecord), w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	for deaths := 0; w.partition(0).Attempts < 2; deaths++ {
		if deaths == 10 {
			t.Fatalf("processes die for ever: %+v", w.partition(0))
		}
		w.die(ingest.Moment{Step: deadlyRecord})
	}
	w.run()
	w.wantSums(21, 0, 1)
	w.wantReasons(fact.ReasonCrash)
	w.verify()
}

// produceAborted makes n offsets of partition 0 that no reader gets to see.
func (w *world) produceAborted(n int) {
	w.Helper()
	client := w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("aborted"))
	if err := client.BeginTransaction(); err != nil {
		w.Fatal(err)
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: []byte("aborted")}
	}
	if err := client.ProduceSync(w.Context(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
	if err := client.EndTransaction(w.Context(), kgo.TryAbort); err != nil {
		w.Fatal(err)
	}
}

// The other partition has records that nobody died of, and never comes to decode
// them in a process that dies: it must not pay.
func TestADeadlyRecordIsNoConcernOfOtherPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.produceTo(0, w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: slowRecords[1].words}))
	w.produceTo(1, raw(slowRecords[0].words))
	for range 3 {
		w.die(ingest.Moment{Step: deadlyRecord})
	}
	w.run()
	w.wantSums(1, 0, 1)
	w.wantReasons(fact.ReasonCrash)
	w.verify()
}

// The process dies of the second batch while the first is in S4, so that the
// position need not be where it died.
func TestADeadlyRecordIsFoundBehindABatchInHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const before = 25 // more than the batch of a doomed child
	for range before {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	w.produce(raw(deadlyRecord), w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	for deaths := 0; ; deaths++ {
		if at := w.partition(0); at.Next == before && at.Attempts == 2 {
			break // the next claim is the third attempt at the record
		}
		if deaths == 10 {
			t.Fatalf("processes die for ever: %+v", w.partition(0))
		}
		w.die(ingest.Moment{Step: deadlyRecord})
	}
	w.run()
	w.wantSums(before+1, 0, 1)
	w.wantReasons(fact.ReasonCrash)
	w.verify()
}

func TestReplayFromZeroChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	records, want := w.mixedLoad(rand.New(rand.NewPCG(3, 4)))
	w.produce(records...)
	w.run()
	w.wantSums(want.applied, want.duplicates, want.quarantined)
	before := w.checksums()

	if _, err := w.store.Reset(t.Context(), pgstore.ResetRequest{Topic: topic, Partition: 0, By: "test", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.wantSums(want.applied, 2*want.duplicates+want.applied, 2*want.quarantined)
	for table, sum := range w.checksums() {
		if before[table] != sum {
			t.Errorf("replay has changed table %s", table)
		}
	}
	w.verify()
}

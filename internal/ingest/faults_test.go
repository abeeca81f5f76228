package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// fault is a row of the fault tables: what goes wrong in the middle of a load,
// and how it is known that it did. The promises are the same for every row; see
// wantPromises. The tables are the comments at the top of faults_redis_test.go,
// faults_kafka_test.go, faults_clock_test.go, faults_postgres_test.go and
// faults_process_test.go.
//
// A row is a test of its own, or one of the subtests of TestFaultsOfRedis and the
// like. It makes a world, with servers of its own where it needs them, and
// withstands a fault:
//
//	func TestRedisDies(t *testing.T) {
//		t.Parallel()
//		w := newFaultWorld(t)
//		w.withstand(&fault{
//			inject:  func() { must(t, w.redis.Kill()) },
//			noticed: func() bool { return w.metric("tcda_redis_up") == 0 },
//			works:   true,
//			heal:    func() { must(t, w.redis.Restart(t.Context())) },
//		})
//	}
//
// A row may replace what the world has before it withstands (w.db and w.store,
// w.kafka, w.client and w.writer, w.redis and w.live): the world's own are what
// the outcome is looked at with, after the fault is healed. What only the engine
// is to use, such as a connection through a proxy, goes into engine.
type fault struct {
	// early: the fault is there before the engine starts, not in the middle.
	early  bool
	inject func()
	// noticed tells whether the fault has had its effect, by what the service
	// or the server shows of it: a metric, a line of the log (w.said), a count of
	// the server. It is waited for while the fault is there; a row whose fault
	// nobody noticed fails.
	noticed func() bool
	// mute: nobody can produce while the fault is there.
	mute bool
	// works: the service must ingest all that is there before the fault is healed.
	works bool
	// unanswered says why no request may be answered before the fault is healed. By
	// default some must be: neither Kafka nor Redis is needed for that, nor a clock.
	unanswered string
	heal       func() // nil: the fault stays

	// rest keeps the caller at rest while somebody holds it: where what is committed
	// is lost when the fault is healed. Kafka sends its records again; nobody sends a
	// request again that was answered.
	rest sync.Mutex

	// engine changes how the engine runs. By default its batches are small, so
	// that the fault meets several in all stages.
	engine func(*settings)
	// start starts the service and returns what stops it; nil: one engine.
	start func() (stop func())
	// live is what Redis must show in the end.
	live livePromise
}

// livePromise is what must become of the live states.
type livePromise int

const (
	liveWhole livePromise = iota // Redis shows the newest state of every execution
	liveAway                     // Redis is broken to the end: nothing is shown as if it were known
)

// withstand plays a load in three parts, with the fault in the middle, while a
// caller asks for runs, and holds the outcome against all promises.
func (w *world) withstand(f *fault) {
	w.Helper()
	l := w.newFaultLoad()
	w.watchRedis()
	if f.start == nil {
		f.start = func() func() { return w.start("a", w.underFault(f)) }
	}
	var stop func()
	var asking *caller
	if f.early {
		f.inject()
		stop = f.start()
		asking = w.callUnder(f)
	} else {
		stop = f.start()
		asking = w.callUnder(f)
		l.send()
		testenv.Eventually(w, "the service is at work", func() bool { return w.partition(0).Next > 0 })
		f.inject()
	}
	before := asking.answers.Load()
	if !f.mute {
		l.send()
	}
	testenv.Eventually(w, "the fault has its effect", f.noticed)
	if f.works {
		w.drain()
	}
	if f.unanswered == "" {
		asking.wantAnswers(before)
	}
	if f.heal != nil {
		f.heal()
	}
	l.sendAll()
	w.drain()
	w.wantOffsets(l)
	asking.stop()
	w.wantPromises(l, asking, f)
	stop()
}

// underFault is how engines run under this fault.
func (w *world) underFault(f *fault) func(*settings) {
	return func(s *settings) {
		s.config.Read.BatchRecords = 10
		s.parts.Redis = w.live
		s.parts.Log = w.said.logger()
		if f.engine != nil {
			f.engine(s)
		}
	}
}

// newFaultWorld is newWorld with a Redis store that notices faults soon. A test
// that fails shows what the service has logged.
func newFaultWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.useLive(w.redis.URL())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logged:\n%s", w.said.tail())
		}
	})
	return w
}

// useLive opens a Redis store that tries again soon and logs into w.said.
func (w *world) useLive(url string) {
	w.Helper()
	live, err := redisstore.Open(w.Context(), redisstore.Config{
		URL: url, RetryAfter: 50 * time.Millisecond, CheckEvery: 100 * time.Millisecond,
	}, w.said.logger())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = live.Close() })
	w.live, w.liveURL = live, url
}

// watchRedis does what the service does beside the engine.
func (w *world) watchRedis() {
	ctx, cancel := context.WithCancel(w.Context())
	var watching sync.WaitGroup
	watching.Go(func() { w.live.Watch(ctx) })
	w.Cleanup(func() {
		cancel()
		watching.Wait()
	})
}

// faultLoad is what is sent while something breaks: several executions at once
// on both partitions, out of order, with duplicates and malformed records. Some
// begin or end before the fault, some during it, some after it, and some do not
// end. It keeps a ledger of what the broker has acknowledged.
type faultLoad struct {
	*world
	random    *rand.Rand
	part      int // that comes next
	sequences map[execution.ID]int
	good      []kafkarecord.Record

	events     map[string]int // acknowledged, by the event's id
	malformed  map[string]int // acknowledged, by its bytes
	partitions [2]int64       // records acknowledged
	statuses   map[execution.ID]execution.Status
}

const (
	faultExecutions = 10 // the last two begin during the fault
	faultParts      = 3
)

func (w *world) newFaultLoad() *faultLoad {
	return &faultLoad{
		world: w, random: rand.New(rand.NewPCG(1, 2)), sequences: map[execution.ID]int{},
		events: map[string]int{}, malformed: map[string]int{}, statuses: map[execution.ID]execution.Status{},
	}
}

// send produces the next part, on both partitions.
func (l *faultLoad) send() {
	l.Helper()
	for i, r := range l.nextPart() {
		partition := i % 2
		l.produceTo(int32(partition), r)
		l.partitions[partition]++
		switch id := slices.IndexFunc(r.Headers, func(h kafkarecord.Header) bool { return h.Key == "ce_id" }); id {
		case -1:
			l.malformed[string(r.Value)]++
		default:
			l.events[string(r.Headers[id].Value)]++
		}
	}
}

func (l *faultLoad) nextPart() []kafkarecord.Record {
	l.Helper()
	var records []kafkarecord.Record
	for n := range faultExecutions {
		id := executionNumber(n)
		if n/8 > l.part || l.statuses[id].Terminal() {
			continue
		}
		say := func(m contractMessage) {
			l.sequences[id]++
			records = append(records, l.say(m, withSequence(l.sequences[id])))
		}
		if l.statuses[id] == "" {
			say(&contract.ExecutionStarted{ExecutionId: string(id), CoordinatorId: "c1"})
			l.statuses[id] = execution.StatusRunning
		}
		for k := range 4 {
			step := fmt.Sprintf("step-%d-%d", l.part, k)
			say(&contract.ExecutionStepFinished{ExecutionId: string(id), StepId: step, Kind: "action", Status: "passed"})
			say(&contract.ExecutionLogAppended{ExecutionId: string(id), Lines: []*contract.LogLine{{Message: step}}})
			say(&contract.ExecutionHeartbeat{ExecutionId: string(id), Message: step})
		}
		if n%4 == l.part {
			say(&contract.ExecutionFinished{ExecutionId: string(id), Outcome: "passed"})
			l.statuses[id] = execution.StatusPassed
		}
	}
	l.good = append(l.good, records...)
	for range 12 {
		records = append(records, l.good[l.random.IntN(len(l.good))])
	}
	for k := range 3 {
		records = append(records, kafkarecord.Record{Key: []byte("x"), Value: fmt.Appendf(nil, `{"not": "an event", "number": %d%d`, l.part, k)})
	}
	l.random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	l.part++
	return records
}

func executionNumber(n int) execution.ID { return execution.ID(fmt.Sprint("exec-", n)) }

func (l *faultLoad) sendAll() {
	l.Helper()
	for l.part < faultParts {
		l.send()
	}
}

// wantPromises holds everything that is stored and shown against what was sent.
func (w *world) wantPromises(l *faultLoad, c *caller, f *fault) {
	w.Helper()
	for _, number := range []int32{0, 1} {
		if reason := w.partition(number).StoppedReason; reason != "" {
			w.Errorf("partition %d is stopped: %s", number, reason)
		}
	}
	w.wantEachEventOnce(l, c)
	w.wantAnswersKept(c)
	w.wantOnlyMalformedQuarantined(l)

	if f.live == liveWhole {
		w.wantEveryState(l)
	}
	if _, err := rollup.New(rollup.Config{}, rollup.Parts{Store: w.store}).Drain(w.Context(), nil); err != nil {
		w.Fatal(err)
	}
	report, err := verify.Run(w.Context(), w.store, w.patientLive(), verify.Options{LiveGrace: testenv.Patience})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range report.Differences {
		w.Errorf("verification: %s", d)
	}
	if away := len(report.NotVerifiable) > 0; away != (f.live == liveAway) {
		w.Errorf("not verifiable: %q, and Redis was to be away: %t", report.NotVerifiable, f.live == liveAway)
	}
	if f.live == liveAway && report.LiveStates > 0 {
		w.Errorf("%d live states are compared with a Redis that is away", report.LiveStates)
	}
}

// wantEachEventOnce compares the sums, and the identities of what is stored,
// with the ledger.
func (w *world) wantEachEventOnce(l *faultLoad, c *caller) {
	w.Helper()
	var sent, malformed int
	for _, times := range l.events {
		sent += times
	}
	for _, times := range l.malformed {
		malformed += times
	}
	w.wantSums(int64(len(l.events)), int64(sent-len(l.events)), int64(malformed))
	rows, err := w.db.Pool(w).Query(w.Context(), `SELECT event_id FROM test_coordination.execution_events`)
	if err != nil {
		w.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	slices.Sort(stored)
	want := slices.AppendSeq(slices.Collect(maps.Keys(l.events)), maps.Keys(c.answered))
	slices.Sort(want)
	if diff := cmp.Diff(want, stored); diff != "" {
		w.Errorf("stored events, by id (-sent +stored):\n%s", diff)
	}
}

func (w *world) wantOnlyMalformedQuarantined(l *faultLoad) {
	w.Helper()
	got := map[string]int{}
	for _, q := range w.quarantined() {
		got[string(q.Record.Value)]++
		if q.Reason != fact.ReasonJSON {
			w.Errorf("quarantined at %d/%d for %s (%s: %s)", q.Partition, q.Offset, q.Reason, q.Field, q.Detail)
		}
	}
	if diff := cmp.Diff(l.malformed, got); diff != "" {
		w.Errorf("quarantined records (-sent +stored):\n%s", diff)
	}
}

// wantEveryState waits until Redis shows each execution as it ended, also those
// that ended while Redis was away.
func (w *world) wantEveryState(l *faultLoad) {
	w.Helper()
	for id, want := range l.statuses {
		testenv.Eventually(w, fmt.Sprintf("%s is shown as %s", id, want), func() bool { return w.liveStatus(id) == want })
	}
}

// wantOffsets compares the stored positions with the ledger, and waits until
// Kafka's offsets are the same.
func (w *world) wantOffsets(l *faultLoad) {
	w.Helper()
	admin := kadm.NewClient(w.writer)
	for number, sent := range l.partitions {
		if next := w.partition(int32(number)).Next; next != sent {
			w.Errorf("partition %d stands at %d of %d", number, next, sent)
		}
		testenv.Eventually(w, fmt.Sprintf("Kafka's offset of partition %d follows", number), func() bool {
			offsets, err := admin.FetchOffsets(w.Context(), "tcda")
			if err != nil {
				return false
			}
			o, ok := offsets.Lookup(topic, int32(number))
			return ok && o.At == sent
		})
	}
}

// logbook keeps what engines and stores log.
type logbook struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

// logger writes to the book, and to the terminal where tests are asked to.
func (b *logbook) logger() zerolog.Logger {
	out := io.Writer(b)
	if os.Getenv("TCDA_TEST_LOG") != "" {
		out = io.MultiWriter(b, os.Stderr)
	}
	return zerolog.New(out).With().Timestamp().Logger()
}

// says tells whether a line has all of the words.
func (b *logbook) says(words ...string) bool { return b.count(words...) > 0 }

// count is how many lines have all of the words.
func (b *logbook) count(words ...string) (lines int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.all.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			lines++
		}
	}
	return lines
}

// tail is the end of the book, for a test that fails.
func (b *logbook) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	const enough = 8000
	text := b.all.String()
	return text[max(0, len(text)-enough):]
}

package ingest_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

const topic = "test-coordination.executions"

// world is all that an engine works with: real servers, one topic.
type world struct {
	testing.TB
	kafka  *testenv.KafkaCluster
	db     *testenv.DB
	redis  *testenv.RedisServer
	store  *pgstore.Store
	live   *redisstore.Store
	client *kafkalog.Client
	writer *kgo.Client
	clock  time.Time // of producers; a second later with each event

	liveURL string // where live is
	counted int
	metrics *prometheus.Registry // of the engine made last
	said    logbook              // of the engine and the stores, in the tests of faults
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, kafka: testenv.Kafka(t), db: testenv.Postgres(t), redis: testenv.Redis(t), clock: time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)}
	w.kafka.CreateTopic(t, topic, 2, map[string]string{"max.message.bytes": "16000000"}) // larger records must be able to reach us
	w.store = openStore(t, w.db.URL)
	w.liveURL = w.redis.URL()
	w.live = openRedis(t, w.liveURL)
	w.client = openKafka(t, w.kafka.Brokers)
	w.writer = w.newWriter()
	return w
}

func (w *world) newWriter() *kgo.Client {
	w.Helper()
	return w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20))
}

func openStore(t testing.TB, url string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Config{URL: url, MaxConns: 6, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second, IdleTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func openRedis(t testing.TB, url string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), redisstore.Config{URL: url}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// patientLive opens a store where w.live is, to which no server is too slow: what
// the test itself writes and reads is not lost to a busy machine.
func (w *world) patientLive() *redisstore.Store {
	w.Helper()
	s, err := redisstore.Open(w.Context(), redisstore.Config{
		URL: w.liveURL, Budget: testenv.Patience, HintBudget: testenv.Patience, DialTimeout: testenv.Patience, RetryAfter: 50 * time.Millisecond,
	}, zerolog.Nop())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = s.Close() })
	return s
}

func openKafka(t testing.TB, brokers []string) *kafkalog.Client {
	t.Helper()
	c, err := kafkalog.Open(kafkalog.Config{Brokers: brokers, ClientID: "tcda-test", Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func testLog() zerolog.Logger {
	if os.Getenv("TCDA_TEST_LOG") == "" {
		return zerolog.Nop()
	}
	return zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, NoColor: true}).Level(zerolog.DebugLevel).With().Timestamp().Logger()
}

// say makes the next event of a producer as a record in binary JSON.
func (w *world) say(m proto.Message, change ...func(*event.Outgoing)) kafkarecord.Record {
	w.Helper()
	w.counted++
	w.clock = w.clock.Add(time.Second)
	o := event.Outgoing{Source: "/coordinator/a", ID: fmt.Sprintf("event-%d", w.counted), Time: w.clock, Message: m}
	for _, c := range change {
		c(&o)
	}
	r, err := event.Encode(o, event.Binary, event.JSON)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

type contractMessage = proto.Message

func withSequence(n int) func(*event.Outgoing) {
	return func(o *event.Outgoing) { o.Sequence = fact.Sequence(n) }
}

// produce writes records to partition 0.
func (w *world) produce(records ...kafkarecord.Record) {
	w.Helper()
	w.produceTo(0, records...)
}

func (w *world) produceTo(partition int32, records ...kafkarecord.Record) {
	w.Helper()
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: topic, Partition: partition, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	if err := w.writer.ProduceSync(w.Context(), out...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// settings changes how an engine of a test runs.
type settings struct {
	config ingest.Config
	parts  ingest.Parts
	limits event.Limits
}

// engineConfig is a configuration that does soon what would else be done later.
func engineConfig(instance string) ingest.Config {
	return ingest.Config{
		Instance: instance,
		Group: kafkalog.GroupConfig{
			ID: "tcda", Topics: []string{topic}, SessionTimeout: 3 * time.Second, HeartbeatInterval: 100 * time.Millisecond,
			RebalanceTimeout: 3 * time.Second, JoinBackoff: 50 * time.Millisecond, RejoinPause: 50 * time.Millisecond,
		},
		Read:           kafkalog.ReadConfig{MaxWait: 50 * time.Millisecond},
		OffsetInterval: 50 * time.Millisecond, AdvanceInterval: 50 * time.Millisecond, ReconcileEvery: 100 * time.Millisecond,
		StopPoll: 20 * time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 200 * time.Millisecond,
	}
}

// newEngine makes an engine of the given instance name over the world's servers.
func (w *world) newEngine(instance string, change ...func(*settings)) *ingest.Engine {
	w.Helper()
	s := settings{
		config: engineConfig(instance),
		parts:  ingest.Parts{Kafka: w.client, Store: w.store, Redis: w.live, Log: testLog()},
		limits: event.DefaultLimits(),
	}
	for _, c := range change {
		c(&s)
	}
	decoder, err := event.NewDecoder(s.limits)
	if err != nil {
		w.Fatal(err)
	}
	if s.parts.Decoder == nil {
		s.parts.Decoder = decoder
	}
	w.metrics = prometheus.NewRegistry()
	if s.parts.Metrics, err = telemetry.NewMetrics(w.metrics, telemetry.ThisBuild()); err != nil {
		w.Fatal(err)
	}
	e, err := ingest.New(s.config, s.parts)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// start runs all roles of an engine until the returned function is called or
// the test ends.
func (w *world) start(instance string, change ...func(*settings)) (stop func()) {
	w.Helper()
	e := w.newEngine(instance, change...)
	ctx, cancel := context.WithCancel(w.Context())
	_ = e.Meet(ctx) // claims and passes tell what is wrong
	reconciling, stopReconciling := context.WithCancel(w.Context())
	var roles sync.WaitGroup
	roles.Go(func() {
		defer stopReconciling()
		if err := e.Ingest(ctx); err != nil {
			w.Errorf("ingest: %v", err)
		}
	})
	roles.Go(func() { e.Reconcile(reconciling) })
	roles.Go(func() { e.MaintainPartitions(ctx) })
	stop = func() {
		cancel()
		roles.Wait()
	}
	w.Cleanup(stop)
	return stop
}

// run ingests everything that is in the topic and stops.
func (w *world) run(change ...func(*settings)) {
	w.Helper()
	stop := w.start("a", change...)
	w.drain()
	stop()
}

// drain waits until every record of the topic is ingested.
func (w *world) drain() {
	w.Helper()
	testenv.Eventually(w, "all records ingested", func() bool {
		for partition := range int32(2) {
			// Servers may just be coming back.
			log, err := w.client.Offsets(w.Context(), topic, partition)
			if err != nil {
				return false
			}
			at, err := w.store.Position(w.Context(), topic, partition)
			if err != nil || at.Next < log.LastStable {
				return false
			}
		}
		return true
	})
}

// sums are the partitions' sums.
func (w *world) sums() (applied, duplicates, quarantined int64) {
	w.Helper()
	all, err := w.store.Partitions(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range all {
		applied, duplicates, quarantined = applied+p.Applied, duplicates+p.Duplicates, quarantined+p.Quarantined
	}
	return applied, duplicates, quarantined
}

func (w *world) wantSums(applied, duplicates, quarantined int64) {
	w.Helper()
	if a, d, q := w.sums(); a != applied || d != duplicates || q != quarantined {
		w.Errorf("applied %d, duplicates %d, quarantined %d; want %d, %d, %d", a, d, q, applied, duplicates, quarantined)
	}
}

// quarantined are all quarantined records, oldest first.
func (w *world) quarantined() []pgstore.QuarantinedRecord {
	w.Helper()
	page, err := w.store.QuarantinedRecords(w.Context(), pgstore.QuarantineFilter{Page: 1000})
	if err != nil {
		w.Fatal(err)
	}
	out := make([]pgstore.QuarantinedRecord, 0, len(page))
	for i := len(page) - 1; i >= 0; i-- {
		r, err := w.store.QuarantinedRecord(w.Context(), page[i].ID)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// wantReasons compares the reasons of all quarantined records, in order.
func (w *world) wantReasons(want ...fact.Reason) {
	w.Helper()
	got := w.quarantined()
	if len(got) != len(want) {
		w.Errorf("%d quarantined records, want %d", len(got), len(want))
		for _, r := range got {
			w.Logf("offset %d: %s: %s: %s", r.Offset, r.Reason, r.Field, r.Detail)
		}
		return
	}
	for i := range want {
		if got[i].Reason != want[i] {
			w.Errorf("quarantined record %d: reason %s (%s: %s), want %s", i, got[i].Reason, got[i].Field, got[i].Detail, want[i])
		}
	}
}

// verify refolds everything and compares it with the rows and with Redis,
// which reconciliation makes right if a state was lost on a busy machine.
func (w *world) verify() {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	var reconciling sync.WaitGroup
	e := w.newEngine("verify")
	reconciling.Go(func() { e.Reconcile(ctx) })
	defer reconciling.Wait()
	defer cancel()
	report, err := verify.Run(w.Context(), w.store, w.patientLive(), verify.Options{LiveGrace: testenv.Patience})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range report.Differences {
		w.Errorf("verification: %s", d)
	}
}

// checksums are of all tables but those that say how often records came.
func (w *world) checksums() map[string]string {
	w.Helper()
	pool := w.db.Pool(w)
	rows, err := pool.Query(w.Context(), `SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'test_coordination'::regnamespace
		AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('ingest_partitions', 'audit_log', 'atlas_schema_revisions')`)
	if err != nil {
		w.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	sums := map[string]string{}
	for _, table := range tables {
		var sum string
		query := fmt.Sprintf(`SELECT md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '')) FROM test_coordination.%s AS t`, table)
		if err := pool.QueryRow(w.Context(), query).Scan(&sum); err != nil {
			w.Fatal(err)
		}
		sums[table] = sum
	}
	return sums
}

// partition is where a partition stands.
func (w *world) partition(number int32) pgstore.Partition {
	w.Helper()
	all, err := w.store.Partitions(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range all {
		if p.Number == number {
			return p
		}
	}
	return pgstore.Partition{}
}

// liveStatus is what Redis shows of an execution; empty when it shows nothing.
func (w *world) liveStatus(id execution.ID) execution.Status {
	live, _, _, err := w.live.State(w.Context(), id)
	if err != nil {
		return ""
	}
	return live.Status
}

// metric is a counter of the engine made last, by its name and label as they
// are scraped.
func (w *world) metric(name string) float64 {
	w.Helper()
	return w.metricOf(w.metrics, name)
}

// metricOf is metric, of any engine.
func (w *world) metricOf(registry *prometheus.Registry, name string) float64 {
	w.Helper()
	families, err := registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			w.Fatal(err)
		}
	}
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				w.Fatal(err)
			}
			return n
		}
	}
	w.Fatalf("no metric %s", name)
	return 0
}

package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/outbox"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// world is all that a publisher works with: real servers, topics of its own.
type world struct {
	testing.TB
	db     *testenv.DB
	sql    *pgxpool.Pool // of the test itself
	kafka  *testenv.KafkaCluster
	store  *pgstore.Store
	topics map[pgstore.OutboxTopic]kafkalog.TopicSpec
	looks  atomic.Int64 // for settled runs, since startSettling
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, testenv.Broker(t))
}

func newWorldOn(t testing.TB, kafka *testenv.KafkaCluster) *world {
	t.Helper()
	return newWorldIn(t, testenv.Postgres(t), kafka)
}

func newWorldIn(t testing.TB, db *testenv.DB, kafka *testenv.KafkaCluster) *world {
	t.Helper()
	w := &world{TB: t, db: db, kafka: kafka, topics: map[pgstore.OutboxTopic]kafkalog.TopicSpec{}}
	for _, role := range pgstore.OutboxTopics() {
		w.topics[role] = kafkalog.TopicSpec{Name: testenv.UniqueName(string(role)), Partitions: 3}
	}
	w.store, w.sql = w.openStore(), w.db.Pool(t)
	return w
}

func (w *world) openStore(change ...func(*pgstore.Config)) *pgstore.Store {
	w.Helper()
	c := pgstore.Config{URL: w.db.URL, MaxConns: 8, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second, IdleTimeout: 20 * time.Second}
	for _, edit := range change {
		edit(&c)
	}
	s, err := pgstore.Open(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(s.Close)
	return s
}

func (w *world) makeTopics() {
	w.Helper()
	for _, spec := range w.topics {
		w.kafka.CreateTopic(w, spec.Name, spec.Partitions, spec.Settings)
	}
}

func (w *world) client(brokers ...string) *kafkalog.Client {
	w.Helper()
	if len(brokers) == 0 {
		brokers = w.kafka.Brokers
	}
	var names []string
	for _, spec := range w.topics {
		names = append(names, spec.Name)
	}
	c, err := kafkalog.Open(kafkalog.Config{Brokers: brokers, ClientID: "tcda-test", Topics: names, MetadataAge: 500 * time.Millisecond, RequestTimeout: 3 * time.Second})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

// settings changes how a publisher of a test runs.
type settings struct {
	config outbox.Config
	parts  outbox.Parts
}

// publisher makes one, quick to look and to try again.
func (w *world) publisher(instance string, change ...func(*settings)) *outbox.Publisher {
	w.Helper()
	metrics, err := telemetry.NewMetrics(prometheus.NewRegistry(), telemetry.Build{})
	if err != nil {
		w.Fatal(err)
	}
	s := &settings{
		config: outbox.Config{
			Instance: instance, Topics: w.topics, CreateTopics: true,
			Poll: 5 * time.Millisecond, ProduceTimeout: 5 * time.Second, SettledAfter: time.Hour, SettleEvery: 20 * time.Millisecond,
			HousekeepEvery: 50 * time.Millisecond, RetryMin: 5 * time.Millisecond, RetryMax: 100 * time.Millisecond,
		},
		parts: outbox.Parts{Store: w.store, Metrics: metrics, Log: zerolog.New(zerolog.NewTestWriter(w)).Level(zerolog.WarnLevel)},
	}
	for _, c := range change {
		c(s)
	}
	if s.parts.Kafka == nil {
		s.parts.Kafka = w.client()
	}
	p, err := outbox.New(s.config, s.parts)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// start runs a publisher until it is stopped, or the test ends.
func (w *world) start(p *outbox.Publisher) (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.Cleanup(stop)
	return stop
}

// command is a request to cancel a run: the number is in the event's id.
func (w *world) command(id string, number int) pgstore.OutboxRow {
	w.Helper()
	e, err := event.NewOutbound(event.Outgoing{
		Source: "/tcda/test", ID: fmt.Sprintf("%s-%d", id, number), Time: time.Now(),
		Message: &contract.ExecutionCancelRequested{ExecutionId: id, Run: 1, Reason: "a test"},
	})
	if err != nil {
		w.Fatal(err)
	}
	return pgstore.OutboxRow{Topic: pgstore.OutboxCommands, EventID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Record: e.Record}
}

func (w *world) enqueue(rows ...pgstore.OutboxRow) {
	w.Helper()
	err := w.store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error { return tx.Enqueue(w.Context(), rows) })
	if err != nil {
		w.Fatal(err)
	}
}

// reader reads a topic from its beginning.
type reader struct {
	*world
	client *kgo.Client
	read   []*kgo.Record
}

func (w *world) reader(role pgstore.OutboxTopic) *reader {
	w.Helper()
	// It may not exist yet: it is looked for often.
	return &reader{world: w, client: w.kafka.Client(w, kgo.ConsumeTopics(w.topics[role].Name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(200*time.Millisecond))}
}

// await reads until enough says so.
func (r *reader) await(what string, enough func([]*kgo.Record) bool) []*kgo.Record {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), testenv.Patience)
	defer cancel()
	for !enough(r.read) {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			r.Fatalf("gave up waiting for %s; %d records came", what, len(r.read))
		}
		r.read = append(r.read, fetches.Records()...)
	}
	return r.read
}

func atLeast(n int) func([]*kgo.Record) bool {
	return func(records []*kgo.Record) bool { return len(records) >= n }
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// ids are the ids of events, by key, in the order of their offsets, each where it
// came first.
func ids(records []*kgo.Record) map[string][]string {
	seen, byKey := map[string]bool{}, map[string][]string{}
	for _, r := range records {
		id := header(r, "ce_id")
		if !seen[id] {
			seen[id] = true
			byKey[string(r.Key)] = append(byKey[string(r.Key)], id)
		}
	}
	return byKey
}

// distinct is how many events there are, repeats left out.
func distinct(records []*kgo.Record) int {
	n := 0
	for _, of := range ids(records) {
		n += len(of)
	}
	return n
}

// statuses counts rows by status.
func (w *world) statuses() map[string]int {
	w.Helper()
	rows, err := w.sql.Query(w.Context(), "SELECT status, count(*) FROM test_coordination.outbox GROUP BY status")
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var status string
		var n int
		if err := rows.Scan(&status, &n); err != nil {
			w.Fatal(err)
		}
		counts[status] = n
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return counts
}

func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	testenv.Eventually(w, what, holds)
}

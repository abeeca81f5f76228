package rollup_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// world is a service that ingests and rolls up, on servers of a test.
type world struct {
	testing.TB
	db     *testenv.DB
	pool   *pgxpool.Pool
	store  *pgstore.Store
	writer *kgo.Client
	topic  string
	sent   int64
}

const partitions int32 = 2

// newWorld starts the service; it ends with the test.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, db: testenv.Postgres(t)}
	w.pool = w.db.Pool(t)
	kafka := testenv.Kafka(t)
	env := map[string]string{
		"INSTANCE": "test-1", "POSTGRES_URL": w.db.URL, "REDIS_ENABLED": "false", "KAFKA_BROKERS": kafka.Brokers[0], "KAFKA_FETCH_MAX_WAIT": "20ms",
		"HTTP_LISTEN": "127.0.0.1:0", "ANALYTICS_INTERVAL": "10ms", "INGEST_BATCH_RECORDS": "40", "SERVICE_ROLES": "ingest,maintain", "ROLES": "ingest,maintain",
	}
	cfg, err := config.Load(func(name string) (string, bool) {
		value, ok := env[strings.TrimPrefix(name, config.EnvPrefix)]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	w.topic = cfg.Kafka.TopicExecutions
	kafka.CreateTopic(t, cfg.Kafka.TopicScenarios, 1, nil)
	kafka.CreateTopic(t, w.topic, partitions, nil)
	if w.store, err = pgstore.Open(t.Context(), service.Postgres(cfg)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	w.writer = kafka.Client(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Run(ctx, cfg, service.Options{Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) send(records []*kgo.Record) {
	w.Helper()
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: w.topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
	}
	if err := w.writer.ProduceSync(w.Context(), out...).FirstErr(); err != nil {
		w.Fatal(err)
	}
	w.sent += int64(len(out))
}

// drained waits until all that was sent is ingested and rolled up.
func (w *world) drained() {
	w.Helper()
	testenv.Eventually(w, "everything is ingested", func() bool {
		var sum int64
		for p := range partitions {
			at, err := w.store.Position(w.Context(), w.topic, p)
			if err != nil {
				return false
			}
			sum += at.Next
		}
		return sum == w.sent
	})
	testenv.Eventually(w, "everything is rolled up", func() bool {
		waiting, _, err := w.store.DirtyState(w.Context())
		return err == nil && waiting == 0
	})
}

// Whatever coordinators say, in whatever order and how often, while the roller
// works: once all is drained, every figure of every view is what an independent
// calculation over the raw rows says.
func TestFiguresAgreeWithAnIndependentCalculation(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			w := newWorld(t)
			h := &history{TB: t, Rand: rand.New(rand.NewPCG(seed, 0)), noon: time.Now().UTC().Truncate(time.Second).Add(-3 * time.Hour)} //nolint:gosec // a history, no secret
			for n := range 400 {
				h.run(n)
			}
			h.scramble()
			for part := range 8 { // the roller has some when others come
				w.send(h.records[part*len(h.records)/8 : (part+1)*len(h.records)/8])
			}
			w.drained()
			compareViews(t, w.pool, expected(rawRuns(t, w.pool), time.Now().UTC()))
			w.verifies()
		})
	}
}

// verifies holds that tcda verify finds nothing.
func (w *world) verifies() {
	w.Helper()
	report, err := verify.Run(w.Context(), w.store, nil, verify.Options{})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range report.Differences {
		w.Error(d)
	}
}

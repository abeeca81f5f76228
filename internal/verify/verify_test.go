package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// filled is a database and a Redis that a service has filled with every type
// of event: the golden ones, which make one run, a run that a second one of
// its id superseded, a run that goes on, and a record that is no event.
type filled struct {
	db    *testenv.DB
	redis *testenv.RedisServer
	store *pgstore.Store
	live  *redisstore.Store
}

const filledEvents = 16 + 2 + 2 + 1 // of runs: golden, two starts, a log and a heartbeat, and our own interruption

func fill(t testing.TB) *filled {
	t.Helper()
	f := &filled{db: testenv.Postgres(t), redis: testenv.Redis(t)}
	kafka := testenv.Kafka(t)
	env := map[string]string{
		"INSTANCE": "test-1", "POSTGRES_URL": f.db.URL, "REDIS_URL": f.redis.URL(), "KAFKA_BROKERS": kafka.Brokers[0],
		"KAFKA_FETCH_MAX_WAIT": "20ms", "RECONCILE_INTERVAL": "1s", "HTTP_LISTEN": "127.0.0.1:0",
		"REDIS_TIMEOUT": "1m", "REDIS_CONNECT_TIMEOUT": "1m", // nobody makes up for what it does not take before the service stops
	}
	cfg, err := config.Load(func(name string) (string, bool) {
		value, ok := env[strings.TrimPrefix(name, config.EnvPrefix)]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	kafka.CreateTopic(t, cfg.Kafka.TopicScenarios, 1, nil)
	kafka.CreateTopic(t, cfg.Kafka.TopicExecutions, 1, nil)
	if f.store, err = pgstore.Open(t.Context(), service.Postgres(cfg)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.store.Close)
	if f.live, err = redisstore.Open(t.Context(), service.Redis(cfg), zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.live.Close() })

	produced := map[string]int64{}
	writer := kafka.Client(t)
	produce := func(topic string, r *kgo.Record) {
		r.Topic = topic
		produced[topic]++
		if err := writer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, typ := range fact.Types() {
		if typ == fact.TypeTemplatePublished { // a whole one comes below
			continue
		}
		topic := cfg.Kafka.TopicScenarios
		if typ.OfExecution() {
			topic = cfg.Kafka.TopicExecutions
		}
		produce(topic, golden(t, typ))
	}
	begun := time.Now().Add(-time.Hour)
	produce(cfg.Kafka.TopicScenarios, encoded(t, "/coordinator/a", "template", begun, &contract.TemplatePublished{TemplateId: "exchange-disruption", Definition: examples.ExchangeDisruption}))
	produce(cfg.Kafka.TopicScenarios, encoded(t, "/coordinator/a", "scenario", begun, &contract.ScenarioPublished{ScenarioId: "depeg", Definition: examples.StablecoinDepeg}))
	for i, source := range []string{"/coordinator/a", "/coordinator/b"} {
		produce(cfg.Kafka.TopicExecutions, encoded(t, source, fmt.Sprint("start-", i), begun.Add(time.Duration(i)*time.Minute), &contract.ExecutionStarted{ExecutionId: "exec-reused"}))
	}
	produce(cfg.Kafka.TopicExecutions, encoded(t, "/coordinator/a", "log", begun, &contract.ExecutionLogAppended{
		ExecutionId: "exec-live", Lines: []*contract.LogLine{{Message: "one"}, {Message: "two"}},
	}))
	produce(cfg.Kafka.TopicExecutions, encoded(t, "/coordinator/a", "beat", begun, &contract.ExecutionHeartbeat{ExecutionId: "exec-live", Message: "half way"}))
	produce(cfg.Kafka.TopicExecutions, &kgo.Record{Value: []byte("no event")})

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Run(ctx, cfg, service.Options{Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	testenv.Eventually(t, "everything is ingested", func() bool {
		for topic, n := range produced {
			if at, err := f.store.Position(t.Context(), topic, 0); err != nil || at.Next != n {
				return false
			}
		}
		return true
	})
	f.command(t)
	f.freeze(t)
	if _, err := rollup.New(rollup.Config{}, rollup.Parts{Store: f.store}).Drain(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// freeze freezes the reports of the two runs that have ended.
func (f *filled) freeze(t testing.TB) {
	t.Helper()
	reports := &reporting.Reports{Store: f.store, Source: "/tcda/test-1"}
	rows, err := f.db.Pool(t).Query(t.Context(), "SELECT execution_id, run FROM test_coordination.executions WHERE status NOT IN ('pending', 'running', 'paused')")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pgstore.RunKey])
	if err != nil || len(keys) != 2 {
		t.Fatalf("ended runs %v, %v", keys, err)
	}
	for _, k := range keys {
		built, err := reports.Build(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		err = f.store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
			_, err := reports.Freeze(t.Context(), tx, built, reporting.Settled)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// command says of a run all that the service itself can say.
func (f *filled) command(t testing.TB) {
	t.Helper()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	c := command.New(command.Parts{Store: f.store, Redis: f.live, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/test-1"})
	err = c.Do(t.Context(), func(ctx context.Context, tx *command.Tx) error {
		if _, err := tx.CancelExecution(ctx, "exec-live", 0, "enough", nil); err != nil {
			return err
		}
		if _, err := tx.PinExecution(ctx, "exec-live", 1, true, "evidence"); err != nil {
			return err
		}
		_, err := tx.AnnotateExecution(ctx, "exec-live", 0, "look here")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// golden is the golden event of a type, in binary mode and JSON.
func golden(t testing.TB, typ fact.Type) *kgo.Record {
	t.Helper()
	first := eventtest.Golden(t, typ)[0]
	record := &kgo.Record{Key: first.Key, Value: first.Value}
	for _, h := range first.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return record
}

func encoded(t testing.TB, source, id string, at time.Time, message proto.Message) *kgo.Record {
	t.Helper()
	record, err := event.Encode(event.Outgoing{Source: source, ID: id, Time: at, Message: message}, event.Structured, event.JSON)
	if err != nil {
		t.Fatal(err)
	}
	out := &kgo.Record{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

func (f *filled) verify(t testing.TB) verify.Report {
	t.Helper()
	report, err := verify.Run(t.Context(), f.store, f.live, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestWhatTheServiceStoredIsClean(t *testing.T) {
	t.Parallel()
	f := fill(t)
	report := f.verify(t)
	for _, d := range report.Differences {
		t.Error(d)
	}
	if len(report.NotVerifiable) > 0 {
		t.Errorf("not verifiable: %v", report.NotVerifiable)
	}
	want := verify.Report{Runs: 4, Events: filledEvents + 3, Definitions: 4, DefinitionEvents: 7, Partitions: 2, Rollups: 2, LiveStates: 3, Reports: 2, ReportsRebuilt: 2}
	if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(verify.Report{}, "Differences", "NotVerifiable")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

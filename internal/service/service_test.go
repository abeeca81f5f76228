package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// settings is a configuration for the servers of one test, as an environment
// would give it.
type settings map[string]string

func (s settings) load(t testing.TB) *config.Config {
	t.Helper()
	c, err := config.Load(func(name string) (string, bool) {
		value, set := s[name]
		return value, set
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// with is a copy with one setting more, named without the prefix.
func (s settings) with(name, value string) settings {
	out := settings{config.EnvPrefix + name: value}
	for k, v := range s {
		if _, changed := out[k]; !changed {
			out[k] = v
		}
	}
	return out
}

func settingsFor(db *testenv.DB, redis *testenv.RedisServer, kafka *testenv.KafkaCluster) settings {
	return settings{}.
		with("INSTANCE", "test-1").
		with("POSTGRES_URL", db.URL).
		with("REDIS_URL", redis.URL()).
		with("KAFKA_BROKERS", kafka.Brokers[0]).
		with("KAFKA_CREATE_TOPICS", "true").
		with("KAFKA_FETCH_MAX_WAIT", "20ms").
		with("KAFKA_COMMIT_INTERVAL", "100ms").
		with("RECONCILE_INTERVAL", "1s").
		with("HTTP_LISTEN", "127.0.0.1:0")
}

// running is a service in this process.
type running struct {
	service.Started
	stop func() error // ends it in order; may be called once
}

// start runs a service until it is stopped, or the test ends.
func start(t testing.TB, cfg *config.Config) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan service.Started, 1), make(chan error, 1)
	go func() {
		ended <- service.Run(ctx, cfg, service.Options{
			Log:   zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
			Ready: func(s service.Started) { ready <- s },
		})
	}()
	stopped := false
	r := running{stop: func() error {
		stopped = true
		cancel()
		return <-ended
	}}
	t.Cleanup(func() {
		cancel()
		if !stopped {
			<-ended //nolint:errcheck // the test has said what it thinks of it
		}
	})
	select {
	case r.Started = <-ready:
	case err := <-ended:
		stopped = true
		t.Fatalf("the service ended before it was ready: %v", err)
	case <-time.After(testenv.Patience):
		t.Fatal("the service was not ready in time")
	}
	return r
}

// report asks for the service's readiness.
func (r running) report(t testing.TB) (int, opshttp.Report) {
	t.Helper()
	return askReadiness(t, r.HTTP.String())
}

// becomes waits until the service is ready, and as wanted, by one answer: a check that
// a busy machine kept from answering in time is made again. Redis never stands in the
// way.
func (r running) becomes(t testing.TB, what string, wanted func(opshttp.Report) bool) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("readiness is %s", last)
		}
	}()
	testenv.Eventually(t, what, func() bool {
		code, report := r.report(t)
		last = fmt.Sprintf("%d %+v", code, report)
		if check(report, "redis").Status == opshttp.Unavailable {
			t.Fatal("Redis makes the service unavailable")
		}
		return code == http.StatusOK && wanted(report)
	})
}

func askReadiness(t testing.TB, address string) (int, opshttp.Report) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var report opshttp.Report
	if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, report
}

// say writes an event to a topic, as a coordinator does.
func say(t testing.TB, client *kgo.Client, topic, id string, at time.Time, message proto.Message) {
	t.Helper()
	record, err := event.Encode(event.Outgoing{Source: "/coordinator/a", ID: id, Time: at, Message: message}, event.Binary, event.JSON)
	if err != nil {
		t.Fatal(err)
	}
	out := &kgo.Record{Topic: topic, Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if err := client.ProduceSync(t.Context(), out).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// A service is started, told of a run by Kafka, shows it in PostgreSQL and in
// Redis, answers that it is well, and stops in order.
func TestFromStartToStop(t *testing.T) {
	t.Parallel()
	db, redis, kafka := testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)
	cfg := settingsFor(db, redis, kafka).load(t)
	tcda := start(t, cfg)

	coordinator, topic, begun := kafka.Client(t), cfg.Kafka.TopicExecutions, time.Now().Add(-time.Minute)
	say(t, coordinator, topic, "1", begun, &contract.ExecutionStarted{ExecutionId: "exec-1", Environment: "staging"})
	say(t, coordinator, topic, "2", begun.Add(time.Second), &contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})

	store := openStore(t, cfg)
	var run execution.Run
	testenv.Eventually(t, "the run is stored as passed", func() bool {
		var err error
		run, err = store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
		return err == nil && run.Status == execution.StatusPassed
	})
	live := openRedis(t, cfg)
	testenv.Eventually(t, "the live state is the stored one", func() bool {
		state, _, ok, err := live.State(t.Context(), "exec-1")
		return err == nil && ok && state.Version == run.Version && state.Status == run.Status
	})
	tcda.becomes(t, "the service is ready", func(r opshttp.Report) bool { return r.Status != opshttp.Unavailable })

	// Partitions were made before the first row: from a default partition it
	// would keep its own from being made.
	stray, err := store.StrayRows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for table, rows := range stray {
		if rows > 0 {
			t.Errorf("%d rows of %s lie in its default partition", rows, table)
		}
	}

	if err := tcda.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	partitions, err := store.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partitions {
		if p.Owner != "" {
			t.Errorf("%s/%d still belongs to %q after the stop", p.Topic, p.Number, p.Owner)
		}
	}
}

func openStore(t testing.TB, cfg *config.Config) *pgstore.Store {
	t.Helper()
	store, err := pgstore.Open(t.Context(), service.Postgres(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func openRedis(t testing.TB, cfg *config.Config) *redisstore.Store {
	t.Helper()
	store, err := redisstore.Open(t.Context(), service.Redis(cfg), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

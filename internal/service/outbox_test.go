package service_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// From a record to what other programs hear of it: a run that has settled, and the
// copy of a record that was quarantined.
func TestOtherProgramsAreTold(t *testing.T) {
	t.Parallel()
	kafka := testenv.Kafka(t)
	cfg := settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka).with("OUTBOX_SETTLED_AFTER", "1s").with("QUARANTINE_DEAD_LETTERS", "true").load(t)
	tcda := start(t, cfg)
	store := openStore(t, cfg)
	testenv.Eventually(t, "settled runs are looked for", func() bool {
		_, err := store.SettledCursor(t.Context())
		return err == nil
	})
	coordinator := kafka.Client(t)
	begun := time.Now()
	say(t, coordinator, cfg.Kafka.TopicExecutions, "1", begun, &contract.ExecutionStarted{ExecutionId: "exec-1"})
	say(t, coordinator, cfg.Kafka.TopicExecutions, "2", begun.Add(time.Second), &contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	bad := &kgo.Record{Topic: cfg.Kafka.TopicExecutions, Key: []byte("exec-1"), Value: []byte("no \x00 JSON"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{0xff}}, {Key: "b"}}}
	if err := coordinator.ProduceSync(t.Context(), bad).FirstErr(); err != nil {
		t.Fatal(err)
	}

	report := readOne(t, kafka, cfg.Kafka.TopicReports)
	var data struct {
		ExecutionID string `json:"execution_id"`
		Status      string `json:"status"`
		Counts      struct {
			Events int64 `json:"events"`
		} `json:"counts"`
	}
	if err := json.Unmarshal(report.Value, &data); err != nil || data.ExecutionID != "exec-1" || data.Status != "passed" || data.Counts.Events != 2 {
		t.Errorf("report %s, %v", report.Value, err)
	}
	letter := readOne(t, kafka, cfg.Kafka.TopicDeadLetters)
	if diff := cmp.Diff(bad.Headers, letter.Headers[:len(bad.Headers)]); diff != "" || string(letter.Key) != string(bad.Key) || string(letter.Value) != string(bad.Value) {
		t.Errorf("dead letter has key %q, value %q and headers (-want +got):\n%s", letter.Key, letter.Value, diff)
	}
	tcda.becomes(t, "the outbox is well", func(r opshttp.Report) bool { return check(r, "outbox").Status == opshttp.OK })
}

// readOne waits for the first record of a topic.
func readOne(t testing.TB, kafka *testenv.KafkaCluster, topic string) *kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	reader := kafka.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(200*time.Millisecond))
	for ctx.Err() == nil {
		if records := reader.PollFetches(ctx).Records(); len(records) > 0 {
			return records[0]
		}
	}
	t.Fatalf("nothing came to topic %s", topic)
	return nil
}

// Output topics that are missing hold up neither the start nor ingest; readiness
// says so.
func TestMissingOutputTopicsDegrade(t *testing.T) {
	t.Parallel()
	kafka := testenv.Kafka(t)
	cfg := settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka).with("KAFKA_CREATE_TOPICS", "false").load(t)
	for _, topic := range []string{cfg.Kafka.TopicScenarios, cfg.Kafka.TopicExecutions, cfg.Kafka.TopicReports} {
		kafka.CreateTopic(t, topic, 1, nil)
	}
	tcda := start(t, cfg)
	say(t, kafka.Client(t), cfg.Kafka.TopicExecutions, "1", time.Now(), &contract.ExecutionStarted{ExecutionId: "exec-1"})
	store := openStore(t, cfg)
	testenv.Eventually(t, "the run is stored", func() bool {
		_, err := store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
		return err == nil
	})
	testenv.Eventually(t, "readiness is degraded", func() bool {
		code, report := tcda.report(t)
		return code == http.StatusOK && check(report, "outbox").Status == opshttp.Degraded
	})
	kafka.CreateTopic(t, cfg.Kafka.TopicCommands, 1, nil)
	testenv.Eventually(t, "readiness is well", func() bool {
		_, report := tcda.report(t)
		return check(report, "outbox").Status == opshttp.OK
	})
}

// The role needs no other, and a service without it publishes nothing.
func TestTheOutboxApart(t *testing.T) {
	t.Parallel()
	kafka := testenv.Kafka(t)
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka)
	alone := start(t, s.with("ROLES", config.RoleOutbox).load(t))
	testenv.Eventually(t, "its topics are there", func() bool {
		code, report := alone.report(t)
		return code == http.StatusOK && check(report, "outbox").Status == opshttp.OK
	})
	without := start(t, s.with("ROLES", "ingest").with("INSTANCE", "test-2").load(t))
	if _, report := without.report(t); check(report, "outbox").Name != "" {
		t.Errorf("readiness is %+v", report)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// system is a set of servers, and what tcda and tcda-lab need to know of them.
type system struct {
	testing.TB
	environment
	db     *testenv.DB
	kafka  *testenv.KafkaCluster
	ledger string
	store  *pgstore.Store
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{TB: t, db: testenv.Postgres(t), kafka: testenv.Broker(t), ledger: filepath.Join(t.TempDir(), "ledger.jsonl")}
	s.environment = environment{
		"INSTANCE":     "test",
		"POSTGRES_URL": s.db.URL, "REDIS_URL": testenv.Redis(t).URL(), "KAFKA_BROKERS": s.kafka.Brokers[0],
		"KAFKA_TOPIC_EXECUTIONS": testenv.UniqueName("executions"), "KAFKA_TOPIC_SCENARIOS": testenv.UniqueName("scenarios"),
		"KAFKA_GROUP_ID": testenv.UniqueName("tcda"),
		// As soon after a crash as Apache Kafka allows by default.
		"KAFKA_SESSION_TIMEOUT": "6s", "KAFKA_HEARTBEAT": "500ms", "KAFKA_FETCH_MAX_WAIT": "50ms", "RECONCILE_INTERVAL": "1s",
		"POSTGRES_STATEMENT_TIMEOUT": "2800ms", "POSTGRES_LOCK_TIMEOUT": "2s", "POSTGRES_IDLE_TIMEOUT": "2s", "INGEST_APPLY_BUDGET": "2900ms",
		// Several transactions, so that some are done and some are not.
		"INGEST_BATCH_RECORDS": "100", "HTTP_LISTEN": "127.0.0.1:0",
	}
	cfg := s.config(t)
	s.kafka.CreateTopic(t, cfg.Kafka.TopicExecutions, 3, nil)
	s.kafka.CreateTopic(t, cfg.Kafka.TopicScenarios, 1, nil)
	var err error
	if s.store, err = pgstore.Open(t.Context(), service.Postgres(cfg)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.store.Close)
	return s
}

// ingested is how many records the service has dealt with.
func (s *system) ingested() int64 {
	s.Helper()
	all, err := s.store.Partitions(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	var n int64
	for _, p := range all {
		n += p.Applied + p.Duplicates + p.Quarantined
	}
	return n
}

func (s *system) check() ran {
	s.Helper()
	return lab(s, s.environment, "ledger", "check", "--ledger="+s.ledger, "--wait="+testenv.Patience.String())
}

// wantSettled sees that nothing of the ledger is lost or doubled, and that
// everything stored follows from the stored events.
func (s *system) wantSettled(says string) {
	s.Helper()
	if got := s.check(); got.code != 0 || !strings.Contains(got.out, says) {
		s.Fatalf("ledger check: exit code %d, want 0 and %q\n%s%s", got.code, says, got.out, got.errors)
	}
	live, err := redisstore.Open(s.Context(), service.Redis(s.config(s)), zerolog.Nop())
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = live.Close() }()
	report, err := verify.Run(s.Context(), s.store, live, verify.Options{LiveGrace: settleTime})
	if err != nil {
		s.Fatal(err)
	}
	for _, d := range report.Differences {
		s.Errorf("verify: %s", d)
	}
}

// serving starts tcda serve.
func (s *system) serving() *child { return start(s, roleServe, s.environment) }

// The service is killed in the middle, twice, and ends with everything that the
// sender has a receipt for.
func TestNothingIsLostOrDoubledWhenTheServiceDies(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	const records = 6000
	sending := make(chan ran, 1)
	go func() {
		sending <- lab(s, s.environment, "emit", fmt.Sprintf("--load=%d", records), "--rate=1500", "--ledger="+s.ledger)
	}()
	for _, until := range []int64{500, 2500} {
		serving := s.serving()
		testenv.Eventually(t, fmt.Sprintf("%d records are ingested", until), func() bool { return s.ingested() >= until })
		serving.kill(t)
		if n := s.ingested(); n >= records {
			t.Fatalf("all %d records were ingested before the service was killed", n)
		}
	}
	last := s.serving()
	if got := <-sending; got.code != 0 || !strings.HasPrefix(got.out, "6,000 records acknowledged") {
		t.Fatalf("emit: exit code %d\n%s%s", got.code, got.out, got.errors)
	}
	s.wantSettled("6000 records in the ledger")
	if strings.Contains(s.check().out, "not compared") {
		t.Error("the sums were not compared")
	}
	if err := last.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// The sender is killed: its ledger holds only what Kafka has, and is continued.
func TestTheLedgerHoldsWhenTheSenderDies(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.serving()
	sender := start(t, roleLab, s.environment, "emit", "--load=100000", "--rate=2000", "--ledger="+s.ledger)
	testenv.Eventually(t, "1000 records are ingested", func() bool { return s.ingested() >= 1000 })
	sender.kill(t)
	if got := lab(t, s.environment, "emit", "--scenarios", "--updates=200", "--ledger="+s.ledger); got.code != 0 {
		t.Fatalf("emit: exit code %d\n%s", got.code, got.errors)
	}
	s.wantSettled("0 lost, 0 doubled")
}

// What is missing, or there twice, is found.
func TestLedgerCheckFindsFaults(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.serving()
	if got := lab(t, s.environment, "emit", "--load=300", "--ledger="+s.ledger); got.code != 0 {
		t.Fatalf("emit: exit code %d\n%s", got.code, got.errors)
	}
	s.wantSettled("300 records in the ledger")
	for _, damage := range []struct{ statement, found string }{
		{
			`INSERT INTO test_coordination.execution_events SELECT (e).* FROM (
				SELECT jsonb_populate_record(v, '{"bucket": "2020-01-01"}') AS e FROM test_coordination.execution_events AS v LIMIT 1) AS copy`,
			"stored 2 times",
		},
		{
			`DELETE FROM test_coordination.execution_events WHERE event_key IN (
				SELECT event_key FROM test_coordination.execution_events GROUP BY event_key HAVING count(*) = 1 LIMIT 1)`,
			"neither stored nor quarantined",
		},
		{`UPDATE test_coordination.ingest_partitions SET applied = applied + 1, duplicates = duplicates - 1`, "the service counts"},
		{`DELETE FROM test_coordination.quarantined_records`, "not quarantined: the malformed record"},
	} {
		if _, err := s.db.Pool(t).Exec(t.Context(), damage.statement); err != nil {
			t.Fatal(err)
		}
		if got := s.check(); got.code != exitFailed || !strings.Contains(got.out, damage.found) {
			t.Errorf("exit code %d, %q is not found:\n%s%s", got.code, damage.found, got.out, got.errors)
		}
	}
}

// A recording that is sent again changes nothing, in whatever form it is sent.
func TestARecordingIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.serving()
	recording := filepath.Join(t.TempDir(), "events.jsonl")
	var lines []byte
	for n, outcome := range []string{"passed", "failed", "cancelled"} {
		lines = fmt.Appendf(lines, `{"specversion":"1.0","type":"test-coordination.execution.finished.v1","source":"/coordinator/a","id":"%d","subject":"exec-%d",`+
			`"time":"2026-04-01T12:00:00Z","data":{"execution_id":"exec-%d","outcome":%q}}`+"\n", n, n, n, outcome)
	}
	if err := os.WriteFile(recording, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]string{nil, {"--mode=binary", "--encoding=protobuf"}, {"--encoding=json"}} {
		if got := lab(t, s.environment, append([]string{"emit", "--file=" + recording, "--ledger=" + s.ledger}, form...)...); got.code != 0 || !strings.Contains(got.out, "3 records acknowledged") {
			t.Fatalf("emit %v: exit code %d\n%s%s", form, got.code, got.out, got.errors)
		}
	}
	s.wantSettled("9 records in the ledger, 3 events of them: 3 stored once, 0 records quarantined, 0 lost, 0 doubled")
	statuses, err := s.store.RunsByStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[execution.Status]int64{execution.StatusPassed: 1, execution.StatusFailed: 1, execution.StatusCancelled: 1}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("runs by status (-want +got):\n%s", diff)
	}
}

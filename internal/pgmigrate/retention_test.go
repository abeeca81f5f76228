package pgmigrate_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// The writer of a hardened installation may drop no table, and prunes all the same: by
// the functions of the owner, whose partitions take the place of the former.
func TestTheWriterOfAHardenedInstallationPrunes(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	exec(t, db.ServerURL, `CREATE DATABASE hardened`)
	admin := server.URL("hardened")
	exec(t, admin, schema.Bootstrap)
	exec(t, admin, `CREATE ROLE migrator LOGIN PASSWORD 'secret' IN ROLE test_coordination_owner;
		CREATE ROLE adapter LOGIN PASSWORD 'secret' IN ROLE test_coordination_writer; CREATE ROLE analyst LOGIN PASSWORD 'secret' IN ROLE test_coordination_reader`)
	up(t, as(t, admin, "migrator", "secret")+"&role=test_coordination_owner", pgmigrate.Options{})
	writer, reader := as(t, admin, "adapter", "secret"), as(t, admin, "analyst", "secret")
	exec(t, writer, `SELECT test_coordination.ensure_partitions('execution_logs', '2020-05-01', '2020-05-01', 'month')`)
	exec(t, writer, `INSERT INTO test_coordination.execution_ids (execution_id, latest_run, buckets, first_seen_at)
		SELECT id, 1, '{2020-05-17}', '2020-05-17' FROM unnest('{goes,stays}'::text[]) AS id;
		INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, ended_at, log_lines, marks, created_at, updated_at, settled_change_at, pinned)
		SELECT id, 1, '2020-05-17', 1, 'passed', 'running', '2020-05-17', 100, '', '2020-05-17', '2020-05-17', '2020-05-17', id = 'stays' FROM unnest('{goes,stays}'::text[]) AS id;
		INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
		SELECT '2020-05-17', id, 1, '2020-05-17', 1, n, 'hello' FROM unnest('{goes,stays}'::text[]) AS id, generate_series(1, 100) AS n`)
	mustDeny(t, writer, `DROP TABLE test_coordination.execution_logs_y2020m05`)
	mustDeny(t, reader, `SELECT test_coordination.replace_partition('execution_logs', 'execution_logs_y2020m05', 'logs')`)

	store, err := pgstore.Open(t.Context(), pgstore.Config{URL: writer, MaxConns: 3, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	pruner := pruning.New(pruning.Config{Rules: retention.Rules{Policies: retention.ForDays("old", retention.Logs, 30)}, Actor: "test", Pace: 0.01}, pruning.Parts{Store: store, Log: zerolog.Nop()})
	done, err := pruner.Once(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done.Replaced != 1 || done.PendingRows != 0 {
		t.Errorf("%d partitions replaced, %d rows pending", done.Replaced, done.PendingRows)
	}
	exec(t, writer, `DO $$ BEGIN
		ASSERT (SELECT count(*) = 100 AND min(execution_id) = 'stays' AND max(execution_id) = 'stays' FROM test_coordination.execution_logs_y2020m05);
		ASSERT (SELECT tableowner = 'test_coordination_owner' FROM pg_tables WHERE tablename = 'execution_logs_y2020m05');
	END $$`)
	// A late line of the run that is kept finds its partition.
	exec(t, writer, `INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message) VALUES ('2020-05-17', 'stays', 1, '2020-05-17', 2, 0, 'late')`)
	exec(t, writer, `DO $$ BEGIN ASSERT (SELECT count(*) = 101 FROM test_coordination.execution_logs_y2020m05); END $$`)
}

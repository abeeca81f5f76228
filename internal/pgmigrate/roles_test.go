package pgmigrate_test

import (
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/schemadiff"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// The role of the ecosystem's shared database: it finds its schema there, and
// may create neither schemas nor roles.
func TestSharedInstallation(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	exec(t, db.URL, `DROP OWNED BY monitor_user, test_coordination_reader`)
	exec(t, db.ServerURL, `DROP ROLE monitor_user, test_coordination_reader`)
	exec(t, db.ServerURL, `CREATE ROLE test_coordinator_adapter LOGIN PASSWORD 'secret'`)
	arrange := func(name string) (owner, restricted string) {
		t.Helper()
		exec(t, db.ServerURL, `CREATE DATABASE `+name)
		exec(t, server.URL(name), `
			CREATE SCHEMA test_coordination;
			CREATE SCHEMA risk_monitor;
			CREATE TABLE risk_monitor.positions (id integer);
			REVOKE CREATE ON SCHEMA public FROM PUBLIC;
			GRANT USAGE, CREATE ON SCHEMA test_coordination TO test_coordinator_adapter;
			ALTER ROLE test_coordinator_adapter IN DATABASE `+name+` SET search_path = test_coordination, public`)
		return server.URL(name), as(t, server.URL(name), "test_coordinator_adapter", "secret")
	}

	without, restricted := arrange("without_analysts")
	mustDeny(t, restricted, `CREATE SCHEMA IF NOT EXISTS test_coordination`)
	up(t, restricted, pgmigrate.Options{})
	if again := up(t, restricted, pgmigrate.Options{}); len(again) > 0 {
		t.Errorf("applied again: %v", again)
	}
	if err := pgmigrate.Pending(t.Context(), restricted, pgmigrate.Options{}); err != nil {
		t.Error(err)
	}
	useAsService(t, restricted)
	if text := catalog(t, without).String(); strings.Contains(text, "monitor_user") {
		t.Error("rights for a role that is not there")
	}

	exec(t, db.ServerURL, `CREATE ROLE monitor_user LOGIN PASSWORD 'secret'`)
	with, restricted := arrange("with_analysts")
	exec(t, with, `GRANT USAGE ON SCHEMA test_coordination TO monitor_user`) // the restricted role may not
	up(t, restricted, pgmigrate.Options{})
	analyst := as(t, with, "monitor_user", "secret")
	exec(t, analyst, `SELECT FROM test_coordination.analytics_executions, test_coordination.analytics_timeline`)
	readsAllViews(t, analyst)
	mustDeny(t, analyst, `SELECT * FROM test_coordination.compute_rollup_runs(ARRAY['s'], ARRAY['2026-01-01'::date], NULL, NULL)`)
	mustDeny(t, analyst, `SELECT FROM test_coordination.executions`)
	mustDeny(t, analyst, `DELETE FROM test_coordination.analytics_executions`)
}

// readsAllViews reads every column of every view for analysts, and with them what
// their functions need.
func readsAllViews(t *testing.T, analyst string) {
	t.Helper()
	for _, view := range []string{
		"executions", "validations", "faults", "timeline", "units", "daily_runs", "daily_assertions", "daily_faults", "coverage", "scenario_summaries", "flakiness", "failures",
	} {
		exec(t, analyst, `SELECT * FROM test_coordination.analytics_`+view)
	}
	exec(t, analyst, `SELECT test_coordination.analytics_percentile(ARRAY[1, 2], ARRAY[3, 4]::bigint[], 0.5)`)
}

// The roles of bootstrap.sql: the owner migrates, the writer serves, the reader
// reads the analysts' views, whether the roles or the tables came first.
func TestHardenedInstallation(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"roles", "tables"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			server, db := testenv.PostgresServer(t)
			exec(t, db.ServerURL, `CREATE DATABASE hardened`)
			admin := server.URL("hardened")
			if first == "tables" {
				up(t, admin, pgmigrate.Options{})
			}
			exec(t, admin, schema.Bootstrap)
			exec(t, admin, schema.Bootstrap) // once or again
			exec(t, admin, `
				CREATE ROLE migrator LOGIN PASSWORD 'secret' IN ROLE test_coordination_owner;
				CREATE ROLE adapter LOGIN PASSWORD 'secret' IN ROLE test_coordination_writer;
				CREATE ROLE analyst LOGIN PASSWORD 'secret' IN ROLE test_coordination_reader`)
			owner := as(t, admin, "migrator", "secret") + "&role=test_coordination_owner"
			writer, reader := as(t, admin, "adapter", "secret"), as(t, admin, "analyst", "secret")

			up(t, owner, pgmigrate.Options{})
			// A later migration works too, and the rights follow what it makes.
			exec(t, owner, `CREATE TABLE test_coordination.later (id integer); ALTER TABLE test_coordination.executions SET (fillfactor = 70)`)

			if err := pgmigrate.Pending(t.Context(), writer, pgmigrate.Options{}); err != nil {
				t.Error(err)
			}
			useAsService(t, writer)
			exec(t, writer, `INSERT INTO test_coordination.later VALUES (1)`)
			exec(t, writer, `INSERT INTO test_coordination.rollup_runs SELECT * FROM test_coordination.compute_rollup_runs(ARRAY['s'], ARRAY['2026-01-01'::date], NULL, NULL)`)
			exec(t, writer, `SELECT test_coordination.keep_rollups(ARRAY['s'], ARRAY['2026-01-01'::date], ARRAY['e'], ARRAY[1])`)
			mustDeny(t, writer, `CREATE TABLE test_coordination.mine (id integer)`)
			mustDeny(t, writer, `DROP TABLE test_coordination.executions`)
			mustDeny(t, writer, `TRUNCATE test_coordination.executions`)
			mustDeny(t, writer, `DELETE FROM test_coordination.atlas_schema_revisions`)

			exec(t, reader, `SELECT FROM test_coordination.analytics_executions, test_coordination.analytics_validations,
				test_coordination.analytics_faults, test_coordination.analytics_timeline`)
			readsAllViews(t, reader)
			mustDeny(t, reader, `SELECT FROM test_coordination.rollup_runs`)
			mustDeny(t, reader, `SELECT FROM test_coordination.executions`)
			mustDeny(t, reader, `SELECT FROM test_coordination.later`)
			mustDeny(t, reader, `DELETE FROM test_coordination.analytics_executions`)
			mustDeny(t, reader, `SELECT test_coordination.ensure_partitions('2026-01-01', '2026-01-01', 'month')`)
			mustDeny(t, reader, `SELECT test_coordination.ensure_partitions('executions', '2026-01-01', '2026-01-01', 'month')`)
		})
	}
}

// useAsService does what the service does: makes partitions and writes rows
// into them, with keys that the database draws.
func useAsService(t *testing.T, url string) {
	t.Helper()
	exec(t, url, `SELECT test_coordination.ensure_partitions('execution_logs', '2031-05-01', '2031-06-30', 'month')`)
	exec(t, url, `SELECT test_coordination.ensure_partitions('2031-07-01', '2031-07-01', 'month')`) // as the previous program does
	exec(t, url, `INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
		VALUES ('2031-05-17', 'exec-1', 1, now(), 1, 0, 'hello')`)
	exec(t, url, `DO $$ BEGIN ASSERT (SELECT tableoid::regclass::text LIKE '%execution_logs_y2031m05' FROM test_coordination.execution_logs); END $$`)
	exec(t, url, `INSERT INTO test_coordination.quarantined_records (topic, partition, generation, kafka_offset, reason, quarantined_at)
		VALUES ('t', 0, 1, 7, 'json', now())`)
	exec(t, url, `UPDATE test_coordination.quarantined_records SET status = 'discarded'`)
	exec(t, url, `DELETE FROM test_coordination.execution_logs`)
	exec(t, url, `SELECT FROM test_coordination.stray_rows()`)
}

// as is the URL for another user.
func as(t *testing.T, databaseURL, user, password string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword(user, password)
	query := parsed.Query()
	query.Set("application_name", user) // so that a parameter can be appended
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func mustDeny(t *testing.T, url, statement string) {
	t.Helper()
	var refused *pgconn.PgError
	if err := tryExec(t.Context(), url, statement); !errors.As(err, &refused) || refused.Code != "42501" {
		t.Errorf("%s: %v, want insufficient_privilege", statement, err)
	}
}

func catalog(t *testing.T, databaseURL string) schemadiff.Catalog {
	t.Helper()
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it has only read
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	found, err := schemadiff.Dump(t.Context(), tx, schema.Name)
	if err != nil || len(found) == 0 {
		t.Fatalf("dump: %d objects, %v", len(found), err)
	}
	return found
}

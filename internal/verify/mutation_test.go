package verify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// mutations say how a column of a type is changed to another value, NULL
// included.
var mutations = map[string]string{
	"text":                     "coalesce(COLUMN, '') || 'x'",
	"integer":                  "coalesce(COLUMN, 0) + 1000",
	"smallint":                 "coalesce(COLUMN, 0) + 1",
	"bigint":                   "coalesce(COLUMN, 0) + 1000",
	"double precision":         "coalesce(COLUMN, 0) + 0.000001",
	"boolean":                  "NOT coalesce(COLUMN, false)",
	"timestamp with time zone": "coalesce(COLUMN, '2026-01-01Z') + interval '1 microsecond'",
	"date":                     "COLUMN + 1",
	"date[]":                   "'{}'",
	"text[]":                   "COLUMN || 'x'::text",
	"bytea":                    "CASE WHEN COLUMN IS NULL THEN sha256('x') ELSE set_byte(COLUMN, octet_length(COLUMN) - 1, get_byte(COLUMN, octet_length(COLUMN) - 1) # 1) END",
	"bytea[]":                  "array_append(COLUMN, sha256('x'))",
	"jsonb":                    `'{"mutated": 1}'`,
	"json":                     `'{"mutated": 1}'`,
	"uuid":                     "gen_random_uuid()",
	"numeric":                  "coalesce(COLUMN, 0) + 1",
	"integer[]":                "COLUMN || 1",
	"bigint[]":                 "COLUMN || 1::bigint",
}

// unverified are the columns that do not follow from the stored events, with
// the reason; a column that is neither here nor seen to be verified fails the
// test.
var unverified = map[string]string{
	"ingest_partitions.generation":     "an operator's act",
	"ingest_partitions.topic_id":       "Kafka's word",
	"ingest_partitions.epoch":          "how often it was claimed",
	"ingest_partitions.owner":          "who works on it now",
	"ingest_partitions.next_offset":    "Kafka's addresses; an operator may move it",
	"ingest_partitions.attempts":       "of the moment",
	"ingest_partitions.careful_until":  "of the moment",
	"ingest_partitions.clean_stop":     "of the moment",
	"ingest_partitions.stopped_reason": "of the moment",
	"ingest_partitions.duplicates":     "a duplicate leaves no row",
	"ingest_partitions.quarantined":    "may be more than the rows after a replay",
	"ingest_partitions.claimed_at":     "the clock's word",
	"ingest_partitions.updated_at":     "the clock's word",

	"scenario_summaries.as_of": "the day of the moment",

	"quarantined_records.id":             "an address",
	"quarantined_records.generation":     "an operator's act",
	"quarantined_records.kafka_offset":   "an address",
	"quarantined_records.reason":         "the decoder's word of that time",
	"quarantined_records.field":          "the decoder's word of that time",
	"quarantined_records.detail":         "the decoder's word of that time",
	"quarantined_records.record_key":     "the digest covers the value",
	"quarantined_records.record_headers": "the digest covers the value",
	"quarantined_records.record_time":    "the digest covers the value",
	"quarantined_records.complete":       "what was cut has no digest",
	"quarantined_records.status":         "an operator's act",
	"quarantined_records.quarantined_at": "the clock's word",
	"quarantined_records.resolved_at":    "an operator's act",
	"quarantined_records.resolved_by":    "an operator's act",
	"quarantined_records.resolution":     "an operator's act",

	"definition_events.time_suspect": "the clock's word; of a run's event the fold shows it",

	"execution_ids.first_seen_at": "the clock's word",
	"execution_ids.pruned_at":     "retention's act",

	"executions.created_at":        "the clock's word; its date is the bucket",
	"executions.updated_at":        "the clock's word",
	"executions.settled_change_at": "the clock's word",

	"execution_phases.phase_hash": "a CHECK holds it to the name",

	"execution_logs.logged_at":  "lines are counted; their texts are covered by the digest of the whole event only",
	"execution_logs.line":       "as above",
	"execution_logs.service":    "as above",
	"execution_logs.phase":      "as above",
	"execution_logs.step_id":    "as above",
	"execution_logs.message":    "as above",
	"execution_logs.attributes": "as above",
	"reports.created_at":        "the clock's word",
	"system_snapshots.state":    "covered by the digest of the whole event only",
}

// unverifiedOfEvents are the columns of both tables of events.
var unverifiedOfEvents = map[string]string{
	"digest_version": "an event of another version's form is passed over",
	"run_guessed":    "the engine's word of that moment",
	"trace_parent":   "not covered by the digest",
	"correlation_id": "not covered by the digest",
	"kafka_offset":   "an address",
	"extensions":     "not covered by the digest",
	"unknown_fields": "not covered by the digest",
	"recorded_at":    "the clock's word",
}

func unverifiedColumn(table, column string) bool {
	if (table == "execution_events" || table == "definition_events") && unverifiedOfEvents[column] != "" {
		return true
	}
	return unverified[table+"."+column] != "" || column == "changed_at" || column == "version" && table != "executions"
}

type column struct{ table, name, typ string }

// Every column of every table is changed, one after the other: a change is
// seen, or the column stands in the list of those that cannot be verified.
func TestEveryColumnIsVerifiedOrListed(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	freeTables(t, pool)
	for _, c := range columns(t, pool) {
		kept := keep(t, pool, c.table)
		mutation, ok := mutations[c.typ]
		if !ok {
			t.Fatalf("%s.%s is %s: say how to change that", c.table, c.name, c.typ)
		}
		changed, err := pool.Exec(t.Context(), strings.ReplaceAll("UPDATE test_coordination."+c.table+" SET COLUMN = "+mutation, "COLUMN", pgx.Identifier{c.name}.Sanitize()))
		if err != nil {
			t.Fatalf("change %s.%s: %v", c.table, c.name, err)
		}
		if changed.RowsAffected() == 0 {
			t.Errorf("%s has no row to change", c.table)
		}
		report, err := verify.Run(t.Context(), f.store, nil, verify.Options{})
		if err != nil {
			t.Fatalf("%s.%s changed: %v", c.table, c.name, err)
		}
		switch listed := unverifiedColumn(c.table, c.name); {
		case report.Clean() && !listed:
			t.Errorf("%s.%s was changed, and nothing is seen", c.table, c.name)
		case !report.Clean() && listed:
			t.Errorf("%s.%s is listed as unverified, but a change is seen: %v", c.table, c.name, report.Differences[0])
		}
		kept.restore()
	}
	if report := f.verify(t); !report.Clean() {
		t.Errorf("the tables were not restored: %v", report.Differences)
	}
}

// A row that is gone is missed, and one that nothing brought is noticed.
func TestEveryRowIsMissed(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	freeTables(t, pool)
	var tables []string
	for _, c := range columns(t, pool) {
		if len(tables) == 0 || tables[len(tables)-1] != c.table {
			tables = append(tables, c.table)
		}
	}
	for _, table := range tables {
		kept := keep(t, pool, table)
		if _, err := pool.Exec(t.Context(), "DELETE FROM test_coordination."+table); err != nil {
			t.Fatal(err)
		}
		report, err := verify.Run(t.Context(), f.store, nil, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// A quarantined record may be counted twice, so one that is gone is not missed.
		// A report may have been removed by retention, or be built later.
		if report.Clean() != (table == "quarantined_records" || table == "reports") {
			t.Errorf("all rows of %s deleted: clean %t", table, report.Clean())
		}
		kept.restore()
	}
}

// notOfEvents are the tables of which no event says anything.
var notOfEvents = []string{
	"atlas_schema_revisions", "ingest_gaps",
	"execution_locks", "audit_log", "kill_switch", // the word of holders and operators
	"api_requests", "outbox", "loop_cursors", "report_queue", // what was asked, and what is to be told
	"schedule_plans", "schedule_occurrences", // when schedules are due, and who has taken them
	"pruned_runs", "pruned_events", "retention_holds", // what has been removed: TestPrunedRunsAreNotVerifiable
	"rollup_dirty", "rollup_groups", "rollup_environments", // how far rollups are made; see TestRollups
	"pruned_rollup_runs", "pruned_rollup_assertions", "pruned_rollup_faults", // what is left of what has been removed
}

// columns are those of all tables that hold what events say.
func columns(t testing.TB, pool *pgxpool.Pool) []column {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		  AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> ALL ($1)
		ORDER BY c.relname, a.attnum`, notOfEvents)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c column, err error) {
		return c, r.Scan(&c.table, &c.name, &c.typ)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Fatalf("only %d columns", len(all))
	}
	return all
}

// freeTables lets the tables of a test's own database hold anything.
func freeTables(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
		WHERE connamespace = 'test_coordination'::regnamespace AND coninhcount = 0 AND contype IN ('c', 'f', 'u')
		UNION ALL
		SELECT format('ALTER TABLE %s ALTER %I DROP IDENTITY', attrelid::regclass, attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'test_coordination'::regnamespace AND attidentity <> ''`)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	statements = append(statements, "DROP TRIGGER reports_frozen ON test_coordination.reports")
	if _, err := pool.Exec(t.Context(), strings.Join(statements, ";")); err != nil {
		t.Fatal(err)
	}
}

// kept is a copy of a table's rows.
type kept struct {
	t     testing.TB
	pool  *pgxpool.Pool
	table string
}

func keep(t testing.TB, pool *pgxpool.Pool, table string) kept {
	t.Helper()
	k := kept{t, pool, table}
	k.exec("CREATE TABLE public.kept AS SELECT * FROM test_coordination." + table)
	return k
}

func (k kept) restore() {
	k.t.Helper()
	k.exec("DELETE FROM test_coordination." + k.table + "; INSERT INTO test_coordination." + k.table + " SELECT * FROM public.kept; DROP TABLE public.kept")
}

func (k kept) exec(statements string) {
	k.t.Helper()
	if _, err := k.pool.Exec(context.Background(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		k.t.Fatal(err)
	}
}

package pgstore_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// fillListed makes 40,000 runs, of which every tenth is of a group, of a scenario,
// pinned and with active faults; an id with 10,000 runs; and a run with as many
// events, lines, parts and snapshots.
const fillListed = `
SELECT test_coordination.ensure_partitions('2026-01-01', '2026-12-31', 'month');
INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, scenario_id, group_id, pinned, faults_active, marks, created_at, updated_at, ended_at)
SELECT 'exec-' || lpad(n::text, 6, '0'), 1, date '2026-01-01' + n % 300, 1, (ARRAY['passed', 'failed', 'error', 'running', 'timeout'])[1 + n % 5], 'running', 'scenario-' || n % 10, 'group-' || n % 10, n % 10 = 0,
  CASE WHEN n % 10 = 0 THEN 2 ELSE 0 END, ''::bytea, timestamptz '2026-01-01Z' + n * interval '1 minute', now(), CASE WHEN n % 5 <> 3 THEN now() END
FROM generate_series(1, 40000) AS n;
INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at)
SELECT 'again', n, date '2026-01-01', 1, 'passed', 'running', ''::bytea, timestamptz '2026-01-01Z' + n * interval '1 minute', now() FROM generate_series(1, 10000) AS n;
INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, marks, created_at, updated_at)
VALUES ('long', 1, '2026-02-01', 1, 'passed', 'running', ''::bytea, '2025-12-31Z', now());
INSERT INTO test_coordination.execution_ids (execution_id, latest_run, first_seen_at) SELECT execution_id, max(run), now() FROM test_coordination.executions GROUP BY execution_id;
INSERT INTO test_coordination.fault_injections (bucket, execution_id, run, fault_id, status, marks)
SELECT e.bucket, e.execution_id, 1, f, 'injected', ''::bytea FROM test_coordination.executions AS e, unnest(ARRAY['a', 'b']) AS f WHERE e.faults_active > 0;
INSERT INTO test_coordination.execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, digest, digest_version, correlation_id, data, recorded_at)
SELECT date '2026-02-01', 'long', 1, sha256(int4send(n)), int8send(n), n, 'type', 's', n::text, now(), ''::bytea, 1, 'c-long', '{}', now() FROM generate_series(1, 40000) AS n;
INSERT INTO test_coordination.execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, digest, digest_version, correlation_id, data, recorded_at)
SELECT e.bucket, e.execution_id, 1, sha256(convert_to(e.execution_id, 'UTF8')), int8send(1), 1, 'type', 's', '1', now(), ''::bytea, 1, 'c' || n, '{}', now()
FROM (SELECT *, row_number() OVER (ORDER BY execution_id) AS n FROM test_coordination.executions WHERE run = 1) AS e;
INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
SELECT date '2026-02-01', 'long', 1, timestamptz '2026-02-01Z' + n * interval '1 second', n, 0, 'message' FROM generate_series(1, 40000) AS n;
INSERT INTO test_coordination.execution_phases (bucket, execution_id, run, phase, phase_hash, status, marks)
SELECT date '2026-02-01', 'long', 1, 'p' || n, sha256(convert_to('p' || n, 'UTF8')), 'passed', ''::bytea FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.execution_steps (bucket, execution_id, run, step_id, attempt, kind, status, marks)
SELECT date '2026-02-01', 'long', 1, 's' || lpad(n::text, 6, '0'), 1, 'action', 'passed', ''::bytea FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.fault_injections (bucket, execution_id, run, fault_id, status, marks)
SELECT date '2026-02-01', 'long', 1, 'f' || lpad(n::text, 6, '0'), 'cleared', ''::bytea FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.validation_results (bucket, execution_id, run, validation_id, order_key, assertion_type, status, recorded_at, correlation_id)
SELECT date '2026-02-01', 'long', 1, 'v' || lpad(n::text, 6, '0'), int8send(n), 'a', 'passed', now(), 'c-long' FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.system_snapshots (bucket, execution_id, run, snapshot_id, arrival, order_key, kind, captured_at)
SELECT date '2026-02-01', 'long', 1, 'n' || lpad(n::text, 6, '0'), n, int8send(n), 'manual', now() FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.execution_annotations (bucket, execution_id, run, order_key, annotated_at, text)
SELECT date '2026-02-01', 'long', 1, int8send(n), now(), 't' FROM generate_series(1, 20000) AS n;
INSERT INTO test_coordination.reports (bucket, execution_id, run, revision, sha256, builder, body, size_bytes, run_version, chain, status, scenario_id, environment, group_id, attempt, started_at, ended_at, created_at)
SELECT date '2026-01-01' + n % 300, 'exec-' || lpad(n::text, 6, '0'), 1, 1, sha256(int4send(n)), '1', repeat('x', 500)::bytea, 500, 1, sha256(int4send(n)),
  (ARRAY['passed', 'failed', 'error', 'cancelled', 'timeout'])[1 + n % 5], 'scenario-' || n % 10, 'staging', CASE WHEN n % 10 = 3 THEN 'group-' || n / 40 WHEN n % 10 = 4 THEN 'all' ELSE '' END, 1 + n % 4,
  timestamptz '2026-01-01Z' + n * interval '1 minute', timestamptz '2026-01-01Z' + n * interval '1 minute', timestamptz '2026-01-01Z' + n * interval '1 minute'
FROM generate_series(1, 40000) AS n WHERE n % 10 <> 4 OR n <= 1000;
INSERT INTO test_coordination.reports (bucket, execution_id, run, revision, sha256, builder, body, size_bytes, run_version, chain, status, scenario_id, environment, created_at)
SELECT date '2026-02-01', 'long', 1 + n / 5, 1 + n % 5, sha256(int8send(n)), '1', ''::bytea, 0, 1, sha256(int8send(n)), 'passed', 'long', 'staging', timestamptz '2026-01-01Z' + n * interval '1 minute' FROM generate_series(0, 9999) AS n;
INSERT INTO test_coordination.report_queue (execution_id, run, version, due_at, enqueued_at)
SELECT 'exec-' || lpad(n::text, 6, '0'), 1, 1, now() + n * interval '1 second' - interval '1 hour', now() FROM generate_series(1, 40000) AS n;
`

// A list costs what its page costs, wherever it begins, with statistics or
// without.
func TestListsGoAlongKeysAndAPageFarInCostsWhatTheFirstDoes(t *testing.T) {
	t.Parallel()
	const (
		newest = "'9999-12-31', '', 0"
		oldest = "'2026-01-02', '', 0" // a day after the first
		ofLong = "'long', 1, '2026-02-01', "
	)
	lists := map[string]struct {
		index      string
		first, far string // parameters
		sorts      bool   // a page's worth
	}{
		"RunsByCreation":    {"executions_created_idx", newest + ", '0001-01-01', 50", oldest + ", '0001-01-01', 50", false},
		"RunsOfID":          {"executions_pkey", "'again', 2147483647, 50", "'again', 100, 50", false},
		"RunsOfGroup":       {"executions_group_idx", "'group-3', " + newest + ", '0001-01-01', 50", "'group-3', " + oldest + ", '0001-01-01', 50", false},
		"RunsOfScenario":    {"executions_scenario_idx", "'scenario-3', " + newest + ", '0001-01-01', 50", "'scenario-3', " + oldest + ", '0001-01-01', 50", false},
		"RunsOfStatuses":    {"executions_status_idx", "'{passed,failed}', " + newest + ", '0001-01-01', 50", "'{passed,failed}', " + oldest + ", '0001-01-01', 50", true},
		"PinnedRuns":        {"executions_pinned_idx", newest + ", '0001-01-01', 50", oldest + ", '0001-01-01', 50", false},
		"LiveRuns":          {"executions_live_idx", "'', 0, 50", "'exec-039000', 1, 50", false},
		"TimelineAfter":     {"order_key", ofLong + "'', 50", ofLong + "int8send(39000), 50", false},
		"TimelineBefore":    {"order_key", ofLong + `'\xff', 50`, ofLong + "int8send(1000), 50", false},
		"LogsAfter":         {"logged_at", ofLong + "'0001-01-01', 0, 0, '9999-12-31', 50", ofLong + "'2026-02-01 10:00Z', 0, 0, '9999-12-31', 50", false},
		"LogsBefore":        {"logged_at", ofLong + "'9999-12-31', 0, 0, '0001-01-01', 50", ofLong + "'2026-02-01 01:00Z', 0, 0, '0001-01-01', 50", false},
		"PhasesPage":        {"phase_hash", ofLong + "'', 50", ofLong + `'\xf0', 50`, false},
		"StepsPage":         {"step_id", ofLong + "'', 0, 50", ofLong + "'s019000', 1, 50", false},
		"FaultsPage":        {"fault_id", ofLong + "'', 50", ofLong + "'f019000', 50", false},
		"ValidationsPage":   {"validation_id", ofLong + "'', 50", ofLong + "'v019000', 50", false},
		"SnapshotsPage":     {"snapshot_id", ofLong + "'', 50", ofLong + "'n019000', 50", true},
		"AnnotationsPage":   {"order_key", ofLong + "'', 50", ofLong + "int8send(19000), 50", false},
		"ActiveFaults":      {"executions_faults_active_idx", "'', 0, '', 50", "'exec-039000', 1, 'a', 50", true},
		"OrphaningRuns":     {"executions_faults_active_idx", "'', 0, 50", "'exec-039000', 1, 50", false},
		"ReportsByCreation": {"created_at", newest + ", 0, '0001-01-01', 50", oldest + ", 0, '0001-01-01', 50", false},
		"ReportsOfScenario": {"scenario_id", "'scenario-3', " + newest + ", 0, '0001-01-01', 50", "'scenario-3', " + oldest + ", 0, '0001-01-01', 50", false},
		"ReportsOfStatus":   {"status", "'failed', " + newest + ", 0, '0001-01-01', 50", "'failed', " + oldest + ", 0, '0001-01-01', 50", false},
		"ReportsOfGroup":    {"group_id", "'all', " + newest + ", 0, '0001-01-01', 50", "'all', '2026-01-01 12:00Z', '', 0, 0, '0001-01-01', 50", false},
		"ReportsOfID":       {"execution_id", "'long', 2147483647, 0, 50", "'long', 100, 0, 50", false},
		"PreviousReports":   {"ended_at", "'scenario-3', 'staging', '9999-12-31', '', 5", "'scenario-3', 'staging', '2026-01-02', '', 5", true},
		"RunsOfCorrelation": {"correlation_id", "101, 'c-long', 1000", "101, 'c39000', 1000", true},
	}
	for _, state := range []string{"not analyzed", "analyzed"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			conn := planningConn(t)
			if _, err := conn.PgConn().Exec(t.Context(), fillListed).ReadAll(); err != nil {
				t.Fatal(err)
			}
			if state == "analyzed" {
				if _, err := conn.Exec(t.Context(), "ANALYZE"); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range slices.Concat(reading(new(int)), apiCalls(new(int)), reportCalls(new(int))) {
				if _, listed := lists[c.method]; listed {
					if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
						t.Fatalf("%s: %v", c.method, err)
					}
				}
			}
			plans, names := preparedPlans(t, conn), preparedNames(t, conn)
			for name, list := range lists {
				plan := plans[name]
				if !strings.Contains(plan, list.index) {
					t.Errorf("%s does not go along %s:\n%s", name, list.index, plan)
				}
				bad := []string{"Seq Scan on", "Hash Join", "Merge Join", "Bitmap"}
				if !list.sorts {
					bad = append(bad, "Sort  (")
				}
				for _, bad := range bad {
					if strings.Contains(plan, bad) {
						t.Errorf("%s: %s in\n%s", name, bad, plan)
					}
				}
				first, rows := executed(t, conn, names[name], list.first)
				far, farRows := executed(t, conn, names[name], list.far)
				if rows == 0 || farRows == 0 {
					t.Errorf("%s: %d rows in the first page and %d far in", name, rows, farRows)
				}
				// The rows of a page lie on as many blocks as it has rows, or on few.
				if far > 2*first+100 {
					t.Errorf("%s: the first page touches %d blocks, one far in %d", name, first, far)
				}
				if first > 1000 {
					t.Errorf("%s: the first page touches %d blocks", name, first)
				}
			}
		})
	}
}

// Leases that ran out and were never released stay for ever. Who lists what is
// held does not meet them, on whatever page.
func TestLeasesThatRanOutCostNothing(t *testing.T) {
	t.Parallel()
	conn := planningConn(t)
	fill := func(from, to int, lasts string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `INSERT INTO test_coordination.execution_locks (name, holder, token, state, acquired_at, renewed_at, expires_at)
			SELECT 'lock-' || lpad((n * 7919 % 100000)::text, 5, '0'), 'h', 1, 'held', now(), now(), now() + $3::interval FROM generate_series($1::int, $2::int) AS n`, from, to, lasts)
		if err != nil {
			t.Fatal(err)
		}
	}
	// cost is how many blocks the first page touches and one in the middle, each of 20 rows.
	cost := func() (first, middle int) {
		t.Helper()
		if _, err := dbsqlc.New(conn).HeldLocks(t.Context(), "", 20); err != nil {
			t.Fatal(err)
		}
		name := preparedNames(t, conn)["HeldLocks"]
		first, rows := executed(t, conn, name, "'', 20")
		middle, middleRows := executed(t, conn, name, "'lock-50000', 20")
		if rows != 20 || middleRows != 20 {
			t.Errorf("%d rows in the first page and %d in the middle", rows, middleRows)
		}
		return first, middle
	}
	fill(1, 100, "1 hour")
	before, middleBefore := cost()
	fill(101, 50_000, "-1 second")
	for _, state := range []string{"not analyzed", "analyzed"} {
		if state == "analyzed" {
			if _, err := conn.Exec(t.Context(), "ANALYZE test_coordination.execution_locks"); err != nil {
				t.Fatal(err)
			}
		}
		if first, middle := cost(); first > 3*before || middle > 3*middleBefore {
			t.Errorf("%s: pages touch %d and %d blocks, %d and %d before 50,000 leases had run out", state, first, middle, before, middleBefore)
		}
	}
}

// preparedNames are the names of the prepared statements by those of their
// queries.
func preparedNames(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT name, statement FROM pg_prepared_statements", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	var name, statement string
	_, err = pgx.ForEachRow(rows, []any{&name, &statement}, func() error {
		if query := statementName.FindStringSubmatch(statement); query != nil {
			names[query[1]] = name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// executed is how many blocks a prepared statement touches, and how many rows it
// gives.
func executed(t *testing.T, conn *pgx.Conn, name, parameters string) (blocks, rows int) {
	t.Helper()
	var plan []struct {
		Plan struct {
			Hit  int     `json:"Shared Hit Blocks"`
			Read int     `json:"Shared Read Blocks"`
			Rows float64 `json:"Actual Rows"`
		} `json:"Plan"`
	}
	var text []byte
	err := conn.QueryRow(t.Context(), fmt.Sprintf("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE %s(%s)", pgx.Identifier{name}.Sanitize(), parameters), pgx.QueryExecModeSimpleProtocol).Scan(&text)
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		t.Fatalf("%s(%s): %v", name, parameters, err)
	}
	return plan[0].Plan.Hit + plan[0].Plan.Read, int(plan[0].Plan.Rows)
}

package bench_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bench"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// stored are rows as no workload has them: NULLs beside values, arrays of
// several elements, quotes, an empty array, more rows than a statement takes.
const stored = `
SET search_path = test_coordination, public;
INSERT INTO execution_ids VALUES ('a', 2, '{2026-01-01,2026-02-01}', now(), now()), ('b', 1, '{}', now(), NULL);
INSERT INTO executions (execution_id, run, bucket, version, run_id, status, lifecycle, marks, created_at, updated_at, progress, message)
	SELECT id, 1, '2026-01-01', 7, nullif('run-' || id, 'run-b'), 'running', 'running', '\x00ff', now(), now(), 0.25, E'a "quoted", {braced}\n\\ text'
	FROM unnest('{a,b}'::text[]) AS id;
INSERT INTO execution_details (execution_id, run, labels, parameters, summary) VALUES ('a', 1, '{"x": [1, null, "\""]}', NULL, '{}'), ('b', 1, NULL, NULL, NULL);
INSERT INTO execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, digest_version,
		topic, partition, kafka_offset, data, recorded_at)
	SELECT '2026-01-01', CASE WHEN n % 3 = 0 THEN 'b' ELSE 'a' END, 1, sha256(int4send(n)), int4send(n), n, 'heartbeat', '/x', n::text, now(), nullif(n % 5, 0), '\x01', 1,
		't', n % 4, n, jsonb_build_object('n', n), now()
	FROM generate_series(1, 2500) AS n;
INSERT INTO execution_steps (bucket, execution_id, run, step_id, attempt, kind, status, marks)
	SELECT '2026-01-01', 'a', 1, 'step-' || n, 1, 'wait', 'passed', '\x' FROM generate_series(1, 90) AS n;
INSERT INTO system_snapshots VALUES ('2026-01-01', 'a', 1, 's', 1, '\x', 'manual', '', '', now(), '', '{ "b":1,  "a":2 }', '{"m": 1e300}');
INSERT INTO execution_logs SELECT '2026-01-01', 'a', 1, now(), 1, line, '', '', '', '', 'x' FROM generate_series(0, 1499) AS line;
`

// The ceiling's database holds, row for row and table for table, what the
// service's holds; and a difference would be seen.
func TestCeilingHasTheServicesRows(t *testing.T) {
	t.Parallel()
	from, to := connect(t, testenv.Postgres(t)), connect(t, testenv.Postgres(t))
	if _, err := from.PgConn().Exec(t.Context(), stored).ReadAll(); err != nil {
		t.Fatal(err)
	}
	batches, err := bench.CopyRows(t.Context(), from, to, 100)
	if err != nil {
		t.Fatal(err)
	}
	if batches < 25 || batches > 28 { // a batch is of one partition, and each of the four may have a smaller last one
		t.Errorf("2,500 events in %d batches of 100", batches)
	}
	for spoil, changes := range map[string]int64{
		"UPDATE test_coordination.execution_logs SET message = 'y' WHERE line = 700":                 1,
		"UPDATE test_coordination.execution_ids SET buckets = '{2026-01-01}' WHERE latest_run = 2":   1,
		"UPDATE test_coordination.execution_events SET sequence = 0 WHERE kafka_offset = 2500":       1,
		"UPDATE test_coordination.system_snapshots SET state = '{\"b\":1, \"a\":2}'":                 1,
		"DELETE FROM test_coordination.execution_steps WHERE step_id = 'step-1'":                     1,
		"UPDATE test_coordination.executions SET message = 'never' WHERE execution_id = 'not there'": 0,
	} {
		if _, err := to.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		tag, err := to.Exec(t.Context(), spoil)
		if err != nil || tag.RowsAffected() != changes {
			t.Fatalf("%s: %v, %v", spoil, tag, err)
		}
		if differs := bench.CompareRows(t.Context(), from, to) != nil; differs != (changes > 0) {
			t.Errorf("after %q, which changes %d rows: a difference is seen: %t", spoil, changes, differs)
		}
		if _, err := to.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, db *testenv.DB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) }) // the test is over
	return conn
}

// The time of children counts for their parent, also when they have ended.
func TestProcessorTimeOfAFamily(t *testing.T) {
	t.Parallel()
	before, err := bench.ProcessorSeconds(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Other tests of this process may use more meanwhile, never less.
	busy := exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
	if err := busy.Run(); err != nil {
		t.Fatal(err)
	}
	used := (busy.ProcessState.UserTime() + busy.ProcessState.SystemTime()).Seconds()
	after, err := bench.ProcessorSeconds(os.Getpid())
	if err != nil || after-before < used-0.03 { // the kernel counts in hundredths
		t.Errorf("%v s more, a child used %v s; %v", after-before, used, err)
	}
	if peak, err := bench.PeakMemory(os.Getpid()); err != nil || peak < 1<<20 {
		t.Errorf("a peak of %d bytes, %v", peak, err)
	}
}

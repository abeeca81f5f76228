package main

import (
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A seeded database has as much as was asked for, in partitions of its own, and
// is not seeded again.
func TestSeed(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	args := []string{"seed", "--postgres-url=" + db.URL, "--executions=300", "--log-lines=1200"}
	if got := lab(t, nil, args...); got.code != 0 {
		t.Fatalf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
	var runs, ids, lines, events, active, stray int
	err := db.Pool(t).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM test_coordination.executions), (SELECT count(*) FROM test_coordination.execution_ids),
		(SELECT count(*) FROM test_coordination.execution_logs), (SELECT count(*) FROM test_coordination.execution_events),
		(SELECT count(*) FROM test_coordination.fault_injections WHERE status = 'injected'), (SELECT sum(stray) FROM test_coordination.stray_rows())`).Scan(&runs, &ids, &lines, &events, &active, &stray)
	if err != nil {
		t.Fatal(err)
	}
	// 300 runs of three events and two lines each, and one of 600 events and lines.
	if runs != 301 || ids != 301 || lines != 1200 || events != 1500 || active != 30 || stray != 0 {
		t.Errorf("%d runs of %d ids, %d lines, %d events, %d active faults, %d stray rows", runs, ids, lines, events, active, stray)
	}
	if got := lab(t, nil, args...); got.code != exitFailed || !strings.Contains(got.errors, "has executions already") {
		t.Errorf("a second time: exit code %d, says %s", got.code, got.errors)
	}
	if got := lab(t, nil, "seed"); got.code != exitUsage || !strings.Contains(got.errors, "--postgres-url") {
		t.Errorf("without a database: exit code %d, says %s", got.code, got.errors)
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// An operator sees what would go, keeps some of it, and removes the rest.
func TestRetention(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	i := &installation{TB: t, db: db, env: map[string]string{"TEST_COORDINATOR_ADAPTER_POSTGRES_URL": db.URL}}
	_, err := db.Pool(t).Exec(t.Context(), `SELECT test_coordination.ensure_partitions('2020-05-01', '2020-05-01', 'month');
		INSERT INTO test_coordination.execution_ids (execution_id, latest_run, buckets, first_seen_at)
		SELECT id, 1, '{2020-05-17}', '2020-05-17' FROM unnest('{goes,held,pinned}'::text[]) AS id;
		INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, ended_at, log_lines, marks, created_at, updated_at, settled_change_at, pinned)
		SELECT id, 1, '2020-05-17', 1, 'passed', 'running', '2020-05-17', 100, '', '2020-05-17', '2020-05-17', '2020-05-17', id = 'pinned' FROM unnest('{goes,held,pinned}'::text[]) AS id`)
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := i.tcda(0, "retention", "plan"); out != "nothing is removed, for no policy is set: 3 runs are kept\n" {
		t.Errorf("without a policy: %q", out)
	}
	i.env["TEST_COORDINATOR_ADAPTER_RETENTION_DAYS"] = "30"
	if _, failed := i.tcda(2, "retention", "hold", "add", "--execution=held", "--reason="); !strings.Contains(failed, "a hold needs a reason") {
		t.Errorf("a hold without a reason: %q", failed)
	}
	if out, _ := i.tcda(0, "retention", "hold", "add", "--execution=held", "--reason=case 7\x1b[2J"); out != "hold 1 placed: execution held\n" {
		t.Errorf("hold: %q", out)
	}
	if out, _ := i.tcda(0, "retention", "hold", "list"); !strings.Contains(out, `execution held  case 7`) || strings.Contains(out, "\x1b") {
		t.Errorf("holds: %q", out)
	}
	var plan planReport
	out, _ := i.tcda(0, "retention", "plan", "--json")
	if err := json.Unmarshal([]byte(out), &plan); err != nil || plan.Affected != 1 || plan.Kept["held"] != 1 || plan.Kept["pinned"] != 1 || plan.Runs != 3 {
		t.Errorf("plan %s, error %v", out, err)
	}
	if _, said := i.tcda(2, "retention", "run"); !strings.Contains(said, "add --yes") {
		t.Errorf("without --yes: %q", said)
	}
	var done runReport
	out, _ = i.tcda(0, "retention", "run", "--yes", "--json")
	if err := json.Unmarshal([]byte(out), &done); err != nil || len(done.Goes) != 6 || done.Pending != 0 {
		t.Errorf("pass %s, error %v", out, err)
	}
	i.tcda(0, "retention", "hold", "lift", "1", "--reason=closed")
	i.tcda(1, "retention", "hold", "lift", "1", "--reason=again")
	if out, _ := i.tcda(0, "retention", "plan"); !strings.Contains(out, "1 of 2 runs lose something") || !strings.Contains(out, "kept all the same: 1 (pinned)") {
		t.Errorf("plan after the hold: %q", out)
	}
}

// What is wrong with the file of policies are problems of the settings, each with its
// line.
func TestRetentionFileIsChecked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "retention.yaml")
	if err := os.WriteFile(path, []byte("policies:\n- name: a\n  keep: never\n- keep: {age: 30d}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &installation{TB: t, env: map[string]string{"TEST_COORDINATOR_ADAPTER_RETENTION_FILE": path, "TEST_COORDINATOR_ADAPTER_RETENTION_DAYS": "-1"}}
	_, said := i.tcda(2, "config", "check")
	for _, want := range []string{"3 problem(s)", "retention-days", path + ":3", "policies[0].keep: must be age", path + ":4", "policies[1].name: is missing"} {
		if !strings.Contains(said, want) {
			t.Errorf("config check says %q, want also %q", said, want)
		}
	}
}

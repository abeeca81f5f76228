package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// tcda runs the program with an environment of these settings.
func tcda(t *testing.T, env map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	code = run(t.Context(), args, lookup, console{in: strings.NewReader(stdin), out: &out, err: &err})
	return code, out.String(), err.String()
}

func TestMigrateUpAndStatus(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	env := map[string]string{"TEST_COORDINATOR_ADAPTER_POSTGRES_URL": strings.Replace(db.URL, "postgres://", "postgresql+asyncpg://", 1)}

	if code, _, stderr := tcda(t, env, "", "migrate", "status"); code != 1 || !strings.Contains(stderr, "the database has no schema yet: run tcda migrate up") {
		t.Errorf("status before: %d %s", code, stderr)
	}
	code, stdout, stderr := tcda(t, env, "", "migrate", "up")
	if code != 0 || !strings.Contains(stdout, "applying ") || !strings.Contains(stdout, "the database is current") {
		t.Fatalf("up: %d %s %s", code, stdout, stderr)
	}
	if code, stdout, _ := tcda(t, env, "", "migrate", "up"); code != 0 || stdout != "0 migrations applied, the database is current\n" {
		t.Errorf("up again: %d %s", code, stdout)
	}
	if code, stdout, stderr := tcda(t, env, "", "migrate", "status"); code != 0 || !strings.Contains(stdout, "initial  applied at ") || stderr != "" {
		t.Errorf("status: %d %s %s", code, stdout, stderr)
	}
	code, stdout, stderr = tcda(t, env, "", "migrate", "status", "--json")
	var report pgmigrate.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || report.Current == "" || report.Current != report.Latest {
		t.Errorf("status --json: %d %v %s %s", code, err, stdout, stderr)
	}
}

func TestMigrateUpWithoutServer(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TEST_COORDINATOR_ADAPTER_POSTGRES_URL": "postgres://tcda:very-secret@127.0.0.1:1/none"}
	code, _, stderr := tcda(t, env, "", "migrate", "up")
	if code != 1 || !strings.HasPrefix(stderr, "tcda: connect: ") || strings.Contains(stderr, "very-secret") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestMigrateCheckAndDiff(t *testing.T) {
	t.Parallel()
	server := "--dev-url=" + testenv.EmptyPostgres(t).ServerURL
	if code, stdout, stderr := tcda(t, nil, "", "migrate", "check", server); code != 0 || stdout != "schema.sql and the migrations make the same schema\n" {
		t.Errorf("check: %d %s %s", code, stdout, stderr)
	}
	if code, stdout, stderr := tcda(t, nil, "", "migrate", "diff", server); code != 0 || stdout != "No change of the schema.\n" {
		t.Errorf("diff: %d %s %s", code, stdout, stderr)
	}
	former := strings.Replace(schema.Desired, "fillfactor = 70", "fillfactor = 60", 1)
	code, stdout, stderr := tcda(t, nil, former, "migrate", "diff", "--from=-", server)
	if code != 0 || !strings.Contains(stdout, "+ storage parameter fillfactor=70\n") || !strings.Contains(stdout, "SET (fillfactor = 70);") {
		t.Errorf("diff --from=-: %d %s %s", code, stdout, stderr)
	}
}

// Without a server one is started for as long as the command runs.
func TestMigrateLintOnServerOfItsOwn(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := tcda(t, nil, "", "migrate", "lint", "--json")
	if code != 0 || stdout != "[]\n" {
		t.Errorf("lint: %d %s %s", code, stdout, stderr)
	}
}

// To have found nothing is told apart from not having looked.
func TestMigrateLintSaysWhereItLooked(t *testing.T) {
	t.Parallel()
	server := "--dev-url=" + testenv.EmptyPostgres(t).ServerURL
	for latest, want := range map[string]string{
		"-1": "nothing dangerous in any migration\n", "0": "no migration to look at\n", "1": "nothing dangerous in the latest migrations looked at: 1\n",
	} {
		if code, stdout, stderr := tcda(t, nil, "", "migrate", "lint", "--latest="+latest, server); code != 0 || stdout != want {
			t.Errorf("lint --latest=%s: %d %s %s", latest, code, stdout, stderr)
		}
	}
}

func TestMigrateNew(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "migrations"), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "schema.sql")
	changed := strings.Replace(schema.Desired, "fillfactor = 70", "fillfactor = 60", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"migrate", "new", "--dir", filepath.Join(folder, "migrations"), "--schema-file", file, "--dev-url", testenv.EmptyPostgres(t).ServerURL}

	if code, stdout, stderr := tcda(t, nil, "", append(args, "less_room")...); code != 0 || !strings.Contains(stdout, "_less_room.sql: 1 statements") {
		t.Errorf("new: %d %s %s", code, stdout, stderr)
	}
	if code, stdout, stderr := tcda(t, nil, "", append(args, "more")...); code != 0 || !strings.Contains(stdout, "nothing to write") {
		t.Errorf("new without a change: %d %s %s", code, stdout, stderr)
	}
	if code, _, stderr := tcda(t, nil, "", append(args, "more", "--rewrite")...); code != 1 || !strings.Contains(stderr, "either the name") {
		t.Errorf("new with name and --rewrite: %d %s", code, stderr)
	}
	// Dropping a partition drops rows, so it is left to the author.
	without := strings.Replace(changed, `CREATE TABLE "test_coordination"."execution_logs_default"`, `-- `, 1)
	if err := os.WriteFile(file, []byte(without), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := tcda(t, nil, "", append(args, "by_hand")...)
	if code != 1 || !strings.Contains(stdout, "table test_coordination.execution_logs_default (removed)") {
		t.Errorf("new with a rest: %d %s", code, stdout)
	}
	if code, _, stderr := tcda(t, nil, "", "migrate", "hash", "--dir", filepath.Join(folder, "migrations")); code != 0 {
		t.Errorf("hash: %d %s", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if code, stdout, _ := tcda(t, nil, "", "version"); code != 0 || !strings.HasPrefix(stdout, "tcda ") {
		t.Errorf("version: %d %s", code, stdout)
	}
	code, stdout, _ := tcda(t, nil, "", "version", "--json")
	var build telemetry.Build
	if err := json.Unmarshal([]byte(stdout), &build); err != nil || code != 0 || build.Version == "" || build.Go == "" {
		t.Errorf("version --json: %d %v %s", code, err, stdout)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	if code, stdout, stderr := tcda(t, nil, "", "--help"); code != 0 || !strings.Contains(stdout, "Usage: tcda <command>") || !strings.Contains(stdout, "  schedules <command>") || strings.Contains(stdout, "--postgres-url") || stderr != "" {
		t.Errorf("--help: %d %s %s", code, stdout, stderr)
	}
	if code, _, stderr := tcda(t, nil, "", "migrate", "sideways"); code != exitUsage || !strings.Contains(stderr, "sideways") {
		t.Errorf("unknown command: %d %s", code, stderr)
	}
}

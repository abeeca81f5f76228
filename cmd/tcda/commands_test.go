package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"))
	i.serve()
	stdout, _ := i.tcda(0, "verify")
	for _, want := range []string{"runs                   1\n", "live states            1\n", "nothing differs\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("verify lacks %q:\n%s", want, stdout)
		}
	}
	if report := object[verify.Report](i, 0, "verify"); report.Runs != 1 || !report.Clean() {
		t.Errorf("verify --json: %+v", report)
	}
	if _, err := i.db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.executions SET coordinator_id = E'other\x1b[2J'"); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := i.tcda(1, "verify", "--live-grace=100ms"); !strings.Contains(stdout, "difference: run exec-1/1: Run.CoordinatorID is \"other\\") || strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, "difference: live state of exec-1: Coordinator is \"\", expected \"other\\") || !strings.HasSuffix(stdout, "2 differences\n") {
		t.Errorf("verify:\n%q", stdout)
	}
	if report := object[verify.Report](i, 1, "verify", "--live-grace=100ms"); len(report.Differences) != 2 {
		t.Errorf("verify --json: %+v", report)
	}
	if stdout, _ := i.tcda(1, "verify", "--no-redis-enabled"); !strings.Contains(stdout, "not verifiable: live states: Redis is not in use\n") {
		t.Errorf("verify without Redis:\n%s", stdout)
	}
}

// A database of another version is refused by exit code 3, and the message
// says what to do.
func TestAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	older, newer := testenv.EmptyPostgres(t), testenv.Postgres(t)
	if _, err := newer.Pool(t).Exec(t.Context(), `INSERT INTO test_coordination.atlas_schema_revisions
		SELECT (jsonb_populate_record(r, '{"version": "99991231000000"}')).* FROM test_coordination.atlas_schema_revisions AS r LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	for url, says := range map[string]string{
		older.URL: "the database has no schema yet: run tcda migrate up",
		newer.URL: "upgrade the program",
	} {
		for _, command := range []string{"serve --http-listen=127.0.0.1:0", "verify", "quarantine list", "partitions list", "outbox list"} {
			env := map[string]string{"TEST_COORDINATOR_ADAPTER_POSTGRES_URL": url, "TEST_COORDINATOR_ADAPTER_REDIS_ENABLED": "false"}
			code, _, stderr := tcda(t, env, "", strings.Fields(command)...)
			if code != exitSchema || !strings.Contains(stderr, says) {
				t.Errorf("%s: exit code %d, %s; want %d, %q", command, code, stderr, exitSchema, says)
			}
		}
	}
}

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{"TEST_COORDINATOR_ADAPTER_HTTP_LISTEN": "x", "TEST_COORDINATOR_ADAPTER_POSTGRES_URL": "mysql://u:hunter2@h/d"}
	if code, stdout, stderr := tcda(t, nil, "", "config", "check"); code != 0 || stdout != "the settings can be used\n" || stderr != "" {
		t.Errorf("check: %d %s%s", code, stdout, stderr)
	}
	if code, _, stderr := tcda(t, wrong, "", "config", "check"); code != exitUsage || strings.Count(stderr, "\n") != 3 || strings.Contains(stderr, "hunter2") {
		t.Errorf("check: %d %s", code, stderr)
	}
	code, stdout, stderr := tcda(t, wrong, "", "config", "check", "--json")
	var report struct {
		Valid    bool            `json:"valid"`
		Problems []configProblem `json:"problems"`
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitUsage || report.Valid || len(report.Problems) != 2 || stderr != "" {
		t.Errorf("check --json: %d %s%s (%v)", code, stdout, stderr, err)
	}
	if code, stdout, _ := tcda(t, wrong, "", "config", "print"); code != 0 || !strings.Contains(stdout, "http-listen: x\n") || strings.Contains(stdout, "hunter2") {
		t.Errorf("print: %d %s", code, stdout)
	}
	var values map[string]string
	code, stdout, _ = tcda(t, wrong, "", "config", "print", "--json")
	if err := json.Unmarshal([]byte(stdout), &values); err != nil || code != 0 || values["http-listen"] != "x" || values["kafka-group-id"] != "test-coordinator-adapter" {
		t.Errorf("print --json: %d %s (%v)", code, stdout, err)
	}
	// Commands that use settings refuse these; version needs none.
	for _, command := range []string{"serve", "verify", "quarantine list", "partitions list", "outbox list", "migrate up"} {
		if code, _, stderr := tcda(t, wrong, "", strings.Fields(command)...); code != exitUsage || !strings.Contains(stderr, "configuration: 2 problem(s)") {
			t.Errorf("%s: exit code %d, %s", command, code, stderr)
		}
	}
	if code, _, stderr := tcda(t, wrong, "", "version"); code != 0 {
		t.Errorf("version: exit code %d, %s", code, stderr)
	}
}

func TestEveryCommandSaysItsExitCodes(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"serve", "verify", "quarantine list", "quarantine show", "quarantine requeue", "quarantine discard", "partitions list", "partitions reset", "partitions accept-gap", "outbox list", "outbox release", "outbox discard", "contract check",
		"scenarios validate", "templates render",
		"export", "import chaostoolkit",
		"access token", "access check",
	} {
		code, stdout, _ := tcda(t, nil, "", append(strings.Fields(command), "--help")...)
		if code != 0 || !strings.Contains(stdout, "Exit codes: 0 ") {
			t.Errorf("%s --help: exit code %d\n%s", command, code, stdout)
		}
	}
}

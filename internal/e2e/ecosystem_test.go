package e2e_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The service is a guest: its database, its schema, its roles and its Redis are
// those of the ecosystem, made by others, with rights that are none too many. It
// is told of them by the names that are in use there, and by nothing else.
//
// First Redis is as narrow as it is there, and the service says what it lacks;
// then those lines are run as they were printed, and it has everything.
func TestServiceLivesInItsWorld(t *testing.T) {
	t.Parallel()
	redis := testenv.Redis(t, "maxmemory 100mb", "maxmemory-policy allkeys-lfu",
		"user test-coordinator-adapter on >"+ecosystemPassword+" ~test:* +@read +@write +@keyspace -@dangerous")
	eco := newEcosystemDatabase(t)
	w := worldOf(t, testenv.Broker(t), redis, map[string]string{
		"POSTGRES_URL": strings.Replace(eco.as("test_coordinator_adapter"), "postgres://", "postgresql+asyncpg://", 1),
		"REDIS_URL":    "redis://test-coordinator-adapter:" + ecosystemPassword + "@" + redis.Addr() + "/0",
		// A busy machine is nothing to complain about.
		"REDIS_TIMEOUT": "1m", "REDIS_CONNECT_TIMEOUT": "1m",
	})

	eco.mustDeny("test_coordinator_adapter", "CREATE SCHEMA another")
	eco.mustDeny("test_coordinator_adapter", "CREATE SCHEMA IF NOT EXISTS test_coordination")
	eco.mustDeny("test_coordinator_adapter", "CREATE ROLE another")
	start(t, w.env, "tcda", "config", "check").wantSuccess()
	start(t, w.env, "tcda", "migrate", "up").wantSuccess()
	start(t, w.env, "tcda", "migrate", "up").wantSuccess() // once or again
	start(t, w.env, "tcda", "migrate", "status").wantSuccess()
	w.connect(eco.as("test_coordinator_adapter"))

	sim, err := coordsim.New(coordsim.Options{Seed: 1, Instance: "e2e", Start: now(), LongUpdates: 100})
	if err != nil {
		t.Fatal(err)
	}
	ledger, records := newLedger(), goldenRecords(t)
	for r, err := range sim.Records() {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	half := len(records) / 2

	service := w.serve()
	w.ingest(ledger, records[:half])
	w.wantDegraded(service, "EVAL", "INFO")
	if redisRuns(t, redis, "eval", "evalsha") > 0 {
		t.Error("scripts were run by a user that may not")
	}
	service.interrupt()
	service.wantSuccess()

	for _, remedy := range append(remedies(t, service), "CONFIG SET maxmemory-policy noeviction") {
		var line []any
		for _, word := range strings.Fields(remedy) {
			line = append(line, word)
		}
		if err := redis.Client(t).Do(t.Context(), line...).Err(); err != nil {
			t.Errorf("%s: %v", remedy, err)
		}
	}
	service = w.serve()
	w.ingest(ledger, records[half:])
	for _, path := range []string{"/api/v1/health", "/api/v1/ready"} {
		w.becomes(path, opshttp.OK)
	}
	if said := complaints(t, service); len(said) > 0 {
		t.Errorf("complaints with every right: %q", said)
	}
	if redisRuns(t, redis, "evalsha") == 0 {
		t.Error("no script was run by a user that may")
	}
	service.interrupt()
	service.wantSuccess()

	w.settle(ledger)
	w.wantRuns(sim)
	eco.wantNothingOutsideTheSchema()
	eco.wantAnalystsReadViewsOnly()
}

const ecosystemPassword = "s3cret"

// ingest sends records, waits until they are taken, and verifies all that is
// stored, live states included.
func (w *world) ingest(l *ledger, records []coordsim.Record) {
	w.Helper()
	if err := w.send(w.Context(), amid(nil, records), 0, l.note); err != nil {
		w.Fatal(err)
	}
	w.drain()
	verification := start(w, w.env, "tcda", "verify", "--json", "--live-grace="+testenv.Patience.String())
	verification.wantSuccess()
	var report struct {
		LiveStates    int64    `json:"live_states"`
		NotVerifiable []string `json:"not_verifiable"`
	}
	lines := strings.Split(strings.TrimSpace(verification.said.text()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil {
		w.Fatalf("%v; tcda verify said:\n%s", err, verification.said.tail())
	}
	if report.LiveStates == 0 || slices.ContainsFunc(report.NotVerifiable, func(s string) bool { return strings.Contains(s, "live state") }) {
		w.Errorf("%d live states compared, not verifiable: %q", report.LiveStates, report.NotVerifiable)
	}
}

// wantDegraded says what a service shows that may not run these commands of
// Redis: it is ready all the same, and names the right and the line that grants
// it, in its log and in its readiness.
func (w *world) wantDegraded(service *process, commands ...string) {
	w.Helper()
	if report, code := w.report("/api/v1/health"); code != http.StatusOK || report.Status != opshttp.OK {
		w.Errorf("GET /api/v1/health: %d %+v", code, report)
	}
	report, code := w.report("/api/v1/ready")
	if code != http.StatusOK || report.Status != opshttp.Degraded {
		w.Errorf("GET /api/v1/ready: %d %+v", code, report)
	}
	for _, check := range report.Checks {
		if check.Status != opshttp.OK && check.Name != "redis" {
			w.Errorf("%s is %s: %s", check.Name, check.Status, check.Detail)
		}
	}
	ready, _ := w.ask("/api/v1/ready")
	said := complaints(w, service)
	for _, command := range commands {
		grant := "ACL SETUSER test-coordinator-adapter +" + strings.ToLower(command)
		names := func(text string) bool {
			return strings.Contains(text, "may not run "+command) && strings.Contains(text, grant)
		}
		if !slices.ContainsFunc(said, names) {
			w.Errorf("no warning names %s and %q: %q", command, grant, said)
		}
		if !names(string(ready)) {
			w.Errorf("readiness does not name %s and %q: %s", command, grant, ready)
		}
	}
	if len(said) != len(commands) {
		w.Errorf("%d complaints, want those about %q: %q", len(said), commands, said)
	}
	if metrics, code := w.ask("/metrics"); code != http.StatusOK || !strings.Contains(string(metrics), "\ntcda_redis_up 1\n") {
		w.Errorf("GET /metrics: %d, want Redis up in\n%s", code, metrics)
	}
}

// complaints are the lines of warnings and errors in a log, but for those about
// records that were sent to be refused.
func complaints(t testing.TB, service *process) (lines []string) {
	t.Helper()
	for _, line := range logLines(t, service) {
		if line.Component == "access" { // that the API asks nobody who they are is said of every service here
			continue
		}
		// What it says of the coordinator, who ends a run and leaves its faults, is no complaint either.
		ofProducers := line.Message == "record quarantined" || strings.HasPrefix(line.Message, "orphaned fault:")
		if (line.Level == "warn" || line.Level == "error") && !ofProducers {
			lines = append(lines, line.text)
		}
	}
	return lines
}

// remedies are the commands of Redis that a log advises.
func remedies(t testing.TB, service *process) (commands []string) {
	t.Helper()
	for _, line := range logLines(t, service) {
		if line.Remedy != "" && !slices.Contains(commands, line.Remedy) {
			commands = append(commands, line.Remedy)
		}
	}
	if len(commands) == 0 {
		t.Error("the log advises nothing")
	}
	return commands
}

type logLine struct {
	text      string
	Level     string `json:"level"`
	Message   string `json:"message"`
	Remedy    string `json:"remedy"`
	Component string `json:"component"`
}

func logLines(t testing.TB, service *process) (lines []logLine) {
	t.Helper()
	for text := range strings.Lines(service.said.text()) {
		line := logLine{text: strings.TrimSpace(text)}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("a line of the log is not JSON: %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// redisRuns is how many of the commands were executed, by the server's own
// count, which tells those that it refused apart.
func redisRuns(t testing.TB, server *testenv.RedisServer, commands ...string) (executed int) {
	t.Helper()
	stats, err := server.Client(t).InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		counts := stats["Commandstats"]["cmdstat_"+command]
		if counts != "" && !strings.HasPrefix(counts, "calls=0,") {
			executed++
		}
	}
	return executed
}

// ecosystemDatabase is the shared database as its administrators made it.
type ecosystemDatabase struct {
	testing.TB
	admin string // its URL
}

func newEcosystemDatabase(t testing.TB) *ecosystemDatabase {
	t.Helper()
	server, db := testenv.PostgresServer(t)
	const name = "trading_ecosystem"
	eco := &ecosystemDatabase{TB: t, admin: server.URL(name)}
	exec := func(url, statements string) {
		t.Helper()
		if err := eco.run(url, statements); err != nil {
			t.Fatal(err)
		}
	}
	exec(db.URL, `DROP OWNED BY monitor_user, test_coordination_reader`)
	exec(db.ServerURL, `DROP ROLE monitor_user, test_coordination_reader`)
	exec(db.ServerURL, `CREATE ROLE test_coordinator_adapter LOGIN PASSWORD '`+ecosystemPassword+`'`)
	exec(db.ServerURL, `CREATE ROLE monitor_user LOGIN PASSWORD '`+ecosystemPassword+`'`)
	exec(db.ServerURL, `CREATE DATABASE `+name)
	exec(eco.admin, `
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		CREATE SCHEMA risk_monitor;
		CREATE TABLE risk_monitor.positions (id integer);
		CREATE SCHEMA test_coordination;
		GRANT USAGE, CREATE ON SCHEMA test_coordination TO test_coordinator_adapter;
		GRANT USAGE ON SCHEMA test_coordination TO monitor_user;
		ALTER ROLE test_coordinator_adapter SET search_path = test_coordination, public`)
	return eco
}

// as is the URL for a user.
func (eco *ecosystemDatabase) as(user string) string {
	eco.Helper()
	u, err := url.Parse(eco.admin)
	if err != nil {
		eco.Fatal(err)
	}
	u.User = url.UserPassword(user, ecosystemPassword)
	return u.String()
}

func (eco *ecosystemDatabase) run(url, statements string) error {
	conn, err := pgx.Connect(eco.Context(), url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(eco.Context()) }()
	_, err = conn.Exec(eco.Context(), statements)
	return err
}

func (eco *ecosystemDatabase) mustDeny(user, statement string) {
	eco.Helper()
	var refused *pgconn.PgError
	if err := eco.run(eco.as(user), statement); !errors.As(err, &refused) || refused.Code != "42501" {
		eco.Errorf("%s as %s: %v, want insufficient_privilege", statement, user, err)
	}
}

// names are those that a query for one column gives.
func (eco *ecosystemDatabase) names(query string) []string {
	eco.Helper()
	conn, err := pgx.Connect(eco.Context(), eco.admin)
	if err != nil {
		eco.Fatal(err)
	}
	defer func() { _ = conn.Close(eco.Context()) }()
	rows, err := conn.Query(eco.Context(), query)
	if err != nil {
		eco.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		eco.Fatal(err)
	}
	return names
}

// wantNothingOutsideTheSchema looks at what the guest owns.
func (eco *ecosystemDatabase) wantNothingOutsideTheSchema() {
	eco.Helper()
	outside := eco.names(`SELECT c.oid::regclass::text FROM pg_class c WHERE c.relowner = 'test_coordinator_adapter'::regrole
		AND c.relnamespace NOT IN ('test_coordination'::regnamespace, 'pg_toast'::regnamespace)`)
	if len(outside) > 0 {
		eco.Errorf("relations of the service outside its schema: %q", outside)
	}
}

// wantAnalystsReadViewsOnly tries every table and view of the schema.
func (eco *ecosystemDatabase) wantAnalystsReadViewsOnly() {
	eco.Helper()
	relations := eco.names(`SELECT relname FROM pg_class WHERE relnamespace = 'test_coordination'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')`)
	views := 0
	for _, name := range relations {
		read := `SELECT FROM test_coordination."` + name + `"`
		if !strings.HasPrefix(name, "analytics_") {
			eco.mustDeny("monitor_user", read)
			continue
		}
		views++
		if err := eco.run(eco.as("monitor_user"), read); err != nil {
			eco.Errorf("%s as monitor_user: %v", read, err)
		}
	}
	writable := eco.names(`SELECT relname FROM pg_class WHERE relnamespace = 'test_coordination'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
		AND has_table_privilege('monitor_user', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`)
	if len(writable) > 0 {
		eco.Errorf("analysts may write to %q", writable)
	}
	if views == 0 || views == len(relations) {
		eco.Errorf("%d views for analysts among %d relations", views, len(relations))
	}
	eco.mustDeny("monitor_user", `CREATE TABLE test_coordination.mine (id integer)`)
	eco.mustDeny("monitor_user", `SELECT test_coordination.ensure_partitions('2026-01-01', '2026-01-01', 'month')`)
	eco.mustDeny("monitor_user", `SELECT test_coordination.ensure_partitions('execution_logs', '2026-01-01', '2026-01-01', 'month')`)
	eco.mustDeny("monitor_user", `SELECT FROM risk_monitor.positions`)
}

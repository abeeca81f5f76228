package pgstore_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// session is a connection of its own to the test's database, for errors that
// end it.
type session struct {
	*pgx.Conn
	t  *testing.T
	db *testenv.DB
}

func newSession(t *testing.T, db *testenv.DB) *session {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return &session{conn, t, db}
}

// must runs statements that prepare the error.
func (s *session) must(statements ...string) {
	s.t.Helper()
	for _, q := range statements {
		if _, err := s.Exec(s.t.Context(), q); err != nil {
			s.t.Fatalf("%s: %v", q, err)
		}
	}
}

func (s *session) fails(query string, args ...any) error {
	_, err := s.Exec(s.t.Context(), query, args...)
	return err
}

// connectAs gives the error of connecting with a changed URL.
func (s *session) connectAs(change func(*url.URL)) error {
	u, err := url.Parse(s.db.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	change(u)
	conn, err := pgx.Connect(s.t.Context(), u.String())
	if err == nil {
		_ = conn.Close(s.t.Context())
	}
	return err
}

type errorCase struct {
	name       string
	provoke    func(s *session) error
	class      pgstore.Class
	state      string
	constraint string
	unlisted   bool
}

// Each error is the real server's, or the real driver's.
var errorCases = []errorCase{
	{name: "NUL in text", class: pgstore.Data, state: "22021", provoke: func(s *session) error { return s.fails("SELECT $1::text", "a\x00b") }},
	{name: "NUL in jsonb", class: pgstore.Data, state: "22P05", provoke: func(s *session) error { return s.fails("SELECT $1::text::jsonb", `"\u0000"`) }},
	{name: "number too large for jsonb", class: pgstore.Data, state: "22003", provoke: func(s *session) error { return s.fails(`SELECT '1e131072'::jsonb`) }},
	{name: "not JSON", class: pgstore.Data, state: "22P02", provoke: func(s *session) error { return s.fails("SELECT $1::text::jsonb", "{") }},
	{name: "id too long for an index", class: pgstore.Data, state: "54000", provoke: func(s *session) error {
		long := strings.Builder{}
		for long.Len() < 9000 {
			long.WriteString(rand.Text()) // does not compress
		}
		return s.fails("INSERT INTO test_coordination.execution_ids (execution_id, first_seen_at) VALUES ($1, now())", long.String())
	}},
	{name: "known check", class: pgstore.Data, state: "23514", constraint: "executions_progress_check", provoke: func(s *session) error {
		run, two := bareRun(), 2.0
		run.Progress = &two
		return allOf(dbsqlc.New(s.Conn).SaveRun(s.t.Context(), []dbsqlc.SaveRunParams{run}).Exec)
	}},
	{name: "check of our own values", class: pgstore.Bug, state: "23514", constraint: "executions_run_check", provoke: func(s *session) error {
		run := bareRun()
		run.Run = 0
		return allOf(dbsqlc.New(s.Conn).SaveRun(s.t.Context(), []dbsqlc.SaveRunParams{run}).Exec)
	}},
	{name: "unique", class: pgstore.Bug, state: "23505", constraint: "executions_run_id_key", provoke: func(s *session) error {
		one, other := fullRun(), fullRun()
		other.Run = 2
		return allOf(dbsqlc.New(s.Conn).SaveRun(s.t.Context(), []dbsqlc.SaveRunParams{one, other}).Exec)
	}},
	{name: "foreign key", class: pgstore.Bug, state: "23503", constraint: "execution_details_run_fkey", provoke: func(s *session) error {
		none := []json.RawMessage{nil}
		return dbsqlc.New(s.Conn).SaveDetails(s.t.Context(), dbsqlc.SaveDetailsParams{Ids: []string{"nobody"}, Runs: []int32{1}, Labels: none, Parameters: none, ConfigurationSnapshots: none, SystemStates: none, Summaries: none})
	}},
	{name: "not null", class: pgstore.Bug, state: "23502", provoke: func(s *session) error {
		return s.fails("INSERT INTO test_coordination.execution_ids (execution_id) VALUES ('x')")
	}},
	{name: "no partition", class: pgstore.Bug, state: "23514", provoke: func(s *session) error {
		s.must("DROP TABLE test_coordination.execution_logs_default")
		return s.fails("INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message) VALUES ('1999-01-01', 'x', 1, now(), 1, 0, '')")
	}},
	{name: "no such table", class: pgstore.Bug, state: "42P01", provoke: func(s *session) error { return s.fails("SELECT FROM nowhere") }},
	{name: "no such column", class: pgstore.Bug, state: "42703", provoke: func(s *session) error { return s.fails("SELECT nothing") }},
	{name: "no right", class: pgstore.Bug, state: "42501", provoke: func(s *session) error {
		s.must("SET ROLE monitor_user")
		return s.fails("SELECT FROM test_coordination.execution_ids")
	}},
	{name: "serialization", class: pgstore.Infrastructure, state: "40001", provoke: func(s *session) error {
		s.must("INSERT INTO test_coordination.execution_ids (execution_id, first_seen_at) VALUES ('x', now())")
		other := newSession(s.t, s.db)
		for _, c := range []*session{s, other} {
			c.must("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT FROM test_coordination.execution_ids")
		}
		other.must("UPDATE test_coordination.execution_ids SET latest_run = 1", "COMMIT")
		return s.fails("UPDATE test_coordination.execution_ids SET latest_run = 2")
	}},
	{name: "deadlock", class: pgstore.Infrastructure, state: "40P01", provoke: func(s *session) error {
		other := newSession(s.t, s.db)
		s.must("SET deadlock_timeout = '10ms'", "BEGIN", "SELECT pg_advisory_xact_lock(1)")
		other.must("SET deadlock_timeout = '1h'", "BEGIN", "SELECT pg_advisory_xact_lock(2)")
		done := make(chan error, 1)
		go func() { done <- other.fails("SELECT pg_advisory_xact_lock(1)") }()
		waiting(s.t, s.db, 1) // who comes last finds it: nobody looks a second time
		err := s.fails("SELECT pg_advisory_xact_lock(2)")
		s.must("ROLLBACK")
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		return err
	}},
	{name: "statement timeout", class: pgstore.Infrastructure, state: "57014", provoke: func(s *session) error {
		s.must("SET statement_timeout = '5ms'")
		return s.fails("SELECT pg_sleep(60)")
	}},
	{name: "lock timeout", class: pgstore.Infrastructure, state: "55P03", provoke: func(s *session) error {
		newSession(s.t, s.db).must("BEGIN", "LOCK TABLE test_coordination.execution_ids")
		s.must("SET lock_timeout = '5ms'")
		return s.fails("SELECT FROM test_coordination.execution_ids")
	}},
	{name: "terminated", class: pgstore.Infrastructure, state: "57P01", provoke: func(s *session) error { return s.fails("SELECT pg_terminate_backend(pg_backend_pid())") }},
	{name: "idle in transaction", class: pgstore.Infrastructure, state: "25P03", provoke: func(s *session) error {
		s.must("SET idle_in_transaction_session_timeout = '1ms'", "BEGIN")
		_, err := s.PgConn().ReceiveMessage(s.t.Context()) // the server speaks first
		return err
	}},
	{name: "read only", class: pgstore.Infrastructure, state: "25006", provoke: func(s *session) error {
		s.must("SET default_transaction_read_only = on")
		return s.fails("UPDATE test_coordination.execution_ids SET latest_run = 1")
	}},
	{name: "prepared statement lost", class: pgstore.Infrastructure, state: "26000", provoke: func(s *session) error { return s.fails("EXECUTE nothing") }},
	{name: "too many connections", class: pgstore.Infrastructure, state: "53300", provoke: func(s *session) error {
		role := "limited_" + strings.ToLower(rand.Text())
		s.must("CREATE ROLE " + role + " LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
		defer s.must("DROP ROLE " + role)
		return s.connectAs(func(u *url.URL) { u.User = url.UserPassword(role, "x") })
	}},
	{name: "wrong password", class: pgstore.Infrastructure, state: "28P01", provoke: func(s *session) error {
		return s.connectAs(func(u *url.URL) { u.User = url.UserPassword("nobody_at_all", "wrong") })
	}},
	{name: "no such file", class: pgstore.Infrastructure, state: "58P01", provoke: func(s *session) error { return s.fails("SELECT pg_read_file('/nowhere')") }},
	{name: "no such database", class: pgstore.Infrastructure, state: "3D000", unlisted: true, provoke: func(s *session) error {
		return s.connectAs(func(u *url.URL) { u.Path = "/nowhere" })
	}},
	{name: "feature not supported", class: pgstore.Infrastructure, state: "0A000", unlisted: true, provoke: func(s *session) error {
		return s.fails("SELECT count(*) FROM test_coordination.execution_ids FOR UPDATE")
	}},
	{name: "raised", class: pgstore.Infrastructure, state: "P0001", unlisted: true, provoke: func(s *session) error { return s.fails("DO $$ BEGIN RAISE 'no'; END $$") }},
	{name: "nobody listens", class: pgstore.Infrastructure, provoke: func(s *session) error {
		return s.connectAs(func(u *url.URL) { u.Host = "127.0.0.1:1" })
	}},
	{name: "context ended", class: pgstore.Infrastructure, provoke: func(s *session) error {
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		_, err := s.Exec(ctx, "SELECT 1")
		return err
	}},

	// Refused by the driver before anything is sent: not a PgError.
	{name: "int4 overflow", class: pgstore.Data, provoke: func(s *session) error { return s.fails("SELECT $1::integer", int64(1)<<40) }},
	{name: "int2 overflow in an array", class: pgstore.Data, provoke: func(s *session) error { return s.fails("SELECT $1::smallint[]", []int64{1, 1 << 40}) }},
	{name: "overflow in a pipeline", class: pgstore.Data, provoke: func(s *session) error {
		b := &pgx.Batch{}
		b.Queue("SELECT $1::integer", int64(1)<<40)
		return s.SendBatch(s.t.Context(), b).Close()
	}},
	{name: "JSON that cannot be made", class: pgstore.Data, provoke: func(s *session) error { return s.fails("SELECT $1::jsonb", func() {}) }},
}

func TestDatabaseErrorsCallForWhatTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range errorCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.provoke(newSession(t, testenv.Postgres(t)))
			if err == nil {
				t.Fatal("no error was provoked")
			}
			checkInterpreted(t, c, pgstore.Interpret("do a thing", err))
		})
	}
}

// Errors that no server of a test gives on demand.
func TestDatabaseErrorsThatCannotBeProvoked(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"08P01", "08006", "28000", "53100", "53200", "55006", "57P02", "57P03", "58030", "XX000", "XX001"} {
		err := pgstore.Interpret("do a thing", &pgconn.PgError{Code: state})
		checkInterpreted(t, errorCase{class: pgstore.Infrastructure, state: state}, err)
	}
}

func checkInterpreted(t *testing.T, want errorCase, err error) {
	t.Helper()
	var e *pgstore.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *pgstore.Error", err)
	}
	if e.Class != want.class || e.SQLState != want.state || e.Constraint != want.constraint || e.Unlisted != want.unlisted {
		t.Errorf("%v\nis class %s, state %q, constraint %q, unlisted %t\nwant class %s, state %q, constraint %q, unlisted %t",
			err, e.Class, e.SQLState, e.Constraint, e.Unlisted, want.class, want.state, want.constraint, want.unlisted)
	}
	if pgstore.ClassOf(fmt.Errorf("wrapped: %w", err)) != want.class {
		t.Errorf("class of the wrapped error is %s, want %s", pgstore.ClassOf(err), want.class)
	}
	if state, unlisted := pgstore.UnlistedState(err); unlisted != want.unlisted || unlisted && state != want.state {
		t.Errorf("unlisted state is %q, %t", state, unlisted)
	}
}

func TestNoRowsNeverLeavesTheStore(t *testing.T) {
	t.Parallel()
	err := pgstore.Interpret("find it", pgx.ErrNoRows)
	if !errors.Is(err, pgstore.ErrNotFound) || errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("%v, want ErrNotFound alone", err)
	}
	if pgstore.Interpret("find it", nil) != nil {
		t.Error("no error became one")
	}
}

func TestTheOutcomeOfCommitIsAnAnswerOrDoubt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		err   error
		doubt bool
	}{
		{"deferred constraint", &pgconn.PgError{Code: "23505", SeverityUnlocalized: "ERROR"}, false},
		{"serialization", &pgconn.PgError{Code: "40001", SeverityUnlocalized: "ERROR"}, false},
		{"rolled back instead", pgx.ErrTxCommitRollback, false},
		{"session ended by the server", &pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, true},
		{"server ended", &pgconn.PgError{Code: "57P02", SeverityUnlocalized: "PANIC"}, true},
		{"connection lost", io.ErrUnexpectedEOF, true},
		{"out of time", context.DeadlineExceeded, true},
	} {
		err := pgstore.InterpretCommit(c.err)
		if errors.Is(err, pgstore.ErrInDoubt) != c.doubt || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, in doubt: want %t", c.name, err, c.doubt)
		}
	}
	if pgstore.InterpretCommit(nil) != nil {
		t.Error("a commit that succeeded has an error")
	}
}

func TestABackendThatDiesBeforeCommitLeavesDoubt(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	killer := newSession(t, db)
	err := s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		if _, err := tx.LockExecutions(t.Context(), []string{"exec-1"}, nil); err != nil {
			return err
		}
		killer.must("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'")
		return nil
	})
	if !errors.Is(err, pgstore.ErrInDoubt) {
		t.Errorf("%v, want doubt", err)
	}
	if n := countRows(t, db, "execution_ids"); n != 0 {
		t.Errorf("%d rows after the backend's death, want none", n)
	}
}

// ownConstraints hold what this service decides by itself: that a record
// violates one would be a bug, and quarantining it would hide that.
var ownConstraints = []string{
	"api_requests_parameters_check",
	"audit_log_action_check",
	"audit_log_actor_check",
	"definition_events_aggregate_check",
	"execution_locks_ended_check",
	"execution_locks_state_check",
	"execution_locks_token_check",
	"execution_phases_phase_hash_check",
	"executions_interrupt_cause_check",
	"executions_lifecycle_check",
	"executions_run_check",
	"ingest_gaps_cause_check",
	"ingest_partitions_next_offset_check",
	"ingest_partitions_partition_check",
	"kill_switch_singleton_check",
	"outbox_finished_check", "outbox_held_back_check",
	"outbox_record_check",
	"outbox_status_check",
	"outbox_topic_role_check",
	"pruned_runs_kinds_check",
	"pruned_runs_pending_check",
	"pruned_runs_run_check",
	"pruned_runs_status_check",
	"quarantine_usage_singleton_check",
	"quarantined_records_reason_check",
	"quarantined_records_status_check",
	"reports_revision_check",
	"reports_sha256_check",
	"reports_status_check",
	"retention_holds_lifted_check",
	"retention_holds_placed_by_check",
	"retention_holds_reason_check",
	"retention_holds_run_check",
	"retention_holds_scope_check",
	"scenario_summaries_window_check",
	"scenario_versions_content_hash_check",
	"scenarios_current_hash_check",
	"schedule_occurrences_claim_check",
	"schedule_occurrences_kind_check",
	"schedule_occurrences_outcome_check",
	"schedule_occurrences_reason_check",
	"schedule_occurrences_run_check",
	"schedule_occurrences_settled_check",
	"schedule_occurrences_status_check",
	"template_versions_content_hash_check",
	"templates_current_hash_check",
}

func TestEveryCheckIsAboutARecordOrAboutUs(t *testing.T) {
	t.Parallel()
	rows, err := testenv.Postgres(t).Pool(t).Query(t.Context(), `SELECT DISTINCT c.conname::text FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
		WHERE c.contype = 'c' AND r.relnamespace = 'test_coordination'::regnamespace AND r.relname <> 'atlas_schema_revisions' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append(pgstore.DataConstraints(), ownConstraints...)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks of the schema (-sorted here into one of two lists, +in the catalog):\n%s", diff)
	}
}

func openStore(t testing.TB, db *testenv.DB) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Config{URL: db.URL, MaxConns: 6, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func countRows(t testing.TB, db *testenv.DB, table string) (n int) {
	t.Helper()
	if err := db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination."+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

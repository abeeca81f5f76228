package pgstore_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// batchStatements are the statements of a batch that look rows up.
var batchStatements = []string{
	"LockExecutionIDs", "ExecutionIDs", "ChangeTime", "KnownEvents", "LatestRuns", "RunsByRunID", "PhasesTouched", "StepsTouched", "FaultsTouched",
	"ValidationsTouched", "SaveProgress", "UpdateExecutionIDs", "ClearSummaries", "ClaimPartition", "AdvancePartition", "CountRecords", "KnownDefinitionEvents",
}

// A plan that reads a whole table is quick while the table is young, is kept,
// and costs more with every row.
func TestStatementsOfABatchGoAlongKeys(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"empty", "analyzed"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			conn := planningConn(t)
			for _, c := range seeding() {
				if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
					t.Fatalf("%s: %v", c.method, err)
				}
			}
			if state == "analyzed" {
				if _, err := conn.Exec(t.Context(), "ANALYZE"); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range append(reading(new(int)), apiCalls(new(int))...) {
				if slices.Contains(batchStatements, c.method) {
					if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil && !errors.Is(err, pgx.ErrNoRows) {
						t.Fatalf("%s: %v", c.method, err)
					}
				}
			}
			plans := preparedPlans(t, conn)
			for _, name := range batchStatements {
				plan, ok := plans[name]
				if !ok {
					t.Errorf("%s was not called", name)
				}
				for _, bad := range []string{"Seq Scan on", "Hash Join", "Merge Join"} {
					if strings.Contains(plan, bad) {
						t.Errorf("%s: %s in\n%s", name, bad, plan)
					}
				}
			}
		})
	}
}

// The tables of locks and of the audit log grow for ever.
func TestLocksAndAuditGoAlongKeys(t *testing.T) {
	t.Parallel()
	conn := planningConn(t)
	statements := []string{
		"AcquireLock", "RenewLock", "ReleaseLock", "BreakLock", "GuardLock", "LockByName", "HeldLocks", "AllLocks",
		"AuditPage", "AuditPageByActor", "AuditPageBySubject",
	}
	for _, c := range slices.Concat(seeding(), reading(new(int)), apiCalls(new(int))) {
		if slices.Contains(statements, c.method) || c.method == "InsertAudit" {
			if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
				t.Fatalf("%s: %v", c.method, err)
			}
		}
	}
	plans := preparedPlans(t, conn)
	for _, name := range statements {
		plan := plans[name]
		sorts := strings.Contains(plan, "Sort") && name != "HeldLocks" // those that are held now
		if !strings.Contains(plan, "Index") || strings.Contains(plan, "Seq Scan") || sorts || strings.Contains(plan, "Bitmap") {
			t.Errorf("%s: not along a key:\n%s", name, plan)
		}
	}
}

// Followers look at runs and lines all the time, however many there are.
func TestFollowingGoesAlongKeys(t *testing.T) {
	t.Parallel()
	conn := planningConn(t)
	statements := []string{"RunsWatched", "LoggedRun", "LogArrivals", "LogsOfArrivals", "LastLogs"}
	for _, c := range append(seeding(), reading(new(int))...) {
		if slices.Contains(statements, c.method) || strings.HasPrefix(c.method, "Insert") {
			if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
				t.Fatalf("%s: %v", c.method, err)
			}
		}
	}
	plans := preparedPlans(t, conn)
	for _, name := range statements {
		plan := plans[name]
		if !strings.Contains(plan, "Index") || strings.Contains(plan, "Seq Scan on") || strings.Contains(plan, "Hash Join") || strings.Contains(plan, "Merge Join") {
			t.Errorf("%s: not along a key:\n%s", name, plan)
		}
	}
	// The keys are enough to count lines; the last of them need not be looked for among all.
	if plan := plans["LogArrivals"]; !strings.Contains(plan, "Index Only Scan") {
		t.Errorf("LogArrivals reads rows:\n%s", plan)
	}
	if plan := plans["LastLogs"]; !strings.Contains(plan, "Index Scan Backward") {
		t.Errorf("LastLogs sorts the run:\n%s", plan)
	}
}

// What a page of retention looks at under its locks is found along keys, however many
// runs there are.
func TestMarkingGoesAlongKeys(t *testing.T) {
	t.Parallel()
	conn := planningConn(t)
	statements := []string{"LockIDsToPrune", "DueRuns", "AttemptsOfGroups", "StoredRuns"}
	for _, c := range append(seeding(), retentionCalls(new(int))...) {
		if slices.Contains(statements, c.method) || strings.HasPrefix(c.method, "Insert") {
			if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
				t.Fatalf("%s: %v", c.method, err)
			}
		}
	}
	plans := preparedPlans(t, conn)
	for _, name := range statements {
		plan := plans[name]
		if !strings.Contains(plan, "Index") || strings.Contains(plan, "Seq Scan on") || strings.Contains(plan, "Hash Join") || strings.Contains(plan, "Merge Join") {
			t.Errorf("%s: not along a key:\n%s", name, plan)
		}
	}
	if plan := plans["AttemptsOfGroups"]; !strings.Contains(plan, "executions_group_idx") {
		t.Errorf("AttemptsOfGroups: not by the group:\n%s", plan)
	}
}

// A join of the open records with those to discard was planned the other way
// round where statistics knew of none: each open record was looked for in the
// whole list.
func TestDiscardingGoesAlongKeys(t *testing.T) {
	t.Parallel()
	conn := planningConn(t)
	const records = "INSERT INTO test_coordination.quarantined_records (topic, partition, generation, kafka_offset, reason, status, quarantined_at) SELECT 'topic', 0, $1, n, 'crash', $2, now() FROM generate_series(1, 2000) AS n"
	if _, err := conn.Exec(t.Context(), records, 0, "discarded"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "ANALYZE test_coordination.quarantined_records"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), records, 1, "open"); err != nil {
		t.Fatal(err)
	}
	n, err := dbsqlc.New(conn).DiscardQuarantined(t.Context(), dbsqlc.DiscardQuarantinedParams{UpTo: 1 << 60, Most: 500})
	if err != nil || n != 500 {
		t.Fatalf("%d discarded, %v; want 500", n, err)
	}
	if plan := preparedPlans(t, conn)["DiscardQuarantined"]; !strings.Contains(plan, "(id = ANY (") || strings.Contains(plan, "Join") {
		t.Errorf("not by their ids:\n%s", plan)
	}
}

// outboxStatements are those of the publisher, which runs all the time.
var outboxStatements = []string{
	"Enqueue", "EnqueueDeadLetters", "ClaimOutbox", "OutboxRecords", "MarkPublished", "ParkOutbox", "CountAttempts", "ParkedOutbox", "ReleaseParked", "DiscardParked",
	"HoldBack", "LetFollow", "LendForGood", "OldestPending", "CountParked", "RemoveFinished", "LoopCursor", "MoveLoopCursor", "SettledRunsUpTo", "OpenQuarantined",
}

func TestStatementsOfTheOutboxGoAlongKeys(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"empty", "analyzed"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			conn := planningConn(t)
			calls := slices.Concat(seeding(), reading(new(int)), apiCalls(new(int)))
			for _, c := range calls {
				if err := c.run(t.Context(), dbsqlc.New(conn)); err != nil {
					t.Fatalf("%s: %v", c.method, err)
				}
			}
			if state == "analyzed" {
				if _, err := conn.Exec(t.Context(), "ANALYZE"); err != nil {
					t.Fatal(err)
				}
			}
			plans := preparedPlans(t, conn)
			for _, name := range outboxStatements {
				plan, ok := plans[name]
				if !ok {
					t.Errorf("%s was not called", name)
				}
				for _, bad := range []string{"Seq Scan on", "Hash Join", "Merge Join"} {
					if strings.Contains(plan, bad) {
						t.Errorf("%s: %s in\n%s", name, bad, plan)
					}
				}
			}
			for name, index := range map[string]string{
				"ClaimOutbox": "outbox_next_idx", "HoldBack": "outbox_next_idx", "LetFollow": "outbox_waiting_idx", "OldestPending": "outbox_pending_idx", "CountParked": "outbox_parked_idx",
				"ParkedOutbox": "outbox_parked_idx", "RemoveFinished": "outbox_finished_idx", "LendForGood": "outbox_quarantined_idx", "SettledRunsUpTo": "executions_settled_change_idx",
			} {
				if !strings.Contains(plans[name], index) {
					t.Errorf("%s does not go along %s:\n%s", name, index, plans[name])
				}
			}
		})
	}
}

// What was published costs the publisher nothing, nor does what is parked, nor what
// waits behind that once it is held back.
func TestAMillionPublishedRowsCostNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it fills a table with a million rows")
	}
	conn := planningConn(t)
	fill := func(status string, from, to int, key string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `INSERT INTO test_coordination.outbox (topic_role, event_id, event_time, key_hash, record_headers, status, enqueued_at, finished_at)
			SELECT 'commands', 'e' || n, now(), sha256(convert_to(`+key+`, 'UTF8')), '[]', $1, now(), CASE WHEN $1 = 'published' THEN now() END FROM generate_series($2::int, $3::int) AS n`, status, from, to)
		if err != nil {
			t.Fatal(err)
		}
	}
	// cost is how many pages a claim of ten rows touches, and how many rows it gives,
	// beside those that are to be held back.
	cost := func() (pages, rows int) {
		t.Helper()
		claimed, err := dbsqlc.New(conn).ClaimOutbox(t.Context(), "commands", 10, []byte{})
		if err != nil {
			t.Fatal(err)
		}
		claimed = slices.DeleteFunc(claimed, func(r dbsqlc.ClaimOutboxRow) bool { return r.Behind != 0 })
		var name string
		if err := conn.QueryRow(t.Context(), "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%ClaimOutbox%' AND statement NOT LIKE '%pg_prepared%'").Scan(&name); err != nil {
			t.Fatal(err)
		}
		var plan []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			} `json:"Plan"`
		}
		var text []byte
		err = conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE "+pgx.Identifier{name}.Sanitize()+`('commands', 10, '')`, pgx.QueryExecModeSimpleProtocol).Scan(&text)
		if err == nil {
			err = json.Unmarshal(text, &plan)
		}
		if err != nil {
			t.Fatal(err)
		}
		return plan[0].Plan.Hit + plan[0].Plan.Read, len(claimed)
	}
	fill("pending", 1, 100, "'key-' || n")
	before, rows := cost()
	if rows != 10 || before == 0 {
		t.Fatalf("a claim touches %d pages for %d rows", before, rows)
	}
	fill("published", 1001, 1_001_000, "'key-' || n % 1000")
	fill("parked", 2_000_001, 2_100_000, "'parked-' || n - 2000000")  // of as many keys
	fill("pending", 2_200_001, 2_220_000, "'parked-' || n - 2200000") // each waits behind one of them
	fill("pending", 2_300_001, 2_350_000, "'parked-1'")               // they wait behind one
	if _, rows := cost(); rows == 10 {
		t.Error("what waits behind parked rows is not come upon: nothing is tested")
	}
	for round, left := 0, true; left; round++ {
		if round > 400 {
			t.Fatal("rows behind parked ones are come upon for ever")
		}
		found, err := dbsqlc.New(conn).ClaimOutbox(t.Context(), "commands", 1000, []byte{})
		if err != nil {
			t.Fatal(err)
		}
		var parked []int64
		for _, r := range found {
			if r.Behind != 0 {
				parked = append(parked, r.Behind)
			}
		}
		left = len(parked) > 0
		if err := dbsqlc.New(conn).HoldBack(t.Context(), 1000, parked); err != nil {
			t.Fatal(err)
		}
	}
	after, rows := cost()
	if rows != 10 || after > 3*before {
		t.Errorf("a claim touches %d pages for %d rows, %d before a million was published and 100,000 parked", after, rows, before)
	}
	var held int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.outbox WHERE held_back").Scan(&held); err != nil || held != 70_000 {
		t.Errorf("%d rows are held back, %v; want 70,000", held, err)
	}
}

// planningConn is one connection of a store, to see what it has prepared.
func planningConn(t *testing.T) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(testenv.Postgres(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range pgstore.Planning {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

var statementName = regexp.MustCompile(`^-- name: (\w+)`)

// preparedPlans are the generic plans of all prepared statements, by the names
// of their queries.
func preparedPlans(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	type prepared struct {
		Name, Statement string
		Parameters      int
	}
	rows, err := conn.Query(t.Context(), "SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[prepared])
	if err != nil {
		t.Fatal(err)
	}
	plans := map[string]string{}
	for _, p := range all {
		name := statementName.FindStringSubmatch(p.Statement)
		if name == nil {
			continue
		}
		explain := "EXPLAIN EXECUTE " + pgx.Identifier{p.Name}.Sanitize()
		if p.Parameters > 0 {
			explain += "(NULL" + strings.Repeat(", NULL", p.Parameters-1) + ")"
		}
		rows, err := conn.Query(t.Context(), explain, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatalf("%s: %v", name[1], err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name[1], err)
		}
		plans[name[1]] = strings.Join(lines, "\n")
	}
	return plans
}

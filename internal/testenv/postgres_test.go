package testenv_test

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestPostgresIsMigrated(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	if err := pgmigrate.Pending(t.Context(), db.URL, pgmigrate.Options{}); err != nil {
		t.Errorf("migrations are pending: %v", err)
	}
	var name, zone string
	row := db.Pool(t).QueryRow(t.Context(), "SELECT current_database(), current_setting('timezone')")
	if err := row.Scan(&name, &zone); err != nil {
		t.Fatal(err)
	}
	if name != db.Name || zone != "Canada/Newfoundland" {
		t.Errorf("in database %q with time zone %q, want %q and Canada/Newfoundland", name, zone, db.Name)
	}
}

func TestEmptyPostgresHasNoSchema(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	if tables := countTables(t, db.URL); tables != 0 {
		t.Errorf("%d tables, want none", tables)
	}
	if err := pgmigrate.Pending(t.Context(), db.URL, pgmigrate.Options{}); err == nil {
		t.Error("no migrations are pending on an empty database")
	}
}

func TestDatabasesAreSeparate(t *testing.T) { //nolint:tparallel // it looks at what its subtest left
	t.Parallel()
	const tests = 8
	names := make(chan string, tests)
	t.Run("side by side", func(t *testing.T) {
		var group sync.WaitGroup
		for range tests {
			group.Go(func() {
				db := testenv.Postgres(t)
				if _, err := db.Pool(t).Exec(t.Context(), "CREATE TABLE mine ()"); err != nil {
					t.Errorf("database %s: %v", db.Name, err)
				}
				names <- db.Name
			})
		}
		group.Wait()
	})
	close(names)

	conn := connect(t, testenv.EmptyPostgres(t).ServerURL)
	seen := map[string]bool{}
	for name := range names {
		if seen[name] {
			t.Errorf("database %s was given twice", name)
		}
		seen[name] = true
		var left bool
		if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left {
			t.Errorf("database %s is still there after its test", name)
		}
	}
}

func TestPostgresServerComesBack(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	tables := countTables(t, db.URL)
	if tables == 0 {
		t.Error("the database is empty")
	}
	testenv.Eventually(t, "only the test and its pool are connected", func() bool { return countConnections(t, db) == 2 })
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), db.URL); err == nil {
		t.Error("a killed server takes connections")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := countTables(t, db.URL); after != tables {
		t.Errorf("%d tables after the restart, %d before", after, tables)
	}
	if got := countConnections(t, db); got != 2 {
		t.Errorf("%d connections after the restart, want those of the test and of its pool", got)
	}
}

// A test that looks again and again once used up all connections of the server.
func TestAPoolIsTheSameForATest(t *testing.T) { //nolint:tparallel // it looks at what its subtest left
	t.Parallel()
	db := testenv.Postgres(t)
	for range 20 {
		if got := countConnections(t, db); got != 1 {
			t.Fatalf("%d connections, want that which looks", got)
		}
	}
	t.Run("in a test of its own", func(t *testing.T) {
		if got := countConnections(t, db); got != 2 {
			t.Errorf("%d connections, want the parent's, too", got)
		}
	})
	testenv.Eventually(t, "the pool of the test within has gone", func() bool { return countConnections(t, db) == 1 })
}

// countConnections counts those to the database that pools of the test have.
func countConnections(t *testing.T, db *testenv.DB) (n int) {
	t.Helper()
	row := db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'")
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func countTables(t *testing.T, url string) (n int) {
	t.Helper()
	row := connect(t, url).QueryRow(t.Context(),
		"SELECT count(*)::int FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')")
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) }) // the server may be gone
	return conn
}

package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// template is the migrated database that those of the tests are copied from.
const template = "migrated"

// serverSettings hold for all servers of tests. The time zone has half an hour
// in its offset and daylight saving, so that a time that lost its zone on the way
// through the database is seen.
var serverSettings = map[string]string{
	"timezone":        "Canada/Newfoundland",
	"max_connections": "300",
}

// DB is a database of one test.
type DB struct {
	Name string
	// URL connects as superuser.
	URL string
	// ServerURL leads to the database "postgres" on the same server, for tests
	// that create databases themselves.
	ServerURL string

	mu    sync.Mutex
	pools map[string]*pgxpool.Pool // by the test that asked
}

// Postgres gives the test a database of its own with all migrations applied, on a
// server that the process's tests share. It is dropped when the test ends; a
// failing test leaves it, and says how to open it.
func Postgres(t testing.TB) *DB {
	t.Helper()
	return newDatabase(t, template)
}

// EmptyPostgres is Postgres without the migrations.
func EmptyPostgres(t testing.TB) *DB {
	t.Helper()
	return newDatabase(t, "template0")
}

// Pool connects to the database until the test ends; one that asks again has the
// same pool, for the server has connections for some hundreds. It takes no notice of
// connections that were ended meanwhile, so a test may restart the server.
func (db *DB) Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	name := t.Name()
	if pool := db.pools[name]; pool != nil {
		return pool
	}
	config, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatalf("connect to database %s: %v", db.Name, err)
	}
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatalf("connect to database %s: %v", db.Name, err)
	}
	if db.pools == nil {
		db.pools = map[string]*pgxpool.Pool{}
	}
	db.pools[name] = pool
	t.Cleanup(func() {
		db.mu.Lock()
		delete(db.pools, name)
		db.mu.Unlock()
		pool.Close()
	})
	return pool
}

// PostgresServer runs a server for this test alone, which the test may stop,
// kill, freeze and restart. It has one database, with all migrations applied.
// Settings given here come over those of other servers of tests.
func PostgresServer(t testing.TB, settings ...map[string]string) (*pgserver.Server, *DB) {
	t.Helper()
	server, err := startPostgres(t.Context(), filepath.Join(testDir(t, "postgres"), "data"), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, &DB{Name: template, URL: server.URL(template), ServerURL: server.URL("postgres")}
}

// StartPostgres runs a server on the files that a test has put into a data
// directory: a copy of another server's, or a base backup.
func StartPostgres(t testing.TB, dir string) *pgserver.Server {
	t.Helper()
	programs, err := postgresPrograms()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir, Installation: programs, Settings: serverSettings, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// sharedPostgres is the server of the process. Nobody stops it: it ends with the
// process.
var sharedPostgres = sync.OnceValues(func() (*pgserver.Server, error) {
	s, err := processScratch()
	if err != nil {
		return nil, err
	}
	// Not a test's context: the server outlives the test that needs it first.
	return startPostgres(context.Background(), filepath.Join(s.dir, "postgres"))
})

var postgresPrograms = sync.OnceValues(func() (pgserver.Installation, error) {
	return pgserver.Obtain(context.Background(), os.Stderr)
})

// startPostgres runs a server that holds the template.
func startPostgres(ctx context.Context, dir string, settings ...map[string]string) (*pgserver.Server, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(serverSettings)
	for _, s := range settings {
		maps.Copy(all, s)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Options{
		DataDir:      dir,
		Installation: programs,
		Settings:     all,
		Progress:     os.Stderr,
	})
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, server); err != nil {
		return nil, errors.Join(fmt.Errorf("make the template of test databases: %w", err), server.Close())
	}
	return server, nil
}

func migrate(ctx context.Context, server *pgserver.Server) error {
	// The roles of analysts belong to the server; with them there, the
	// migrations grant them their rights.
	if err := execute(ctx, server.URL("postgres"), schema.CreateAnalysts); err != nil {
		return err
	}
	if err := server.EnsureDatabase(ctx, template); err != nil {
		return err
	}
	_, err := pgmigrate.Up(ctx, server.URL(template), pgmigrate.Options{Operator: "testenv"})
	return err
}

func newDatabase(t testing.TB, from string) *DB {
	t.Helper()
	server, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToLower("test_" + rand.Text())
	admin := server.URL("postgres")
	if err := execute(t.Context(), admin, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY", name, from)); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepDatabase(t, server, name)
			return
		}
		if err := execute(context.Background(), admin, schema.DropDatabase(name)); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return &DB{Name: name, URL: server.URL(name), ServerURL: admin}
}

// keepDatabase leaves the server's files behind. A pipe that cannot be written
// means that the files go, which the developer should know.
func keepDatabase(t testing.TB, server *pgserver.Server, name string) {
	t.Helper()
	s, err := processScratch()
	if err == nil {
		err = s.keep()
	}
	if err != nil {
		t.Logf("cannot keep the database of the failed test: %v", err)
		return
	}
	t.Logf("the test failed and leaves its database; from the top of the repository, open it with\n"+
		"\tgo run ./internal/testenv/cmd/testdb %s %s\nand remove it with\n\trm -rf %s", server.DataDir(), name, s.dir)
}

// execute runs a statement on a connection of its own: the server is for all
// tests, and a pool that nobody closes would look like a leak in theirs.
func execute(ctx context.Context, url, statement string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// parentFlag makes the test binary play a program that runs a server, says that
// it is ready and waits to be killed.
const parentFlag = "PGSERVER_TEST_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentFlag); dir != "" {
		server, err := pgserver.Start(context.Background(), pgserver.Options{DataDir: dir, Durable: true})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(server.URL("postgres"))
		select {}
	}
	os.Exit(m.Run())
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options pgserver.Options
		want    map[string]string
	}{
		{"fast", pgserver.Options{}, map[string]string{"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off"}},
		{"durable", pgserver.Options{Durable: true}, map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}},
		{
			"own",
			pgserver.Options{Settings: map[string]string{"timezone": "Canada/Newfoundland", "full_page_writes": "on"}},
			map[string]string{"timezone": "Canada/Newfoundland", "full_page_writes": "on", "fsync": "off"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, test.options)
			conn := connect(t, server.URL("postgres"))
			for name, want := range test.want {
				if got := queryText(t, conn, "SELECT current_setting($1)", name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got := queryText(t, conn, "SHOW listen_addresses"); got != "127.0.0.1" {
				t.Errorf("listens on %q, want loopback only", got)
			}
			if got := queryText(t, conn, "SHOW server_encoding"); got != "UTF8" {
				t.Errorf("encoding %q, want UTF8", got)
			}
		})
	}
}

func TestOtherUsersAreKeptOut(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	config, err := pgx.ParseConfig(server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "guess"
	var refused *pgconn.PgError
	if _, err := pgx.ConnectConfig(t.Context(), config); !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Errorf("a wrong password: got %v, want SQLSTATE 28P01", err)
	}
	for file, want := range map[string]os.FileMode{"": 0o700, "cluster": 0o700, "password": 0o600, "postgres.log": 0o600} {
		info, err := os.Stat(filepath.Join(server.DataDir(), file))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, want %v", file, info.Mode().Perm(), want)
		}
	}
}

func TestDataSurvivesEveryEnd(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	url := server.URL("postgres")
	exec1(t, connect(t, url), "CREATE TABLE ends (name text)")
	for rows, test := range []struct {
		name string
		end  func() error
	}{
		{"stop", server.Stop},
		{"kill", server.Kill},
		{"restart alone", func() error { return nil }},
		{"stop while frozen", func() error { return errors.Join(server.Pause(), server.Stop()) }},
		{"kill while frozen", func() error { return errors.Join(server.Pause(), server.Kill()) }},
	} {
		exec1(t, connect(t, url), "INSERT INTO ends VALUES ('"+test.name+"')")
		if err := test.end(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if server.URL("postgres") != url {
			t.Errorf("%s: the address changed from %s to %s", test.name, url, server.URL("postgres"))
		}
		if got, want := queryText(t, connect(t, url), "SELECT count(*)::text FROM ends"), strconv.Itoa(rows+1); got != want {
			t.Errorf("%s: %s rows, want %s", test.name, got, want)
		}
	}
}

func TestPauseFreezesConnections(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	conn := connect(t, server.URL("postgres"))
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("a frozen server answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("after the freeze: %v", err)
	}
}

func TestEnsureDatabase(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	for range 2 {
		if err := server.EnsureDatabase(t.Context(), `odd "name`); err != nil {
			t.Fatal(err)
		}
	}
	if got := queryText(t, connect(t, server.URL(`odd "name`)), "SELECT current_database()"); got != `odd "name` {
		t.Errorf("connected to %q", got)
	}
}

func TestServerDiesWithItsProgramAndDataIsUsedAgain(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), parentFlag+"="+dir)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, strings.TrimSpace(url))
	exec1(t, conn, "CREATE TABLE kept AS SELECT 'here' AS word")
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // "signal: killed"

	server := start(t, pgserver.Options{DataDir: dir, Durable: true})
	if got := queryText(t, connect(t, server.URL("postgres")), "SELECT word FROM kept"); got != "here" {
		t.Errorf("found %q", got)
	}
}

// start runs a server for the test, in a folder of its own if none is given.
func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = testenv.DataDir(t)
	}
	server, err := pgserver.Start(t.Context(), o)
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

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone
	return conn
}

func exec1(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func queryText(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

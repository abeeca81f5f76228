package pgserver_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	for name, content := range map[string]string{
		// The process id was given to another process since: this one.
		"reused id": strconv.Itoa(os.Getpid()) + "\n",
		"dead id":   "4194303\n",
		"cut off":   "",
	} {
		first := start(t, pgserver.Options{DataDir: dir})
		if err := first.Kill(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "cluster", "postmaster.pid"), content)
		second := start(t, pgserver.Options{DataDir: dir})
		if got := queryText(t, connect(t, second.URL("postgres")), "SELECT 'up'"); got != "up" {
			t.Errorf("%s: got %q", name, got)
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDataDirectoryInUse(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	_, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: server.DataDir(), Installation: server.Installation()})
	if err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on the same data: got %v", err)
	}
	if got := queryText(t, connect(t, server.URL("postgres")), "SELECT 'up'"); got != "up" {
		t.Errorf("the first server: got %q", got)
	}
}

func TestInterruptedInitializationIsRepeated(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	write(t, filepath.Join(dir, "cluster.unfinished", "PG_VERSION"), "15\n")
	write(t, filepath.Join(dir, "password"), "of the attempt before\n")
	server := start(t, pgserver.Options{DataDir: dir})
	if got := queryText(t, connect(t, server.URL("postgres")), "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	write(t, filepath.Join(dir, "cluster", "PG_VERSION"), "9\n")
	_, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 9") {
		t.Errorf("got %v", err)
	}
}

func TestStartErrorHoldsWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	_, err := pgserver.Start(t.Context(), pgserver.Options{
		DataDir:  testenv.DataDir(t),
		Settings: map[string]string{"no_such_setting": "on"},
	})
	if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
		t.Errorf("got %v", err)
	}
}

func TestCancelledStartLeavesNoServer(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	if err := start(t, pgserver.Options{DataDir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	start(t, pgserver.Options{DataDir: dir})
}

// TestUnreachableDataDirectory: PostgreSQL runs as another user when root starts
// it, and that user cannot enter a folder that only root may enter.
func TestUnreachableDataDirectory(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(testenv.DataDir(t), "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "data")
	var progress bytes.Buffer
	options := pgserver.Options{DataDir: dir, Progress: &progress}
	server := start(t, options)
	if os.Geteuid() != 0 {
		if server.DataDir() != dir {
			t.Errorf("data in %s, want %s", server.DataDir(), dir)
		}
		return
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(server.DataDir()); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(progress.String(), server.DataDir()) {
		t.Errorf("progress does not say that the data is in %s: %q", server.DataDir(), &progress)
	}
	link, err := os.Readlink(dir)
	if err != nil || link != server.DataDir() {
		t.Errorf("%s leads to %q, %v; want %s", dir, link, err, server.DataDir())
	}
	exec1(t, connect(t, server.URL("postgres")), "CREATE TABLE kept AS SELECT 'here' AS word")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}

	again := start(t, options)
	if again.DataDir() != server.DataDir() {
		t.Errorf("the second time the data is in %s, before in %s", again.DataDir(), server.DataDir())
	}
	if got := queryText(t, connect(t, again.URL("postgres")), "SELECT word FROM kept"); got != "here" {
		t.Errorf("found %q", got)
	}
}

func TestServerNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	server := start(t, pgserver.Options{})
	info, err := os.Stat(filepath.Join(server.DataDir(), "cluster", "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if me := os.Geteuid(); me == 0 && owner == 0 || me != 0 && owner != me {
		t.Errorf("started by user %d, the server runs as user %d", me, owner)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

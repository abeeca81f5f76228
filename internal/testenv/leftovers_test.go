package testenv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// playFlag makes this binary play a test process of its own: one whose test
// fails, or one that is killed.
const playFlag = "TESTENV_TEST_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(playFlag) {
	case "failing":
		test := &playedTest{}
		db := testenv.Postgres(test)
		if err := writeInto(db.URL); err != nil {
			test.Fatal(err)
		}
		test.failed = true
		test.end()
		second := &playedTest{failed: true}
		testenv.Postgres(second)
		second.end()
	case "killed":
		test := &playedTest{}
		db, redis := testenv.Postgres(test), testenv.Redis(test)
		fmt.Println(db.URL, redis.Addr())
		select {}
	default:
		os.Exit(m.Run())
	}
}

// playedTest is as much of a testing.TB as testenv needs.
type playedTest struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (p *playedTest) Helper()                           {}
func (p *playedTest) Context() context.Context          { return context.Background() }
func (p *playedTest) Failed() bool                      { return p.failed }
func (p *playedTest) Cleanup(f func())                  { p.cleanups = append(p.cleanups, f) }
func (p *playedTest) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (p *playedTest) Errorf(format string, args ...any) { p.Fatalf(format, args...) }
func (p *playedTest) Fatal(args ...any)                 { p.Fatalf("%s", fmt.Sprint(args...)) }
func (p *playedTest) Fatalf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

func (p *playedTest) end() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}

func TestFailingTestLeavesItsDatabase(t *testing.T) {
	t.Parallel()
	out, err := play(t, "failing").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if told := strings.Count(string(out), "leaves its database"); told != 2 {
		t.Errorf("%d of the 2 failing tests leave their database: %s", told, out)
	}
	match := regexp.MustCompile(`go run \./internal/testenv/cmd/testdb (\S+) (\S+)\n(?s:.*)rm -rf (\S+)`).FindSubmatch(out)
	if match == nil {
		t.Fatalf("the test does not say how to open its database: %s", out)
	}
	dataDir, name, root := string(match[1]), string(match[2]), string(match[3])
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	server, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: dataDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	var word string
	if err := connect(t, server.URL(name)).QueryRow(t.Context(), "SELECT word FROM evidence").Scan(&word); err != nil || word != "here" {
		t.Errorf("found %q, %v", word, err)
	}
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	t.Parallel()
	process := play(t, "killed")
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, redisAddr, _ := strings.Cut(strings.TrimSpace(line), " ")
	var dataDir string
	conn := connect(t, url)
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('data_directory')").Scan(&dataDir); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // "signal: killed"
	root := filepath.Dir(filepath.Dir(dataDir))
	testenv.Eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(root)
		return errors.Is(err, os.ErrNotExist)
	})
	testenv.Eventually(t, "PostgreSQL is gone", func() bool { return conn.Ping(t.Context()) != nil })
	testenv.Eventually(t, "redis-server is gone", func() bool { return !listening(t, redisAddr) })
}

// play makes a run of this binary as another test process.
func play(t *testing.T, part string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), playFlag+"="+part)
	cmd.Stderr = os.Stderr
	return cmd
}

func writeInto(url string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE TABLE evidence AS SELECT 'here' AS word")
	return errors.Join(err, conn.Close(ctx))
}

func listening(t *testing.T, addr string) bool {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

package redisstore_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// server is a redis-server of one test. Its own client, with all rights and
// around the store, is what the test looks with.
type server struct {
	addr string
	args []string
	cmd  *exec.Cmd
	*redis.Client
}

// startServer runs a redis-server on loopback until the test ends, with
// further lines of configuration.
func startServer(t testing.TB, config ...string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatalf("free the port: %v", err)
	}
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	lines := append([]string{"bind 127.0.0.1", "port " + port, `save ""`, "dir " + dir}, config...)
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatalf("write redis.conf: %v", err)
	}
	s := &server{addr: addr, args: []string{file}, Client: redis.NewClient(&redis.Options{Addr: addr})}
	t.Cleanup(func() {
		s.kill()
		_ = s.Client.Close()
	})
	s.start(t)
	return s
}

// start runs the server, again on the same port after a kill.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.CommandContext(context.Background(), "redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	eventually(t, "redis-server answers", func() bool {
		return s.Ping(t.Context()).Err() == nil
	})
}

func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal redis-server: %v", err)
	}
}

func (s *server) url() string { return "redis://" + s.addr }

// adapterACL is the user of the ecosystem's shared Redis, as it is there.
const adapterACL = "user test-adapter on >pw ~test:* +@read +@write +@keyspace -@dangerous"

// adapterURL connects as the user of adapterACL.
func (s *server) adapterURL() string { return "redis://test-adapter:pw@" + s.addr }

// open opens a store that is closed when the test ends. Budgets are long unless
// the test is about them: a busy machine is no outage.
func open(t *testing.T, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	cfg.Budget = cmp.Or(cfg.Budget, 20*time.Second)
	cfg.HintBudget = cmp.Or(cfg.HintBudget, cfg.Budget)
	store, err := redisstore.Open(t.Context(), cfg, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// eventually polls until ok, for at most half a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-tick.C:
		}
	}
}

// inBothModes runs a test with a store that may use scripts and with one that
// may not.
func inBothModes(t *testing.T, test func(t *testing.T, srv *server, store *redisstore.Store, plain bool)) {
	t.Helper()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%t", plain), func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, adapterACL)
			url := srv.url()
			if plain {
				url = srv.adapterURL()
			}
			store := open(t, redisstore.Config{URL: url})
			if got := store.Capabilities().Scripts; got == plain {
				t.Fatalf("scripts allowed = %t, want %t", got, !plain)
			}
			test(t, srv, store, plain)
		})
	}
}

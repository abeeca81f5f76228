package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// RedisPrograms is a redis-server on disk.
type RedisPrograms struct {
	Server      string // its file
	LibraryPath string // the LD_LIBRARY_PATH that it needs; mostly empty
}

// ObtainRedis finds the machine's redis-server. If there is none it unpacks one
// from the Debian archive into the user's cache, and tells so on progress; the
// machine itself is not changed.
func ObtainRedis(ctx context.Context, progress io.Writer) (RedisPrograms, error) {
	for _, candidate := range []string{"redis-server", "/opt/homebrew/bin/redis-server", "/usr/local/bin/redis-server"} {
		if file, err := exec.LookPath(candidate); err == nil {
			return RedisPrograms{Server: file}, nil
		}
	}
	const advice = `install Redis 7 or newer: Debian and Ubuntu "apt-get install redis-server", Fedora "dnf install redis", macOS "brew install redis"`
	cache, err := debpkg.CacheDir()
	if err != nil {
		return RedisPrograms{}, fmt.Errorf("no redis-server: %w; %s", err, advice)
	}
	tree, err := debpkg.Unpack(ctx, "redis-server", filepath.Join(cache, "redis"), progress)
	if err != nil {
		return RedisPrograms{}, fmt.Errorf("no redis-server: %w; %s", err, advice)
	}
	return RedisPrograms{Server: filepath.Join(string(tree), "usr", "bin", "redis-server"), LibraryPath: tree.LibraryPath()}, nil
}

var redisPrograms = sync.OnceValues(func() (RedisPrograms, error) {
	return ObtainRedis(context.Background(), os.Stderr)
})

// RedisServer is a redis-server of one test, which may stop, kill, freeze and
// restart it.
type RedisServer struct {
	programs RedisPrograms
	dir      string
	config   []string
	port     int
	process  *childproc.Process
}

// Redis runs a redis-server until the test ends: one a test, since it starts in
// a few milliseconds and tests flush, configure and break it. It listens on
// loopback and keeps nothing on disk, unless further lines of redis.conf say
// otherwise: "maxmemory 10mb", "appendonly yes",
// "user reader on >secret ~test:* +@read", "aclfile /some/file".
func Redis(t testing.TB, config ...string) *RedisServer {
	t.Helper()
	programs, err := redisPrograms()
	if err != nil {
		t.Fatal(err)
	}
	s, err := programs.Start(t.Context(), testDir(t, "redis"), config...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.process.Kill(); err != nil {
			t.Errorf("end redis-server: %v", err)
		}
	})
	return s
}

// Start runs a server with its files in a folder that exists; it ends with this
// process.
func (p RedisPrograms) Start(ctx context.Context, dir string, config ...string) (*RedisServer, error) {
	s := &RedisServer{programs: p, dir: dir, config: config}
	// Another program may take the free port before the server does.
	var err error
	for range 5 {
		if s.port, err = childproc.FreePort(ctx); err != nil {
			return nil, err
		}
		if err = s.launch(ctx); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	return s, nil
}

// Addr is the host and port, the same over restarts.
func (s *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address as go-redis and the service's configuration take it.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Client connects as the default user until the test ends.
func (s *RedisServer) Client(t testing.TB) *redis.Client {
	t.Helper()
	return RedisClient(t, s.URL())
}

// RedisClient connects to any Redis until the test ends.
func RedisClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatalf("read the address of redis: %v", err)
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client of redis: %v", err)
		}
	})
	return client
}

// Stop ends the server in order.
func (s *RedisServer) Stop() error {
	// A frozen server could not obey.
	if err := s.process.Resume(); err != nil {
		return err
	}
	return s.process.Stop(syscall.SIGTERM, 30*time.Second)
}

// Kill ends the server with SIGKILL.
func (s *RedisServer) Kill() error { return s.process.Kill() }

// Pause freezes the server: connections stay open, and nobody answers.
func (s *RedisServer) Pause() error { return s.process.Pause() }

// Resume ends a Pause.
func (s *RedisServer) Resume() error { return s.process.Resume() }

// Restart starts the server on its port again, after Stop or Kill; a server that
// still runs is stopped first. It comes back empty, unless it was
// configured to keep data.
func (s *RedisServer) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("restart redis-server: %w", err)
	}
	return nil
}

var errPortTaken = errors.New("the port is taken")

func (s *RedisServer) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	config, err := s.writeConfig()
	if err != nil {
		return err
	}
	log := filepath.Join(s.dir, "redis.log")
	process, err := childproc.Start(childproc.Spec{
		Path:          s.programs.Server,
		Args:          []string{config},
		Env:           []string{"LC_ALL=C", "LD_LIBRARY_PATH=" + s.programs.LibraryPath},
		Dir:           s.dir,
		LogFile:       log,
		OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	s.process = process // the former one stays where there is no new one
	err = awaitAnswer(ctx, s.process, s.answers)
	if err == nil {
		return nil
	}
	said := lastLines(log)
	if s.process.Exited() && strings.Contains(said, "Address already in use") {
		err = errPortTaken
	}
	return errors.Join(fmt.Errorf("%w; it said: %s", err, said), s.process.Kill())
}

func (s *RedisServer) writeConfig() (file string, err error) {
	lines := append([]string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(s.port),
		"dir " + s.dir,
		"pidfile " + filepath.Join(s.dir, "redis.pid"),
		`save ""`,
	}, s.config...)
	file = filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write redis.conf: %w", err)
	}
	return file, nil
}

// answers says whether the server serves commands. An error answer is one, too:
// the test may have closed the server to unnamed users.
func (s *RedisServer) answers(ctx context.Context) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && !strings.HasPrefix(line, "-LOADING")
}

// awaitAnswer waits until a server answers, or has ended.
func awaitAnswer(ctx context.Context, process *childproc.Process, answers func(context.Context) bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx) {
		select {
		case <-process.Done():
			return fmt.Errorf("the server ended: %w", process.Err())
		case <-ctx.Done():
			return fmt.Errorf("wait until the server answers: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
	if process.Exited() { // so another program answered on its port
		return fmt.Errorf("the server ended: %w", process.Err())
	}
	return nil
}

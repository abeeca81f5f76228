// Package redisserver runs a private redis-server from a program that the
// machine has or can download, for tests and for measurements: on a free
// loopback port, with nothing kept on disk unless it is configured to, ended
// with this process.
package redisserver

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
	"syscall"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

// startLimit bounds a start, on a machine that is busy with other things too.
const startLimit = 2 * time.Minute

// Program is a redis-server on disk.
type Program struct {
	Server      string // its file
	LibraryPath string // the LD_LIBRARY_PATH that it needs; mostly empty
}

// Obtain finds the machine's redis-server. If there is none it unpacks one from
// the Debian archive into the user's cache, and tells so on progress; the
// machine itself is not changed.
func Obtain(ctx context.Context, progress io.Writer) (Program, error) {
	for _, candidate := range []string{"redis-server", "/opt/homebrew/bin/redis-server", "/usr/local/bin/redis-server"} {
		if file, err := exec.LookPath(candidate); err == nil {
			return Program{Server: file}, nil
		}
	}
	const advice = `install Redis 7 or newer: Debian and Ubuntu "apt-get install redis-server", Fedora "dnf install redis", macOS "brew install redis"`
	cache, err := debpkg.CacheDir()
	if err != nil {
		return Program{}, fmt.Errorf("no redis-server: %w; %s", err, advice)
	}
	tree, err := debpkg.Unpack(ctx, "redis-server", filepath.Join(cache, "redis"), progress)
	if err != nil {
		return Program{}, fmt.Errorf("no redis-server: %w; %s", err, advice)
	}
	return Program{Server: filepath.Join(string(tree), "usr", "bin", "redis-server"), LibraryPath: tree.LibraryPath()}, nil
}

// Server is a running redis-server, or one that was stopped and can be started
// again on the same port. Its methods are not for concurrent use.
type Server struct {
	program Program
	dir     string
	config  []string
	port    int
	process *childproc.Process
}

// Start starts a server with its files in dir, which must exist, and waits until
// it answers. It keeps nothing on disk, unless further lines of redis.conf say
// otherwise. The context bounds the start alone.
func Start(ctx context.Context, program Program, dir string, config ...string) (*Server, error) {
	s := &Server{program: program, dir: dir, config: config}
	// Another program may take the free port before the server does.
	var err error
	for range 5 {
		if s.port, err = childproc.FreePort(ctx); err != nil {
			break
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
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address as go-redis and the service's configuration take it.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// PID is the process id of the server that was started last.
func (s *Server) PID() int { return s.process.PID() }

// Stop ends the server in order.
func (s *Server) Stop() error {
	// A frozen server could not obey.
	if err := s.process.Resume(); err != nil {
		return err
	}
	return s.process.Stop(syscall.SIGTERM, 30*time.Second)
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error { return s.process.Kill() }

// Pause freezes the server: connections stay open, and nobody answers.
func (s *Server) Pause() error { return s.process.Pause() }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.process.Resume() }

// Restart starts the server on its port again, after Stop or Kill; a server that
// still runs is stopped first. It comes back empty, unless it was
// configured to keep data.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("restart redis-server: %w", err)
	}
	return nil
}

var errPortTaken = errors.New("the port is taken")

func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	config, err := s.writeConfig()
	if err != nil {
		return err
	}
	log := filepath.Join(s.dir, "redis.log")
	process, err := childproc.Start(childproc.Spec{
		Path:          s.program.Server,
		Args:          []string{config},
		Env:           []string{"LC_ALL=C", "LD_LIBRARY_PATH=" + s.program.LibraryPath},
		Dir:           s.dir,
		LogFile:       log,
		OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	s.process = process // the former one stays where there is no new one
	err = childproc.AwaitAnswer(ctx, s.process, s.answers)
	if err == nil {
		return nil
	}
	said := childproc.LastLines(log)
	if s.process.Exited() && strings.Contains(said, "Address already in use") {
		err = errPortTaken
	}
	return errors.Join(fmt.Errorf("%w; it said: %s", err, said), s.process.Kill())
}

func (s *Server) writeConfig() (file string, err error) {
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
// it may be closed to unnamed users.
func (s *Server) answers(ctx context.Context) bool {
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

// Package pgserver runs a private PostgreSQL server from programs that the
// machine has or can download, for tests and for the demo: a server of our own
// on a free loopback port, with its own password, that ends with this process.
// A system-wide server, its port and its data are never touched.
//
// It knows nothing of the service's schema: it hands out an address.
//
//	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir, Durable: true})
//	defer server.Close()
//	pool, err := pgxpool.New(ctx, server.URL("postgres"))
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

const (
	superuser         = "postgres"
	duplicateDatabase = "42P04" // SQLSTATE
)

// Options say which server to run.
type Options struct {
	// DataDir holds the cluster, its password and the server's log, readable by
	// the server's user only. It is made if needed, and used again if it holds a
	// cluster already, also after a crash. Required.
	DataDir string
	// Durable is for data that must survive a crash of the machine. Without it
	// the server never waits for the disk, which is faster; a crash of the server
	// alone loses nothing either way.
	Durable bool
	// Settings are passed to the server over its defaults, by the names of
	// postgresql.conf. wal_segment_size is a new cluster's for ever: in MiB.
	Settings map[string]string
	// Installation is what to run; zero means the version of the cluster, or for
	// a new one the newest of the machine, downloaded if there is none.
	Installation Installation
	// Progress receives a line for anything that takes long or is unexpected, a
	// download for instance; nil is nowhere.
	Progress io.Writer
}

// Server is a running server, or one that was stopped and can be started again
// on the same port and data. Its methods are not for concurrent use.
type Server struct {
	cluster *cluster
	options Options
	port    int
	process *childproc.Process

	fileLimit int64 // bytes; 0: none
}

// Start starts a server and waits until it takes connections. The context
// bounds the start alone.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.DataDir == "" {
		return nil, errors.New("start PostgreSQL: no data directory given")
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	c, err := openCluster(ctx, o, o.Progress)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s := &Server{cluster: c, options: o}
	// Another program may take the free port before the server does.
	for range 5 {
		if s.port, err = childproc.FreePort(ctx); err != nil {
			return nil, fmt.Errorf("start PostgreSQL: %w", err)
		}
		if err = s.launch(ctx); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

// URL is the connection string of the superuser for a database; "postgres"
// always exists.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.cluster.password),
		Host:     s.Addr(),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Addr is the host and port that the server listens on; it stays the same over
// restarts.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// DataDir is where the server's files really are.
func (s *Server) DataDir() string { return s.cluster.dir }

// LogFile is the server's log.
func (s *Server) LogFile() string { return s.cluster.path(logName) }

// Installation is the PostgreSQL that runs.
func (s *Server) Installation() Installation { return s.cluster.installation }

// PID is the process id of the server that was started last.
func (s *Server) PID() int { return s.process.PID() }

// EnsureDatabase makes a database if it is not there.
func (s *Server) EnsureDatabase(ctx context.Context, name string) (err error) {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	_, err = conn.Exec(ctx, schema.CreateDatabase(pgx.Identifier{name}.Sanitize()))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == duplicateDatabase {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// Stop ends the server in order ("fast": open transactions are rolled back). The
// server can be started again with Restart.
func (s *Server) Stop() error {
	// A frozen server could not obey.
	if err := s.process.Resume(); err != nil {
		return err
	}
	if err := s.process.Stop(syscall.SIGINT, time.Minute); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

// Close stops the server for good. The data directory stays.
func (s *Server) Close() error { return s.Stop() }

// Kill ends the server and all its connections with SIGKILL.
func (s *Server) Kill() error { return s.process.Kill() }

// Pause freezes the server with all its connections; Resume thaws it.
func (s *Server) Pause() error { return s.process.Pause() }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.process.Resume() }

// Restart starts the server on its port again, after Stop or Kill; a server that
// still runs is stopped first.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("restart PostgreSQL: %w", err)
	}
	return nil
}

// LimitFiles lets no file of the server grow beyond so many bytes, a multiple of
// 512, from the next start on; 0 ends that. The server meets what it meets on a
// full disk: a write that is too short, or fails. Unlike a small file system this
// needs no rights.
func (s *Server) LimitFiles(bytes int64) { s.fileLimit = bytes }

// What the server says when it cannot start yet, or not on this port.
var (
	errPortTaken  = errors.New("the port is taken")
	errStillDying = errors.New("connections of the server before are still ending")
)

// launch runs the server and waits until it is ready. A server that was killed
// leaves processes for a moment, which notice the death of their parent and end;
// PostgreSQL refuses to start beside them.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.launchOnce(ctx)
		if !errors.Is(err, errStillDying) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (s *Server) launchOnce(ctx context.Context) error {
	if err := s.cluster.clearStalePIDFile(ctx); err != nil {
		return err
	}
	logged, err := s.logSize()
	if err != nil {
		return err
	}
	path, args := filepath.Join(s.cluster.installation.BinDir, "postgres"), s.arguments()
	if s.fileLimit > 0 {
		// A shell's unit is half a KiB. The server takes the shell's place.
		args = append([]string{"-c", `ulimit -f "$0" && exec "$@"`, strconv.FormatInt(s.fileLimit/512, 10), path}, args...)
		path = "/bin/sh"
	}
	process, err := childproc.Start(childproc.Spec{
		Path:       path,
		Args:       args,
		Env:        s.cluster.installation.env(),
		Dir:        s.cluster.dir,
		LogFile:    s.LogFile(),
		Credential: s.cluster.account.credential(),
		// "Immediate": what was committed is in the write-ahead log.
		OnParentDeath: syscall.SIGQUIT,
	})
	if err != nil {
		return err
	}
	s.process = process // the former one stays where there is no new one
	if err := s.cluster.awaitReady(ctx, s.process); err != nil {
		if !s.process.Exited() {
			return errors.Join(err, s.process.Kill())
		}
		said := s.logSince(logged)
		switch {
		case strings.Contains(said, "could not bind"):
			err = errPortTaken
		case strings.Contains(said, "pre-existing shared memory block"):
			err = errStillDying
		}
		return fmt.Errorf("%w; PostgreSQL said: %s", err, said)
	}
	return nil
}

// arguments are the server's command line. There is no unix socket: its path
// would have to be short and private, and nobody needs it.
func (s *Server) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.port),
		"unix_socket_directories": "",
		"logging_collector":       "off",
		"log_destination":         "stderr",
	}
	if !s.options.Durable {
		// synchronous_commit stays on: without fsync it costs next to nothing, and
		// off would lose commits when the server alone is killed, as tests do.
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, s.options.Settings)
	delete(settings, segmentSetting)
	args := []string{"-D", s.cluster.path(clusterName)}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

func (s *Server) logSize() (int64, error) {
	info, err := os.Stat(s.LogFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at the server's log: %w", err)
	}
	return info.Size(), nil
}

// logSince is the end of what the server logged beyond an offset.
func (s *Server) logSince(offset int64) string {
	text, err := os.ReadFile(s.LogFile())
	if err != nil {
		return err.Error()
	}
	text = text[min(int(offset), len(text)):]
	const enough = 2000
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

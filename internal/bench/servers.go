package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/redisserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
)

// template is the database that each measurement's is copied from: migrated,
// with its partitions made.
const template = "bench_template"

// scenarioTopic exists because the service waits for it; nothing is in it.
const scenarioTopic = "bench-scenarios"

// startLimit bounds the start of a server.
const startLimit = 2 * time.Minute

// postgresSettings are those of a small server that is meant for the work. What
// makes a commit last (fsync, synchronous_commit, full_page_writes) is as
// PostgreSQL has it: on.
func postgresSettings() map[string]string {
	return map[string]string{
		"shared_buffers":     "1GB",
		"max_wal_size":       "8GB",
		"checkpoint_timeout": "15min",
		"max_connections":    "100",
	}
}

// servers are those of one bench.
type servers struct {
	postgres *pgserver.Server
	kafka    *childproc.Process
	brokers  string

	redisProgram redisserver.Program // zero: there is none
	redisNote    string
}

// openServers starts PostgreSQL and Kafka and makes the template.
func (b *bench) openServers(ctx context.Context) (err error) {
	s := &b.servers
	fmt.Fprintln(b.Progress, "starting PostgreSQL and Kafka, making the schema")
	if err := b.restartPostgres(ctx); err != nil {
		return err
	}
	if err := b.makeTemplate(ctx); err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	if s.kafka, s.brokers, err = b.startOwn(ctx, "kafka", "--data-dir", filepath.Join(b.dir, "kafka")); err != nil {
		return err
	}
	if err := b.makeTopic(ctx, scenarioTopic, 1); err != nil {
		return err
	}
	s.redisProgram, err = redisserver.Obtain(ctx, b.Progress)
	s.redisNote = s.redisProgram.Server
	if err != nil {
		s.redisNote = "miniredis in a process of its own: " + err.Error()
		fmt.Fprintln(b.Progress, "Redis is", s.redisNote)
	}
	return nil
}

// restartPostgres starts the server, or starts it anew with changed settings.
func (b *bench) restartPostgres(ctx context.Context) (err error) {
	s := &b.servers
	if s.postgres != nil {
		if err := s.postgres.Close(); err != nil {
			return err
		}
		s.postgres = nil
	}
	s.postgres, err = pgserver.Start(ctx, pgserver.Options{
		DataDir: filepath.Join(b.dir, "postgres"), Durable: true, Settings: b.Postgres, Progress: b.Progress,
	})
	return err
}

// makeTopic makes a topic, by a client that knows of it.
func (b *bench) makeTopic(ctx context.Context, name string, partitions int) error {
	client, err := kafkalog.Open(kafkalog.Config{
		Brokers: []string{b.servers.brokers}, ClientID: "bench", Topics: []string{name}, DialTimeout: 5 * time.Second, RequestTimeout: 10 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	if err := client.EnsureTopics(ctx, kafkalog.TopicSpec{Name: name, Partitions: int32(partitions)}); err != nil { //nolint:gosec // a few
		return fmt.Errorf("make topic %s: %w", name, err)
	}
	return nil
}

func (b *bench) makeTemplate(ctx context.Context) error {
	server := b.servers.postgres
	if err := server.EnsureDatabase(ctx, template); err != nil {
		return err
	}
	if _, err := pgmigrate.Up(ctx, server.URL(template), pgmigrate.Options{Operator: "bench"}); err != nil {
		return err
	}
	// As the service does at its start, with the same months.
	return b.onDatabase(ctx, template, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SELECT test_coordination.ensure_partitions(current_date, (date_trunc('month', current_date) + interval '3 months')::date, 'month')")
		return err
	})
}

// onDatabase runs work on a connection of its own.
func (b *bench) onDatabase(ctx context.Context, name string, work func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, b.servers.postgres.URL(name))
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return work(conn)
}

// administer runs statements on the server's own database, outside transactions.
func (b *bench) administer(ctx context.Context, statements ...string) error {
	return b.onDatabase(ctx, "postgres", func(conn *pgx.Conn) error {
		for _, statement := range statements {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}

// freshDatabase makes a database anew, and writes out everything that is still
// to be written, so that no measurement pays for what came before it.
func (b *bench) freshDatabase(ctx context.Context, name string) error {
	return b.administer(ctx,
		"DROP DATABASE IF EXISTS "+name+" WITH (FORCE)",
		"CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY FILE_COPY",
		"CHECKPOINT")
}

// dropDatabase removes a database, unless everything is to be kept.
func (b *bench) dropDatabase(ctx context.Context, name string) error {
	if b.Keep {
		return nil
	}
	return b.administer(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// redis is the Redis of one measurement.
type redis struct {
	url  string
	pid  int
	stop func() error
}

// startRedis starts an empty Redis.
func (b *bench) startRedis(ctx context.Context) (*redis, error) {
	if b.servers.redisProgram.Server == "" {
		process, address, err := b.startOwn(ctx, "redis")
		if err != nil {
			return nil, err
		}
		return &redis{url: "redis://" + address, pid: process.PID(), stop: process.Kill}, nil
	}
	dir := filepath.Join(b.dir, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for Redis: %w", err)
	}
	server, err := redisserver.Start(ctx, b.servers.redisProgram, dir)
	if err != nil {
		return nil, err
	}
	return &redis{url: server.URL(), pid: server.PID(), stop: server.Kill}, nil
}

// startOwn starts a server of this program's in a process of its own, and
// returns the address that it tells.
func (b *bench) startOwn(ctx context.Context, args ...string) (*childproc.Process, string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	log := filepath.Join(b.dir, args[0]+".log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return nil, "", fmt.Errorf("begin the log of %s: %w", args[0], err)
	}
	process, err := childproc.Start(childproc.Spec{
		Path: b.Lab, Args: args, Env: b.environment(), LogFile: log, OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return nil, "", fmt.Errorf("start %s: %w", args[0], err)
	}
	var said string
	err = childproc.AwaitAnswer(ctx, process, func(context.Context) bool {
		text, err := os.ReadFile(log)
		line, _, whole := strings.Cut(string(text), "\n")
		said = line
		return err == nil && whole
	})
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("start %s: %w; it said: %s", args[0], err, childproc.LastLines(log)), process.Kill())
	}
	return process, said, nil
}

// environment is what all programs get of ours: where they are, and how Go runs
// them.
func (b *bench) environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// closeServers ends what openServers has started.
func (b *bench) closeServers() error {
	s := &b.servers
	var errs []error
	if s.kafka != nil {
		errs = append(errs, s.kafka.Stop(syscall.SIGTERM, 30*time.Second))
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	return errors.Join(errs...)
}

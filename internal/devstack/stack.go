// Package devstack is the embedded default of the demo: PostgreSQL from the
// machine's programs, a Kafka (kfake) and a Redis (miniredis) in this process,
// all on loopback, with nothing to install or configure.
//
// It hands out addresses and knows nothing of the service that connects to them;
// the service cannot tell it from separately started servers. It is no
// installation to rely on: neither kfake nor miniredis is meant for that.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
)

// database is the name of the ecosystem's database.
const database = "trading_ecosystem"

// Options say which stack to run.
type Options struct {
	// DataDir holds what PostgreSQL and Kafka store, over restarts and crashes of
	// this process, and is used by one stack at a time. It is made if needed.
	// After a crash of the machine Kafka may lack records that PostgreSQL has
	// seen: remove the folder then. Required.
	DataDir string
	// Progress receives a line for anything that takes long or is unexpected, a
	// download for instance; nil is nowhere.
	Progress io.Writer
}

// Stack is a running stack.
type Stack struct {
	// PostgresURL leads to an own database as superuser. The schema is not in it.
	PostgresURL string
	// RedisURL leads to a Redis that begins empty at every start.
	RedisURL string
	// KafkaBrokers are addresses of a cluster of one broker. Topics are kept in
	// the data directory, and are to be created by the client.
	KafkaBrokers []string

	postgres *pgserver.Server
	kafka    *kfake.Cluster
	redis    *miniredis.Miniredis
	clock    *redisClock
	lock     *os.File
	close    func() error
}

// DefaultDataDir is where the demo keeps its data unless told otherwise: below
// the user's data folder, or for root in /var/lib, since PostgreSQL runs as
// another user then and cannot enter root's home.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/tcda/demo", nil
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "tcda", "demo"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the demo's data: %w", err)
	}
	return filepath.Join(home, ".local", "share", "tcda", "demo"), nil
}

// Start starts the three servers and waits until they take connections. The
// context bounds the start alone. A data directory that another stack uses is
// ErrInUse.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	if o.DataDir == "" {
		return nil, errors.New("start the embedded stack: no data directory given")
	}
	s := &Stack{}
	s.close = sync.OnceValue(s.shutDown)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the embedded stack: %w", err), s.Close())
		}
	}()
	// Passable, for the user that PostgreSQL runs as; what lies in it is closed.
	if err := os.MkdirAll(o.DataDir, 0o711); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if s.lock, err = lockDir(o.DataDir); err != nil {
		return nil, err
	}
	if err := s.startPostgres(ctx, o); err != nil {
		return nil, err
	}
	if err := s.startKafka(filepath.Join(o.DataDir, "kafka")); err != nil {
		return nil, err
	}
	if err := s.startRedis(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close stops all servers in order. It may be called more than once.
func (s *Stack) Close() error { return s.close() }

func (s *Stack) startPostgres(ctx context.Context, o Options) (err error) {
	s.postgres, err = pgserver.Start(ctx, pgserver.Options{
		DataDir:  filepath.Join(o.DataDir, "postgres"),
		Durable:  true,
		Progress: o.Progress,
	})
	if err != nil {
		return err
	}
	s.PostgresURL = s.postgres.URL(database)
	return s.postgres.EnsureDatabase(ctx, database)
}

func (s *Stack) startKafka(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make Kafka's data directory: %w", err)
	}
	// Without SyncWrites, as Apache Kafka by default: with it each produce
	// request would wait for the disk, and the long scenario for minutes.
	s.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	s.KafkaBrokers = s.kafka.ListenAddrs()
	return nil
}

func (s *Stack) startRedis() (err error) {
	if s.redis, err = miniredis.Run(); err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	s.clock = startRedisClock(s.redis)
	s.RedisURL = "redis://" + s.redis.Addr()
	return nil
}

func (s *Stack) shutDown() error {
	var errs []error
	if s.redis != nil {
		s.clock.stop()
		s.redis.Close()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// redisClock lets keys expire: miniredis has no clock of its own.
type redisClock struct {
	quit, done chan struct{}
}

func startRedisClock(redis *miniredis.Miniredis) *redisClock {
	c := &redisClock{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		const step = 100 * time.Millisecond
		tick := time.NewTicker(step)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-c.quit:
				return
			case <-tick.C:
				// Measured: a busy machine drops ticks.
				now := time.Now()
				redis.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	return c
}

func (c *redisClock) stop() {
	close(c.quit)
	<-c.done
}

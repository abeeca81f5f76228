package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// stage is a demo's servers, the service on them in this process, and our own
// connections to look at what it does.
type stage struct {
	stack *devstack.Stack
	cfg   *config.Config
	http  string // address of health and metrics

	store *pgstore.Store
	live  *redisstore.Store
	kafka *kafkalog.Client

	stopService context.CancelFunc
	ended       chan error // of the service; one value
}

// Partitions of the topics that a demo makes: more than one, so that the work
// is shared out, and few enough to be looked at.
const (
	executionPartitions = 4
	scenarioPartitions  = 2
)

// stageOptions are a demo's settings.
type stageOptions struct {
	dataDir  string
	listen   string
	log      zerolog.Logger
	progress io.Writer // lines about what takes long
}

// openStage starts everything, and returns when the service is at work.
func openStage(ctx context.Context, o stageOptions) (_ *stage, err error) {
	s := &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.stack, err = devstack.Start(ctx, devstack.Options{DataDir: o.dataDir, Progress: o.progress}); err != nil {
		return nil, err
	}
	if s.cfg, err = s.settings(o.listen); err != nil {
		return nil, err
	}
	applied, err := pgmigrate.Up(ctx, s.stack.PostgresURL, service.Migrations(s.cfg))
	if err != nil {
		return nil, fmt.Errorf("make the schema: %w (if another version of this program made it, remove %s)", err, o.dataDir)
	}
	if len(applied) > 0 {
		fmt.Fprintf(o.progress, "%d migrations applied\n", len(applied))
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	err = s.kafka.EnsureTopics(ctx,
		kafkalog.TopicSpec{Name: s.cfg.Kafka.TopicExecutions, Partitions: executionPartitions},
		kafkalog.TopicSpec{Name: s.cfg.Kafka.TopicScenarios, Partitions: scenarioPartitions},
		kafkalog.TopicSpec{Name: s.cfg.Kafka.TopicCommands, Partitions: executionPartitions},
		kafkalog.TopicSpec{Name: s.cfg.Kafka.TopicReports, Partitions: executionPartitions})
	if err != nil {
		return nil, fmt.Errorf("make the topics: %w", err)
	}
	err = s.serve(ctx, o.log)
	return s, err
}

// settings are those of the service: as an environment would give them.
func (s *stage) settings(listen string) (*config.Config, error) {
	environment := map[string]string{
		"INSTANCE":             "demo",
		"POSTGRES_URL":         s.stack.PostgresURL,
		"REDIS_URL":            s.stack.RedisURL,
		"KAFKA_BROKERS":        s.stack.KafkaBrokers[0],
		"KAFKA_FETCH_MAX_WAIT": "50ms",
		"RECONCILE_INTERVAL":   "2s",
		"OUTBOX_SETTLED_AFTER": "1s", // a demo's reports are wanted at once
		"HTTP_LISTEN":          listen,
	}
	cfg, err := config.Load(func(name string) (string, bool) {
		value, set := environment[name[min(len(config.EnvPrefix), len(name)):]]
		return value, set
	})
	if err != nil {
		return nil, fmt.Errorf("configure the service: %w", err)
	}
	return cfg, nil
}

// connect opens our own connections.
func (s *stage) connect(ctx context.Context) (err error) {
	if s.store, err = pgstore.Open(ctx, service.Postgres(s.cfg)); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if s.live, err = redisstore.Open(ctx, service.Redis(s.cfg), zerolog.Nop()); err != nil {
		return fmt.Errorf("connect to Redis: %w", err)
	}
	kafka, err := service.Kafka(s.cfg)
	if err != nil {
		return err
	}
	if s.kafka, err = kafkalog.Open(kafka); err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	return nil
}

// serve starts the service and waits until it is at work.
func (s *stage) serve(ctx context.Context, log zerolog.Logger) error {
	// It outlives the signal that ends the demo, so that it stops in order.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan service.Started, 1), make(chan error, 1)
	s.stopService, s.ended = stop, ended
	go func() {
		ended <- service.Run(working, s.cfg, service.Options{Log: log, Ready: func(at service.Started) { ready <- at }})
	}()
	select {
	case at := <-ready:
		s.http = at.HTTP.String()
		return nil
	case err := <-ended:
		s.ended = nil
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close stops the service in order, then the servers.
func (s *stage) close() error {
	var errs []error
	if s.ended != nil {
		s.stopService()
		errs = append(errs, <-s.ended)
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.live != nil {
		errs = append(errs, s.live.Close())
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.stack != nil {
		errs = append(errs, s.stack.Close())
	}
	return errors.Join(errs...)
}

// writeEnvironment writes a file for a shell to read, so that other programs
// find this demo's servers. It returns the file's name.
func (s *stage) writeEnvironment(dataDir string) (string, error) {
	text := ""
	for _, variable := range [][2]string{
		{"POSTGRES_URL", s.stack.PostgresURL},
		{"REDIS_URL", s.stack.RedisURL},
		{"KAFKA_BROKERS", strings.Join(s.stack.KafkaBrokers, ",")},
		{"API", "http://" + s.http},
	} {
		text += fmt.Sprintf("export %s%s='%s'\n", config.EnvPrefix, variable[0], variable[1])
	}
	name := filepath.Join(dataDir, "env")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write the environment for other programs: %w", err)
	}
	return name, nil
}

// logFile is where the service logs while the terminal shows a picture.
func logFile(dataDir string) string { return filepath.Join(dataDir, "tcda.log") }

// settleTime bounds the wait for live states to follow what is stored.
const settleTime = 10 * time.Second

// Package service is tcda serve: it opens the parts that the configuration
// names, waits for the servers that they need, plays the roles, answers about
// health and metrics over HTTP, and stops in order within a deadline.
//
// It is the composition root, apart from the command line so that tests and
// the demo start in their own process what the command starts. It decides
// nothing about events, batches or states: packages ingest, outbox, pgstore,
// redisstore and kafkalog do, and each gets its part of the configuration by
// one function in settings.go.
//
//	api.go        the API, on the listener of health and on one of its own
//	start.go      what is waited for: PostgreSQL, the schema, Kafka, the topics
//	health.go     what readiness rests on
//	settings.go   configuration -> the parts' own
package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/liveness"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/outbox"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Options are what the configuration does not say.
type Options struct {
	Log zerolog.Logger // the zero value discards

	// Ready is called once, when every role is at work; nil: nobody is told.
	Ready func(Started)
}

// Started says what is at work.
type Started struct {
	Instance string
	HTTP     net.Addr // health, metrics and the API
	GRPC     net.Addr // the API alone; nil: not asked for
}

// ErrStopTimeout says that a graceful stop did not end in time. Whatever was
// under way is rolled back, and done again by the next start.
var ErrStopTimeout = errors.New("the service did not stop in time")

// httpGrace bounds the wait for HTTP requests in hand, after the roles' end.
const httpGrace = 2 * time.Second

// Run serves until ctx ends, then finishes what is in hand and returns nil. A
// server that is away is waited for. Run returns an error for a configuration
// that cannot work, for an address that cannot be listened on, for a database
// of another schema (*pgmigrate.VersionError, *pgmigrate.HistoryError), and
// ErrStopTimeout. The configuration must be valid.
func Run(ctx context.Context, cfg *config.Config, opts Options) error {
	s, err := open(ctx, cfg, opts)
	if err != nil {
		return err
	}
	// HTTP outlives the roles, so that it can be seen how they stop.
	web, stopWeb := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWeb()
	parts, working := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.serveHTTP(web, s.http, s.listener) })
	if s.grpc != nil {
		parts.Go(func() error { return s.serveHTTP(web, s.grpcHTTP, s.grpc) })
	}
	parts.Go(func() error { s.access.Watch(web); return nil })
	parts.Go(func() error {
		defer stopWeb()
		defer close(s.stopping) // streams end before HTTP does
		return s.work(working)
	})
	return s.await(ctx, parts)
}

// serveHTTP answers until ctx ends. Who has connected and says nothing, or asks for
// what takes long, is cut off then: the stop is in order all the same, for a
// request may be repeated.
func (s *service) serveHTTP(ctx context.Context, server *opshttp.Server, on net.Listener) error {
	err := server.Run(ctx, on, httpGrace)
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn().Stringer("address", on.Addr()).Dur("grace", httpGrace).Msg("HTTP connections that were still in use are cut off")
		return nil
	}
	return err
}

// service is everything that serve has open.
type service struct {
	cfg      *config.Config
	instance string
	log      zerolog.Logger
	ready    func(Started)

	store    *pgstore.Store
	callers  *pgstore.Store    // the same, for the API; nil without the role
	redis    *redisstore.Store // nil: not enabled
	kafka    *kafkalog.Client  // knows the input topics
	output   *kafkalog.Client  // knows the output topics; nil without the role
	tracing  *telemetry.Tracing
	engine   *ingest.Engine
	access   *access.Guard
	commands *command.Commands
	liveness *liveness.Loop
	rollups  *rollup.Roller
	outbox   *outbox.Publisher // nil without the role
	reports  *reporting.Loop   // nil without the role
	pruner   *pruning.Pruner   // nil without the role
	http     *opshttp.Server
	listener net.Listener
	grpc     net.Listener    // a further one for the API; nil: not asked for
	grpcHTTP *opshttp.Server // on it: the API, and what says whether it is well

	stopping chan struct{} // closed when the roles have ended

	phase atomic.Pointer[string] // what is waited for; empty: at work
}

// open makes all parts. None of them needs its server yet.
func open(ctx context.Context, cfg *config.Config, opts Options) (_ *service, err error) {
	s := &service{cfg: cfg, ready: opts.Ready, stopping: make(chan struct{})}
	s.enter("starting")
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	if s.instance, err = Instance(cfg); err != nil {
		return nil, err
	}
	s.log = opts.Log.With().Str("instance", s.instance).Logger()
	if s.store, err = pgstore.Open(ctx, Postgres(cfg)); err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	if cfg.Redis.Enabled {
		if s.redis, err = redisstore.Open(ctx, Redis(cfg), s.log); err != nil {
			return nil, fmt.Errorf("open Redis: %w", err)
		}
	}
	kafkaConfig, err := Kafka(cfg)
	if err != nil {
		return nil, err
	}
	kafkaConfig.Logger = s.log
	if s.kafka, err = kafkalog.Open(kafkaConfig); err != nil {
		return nil, fmt.Errorf("open Kafka: %w", err)
	}
	if s.tracing, err = s.openTracing(ctx); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	metrics, err := telemetry.NewMetrics(registry, telemetry.ThisBuild())
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	decoder, err := event.NewDecoder(EventLimits(cfg))
	if err != nil {
		return nil, fmt.Errorf("make decoder: %w", err)
	}
	s.engine, err = ingest.New(Ingest(cfg, s.instance), ingest.Parts{
		Kafka: s.kafka, Store: s.store, Redis: s.redis, Decoder: decoder, Metrics: metrics, Tracing: s.tracing, Log: s.log,
	})
	if err != nil {
		return nil, fmt.Errorf("make engine: %w", err)
	}
	if cfg.Service.Plays(config.RoleReport) {
		s.reports = reporting.New(Report(cfg), reporting.Parts{
			Reports: &reporting.Reports{Store: s.store, Source: s.engine.Source()}, Metrics: metrics, Publish: s.nudge, Log: s.log,
		})
	}
	if cfg.Service.Plays(config.RoleOutbox) {
		if err := s.openOutbox(kafkaConfig, metrics); err != nil {
			return nil, err
		}
	}
	if cfg.Service.Plays(config.RoleMaintain) {
		if err := s.openRetention(registry); err != nil {
			return nil, err
		}
	}
	guard := Access(cfg)
	guard.Log = s.log
	if s.access, err = access.Open(guard); err != nil {
		return nil, fmt.Errorf("open access: %w", err)
	}
	s.http = opshttp.New(registry, s.checks(), s.log)
	s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.HTTP.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP (http-listen): %w", err)
	}
	s.listener = s.access.Listener(s.listener)
	if err := s.openAPI(ctx, decoder); err != nil {
		return nil, err
	}
	s.liveness = liveness.New(Liveness(cfg), liveness.Parts{Store: s.store, Commands: s.commands, Limits: DefinitionLimits(cfg), Metrics: metrics, Log: s.log, Deaf: s.hearsAll})
	s.rollups = rollup.New(Rollups(cfg), rollup.Parts{Store: s.store, Metrics: metrics, Log: s.log})
	return s, nil
}

// openOutbox makes the publisher, with a client of its own: one keeps the leaders
// known of the topics that it was made for.
func (s *service) openOutbox(c kafkalog.Config, metrics *telemetry.Metrics) (err error) {
	settings := Outbox(s.cfg, s.instance)
	c.Topics = nil
	for _, topic := range settings.Topics {
		c.Topics = append(c.Topics, topic.Name)
	}
	if s.output, err = kafkalog.Open(c); err != nil {
		return fmt.Errorf("open Kafka: %w", err)
	}
	s.outbox, err = outbox.New(settings, outbox.Parts{Store: s.store, Kafka: s.output, Metrics: metrics, Log: s.log, Settled: s.settled})
	if err != nil {
		return fmt.Errorf("make outbox: %w", err)
	}
	return nil
}

func (s *service) openTracing(ctx context.Context) (*telemetry.Tracing, error) {
	if s.cfg.Tracing.Endpoint == "" {
		return telemetry.NoTracing(), nil
	}
	exporter, err := telemetry.OTLPExporter(ctx, s.cfg.Tracing.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("open tracing: %w", err)
	}
	return telemetry.NewTracing(exporter, s.cfg.Tracing.Ratio, s.instance, telemetry.ThisBuild()), nil
}

// work waits for the servers, then plays the roles until ctx ends.
func (s *service) work(ctx context.Context) error {
	build := telemetry.ThisBuild()
	s.log.Info().Str("version", build.Version).Str("revision", build.Revision).Strs("roles", s.cfg.Service.Roles).
		Stringer("http", s.listener.Addr()).Stringer("postgres", s.cfg.Postgres.URL).Msg("tcda starts")
	if err := s.awaitSchema(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	if err := s.engine.Meet(ctx); err != nil {
		s.log.Warn().Err(err).Msg("not known how far PostgreSQL has come; asked again later")
	}
	if s.cfg.Service.Plays(config.RoleIngest) || s.cfg.Service.Plays(config.RoleMaintain) {
		if err := s.preparePartitions(ctx); err != nil {
			return unlessEnded(ctx, err)
		}
	}
	roles, ctx := errgroup.WithContext(ctx)
	if s.redis != nil {
		roles.Go(func() error { s.redis.Watch(ctx); return nil })
	}
	// The last word to Redis comes after the last batch.
	reconciling, stopReconciling := context.WithCancel(context.WithoutCancel(ctx))
	if s.cfg.Service.Plays(config.RoleReconcile) {
		roles.Go(func() error { s.engine.Reconcile(reconciling); return nil })
		roles.Go(func() error { s.liveness.Run(ctx); return nil })
	}
	if s.cfg.Service.Plays(config.RoleMaintain) {
		roles.Go(func() error { s.engine.MaintainPartitions(ctx); return nil })
		roles.Go(func() error { s.engine.PlanSchedules(ctx); return nil })
		roles.Go(func() error { s.forget(ctx); return nil })
		roles.Go(func() error { s.rollups.Run(ctx); return nil })
		roles.Go(func() error { s.pruner.Run(ctx); return nil })
	}
	if s.outbox != nil {
		roles.Go(func() error { s.outbox.Run(ctx); return nil })
	}
	if s.reports != nil {
		roles.Go(func() error { s.reports.Run(ctx); return nil })
	}
	if s.cfg.Service.Plays(config.RoleIngest) {
		roles.Go(func() error {
			defer stopReconciling()
			if err := s.awaitTopics(ctx); err != nil {
				return unlessEnded(ctx, err)
			}
			s.atWork()
			return s.engine.Ingest(ctx)
		})
	} else {
		s.atWork()
		roles.Go(func() error {
			defer stopReconciling()
			<-ctx.Done()
			return nil
		})
	}
	return roles.Wait()
}

// atWork tells that every role has what it needs.
func (s *service) atWork() {
	s.enter("")
	s.log.Info().Msg("tcda is at work")
	if s.ready != nil {
		started := Started{Instance: s.instance, HTTP: s.listener.Addr()}
		if s.grpc != nil {
			started.GRPC = s.grpc.Addr()
		}
		s.ready(started)
	}
}

// unlessEnded is err, or nil when it is no more than the end of ctx.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// await waits for the parts to end: as long as ctx lasts, and then for the
// time of a graceful stop.
func (s *service) await(ctx context.Context, parts *errgroup.Group) error {
	ended := make(chan error, 1)
	go func() { ended <- parts.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		s.enter("stopping")
		limit := s.cfg.Service.ShutdownTimeout
		s.log.Info().Stringer("limit", limit).Msg("tcda stops: finishing what is in hand")
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case err = <-ended:
		case <-timer.C:
			// Nothing is closed: closing waits for what is still under way.
			return fmt.Errorf("%w: more than %s (shutdown-timeout)", ErrStopTimeout, limit)
		}
	}
	s.close(ctx)
	if err == nil {
		s.log.Info().Msg("tcda has stopped")
	}
	return err
}

// close gives back what is open, also when not everything is.
func (s *service) close(ctx context.Context) {
	if s.listener != nil {
		_ = s.listener.Close() // most often closed by the HTTP server already
	}
	if s.grpc != nil {
		_ = s.grpc.Close() // likewise
	}
	if s.tracing != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
		if err := s.tracing.Shutdown(bounded); err != nil {
			s.log.Warn().Err(err).Msg("last spans were not sent")
		}
		cancel()
	}
	for _, client := range []*kafkalog.Client{s.kafka, s.output} {
		if client != nil {
			client.Close()
		}
	}
	if s.redis != nil {
		if err := s.redis.Close(); err != nil {
			s.log.Debug().Err(err).Msg("Redis not closed")
		}
	}
	for _, store := range []*pgstore.Store{s.store, s.callers} {
		if store != nil {
			store.Close()
		}
	}
}

package service

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// openAPI makes what carries out writes, and serves the API where that is a role
// of this process: beside health and metrics, and on an address of its own if
// one is wanted.
func (s *service) openAPI(ctx context.Context, decoder *event.Decoder) (err error) {
	parts := API(s.cfg)
	commands := func(store *pgstore.Store) *command.Commands {
		return command.New(command.Parts{
			Store: store, Redis: s.redis, Decoder: decoder, Limits: parts.Limits, Source: s.engine.Source(), Nudge: s.nudge, Log: s.log,
		})
	}
	s.commands = commands(s.store)
	if !s.cfg.Service.Plays(config.RoleAPI) {
		return nil
	}
	// Of connections of their own: however many callers wait for theirs, and for
	// whatever, ingest does not wait among them.
	if s.callers, err = pgstore.Open(ctx, PostgresOfAPI(s.cfg)); err != nil {
		return fmt.Errorf("open PostgreSQL for the API: %w", err)
	}
	parts.Store, parts.Redis, parts.Commands, parts.Log = s.callers, s.redis, commands(s.callers), s.log
	parts.Stopping = s.stopping
	parts.AtWork = func() error { return s.isAtWork(ctx) }
	parts.Interceptors = []connect.Interceptor{s.access.Interceptor()}
	handler, err := api.NewHandler(parts)
	if err != nil {
		return fmt.Errorf("make the API: %w", err)
	}
	guarded := func(at net.Addr) http.Handler { return s.access.API(at, handler, api.Pages()...) }
	s.http.Mount(guarded(s.listener.Addr()), s.cfg.API.CleartextHTTP2)
	if s.cfg.API.GRPCListen == "" {
		return nil
	}
	s.grpc, err = new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.API.GRPCListen)
	if err != nil {
		return fmt.Errorf("listen for gRPC (api-grpc-listen): %w", err)
	}
	s.grpc = s.access.Listener(s.grpc)
	s.grpcHTTP = opshttp.New(prometheus.NewRegistry(), s.checks(), s.log)
	s.grpcHTTP.Mount(guarded(s.grpc.Addr()), true)
	return nil
}

// nudge has what was just put into the outbox published at once; without that
// role here, another instance finds it.
func (s *service) nudge() {
	if s.outbox != nil {
		s.outbox.Nudge()
	}
}

// settled has the reports of runs that have just settled built at once; without
// that role here, another instance finds them.
func (s *service) settled() {
	if s.reports != nil {
		s.reports.Nudge()
	}
}
